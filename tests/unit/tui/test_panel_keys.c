/* test_panel_keys.c -- the ring on the screen: what it shows, what it asks before a change, the secret shown once. */
#include "tests/lib/tmpadmin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "console/tui/panel-keys.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR UINT64_C(3600)
#define NOW UINT64_C(1763700000)       /* 2025-11-21 04:40 UTC */

struct fixture {
	struct tmpadmin *t;
	struct console c;
	struct canvas cv;
	struct buf screen;
};

static struct keys_panel *panel_of(struct fixture *f)
{
	return (struct keys_panel *)f->c.panel[PANEL_KEYS];
}

static int setup(void **st)
{
	struct fixture *f = calloc(1, sizeof(*f));

	setlocale(LC_ALL, "C.UTF-8");
	secret_process_init();
	if (!f || !(f->t = tmpadmin_new()) || !canvas_init(&f->cv, 24, 80, true))
		return -1;
	f->c = (struct console){ .admin = f->t->a, .dir = f->t->dir, .host = "host", .utf8 = true, .now_us = clock_us(),
	                         .site = "acme", .at = PANEL_KEYS };
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

/* ---- what one sees and presses ---- */

static const char *screen(struct fixture *f)
{
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
	f->c.now_us = clock_us();
	f->c.own.press_us = 0;         /* nobody types as fast as a test */
	console_press(&f->c, key);
	screen(f);
}

static void turn(struct fixture *f)
{
	f->c.now_us = clock_us();
	console_tick(&f->c);
	screen(f);
}

static void type(struct fixture *f, const char *text)
{
	for (; *text; text++)
		press(f, *text);
}

/* From wherever the focus is to the button that acts. */
static void accept(struct fixture *f)
{
	assert_non_null(f->c.dialog);
	while (f->c.dialog->focus != f->c.dialog->fields + 1)
		press(f, PRESS_TAB);
	press(f, PRESS_ENTER);
}

static void choose(struct fixture *f, const char *word)
{
	const struct field *choice = &f->c.dialog->field[0];

	assert_int_equal(choice->kind, FIELD_CHOICE);
	for (size_t i = 0; strcmp(choice->choice[choice->chosen], word) != 0; i++) {
		assert_true(i < 10);
		press(f, ' ');
	}
}

static void type_site(struct fixture *f, const char *site)
{
	assert_string_equal(f->c.dialog->expect, "acme");
	while (f->c.dialog->focus != f->c.dialog->fields - 1)
		press(f, PRESS_TAB);
	type(f, site);
}

static bool dialog_says(const struct fixture *f, const char *text)
{
	return f->c.dialog && f->c.dialog->text.data && strstr(f->c.dialog->text.data, text);
}

/* A secret's screen closes; it is wiped then. */
static void close_secret(struct fixture *f)
{
	assert_non_null(f->c.dialog);
	assert_non_null(f->c.dialog->secret);
	press(f, PRESS_ENTER);
	assert_null(f->c.dialog);
	assert_null(f->cv.secret);
	assert_null(panel_of(f)->made.secret);
	assert_string_equal(panel_of(f)->made.kid, "");
}

static void create(struct fixture *f, const char *label)
{
	press(f, 'c');
	type(f, label);
	accept(f);
	close_secret(f);
}

static size_t live(struct fixture *f)
{
	turn(f);
	return panel_of(f)->rows.live;
}

static struct key_row row_at(struct fixture *f, size_t i)
{
	turn(f);
	assert_true(i < panel_of(f)->rows.count);
	return panel_of(f)->rows.row[i];
}

/* Another admin, or another program of this one. */
static void other_creates(struct fixture *f)
{
	struct key k = { 0 };

	assert_int_equal(admin_key_create(f->t->a, "acme", "other", &k, &f->t->reason, &f->t->why), RC_OK);
	key_done(&k);
}

static enum rc write_use(struct txn *ledger, void *counter)
{
	return use_counter_run(ledger, counter);
}

/* As a worker that verified tokens under this key just now. */
static void use(struct fixture *f, const char *kid, size_t times)
{
	struct use_counter *u = use_counter_new();
	struct writer *w;

	assert_int_equal(admin_writer(f->t->a, &w), RC_OK);
	for (size_t i = 0; i < times; i++)
		use_counter_add(u, "acme", kid, clock_s());
	assert_true(use_counter_take(u));
	assert_int_equal(writer_call(w, write_use, u), RC_OK);
	use_counter_done(u, RC_OK);
	use_counter_free(u);
}

/* ---- create, and the secret ---- */

static void three_keys_and_the_fourth_is_refused_before_it_is_asked_for(void **st)
{
	struct fixture *f = *st;

	assert_shown(f, "0 of 3 keys in use");
	assert_shown(f, "NO KEY VERIFIES");
	for (size_t i = 0; i < RING_MAX; i++)
		create(f, "backend");
	assert_int_equal(live(f), RING_MAX);
	assert_shown(f, "3 of 3 keys in use");
	assert_not_shown(f, "NO KEY VERIFIES");
	press(f, 'c');
	assert_null(f->c.dialog);
	assert_shown(f, "ring_full");
	assert_int_equal(live(f), RING_MAX);
}

static void the_default_answer_creates_nothing(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	press(f, PRESS_ENTER);         /* from the label to the buttons: Cancel */
	press(f, PRESS_ENTER);
	assert_null(f->c.dialog);
	press(f, 'c');
	press(f, PRESS_ESCAPE);
	assert_int_equal(live(f), 0);
}

static void a_ring_that_another_filled_meanwhile_is_full(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	for (size_t i = 0; i < RING_MAX; i++)
		other_creates(f);
	accept(f);
	assert_null(f->c.dialog);
	assert_shown(f, "ring_full");
	assert_null(panel_of(f)->made.secret);
}

static bool holds(const void *data, size_t size, const struct secret *s)
{
	return memmem(data, size, s->data, s->size) != NULL;
}

/* As what one reads off the cells, row after row. */
static bool cells_hold(const struct canvas *cv, const struct secret *s)
{
	struct buf text = BUF_INIT;
	bool found;

	for (int i = 0; i < cv->rows * cv->cols; i++)
		buf_add_char(&text, cv->cell[i].cp < 128 ? (char)cv->cell[i].cp : '?');
	found = holds(text.data, text.size, s);
	buf_done(&text);
	return found;
}

static void the_secret_is_shown_once_and_is_nowhere_else(void **st)
{
	struct fixture *f = *st;
	struct secret *copy;
	char kid[KID_MAX];

	press(f, 'c');
	type(f, "shop backend");
	accept(f);
	assert_non_null(f->c.dialog);
	assert_ptr_equal(f->c.dialog->secret, panel_of(f)->made.secret);
	assert_ptr_equal(f->cv.secret, panel_of(f)->made.secret);
	assert_true(key_secret_text_ok(secret_span(f->cv.secret)));
	memcpy(kid, panel_of(f)->made.kid, sizeof(kid));
	copy = secret_copy(secret_span(f->cv.secret));
	assert_shown(f, kid);
	assert_shown(f, "acme");
	assert_shown(f, "cannot be shown again");
	assert_shown(f, "\"kid\": \"k_");
	assert_shown(f, "***********");
	assert_not_shown(f, "shop backend");       /* nothing of the panel is behind it */
	assert_false(cells_hold(&f->cv, copy));
	assert_false(holds(f->c.message, sizeof(f->c.message), copy));
	assert_false(holds(f->c.dialog->text.data, f->c.dialog->text.size, copy));
	assert_false(holds(f->screen.data, f->screen.size, copy));
	close_secret(f);
	assert_not_shown(f, "*****");
	assert_false(holds(f->c.message, sizeof(f->c.message), copy));
	assert_string_equal(row_at(f, 0).key.kid, kid);
	assert_string_equal(row_at(f, 0).key.label, "shop backend");
	assert_string_equal(panel_of(f)->selected, kid);
	secret_free(copy);
}

/* A key that repeats: each press comes soon after the one before. */
static void an_enter_held_too_long_does_not_close_the_secret(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	accept(f);
	for (int i = 0; i < 100; i++) {
		f->c.now_us += 33000;
		console_press(&f->c, PRESS_ENTER);
		assert_non_null(f->c.dialog);
	}
	f->c.now_us += 600000;
	console_press(&f->c, PRESS_ENTER);
	assert_null(f->c.dialog);
}

static void the_secret_closes_by_itself(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	accept(f);
	assert_non_null(f->c.dialog);
	f->c.now_us += 119 * UINT64_C(1000000);
	console_tick(&f->c);
	assert_non_null(f->c.dialog);
	f->c.now_us += 2 * UINT64_C(1000000);
	console_tick(&f->c);
	assert_null(f->c.dialog);
	assert_null(panel_of(f)->made.secret);
	screen(f);
	assert_null(f->cv.secret);
}

static void the_end_of_the_console_wipes_a_secret_that_is_shown(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	accept(f);
	assert_non_null(f->c.dialog);
	console_press(&f->c, PRESS_LOST);
	assert_true(f->c.quit);
	console_done(&f->c);           /* the sanitizers see a secret that stays */
	assert_null(f->c.dialog);
	assert_non_null(strstr(f->c.parting, "of site acme is active"));
	assert_non_null(strstr(f->c.parting, "postern key retire acme k_"));
	assert_true(console_init(&f->c));
}

static void a_label_that_is_refused_says_why(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	press(f, 0x202e);
	accept(f);
	assert_null(f->c.dialog);
	assert_shown(f, "a label is UTF-8 text");
	assert_int_equal(live(f), 0);
}

/* ---- rotate ---- */

static void a_rotation_gives_the_old_key_48_hours_and_shows_the_new_secret(void **st)
{
	struct fixture *f = *st;
	struct key_row old;

	create(f, "old");
	press(f, 'r');
	assert_true(dialog_says(f, "in 48 h"));
	assert_true(dialog_says(f, "not used yet"));
	accept(f);
	assert_true(dialog_says(f, "verifies until 20"));
	close_secret(f);
	old = row_at(f, 0);
	assert_int_equal(live(f), 2);
	assert_int_equal(old.state, KEY_RETIRING);
	assert_in_range(old.key.retire_at, clock_s() + 48 * HOUR - 60, clock_s() + 48 * HOUR);
	assert_shown(f, "r retiring");
	assert_shown(f, " left: verifies until 20");
	assert_string_equal(panel_of(f)->selected, panel_of(f)->rows.row[1].key.kid);
}

static void each_choice_of_grace_is_what_it_says(void **st)
{
	static const struct { const char *word; uint64_t seconds; } choices[] = {
		{ "in 1 h", HOUR }, { "in 24 h", 24 * HOUR }, { "in 7 d", 168 * HOUR },
	};
	struct fixture *f = *st;

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		uint64_t now;

		create(f, "");
		press(f, 'r');
		choose(f, choices[i].word);
		now = clock_s();
		accept(f);
		close_secret(f);
		assert_in_range(row_at(f, 0).key.retire_at, now + choices[i].seconds, clock_s() + choices[i].seconds);
		for (size_t left = live(f); left > 0; left = live(f)) {
			struct key_ref ref = { .site = "acme", .kid = panel_of(f)->rows.row[0].key.kid };

			assert_int_equal(admin_key_retire(f->t->a, &ref, 0, true, &f->t->reason, &f->t->why), RC_OK);
		}
	}
}

