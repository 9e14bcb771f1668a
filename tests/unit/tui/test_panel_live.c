/* The Live panel on a real log: reading back, following, pausing, filtering while records come, and a flood of them. */
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"
#include "base/clock.h"
#include "console/tui/panel-live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define NOW (UINT64_C(1795230960) * SECOND)    /* 2026-11-21T03:16:00Z */
#define ROWS 24
#define COLS 80
#define LIST_ROW 6                             /* of the screen, from 0: the first line of the list */
#define LIST_ROWS (ROWS - LIST_ROW - 2)
#define TICKS_MAX 3000

struct world {
	struct tmpadmin *t;
	struct writer *writer;
	struct console c;
	struct canvas cv;
	struct buf screen;
};

static struct live_panel *live_of(struct world *w)
{
	return (struct live_panel *)w->c.panel[PANEL_LIVE];
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || !(w->t = tmpadmin_new()) || admin_writer(w->t->a, &w->writer) != RC_OK)
		return -1;
	w->c = (struct console){ .admin = w->t->a, .dir = w->t->dir, .host = "gate-1", .read_only = "a test",
	                         .utf8 = true, .now_us = NOW };
	*state = w;
	return console_init(&w->c) && canvas_init(&w->cv, ROWS, COLS, true) ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	console_done(&w->c);
	canvas_done(&w->cv);
	buf_done(&w->screen);
	tmpadmin_free(w->t);
	free(w);
	return 0;
}

/* ---- records ---- */

struct batch { struct audit_record record; uint64_t from, to; };

/* A millisecond apart; their tokens number them. */
static enum rc append_batch(struct txn *ledger, void *arg)
{
	const struct batch *b = arg;
	enum rc rc = RC_OK;

	for (uint64_t i = b->from; i < b->to && rc == RC_OK; i++) {
		struct audit_record r = b->record;

		r.time += i * 1000;
		if (r.token[0])
			snprintf(r.token, sizeof(r.token), "%08" PRIx64, i & UINT32_MAX);
		rc = audit_append(ledger, &r, NULL);
	}
	return rc;
}

static void append(struct world *w, const struct audit_record *r, uint64_t count)
{
	for (uint64_t done = 0; done < count; done += 5000) {
		struct batch b = { *r, done, count - done < 5000 ? count : done + 5000 };

		assert_int_equal(writer_call(w->writer, append_batch, &b), RC_OK);
	}
}

static struct audit_record record_of(const char *site, enum audit_outcome outcome, enum reason reason, uint64_t time)
{
	struct audit_record r;

	audit_record_init(&r, AUDIT_EVENT_ACTION, outcome);
	snprintf(r.site, sizeof(r.site), "%s", site);
	snprintf(r.remote, sizeof(r.remote), "203.0.113.0/24");
	snprintf(r.token, sizeof(r.token), "9c1d22aa");
	r.reason = reason;
	r.time = time;
	return r;
}

static void block(struct world *w, const char *site, enum reason reason, uint64_t count)
{
	struct audit_record r = record_of(site, AUDIT_OUTCOME_BLOCKED, reason, w->c.now_us);

	append(w, &r, count);
}

struct raw { struct span key, row; bool remove; };

static enum rc put_raw(struct txn *ledger, void *arg)
{
	const struct raw *r = arg;

	if (r->remove)
		txn_del(ledger, DB_RECORDS, r->key);
	else
		txn_put(ledger, DB_RECORDS, r->key, r->row);
	return txn_rc(ledger);
}

static uint64_t log_size(struct world *w)
{
	struct txn *t = txn_read(admin_store(w->t->a), ENV_LEDGER);
	uint64_t size = audit_size(t);

	txn_abort(t);
	return size;
}

struct planted { uint64_t seq; const char *line; };

static enum rc plant(struct txn *ledger, void *arg)
{
	const struct planted *p = arg;

	return tmplog_put(ledger, p->seq, span_str(p->line));
}

static void put_line(struct world *w, uint64_t seq, const char *line)
{
	struct planted p = { seq, line };

	assert_int_equal(writer_call(w->writer, plant, &p), RC_OK);
}

