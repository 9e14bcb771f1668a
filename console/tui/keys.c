/* keys.c -- the table of keys. Its order is that of the footer and of the help. */
#include "console/tui/keys.h"

#include "base/codes.h"

#include <stdio.h>

#define CTRL(letter) PRESS_CTRL(letter)

/* Nothing that loses something acts at once: create, rotate, retire and keep open a dialog first. */
const struct key_binding bindings[] = {
	/* where something is done */
	{ CMD_CREATE, PLACE_KEYS, { 'c' }, "c", "create", "Create a key; its secret is shown once.", true },
	{ CMD_ROTATE, PLACE_KEYS, { 'r' }, "r", "rotate",
	  "Create a new key and give this one a time at which it retires.", true },
	{ CMD_RETIRE, PLACE_KEYS, { 't' }, "t", "retire", "Retire this key: it verifies no token any more.", true },
	{ CMD_KEEP, PLACE_KEYS, { 'u' }, "u", "keep", "Keep this key: take back the time at which it retires.", true },
	{ CMD_TYPE_TOKEN, PLACE_TOKEN, { PRESS_ENTER, 'p' }, "Enter, p", "token",
	  "Paste or type a token to see its checks.", false },
	{ CMD_FORGET_TOKEN, PLACE_TOKEN, { 'x' }, "x", "forget", "Forget the token.", false },
	{ CMD_IDENTITY, PLACE_RECORD, { 'i' }, "i", "identity",
	  "Show who the visitor was; that you asked is recorded first.", true },
	{ CMD_OPEN, PLACE_SITES, { PRESS_ENTER, 'l', PRESS_RIGHT }, "Enter, l, Right", "keys",
	  "Go to this site's keys.", false },
	{ CMD_OPEN, PLACE_LIVE | PLACE_AUDIT, { PRESS_ENTER, 'l', PRESS_RIGHT }, "Enter, l, Right", "record",
	  "Show this record whole.", false },
	{ CMD_PAUSE, PLACE_LIVE, { ' ', 'f' }, "Space, f", "pause", "Pause, or follow the newest again.", false },
	{ CMD_FILTER, PLACE_SITES | PLACE_LIVE | PLACE_AUDIT, { '/' }, "/", "filter",
	  "Show only what matches a filter.", false },
	{ CMD_SHOW_ALL, PLACE_SITES | PLACE_LIVE | PLACE_AUDIT, { PRESS_ESCAPE }, "Esc", NULL,
	  "Show all again, without the filter.", false },
	{ CMD_JUMP, PLACE_AUDIT, { '#' }, "#", "jump", "Jump to a record by its number.", false },
	{ CMD_SITE, PLACE_KEYS | PLACE_TOKEN, { 's' }, "s", "site", "Choose another site.", false },
	{ CMD_BACK, PLACE_KEYS, { PRESS_ESCAPE, PRESS_BACKSPACE, 'h', PRESS_LEFT }, "Esc, Backspace, h, Left", "sites",
	  "Back to the sites.", false },
	{ CMD_BACK, PLACE_RECORD, { PRESS_ESCAPE, PRESS_BACKSPACE, 'q', 'h', PRESS_LEFT },
	  "Esc, Backspace, q, h, Left", "back", "Back to the list.", false },

	/* everywhere */
	{ CMD_UP, PLACE_LISTS, { PRESS_UP, 'k' }, "Up, k", NULL, "One line up.", false },
	{ CMD_DOWN, PLACE_LISTS, { PRESS_DOWN, 'j' }, "Down, j", NULL, "One line down.", false },
	{ CMD_PAGE_UP, PLACE_LISTS, { PRESS_PAGE_UP, CTRL('B') }, "PageUp, Ctrl-B", NULL, "One page up.", false },
	{ CMD_PAGE_DOWN, PLACE_LISTS, { PRESS_PAGE_DOWN, CTRL('F') }, "PageDown, Ctrl-F", NULL,
	  "One page down.", false },
	{ CMD_FIRST, PLACE_LISTS, { PRESS_HOME, 'g' }, "Home, g", NULL, "To the beginning.", false },
	{ CMD_LAST, PLACE_LISTS, { PRESS_END, 'G' }, "End, G", NULL, "To the end.", false },
	{ CMD_SITES, PLACE_LISTS, { '1' }, "1", NULL, "Sites: what each has and does.", false },
	{ CMD_KEYS, PLACE_LISTS, { '2' }, "2", NULL, "Keys: the key ring of the site.", false },
	{ CMD_LIVE, PLACE_LISTS, { '3' }, "3", NULL, "Live: blocked tokens as they come.", false },
	{ CMD_AUDIT, PLACE_LISTS, { '4' }, "4", NULL, "Audit: all records, both ways.", false },
	{ CMD_HEALTH, PLACE_LISTS, { '5' }, "5", NULL, "Health: workers, space, warnings.", false },
	{ CMD_TOKEN, PLACE_LISTS, { '6' }, "6", NULL, "Token: each check of one token.", false },
	{ CMD_NEXT_PANEL, PLACE_LISTS, { PRESS_TAB }, "Tab", NULL, "The next panel.", false },
	{ CMD_PREVIOUS_PANEL, PLACE_LISTS, { PRESS_BACKTAB }, "Shift-Tab", NULL, "The previous panel.", false },
	{ CMD_HELP, PLACE_LISTS, { '?', PRESS_F1 }, "?, F1", "help", "This help.", false },
	{ CMD_REDRAW, PLACE_LISTS, { CTRL('L') }, "Ctrl-L", NULL, "Draw the screen anew.", false },
	{ CMD_SUSPEND, PLACE_LISTS, { CTRL('Z') }, "Ctrl-Z", NULL, "Leave to the shell until fg.", false },
	{ CMD_QUIT, PLACE_PANELS, { 'q', PRESS_F10, CTRL('C') }, "q, F10, Ctrl-C", "quit", "End the console.", false },
	{ CMD_QUIT, PLACE_RECORD, { PRESS_F10, CTRL('C') }, "F10, Ctrl-C", NULL, "End the console.", false },
};
const size_t binding_count = ARRAY_LEN(bindings);

