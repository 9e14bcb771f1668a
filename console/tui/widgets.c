/* widgets.c -- what several panels draw: boxes, tables, lists, numbers, sparklines, a line of text one edits. */
#include "console/tui/widgets.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- frames ---- */

static int at_least_0(int n)
{
	return n > 0 ? n : 0;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

void draw_rule(struct canvas *c, struct area a, int row, const char *text)
{
	struct area inside = { a.row, a.col, a.rows, a.cols - 2 };
	int end;

	canvas_glyph(c, a, row, 0, STYLE_FRAME, GLYPH_HORIZONTAL, a.cols);
	if (!text || !*text || a.cols < 6)
		return;
	canvas_put(c, a, row, 2, STYLE_FRAME, " ");
	end = 3 + canvas_put(c, inside, row, 3, STYLE_HEADING, text);
	canvas_put(c, a, row, end, STYLE_FRAME, " ");
}

static void draw_ends(struct canvas *c, struct area a, int row, enum glyph left, enum glyph right)
{
	canvas_glyph(c, a, row, 0, STYLE_FRAME, left, 1);
	canvas_glyph(c, a, row, a.cols - 1, STYLE_FRAME, right, 1);
}

struct area draw_box(struct canvas *c, struct area a, const char *title)
{
	struct area inside = area_less(a, 1, 1);
	int last = a.rows - 1;

	canvas_fill(c, a, STYLE_NORMAL);
	draw_rule(c, a, 0, title);
	draw_rule(c, a, last, NULL);
	for (int row = 1; row < smaller(last, c->rows); row++)
		draw_ends(c, a, row, GLYPH_VERTICAL, GLYPH_VERTICAL);
	draw_ends(c, a, 0, GLYPH_TOP_LEFT, GLYPH_TOP_RIGHT);
	draw_ends(c, a, last, GLYPH_BOTTOM_LEFT, GLYPH_BOTTOM_RIGHT);
	inside.col += 2;
	inside.cols = at_least_0(inside.cols - 4);
	return inside;
}

struct area area_middle(struct area a, int rows, int cols)
{
	struct area in;

	in.rows = smaller(at_least_0(rows), at_least_0(a.rows));
	in.cols = smaller(at_least_0(cols), at_least_0(a.cols));
	in.row = a.row + (at_least_0(a.rows) - in.rows) / 2;
	in.col = a.col + (at_least_0(a.cols) - in.cols) / 2;
	return in;
}

struct area area_less(struct area a, int top, int bottom)
{
	int rows = at_least_0(a.rows);

	top = smaller(at_least_0(top), rows);
	a.row += top;
	a.rows = at_least_0(rows - top - at_least_0(bottom));
	return a;
}

/* ---- tables ---- */

/* What each column without a width gets; *ret_rest of them one more. */
static int shared_width(struct area a, const struct column *col, size_t count, int *ret_rest)
{
	int left = a.cols - (int)count + 1, sharing = 0;

	for (size_t i = 0; i < count; i++) {
		left -= col[i].width;
		sharing += col[i].width == 0;
	}
	left = at_least_0(left);
	*ret_rest = sharing ? left % sharing : 0;
	return sharing ? left / sharing : 0;
}

static void draw_cell(struct canvas *c, struct area a, int row, bool right, enum style s, const char *text)
{
	if (right)
		canvas_put_right(c, a, row, 0, s, text);
	else
		canvas_put(c, a, row, 0, s, text);
}

/* cells NULL: what stands above the columns. */
static void draw_columns(struct canvas *c, struct area a, int row, const struct column *col, size_t count,
                         const char *const *cells, enum style s, const enum style *styles)
{
	int rest, share = shared_width(a, col, count, &rest);
	struct area in = a;

	for (size_t i = 0; i < count; i++) {
		int width = col[i].width ? col[i].width : share + (rest-- > 0);
		const char *text = cells ? cells[i] : col[i].head;

		in.cols = smaller(width, a.col + a.cols - in.col);
		if (text && in.cols > 0)
			draw_cell(c, in, row, col[i].right, styles ? styles[i] : s, text);
		in.col += width + 1;
	}
}

void draw_cells(struct canvas *c, struct area a, int row, const struct column *col, size_t count,
                const char *const *cells, enum style s, const enum style *styles)
{
	draw_columns(c, a, row, col, count, cells, s, styles);
}

void draw_heads(struct canvas *c, struct area a, int row, const struct column *col, size_t count)
{
	draw_columns(c, a, row, col, count, NULL, STYLE_HEADING, NULL);
}

/* ---- lists ---- */

void list_fit(struct list *l, size_t rows)
{
	size_t top_max;

	if (rows == 0)
		rows = 1;
	top_max = l->count > rows ? l->count - rows : 0;
	if (l->selected >= l->count)
		l->selected = l->count ? l->count - 1 : 0;
	if (l->top > l->selected)
		l->top = l->selected;
	if (l->selected - l->top >= rows)
		l->top = l->selected - rows + 1;
	if (l->top > top_max)
		l->top = top_max;
}

bool list_move(struct list *l, enum command what, size_t rows)
{
	size_t was = l->selected, last = l->count ? l->count - 1 : 0, page = rows ? rows : 1;

	switch (what) {
	case CMD_UP:
		l->selected -= l->selected > 0;
		break;
	case CMD_DOWN:
		l->selected += l->selected < last;
		break;
	case CMD_PAGE_UP:
		l->selected -= page < l->selected ? page : l->selected;
		break;
	case CMD_PAGE_DOWN:
		l->selected = l->selected < last && last - l->selected > page ? l->selected + page : last;
		break;
	case CMD_FIRST:
		l->selected = 0;
		break;
	case CMD_LAST:
		l->selected = last;
		break;
	default:
		return false;
	}
	list_fit(l, rows);
	return l->selected != was;
}

static struct area area_line(struct area a, int row)
{
	return (struct area){ a.row + row, a.col, row >= 0 && row < a.rows, a.cols };
}

static void put_cursor(struct canvas *c, struct area line, int col)
{
	int at = line.col + col;

	if (line.rows == 0 || line.row < 0 || line.row >= c->rows || at < 0 || at >= c->cols)
		return;
	c->cursor_row = line.row;
	c->cursor_col = at;
}

void draw_selected(struct canvas *c, struct area a, int row)
{
	struct area line = area_line(a, row);

	canvas_style(c, line, STYLE_SELECTED);
	put_cursor(c, line, 0);
}

/* ---- numbers for people ---- */

const char *number_text(uint64_t n, char out[NUMBER_TEXT_MAX])
{
	char digits[NUMBER_TEXT_MAX];
	int size = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (int i = 0; i < size; i++) {
		if (i > 0 && (size - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

const char *bytes_text(uint64_t n, char out[NUMBER_TEXT_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned unit = 0, tenths = 0;

	/* Cut, not rounded: never "1024.0 KiB". */
	for (; n >= 1024; n /= 1024, unit++)
		tenths = (unsigned)(n % 1024 * 10 / 1024);
	if (unit == 0)
		snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64 " B", n);
	else
		snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64 ".%u %s", n, tenths, units[unit]);
	return out;
}

const char *ago_text(uint64_t at, uint64_t now, char out[NUMBER_TEXT_MAX])
{
	static const struct { uint64_t up_to, unit; const char *name; } scales[] = {
		{ 60, 1, "s" }, { 3600, 60, "min" }, { 48 * 3600, 3600, "h" }, { UINT64_MAX, 86400, "d" },
	};
	uint64_t s = now - at;
	size_t i = 0;

	if (at == 0 || at >= now)
		return at ? "now" : "-";
	while (s >= scales[i].up_to)
		i++;
	snprintf(out, NUMBER_TEXT_MAX, "%" PRIu64 " %s", s / scales[i].unit, scales[i].name);
	return out;
}

void draw_sparkline(struct canvas *c, struct area a, int row, int col, enum style s, const uint32_t *count,
                    size_t counts)
{
	size_t room = (size_t)at_least_0(a.cols - col), shown = counts < room ? counts : room;
	uint64_t most = 1;

	count += counts - shown;
	for (size_t i = 0; i < shown; i++)
		most = count[i] > most ? count[i] : most;
	for (size_t i = 0; i < shown; i++, col++) {
		unsigned level = (unsigned)((count[i] * (uint64_t)8 + most - 1) / most);

		if (level)
			canvas_glyph(c, a, row, col, s, GLYPH_BAR_1 + level - 1, 1);
		else
			canvas_put(c, a, row, col, s, " ");
	}
}

/* ---- a line of text one edits ---- */

bool text_field_init(struct text_field *f, size_t max, const char *text)
{
	*f = (struct text_field){ .max = max };
	f->text = calloc(1, max + 1);
	if (!f->text)
		return false;
	text_field_set(f, text);
	return true;
}

void text_field_done(struct text_field *f)
{
	if (f->text)
		secret_wipe(f->text, f->max + 1);
	free(f->text);
	*f = (struct text_field){ 0 };
}

/* The start of the character before this one, or behind it. */
static size_t before(const struct text_field *f, size_t at)
{
	while (at > 0 && ((uint8_t)f->text[--at] & 0xc0) == 0x80)
		;
	return at;
}

static size_t behind(const struct text_field *f, size_t at)
{
	while (at < f->size && ((uint8_t)f->text[++at] & 0xc0) == 0x80)
		;
	return at;
}

/* What becomes free is wiped. */
static void cut_out(struct text_field *f, size_t from, size_t to)
{
	memmove(f->text + from, f->text + to, f->size - to);
	f->size -= to - from;
	secret_wipe(f->text + f->size, to - from);
	f->at = from;
}

/* What has no room is left out. */
static void insert(struct text_field *f, uint32_t cp)
{
	char bytes[4];
	size_t size = utf8_put(bytes, cp);

	if (size <= f->max - f->size) {
		memmove(f->text + f->at + size, f->text + f->at, f->size - f->at);
		memcpy(f->text + f->at, bytes, size);
		f->size += size;
		f->at += size;
	}
	secret_wipe(bytes, sizeof(bytes));
}

static bool is_text(uint32_t cp)
{
	return cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff) && !text_is_control(cp);
}

void text_field_set(struct text_field *f, const char *text)
{
	struct span in = span_str(text);
	const uint8_t *at = in.data, *end = at + in.size;

	cut_out(f, 0, f->size);
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (is_text(cp))
			insert(f, cp);
	}
}

static size_t word_before(const struct text_field *f)
{
	size_t at = f->at;

	while (at > 0 && f->text[at - 1] == ' ')
		at--;
	while (at > 0 && f->text[at - 1] != ' ')
		at--;
	return at;
}

bool text_field_press(struct text_field *f, int press)
{
	switch (press) {
	case PRESS_LEFT:
		f->at = before(f, f->at);
		return true;
	case PRESS_RIGHT:
		f->at = behind(f, f->at);
		return true;
	case PRESS_HOME:
		f->at = 0;
		return true;
	case PRESS_END:
		f->at = f->size;
		return true;
	case PRESS_BACKSPACE:
		cut_out(f, before(f, f->at), f->at);
		return true;
	case PRESS_DELETE:
		cut_out(f, f->at, behind(f, f->at));
		return true;
	case PRESS_CTRL('u'):
		cut_out(f, 0, f->size);
		return true;
	case PRESS_CTRL('w'):
		cut_out(f, word_before(f), f->at);
		return true;
	default:
		if (press < ' ' || press > 0x10ffff)
			return false;
		if (is_text((uint32_t)press))
			insert(f, (uint32_t)press);
		return true;
	}
}

/* Columns of the character at `from`, alone. */
static int char_width(const struct canvas *c, const struct text_field *f, size_t from)
{
	char one[5] = "";

	memcpy(one, f->text + from, behind(f, from) - from);
	return canvas_width(one, c->utf8);
}

/* Where the part that is shown starts: as far to the left as lets the cursor, and what is under it, be within cols. A
 * sign that something is missing takes a column at either end. */
static size_t first_shown(const struct canvas *c, const struct text_field *f, int cols)
{
	size_t from = f->at;
	int width = 1;

	if (from < f->size)
		width = char_width(c, f, from) + (behind(f, from) < f->size);
	while (from > 0) {
		size_t next = before(f, from);

		width += char_width(c, f, next);
		if (width + (next > 0) > cols)
			break;
		from = next;
	}
	return from;
}

void draw_text_field(struct canvas *c, struct area a, int row, const struct text_field *f, bool focused)
{
	struct area line = area_line(a, row);
	size_t from = first_shown(c, f, a.cols);
	int start = from > 0 && a.cols > 1;

	canvas_fill(c, line, STYLE_FIELD);
	canvas_glyph(c, line, 0, 0, STYLE_FIELD, GLYPH_ELLIPSIS, start);
	if (focused) {
		/* What is left of the cursor fits: how much it takes says where the cursor is. */
		struct span left = span_of(f->text + from, f->at - from);

		put_cursor(c, line, start + canvas_put_span(c, line, 0, start, STYLE_FIELD, left));
		c->cursor_bar = true;
	}
	canvas_put_span(c, line, 0, start, STYLE_FIELD, span_of(f->text + from, f->size - from));
}
