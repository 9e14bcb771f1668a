/* test_canvas.c -- what is put on a canvas: clipped to its area, whole characters, nothing a terminal could obey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "console/tui/canvas.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <wchar.h>

#define JAPAN "\u65e5\u672c"      /* two characters of two columns each */

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

/* What one put into an area of cols columns, in the middle of a canvas of dots, leaves there. */
static void assert_put(const char *text, int cols, bool utf8, const char *expected, int used)
{
	struct canvas c = canvas_of(1, 12, utf8);
	struct area a = { 0, 1, 1, cols };

	canvas_put(&c, canvas_area(&c), 0, 0, STYLE_NORMAL, "............");
	assert_int_equal(canvas_put(&c, a, 0, 0, STYLE_NORMAL, text), used);
	assert_prints(&c, expected);
}

/* A right half has its left half before it, no combining character stands alone, all else is one visible character. */
static void assert_sound(const struct canvas *c)
{
	for (int i = 0; i < c->rows * c->cols; i++) {
		const struct cell *k = &c->cell[i];
		int width = c->utf8 ? wcwidth((wchar_t)k->cp) : 1;

		if (k->cp == 0) {
			assert_true(i % c->cols > 0 && wcwidth((wchar_t)k[-1].cp) == 2);
			assert_int_equal(k->mark[0], 0);
			continue;
		}
		assert_false(text_is_control(k->cp) || text_is_bidi(k->cp));
		assert_true(c->utf8 || k->cp < 0x80);
		assert_in_range(width, 1, 2);
		if (width == 2)
			assert_true(i % c->cols < c->cols - 1 && k[1].cp == 0);
		for (int m = 0; m < CELL_MARKS && k->mark[m]; m++) {
			assert_true(c->utf8);
			assert_false(text_is_control(k->mark[m]) || text_is_bidi(k->mark[m]));
			assert_int_equal(wcwidth((wchar_t)k->mark[m]), 0);
		}
	}
}

/* ---- text and its edges ---- */

static void text_stays_within_its_area(void **state)
{
	(void)state;
	assert_put("abc", 5, true, ".abc........\n", 3);
	assert_put("abcde", 5, true, ".abcde......\n", 5);
	assert_put("abcdef", 5, true, ".abcd\u2026......\n", 5);
	assert_put("abcdef", 5, false, ".abcd~......\n", 5);
	assert_put("abcdef", 1, false, ".~..........\n", 1);
	assert_put("a", 1, false, ".a..........\n", 1);
	assert_put("abc", 0, true, "............\n", 0);
	assert_put("abc", -3, true, "............\n", 0);
	assert_put("", 5, true, "............\n", 0);
	assert_put("abcdefghijklmnop", INT_MAX, false, ".abcdefghij~\n", 11);
}

static void what_is_outside_is_not_drawn(void **state)
{
	static const int odd[] = {
		INT_MIN, INT_MIN + 1, -100, -3, -2, -1, 0, 1, 2, 3, 4, 5, 100, INT_MAX - 1, INT_MAX,
	};
	enum { ODD = sizeof(odd) / sizeof(odd[0]) };
	struct canvas c = canvas_of(3, 4, true);

	(void)state;
	for (size_t i = 0; i < (size_t)ODD * ODD * ODD * ODD; i++) {
		struct area a = {
			odd[i % ODD], odd[i / ODD % ODD], odd[i / ODD / ODD % ODD], odd[i / ODD / ODD / ODD],
		};

		for (size_t j = 0; j < ODD; j += 2) {
			canvas_put(&c, a, odd[j], odd[ODD - 1 - j], STYLE_WARN, "x" JAPAN "e\u0301");
			canvas_put(&c, a, 0, odd[j], STYLE_WARN, JAPAN JAPAN);
			canvas_put_right(&c, a, 0, odd[j], STYLE_WARN, JAPAN);
			canvas_glyph(&c, a, odd[j], odd[j], STYLE_WARN, GLYPH_BAR_1, odd[ODD - 1 - j]);
		}
		canvas_style(&c, a, STYLE_BAD);
		canvas_fill(&c, a, STYLE_NORMAL);
		canvas_wrap(&c, a, odd[i % ODD], STYLE_WARN, JAPAN " x " JAPAN);
		assert_sound(&c);
	}
	canvas_done(&c);
}

