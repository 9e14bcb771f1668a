/* compile.c -- from a connector's JSON to a connector, and from a connector to an operation. */
#include "connector/connector-private.h"

#include <stdlib.h>

static const struct connector_kind *const kinds[] = { &documents_kind, &static_kind, &http_kind };

const char *effect_name(enum effect e)
{
	static const char *const names[] = { "read", "write", "destructive" };

	return (size_t)e < ARRAY_LEN(names) ? names[e] : "";
}

static const struct connector_kind *find_kind(struct checker *k, const json_t *source)
{
	struct span name = json_span(json_object_get(source, "type"));

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (span_is(name, kinds[i]->name))
			return kinds[i];
	checker_fail_at(k, "type", "must be documents, static or http");
	return NULL;
}

static void compile(struct checker *k, struct connector *c, const json_t *source, const struct connector_rules *rules)
{
	if (!json_is_object(source)) {
		checker_fail(k, "a connector must be an object");
		return;
	}
	if (!(c->source = json_deep_copy(source))) {
		k->nomem = true;
		return;
	}
	c->access = rules->access;
	if ((c->kind = find_kind(k, c->source)))
		c->kind->compile(k, c, rules);
}

enum rc connector_compile(const json_t *source, struct span at, const struct connector_rules *rules,
			  struct connector **ret, struct problems *problems)
{
	struct connector *c = calloc(1, sizeof(*c));
	struct checker k;
	enum rc rc;

	if (!c)
		return RC_NOMEM;
	checker_init(&k, at, problems);
	compile(&k, c, source, rules);
	rc = checker_rc(&k);
	if (rc == RC_OK) {
		*ret = c;
		c = NULL;
	}
	connector_free(c);
	checker_done(&k);
	return rc;
}

void connector_free(struct connector *c)
{
	if (!c)
		return;
	json_decref(c->source);
	free(c);
}

bool connector_leaves(const struct connector *c)
{
	return c->kind == &http_kind;
}

/* The last line of defence, should a caller ever get here past the gate: a personal action acts as its pinned email, a
 * public one as nobody. */
static bool owner_is_right(const struct connector *c, const struct binding *b)
{
	if (c->access == ACCESS_PUBLIC)
		return b->owner[0] == '\0';
	return b->identity->decision == DECISION_VERIFIED && b->owner[0] != '\0' &&
	       strcmp(b->owner, b->identity->email) == 0;
}

enum reason connector_bind(const struct connector *c, const struct binding *b, struct operation **ret)
{
	struct operation *op;
	enum reason why;

	if (!owner_is_right(c, b))
		return REASON_IDENTITY_INCOMPLETE;
	if (strlen(b->site) >= sizeof(op->site) || strlen(b->owner) >= sizeof(op->owner) || !(op = calloc(1, sizeof(*op))))
		return REASON_OVERLOADED;
	op->connector = c;
	memcpy(op->site, b->site, strlen(b->site) + 1);
	memcpy(op->owner, b->owner, strlen(b->owner) + 1);
	why = c->kind->bind(c, b, op);
	if (why != REASON_NONE) {
		operation_free(op);
		return why;
	}
	*ret = op;
	return REASON_NONE;
}

void operation_free(struct operation *op)
{
	if (!op)
		return;
	json_decref(op->set);
	buf_done(&op->request.target);
	buf_done(&op->request.headers);
	buf_done(&op->request.body);
	free(op);
}

const struct upstream_request *operation_request(const struct operation *op)
{
	return connector_leaves(op->connector) ? &op->request : NULL;
}

enum reason operation_run(struct operation *op, struct txn *ledger, json_t **ret_result)
{
	json_t *result = NULL;
	enum reason why = op->connector->kind->run(op, ledger, &result);

	if (why == REASON_NONE && txn_rc(ledger) != RC_OK)
		why = REASON_AUDIT_UNAVAILABLE;
	if (why != REASON_NONE) {
		json_decref(result);
		return why;
	}
	*ret_result = result;
	return REASON_NONE;
}
