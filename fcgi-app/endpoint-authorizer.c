/* endpoint-authorizer.c -- may this visitor pass, and as whom? Asked by a web server for an application behind it.
 *
 * The answer is in headers, in one of two spellings. In FastCGI's authorizer role the server makes variables of what
 * begins with Variable- (specification 1.0, 6.3). A server without that role, nginx, asks as an ordinary request and
 * reads the headers of the answer. The decision is always among them, so that an application need not take a missing
 * email for an answer. */
#include "endpoints.h"

#include "base/text.h"

struct spelling { const char *decision, *email, *name, *user_id; };
static const struct spelling variables = {
	"Variable-POSTERN_DECISION", "Variable-POSTERN_EMAIL", "Variable-POSTERN_NAME", "Variable-POSTERN_USER_ID",
};
static const struct spelling headers = { "X-Postern-Decision", "X-Postern-Email", "X-Postern-Name", "X-Postern-User-Id" };

/* An email or user id that a header would alter was refused at the gate (step-gate.c); a name is only left out. */
static void add(struct buf *b, const char *name, const char *value)
{
	if (value[0] && text_fits_header(span_str(value)))
		buf_addf(b, "%s: %s\r\n", name, value);
}

static void answer(struct exchange *x, const struct spelling *names)
{
	const struct identity *who = exchange_identity(x);
	struct buf *b = &exchange_out(x)->headers;

	add(b, names->decision, decision_name(who->decision));
	if (who->decision != DECISION_VERIFIED)
		return;
	add(b, names->email, who->email);
	add(b, names->name, who->name);
	add(b, names->user_id, who->user_id);
}

static void answer_variables(struct exchange *x)
{
	answer(x, &variables);
}

static void answer_headers(struct exchange *x)
{
	answer(x, &headers);
}

const struct endpoint endpoint_authorizer = {
	.name = "authorizer", .last = STEP_GATE, .guards = true, .answer = answer_variables,
};

const struct endpoint endpoint_authorizer_headers = {
	.name = "authorizer", .last = STEP_GATE, .guards = true, .answer = answer_headers,
};
