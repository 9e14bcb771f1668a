/* test_dialog.c -- dialogs: nothing is accepted by habit, pasted text presses nothing, a secret lies alone. */
#include "console/tui/dialog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static const char *const graces[] = { "now", "1 h", "48 h", "7 d", NULL };

static struct dialog *retire_dialog(void)
{
	struct dialog *d = dialog_new("Retire k_abcdefgh", "Retire");

	assert_non_null(d);
	dialog_sayf(d, "It verified %d tokens in the last hour.", 1204);
	assert_true(dialog_text_field(d, "Type the site's name", 64, ""));
	snprintf(d->expect, sizeof(d->expect), "acme");
	return d;
}

static struct dialog *rotate_dialog(void)
{
	struct dialog *d = dialog_new("Rotate k_abcdefgh", "Rotate");

	assert_non_null(d);
	dialog_sayf(d, "A new key is created.");
	dialog_sayf(d, "The old one verifies until its time is over.");
	assert_true(dialog_choice(d, "Retire the old one in", graces, 2));
	assert_true(dialog_text_field(d, "Label", 64, ""));
	return d;
}

static struct dialog *filter_dialog(void)
{
	struct dialog *d = dialog_new("Filter", "Filter");

	assert_non_null(d);
	assert_true(dialog_text_field(d, "Show", 64, ""));
	d->quick = true;
	return d;
}

static struct dialog *question_dialog(void)
{
	struct dialog *d = dialog_new("Create a key", "Create");

	assert_non_null(d);
	dialog_sayf(d, "Its secret is shown once.");
	return d;
}

/* More than any screen here shows at once. */
static struct dialog *text_dialog(void)
{
	struct dialog *d = dialog_new("Text", NULL);

	assert_non_null(d);
	for (int i = 1; i <= 90; i++)
		dialog_sayf(d, "line %d", i);
	return d;
}

static struct dialog *secret_dialog(const struct secret *s)
{
	struct dialog *d = dialog_new("The new key's secret", NULL);

	assert_non_null(d);
	dialog_sayf(d, "Give this to the backend of acme. It is shown this once.");
	d->secret = s;
	d->close_at_us = 120000000;
	return d;
}

static struct secret *a_secret(void)
{
	static const char text[] = "postern_sk_7QfZ0Xb9Kw2Vj5Rc8Tm1Yh4Ng6Pd3Ls7QfZ0Xb9Kw2Vj5Rc8";
	struct secret *s = secret_copy(span_str(text));

	assert_non_null(s);
	return s;
}

static struct dialog *(*const makers[])(void) = {
	retire_dialog, rotate_dialog, filter_dialog, question_dialog, text_dialog,
};

static void type(struct dialog *d, const char *text)
{
	for (; *text; text++)
		assert_int_equal(dialog_press(d, (unsigned char)*text), DIALOG_STAYS);
}

static void paste(struct dialog *d, const char *text)
{
	for (; *text; text++)
		dialog_paste(d, (unsigned char)*text);
}

/* As it looks on a screen of this size, to be freed. */
static char *look(struct dialog *d, int rows, int cols, uint64_t now_us)
{
	struct canvas c;
	struct buf out = BUF_INIT;

	assert_true(canvas_init(&c, rows, cols, false));
	dialog_draw(d, &c, canvas_area(&c), now_us);
	canvas_text(&c, &out);
	canvas_done(&c);
	assert_false(out.failed);
	return buf_take(&out);
}

static void assert_shows(struct dialog *d, const char *text)
{
	char *shown = look(d, 24, 80, 0);

	if (!strstr(shown, text))
		fail_msg("\"%s\" is not in:\n%s", text, shown);
	free(shown);
}

/* ---- what is accepted ---- */

static void enter_alone_never_accepts(void **st)
{
	static struct dialog *(*const asking[])(void) = { retire_dialog, rotate_dialog, question_dialog, text_dialog };

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(asking); i++) {
		struct dialog *d = asking[i]();
		enum dialog_end end = DIALOG_STAYS;

		d->expect[0] = '\0';
		for (int presses = 0; presses < 10 && end == DIALOG_STAYS; presses++)
			end = dialog_press(d, PRESS_ENTER);
		assert_int_equal(end, DIALOG_CANCELLED);
		dialog_free(d);
	}
}

