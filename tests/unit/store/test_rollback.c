/* An older vault is told by admin.state; a vault that only moves on never is, however many admins write at once. */
#include "store/store-private.h"

#include "base/file.h"
#include "tests/lib/child.h"
#include "tests/lib/tmpstore.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct store *st = tmpstore_new();

	if (!st)
		return -1;
	*state = strdup(store_dir(st));
	store_close(st);
	return 0;
}

static int teardown(void **state)
{
	tmpdir_free(*state);
	return 0;
}

static enum rc change(struct store *st, const char *site, bool ring)
{
	struct txn *t = txn_write(st, ENV_VAULT);

	txn_put(t, DB_SITES, span_str(site), span_str("settings"));
	if (ring)
		txn_ring_changed(t, span_str(site));
	return txn_end(t);
}

static enum rc open_and_change(const char *dir, const char *site, bool ring)
{
	enum rc rc;
	struct store *st = tmpstore_open(dir, STORE_ADMIN, &rc, NULL);

	if (st)
		rc = change(st, site, ring);
	store_close(st);
	return rc;
}

static struct vault_state state_of(const char *dir)
{
	struct vault_state s = { 0 };
	struct store_paths p;

	assert_int_equal(store_paths_init(&p, dir, NULL), RC_OK);
	assert_int_equal(admin_state_read(&p, &s, NULL), RC_OK);
	store_paths_done(&p);
	return s;
}

static void copy(const char *dir, const char *from, const char *to, mode_t mode)
{
	struct buf b = BUF_INIT;

	assert_int_equal(file_read(tmpdir_path(dir, from), 1 << 24, &b), RC_OK);
	assert_int_equal(file_replace(tmpdir_path(dir, to), buf_span(&b), mode), RC_OK);
	buf_done(&b);
}

static void each_change_counts_once_and_a_ring_moves_the_mac(void **state)
{
	struct vault_state first = state_of(*state), second, third;

	assert_int_equal(open_and_change(*state, "a", false), RC_OK);
	second = state_of(*state);
	assert_int_equal(second.counter, first.counter + 1);
	assert_memory_equal(second.rings, first.rings, sizeof(first.rings));
	assert_int_equal(open_and_change(*state, "b", true), RC_OK);
	third = state_of(*state);
	assert_int_equal(third.counter, second.counter + 1);
	assert_memory_not_equal(third.rings, second.rings, sizeof(first.rings));
}

static void a_transaction_that_wrote_nothing_or_failed_does_not_count(void **state)
{
	struct vault_state before = state_of(*state);
	struct store *st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);
	struct txn *t;

	assert_non_null(st);
	assert_int_equal(txn_end(txn_write(st, ENV_VAULT)), RC_OK);
	t = txn_write(st, ENV_VAULT);
	txn_put(t, DB_SITES, span_str("a"), span_str("b"));
	txn_fail(t, RC_REFUSED);
	assert_int_equal(txn_end(t), RC_REFUSED);
	store_close(st);
	assert_int_equal(state_of(*state).counter, before.counter);
}

static void a_copied_back_vault_is_rolled_back(void **state)
{
	struct why why = { "" };
	enum rc rc;

	copy(*state, "vault/data.mdb", "old.mdb", 0640);
	assert_int_equal(open_and_change(*state, "a", true), RC_OK);
	copy(*state, "old.mdb", "vault/data.mdb", 0640);
	assert_null(tmpstore_open(*state, STORE_ADMIN, &rc, &why));
	assert_int_equal(rc, RC_ROLLED_BACK);
	assert_non_null(strstr(why.text, "vault rolled back"));
}

static void another_history_of_the_same_length_is_rolled_back(void **state)
{
	enum rc rc;

	copy(*state, "vault/data.mdb", "old.mdb", 0640);
	copy(*state, "admin.state", "old.state", 0600);
	assert_int_equal(open_and_change(*state, "a", true), RC_OK);
	copy(*state, "admin.state", "a.state", 0600);
	copy(*state, "old.mdb", "vault/data.mdb", 0640);
	copy(*state, "old.state", "admin.state", 0600);
	assert_int_equal(open_and_change(*state, "b", true), RC_OK);
	copy(*state, "a.state", "admin.state", 0600);
	assert_null(tmpstore_open(*state, STORE_ADMIN, &rc, NULL));
	assert_int_equal(rc, RC_ROLLED_BACK);
}

