/* console-draw.c -- the whole screen: the line above the panel, the panel or what lies over it, the message and the footer. */
#include "console/tui/console-private.h"

#include <stdio.h>

#define MESSAGE_ROWS 4

static int draw_tab(const struct console *c, struct canvas *cv, struct area a, int col, size_t i)
{
	bool here = i == c->at;

	return col + canvas_putf(cv, a, 0, col, here ? STYLE_TAB_HERE : STYLE_TAB, here ? "[%zu %s]" : " %zu %s ",
	                         i + 1, c->panel[i]->ops->name);
}

static void draw_header(const struct console *c, struct canvas *cv)
{
	struct area a = { 0, 0, 1, cv->cols }, right;
	int col;

	canvas_fill(cv, a, STYLE_HEADER);
	col = canvas_put(cv, a, 0, 0, STYLE_HEADER, " Postern ");
	for (size_t i = 0; i < PANEL_COUNT; i++)
		col = draw_tab(c, cv, a, col, i);
	right = (struct area){ 0, col, 1, cv->cols - col - 1 };
	if (c->read_only)
		right.cols -= canvas_put_right(cv, right, 0, 0, STYLE_HEADER, "read-only") + 1;
	if (right.cols > 0)
		canvas_put_right(cv, right, 0, 0, STYLE_HEADER, c->host);
}

static void draw_footer(const struct console *c, struct canvas *cv)
{
	struct area a = { cv->rows - 1, 1, 1, cv->cols - 1 };
	int col = 0;

	for (size_t i = 0; i < binding_count; i++) {
		const struct key_binding *b = &bindings[i];

		if (!b->word || !(b->places & place_of(c)) || (b->changes && c->read_only))
			continue;
		col += canvas_put(cv, a, 0, col, STYLE_KEY, press_name(b->press[0]));
		col += canvas_putf(cv, a, 0, col, STYLE_NORMAL, " %s", b->word) + 2;
	}
}

/* One line; where nothing lies over the panel as many as it takes to be read, up to a few. */
static void draw_message(const struct console *c, struct canvas *cv)
{
	struct area a = { cv->rows - 2, 1, 1, cv->cols - 2 };
	int rows = c->dialog ? 1 : canvas_wrap(cv, (struct area){ .cols = a.cols }, 0, c->message_style, c->message);

	if (rows <= 1) {
		canvas_put(cv, a, 0, 0, c->message_style, c->message);
		return;
	}
	a.rows = rows < MESSAGE_ROWS ? rows : MESSAGE_ROWS;
	a.row -= a.rows - 1;
	canvas_fill(cv, (struct area){ a.row, 0, a.rows, cv->cols }, STYLE_NORMAL);
	canvas_wrap(cv, a, 0, c->message_style, c->message);
}

static void draw_too_small(struct canvas *cv)
{
	char line[96];

	snprintf(line, sizeof(line), "postern-console needs %dx%d, this is %dx%d", CONSOLE_COLS_MIN, CONSOLE_ROWS_MIN,
	         cv->cols, cv->rows);
	if (strlen(line) > (size_t)cv->cols)
		snprintf(line, sizeof(line), "needs %dx%d", CONSOLE_COLS_MIN, CONSOLE_ROWS_MIN);
	canvas_put(cv, canvas_area(cv), 0, 0, STYLE_NORMAL, line);
}

static void draw_all(struct console *c, struct canvas *cv)
{
	struct area middle = area_less(canvas_area(cv), 1, 2);
	struct panel *p = panel_shown(c);

	draw_header(c, cv);
	/* where a panel without a list has its sentence: screen readers follow the cursor */
	cv->cursor_row = middle.row + 2;
	cv->cursor_col = 1;
	if (c->record)
		record_draw(c->record, c, cv, middle);
	else
		p->ops->draw(p, c, cv, middle);
	draw_message(c, cv);
	if (c->dialog)
		dialog_draw(c->dialog, cv, middle, c->now_us);
	else
		draw_footer(c, cv);
}

void console_draw(struct console *c, struct canvas *cv)
{
	load_if_asked(c);
	canvas_clear(cv);
	c->own.too_small = cv->rows < CONSOLE_ROWS_MIN || cv->cols < CONSOLE_COLS_MIN;
	if (c->own.too_small)
		draw_too_small(cv);
	else if (c->dialog && c->dialog->secret)
		dialog_draw(c->dialog, cv, canvas_area(cv), c->now_us);
	else
		draw_all(c, cv);
}
