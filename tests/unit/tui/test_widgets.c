/* test_widgets.c -- frames, tables, lists, numbers for people, sparklines, and the line of text one edits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "console/tui/widgets.h"

#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

static struct canvas canvas_of(int rows, int cols, bool utf8)
{
	struct canvas c;

	assert_true(canvas_init(&c, rows, cols, utf8));
	return c;
}

/* What it prints, and it is freed. */
static void assert_prints(struct canvas *c, const char *expected)
{
	struct buf text = BUF_INIT;

	canvas_text(c, &text);
	assert_false(text.failed);
	assert_string_equal(text.data, expected);
	buf_done(&text);
	canvas_done(c);
}

/* ---- frames ---- */

static void a_rule_has_its_text_in_it(void **state)
{
	struct canvas c = canvas_of(5, 12, false);
	struct area a = canvas_area(&c);

	(void)state;
	draw_rule(&c, a, 0, "Keys");
	draw_rule(&c, a, 1, "");
	draw_rule(&c, a, 2, NULL);
	draw_rule(&c, a, 3, "much too long");
	a.cols = 4;
	draw_rule(&c, a, 4, "Keys");
	assert_prints(&c, "-- Keys ----\n------------\n------------\n-- much t~ -\n----\n");
}

static void a_box_clears_what_was_under_it(void **state)
{
	struct canvas c = canvas_of(5, 12, true);
	struct area in;

	(void)state;
	for (int row = 0; row < 5; row++)
		canvas_put(&c, canvas_area(&c), row, 0, STYLE_BAD, "xxxxxxxxxxxx");
	in = draw_box(&c, (struct area){ 1, 1, 3, 10 }, "T");
	assert_int_equal(in.row, 2);
	assert_int_equal(in.col, 3);
	assert_int_equal(in.rows, 1);
	assert_int_equal(in.cols, 6);
	canvas_put(&c, in, 0, 0, STYLE_NORMAL, "inside text");
	assert_prints(&c, "xxxxxxxxxxxx\nx\u250c\u2500 T \u2500\u2500\u2500\u2500\u2510x\nx\u2502 insid\u2026 \u2502x\n"
	                  "x\u2514\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2500\u2518x\nxxxxxxxxxxxx\n");
}

static void a_box_without_room_has_nothing_inside(void **state)
{
	struct canvas c = canvas_of(4, 8, false);

	(void)state;
	for (int rows = -1; rows < 3; rows++)
		for (int cols = -1; cols < 5; cols++) {
			struct area in = draw_box(&c, (struct area){ 1, 1, rows, cols }, "title");

			assert_int_equal(in.rows, 0);
			assert_int_equal(in.cols, 0);
		}
	canvas_done(&c);
}

static void an_area_in_the_middle_never_leaves_the_other(void **state)
{
	struct area in = area_middle((struct area){ 1, 2, 24, 80 }, 10, 40);

	(void)state;
	assert_int_equal(in.row, 8);
	assert_int_equal(in.col, 22);
	assert_int_equal(in.rows, 10);
	assert_int_equal(in.cols, 40);
	in = area_middle((struct area){ 1, 2, 5, 6 }, 10, -3);
	assert_int_equal(in.row, 1);
	assert_int_equal(in.rows, 5);
	assert_int_equal(in.cols, 0);
	in = area_less((struct area){ 1, 2, 5, 6 }, 2, 1);
	assert_int_equal(in.row, 3);
	assert_int_equal(in.rows, 2);
	in = area_less((struct area){ 1, 2, 5, 6 }, 9, 9);
	assert_int_equal(in.row, 6);
	assert_int_equal(in.rows, 0);
	in = area_less((struct area){ 1, 2, 5, 6 }, -1, -1);
	assert_int_equal(in.row, 1);
	assert_int_equal(in.rows, 5);
}

/* ---- tables ---- */

