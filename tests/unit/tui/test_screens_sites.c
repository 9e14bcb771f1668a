/* test_screens_sites.c -- the screens of Sites. */
#include "tests/unit/tui/golden.h"

#include "console/tui/panel-sites.h"

static struct sites_panel *sites_of(struct console *c)
{
	struct sites_panel *p = (struct sites_panel *)c->panel[PANEL_SITES];

	p->loaded = true;
	return p;
}

static struct site_line *add_site(struct sites_panel *p, const char *id, const char *name, enum plan plan)
{
	struct site_run *r = &p->window.shown;
	struct site_line *l;

	r->line = realloc(r->line, (r->count + 1) * sizeof(*r->line));
	assert_non_null(r->line);
	l = &r->line[r->count++];
	*l = (struct site_line){ .row = { .plan = plan, .ring_ok = true, .active = 1 } };
	snprintf(l->row.id, sizeof(l->row.id), "%s", id);
	snprintf(l->row.name, sizeof(l->row.name), "%s", name);
	p->window.sites = r->count;
	return l;
}

/* A site in each state there is. */
static void some(struct console *c)
{
	static const struct {
		const char *id, *name;
		enum plan plan;
		unsigned active, retiring;
		uint64_t verified, blocked, last_ago_s;
	} rows[] = {
		{ "acme", "Acme Tools", PLAN_PRO, 2, 1, 1204, 0, 1 },
		{ "bakery", "", PLAN_FREE, 0, 0, 0, 0, 0 },
		{ "demo", "Demo shop", PLAN_PRO, 3, 0, 12, 37, 3 },
		{ "library", "City library", PLAN_BUSINESS, 0, 2, 0, 1200345, 90 },
		{ "museum", "", PLAN_PRO, 1, 0, 0, 0, 26 * 3600 },
		{ "zoo", "Zoo, tickets", PLAN_BUSINESS, 1, 1, 999999, 1, 7200 },
	};
	struct sites_panel *p = sites_of(c);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct site_line *l = add_site(p, rows[i].id, rows[i].name, rows[i].plan);

		l->row.active = rows[i].active;
		l->row.retiring = rows[i].retiring;
		l->row.verified_1m = rows[i].verified;
		l->activity.blocked_1m = rows[i].blocked;
		if (rows[i].last_ago_s)
			l->activity.last_at_us = (GOLDEN_NOW - rows[i].last_ago_s) * 1000000;
	}
	p->window.shown.line[4].row.ring_ok = false;
	p->window.list.selected = 2;
}

static void many(struct console *c)
{
	struct sites_panel *p = sites_of(c);
	char id[SITE_ID_MAX];

	for (int i = 0; i < 120; i++) {
		snprintf(id, sizeof(id), "shop-%05d", 40000 + i);
		add_site(p, id, "A shop", PLAN_PRO);
	}
	p->window.sites = 100000;
	p->window.shown.before = p->window.shown.after = true;
	p->window.list = (struct list){ .count = 120, .selected = 60, .top = 50 };
	p->activity_more = true;
}

#define JAPAN "\u65e5\u672c\u8a9e"      /* of two columns each */

/* Outside text of every kind, and the longest there can be. */
static void hostile(struct console *c)
{
	struct sites_panel *p = sites_of(c);
	char id[SITE_ID_MAX];
	struct site_line *l;

	memset(id, 'a', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	l = add_site(p, id, JAPAN JAPAN JAPAN JAPAN JAPAN JAPAN JAPAN JAPAN, PLAN_BUSINESS);
	l->row.verified_1m = l->activity.blocked_1m = UINT64_MAX;
	l->activity.last_at_us = UINT64_MAX;
	l->row.active = UINT32_MAX;
	add_site(p, "control", "\x1b[31mred\x1b]0;title\a\x9b" "1m", PLAN_PRO);
	add_site(p, "lines", "one\ntwo\rthree\ttabs", PLAN_PRO);
	add_site(p, "marks", "e\u0301\u0302\u0303\u0304 \u0301alone \u200bnothing\u200d", PLAN_PRO);
	add_site(p, "right-to-left", "\u202egnp.exe\u202c \u05d0\u05d1\u05d2", PLAN_PRO);
	add_site(p, "wrong-bytes", "\xff\xfe\xc0\xaf\xed\xa0\x80 end", PLAN_PRO);
}

static void filtered(struct console *c)
{
	struct sites_panel *p = sites_of(c);

	some(c);
	snprintf(p->window.filter, sizeof(p->window.filter), "o");
	p->window.search.running = true;
	p->window.sites = 100000;
	golden_presses(c, "/\u65e5");
}

static void nothing_matches(struct console *c)
{
	struct sites_panel *p = sites_of(c);

	p->window.sites = 6;
	snprintf(p->window.filter, sizeof(p->window.filter), "\x1b[2J");
}

static void unreadable(struct console *c)
{
	struct sites_panel *p = sites_of(c);

	p->rc = RC_IO;
	why_set(&p->why, "the vault cannot be read: %s", rc_text(RC_IO));
	p->activity_rc = RC_IO;
	console_error(c, p->rc, REASON_NONE, &p->why);
}

static void old(struct console *c)
{
	some(c);
	unreadable(c);
}

static const struct screen screens[] = {
	{ .name = "none" },
	{ .name = "some", .prepare = some },
	{ .name = "many", .prepare = many },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "filtered", .prepare = filtered },
	{ .name = "nothing-matches", .prepare = nothing_matches },
	{ .name = "unreadable", .prepare = unreadable },
	{ .name = "old", .prepare = old },
};

int main(void)
{
	return golden_run("sites", screens, ARRAY_LEN(screens));
}
