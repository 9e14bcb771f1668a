/* console-private.h -- what console.c and console-draw.c share. */
#ifndef POSTERN_CONSOLE_TUI_CONSOLE_PRIVATE_H
#define POSTERN_CONSOLE_TUI_CONSOLE_PRIVATE_H

#include "console/tui/console.h"

static inline struct panel *panel_shown(const struct console *c)
{
	return c->panel[c->at];
}

/* Whose bindings hold now. */
static inline enum place place_of(const struct console *c)
{
	return c->record ? PLACE_RECORD : panel_shown(c)->ops->place;
}

/* Several wishes to load become one; it is done before the next key is looked at, and before anything is drawn. */
void load_if_asked(struct console *c);

#endif
