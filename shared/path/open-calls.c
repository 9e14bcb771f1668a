/* open-calls.c -- calls that are intended and not yet recorded as over: a row each, closed by any worker once it is past its time.
 *
 * A row that is there after its time is one of a worker that was killed, or whose last record could not be written. Whether the
 * call was made, nobody here knows, and the record says so. Rows are hostile input: one that does not decode goes without a record. */
#include "path/path-private.h"

#define CLOSED_PER_JOB 64

struct call_key open_call_key(const char id[ULID_MAX], uint64_t over_by_s)
{
	struct call_key k;

	be64_put(k.bytes, over_by_s);
	memcpy(k.bytes + 8, id, ULID_MAX - 1);
	return k;
}

static struct span key_span(const struct call_key *k)
{
	return span_of(k->bytes, sizeof(k->bytes));
}

/* The same text buffers a record has, in one order for both ways. */
#define ROW_TEXTS(X) X(site) X(action) X(conversation) X(kid) X(remote) X(subject) X(token)

void open_call_put(struct txn *ledger, const struct call_key *k, const struct audit_record *r)
{
	struct buf row = BUF_INIT;

#define X(name) buf_put_bytes(&row, span_str(r->name));
	ROW_TEXTS(X)
#undef X
	buf_put_bytes(&row, span_str(r->effect ? r->effect : ""));
	buf_put_u8(&row, r->expiry_none);
	if (row.failed)
		txn_fail(ledger, RC_NOMEM);
	txn_put(ledger, DB_CALLS, key_span(k), buf_span(&row));
	buf_done(&row);
}

bool open_call_remove(struct txn *ledger, const struct call_key *k)
{
	return txn_del(ledger, DB_CALLS, key_span(k));
}

/* ---- closing what is past its time ---- */

static const char *effect_of(struct span name)
{
	for (enum effect e = EFFECT_READ; e <= EFFECT_DESTRUCTIVE; e++)
		if (span_is(name, effect_name(e)))
			return effect_name(e);
	return NULL;
}

static bool id_decode(struct span key, char ret[ULID_MAX])
{
	const char *id = (const char *)key.data + 8;

	if (key.size != sizeof(struct call_key))
		return false;
	for (size_t i = 0; i < ULID_MAX - 1; i++)
		if (!ascii_is_digit(id[i]) && (id[i] < 'A' || id[i] > 'Z'))
			return false;
	memcpy(ret, id, ULID_MAX - 1);
	ret[ULID_MAX - 1] = '\0';
	return true;
}

static bool row_decode(struct span key, struct span row, struct audit_record *ret)
{
	struct dec d = dec_of(row);

	audit_record_init(ret, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_FAILED);
	ret->reason = REASON_OUTCOME_UNKNOWN;
#define X(name) dec_text(&d, ret->name, sizeof(ret->name));
	ROW_TEXTS(X)
#undef X
	ret->effect = effect_of(dec_bytes(&d));
	ret->expiry_none = dec_u8(&d) != 0;
	return id_decode(key, ret->id) && ret->effect && dec_end(&d);
}

static bool is_past(struct span key, uint64_t now_s)
{
	return key.size < 8 || be64_get(key.data) < now_s;
}

/* The one that should have been over first, taken away. false: there is none past its time. */
static bool past_pop(struct txn *ledger, uint64_t now_s, struct audit_record *ret, bool *ret_known)
{
	struct span key, row;
	struct walk w;
	bool found;

	walk_begin(&w, ledger, DB_CALLS);
	found = walk_next(&w, &key, &row) && is_past(key, now_s);
	if (found) {
		*ret_known = row_decode(key, row, ret);
		walk_del(&w);
	}
	walk_end(&w);
	return found;
}

static enum rc close_past(struct txn *ledger, void *arg)
{
	uint64_t now_s = clock_s();
	struct audit_record r;
	bool known = false;
	enum rc rc = RC_OK;

	(void)arg;
	for (int i = 0; i < CLOSED_PER_JOB && rc == RC_OK && past_pop(ledger, now_s, &r, &known); i++)
		if (known)
			rc = audit_append(ledger, &r, NULL);
	return rc == RC_OK ? txn_rc(ledger) : rc;
}

void open_calls_tick(struct path *p)
{
	struct txn *ledger = txn_read(p->o.store, ENV_LEDGER);
	struct span key, row;
	struct walk w;
	bool past;

	walk_begin(&w, ledger, DB_CALLS);
	past = walk_next(&w, &key, &row) && is_past(key, clock_s());
	walk_end(&w);
	txn_abort(ledger);
	if (past)
		job_background(p->o.writer, close_past, NULL, p);
}
