/* activity.c -- what the end of the log says of each site. First what is new, then further back: a program that stays
 * open catches up with a log of any length in small slices.
 *
 * Records are hostile input. Only sites of the vault are followed, so that no record can make up more; they stand in a
 * balanced tree, for names that somebody chose would turn a hash table into a list. */
#include "admin/admin-private.h"
#include "base/clock.h"

#include <search.h>
#include <stdlib.h>

#define SITES_MAX 65536                /* further ones are not followed */
#define WINDOW_S 60

struct seen {
	char site[SITE_ID_MAX];        /* first: what the tree compares */
	uint64_t last_at_us;
	uint64_t newest_s;             /* the latest second in blocked[]; a second's place is second % WINDOW_S */
	uint32_t blocked[WINDOW_S];
};

struct activity {
	void *sites;                   /* tsearch()'s */
	size_t count;
	bool begun, back_done;
	uint64_t newest, oldest;       /* seq, once begun */
	size_t back_rows;              /* how far back it has read */
};

struct activity *activity_new(void)
{
	return calloc(1, sizeof(struct activity));
}

static void forget(struct activity *x)
{
	tdestroy(x->sites, free);
	*x = (struct activity){ 0 };
}

void activity_free(struct activity *x)
{
	if (x)
		forget(x);
	free(x);
}

