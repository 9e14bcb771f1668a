/* step-identity.c -- as whom do we act? From the verified token alone. */
#include "path/path-private.h"

enum step_result step_identity(struct exchange *x)
{
	if (!x->has_token) {
		identity_anonymous(&x->identity, REASON_NO_TOKEN);
		return STEP_NEXT;
	}
	identity_pin(&x->identity, &x->token, &x->view->site);
	if (x->identity.decision == DECISION_BLOCKED) {
		x->reason = x->identity.reason;
		x->recordable = true;
	} else if (exchange_verified(x) && exchange_needs_subject(x) && !x->record.subject[0]) {
		/* A verified visitor without a pseudonym could neither own a conversation nor be recorded. */
		x->reason = REASON_VAULT_UNAVAILABLE;
	}
	return STEP_NEXT;
}
