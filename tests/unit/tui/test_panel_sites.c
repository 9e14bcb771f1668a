/* test_panel_sites.c -- the list of sites: paging, its place among changes, filter, and what a line says. */
#include "tests/lib/tmpadmin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "console/tui/panel-sites.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define TURNS 10000

struct fixture {
	struct tmpadmin *t;
	struct console c;
	struct canvas cv;
	struct buf screen;
	char site[1100][SITE_ID_MAX];  /* those there should be, sorted */
	size_t sites;
};

static struct sites_panel *panel_of(struct fixture *f)
{
	return (struct sites_panel *)f->c.panel[PANEL_SITES];
}

static int setup(void **st)
{
	struct fixture *f = calloc(1, sizeof(*f));

	setlocale(LC_ALL, "C.UTF-8");
	secret_process_init();
	if (!f || !(f->t = tmpadmin_new()) || !canvas_init(&f->cv, 24, 80, true))
		return -1;
	f->c = (struct console){ .admin = f->t->a, .dir = f->t->dir, .host = "host", .utf8 = true,
	                         .now_us = clock_us() };
	strcpy(f->site[f->sites++], "acme");
	*st = f;
	return console_init(&f->c) ? 0 : -1;
}

static int teardown(void **st)
{
	struct fixture *f = *st;

	console_done(&f->c);
	canvas_done(&f->cv);
	buf_done(&f->screen);
	tmpadmin_free(f->t);
	free(f);
	return 0;
}

/* Many at once, without the records of each. */
static void add_sites(struct fixture *f, size_t count, const char *name)
{
	struct txn *vault = txn_write(admin_store(f->t->a), ENV_VAULT);

	for (size_t i = 0; i < count; i++) {
		struct site s;

		site_init(&s);
		snprintf(s.id, sizeof(s.id), "s%04zu", i);
		snprintf(s.name, sizeof(s.name), "%s %zu", name, i);
		assert_int_equal(site_add(vault, &s), RC_OK);
		memcpy(f->site[f->sites++], s.id, SITE_ID_MAX);
		site_done(&s);
	}
	assert_int_equal(txn_end(vault), RC_OK);
}

static void add_site(struct fixture *f, const char *id, const char *name)
{
	struct txn *vault = txn_write(admin_store(f->t->a), ENV_VAULT);
	struct site s;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), "%s", id);
	snprintf(s.name, sizeof(s.name), "%s", name);
	assert_int_equal(site_add(vault, &s), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	site_done(&s);
}

static void remove_site(struct fixture *f, const char *id)
{
	assert_int_equal(admin_site_remove(f->t->a, id, &f->t->reason, &f->t->why), RC_OK);
}

/* ---- what one sees and presses ---- */

static const char *screen(struct fixture *f)
{
	f->c.now_us = clock_us();
	console_draw(&f->c, &f->cv);
	buf_clear(&f->screen);
	canvas_text(&f->cv, &f->screen);
	assert_false(f->screen.failed);
	return f->screen.data;
}

static void assert_shown(struct fixture *f, const char *text)
{
	if (!strstr(screen(f), text))
		fail_msg("not shown: %s\n%s", text, f->screen.data);
}

static void assert_not_shown(struct fixture *f, const char *text)
{
	if (strstr(screen(f), text))
		fail_msg("shown: %s\n%s", text, f->screen.data);
}

static void press(struct fixture *f, int key)
{
	console_press(&f->c, key);
	screen(f);
}

static void turn(struct fixture *f)
{
	f->c.now_us = clock_us();
	console_tick(&f->c);
	screen(f);
}

/* Until nothing is searched for, nor read, any more. */
static void settle(struct fixture *f)
{
	size_t turns = 0;

	do
		turn(f);
	while ((panel_of(f)->window.search.running || panel_of(f)->activity_more) && ++turns < TURNS);
	assert_true(turns < TURNS);
}

static void type(struct fixture *f, const char *text)
{
	for (; *text; text++)
		console_press(&f->c, *text);
}

static void filter(struct fixture *f, const char *text)
{
	press(f, '/');
	assert_non_null(f->c.dialog);
	press(f, PRESS_CTRL('u'));
	type(f, text);
	press(f, PRESS_ENTER);
	assert_null(f->c.dialog);
}