static void a_grace_shorter_than_a_token_lives_says_what_it_may_block(void **st)
{
	struct fixture *f = *st;
	const char *text;

	create(f, "");
	press(f, 'r');
	text = f->c.dialog->text.data;
	assert_non_null(strstr(text, "now      at once, may block visitors"));
	assert_non_null(strstr(text, "in 1 h "));
	assert_non_null(strstr(strstr(text, "in 1 h "), "may block"));
	assert_null(strstr(strstr(text, "in 24 h "), "may block"));
	assert_non_null(strstr(text, "A token lives at most 24 h"));
}

static void rotating_an_unused_key_now_needs_no_name(void **st)
{
	struct fixture *f = *st;

	create(f, "");
	press(f, 'r');
	choose(f, "now");
	accept(f);
	assert_true(dialog_says(f, "has stopped"));
	close_secret(f);
	assert_int_equal(live(f), 1);
	assert_true(row_at(f, 1).tombstone);
}

static void rotating_a_used_key_now_asks_for_the_site(void **st)
{
	struct fixture *f = *st;

	create(f, "");
	use(f, row_at(f, 0).key.kid, 5);
	turn(f);
	console_reload(&f->c);
	press(f, 'r');
	choose(f, "now");
	accept(f);
	assert_non_null(f->c.dialog);
	assert_null(f->c.dialog->secret);
	assert_true(dialog_says(f, "verified 5 tokens in the last hour"));
	accept(f);                     /* nothing typed */
	assert_non_null(f->c.dialog);
	assert_null(f->c.dialog->secret);
	type_site(f, "acme");
	accept(f);
	close_secret(f);
	assert_int_equal(live(f), 1);
}