static void the_button_accepts_once_one_went_there(void **st)
{
	static const int ways[] = { PRESS_TAB, PRESS_BACKTAB, PRESS_RIGHT, 'l' };

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct dialog *d = question_dialog();

		assert_int_equal(dialog_press(d, ways[i]), DIALOG_STAYS);
		assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_ACCEPTED);
		dialog_free(d);
	}
}

static void a_prompt_that_changes_nothing_takes_enter_in_its_last_field(void **st)
{
	struct dialog *d = filter_dialog();

	(void)st;
	type(d, "acme");
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_ACCEPTED);
	assert_string_equal(d->field[0].text.text, "acme");
	dialog_free(d);
}

static void a_prompt_with_two_fields_takes_enter_only_in_the_last(void **st)
{
	struct dialog *d = filter_dialog();

	(void)st;
	assert_true(dialog_text_field(d, "And", 64, ""));
	assert_false(dialog_text_field(d, "One too many", 64, ""));
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_STAYS);
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_ACCEPTED);
	dialog_free(d);
}

static enum dialog_end accept_after_typing(struct dialog *d, const char *text)
{
	d->focus = 0;
	assert_int_equal(dialog_press(d, PRESS_CTRL('U')), DIALOG_STAYS);
	type(d, text);
	d->focus = d->fields + 1;
	return dialog_press(d, PRESS_ENTER);
}

static void the_name_must_be_typed_exactly(void **st)
{
	static const char *const wrong[] = {
		"", "a", "acm", "acmee", "Acme", "ACME", " acme", "acme ", "acme-2", "\303\241cme",
	};
	struct dialog *d = retire_dialog();

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(accept_after_typing(d, wrong[i]), DIALOG_STAYS);
		assert_non_null(d->complaint);
		assert_shows(d, d->complaint);
		assert_int_equal(d->focus, 0);
	}
	assert_int_equal(accept_after_typing(d, "acme"), DIALOG_ACCEPTED);
	dialog_free(d);
}

static void the_name_guards_a_quick_prompt_too(void **st)
{
	struct dialog *d = retire_dialog();

	(void)st;
	d->quick = true;
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_STAYS);
	assert_non_null(d->complaint);
	type(d, "acme");
	assert_null(d->complaint);
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_ACCEPTED);
	dialog_free(d);
}

static void where_there_is_no_field_a_name_is_never_matched(void **st)
{
	struct dialog *d = question_dialog();

	(void)st;
	snprintf(d->expect, sizeof(d->expect), "acme");
	d->focus = 1;
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_STAYS);
	assert_non_null(d->complaint);
	dialog_free(d);
}

static void escape_and_ctrl_c_cancel_wherever_the_focus_is(void **st)
{
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		struct dialog *d = makers[i]();

		for (d->focus = 0; d->focus <= d->fields + (d->accept != NULL); d->focus++) {
			assert_int_equal(dialog_press(d, PRESS_ESCAPE), DIALOG_CANCELLED);
			assert_int_equal(dialog_press(d, PRESS_CTRL('C')), DIALOG_CANCELLED);
		}
		dialog_free(d);
	}
}

static void a_text_closes_with_q_but_a_question_does_not(void **st)
{
	struct dialog *text = text_dialog(), *question = question_dialog();

	(void)st;
	assert_int_equal(dialog_press(text, 'q'), DIALOG_CANCELLED);
	assert_int_equal(dialog_press(question, 'q'), DIALOG_STAYS);
	dialog_free(text);
	dialog_free(question);
}

static void only_enter_and_ctrl_c_take_a_secret_away(void **st)
{
	static const int others[] = {
		PRESS_ESCAPE, 'q', ' ', PRESS_BACKSPACE, PRESS_F10, PRESS_TAB, PRESS_RIGHT, PRESS_DELETE,
	};
	struct secret *s = a_secret();
	struct dialog *d = secret_dialog(s);

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(dialog_press(d, others[i]), DIALOG_STAYS);
	assert_int_equal(dialog_press(d, PRESS_CTRL('C')), DIALOG_CANCELLED);
	assert_int_equal(dialog_press(d, PRESS_ENTER), DIALOG_CANCELLED);
	dialog_free(d);
	secret_free(s);
}

/* ---- moving about ---- */

