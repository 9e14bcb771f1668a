/* panel-keys.c -- the key ring of one site: loading it and moving in it. keys-draw.c shows it; keys-create.c and
 * keys-retire.c change it. */
#include "console/tui/panel-keys.h"

#include <stdlib.h>

#define AWAY_US UINT64_C(3000000)      /* the panel shown loads each second: after that long it is entered anew */

static struct panel *keys_make(void)
{
	struct keys_panel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->panel.ops = &keys_panel;
	return &p->panel;
}

static void keys_free(struct panel *panel)
{
	struct keys_panel *p = (struct keys_panel *)panel;

	if (!p)
		return;
	key_rows_done(&p->rows);
	key_done(&p->made);
	free(p);
}

/* ---- the list ---- */

const struct key_row *keys_row(const struct keys_panel *p, size_t item)
{
	size_t row = item < RING_MAX ? item : p->rows.live + (item - RING_MAX);

	if (item < RING_MAX && item >= p->rows.live)
		return NULL;
	return row < p->rows.count ? &p->rows.row[row] : NULL;
}

size_t keys_in_use(const struct keys_panel *p)
{
	size_t used = 0;

	for (size_t i = 0; i < p->rows.live; i++)
		used += p->rows.row[i].state != KEY_RETIRED;
	return used;
}

static void remember(struct keys_panel *p)
{
	const struct key_row *r = keys_row(p, p->list.selected);

	memcpy(p->selected, r ? r->key.kid : "", r ? sizeof(p->selected) : 1);
}

/* The same key as before. One that was retired meanwhile does not take the selection along, out of the slots. */
static void find_selected(struct keys_panel *p)
{
	bool in_slots = p->list.selected < RING_MAX;

	p->list.count = RING_MAX + (p->rows.count - p->rows.live);
	for (size_t i = in_slots ? 0 : RING_MAX; p->selected[0] && i < (in_slots ? RING_MAX : p->list.count); i++) {
		const struct key_row *r = keys_row(p, i);

		if (r && strcmp(r->key.kid, p->selected) == 0)
			p->list.selected = i;
	}
	if (p->list.selected >= p->list.count)
		p->list.selected = p->list.count - 1;
	remember(p);
}

/* ---- loading ---- */

static enum rc load_ring(struct keys_panel *p, struct admin *a, enum reason *ret_reason, struct why *why)
{
	struct key_rows rows = { 0 };
	struct site site;
	enum rc rc = admin_site_get(a, p->site, &site, ret_reason, why);

	if (rc == RC_OK) {
		memcpy(p->name, site.name, sizeof(p->name));
		p->plan = site.plan;
		p->max_lifetime = site.max_lifetime;
		p->require_exp = site.require_exp;
		rc = admin_key_list(a, p->site, &rows, ret_reason, why);
	}
	site_done(&site);
	key_rows_done(&p->rows);
	p->rows = rows;
	return rc;
}

/* Looks far back in the log: once, when the panel is entered. */
static void load_expiry(struct keys_panel *p, struct admin *a)
{
	p->expiry_known = admin_expiry_missing(a, p->site, EXPIRY_ROWS, &p->expiry_missing, NULL) == RC_OK;
}

static void enter_site(struct keys_panel *p, const char *site)
{
	memcpy(p->site, site, sizeof(p->site));
	p->list = (struct list){ 0 };
	p->selected[0] = '\0';
	p->name[0] = '\0';
	p->scroll = 0;
	p->rc = RC_OK;
	p->expiry_known = false;
	p->loaded_us = 0;
}

static void keys_load(struct panel *panel, struct console *c)
{
	struct keys_panel *p = (struct keys_panel *)panel;
	struct why why = { "" };
	enum reason reason = REASON_NONE;
	enum rc rc;

	if (strcmp(p->site, c->site) != 0)
		enter_site(p, c->site);
	if (!p->site[0])
		return;
	rc = load_ring(p, c->admin, &reason, &why);
	if (rc == RC_OK) {
		if (c->now_us < p->loaded_us || c->now_us - p->loaded_us > AWAY_US)
			load_expiry(p, c->admin);
		p->loaded_us = c->now_us;
	}
	if (rc != p->rc || reason != p->reason)
		console_error(c, rc, reason, &why);
	p->rc = rc;
	p->reason = reason;
	p->why = why;
	find_selected(p);
}

/* ---- commands ---- */

static unsigned keys_command(struct panel *panel, struct console *c, enum command what)
{
	struct keys_panel *p = (struct keys_panel *)panel;

	switch (what) {
	case CMD_CREATE:
	case CMD_ROTATE:
	case CMD_RETIRE:
	case CMD_KEEP:
		keys_change(p, c, what);
		return DO_DRAW;
	default:
		break;
	}
	if (!list_move(&p->list, what, p->visible))
		return DO_NOTHING;
	remember(p);
	return DO_DRAW;
}

const struct panel_ops keys_panel = {
	.name = "Keys", .place = PLACE_KEYS, .make = keys_make, .free = keys_free, .load = keys_load, .ages = true,
	.draw = keys_draw, .command = keys_command,
};
