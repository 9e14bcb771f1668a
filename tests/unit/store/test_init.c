/* A data directory is made whole, with the modes of design 9, and mended when init runs again. */
#include "store/store-private.h"

#include "base/file.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct { const char *name; mode_t mode; } modes[] = {
	{ ".", 0750 }, { "vault", 0750 }, { "vault/data.mdb", 0640 }, { "vault/lock.mdb", 0660 }, { "ledger", 0750 },
	{ "ledger/data.mdb", 0660 }, { "ledger/lock.mdb", 0660 }, { "master.key", 0640 }, { "admin.key", 0600 },
	{ "admin.state", 0600 },
};

static mode_t mode_of(const char *dir, const char *name)
{
	struct stat s;

	return stat(tmpdir_path(dir, name), &s) == 0 ? s.st_mode & 07777 : 0;
}

static void assert_modes(const char *dir)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		assert_int_equal(mode_of(dir, modes[i].name), modes[i].mode);
}

static int setup(void **state)
{
	unsetenv("POSTERN_MASTER_KEY_FILE");
	unsetenv("CREDENTIALS_DIRECTORY");
	*state = tmpdir_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpdir_free(*state);
	return 0;
}

static enum rc init(const char *dir, bool *ret_created)
{
	return store_init(dir, NULL, ret_created, NULL);
}

static void every_file_has_its_mode_under_any_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		char name[] = { 'd', (char)('0' + i), '\0' };
		char *dir = strdup(tmpdir_path(*state, name));
		mode_t before = umask(masks[i]);
		bool created = false;
		enum rc rc = init(dir, &created);

		umask(before);
		assert_int_equal(rc, RC_OK);
		assert_true(created);
		assert_modes(dir);
		free(dir);
	}
}

static void keys_are_32_bytes_and_differ(void **state)
{
	struct buf master = BUF_INIT, admin = BUF_INIT;

	assert_int_equal(init(*state, NULL), RC_OK);
	assert_int_equal(file_read(tmpdir_path(*state, "master.key"), 64, &master), RC_OK);
	assert_int_equal(file_read(tmpdir_path(*state, "admin.key"), 64, &admin), RC_OK);
	assert_int_equal(master.size, 32);
	assert_int_equal(admin.size, 32);
	assert_memory_not_equal(master.data, admin.data, 32);
	buf_done(&master);
	buf_done(&admin);
}

static void running_again_mends_modes_and_changes_nothing_else(void **state)
{
	struct buf before = BUF_INIT, after = BUF_INIT;
	bool created = true;

	assert_int_equal(init(*state, NULL), RC_OK);
	assert_int_equal(file_read(tmpdir_path(*state, "master.key"), 64, &before), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		assert_int_equal(chmod(tmpdir_path(*state, modes[i].name), 0700), 0);
	assert_int_equal(init(*state, &created), RC_OK);
	assert_false(created);
	assert_modes(*state);
	assert_int_equal(file_read(tmpdir_path(*state, "master.key"), 64, &after), RC_OK);
	assert_true(span_equal(buf_span(&before), buf_span(&after)));
	buf_done(&before);
	buf_done(&after);
}

static void it_may_run_beside_an_open_store(void **state)
{
	struct store *st;

	assert_int_equal(init(*state, NULL), RC_OK);
	st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);
	assert_non_null(st);
	assert_int_equal(init(*state, NULL), RC_OK);
	store_close(st);
}

