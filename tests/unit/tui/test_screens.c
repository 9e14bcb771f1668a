/* test_screens.c -- the screens of the frame: too small, help, messages, boxes over a panel. */
#include "tests/unit/tui/golden.h"

#define WORDS "Every record names the tree it is a leaf of, and the tree names every record that came before. "

static void help(struct console *c)
{
	golden_presses(c, "?");
}

static void help_at_its_end(struct console *c)
{
	c->at = PANEL_KEYS;
	c->read_only = "--read-only was given.";
	golden_presses(c, "?");
	golden_look(c);
	golden_presses(c, "G");
}

static void message(struct console *c)
{
	console_say(c, STYLE_GOOD, "Key k_7f3aqc2d stays.");
}

static void message_long(struct console *c)
{
	c->at = PANEL_TOKEN;
	console_say(c, STYLE_BAD, WORDS "The file \"\x1b[2J\u202egnp.exe\" cannot be opened: no such file. " WORDS);
}

static void read_only(struct console *c)
{
	c->read_only = "the vault cannot be written: run it as the owner of /var/lib/postern, or with sudo.";
	snprintf(c->host, sizeof(c->host), "a-host-with-a-name-that-is-longer-than-the-header-has-room-for");
	c->at = PANEL_KEYS;
	golden_presses(c, "c");        /* it says why not */
}

static void text(struct console *c)
{
	console_tell(c, "A text to read", WORDS WORDS "\n\nIt may hold \x1b]0;anything\a at all: \xff\xfe, "
	             "\u65e5\u672c, e\u0301.");
}

static void text_long(struct console *c)
{
	console_tell(c, "A title longer than a title should be, \x1b[m and more than its box has room for in the frame",
	             "%s%s%s%s", WORDS WORDS WORDS WORDS WORDS WORDS, WORDS WORDS WORDS WORDS WORDS WORDS WORDS,
	             WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS, WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS);
}

/* A question with all there can be in one, and what was typed is not what must be. */
static void question(struct console *c)
{
	static const char *const choice[] = { "now", "in 24 h", "in 48 h", NULL };
	struct dialog *d = dialog_new("Do something", "Do it");

	assert_non_null(d);
	dialog_sayf(d, "Something is done at the time chosen.");
	dialog_sayf(d, "To go on, type the site's id: %s", "demo");
	assert_true(dialog_choice(d, "When", choice, 1));
	assert_true(dialog_text_field(d, "Site", SITE_ID_MAX - 1, ""));
	snprintf(d->expect, sizeof(d->expect), "demo");
	d->close_at_us = c->now_us + 119500000;
	console_dialog(c, d);
	golden_presses(c, "\nd\u65e5mo\n");
	console_press(c, PRESS_TAB);
	golden_presses(c, "\n");
	console_say(c, STYLE_WARN, "A message stays on its line while there is a question. " WORDS);
}

static const struct screen screens[] = {
	{ .name = "too-small", .prepare = help, .size = { { 5, 20, true }, { 20, 60, true }, { 23, 79, false } } },
	{ .name = "too-narrow", .size = { { 24, 79, true }, { 1, 1, true } } },
	{ .name = "help", .prepare = help },
	{ .name = "help-at-its-end", .prepare = help_at_its_end, .size = { { 24, 80, true }, { 24, 80, false } } },
	{ .name = "message", .prepare = message },
	{ .name = "message-long", .prepare = message_long },
	{ .name = "read-only", .prepare = read_only },
	{ .name = "text", .prepare = text },
	{ .name = "text-long", .prepare = text_long },
	{ .name = "question", .prepare = question },
};

int main(void)
{
	return golden_run("console", screens, ARRAY_LEN(screens));
}
