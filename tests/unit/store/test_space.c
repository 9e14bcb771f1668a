/* A full map, a full disk, a larger map: what fails, fails cleanly, and what was stored stays. */
#include "store/store-private.h"

#include "tests/lib/child.h"
#include "tests/lib/tmpstore.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define BIG 100000

static char big[BIG];

static enum rc put_big(struct txn *ledger, void *arg)
{
	txn_put(ledger, DB_DOCUMENTS, span_str(arg), span_of(big, sizeof(big)));
	return RC_OK;
}

static enum rc put_small(struct txn *ledger, void *arg)
{
	txn_put(ledger, DB_KEY_USE, span_str(arg), span_str("small"));
	return RC_OK;
}

static enum rc del_big(struct txn *ledger, void *arg)
{
	return txn_del(ledger, DB_DOCUMENTS, span_str(arg)) ? RC_OK : RC_NOT_FOUND;
}

/* Puts big rows until one fails; how many went in. */
static unsigned fill(struct writer *w, enum rc *ret_rc)
{
	char key[16];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "big%u", i);
		*ret_rc = writer_call(w, put_big, key);
		if (*ret_rc != RC_OK)
			return i;
	}
	return 1000;
}

/* What holds after any kind of "full": said so, and small writes go on once something was deleted. */
static int full_and_back(struct store *st)
{
	struct store_space full, after;
	struct writer *w = NULL;
	enum rc rc = RC_OK;
	unsigned n;

	if (!st || writer_start(st, &w) != RC_OK)
		return 1;
	n = fill(w, &rc);
	if (n < 3 || n >= 1000 || rc != RC_NOSPACE) {
		fprintf(stderr, "%u rows, then %s\n", n, rc_name(rc));
		return 2;
	}
	if (store_space(st, &full) != RC_OK || full.used > full.limit)
		return 3;
	for (char key[] = "big0"; key[3] < '2'; key[3]++)
		if ((rc = writer_call(w, del_big, key)) != RC_OK) {
			fprintf(stderr, "delete: %s\n", rc_name(rc));
			return 4;
		}
	for (char key[] = "s0"; key[1] <= '9'; key[1]++)
		if (writer_call(w, put_small, key) != RC_OK)
			return 5;
	if (store_space(st, &after) != RC_OK || after.used >= full.used)
		return 6;
	if (!writer_stop(w, 1000))
		return 7;
	return 0;
}

static void a_full_map_is_no_space_and_recovers(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, 0, MIB);
	struct txn *t;

	(void)state;
	assert_int_equal(full_and_back(st), 0);
	t = txn_read(st, ENV_LEDGER);
	assert_int_equal(txn_count(t, DB_KEY_USE), 10);
	assert_int_equal(txn_end(t), RC_OK);
	tmpstore_free(st);
}

static void a_full_map_without_a_writer_is_no_space_too(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, MIB, MIB);
	struct txn *t;
	char key[16];

	(void)state;
	assert_non_null(st);
	t = txn_write(st, ENV_VAULT);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%u", i);
		txn_put(t, DB_SITES, span_str(key), span_of(big, sizeof(big)));
	}
	assert_int_equal(txn_end(t), RC_NOSPACE);
	t = txn_write(st, ENV_VAULT);
	txn_put(t, DB_SITES, span_str("a"), span_str("small"));
	assert_int_equal(txn_end(t), RC_OK);
	tmpstore_free(st);
}

/* One job of a batch is too large: the others are kept. */
static void a_job_that_does_not_fit_fails_alone(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, 0, MIB);
	struct writer *w = NULL;
	enum rc rc;
	unsigned n;
	char key[16];
	struct txn *t;

	(void)state;
	assert_non_null(st);
	assert_int_equal(writer_start(st, &w), RC_OK);
	n = fill(w, &rc);
	assert_int_equal(rc, RC_NOSPACE);
	snprintf(key, sizeof(key), "big%u", n);
	assert_int_equal(writer_call(w, put_small, key), RC_OK);
	assert_int_equal(writer_call(w, put_big, key), RC_NOSPACE);
	assert_int_equal(writer_call(w, put_small, key), RC_OK);
	assert_true(writer_stop(w, 1000));
	t = txn_read(st, ENV_LEDGER);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), n);
	txn_abort(t);
	tmpstore_free(st);
}

/* ---- what is written ahead ---- */

static uint64_t ledger_size(struct store *st)
{
	struct stat file;
	mdb_filehandle_t fd;

	assert_int_equal(mdb_env_get_fd(st->envs[ENV_LEDGER].mdb, &fd), 0);
	assert_int_equal(fstat(fd, &file), 0);
	return (uint64_t)file.st_size;
}