/* ---- the console ---- */

static void tick(struct world *w)
{
	w->c.now_us += SECOND / 10;
	console_tick(&w->c);
}

static void draw(struct world *w)
{
	console_stale(&w->c);
	console_draw(&w->c, &w->cv);
	buf_clear(&w->screen);
	canvas_text(&w->cv, &w->screen);
	buf_add_char(&w->screen, '\0');
	assert_false(w->screen.failed);
}

static void press(struct world *w, int key)
{
	console_press(&w->c, key);
	draw(w);
}

static void type(struct world *w, const char *text)
{
	for (; *text; text++)
		press(w, *text);
}

/* Ticks until everything in the log is read, then draws. */
static void catch_up(struct world *w)
{
	const struct live_reading *r = &live_of(w)->reading;
	int ticks = 0;

	do {
		tick(w);
		assert_true(++ticks < TICKS_MAX);
	} while (r->back || r->next < log_size(w));
	draw(w);
}

static void enter_live(struct world *w)
{
	console_go(&w->c, PANEL_LIVE);
	catch_up(w);
}

static bool shows(const struct world *w, const char *text)
{
	return strstr(w->screen.data, text) != NULL;
}

static void assert_shows(const struct world *w, const char *text)
{
	if (!shows(w, text))
		fail_msg("the screen does not show \"%s\":\n%s", text, w->screen.data);
}

static void assert_hides(const struct world *w, const char *text)
{
	if (shows(w, text))
		fail_msg("the screen shows \"%s\":\n%s", text, w->screen.data);
}

/* Lines from..from + count of the screen; to be freed. */
static char *lines_of(const struct world *w, int from, int count)
{
	const char *start = w->screen.data, *end;

	for (; from > 0; from--)
		start = strchr(start, '\n') + 1;
	for (end = start; count > 0; count--)
		end = strchr(end, '\n') + 1;
	return strndup(start, (size_t)(end - start));
}

static char *list_of(const struct world *w)
{
	return lines_of(w, LIST_ROW, LIST_ROWS);
}

static size_t lines_with(const struct world *w, const char *text)
{
	char *list = list_of(w);
	size_t count = 0;

	for (const char *at = list; (at = strstr(at, text)); at++)
		count++;
	free(list);
	return count;
}

/* ---- the beginning ---- */

static void nothing_blocked_says_so_and_that_it_watches(void **state)
{
	struct world *w = *state;
	struct audit_record done = record_of("acme", AUDIT_OUTCOME_DONE, REASON_NONE, NOW - SECOND);

	append(w, &done, 10);
	enter_live(w);
	assert_shows(w, "all blocked tokens");
	assert_shows(w, "following");
	assert_shows(w, "0/s now");
	assert_shows(w, "0 in 5 min");
	assert_shows(w, "No token was blocked in the last 5 minutes.");
	assert_shows(w, "Watching");
	assert_hides(w, "acme");
	assert_int_equal(w->cv.cursor_row, LIST_ROW + 1);      /* where the sentence stands: a screen reader follows it */
}

static void the_last_five_minutes_are_read_back_and_no_more(void **state)
{
	struct world *w = *state;
	struct audit_record old = record_of("ancient", AUDIT_OUTCOME_BLOCKED, REASON_KEY_RETIRED, NOW - 900 * SECOND),
	                    done = record_of("acme", AUDIT_OUTCOME_DONE, REASON_NONE, NOW - 800 * SECOND),
	                    recent = record_of("demo", AUDIT_OUTCOME_BLOCKED, REASON_TOKEN_EXPIRED, NOW - 200 * SECOND);

	append(w, &old, 1);
	append(w, &done, 5000);
	append(w, &recent, 3);
	done.time = NOW - 100 * SECOND;
	append(w, &done, 5000);
	enter_live(w);
	assert_int_equal(lines_with(w, "demo        token_expired"), 3);
	assert_hides(w, "ancient");
	assert_shows(w, "3 in 5 min");
	assert_shows(w, " token_expired 3\n");
	assert_int_equal(live_of(w)->live.ring.count, 3);
}

