/* test_key_ref.c -- a change that was decided on one state of the ring never acts on another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/child.h"
#include "tests/lib/tmpadmin.h"

#include <stdio.h>
#include <time.h>

#define FAR (100 * 86400)

static void create_at(struct tmpadmin *t, const char *site, char kid[KID_MAX])
{
	struct key k = { 0 };

	assert_int_equal(admin_key_create(t->a, site, "shop", &k, &t->reason, &t->why), RC_OK);
	memcpy(kid, k.kid, KID_MAX);
	key_done(&k);
}

static uint64_t ring_at(struct admin *a, const char *site)
{
	struct key_rows rows = { 0 };
	enum reason reason;
	uint64_t version = 0;

	if (admin_key_list(a, site, &rows, &reason, NULL) == RC_OK)
		version = rows.ring;
	key_rows_done(&rows);
	return version;
}

static uint64_t ring_now(struct tmpadmin *t)
{
	uint64_t version = ring_at(t->a, "acme");

	assert_true(version > 0);
	return version;
}

static struct key_row row_of(struct tmpadmin *t, const char *kid)
{
	struct key_rows rows = { 0 };
	struct key_row found = { .state = KEY_RETIRED };

	assert_int_equal(admin_key_list(t->a, "acme", &rows, &t->reason, &t->why), RC_OK);
	for (size_t i = 0; i < rows.count; i++)
		if (strcmp(rows.row[i].key.kid, kid) == 0)
			found = rows.row[i];
	key_rows_done(&rows);
	return found;
}

static size_t record_count(struct tmpadmin *t)
{
	json_t *records = tmpadmin_records(t);
	size_t count = json_array_size(records);

	assert_non_null(records);
	json_decref(records);
	return count;
}

/* ---- the three changes that take a ref, by name ---- */

static enum rc rotate(struct tmpadmin *t, const struct key_ref *k)
{
	struct rotation made = { 0 };
	enum rc rc = admin_key_rotate(t->a, k, 3600, &made, &t->reason, &t->why);

	assert_true(rc == RC_OK || !made.created.secret);
	key_done(&made.created);
	return rc;
}

static enum rc retire_later(struct tmpadmin *t, const struct key_ref *k)
{
	return admin_key_retire(t->a, k, clock_s() + FAR, true, &t->reason, &t->why);
}

static enum rc retire_now(struct tmpadmin *t, const struct key_ref *k)
{
	return admin_key_retire(t->a, k, 0, true, &t->reason, &t->why);
}

static enum rc keep(struct tmpadmin *t, const struct key_ref *k)
{
	return admin_key_keep(t->a, k, &t->reason, &t->why);
}

typedef enum rc (*change_fn)(struct tmpadmin *t, const struct key_ref *k);
static const change_fn changes[] = { rotate, retire_later, keep, retire_now };

#define REFUSED(t, call, code) do { \
	assert_int_equal(call, RC_REFUSED); \
	assert_int_equal((t)->reason, code); \
} while (0)

/* As if the clock had passed the time since: the ring's row is made by its own module, only earlier. */
static void schedule_in_the_past(struct tmpadmin *t, const char *site, const char *kid)
{
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);
	uint64_t past = clock_s() - 1000;

	assert_int_equal(keyring_schedule(admin_store(t->a), vault, site, kid, past + 10, past, &t->reason), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
}

/* ---- one process ---- */

static void a_ref_of_the_ring_as_it_is_acts_once(void **st)
{
	struct tmpadmin *t = *st;
	char kids[2][KID_MAX];

	create_at(t, "acme", kids[0]);
	create_at(t, "acme", kids[1]);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct key_ref k = { "acme", kids[0], ring_now(t) };

		assert_int_equal(changes[i](t, &k), RC_OK);
		assert_true(ring_now(t) > k.ring);
		REFUSED(t, changes[i](t, &k), REASON_RING_CHANGED);
	}
}

