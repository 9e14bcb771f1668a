/* test_admin.c -- the versions by which a program that stays open learns of others' changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpadmin.h"

static struct admin_versions versions(struct tmpadmin *t)
{
	struct admin_versions v = { 0 };

	assert_int_equal(admin_versions(t->a, &v, &t->why), RC_OK);
	assert_true(v.vault > 0 && v.ledger > 0);
	return v;
}

static void put(struct tmpadmin *t, enum env env, enum db db)
{
	struct txn *txn = txn_write(admin_store(t->a), env);

	txn_put(txn, db, span_str("a"), span_str("b"));
	assert_int_equal(txn_end(txn), RC_OK);
}

static void versions_tell_which_environment_changed(void **st)
{
	struct tmpadmin *t = *st;
	struct admin_versions first = versions(t), v = versions(t);

	assert_true(v.vault == first.vault && v.ledger == first.ledger);
	put(t, ENV_LEDGER, DB_KEY_USE);
	v = versions(t);
	assert_true(v.vault == first.vault && v.ledger != first.ledger);
	first = v;
	put(t, ENV_VAULT, DB_CHECKPOINTS);
	v = versions(t);
	assert_true(v.vault != first.vault && v.ledger == first.ledger);
}

static void versions_need_no_right_to_write(void **st)
{
	struct tmpadmin *t = *st;
	struct admin_versions before = versions(t), after;

	assert_true(tmpadmin_reopen(t, true));
	after = versions(t);
	assert_true(before.vault == after.vault && before.ledger == after.ledger);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, tmpadmin_setup, tmpadmin_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(versions_tell_which_environment_changed),
		WITH_ADMIN(versions_need_no_right_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
