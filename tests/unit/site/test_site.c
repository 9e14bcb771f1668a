/* test_site.c -- a site's row, head and tombstone in the vault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "site/site.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

static int setup(void **state)
{
	*state = tmpstore_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

static void make(struct site *s, const char *id)
{
	site_init(s);
	snprintf(s->id, sizeof(s->id), "%s", id);
}

static void add(struct store *st, const char *id)
{
	struct txn *t = txn_write(st, ENV_VAULT);
	struct site s;

	make(&s, id);
	assert_int_equal(site_add(t, &s), RC_OK);
	site_done(&s);
	assert_int_equal(txn_end(t), RC_OK);
}

static struct site_head head_of(struct store *st, const char *id)
{
	struct txn *t = txn_read(st, ENV_VAULT);
	struct site_head head = { 0 };

	assert_true(site_head_get(t, span_str(id), &head));
	txn_abort(t);
	return head;
}

static void ids_are_lower_case_and_start_with_a_letter(void **state)
{
	static const char *const bad[] = { "", "1a", "-a", "A", "aB", "a_b", "a b", "a.b", "a/b", "\xc3\xa9", "a\n" };
	char long_id[65];

	(void)state;
	assert_true(site_id_valid(span_str("a")));
	assert_true(site_id_valid(span_str("demo-2-")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(site_id_valid(span_str(bad[i])));
	assert_false(site_id_valid(span_of("a\0", 2)));
	memset(long_id, 'a', sizeof(long_id));
	assert_true(site_id_valid(span_of(long_id, 63)));
	assert_false(site_id_valid(span_of(long_id, 64)));
}

static void every_setting_reads_back(void **state)
{
	struct txn *t = txn_write(*state, ENV_VAULT);
	struct site s, got;

	make(&s, "demo");
	strcpy(s.name, "Demo \xc3\xa9");
	s.plan = PLAN_BUSINESS;
	strcpy(s.sign_in_url, "https://shop.example.com/in");
	assert_int_equal(site_list_add(&s.origins, "https://a.example.com"), RC_OK);
	assert_int_equal(site_list_add(&s.origins, "https://b.example.com:8443"), RC_OK);
	assert_int_equal(site_list_add(&s.accept_domains, "corp"), RC_OK);
	assert_int_equal(site_list_add(&s.reserve_domains, "example.com"), RC_OK);
	s.max_lifetime = 3600;
	s.require_exp = true;
	strcpy(s.issuer, "iss");
	memset(s.audience, 'x', SITE_TEXT_MAX - 1);
	s.created_at = 1763690000;
	assert_int_equal(site_add(t, &s), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);

	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(site_get(t, span_str("demo"), &got), RC_OK);
	txn_abort(t);
	assert_string_equal(got.id, "demo");
	assert_string_equal(got.name, s.name);
	assert_int_equal(got.plan, PLAN_BUSINESS);
	assert_string_equal(got.sign_in_url, s.sign_in_url);
	assert_int_equal(got.origins.count, 2);
	assert_true(site_list_has(&got.origins, "https://b.example.com:8443"));
	assert_false(site_list_has(&got.origins, "https://b.example.com"));
	assert_string_equal(got.accept_domains.entry[0], "corp");
	assert_string_equal(got.reserve_domains.entry[0], "example.com");
	assert_int_equal(got.max_lifetime, 3600);
	assert_true(got.require_exp);
	assert_string_equal(got.issuer, "iss");
	assert_string_equal(got.audience, s.audience);
	assert_int_equal(got.created_at, 1763690000);
	site_done(&s);
	site_done(&got);
}

static void defaults_are_plan_pro_and_a_day(void **state)
{
	struct site s;

	(void)state;
	site_init(&s);
	assert_int_equal(s.plan, PLAN_PRO);
	assert_int_equal(s.max_lifetime, SITE_LIFETIME_MAX);
	assert_false(s.require_exp);
}

static void settings_out_of_range_are_refused(void **state)
{
	struct txn *t = txn_write(*state, ENV_VAULT);
	struct site s;

	make(&s, "demo");
	s.max_lifetime = SITE_LIFETIME_MAX + 1;
	assert_int_equal(site_add(t, &s), RC_INVALID);
	s.max_lifetime = 0;
	assert_int_equal(site_add(t, &s), RC_INVALID);
	make(&s, "Demo");
	assert_int_equal(site_add(t, &s), RC_INVALID);
	make(&s, "demo");
	s.plan = (enum plan)7;
	assert_int_equal(site_add(t, &s), RC_INVALID);
	txn_abort(t);
}

static void a_site_that_is_not_there_is_not_found(void **state)
{
	struct txn *t = txn_read(*state, ENV_VAULT);
	char long_id[1000];
	struct site_head head;
	struct site s;

	memset(long_id, 'a', sizeof(long_id));
	assert_int_equal(site_get(t, span_str("nobody"), &s), RC_NOT_FOUND);
	site_done(&s);
	assert_int_equal(site_get(t, span_of(long_id, sizeof(long_id)), &s), RC_NOT_FOUND);
	site_done(&s);
	assert_int_equal(site_get(t, span_of(NULL, 0), &s), RC_NOT_FOUND);
	site_done(&s);
	assert_false(site_head_get(t, span_str("nobody"), &head));
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
}

static void a_second_site_of_the_same_id_is_refused(void **state)
{
	struct txn *t;
	struct site s;

	add(*state, "demo");
	t = txn_write(*state, ENV_VAULT);
	make(&s, "demo");
	assert_int_equal(site_add(t, &s), RC_EXISTS);
	txn_abort(t);
}

static void setting_replaces_the_row_and_raises_its_version(void **state)
{
	struct site s, got;
	struct txn *t;

	add(*state, "demo");
	assert_int_equal(head_of(*state, "demo").settings, 1);
	make(&s, "demo");
	s.plan = PLAN_FREE;
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(site_set(t, &s), RC_OK);
	make(&s, "other");
	assert_int_equal(site_set(t, &s), RC_NOT_FOUND);
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(head_of(*state, "demo").settings, 2);
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(site_get(t, span_str("demo"), &got), RC_OK);
	assert_int_equal(got.plan, PLAN_FREE);
	site_done(&got);
	txn_abort(t);
}

static void each_part_has_a_version_of_its_own(void **state)
{
	struct site_head head;
	struct txn *t;

	add(*state, "demo");
	t = txn_write(*state, ENV_VAULT);
	site_head_bump(t, "demo", SITE_RING);
	site_head_bump(t, "demo", SITE_RING);
	site_head_bump(t, "demo", SITE_ACTIONS);
	assert_int_equal(txn_end(t), RC_OK);
	head = head_of(*state, "demo");
	assert_int_equal(head.settings, 1);
	assert_int_equal(head.ring, 2);
	assert_int_equal(head.actions, 1);
}

static void a_change_of_no_site_fails_the_transaction(void **state)
{
	struct txn *t = txn_write(*state, ENV_VAULT);

	site_head_bump(t, "nobody", SITE_RING);
	assert_int_equal(txn_end(t), RC_NOT_FOUND);
}

static void a_removed_id_is_never_given_again(void **state)
{
	struct site_head head;
	struct txn *t;
	struct site s;

	add(*state, "demo");
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(site_remove(t, "demo", 1763690000), RC_OK);
	assert_int_equal(site_remove(t, "demo", 1763690000), RC_NOT_FOUND);
	make(&s, "demo");
	assert_int_equal(site_add(t, &s), RC_EXISTS);
	assert_int_equal(txn_end(t), RC_OK);
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(site_get(t, span_str("demo"), &s), RC_NOT_FOUND);
	site_done(&s);
	assert_false(site_head_get(t, span_str("demo"), &head));
	txn_abort(t);
}

static void a_list_needs_no_more_than_id_name_and_plan(void **state)
{
	struct site_brief b;
	struct span row;
	struct txn *t;
	struct site s;

	make(&s, "demo");
	s.plan = PLAN_BUSINESS;
	memcpy(s.name, "The demo", 9);
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(site_add(t, &s), RC_OK);
	assert_true(txn_get(t, DB_SITES, span_str("demo"), &row));
	assert_int_equal(site_brief(span_str("demo"), row, &b), RC_OK);
	assert_string_equal(b.id, "demo");
	assert_true(span_is(b.name, "The demo"));
	assert_int_equal(b.plan, PLAN_BUSINESS);
	txn_abort(t);
	site_done(&s);
}

/* Its format, a name of three bytes and its plan, or what is no such row. */
static void a_row_that_is_no_site_is_listed_as_none(void **state)
{
	static const uint8_t good[] = { 1, 0, 0, 0, 3, 'a', 'b', 'c', PLAN_FREE }, format[] = { 2, 0, 0, 0, 0, PLAN_FREE },
	                     plan[] = { 1, 0, 0, 0, 0, 3 }, longer[] = { 1, 0xff, 0xff, 0xff, 0xff, 'a', PLAN_FREE };
	uint8_t huge[5 + SITE_TEXT_MAX + 1] = { 1, 0, 0, SITE_TEXT_MAX >> 8, SITE_TEXT_MAX & 0xff };
	struct site_brief b;

	(void)state;
	for (size_t n = 0; n <= sizeof(good); n++)
		assert_int_equal(site_brief(span_str("a"), span_of(good, n), &b), n == sizeof(good) ? RC_OK : RC_CORRUPT);
	assert_int_equal(site_brief(span_str("a"), span_of(format, sizeof(format)), &b), RC_CORRUPT);
	assert_int_equal(site_brief(span_str("a"), span_of(plan, sizeof(plan)), &b), RC_CORRUPT);
	assert_int_equal(site_brief(span_str("a"), span_of(longer, sizeof(longer)), &b), RC_CORRUPT);
	assert_int_equal(site_brief(span_str("a"), span_of(huge, sizeof(huge)), &b), RC_CORRUPT);
	assert_int_equal(site_brief(span_str("A"), span_of(good, sizeof(good)), &b), RC_CORRUPT);
	assert_int_equal(site_brief(span_str(""), span_of(good, sizeof(good)), &b), RC_CORRUPT);
	huge[3] = 0;
	huge[4] = 1;
	assert_int_equal(site_brief(span_str("a"), span_of(huge, sizeof(huge)), &b), RC_OK);
}

