/* test_file.c -- small files: bounded reads, whole writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/postern-file-XXXXXX";
static char path[64], other[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	umask(0077);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);      /* fails where a temporary was left behind */
}

static void assert_file(const char *content, mode_t mode)
{
	struct buf b = BUF_INIT;
	struct stat st;

	assert_int_equal(file_read(path, 1000, &b), RC_OK);
	assert_true(span_is(buf_span(&b), content));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	buf_done(&b);
}

static void a_created_file_has_exactly_its_mode(void **state)
{
	(void)state;
	assert_int_equal(file_create(path, span_str("content"), 0664), RC_OK);
	assert_file("content", 0664);
}

static void a_file_that_is_there_is_not_overwritten(void **state)
{
	(void)state;
	assert_int_equal(file_create(path, span_str("first"), 0600), RC_OK);
	assert_int_equal(file_create(path, span_str("second"), 0644), RC_EXISTS);
	assert_file("first", 0600);
	assert_int_equal(symlink("nowhere", other), 0);
	assert_int_equal(file_create(other, span_str("x"), 0600), RC_EXISTS);
	assert_int_equal(file_create("/tmp/no/such/directory", span_str("x"), 0600), RC_NOT_FOUND);
}

static void a_replaced_file_keeps_its_mode(void **state)
{
	(void)state;
	assert_int_equal(file_replace(path, span_str("new"), 0640), RC_OK);
	assert_file("new", 0640);
	assert_int_equal(file_replace(path, span_of(NULL, 0), 0600), RC_OK);
	assert_file("", 0640);
}

static void a_link_is_not_replaced(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(file_replace(path, span_str("x"), 0600), RC_INVALID);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void reads_are_bounded(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(file_create(path, span_str("0123456789"), 0600), RC_OK);
	assert_int_equal(file_read(path, 9, &b), RC_INVALID);
	buf_clear(&b);
	assert_int_equal(file_read(path, 10, &b), RC_OK);
	assert_int_equal(b.size, 10);
	buf_clear(&b);
	assert_int_equal(file_read(other, 10, &b), RC_NOT_FOUND);
	assert_int_equal(file_read(dir, 10, &b), RC_IO);
	buf_done(&b);
}

static void a_dash_is_standard_input(void **state)
{
	struct buf b = BUF_INIT;
	int fds[2], before = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "piped", 5), 5);
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	assert_int_equal(file_read("-", 100, &b), RC_OK);
	if (before >= 0) {
		dup2(before, STDIN_FILENO);
		close(before);
	}
	assert_string_equal(b.data, "piped");
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_created_file_has_exactly_its_mode, clean),
		cmocka_unit_test_teardown(a_file_that_is_there_is_not_overwritten, clean),
		cmocka_unit_test_teardown(a_replaced_file_keeps_its_mode, clean),
		cmocka_unit_test_teardown(a_link_is_not_replaced, clean),
		cmocka_unit_test_teardown(reads_are_bounded, clean),
		cmocka_unit_test_teardown(a_dash_is_standard_input, clean),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
