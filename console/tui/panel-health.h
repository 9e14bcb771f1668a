/* panel-health.h -- is all well: warnings, live workers, room in the ledger and the vault, versions. */
#ifndef POSTERN_CONSOLE_TUI_PANEL_HEALTH_H
#define POSTERN_CONSOLE_TUI_PANEL_HEALTH_H

#include "console/tui/console.h"

struct health_panel {
	struct panel panel;
	bool loaded;                           /* at least once: there is a snapshot */
	struct health health;
	uint64_t loaded_us;                    /* when it was, by the wall clock */
	struct admin_versions versions;        /* and at what state of the data */
	enum rc rc;                            /* how reading went the last time; not OK: the snapshot is old */
	struct why why;
	struct list scroll;                    /* its selected line is the first one shown */
	size_t rows;                           /* shown at once */
};
extern const struct panel_ops health_panel;

#endif
