/* test_key.c -- key changes: their conditions, their records, and the sweep. */
#include "tests/lib/tmpadmin.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void create(struct tmpadmin *t, char kid[KID_MAX])
{
	struct key k = { 0 };

	assert_int_equal(admin_key_create(t->a, "acme", "shop", &k, &t->reason, &t->why), RC_OK);
	assert_true(key_secret_text_ok(secret_span(k.secret)));
	memcpy(kid, k.kid, KID_MAX);
	key_done(&k);
}

static struct key_row row_of(struct tmpadmin *t, const char *kid)
{
	struct key_rows rows = { 0 };
	struct key_row found = { .state = KEY_RETIRED };

	assert_int_equal(admin_key_list(t->a, "acme", &rows, &t->reason, &t->why), RC_OK);
	for (size_t i = 0; i < rows.count; i++) {
		assert_null(rows.row[i].key.secret);
		if (strcmp(rows.row[i].key.kid, kid) == 0)
			found = rows.row[i];
	}
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

#define REFUSED(t, call, code) do { \
	assert_int_equal(call, RC_REFUSED); \
	assert_int_equal((t)->reason, code); \
} while (0)

/* As the ring is now. */
#define REF(kid) (&(struct key_ref){ "acme", kid, 0 })

static enum rc retire(struct tmpadmin *t, const char *kid, uint64_t at, bool last_too)
{
	return admin_key_retire(t->a, REF(kid), at, last_too, &t->reason, &t->why);
}

/* As if the clock had passed the time since: the ring's row is made by its own module, only earlier. */
static void schedule_in_the_past(struct tmpadmin *t, const char *kid)
{
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);
	uint64_t past = clock_s() - 1000;

	assert_int_equal(keyring_schedule(admin_store(t->a), vault, "acme", kid, past + 10, past, &t->reason), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
}

static void a_change_leaves_intended_and_done_of_one_id(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX];
	json_t *records;
	const json_t *before, *after;

	create(t, kid);
	records = tmpadmin_records(t);
	before = record_at(records, 1);
	after = record_at(records, 0);
	assert_true(record_has(before, "outcome", "intended") && record_has(after, "outcome", "done"));
	assert_true(record_has(before, "change", "create") && record_has(after, "change", "create"));
	assert_string_equal(json_string_value(json_object_get(before, "id")), json_string_value(json_object_get(after, "id")));
	assert_null(json_object_get(before, "kid"));
	assert_true(record_has(after, "kid", kid) && record_has(after, "label", "shop"));
	assert_true(record_has(after, "actor", admin_actor(t->a)));
	json_decref(records);
}

static void a_refused_change_is_recorded_with_its_reason(void **st)
{
	struct tmpadmin *t = *st;
	struct key k = { 0 };
	char kid[KID_MAX];
	json_t *records;

	for (size_t i = 0; i < RING_MAX; i++)
		create(t, kid);
	REFUSED(t, admin_key_create(t->a, "acme", NULL, &k, &t->reason, &t->why), REASON_RING_FULL);
	assert_null(k.secret);
	records = tmpadmin_records(t);
	assert_true(record_has(record_at(records, 0), "outcome", "refused"));
	assert_true(record_has(record_at(records, 0), "reason", "ring_full"));
	json_decref(records);
}

static void names_nobody_has_are_refused_without_a_record(void **st)
{
	struct tmpadmin *t = *st;
	size_t before = record_count(t);
	struct key k = { 0 };

	REFUSED(t, admin_key_create(t->a, "nope", NULL, &k, &t->reason, &t->why), REASON_SITE_UNKNOWN);
	REFUSED(t, admin_key_create(t->a, "../x", NULL, &k, &t->reason, &t->why), REASON_SITE_UNKNOWN);
	REFUSED(t, retire(t, "k_aaaaaaaa", 0, true), REASON_KEY_UNKNOWN);
	REFUSED(t, retire(t, "a kid far longer than any kid may ever be", 0, true), REASON_KEY_UNKNOWN);
	REFUSED(t, admin_key_keep(t->a, REF(""), &t->reason, &t->why), REASON_KEY_UNKNOWN);
	assert_int_equal(record_count(t), before);
}

static void labels_are_plain_text(void **st)
{
	struct tmpadmin *t = *st;
	struct key k = { 0 };
	char label[KEY_LABEL_MAX + 1];

	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	assert_int_equal(admin_key_create(t->a, "acme", "a\x1b[2J", &k, &t->reason, &t->why), RC_INVALID);
	assert_int_equal(admin_key_create(t->a, "acme", label, &k, &t->reason, &t->why), RC_INVALID);
}

static void a_rotation_that_cannot_be_leaves_the_old_key_alone(void **st)
{
	struct tmpadmin *t = *st;
	struct rotation made = { 0 };
	char kid[KID_MAX];

	for (size_t i = 0; i < RING_MAX; i++)
		create(t, kid);
	REFUSED(t, admin_key_rotate(t->a, REF(kid), 3600, &made, &t->reason, &t->why), REASON_RING_FULL);
	assert_int_equal(row_of(t, kid).key.retire_at, 0);
	assert_null(made.created.secret);
}

static void a_rotation_needs_a_name_unless_one_key_is_active(void **st)
{
	struct tmpadmin *t = *st;
	struct rotation made = { 0 };
	char kid[KID_MAX];
	size_t before = record_count(t);

	REFUSED(t, admin_key_rotate(t->a, REF(NULL), 3600, &made, &t->reason, &t->why), REASON_KEY_AMBIGUOUS);
	assert_int_equal(record_count(t), before);
	create(t, kid);
	assert_int_equal(admin_key_rotate(t->a, REF(NULL), 3600, &made, &t->reason, &t->why), RC_OK);
	assert_string_equal(made.retiring, kid);
	assert_int_equal(row_of(t, kid).state, KEY_RETIRING);
	assert_int_equal(row_of(t, made.created.kid).state, KEY_ACTIVE);
	key_done(&made.created);
}

