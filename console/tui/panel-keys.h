/* panel-keys.h -- the key ring of one site: its three slots, and the keys that were. */
#ifndef POSTERN_CONSOLE_TUI_PANEL_KEYS_H
#define POSTERN_CONSOLE_TUI_PANEL_KEYS_H

#include "console/tui/console.h"

struct keys_panel {
	struct panel panel;

	/* the snapshot */
	char site[SITE_ID_MAX];        /* empty: none was chosen */
	char name[SITE_TEXT_MAX];
	enum plan plan;
	uint32_t max_lifetime;         /* seconds */
	bool require_exp;
	struct key_rows rows;
	enum rc rc;                    /* how loading ended; not OK: there is no ring to show */
	enum reason reason;
	struct why why;
	uint64_t loaded_us;            /* when it last went well */
	bool expiry_known;
	uint64_t expiry_missing;       /* tokens without exp, as admin_expiry_missing() says */

	/* slots and tombstones: one list */
	struct list list;              /* slots 0..RING_MAX - 1, then tombstones */
	char selected[KID_MAX];        /* the key one is on; empty: a free slot */
	int scroll;                    /* lines */
	size_t visible;                /* items on the screen */

	struct key made;               /* whose secret is on the screen; zeroed: none */
};
extern const struct panel_ops keys_panel;

/* The row of an item of the list; NULL: a free slot. */
const struct key_row *keys_row(const struct keys_panel *p, size_t item);
size_t keys_in_use(const struct keys_panel *p);        /* those that verify */

/* ---- keys-draw.c ---- */

void keys_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a);
/* "2026-11-23 06:35 UTC". Seconds. */
#define MOMENT_TEXT_MAX 32
const char *moment_text(uint64_t at, char out[MOMENT_TEXT_MAX]);

/* ---- keys-dialogs.c ---- */

/* CMD_CREATE, CMD_ROTATE, CMD_RETIRE, CMD_KEEP: opens the dialog, or says why not. */
void keys_change(struct keys_panel *p, struct console *c, enum command what);

#endif