static void a_vault_ahead_of_the_file_is_adopted(void **state)
{
	struct vault_state now;
	struct store *st;

	copy(*state, "admin.state", "old.state", 0600);
	assert_int_equal(open_and_change(*state, "a", true), RC_OK);
	now = state_of(*state);
	copy(*state, "old.state", "admin.state", 0600);
	st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);
	assert_non_null(st);
	store_close(st);
	assert_int_equal(state_of(*state).counter, now.counter);
	assert_memory_equal(state_of(*state).rings, now.rings, sizeof(now.rings));
}

static void who_only_reads_adopts_nothing(void **state)
{
	struct vault_state old = state_of(*state);
	struct store *st;

	copy(*state, "admin.state", "old.state", 0600);
	assert_int_equal(open_and_change(*state, "a", true), RC_OK);
	copy(*state, "old.state", "admin.state", 0600);
	st = tmpstore_open(*state, STORE_READ, NULL, NULL);
	assert_non_null(st);
	store_close(st);
	assert_int_equal(state_of(*state).counter, old.counter);
}

static void a_missing_file_is_refused_and_made_by_init(void **state)
{
	struct vault_state now;
	struct why why = { "" };
	enum rc rc;

	assert_int_equal(open_and_change(*state, "a", true), RC_OK);
	now = state_of(*state);
	assert_int_equal(unlink(tmpdir_path(*state, "admin.state")), 0);
	assert_null(tmpstore_open(*state, STORE_ADMIN, &rc, &why));
	assert_int_equal(rc, RC_NOT_FOUND);
	assert_non_null(strstr(why.text, "postern init"));
	assert_int_equal(store_init(*state, NULL, NULL, NULL), RC_OK);
	assert_int_equal(state_of(*state).counter, now.counter);
	assert_memory_equal(state_of(*state).rings, now.rings, sizeof(now.rings));
	assert_int_equal(open_and_change(*state, "b", true), RC_OK);
}

static void a_file_that_does_not_parse_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "{}", "[1]", "{\"counter\":1}", "{\"counter\":-1,\"rings\":\"\"}", "{\"counter\":1,\"rings\":\"00\"}",
		"{\"counter\":\"1\",\"rings\":\"0000000000000000000000000000000000000000000000000000000000000000\"}",
		"{\"counter\":0,\"rings\":\"0000000000000000000000000000000000000000000000000000000000000000\"}",
		"{\"counter\":1,\"rings\":\"000000000000000000000000000000000000000000000000000000000000000G\"}",
	};
	enum rc rc;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(file_replace(tmpdir_path(*state, "admin.state"), span_str(bad[i]), 0600), RC_OK);
		assert_null(tmpstore_open(*state, STORE_ADMIN, &rc, NULL));
		assert_int_equal(rc, RC_CORRUPT);
	}
}

/* The slower of two programs comes with a counter that the file is already past. */
static void the_file_is_never_lowered(void **state)
{
	struct vault_state five = { .counter = 5 }, six = { .counter = 6, .rings = { 6 } };
	struct store_paths p;

	assert_int_equal(store_paths_init(&p, *state, NULL), RC_OK);
	assert_int_equal(admin_state_raise(&p, &six), RC_OK);
	assert_int_equal(admin_state_raise(&p, &five), RC_OK);
	store_paths_done(&p);
	assert_int_equal(state_of(*state).counter, 6);
	assert_int_equal(state_of(*state).rings[0], 6);
}

/* ---- the transaction id in vault/lock.mdb, which every process with the vault open may write ---- */

/* LMDB 0.9: struct MDB_txbody { u32 magic, format; pthread_mutex_t; size_t txnid }. */
#define TXNID_AT (8 + sizeof(pthread_mutex_t))
/* A meta page: 16 bytes of page header; magic, version, address, map size; two tables of 48; last page; txnid. */
#define META_TXNID_AT (16 + 8 + 8 + 8 + 2 * 48 + 8)

