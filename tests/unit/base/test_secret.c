/* test_secret.c -- key bytes: made zeroed, read whole, never more than asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void a_new_secret_is_zero_and_terminated(void **state)
{
	struct secret *s = secret_new(100);

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->size, 100);
	for (size_t i = 0; i <= 100; i++)
		assert_int_equal(s->data[i], 0);
	secret_free(s);
	secret_free(NULL);
	assert_null(secret_new(SIZE_MAX));
}

static void a_copy_is_the_same_bytes(void **state)
{
	struct secret *s = secret_copy(span_of("a\0b", 3)), *none = secret_copy(span_of(NULL, 0));

	(void)state;
	assert_memory_equal(s->data, "a\0b\0", 4);
	assert_int_equal(none->size, 0);
	secret_free(s);
	secret_free(none);
}

static void a_full_arena_still_gives_memory(void **state)
{
	struct secret *many[64];

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		many[i] = secret_new(40000);      /* 64 of them are more than the arena */
		assert_non_null(many[i]);
		assert_int_equal(many[i]->data[39999], 0);
		memset(many[i]->data, (int)i, 40000);
	}
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(many[i]->data[39999], i);
		secret_free(many[i]);
	}
}

static void wiped_bytes_are_gone(void **state)
{
	char text[] = "secret";

	(void)state;
	secret_wipe(text, sizeof(text));
	assert_memory_equal(text, "\0\0\0\0\0\0", 7);
	secret_wipe(NULL, 0);
}

static void the_process_leaves_no_core_and_is_not_traceable(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 0);
	secret_process_init();      /* again: nothing changes */
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
}

static void a_descriptor_is_read_to_its_end(void **state)
{
	struct secret *s = NULL;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "0123456789", 10), 10);
	close(fds[1]);
	assert_int_equal(secret_read_fd(fds[0], 10, &s), RC_OK);
	assert_true(span_is(secret_span(s), "0123456789"));
	close(fds[0]);
	secret_free(s);
}

static void a_file_longer_than_asked_is_refused(void **state)
{
	char path[] = "/tmp/postern-secret-XXXXXX";
	struct secret *s = NULL;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	close(fd);
	assert_int_equal(secret_read_file(path, 9, &s), RC_INVALID);
	assert_null(s);
	assert_int_equal(secret_read_file(path, 10, &s), RC_OK);
	assert_int_equal(s->size, 10);
	secret_free(s);
	s = NULL;
	unlink(path);
	assert_int_equal(secret_read_file(path, 10, &s), RC_NOT_FOUND);
	assert_int_equal(secret_read_file("/tmp", 10, &s), RC_IO);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_secret_is_zero_and_terminated),
		cmocka_unit_test(a_copy_is_the_same_bytes),
		cmocka_unit_test(a_full_arena_still_gives_memory),
		cmocka_unit_test(wiped_bytes_are_gone),
		cmocka_unit_test(the_process_leaves_no_core_and_is_not_traceable),
		cmocka_unit_test(a_descriptor_is_read_to_its_end),
		cmocka_unit_test(a_file_longer_than_asked_is_refused),
	};

	secret_process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