static void an_area_that_begins_left_of_the_canvas_shows_its_right_part(void **state)
{
	struct canvas c = canvas_of(2, 6, true);

	(void)state;
	assert_int_equal(canvas_put(&c, (struct area){ -1, -2, 3, 20 }, 1, 0, STYLE_NORMAL, "abcdef"), 6);
	assert_int_equal(canvas_put(&c, canvas_area(&c), 1, -1, STYLE_NORMAL, JAPAN), 4);
	assert_prints(&c, "cdef\n \u672c\n");
}

static void what_nobody_sees_has_a_width_too(void **state)
{
	struct canvas c = canvas_of(2, 6, true);

	(void)state;
	assert_int_equal(canvas_put(&c, canvas_area(&c), 7, 0, STYLE_NORMAL, "abc"), 3);
	assert_prints(&c, "\n\n");
}

static void text_at_the_right_ends_there(void **state)
{
	struct canvas c = canvas_of(4, 6, false);
	struct area a = canvas_area(&c);

	(void)state;
	assert_int_equal(canvas_put_right(&c, a, 0, 0, STYLE_NORMAL, "abc"), 3);
	assert_int_equal(canvas_put_right(&c, a, 1, 2, STYLE_NORMAL, "abc"), 3);
	assert_int_equal(canvas_put_right(&c, a, 2, 2, STYLE_NORMAL, "abcdef"), 4);
	assert_int_equal(canvas_put_right(&c, a, 3, 6, STYLE_NORMAL, "abc"), 0);
	assert_prints(&c, "   abc\n abc\nabc~\n\n");
}

static void a_format_is_put_as_text(void **state)
{
	struct canvas c = canvas_of(1, 20, true);

	(void)state;
	assert_int_equal(canvas_putf(&c, canvas_area(&c), 0, 1, STYLE_GOOD, "%d %s", 7, "\x1b[m"), 8);
	assert_int_equal(c.cell[1].style, STYLE_GOOD);
	assert_int_equal(c.cell[0].style, STYLE_NORMAL);
	assert_prints(&c, " 7 \\x1b[m\n");
}

/* ---- characters ---- */

static void wide_characters_are_never_cut_in_half(void **state)
{
	(void)state;
	assert_put(JAPAN, 4, true, "." JAPAN ".......\n", 4);
	assert_put(JAPAN, 3, true, ".\u65e5\u2026........\n", 3);
	assert_put(JAPAN, 2, true, ".\u2026..........\n", 1);
	assert_put("a" JAPAN, 4, true, ".a\u65e5\u2026.......\n", 4);
	assert_put(JAPAN, 1, true, ".\u2026..........\n", 1);
}

static void half_a_wide_character_is_blanked_where_the_other_is_covered(void **state)
{
	struct canvas c = canvas_of(4, 6, true);
	struct area a = canvas_area(&c);

	(void)state;
	for (int row = 0; row < 4; row++)
		canvas_put(&c, a, row, 1, STYLE_NORMAL, JAPAN);
	canvas_put(&c, a, 0, 2, STYLE_NORMAL, "x");
	canvas_put(&c, a, 1, 1, STYLE_NORMAL, "x");
	canvas_put(&c, a, 2, 2, STYLE_NORMAL, "\u6771");
	canvas_fill(&c, (struct area){ 3, 2, 1, 2 }, STYLE_NORMAL);
	assert_sound(&c);
	assert_prints(&c, "  x\u672c\n x \u672c\n  \u6771\n\n");
}

static void combining_characters_stay_with_the_one_before(void **state)
{
	struct canvas c = canvas_of(1, 12, true);

	(void)state;
	assert_put("e\u0301x", 5, true, ".e\u0301x.........\n", 2);
	assert_put("e\u0301x", 1, true, ".\u2026..........\n", 1);
	assert_put("e\u0301\u0302\u0303\u0304x", 5, true, ".e\u0301\u0302x.........\n", 2);
	/* None before it: it would join what a caller put there. */
	assert_put("\u0301x", 5, true, ".?x.........\n", 2);
	assert_put("x\ufe0f", 5, true, ".x..........\n", 1);
	canvas_put(&c, canvas_area(&c), 0, 0, STYLE_NORMAL, "a\u0301");
	canvas_put(&c, canvas_area(&c), 0, 0, STYLE_NORMAL, "b");
	assert_prints(&c, "b\n");
}