static void tab_and_the_arrows_go_round(void **st)
{
	static const struct { int on, back; } pairs[] = { { PRESS_TAB, PRESS_BACKTAB }, { PRESS_DOWN, PRESS_UP } };

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct dialog *d = rotate_dialog();

		for (size_t stop = 1; stop <= 4; stop++) {
			dialog_press(d, pairs[i].on);
			assert_int_equal(d->focus, stop % 4);
		}
		for (size_t stop = 4; stop > 0; stop--) {
			dialog_press(d, pairs[i].back);
			assert_int_equal(d->focus, stop - 1);
		}
		dialog_free(d);
	}
}

static void left_and_right_go_between_the_buttons(void **st)
{
	struct dialog *d = retire_dialog();

	(void)st;
	d->focus = d->fields;
	dialog_press(d, PRESS_LEFT);
	assert_int_equal(d->focus, d->fields);
	dialog_press(d, PRESS_RIGHT);
	dialog_press(d, PRESS_RIGHT);
	assert_int_equal(d->focus, d->fields + 1);
	dialog_press(d, PRESS_LEFT);
	assert_int_equal(d->focus, d->fields);
	dialog_free(d);
}

static void close_has_no_button_beside_it(void **st)
{
	struct dialog *d = text_dialog();

	(void)st;
	dialog_press(d, PRESS_RIGHT);
	dialog_press(d, PRESS_TAB);
	assert_int_equal(d->focus, 0);
	dialog_free(d);
}

static void a_choice_is_made_with_left_right_and_space(void **st)
{
	struct dialog *d = rotate_dialog();
	size_t *chosen = &d->field[0].chosen;

	(void)st;
	assert_shows(d, "[48 h]");
	dialog_press(d, PRESS_RIGHT);
	dialog_press(d, PRESS_RIGHT);
	assert_int_equal(*chosen, 3);
	dialog_press(d, ' ');
	assert_int_equal(*chosen, 0);
	dialog_press(d, PRESS_LEFT);
	assert_int_equal(*chosen, 0);
	dialog_press(d, ' ');
	assert_int_equal(*chosen, 1);
	assert_shows(d, "[1 h]");
	assert_int_equal(d->focus, 0);
	dialog_free(d);
}

static void letters_are_text_in_a_text_field(void **st)
{
	struct dialog *d = filter_dialog();

	(void)st;
	type(d, "qhjklgG?/#1 x");
	assert_string_equal(d->field[0].text.text, "qhjklgG?/#1 x");
	assert_int_equal(d->focus, 0);
	dialog_free(d);
}

static void the_last_line_says_what_enter_does(void **st)
{
	struct dialog *d = retire_dialog();

	(void)st;
	assert_shows(d, "Enter goes on, Tab moves, Esc cancels");
	dialog_press(d, PRESS_ENTER);
	assert_shows(d, "Enter: Cancel, Tab moves to Retire");
	dialog_press(d, PRESS_TAB);
	assert_shows(d, "Enter: Retire, Tab moves, Esc cancels");
	assert_shows(d, "[ Cancel ]  [ Retire ]");
	d->close_at_us = 61000000;
	assert_shows(d, "closes in 61 s");
	dialog_free(d);
	d = filter_dialog();
	assert_shows(d, "Enter: Filter, Esc cancels");
	dialog_free(d);
}

/* ---- pasted text ---- */

static void pasted_text_goes_into_a_text_field_and_presses_nothing(void **st)
{
	static const int keys[] = {
		PRESS_ENTER, '\n', PRESS_ESCAPE, PRESS_TAB, PRESS_CTRL('C'), PRESS_CTRL('U'), PRESS_UP, PRESS_DOWN,
		PRESS_BACKTAB, PRESS_BACKSPACE, PRESS_DELETE, PRESS_HOME,
	};
	struct dialog *d = filter_dialog();

	(void)st;
	paste(d, "ac");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_true(dialog_paste(d, keys[i]));
	paste(d, "me");
	assert_string_equal(d->field[0].text.text, "acme");
	assert_int_equal(d->focus, 0);
	dialog_free(d);
}