static void a_log_too_full_to_be_read_back_says_from_when_it_counts(void **state)
{
	struct world *w = *state;
	struct audit_record done = record_of("acme", AUDIT_OUTCOME_DONE, REASON_NONE, NOW - 200 * SECOND),
	                    first = record_of("demo", AUDIT_OUTCOME_BLOCKED, REASON_TOKEN_EXPIRED, NOW - 201 * SECOND);

	append(w, &first, 1);
	append(w, &done, 70000);
	enter_live(w);
	/* 50,176 rows back from the newest, which are a millisecond apart: 03:12:40 and 20 seconds of the 70 */
	assert_shows(w, "No token was blocked since 03:12:59.");
	assert_shows(w, "0 since 03:12:59");
	w->c.now_us += 200 * SECOND;
	tick(w);
	draw(w);
	assert_shows(w, "No token was blocked in the last 5 minutes.");
}

/* ---- following ---- */

static void a_new_event_shows_after_one_tick(void **state)
{
	struct world *w = *state;

	enter_live(w);
	block(w, "demo", REASON_SIGNATURE_MISMATCH, 1);
	tick(w);
	assert_true(console_stale(&w->c));
	draw(w);
	assert_shows(w, "03:16:00 demo        signature_mismatch  203.0.113.0/24               00000000");
	assert_shows(w, "1 in 5 min");
	assert_shows(w, " signature_mismatch 1\n");
	assert_hides(w, "No token was blocked");
	/* the newest at the bottom, once there are more than fit */
	block(w, "demo", REASON_TOKEN_EXPIRED, 40);
	block(w, "shop", REASON_KEY_RETIRED, 1);
	tick(w);
	draw(w);
	assert_int_equal(lines_with(w, "token_expired"), LIST_ROWS - 1);
	assert_true(strstr(w->screen.data, "shop") > strrchr(w->screen.data, 'x'));
	assert_int_equal(w->cv.cursor_row, LIST_ROW + LIST_ROWS - 1);
}

static void folded_records_and_claimed_keys_look_different(void **state)
{
	struct world *w = *state;
	struct audit_record fold = record_of("", AUDIT_OUTCOME_BLOCKED, REASON_NONE, NOW),
	                    claimed = record_of("demo", AUDIT_OUTCOME_BLOCKED, REASON_KEY_RETIRED, NOW);

	fold.token[0] = fold.remote[0] = '\0';
	fold.count = 1204;
	fold.first = NOW - 19 * SECOND;
	fold.last = NOW - 9 * SECOND;
	snprintf(claimed.kid_claimed, sizeof(claimed.kid_claimed), "k_7f3aqc2d");
	append(w, &fold, 1);
	append(w, &claimed, 1);
	enter_live(w);
	assert_shows(w, "(several)   (several)           (several)        x1,204 in 10 s");
	assert_shows(w, "k_7f3aqc2d? ");
	assert_shows(w, "1,205 in 5 min");
	assert_shows(w, "(several) 1,204  key_retired 1");
}

static void nothing_is_drawn_while_nothing_changes(void **state)
{
	struct world *w = *state;
	unsigned draws = 0;

	enter_live(w);
	for (int i = 0; i < 50; i++) {
		tick(w);
		draws += console_stale(&w->c);
	}
	assert_int_equal(draws, 0);
	block(w, "demo", REASON_TOKEN_EXPIRED, 1);
	tick(w);
	console_stale(&w->c);
	/* once a second while counts grow old, once when they are gone */
	for (int i = 0; i < 4000; i++) {
		tick(w);
		draws += console_stale(&w->c);
	}
	assert_in_range(draws, 299, 302);
}

static void other_panels_read_nothing_and_coming_back_catches_up(void **state)
{
	struct world *w = *state;

	enter_live(w);
	console_go(&w->c, PANEL_HEALTH);
	block(w, "demo", REASON_TOKEN_EXPIRED, 3000);
	tick(w);
	assert_int_equal(live_of(w)->live.ring.count, 0);
	enter_live(w);
	assert_int_equal(live_of(w)->live.ring.count, 3000);
	assert_shows(w, "3,000 in 5 min");
	assert_int_equal(w->c.message[0], '\0');
}

