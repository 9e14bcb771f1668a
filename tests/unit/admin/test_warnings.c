/* test_warnings.c -- which snapshots call for an admin, in which order, and that no row writes the sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/admin-private.h"
#include "base/text.h"

#include <stdio.h>

#define NOW UINT64_C(1763690000)
#define GIB (UINT64_C(1) << 30)

struct snapshot { struct health h; struct health_facts f; };

/* Everything in order: one worker, which beat 5 s ago. */
static void snapshot_init(struct snapshot *s)
{
	s->h = (struct health){ .now_s = NOW, .version = "1.0.0", .workers = 1, .space = { .used = 1, .limit = 100 },
	                        .vault_bytes = GIB, .vault_readers = { .used = 3, .max = 1024 },
	                        .ledger_readers = { .used = 3, .max = 1024, .behind = 12 } };
	s->f = (struct health_facts){ .health = &s->h, .log_ends = true };
	s->h.worker[0] = (struct worker_row){ .pid = 4711, .beat_s = NOW - 5, .version = "1.0.0", .this_boot = true };
}

static json_t *warnings(const struct snapshot *s)
{
	struct health said = { 0 };
	json_t *list = health_warnings(&s->f, &said) == RC_OK ? said.warnings : NULL;

	assert_non_null(list);
	assert_int_equal(json_array_size(said.findings), json_array_size(list));
	json_decref(said.findings);
	return list;
}

/* One warning that has this text; text NULL: none at all. */
static void assert_warning(const struct snapshot *s, const char *text)
{
	json_t *list = warnings(s);

	assert_int_equal(json_array_size(list), text ? 1 : 0);
	if (text && !strstr(json_string_value(json_array_get(list, 0)), text))
		fail_msg("\"%s\" is not in: %s", text, json_string_value(json_array_get(list, 0)));
	json_decref(list);
}

static void nothing_is_said_where_all_is_in_order(void **state)
{
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	assert_warning(&s, NULL);
}

static void a_connection_that_must_be_authorized_again_is_named(void **state)
{
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	s.f.connections = (struct connections_seen){ .asked_s = NOW, .reauth = 2, .first = "shop" };
	assert_warning(&s, "Connection shop (and 1 more) is no longer authorized");
	assert_warning(&s, "postern connection rotate shop");
}

static void a_worker_is_alive_for_30_s_and_late_from_20_on(void **state)
{
	static const struct { int64_t ago; const char *first, *second; } cases[] = {
		{ 20, NULL, NULL }, { 21, "4711", NULL }, { 30, "4711", NULL }, { 31, "No worker", "4711" },
		{ 1763690000, "No worker", "4711" }, { -20, NULL, NULL }, { -21, "ahead", NULL },
		{ -31, "No worker", "ahead" }, { -9000000000, "No worker", "ahead" },
	};
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *list;

		s.h.worker[0].beat_s = (uint64_t)((int64_t)NOW - cases[i].ago);
		list = warnings(&s);
		assert_int_equal(json_array_size(list), (cases[i].first != NULL) + (cases[i].second != NULL));
		if (cases[i].first)
			assert_non_null(strstr(json_string_value(json_array_get(list, 0)), cases[i].first));
		if (cases[i].second)
			assert_non_null(strstr(json_string_value(json_array_get(list, 1)), cases[i].second));
		json_decref(list);
	}
}

static void no_row_and_rows_of_another_boot_are_no_worker(void **state)
{
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	s.h.worker[0].this_boot = false;
	assert_warning(&s, "No worker");
	snapshot_init(&s);
	s.h.workers = 0;
	assert_warning(&s, "No worker");
}

static void a_worker_of_another_version_is_named_with_it(void **state)
{
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	s.h.workers = 4;
	for (size_t i = 1; i < 4; i++)
		s.h.worker[i] = (struct worker_row){ .pid = 100 + i, .beat_s = NOW, .version = "0.9",
		                                     .this_boot = true };
	assert_warning(&s, "Worker 101 (and 2 more) runs version 0.9, this is 1.0.0");
	for (size_t i = 1; i < 4; i++)
		s.h.worker[i].this_boot = false;     /* not alive: its version does not matter */
	assert_warning(&s, NULL);
}