/* Bytes of the file behind its last page. */
static uint64_t ahead(struct store *st)
{
	MDB_envinfo info;
	MDB_stat stat;

	assert_int_equal(mdb_env_info(st->envs[ENV_LEDGER].mdb, &info), 0);
	assert_int_equal(mdb_env_stat(st->envs[ENV_LEDGER].mdb, &stat), 0);
	return ledger_size(st) - (info.me_last_pgno + 1) * stat.ms_psize;
}

static void commits_seldom_make_the_file_longer(void **state)
{
	struct store *st = tmpstore_new_with(STORE_WORKER, 0, 0);
	struct writer *w = NULL;
	unsigned longer = 0;
	struct span row;
	struct txn *t;
	uint64_t size;
	char key[16];

	(void)state;
	assert_non_null(st);
	memset(big, 'b', sizeof(big));
	assert_int_equal(writer_start(st, &w), RC_OK);
	for (unsigned i = 0; i < 50; i++) {
		size = ledger_size(st);
		snprintf(key, sizeof(key), "big%u", i);
		assert_int_equal(writer_call(w, put_big, key), RC_OK);
		longer += ledger_size(st) != size;
		assert_true(ahead(st) <= MIB);
	}
	assert_in_range(longer, 1, 50 * BIG / MIB * 3);
	assert_true(writer_stop(w, 1000));
	t = txn_read(st, ENV_LEDGER);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "big%u", i);
		assert_true(txn_get(t, DB_DOCUMENTS, span_str(key), &row) && row.size == BIG);
		assert_memory_equal(row.data, big, BIG);
	}
	txn_abort(t);
	tmpstore_free(st);
}

/* ---- a limit on the file's size: the same path as a full disk, with another errno ---- */

static int under_file_size_limit(struct child *self, void *arg)
{
	struct rlimit limit = { .rlim_cur = MIB, .rlim_max = RLIM_INFINITY };
	struct store *st = tmpstore_new();
	int code;

	(void)self;
	(void)arg;
	signal(SIGXFSZ, SIG_IGN);
	if (!st || getrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 100;
	limit.rlim_cur = MIB;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return CHILD_SKIP;
	code = full_and_back(st);
	tmpstore_free(st);
	return code;
}

static void a_file_that_may_not_grow_is_no_space_and_recovers(void **state)
{
	struct child c;
	int code;

	(void)state;
	assert_true(child_start(&c, under_file_size_limit, NULL));
	code = child_wait(&c);
	if (code == CHILD_SKIP)
		skip();
	assert_int_equal(code, 0);
}

/* ---- a disk of 2 MiB, where the test may mount one ---- */

static bool write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fputs(text, f) >= 0;

	return f && fclose(f) == 0 && ok;
}

/* Its own mounts; without root, as the root of a user namespace of its own. */
static bool own_mounts(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char users[64], groups[64];

	snprintf(users, sizeof(users), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", gid);
	if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0)
		return false;
	if (uid != 0 && (!write_to("/proc/self/setgroups", "deny") || !write_to("/proc/self/uid_map", users) ||
	                 !write_to("/proc/self/gid_map", groups)))
		return false;
	return mount("none", "/", "none", MS_REC | MS_PRIVATE, "") == 0;
}

/* The last of a disk's space is not for zeros. */
static bool nothing_ahead(struct store *st)
{
	struct writer *w = NULL;
	bool ok = writer_start(st, &w) == RC_OK && writer_call(w, put_big, (char[]){ "first" }) == RC_OK && ahead(st) == 0;

	return w && writer_stop(w, 1000) && ok;
}

static int on_small_disk(struct child *self, void *dir)
{
	struct store *st;
	enum rc rc;
	int code;

	(void)self;
	if (!own_mounts() || mount("none", dir, "tmpfs", 0, "size=2m,mode=0700") != 0)
		return CHILD_SKIP;
	if (store_init(dir, NULL, NULL, NULL) != RC_OK)
		return 100;
	st = tmpstore_open(dir, STORE_WORKER, NULL, NULL);
	code = nothing_ahead(st) ? full_and_back(st) : 102;
	store_close(st);
	if (code == 0) {
		st = tmpstore_open(dir, STORE_ADMIN, &rc, NULL);
		if (!st) {
			fprintf(stderr, "opened again: %s\n", rc_name(rc));
			return 101;
		}
		store_close(st);
	}
	return code;
}

