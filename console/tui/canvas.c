/* canvas.c -- a grid of cells that panels draw on. All text comes to put_shown() by way of text_show(). */
#include "console/tui/canvas.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

/* Text on its way to the cells. It may be a token: there is one such buffer, wiped with each clear canvas. */
#define SHOWN_MAX 4096
static char shown_buffer[SHOWN_MAX];

static struct span show(struct span text)
{
	return span_str(text_show(shown_buffer, sizeof(shown_buffer), text));
}

/* ---- characters ---- */

/* One character with what combines with it. */
struct cluster {
	uint32_t cp, mark[CELL_MARKS];
	int width;
};

static bool is_mark(uint32_t cp)
{
	return cp >= 0x80 && wcwidth((wchar_t)cp) == 0;
}

/* Selects another picture for the character before it, which terminals take for a reason to give it another width. */
static bool is_variation(uint32_t cp)
{
	return cp >= 0xfe00 && cp <= 0xfe0f;
}

static struct cluster next_cluster(const uint8_t **at, const uint8_t *end, bool utf8)
{
	static const struct cluster unknown = { .cp = '?', .width = 1 };
	struct cluster k = { .cp = utf8_next(at, end), .width = 1 };
	size_t marks = 0;

	if (k.cp >= 0x80)
		k.width = utf8 ? wcwidth((wchar_t)k.cp) : -1;
	if (k.width < 1)
		k = unknown;
	while (utf8 && *at < end) {
		const uint8_t *next = *at;
		uint32_t cp = utf8_next(&next, end);

		if (!is_mark(cp))
			break;
		if (marks < CELL_MARKS && !is_variation(cp))
			k.mark[marks++] = cp;
		*at = next;
	}
	return k;
}

static long shown_width(struct span shown, bool utf8)
{
	const uint8_t *at = shown.data;
	const uint8_t *end = at + shown.size;
	long width = 0;

	while (at < end)
		width += next_cluster(&at, end, utf8).width;
	return width;
}

/* ---- cells ---- */

static size_t cells_of(const struct canvas *c)
{
	return (size_t)c->rows * (size_t)c->cols;
}

bool canvas_init(struct canvas *c, int rows, int cols, bool utf8)
{
	*c = (struct canvas){ .rows = rows, .cols = cols, .utf8 = utf8 };
	c->cell = calloc((size_t)rows, (size_t)cols * sizeof(*c->cell));
	if (!c->cell)
		return false;
	canvas_clear(c);
	return true;
}

void canvas_done(struct canvas *c)
{
	if (c->cell)
		secret_wipe(c->cell, cells_of(c) * sizeof(*c->cell));
	secret_wipe(shown_buffer, sizeof(shown_buffer));
	free(c->cell);
	*c = (struct canvas){ 0 };
}

struct area canvas_area(const struct canvas *c)
{
	return (struct area){ 0, 0, c->rows, c->cols };
}

void canvas_clear(struct canvas *c)
{
	size_t cells = cells_of(c);

	for (size_t i = 0; i < cells; i++)
		c->cell[i] = (struct cell){ .cp = ' ', .style = STYLE_NORMAL };
	c->cursor_row = c->cursor_col = c->secret_row = c->secret_col = 0;
	c->cursor_bar = false;
	c->secret = NULL;
	secret_wipe(shown_buffer, sizeof(shown_buffer));
}

/* What of a row of an area is on the canvas: columns from `from` to before `to`, none where it is not. In long, so that
 * no sum of two ints overflows. */
struct strip {
	struct cell *row;
	long from, to;
};

static struct strip strip_of(struct canvas *c, struct area a, long row)
{
	struct strip s = { 0 };
	long at = a.row + row;

	if (row < 0 || row >= a.rows || at < 0 || at >= c->rows)
		return s;
	s.row = c->cell + at * c->cols;
	s.from = a.col > 0 ? a.col : 0;
	s.to = (long)a.col + a.cols;
	if (s.to > c->cols)
		s.to = c->cols;
	return s;
}

