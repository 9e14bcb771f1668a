/* dialog.c -- what lies over a panel. The focus goes round: the fields, then Cancel, then the button that acts. */
#include "console/tui/dialog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BOX_COLUMNS 76
#define BOX_FRAME_ROWS 2
#define BOX_FRAME_COLUMNS 4
#define HINT_MAX 96

/* ---- making one ---- */

struct dialog *dialog_new(const char *title, const char *accept)
{
	struct dialog *d = calloc(1, sizeof(*d));

	if (d) {
		snprintf(d->title, sizeof(d->title), "%s", title);
		d->accept = accept;
	}
	return d;
}

void dialog_free(struct dialog *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->fields; i++)
		text_field_done(&d->field[i].text);
	if (d->text.data)
		secret_wipe(d->text.data, d->text.room);
	buf_done(&d->text);
	if (d->arg_size) {
		secret_wipe(d->arg, d->arg_size);
		free(d->arg);
	}
	secret_wipe(d, sizeof(*d));
	free(d);
}

bool dialog_text_field(struct dialog *d, const char *label, size_t max, const char *text)
{
	struct field *f = &d->field[d->fields];

	if (d->fields == DIALOG_FIELDS || !text_field_init(&f->text, max, text))
		return false;
	f->kind = FIELD_TEXT;
	f->label = label;
	d->fields++;
	return true;
}

bool dialog_choice(struct dialog *d, const char *label, const char *const *choice, size_t chosen)
{
	if (d->fields == DIALOG_FIELDS)
		return false;
	d->field[d->fields++] =
		(struct field){ .kind = FIELD_CHOICE, .label = label, .choice = choice, .chosen = chosen };
	return true;
}

void dialog_vsay(struct dialog *d, const char *fmt, va_list args)
{
	char *text = NULL;
	int size = vasprintf(&text, fmt, args);

	if (size < 0) {
		d->text.failed = true;
		return;
	}
	if (d->text.size)
		buf_add_char(&d->text, '\n');
	buf_add(&d->text, text, (size_t)size);
	secret_wipe(text, (size_t)size);
	free(text);
}

void dialog_sayf(struct dialog *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	dialog_vsay(d, fmt, args);
	va_end(args);
}

/* ---- keys ---- */

static bool on_field(const struct dialog *d, enum field_kind kind)
{
	return d->focus < d->fields && d->field[d->focus].kind == kind;
}

/* Only to be read: nothing to type, to choose or to accept. */
static bool is_text(const struct dialog *d)
{
	return !d->fields && !d->accept;
}

static struct field *last_text_field(struct dialog *d)
{
	for (size_t i = d->fields; i > 0; i--)
		if (d->field[i - 1].kind == FIELD_TEXT)
			return &d->field[i - 1];
	return NULL;
}

static enum dialog_end accept(struct dialog *d)
{
	const struct field *typed = last_text_field(d);

	if (!d->expect[0] || (typed && strcmp(typed->text.text, d->expect) == 0))
		return DIALOG_ACCEPTED;
	d->complaint = "That is not what must be typed here. Nothing was done.";
	if (typed)
		d->focus = (size_t)(typed - d->field);
	return DIALOG_STAYS;
}

static enum dialog_end enter(struct dialog *d)
{
	if (d->focus == d->fields)
		return DIALOG_CANCELLED;
	if (d->focus > d->fields || (d->quick && d->focus + 1 == d->fields))
		return accept(d);
	d->focus++;
	return DIALOG_STAYS;
}

static void move_focus(struct dialog *d, bool back)
{
	size_t stops = d->fields + (d->accept ? 2 : 1);

	d->focus = (d->focus + (back ? stops - 1 : 1)) % stops;
}

static void scroll(struct dialog *d, enum command what)
{
	static const struct { enum command what; int lines, pages; } moves[] = {
		{ CMD_UP, -1, 0 }, { CMD_DOWN, 1, 0 }, { CMD_PAGE_UP, 0, -1 }, { CMD_PAGE_DOWN, 0, 1 },
	};
	int most = d->rows_in_all > d->rows ? d->rows_in_all - d->rows : 0, to = d->scroll;

	for (size_t i = 0; i < ARRAY_LEN(moves); i++)
		if (moves[i].what == what)
			to += moves[i].lines + moves[i].pages * d->rows;
	if (what == CMD_FIRST)
		to = 0;
	if (what == CMD_LAST || to > most)
		to = most;
	d->scroll = to > 0 ? to : 0;
}

/* Space goes round, so that it alone reaches every choice. */
static void press_choice(struct field *f, int press)
{
	bool more = f->choice[f->chosen + 1] != NULL;

	if (press == PRESS_LEFT || press == 'h')
		f->chosen -= f->chosen > 0;
	else if (press == PRESS_RIGHT || press == 'l')
		f->chosen += more;
	else if (press == ' ')
		f->chosen = more ? f->chosen + 1 : 0;
}