static void a_stale_ref_is_refused_and_nothing_is_recorded(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], other[KID_MAX];
	struct key_ref stale = { .site = "acme", .kid = kid };
	size_t records;

	create_at(t, "acme", kid);
	create_at(t, "acme", other);
	stale.ring = ring_now(t);
	assert_int_equal(retire_later(t, &(struct key_ref){ "acme", other, 0 }), RC_OK);
	records = record_count(t);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		REFUSED(t, changes[i](t, &stale), REASON_RING_CHANGED);
		REFUSED(t, changes[i](t, &(struct key_ref){ "acme", kid, stale.ring + 2 }), REASON_RING_CHANGED);
	}
	REFUSED(t, rotate(t, &(struct key_ref){ "acme", NULL, stale.ring }), REASON_RING_CHANGED);
	assert_int_equal(record_count(t), records);
	assert_int_equal(row_of(t, kid).state, KEY_ACTIVE);
	assert_int_equal(row_of(t, other).state, KEY_RETIRING);
}

/* The last key is not asked about on a ring that is another: the answer would be about something else. */
static void what_else_is_wrong_comes_after_the_ring(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], gone[KID_MAX];
	uint64_t seen;

	create_at(t, "acme", gone);
	create_at(t, "acme", kid);
	seen = ring_now(t);
	assert_int_equal(retire_now(t, &(struct key_ref){ "acme", gone, seen }), RC_OK);
	REFUSED(t, keep(t, &(struct key_ref){ "acme", gone, seen }), REASON_RING_CHANGED);
	REFUSED(t, keep(t, &(struct key_ref){ "acme", gone, 0 }), REASON_KEY_GONE);
	REFUSED(t, keep(t, &(struct key_ref){ "acme", gone, ring_now(t) }), REASON_KEY_GONE);
	REFUSED(t, admin_key_retire(t->a, &(struct key_ref){ "acme", kid, seen }, 0, false, &t->reason, &t->why),
	        REASON_RING_CHANGED);
	REFUSED(t, admin_key_retire(t->a, &(struct key_ref){ "acme", kid, 0 }, 0, false, &t->reason, &t->why),
	        REASON_KEY_LAST);
	REFUSED(t, keep(t, &(struct key_ref){ "nope", kid, seen }), REASON_SITE_UNKNOWN);
}

/* ---- the sweep of a rotation ---- */

static void a_rotation_is_not_refused_for_its_own_sweep(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], over[2][KID_MAX];

	create_at(t, "acme", over[0]);
	create_at(t, "acme", over[1]);
	create_at(t, "acme", kid);
	schedule_in_the_past(t, "acme", over[0]);
	schedule_in_the_past(t, "acme", over[1]);
	assert_int_equal(rotate(t, &(struct key_ref){ "acme", kid, ring_now(t) }), RC_OK);
	assert_true(row_of(t, over[0]).tombstone && row_of(t, over[1]).tombstone);
	assert_int_equal(row_of(t, kid).state, KEY_RETIRING);
}

static void a_sweep_makes_no_stale_ref_good(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], over[KID_MAX];
	uint64_t seen;

	create_at(t, "acme", over);
	create_at(t, "acme", kid);
	seen = ring_now(t);
	schedule_in_the_past(t, "acme", over);           /* somebody's change, and the next call sweeps */
	REFUSED(t, rotate(t, &(struct key_ref){ "acme", kid, seen }), REASON_RING_CHANGED);
	assert_true(row_of(t, over).tombstone);
	assert_int_equal(row_of(t, kid).state, KEY_ACTIVE);
}

static void a_sweep_before_the_call_changed_the_ring(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], over[KID_MAX];
	uint64_t seen;

	create_at(t, "acme", over);
	create_at(t, "acme", kid);
	schedule_in_the_past(t, "acme", over);
	seen = ring_now(t);
	admin_sweep(t->a);
	assert_true(row_of(t, over).tombstone);
	assert_true(ring_now(t) > seen);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		REFUSED(t, changes[i](t, &(struct key_ref){ "acme", kid, seen }), REASON_RING_CHANGED);
}