static void blank(struct cell *cell)
{
	*cell = (struct cell){ .cp = ' ', .style = cell->style };
}

/* Where it covers one half of a wide character, the other half is blanked. */
static void put_cell(const struct canvas *c, struct cell *row, long col, uint32_t cp, enum style s)
{
	if (row[col].cp == 0)
		blank(&row[col - 1]);
	if (col + 1 < c->cols && row[col + 1].cp == 0)
		blank(&row[col + 1]);
	row[col] = (struct cell){ .cp = cp, .style = (uint8_t)s };
}

/* A wide character of which only one half is within the strip leaves a space there. */
static void put_cluster(const struct canvas *c, const struct strip *t, long col, const struct cluster *k, enum style s)
{
	bool whole = col >= t->from && col + k->width <= t->to;

	for (int i = 0; i < k->width; i++)
		if (col + i >= t->from && col + i < t->to)
			put_cell(c, t->row, col + i, whole && i == 0 ? k->cp : ' ', s);
	if (!whole)
		return;
	memcpy(t->row[col].mark, k->mark, sizeof(k->mark));
	if (k->width == 2)
		t->row[col + 1].cp = 0;
}

static uint32_t glyph_cp(const struct canvas *c, enum glyph g)
{
	const char *text = glyph_text(g, c->utf8);
	const uint8_t *at = (const uint8_t *)text;

	return utf8_next(&at, at + strlen(text));
}

/* ---- text ---- */

static int put_shown(struct canvas *c, struct area a, long row, long col, enum style s, struct span shown)
{
	struct strip t = strip_of(c, a, row);
	long first = a.col + col, right = (long)a.col + a.cols;
	const uint8_t *at = shown.data;
	const uint8_t *end = at + shown.size;
	long to = first;
	bool cut;

	/* What nobody sees is laid out too: the caller goes on behind it. */
	if (right > c->cols)
		right = c->cols;
	if (first >= right)
		return 0;
	cut = first + shown_width(shown, c->utf8) > right;
	while (at < end) {
		struct cluster k = next_cluster(&at, end, c->utf8);

		if (to + k.width > right - cut)
			break;
		put_cluster(c, &t, to, &k, s);
		to += k.width;
	}
	if (cut) {
		struct cluster more = { .cp = glyph_cp(c, GLYPH_ELLIPSIS), .width = 1 };

		put_cluster(c, &t, to, &more, s);
		to++;
	}
	return (int)(to - first);
}

int canvas_put_span(struct canvas *c, struct area a, int row, int col, enum style s, struct span text)
{
	return put_shown(c, a, row, col, s, show(text));
}

int canvas_put(struct canvas *c, struct area a, int row, int col, enum style s, const char *text)
{
	return canvas_put_span(c, a, row, col, s, span_str(text));
}

int canvas_putf(struct canvas *c, struct area a, int row, int col, enum style s, const char *fmt, ...)
{
	char text[SHOWN_MAX];
	va_list args;
	int size;

	va_start(args, fmt);
	size = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return size < 0 ? 0 : canvas_put(c, a, row, col, s, text);
}

int canvas_put_right(struct canvas *c, struct area a, int row, int right, enum style s, const char *text)
{
	struct span line = show(span_str(text));
	long cols = (long)a.cols - right, col;

	if (cols > a.cols)
		cols = a.cols;
	if (cols <= 0)
		return 0;
	a.cols = (int)cols;
	col = cols - shown_width(line, c->utf8);
	return put_shown(c, a, row, col > 0 ? col : 0, s, line);
}

int canvas_width(const char *text, bool utf8)
{
	return (int)shown_width(show(span_str(text)), utf8);
}

/* Takes one line off the front of *rest: up to the last space that lets it fit, and swallows the spaces there. A word
 * that is longer than a line is broken, after one character at least. Spaces before the first word are part of it. */