static void columns_share_what_is_left(void **state)
{
	static const struct column col[] = { { "A", 3, false }, { "B", 0, false }, { "C", 0, true }, { "D", 4, true } };
	static const char *const cells[] = { "abcdef", "b", "c", NULL };
	static const enum style styles[] = { STYLE_GOOD, STYLE_NORMAL, STYLE_BAD, STYLE_NORMAL };
	struct canvas c = canvas_of(3, 20, false);
	struct area a = { 0, 1, 3, 19 };

	(void)state;
	draw_heads(&c, a, 0, col, ARRAY_LEN(col));
	draw_cells(&c, a, 1, col, ARRAY_LEN(col), cells, STYLE_DIM, styles);
	draw_cells(&c, a, 2, col, ARRAY_LEN(col), cells, STYLE_DIM, NULL);
	assert_int_equal(c.cell[1].style, STYLE_HEADING);
	assert_int_equal(c.cell[20 + 1].style, STYLE_GOOD);
	assert_int_equal(c.cell[40 + 1].style, STYLE_DIM);
	assert_prints(&c, " A   B        C    D\n ab~ b        c\n ab~ b        c\n");
}

static void a_table_that_is_too_wide_is_cut_at_its_area(void **state)
{
	static const struct column col[] = {
		{ "first", 6, false }, { "shared", 0, false }, { "second", 6, true }, { "third", 6, true },
	};
	struct canvas c = canvas_of(2, 20, false);

	(void)state;
	draw_heads(&c, (struct area){ 0, 0, 1, 11 }, 0, col, ARRAY_LEN(col));
	draw_heads(&c, (struct area){ 0, 0, 2, 0 }, 1, col, ARRAY_LEN(col));
	assert_prints(&c, "first   se~\n\n");
}

/* ---- lists ---- */

static void assert_fits(const struct list *l, size_t rows)
{
	rows = rows ? rows : 1;
	if (l->count == 0) {
		assert_int_equal(l->selected, 0);
		assert_int_equal(l->top, 0);
		return;
	}
	assert_true(l->selected < l->count);
	assert_true(l->top <= l->selected && l->selected < l->top + rows);
	assert_true(l->top == 0 || l->top + rows <= l->count);      /* no empty rows while lines are above */
}

/* Whatever moves, grows, shrinks or is resized. */
static void the_selected_line_is_always_among_those_shown(void **state)
{
	static const enum command moves[] = { CMD_UP, CMD_DOWN, CMD_PAGE_UP, CMD_PAGE_DOWN, CMD_FIRST, CMD_LAST };
	struct list l = { 0 };
	size_t rows = 5;

	(void)state;
	srand(3);
	for (int i = 0; i < 100000; i++) {
		size_t was = l.selected;

		if (rand() % 16 == 0) {
			l.count = (size_t)rand() % 40;
			rows = (size_t)rand() % 12;
			list_fit(&l, rows);
		} else {
			bool moved = list_move(&l, moves[(size_t)rand() % ARRAY_LEN(moves)], rows);

			assert_int_equal(moved, l.selected != was);
		}
		assert_fits(&l, rows);
	}
}

static void a_page_is_what_is_shown_at_once(void **state)
{
	struct list l = { .count = 25 };

	(void)state;
	assert_true(list_move(&l, CMD_PAGE_DOWN, 10));
	assert_int_equal(l.selected, 10);
	assert_int_equal(l.top, 1);
	assert_true(list_move(&l, CMD_PAGE_DOWN, 10));
	assert_true(list_move(&l, CMD_PAGE_DOWN, 10));
	assert_int_equal(l.selected, 24);
	assert_int_equal(l.top, 15);
	assert_false(list_move(&l, CMD_PAGE_DOWN, 10));
	assert_false(list_move(&l, CMD_DOWN, 10));
	assert_true(list_move(&l, CMD_PAGE_UP, 10));
	assert_int_equal(l.selected, 14);
	assert_true(list_move(&l, CMD_FIRST, 10));
	assert_false(list_move(&l, CMD_UP, 10));
	assert_false(list_move(&l, CMD_OPEN, 10));
	l = (struct list){ .count = SIZE_MAX };
	assert_true(list_move(&l, CMD_PAGE_DOWN, SIZE_MAX));
	assert_int_equal(l.selected, SIZE_MAX - 1);
}