static void on_a_free_slot_the_only_active_key_is_rotated(void **st)
{
	struct fixture *f = *st;

	press(f, 'r');
	assert_null(f->c.dialog);
	assert_shown(f, "This slot is free");
	create(f, "");
	press(f, PRESS_DOWN);
	press(f, 'r');
	assert_true(dialog_says(f, row_at(f, 0).key.kid));
	press(f, PRESS_ESCAPE);
	other_creates(f);
	turn(f);
	press(f, PRESS_DOWN);
	assert_null(keys_row(panel_of(f), panel_of(f)->list.selected));
	press(f, 'r');
	assert_null(f->c.dialog);
	assert_shown(f, "This slot is free");
}

static void a_full_ring_is_not_rotated(void **st)
{
	struct fixture *f = *st;

	for (size_t i = 0; i < RING_MAX; i++)
		other_creates(f);
	turn(f);
	press(f, 'r');
	assert_null(f->c.dialog);
	assert_shown(f, "ring_full");
}

/* ---- retire, keep ---- */

static void the_last_key_asks_for_the_site(void **st)
{
	struct fixture *f = *st;

	create(f, "only");
	press(f, 't');
	assert_true(dialog_says(f, "LAST KEY THAT VERIFIES"));
	assert_true(dialog_says(f, "not used yet"));
	choose(f, "now");
	accept(f);
	assert_non_null(f->c.dialog);
	type_site(f, "acm");
	accept(f);
	assert_non_null(f->c.dialog);
	assert_int_equal(panel_of(f)->rows.live, 1);
	type_site(f, "e");
	accept(f);
	assert_null(f->c.dialog);
	assert_shown(f, "retired and its secret deleted");
	assert_int_equal(live(f), 0);
	assert_shown(f, "NO KEY VERIFIES");
}

