/* scan.c -- reading the log back, a slice at a time, in either direction. Its rows are hostile input: a worker that was
 * taken over may have written some. */
#include "audit/audit-private.h"

#include <stdlib.h>

#define LINE_DEPTH_MAX 32
#define TESTS_MAX 8

/* A member that must have this value. Stored lines are canonical, so the text `"site":"demo"` is in every line that
 * matches: one that lacks it need not be parsed. */
struct test { const char *member, *value; struct buf text; };

struct scan;

/* Oldest or newest first. */
struct way {
	bool (*place)(struct scan *s);                     /* stands on the first row from s->next on */
	bool (*step)(struct walk *w, struct span *key, struct span *row);
	bool (*pick)(struct pick *p, uint64_t *seq);
	uint64_t (*after)(uint64_t seq);                   /* where a slice goes on that has read seq */
	uint64_t (*at)(uint64_t seq);                      /* where one begins whose first is seq */
	uint64_t (*leave)(uint64_t seq);                   /* where one goes on that passes over the rest of a bundle */
};

/* The row to be read next is borrowed from the walk. GAP: a bundle was passed over, and s->next is behind it. */
enum stand { STAND_ROW, STAND_GAP, STAND_END };

struct scan {
	const struct audit_filter *filter;
	const struct way *way;
	struct test tests[TESTS_MAX];
	size_t count;
	struct pick pick;
	enum rc rc;
	struct walk walk;
	uint64_t least, next;          /* the first seq that may be read; where the next slice begins */
	enum stand stand;
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

static bool time_fits(const struct audit_filter *f, uint64_t time)
{
	return time >= f->since && (f->until == 0 || time < f->until);
}

static bool may_be_in_time(const struct audit_filter *f, struct span line)
{
	bool fits = f->since == 0 && f->until == 0;
	uint64_t time;

	while (!fits && member_time(&line, &time))
		fits = time_fits(f, time);
	return fits;
}

static bool may_match(const struct scan *s, struct span line)
{
	for (size_t i = 0; i < s->count; i++) {
		if (!memmem(line.data, line.size, s->tests[i].text.data, s->tests[i].text.size))
			return false;
	}
	return may_be_in_time(s->filter, line);
}

static bool in_time(const struct audit_filter *f, const json_t *record)
{
	const json_t *at = json_object_get(record, "time");
	json_int_t time = json_integer_value(at);

	if (f->since == 0 && f->until == 0)
		return true;
	return json_is_integer(at) && time >= 0 && time_fits(f, (uint64_t)time);
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

/* ---- the ways ---- */

static bool place_forward(struct scan *s)
{
	uint8_t start[8];

	be64_put(start, s->next);
	return walk_seek(&s->walk, span_of(start, sizeof(start)), &s->key, &s->line);
}

static bool place_back(struct scan *s)
{
	uint8_t start[8];

	be64_put(start, s->next);
	if (s->next != UINT64_MAX)
		walk_seek(&s->walk, span_of(start, sizeof(start)), &s->key, &s->line);
	return walk_prev(&s->walk, &s->key, &s->line);
}

static uint64_t next_seq(uint64_t seq)
{
	return seq + 1;
}

static uint64_t same_seq(uint64_t seq)
{
	return seq;
}

static uint64_t bundle_begin(uint64_t seq)
{
	return seq - seq % INDEX_BUNDLE;
}

static uint64_t bundle_end(uint64_t seq)
{
	return bundle_begin(seq) + INDEX_BUNDLE;
}

static const struct way forward = { place_forward, walk_next, pick_forward, next_seq, same_seq, bundle_end };
static const struct way back = { place_back, walk_prev, pick_back, same_seq, next_seq, bundle_begin };

/* ---- a slice ---- */

static bool below_least(const struct scan *s)
{
	return record_key_valid(s->key) && be64_get(s->key.data) < s->least;
}

/* A row was found, or not: goes on from it to one that may match. One whose key is false is read, to be found false. */
static void stand_on(struct scan *s, bool found)
{
	s->stand = STAND_ROW;
	while (found && !below_least(s)) {
		uint64_t seq, wanted;

		if (!record_key_valid(s->key))
			return;
		seq = wanted = be64_get(s->key.data);
		if (!s->way->pick(&s->pick, &wanted)) {
			s->next = s->way->leave(seq);
			s->stand = STAND_GAP;
			return;
		}
		if (wanted == seq)
			return;
		s->next = s->way->at(wanted);
		found = s->way->place(s);
	}
	s->stand = STAND_END;
}

static bool scan_row(struct scan *s, audit_each each, void *arg)
{
	uint64_t seq;

	if (!record_key_valid(s->key)) {
		s->rc = RC_CORRUPT;
		return false;
	}
	seq = be64_get(s->key.data);
	s->next = s->way->after(seq);
	return scan_line(s, seq, each, arg);
}

/* Behind a gap: is the next bundle one by the index as well? Then the log's own pages need not be looked at. */
static bool pass_over(struct scan *s)
{
	uint64_t seq = s->way == &forward ? s->next : s->next - 1, wanted = seq;

	if ((s->way == &back && s->next == 0) || seq < s->least || seq / INDEX_BUNDLE >= s->pick.whole ||
	    s->way->pick(&s->pick, &wanted))
		return false;
	s->next = s->way->leave(seq);
	return true;
}

static bool scan_on(struct scan *s, audit_each each, void *arg)
{
	bool more = true;

	if (s->stand == STAND_GAP) {
		if (!pass_over(s))
			stand_on(s, s->way->place(s));
	} else {
		more = scan_row(s, each, arg);
		stand_on(s, s->way->step(&s->walk, &s->key, &s->line));
	}
	return more;
}

static enum rc scan(struct txn *ledger, const struct audit_filter *f, const struct way *way, uint64_t at,
                    size_t max_rows, audit_each each, void *arg, uint64_t *ret_next, bool *ret_end)
{
	bool more = true;
	struct scan s;

	scan_init(&s, f);
	s.way = way;
	s.next = way == &forward && at < s.least ? s.least : at;
	s.stand = STAND_END;
	pick_init(&s.pick, ledger, f);
	for (size_t i = 0; i < s.count; i++)
		pick_add(&s.pick, buf_span(&s.tests[i].text));
	walk_begin(&s.walk, ledger, DB_RECORDS);
	if (!f->has_after || f->after != UINT64_MAX)
		stand_on(&s, way->place(&s));
	for (size_t rows = 0; s.stand != STAND_END && more && s.rc == RC_OK && rows < max_rows; rows++)
		more = scan_on(&s, each, arg);
	walk_end(&s.walk);
	scan_done(&s);
	if (s.rc == RC_OK)
		s.rc = txn_rc(ledger);
	if (s.rc == RC_OK) {
		*ret_next = s.next;
		*ret_end = s.stand == STAND_END;
	}
	return s.rc;
}

enum rc audit_scan(struct txn *ledger, const struct audit_filter *f, uint64_t from, size_t max_rows, audit_each each,
                   void *arg, uint64_t *ret_next, bool *ret_end)
{
	return scan(ledger, f, &forward, from, max_rows, each, arg, ret_next, ret_end);
}

enum rc audit_scan_back(struct txn *ledger, const struct audit_filter *f, uint64_t before, size_t max_rows,
                        audit_each each, void *arg, uint64_t *ret_next, bool *ret_end)
{
	return scan(ledger, f, &back, before, max_rows, each, arg, ret_next, ret_end);
}

bool audit_get(struct txn *ledger, uint64_t seq, struct span *ret_line)
{
	uint8_t bytes[8];
	struct span key = span_of(bytes, sizeof(bytes));

	be64_put(bytes, seq);
	return record_key_valid(key) && txn_get(ledger, DB_RECORDS, key, ret_line);
}