static struct span take_line(struct span *rest, int cols, bool utf8)
{
	const uint8_t *from = rest->data, *at = from, *end = from + rest->size;
	const uint8_t *line_end = NULL, *next = end;      /* what the last gap between words says */
	bool word = false, gap = false;
	long width = 0;

	while (at < end) {
		const uint8_t *here = at;
		struct cluster k = next_cluster(&at, end, utf8);
		bool space = k.cp == ' ' && word;

		if (space && !gap)
			line_end = here;
		if (space)
			next = at;
		gap = space;
		word |= k.cp != ' ';
		width += k.width;
		if (width <= cols || gap)
			continue;
		if (!line_end)
			line_end = next = here > from ? here : at;
		goto out;
	}
	if (!gap)
		line_end = end;
	next = end;
out:
	*rest = span_of(next, (size_t)(end - next));
	return span_of(from, (size_t)(line_end - from));
}

int canvas_wrap(struct canvas *c, struct area a, int row, enum style s, const char *text)
{
	bool utf8 = !c || c->utf8;
	long rows = 0;

	if (a.cols <= 0)
		return 0;
	while (*text) {
		size_t size = strcspn(text, "\n");
		struct span rest = show(span_of(text, size));

		do {
			struct span line = take_line(&rest, a.cols, utf8);

			if (c)
				put_shown(c, a, row + rows, 0, s, line);
			rows++;
		} while (rest.size);
		text += size + (text[size] == '\n');
	}
	return (int)rows;
}

/* ---- more ---- */

void canvas_glyph(struct canvas *c, struct area a, int row, int col, enum style s, enum glyph g, int times)
{
	struct strip t = strip_of(c, a, row);
	long from = (long)a.col + col, to = from + times;
	uint32_t cp = glyph_cp(c, g);

	for (long i = from > t.from ? from : t.from; i < to && i < t.to; i++)
		put_cell(c, t.row, i, cp, s);
}

void canvas_fill(struct canvas *c, struct area a, enum style s)
{
	for (long row = a.row < 0 ? -(long)a.row : 0; row < a.rows && a.row + row < c->rows; row++) {
		struct strip t = strip_of(c, a, row);

		for (long i = t.from; i < t.to; i++)
			put_cell(c, t.row, i, ' ', s);
	}
}

void canvas_style(struct canvas *c, struct area a, enum style s)
{
	for (long row = a.row < 0 ? -(long)a.row : 0; row < a.rows && a.row + row < c->rows; row++) {
		struct strip t = strip_of(c, a, row);

		for (long i = t.from; i < t.to; i++)
			t.row[i].style = (uint8_t)s;
	}
}

static void add_cp(struct buf *out, uint32_t cp)
{
	char bytes[4];

	buf_add(out, bytes, utf8_put(bytes, cp));
}

static void add_row(const struct canvas *c, int row, struct buf *out)
{
	const struct cell *cell = c->cell + (size_t)row * (size_t)c->cols;
	long secret_end = c->secret && row == c->secret_row ? c->secret_col + (long)c->secret->size : 0;
	size_t end = out->size;      /* behind the last character that is no space */

	for (int col = 0; col < c->cols; col++) {
		static const struct cell star = { .cp = '*' };
		const struct cell *k = col >= c->secret_col && col < secret_end ? &star : &cell[col];

		if (k->cp == 0)
			continue;
		add_cp(out, k->cp);
		for (size_t i = 0; i < CELL_MARKS && k->mark[i]; i++)
			add_cp(out, k->mark[i]);
		if (k->cp != ' ' || k->mark[0])
			end = out->size;
	}
	if (!out->failed)
		out->size = end;
	buf_add_char(out, '\n');
}

void canvas_text(const struct canvas *c, struct buf *out)
{
	for (int row = 0; row < c->rows; row++)
		add_row(c, row, out);
}