static int by_site(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* ---- one record ---- */

struct reading {
	struct activity *x;
	struct txn *vault;
	uint64_t now_us;
	size_t rows;
	bool failed;
};

static struct seen *seen_find(const struct activity *x, const char *site)
{
	struct seen **at = tfind(site, &x->sites, by_site);

	return at ? *at : NULL;
}

static struct seen *seen_add(struct reading *r, struct span site)
{
	struct seen *s = calloc(1, sizeof(*s));

	if (s)
		memcpy(s->site, site.data, site.size);
	if (!s || !tsearch(s, &r->x->sites, by_site)) {
		free(s);
		r->failed = true;
		return NULL;
	}
	r->x->count++;
	return s;
}

static struct seen *seen_get(struct reading *r, struct span site)
{
	struct span row;
	struct seen *s;

	if (!site_id_valid(site))
		return NULL;
	s = seen_find(r->x, site.data);
	if (s || r->x->count == SITES_MAX || !txn_get(r->vault, DB_SITES, site, &row))
		return s;
	return seen_add(r, site);
}

static void count_blocked(struct seen *s, uint64_t second, json_int_t count)
{
	uint32_t *place = &s->blocked[second % WINDOW_S], most;

	if (second > s->newest_s) {
		for (uint64_t i = 0; i < second - s->newest_s && i < WINDOW_S; i++)
			s->blocked[(second - i) % WINDOW_S] = 0;
		s->newest_s = second;
	}
	if (s->newest_s - second >= WINDOW_S)
		return;
	most = UINT32_MAX - *place;
	if (count < 1)
		count = 1;             /* of one that is not folded it is not there */
	*place += count < most ? (uint32_t)count : most;
}

/* A time that has not come would hide all that follow. */
static void take_record(struct reading *r, const json_t *record)
{
	json_int_t at_us = json_integer_value(json_object_get(record, "time"));
	struct seen *s;

	if (at_us <= 0 || (uint64_t)at_us > r->now_us || !(s = seen_get(r, json_span(json_object_get(record, "site")))))
		return;
	if (s->last_at_us > r->now_us)         /* the clock was set back: begin anew */
		s->last_at_us = s->newest_s = 0;
	if ((uint64_t)at_us > s->last_at_us)
		s->last_at_us = (uint64_t)at_us;
	if (span_is(json_span(json_object_get(record, "outcome")), audit_outcome_name(AUDIT_OUTCOME_BLOCKED)))
		count_blocked(s, (uint64_t)at_us / 1000000, json_integer_value(json_object_get(record, "count")));
}

static bool take_row(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct reading *r = arg;
	struct activity *x = r->x;

	(void)line;
	if (!x->begun || seq > x->newest)
		x->newest = seq;
	if (!x->begun || seq < x->oldest)
		x->oldest = seq;
	x->begun = true;
	r->rows++;
	take_record(r, record);
	return !r->failed;
}

/* ---- the log ---- */

/* Who was stopped for long begins anew: nobody waits for what happened meanwhile to be read. */
static void leave_gap(struct activity *x, uint64_t size)
{
	if (x->begun && size > x->newest && size - x->newest > ACTIVITY_ROWS)
		forget(x);
}

static enum rc read_on(struct reading *r, struct txn *ledger, size_t max_rows, bool *ret_end)
{
	struct audit_filter newer = { .has_after = true, .after = r->x->newest };
	uint64_t next;

	return audit_scan(ledger, &newer, 0, max_rows, take_row, r, &next, ret_end);
}

static enum rc read_back(struct reading *r, struct txn *ledger, size_t max_rows)
{
	static const struct audit_filter any;
	struct activity *x = r->x;
	size_t left = ACTIVITY_ROWS - x->back_rows, before = r->rows;
	bool end = false;
	uint64_t next;
	enum rc rc = audit_scan_back(ledger, &any, x->begun ? x->oldest : UINT64_MAX, left < max_rows ? left : max_rows,
	                             take_row, r, &next, &end);

	x->back_rows += r->rows - before;
	/* behind a row that is no record nothing can be read */
	if (rc == RC_CORRUPT && x->begun) {
		end = true;
		rc = RC_OK;
	}
	x->back_done = x->begun && (end || x->back_rows == ACTIVITY_ROWS);
	return rc;
}

static enum rc read_rows(struct reading *r, struct txn *ledger, size_t max_rows, bool *ret_more)
{
	struct activity *x = r->x;
	bool end = true;
	enum rc rc;

	leave_gap(x, audit_size(ledger));
	rc = txn_rc(ledger);
	if (rc == RC_OK)
		rc = txn_rc(r->vault);
	if (rc == RC_OK && x->begun)
		rc = read_on(r, ledger, max_rows, &end);
	if (rc == RC_OK && !x->back_done && r->rows < max_rows)
		rc = read_back(r, ledger, max_rows - r->rows);
	if (rc == RC_OK)
		*ret_more = !end || (x->begun && !x->back_done);
	return r->failed ? RC_NOMEM : rc;
}

enum rc activity_read(struct activity *x, struct admin *a, size_t max_rows, bool *ret_more, struct why *why)
{
	struct reading r = { .x = x, .now_us = clock_us() };
	struct txn *ledger = txn_read(a->store, ENV_LEDGER);
	enum rc rc;

	r.vault = txn_read(a->store, ENV_VAULT);       /* the later one: it has every site that a worker recorded */
	rc = read_rows(&r, ledger, max_rows, ret_more);
	txn_abort(r.vault);
	txn_abort(ledger);
	if (rc != RC_OK)
		why_set(why, "the end of the audit log cannot be read: %s", rc_text(rc));
	return rc;
}

void activity_get(const struct activity *x, const char *site, uint64_t now_us, struct site_activity *ret)
{
	const struct seen *s = seen_find(x, site);
	uint64_t now_s = now_us / 1000000;

	*ret = (struct site_activity){ 0 };
	if (!s)
		return;
	ret->last_at_us = s->last_at_us < now_us ? s->last_at_us : now_us;
	for (uint64_t i = 0; i < WINDOW_S && i <= s->newest_s; i++)
		if (s->newest_s - i <= now_s && now_s - (s->newest_s - i) < WINDOW_S)
			ret->blocked_1m += s->blocked[(s->newest_s - i) % WINDOW_S];
}

uint64_t site_last_event(const struct site_row *r, const struct site_activity *now)
{
	uint64_t recorded = now->last_at_us / 1000000;

	return recorded > r->last_verified_at ? recorded : r->last_verified_at;
}