static void very_far_behind_it_begins_anew_at_the_end_and_says_what_it_passed(void **state)
{
	struct world *w = *state;
	struct audit_record far = record_of("far", AUDIT_OUTCOME_BLOCKED, REASON_TOKEN_EXPIRED, NOW),
	                    done = record_of("acme", AUDIT_OUTCOME_DONE, REASON_NONE, NOW);
	struct buf line = BUF_INIT;
	uint64_t seq;

	block(w, "demo", REASON_TOKEN_EXPIRED, 2);
	enter_live(w);
	console_go(&w->c, PANEL_HEALTH);
	append(w, &done, 3000);
	seq = log_size(w) + 1000000;
	assert_int_equal(audit_format(&line, &far, seq), RC_OK);
	put_line(w, seq, line.data);
	buf_done(&line);
	w->c.now_us += 400 * SECOND;
	block(w, "shop", REASON_KEY_RETIRED, 3);
	enter_live(w);
	assert_int_equal(lines_with(w, "shop"), 3);
	assert_int_equal(lines_with(w, "demo"), 0);
	assert_shows(w, "records were passed over");
	assert_shows(w, "3 in 5 min");
	assert_shows(w, "following");
	w->c.message[0] = '\0';
	catch_up(w);
	assert_int_equal(w->c.message[0], '\0');
}

/* ---- pausing ---- */

static void scrolling_up_pauses_and_end_follows_again(void **state)
{
	struct world *w = *state;
	char *before, *after;

	block(w, "demo", REASON_TOKEN_EXPIRED, 100);
	enter_live(w);
	press(w, PRESS_UP);
	assert_shows(w, "PAUSED +0 new");
	assert_int_equal(w->cv.cursor_row, LIST_ROW + LIST_ROWS - 2);
	before = list_of(w);
	block(w, "shop", REASON_KEY_RETIRED, 37);
	catch_up(w);
	after = list_of(w);
	assert_shows(w, "PAUSED +37 new");
	assert_shows(w, "137 in 5 min");
	assert_string_equal(before, after);
	press(w, 'g');
	assert_shows(w, "00000000");
	press(w, PRESS_DOWN);
	assert_shows(w, "PAUSED +37 new");
	press(w, 'G');
	assert_shows(w, "following");
	assert_int_equal(lines_with(w, "shop"), LIST_ROWS);
	free(before);
	free(after);
}

static void what_was_not_drawn_yet_is_not_opened(void **state)
{
	struct world *w = *state;
	struct audit_record r = record_of("demo", AUDIT_OUTCOME_BLOCKED, REASON_TOKEN_EXPIRED, NOW);

	append(w, &r, 1);
	console_press(&w->c, '3');
	console_press(&w->c, PRESS_ENTER);
	assert_null(w->c.record);
	assert_string_equal(w->c.message, "");
}

static void the_highest_rate_is_never_below_the_present_one(void **state)
{
	struct world *w = *state;

	enter_live(w);
	for (int i = 0; i < 120; i++) {
		double now = -1, max = -1;
		const char *at;

		block(w, "demo", REASON_TOKEN_EXPIRED, 3);
		tick(w);
		draw(w);
		at = strstr(w->screen.data, "/s now");
		while (at > w->screen.data && at[-1] != ' ')
			at--;
		assert_int_equal(sscanf(at, "%lf/s now", &now), 1);
		at = strstr(w->screen.data, "max ");
		assert_non_null(at);
		assert_int_equal(sscanf(at, "max %lf/s", &max), 1);
		assert_true(max >= now && now > 0);
	}
}

static void space_toggles(void **state)
{
	struct world *w = *state;

	enter_live(w);
	press(w, 'f');
	assert_shows(w, "PAUSED +0 new");
	press(w, 'f');
	assert_shows(w, "following");
	press(w, ' ');
	assert_shows(w, "PAUSED +0 new");
	block(w, "demo", REASON_TOKEN_EXPIRED, 2);
	catch_up(w);
	assert_shows(w, "PAUSED +2 new");
	assert_hides(w, "demo");
	assert_shows(w, "There was none when you paused");
	press(w, ' ');
	assert_shows(w, "following");
	assert_int_equal(lines_with(w, "demo"), 2);
}

