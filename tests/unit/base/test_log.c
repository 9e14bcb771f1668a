/* test_log.c -- one line a call, whatever the text holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char logged[8192];

/* What standard error got since capture_begin(). */
static int saved, reading;

static void capture_begin(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reading = fds[0];
}

static const char *capture_end(void)
{
	ssize_t n;

	dup2(saved, STDERR_FILENO);      /* closes the pipe's last writing end */
	close(saved);
	n = read(reading, logged, sizeof(logged) - 1);
	close(reading);
	logged[n > 0 ? n : 0] = '\0';
	return logged;
}

static void a_line_starts_with_its_priority(void **state)
{
	(void)state;
	capture_begin();
	log_line(LOG_LEVEL_ERROR, "cannot open %s", "vault");
	log_line(LOG_LEVEL_INFO, "started");
	assert_string_equal(capture_end(), "<3>cannot open vault\n<6>started\n");
}

static void outside_text_cannot_start_a_line(void **state)
{
	(void)state;
	capture_begin();
	log_line(LOG_LEVEL_WARNING, "host %s", "a\n<3>forged\x1b[2J");
	assert_string_equal(capture_end(), "<4>host a\\x0a<3>forged\\x1b[2J\n");
}

static void a_long_line_stays_one_line(void **state)
{
	const char *line;

	(void)state;
	capture_begin();
	log_line(LOG_LEVEL_ERROR, "%5000s", "\n");
	line = capture_end();
	assert_true(strlen(line) > 1000 && strlen(line) < 2100);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void quieter_levels_are_not_written(void **state)
{
	(void)state;
	capture_begin();
	log_line(LOG_LEVEL_DEBUG, "not at info");
	log_set_level(LOG_LEVEL_ERROR);
	log_line(LOG_LEVEL_WARNING, "not at error");
	log_set_level(LOG_LEVEL_DEBUG);
	log_line(LOG_LEVEL_DEBUG, "seen");
	log_set_level(LOG_LEVEL_INFO);
	assert_string_equal(capture_end(), "<7>seen\n");
}

static void levels_have_four_names(void **state)
{
	enum log_level level = LOG_LEVEL_DEBUG;

	(void)state;
	assert_true(log_level_parse("warning", &level));
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_false(log_level_parse("WARNING", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_LEVEL_WARNING);
}

static void rarely_is_once_a_minute(void **state)
{
	struct rarely r = { 0 };
	uint64_t next;

	(void)state;
	assert_true(rarely(&r));
	assert_false(rarely(&r));
	next = atomic_load(&r.next_ms);
	atomic_store(&r.next_ms, next - 60000);        /* as if the minute were over */
	assert_true(rarely(&r));
	assert_false(rarely(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_starts_with_its_priority),
		cmocka_unit_test(outside_text_cannot_start_a_line),
		cmocka_unit_test(a_long_line_stays_one_line),
		cmocka_unit_test(quieter_levels_are_not_written),
		cmocka_unit_test(levels_have_four_names),
		cmocka_unit_test(rarely_is_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
