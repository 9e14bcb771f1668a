/* static.c -- a canned result: {"type": "static", "result": <JSON>}. */
#include "connector/connector-private.h"

static void static_compile(struct checker *k, struct connector *c, const struct connector_rules *rules)
{
	static const char *const members[] = { "type", "result" };
	const json_t *result = json_object_get(c->source, "result");

	(void)rules;
	checker_members(k, c->source, members, ARRAY_LEN(members));
	if (!result)
		checker_fail_at(k, "result", "required, and missing");
}

static enum reason static_bind(const struct connector *c, const struct binding *b, struct operation *op)
{
	(void)c;
	(void)b;
	(void)op;
	return REASON_NONE;
}

static enum reason static_run(const struct operation *op, struct txn *ledger, json_t **ret)
{
	*ret = json_deep_copy(json_object_get(op->connector->source, "result"));
	if (*ret)
		return REASON_NONE;
	txn_fail(ledger, RC_NOMEM);
	return REASON_AUDIT_UNAVAILABLE;
}

const struct connector_kind static_kind = { "static", static_compile, static_bind, static_run };
