/* clock.c -- time: what the wall says, what has passed, and how people write both. */
#include "base/clock.h"

#include "base/codes.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS_A_DAY UINT64_C(86400)
#define DURATION_MAX (UINT64_C(36525) * SECONDS_A_DAY)      /* 100 years */

uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_s(void)
{
	return clock_us() / 1000000;
}

uint64_t clock_mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_thread_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

const char *clock_format(uint64_t us, char out[CLOCK_TEXT_MAX])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, CLOCK_TEXT_MAX, "?");
	return out;
}

/* Exactly `digits` decimal digits. */
static bool take_number(const char **at, unsigned digits, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < digits; i++, (*at)++) {
		if (!ascii_is_digit(**at))
			return false;
		n = n * 10 + (unsigned)(**at - '0');
	}
	*ret = n;
	return n <= max;
}

static bool take_char(const char **at, char c)
{
	if (ascii_lower(**at) != c)
		return false;
	(*at)++;
	return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

/* Days since 1970-01-01 of a Gregorian date from then on. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	uint64_t before = year - 1;
	uint64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;

	for (unsigned m = 1; m < month; m++)
		days += days_in_month(year, m);
	return days + day - 1;
}

static bool take_date(const char **at, uint64_t *ret_s)
{
	unsigned year, month, day;

	if (!take_number(at, 4, 9999, &year) || !take_char(at, '-') ||
	    !take_number(at, 2, 12, &month) || !take_char(at, '-') ||
	    !take_number(at, 2, 31, &day))
		return false;
	if (year < 1970 || month < 1 || day < 1 || day > days_in_month(year, month))
		return false;
	*ret_s = days_since_1970(year, month, day) * SECONDS_A_DAY;
	return true;
}

/* "T03:16:00", perhaps with a fraction. */
static bool take_time(const char **at, uint64_t *ret_us)
{
	unsigned hour, minute, second;
	uint64_t us = 0, scale = 100000;

	if (!take_char(at, 't') || !take_number(at, 2, 23, &hour) || !take_char(at, ':') ||
	    !take_number(at, 2, 59, &minute) || !take_char(at, ':') || !take_number(at, 2, 59, &second))
		return false;
	if (take_char(at, '.')) {
		if (!ascii_is_digit(**at))
			return false;
		for (; ascii_is_digit(**at); (*at)++, scale /= 10)
			us += scale * (uint64_t)(**at - '0');
	}
	*ret_us = (hour * UINT64_C(3600) + minute * 60 + second) * 1000000 + us;
	return true;
}

/* "Z" or "+02:00": seconds east of UTC. */
static bool take_offset(const char **at, int64_t *ret_s)
{
	unsigned hour, minute;
	bool west = **at == '-';

	*ret_s = 0;
	if (take_char(at, 'z'))
		return true;
	if (!(take_char(at, '+') || take_char(at, '-')) || !take_number(at, 2, 23, &hour) ||
	    !take_char(at, ':') || !take_number(at, 2, 59, &minute))
		return false;
	*ret_s = ((int64_t)hour * 3600 + minute * 60) * (west ? -1 : 1);
	return true;
}

static bool parse_rfc3339(const char *text, uint64_t *ret_us)
{
	uint64_t date_s, time_us;
	int64_t offset_s, us;

	if (!take_date(&text, &date_s))
		return false;
	if (!*text) {
		*ret_us = date_s * 1000000;
		return true;
	}
	if (!take_time(&text, &time_us) || !take_offset(&text, &offset_s) || *text)
		return false;
	us = (int64_t)(date_s * 1000000 + time_us) - offset_s * 1000000;
	if (us < 0)
		return false;
	*ret_us = (uint64_t)us;
	return true;
}

bool clock_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
	uint64_t ago;

	if (text[0] != '-')
		return parse_rfc3339(text, ret_us);
	if (!duration_parse(text + 1, &ago) || ago > now_us / 1000000)
		return false;
	*ret_us = now_us - ago * 1000000;
	return true;
}

static const struct unit {
	char letter;
	uint64_t seconds;
} units[] = {
	{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', SECONDS_A_DAY },
};

bool duration_parse(const char *text, uint64_t *ret_s)
{
	const char *at = text;
	uint64_t n = 0;

	for (; ascii_is_digit(*at); at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > DURATION_MAX)
			return false;
	}
	if (at == text || !at[0] || at[1])
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].letter == *at && n <= DURATION_MAX / units[i].seconds) {
			*ret_s = n * units[i].seconds;
			return true;
		}
	}
	return false;
}

/* The largest unit of which there are two at least: 47h says more than 1d. */
const char *duration_format(uint64_t s, char out[CLOCK_TEXT_MAX])
{
	size_t i = ARRAY_LEN(units) - 1;

	while (i > 0 && s < 2 * units[i].seconds)
		i--;
	snprintf(out, CLOCK_TEXT_MAX, "%" PRIu64 "%c", s / units[i].seconds, units[i].letter);
	return out;
}
