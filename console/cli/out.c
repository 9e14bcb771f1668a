/* out.c -- what is printed, and did it arrive: outside text passes text_show(), half a result must not look whole. */
#include "console/cli/cli.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static bool lost;      /* something went missing that stdio does not know of */

/* Escapes grow: a byte becomes at most "\u{10ffff}" long. */
static char *sanitised(struct span text)
{
	size_t room = text.size * 10 + 8;
	char *out = malloc(room);

	return out ? text_show(out, room, text) : NULL;
}

static void print_line(FILE *to, const char *prefix, const char *fmt, va_list args) PRINTF_LIKE(3, 0);

static void print_line(FILE *to, const char *prefix, const char *fmt, va_list args)
{
	char *text = NULL, *shown = NULL;
	int size = vasprintf(&text, fmt, args);

	if (size >= 0)
		shown = sanitised(span_of(text, (size_t)size));
	fprintf(to, "%s%s\n", prefix, shown ? shown : "out of memory");
	free(shown);
	if (size >= 0)
		free(text);
}

void talk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(stderr, "postern: ", fmt, args);
	va_end(args);
}

void out_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(stdout, "", fmt, args);
	va_end(args);
}

void out_buf(const struct buf *b)
{
	char *shown;

	if (b->failed) {
		lost = true;
	} else if (!isatty(STDOUT_FILENO)) {
		lost |= fwrite(b->data, 1, b->size, stdout) != b->size;
	} else {
		shown = sanitised(buf_span(b));
		lost |= !shown || fputs(shown, stdout) < 0;
		free(shown);
	}
}

/* jansson escapes all of C0 and, asked to, all beyond ASCII; DEL it lets pass, which can only stand inside a string. */
static int print_chunk(const char *text, size_t size, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < size; i++)
		if (text[i] == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(text[i]);
	return 0;
}

/* Not by json_dumps(): where its buffer cannot grow it leaves a member's name out and goes on (2.14, do_dump()). */
static void print_json(const json_t *value, size_t indent)
{
	if (value && json_dump_callback(value, print_chunk, NULL, JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY | indent) == 0)
		return;
	talk("out of memory");
	lost = true;
}

void out_json(json_t *value)
{
	print_json(value, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
	json_decref(value);
}

void out_item(json_t *value, size_t index)
{
	fputs(index == 0 ? "[" : ",", stdout);
	if (isatty(STDOUT_FILENO))
		putchar('\n');
	print_json(value, JSON_COMPACT);
	json_decref(value);
}

void out_array_end(size_t count)
{
	fputs(count == 0 ? "[]\n" : "]\n", stdout);
}

void out_secret(const struct secret *s)
{
	size_t done = 0;

	if (fflush(stdout) != 0)
		lost = true;
	while (!lost && done < s->size) {
		ssize_t n = write(STDOUT_FILENO, s->data + done, s->size - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			lost = true;
	}
}

bool out_ok(void)
{
	return !ferror(stdout) && !lost;
}

bool out_finish(void)
{
	bool flushed = fflush(stdout) == 0;

	return flushed && out_ok();
}

const char *out_time(uint64_t seconds, char out[CLOCK_TEXT_MAX])
{
	if (seconds == 0)
		return "-";
	return clock_format(seconds * 1000000, out);
}

/* ---- tables ---- */

/* Characters, not bytes. A wide character counts as one: the columns after it are off, nothing worse. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void cells_add(struct table *t, const char *const *cells)
{
	char **grown = realloc(t->cell, (t->rows + 1) * t->columns * sizeof(*grown));

	if (!grown) {
		t->failed = true;
		return;
	}
	t->cell = grown;
	for (size_t c = 0; c < t->columns; c++) {
		grown[t->rows * t->columns + c] = sanitised(span_str(cells[c] ? cells[c] : ""));
		t->failed |= !grown[t->rows * t->columns + c];
	}
	t->rows++;
}

void table_begin(struct table *t, size_t columns, const char *const *heads)
{
	*t = (struct table){ .columns = columns };
	cells_add(t, heads);
}

void table_row(struct table *t, const char *const *cells)
{
	if (!t->failed)
		cells_add(t, cells);
}

static void table_print(const struct table *t)
{
	size_t width[TABLE_COLUMNS] = { 0 };

	for (size_t i = 0; i < t->rows * t->columns; i++)
		if (text_width(t->cell[i]) > width[i % t->columns])
			width[i % t->columns] = text_width(t->cell[i]);
	for (size_t i = 0; i < t->rows * t->columns; i++) {
		size_t column = i % t->columns;
		bool last = column + 1 == t->columns;

		fputs(t->cell[i], stdout);
		if (last)
			putchar('\n');
		else
			printf("%*s", (int)(width[column] - text_width(t->cell[i]) + 2), "");
	}
}

void table_end(struct table *t)
{
	if (t->failed)
		lost = true;
	else
		table_print(t);
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cell[i]);
	free(t->cell);
	*t = (struct table){ 0 };
}
