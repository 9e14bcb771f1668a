/* test_clock.c -- times and durations as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/codes.h"

#include <string.h>

#define NOW_US (UINT64_C(1763690000) * 1000000)

static void times_are_read_in_every_form(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} times[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-02", UINT64_C(86400000000) },
		{ "2000-02-29T23:59:59Z", UINT64_C(951868799000000) },
		{ "2025-11-21T01:53:20Z", NOW_US },
		{ "2025-11-21t01:53:20z", NOW_US },
		{ "2025-11-21T03:53:20+02:00", NOW_US },
		{ "2025-11-20T20:23:20-05:30", NOW_US },
		{ "2025-11-21T01:53:20.5Z", NOW_US + 500000 },
		{ "2025-11-21T01:53:20.1234567Z", NOW_US + 123456 },
		{ "9999-12-31T23:59:59Z", UINT64_C(253402300799000000) },
		{ "-1h", NOW_US - UINT64_C(3600000000) },
		{ "-0s", NOW_US },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t us = 1;

		assert_true(clock_parse(times[i].text, NOW_US, &us));
		assert_true(us == times[i].us);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "-", "-1", "-1x", "now", "1h", "2025", "2025-13-01", "2025-00-10", "2025-02-29", "1900-01-01",
		"2025-11-21T", "2025-11-21T24:00:00Z", "2025-11-21T01:53:20", "2025-11-21T01:53:20Zx",
		"2025-11-21T01:53:60Z", "2025-11-21T01:53:20.Z", "2025-11-21T01:53:20+2:00", "2025-11-21 01:53:20Z",
		"1970-01-01T00:00:00+01:00", " 2025-11-21", "-36500d", "+2025-11-21",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t us = 77;

		assert_false(clock_parse(bad[i], NOW_US, &us));
		assert_true(us == 77);
	}
}

static void a_written_time_reads_back(void **state)
{
	char text[CLOCK_TEXT_MAX];
	uint64_t us;

	(void)state;
	assert_string_equal(clock_format(UINT64_C(1795230960999999), text), "2026-11-21T03:16:00Z");
	for (uint64_t s = 0; s < UINT64_C(4102444800); s += UINT64_C(86400) * 13 + 12345) {
		assert_true(clock_parse(clock_format(s * 1000000, text), 0, &us));
		assert_true(us == s * 1000000);
	}
}

static void any_number_is_written_within_the_room(void **state)
{
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_true(strlen(clock_format(UINT64_MAX, text)) < CLOCK_TEXT_MAX);
	assert_true(strlen(duration_format(UINT64_MAX, text)) < CLOCK_TEXT_MAX);
}

static void durations_are_digits_and_one_unit(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t s;
	} cases[] = {
		{ "30s", true, 30 }, { "15m", true, 900 }, { "48h", true, 172800 }, { "7d", true, 604800 },
		{ "0s", true, 0 }, { "36525d", true, UINT64_C(36525) * 86400 }, { "36526d", false, 0 },
		{ "", false, 0 }, { "s", false, 0 }, { "30", false, 0 }, { "30 s", false, 0 }, { "-1s", false, 0 },
		{ "1h30m", false, 0 }, { "1H", false, 0 }, { "1w", false, 0 }, { "1.5h", false, 0 },
		{ "99999999999999999999999s", false, 0 }, { "18446744073709551617s", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t s = 0;

		assert_int_equal(duration_parse(cases[i].text, &s), cases[i].ok);
		assert_true(s == cases[i].s);
	}
}

static void durations_are_written_in_the_largest_telling_unit(void **state)
{
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(duration_format(3, text), "3s");
	assert_string_equal(duration_format(119, text), "119s");
	assert_string_equal(duration_format(12 * 60 + 5, text), "12m");
	assert_string_equal(duration_format(47 * 3600 + 3599, text), "47h");
	assert_string_equal(duration_format(7 * 86400, text), "7d");
}

static void clocks_go_forward(void **state)
{
	uint64_t mono = clock_mono_ms(), wall = clock_s();

	(void)state;
	assert_true(clock_mono_ms() >= mono);
	assert_true(wall > 1700000000 && clock_us() / 1000000 >= wall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_in_every_form),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_written_time_reads_back),
		cmocka_unit_test(any_number_is_written_within_the_room),
		cmocka_unit_test(durations_are_digits_and_one_unit),
		cmocka_unit_test(durations_are_written_in_the_largest_telling_unit),
		cmocka_unit_test(clocks_go_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