static const char *selected(struct fixture *f)
{
	const struct sites_window *w = &panel_of(f)->window;

	assert_true(w->list.selected < w->shown.count);
	assert_string_equal(w->shown.line[w->list.selected].row.id, w->selected);
	return w->selected;
}

static int row_on_screen(struct fixture *f)
{
	screen(f);
	return f->cv.cursor_row;
}

/* No line of the list is empty while there are sites for it. */
static void assert_full(struct fixture *f)
{
	const struct sites_window *w = &panel_of(f)->window;

	assert_true(w->rows > 10);
	assert_true(w->list.top + w->rows <= w->shown.count ||
	            (w->list.top == 0 && !w->shown.before && !w->shown.after));
}

/* ---- paging ---- */

static void every_site_is_met_once_downwards_and_upwards(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 300, "Shop");
	settle(f);
	for (size_t i = 0; i < f->sites; i++) {
		assert_string_equal(selected(f), f->site[i]);
		assert_full(f);
		press(f, i % 2 ? 'j' : PRESS_DOWN);
	}
	assert_string_equal(selected(f), f->site[f->sites - 1]);
	for (size_t i = f->sites; i > 0; i--) {
		assert_string_equal(selected(f), f->site[i - 1]);
		assert_full(f);
		press(f, i % 2 ? 'k' : PRESS_UP);
	}
	assert_string_equal(selected(f), "acme");
}

static void pages_show_all_sites_both_ways(void **st)
{
	struct fixture *f = *st;
	const struct sites_window *w = &panel_of(f)->window;
	size_t at = 0, rows;

	add_sites(f, 300, "Shop");
	settle(f);
	rows = w->rows;
	for (size_t i = 0; i < f->sites / rows + 1; i++) {
		assert_string_equal(selected(f), f->site[at]);
		press(f, PRESS_PAGE_DOWN);
		at = at + rows < f->sites ? at + rows : f->sites - 1;
	}
	assert_string_equal(selected(f), f->site[f->sites - 1]);
	for (at = f->sites - 1; at > 0; at = at > rows ? at - rows : 0) {
		assert_string_equal(selected(f), f->site[at]);
		press(f, PRESS_PAGE_UP);
		assert_full(f);
	}
	assert_string_equal(selected(f), "acme");
}

static void home_and_end_go_to_the_first_and_the_last(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 1000, "Shop");
	settle(f);
	press(f, PRESS_END);
	assert_string_equal(selected(f), "s0999");
	assert_full(f);
	assert_shown(f, "more above");
	press(f, PRESS_UP);
	assert_string_equal(selected(f), "s0998");
	press(f, 'g');
	assert_string_equal(selected(f), "acme");
	assert_full(f);
	assert_shown(f, "more below");
}

static void only_a_window_of_rows_is_in_memory(void **st)
{
	struct fixture *f = *st;
	const struct sites_window *w = &panel_of(f)->window;

	add_sites(f, 1000, "Shop");
	settle(f);
	for (size_t i = 0; i < 30; i++) {
		press(f, PRESS_PAGE_DOWN);
		assert_true(w->shown.count <= 4 * 60 + 2);
	}
	assert_shown(f, "1,001 sites");
}

static void a_larger_screen_is_filled(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 1000, "Shop");
	settle(f);
	canvas_done(&f->cv);
	assert_true(canvas_init(&f->cv, 200, 200, true));
	screen(f);
	settle(f);
	assert_full(f);
	assert_shown(f, "s0180");
}

/* ---- while others change the sites ---- */

static void it_keeps_its_place_when_sites_come_and_go(void **st)
{
	struct fixture *f = *st;
	int row;

	add_sites(f, 300, "Shop");
	settle(f);
	for (size_t i = 0; i < 100; i++)
		press(f, PRESS_DOWN);
	assert_string_equal(selected(f), "s0099");
	row = row_on_screen(f);
	add_site(f, "aaa", "before all");
	add_site(f, "s0098x", "just before");
	remove_site(f, "s0050");
	settle(f);
	assert_string_equal(selected(f), "s0099");
	assert_int_equal(row_on_screen(f), row);
	assert_shown(f, "s0098x");
}

static void a_removed_site_leaves_the_selection_to_the_next(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 30, "Shop");
	settle(f);
	for (size_t i = 0; i < 5; i++)
		press(f, PRESS_DOWN);
	remove_site(f, "s0004");
	settle(f);
	assert_string_equal(selected(f), "s0005");
	press(f, PRESS_END);
	remove_site(f, "s0029");
	settle(f);
	assert_string_equal(selected(f), "s0028");
}

