/* step-action.c -- run it, or make it ready for the commit that records it.
 *
 * A read runs here, on a snapshot, in whichever thread has the request; its result leaves only behind the record that is due
 * for it. What changes something runs inside the writer's transaction together with its record (step-audit.c). While the ledger
 * cannot be written, and behind the last record of a worker that stops, no action runs, though nobody waits for the record of a
 * public read; the others are tried, and so find out when it can be again. What leaves the process is call.c's. */
#include "path/path-private.h"

/* What it found, or why it found nothing, is the commit's to record, behind the claim of the conversation. */
static enum reason run_now(struct exchange *x)
{
	struct txn *ledger = reader_begin(x->thread->reader, ENV_LEDGER);

	x->found = operation_run(x->operation, ledger, &x->result);
	x->has_run = true;
	if (txn_rc(ledger) != RC_OK)
		return REASON_AUDIT_UNAVAILABLE;
	return x->durable ? REASON_NONE : x->found;
}

enum step_result step_action(struct exchange *x)
{
	if (connector_leaves(x->action->connector))
		return call_step(x);
	x->durable = x->action->access == ACCESS_PERSONAL || x->action->effect != EFFECT_READ || x->claims_pin;
	if (!exchange_admitted(x))
		x->reason = exchange_verified(x) ? REASON_AUDIT_UNAVAILABLE : REASON_RATE_LIMITED;
	else if (!x->durable && (atomic_load(&x->path->ledger_failing) || atomic_load(&x->path->flushed)))
		x->reason = REASON_AUDIT_UNAVAILABLE;
	else if (x->action->effect == EFFECT_READ)
		x->reason = run_now(x);
	return STEP_NEXT;
}