static void the_last_key_goes_only_on_request(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t now = clock_s();
	char first[KID_MAX], second[KID_MAX];

	create(t, first);
	REFUSED(t, retire(t, first, 0, false), REASON_KEY_LAST);
	REFUSED(t, retire(t, first, now + 3600, false), REASON_KEY_LAST);
	create(t, second);
	assert_int_equal(retire(t, first, now + 1000, false), RC_OK);
	REFUSED(t, retire(t, second, now + 2000, false), REASON_KEY_LAST);       /* first is over by then */
	assert_int_equal(retire(t, second, now + 500, false), RC_OK);            /* first is not */
	assert_int_equal(retire(t, first, 0, false), RC_OK);                     /* second still verifies */
	REFUSED(t, retire(t, second, 0, false), REASON_KEY_LAST);
	assert_int_equal(retire(t, second, 0, true), RC_OK);
	REFUSED(t, retire(t, second, 0, true), REASON_KEY_GONE);
}

static void opening_sweeps_what_is_over_and_records_it(void **st)
{
	struct tmpadmin *t = *st;
	struct why notice = { { 0 } };
	char over[KID_MAX], stays[KID_MAX];
	json_t *records;

	create(t, over);
	create(t, stays);
	schedule_in_the_past(t, over);
	assert_false(row_of(t, over).tombstone);
	assert_int_equal(row_of(t, over).state, KEY_RETIRED);

	assert_true(tmpadmin_reopen(t, true));
	assert_false(row_of(t, over).tombstone);         /* who only reads changes nothing */

	assert_true(tmpadmin_reopen(t, false));
	assert_true(admin_settle(t->a, SETTLE_SECONDS, &notice));
	assert_true(row_of(t, over).tombstone);
	assert_int_equal(row_of(t, stays).state, KEY_ACTIVE);
	records = tmpadmin_records(t);
	assert_true(record_has(record_at(records, 0), "change", "expire") && record_has(record_at(records, 0), "kid", over));
	assert_true(record_has(record_at(records, 0), "outcome", "done"));
	assert_true(record_has(record_at(records, 1), "outcome", "intended"));
	json_decref(records);
}

static void a_slot_whose_time_is_over_is_free(void **st)
{
	struct tmpadmin *t = *st;
	char kids[RING_MAX][KID_MAX], more[KID_MAX];

	for (size_t i = 0; i < RING_MAX; i++)
		create(t, kids[i]);
	schedule_in_the_past(t, kids[1]);
	create(t, more);
	assert_true(row_of(t, kids[1]).tombstone);
}

static void a_key_past_its_time_cannot_be_kept_or_rotated(void **st)
{
	struct tmpadmin *t = *st;
	struct rotation made = { 0 };
	char kid[KID_MAX], other[KID_MAX];

	create(t, kid);
	create(t, other);
	schedule_in_the_past(t, kid);
	REFUSED(t, admin_key_keep(t->a, REF(kid), &t->reason, &t->why), REASON_KEY_GONE);
	REFUSED(t, admin_key_rotate(t->a, REF(kid), 3600, &made, &t->reason, &t->why), REASON_KEY_GONE);
}

static void who_only_reads_changes_nothing(void **st)
{
	struct tmpadmin *t = *st;
	struct key k = { 0 };
	char kid[KID_MAX];

	create(t, kid);
	assert_true(tmpadmin_reopen(t, true));
	assert_int_equal(admin_key_create(t->a, "acme", NULL, &k, &t->reason, &t->why), RC_READ_ONLY);
	assert_int_equal(retire(t, kid, 0, true), RC_READ_ONLY);
	assert_int_equal(row_of(t, kid).state, KEY_ACTIVE);
}

static size_t problem_count(struct tmpadmin *t)
{
	json_t *problems = NULL;
	size_t count;

	assert_int_equal(admin_key_check(t->a, "acme", &problems, &t->reason, &t->why), RC_OK);
	count = json_array_size(problems);
	json_decref(problems);
	return count;
}

static void a_ring_is_checked(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX], other[KID_MAX];

	assert_int_equal(problem_count(t), 1);           /* nothing verifies */
	create(t, kid);
	assert_int_equal(problem_count(t), 0);
	assert_int_equal(retire(t, kid, clock_s() + 3600, true), RC_OK);
	assert_int_equal(problem_count(t), 1);           /* everything ends */
	create(t, other);
	assert_int_equal(problem_count(t), 0);
	schedule_in_the_past(t, kid);
	assert_int_equal(problem_count(t), 1);           /* a secret that should be gone */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tmpadmin_setup, tmpadmin_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_change_leaves_intended_and_done_of_one_id),
		TEST(a_refused_change_is_recorded_with_its_reason),
		TEST(names_nobody_has_are_refused_without_a_record),
		TEST(labels_are_plain_text),
		TEST(a_rotation_that_cannot_be_leaves_the_old_key_alone),
		TEST(a_rotation_needs_a_name_unless_one_key_is_active),
		TEST(the_last_key_goes_only_on_request),
		TEST(opening_sweeps_what_is_over_and_records_it),
		TEST(a_slot_whose_time_is_over_is_free),
		TEST(a_key_past_its_time_cannot_be_kept_or_rotated),
		TEST(who_only_reads_changes_nothing),
		TEST(a_ring_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
