/* step-action.c -- run it, or make it ready for the commit that records it.
 *
 * A public read that claims no conversation runs here, on a snapshot; everything else runs inside the writer's transaction
 * together with its record (step-audit.c). While the ledger cannot be written no action runs, though nobody waits for the record
 * of a public read; the others are tried, and so find out when it can be again. What leaves the process is call.c's. */
#include "path/path-private.h"

static enum reason run_now(struct exchange *x)
{
	struct txn *ledger = reader_begin(x->thread->reader, ENV_LEDGER);
	enum reason reason = operation_run(x->operation, ledger, &x->result);

	return txn_rc(ledger) == RC_OK ? reason : REASON_AUDIT_UNAVAILABLE;
}

enum step_result step_action(struct exchange *x)
{
	if (connector_leaves(x->action->connector))
		return call_step(x);
	x->durable = x->action->access == ACCESS_PERSONAL || x->action->effect != EFFECT_READ || x->claims_pin;
	if (!exchange_admitted(x))
		x->reason = exchange_verified(x) ? REASON_AUDIT_UNAVAILABLE : REASON_RATE_LIMITED;
	else if (!x->durable)
		x->reason = atomic_load(&x->path->ledger_failing) ? REASON_AUDIT_UNAVAILABLE : run_now(x);
	return STEP_NEXT;
}
