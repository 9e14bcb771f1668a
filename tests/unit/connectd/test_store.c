/* test_store.c -- connections on disk: sealed, bound to their names, locked while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fcgi-app/connectd/store.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char home[64], dir[80];
	struct connect_store *store;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	memcpy(p->home, "/tmp/postern-test-XXXXXX", sizeof("/tmp/postern-test-XXXXXX"));
	if (!mkdtemp(p->home))
		return -1;
	snprintf(p->dir, sizeof(p->dir), "%s/data", p->home);
	*state = p;
	return connect_store_open(p->dir, &p->store, NULL) == RC_OK ? 0 : -1;
}

static const char *path_of(const struct place *p, const char *below)
{
	static char path[2][160];
	static unsigned turn;

	turn = 1 - turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", p->dir, below);
	return path[turn];
}

static int tear_down(void **state)
{
	static const char *const left[] = { "connect.key", "key.away", "connections/one", "connections/two", "connections/one.lock" };
	struct place *p = *state;

	connect_store_close(p->store);
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		unlink(path_of(p, left[i]));
	rmdir(path_of(p, "connections"));
	rmdir(p->dir);
	rmdir(p->home);
	free(p);
	return 0;
}

static void save(const struct place *p, const char *name)
{
	json_t *body = json_pack("{s:s, s:{s:s, s:s}, s:{s:s}}", "base_url", "https://shop.example", "auth", "type", "api_key",
				 "name", "X-Key", "secret", "api_key", "canary-1");
	struct connection c;

	assert_int_equal(connection_parse(name, body, 1000, &c, NULL), RC_OK);
	assert_int_equal(connect_store_save(p->store, &c), RC_OK);
	connection_done(&c);
	json_decref(body);
}

static void what_is_saved_is_there_in_another_process(void **state)
{
	struct place *p = *state;
	struct connection c;
	json_t *names;

	assert_int_equal(connect_store_load(p->store, "one", &c), RC_NOT_FOUND);
	save(p, "one");
	connect_store_close(p->store);
	p->store = NULL;
	assert_int_equal(connect_store_open(p->dir, &p->store, NULL), RC_OK);
	assert_int_equal(connect_store_load(p->store, "one", &c), RC_OK);
	assert_true(span_is(secret_span(c.api_key), "canary-1"));
	connection_done(&c);
	assert_int_equal(connect_store_names(p->store, &names), RC_OK);
	assert_int_equal(json_array_size(names), 1);
	json_decref(names);
	assert_int_equal(connect_store_remove(p->store, "one"), RC_OK);
	assert_int_equal(connect_store_remove(p->store, "one"), RC_NOT_FOUND);
	assert_int_equal(connect_store_load(p->store, "one", &c), RC_NOT_FOUND);
}

static void a_sealed_file_is_of_its_name_and_whole(void **state)
{
	struct place *p = *state;
	struct buf sealed = BUF_INIT;
	struct connection c;

	save(p, "one");
	assert_int_equal(file_read(path_of(p, "connections/one"), 65536, &sealed), RC_OK);
	assert_null(memmem(sealed.data, sealed.size, "canary", 6));
	assert_null(memmem(sealed.data, sealed.size, "shop.example", 12));
	assert_int_equal(file_create(path_of(p, "connections/two"), buf_span(&sealed), 0600), RC_OK);
	assert_int_equal(connect_store_load(p->store, "two", &c), RC_UNSEALED);
	sealed.data[sealed.size / 2] ^= 1;
	assert_int_equal(file_replace(path_of(p, "connections/one"), buf_span(&sealed), 0600), RC_OK);
	assert_int_equal(connect_store_load(p->store, "one", &c), RC_UNSEALED);
	buf_done(&sealed);
}

static void no_name_leads_out_of_the_folder(void **state)
{
	static const char *const names[] = { "", ".", "..", "../connect.key", "a/b", "one.lock", "One", "1one" };
	struct place *p = *state;
	struct connection c;
	int lock;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(connect_store_load(p->store, names[i], &c), RC_NOT_FOUND);
		assert_int_equal(connect_store_remove(p->store, names[i]), RC_NOT_FOUND);
		assert_int_equal(connect_store_lock(p->store, names[i], &lock), RC_NOT_FOUND);
	}
}

static void a_store_that_others_can_read_is_not_opened(void **state)
{
	struct place *p = *state;
	struct connect_store *again;
	struct stat st;

	assert_int_equal(stat(path_of(p, "connect.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 32);
	assert_int_equal(chmod(path_of(p, "connect.key"), 0640), 0);
	assert_int_equal(connect_store_open(p->dir, &again, NULL), RC_TOO_OPEN);
	assert_int_equal(chmod(path_of(p, "connect.key"), 0600), 0);
	assert_int_equal(chmod(p->dir, 0750), 0);
	assert_int_equal(connect_store_open(p->dir, &again, NULL), RC_TOO_OPEN);
}

static void a_lost_key_is_not_made_anew_beside_what_it_sealed(void **state)
{
	struct place *p = *state;
	struct connect_store *again;
	struct why why = { "" };

	save(p, "one");
	assert_int_equal(rename(path_of(p, "connect.key"), path_of(p, "key.away")), 0);
	assert_int_equal(connect_store_open(p->dir, &again, &why), RC_REFUSED);
	assert_non_null(strstr(why.text, "connect.key"));
	assert_int_equal(access(path_of(p, "connect.key"), F_OK), -1);
}

static void a_lock_holds_until_it_is_given_back(void **state)
{
	struct place *p = *state;
	int lock, fd;

	save(p, "one");
	assert_int_equal(connect_store_lock(p->store, "one", &lock), RC_OK);
	fd = open(path_of(p, "connections/one.lock"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	connect_store_unlock(p->store, "one", lock);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

/* Who waited for the lock of a connection that was removed meanwhile makes one anew, and takes it away again. */
static void a_lock_of_nothing_leaves_nothing(void **state)
{
	struct place *p = *state;
	int lock;

	save(p, "one");
	assert_int_equal(connect_store_lock(p->store, "one", &lock), RC_OK);
	assert_int_equal(connect_store_remove(p->store, "one"), RC_OK);
	connect_store_unlock(p->store, "one", lock);
	assert_int_equal(connect_store_lock(p->store, "one", &lock), RC_OK);
	assert_int_equal(access(path_of(p, "connections/one.lock"), F_OK), 0);
	connect_store_unlock(p->store, "one", lock);
	assert_int_equal(access(path_of(p, "connections/one.lock"), F_OK), -1);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(what_is_saved_is_there_in_another_process),
		STORE_TEST(a_sealed_file_is_of_its_name_and_whole),
		STORE_TEST(no_name_leads_out_of_the_folder),
		STORE_TEST(a_store_that_others_can_read_is_not_opened),
		STORE_TEST(a_lost_key_is_not_made_anew_beside_what_it_sealed),
		STORE_TEST(a_lock_holds_until_it_is_given_back),
		STORE_TEST(a_lock_of_nothing_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
