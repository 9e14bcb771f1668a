/* Copies made while others go on, and copies put in the place of the data: what is in use is not touched, and a crash
 * on the way leaves a directory that says what to do. */
#include "store/store-private.h"

#include "tests/lib/child.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char *dir;                     /* a data directory; nobody has it open */
	char *to;                      /* where copies go */
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct store *st = tmpstore_new();

	if (!p || !st)
		return -1;
	p->dir = strdup(store_dir(st));
	p->to = tmpdir_new();
	store_close(st);
	*state = p;
	return p->dir && p->to ? 0 : -1;
}

static int teardown(void **state)
{
	struct place *p = *state;

	tmpdir_free(p->dir);
	tmpdir_free(p->to);
	free(p);
	return 0;
}

static struct store *open_dir(const char *dir, enum store_mode mode)
{
	struct why why = { "" };
	struct store *st = tmpstore_open(dir, mode, NULL, &why);

	if (!st)
		print_message("%s\n", why.text);
	assert_non_null(st);
	return st;
}

static struct store_options options(const struct place *p, const char *dir, enum store_mode mode)
{
	return (struct store_options){ .dir = dir, .master_key = tmpdir_path(p->dir, "master.key"), .mode = mode,
	                               .vault_map = TMPSTORE_MAP, .ledger_map = TMPSTORE_MAP };
}

/* A backup's own master key is elsewhere. */
static struct store *open_copy(const struct place *p, bool alone, const char *dir)
{
	struct store_options o = options(p, dir, STORE_READ);
	struct why why = { "" };
	struct store *st = NULL;
	enum rc rc;

	o.alone = alone;
	rc = store_open(&o, &st, &why);
	if (rc != RC_OK)
		print_message("%s\n", why.text);
	assert_int_equal(rc, RC_OK);
	return st;
}

static void put(struct store *st, const char *value)
{
	struct txn *vault = txn_write(st, ENV_VAULT), *ledger;

	txn_put(vault, DB_SITES, span_str("a"), span_str(value));
	assert_int_equal(txn_end(vault), RC_OK);
	ledger = txn_write(st, ENV_LEDGER);
	txn_put(ledger, DB_DOCUMENTS, span_str("a"), span_str(value));
	assert_int_equal(txn_end(ledger), RC_OK);
}

static bool holds(struct store *st, const char *value)
{
	struct txn *vault = txn_read(st, ENV_VAULT), *ledger = txn_read(st, ENV_LEDGER);
	struct span in_vault, in_ledger;
	bool both = txn_get(vault, DB_SITES, span_str("a"), &in_vault) && span_is(in_vault, value) &&
	            txn_get(ledger, DB_DOCUMENTS, span_str("a"), &in_ledger) && span_is(in_ledger, value);

	txn_abort(vault);
	txn_abort(ledger);
	return both;
}

static void write_value(const struct place *p, const char *value)
{
	struct store *st = open_dir(p->dir, STORE_ADMIN);

	put(st, value);
	store_close(st);
}

static bool dir_holds(const struct place *p, const char *value)
{
	struct store *st = open_dir(p->dir, STORE_ADMIN);
	bool is = holds(st, value);

	store_close(st);
	return is;
}

static mode_t mode_of(const char *dir, const char *name)
{
	struct stat s;

	return stat(tmpdir_path(dir, name), &s) == 0 ? s.st_mode & 07777 : 0;
}

/* ---- copies ---- */

static void a_copy_holds_what_was_committed_when_it_was_made(void **state)
{
	const struct place *p = *state;
	struct store *st = open_dir(p->dir, STORE_ADMIN), *copy;
	const char *to = tmpdir_path(p->to, "copy");
	struct txn *open = NULL;

	put(st, "one");
	open = txn_write(st, ENV_LEDGER);
	txn_put(open, DB_DOCUMENTS, span_str("a"), span_str("never committed"));
	assert_int_equal(store_copy(st, to, true, NULL), RC_OK);
	txn_abort(open);
	put(st, "two");
	copy = open_copy(p, false, to);
	assert_true(holds(copy, "one"));
	store_close(copy);
	store_close(st);
}