static void an_ascii_canvas_holds_ascii(void **state)
{
	(void)state;
	assert_put("Zo\u00eb " JAPAN "e\u0301", 10, false, ".Zo? ??e?...\n", 8);
	assert_int_equal(canvas_width("Zo\u00eb " JAPAN "e\u0301", false), 8);
	assert_int_equal(canvas_width("Zo\u00eb " JAPAN "e\u0301", true), 9);
}

static void what_has_no_picture_is_a_question_mark(void **state)
{
	(void)state;
	assert_put("a\u0378b", 5, true, ".a?b........\n", 3);           /* not assigned */
	assert_put("a\U0010fffeb", 5, true, ".a?b........\n", 3);       /* no character */
}

static void escapes_are_made_visible_and_then_clipped(void **state)
{
	(void)state;
	assert_put("\x1b[31m", 10, true, ".\\x1b[31m...\n", 8);
	assert_put("\x1b[31m", 4, true, ".\\x1\u2026.......\n", 4);
	assert_put("a\u202eb", 10, true, ".a\\u202eb...\n", 8);
	assert_put("a\nb\tc", 11, true, ".a\\x0ab\\x09c\n", 11);
	assert_put("\xff\xc2", 10, true, ".\\xff\\xc2...\n", 8);
	assert_int_equal(canvas_width("\x1b\u200b", true), 10);
}

/* Whatever the bytes. */
static void hostile_text_leaves_only_visible_cells(void **state)
{
	static const char *const bits[] = {
		"\x1b", "\x1b]0;t\a", ("\x9b" "31m"), "\xc2\x9b", "\x7f", "\r", "\n", "\t", "\b", "\u202e", "\u2066",
		"\u200b", "\u200d", "\ufeff", "\u00ad", "\u2028", "\U000e0041", "\u0301", "\u0302\u0303\u0304",
		"\ufe0f", "\u1160", "\u11a8", JAPAN, "\U0001f600", "\U0001f468\u200d\U0001f469", "a", " ", "\xff",
		"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\u0378", "\u3164", "\u0e33", "\u0600", "\u2060",
	};
	struct canvas c;

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		struct buf text = BUF_INIT;
		struct area a = { rand() % 5 - 1, rand() % 12 - 3, rand() % 5, rand() % 14 };

		if (round % 100 == 0)
			c = canvas_of(4, 10, round / 100 % 2);
		for (int i = rand() % 12; i >= 0; i--)
			buf_add_str(&text, bits[(size_t)rand() % ARRAY_LEN(bits)]);
		if (rand() % 3)
			canvas_put(&c, a, rand() % 4, rand() % 12 - 3, STYLE_NORMAL, text.data);
		else if (rand() % 2)
			canvas_put_right(&c, a, rand() % 4, rand() % 4, STYLE_NORMAL, text.data);
		else
			canvas_wrap(&c, a, 0, STYLE_NORMAL, text.data);
		assert_sound(&c);
		buf_done(&text);
		if (round % 100 == 99)
			canvas_done(&c);
	}
}

static void long_text_is_cut_not_lost(void **state)
{
	struct canvas c = canvas_of(1, 8, false);
	char *text = malloc(100001);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	assert_int_equal(canvas_put(&c, canvas_area(&c), 0, 0, STYLE_NORMAL, text), 8);
	assert_int_equal(canvas_put_span(&c, canvas_area(&c), 0, 3, STYLE_NORMAL, span_of("yyyy", 2)), 2);
	free(text);
	assert_prints(&c, "xxxyyxx~\n");
}

/* ---- lines ---- */

static void assert_wraps(const char *text, int cols, const char *expected, int rows)
{
	struct canvas c = canvas_of(6, 20, true);
	struct area a = { 0, 0, 6, cols };

	assert_int_equal(canvas_wrap(NULL, a, 0, STYLE_NORMAL, text), rows);
	assert_int_equal(canvas_wrap(&c, a, 0, STYLE_NORMAL, text), rows);
	assert_prints(&c, expected);
}