static void the_vault_may_become_empty_and_says_what_to_do(void **st)
{
	struct fixture *f = *st;

	settle(f);
	assert_shown(f, "1 site ");
	remove_site(f, "acme");
	settle(f);
	assert_shown(f, "0 sites");
	assert_shown(f, "postern site add SITE");
	press(f, PRESS_ENTER);
	assert_int_equal(f->c.at, PANEL_SITES);
	press(f, PRESS_DOWN);
	press(f, PRESS_END);
}

static void what_one_has_selected_survives_another_panel(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 300, "Shop");
	settle(f);
	press(f, PRESS_PAGE_DOWN);
	press(f, PRESS_DOWN);
	press(f, PRESS_ENTER);
	assert_int_equal(f->c.at, PANEL_KEYS);
	assert_string_equal(f->c.site, panel_of(f)->window.selected);
	press(f, '1');
	settle(f);
	assert_string_equal(selected(f), f->c.site);
}

/* ---- the filter ---- */

static void the_filter_looks_at_id_and_name_in_any_case(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 300, "Shop");
	add_site(f, "needle-one", "first");
	add_site(f, "zebra", "The NEEDLE of names");
	settle(f);
	filter(f, "Needle");
	settle(f);
	assert_int_equal(panel_of(f)->window.shown.count, 2);
	assert_string_equal(selected(f), "needle-one");
	assert_shown(f, "303 sites");
	assert_shown(f, "filter \"Needle\"");
	assert_not_shown(f, "s0001");
	press(f, PRESS_DOWN);
	assert_string_equal(selected(f), "zebra");
	press(f, PRESS_DOWN);
	assert_string_equal(selected(f), "zebra");
}

static void a_filtered_list_pages_both_ways(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 1000, "Shop");
	settle(f);
	filter(f, "7");
	settle(f);
	for (size_t i = 0; i < f->sites; i++) {
		if (!strchr(f->site[i], '7'))
			continue;
		assert_string_equal(selected(f), f->site[i]);
		press(f, PRESS_DOWN);
		settle(f);
	}
	assert_string_equal(selected(f), "s0997");
	for (size_t i = f->sites; i > 0; i--) {
		if (!strchr(f->site[i - 1], '7'))
			continue;
		assert_string_equal(selected(f), f->site[i - 1]);
		press(f, PRESS_UP);
		settle(f);
	}
	assert_string_equal(selected(f), "s0007");
}

static void an_empty_result_says_how_to_see_all_again(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 300, "Shop");
	settle(f);
	filter(f, "nobody");
	settle(f);
	assert_int_equal(panel_of(f)->window.shown.count, 0);
	assert_shown(f, "No site has \"nobody\"");
	assert_shown(f, "Esc to see all sites");
	press(f, PRESS_ENTER);
	assert_int_equal(f->c.at, PANEL_SITES);
	filter(f, "");
	settle(f);
	assert_string_equal(selected(f), "acme");
	assert_full(f);
}

static void without_its_filter_one_sees_the_neighbours_of_the_site_found(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 300, "Shop");
	settle(f);
	filter(f, "s0123");
	settle(f);
	assert_string_equal(selected(f), "s0123");
	filter(f, "");
	settle(f);
	assert_string_equal(selected(f), "s0123");
	press(f, PRESS_UP);
	assert_string_equal(selected(f), "s0122");
	filter(f, "s0077");
	settle(f);
	press(f, PRESS_ESCAPE);
	settle(f);
	assert_string_equal(selected(f), "s0077");
	press(f, PRESS_ESCAPE);                /* nothing to undo */
	press(f, PRESS_DOWN);
	assert_string_equal(selected(f), "s0078");
}

static void a_search_goes_on_turn_by_turn_and_says_so(void **st)
{
	struct fixture *f = *st;
	size_t turns = 0;

	add_sites(f, 1000, "Shop");
	settle(f);
	panel_of(f)->slice_ms = 0;         /* one slice a turn */
	filter(f, "s0999");
	assert_shown(f, "searching...");
	assert_not_shown(f, "No site has");
	for (; panel_of(f)->window.search.running && turns < TURNS; turns++)
		turn(f);
	assert_in_range(turns, 2, 20);
	assert_string_equal(selected(f), "s0999");
	assert_not_shown(f, "searching...");
}

