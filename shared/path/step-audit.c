/* step-audit.c -- no record, no action: what is written, and what is on disk before the answer leaves (design 9).
 *
 * One job of the group-commit writer claims the conversation, runs the operation (a read has run before, step-action.c) and
 * appends the record; it happens whole or not at all. While it waits no thread waits with it: the step says STEP_WAIT and is
 * entered again after the commit. */
#include "path/path-private.h"

/* What becomes of the record. */
enum fate { RECORD_NONE, RECORD_FOLDED, RECORD_QUEUED, RECORD_DURABLE };

static enum reason recorded_reason(const struct exchange *x, enum reason reason)
{
	bool unusable = x->identity.reason == REASON_EMAIL_RESERVED || x->identity.reason == REASON_EMAIL_NOT_PUBLIC;

	return reason == REASON_SIGN_IN_REQUIRED && unusable ? x->identity.reason : reason;
}

static void record_outcome(struct exchange *x, enum reason reason)
{
	struct audit_record *r = &x->record;

	bool done = reason == REASON_NONE || reason == REASON_REPLAYED;
	bool begins = reason == REASON_NONE && x->call.state == CALL_INTENDED;

	r->outcome = begins ? AUDIT_OUTCOME_INTENDED : done ? AUDIT_OUTCOME_DONE
		   : x->call.state == CALL_OVER ? AUDIT_OUTCOME_FAILED
		   : x->identity.decision == DECISION_BLOCKED ? AUDIT_OUTCOME_BLOCKED : AUDIT_OUTCOME_REFUSED;
	r->reason = recorded_reason(x, reason);
	r->status = begins ? 0 : done ? 200 : reason_status(reason_public(reason));
}

/* A blocked token never reached the look-up; its record names the action only if the site has one of that name. */
static void record_action(struct exchange *x)
{
	if (!x->action && x->in.endpoint->runs_action && !x->catalogue && x->vault &&
	    catalogues_get(&x->path->catalogues, x->vault, x->view, &x->catalogue) == REASON_NONE)
		x->action = catalogue_find(x->catalogue->catalogue, x->in.action);
	if (!x->action)
		return;
	memcpy(x->record.action, x->action->name, sizeof(x->record.action));
	x->record.effect = effect_name(x->action->effect);
}

static void record_fill(struct exchange *x)
{
	struct audit_record *r = &x->record;

	r->event = x->in.endpoint->runs_action ? AUDIT_EVENT_ACTION : AUDIT_EVENT_IDENTITY;
	memcpy(r->id, x->id, sizeof(r->id));
	memcpy(r->site, x->view->site.id, sizeof(r->site));
	r->time = x->call.state == CALL_OVER ? x->call.over_us : x->now_us;
	r->has_duration = x->call.state == CALL_OVER;
	r->duration_ms = x->call.provider.ms;
	audit_network(r->remote, x->in.remote);
	r->ignored = x->intent.ignored;
	if (x->has_token)
		memcpy(r->token, token_fingerprint(&x->token), sizeof(r->token));
	record_action(x);
	record_outcome(x, x->reason);
}

static enum fate due_fate(struct exchange *x)
{
	if (x->call.state == CALL_NOT_MADE)
		return RECORD_NONE;
	if (x->call.state == CALL_OVER)
		return RECORD_DURABLE;
	if (x->reason == REASON_NONE)
		return !x->in.endpoint->runs_action ? RECORD_NONE : x->durable ? RECORD_DURABLE : RECORD_QUEUED;
	if (!x->recordable || x->reason == REASON_AUDIT_UNAVAILABLE || x->reason == REASON_VAULT_UNAVAILABLE)
		return RECORD_NONE;
	if (x->reason == REASON_RATE_LIMITED)
		return RECORD_FOLDED;
	if (exchange_admitted(x))
		return RECORD_DURABLE;
	if (!exchange_verified(x))
		return RECORD_FOLDED;
	x->reason = REASON_AUDIT_UNAVAILABLE;
	return RECORD_NONE;
}

/* A ledger that is no longer the file of its name takes no record: then nothing is done, and what is blocked stays blocked. */
static enum fate fate_of(struct exchange *x)
{
	enum fate fate = due_fate(x);

	if (fate == RECORD_NONE || !atomic_load(&x->path->ledger_lost))
		return fate;
	atomic_fetch_add(&x->path->metrics.unrecorded, 1);
	if (x->identity.decision != DECISION_BLOCKED)
		x->reason = REASON_AUDIT_UNAVAILABLE;
	return RECORD_NONE;
}

static void fold(struct exchange *x)
{
	struct audit_record evicted;
	char source[REMOTE_MAX];

	audit_source(source, x->in.remote);
	if (budget_fold(x->path->budget, source, &x->record, path_space_left(x->path, AUDIT_STRANGER) ? &evicted : NULL))
		record_queue(x->path, &evicted, NULL, NULL);
	atomic_fetch_add(&x->path->metrics.folded, 1);
}

