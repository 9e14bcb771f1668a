#include "schema/schema-private.h"
#include "base/text.h"

/* RFC 3339 5.6: every number has a fixed width, every separator its place. */
struct reading { const char *at, *end; };

static bool read_digits(struct reading *r, unsigned width, unsigned *ret)
{
	unsigned n = 0;

	if ((size_t)(r->end - r->at) < width)
		return false;
	for (; width > 0; width--, r->at++) {
		if (!ascii_is_digit(*r->at))
			return false;
		n = n * 10 + (unsigned)(*r->at - '0');
	}
	*ret = n;
	return true;
}

/* One of two characters, for `T` and `Z` may be lower case. */
static bool read_char(struct reading *r, char one, char other)
{
	if (r->at == r->end || (*r->at != one && *r->at != other))
		return false;
	r->at++;
	return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool read_date(struct reading *r)
{
	unsigned year, month, day;

	return read_digits(r, 4, &year) && read_char(r, '-', '-') &&
	       read_digits(r, 2, &month) && read_char(r, '-', '-') &&
	       read_digits(r, 2, &day) &&
	       month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

static bool read_fraction(struct reading *r)
{
	const char *start;

	if (!read_char(r, '.', '.'))
		return true;
	for (start = r->at; r->at < r->end && ascii_is_digit(*r->at); r->at++)
		;
	return r->at > start;
}

/* Minutes to take from local time to have UTC. */
static bool read_offset(struct reading *r, int *ret)
{
	unsigned hours, minutes;
	int sign;

	if (read_char(r, 'Z', 'z')) {
		*ret = 0;
		return true;
	}
	sign = read_char(r, '+', '+') ? 1 : -1;
	if (sign < 0 && !read_char(r, '-', '-'))
		return false;
	if (!read_digits(r, 2, &hours) || !read_char(r, ':', ':') || !read_digits(r, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*ret = sign * (int)(hours * 60 + minutes);
	return true;
}

static bool read_time(struct reading *r)
{
	unsigned hour, minute, second;
	int offset;

	if (!read_digits(r, 2, &hour) || !read_char(r, ':', ':') || !read_digits(r, 2, &minute) ||
	    !read_char(r, ':', ':') || !read_digits(r, 2, &second) || !read_fraction(r) || !read_offset(r, &offset))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	/* a leap second is the last of a UTC day, and nowhere else (RFC 3339 5.7) */
	return second < 60 || ((int)(hour * 60 + minute) - offset + 2 * 1440) % 1440 == 1439;
}

static struct reading reading_of(struct span text)
{
	const char *start = text.data ? text.data : "";

	return (struct reading){ start, start + text.size };
}

static bool date_valid(struct span text)
{
	struct reading r = reading_of(text);

	return read_date(&r) && r.at == r.end;
}

static bool date_time_valid(struct span text)
{
	struct reading r = reading_of(text);

	return read_date(&r) && read_char(&r, 'T', 't') && read_time(&r) && r.at == r.end;
}

static const struct format formats[] = {
	{ "date",	date_valid },
	{ "date-time",	date_time_valid },
};

const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
