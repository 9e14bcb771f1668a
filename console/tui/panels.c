/* panels.c -- the panels there are, in the order of their tabs. */
#include "console/tui/panel-audit.h"
#include "console/tui/panel-health.h"
#include "console/tui/panel-keys.h"
#include "console/tui/panel-live.h"
#include "console/tui/panel-sites.h"
#include "console/tui/panel-token.h"

const struct panel_ops *const panels[PANEL_COUNT] = {
	[PANEL_SITES] = &sites_panel, [PANEL_KEYS] = &keys_panel, [PANEL_LIVE] = &live_panel,
	[PANEL_AUDIT] = &audit_panel, [PANEL_HEALTH] = &health_panel, [PANEL_TOKEN] = &token_panel,
};
