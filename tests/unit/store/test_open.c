/* Opening: every check that stands between a data directory and its use. */
#include "store/store-private.h"

#include "base/file.h"
#include "tests/lib/child.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Each test gets a directory that was made and closed. */
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

static enum rc open_rc(const char *dir, enum store_mode mode, struct why *why)
{
	enum rc rc = RC_OK;

	store_close(tmpstore_open(dir, mode, &rc, why));
	return rc;
}

static void all_three_modes_open(void **state)
{
	assert_int_equal(open_rc(*state, STORE_ADMIN, NULL), RC_OK);
	assert_int_equal(open_rc(*state, STORE_WORKER, NULL), RC_OK);
	assert_int_equal(open_rc(*state, STORE_READ, NULL), RC_OK);
}

static void a_missing_directory_says_what_to_run(void **state)
{
	struct why why = { "" };

	assert_int_equal(open_rc(tmpdir_path(*state, "nowhere"), STORE_READ, &why), RC_NOT_FOUND);
	assert_non_null(strstr(why.text, "postern init"));
}

static void a_missing_file_is_not_made_by_opening(void **state)
{
	assert_int_equal(unlink(tmpdir_path(*state, "ledger/data.mdb")), 0);
	assert_int_equal(open_rc(*state, STORE_WORKER, NULL), RC_NOT_FOUND);
	assert_int_not_equal(access(tmpdir_path(*state, "ledger/data.mdb"), F_OK), 0);
}

/* A worker may write into the ledger's directory. What the link leads to is not a worker's to destroy. */
static void no_file_is_opened_through_a_link(void **state)
{
	static const char *const names[] = { "ledger/lock.mdb", "ledger/data.mdb", "vault/lock.mdb", "vault/data.mdb" };
	static const enum store_mode modes[] = { STORE_ADMIN, STORE_WORKER, STORE_READ };
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct why why = { "" };

	assert_int_equal(file_read(tmpdir_path(*state, "admin.key"), 1 << 20, &before), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(rename(tmpdir_path(*state, names[i]), tmpdir_path(*state, "kept")), 0);
		assert_int_equal(symlink(tmpdir_path(*state, "admin.key"), tmpdir_path(*state, names[i])), 0);
		for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
			assert_int_equal(open_rc(*state, modes[m], &why), RC_IO);
			assert_non_null(strstr(why.text, names[i]));
			why.text[0] = '\0';
		}
		assert_int_equal(rename(tmpdir_path(*state, "kept"), tmpdir_path(*state, names[i])), 0);
	}
	assert_int_equal(file_read(tmpdir_path(*state, "admin.key"), 1 << 20, &after), RC_OK);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.data, after.data, before.size);
	buf_done(&before);
	buf_done(&after);
	assert_int_equal(open_rc(*state, STORE_ADMIN, NULL), RC_OK);
}

static void a_worker_writes_the_ledger_and_not_the_vault(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_WORKER, NULL, NULL);
	struct txn *t;

	assert_non_null(st);
	t = txn_write(st, ENV_VAULT);
	txn_put(t, DB_SITES, span_str("a"), span_str("b"));
	assert_int_equal(txn_end(t), RC_READ_ONLY);
	t = txn_write(st, ENV_LEDGER);
	txn_put(t, DB_DOCUMENTS, span_str("a"), span_str("b"));
	assert_int_equal(txn_end(t), RC_OK);
	store_close(st);
}

static void a_reader_writes_nothing(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_READ, NULL, NULL);
	struct writer *w;

	assert_non_null(st);
	assert_int_equal(txn_end(txn_write(st, ENV_VAULT)), RC_READ_ONLY);
	assert_int_equal(txn_end(txn_write(st, ENV_LEDGER)), RC_READ_ONLY);
	assert_int_equal(writer_start(st, &w), RC_READ_ONLY);
	store_close(st);
}