static void a_used_key_asks_for_the_site_an_unused_one_does_not(void **st)
{
	struct fixture *f = *st;

	other_creates(f);
	other_creates(f);
	use(f, row_at(f, 0).key.kid, 1204);
	console_reload(&f->c);
	press(f, 't');
	assert_true(dialog_says(f, "verified 1,204 tokens in the last hour"));
	assert_string_equal(f->c.dialog->expect, "acme");
	press(f, PRESS_ESCAPE);
	press(f, PRESS_DOWN);
	press(f, 't');
	assert_true(dialog_says(f, "not used yet"));
	assert_string_equal(f->c.dialog->expect, "");
	choose(f, "now");
	accept(f);
	assert_null(f->c.dialog);
	assert_int_equal(live(f), 1);
	assert_true(row_at(f, 0).use.uses_1h > 0);
}

static void a_retirement_can_be_scheduled_and_taken_back(void **st)
{
	struct fixture *f = *st;

	other_creates(f);
	other_creates(f);
	turn(f);
	press(f, 'u');
	assert_null(f->c.dialog);
	assert_shown(f, "has no end");
	press(f, 't');
	accept(f);                     /* in 48 h */
	assert_in_range(row_at(f, 0).key.retire_at, clock_s() + 48 * HOUR - 60, clock_s() + 48 * HOUR);
	assert_shown(f, " left: verifies until 20");
	press(f, 'u');
	press(f, PRESS_ENTER);         /* Cancel */
	assert_int_equal(row_at(f, 0).state, KEY_RETIRING);
	press(f, 'u');
	accept(f);
	assert_int_equal(row_at(f, 0).state, KEY_ACTIVE);
	assert_int_equal(row_at(f, 0).key.retire_at, 0);
	assert_shown(f, "stays");
}

static void the_default_answer_retires_and_rotates_nothing(void **st)
{
	static const char commands[] = "rt";
	struct fixture *f = *st;

	other_creates(f);
	other_creates(f);
	turn(f);
	for (const char *command = commands; *command; command++) {
		press(f, *command);
		press(f, PRESS_ENTER);         /* from the choice to Cancel */
		press(f, PRESS_ENTER);
		assert_null(f->c.dialog);
		press(f, *command);
		choose(f, "now");
		press(f, PRESS_ESCAPE);
		assert_null(f->c.dialog);
		assert_int_equal(live(f), 2);
		assert_int_equal(row_at(f, 0).key.retire_at, 0);
	}
}

/* A is to stop in an hour; B in a day would be the last then, though today it is not. */
/* The question was put in the evening, the answer is given in the morning. */
static void a_key_that_came_into_use_since_the_question_asks_for_the_site(void **st)
{
	struct fixture *f = *st;
	char kid[KID_MAX];

	other_creates(f);
	other_creates(f);
	memcpy(kid, row_at(f, 0).key.kid, sizeof(kid));
	press(f, 't');
	assert_string_equal(f->c.dialog->expect, "");
	choose(f, "now");
	use(f, kid, 7);
	accept(f);
	assert_true(dialog_says(f, "come into use"));
	assert_true(dialog_says(f, "verified 7 tokens in the last hour"));
	press(f, PRESS_ESCAPE);
	assert_int_equal(live(f), 2);
	press(f, PRESS_DOWN);
	press(f, 'r');
	choose(f, "now");
	memcpy(kid, row_at(f, 1).key.kid, sizeof(kid));
	use(f, kid, 8);
	accept(f);
	assert_true(dialog_says(f, "verified 8 tokens in the last hour"));
	press(f, PRESS_ESCAPE);
	assert_int_equal(live(f), 2);
	press(f, PRESS_HOME);
	press(f, 't');
	press(f, PRESS_ESCAPE);
	press(f, PRESS_DOWN);
	press(f, 't');
	type_site(f, "acme");
	accept(f);
	assert_null(f->c.dialog);
}

/* No reader slot is left, as where somebody takes them all. */
static void a_key_whose_use_is_not_known_asks_for_the_site(void **st)
{
	struct txn *taken[2000] = { NULL };
	struct fixture *f = *st;

	other_creates(f);
	other_creates(f);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		taken[i] = txn_read(admin_store(f->t->a), ENV_LEDGER);
	assert_int_equal(live(f), 2);
	console_reload(&f->c);
	assert_shown(f, "?         ?          ?\n");
	press(f, 't');
	assert_true(dialog_says(f, "not known: the ledger cannot be read"));
	assert_string_equal(f->c.dialog->expect, "acme");
	press(f, PRESS_ESCAPE);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		txn_abort(taken[i]);
	console_reload(&f->c);
	press(f, 't');
	assert_true(dialog_says(f, "not used yet"));
	assert_string_equal(f->c.dialog->expect, "");
}