/* Every shortened row, and one with a byte more: an answer, never a read past the end. */
static void a_damaged_row_is_corrupt(void **state)
{
	struct txn *t;
	struct span row;
	struct site s;
	char *bytes;
	size_t size;

	add(*state, "demo");
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_SITES, span_str("demo"), &row));
	size = row.size;
	bytes = calloc(1, size + 1);
	assert_non_null(bytes);
	memcpy(bytes, row.data, size);
	for (size_t n = 0; n <= size + 1; n++) {
		txn_put(t, DB_SITES, span_str("demo"), span_of(bytes, n));
		assert_int_equal(site_get(t, span_str("demo"), &s), n == size ? RC_OK : RC_CORRUPT);
		site_done(&s);
	}
	bytes[0] = 99;      /* a format that is not ours */
	txn_put(t, DB_SITES, span_str("demo"), span_of(bytes, size));
	assert_int_equal(site_get(t, span_str("demo"), &s), RC_CORRUPT);
	site_done(&s);
	txn_abort(t);
	free(bytes);
}

static void a_damaged_head_is_no_missing_site(void **state)
{
	struct site_head head;
	struct txn *t;

	add(*state, "demo");
	t = txn_write(*state, ENV_VAULT);
	txn_put(t, DB_HEADS, span_str("demo"), span_str("short"));
	assert_false(site_head_get(t, span_str("demo"), &head));
	assert_int_equal(txn_rc(t), RC_CORRUPT);
	txn_abort(t);
}