static void down_and_up_in_an_empty_list_do_not_pause(void **state)
{
	struct world *w = *state;

	enter_live(w);
	press(w, PRESS_UP);
	press(w, PRESS_PAGE_UP);
	press(w, PRESS_HOME);
	press(w, PRESS_DOWN);
	press(w, PRESS_ENTER);
	assert_shows(w, "following");
	assert_null(w->c.record);
}

static void paused_it_stands_still_when_its_events_leave_the_ring(void **state)
{
	struct world *w = *state;
	char *before, *after;

	block(w, "demo", REASON_TOKEN_EXPIRED, 500);
	enter_live(w);
	press(w, PRESS_PAGE_UP);
	before = list_of(w);
	block(w, "shop", REASON_KEY_RETIRED, 12000);
	catch_up(w);
	after = list_of(w);
	assert_string_equal(before, after);
	assert_shows(w, "PAUSED +12,000 new");
	assert_hides(w, "the last");
	press(w, 'g');
	assert_int_equal(lines_with(w, "demo"), LIST_ROWS);
	press(w, ' ');
	assert_shows(w, "(the last 10,000 of 12,500)");
	assert_int_equal(lines_with(w, "shop"), LIST_ROWS);
	assert_shows(w, "12,500 in 5 min");
	free(before);
	free(after);
}

static void enter_opens_the_selected_record_whole(void **state)
{
	struct world *w = *state;

	block(w, "demo", REASON_TOKEN_EXPIRED, LIVE_ROOM);
	enter_live(w);
	press(w, PRESS_ENTER);
	assert_non_null(w->c.record);
	assert_shows(w, "0000270f");
	press(w, PRESS_ESCAPE);
	assert_null(w->c.record);
	/* what was read since, and has moved all others, is not what one sees */
	block(w, "shop", REASON_KEY_RETIRED, 1);
	tick(w);
	press(w, PRESS_ENTER);
	assert_shows(w, "0000270f");
	press(w, PRESS_ESCAPE);
	press(w, 'k');
	press(w, 'k');
	press(w, PRESS_ENTER);
	assert_shows(w, "0000270e");
}

/* ---- the filter ---- */

static void set_filter(struct world *w, const char *text)
{
	press(w, '/');
	press(w, PRESS_CTRL('u'));
	type(w, text);
	press(w, PRESS_ENTER);
}

static void a_filter_chooses_while_events_come(void **state)
{
	struct world *w = *state;

	block(w, "demo", REASON_TOKEN_EXPIRED, 10);
	block(w, "shop", REASON_TOKEN_EXPIRED, 5);
	block(w, "shop", REASON_KEY_RETIRED, 3);
	enter_live(w);
	assert_shows(w, "token_expired 15  key_retired 3");
	set_filter(w, "site:shop reason:token_expired");
	assert_null(w->c.dialog);
	assert_shows(w, "site:shop reason:token_expired");
	assert_shows(w, "5 in 5 min");
	assert_shows(w, " token_expired 5\n");
	assert_int_equal(lines_with(w, "shop"), 5);
	assert_int_equal(lines_with(w, "demo"), 0);
	block(w, "demo", REASON_TOKEN_EXPIRED, 7);
	block(w, "shop", REASON_TOKEN_EXPIRED, 2);
	catch_up(w);
	assert_shows(w, "7 in 5 min");
	assert_int_equal(lines_with(w, "shop"), 7);
	set_filter(w, "site:nobody");
	assert_shows(w, "No blocked token here matches the filter");
	set_filter(w, "");
	assert_shows(w, "27 in 5 min");
	assert_shows(w, "all blocked tokens");
	set_filter(w, "site:shop");
	press(w, PRESS_ESCAPE);
	assert_shows(w, "27 in 5 min");
	assert_shows(w, "all blocked tokens");
	assert_shows(w, "following");
}

