/* record-members.c -- a record of the log, member by member, for people: what one looks for first stands first, and times are
 * times. The log is hostile input. */
#include "admin/admin.h"
#include "base/clock.h"

#include <stdio.h>

#define NAME_MAX_SHOWN 64

/* What a reader looks for first; whatever else there is follows. */
static const char *const order[] = {
	"seq", "time", "event", "outcome", "reason", "site", "action", "effect", "status", "count", "first", "last",
	"remote", "subject", "token", "kid", "kid_claimed", "expiry", "conversation", "ignored", "actor", "detail",
};

struct telling { record_member take; void *arg; };

static bool in_order(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(order[i], name) == 0)
			return true;
	return false;
}

/* Microseconds of a time member, 0: it is none. */
static uint64_t time_unit(const char *name)
{
	static const struct { const char *name; uint64_t unit; } times[] = {
		{ "time", 1 }, { "first", 1 }, { "last", 1 }, { "detail.since", 1 }, { "detail.until", 1 },
		{ "detail.retire_at", 1000000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (strcmp(times[i].name, name) == 0)
			return times[i].unit;
	return 0;
}

/* What is no time of this world stays the number it is. */
static void add_time(struct buf *text, const char *name, const json_t *value)
{
	json_int_t n = json_integer_value(value);
	uint64_t unit = time_unit(name), us;
	char at[CLOCK_TEXT_MAX];

	if (unit && n > 0 && !__builtin_mul_overflow((uint64_t)n, unit, &us))
		buf_addf(text, " (%s)", clock_format(us, at));
}

static void tell(const struct telling *t, const char *name, const json_t *value)
{
	struct buf text = BUF_INIT;

	if (!value)
		return;
	if (json_is_string(value))
		buf_add_span(&text, json_span(value));
	else
		json_canonical(&text, value);
	add_time(&text, name, value);
	buf_add_char(&text, '\0');
	t->take(t->arg, name, text.failed ? "(out of memory)" : text.data);
	buf_done(&text);
}

/* A name that Postern does not write, in quotes: else "Email" or "What to do" would look like words of ours. */
static void tell_other(const struct telling *t, const char *name, const json_t *value)
{
	struct buf quoted = BUF_INIT;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] == '\0') {
		tell(t, name, value);
		return;
	}
	buf_add_json(&quoted, span_str(name));
	buf_add_char(&quoted, '\0');
	tell(t, quoted.failed ? "(out of memory)" : quoted.data, value);
	buf_done(&quoted);
}

static void tell_detail(const struct telling *t, const json_t *detail)
{
	const char *name;
	json_t *value;

	if (!json_is_object(detail))
		tell(t, "detail", detail);
	json_object_foreach((json_t *)detail, name, value) {
		char full[NAME_MAX_SHOWN];

		snprintf(full, sizeof(full), "detail.%s", name);
		tell(t, full, value);
	}
}

void admin_record_members(const json_t *record, record_member take, void *arg)
{
	const struct telling t = { take, arg };
	const char *name;
	json_t *value;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		value = json_object_get(record, order[i]);
		if (strcmp(order[i], "detail") == 0)
			tell_detail(&t, value);
		else
			tell(&t, order[i], value);
	}
	json_object_foreach((json_t *)record, name, value)
		if (!in_order(name))
			tell_other(&t, name, value);
}

bool admin_record_folded(const json_t *record)
{
	return json_integer_value(json_object_get(record, "count")) > 0;
}
