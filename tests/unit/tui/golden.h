/* golden.h -- screens as text, compared byte for byte with the files in golden/.
 *
 * A program has the screens of one group. Each screen is drawn at 80x24 in UTF-8 and in ASCII and at 132x43, or at
 * the sizes it names. POSTERN_WRITE_GOLDEN=1 in the environment writes the files instead: read the diff then. */
#ifndef POSTERN_TESTS_UNIT_TUI_GOLDEN_H
#define POSTERN_TESTS_UNIT_TUI_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "console/tui/console.h"

#include <dirent.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN_DIR "tests/unit/tui/golden"
#define GOLDEN_NOW UINT64_C(1763690000)        /* 2025-11-21T01:53:20Z, in seconds */
#define GOLDEN_SCREENS 32                      /* at most, of a group */
#define GOLDEN_SIZES 3
#define GOLDEN_PATH_MAX 256

struct golden_size { int rows, cols; bool utf8; };     /* rows 0: none further */

struct screen {
	const char *name;
	/* Makes the snapshots and presses the keys. Nothing is loaded, before or after it. */
	void (*prepare)(struct console *c);
	struct golden_size size[GOLDEN_SIZES];         /* empty: the usual */
};

static const struct golden_size golden_usual[GOLDEN_SIZES] = { { 24, 80, true }, { 24, 80, false }, { 43, 132, true } };
static const char *const golden_groups[] = { "console", "sites", "keys", "live", "audit", "record", "health", "token" };

static struct {
	const char *group;
	const struct screen *screens;
	size_t count;
} golden;

static inline const struct golden_size *golden_sizes(const struct screen *s)
{
	return s->size[0].rows ? s->size : golden_usual;
}

static inline void golden_name(char out[GOLDEN_PATH_MAX], const struct screen *s, const struct golden_size *size)
{
	snprintf(out, GOLDEN_PATH_MAX, "%s-%s-%dx%d%s.txt", golden.group, s->name, size->cols, size->rows,
	         size->utf8 ? "" : "-ascii");
}

/* ---- for prepare() ---- */

/* As the person sees it before pressing the next key: what scrolls knows how far only once it was drawn. */
static inline void golden_look(struct console *c)
{
	struct canvas cv;

	assert_true(canvas_init(&cv, CONSOLE_ROWS_MIN, CONSOLE_COLS_MIN, c->utf8));
	console_draw(c, &cv);
	canvas_done(&cv);
}

/* A character each; \n is Enter. */
static inline void golden_presses(struct console *c, const char *presses)
{
	const uint8_t *at = (const uint8_t *)presses, *end = at + strlen(presses);

	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		console_press(c, cp == '\n' ? PRESS_ENTER : (int)cp);
	}
}

/* JSON is written here with ' for ", to be read. free(). */
static inline char *golden_quotes(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *at = copy; (at = strchr(at, '\'')); at++)
		*at = '"';
	return copy;
}

static inline json_t *golden_json(const char *text)
{
	char *copy = golden_quotes(text);
	json_t *value = json_loads(copy, 0, NULL);

	free(copy);
	assert_non_null(value);
	return value;
}

/* ---- drawing ---- */

/* Whatever is drawn: lines no longer than the screen, and nothing that a terminal would obey. */
static inline void golden_assert_sound(const struct buf *text, const struct golden_size *size)
{
	const uint8_t *at = (const uint8_t *)text->data, *end = at + text->size;
	int col = 0, row = 0;

	assert_false(text->failed);
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		assert_true(cp != UTF8_BAD && (size->utf8 || cp < 0x80));
		assert_true(cp == '\n' || !(text_is_control(cp) || text_is_bidi(cp)));
		col = cp == '\n' ? 0 : col + 1;
		row += cp == '\n';
		assert_in_range(col, 0, size->cols * (1 + CELL_MARKS));
	}
	assert_int_equal(row, size->rows);
}

static inline void golden_draw(const struct screen *s, const struct golden_size *size, struct buf *out)
{
	struct console c = {
		.dir = "/var/lib/postern", .host = "bastille", .utf8 = size->utf8, .now_us = GOLDEN_NOW * 1000000,
	};
	struct canvas cv;

	assert_true(console_init(&c));
	assert_true(canvas_init(&cv, size->rows, size->cols, size->utf8));
	c.own.reload = false;
	if (s->prepare)
		s->prepare(&c);
	c.own.reload = false;
	console_draw(&c, &cv);
	assert_in_range(cv.cursor_row, 0, size->rows - 1);
	assert_in_range(cv.cursor_col, 0, size->cols - 1);
	canvas_text(&cv, out);
	canvas_done(&cv);
	console_done(&c);
	golden_assert_sound(out, size);
}