static void a_secret_file_open_to_others_is_refused(void **state)
{
	static const struct { const char *name; mode_t mode; enum store_mode opened; enum rc want; } rows[] = {
		{ "master.key", 0644, STORE_WORKER, RC_TOO_OPEN },
		{ "master.key", 0660, STORE_WORKER, RC_TOO_OPEN },
		{ "master.key", 0642, STORE_READ,   RC_TOO_OPEN },
		{ "master.key", 0640, STORE_WORKER, RC_OK },
		{ "admin.key",  0640, STORE_ADMIN,  RC_TOO_OPEN },
		{ "admin.key",  0640, STORE_WORKER, RC_OK },
		{ "admin.key",  0600, STORE_ADMIN,  RC_OK },
		{ "admin.state", 0660, STORE_ADMIN, RC_TOO_OPEN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { "" };

		assert_int_equal(chmod(tmpdir_path(*state, rows[i].name), rows[i].mode), 0);
		assert_int_equal(open_rc(*state, rows[i].opened, &why), rows[i].want);
		assert_int_equal(strstr(why.text, rows[i].name) != NULL, rows[i].want != RC_OK);
	}
}

static void a_master_key_that_does_not_fit_is_told_at_once(void **state)
{
	struct why why = { "" };
	uint8_t other[32] = { 1 };

	assert_int_equal(file_replace(tmpdir_path(*state, "master.key"), span_of(other, 32), 0640), RC_OK);
	assert_int_equal(open_rc(*state, STORE_WORKER, &why), RC_UNSEALED);
	assert_non_null(strstr(why.text, "does not fit"));
}

static void a_master_key_of_another_size_is_refused(void **state)
{
	uint8_t other[33] = { 1 };

	assert_int_equal(file_replace(tmpdir_path(*state, "master.key"), span_of(other, 33), 0640), RC_OK);
	assert_int_equal(open_rc(*state, STORE_WORKER, NULL), RC_UNSEALED);
	assert_int_equal(file_replace(tmpdir_path(*state, "master.key"), span_of(other, 0), 0640), RC_OK);
	assert_int_equal(open_rc(*state, STORE_WORKER, NULL), RC_UNSEALED);
	assert_int_equal(unlink(tmpdir_path(*state, "master.key")), 0);
	assert_int_equal(open_rc(*state, STORE_WORKER, NULL), RC_NOT_FOUND);
}

static void set_schema(const char *dir, enum env env, uint64_t version)
{
	struct store *st = tmpstore_open(dir, STORE_ADMIN, NULL, NULL);
	struct txn *t;
	uint8_t row[8];

	assert_non_null(st);
	be64_put(row, version);
	t = txn_write(st, env);
	txn_put(t, db_meta(env), span_str("schema"), span_of(row, sizeof(row)));
	assert_int_equal(txn_end(t), RC_OK);
	store_close(st);
}

static void a_newer_schema_is_refused(void **state)
{
	struct why why = { "" };

	set_schema(*state, ENV_LEDGER, LEDGER_SCHEMA + 1);
	assert_int_equal(open_rc(*state, STORE_WORKER, &why), RC_NEWER);
	assert_non_null(strstr(why.text, "newer"));
}

static void an_older_schema_asks_for_migrate(void **state)
{
	struct why why = { "" };

	set_schema(*state, ENV_VAULT, VAULT_SCHEMA - 1);
	assert_int_equal(open_rc(*state, STORE_ADMIN, &why), RC_OLDER);
	assert_non_null(strstr(why.text, "postern migrate"));
}

static void a_second_open_is_refused_under_any_name(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);

	assert_non_null(st);
	assert_int_equal(open_rc(*state, STORE_READ, NULL), RC_BUSY);
	assert_int_equal(open_rc(tmpdir_path(*state, "vault/.."), STORE_READ, NULL), RC_BUSY);
	store_close(st);
	assert_int_equal(open_rc(*state, STORE_READ, NULL), RC_OK);
}

