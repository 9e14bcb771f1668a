/* call.c -- an action that leaves the process: recorded as intended, then called, then recorded as done or failed.
 *
 * Two commits and one call, and no thread waits for any of them. With the intended record the conversation and the
 * Idempotency-Key are claimed, and a row says when the call must be over: if the worker ends before the second record,
 * another one closes it (open-calls.c). The visitor has the answer only once the second record is on disk. */
#include "path/path-private.h"

/* Beyond the call's own limit: both commits may wait 2 s for the lock, the provider takes its moment, and a second of rounding. */
#define CLOSE_GRACE_S 7

/* After these the system behind the action has done nothing. After any other failure nobody knows, a redirect among them
 * (upstream_unsafe) that may follow the deed: the Idempotency-Key stays taken. */
static const enum reason not_done[] = {
	REASON_NOT_FOUND, REASON_CONFLICT, REASON_PARAMETERS_INVALID, REASON_CONNECTION_UNKNOWN, REASON_CONNECTION_DENIED,
	REASON_REAUTH_NEEDED, REASON_CREDENTIALS_FAILED, REASON_CONNECTION_BUSY, REASON_OVERLOADED,
};

static bool certainly_not_done(enum reason reason)
{
	for (size_t i = 0; i < ARRAY_LEN(not_done); i++)
		if (not_done[i] == reason)
			return true;
	return false;
}

/* ---- in the commits ---- */

void call_opened(struct exchange *x, struct txn *ledger)
{
	open_call_put(ledger, &x->call.key, &x->record);
}

struct closing call_closing(const struct exchange *x)
{
	return (struct closing){
		.call = x->call.key, .idempotency = x->idempotency, .result = x->result,
		.key = !x->has_key ? KEY_NONE : x->reason == REASON_NONE ? KEY_DONE : certainly_not_done(x->reason) ? KEY_FREE : KEY_STAYS,
	};
}

bool call_close(const struct store *st, struct txn *ledger, const struct closing *c)
{
	if (!open_call_remove(ledger, &c->call))
		return false;
	if (c->key == KEY_DONE)
		idempotency_finish(st, ledger, &c->idempotency, c->result);
	else if (c->key == KEY_FREE)
		idempotency_free(ledger, &c->idempotency);
	return true;
}

/* ---- reauth_needed, as answers tell ---- */

static void learn(struct path *p, const char *connection, enum reason reason)
{
	struct connections *all = &p->connections;
	bool needed = reason == REASON_REAUTH_NEEDED;
	size_t i = 0;

	if (!needed && reason != REASON_NONE)
		return;
	pthread_mutex_lock(&all->lock);
	while (i < all->count && strcmp(all->row[i].name, connection) != 0)
		i++;
	if (i < CONNECTIONS_LEARNED && strlen(connection) < sizeof(all->row[i].name)) {
		memcpy(all->row[i].name, connection, strlen(connection) + 1);
		all->row[i].reauth_needed = needed;
		all->count += i == all->count;
	}
	pthread_mutex_unlock(&all->lock);
}

/* ---- the three parts ---- */

static void came(void *arg)
{
	struct exchange *x = arg;

	x->wake(x->wake_arg);
}

/* What the upstream knows this change by. The hash of the parameters, which has the scope in it: a key that is free again, or whose
 * answer is no longer kept, may come with other ones, and an upstream that remembers it would give the old answer to them. */
static void name_upstream(const struct idempotency *k, char out[UPSTREAM_KEY_MAX])
{
	hex_encode(out, k->parameters, IDEMPOTENCY_HASH_SIZE);
}

static bool reserve(struct exchange *x, const struct upstream_request *r)
{
	struct provider_call *c = &x->call.provider;

	*c = (struct provider_call){ .request = r, .site = x->view->site.id, .done = came, .arg = x };
	if (x->has_key)
		name_upstream(&x->idempotency, c->idempotency_key);
	x->call.key = open_call_key(x->id, clock_s() + r->timeout_ms / 1000 + CLOSE_GRACE_S);
	return provider_reserve(x->path->provider, c);
}

static enum reason may_begin(struct exchange *x)
{
	const struct upstream_request *r = operation_request(x->operation);

	if (!exchange_admitted(x))
		return exchange_verified(x) ? REASON_AUDIT_UNAVAILABLE : REASON_RATE_LIMITED;
	if (atomic_load(&x->path->ledger_lost)) {
		atomic_fetch_add(&x->path->metrics.unrecorded, 1);
		return REASON_AUDIT_UNAVAILABLE;
	}
	if (!x->path->provider || !r)
		return REASON_PROVIDER_UNREACHABLE;
	return reserve(x, r) ? REASON_NONE : REASON_CONNECTION_BUSY;
}

static enum step_result intend(struct exchange *x)
{
	x->durable = true;
	x->reason = may_begin(x);
	if (x->reason != REASON_NONE)
		return STEP_NEXT;
	x->call.state = CALL_INTENDED;
	return audit_submit(x);
}

static enum step_result begin(struct exchange *x)
{
	audit_settle(x);
	if (x->reason != REASON_NONE || x->replayed) {         /* recorded as that, if it could be */
		provider_drop(x->path->provider, &x->call.provider);
		x->call.state = CALL_NOT_MADE;
		return STEP_NEXT;
	}
	x->call.state = CALL_MADE;
	x->thread = NULL;
	provider_start(x->path->provider, &x->call.provider);  /* x may belong to another thread from here on */
	return STEP_WAIT;
}

static enum step_result finish(struct exchange *x)
{
	struct provider_call *c = &x->call.provider;

	x->call.state = CALL_OVER;
	x->call.over_us = clock_us();
	learn(x->path, c->request->connection, c->reason);
	x->reason = c->reason;
	if (x->reason == REASON_NONE)
		x->reason = operation_answer(x->operation, c->status, buf_span(&c->body), &x->result);
	if (c->reason == REASON_NONE && x->reason == REASON_OVERLOADED)      /* it was made; there is no memory to read its answer */
		x->reason = REASON_UPSTREAM_FAILED;
	buf_done(&c->body);
	return STEP_NEXT;
}

enum step_result call_step(struct exchange *x)
{
	switch (x->call.state) {
	case CALL_INTENDED:
		return begin(x);
	case CALL_MADE:
		return finish(x);
	default:
		return intend(x);
	}
}
