/* test_panel_audit.c -- browsing the log: from the newest, back, to a number, through a filter, and one record whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "console/tui/panel-audit.h"
#include "tests/lib/tmpadmin.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS 5000

struct fixture {
	struct tmpadmin *t;
	struct console c;
	struct canvas cv;
	struct buf text;
};

struct appending { unsigned count; const char *site; };

static enum rc append(struct txn *ledger, void *arg)
{
	const struct appending *a = arg;
	enum rc rc = RC_OK;

	for (unsigned i = 0; i < a->count && rc == RC_OK; i++) {
		struct audit_record r;

		audit_record_init(&r, AUDIT_EVENT_ACTION, i % 100 == 0 ? AUDIT_OUTCOME_BLOCKED : AUDIT_OUTCOME_DONE);
		snprintf(r.site, sizeof(r.site), "%s", a->site);
		snprintf(r.action, sizeof(r.action), "act_%u", i);
		r.reason = i % 100 == 0 ? REASON_SIGNATURE_MISMATCH : REASON_NONE;
		rc = audit_append(ledger, &r, NULL);
	}
	return rc;
}

static void grow(struct fixture *f, unsigned count, const char *site)
{
	struct appending a = { count, site };
	struct writer *w;

	assert_int_equal(admin_writer(f->t->a, &w), RC_OK);
	assert_int_equal(writer_call(w, append, &a), RC_OK);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || !(f->t = tmpadmin_new()) || !canvas_init(&f->cv, 24, 80, true))
		return -1;
	f->c = (struct console){ .admin = f->t->a, .dir = f->t->dir, .host = "gate1", .utf8 = true, .now_us = clock_us() };
	*state = f;
	grow(f, RECORDS, "acme");
	return console_init(&f->c) ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	console_done(&f->c);
	canvas_done(&f->cv);
	buf_done(&f->text);
	tmpadmin_free(f->t);
	free(f);
	return 0;
}

/* Some turns of the loop, and the screen as text. */
static const char *screen(struct fixture *f)
{
	for (int i = 0; i < 6; i++) {
		f->c.now_us += 100000;
		console_tick(&f->c);
		console_draw(&f->c, &f->cv);
	}
	buf_clear(&f->text);
	canvas_text(&f->cv, &f->text);
	return f->text.data;
}

static void press(struct fixture *f, const char *keys)
{
	for (; *keys; keys++)
		console_press(&f->c, *keys == '\n' ? PRESS_ENTER : *keys);
}

static const struct audit_panel *panel(struct fixture *f)
{
	return (const struct audit_panel *)f->c.panel[PANEL_AUDIT];
}

static uint64_t selected(struct fixture *f)
{
	return panel(f)->rows.row[panel(f)->list.selected].seq;
}

static uint64_t log_size(struct fixture *f)
{
	struct txn *ledger = txn_read(admin_store(f->t->a), ENV_LEDGER);
	uint64_t size = audit_size(ledger);

	txn_abort(ledger);
	return size;
}

static void it_opens_at_the_newest_and_follows_the_log(void **state)
{
	struct fixture *f = *state;

	press(f, "4");
	assert_non_null(strstr(screen(f), "act_4999"));
	assert_int_equal(selected(f), log_size(f) - 1);
	grow(f, 3, "late");
	assert_non_null(strstr(screen(f), "late"));
	assert_int_equal(selected(f), log_size(f) - 1);
	grow(f, 2000, "burst");
	screen(f);
	assert_int_equal(selected(f), log_size(f) - 1);
}

static void up_and_down_pass_every_record(void **state)
{
	struct fixture *f = *state;
	uint64_t last = log_size(f) - 1;

	press(f, "4");
	screen(f);
	for (uint64_t i = 0; i < 1500; i++) {
		console_press(&f->c, PRESS_UP);
		assert_int_equal(selected(f), last - 1 - i);
		console_tick(&f->c);
	}
	for (uint64_t i = 0; i < 1500; i++) {
		console_press(&f->c, PRESS_DOWN);
		console_tick(&f->c);
	}
	assert_int_equal(selected(f), last);
	press(f, "g");
	screen(f);
	assert_int_equal(selected(f), 0);
	press(f, "G");
	screen(f);
	assert_int_equal(selected(f), last);
}

static void one_who_reads_further_up_stays_there_while_the_log_grows(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	press(f, "4");
	screen(f);
	press(f, "kkkkk");
	at = selected(f);
	grow(f, 3000, "late");
	screen(f);
	assert_int_equal(selected(f), at);
}