static int open_in_child(struct child *self, void *dir)
{
	(void)self;
	return (int)open_rc(dir, STORE_WORKER, NULL);
}

static void another_process_may_open_it_too(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);
	struct child c;

	assert_non_null(st);
	assert_true(child_start(&c, open_in_child, *state));
	assert_int_equal(child_wait(&c), RC_OK);
	store_close(st);
}

/* As nobody, where the test runs as root: root may read and write anything. */
static int open_as_admin_in_child(struct child *self, void *dir)
{
	static const char *const names[] = { ".", "vault", "vault/data.mdb", "vault/lock.mdb", "ledger", "ledger/data.mdb",
	                                     "ledger/lock.mdb", "master.key", "admin.key", "admin.state" };
	struct why why = { "" };
	enum rc rc;

	(void)self;
	for (size_t i = 0; i < ARRAY_LEN(names) && geteuid() == 0; i++)
		if (chown(tmpdir_path(dir, names[i]), 65534, 65534) != 0)
			return CHILD_SKIP;
	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		return CHILD_SKIP;
	rc = open_rc(dir, STORE_ADMIN, &why);
	if (rc == RC_OK || !why.text[0])
		fprintf(stderr, "opened: %s %s\n", rc_name(rc), why.text);
	return rc == RC_READ_ONLY && why.text[0] ? 0 : 1;
}

static void an_admin_who_cannot_write_the_vault_is_told(void **state)
{
	struct child c;
	int code;

	assert_int_equal(chmod(tmpdir_path(*state, "vault/data.mdb"), 0440), 0);
	assert_true(child_start(&c, open_as_admin_in_child, *state));
	code = child_wait(&c);
	if (code == CHILD_SKIP)
		skip();
	assert_int_equal(code, 0);
	assert_int_equal(chmod(tmpdir_path(*state, "vault/data.mdb"), 0640), 0);
	assert_int_equal(chmod(tmpdir_path(*state, "admin.key"), 0), 0);
	assert_true(child_start(&c, open_as_admin_in_child, *state));
	assert_int_equal(child_wait(&c), 0);
}

static void vault_keys_are_three_and_stay_the_same(void **state)
{
	static const char *const names[] = { "known", "ring", "conversation" };
	uint8_t first[3][32];

	for (int round = 0; round < 2; round++) {
		struct store *st = tmpstore_open(*state, STORE_WORKER, NULL, NULL);

		assert_non_null(st);
		assert_null(store_vault_key(st, "other"));
		for (size_t i = 0; i < 3; i++) {
			const struct secret *key = store_vault_key(st, names[i]);

			assert_non_null(key);
			assert_int_equal(key->size, 32);
			if (round == 0)
				memcpy(first[i], key->data, 32);
			assert_memory_equal(first[i], key->data, 32);
		}
		store_close(st);
	}
	assert_memory_not_equal(first[0], first[1], 32);
	assert_memory_not_equal(first[1], first[2], 32);
}

static void vault_keys_are_not_in_the_file(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_WORKER, NULL, NULL);
	const struct secret *key = store_vault_key(st, "known");
	struct buf file = BUF_INIT;

	assert_non_null(st);
	assert_int_equal(file_read(tmpdir_path(*state, "vault/data.mdb"), 1 << 20, &file), RC_OK);
	assert_non_null(memmem(file.data, file.size, "key:known", 9));
	assert_null(memmem(file.data, file.size, key->data, key->size));
	buf_done(&file);
	store_close(st);
}

static void a_sealed_row_opens_in_its_place_only(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_WORKER, NULL, NULL);
	struct buf sealed = BUF_INIT;
	struct secret *s = NULL;

	assert_non_null(st);
	assert_int_equal(store_seal(st, span_str("ring a active"), span_str("secret"), &sealed), RC_OK);
	assert_null(memmem(sealed.data, sealed.size, "secret", 6));
	assert_int_equal(store_unseal(st, span_str("ring b active"), buf_span(&sealed), &s), RC_UNSEALED);
	assert_int_equal(store_unseal(st, span_str("ring a active"), buf_span(&sealed), &s), RC_OK);
	assert_true(span_is(secret_span(s), "secret"));
	secret_free(s);
	buf_done(&sealed);
	store_close(st);
}