/* Whatever a taken-over worker calls itself: text that can be shown, and that JSON takes. */
static void a_version_cannot_carry_anything_to_the_screen(void **state)
{
	static const char version[] = "\x1b]0;x\x07\xff\xe2\x80\xae%s%n\n";
	struct snapshot s;
	json_t *list;
	const char *text;

	(void)state;
	snapshot_init(&s);
	memcpy(s.h.worker[0].version, version, sizeof(version));
	list = warnings(&s);
	assert_int_equal(json_array_size(list), 1);
	text = json_string_value(json_array_get(list, 0));
	assert_non_null(strstr(text, "\\x1b"));
	assert_non_null(strstr(text, "%s%n"));
	for (const char *at = text; *at; at++)
		assert_false(text_is_control((unsigned char)*at));
	json_decref(list);
	memset(s.h.worker[0].version, 0xff, WORKER_VERSION_MAX - 1);
	assert_warning(&s, "Worker 4711");
}

static void the_ledger_warns_at_three_levels(void **state)
{
	static const struct { uint64_t used, limit; const char *text; } cases[] = {
		{ 74, 100, NULL }, { 75, 100, "75 %" }, { 84, 100, "from 80 %" },
		{ 85, 100, "anonymous visitors' actions are refused," }, { 95, 100, "from 97 % on all" },
		{ 97, 100, "97 % of its space: visitors' actions are refused" }, { 200, 100, "200 %" },
		{ 0, 0, "100 %" }, { UINT64_MAX / 2, UINT64_MAX, NULL }, { UINT64_MAX, UINT64_MAX, "100 %" },
	};
	struct snapshot s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snapshot_init(&s);
		s.h.space = (struct store_space){ .used = cases[i].used, .limit = cases[i].limit };
		assert_warning(&s, cases[i].text);
	}
}

static void the_vault_and_the_readers_warn_before_the_end(void **state)
{
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	s.h.vault_bytes = VAULT_MAP_SIZE / 100 * 79;
	assert_warning(&s, NULL);
	s.h.vault_bytes = VAULT_MAP_SIZE / 100 * 81;
	assert_warning(&s, "The vault uses");
	snapshot_init(&s);
	s.h.vault_readers.used = 921;
	assert_warning(&s, NULL);
	s.h.vault_readers.used = 1000;
	assert_warning(&s, "1000 of 1024 reader slots of the vault");
	snapshot_init(&s);
	s.h.ledger_readers.used = 1000;
	assert_warning(&s, "1000 of 1024 reader slots of the ledger");
	snapshot_init(&s);
	s.h.ledger_readers.behind = 9999;
	assert_warning(&s, NULL);
	s.h.ledger_readers.behind = 10000;
	assert_warning(&s, "10000 commits");
}

static void a_key_in_use_that_ends_is_named(void **state)
{
	struct snapshot s;

	(void)state;
	snapshot_init(&s);
	s.f.ending[0] = (struct ending_key){ { "acme", "k_aaaaaaaa" }, 12 };
	s.f.ending[1] = (struct ending_key){ { "b", "k_bbbbbbbb" }, 5 };
	s.f.ending_count = 1;
	assert_warning(&s, "Key k_aaaaaaaa of site acme ends");
	s.f.ending_count = 2;
	assert_warning(&s, "Key k_aaaaaaaa of site acme (and 1 more) ends");
}

static void the_gravest_comes_first(void **state)
{
	static const char *const order[] = { "last row is no record", "No worker", "The ledger uses 99 %",
	                                     "slots of the vault", "slots of the ledger", "heard of", "The vault uses",
	                                     "commits", "Key k_aaaaaaaa" };
	struct snapshot s;
	json_t *list;

	(void)state;
	snapshot_init(&s);
	s.f.log_ends = false;
	s.h.worker[0].beat_s = NOW - 100;
	s.h.space.used = 99;
	s.h.vault_bytes = VAULT_MAP_SIZE;
	s.h.vault_readers.used = s.h.ledger_readers.used = 1024;
	s.h.ledger_readers.behind = 1000000;
	s.f.ending[0] = (struct ending_key){ { "acme", "k_aaaaaaaa" }, 12 };
	s.f.ending_count = 1;
	list = warnings(&s);
	assert_int_equal(json_array_size(list), ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_non_null(strstr(json_string_value(json_array_get(list, i)), order[i]));
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_where_all_is_in_order),
		cmocka_unit_test(a_connection_that_must_be_authorized_again_is_named),
		cmocka_unit_test(a_worker_is_alive_for_30_s_and_late_from_20_on),
		cmocka_unit_test(no_row_and_rows_of_another_boot_are_no_worker),
		cmocka_unit_test(a_worker_of_another_version_is_named_with_it),
		cmocka_unit_test(a_version_cannot_carry_anything_to_the_screen),
		cmocka_unit_test(the_ledger_warns_at_three_levels),
		cmocka_unit_test(the_vault_and_the_readers_warn_before_the_end),
		cmocka_unit_test(a_key_in_use_that_ends_is_named),
		cmocka_unit_test(the_gravest_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