static void a_filter_while_paused_keeps_the_place_and_counts_what_came(void **state)
{
	struct world *w = *state;

	block(w, "shop", REASON_TOKEN_EXPIRED, 50);
	block(w, "demo", REASON_TOKEN_EXPIRED, 50);
	block(w, "shop", REASON_KEY_RETIRED, 50);
	enter_live(w);
	press(w, 'g');
	for (int i = 0; i < 55; i++)
		press(w, 'j');
	block(w, "demo", REASON_TOKEN_EXPIRED, 4);
	block(w, "shop", REASON_TOKEN_EXPIRED, 9);
	catch_up(w);
	assert_shows(w, "PAUSED +13 new");
	set_filter(w, "site:demo");
	assert_shows(w, "PAUSED +4 new");
	assert_int_equal(live_of(w)->list.selected, 5);
	assert_int_equal(lines_with(w, "shop"), 0);
	assert_shows(w, "54 in 5 min");
	set_filter(w, "site:nobody");
	assert_shows(w, "PAUSED +0 new");
	set_filter(w, "");
	assert_shows(w, "PAUSED +13 new");
}

static void a_filter_that_cannot_be_is_asked_for_again_with_a_sentence(void **state)
{
	struct world *w = *state;

	block(w, "demo", REASON_TOKEN_EXPIRED, 3);
	enter_live(w);
	set_filter(w, "site:demo outcome:done");
	assert_non_null(w->c.dialog);
	assert_shows(w, "outcome: cannot be used here; there are site: reason: remote:");
	assert_string_equal(w->c.dialog->field[0].text.text, "site:demo outcome:done");
	press(w, PRESS_ESCAPE);
	assert_null(w->c.dialog);
	assert_shows(w, "all blocked tokens");
}

static void counts_that_do_not_reach_back_say_since_when(void **state)
{
	struct world *w = *state;

	enter_live(w);
	block(w, "shop", REASON_TOKEN_EXPIRED, 1000);
	block(w, "demo", REASON_TOKEN_EXPIRED, 10000);
	w->c.now_us += 20 * SECOND;
	catch_up(w);
	assert_shows(w, "11,000 in 5 min");
	set_filter(w, "site:demo");
	assert_shows(w, "10,000 since 03:16:0");
	set_filter(w, "site:shop");
	assert_shows(w, "0 since 03:16:0");
}

/* ---- what is wrong with a log ---- */

static void an_unreadable_log_is_said_once_and_tried_again(void **state)
{
	struct world *w = *state;
	uint8_t key[9] = { 0 };
	struct raw bad = { span_of(key, sizeof(key)), span_str("{}"), false };
	uint64_t retry;

	block(w, "demo", REASON_TOKEN_EXPIRED, 3);
	enter_live(w);
	block(w, "shop", REASON_TOKEN_EXPIRED, 2);
	block(w, "shop", REASON_KEY_RETIRED, 1);
	be64_put(key, log_size(w) - 2);                /* a row between the last two records */
	assert_int_equal(writer_call(w->writer, put_raw, &bad), RC_OK);
	tick(w);
	draw(w);
	assert_shows(w, "The audit log cannot be read");
	assert_shows(w, "the log cannot be read, trying again");
	assert_int_equal(lines_with(w, "shop"), 2);    /* what could be read is there, once */
	retry = live_of(w)->reading.retry_us;
	w->c.message[0] = '\0';
	for (int i = 0; i < 9; i++)
		tick(w);
	assert_int_equal(live_of(w)->reading.retry_us, retry);
	for (int i = 0; i < 30; i++)
		tick(w);
	assert_int_not_equal(live_of(w)->reading.retry_us, retry);
	assert_int_equal(w->c.message[0], '\0');
	bad.remove = true;
	assert_int_equal(writer_call(w->writer, put_raw, &bad), RC_OK);
	for (int i = 0; i < 11; i++)
		tick(w);
	draw(w);
	assert_shows(w, "following");
	assert_int_equal(live_of(w)->live.ring.count, 6);
	assert_shows(w, "6 in 5 min");
}