static void a_replaced_file_is_noticed(void **state)
{
	struct store *st = tmpstore_open(*state, STORE_WORKER, NULL, NULL);

	assert_non_null(st);
	assert_false(store_replaced(st, ENV_VAULT));
	assert_false(store_replaced(st, ENV_LEDGER));
	assert_int_equal(rename(tmpdir_path(*state, "vault/data.mdb"), tmpdir_path(*state, "vault/old.mdb")), 0);
	assert_true(store_replaced(st, ENV_VAULT));
	assert_int_equal(file_create(tmpdir_path(*state, "vault/data.mdb"), span_str("other"), 0640), RC_OK);
	assert_true(store_replaced(st, ENV_VAULT));
	store_close(st);
}

static void the_data_directory_comes_from_the_environment(void **state)
{
	struct store_options o = { .mode = STORE_READ, .vault_map = TMPSTORE_MAP, .ledger_map = TMPSTORE_MAP };
	struct store *st = NULL;

	setenv("POSTERN_DATA", *state, 1);
	assert_int_equal(store_open(&o, &st, NULL), RC_OK);
	assert_string_equal(store_dir(st), *state);
	store_close(st);
	unsetenv("POSTERN_DATA");
}

static void the_master_key_is_looked_for_in_order(void **state)
{
	struct store_paths p;

	assert_int_equal(store_paths_init(&p, "/d", NULL), RC_OK);
	assert_string_equal(p.master_key, "/d/master.key");
	store_paths_done(&p);
	setenv("CREDENTIALS_DIRECTORY", *state, 1);
	assert_int_equal(store_paths_init(&p, "/d", NULL), RC_OK);
	assert_string_equal(p.master_key, "/d/master.key");
	store_paths_done(&p);
	assert_int_equal(file_create(tmpdir_path(*state, "postern.master-key"), span_str("x"), 0400), RC_OK);
	assert_int_equal(store_paths_init(&p, "/d", NULL), RC_OK);
	assert_string_equal(p.master_key, tmpdir_path(*state, "postern.master-key"));
	store_paths_done(&p);
	setenv("POSTERN_MASTER_KEY_FILE", "/named", 1);
	assert_int_equal(store_paths_init(&p, "/d", NULL), RC_OK);
	assert_string_equal(p.master_key, "/named");
	store_paths_done(&p);
	assert_int_equal(store_paths_init(&p, "/d", "/given"), RC_OK);
	assert_string_equal(p.master_key, "/given");
	store_paths_done(&p);
	unsetenv("POSTERN_MASTER_KEY_FILE");
	unsetenv("CREDENTIALS_DIRECTORY");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_three_modes_open),
		T(a_missing_directory_says_what_to_run),
		T(a_missing_file_is_not_made_by_opening),
		T(no_file_is_opened_through_a_link),
		T(a_worker_writes_the_ledger_and_not_the_vault),
		T(a_reader_writes_nothing),
		T(a_secret_file_open_to_others_is_refused),
		T(a_master_key_that_does_not_fit_is_told_at_once),
		T(a_master_key_of_another_size_is_refused),
		T(a_newer_schema_is_refused),
		T(an_older_schema_asks_for_migrate),
		T(a_second_open_is_refused_under_any_name),
		T(another_process_may_open_it_too),
		T(an_admin_who_cannot_write_the_vault_is_told),
		T(vault_keys_are_three_and_stay_the_same),
		T(vault_keys_are_not_in_the_file),
		T(a_sealed_row_opens_in_its_place_only),
		T(a_replaced_file_is_noticed),
		T(the_data_directory_comes_from_the_environment),
		T(the_master_key_is_looked_for_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