static uint64_t last_txnid(const char *dir)
{
	uint64_t id, last = 0;
	int fd = open(tmpdir_path(dir, "vault/data.mdb"), O_RDONLY | O_CLOEXEC);

	for (off_t page = 0; page < 2; page++)
		if (pread(fd, &id, sizeof(id), page * sysconf(_SC_PAGESIZE) + (off_t)META_TXNID_AT) == sizeof(id) && id > last)
			last = id;
	close(fd);
	return last;
}

struct attack {
	const char *dir;
	int64_t step;
};

/* In a process of its own: closing lock.mdb by hand would drop the test's own locks. */
static int move_txnid(struct child *self, void *arg)
{
	const struct attack *a = arg;
	int fd = open(tmpdir_path(a->dir, "vault/lock.mdb"), O_RDWR);
	uint64_t id;

	(void)self;
	if (fd < 0 || pread(fd, &id, sizeof(id), TXNID_AT) != sizeof(id))
		return 1;
	if (a->step < 0 && id != last_txnid(a->dir))
		return 2;      /* this is not the field it is meant to be */
	id += (uint64_t)a->step;
	return pwrite(fd, &id, sizeof(id), TXNID_AT) == sizeof(id) ? 0 : 3;
}

static void attack(const char *dir, int64_t step)
{
	struct attack a = { dir, step };
	struct child c;

	assert_true(child_start(&c, move_txnid, &a));
	assert_int_equal(child_wait(&c), 0);
}

static const char *apart_dir;

static int change_apart(struct child *self, void *site)
{
	(void)self;
	return open_and_change(apart_dir, site, true) != RC_OK;
}

/* Changed by another process. */
static int apart(const char *dir, const char *site)
{
	struct child c;

	apart_dir = dir;
	assert_true(child_start(&c, change_apart, (void *)site));
	return child_wait(&c);
}

static int hold_open(struct child *self, void *dir)
{
	struct store *st = tmpstore_open(dir, STORE_WORKER, NULL, NULL);

	child_say(self, st ? 'o' : 'x');
	child_hear(self);
	store_close(st);
	return 0;
}

static void a_transaction_id_set_back_under_a_worker_is_caught_at_open(void **state)
{
	struct child worker;
	struct store *st;
	enum rc rc;

	assert_true(child_start(&worker, hold_open, *state));
	assert_int_equal(child_hear(&worker), 'o');
	assert_int_equal(open_and_change(*state, "a", true), RC_OK);
	assert_int_equal(open_and_change(*state, "b", true), RC_OK);
	attack(*state, -1);
	assert_null(tmpstore_open(*state, STORE_ADMIN, &rc, NULL));
	assert_int_equal(rc, RC_ROLLED_BACK);
	attack(*state, 1);
	st = tmpstore_open(*state, STORE_ADMIN, &rc, NULL);
	assert_non_null(st);
	store_close(st);
	child_say(&worker, 'q');
	assert_int_equal(child_wait(&worker), 0);
}

static void a_transaction_id_set_back_under_an_admin_is_caught_at_the_next_write(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);
	struct span row;
	struct txn *t;

	assert_non_null(st);
	assert_int_equal(change(st, "a", true), RC_OK);
	assert_int_equal(change(st, "b", true), RC_OK);
	attack(*state, -1);
	t = txn_read(st, ENV_VAULT);
	assert_false(txn_get(t, DB_SITES, span_str("b"), &row));      /* the attack does what it says */
	txn_abort(t);
	assert_int_equal(change(st, "c", true), RC_ROLLED_BACK);
	attack(*state, 1);
	assert_int_equal(change(st, "c", true), RC_OK);
	store_close(st);
}

