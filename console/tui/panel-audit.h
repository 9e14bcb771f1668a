/* panel-audit.h -- all records, both ways from the newest. */
#ifndef POSTERN_CONSOLE_TUI_PANEL_AUDIT_H
#define POSTERN_CONSOLE_TUI_PANEL_AUDIT_H

#include "console/tui/audit-rows.h"
#include "console/tui/console.h"
#include "console/tui/filter.h"

struct audit_panel {
	struct panel panel;
	struct filter filter;
	struct audit_rows rows;        /* the newest at the bottom */
	struct list list;              /* over rows */
	size_t shown;                  /* how many the screen has room for */
	bool started;                  /* something was read */
	bool follow;                   /* on the newest record: stays there as the log grows */
	bool searching;                /* not enough rows yet, and more of the log to read */
	uint64_t jump;                 /* the record to select once it is read; UINT64_MAX: none */
};
extern const struct panel_ops audit_panel;

#endif