static void the_cursor_is_on_the_selected_line(void **state)
{
	struct canvas c = canvas_of(4, 10, true);
	struct area a = { 1, 2, 2, 5 };

	(void)state;
	draw_selected(&c, a, 1);
	assert_int_equal(c.cursor_row, 2);
	assert_int_equal(c.cursor_col, 2);
	assert_int_equal(c.cell[20 + 1].style, STYLE_NORMAL);
	assert_int_equal(c.cell[20 + 2].style, STYLE_SELECTED);
	assert_int_equal(c.cell[20 + 6].style, STYLE_SELECTED);
	assert_int_equal(c.cell[20 + 7].style, STYLE_NORMAL);
	draw_selected(&c, a, 2);
	draw_selected(&c, a, -1);
	draw_selected(&c, (struct area){ 7, 2, 2, 5 }, 0);
	assert_int_equal(c.cursor_row, 2);
	assert_int_equal(c.cell[30 + 2].style, STYLE_NORMAL);
	canvas_done(&c);
}

/* ---- numbers ---- */

static void numbers_are_written_for_people(void **state)
{
	char out[NUMBER_TEXT_MAX];

	(void)state;
	assert_string_equal(number_text(0, out), "0");
	assert_string_equal(number_text(999, out), "999");
	assert_string_equal(number_text(1204, out), "1,204");
	assert_string_equal(number_text(100000, out), "100,000");
	assert_string_equal(number_text(UINT64_MAX, out), "18,446,744,073,709,551,615");
	assert_string_equal(bytes_text(0, out), "0 B");
	assert_string_equal(bytes_text(1023, out), "1023 B");
	assert_string_equal(bytes_text(1024, out), "1.0 KiB");
	assert_string_equal(bytes_text(1048575, out), "1023.9 KiB");
	assert_string_equal(bytes_text(3758096384ULL, out), "3.5 GiB");
	assert_string_equal(bytes_text(UINT64_MAX, out), "15.9 EiB");
}

static void times_are_written_as_long_ago(void **state)
{
	static const struct { uint64_t ago; const char *text; } cases[] = {
		{ 1, "1 s" }, { 59, "59 s" }, { 60, "1 min" }, { 3599, "59 min" }, { 3600, "1 h" },
		{ 26 * 3600, "26 h" }, { 48 * 3600 - 1, "47 h" }, { 48 * 3600, "2 d" }, { 41 * 86400, "41 d" },
	};
	const uint64_t now = 1763690000;
	char out[NUMBER_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(ago_text(now - cases[i].ago, now, out), cases[i].text);
	assert_string_equal(ago_text(0, now, out), "-");
	assert_string_equal(ago_text(now, now, out), "now");
	assert_string_equal(ago_text(now + 5, now, out), "now");
	assert_string_equal(ago_text(UINT64_MAX, now, out), "now");
	assert_string_equal(ago_text(1, UINT64_MAX, out), "213503982334601 d");
}

static void assert_sparkline(const uint32_t *count, size_t counts, bool utf8, const char *expected)
{
	struct canvas c = canvas_of(1, 10, utf8);

	canvas_put(&c, canvas_area(&c), 0, 0, STYLE_NORMAL, "xxxxxxxxxx");
	draw_sparkline(&c, (struct area){ 0, 0, 1, 9 }, 0, 1, STYLE_NORMAL, count, counts);
	assert_prints(&c, expected);
}

static void a_sparkline_scales_to_its_largest(void **state)
{
	static const uint32_t steps[] = { 10, 20, 30, 40, 50, 60, 70, 80 };
	static const uint32_t small[] = { 0, 1, 100000, 0, UINT32_MAX };
	static const uint32_t none[] = { 0, 0 };
	static const uint32_t many[] = { 9999, 9999, 1, 2, 3, 4, 5, 6, 7, 8 };

	(void)state;
	assert_sparkline(steps, 8, true, "x\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588x\n");
	assert_sparkline(steps, 8, false, "x.:-=+*#@x\n");
	assert_sparkline(small, 5, false, "x .. @xxxx\n");
	assert_sparkline(none, 2, false, "x  xxxxxxx\n");
	assert_sparkline(many, 10, false, "x.:-=+*#@x\n");      /* what has no room neither shows nor scales */
	assert_sparkline(many, 0, false, "xxxxxxxxxx\n");
}

/* ---- a line of text ---- */

static void press_all(struct text_field *f, const char *text)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);

	while (at < end)
		assert_true(text_field_press(f, (int)utf8_next(&at, end)));
}