static void pasted_text_neither_chooses_nor_presses_a_button(void **st)
{
	struct dialog *d = rotate_dialog();

	(void)st;
	for (d->focus = 0; d->focus < 4; d->focus++) {
		size_t focus = d->focus;

		if (focus == 1)
			continue;
		assert_false(dialog_paste(d, ' '));
		assert_false(dialog_paste(d, 'l'));
		assert_false(dialog_paste(d, PRESS_ENTER));
		assert_int_equal(d->focus, focus);
	}
	assert_int_equal(d->field[0].chosen, 2);
	dialog_free(d);
}

static void what_finds_no_room_is_said(void **st)
{
	struct dialog *d = dialog_new("Token", "Check");

	(void)st;
	assert_non_null(d);
	assert_true(dialog_text_field(d, "Token", 8, ""));
	paste(d, "12345678");
	assert_null(d->complaint);
	paste(d, "9");
	assert_non_null(d->complaint);
	assert_string_equal(d->field[0].text.text, "12345678");
	dialog_press(d, PRESS_BACKSPACE);
	assert_null(d->complaint);
	dialog_free(d);
}

/* ---- a text that is longer than the screen ---- */

static void a_long_text_scrolls_to_its_end_and_no_further(void **st)
{
	struct dialog *d = text_dialog();

	(void)st;
	assert_shows(d, "line 1");
	assert_shows(d, "lines 1-");
	for (int i = 0; i < 100; i++)
		dialog_press(d, PRESS_DOWN);
	assert_shows(d, "line 90");
	assert_shows(d, "of 90");
	dialog_press(d, PRESS_UP);
	assert_int_equal(d->scroll + d->rows, 89);
	dialog_press(d, 'g');
	assert_int_equal(d->scroll, 0);
	dialog_press(d, PRESS_PAGE_DOWN);
	assert_int_equal(d->scroll, d->rows);
	dialog_press(d, 'G');
	assert_int_equal(d->scroll + d->rows, 90);
	dialog_free(d);
}

static void page_down_scrolls_also_from_a_field(void **st)
{
	struct dialog *d = retire_dialog();

	(void)st;
	for (int i = 0; i < 50; i++)
		dialog_sayf(d, "more %d", i);
	assert_shows(d, "more 1");
	dialog_press(d, PRESS_PAGE_DOWN);
	assert_int_equal(d->scroll, d->rows);
	assert_shows(d, "[ Cancel ]");
	assert_shows(d, "Type the site's name");
	dialog_free(d);
}

static void a_larger_screen_shows_more_of_what_was_scrolled(void **st)
{
	struct dialog *d = text_dialog();

	(void)st;
	free(look(d, 24, 80, 0));
	dialog_press(d, PRESS_END);
	free(look(d, 200, 80, 0));
	assert_int_equal(d->scroll, 0);
	dialog_free(d);
}

/* ---- drawing ---- */

static void the_box_is_in_the_middle_and_no_wider_than_needed(void **st)
{
	struct dialog *d = retire_dialog();
	char *shown = look(d, 40, 200, 0);
	const char *corner = strchr(shown, '+'), *line = corner;

	(void)st;
	while (line > shown && line[-1] != '\n')
		line--;
	assert_int_equal(corner - line, (200 - 76) / 2);
	assert_int_equal(strcspn(line, "\n"), (200 + 76) / 2);
	free(shown);
	dialog_free(d);
}

static void the_cursor_is_where_the_focus_is(void **st)
{
	struct dialog *d = retire_dialog();
	struct canvas c;
	int field_row;

	(void)st;
	assert_true(canvas_init(&c, 24, 80, false));
	dialog_draw(d, &c, canvas_area(&c), 0);
	assert_true(c.cursor_bar);
	field_row = c.cursor_row;
	canvas_clear(&c);
	dialog_press(d, PRESS_ENTER);
	dialog_draw(d, &c, canvas_area(&c), 0);
	assert_false(c.cursor_bar);
	assert_in_range(c.cursor_row, field_row + 1, field_row + 3);
	assert_int_equal(c.cell[c.cursor_row * 80 + c.cursor_col].cp, '[');
	assert_int_equal(c.cell[c.cursor_row * 80 + c.cursor_col + 2].cp, 'C');
	canvas_done(&c);
	dialog_free(d);
}