static void what_a_sweep_does_at_another_site_does_not_count(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], over[KID_MAX];
	struct site s;

	site_init(&s);
	memcpy(s.id, "other", 6);
	assert_int_equal(admin_site_add(t->a, &s, &t->reason, &t->why), RC_OK);
	site_done(&s);
	create_at(t, "acme", kid);
	assert_int_equal(keep(t, &(struct key_ref){ "acme", kid, 0 }), RC_OK);
	create_at(t, "other", over);
	schedule_in_the_past(t, "other", over);
	assert_int_equal(ring_now(t), ring_at(t->a, "other"));         /* so that only the name tells them apart */
	assert_int_equal(rotate(t, &(struct key_ref){ "acme", kid, ring_now(t) }), RC_OK);
}

/* ---- two processes ---- */

static uint64_t log_size(struct admin *a)
{
	struct txn *ledger = txn_read(admin_store(a), ENV_LEDGER);
	uint64_t size = audit_size(ledger);

	txn_abort(ledger);
	return size;
}

/* false: not within 20 s. */
static bool log_grows(struct admin *a, uint64_t than)
{
	uint64_t deadline = clock_mono_ms() + 20000;

	while (log_size(a) <= than) {
		if (clock_mono_ms() > deadline)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return true;
}

static enum rc move_ring_on(struct admin *a, struct txn *vault)
{
	struct keyring ring = { 0 };
	enum reason reason;
	enum rc rc = keyring_get(admin_store(a), vault, span_str("acme"), false, &ring);

	if (rc == RC_OK)
		rc = keyring_schedule(admin_store(a), vault, "acme", ring.keys[0].kid, clock_s() + FAR + ring.version,
		                      clock_s(), &reason);
	keyring_done(&ring);
	return rc;
}

/* Holds the vault's lock until the other side has recorded what it intends, and changes the ring before it can. */
static bool change_in_between(struct admin *a, const struct child *self)
{
	uint64_t size = log_size(a);
	struct txn *vault = txn_write(admin_store(a), ENV_VAULT);

	child_say(self, 'h');
	if (!log_grows(a, size))
		txn_fail(vault, RC_BUSY);
	else
		txn_fail(vault, move_ring_on(a, vault));
	return txn_end(vault) == RC_OK;
}

static bool change_alone(struct admin *a)
{
	struct txn *vault = txn_write(admin_store(a), ENV_VAULT);

	txn_fail(vault, move_ring_on(a, vault));
	return txn_end(vault) == RC_OK;
}

#define ROUNDS 15

/* Reads the first key's retire_at and writes one more, ROUNDS times: a change made to a ring that was not the one read
 * would swallow the other's. */
static bool count_up(struct admin *a)
{
	for (int done = 0; done < ROUNDS;) {
		struct key_rows rows = { 0 };
		struct key_ref k = { .site = "acme" };
		enum reason reason = REASON_NONE;
		enum rc rc = admin_key_list(a, "acme", &rows, &reason, NULL);

		if (rc == RC_OK) {
			k.kid = rows.row[0].key.kid;
			k.ring = rows.ring;
			rc = admin_key_retire(a, &k, rows.row[0].key.retire_at + 1, true, &reason, NULL);
		}
		key_rows_done(&rows);
		if (rc == RC_OK)
			done++;
		else if (rc != RC_REFUSED || reason != REASON_RING_CHANGED)
			return false;
	}
	return true;
}

/* A process of its own with the same data: it does what a byte says, and answers with one. */
static int help(struct child *self, void *arg)
{
	struct admin_options o = { .dir = arg, .vault_map = TMPADMIN_MAP, .ledger_map = TMPADMIN_MAP };
	struct admin *a = NULL;
	struct why why = { "" };
	bool good = admin_open(&o, &a, &why) == RC_OK;
	char asked;

	if (!good)
		fprintf(stderr, "helper: %s\n", why.text);
	child_say(self, good ? 'y' : 'n');
	while (good && (asked = child_hear(self)) != 0) {
		if (asked == 'b')
			good = change_in_between(a, self);
		else if (asked == 'a')
			good = change_alone(a);
		else
			good = count_up(a);
		child_say(self, good ? 'y' : 'n');
	}
	admin_settle(a, SETTLE_SECONDS, &why);
	admin_close(a);
	return good ? 0 : 1;
}

/* Forked while this process has neither the data open nor a thread. */
static void helper_start(struct tmpadmin *t, struct child *c)
{
	assert_true(admin_close(t->a));
	t->a = NULL;
	assert_true(child_start(c, help, t->dir));
	assert_int_equal(child_hear(c), 'y');
	assert_true(tmpadmin_reopen(t, false));
}

static void what_another_process_changed_is_seen_and_respected(void **st)
{
	struct tmpadmin *t = *st;
	struct child other;
	char kid[KID_MAX];

	create_at(t, "acme", kid);
	helper_start(t, &other);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct key_ref seen = { "acme", kid, ring_now(t) };

		child_say(&other, 'a');
		assert_int_equal(child_hear(&other), 'y');
		assert_int_equal(ring_now(t), seen.ring + 1);
		REFUSED(t, changes[i](t, &seen), REASON_RING_CHANGED);
		assert_int_equal(row_of(t, kid).state, KEY_RETIRING);
	}
	assert_int_equal(child_wait(&other), 0);
}

