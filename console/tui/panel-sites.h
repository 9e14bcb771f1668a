/* panel-sites.h -- all sites: what each has and does. */
#ifndef POSTERN_CONSOLE_TUI_PANEL_SITES_H
#define POSTERN_CONSOLE_TUI_PANEL_SITES_H

#include "console/tui/console.h"
#include "console/tui/sites-window.h"

struct sites_panel {
	struct panel panel;
	struct sites_window window;
	bool loaded;                   /* at least once */
	uint64_t vault;                /* its version when it was */
	enum rc rc;                    /* how reading the vault went; not OK: the rows are old */
	struct why why;
	unsigned slice_ms;             /* of a search, a turn */
	struct activity *activity;     /* of all sites; the lines have copies */
	bool activity_more;            /* the end of the log is not read yet */
	enum rc activity_rc;
};
extern const struct panel_ops sites_panel;

#endif