static void lists_have_a_limit(void **state)
{
	struct site_list l = { 0 };
	char text[SITE_TEXT_MAX + 1];

	(void)state;
	memset(text, 'x', SITE_TEXT_MAX);
	text[SITE_TEXT_MAX] = '\0';
	assert_int_equal(site_list_add(&l, text), RC_INVALID);
	for (int i = 0; i < SITE_LIST_MAX; i++)
		assert_int_equal(site_list_add(&l, text + 1), RC_OK);
	assert_int_equal(site_list_add(&l, "one more"), RC_INVALID);
	assert_int_equal(l.count, SITE_LIST_MAX);
	site_list_done(&l);
	assert_false(site_list_has(&l, text + 1));
}

static void plans_have_three_names(void **state)
{
	enum plan p = PLAN_PRO;

	(void)state;
	for (int i = PLAN_FREE; i <= PLAN_BUSINESS; i++) {
		assert_true(plan_parse(plan_name((enum plan)i), &p));
		assert_int_equal(p, i);
	}
	assert_false(plan_parse("Pro", &p));
	assert_false(plan_parse("", &p));
	assert_int_equal(p, PLAN_BUSINESS);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_lower_case_and_start_with_a_letter),
		WITH_STORE(every_setting_reads_back),
		cmocka_unit_test(defaults_are_plan_pro_and_a_day),
		WITH_STORE(settings_out_of_range_are_refused),
		WITH_STORE(a_site_that_is_not_there_is_not_found),
		WITH_STORE(a_second_site_of_the_same_id_is_refused),
		WITH_STORE(setting_replaces_the_row_and_raises_its_version),
		WITH_STORE(each_part_has_a_version_of_its_own),
		WITH_STORE(a_change_of_no_site_fails_the_transaction),
		WITH_STORE(a_removed_id_is_never_given_again),
		WITH_STORE(a_list_needs_no_more_than_id_name_and_plan),
		cmocka_unit_test(a_row_that_is_no_site_is_listed_as_none),
		WITH_STORE(a_damaged_row_is_corrupt),
		WITH_STORE(a_damaged_head_is_no_missing_site),
		cmocka_unit_test(lists_have_a_limit),
		cmocka_unit_test(plans_have_three_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
