/* Network file systems are refused, whatever their statfs() number looks like. */
#include "store/store-private.h"

#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

static uint32_t pretend;      /* 0: what the system says */

int statfs(const char *path, struct statfs *s)
{
	int e = (int)syscall(SYS_statfs, path, s);

	if (e == 0 && pretend)
		s->f_type = (__fsword_t)pretend;
	return e;
}

static void network_file_systems_are_known_by_number(void **state)
{
	(void)state;
	assert_string_equal(remote_fs_name(0x6969), "NFS");
	assert_string_equal(remote_fs_name(0xff534d42), "CIFS");
	assert_string_equal(remote_fs_name(0xfe534d42), "SMB2");
	assert_string_equal(remote_fs_name(0x65735546), "FUSE");
	assert_string_equal(remote_fs_name(0x01021997), "9p");
	assert_string_equal(remote_fs_name(0x00c36400), "Ceph");
}

static void local_file_systems_are_not_refused(void **state)
{
	static const uint32_t local[] = { 0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		assert_null(remote_fs_name(local[i]));
}

static void init_on_nfs_is_refused_and_makes_nothing(void **state)
{
	char *dir = tmpdir_new();
	struct why why = { "" };

	(void)state;
	assert_non_null(dir);
	pretend = 0x6969;
	assert_int_equal(store_init(tmpdir_path(dir, "data"), NULL, NULL, &why), RC_REMOTE_FS);
	pretend = 0;
	assert_non_null(strstr(why.text, "NFS"));
	assert_int_not_equal(access(tmpdir_path(dir, "data"), F_OK), 0);
	tmpdir_free(dir);
}

static void open_on_a_directory_that_became_remote_is_refused(void **state)
{
	struct store *st = tmpstore_new();
	char *dir;
	enum rc rc;

	(void)state;
	assert_non_null(st);
	dir = strdup(store_dir(st));
	store_close(st);
	pretend = 0x65735546;
	assert_null(tmpstore_open(dir, STORE_WORKER, &rc, NULL));
	pretend = 0;
	assert_int_equal(rc, RC_REMOTE_FS);
	tmpdir_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_file_systems_are_known_by_number),
		cmocka_unit_test(local_file_systems_are_not_refused),
		cmocka_unit_test(init_on_nfs_is_refused_and_makes_nothing),
		cmocka_unit_test(open_on_a_directory_that_became_remote_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