static void what_comes_from_outside_is_shown_harmless(void **st)
{
	struct dialog *d = dialog_new("\x1b]0;title\x07", "Retire");
	char *shown;

	(void)st;
	assert_non_null(d);
	dialog_sayf(d, "label \x1b[2J \xff \xe2\x80\xae" "evil\r\x9b" "31m");
	assert_true(dialog_text_field(d, "Type", 64, "\x1b[31m\xe2\x80\xae"));
	shown = look(d, 24, 80, 0);
	for (const char *at = shown; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
	assert_non_null(strstr(shown, "\\x1b"));
	free(shown);
	dialog_free(d);
}

/* Does a piece of it stand anywhere? */
static bool has_secret_cells(const struct canvas *c, const struct secret *s)
{
	enum { PIECE = 5 };

	for (int i = 0; i + PIECE <= c->rows * c->cols; i++)
		for (size_t k = 0; k + PIECE <= s->size; k++) {
			size_t same = 0;

			while (same < PIECE && c->cell[i + (int)same].cp == s->data[k + same])
				same++;
			if (same == PIECE)
				return true;
		}
	return false;
}

static void assert_row_is_empty(const struct canvas *c, int row)
{
	for (int col = 0; col < c->cols; col++)
		assert_int_equal(c->cell[row * c->cols + col].cp, ' ');
}

static void a_secret_lies_alone_on_its_line_and_in_no_cell(void **st)
{
	struct secret *s = a_secret();
	struct dialog *d = secret_dialog(s);
	struct canvas c;

	(void)st;
	assert_true(canvas_init(&c, 24, 80, false));
	dialog_draw(d, &c, canvas_area(&c), 23000000);
	assert_ptr_equal(c.secret, s);
	assert_int_equal(c.secret_col, 0);
	assert_in_range(c.secret_row, 3, 20);
	for (int row = c.secret_row - 1; row <= c.secret_row + 1; row++)
		assert_row_is_empty(&c, row);
	assert_false(has_secret_cells(&c, s));
	canvas_done(&c);
	dialog_free(d);
	secret_free(s);
}

static void a_secret_says_when_it_is_gone(void **st)
{
	static const struct { uint64_t now_us; const char *text; } times[] = {
		{ 0, "in 120 s." }, { 23000000, "in 97 s." }, { 23000001, "in 97 s." }, { 119999999, "in 1 s." },
		{ 120000000, "in 0 s." }, { 500000000, "in 0 s." },
	};
	struct secret *s = a_secret();
	struct dialog *d = secret_dialog(s);

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		char *shown = look(d, 24, 80, times[i].now_us);

		assert_non_null(strstr(shown, "Gone after Enter"));
		assert_non_null(strstr(shown, times[i].text));
		assert_null(strstr(shown, "[ "));
		free(shown);
	}
	dialog_free(d);
	secret_free(s);
}

static void however_long_its_text_a_secret_is_shown(void **st)
{
	struct secret *s = a_secret();
	struct dialog *d = secret_dialog(s);
	char *shown;

	(void)st;
	for (int i = 0; i < 100; i++)
		dialog_sayf(d, "more %d", i);
	shown = look(d, 24, 80, 0);
	assert_non_null(strstr(shown, "\n******"));
	assert_non_null(strstr(shown, "Gone after Enter"));
	free(shown);
	dialog_free(d);
	secret_free(s);
}

static void draw_at_sizes(struct dialog *d, bool utf8)
{
	static const int cols[] = { 1, 2, 3, 4, 5, 6, 7, 8, 20, 39, 75, 76, 77, 80, 81, 200 };

	for (int rows = 1; rows <= 60; rows++)
		for (size_t i = 0; i < ARRAY_LEN(cols); i++) {
			struct canvas c;

			assert_true(canvas_init(&c, rows, cols[i], utf8));
			dialog_draw(d, &c, canvas_area(&c), 0);
			assert_in_range(c.cursor_row, 0, rows - 1);
			assert_in_range(c.cursor_col, 0, cols[i] - 1);
			dialog_press(d, PRESS_TAB);
			canvas_done(&c);
		}
}

static void every_dialog_draws_at_every_size(void **st)
{
	struct secret *s = a_secret();
	struct dialog *d;

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		d = makers[i]();
		draw_at_sizes(d, i % 2);
		dialog_free(d);
	}
	d = secret_dialog(s);
	draw_at_sizes(d, false);
	dialog_free(d);
	secret_free(s);
}

/* ---- at random ---- */

