/* keys.h -- key presses, what they ask for, and the one table that says so: it draws the footer and the help, prints
 * --help, and makes the manual page.
 *
 * Letters are lower case (but G, as in vi) and never act at once where something is lost: they open a dialog whose
 * default is Cancel. Nothing needs a function key; F1 and F10 are there for who looks for them. */
#ifndef POSTERN_CONSOLE_TUI_KEYS_H
#define POSTERN_CONSOLE_TUI_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* A press is a Unicode code point, a control character as 1..31, or one of these. */
enum press {
	PRESS_NONE = 0,
	PRESS_TAB = 9, PRESS_ENTER = 13, PRESS_ESCAPE = 27, PRESS_BACKSPACE = 127,
	PRESS_SPECIAL = 0x200000,
	PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT, PRESS_HOME, PRESS_END, PRESS_PAGE_UP, PRESS_PAGE_DOWN,
	PRESS_DELETE, PRESS_BACKTAB, PRESS_F1, PRESS_F10,
	PRESS_RESIZE,                                  /* the terminal has another size */
	PRESS_PASTE_BEGIN, PRESS_PASTE_END,            /* around pasted text (bracketed paste) */
	PRESS_LOST,                                    /* the terminal is gone */
};
#define PRESS_CTRL(letter) ((letter) & 31)

enum command {
	CMD_NONE,
	CMD_QUIT, CMD_HELP, CMD_BACK, CMD_REDRAW, CMD_SUSPEND,         /* the last two are the loop's */
	CMD_SITES, CMD_KEYS, CMD_LIVE, CMD_AUDIT, CMD_HEALTH, CMD_TOKEN, CMD_NEXT_PANEL, CMD_PREVIOUS_PANEL,
	CMD_UP, CMD_DOWN, CMD_PAGE_UP, CMD_PAGE_DOWN, CMD_FIRST, CMD_LAST, CMD_OPEN,
	CMD_FILTER, CMD_SHOW_ALL, CMD_PAUSE, CMD_JUMP, CMD_IDENTITY,
	CMD_CREATE, CMD_ROTATE, CMD_RETIRE, CMD_KEEP,
	CMD_TYPE_TOKEN, CMD_FORGET_TOKEN, CMD_SITE,
	CMD_COUNT
};

/* Where a binding holds; a place is one bit. */
enum place {
	PLACE_SITES = 1, PLACE_KEYS = 2, PLACE_LIVE = 4, PLACE_AUDIT = 8, PLACE_HEALTH = 16, PLACE_TOKEN = 32,
	PLACE_RECORD = 64,             /* one record, whole */
	PLACE_PANELS = 63,             /* any panel */
	PLACE_LISTS = PLACE_SITES | PLACE_KEYS | PLACE_LIVE | PLACE_AUDIT | PLACE_HEALTH | PLACE_TOKEN | PLACE_RECORD,
};

#define BINDING_PRESSES 5
struct key_binding {
	enum command command;
	unsigned places;               /* bits of enum place */
	int press[BINDING_PRESSES];    /* 0: none further */
	const char *label;             /* how the help writes its keys: "Up, k" */
	const char *word;              /* in the footer, after the first key; NULL: not there */
	const char *help;              /* a sentence for the help and the manual page */
	bool changes;                  /* not in a read-only console */
};
extern const struct key_binding bindings[];
extern const size_t binding_count;

/* What this press asks for in this place; NULL: nothing. */
const struct key_binding *binding_of(enum place place, int press);
enum command command_of(enum place place, int press);
/* How the footer and the help write a key: "c", "Enter", "Ctrl-L". Static; "" for what is no key. */
const char *press_name(int press);

#endif