static void lines_that_are_no_records_and_hostile_texts_show_harmless(void **state)
{
	struct world *w = *state;
	uint64_t seq = log_size(w);

	put_line(w, seq, "\"outcome\":\"blocked\" \x1b[2J");
	put_line(w, seq + 1, "{\"outcome\":\"blocked\",\"site\":\"\\u001b[31m\\u202e\",\"reason\":\"\\u0007bell\","
	                     "\"time\":\"late\",\"remote\":[1],\"kid\":{},\"token\":\"0123456789abcdef\","
	                     "\"count\":-1}");
	put_line(w, seq + 2, "{\"outcome\":\"blocked\",\"time\":9223372036854775807,\"count\":9223372036854775807,"
	                     "\"site\":\"acme\"}");
	put_line(w, seq + 3, "{\"outcome\":\"blocked\",\"time\":1,\"site\":\"acme\"}");
	enter_live(w);
	assert_int_equal(live_of(w)->live.ring.count, 4);
	assert_shows(w, "(unreadable)");
	assert_shows(w, "\\x1b[31m");
	assert_shows(w, "\\x07bell");
	assert_shows(w, "0123456~");
	assert_shows(w, "x4,294,967,296");
	assert_shows(w, "--:--:--");
	assert_shows(w, "70-01-01");
	assert_null(strchr(w->screen.data, '\x1b'));
	assert_null(strchr(w->screen.data, '\a'));
}

/* ---- a flood ---- */

/* Bytes that are allocated; 0 where a sanitizer has an allocator of its own. */
static uint64_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

struct cost { uint64_t worst_us, sum_us, ticks; };

static void print_cost(const char *what, const struct cost *cost)
{
	print_message("%s: %" PRIu64 " turns, mean %" PRIu64 " us, worst %" PRIu64 " us, %" PRIu64 " ms in all\n", what,
	              cost->ticks, cost->sum_us / cost->ticks, cost->worst_us, cost->sum_us / 1000);
}

/* A key or none, what is new, the screen. */
static void timed_turn(struct world *w, struct cost *cost, void (*key)(struct world *))
{
	uint64_t start = clock_thread_us(), took;

	if (key)
		key(w);
	tick(w);
	draw(w);
	took = clock_thread_us() - start;
	cost->worst_us = took > cost->worst_us ? took : cost->worst_us;
	cost->sum_us += took;
	cost->ticks++;
}

static void random_key(struct world *w)
{
	static const int keys[] = { PRESS_UP, PRESS_DOWN, PRESS_PAGE_UP, PRESS_PAGE_DOWN, 'g', 'G', ' ', 'k', 'j' };
	static const char *const filters[] = { "", "site:shop", "reason:key_retired", "site:shop reason:token_expired",
	                                       "remote:203.0.113.9" };

	if (random() % 10 == 0)
		set_filter(w, filters[(size_t)random() % ARRAY_LEN(filters)]);
	else
		press(w, keys[(size_t)random() % ARRAY_LEN(keys)]);
}

static void assert_counts_fit(struct world *w, uint64_t events)
{
	const struct live_events *l = &live_of(w)->live;

	assert_true(l->ring.count <= LIVE_ROOM);
	assert_true(l->counts.total >= l->ring.shown);
	assert_int_equal(l->ring.count + l->ring.gone, events);
}

static void a_hundred_thousand_events_come_while_one_scrolls_and_filters(void **state)
{
	struct world *w = *state;
	const struct live_reading *r = &live_of(w)->reading;
	struct cost cost = { 0 };
	uint64_t before, after;

	srandom(1);
	enter_live(w);
	before = in_use();
	for (int batch = 0; batch < 20; batch++) {
		block(w, batch % 3 ? "demo" : "shop", batch % 2 ? REASON_TOKEN_EXPIRED : REASON_KEY_RETIRED, 5000);
		do {
			timed_turn(w, &cost, random_key);
		} while (r->next < log_size(w));
		assert_counts_fit(w, 5000 * (uint64_t)(batch + 1));
	}
	set_filter(w, "");
	press(w, 'G');
	catch_up(w);
	assert_shows(w, "(the last 10,000 of 100,000)");
	after = in_use();
	print_cost("100,000 events while scrolling", &cost);
	print_message("%" PRIu64 " KiB allocated before, %" PRIu64 " KiB after\n", before / 1024, after / 1024);
	assert_true(cost.worst_us < 500000);
	assert_true(after < before + 2 * 1024 * 1024); /* the store's own buffers; 100,000 events take 30 MiB */
}