static void slices_join_without_gap_or_repetition(void **st)
{
	struct fixture *f = *st;
	const struct site_run *shown = &panel_of(f)->window.shown;

	add_sites(f, 1000, "Shop");
	settle(f);
	filter(f, "48");               /* s0048 to s0948, s0480 to s0489 */
	settle(f);
	assert_int_equal(shown->count, 20);
	for (size_t i = 1; i < shown->count; i++)
		assert_true(strcmp(shown->line[i - 1].row.id, shown->line[i].row.id) < 0);
}

/* A search that began anew with each change would never end while somebody adds sites. */
static void a_search_ends_though_the_vault_keeps_changing(void **st)
{
	struct fixture *f = *st;
	char id[SITE_ID_MAX];
	size_t turns = 0;

	add_sites(f, 1000, "Shop");
	settle(f);
	panel_of(f)->slice_ms = 0;
	filter(f, "s0999");
	add_site(f, "b-early", "also s0999");      /* behind the search already */
	for (; panel_of(f)->window.shown.count == 0 && turns < 20; turns++) {
		snprintf(id, sizeof(id), "b%04zu", turns);
		add_site(f, id, "new");
		turn(f);
	}
	assert_true(turns < 20);
	settle(f);
	assert_string_equal(selected(f), "s0999");
	assert_int_equal(panel_of(f)->window.shown.count, 2);
}

static void one_can_move_on_while_a_search_runs(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 1000, "Shop");
	settle(f);
	for (size_t i = 0; i < 8; i++)
		press(f, PRESS_PAGE_DOWN);
	for (size_t i = 0; i < 10; i++)
		press(f, PRESS_UP);
	panel_of(f)->slice_ms = 0;
	remove_site(f, "s0999");
	sites_panel.load(f->c.panel[PANEL_SITES], &f->c);      /* the first of two slices */
	assert_true(panel_of(f)->window.search.running);
	for (size_t i = 0; i < 2 * panel_of(f)->window.rows; i++)
		press(f, PRESS_DOWN);
	settle(f);
	assert_string_equal(selected(f), f->site[8 * panel_of(f)->window.rows - 10 + 2 * panel_of(f)->window.rows]);
	assert_full(f);
}

static void a_cancelled_filter_changes_nothing(void **st)
{
	struct fixture *f = *st;

	settle(f);
	press(f, '/');
	type(f, "nobody");
	press(f, PRESS_ESCAPE);
	assert_string_equal(panel_of(f)->window.filter, "");
	assert_string_equal(selected(f), "acme");
}

/* ---- what a line says ---- */

static enum rc append_record(struct txn *ledger, void *record)
{
	return audit_append(ledger, record, NULL);
}

static void block_tokens(struct fixture *f)
{
	struct audit_record r;
	struct writer *w;

	assert_int_equal(admin_writer(f->t->a, &w), RC_OK);
	audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_BLOCKED);
	memcpy(r.site, "acme", 5);
	r.reason = REASON_TOKEN_EXPIRED;
	r.count = 1234;
	r.first = r.last = r.time = clock_us() - 3000000;
	assert_int_equal(writer_call(w, append_record, &r), RC_OK);
}

static void blocked_tokens_show_within_a_turn(void **st)
{
	struct fixture *f = *st;

	settle(f);
	block_tokens(f);
	turn(f);
	assert_int_equal(panel_of(f)->window.shown.line[0].activity.blocked_1m, 1234);
	assert_shown(f, "     1,234 ");
}

static void rows_that_come_into_the_window_have_their_numbers_at_once(void **st)
{
	struct fixture *f = *st;

	add_sites(f, 300, "Shop");
	block_tokens(f);
	settle(f);
	press(f, PRESS_END);
	while (strcmp(panel_of(f)->window.selected, "acme") != 0)
		press(f, PRESS_PAGE_UP);
	assert_shown(f, "     1,234 ");
}

static void keys_and_uses_show_after_a_change(void **st)
{
	struct fixture *f = *st;
	struct key k = { 0 };

	settle(f);
	assert_shown(f, "○○○");
	assert_int_equal(admin_key_create(f->t->a, "acme", "", &k, &f->t->reason, &f->t->why), RC_OK);
	key_done(&k);
	turn(f);
	assert_shown(f, "●○○");
}