static void a_copy_is_its_owners_alone_and_has_no_lock_files(void **state)
{
	const struct place *p = *state;
	struct store *st = open_dir(p->dir, STORE_ADMIN), *copy;
	const char *to = tmpdir_path(p->to, "copy");

	assert_int_equal(store_copy(st, to, false, NULL), RC_OK);
	copy = open_copy(p, false, to);        /* nor does reading make any */
	store_close(copy);
	store_close(st);
	assert_int_equal(mode_of(to, "."), 0700);
	assert_int_equal(mode_of(to, "vault"), 0700);
	assert_int_equal(mode_of(to, "vault/data.mdb"), 0600);
	assert_int_equal(mode_of(to, "ledger/data.mdb"), 0600);
	assert_int_equal(mode_of(to, "vault/lock.mdb"), 0);
	assert_int_equal(mode_of(to, "ledger/lock.mdb"), 0);
	assert_int_equal(mode_of(to, "master.key"), 0);
	assert_int_equal(mode_of(to, "admin.key"), 0);
}

static void data_that_lost_its_lock_files_is_no_copy(void **state)
{
	const struct place *p = *state;
	enum rc rc;

	assert_int_equal(unlink(tmpdir_path(p->dir, "vault/lock.mdb")), 0);
	assert_int_equal(unlink(tmpdir_path(p->dir, "ledger/lock.mdb")), 0);
	assert_null(tmpstore_open(p->dir, STORE_READ, &rc, NULL));
	assert_int_equal(rc, RC_NOT_FOUND);
}

static void nothing_that_is_there_is_copied_over(void **state)
{
	const struct place *p = *state;
	struct store *st = open_dir(p->dir, STORE_ADMIN);
	struct why why = { "" };

	assert_int_equal(mkdir(tmpdir_path(p->to, "copy"), 0755), 0);
	assert_int_equal(mkdir(tmpdir_path(p->to, "copy/x"), 0755), 0);
	assert_int_equal(store_copy(st, tmpdir_path(p->to, "copy"), true, &why), RC_EXISTS);
	assert_int_equal(mode_of(p->to, "copy/x"), 0755);
	assert_int_equal(rmdir(tmpdir_path(p->to, "copy/x")), 0);
	assert_int_equal(store_copy(st, tmpdir_path(p->to, "copy"), true, &why), RC_OK);
	assert_int_equal(store_copy(st, tmpdir_path(p->to, "none/copy"), true, &why), RC_IO);
	store_close(st);
}

