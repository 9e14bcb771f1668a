/* panel-token.h -- the token debugger: each check of one token, at the site one is in. */
#ifndef POSTERN_CONSOLE_TUI_PANEL_TOKEN_H
#define POSTERN_CONSOLE_TUI_PANEL_TOKEN_H

#include "console/tui/console.h"

struct token_panel {
	struct panel panel;
	char site[SITE_ID_MAX];        /* where the token was pasted; empty: no site is chosen */
	struct secret *token;          /* as it was pasted, explained again as vault and time change; owned; NULL: none */
	struct explained result;       /* checks NULL: there is none */
	uint64_t checked_us;           /* when result was made */
	struct why trouble;            /* why it could not be made again: result is an older one; empty: it could */
	struct list top;               /* selected: the first row shown; count: how many rows can be the first */
	size_t rows;                   /* shown at once, as last drawn */
};
extern const struct panel_ops token_panel;

#endif
