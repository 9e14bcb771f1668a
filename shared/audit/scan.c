/* scan.c -- reading the log back, a slice at a time, in either direction. Its rows are hostile input: a worker that was
 * taken over may have written some. */
#include "audit/audit.h"

#include <stdlib.h>

#define LINE_DEPTH_MAX 32
#define TESTS_MAX 8

/* A member that must have this value. Stored lines are canonical, so the text `"site":"demo"` is in every line that
 * matches: one that lacks it need not be parsed. */
struct test { const char *member, *value; struct buf text; };

/* The row to be read next is borrowed from the walk. */
struct scan {
	const struct audit_filter *filter;
	struct test tests[TESTS_MAX];
	size_t count;
	enum rc rc;
	struct walk walk;
	bool (*step)(struct walk *w, struct span *key, struct span *row);      /* onwards: walk_next, or walk_prev */
	uint64_t least, next;          /* the first seq that may be read; where the next slice begins */
	bool found;
	struct span key, line;
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
	if (t->text.failed)
		s->rc = RC_NOMEM;
	s->count++;
}

/* The tests that fit the fewest lines come first. */
static void scan_init(struct scan *s, const struct audit_filter *f)
{
	*s = (struct scan){ .filter = f, .least = f->has_after ? f->after + 1 : 0 };
	add_test(s, "expiry", f->expiry_none ? "none" : NULL);
	add_test(s, "subject", f->subject);
	add_test(s, "kid", f->kid);
	add_test(s, "remote", f->remote);
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

/* false: the caller wants no more, or it failed. */
static bool scan_line(struct scan *s, uint64_t seq, audit_each each, void *arg)
{
	bool fits = s->line.size <= AUDIT_LINE_MAX, more = true;
	json_t *record = NULL;
	enum rc rc = RC_INVALID;

	/* a longer one is no record, and may be of gigabytes: its beginning is all that is looked at */
	if (!may_match(s, span_of(s->line.data, fits ? s->line.size : AUDIT_LINE_MAX)))
		return true;
	if (fits)
		rc = json_strict(s->line, LINE_DEPTH_MAX, &record, NULL);
	if (rc == RC_NOMEM)
		s->rc = rc;
	else if (rc != RC_OK || !json_is_object(record))
		more = each(seq, s->line, NULL, arg);
	else if (matches(s, record))
		more = each(seq, s->line, record, arg);
	json_decref(record);
	return more && s->rc == RC_OK;
}

/* No log has a UINT64_MAX-th record: a row of that key is as false as one whose key has another size. */
static bool key_is_seq(struct span key)
{
	return key.size == 8 && be64_get(key.data) != UINT64_MAX;
}

static void stand_on(struct scan *s, bool found)
{
	s->found = found && (!key_is_seq(s->key) || be64_get(s->key.data) >= s->least);
}

static bool scan_row(struct scan *s, audit_each each, void *arg)
{
	uint64_t seq;

	if (!key_is_seq(s->key)) {
		s->rc = RC_CORRUPT;
		return false;
	}
	seq = be64_get(s->key.data);
	s->next = s->step == walk_next ? seq + 1 : seq;
	return scan_line(s, seq, each, arg);
}

/* The direction: where a slice that begins at `at` has its first row, and how it goes on. */
typedef void (*scan_begin)(struct scan *s, uint64_t at);

static void begin_forward(struct scan *s, uint64_t from)
{
	uint8_t start[8];

	s->step = walk_next;
	s->next = from < s->least ? s->least : from;
	be64_put(start, s->next);
	stand_on(s, walk_seek(&s->walk, span_of(start, sizeof(start)), &s->key, &s->line));
}

static void begin_back(struct scan *s, uint64_t before)
{
	uint8_t start[8];

	s->step = walk_prev;
	s->next = before;
	be64_put(start, before);
	if (before != UINT64_MAX)
		walk_seek(&s->walk, span_of(start, sizeof(start)), &s->key, &s->line);
	stand_on(s, walk_prev(&s->walk, &s->key, &s->line));
}

static enum rc scan(struct txn *ledger, const struct audit_filter *f, scan_begin begin, uint64_t at, size_t max_rows,
                    audit_each each, void *arg, uint64_t *ret_next, bool *ret_end)
{
	bool more = true;
	struct scan s;

	scan_init(&s, f);
	s.next = at;
	walk_begin(&s.walk, ledger, DB_RECORDS);
	if (!f->has_after || f->after != UINT64_MAX)
		begin(&s, at);
	for (size_t rows = 0; s.found && more && s.rc == RC_OK && rows < max_rows; rows++) {
		more = scan_row(&s, each, arg);
		stand_on(&s, s.step(&s.walk, &s.key, &s.line));
	}
	walk_end(&s.walk);
	scan_done(&s);
	if (s.rc == RC_OK)
		s.rc = txn_rc(ledger);
	if (s.rc == RC_OK) {
		*ret_next = s.next;
		*ret_end = !s.found;
	}
	return s.rc;
}

enum rc audit_scan(struct txn *ledger, const struct audit_filter *f, uint64_t from, size_t max_rows, audit_each each,
                   void *arg, uint64_t *ret_next, bool *ret_end)
{
	return scan(ledger, f, begin_forward, from, max_rows, each, arg, ret_next, ret_end);
}

enum rc audit_scan_back(struct txn *ledger, const struct audit_filter *f, uint64_t before, size_t max_rows,
                        audit_each each, void *arg, uint64_t *ret_next, bool *ret_end)
{
	return scan(ledger, f, begin_back, before, max_rows, each, arg, ret_next, ret_end);
}

bool audit_get(struct txn *ledger, uint64_t seq, struct span *ret_line)
{
	uint8_t bytes[8];
	struct span key = span_of(bytes, sizeof(bytes));

	be64_put(bytes, seq);
	return key_is_seq(key) && txn_get(ledger, DB_RECORDS, key, ret_line);
}