/* Files may be as large as the vault's copy, and no larger; the ledger's is. */
static int copy_without_room(struct child *self, void *arg)
{
	const struct place *p = arg;
	struct rlimit limit = { .rlim_cur = 65536, .rlim_max = RLIM_INFINITY };
	struct store *st = tmpstore_open(p->dir, STORE_READ, NULL, NULL);
	enum rc rc;

	(void)self;
	signal(SIGXFSZ, SIG_IGN);
	if (!st || setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	rc = store_copy(st, tmpdir_path(p->to, "copy"), true, NULL);
	store_close(st);
	return rc == RC_NOSPACE ? 0 : 2;
}

static void what_could_not_be_copied_leaves_nothing(void **state)
{
	const struct place *p = *state;
	struct store *st = open_dir(p->dir, STORE_ADMIN);
	struct txn *ledger = txn_write(st, ENV_LEDGER);
	static const char large[1 << 17];
	struct child c;

	txn_put(ledger, DB_DOCUMENTS, span_str("large"), span_of(large, sizeof(large)));
	assert_int_equal(txn_end(ledger), RC_OK);
	store_close(st);
	assert_true(child_start(&c, copy_without_room, *state));
	assert_int_equal(child_wait(&c), 0);
	assert_int_equal(mode_of(p->to, "copy"), 0);
}

/* ---- in use? ---- */

static int hold_open(struct child *self, void *arg)
{
	const struct place *p = arg;
	struct store *st = tmpstore_open(p->dir, STORE_WORKER, NULL, NULL);

	child_say(self, st ? 'o' : 'x');
	child_hear(self);
	store_close(st);
	return st ? 0 : 1;
}

static void in_use_is_what_any_process_has_open(void **state)
{
	struct place *p = *state;
	struct swap *swap = NULL;
	struct store *st;
	struct child c;

	assert_int_equal(store_unused(p->dir, NULL), RC_OK);
	assert_true(child_start(&c, hold_open, p));
	assert_int_equal(child_hear(&c), 'o');
	assert_int_equal(store_unused(p->dir, NULL), RC_BUSY);
	assert_int_equal(store_swap_begin(p->dir, &swap, NULL), RC_BUSY);
	child_say(&c, 'e');
	assert_int_equal(child_wait(&c), 0);
	assert_int_equal(store_unused(p->dir, NULL), RC_OK);
	st = open_dir(p->dir, STORE_ADMIN);
	assert_int_equal(store_unused(p->dir, NULL), RC_BUSY);
	put(st, "still locked");       /* asking lost no lock of ours */
	store_close(st);
	assert_int_equal(store_unused(p->dir, NULL), RC_OK);
}

static void a_process_that_was_killed_uses_nothing(void **state)
{
	struct place *p = *state;
	struct child c;

	assert_true(child_start(&c, hold_open, p));
	assert_int_equal(child_hear(&c), 'o');
	child_kill(&c);
	assert_int_equal(store_unused(p->dir, NULL), RC_OK);
}

/* ---- replacing ---- */

/* As a restore opens what is to become the data. */
static struct store *open_adopted(const struct place *p, const struct swap *swap)
{
	struct store_options o = options(p, store_swap_dir(swap), STORE_ADMIN);
	struct store *st = NULL;

	o.adopt = tmpdir_path(p->dir, "admin.key");
	assert_int_equal(store_open(&o, &st, NULL), RC_OK);
	return st;
}

/* The data as it is, with another value in it, made ready in swap's directory. */
static struct swap *prepared(const struct place *p, const char *value)
{
	struct swap *swap = NULL;
	struct store *st;

	assert_int_equal(store_swap_begin(p->dir, &swap, NULL), RC_OK);
	st = open_copy(p, true, p->dir);
	assert_int_equal(store_copy(st, store_swap_dir(swap), true, NULL), RC_OK);
	store_close(st);
	st = open_adopted(p, swap);
	put(st, value);
	store_close(st);
	return swap;
}

static void both_are_replaced_with_owners_and_modes_as_they_were(void **state)
{
	const struct place *p = *state;
	struct swap *swap;

	write_value(p, "one");
	assert_int_equal(chmod(tmpdir_path(p->dir, "vault/data.mdb"), 0644), 0);
	swap = prepared(p, "two");
	assert_int_equal(store_swap_commit(swap, NULL), RC_OK);
	store_swap_end(swap);
	assert_int_equal(mode_of(p->dir, "vault/data.mdb"), 0644);
	assert_int_equal(mode_of(p->dir, "ledger/data.mdb"), 0660);
	assert_int_equal(mode_of(p->dir, "swap"), 0);
	assert_int_equal(mode_of(p->dir, "swap.new"), 0);
	assert_true(dir_holds(p, "two"));
}

static void what_was_not_committed_leaves_all_as_it_was(void **state)
{
	const struct place *p = *state;

	write_value(p, "one");
	store_swap_end(prepared(p, "two"));
	assert_int_equal(mode_of(p->dir, "swap.new"), 0);
	assert_true(dir_holds(p, "one"));
}

/* The vault is older by its counter: only with an admin.state of its own it opens. */
static void an_older_vault_comes_with_its_own_state(void **state)
{
	const struct place *p = *state;
	struct store *st;
	struct swap *swap;

	write_value(p, "one");
	st = open_dir(p->dir, STORE_ADMIN);
	assert_int_equal(store_copy(st, tmpdir_path(p->to, "old"), true, NULL), RC_OK);
	for (int i = 0; i < 5; i++)
		put(st, "newer");
	store_close(st);
	assert_int_equal(store_swap_begin(p->dir, &swap, NULL), RC_OK);
	st = open_copy(p, false, tmpdir_path(p->to, "old"));
	assert_int_equal(store_copy(st, store_swap_dir(swap), true, NULL), RC_OK);
	store_close(st);
	store_close(open_adopted(p, swap));
	assert_int_equal(store_swap_commit(swap, NULL), RC_OK);
	store_swap_end(swap);
	assert_true(dir_holds(p, "one"));
}

/* As a crash leaves it: decided, and nothing, one or both of the files moved. */
static void crash_after(const struct place *p, int moved)
{
	static const char *const names[] = { "vault/data.mdb", "ledger/data.mdb", "admin.state" };
	char from[64];

	assert_int_equal(rename(tmpdir_path(p->dir, "kept"), tmpdir_path(p->dir, "swap")), 0);
	for (int i = 0; i < moved; i++) {
		snprintf(from, sizeof(from), "swap/%s", names[i]);
		assert_int_equal(rename(tmpdir_path(p->dir, from), tmpdir_path(p->dir, names[i])), 0);
	}
}

static void an_interrupted_one_opens_only_once_it_is_finished(void **state)
{
	const struct place *p = *state;

	for (int moved = 0; moved <= 3; moved++) {
		char value[32];
		struct swap *swap;
		struct why why = { "" };
		enum rc rc;

		snprintf(value, sizeof(value), "value %d", moved);
		swap = prepared(p, value);
		assert_int_equal(rename(store_swap_dir(swap), tmpdir_path(p->dir, "kept")), 0);
		store_swap_end(swap);
		crash_after(p, moved);
		assert_null(tmpstore_open(p->dir, STORE_WORKER, &rc, &why));
		assert_int_equal(rc, RC_BUSY);
		assert_non_null(strstr(why.text, "postern compact"));
		assert_int_equal(store_init(p->dir, NULL, NULL, &why), RC_BUSY);
		assert_int_equal(store_swap_begin(p->dir, &swap, NULL), RC_OK);
		store_swap_end(swap);
		assert_int_equal(mode_of(p->dir, "swap"), 0);
		assert_true(dir_holds(p, value));
	}
}

/* ---- who comes meanwhile ---- */

static int open_meanwhile(struct child *self, void *arg)
{
	const struct place *p = arg;
	enum store_mode mode = child_hear(self) == 'r' ? STORE_READ : STORE_ADMIN;
	struct store *st;
	enum rc rc;
	bool is;

	child_say(self, 'b');
	st = tmpstore_open(p->dir, mode, &rc, NULL);
	is = st && holds(st, "two");
	if (is && mode == STORE_ADMIN)
		put(st, "three");
	store_close(st);
	return is ? 0 : 1;
}

/* The kernel lists who waits behind a lock with an arrow. */
static bool is_waiting(pid_t pid)
{
	char line[256], who[32];
	FILE *f = fopen("/proc/locks", "re");
	bool waits = false;

	assert_non_null(f);
	snprintf(who, sizeof(who), " %ld ", (long)pid);
	while (fgets(line, sizeof(line), f))
		waits |= strstr(line, "->") && strstr(line, who);
	fclose(f);
	return waits;
}

/* It has opened the old files already when they are replaced, and must come out with the new ones. */
static void opens_in_the_new_data(struct place *p, char how)
{
	struct child c;
	struct swap *swap;

	write_value(p, "one");
	assert_true(child_start(&c, open_meanwhile, p));
	swap = prepared(p, "two");
	child_say(&c, how);
	assert_int_equal(child_hear(&c), 'b');
	for (int i = 0; i < 20000 && !is_waiting(c.pid); i++)
		usleep(1000);
	assert_true(is_waiting(c.pid));
	assert_int_equal(store_swap_commit(swap, NULL), RC_OK);
	store_swap_end(swap);
	assert_int_equal(child_wait(&c), 0);
	assert_true(dir_holds(p, how == 'r' ? "two" : "three"));
}

static void who_waits_to_read_gets_the_new_data(void **state)
{
	opens_in_the_new_data(*state, 'r');
}

static void who_waits_to_write_writes_into_the_new_data(void **state)
{
	opens_in_the_new_data(*state, 'w');
}

static void a_lock_file_that_is_a_link_is_not_touched(void **state)
{
	const struct place *p = *state;
	struct swap *swap = NULL;

	assert_int_equal(unlink(tmpdir_path(p->dir, "ledger/lock.mdb")), 0);
	assert_int_equal(symlink("../admin.key", tmpdir_path(p->dir, "ledger/lock.mdb")), 0);
	assert_int_not_equal(store_swap_begin(p->dir, &swap, NULL), RC_OK);
	assert_int_equal(unlink(tmpdir_path(p->dir, "ledger/lock.mdb")), 0);
	assert_int_equal(link(tmpdir_path(p->dir, "vault/lock.mdb"), tmpdir_path(p->dir, "ledger/lock.mdb")), 0);
	assert_int_equal(store_swap_begin(p->dir, &swap, NULL), RC_REFUSED);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(a_copy_holds_what_was_committed_when_it_was_made),
		WITH_PLACE(a_copy_is_its_owners_alone_and_has_no_lock_files),
		WITH_PLACE(data_that_lost_its_lock_files_is_no_copy),
		WITH_PLACE(nothing_that_is_there_is_copied_over),
		WITH_PLACE(what_could_not_be_copied_leaves_nothing),
		WITH_PLACE(in_use_is_what_any_process_has_open),
		WITH_PLACE(a_process_that_was_killed_uses_nothing),
		WITH_PLACE(both_are_replaced_with_owners_and_modes_as_they_were),
		WITH_PLACE(what_was_not_committed_leaves_all_as_it_was),
		WITH_PLACE(an_older_vault_comes_with_its_own_state),
		WITH_PLACE(an_interrupted_one_opens_only_once_it_is_finished),
		WITH_PLACE(who_waits_to_read_gets_the_new_data),
		WITH_PLACE(who_waits_to_write_writes_into_the_new_data),
		WITH_PLACE(a_lock_file_that_is_a_link_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
