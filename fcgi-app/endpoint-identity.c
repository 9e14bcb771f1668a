/* endpoint-identity.c -- whom does Postern take the caller for? */
#include "endpoints.h"

static void answer(struct exchange *x)
{
	struct buf *b = &exchange_out(x)->body;

	buf_add_str(b, "{\"identity\":");
	answer_identity_json(b, exchange_identity(x));
	buf_add_char(b, '}');
}

/* To the gate, for the Origin is judged there. */
const struct endpoint endpoint_identity = { .name = "identity", .last = STEP_GATE, .answer = answer };