/* The ring moves on after the question and before the change: between them only the vault's lock can tell. */
static void a_change_between_question_and_write_is_seen(void **st)
{
	static const char *const names[] = { "rotate", "schedule", "keep", "retire" };
	struct tmpadmin *t = *st;
	struct child other;
	struct why notice = { "" };
	char kid[KID_MAX];

	create_at(t, "acme", kid);
	helper_start(t, &other);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct key_ref seen = { "acme", kid, ring_now(t) };
		json_t *records;
		const json_t *intended, *end;

		child_say(&other, 'b');
		assert_int_equal(child_hear(&other), 'h');
		REFUSED(t, changes[i](t, &seen), REASON_RING_CHANGED);
		assert_int_equal(child_hear(&other), 'y');
		assert_int_equal(ring_now(t), seen.ring + 1);
		assert_int_equal(row_of(t, kid).state, KEY_RETIRING);
		assert_true(admin_settle(t->a, SETTLE_SECONDS, &notice));
		records = tmpadmin_records(t);
		intended = record_at(records, 1);
		end = record_at(records, 0);
		assert_true(record_has(intended, "outcome", "intended") && record_has(intended, "change", names[i]));
		assert_true(record_has(end, "outcome", "refused") && record_has(end, "reason", "ring_changed"));
		assert_true(record_has(end, "id", json_string_value(json_object_get(intended, "id"))));
		json_decref(records);
	}
	assert_int_equal(child_wait(&other), 0);
}

static void two_processes_changing_one_ring_lose_nothing(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t start = clock_s() + FAR, ring;
	struct child other;
	char kid[KID_MAX];
	struct key_ref now = { "acme", kid, 0 };

	create_at(t, "acme", kid);
	assert_int_equal(admin_key_retire(t->a, &now, start, true, &t->reason, &t->why), RC_OK);
	ring = ring_now(t);
	helper_start(t, &other);
	child_say(&other, 'c');
	assert_true(count_up(t->a));
	assert_int_equal(child_hear(&other), 'y');
	assert_int_equal(child_wait(&other), 0);
	assert_int_equal(row_of(t, kid).key.retire_at, start + 2 * ROUNDS);
	assert_int_equal(ring_now(t), ring + 2 * ROUNDS);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tmpadmin_setup, tmpadmin_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_ref_of_the_ring_as_it_is_acts_once),
		TEST(a_stale_ref_is_refused_and_nothing_is_recorded),
		TEST(what_else_is_wrong_comes_after_the_ring),
		TEST(a_rotation_is_not_refused_for_its_own_sweep),
		TEST(a_sweep_makes_no_stale_ref_good),
		TEST(a_sweep_before_the_call_changed_the_ring),
		TEST(what_a_sweep_does_at_another_site_does_not_count),
		TEST(what_another_process_changed_is_seen_and_respected),
		TEST(a_change_between_question_and_write_is_seen),
		TEST(two_processes_changing_one_ring_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
