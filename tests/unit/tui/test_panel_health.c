/* test_panel_health.c -- what Health says of a snapshot, how one scrolls it, and how often it reads the data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "console/tui/panel-health.h"
#include "tests/lib/tmpadmin.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW UINT64_C(1763690000)
#define SECOND_US UINT64_C(1000000)

/* ---- a snapshot by hand, and what is drawn of it ---- */

static struct health_panel *panel_new(void)
{
	struct health_panel *p = (struct health_panel *)health_panel.make();

	assert_non_null(p);
	assert_ptr_equal(p->panel.ops, &health_panel);
	p->loaded = true;
	p->health = (struct health){
		.now_s = NOW, .version = "0.1.0", .vault_schema = 2, .ledger_schema = 3,
		.space = { 3 << 20, 6 << 20 },
		.vault_bytes = 12 << 20, .records = 1204, .records_1h = 7, .records_24h = 80,
		.seconds_left = UINT64_MAX,
		.vault_readers = { 2, 126, 0 }, .ledger_readers = { 3, 126, 1 }, .warnings = json_array(),
	};
	assert_non_null(p->health.warnings);
	return p;
}

static void add_worker(struct health_panel *p, uint64_t pid, uint64_t beat_s, bool this_boot, const char *version)
{
	struct worker_row *w = &p->health.worker[p->health.workers++];

	*w = (struct worker_row){
		.pid = pid, .beat_s = beat_s, .started_at = NOW - 7200, .threads = 8, .this_boot = this_boot,
	};
	snprintf(w->version, sizeof(w->version), "%s", version);
}

static void add_warning(struct health_panel *p, const char *text)
{
	assert_int_equal(json_array_append_new(p->health.warnings, json_string(text)), 0);
}

/* Its rows as text; static, until the next call. */
static const char *drawn(struct health_panel *p, int rows)
{
	static struct buf text;
	struct console c = { .dir = "/srv/\x1b[2Jpostern", .now_us = NOW * SECOND_US, .utf8 = true };
	struct canvas cv;

	assert_true(canvas_init(&cv, rows, 80, true));
	health_panel.draw(&p->panel, &c, &cv, canvas_area(&cv));
	for (int i = 0; i < rows * 80; i++)
		assert_false(text_is_control(cv.cell[i].cp) && cv.cell[i].cp != 0);
	buf_done(&text);
	canvas_text(&cv, &text);
	assert_false(text.failed);
	canvas_done(&cv);
	return text.data;
}

static void assert_shows(struct health_panel *p, const char *what)
{
	const char *text = drawn(p, 60);

	if (!strstr(text, what))
		fail_msg("\"%s\" is not in:\n%s", what, text);
}

static void assert_hides(struct health_panel *p, const char *what)
{
	assert_null(strstr(drawn(p, 60), what));
}

static void panel_done(struct health_panel *p)
{
	health_panel.free(&p->panel);
}

/* ---- what it says ---- */

static void warnings_come_first_and_say_so(void **state)
{
	struct health_panel *p = panel_new();
	const char *text;

	(void)state;
	assert_shows(p, "Nothing to warn of.");
	assert_hides(p, "WARNING");
	add_warning(p, "The ledger is full.");
	add_warning(p, "A worker is late \x1b[2J.");
	assert_hides(p, "Nothing to warn of.");
	text = drawn(p, 60);
	assert_non_null(strstr(text, "WARNING  The ledger is full."));
	assert_non_null(strstr(text, "WARNING  A worker is late \\x1b[2J."));
	assert_true(strstr(text, "WARNING") < strstr(text, "Workers"));
	panel_done(p);
}

static void a_long_warning_is_shown_whole(void **state)
{
	struct health_panel *p = panel_new();
	char text[400] = "";

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(text, "word ");
	strcat(text, "last");
	add_warning(p, text);
	assert_shows(p, "word last");
	panel_done(p);
}