static void text_breaks_at_spaces(void **state)
{
	(void)state;
	assert_wraps("one two three", 7, "one two\nthree\n\n\n\n\n", 2);
	assert_wraps("one two three", 6, "one\ntwo\nthree\n\n\n\n", 3);
	assert_wraps("one   two", 5, "one\ntwo\n\n\n\n\n", 2);
	assert_wraps("one two   ", 7, "one two\n\n\n\n\n\n", 1);
	assert_wraps("a  b", 7, "a  b\n\n\n\n\n\n", 1);
	assert_wraps("", 7, "\n\n\n\n\n\n", 0);
	assert_wraps("x", 0, "\n\n\n\n\n\n", 0);
}

static void a_line_feed_starts_a_line(void **state)
{
	(void)state;
	assert_wraps("a\n\n  b c", 20, "a\n\n  b c\n\n\n\n", 3);
	assert_wraps("a\n", 20, "a\n\n\n\n\n\n", 1);
	assert_wraps("\na", 20, "\na\n\n\n\n\n", 2);
	assert_wraps("a\rb", 20, "a\\x0db\n\n\n\n\n\n", 1);
}

static void a_word_longer_than_the_line_is_broken(void **state)
{
	(void)state;
	assert_wraps("abcdefgh ij", 3, "abc\ndef\ngh\nij\n\n\n", 4);
	assert_wraps("x abcdefgh", 4, "x\nabcd\nefgh\n\n\n\n", 3);
	assert_wraps(JAPAN JAPAN, 3, "\u65e5\n\u672c\n\u65e5\n\u672c\n\n\n", 4);
	assert_wraps("\u65e5", 1, "\u2026\n\n\n\n\n\n", 1);
	assert_wraps("abe\u0301\u0302" "d", 3, "abe\u0301\u0302\nd\n\n\n\n\n", 2);
	assert_wraps("          x", 4, "\n\n  x\n\n\n\n", 3);
}

static void rows_beyond_the_area_count(void **state)
{
	struct canvas c = canvas_of(4, 5, true);

	(void)state;
	assert_int_equal(canvas_wrap(&c, (struct area){ 1, 0, 2, 5 }, -1, STYLE_NORMAL, "a b\nc d\ne f\ng h\ni j"), 5);
	assert_prints(&c, "\nc d\ne f\n\n");
}

/* Nothing of the text is lost and no line is too long. */
static void wrapping_keeps_every_word(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 3000; round++) {
		char text[64], back[64];
		int cols = 1 + rand() % 12, size = rand() % 60, rows, n = 0;
		struct canvas c = canvas_of(64, cols + 1, true);

		for (int i = 0; i < size; i++)
			text[i] = rand() % 4 ? (char)('a' + i % 26) : ' ';
		text[size] = '\0';
		rows = canvas_wrap(&c, (struct area){ 0, 0, 64, cols }, 0, STYLE_NORMAL, text);
		assert_in_range(rows, size > 0, 64);
		for (int row = 0; row < 64; row++) {
			assert_int_equal(c.cell[row * c.cols + cols].cp, ' ');
			for (int col = 0; col < cols; col++)
				if (c.cell[row * c.cols + col].cp != ' ')
					back[n++] = (char)c.cell[row * c.cols + col].cp;
		}
		for (int i = 0, at = 0; i < size; i++)
			if (text[i] != ' ')
				assert_true(at < n && back[at++] == text[i]);
		canvas_done(&c);
	}
}

/* ---- more ---- */

static void glyphs_are_one_column_in_either_set(void **state)
{
	(void)state;
	for (int g = 0; g < GLYPH_COUNT; g++) {
		const char *utf8 = glyph_text((enum glyph)g, true), *ascii = glyph_text((enum glyph)g, false);

		assert_int_equal(strlen(ascii), 1);
		assert_int_equal(canvas_width(utf8, true), 1);
		assert_true(utf8_valid(span_str(utf8)));
		assert_int_equal((unsigned char)utf8[0] >= 0x80, 1);
	}
}