static void one_types_and_edits_whole_characters(void **state)
{
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 64, "Zo\u00eb"));
	assert_int_equal(f.at, f.size);
	press_all(&f, " \u65e5\U0001f600!");
	assert_string_equal(f.text, "Zo\u00eb \u65e5\U0001f600!");
	assert_true(text_field_press(&f, PRESS_LEFT));
	assert_true(text_field_press(&f, PRESS_BACKSPACE));
	assert_true(text_field_press(&f, PRESS_LEFT));
	assert_true(text_field_press(&f, PRESS_DELETE));
	assert_string_equal(f.text, "Zo\u00eb !");
	assert_true(text_field_press(&f, PRESS_HOME));
	assert_true(text_field_press(&f, PRESS_BACKSPACE));
	assert_true(text_field_press(&f, PRESS_RIGHT));
	press_all(&f, "\u00e9");
	assert_string_equal(f.text, "Z\u00e9o\u00eb !");
	assert_true(text_field_press(&f, PRESS_END));
	assert_true(text_field_press(&f, PRESS_DELETE));
	assert_int_equal(f.at, f.size);
	text_field_done(&f);
}

static void words_and_the_line_are_deleted(void **state)
{
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 64, "since:1h  site:demo  "));
	text_field_press(&f, PRESS_CTRL('w'));
	assert_string_equal(f.text, "since:1h  ");
	text_field_press(&f, PRESS_HOME);
	text_field_press(&f, PRESS_RIGHT);
	text_field_press(&f, PRESS_CTRL('w'));
	assert_string_equal(f.text, "ince:1h  ");
	text_field_press(&f, PRESS_CTRL('u'));
	assert_int_equal(f.size, 0);
	text_field_press(&f, PRESS_CTRL('w'));
	assert_string_equal(f.text, "");
	text_field_done(&f);
}

static void other_keys_are_not_for_a_text_field(void **state)
{
	static const int others[] = {
		PRESS_NONE, PRESS_TAB, PRESS_ENTER, PRESS_ESCAPE, PRESS_UP, PRESS_DOWN, PRESS_PAGE_UP, PRESS_BACKTAB,
		PRESS_F1, PRESS_RESIZE, PRESS_PASTE_BEGIN, PRESS_PASTE_END, PRESS_LOST, PRESS_CTRL('l'), -1, 10,
	};
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 64, "x"));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(text_field_press(&f, others[i]));
	/* Characters, but none that a line may hold: they are dropped. */
	assert_true(text_field_press(&f, 0x85));
	assert_true(text_field_press(&f, 0x2028));
	assert_true(text_field_press(&f, 0xd800));
	assert_string_equal(f.text, "x");
	text_field_done(&f);
}

static void a_full_field_takes_no_more_and_splits_nothing(void **state)
{
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 4, "ab\u65e5z"));      /* the wide one has no room, what follows has */
	assert_string_equal(f.text, "abz");
	press_all(&f, "\u00eb");
	assert_string_equal(f.text, "abz");
	press_all(&f, "cd");
	assert_string_equal(f.text, "abzc");
	text_field_done(&f);
}

static void what_is_set_is_cleaned(void **state)
{
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 64, "a\x1b[m\n\xff" "b\xc2\x85"));
	assert_string_equal(f.text, "a[mb");
	text_field_set(&f, "new");
	assert_string_equal(f.text, "new");
	text_field_set(&f, NULL);
	assert_string_equal(f.text, "");
	text_field_done(&f);
}

/* Bytes behind the end are zero whenever the text shrank. */
static void assert_wiped(const struct text_field *f)
{
	for (size_t i = f->size; i <= f->max; i++)
		assert_int_equal(f->text[i], 0);
}

static void a_token_of_8_kib_is_typed_and_wiped(void **state)
{
	char *token = malloc(8193);
	struct text_field f;

	(void)state;
	assert_non_null(token);
	memset(token, 'e', 8192);
	token[8192] = '\0';
	assert_true(text_field_init(&f, 8192, ""));
	press_all(&f, token);
	assert_string_equal(f.text, token);
	text_field_press(&f, PRESS_LEFT);
	text_field_press(&f, PRESS_CTRL('w'));
	assert_string_equal(f.text, "e");
	assert_wiped(&f);
	text_field_set(&f, token);
	text_field_set(&f, "x");
	assert_wiped(&f);
	text_field_done(&f);
	assert_null(f.text);
	text_field_done(&f);
	free(token);
}

