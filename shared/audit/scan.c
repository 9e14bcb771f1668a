/* scan.c -- reading the log back, a slice at a time. Its lines are hostile input: a worker that was taken over may have
 * written some. */
#include "audit/audit.h"

#include <stdlib.h>

#define LINE_DEPTH_MAX 32
#define TESTS_MAX 5

/* A member that must have this value. Stored lines are canonical, so the text `"site":"demo"` is in every line that
 * matches: one that lacks it need not be parsed. */
struct test { const char *member, *value; struct buf text; };

struct scan {
	const struct audit_filter *filter;
	struct test tests[TESTS_MAX];
	size_t count;
	bool failed;
};

static void add_test(struct scan *s, const char *member, const char *value)
{
	struct test *t = &s->tests[s->count];

	if (!value)
		return;
	*t = (struct test){ .member = member, .value = value };
	buf_add_json(&t->text, span_str(member));
	buf_add_char(&t->text, ':');
	buf_add_json(&t->text, span_str(value));
	s->failed |= t->text.failed;
	s->count++;
}

static void scan_init(struct scan *s, const struct audit_filter *f)
{
	*s = (struct scan){ .filter = f };
	add_test(s, "subject", f->subject);
	add_test(s, "action", f->action);
	add_test(s, "reason", f->reason != REASON_NONE ? reason_name(f->reason) : NULL);
	add_test(s, "outcome", f->has_outcome ? audit_outcome_name(f->outcome) : NULL);
	add_test(s, "site", f->site);
}

static void scan_done(struct scan *s)
{
	for (size_t i = 0; i < s->count; i++)
		buf_done(&s->tests[i].text);
}

static bool may_match(const struct scan *s, struct span line)
{
	for (size_t i = 0; i < s->count; i++) {
		if (!memmem(line.data, line.size, s->tests[i].text.data, s->tests[i].text.size))
			return false;
	}
	return true;
}

static bool in_time(const struct audit_filter *f, const json_t *record)
{
	const json_t *at = json_object_get(record, "time");
	json_int_t time = json_integer_value(at);

	if (f->since == 0 && f->until == 0)
		return true;
	return json_is_integer(at) && time >= 0 && (uint64_t)time >= f->since &&
	       (f->until == 0 || (uint64_t)time < f->until);
}

static bool matches(const struct scan *s, const json_t *record)
{
	for (size_t i = 0; i < s->count; i++) {
		if (!span_is(json_span(json_object_get(record, s->tests[i].member)), s->tests[i].value))
			return false;
	}
	return in_time(s->filter, record);
}

/* false: the caller wants no more. */
static bool scan_line(const struct scan *s, uint64_t seq, struct span line, audit_each each, void *arg, enum rc *ret_rc)
{
	json_t *record = NULL;
	bool more = true;
	enum rc rc;

	if (!may_match(s, line))
		return true;
	rc = json_strict(line, LINE_DEPTH_MAX, &record, NULL);
	if (rc == RC_NOMEM)
		*ret_rc = rc;
	else if (rc != RC_OK || !json_is_object(record))
		more = each(seq, line, NULL, arg);
	else if (matches(s, record))
		more = each(seq, line, record, arg);
	json_decref(record);
	return more && *ret_rc == RC_OK;
}

/* The first seq that both the caller's place and the filter allow; false: there is none. */
static bool scan_start(const struct audit_filter *f, uint64_t from, uint64_t *ret)
{
	if (f->has_after && f->after == UINT64_MAX)
		return false;
	*ret = f->has_after && f->after >= from ? f->after + 1 : from;
	return true;
}

enum rc audit_scan(struct txn *ledger, const struct audit_filter *f, uint64_t from, size_t max_rows, audit_each each,
                   void *arg, uint64_t *ret_next, bool *ret_end)
{
	uint64_t next = from;
	uint8_t start[8];
	struct span key, line;
	struct scan s;
	struct walk w;
	bool found, more = true;
	enum rc rc = RC_OK;

	scan_init(&s, f);
	walk_begin(&w, ledger, DB_RECORDS);
	if (s.failed)
		rc = RC_NOMEM;
	found = rc == RC_OK && scan_start(f, from, &next);
	be64_put(start, next);
	found = found && walk_seek(&w, span_of(start, sizeof(start)), &key, &line);
	for (size_t rows = 0; found && more && rc == RC_OK && rows < max_rows; rows++) {
		if (key.size != 8) {
			rc = RC_CORRUPT;
			break;
		}
		next = be64_get(key.data) + 1;
		more = scan_line(&s, next - 1, line, each, arg, &rc);
		found = walk_next(&w, &key, &line);
	}
	walk_end(&w);
	scan_done(&s);
	if (rc == RC_OK)
		rc = txn_rc(ledger);
	if (rc == RC_OK) {
		*ret_next = next;
		*ret_end = !found;
	}
	return rc;
}