static void beats_that_are_late_or_lost_say_so(void **state)
{
	static const struct { int64_t ago; bool this_boot; const char *word; } cases[] = {
		{ 0, true, "ok" }, { HEALTH_LATE_S, true, "ok" }, { HEALTH_LATE_S + 1, true, "LATE" },
		{ HEALTH_LOST_S, true, "LATE" }, { HEALTH_LOST_S + 1, true, "LOST" }, { 86400, true, "LOST" },
		{ -HEALTH_LOST_S - 1, true, "LOST" }, { 0, false, "other boot" }, { 86400, false, "other boot" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct health_panel *p = panel_new();
		char row[64];

		add_worker(p, 41234, (uint64_t)((int64_t)NOW - cases[i].ago), cases[i].this_boot, "0.1.0");
		snprintf(row, sizeof(row), "     41234 %-10s      2 h ", cases[i].word);
		assert_shows(p, row);
		panel_done(p);
	}
}

static void a_beat_ahead_of_the_clock_is_not_now(void **state)
{
	struct health_panel *p = panel_new();

	(void)state;
	add_worker(p, 7, UINT64_MAX, true, "0.1.0");
	assert_shows(p, "         7 LOST            2 h     ahead       8 0.1.0");
	panel_done(p);
}

/* Its rows are what a worker that was taken over wrote. */
static void a_hostile_worker_row_is_only_text(void **state)
{
	struct health_panel *p = panel_new();
	struct worker_row *w = p->health.worker;

	(void)state;
	add_worker(p, UINT64_MAX, 0, true, "\x1b]0;x\a\xe2\x80\xae\xff" "0123456789");
	w->started_at = UINT64_MAX;
	w->threads = UINT32_MAX;
	assert_shows(p, "\u2026 LOST            now         - 429496\u2026 \\x1b]0;x\\x07\\u202e\\xff0123");
	panel_done(p);
}

static void no_worker_is_said(void **state)
{
	struct health_panel *p = panel_new();

	(void)state;
	assert_shows(p, "None has reported itself.");
	assert_hides(p, "THREADS");
	for (size_t i = 0; i < HEALTH_WORKERS_MAX; i++)
		add_worker(p, i + 1, NOW, true, "0.1.0");
	assert_int_equal(strncmp(strstr(drawn(p, 120), "Workers:"), "Workers: the first 64", 21), 0);
	panel_done(p);
}

#define FIVE(c) c c c c c
#define EMPTY "\u2581"
#define FULL "\u2588"

static void the_space_left_has_a_bar_and_numbers(void **state)
{
	static const struct { uint64_t used, limit; const char *text; } cases[] = {
		{ 0, 1000, "[" FIVE(EMPTY EMPTY EMPTY EMPTY) "] 0 %, 0 B of 1000 B" },
		{ 1, 1000, "[" FULL EMPTY EMPTY EMPTY EMPTY FIVE(EMPTY EMPTY EMPTY) "] 0 %, 1 B of 1000 B" },
		{ 999, 1000, "[" FIVE(FULL FULL FULL) FULL FULL FULL FULL EMPTY "] 99 %, 999 B of 1000 B" },
		{ 1000, 1000, "[" FIVE(FULL FULL FULL FULL) "] 100 %" },
		{ 2000, 1000, FULL "] 100 %" },
		{ 0, 0, FULL "] 100 %" },
		{ UINT64_MAX, UINT64_MAX, FULL "] 100 %, 15.9 EiB of 15.9 EiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct health_panel *p = panel_new();

		p->health.space = (struct store_space){ cases[i].used, cases[i].limit };
		assert_shows(p, cases[i].text);
		panel_done(p);
	}
}

static void the_time_left_is_said_in_words(void **state)
{
	static const struct { uint64_t s; const char *text; } cases[] = {
		{ 0, "none: it is full" }, { 119, "less than 2 minutes" }, { 120, "about 2 minutes" },
		{ 7199, "about 119 minutes" },
		{ 7200, "about 2 hours" }, { 48 * 3600 - 1, "about 47 hours" }, { 48 * 3600, "about 2 days" },
		{ UINT64_C(730) * 86400, "about 2 years" }, { UINT64_C(36501) * 86400, "more than 100 years" },
		{ UINT64_MAX - 1, "more than 100 years" }, { UINT64_MAX, "no end in sight" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct health_panel *p = panel_new();

		p->health.seconds_left = cases[i].s;
		assert_shows(p, cases[i].text);
		panel_done(p);
	}
}

static void records_checkpoint_readers_and_versions_are_there(void **state)
{
	struct health_panel *p = panel_new();

	(void)state;
	assert_shows(p, "1,204; 7 in the last hour, 80 in the last 24 h");
	assert_shows(p, "none yet");
	assert_shows(p, "2 of 126 slots in use; the oldest is 0 commits behind");
	assert_shows(p, "3 of 126 slots in use; the oldest is 1 commit behind");
	assert_shows(p, "12.0 MiB");
	assert_shows(p, "vault 2, ledger 3");
	assert_shows(p, "Data        /srv/\\x1b[2Jpostern");
	p->health.has_checkpoint = true;
	p->health.checkpoint_size = 1200;
	p->health.checkpoint_at_s = p->health.now_s - 720;
	assert_shows(p, "covers 1,200 of 1,204 records; age: 12 min");
	assert_hides(p, "none yet");
	p->health.records = 204;
	p->health.pruned = 1000;
	assert_shows(p, "covers 1,200 of 1,204 records; age: 12 min");
	panel_done(p);
}

static void what_cannot_be_read_is_said(void **state)
{
	struct health_panel *p = panel_new();

	(void)state;
	p->rc = RC_IO;
	p->loaded_us = NOW * SECOND_US;
	assert_shows(p, "Health of 2025-11-21T01:53:20Z: it cannot be read now");
	assert_shows(p, "1,204");
	panel_done(p);
	p = (struct health_panel *)health_panel.make();
	assert_non_null(p);
	assert_hides(p, "WARN");
	p->rc = RC_CORRUPT;
	assert_shows(p, rc_text(RC_CORRUPT));
	snprintf(p->why.text, sizeof(p->why.text), "the ledger cannot be read");
	assert_shows(p, "the ledger cannot be read");
	assert_hides(p, "Nothing to warn of");
	panel_done(p);
}

/* ---- scrolling ---- */

static void one_scrolls_to_the_last_line_and_back(void **state)
{
	struct health_panel *p = panel_new();
	struct console c = { .now_us = NOW * SECOND_US };
	int steps = 0;

	(void)state;
	for (size_t i = 0; i < 30; i++)
		add_worker(p, i + 1, NOW, true, "0.1.0");
	assert_null(strstr(drawn(p, 21), "Schemas"));
	assert_non_null(strstr(drawn(p, 21), "lines 1-20 of "));
	while (health_panel.command(&p->panel, &c, CMD_DOWN) == DO_DRAW && steps++ < 1000)
		drawn(p, 21);
	assert_non_null(strstr(drawn(p, 21), "Schemas"));
	assert_non_null(strstr(drawn(p, 21), "-47 of 47"));
	assert_int_equal(steps, 47 - 20);
	/* A larger screen has no empty rows while lines are above; one that holds all shows all. */
	assert_non_null(strstr(drawn(p, 31), "lines 18-47 of 47"));
	assert_non_null(strstr(drawn(p, 47), "Nothing to warn of."));
	assert_null(strstr(drawn(p, 47), "lines"));
	assert_int_equal(health_panel.command(&p->panel, &c, CMD_UP), DO_NOTHING);
	drawn(p, 21);
	assert_int_equal(health_panel.command(&p->panel, &c, CMD_LAST), DO_DRAW);
	assert_int_equal(health_panel.command(&p->panel, &c, CMD_PAGE_UP), DO_DRAW);
	assert_non_null(strstr(drawn(p, 21), "lines 8-27 of 47"));
	assert_int_equal(health_panel.command(&p->panel, &c, CMD_FIRST), DO_DRAW);
	assert_int_equal(health_panel.command(&p->panel, &c, CMD_FILTER), DO_NOTHING);
	panel_done(p);
}

static void a_shorter_page_is_still_shown(void **state)
{
	struct health_panel *p = panel_new();
	struct console c = { .now_us = NOW * SECOND_US };

	(void)state;
	for (size_t i = 0; i < 30; i++)
		add_worker(p, i + 1, NOW, true, "0.1.0");
	drawn(p, 21);
	health_panel.command(&p->panel, &c, CMD_LAST);
	p->health.workers = 0;
	assert_non_null(strstr(drawn(p, 21), "Nothing to warn of."));
	panel_done(p);
}

/* ---- loading ---- */

static void change_something(struct tmpadmin *t)
{
	struct key key;

	assert_int_equal(admin_key_create(t->a, "acme", "", &key, &t->reason, &t->why), RC_OK);
	key_done(&key);
	assert_true(admin_settle(t->a, SETTLE_SECONDS, &t->why));
}

static bool loads(struct health_panel *p, struct console *c, uint64_t at_us)
{
	uint64_t was = p->loaded_us;

	c->now_us = at_us;
	health_panel.load(&p->panel, c);
	assert_int_equal(p->rc, RC_OK);
	return p->loaded_us != was;
}

static void it_reads_seldom_and_sooner_after_a_change(void **state)
{
	const uint64_t at = NOW * SECOND_US;
	struct tmpadmin *t = tmpadmin_new();
	struct health_panel *p = (struct health_panel *)health_panel.make();
	struct console c = { .dir = "" };

	(void)state;
	assert_true(t && p);
	c.admin = t->a;
	assert_true(loads(p, &c, at));
	assert_int_equal(p->health.workers, 0);
	assert_true(p->health.records > 0);
	assert_false(loads(p, &c, at + 4 * SECOND_US));
	assert_true(loads(p, &c, at + 5 * SECOND_US));
	change_something(t);
	assert_false(loads(p, &c, at + 5 * SECOND_US + SECOND_US / 2));
	assert_true(loads(p, &c, at + 6 * SECOND_US));
	assert_false(loads(p, &c, at + 7 * SECOND_US));
	assert_true(loads(p, &c, at - 3600 * SECOND_US));      /* the clock was set back */
	assert_non_null(strstr(drawn(p, 60), "Space"));
	panel_done(p);
	tmpadmin_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warnings_come_first_and_say_so),
		cmocka_unit_test(a_long_warning_is_shown_whole),
		cmocka_unit_test(beats_that_are_late_or_lost_say_so),
		cmocka_unit_test(a_beat_ahead_of_the_clock_is_not_now),
		cmocka_unit_test(a_hostile_worker_row_is_only_text),
		cmocka_unit_test(no_worker_is_said),
		cmocka_unit_test(the_space_left_has_a_bar_and_numbers),
		cmocka_unit_test(the_time_left_is_said_in_words),
		cmocka_unit_test(records_checkpoint_readers_and_versions_are_there),
		cmocka_unit_test(what_cannot_be_read_is_said),
		cmocka_unit_test(one_scrolls_to_the_last_line_and_back),
		cmocka_unit_test(a_shorter_page_is_still_shown),
		cmocka_unit_test(it_reads_seldom_and_sooner_after_a_change),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