static void what_would_be_the_last_by_then_is_asked_again(void **st)
{
	struct fixture *f = *st;

	other_creates(f);
	other_creates(f);
	turn(f);
	press(f, 't');
	choose(f, "in 1 h");
	accept(f);
	press(f, PRESS_DOWN);
	press(f, 't');
	assert_string_equal(f->c.dialog->expect, "");
	choose(f, "in 24 h");
	accept(f);
	assert_non_null(f->c.dialog);
	assert_true(dialog_says(f, "every token is blocked"));
	assert_int_equal(row_at(f, 1).key.retire_at, 0);
	type_site(f, "acme");
	accept(f);
	assert_null(f->c.dialog);
	assert_in_range(row_at(f, 1).key.retire_at, clock_s() + 24 * HOUR - 60, clock_s() + 24 * HOUR);
	assert_shown(f, "EVERY KEY HAS AN END");
}

static void commands_on_a_tombstone_are_refused(void **st)
{
	static const char commands[] = "rtu";
	struct fixture *f = *st;
	struct key_ref ref = { .site = "acme" };
	char kid[KID_MAX];

	other_creates(f);
	other_creates(f);
	memcpy(kid, row_at(f, 0).key.kid, sizeof(kid));
	ref.kid = kid;
	assert_int_equal(admin_key_retire(f->t->a, &ref, 0, false, &f->t->reason, &f->t->why), RC_OK);
	turn(f);
	press(f, PRESS_END);
	assert_string_equal(panel_of(f)->selected, kid);
	for (const char *command = commands; *command; command++) {
		press(f, *command);
		assert_null(f->c.dialog);
		assert_shown(f, "key_gone");
	}
}

/* ---- others change the same ring ---- */

static void a_stale_confirmation_changes_nothing(void **st)
{
	static const char commands[] = "rt";
	struct fixture *f = *st;

	other_creates(f);
	turn(f);
	for (const char *command = commands; *command; command++) {
		size_t before = live(f);

		press(f, *command);
		other_creates(f);
		turn(f);               /* the panel has seen the change: the dialog has not */
		accept(f);
		assert_null(f->c.dialog);
		assert_shown(f, "ring_changed");
		assert_int_equal(live(f), before + 1);
		assert_int_equal(row_at(f, 0).state, KEY_ACTIVE);
	}
}

static void a_stale_keep_changes_nothing(void **st)
{
	struct fixture *f = *st;
	struct key_ref ref = { .site = "acme" };
	char kid[KID_MAX];
	uint64_t at = clock_s() + HOUR;

	other_creates(f);
	other_creates(f);
	memcpy(kid, row_at(f, 0).key.kid, sizeof(kid));
	ref.kid = kid;
	assert_int_equal(admin_key_retire(f->t->a, &ref, at, false, &f->t->reason, &f->t->why), RC_OK);
	turn(f);
	press(f, 'u');
	assert_non_null(f->c.dialog);
	assert_int_equal(admin_key_retire(f->t->a, &ref, at + 60, false, &f->t->reason, &f->t->why), RC_OK);
	accept(f);
	assert_shown(f, "ring_changed");
	assert_int_equal(row_at(f, 0).key.retire_at, at + 60);
}

static void a_confirmation_for_a_site_that_is_gone_changes_nothing(void **st)
{
	struct fixture *f = *st;

	press(f, 'c');
	assert_int_equal(admin_site_remove(f->t->a, "acme", &f->t->reason, &f->t->why), RC_OK);
	accept(f);
	assert_null(f->c.dialog);
	assert_shown(f, "There is no site acme.");
	press(f, 'c');
	assert_null(f->c.dialog);
	assert_shown(f, "site_unknown");
	press(f, PRESS_DOWN);
	press(f, PRESS_END);
}

static void the_selection_stays_on_its_key_and_in_the_slots(void **st)
{
	struct fixture *f = *st;
	struct key_ref ref = { .site = "acme" };
	char kid[3][KID_MAX];

	for (size_t i = 0; i < RING_MAX; i++) {
		other_creates(f);
		memcpy(kid[i], row_at(f, i).key.kid, KID_MAX);
	}
	press(f, PRESS_DOWN);
	press(f, PRESS_DOWN);
	assert_string_equal(panel_of(f)->selected, kid[2]);
	ref.kid = kid[0];
	assert_int_equal(admin_key_retire(f->t->a, &ref, 0, false, &f->t->reason, &f->t->why), RC_OK);
	turn(f);
	assert_string_equal(panel_of(f)->selected, kid[2]);
	assert_int_equal(panel_of(f)->list.selected, 1);
	ref.kid = kid[2];
	assert_int_equal(admin_key_retire(f->t->a, &ref, 0, false, &f->t->reason, &f->t->why), RC_OK);
	turn(f);
	assert_true(panel_of(f)->list.selected < RING_MAX);
}

/* ---- where there is nothing to change ---- */

