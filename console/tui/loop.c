/* loop.c -- wait, read keys, let the console act, draw.
 *
 * What a key changes is drawn at once; what comes by itself, ten times a second at most. Between two turns the
 * process sleeps. */
#include "console/tui/loop.h"

#include "base/clock.h"
#include "console/tui/screen.h"

#define TICK_MS 100
#define PRESSES_MAX 4096               /* a turn: however much is pasted, the rest of the console goes on */

struct loop {
	struct console *console;
	struct canvas canvas;
	uint64_t next_tick;            /* ms of the clock that never steps */
};

static enum rc fit(struct loop *l)
{
	int rows, cols;

	screen_size(&rows, &cols);
	canvas_done(&l->canvas);
	return canvas_init(&l->canvas, rows, cols, l->console->utf8) ? RC_OK : RC_NOMEM;
}

/* What concerns the terminal alone is done here, so that dialogs know it, too; within pasted text a key is text. */
static bool for_terminal(const struct loop *l, int press)
{
	enum command what = l->console->own.pasting ? CMD_NONE : command_of(PLACE_SITES, press);

	if (what == CMD_SUSPEND)
		screen_suspend();
	else if (what == CMD_REDRAW)
		screen_redraw();
	return what == CMD_SUSPEND || what == CMD_REDRAW;
}

static enum rc take_press(struct loop *l, int press)
{
	if (press == PRESS_LOST)
		return RC_IO;
	if (!for_terminal(l, press))
		console_press(l->console, press);
	return press == PRESS_RESIZE ? fit(l) : RC_OK;
}

/* *ret_any: there was one. */
static enum rc take_presses(struct loop *l, bool *ret_any)
{
	enum rc rc = RC_OK;
	int press;

	*ret_any = false;
	for (int i = 0; i < PRESSES_MAX && rc == RC_OK && !l->console->quit && (press = screen_press()) != PRESS_NONE; i++) {
		*ret_any = true;
		rc = take_press(l, press);
	}
	return rc;
}

static int until_tick(const struct loop *l)
{
	uint64_t now = clock_mono_ms();

	return now < l->next_tick ? (int)(l->next_tick - now) : 0;
}

/* true: it was time for one. */
static bool tick(struct loop *l)
{
	if (until_tick(l) > 0)
		return false;
	l->next_tick = clock_mono_ms() + TICK_MS;
	console_tick(l->console);
	return true;
}

static void draw(struct loop *l)
{
	console_draw(l->console, &l->canvas);
	screen_show(&l->canvas);
}

static bool is_over(const struct console *c)
{
	return c->quit || screen_stopped() != 0;
}

static enum rc turn(struct loop *l)
{
	bool pressed, due, stale;
	enum rc rc;

	screen_wait(until_tick(l));
	l->console->now_us = clock_us();
	if ((rc = take_presses(l, &pressed)) != RC_OK || is_over(l->console))
		return rc;
	due = tick(l);
	stale = (pressed || due) && console_stale(l->console);
	if (pressed || stale)
		draw(l);
	return RC_OK;
}

enum rc loop_run(struct console *c)
{
	struct loop l = { .console = c };
	enum rc rc = fit(&l);

	while (rc == RC_OK && !is_over(c))
		rc = turn(&l);
	canvas_done(&l.canvas);
	return rc;
}
