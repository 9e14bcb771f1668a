/* test_expiry.c -- how many tokens without exp ran an action, as far back in the log as one looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpadmin.h"

#include <stdio.h>

struct batch { struct audit_record record; int times; };

static enum rc append_batch(struct txn *ledger, void *arg)
{
	const struct batch *b = arg;
	enum rc rc = RC_OK;

	for (int i = 0; i < b->times && rc == RC_OK; i++)
		rc = audit_append(ledger, &b->record, NULL);
	return rc;
}

static void append(struct tmpadmin *t, const char *site, enum audit_outcome outcome, bool expiry_none, int times)
{
	struct batch b = { .times = times };
	struct writer *w;

	audit_record_init(&b.record, AUDIT_EVENT_ACTION, outcome);
	snprintf(b.record.site, sizeof(b.record.site), "%s", site);
	b.record.expiry_none = expiry_none;
	assert_int_equal(admin_writer(t->a, &w), RC_OK);
	assert_int_equal(writer_call(w, append_batch, &b), RC_OK);
}

static uint64_t missing(struct tmpadmin *t, const char *site, size_t max_rows)
{
	uint64_t count = 99;

	assert_int_equal(admin_expiry_missing(t->a, site, max_rows, &count, &t->why), RC_OK);
	return count;
}

static void only_actions_that_ran_without_exp_count(void **st)
{
	struct tmpadmin *t = *st;

	assert_int_equal(missing(t, "acme", 1000), 0);
	append(t, "acme", AUDIT_OUTCOME_DONE, true, 3);
	append(t, "acme", AUDIT_OUTCOME_DONE, false, 5);
	append(t, "acme", AUDIT_OUTCOME_INTENDED, true, 1);            /* its end is another record */
	append(t, "acme", AUDIT_OUTCOME_FAILED, true, 1);
	append(t, "acme", AUDIT_OUTCOME_REFUSED, true, 7);
	append(t, "acme", AUDIT_OUTCOME_BLOCKED, true, 9);
	append(t, "other", AUDIT_OUTCOME_DONE, true, 11);
	assert_int_equal(missing(t, "acme", 1000), 4);
	assert_int_equal(missing(t, "other", 1000), 11);
	assert_int_equal(missing(t, "nobody", 1000), 0);
}

static void sites_that_require_it_or_are_not_there_are_left_out(void **st)
{
	struct tmpadmin *t = *st;
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);
	struct site strict;
	json_t *sites = NULL;

	site_init(&strict);
	snprintf(strict.id, sizeof(strict.id), "strict");
	strict.require_exp = true;
	assert_int_equal(site_add(vault, &strict), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	site_done(&strict);
	append(t, "acme", AUDIT_OUTCOME_DONE, true, 3);
	append(t, "acme", AUDIT_OUTCOME_REFUSED, true, 7);
	append(t, "strict", AUDIT_OUTCOME_DONE, true, 2);
	append(t, "nobody", AUDIT_OUTCOME_DONE, true, 2);
	append(t, "\x1b[2J", AUDIT_OUTCOME_DONE, true, 2);
	assert_int_equal(admin_expiry_sites(t->a, 1000, &sites, &t->why), RC_OK);
	assert_int_equal(json_object_size(sites), 1);
	assert_int_equal(json_integer_value(json_object_get(sites, "acme")), 3);
	json_decref(sites);
}

static void only_the_newest_rows_are_looked_at(void **st)
{
	struct tmpadmin *t = *st;

	append(t, "acme", AUDIT_OUTCOME_DONE, true, 10000);
	append(t, "other", AUDIT_OUTCOME_DONE, true, 10);
	assert_int_equal(missing(t, "acme", 0), 0);
	assert_int_equal(missing(t, "acme", 10), 0);
	assert_int_equal(missing(t, "acme", 11), 1);
	assert_int_equal(missing(t, "acme", 9000), 8990);
	assert_int_equal(missing(t, "acme", SIZE_MAX), 10000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tmpadmin_setup, tmpadmin_teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_actions_that_ran_without_exp_count),
		TEST(sites_that_require_it_or_are_not_there_are_left_out),
		TEST(only_the_newest_rows_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
