/* console.c -- the frame around the panels: which one is shown, whom a key press belongs to, what is due each turn, and
 * the lines above and below them. */
#include "console/tui/console-private.h"

#include <stdarg.h>
#include <stdio.h>

#define SECOND_US UINT64_C(1000000)
#define MESSAGE_US (10 * SECOND_US)
#define SWEEP_US (60 * SECOND_US)
#define SETTLE_US (5 * SECOND_US)
#define PAUSE_US (SECOND_US / 2)
/* A paste whose end never came: from here on keys are keys again. */
#define PASTE_US (3 * SECOND_US)

/* ---- messages ---- */

static void say_nothing(struct console *c)
{
	secret_wipe(c->message, sizeof(c->message));   /* it may name a visitor */
	c->own.stale = true;
}

void console_say(struct console *c, enum style s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->message, sizeof(c->message), fmt, args);
	va_end(args);
	c->message_style = s;
	c->message_until_us = c->now_us + MESSAGE_US;
	c->own.stale = true;
}

void console_error(struct console *c, enum rc rc, enum reason reason, const struct why *why)
{
	if (rc == RC_OK)
		return;
	if (rc == RC_REFUSED && reason != REASON_NONE)
		console_say(c, STYLE_WARN, "%s: %s", reason_name(reason), reason_text(reason));
	else
		console_say(c, STYLE_BAD, "%s", why && why->text[0] ? why->text : rc_text(rc));
}

bool console_may_change(struct console *c)
{
	if (c->read_only)
		console_say(c, STYLE_WARN, "This console is read-only: %s", c->read_only);
	return !c->read_only;
}

/* ---- dialogs ---- */

static void finish_dialog(struct console *c, struct dialog *d, bool accepted)
{
	if (d->done)
		d->done(c, d, accepted);
	dialog_free(d);
	c->own.stale = true;
}

static void end_dialog(struct console *c, bool accepted)
{
	struct dialog *d = c->dialog;

	c->dialog = NULL;
	finish_dialog(c, d, accepted);
}

void console_dialog(struct console *c, struct dialog *d)
{
	if (!d) {
		console_error(c, RC_NOMEM, REASON_NONE, NULL);
		return;
	}
	if (c->dialog || c->own.ending) {
		finish_dialog(c, d, false);
		return;
	}
	c->dialog = d;
	c->own.stale = true;
	if (d->secret)
		c->own.press_us = c->now_us;
}

void console_tell(struct console *c, const char *title, const char *fmt, ...)
{
	struct dialog *d = dialog_new(title, NULL);
	va_list args;

	va_start(args, fmt);
	if (d)
		dialog_vsay(d, fmt, args);
	va_end(args);
	console_dialog(c, d);
}

/* ---- where one is ---- */

static void close_record(struct console *c)
{
	record_free(c->record);
	c->record = NULL;
	c->own.stale = true;
}

void console_reload(struct console *c)
{
	c->own.reload = true;
	c->own.stale = true;
}

void console_go(struct console *c, enum panel_id to)
{
	close_record(c);
	c->at = to;
	console_reload(c);
}

void console_enter_site(struct console *c, const char *site)
{
	snprintf(c->site, sizeof(c->site), "%s", site);
	console_reload(c);
}

void load_if_asked(struct console *c)
{
	struct panel *p = panel_shown(c);

	if (!c->own.reload)
		return;
	c->own.reload = false;
	c->own.stale = true;
	p->ops->load(p, c);
}

static void obey(struct console *c, unsigned bits)
{
	if (bits & DO_LOAD)
		console_reload(c);
	if (bits & DO_DRAW)
		c->own.stale = true;
}

/* ---- commands ---- */

static void quit(struct console *c)
{
	c->quit = true;
}

static void help(struct console *c)
{
	struct dialog *d = dialog_new("Help", NULL);

	if (d)
		help_text(&d->text, place_of(c), c->read_only);
	console_dialog(c, d);
}

static void back(struct console *c)
{
	if (c->record)
		close_record(c);
	else
		console_go(c, PANEL_SITES);
}

