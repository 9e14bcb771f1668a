/* test_admin.c -- the versions by which a program that stays open learns of others' changes, and that its files are no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>

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

/* ---- files that were replaced while they were open ---- */

/* As who restores a backup by hand does. */
static void replace(const struct tmpadmin *t, const char *name)
{
	assert_int_equal(rename(tmpdir_path(t->dir, name), tmpdir_path(t->dir, "moved")), 0);
	assert_int_equal(file_create(tmpdir_path(t->dir, name), span_str("another"), 0660), RC_OK);
}

static void put_back(const struct tmpadmin *t, const char *name)
{
	assert_int_equal(rename(tmpdir_path(t->dir, "moved"), tmpdir_path(t->dir, name)), 0);
}

static bool creates(struct tmpadmin *t)
{
	struct key k = { 0 };
	enum rc rc;

	t->why.text[0] = '\0';
	rc = admin_key_create(t->a, "acme", "", &k, &t->reason, &t->why);
	assert_true(rc == RC_OK || !k.secret);
	key_done(&k);
	return rc == RC_OK;
}

/* What is written to a file that nobody opens any more is lost; and admin.state would know of it. */
static void a_vault_that_was_replaced_is_said_and_not_changed(void **st)
{
	static const char *const names[] = { "vault/data.mdb", "vault/lock.mdb", "ledger/data.mdb", "ledger/lock.mdb" };
	struct tmpadmin *t = *st;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf before = BUF_INIT, after = BUF_INIT;
		struct admin_versions v;

		replace(t, names[i]);
		assert_int_equal(file_read(tmpdir_path(t->dir, "admin.state"), 4096, &before), RC_OK);
		t->why.text[0] = '\0';
		assert_int_equal(admin_versions(t->a, &v, &t->why), RC_IO);
		assert_non_null(strstr(t->why.text, "was replaced or removed"));
		assert_false(creates(t));
		assert_non_null(strstr(t->why.text, i < 2 ? "was replaced or removed" : "could not be recorded first"));
		assert_int_equal(file_read(tmpdir_path(t->dir, "admin.state"), 4096, &after), RC_OK);
		assert_memory_equal(before.data, after.data, before.size);
		put_back(t, names[i]);
		versions(t);
		buf_done(&before);
		buf_done(&after);
	}
	assert_true(creates(t));
}

/* It never waits for the ledger, nor for one that is there; but what is not recorded is said. */
static void a_key_is_retired_now_without_a_ledger(void **st)
{
	struct tmpadmin *t = *st;
	struct key k = { 0 };

	assert_int_equal(admin_key_create(t->a, "acme", "", &k, &t->reason, &t->why), RC_OK);
	replace(t, "ledger/data.mdb");
	assert_int_equal(admin_key_retire(t->a, &(struct key_ref){ .site = "acme", .kid = k.kid }, 0, true, &t->reason, &t->why),
	                 RC_OK);
	assert_false(admin_settle(t->a, 1, &t->why));
	assert_non_null(strstr(t->why.text, "not everything about this change is in the audit log"));
	key_done(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(versions_tell_which_environment_changed),
		WITH_ADMIN(versions_need_no_right_to_write),
		WITH_ADMIN(a_vault_that_was_replaced_is_said_and_not_changed),
		WITH_ADMIN(a_key_is_retired_now_without_a_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