static void glyphs_are_clipped(void **state)
{
	struct canvas c = canvas_of(2, 6, false);

	(void)state;
	canvas_glyph(&c, (struct area){ 0, 2, 1, 3 }, 0, -1, STYLE_FRAME, GLYPH_HORIZONTAL, 100);
	canvas_glyph(&c, (struct area){ 0, 2, 1, 3 }, 1, 0, STYLE_FRAME, GLYPH_HORIZONTAL, 1);
	canvas_glyph(&c, canvas_area(&c), 1, 5, STYLE_FRAME, GLYPH_SLOT_USED, 1);
	assert_prints(&c, "  ---\n     *\n");
}

static void a_style_leaves_the_characters(void **state)
{
	struct canvas c = canvas_of(2, 4, true);

	(void)state;
	canvas_put(&c, canvas_area(&c), 0, 0, STYLE_WARN, "abcd");
	canvas_style(&c, (struct area){ 0, 1, 9, 2 }, STYLE_SELECTED);
	assert_int_equal(c.cell[0].style, STYLE_WARN);
	assert_int_equal(c.cell[1].style, STYLE_SELECTED);
	assert_int_equal(c.cell[6].style, STYLE_SELECTED);
	assert_int_equal(c.cell[3].style, STYLE_WARN);
	assert_prints(&c, "abcd\n\n");
}

static void a_secret_prints_as_stars_and_is_in_no_cell(void **state)
{
	struct canvas c = canvas_of(3, 10, true);
	struct secret *s = secret_copy(span_str("hush"));

	(void)state;
	assert_non_null(s);
	canvas_put(&c, canvas_area(&c), 1, 0, STYLE_NORMAL, "ae\u0301xxxxxxx");
	c.secret = s;
	c.secret_row = 1;
	c.secret_col = 1;
	for (int i = 0; i < 30; i++)
		assert_int_not_equal(c.cell[i].cp, 'h');
	assert_prints(&c, "\na****xxxx\n\n");
	secret_free(s);
}

static void a_cleared_canvas_has_forgotten_everything(void **state)
{
	struct canvas c = canvas_of(2, 4, true);
	struct secret *s = secret_copy(span_str("hush"));

	(void)state;
	canvas_put(&c, canvas_area(&c), 1, 1, STYLE_BAD, "e\u0301" JAPAN);
	c.secret = s;
	c.cursor_row = c.cursor_col = 1;
	c.cursor_bar = true;
	canvas_clear(&c);
	assert_null(c.secret);
	assert_int_equal(c.cursor_row + c.cursor_col, 0);
	assert_false(c.cursor_bar);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(c.cell[i].cp, ' ');
		assert_int_equal(c.cell[i].mark[0], 0);
		assert_int_equal(c.cell[i].style, STYLE_NORMAL);
	}
	secret_free(s);
	canvas_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_within_its_area),
		cmocka_unit_test(what_is_outside_is_not_drawn),
		cmocka_unit_test(an_area_that_begins_left_of_the_canvas_shows_its_right_part),
		cmocka_unit_test(what_nobody_sees_has_a_width_too),
		cmocka_unit_test(text_at_the_right_ends_there),
		cmocka_unit_test(a_format_is_put_as_text),
		cmocka_unit_test(wide_characters_are_never_cut_in_half),
		cmocka_unit_test(half_a_wide_character_is_blanked_where_the_other_is_covered),
		cmocka_unit_test(combining_characters_stay_with_the_one_before),
		cmocka_unit_test(an_ascii_canvas_holds_ascii),
		cmocka_unit_test(what_has_no_picture_is_a_question_mark),
		cmocka_unit_test(escapes_are_made_visible_and_then_clipped),
		cmocka_unit_test(hostile_text_leaves_only_visible_cells),
		cmocka_unit_test(long_text_is_cut_not_lost),
		cmocka_unit_test(text_breaks_at_spaces),
		cmocka_unit_test(a_line_feed_starts_a_line),
		cmocka_unit_test(a_word_longer_than_the_line_is_broken),
		cmocka_unit_test(rows_beyond_the_area_count),
		cmocka_unit_test(wrapping_keeps_every_word),
		cmocka_unit_test(glyphs_are_one_column_in_either_set),
		cmocka_unit_test(glyphs_are_clipped),
		cmocka_unit_test(a_style_leaves_the_characters),
		cmocka_unit_test(a_secret_prints_as_stars_and_is_in_no_cell),
		cmocka_unit_test(a_cleared_canvas_has_forgotten_everything),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