/* ---- comparing ---- */

static inline void golden_write(const char *path, const struct buf *text)
{
	FILE *f = fopen(path, "w");
	bool written = f && fwrite(text->data, 1, text->size, f) == text->size;

	written = f && fclose(f) == 0 && written;
	assert_true(written);
}

static inline struct span golden_line(const char **at)
{
	struct span line = span_of(*at, strcspn(*at, "\n"));

	*at += line.size + ((*at)[line.size] == '\n');
	return line;
}

static inline void golden_compare(const char *name, const char *expected, const char *drawn)
{
	for (int row = 1; *expected || *drawn; row++) {
		struct span want = golden_line(&expected), got = golden_line(&drawn);

		if (!span_equal(want, got))
			fail_msg("%s row %d\n  expected |%.*s|\n  drawn    |%.*s|", name, row, (int)want.size,
			         (const char *)want.data, (int)got.size, (const char *)got.data);
	}
}

static inline void golden_check(const struct screen *s, const struct golden_size *size)
{
	char name[GOLDEN_PATH_MAX], path[GOLDEN_PATH_MAX + sizeof(GOLDEN_DIR)];
	const char *writes = getenv("POSTERN_WRITE_GOLDEN");
	struct buf drawn = BUF_INIT, expected = BUF_INIT;

	golden_name(name, s, size);
	snprintf(path, sizeof(path), "%s/%s", GOLDEN_DIR, name);
	golden_draw(s, size, &drawn);
	if (writes && *writes) {
		golden_write(path, &drawn);
	} else {
		if (file_read(path, 1 << 20, &expected) != RC_OK)
			fail_msg("%s cannot be read; POSTERN_WRITE_GOLDEN=1 writes it", path);
		golden_compare(name, expected.data, drawn.data);
		assert_int_equal(expected.size, drawn.size);
	}
	buf_done(&expected);
	buf_done(&drawn);
}

static inline void golden_test(void **state)
{
	const struct screen *s = *state;
	const struct golden_size *size = golden_sizes(s);

	for (size_t i = 0; i < GOLDEN_SIZES && size[i].rows; i++)
		golden_check(s, &size[i]);
}

/* ---- files that no test uses ---- */

static inline bool golden_is_used(const char *file)
{
	char name[GOLDEN_PATH_MAX];

	for (size_t i = 0; i < golden.count; i++)
		for (size_t j = 0; j < GOLDEN_SIZES && golden_sizes(&golden.screens[i])[j].rows; j++) {
			golden_name(name, &golden.screens[i], &golden_sizes(&golden.screens[i])[j]);
			if (strcmp(name, file) == 0)
				return true;
		}
	return false;
}

/* NULL: of no group. */
static inline const char *golden_group_of(const char *file)
{
	for (size_t i = 0; i < ARRAY_LEN(golden_groups); i++) {
		size_t size = strlen(golden_groups[i]);

		if (strncmp(file, golden_groups[i], size) == 0 && file[size] == '-')
			return golden_groups[i];
	}
	return NULL;
}

static inline void every_golden_file_is_used(void **state)
{
	DIR *d = opendir(GOLDEN_DIR);
	const struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		const char *group = golden_group_of(e->d_name);

		if (e->d_name[0] == '.')
			continue;
		if (!group || (strcmp(group, golden.group) == 0 && !golden_is_used(e->d_name)))
			fail_msg("%s/%s: no test uses it", GOLDEN_DIR, e->d_name);
	}
	closedir(d);
}

/* All of main(). group: what the names of its files begin with. */
static inline int golden_run(const char *group, const struct screen *screens, size_t count)
{
	struct CMUnitTest tests[GOLDEN_SCREENS + 1] = { cmocka_unit_test(every_golden_file_is_used) };
	char name[GOLDEN_PATH_MAX];

	snprintf(name, sizeof(name), "%s-", group);
	if (!setlocale(LC_CTYPE, "C.UTF-8") || count > GOLDEN_SCREENS || !golden_group_of(name))
		return 1;
	golden.group = group;
	golden.screens = screens;
	golden.count = count;
	for (size_t i = 0; i < count; i++)
		tests[i + 1] = (struct CMUnitTest){
			.name = screens[i].name, .test_func = golden_test, .initial_state = (void *)&screens[i],
		};
	return _cmocka_run_group_tests(group, tests, count + 1, NULL, NULL);
}

#endif
