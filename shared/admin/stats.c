/* stats.c -- what the log says, counted: by day, reason, action, site and key. Lines are hostile input, so a list takes
 * only names that can be true, so many of them, and a sum stays where it cannot grow. */
#include "admin/admin-private.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

#define SLICE_ROWS 2000
#define US_PER_DAY UINT64_C(86400000000)
#define COUNT_MAX INT64_C(9007199254740991)            /* of any record, and of any sum */
#define OUTCOMES 5

struct day { uint64_t day; json_int_t counted[OUTCOMES]; };
struct days { struct day *at; size_t count; struct day other; };

enum list { LIST_REASONS, LIST_ACTIONS, LIST_SITES, LIST_KEYS, LISTS };

struct stats {
	json_t *list[LISTS];
	struct days days;
	json_int_t records, counted;
	uint64_t first, last;
	bool has_time;
	uint64_t from, to;
	bool failed;
};

static json_int_t sum(json_int_t a, json_int_t b)
{
	return a > COUNT_MAX - b ? COUNT_MAX : a + b;
}

/* ---- names ---- */

static bool is_reason(const char *name)
{
	return reason_from_name(name) != REASON_COUNT;
}

static bool is_action(const char *name)
{
	size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return size < ACTION_NAME_MAX && name[size] == '\0' && ascii_is_alpha(name[0]);
}

static bool is_site(const char *name)
{
	return site_id_valid(span_str(name));
}

static bool is_key(const char *name)
{
	return kid_valid(span_str(name));
}

static const struct { const char *list, *member; bool (*valid)(const char *name); } lists[LISTS] = {
	[LIST_REASONS] = { "reasons", "reason", is_reason },
	[LIST_ACTIONS] = { "actions", "action", is_action },
	[LIST_SITES] = { "sites", "site", is_site },
	[LIST_KEYS] = { "keys", "kid", is_key },
};

static void count_name(struct stats *s, enum list l, const json_t *record, json_int_t count)
{
	const json_t *member = json_object_get(record, lists[l].member);
	const char *name = json_string_value(member);
	json_t *counted;

	if (!member)
		return;
	if (!name || !lists[l].valid(name))
		name = STATS_OTHER;
	counted = json_object_get(s->list[l], name);
	if (!counted && json_object_size(s->list[l]) >= STATS_NAMES) {
		name = STATS_OTHER;
		counted = json_object_get(s->list[l], name);
	}
	if (counted)
		json_integer_set(counted, sum(json_integer_value(counted), count));
	else if (json_object_set_new(s->list[l], name, json_integer(count)) != 0)
		s->failed = true;
}

/* ---- days ---- */

/* Records come nearly in order, so it is looked for from the end. NULL: out of memory. */
static struct day *find_day(struct days *d, uint64_t day)
{
	size_t at = d->count;
	struct day *grown;