static void what_an_interrupted_init_left_out_is_made(void **state)
{
	static const char *const left_out[] = { "vault/lock.mdb", "ledger/data.mdb", "admin.key", "admin.state" };
	struct store *st;
	bool created;

	assert_int_equal(init(*state, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
		assert_int_equal(unlink(tmpdir_path(*state, left_out[i])), 0);
		assert_null(tmpstore_open(*state, STORE_ADMIN, NULL, NULL));
		created = false;
		assert_int_equal(init(*state, &created), RC_OK);
		assert_true(created);
		assert_modes(*state);
		st = tmpstore_open(*state, STORE_ADMIN, NULL, NULL);
		assert_non_null(st);
		store_close(st);
	}
}

static void an_empty_vault_file_without_state_is_filled(void **state)
{
	struct store *st;

	assert_int_equal(mkdir(tmpdir_path(*state, "vault"), 0700), 0);
	assert_int_equal(file_create(tmpdir_path(*state, "vault/data.mdb"), span_of(NULL, 0), 0600), RC_OK);
	assert_int_equal(init(*state, NULL), RC_OK);
	st = tmpstore_open(*state, STORE_WORKER, NULL, NULL);
	assert_non_null(st);
	store_close(st);
}

static void a_missing_master_key_is_not_replaced_by_one_that_opens_nothing(void **state)
{
	assert_int_equal(init(*state, NULL), RC_OK);
	assert_int_equal(unlink(tmpdir_path(*state, "master.key")), 0);
	assert_int_equal(init(*state, NULL), RC_REFUSED);
	assert_int_not_equal(access(tmpdir_path(*state, "master.key"), F_OK), 0);
	assert_int_equal(mode_of(*state, "ledger"), 0750);
}

static void a_vanished_vault_is_not_begun_anew(void **state)
{
	assert_int_equal(init(*state, NULL), RC_OK);
	assert_int_equal(unlink(tmpdir_path(*state, "vault/data.mdb")), 0);
	assert_int_equal(init(*state, NULL), RC_REFUSED);
}

static void a_directory_of_somebody_elses_files_is_refused(void **state)
{
	assert_int_equal(file_create(tmpdir_path(*state, "letter.txt"), span_str("dear"), 0644), RC_OK);
	assert_int_equal(init(*state, NULL), RC_REFUSED);
	assert_int_equal(mode_of(*state, "."), 0700);
}

static void an_unknown_group_is_refused(void **state)
{
	assert_int_equal(store_init(tmpdir_path(*state, "data"), "no-such-group-here", NULL, NULL), RC_NOT_FOUND);
	assert_int_not_equal(access(tmpdir_path(*state, "data"), F_OK), 0);
}

static void a_link_in_the_ledger_is_not_followed(void **state)
{
	struct why why = { "" };

	assert_int_equal(init(tmpdir_path(*state, "data"), NULL), RC_OK);
	assert_int_equal(file_create(tmpdir_path(*state, "shadow"), span_str("root"), 0600), RC_OK);
	assert_int_equal(unlink(tmpdir_path(*state, "data/ledger/data.mdb")), 0);
	assert_int_equal(symlink("../../shadow", tmpdir_path(*state, "data/ledger/data.mdb")), 0);
	assert_int_equal(store_init(tmpdir_path(*state, "data"), NULL, NULL, &why), RC_REFUSED);
	assert_non_null(strstr(why.text, "ledger/data.mdb"));
	assert_int_equal(mode_of(*state, "shadow"), 0600);
}

static void a_second_name_of_a_file_elsewhere_is_not_mended(void **state)
{
	assert_int_equal(init(tmpdir_path(*state, "data"), NULL), RC_OK);
	assert_int_equal(file_create(tmpdir_path(*state, "shadow"), span_str("root"), 0600), RC_OK);
	assert_int_equal(unlink(tmpdir_path(*state, "data/ledger/lock.mdb")), 0);
	assert_int_equal(link(tmpdir_path(*state, "shadow"), tmpdir_path(*state, "data/ledger/lock.mdb")), 0);
	assert_int_equal(init(tmpdir_path(*state, "data"), NULL), RC_REFUSED);
	assert_int_equal(mode_of(*state, "shadow"), 0600);
}

static void a_master_key_kept_elsewhere_is_used(void **state)
{
	char *data = strdup(tmpdir_path(*state, "data"));
	struct store *st;

	assert_int_equal(file_create(tmpdir_path(*state, "elsewhere"), span_str("0123456789abcdef0123456789abcdef"), 0400),
	                 RC_OK);
	setenv("POSTERN_MASTER_KEY_FILE", tmpdir_path(*state, "elsewhere"), 1);
	assert_int_equal(init(data, NULL), RC_OK);
	assert_int_not_equal(access(tmpdir_path(data, "master.key"), F_OK), 0);
	st = tmpstore_open(data, STORE_WORKER, NULL, NULL);
	assert_non_null(st);
	store_close(st);
	unsetenv("POSTERN_MASTER_KEY_FILE");
	free(data);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_file_has_its_mode_under_any_umask),
		T(keys_are_32_bytes_and_differ),
		T(running_again_mends_modes_and_changes_nothing_else),
		T(it_may_run_beside_an_open_store),
		T(what_an_interrupted_init_left_out_is_made),
		T(an_empty_vault_file_without_state_is_filled),
		T(a_missing_master_key_is_not_replaced_by_one_that_opens_nothing),
		T(a_vanished_vault_is_not_begun_anew),
		T(a_directory_of_somebody_elses_files_is_refused),
		T(an_unknown_group_is_refused),
		T(a_link_in_the_ledger_is_not_followed),
		T(a_second_name_of_a_file_elsewhere_is_not_mended),
		T(a_master_key_kept_elsewhere_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