static void a_read_only_console_opens_no_dialog(void **st)
{
	static const enum command commands[] = { CMD_CREATE, CMD_ROTATE, CMD_RETIRE, CMD_KEEP };
	struct fixture *f = *st;

	create(f, "");
	f->c.read_only = "--read-only";
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		keys_panel.command(f->c.panel[PANEL_KEYS], &f->c, commands[i]);
		assert_null(f->c.dialog);
		assert_shown(f, "--read-only");
	}
}

static void without_a_site_it_says_how_to_choose_one(void **st)
{
	struct fixture *f = *st;

	console_enter_site(&f->c, "");
	assert_shown(f, "Choose a site first: 1, then Enter");
	press(f, 'c');
	assert_null(f->c.dialog);
	press(f, PRESS_DOWN);
	press(f, 's');
	type(f, "acme");
	press(f, PRESS_ENTER);
	assert_null(f->c.dialog);
	assert_string_equal(f->c.site, "acme");
	assert_shown(f, "0 of 3 keys in use");
}

static void a_site_nobody_has_is_not_gone_to(void **st)
{
	struct fixture *f = *st;

	press(f, 's');
	type(f, "nope");
	press(f, PRESS_ENTER);
	assert_string_equal(f->c.site, "acme");
	assert_shown(f, "There is no such site");
	assert_shown(f, "Its id nope");
	press(f, PRESS_CTRL('u'));
	type(f, "acme");
	press(f, PRESS_ENTER);
	assert_string_equal(f->c.site, "acme");
	assert_null(f->c.dialog);
}

static void a_ring_that_cannot_be_read_is_shown_as_such(void **st)
{
	struct fixture *f = *st;
	struct txn *vault;
	struct span row;
	char damaged[4096];
	size_t size;

	create(f, "");
	vault = txn_write(admin_store(f->t->a), ENV_VAULT);
	assert_true(txn_get(vault, DB_RINGS, span_str("acme"), &row));
	size = row.size;
	assert_true(size <= sizeof(damaged));
	memcpy(damaged, row.data, size);
	damaged[size / 2] ^= 1;
	txn_put(vault, DB_RINGS, span_str("acme"), span_of(damaged, size));
	assert_int_equal(txn_end(vault), RC_OK);
	turn(f);
	assert_int_not_equal(panel_of(f)->rc, RC_OK);
	assert_shown(f, "the keys of site acme cannot be read");
	assert_shown(f, "vault_unavailable");
	assert_not_shown(f, "NO KEY VERIFIES");
	press(f, 't');
	assert_null(f->c.dialog);
	press(f, PRESS_DOWN);
}

/* ---- snapshots made by hand, drawn without the rest of the console ---- */

static struct key_row active_row(void)
{
	struct key_row r = { .state = KEY_ACTIVE };

	strcpy(r.key.kid, "k_7f3aqc2d");
	strcpy(r.key.label, "shop backend");
	strcpy(r.key.fingerprint, "a1b2c3d4");
	r.key.created_at = NOW - 70 * 24 * HOUR;
	r.use = (struct key_use){ .last_used_at = NOW - 3, .uses_1h = 1204, .uses_24h = 20311 };
	return r;
}

static struct key_row retiring_row(void)
{
	struct key_row r = { .state = KEY_RETIRING };

	strcpy(r.key.kid, "k_abcdefgh");
	strcpy(r.key.fingerprint, "99aabbcc");
	r.key.created_at = NOW - 112 * 24 * HOUR;
	r.key.retire_at = NOW + 47 * HOUR + 60;
	r.use = (struct key_use){ .last_used_at = NOW - 26 * HOUR };
	return r;
}

static struct key_row tombstone(unsigned i)
{
	struct key_row r = { .state = KEY_RETIRED, .tombstone = true };

	snprintf(r.key.kid, sizeof(r.key.kid), "k_tomb%04u", i % 10000);
	strcpy(r.key.label, "old backend");
	strcpy(r.key.fingerprint, "0badcafe");
	r.key.created_at = NOW - 400 * 24 * HOUR;
	r.key.retire_at = NOW - (300 + i) * 24 * HOUR;
	return r;
}

struct hand {
	struct keys_panel p;
	struct console c;
	struct key_row row[64];
};

static void hand_make(struct hand *h, size_t live_rows, size_t tombstones)
{
	*h = (struct hand){ .c = { .utf8 = true, .now_us = NOW * 1000000 },
	                    .p = { .site = "acme", .plan = PLAN_PRO, .max_lifetime = 86400, .expiry_known = true } };
	h->row[0] = active_row();
	h->row[1] = retiring_row();
	for (size_t i = 0; i < tombstones; i++)
		h->row[live_rows + i] = tombstone((unsigned)i);
	h->p.rows = (struct key_rows){ .ring = 1, .live = live_rows, .count = live_rows + tombstones, .row = h->row };
	h->p.list.count = RING_MAX + tombstones;
}

static const char *draw(struct fixture *f, struct hand *h, int rows, int cols, bool utf8)
{
	canvas_done(&f->cv);
	assert_true(canvas_init(&f->cv, rows, cols, utf8));
	h->c.utf8 = utf8;
	keys_draw(&h->p.panel, &h->c, &f->cv, canvas_area(&f->cv));
	buf_clear(&f->screen);
	canvas_text(&f->cv, &f->screen);
	assert_false(f->screen.failed);
	return f->screen.data;
}

