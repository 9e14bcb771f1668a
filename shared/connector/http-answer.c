/* http-answer.c -- what a system's answer means: its status, whose it is, and what of it the visitor gets. */
#include "connector/http-private.h"

#include <stdio.h>

enum { ANSWER_DEPTH_MAX = 32, STATUS_NO_CONTENT = 204 };

/* Any other is a failure of the system's, or of how it is asked, and the visitor can do nothing about it. */
static const struct { int status; enum reason reason; } statuses[] = {
	{ 404, REASON_NOT_FOUND },
	{ 408, REASON_UPSTREAM_TIMEOUT },
	{ 409, REASON_CONFLICT },
	{ 410, REASON_NOT_FOUND },
	{ 412, REASON_CONFLICT },
	{ 422, REASON_PARAMETERS_INVALID },
	{ 423, REASON_CONFLICT },
	{ 504, REASON_UPSTREAM_TIMEOUT },
};

static enum reason status_reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].reason;
	return status >= 200 && status <= 299 ? REASON_NONE : REASON_UPSTREAM_FAILED;
}

/* ---- whose it is ---- */

static bool same_email(const json_t *value, const char *pinned)
{
	char email[EMAIL_MAX];
	const char *domain;

	return json_is_string(value) && email_normalise(json_span(value), email, &domain) == REASON_NONE &&
	       strcmp(email, pinned) == 0;
}

static bool same_user_id(const json_t *value, const char *pinned)
{
	char decimal[32];

	if (!json_is_integer(value))
		return json_is_string(value) && span_is(json_span(value), pinned);
	snprintf(decimal, sizeof(decimal), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return strcmp(decimal, pinned) == 0;
}

static bool owner_is(const json_t *value, const struct operation *op, const json_t *check)
{
	const json_t *equals = json_object_get(json_object_get(check, "equals"), "$identity");
	const json_t *owner = pointer_get(value, json_span(json_object_get(check, "pointer")));

	if (op->pinned[0] == '\0')
		return false;
	return span_is(json_span(equals), "email") ? same_email(owner, op->pinned) : same_user_id(owner, op->pinned);
}

/* An empty list mentions nobody, so nobody else; where no list is, nothing was checked. */
static bool owner_matches(const json_t *answer, const struct operation *op)
{
	const json_t *check = json_object_get(op->connector->source, "owner_check");
	const json_t *each = json_object_get(check, "each");
	const json_t *list;
	json_t *element;
	size_t i;

	if (!check)
		return true;
	if (!each)
		return owner_is(answer, op, check);
	list = pointer_get(answer, json_span(each));
	json_array_foreach((json_t *)list, i, element)
		if (!owner_is(element, op, check))
			return false;
	return json_is_array(list);
}

/* ---- what the visitor gets ---- */

/* Writes NULL where the answer has nothing of it. false: no memory. */
static bool map(const json_t *mapping, const json_t *answer, json_t **ret);

static bool map_pointer(const json_t *mapping, const json_t *answer, json_t **ret)
{
	const json_t *there = pointer_get(answer, json_span(mapping));

	*ret = there ? json_deep_copy(there) : NULL;
	return !there || *ret;
}

static bool map_object(const json_t *mapping, const json_t *answer, json_t **ret)
{
	json_t *into = json_object();
	const char *name;
	json_t *below, *value;

	json_object_foreach((json_t *)mapping, name, below) {
		if (!map(below, answer, &value) || (value && json_object_set_new(into, name, value) != 0)) {
			json_decref(into);
			return false;
		}
	}
	*ret = into;
	return into != NULL;
}

static bool map_each(const json_t *mapping, const json_t *answer, json_t **ret)
{
	const json_t *list = pointer_get(answer, json_span(json_object_get(mapping, "$each")));
	json_t *into, *element, *value;
	size_t i;

	*ret = NULL;
	if (!json_is_array(list))
		return true;
	into = json_array();
	json_array_foreach((json_t *)list, i, element) {
		if (!map(json_object_get(mapping, "of"), element, &value) ||
		    (value && json_array_append_new(into, value) != 0)) {
			json_decref(into);
			return false;
		}
	}
	*ret = into;
	return into != NULL;
}

static bool map(const json_t *mapping, const json_t *answer, json_t **ret)
{
	if (json_is_string(mapping))
		return map_pointer(mapping, answer, ret);
	return json_object_get(mapping, "$each") ? map_each(mapping, answer, ret) : map_object(mapping, answer, ret);
}

/* ---- the whole ---- */

static enum reason answer_parse(int status, struct span body, json_t **ret)
{
	enum rc rc;

	if (status == STATUS_NO_CONTENT || body.size == 0) {
		*ret = json_null();
		return REASON_NONE;
	}
	rc = json_strict(body, ANSWER_DEPTH_MAX, ret, NULL);
	return rc == RC_OK ? REASON_NONE : rc == RC_NOMEM ? REASON_OVERLOADED : REASON_UPSTREAM_INVALID;
}

static enum reason result_of(const struct operation *op, json_t *answer, json_t **ret_result)
{
	const json_t *mapping = json_object_get(op->connector->source, "result");
	json_t *result = NULL;

	if (!owner_matches(answer, op))
		return REASON_OWNER_MISMATCH;
	if (json_is_null(answer) || !mapping)
		result = json_incref(answer);
	else if (!map(mapping, answer, &result))
		return REASON_OVERLOADED;
	*ret_result = result ? result : json_null();
	return REASON_NONE;
}

enum reason operation_answer(const struct operation *op, int status, struct span body, json_t **ret_result)
{
	enum reason why = status_reason(status);
	json_t *answer = NULL;

	if (why == REASON_NONE && !connector_leaves(op->connector))
		why = REASON_UPSTREAM_FAILED;
	if (why == REASON_NONE)
		why = answer_parse(status, body, &answer);
	if (why == REASON_NONE)
		why = result_of(op, answer, ret_result);
	json_decref(answer);
	return why;
}

/* There is no way to run it here: it is asked for with operation_request(). */
static enum reason http_run(const struct operation *op, struct txn *ledger, json_t **ret)
{
	(void)op;
	(void)ledger;
	(void)ret;
	return REASON_UPSTREAM_FAILED;
}

const struct connector_kind http_kind = { "http", http_compile, http_bind, http_run };