static void a_full_disk_is_no_space_and_recovers(void **state)
{
	char *dir = tmpdir_new();
	struct child c;
	int code;

	(void)state;
	assert_non_null(dir);
	assert_true(child_start(&c, on_small_disk, dir));
	code = child_wait(&c);
	tmpdir_free(dir);
	if (code == CHILD_SKIP)
		skip();
	assert_int_equal(code, 0);
}

/* ---- a larger map elsewhere ---- */

static int write_past_small_map(struct child *self, void *dir)
{
	struct store *st = tmpstore_open(dir, STORE_WORKER, NULL, NULL);
	struct txn *t = txn_write(st, ENV_LEDGER);
	char key[16];

	(void)self;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "far%02u", i);
		txn_append(t, DB_DOCUMENTS, span_str(key), span_of(big, sizeof(big)));
	}
	return (int)txn_end(t);
}

static void a_map_that_another_program_outgrew_is_adopted(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, 0, MIB);
	struct reader *r;
	struct span row;
	struct child c;
	struct txn *t;

	(void)state;
	assert_non_null(st);
	assert_int_equal(reader_new(st, &r), RC_OK);
	assert_int_equal(txn_rc(reader_begin(r, ENV_LEDGER)), RC_OK);
	assert_true(child_start(&c, write_past_small_map, (void *)store_dir(st)));
	assert_int_equal(child_wait(&c), RC_OK);
	/* The reader's own snapshot keeps the map in its place: busy, not a crash. */
	assert_int_equal(txn_end(txn_read(st, ENV_LEDGER)), RC_BUSY);
	t = reader_begin(r, ENV_LEDGER);
	assert_true(txn_get(t, DB_DOCUMENTS, span_str("far39"), &row));
	assert_int_equal(row.size, BIG);
	reader_end(r, ENV_LEDGER);
	t = txn_write(st, ENV_LEDGER);
	txn_put(t, DB_DOCUMENTS, span_str("more"), span_of(big, sizeof(big)));
	assert_int_equal(txn_end(t), RC_OK);
	reader_free(r);
	tmpstore_free(st);
}

static void space_is_what_is_used_of_what_there_is(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, 0, 16 * MIB);
	struct store_space before, after;
	struct txn *t;

	(void)state;
	assert_non_null(st);
	assert_int_equal(store_space(st, &before), RC_OK);
	assert_int_equal(before.limit, 16 * MIB);
	t = txn_write(st, ENV_LEDGER);
	for (char key[] = "a"; key[0] <= 'j'; key[0]++)
		txn_put(t, DB_DOCUMENTS, span_str(key), span_of(big, sizeof(big)));
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(store_space(st, &after), RC_OK);
	assert_in_range(after.used - before.used, 10 * BIG, 11 * BIG);
	tmpstore_free(st);
}

static void use_is_told_of_each_environment(void **state)
{
	struct store *st = tmpstore_new();
	uint64_t vault, ledger, after;
	struct store_space space;
	struct txn *t;

	(void)state;
	assert_non_null(st);
	assert_int_equal(store_used(st, ENV_VAULT, &vault), RC_OK);
	assert_int_equal(store_used(st, ENV_LEDGER, &ledger), RC_OK);
	assert_int_equal(store_space(st, &space), RC_OK);
	assert_int_equal(ledger, space.used);
	t = txn_write(st, ENV_VAULT);
	txn_put(t, DB_SITES, span_str("a"), span_of(big, sizeof(big)));
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(store_used(st, ENV_VAULT, &after), RC_OK);
	assert_in_range(after - vault, BIG, 2 * BIG);
	t = txn_write(st, ENV_VAULT);
	assert_true(txn_del(t, DB_SITES, span_str("a")));
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(store_used(st, ENV_VAULT, &after), RC_OK);
	assert_in_range(after - vault, 0, BIG / 2);      /* freed pages stay in the file, and are not in use */
	assert_int_equal(store_used(st, ENV_LEDGER, &after), RC_OK);
	assert_int_equal(after, ledger);
	tmpstore_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_map_is_no_space_and_recovers),
		cmocka_unit_test(a_full_map_without_a_writer_is_no_space_too),
		cmocka_unit_test(a_job_that_does_not_fit_fails_alone),
		cmocka_unit_test(commits_seldom_make_the_file_longer),
		cmocka_unit_test(a_file_that_may_not_grow_is_no_space_and_recovers),
		cmocka_unit_test(a_full_disk_is_no_space_and_recovers),
		cmocka_unit_test(a_map_that_another_program_outgrew_is_adopted),
		cmocka_unit_test(space_is_what_is_used_of_what_there_is),
		cmocka_unit_test(use_is_told_of_each_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