static enum dialog_end press_button(struct dialog *d, int press)
{
	if (press == PRESS_LEFT || press == 'h')
		d->focus = d->fields;
	else if ((press == PRESS_RIGHT || press == 'l') && d->accept)
		d->focus = d->fields + 1;
	else if (!d->fields)
		scroll(d, command_of(PLACE_RECORD, press));    /* as a record scrolls */
	return press == 'q' && is_text(d) && !d->secret ? DIALOG_CANCELLED : DIALOG_STAYS;
}

static bool is_character(int press)
{
	return press >= ' ' && press < PRESS_SPECIAL && press != PRESS_BACKSPACE;
}

/* A character takes up to four bytes. */
static void press_text(struct dialog *d, int press)
{
	struct text_field *f = &d->field[d->focus].text;
	size_t was = f->size;

	text_field_press(f, press);
	if (is_character(press) && f->size == was && f->max - was < 4)
		d->complaint = "There is no room for more.";
}

/* Up and down do where there are fields; else they scroll. */
static bool moves_focus(const struct dialog *d, int press, bool *ret_back)
{
	*ret_back = press == PRESS_BACKTAB || press == PRESS_UP;
	if (press == PRESS_TAB || press == PRESS_BACKTAB)
		return true;
	return d->fields && (press == PRESS_UP || press == PRESS_DOWN);
}

enum dialog_end dialog_press(struct dialog *d, int press)
{
	bool back;

	d->complaint = NULL;
	if (press == PRESS_CTRL('C') || (press == PRESS_ESCAPE && !d->secret))
		return DIALOG_CANCELLED;
	if (press == PRESS_ENTER)
		return enter(d);
	if (moves_focus(d, press, &back))
		move_focus(d, back);
	else if (press == PRESS_PAGE_UP || press == PRESS_PAGE_DOWN)
		scroll(d, press == PRESS_PAGE_UP ? CMD_PAGE_UP : CMD_PAGE_DOWN);
	else if (on_field(d, FIELD_TEXT))
		press_text(d, press);
	else if (on_field(d, FIELD_CHOICE))
		press_choice(&d->field[d->focus], press);
	else
		return press_button(d, press);
	return DIALOG_STAYS;
}

bool dialog_paste(struct dialog *d, int press)
{
	if (!on_field(d, FIELD_TEXT))
		return false;
	if (is_character(press))
		press_text(d, press);
	return true;
}

/* ---- drawing ---- */

static const char *text_of(const struct dialog *d)
{
	if (d->text.failed)
		return "(out of memory)";
	return d->text.data ? d->text.data : "";
}

/* The text, from the row it is scrolled to; a is where it may be. */
static void draw_text(struct dialog *d, struct canvas *c, struct area a)
{
	d->rows = a.rows;
	scroll(d, CMD_NONE);           /* the size may be another than when it was scrolled */
	canvas_wrap(c, a, -d->scroll, STYLE_NORMAL, text_of(d));
}

static void draw_position(const struct dialog *d, struct canvas *c, struct area a, int row)
{
	char text[48];

	if (d->rows_in_all <= d->rows)
		return;
	snprintf(text, sizeof(text), "lines %d-%d of %d", d->scroll + 1, d->scroll + d->rows, d->rows_in_all);
	canvas_put_right(c, a, row, 0, STYLE_DIM, text);
}

static int put_choices(const struct field *f, struct canvas *c, struct area a, int row, bool focused)
{
	int col = 0, at = 0;

	for (size_t i = 0; f->choice[i]; i++) {
		bool here = i == f->chosen;

		if (here)
			at = col;
		col += canvas_putf(c, a, row, col, !here ? STYLE_NORMAL : focused ? STYLE_BUTTON_HERE : STYLE_STRONG,
		                   here ? "[%s]" : " %s ", f->choice[i]) + 1;
	}
	return at;
}

static void put_cursor(struct canvas *c, struct area a, int row, int col)
{
	if (row >= a.rows || col >= a.cols || a.row + row >= c->rows || a.col + col >= c->cols)
		return;
	c->cursor_row = a.row + row;
	c->cursor_col = a.col + col;
}

static void draw_field(const struct field *f, struct canvas *c, struct area a, int row, int label, bool focused)
{
	struct area right = { a.row, a.col + label, a.rows, a.cols - label };
	int at;

	canvas_put(c, a, row, 0, STYLE_NORMAL, f->label);
	if (f->kind == FIELD_TEXT) {
		draw_text_field(c, right, row, &f->text, focused);
		return;
	}
	at = put_choices(f, c, right, row, focused);
	if (focused)
		put_cursor(c, right, row, at);
}

static int draw_fields(const struct dialog *d, struct canvas *c, struct area a, int row)
{
	int label = 0;

	for (size_t i = 0; i < d->fields; i++) {
		int width = canvas_width(d->field[i].label, c->utf8) + 1;

		label = width > label ? width : label;
	}
	for (size_t i = 0; i < d->fields; i++)
		draw_field(&d->field[i], c, a, row++, label, i == d->focus);
	return row;
}

static int draw_button(struct canvas *c, struct area a, int row, int col, const char *word, bool here)
{
	if (here)
		put_cursor(c, a, row, col);
	return col + canvas_putf(c, a, row, col, here ? STYLE_BUTTON_HERE : STYLE_BUTTON, "[ %s ]", word) + 2;
}