static bool has_press(const struct key_binding *b, int press)
{
	for (size_t i = 0; i < BINDING_PRESSES && b->press[i] != PRESS_NONE; i++)
		if (b->press[i] == press)
			return true;
	return false;
}

const struct key_binding *binding_of(enum place place, int press)
{
	for (size_t i = 0; i < binding_count; i++)
		if ((bindings[i].places & (unsigned)place) && has_press(&bindings[i], press))
			return &bindings[i];
	return NULL;
}

enum command command_of(enum place place, int press)
{
	const struct key_binding *b = binding_of(place, press);

	return b ? b->command : CMD_NONE;
}

static const struct { int press; const char *name; } names[] = {
	{ PRESS_TAB, "Tab" }, { PRESS_ENTER, "Enter" }, { PRESS_ESCAPE, "Esc" }, { PRESS_BACKSPACE, "Backspace" },
	{ ' ', "Space" }, { PRESS_UP, "Up" }, { PRESS_DOWN, "Down" }, { PRESS_LEFT, "Left" }, { PRESS_RIGHT, "Right" },
	{ PRESS_HOME, "Home" }, { PRESS_END, "End" }, { PRESS_PAGE_UP, "PageUp" }, { PRESS_PAGE_DOWN, "PageDown" },
	{ PRESS_DELETE, "Delete" }, { PRESS_BACKTAB, "Shift-Tab" }, { PRESS_F1, "F1" }, { PRESS_F10, "F10" },
};

/* A row is filled when it is first asked for, always with the same text: static to the caller. */
static const char *letter_name(int press)
{
	static char name[127][8];

	if (press < ' ')
		snprintf(name[press], sizeof(name[press]), "Ctrl-%c", press + '@');
	else
		snprintf(name[press], sizeof(name[press]), "%c", press);
	return name[press];
}

const char *press_name(int press)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].press == press)
			return names[i].name;
	return press > PRESS_NONE && press < PRESS_BACKSPACE ? letter_name(press) : "";
}