static void a_number_is_jumped_to(void **state)
{
	struct fixture *f = *state;

	press(f, "4");
	screen(f);
	press(f, "#1234\n");
	assert_non_null(strstr(screen(f), "1234"));
	assert_int_equal(selected(f), 1234);
	assert_string_equal(f->c.message, "");
	press(f, "#99999999\n");
	assert_non_null(strstr(screen(f), "There is no record 99999999; one near it is selected."));
	assert_int_equal(selected(f), log_size(f) - 1);
	press(f, "#0\n");
	screen(f);
	assert_int_equal(selected(f), 0);
	press(f, "#x1\n");
	assert_non_null(strstr(screen(f), "digits"));
	assert_int_equal(selected(f), 0);
	press(f, "/outcome:blocked\n#1234\n");
	assert_non_null(strstr(screen(f), "The filter leaves record 1234 out"));
	assert_in_range(selected(f), 1100, 1300);
}

static void without_its_filter_one_sees_the_neighbours_of_the_record_found(void **state)
{
	struct fixture *f = *state;

	press(f, "4/outcome:blocked\n");
	screen(f);
	for (int i = 0; i < 7; i++)
		console_press(&f->c, PRESS_UP);
	assert_int_equal(selected(f) % 100, panel(f)->rows.row[0].seq % 100);
	for (int way = 0; way < 2; way++) {
		uint64_t found = selected(f);

		console_press(&f->c, PRESS_ESCAPE);
		assert_null(strstr(screen(f), "outcome:blocked"));
		assert_int_equal(selected(f), found);
		console_press(&f->c, PRESS_UP);
		assert_int_equal(selected(f), found - 1);
		console_press(&f->c, PRESS_ESCAPE);           /* nothing to undo */
		assert_int_equal(selected(f), found - 1);
		press(f, "/outcome:blocked\n");
		screen(f);
		console_press(&f->c, PRESS_UP);
	}
	console_press(&f->c, PRESS_END);
	console_press(&f->c, PRESS_ESCAPE);
	screen(f);
	assert_int_equal(selected(f), log_size(f) - 1);
	grow(f, 1, "acme");
	screen(f);
	assert_int_equal(selected(f), log_size(f) - 1);
}

static void a_filter_shows_what_matches_and_says_what_is_wrong_with_itself(void **state)
{
	struct fixture *f = *state;

	press(f, "4");
	screen(f);
	press(f, "/outcome:blocked reason:signature_mismatch\n");
	assert_non_null(strstr(screen(f), "reason:signature_mismatch"));
	while (panel(f)->searching)
		console_tick(&f->c);
	press(f, "g");
	screen(f);
	press(f, "G");
	screen(f);
	for (size_t i = 0; i < panel(f)->rows.count; i++)
		assert_string_equal(panel(f)->rows.row[i].outcome, "blocked");
	assert_true(panel(f)->rows.count > 0);

	press(f, "/");
	console_press(&f->c, PRESS_CTRL('U'));
	press(f, "reason:no_such_reason\n");
	assert_non_null(strstr(screen(f), "no_such_reason"));

	press(f, "/");
	console_press(&f->c, PRESS_CTRL('U'));
	press(f, "site:nobody\n");
	for (int i = 0; i < 50 && panel(f)->searching; i++)
		console_tick(&f->c);
	assert_non_null(strstr(screen(f), "No record matches"));
}

static void a_record_is_shown_whole_with_its_meaning(void **state)
{
	struct fixture *f = *state;
	const char *text;

	press(f, "4");
	screen(f);
	press(f, "/outcome:blocked\n");
	screen(f);
	press(f, "\n");
	text = screen(f);
	assert_non_null(strstr(text, "signature_mismatch"));
	assert_non_null(strstr(text, "What it means"));
	assert_non_null(strstr(text, "verifies under no key of the site"));
	assert_non_null(strstr(text, "What to do"));
	console_press(&f->c, PRESS_ESCAPE);
	assert_null(f->c.record);
	assert_null(strstr(screen(f), "What it means"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_opens_at_the_newest_and_follows_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(up_and_down_pass_every_record, setup, teardown),
		cmocka_unit_test_setup_teardown(one_who_reads_further_up_stays_there_while_the_log_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(a_number_is_jumped_to, setup, teardown),
		cmocka_unit_test_setup_teardown(without_its_filter_one_sees_the_neighbours_of_the_record_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_filter_shows_what_matches_and_says_what_is_wrong_with_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_is_shown_whole_with_its_meaning, setup, teardown),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