static void next_panel(struct console *c)
{
	console_go(c, (c->at + 1) % PANEL_COUNT);
}

static void previous_panel(struct console *c)
{
	console_go(c, (c->at + PANEL_COUNT - 1) % PANEL_COUNT);
}

_Static_assert(CMD_TOKEN - CMD_SITES == PANEL_TOKEN && PANEL_SITES == 0, "the panels' commands stand in their order");

static void run(struct console *c, enum command what)
{
	static void (*const own[CMD_COUNT])(struct console *) = {
		[CMD_QUIT] = quit, [CMD_HELP] = help, [CMD_BACK] = back, [CMD_SITE] = console_ask_site,
		[CMD_NEXT_PANEL] = next_panel, [CMD_PREVIOUS_PANEL] = previous_panel,
		[CMD_REDRAW] = say_nothing, [CMD_SUSPEND] = say_nothing,       /* the loop did it */
	};
	struct panel *p = panel_shown(c);

	if (own[what])
		own[what](c);
	else if (what >= CMD_SITES && what <= CMD_TOKEN)
		console_go(c, (enum panel_id)(what - CMD_SITES));
	else if (c->record)
		obey(c, record_command(c->record, c, what));
	else
		obey(c, p->ops->command(p, c, what));
}

static void press_command(struct console *c, int press)
{
	const struct key_binding *b = binding_of(place_of(c), press);

	if (!b)
		return;
	say_nothing(c);
	if (!b->changes || console_may_change(c))
		run(c, b->command);
}

/* The Enter that made a key, held a moment too long or pressed once more because nothing seemed to come, must not close
 * the one screen that shows its secret. */
static bool comes_too_soon(struct console *c)
{
	uint64_t last = c->own.press_us;

	c->own.press_us = c->now_us;
	return c->dialog->secret && c->now_us >= last && c->now_us - last < PAUSE_US;
}

static void press_dialog(struct console *c, int press)
{
	bool question = c->dialog->accept && !c->dialog->quick;
	enum dialog_end end = comes_too_soon(c) ? DIALOG_STAYS : dialog_press(c->dialog, press);

	say_nothing(c);
	if (end != DIALOG_STAYS)
		end_dialog(c, end == DIALOG_ACCEPTED);
	if (end == DIALOG_CANCELLED && question && !c->dialog)
		console_say(c, STYLE_NORMAL, "Cancelled: nothing was changed.");
}

/* ---- pasted text ---- */

static void take_pasted(struct console *c, int press)
{
	c->own.paste_us = c->now_us;
	c->own.stale = true;
	if (!c->own.too_small && c->dialog && dialog_paste(c->dialog, press))
		return;
	if (!c->own.paste_refused)
		console_say(c, STYLE_WARN, "Pasted text is ignored here.");
	c->own.paste_refused = true;
}

/* false: not a matter of pasting. */
static bool press_paste(struct console *c, int press)
{
	if (press == PRESS_PASTE_BEGIN) {
		c->own.pasting = true;
		c->own.paste_refused = false;
		c->own.paste_us = c->now_us;
	} else if (press == PRESS_PASTE_END) {
		c->own.pasting = false;
	} else if (c->own.pasting) {
		take_pasted(c, press);
	} else {
		return false;
	}
	return true;
}

/* ---- key presses ---- */

/* true: it was about the terminal, whatever is shown. */
static bool press_terminal(struct console *c, int press)
{
	if (press != PRESS_LOST && press != PRESS_RESIZE)
		return false;
	c->quit = c->quit || press == PRESS_LOST;
	c->own.stale = true;
	return true;
}

/* What is not drawn does not act: one may only leave. */
static void press_unseen(struct console *c, int press)
{
	if (command_of(panel_shown(c)->ops->place, press) == CMD_QUIT)
		quit(c);
}

void console_press(struct console *c, int press)
{
	if (press == PRESS_NONE || press_terminal(c, press) || press_paste(c, press))
		return;
	load_if_asked(c);
	if (c->own.too_small)
		press_unseen(c, press);
	else if (c->dialog)
		press_dialog(c, press);
	else
		press_command(c, press);
	load_if_asked(c);
}