	while (at > 0 && d->at[at - 1].day > day)
		at--;
	if (at > 0 && d->at[at - 1].day == day)
		return &d->at[at - 1];
	if (d->count >= STATS_NAMES)
		return &d->other;
	grown = realloc(d->at, (d->count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	d->at = grown;
	memmove(&grown[at + 1], &grown[at], (d->count - at) * sizeof(*grown));
	grown[at] = (struct day){ .day = day };
	d->count++;
	return &grown[at];
}

static void count_day(struct stats *s, const json_t *record, json_int_t count)
{
	const json_t *member = json_object_get(record, "time");
	const char *word = json_string_value(json_object_get(record, "outcome"));
	json_int_t time = json_integer_value(member);
	bool known = json_is_integer(member) && time >= 0 && time <= COUNT_MAX;
	struct day *day = &s->days.other;
	enum audit_outcome outcome;

	if (known && !(day = find_day(&s->days, (uint64_t)time / US_PER_DAY))) {
		s->failed = true;
		return;
	}
	if (word && audit_outcome_parse(word, &outcome))
		day->counted[outcome] = sum(day->counted[outcome], count);
	if (!known)
		return;
	if (!s->has_time || (uint64_t)time < s->from)
		s->from = (uint64_t)time;
	if (!s->has_time || (uint64_t)time > s->to)
		s->to = (uint64_t)time;
	s->has_time = true;
}

/* ---- records ---- */

/* A folded record stands for many. */
static json_int_t count_of(const json_t *record)
{
	json_int_t count = json_integer_value(json_object_get(record, "count"));

	return count >= 1 && count <= COUNT_MAX ? count : 1;
}

static bool count_line(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	json_int_t count = record ? count_of(record) : 1;
	struct stats *s = arg;

	(void)line;
	if (s->records == 0)
		s->first = seq;
	s->last = seq;
	s->records++;
	s->counted = sum(s->counted, count);
	for (size_t l = 0; l < LISTS; l++)
		count_name(s, (enum list)l, record, count);
	count_day(s, record, count);
	return !s->failed;
}

static enum rc count_log(struct admin *a, const struct audit_filter *f, admin_progress progress, void *arg,
                         struct stats *s)
{
	uint64_t next = 0, size = 0;
	bool end = false;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !end) {
		struct txn *ledger = txn_read(a->store, ENV_LEDGER);

		rc = audit_scan(ledger, f, next, SLICE_ROWS, count_line, s, &next, &end);
		size = audit_size(ledger);
		txn_abort(ledger);
		if (s->failed)
			rc = RC_NOMEM;
		else if (rc == RC_OK && progress && !progress(next, size, arg))
			rc = RC_STOPPING;
	}
	return rc;
}

/* ---- the object ---- */

static json_t *day_json(const struct day *d, bool other)
{
	char text[CLOCK_TEXT_MAX];
	json_t *day;

	clock_format(d->day * US_PER_DAY, text);
	*strchrnul(text, 'T') = '\0';
	day = json_pack("{ss}", "day", other ? STATS_OTHER : text);
	for (size_t o = 0; day && o < OUTCOMES; o++) {
		if (json_object_set_new(day, audit_outcome_name((enum audit_outcome)o), json_integer(d->counted[o])) != 0) {
			json_decref(day);
			day = NULL;
		}
	}
	return day;
}

static bool is_empty(const struct day *d)
{
	for (size_t o = 0; o < OUTCOMES; o++)
		if (d->counted[o] > 0)
			return false;
	return true;
}

static json_t *days_json(const struct days *d)
{
	json_t *days = json_array();
	bool whole = days != NULL;

	for (size_t i = 0; i < d->count; i++)
		whole = whole && json_array_append_new(days, day_json(&d->at[i], false)) == 0;
	if (!is_empty(&d->other))
		whole = whole && json_array_append_new(days, day_json(&d->other, true)) == 0;
	if (whole)
		return days;
	json_decref(days);
	return NULL;
}

static json_t *number_or_null(bool given, uint64_t number)
{
	return given ? json_integer((json_int_t)number) : json_null();
}

static json_t *stats_json(const struct stats *s)
{
	json_t *ret = json_pack("{sIsIsosososo}", "records", s->records, "counted", s->counted,
	                        "first", number_or_null(s->records > 0, s->first),
	                        "last", number_or_null(s->records > 0, s->last),
	                        "from", number_or_null(s->has_time, s->from), "to", number_or_null(s->has_time, s->to));
	bool whole = ret && json_object_set_new(ret, "days", days_json(&s->days)) == 0;

	for (size_t l = 0; l < LISTS; l++)
		whole = whole && json_object_set(ret, lists[l].list, s->list[l]) == 0;
	if (whole)
		return ret;
	json_decref(ret);
	return NULL;
}

static void stats_done(struct stats *s)
{
	for (size_t l = 0; l < LISTS; l++)
		json_decref(s->list[l]);
	free(s->days.at);
}

enum rc admin_stats(struct admin *a, const struct audit_filter *f, admin_progress progress, void *arg, json_t **ret,
                    struct why *why)
{
	struct stats s = { 0 };
	enum rc rc = RC_OK;

	for (size_t l = 0; l < LISTS; l++)
		if (!(s.list[l] = json_object()))
			rc = RC_NOMEM;
	if (rc == RC_OK)
		rc = count_log(a, f, progress, arg, &s);
	if (rc == RC_OK) {
		*ret = stats_json(&s);
		rc = *ret ? RC_OK : RC_NOMEM;
	}
	if (rc != RC_OK)
		why_set(why, "the log cannot be counted: %s", rc_text(rc));
	stats_done(&s);
	return rc;
}