/* For who has it open all day and changes nothing. */
static void a_transaction_id_set_back_is_told_to_who_asks(void **state)
{
	static const enum store_mode modes[] = { STORE_ADMIN, STORE_READ };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct store *st = tmpstore_open(*state, modes[i], NULL, NULL);
		struct why why = { "" };

		assert_non_null(st);
		assert_int_equal(store_check_rollback(st, NULL), RC_OK);
		assert_int_equal(apart(*state, "a"), 0);
		assert_int_equal(apart(*state, "b"), 0);
		assert_int_equal(store_check_rollback(st, NULL), RC_OK);
		attack(*state, -1);
		assert_int_equal(store_check_rollback(st, &why), RC_ROLLED_BACK);
		assert_non_null(strstr(why.text, "vault rolled back"));
		attack(*state, 1);
		assert_int_equal(store_check_rollback(st, NULL), RC_OK);
		store_close(st);
	}
}

/* ---- another admin at the worst moment ---- */

static const char *busy_dir;      /* where another admin makes a change after each begin of a read; NULL: nowhere */

static int change_once(struct child *self, void *dir)
{
	(void)self;
	busy_dir = NULL;
	return open_and_change(dir, "other", true) != RC_OK;
}

int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **ret)
{
	static int (*real)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);
	struct child other;
	int e;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_begin");
	e = real(env, parent, flags, ret);
	if (e == 0 && busy_dir && (flags & MDB_RDONLY)) {
		assert_true(child_start(&other, change_once, (void *)busy_dir));
		assert_int_equal(child_wait(&other), 0);
	}
	return e;
}

static void a_change_between_the_snapshot_and_the_comparison_is_no_rollback(void **state)
{
	struct vault_state before = state_of(*state);
	struct store *st;
	enum rc rc;

	busy_dir = *state;
	st = tmpstore_open(*state, STORE_ADMIN, &rc, NULL);
	busy_dir = NULL;
	assert_int_equal(rc, RC_OK);
	assert_true(state_of(*state).counter > before.counter);
	assert_int_equal(change(st, "mine", true), RC_OK);
	store_close(st);
}

/* ---- many admins ---- */

enum { ADMINS = 16, OPENS = 3, CHANGES = 4 };

static int change_often(struct child *self, void *dir)
{
	child_hear(self);      /* all begin together */
	for (int i = 0; i < OPENS; i++) {
		struct why why = { "" };
		enum rc rc;
		struct store *st = tmpstore_open(dir, STORE_ADMIN, &rc, &why);

		for (int j = 0; j < CHANGES && rc == RC_OK; j++)
			rc = change(st, "a", j % 2);
		store_close(st);
		if (rc != RC_OK) {
			fprintf(stderr, "an admin failed: %s %s\n", rc_name(rc), why.text);
			return 1;
		}
	}
	return 0;
}

static void many_admins_at_once_are_no_rollback(void **state)
{
	struct vault_state before = state_of(*state);
	struct child admins[ADMINS];
	int failed = 0;

	for (size_t i = 0; i < ADMINS; i++)
		assert_true(child_start(&admins[i], change_often, *state));
	for (size_t i = 0; i < ADMINS; i++)
		child_say(&admins[i], 'g');
	for (size_t i = 0; i < ADMINS; i++)
		failed += child_wait(&admins[i]) != 0;
	assert_int_equal(failed, 0);
	assert_int_equal(state_of(*state).counter, before.counter + ADMINS * OPENS * CHANGES);
	assert_int_equal(open_and_change(*state, "z", false), RC_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_change_counts_once_and_a_ring_moves_the_mac),
		T(a_transaction_that_wrote_nothing_or_failed_does_not_count),
		T(a_copied_back_vault_is_rolled_back),
		T(another_history_of_the_same_length_is_rolled_back),
		T(a_vault_ahead_of_the_file_is_adopted),
		T(who_only_reads_adopts_nothing),
		T(a_missing_file_is_refused_and_made_by_init),
		T(a_file_that_does_not_parse_is_refused),
		T(the_file_is_never_lowered),
		T(a_transaction_id_set_back_under_a_worker_is_caught_at_open),
		T(a_transaction_id_set_back_under_an_admin_is_caught_at_the_next_write),
		T(a_transaction_id_set_back_is_told_to_who_asks),
		T(a_change_between_the_snapshot_and_the_comparison_is_no_rollback),
		T(many_admins_at_once_are_no_rollback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