/* What leaves is only begun here; its answer comes to a commit of its own. */
static enum reason operate(struct exchange *x, struct txn *ledger)
{
	if (x->has_run)
		return x->found;
	if (x->call.state != CALL_INTENDED)
		return operation_run(x->operation, ledger, &x->result);
	call_opened(x, ledger);
	return REASON_NONE;
}

/* A refusal leaves no row: the key can be used again. */
static enum reason run_once(struct exchange *x, struct txn *ledger)
{
	const struct store *st = x->path->o.store;
	enum reason reason = idempotency_claim(st, ledger, &x->idempotency, x->now_us / 1000000, &x->result);

	if (reason != REASON_NONE)
		return reason;
	reason = operate(x, ledger);
	if (x->call.state == CALL_INTENDED)
		return reason;
	if (reason == REASON_NONE)
		idempotency_finish(st, ledger, &x->idempotency, x->result);
	else
		idempotency_free(ledger, &x->idempotency);
	return reason;
}

/* Its time was over before its answer could be recorded, and a worker has recorded that: the log has one last word on a call, and
 * the answer is that word. */
static enum rc closed_by_another(struct exchange *x)
{
	x->committed_reason = REASON_OUTCOME_UNKNOWN;
	return RC_OK;
}

/* The job. May run twice (store.h): it starts from x->reason, which it does not change, and makes its outputs anew. */
static enum rc commit(struct txn *ledger, void *arg)
{
	struct exchange *x = arg;
	const char *site = x->view->site.id;
	uint64_t now_s = x->now_us / 1000000;
	enum reason reason = x->reason;
	enum rc rc = RC_OK;

	idempotency_sweep(ledger, now_s);
	if (x->call.state == CALL_OVER) {
		struct closing c = call_closing(x);

		if (!call_close(x->path->o.store, ledger, &c) && txn_rc(ledger) == RC_OK)
			return closed_by_another(x);
		rc = txn_rc(ledger);
	} else if (reason == REASON_NONE) {
		if (!x->has_run) {
			json_decref(x->result);
			x->result = NULL;
		}
		if (x->claims_pin)
			reason = pin_claim(ledger, site, x->conversation, x->record.subject, x->now_us);
		if (reason == REASON_NONE)
			reason = x->has_key ? run_once(x, ledger) : operate(x, ledger);
		rc = txn_rc(ledger);
	}
	if (rc == RC_OK && x->record.subject[0] && x->identity.email[0])
		rc = audit_identity_keep(x->path->o.store, ledger, site, x->record.subject, x->identity.email,
					 x->identity.name, now_s);
	if (rc != RC_OK)
		return rc;
	record_outcome(x, reason);
	x->committed_reason = reason;
	return audit_append(ledger, &x->record, NULL);
}

static void committed(void *arg, enum rc outcome)
{
	struct exchange *x = arg;

	x->committed = outcome;
	health_note(x->path, outcome);
	x->wake(x->wake_arg);
}

static enum step_result submit(struct exchange *x)
{
	struct writer *w = x->path->o.writer;

	x->waiting = true;
	x->thread = NULL;
	x->job = (struct job){ .run = commit, .done = committed, .arg = x };
	writer_submit(w, &x->job);         /* x may belong to another thread from here on */
	return STEP_WAIT;
}

/* The commit is over. A blocked token stays blocked without a record; anything else without one is refused, and was not done;
 * but for a call, whose record is then tried again for a while. */
static void settle(struct exchange *x)
{
	if (x->committed == RC_OK) {
		x->replayed = x->committed_reason == REASON_REPLAYED;
		x->reason = x->replayed ? REASON_NONE : x->committed_reason;
		atomic_fetch_add(&x->path->metrics.records, 1);
		return;
	}
	if (x->call.state == CALL_OVER) {
		struct closing c = call_closing(x);

		record_outcome(x, x->reason);
		record_queue_closing(x->path, &x->record, &c);
	} else {
		atomic_fetch_add(&x->path->metrics.unrecorded, 1);
	}
	if (x->identity.decision != DECISION_BLOCKED || x->reason == REASON_NONE) {
		x->reason = REASON_AUDIT_UNAVAILABLE;
		json_decref(x->result);
		x->result = NULL;
	}
}

enum step_result audit_submit(struct exchange *x)
{
	record_fill(x);
	exchange_release(x);
	return submit(x);
}

void audit_settle(struct exchange *x)
{
	x->waiting = false;
	settle(x);
}

enum step_result step_audit(struct exchange *x)
{
	enum fate fate;

	if (x->waiting) {
		settle(x);
		return STEP_NEXT;
	}
	fate = fate_of(x);
	if (fate != RECORD_NONE)
		record_fill(x);
	exchange_release(x);
	if (fate == RECORD_DURABLE)
		return submit(x);
	if (fate == RECORD_FOLDED)
		fold(x);
	else if (fate == RECORD_QUEUED && !record_queue(x->path, &x->record, x->identity.email, x->identity.name))
		x->reason = REASON_AUDIT_UNAVAILABLE;
	return STEP_NEXT;
}
