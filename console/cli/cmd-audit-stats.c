/* cmd-audit-stats.c -- postern audit stats: the log counted, for people; --json has all of it. */
#include "console/cli/cmd-audit-private.h"

#include <stdlib.h>

#define DAYS_SHOWN 31
#define NAMES_SHOWN 10
#define NUMBER_TEXT_MAX 24

static json_int_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* ---- the whole ---- */

static void print_range(const json_t *stats)
{
	json_int_t records = number(stats, "records"), counted = number(stats, "counted");
	char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];

	out_line("%lld %s, %lld to %lld", records, records == 1 ? "record" : "records", number(stats, "first"),
	         number(stats, "last"));
	if (counted > records)
		out_line("%lld requests and changes: some records stand for many", counted);
	if (json_is_integer(json_object_get(stats, "from")))
		out_line("%s to %s", clock_format((uint64_t)number(stats, "from"), from),
		         clock_format((uint64_t)number(stats, "to"), to));
}

/* ---- days ---- */

static const char *const day_columns[] = { "day", "intended", "done", "refused", "blocked", "failed" };
static const char *const day_heads[] = { "DAY", "INTENDED", "DONE", "REFUSED", "BLOCKED", "FAILED" };
#define DAY_COLUMNS ARRAY_LEN(day_columns)

static void add_day(struct table *t, const char *day, const json_int_t *counted)
{
	char text[DAY_COLUMNS][NUMBER_TEXT_MAX];
	const char *cells[DAY_COLUMNS] = { day };

	for (size_t i = 1; i < DAY_COLUMNS; i++) {
		snprintf(text[i], sizeof(text[i]), "%lld", counted[i]);
		cells[i] = text[i];
	}
	table_row(t, cells);
}

static void add_counts(json_int_t *counted, const json_t *day)
{
	for (size_t i = 1; i < DAY_COLUMNS; i++)
		counted[i] += number(day, day_columns[i]);
}

static void print_days(const json_t *days)
{
	size_t count = json_array_size(days), from = count > DAYS_SHOWN ? count - DAYS_SHOWN : 0;
	json_int_t earlier[DAY_COLUMNS] = { 0 };
	struct table t;

	if (count == 0)
		return;
	putchar('\n');
	table_begin(&t, DAY_COLUMNS, day_heads);
	for (size_t i = 0; i < from; i++)
		add_counts(earlier, json_array_get(days, i));
	if (from > 0)
		add_day(&t, "earlier", earlier);
	for (size_t i = from; i < count; i++) {
		json_int_t counted[DAY_COLUMNS] = { 0 };

		add_counts(counted, json_array_get(days, i));
		add_day(&t, json_string_value(json_object_get(json_array_get(days, i), "day")), counted);
	}
	table_end(&t);
}

/* ---- names ---- */

struct counted { const char *name; json_int_t count; };

/* Those counted most come first; what is no name, last. */
static int compare(const void *one, const void *other)
{
	const struct counted *a = one, *b = other;
	bool a_rest = strcmp(a->name, STATS_OTHER) == 0, b_rest = strcmp(b->name, STATS_OTHER) == 0;

	if (a_rest != b_rest)
		return a_rest ? 1 : -1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void add_name(struct table *t, const char *name, json_int_t count)
{
	char text[NUMBER_TEXT_MAX];

	snprintf(text, sizeof(text), "%lld", count);
	table_row(t, (const char *const[]){ name, text });
}

static void print_sorted(const char *head, const struct counted *names, size_t count)
{
	json_int_t rest = 0;
	struct table t;

	putchar('\n');
	table_begin(&t, 2, (const char *const[]){ head, "COUNT" });
	for (size_t i = 0; i < count; i++) {
		if (i < NAMES_SHOWN && strcmp(names[i].name, STATS_OTHER) != 0)
			add_name(&t, names[i].name, names[i].count);
		else
			rest += names[i].count;
	}
	if (rest > 0)
		add_name(&t, STATS_OTHER, rest);
	table_end(&t);
}

static enum rc print_names(const char *head, const json_t *list)
{
	size_t count = json_object_size(list), at = 0;
	struct counted *names;
	const char *name;
	json_t *value;

	if (count == 0)
		return RC_OK;
	names = calloc(count, sizeof(*names));
	if (!names)
		return RC_NOMEM;
	json_object_foreach((json_t *)list, name, value)
		names[at++] = (struct counted){ name, json_integer_value(value) };
	qsort(names, count, sizeof(*names), compare);
	print_sorted(head, names, count);
	free(names);
	return RC_OK;
}

static enum rc print_stats(const json_t *stats)
{
	static const struct { const char *head, *list; } lists[] = {
		{ "REASON", "reasons" }, { "ACTION", "actions" }, { "SITE", "sites" }, { "KEY", "keys" },
	};
	enum rc rc = RC_OK;

	if (number(stats, "records") == 0) {
		out_line("no records");
		return RC_OK;
	}
	print_range(stats);
	print_days(json_object_get(stats, "days"));
	for (size_t i = 0; i < ARRAY_LEN(lists) && rc == RC_OK; i++)
		rc = print_names(lists[i].head, json_object_get(stats, lists[i].list));
	return rc;
}

int run_audit_stats(struct call *c)
{
	struct progress progress;
	json_t *stats = NULL;
	struct filter f;
	int code = filter_open(c, &f);
	enum rc rc;

	if (code != EXIT_YES)
		return code;
	progress_begin(&progress);
	rc = admin_stats(c->admin, &f.f, progress_show, &progress, &stats, &c->why);
	progress_end(&progress);
	if (rc == RC_OK && args_given(&c->args, OPT_JSON))
		out_json(json_incref(stats));
	else if (rc == RC_OK)
		rc = print_stats(stats);
	json_decref(stats);
	return call_end(c, rc);
}
