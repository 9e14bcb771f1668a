/* path.c -- the order in which a request is decided. Read this first.
 *
 * The order is a security property, so it is data: one table, one loop. A step refuses by setting x->reason; the steps
 * after it that judge or act are then passed over, and the two that always run record the outcome and answer. A step that
 * must wait for a commit says so and is entered again when the commit is done. */
#include "path/path-private.h"

static const struct {
	const char *name;
	enum path_step step;
	bool always;                       /* runs on every exit, refusals included */
	enum step_result (*run)(struct exchange *x);
} steps[] = {
	{ "request",  STEP_REQUEST,  false, step_request  },   /* which endpoint, which site?               */
	{ "token",    STEP_TOKEN,    false, step_token    },   /* who signed this?                          */
	{ "identity", STEP_IDENTITY, false, step_identity },   /* as whom do we act?                        */
	{ "gate",     STEP_GATE,     false, step_gate     },   /* may they ask for this, from here?         */
	{ "intent",   STEP_INTENT,   false, step_intent   },   /* what exactly, with the identity pinned?   */
	{ "action",   STEP_ACTION,   false, step_action   },   /* run it, or make it ready for the commit   */
	{ "audit",    STEP_AUDIT,    true,  step_audit    },   /* no record, no action: one commit for both */
	{ "reply",    STEP_REPLY,    true,  step_reply    },
};

enum path_result path_run(struct exchange *x, struct path_thread *t)
{
	x->thread = t;
	for (; x->at < ARRAY_LEN(steps); x->at++) {
		bool wanted = x->reason == REASON_NONE && steps[x->at].step <= x->in.endpoint->last;

		if (!steps[x->at].always && !wanted)
			continue;
		/* After STEP_WAIT another thread may already own x: it is not touched again here. */
		if (steps[x->at].run(x) == STEP_WAIT)
			return PATH_WAITING;
	}
	x->thread = NULL;
	return PATH_ANSWERED;
}