static void a_backlog_of_a_hundred_thousand_is_worked_off_in_seconds(void **state)
{
	struct world *w = *state;
	struct cost cost = { 0 };

	enter_live(w);
	console_go(&w->c, PANEL_HEALTH);
	block(w, "demo", REASON_TOKEN_EXPIRED, 100000);
	console_go(&w->c, PANEL_LIVE);
	timed_turn(w, &cost, NULL);
	assert_shows(w, "catching up: ");
	while (live_of(w)->reading.behind > 0)
		timed_turn(w, &cost, NULL);
	draw(w);
	assert_shows(w, "100,000 in 5 min");
	assert_shows(w, "following");
	print_cost("a backlog of 100,000", &cost);
	assert_true(cost.worst_us < 500000);
	assert_true(cost.ticks < 600);
}

static void five_thousand_a_second_are_kept_up_with(void **state)
{
	struct world *w = *state;
	struct cost cost = { 0 };

	enter_live(w);
	for (int i = 0; i < 50; i++) {
		block(w, "demo", REASON_TOKEN_EXPIRED, 500);
		timed_turn(w, &cost, NULL);
		assert_int_equal(live_of(w)->reading.behind, 0);
		assert_shows(w, "following");
	}
	print_cost("5,000 a second", &cost);
}

static void an_idle_console_costs_next_to_nothing(void **state)
{
	struct world *w = *state;
	uint64_t start, took;

	block(w, "demo", REASON_TOKEN_EXPIRED, 9000);
	enter_live(w);
	start = clock_thread_us();
	for (int i = 0; i < 1000; i++) {
		tick(w);
		if (console_stale(&w->c))
			draw(w);
	}
	took = clock_thread_us() - start;
	print_message("idle: %" PRIu64 " us a second\n", took / 100);
	assert_true(took < 100 * SECOND / 20);         /* 5 % also under a sanitizer */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_blocked_says_so_and_that_it_watches),
		TEST(the_last_five_minutes_are_read_back_and_no_more),
		TEST(a_log_too_full_to_be_read_back_says_from_when_it_counts),
		TEST(a_new_event_shows_after_one_tick),
		TEST(folded_records_and_claimed_keys_look_different),
		TEST(nothing_is_drawn_while_nothing_changes),
		TEST(other_panels_read_nothing_and_coming_back_catches_up),
		TEST(very_far_behind_it_begins_anew_at_the_end_and_says_what_it_passed),
		TEST(scrolling_up_pauses_and_end_follows_again),
		TEST(what_was_not_drawn_yet_is_not_opened),
		TEST(the_highest_rate_is_never_below_the_present_one),
		TEST(space_toggles),
		TEST(down_and_up_in_an_empty_list_do_not_pause),
		TEST(paused_it_stands_still_when_its_events_leave_the_ring),
		TEST(enter_opens_the_selected_record_whole),
		TEST(a_filter_chooses_while_events_come),
		TEST(a_filter_while_paused_keeps_the_place_and_counts_what_came),
		TEST(a_filter_that_cannot_be_is_asked_for_again_with_a_sentence),
		TEST(counts_that_do_not_reach_back_say_since_when),
		TEST(an_unreadable_log_is_said_once_and_tried_again),
		TEST(lines_that_are_no_records_and_hostile_texts_show_harmless),
		TEST(a_hundred_thousand_events_come_while_one_scrolls_and_filters),
		TEST(a_backlog_of_a_hundred_thousand_is_worked_off_in_seconds),
		TEST(five_thousand_a_second_are_kept_up_with),
		TEST(an_idle_console_costs_next_to_nothing),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