/* The same edits on an array of characters say the same. */
struct model { uint32_t cp[64]; size_t count, at; };

static void model_cut(struct model *m, size_t from, size_t to)
{
	memmove(m->cp + from, m->cp + to, (m->count - to) * sizeof(*m->cp));
	m->count -= to - from;
	m->at = from;
}

static void model_press(struct model *m, int press, size_t bytes, size_t max)
{
	char utf8[4];
	size_t from = m->at;

	if (press == PRESS_LEFT)
		m->at -= m->at > 0;
	else if (press == PRESS_RIGHT)
		m->at += m->at < m->count;
	else if (press == PRESS_HOME)
		m->at = 0;
	else if (press == PRESS_END)
		m->at = m->count;
	else if (press == PRESS_BACKSPACE && m->at > 0)
		model_cut(m, m->at - 1, m->at);
	else if (press == PRESS_DELETE && m->at < m->count)
		model_cut(m, m->at, m->at + 1);
	else if (press == PRESS_CTRL('u'))
		model_cut(m, 0, m->count);
	else if (press == PRESS_CTRL('w')) {
		while (from > 0 && m->cp[from - 1] == ' ')
			from--;
		while (from > 0 && m->cp[from - 1] != ' ')
			from--;
		model_cut(m, from, m->at);
	} else if (press >= ' ' && press != PRESS_BACKSPACE && press < PRESS_SPECIAL &&
	           bytes + utf8_put(utf8, (uint32_t)press) <= max) {
		memmove(m->cp + m->at + 1, m->cp + m->at, (m->count - m->at) * sizeof(*m->cp));
		m->cp[m->at++] = (uint32_t)press;
		m->count++;
	}
}

static void assert_same(const struct text_field *f, const struct model *m)
{
	char text[256];
	size_t size = 0, at = 0;

	for (size_t i = 0; i < m->count; i++) {
		at = i == m->at ? size : at;
		size += utf8_put(text + size, m->cp[i]);
	}
	at = m->at == m->count ? size : at;
	text[size] = '\0';
	assert_string_equal(f->text, text);
	assert_int_equal(f->size, size);
	assert_int_equal(f->at, at);
	assert_wiped(f);
}

static void random_editing_does_what_a_simple_model_does(void **state)
{
	static const int presses[] = {
		PRESS_LEFT, PRESS_RIGHT, PRESS_LEFT, PRESS_RIGHT, PRESS_HOME, PRESS_END, PRESS_BACKSPACE, PRESS_DELETE,
		PRESS_CTRL('u'), PRESS_CTRL('w'), 'a', 'b', ' ', '.', 0xeb, 0x65e5, 0x1f600, 0x301, 0x202e, 'c', 'd', 0x65e5,
		0x10ffff,
	};
	struct model m = { .count = 0 };
	struct text_field f;

	(void)state;
	srand(4);
	assert_true(text_field_init(&f, 40, ""));
	for (int i = 0; i < 200000; i++) {
		int press = presses[(size_t)rand() % ARRAY_LEN(presses)];

		model_press(&m, press, f.size, f.max);
		assert_true(text_field_press(&f, press));
		assert_same(&f, &m);
	}
	text_field_done(&f);
}

static void assert_field(struct text_field *f, int cols, const char *expected, int cursor)
{
	struct canvas c = canvas_of(1, cols + 2, true);

	canvas_put(&c, canvas_area(&c), 0, 0, STYLE_NORMAL, "[................");
	canvas_put(&c, canvas_area(&c), 0, cols + 1, STYLE_NORMAL, "]");
	draw_text_field(&c, (struct area){ 0, 1, 1, cols }, 0, f, true);
	assert_int_equal(c.cursor_col, 1 + cursor);
	assert_true(c.cursor_bar);
	assert_int_equal(c.cell[1].style, STYLE_FIELD);
	assert_int_equal(c.cell[cols].style, STYLE_FIELD);
	assert_prints(&c, expected);
}