static void assert_lines(const char *text, const char *const *lines)
{
	for (; *lines; lines++)
		if (!strstr(text, *lines))
			fail_msg("not shown: %s\n%s", *lines, text);
}

static void the_ring_on_a_small_screen(void **st)
{
	static const char *const lines[] = {
		"── acme ",
		" Plan pro.  2 of 3 keys in use.  A token lives at most 24 h.\n",
		" require_exp is off; turned on, it would have blocked 1,204 recent tokens.\n",
		"     STATE      KID        CREATED        AGE LAST USED  USES 1 H  USES 24 H\n",
		"  1  ● active   k_7f3aqc2d 2025-09-12    70 d       3 s     1,204     20,311\n"
		"                shop backend                            fingerprint a1b2c3d4\n"
		"                verified 1,204 tokens in the last hour, last 3 s ago\n"
		"\n"
		"  2  r retiring k_abcdefgh 2025-08-01   112 d      26 h         0          0\n"
		"                (no label)                              fingerprint 99aabbcc\n"
		"                47 h left: verifies until 2025-11-23 03:41 UTC\n"
		"                not used for 26 h: safe to retire\n"
		"\n"
		"  3  ○ free\n",
		"     1 RETIRED  KID        CREATED    RETIRED    FINGERPRINT LABEL\n"
		"     x retired  k_tomb0000 2024-10-17 2025-01-25 0badcafe    old backend\n",
		NULL
	};
	struct fixture *f = *st;
	struct hand h;

	hand_make(&h, 2, 1);
	h.p.expiry_missing = 1204;
	assert_lines(draw(f, &h, 21, 80, true), lines);
}

static void the_ring_on_a_wide_ascii_screen(void **st)
{
	static const char *const lines[] = {
		"  1  * active   k_7f3aqc2d 2025-09-12    70 d       3 s     1,204     20,311   a1b2c3d4    shop backend",
		"  3  o free\n", "x retired", NULL
	};
	struct fixture *f = *st;
	struct hand h;

	hand_make(&h, 2, 1);
	assert_lines(draw(f, &h, 21, 132, false), lines);
}

static void the_policy_says_what_it_does(void **st)
{
	struct fixture *f = *st;
	struct hand h;

	hand_make(&h, 2, 0);
	assert_non_null(strstr(draw(f, &h, 21, 80, true), "would have blocked no recent token."));
	h.p.expiry_known = false;
	assert_non_null(strstr(draw(f, &h, 21, 80, true), "require_exp is off: a token without exp is accepted."));
	h.p.require_exp = true;
	assert_non_null(strstr(draw(f, &h, 21, 80, true), "require_exp is on"));
}

static void a_key_past_its_time_is_not_in_use(void **st)
{
	struct fixture *f = *st;
	struct hand h;
	const char *text;

	hand_make(&h, 2, 0);
	h.row[0].state = h.row[1].state = KEY_RETIRED;
	h.row[0].key.retire_at = h.row[1].key.retire_at = NOW - 60;
	text = draw(f, &h, 21, 80, true);
	assert_non_null(strstr(text, "0 of 3 keys in use"));
	assert_non_null(strstr(text, "NO KEY VERIFIES"));
	assert_non_null(strstr(text, "x retired"));
	assert_non_null(strstr(text, "its secret is not deleted yet"));
}

static void a_key_in_use_that_is_about_to_end_is_marked(void **st)
{
	struct fixture *f = *st;
	struct hand h;

	hand_make(&h, 2, 0);
	h.row[1].use.uses_1h = 1;
	assert_null(strstr(draw(f, &h, 21, 80, true), "STILL USED"));
	h.row[1].key.retire_at = NOW + 23 * HOUR;
	assert_non_null(strstr(draw(f, &h, 21, 80, true), "UTC, STILL USED\n"));
	h.row[1].use.uses_1h = 0;
	assert_null(strstr(draw(f, &h, 21, 80, true), "STILL USED"));
}

static void slots_and_tombstones_scroll_as_one_list(void **st)
{
	struct fixture *f = *st;
	struct hand h;
	char kid[KID_MAX];

	hand_make(&h, 2, 60);
	assert_null(strstr(draw(f, &h, 21, 80, true), "k_tomb0059"));
	assert_non_null(strstr(f->screen.data, " more below "));
	for (size_t i = 0; i < h.p.list.count; i++) {
		const struct key_row *r = keys_row(&h.p, i);

		h.p.list.selected = i;
		snprintf(kid, sizeof(kid), "%s", r ? r->key.kid : "○ free");
		assert_non_null(strstr(draw(f, &h, 21, 80, true), kid));
		assert_in_range(f->cv.cursor_row, 3, 20);
		assert_int_equal(f->cv.cell[f->cv.cursor_row * 80 + 20].style, STYLE_SELECTED);
	}
	assert_null(strstr(f->screen.data, "k_7f3aqc2d"));
	assert_non_null(strstr(f->screen.data, " more above "));
	h.p.list.selected = 20;
	assert_non_null(strstr(draw(f, &h, 21, 80, true), " more above and below "));
	h.p.list.selected = 0;
	assert_non_null(strstr(draw(f, &h, 21, 80, true), "LAST USED"));
	hand_make(&h, 2, 0);
	assert_null(strstr(draw(f, &h, 21, 80, true), " more "));
}

