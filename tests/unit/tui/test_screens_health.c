/* test_screens_health.c -- the screens of Health. */
#include "tests/unit/tui/golden.h"

#include "console/tui/panel-health.h"

static struct health_panel *health_of(struct console *c)
{
	struct health_panel *p = (struct health_panel *)c->panel[PANEL_HEALTH];

	c->at = PANEL_HEALTH;
	return p;
}

static struct health_panel *all_is_well(struct console *c)
{
	struct health_panel *p = health_of(c);

	p->loaded = true;
	p->health = (struct health){
		.now_s = GOLDEN_NOW, .version = "0.1.0", .vault_schema = 1, .ledger_schema = 1, .workers = 2,
		.worker = {
			{ 41234, GOLDEN_NOW - 3, GOLDEN_NOW - 26 * 3600, 8, "0.1.0", true },
			{ 41301, GOLDEN_NOW - 9, GOLDEN_NOW - 41 * 86400, 8, "0.1.0", true },
		},
		.space = { UINT64_C(3650722201), UINT64_C(274877906944) }, .vault_bytes = 12 << 20, .records = 1204551,
		.records_1h = 1204, .records_24h = 28112, .seconds_left = UINT64_C(412) * 86400,
		.vault_readers = { 10, 126, 0 }, .ledger_readers = { 11, 126, 2 }, .has_checkpoint = true,
		.checkpoint_size = 1204000, .checkpoint_at_s = GOLDEN_NOW - 720, .warnings = json_array(),
	};
	return p;
}

static void well(struct console *c)
{
	all_is_well(c);
}

static void warn(struct health_panel *p, const char *text)
{
	assert_int_equal(json_array_append_new(p->health.warnings, json_string(text)), 0);
}

/* A beat late, one lost, one of before a restart, one that nobody knows, ahead of the clock. */
static void troubled(struct console *c)
{
	struct health_panel *p = all_is_well(c);

	p->health.workers = 5;
	p->health.worker[1].beat_s = GOLDEN_NOW - 25;
	p->health.worker[2] = (struct worker_row){ 512, GOLDEN_NOW - 45, GOLDEN_NOW - 90, 4, "0.0.9", true };
	p->health.worker[3] = (struct worker_row){ 41234, GOLDEN_NOW - 55, GOLDEN_NOW - 7200, 8, "0.1.0", false };
	p->health.worker[4] = (struct worker_row){ 7, GOLDEN_NOW + 600, GOLDEN_NOW + 600, 8, "0.1.0", true };
	p->health.space.used = p->health.space.limit / 25 * 24 + (1 << 20);
	p->health.seconds_left = 5400;
	p->health.has_checkpoint = false;
	warn(p, "The ledger uses 96 % of its space: from 97 % on all visitors' actions are refused. Make room on its "
	        "file system now.");
	warn(p, "Worker 512 was last heard of 45s ago: look whether it runs, and at its log.");
	warn(p, "Worker 512 runs version 0.0.9, this is 0.1.0: restart it.");
}

static void scrolled(struct console *c)
{
	troubled(c);
	((struct health_panel *)c->panel[PANEL_HEALTH])->scroll = (struct list){ .count = 99, .selected = 98 };
}

static void hostile(struct console *c)
{
	struct health_panel *p = all_is_well(c);

	p->health.worker[0] = (struct worker_row){ UINT64_MAX, 0, UINT64_MAX, UINT32_MAX, "\x1b[2J\x9b\u202e", true };
	snprintf(p->health.worker[1].version, WORKER_VERSION_MAX, "\u65e5\u672c\u8a9e e\u0301\u200b\r\n");
	p->health.space = (struct store_space){ UINT64_MAX, 1 };
	p->health.records = p->health.records_24h = p->health.checkpoint_size = UINT64_MAX;
	p->health.ledger_readers = (struct store_readers){ UINT32_MAX, UINT32_MAX, UINT64_MAX };
	warn(p, "Worker 1 runs version \x1b]0;title\a\u202e, this is 0.1.0: restart it.");
}

static void nothing_runs(struct console *c)
{
	struct health_panel *p = all_is_well(c);

	p->health.workers = 0;
	p->health.records = p->health.records_1h = p->health.records_24h = p->health.checkpoint_size = 0;
	p->health.space.used = 98304;
	p->health.has_checkpoint = false;
	p->health.seconds_left = UINT64_MAX;
	p->health.ledger_readers = p->health.vault_readers = (struct store_readers){ 1, 126, 0 };
	warn(p, "No worker is running, so no request is answered: start postern-fcgi, or the web server that starts "
	        "it.");
}

static void unreadable(struct console *c)
{
	struct health_panel *p = health_of(c);

	p->rc = RC_CORRUPT;
	snprintf(p->why.text, sizeof(p->why.text), "the ledger cannot be read: stored data does not decode");
	console_error(c, p->rc, REASON_NONE, &p->why);
}

static void old(struct console *c)
{
	struct health_panel *p = all_is_well(c);

	p->rc = RC_IO;
	p->loaded_us = (GOLDEN_NOW - 65) * 1000000;
	console_error(c, RC_IO, REASON_NONE, &p->why);
}

static const struct screen screens[] = {
	{ .name = "well", .prepare = well },
	{ .name = "troubled", .prepare = troubled },
	{ .name = "scrolled", .prepare = scrolled },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "nothing-runs", .prepare = nothing_runs },
	{ .name = "unreadable", .prepare = unreadable },
	{ .name = "old", .prepare = old },
};

int main(void)
{
	return golden_run("health", screens, ARRAY_LEN(screens));
}