static void a_field_scrolls_to_show_its_cursor(void **state)
{
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 64, "abc"));
	assert_field(&f, 6, "[abc   ]\n", 3);
	text_field_set(&f, "abcdef");
	assert_field(&f, 6, "[\u2026cdef ]\n", 5);
	text_field_press(&f, PRESS_LEFT);
	assert_field(&f, 6, "[abcdef]\n", 5);
	text_field_set(&f, "abcdefghij");
	text_field_press(&f, PRESS_LEFT);
	text_field_press(&f, PRESS_LEFT);
	assert_field(&f, 6, "[\u2026fghij]\n", 4);
	text_field_press(&f, PRESS_LEFT);
	assert_field(&f, 6, "[\u2026efgh\u2026]\n", 4);
	text_field_press(&f, PRESS_HOME);
	assert_field(&f, 6, "[abcde\u2026]\n", 0);
	text_field_set(&f, "\u65e5\u672c\u65e5");
	assert_field(&f, 6, "[\u2026\u672c\u65e5 ]\n", 5);
	text_field_set(&f, "ab\u202e");
	assert_field(&f, 10, "[ab\\u202e  ]\n", 8);
	text_field_set(&f, "e\u0301e\u0301");
	assert_field(&f, 10, "[e\u0301e\u0301        ]\n", 2);
	text_field_done(&f);
}

static void a_field_not_in_focus_leaves_the_cursor(void **state)
{
	struct canvas c = canvas_of(2, 10, true);
	struct text_field f;

	(void)state;
	assert_true(text_field_init(&f, 64, "abc"));
	c.cursor_row = 1;
	draw_text_field(&c, (struct area){ 0, 1, 1, 5 }, 0, &f, false);
	assert_int_equal(c.cursor_row, 1);
	assert_false(c.cursor_bar);
	text_field_done(&f);
	assert_prints(&c, " abc\n\n");
}

/* Whatever is in it, wherever the cursor is, however narrow. */
static void the_cursor_of_a_field_never_leaves_its_area(void **state)
{
	static const int presses[] = {
		PRESS_LEFT, PRESS_RIGHT, PRESS_HOME, PRESS_END, 'a', 0x65e5, 0x202e, 0xe0041, 0x301, PRESS_BACKSPACE,
	};
	struct canvas c = canvas_of(1, 20, true);
	struct text_field f;

	(void)state;
	srand(5);
	assert_true(text_field_init(&f, 200, ""));
	for (int i = 0; i < 20000; i++) {
		int cols = rand() % 17;

		text_field_press(&f, presses[(size_t)rand() % ARRAY_LEN(presses)]);
		canvas_clear(&c);
		draw_text_field(&c, (struct area){ 0, 2, 1, cols }, 0, &f, true);
		if (cols > 0)
			assert_in_range(c.cursor_col, 2, 2 + cols - 1);
		assert_int_equal(c.cell[1].cp, ' ');
		assert_int_equal(c.cell[2 + cols].cp, ' ');
	}
	text_field_done(&f);
	canvas_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_has_its_text_in_it),
		cmocka_unit_test(a_box_clears_what_was_under_it),
		cmocka_unit_test(a_box_without_room_has_nothing_inside),
		cmocka_unit_test(an_area_in_the_middle_never_leaves_the_other),
		cmocka_unit_test(columns_share_what_is_left),
		cmocka_unit_test(a_table_that_is_too_wide_is_cut_at_its_area),
		cmocka_unit_test(the_selected_line_is_always_among_those_shown),
		cmocka_unit_test(a_page_is_what_is_shown_at_once),
		cmocka_unit_test(the_cursor_is_on_the_selected_line),
		cmocka_unit_test(numbers_are_written_for_people),
		cmocka_unit_test(times_are_written_as_long_ago),
		cmocka_unit_test(a_sparkline_scales_to_its_largest),
		cmocka_unit_test(one_types_and_edits_whole_characters),
		cmocka_unit_test(words_and_the_line_are_deleted),
		cmocka_unit_test(other_keys_are_not_for_a_text_field),
		cmocka_unit_test(a_full_field_takes_no_more_and_splits_nothing),
		cmocka_unit_test(what_is_set_is_cleaned),
		cmocka_unit_test(a_token_of_8_kib_is_typed_and_wiped),
		cmocka_unit_test(random_editing_does_what_a_simple_model_does),
		cmocka_unit_test(a_field_scrolls_to_show_its_cursor),
		cmocka_unit_test(a_field_not_in_focus_leaves_the_cursor),
		cmocka_unit_test(the_cursor_of_a_field_never_leaves_its_area),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
