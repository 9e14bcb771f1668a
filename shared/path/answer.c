/* answer.c -- bodies of success that the worker and the command line share. */
#include "path/path-private.h"

/* name: with its quotes and what stands before it. */
static void text_or_null(struct buf *b, const char *name, const char *text)
{
	buf_add_str(b, name);
	if (text[0])
		buf_add_json(b, span_str(text));
	else
		buf_add_str(b, "null");
}

void answer_identity_json(struct buf *b, const struct identity *who)
{
	buf_add_str(b, "{\"status\":\"");
	buf_add_str(b, decision_name(who->decision));
	if (who->decision != DECISION_VERIFIED) {
		buf_add_str(b, "\",\"reason\":\"");
		buf_add_str(b, reason_name(who->reason));
		buf_add_str(b, "\"}");
		return;
	}
	text_or_null(b, "\",\"email\":", who->email);
	text_or_null(b, ",\"name\":", who->name);
	text_or_null(b, ",\"user_id\":", who->user_id);
	buf_add_str(b, ",\"expires_at\":");
	if (who->has_expiry)
		buf_add_u64(b, who->expires_at);
	else
		buf_add_str(b, "null");
	buf_add_char(b, '}');
}

static void answer_action(struct exchange *x)
{
	struct buf *b = &x->out.body;

	buf_add_str(b, "{\"action\":\"");
	buf_add_str(b, x->action->name);
	buf_add_str(b, "\",\"identity\":");
	answer_identity_json(b, &x->identity);
	buf_add_str(b, ",\"result\":");
	json_canonical(b, x->result);
	buf_add_str(b, ",\"ignored\":");
	if (x->intent.ignored)
		json_canonical(b, x->intent.ignored);
	else
		buf_add_str(b, "[]");
	buf_add_str(b, ",\"audit\":\"");
	buf_add_str(b, x->id);
	buf_add_str(b, "\"}");
}

static void answer_preflight(struct exchange *x)
{
	x->out.status = 204;
}

const struct endpoint path_endpoint_action = {
	.name = "action", .last = STEP_ACTION, .runs_action = true, .needs_catalogue = true, .answer = answer_action,
};

const struct endpoint path_endpoint_preflight = {
	.name = "preflight", .last = STEP_REQUEST, .answer = answer_preflight,
};