static int random_press(uint32_t *seed)
{
	static const int keys[] = {
		PRESS_ENTER, PRESS_ENTER, PRESS_TAB, PRESS_BACKTAB, PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT,
		PRESS_HOME, PRESS_END, PRESS_PAGE_UP, PRESS_PAGE_DOWN, PRESS_BACKSPACE, PRESS_DELETE, PRESS_CTRL('U'),
		PRESS_CTRL('W'), PRESS_F1, PRESS_RESIZE, ' ', 'a', 'c', 'm', 'e', 'h', 'l', 0xe9, 0x4e2d, 0x1f600,
	};

	*seed = *seed * 1664525 + 1013904223;
	return keys[(*seed >> 8) % ARRAY_LEN(keys)];
}

static bool may_accept(const struct dialog *d, int press)
{
	bool there = d->accept && (d->focus == d->fields + 1 || (d->quick && d->focus + 1 == d->fields));

	return press == PRESS_ENTER && there &&
	       (!d->expect[0] || strcmp(d->field[d->fields - 1].text.text, d->expect) == 0);
}

static void press_at_random(struct dialog *d, uint32_t seed)
{
	enum dialog_end end = DIALOG_STAYS;

	for (int i = 0; i < 300 && end == DIALOG_STAYS; i++) {
		int press = random_press(&seed);
		bool may = may_accept(d, press);

		end = dialog_press(d, press);
		assert_int_equal(end == DIALOG_ACCEPTED, may);
		assert_in_range(d->focus, 0, d->fields + (d->accept != NULL));
		if (i % 16 == 0)
			free(look(d, 24 + (int)(seed >> 28), 80, 0));
	}
}

static void whatever_is_pressed_only_the_button_accepts(void **st)
{
	(void)st;
	for (uint32_t seed = 0; seed < 400; seed++) {
		struct dialog *d = makers[seed % ARRAY_LEN(makers)]();

		press_at_random(d, seed);
		dialog_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enter_alone_never_accepts),
		cmocka_unit_test(the_button_accepts_once_one_went_there),
		cmocka_unit_test(a_prompt_that_changes_nothing_takes_enter_in_its_last_field),
		cmocka_unit_test(a_prompt_with_two_fields_takes_enter_only_in_the_last),
		cmocka_unit_test(the_name_must_be_typed_exactly),
		cmocka_unit_test(the_name_guards_a_quick_prompt_too),
		cmocka_unit_test(where_there_is_no_field_a_name_is_never_matched),
		cmocka_unit_test(escape_and_ctrl_c_cancel_wherever_the_focus_is),
		cmocka_unit_test(a_text_closes_with_q_but_a_question_does_not),
		cmocka_unit_test(only_enter_and_ctrl_c_take_a_secret_away),
		cmocka_unit_test(tab_and_the_arrows_go_round),
		cmocka_unit_test(left_and_right_go_between_the_buttons),
		cmocka_unit_test(close_has_no_button_beside_it),
		cmocka_unit_test(a_choice_is_made_with_left_right_and_space),
		cmocka_unit_test(letters_are_text_in_a_text_field),
		cmocka_unit_test(the_last_line_says_what_enter_does),
		cmocka_unit_test(pasted_text_goes_into_a_text_field_and_presses_nothing),
		cmocka_unit_test(pasted_text_neither_chooses_nor_presses_a_button),
		cmocka_unit_test(what_finds_no_room_is_said),
		cmocka_unit_test(a_long_text_scrolls_to_its_end_and_no_further),
		cmocka_unit_test(page_down_scrolls_also_from_a_field),
		cmocka_unit_test(a_larger_screen_shows_more_of_what_was_scrolled),
		cmocka_unit_test(the_box_is_in_the_middle_and_no_wider_than_needed),
		cmocka_unit_test(the_cursor_is_where_the_focus_is),
		cmocka_unit_test(what_comes_from_outside_is_shown_harmless),
		cmocka_unit_test(a_secret_lies_alone_on_its_line_and_in_no_cell),
		cmocka_unit_test(a_secret_says_when_it_is_gone),
		cmocka_unit_test(however_long_its_text_a_secret_is_shown),
		cmocka_unit_test(every_dialog_draws_at_every_size),
		cmocka_unit_test(whatever_is_pressed_only_the_button_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
