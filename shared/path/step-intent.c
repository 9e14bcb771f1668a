/* step-intent.c -- what exactly is to be done, as whom: parameters with the identity pinned, checked against the action's schema
 * and bound to its connector.
 *
 * Connectors that leave the process are recorded as `intended` before they run; documents and static change and are recorded
 * in one commit, so for them the intent and the outcome are one record. */
#include "path/path-private.h"

/* Of the parameters as they are run. */
static enum reason name_change(struct exchange *x)
{
	if (!x->has_key)
		return REASON_NONE;
	return idempotency_make(x->path->o.store, x->view->site.id, x->record.subject, x->action->name, x->in.idempotency_key,
				x->intent.parameters, &x->idempotency) == RC_OK ? REASON_NONE : REASON_VAULT_UNAVAILABLE;
}

enum step_result step_intent(struct exchange *x)
{
	bool personal = x->action->access == ACCESS_PERSONAL;
	struct binding b = {
		.site = x->view->site.id,
		.identity = &x->identity,
		.owner = personal ? x->identity.email : "",
	};

	x->reason = intent_pin(x->action, &x->identity, &x->intent, &x->problems);
	if (x->reason != REASON_NONE)
		return STEP_NEXT;
	b.input = x->intent.parameters;
	b.claims = x->has_token ? x->token.claims : NULL;
	x->reason = connector_bind(x->action->connector, &b, &x->operation);
	if (x->reason == REASON_NONE)
		x->reason = name_change(x);
	return STEP_NEXT;
}
