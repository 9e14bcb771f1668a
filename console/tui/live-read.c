/* live-read.c -- the end of the log, read for the Live panel: what is new first, then back over the last five minutes.
 * Each slice has a transaction of its own; none is open between two turns. */
#include "console/tui/panel-live.h"

#include "base/clock.h"

#define SECOND UINT64_C(1000000)
#define SLICE 512                      /* rows a transaction reads */
#define TURN_MS 25                     /* a turn begins no further slice after that: keys wait no longer */
#define BACK_ROWS 50000                /* read back at most */
#define BEHIND_MAX 250000              /* rows behind the end at which it begins anew there */

struct slice { struct live_panel *p; uint64_t now_us; bool added, full; };

static const struct audit_filter blocked = { .has_outcome = true, .outcome = AUDIT_OUTCOME_BLOCKED };

void live_panel_add(struct live_panel *p, const struct live_event *e)
{
	live_add(&p->live, e);
	p->came += p->paused && live_ring_at(&p->live.ring, p->live.ring.count - 1)->shown;
}

/* A slice that fails at a later row is read again, from behind what was taken. */
static bool take_newer(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct slice *s = arg;
	struct live_event e;

	(void)line;
	live_event_of(&e, seq, record, s->now_us);
	live_panel_add(s->p, &e);
	s->p->reading.next = seq + 1;
	s->added = true;
	return true;
}

static bool take_older(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct slice *s = arg;
	struct live_event e;

	(void)line;
	live_event_of(&e, seq, record, s->now_us);
	s->full = !live_add_older(&s->p->live, &e);
	if (s->full)
		return false;
	s->p->reading.before = seq;
	s->added = true;
	return true;
}

static enum rc read_newer(struct slice *s, struct txn *ledger, bool *ret_more)
{
	struct live_reading *r = &s->p->reading;
	uint64_t next = r->next;
	bool end = true;
	enum rc rc = audit_scan(ledger, &blocked, r->next, SLICE, take_newer, s, &next, &end);

	if (rc == RC_OK && next > r->next)
		r->next = next;
	*ret_more = !end;
	return rc;
}

/* When a record was written, blocked or not; 0: it does not say. */
static uint64_t time_of(struct txn *ledger, uint64_t seq)
{
	json_t *record = NULL;
	struct live_event e = { .time_us = 0 };
	struct span line;

	if (audit_get(ledger, seq, &line) && line.size <= AUDIT_LINE_MAX && json_strict(line, 32, &record, NULL) == RC_OK)
		live_event_of(&e, seq, record, 0);
	json_decref(record);
	return e.time_us;
}

static enum rc read_older(struct slice *s, struct txn *ledger)
{
	struct live_reading *r = &s->p->reading;
	uint64_t next = r->before, since;
	bool end = true;
	enum rc rc = audit_scan_back(ledger, &blocked, r->before, SLICE, take_older, s, &next, &end);

	if (rc != RC_OK)
		return rc;
	if (!s->full)
		r->before = next;
	end &= !s->full;
	since = end ? 0 : time_of(ledger, r->before);
	if (end || since > 0)
		live_complete(&s->p->live, since);
	r->back = !end && !s->full && !live_whole(&s->p->live) && r->end - r->before < BACK_ROWS;
	return RC_OK;
}

static void begin(struct live_panel *p, uint64_t end, uint64_t now_us)
{
	struct live_reading *r = &p->reading;

	r->resume = r->started ? r->next : UINT64_MAX;
	r->next = r->end = r->before = end;
	r->started = r->back = true;
	live_clear(&p->live, now_us);
}

static enum rc read_slice(struct slice *s, struct store *st, bool *ret_more)
{
	struct live_reading *r = &s->p->reading;
	struct txn *ledger = txn_read(st, ENV_LEDGER);
	uint64_t end = audit_size(ledger);
	enum rc rc = txn_rc(ledger);
	bool newer = false;

	if (rc == RC_OK && (!r->started || (end > r->next && end - r->next > BEHIND_MAX)))
		begin(s->p, end, s->now_us);
	if (rc == RC_OK)
		rc = read_newer(s, ledger, &newer);
	if (rc == RC_OK && !newer && r->back)
		rc = read_older(s, ledger);
	txn_abort(ledger);
	r->behind = end > r->next ? end - r->next : 0;
	*ret_more = newer || r->back;
	return rc;
}

/* Nothing is passed over without a word. */
static void say_passed(struct live_panel *p, struct console *c)
{
	struct live_reading *r = &p->reading;
	char count[NUMBER_TEXT_MAX];

	if (r->back)
		return;
	if (r->before > r->resume)
		console_say(c, STYLE_WARN,
		            "%s records were passed over to get to the newest ones; the Audit panel has them.",
		            number_text(r->before - r->resume, count));
	r->resume = UINT64_MAX;
}

static bool is_due(const struct live_panel *p, uint64_t now_us)
{
	const struct live_reading *r = &p->reading;

	return r->read_us != now_us && (r->retry_us <= now_us || r->retry_us - now_us > SECOND);
}

/* Said once, however often it fails. true: it is another answer than before. */
static bool take_answer(struct live_panel *p, struct console *c, enum rc rc)
{
	bool failed = p->reading.retry_us > 0;
	struct why why = { "" };

	p->reading.retry_us = rc == RC_OK ? 0 : c->now_us + SECOND;
	if (rc != RC_OK && !failed) {
		why_set(&why, "The audit log cannot be read: %s. Trying again each second.", rc_text(rc));
		console_error(c, rc, REASON_NONE, &why);
	}
	return failed != (rc != RC_OK);
}

bool live_read(struct live_panel *p, struct console *c)
{
	struct slice s = { .p = p, .now_us = c->now_us };
	uint64_t until = clock_mono_ms() + TURN_MS, behind = p->reading.behind;
	bool back = p->reading.back, more = false;
	enum rc rc = RC_OK;

	if (!is_due(p, c->now_us))
		return false;
	p->reading.read_us = c->now_us;
	do
		rc = read_slice(&s, admin_store(c->admin), &more);
	while (rc == RC_OK && more && clock_mono_ms() < until);
	if (rc == RC_OK)
		say_passed(p, c);
	return take_answer(p, c, rc) || s.added || back != p->reading.back ||
	       (behind != p->reading.behind && (behind > LIVE_BEHIND || p->reading.behind > LIVE_BEHIND));
}