static uint64_t seconds_left(const struct dialog *d, uint64_t now_us)
{
	return d->close_at_us > now_us ? (d->close_at_us - now_us + 999999) / 1000000 : 0;
}

static void draw_buttons(const struct dialog *d, struct canvas *c, struct area a, int row, uint64_t now_us)
{
	int col = draw_button(c, a, row, 0, d->accept ? "Cancel" : "Close", d->focus == d->fields);
	char left[32];

	if (d->accept)
		draw_button(c, a, row, col, d->accept, d->focus > d->fields);
	if (!d->close_at_us)
		return;
	snprintf(left, sizeof(left), "closes in %" PRIu64 " s", seconds_left(d, now_us));
	canvas_put_right(c, a, row, 0, STYLE_DIM, left);
}

/* What the keys do where the focus is. */
static void hint_text(const struct dialog *d, char out[HINT_MAX])
{
	const char *choose = on_field(d, FIELD_CHOICE) ? "Left and Right choose, " : "";
	const char *word = d->accept ? d->accept : "";

	if (d->quick && d->focus + 1 == d->fields)
		snprintf(out, HINT_MAX, "%sEnter: %s, Esc cancels", choose, word);
	else if (d->focus < d->fields)
		snprintf(out, HINT_MAX, "%sEnter goes on, Tab moves, Esc cancels", choose);
	else if (d->focus > d->fields)
		snprintf(out, HINT_MAX, "Enter: %s, Tab moves, Esc cancels", word);
	else if (d->accept)
		snprintf(out, HINT_MAX, "Enter: Cancel, Tab moves to %s", word);
	else
		snprintf(out, HINT_MAX, "Enter or Esc closes%s",
		         d->rows_in_all > d->rows ? ", Up and Down scroll" : "");
}

/* Rows that the text cannot have: a line between, the fields, a complaint, the buttons, how to press what. */
static int rows_below(const struct dialog *d)
{
	return (d->rows_in_all > 0) + (int)d->fields + (d->fields > 0) + 2;
}

static void draw_inside(struct dialog *d, struct canvas *c, struct area a, uint64_t now_us)
{
	struct area text = area_less(a, 0, rows_below(d)), rest = area_less(a, text.rows, 0);
	char hint[HINT_MAX];
	int row = 0;

	draw_text(d, c, text);
	if (d->rows_in_all)
		draw_position(d, c, rest, row++);
	row = draw_fields(d, c, rest, row);
	if (d->complaint)
		canvas_put(c, rest, row, 0, STYLE_BAD, d->complaint);
	draw_buttons(d, c, rest, row + (d->fields > 0), now_us);
	hint_text(d, hint);
	canvas_put(c, a, a.rows - 1, 0, STYLE_DIM, hint);
}

static int count_rows(const struct dialog *d, struct canvas *c, int cols)
{
	struct area nowhere = { .cols = cols };

	return canvas_wrap(c, nowhere, 0, STYLE_NORMAL, text_of(d));
}

static void draw_over(struct dialog *d, struct canvas *c, struct area a, uint64_t now_us)
{
	struct area box = area_middle(a, a.rows, BOX_COLUMNS);

	d->rows_in_all = count_rows(d, c, box.cols - BOX_FRAME_COLUMNS);
	box = area_middle(box, d->rows_in_all + rows_below(d) + BOX_FRAME_ROWS, box.cols);
	draw_inside(d, c, draw_box(c, box, d->title), now_us);
}

/* The secret has lines of its own, from the first column on: the mouse selects it and nothing else. */
static void draw_secret(struct dialog *d, struct canvas *c, struct area a, uint64_t now_us)
{
	int cols = a.cols > 0 ? a.cols : 1, secret_rows = ((int)d->secret->size + cols - 1) / cols;
	struct area text = area_less(a, 2, secret_rows + 4), rest;

	canvas_fill(c, a, STYLE_NORMAL);
	draw_rule(c, a, 0, d->title);
	d->rows_in_all = count_rows(d, c, a.cols);
	if (text.rows > d->rows_in_all)
		text.rows = d->rows_in_all;
	draw_text(d, c, text);
	rest = area_less(a, 2 + text.rows + 1, 0);
	if (rest.rows < secret_rows)
		return;
	c->secret = d->secret;
	c->secret_row = rest.row;
	c->secret_col = rest.col;
	put_cursor(c, rest, secret_rows + 1, 0);
	if (d->close_at_us)
		canvas_putf(c, rest, secret_rows + 1, 0, STYLE_STRONG, "Gone after Enter, or in %" PRIu64 " s.",
		            seconds_left(d, now_us));
	else
		canvas_put(c, rest, secret_rows + 1, 0, STYLE_STRONG, "Gone after Enter.");
}

void dialog_draw(struct dialog *d, struct canvas *c, struct area a, uint64_t now_us)
{
	if (d->secret)
		draw_secret(d, c, a, now_us);
	else
		draw_over(d, c, a, now_us);
}