/* A snapshot made by hand, drawn without the rest of the console. */
static const char *draw_line(struct fixture *f, const struct site_line *line, bool utf8)
{
	struct sites_panel p = { .loaded = true };
	struct site_line copy = *line;
	struct console c = { .utf8 = utf8, .now_us = UINT64_C(1763700000000000) };

	p.window.shown = (struct site_run){ .count = 1, .line = &copy };
	p.window.sites = 1;
	canvas_done(&f->cv);
	assert_true(canvas_init(&f->cv, 24, 80, utf8));
	sites_panel.draw(&p.panel, &c, &f->cv, canvas_area(&f->cv));
	buf_clear(&f->screen);
	canvas_text(&f->cv, &f->screen);
	return f->screen.data;
}

static void the_states_of_keys_are_told_apart_without_colour(void **st)
{
	struct fixture *f = *st;
	struct site_line line = { .row = { .id = "demo", .ring_ok = true, .active = 1, .retiring = 1 } };

	assert_non_null(strstr(draw_line(f, &line, true), " ●r○ "));
	assert_non_null(strstr(draw_line(f, &line, false), " *ro "));
	assert_non_null(strstr(f->screen.data, "* active  r retiring  o free"));
	line.row.active = 3;
	line.row.retiring = 0;
	assert_non_null(strstr(draw_line(f, &line, true), " ●●● "));
	line.row = (struct site_row){ .id = "demo", .ring_ok = false };
	assert_non_null(strstr(draw_line(f, &line, true), " ??? "));
}

static void the_last_event_is_a_record_or_a_token_that_verified(void **st)
{
	struct fixture *f = *st;
	struct site_line line = { .row = { .id = "demo", .ring_ok = true } };

	strcpy(line.row.name, "name");
	assert_non_null(strstr(draw_line(f, &line, true), " - name"));
	line.activity.last_at_us = UINT64_C(1763700000000000) - 720 * UINT64_C(1000000);
	assert_non_null(strstr(draw_line(f, &line, true), " 12 min name"));
	line.row.last_verified_at = 1763700000 - 3;
	assert_non_null(strstr(draw_line(f, &line, true), " 3 s name"));
}

static void hostile_names_become_visible(void **st)
{
	struct fixture *f = *st;
	struct site_line line = { .row = { .id = "demo", .ring_ok = true } };
	const char *text;

	strcpy(line.row.name, "\x1b[2J\xe2\x80\xaex\n\xff");
	text = draw_line(f, &line, true);
	assert_non_null(strstr(text, "\\x1b[2J\\u202ex"));
	assert_null(strchr(text, 0x1b));
	assert_null(strstr(text, "\xe2\x80\xae"));
	memset(line.row.name, 'n', sizeof(line.row.name) - 1);
	assert_non_null(strstr(draw_line(f, &line, true), "nnn…"));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(every_site_is_met_once_downwards_and_upwards),
		WITH(pages_show_all_sites_both_ways),
		WITH(home_and_end_go_to_the_first_and_the_last),
		WITH(only_a_window_of_rows_is_in_memory),
		WITH(a_larger_screen_is_filled),
		WITH(it_keeps_its_place_when_sites_come_and_go),
		WITH(a_removed_site_leaves_the_selection_to_the_next),
		WITH(the_vault_may_become_empty_and_says_what_to_do),
		WITH(what_one_has_selected_survives_another_panel),
		WITH(the_filter_looks_at_id_and_name_in_any_case),
		WITH(a_filtered_list_pages_both_ways),
		WITH(an_empty_result_says_how_to_see_all_again),
		WITH(without_its_filter_one_sees_the_neighbours_of_the_site_found),
		WITH(a_search_goes_on_turn_by_turn_and_says_so),
		WITH(slices_join_without_gap_or_repetition),
		WITH(a_search_ends_though_the_vault_keeps_changing),
		WITH(one_can_move_on_while_a_search_runs),
		WITH(a_cancelled_filter_changes_nothing),
		WITH(blocked_tokens_show_within_a_turn),
		WITH(rows_that_come_into_the_window_have_their_numbers_at_once),
		WITH(keys_and_uses_show_after_a_change),
		WITH(the_states_of_keys_are_told_apart_without_colour),
		WITH(the_last_event_is_a_record_or_a_token_that_verified),
		WITH(hostile_names_become_visible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