static void hostile_labels_and_names_become_visible(void **st)
{
	static const int sizes[][2] = { { 21, 80 }, { 21, 132 }, { 1, 1 }, { 3, 20 } };
	struct fixture *f = *st;
	struct hand h;

	hand_make(&h, 2, 1);
	strcpy(h.p.name, "\x1b]0;x\x07\xe2\x80\xae");
	strcpy(h.row[0].key.label, "\x1b[2J\xe2\x80\xaex\n\xff");
	strcpy(h.row[2].key.label, "\x9b\x1b[2J");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const char *text = draw(f, &h, sizes[i][0], sizes[i][1], true);

		assert_null(strpbrk(text, "\x1b\x07"));
		assert_null(strstr(text, "\xe2\x80\xae"));
	}
	assert_non_null(strstr(draw(f, &h, 21, 80, true), "\\x1b[2J\\u202ex"));
	assert_non_null(strstr(f->screen.data, "\\x1b]0;x\\x07\\u202e"));
	assert_non_null(strstr(f->screen.data, "\\x9b\\x1b[2J"));
}

/* A line feed in a label would be a line of the dialog, saying what it likes. */
static void a_hostile_label_stays_within_its_sentence(void **st)
{
	struct fixture *f = *st;
	struct keys_panel *p = panel_of(f);
	struct key_row *r = calloc(1, sizeof(*r));

	turn(f);
	*r = active_row();
	strcpy(r->key.label, "x\nAll is well.\x1b[2J");
	p->rows = (struct key_rows){ .ring = 1, .live = 1, .count = 1, .row = r };
	keys_panel.command(&p->panel, &f->c, CMD_RETIRE);
	assert_true(dialog_says(f, "k_7f3aqc2d (x\\x0aAll is well.\\x1b[2J)"));
	dialog_free(f->c.dialog);
	f->c.dialog = NULL;
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(three_keys_and_the_fourth_is_refused_before_it_is_asked_for),
		WITH(the_default_answer_creates_nothing),
		WITH(a_ring_that_another_filled_meanwhile_is_full),
		WITH(the_secret_is_shown_once_and_is_nowhere_else),
		WITH(an_enter_held_too_long_does_not_close_the_secret),
		WITH(the_secret_closes_by_itself),
		WITH(the_end_of_the_console_wipes_a_secret_that_is_shown),
		WITH(a_label_that_is_refused_says_why),
		WITH(a_rotation_gives_the_old_key_48_hours_and_shows_the_new_secret),
		WITH(each_choice_of_grace_is_what_it_says),
		WITH(a_grace_shorter_than_a_token_lives_says_what_it_may_block),
		WITH(rotating_an_unused_key_now_needs_no_name),
		WITH(rotating_a_used_key_now_asks_for_the_site),
		WITH(on_a_free_slot_the_only_active_key_is_rotated),
		WITH(a_full_ring_is_not_rotated),
		WITH(the_last_key_asks_for_the_site),
		WITH(a_used_key_asks_for_the_site_an_unused_one_does_not),
		WITH(a_retirement_can_be_scheduled_and_taken_back),
		WITH(the_default_answer_retires_and_rotates_nothing),
		WITH(a_key_that_came_into_use_since_the_question_asks_for_the_site),
		WITH(a_key_whose_use_is_not_known_asks_for_the_site),
		WITH(what_would_be_the_last_by_then_is_asked_again),
		WITH(commands_on_a_tombstone_are_refused),
		WITH(a_stale_confirmation_changes_nothing),
		WITH(a_stale_keep_changes_nothing),
		WITH(a_confirmation_for_a_site_that_is_gone_changes_nothing),
		WITH(the_selection_stays_on_its_key_and_in_the_slots),
		WITH(a_read_only_console_opens_no_dialog),
		WITH(without_a_site_it_says_how_to_choose_one),
		WITH(a_site_nobody_has_is_not_gone_to),
		WITH(a_ring_that_cannot_be_read_is_shown_as_such),
		WITH(the_ring_on_a_small_screen),
		WITH(the_ring_on_a_wide_ascii_screen),
		WITH(the_policy_says_what_it_does),
		WITH(a_key_past_its_time_is_not_in_use),
		WITH(a_key_in_use_that_is_about_to_end_is_marked),
		WITH(slots_and_tombstones_scroll_as_one_list),
		WITH(hostile_labels_and_names_become_visible),
		WITH(a_hostile_label_stays_within_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