bool console_stale(struct console *c)
{
	bool stale = c->own.stale;

	c->own.stale = false;
	return stale;
}

/* ---- each turn ---- */

/* Where the wall clock was set back, what waits for a time waits no longer than it was to. */
static void follow_clock(struct console *c)
{
	uint64_t back_us = c->own.tick_us > c->now_us ? c->own.tick_us - c->now_us : 0;

	if (c->dialog && c->dialog->close_at_us > back_us)
		c->dialog->close_at_us -= back_us;
	if (c->message_until_us > back_us)
		c->message_until_us -= back_us;
	if (c->own.paste_us > c->now_us)
		c->own.paste_us = c->now_us;
}

/* Has the time come? Then it comes again after period. */
static bool is_due(const struct console *c, uint64_t *at_us, uint64_t period_us)
{
	if (c->now_us < *at_us && *at_us - c->now_us <= period_us)
		return false;
	*at_us = c->now_us + period_us;
	return true;
}

static void look_at_versions(struct console *c)
{
	const struct panel_ops *ops = panel_shown(c)->ops;
	struct admin_versions now = { 0 };
	struct why why = { "" };
	enum rc rc = admin_versions(c->admin, &now, &why);

	if (rc != RC_OK) {
		/* As long as it lasts: what is on the screen is not known to be so any more. */
		if (!c->own.versions_failed || !c->message[0])
			console_error(c, rc, REASON_NONE, &why);
		c->own.versions_failed = true;
		return;
	}
	if (c->own.versions_failed || now.vault != c->own.versions.vault ||
	    (ops->follows_ledger && now.ledger != c->own.versions.ledger))
		console_reload(c);
	c->own.versions_failed = false;
	c->own.versions = now;
}

static void serve_admin(struct console *c)
{
	struct why notice = { "" };

	look_at_versions(c);
	if (c->read_only)
		return;
	if (is_due(c, &c->own.sweep_us, SWEEP_US))
		admin_sweep(c->admin);
	if (is_due(c, &c->own.settle_us, SETTLE_US) && !admin_settle(c->admin, 0, &notice))
		console_say(c, STYLE_WARN, "%s", notice.text);
}

static void close_what_is_over(struct console *c)
{
	if (c->message[0] && c->now_us >= c->message_until_us)
		say_nothing(c);
	if (c->dialog && c->dialog->close_at_us && c->now_us >= c->dialog->close_at_us)
		end_dialog(c, false);
	if (c->own.pasting && c->now_us - c->own.paste_us > PASTE_US)
		c->own.pasting = false;
}

static void each_second(struct console *c)
{
	if (c->now_us / SECOND_US == c->own.tick_us / SECOND_US)
		return;
	if (panel_shown(c)->ops->ages)
		console_reload(c);
	if (c->dialog && c->dialog->close_at_us)
		c->own.stale = true;           /* it counts down */
}

static void tick_panel(struct console *c)
{
	struct panel *p = panel_shown(c);

	if (p->ops->tick)
		obey(c, p->ops->tick(p, c));
}

void console_tick(struct console *c)
{
	follow_clock(c);
	close_what_is_over(c);
	each_second(c);
	c->own.tick_us = c->now_us;
	if (c->admin)
		serve_admin(c);
	load_if_asked(c);
	tick_panel(c);
	load_if_asked(c);
}

/* ---- beginning and end ---- */

bool console_init(struct console *c)
{
	for (size_t i = 0; i < PANEL_COUNT; i++) {
		c->panel[i] = panels[i]->make();
		if (!c->panel[i]) {
			console_done(c);
			return false;
		}
	}
	console_reload(c);
	return true;
}

void console_done(struct console *c)
{
	c->own.ending = true;
	if (c->dialog)
		end_dialog(c, false);
	record_free(c->record);
	c->record = NULL;
	for (size_t i = 0; i < PANEL_COUNT; i++) {
		if (c->panel[i])
			c->panel[i]->ops->free(c->panel[i]);
		c->panel[i] = NULL;
	}
	secret_wipe(c->message, sizeof(c->message));
}
