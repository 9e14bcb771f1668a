/* documents.c -- the embedded connector: operations on rows, keyed (site, collection, owner, id).
 *
 *	{"type": "documents", "collection": "bookings", "operation": "update", "id": {"$input": "booking_id"},
 *	 "set": {"starts_at": {"$input": "starts_at"}}, "when": {"state": ["confirmed"]}} */
#include "connector/connector-private.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/text.h"

#include <stdio.h>

enum { MEMBER_ID = 1 << 0, MEMBER_SET = 1 << 1, MEMBER_WHEN = 1 << 2, MEMBER_AFTER = 1 << 3 };

struct document_operation {
	const char *name;
	bool writes;
	unsigned must, may;      /* members of the connector besides type, collection and operation */
	enum reason (*run)(const struct operation *op, struct txn *ledger, json_t **ret);
};

/* ---- running ------------------------------------------------------------------------------ */

static void key_of(struct row_key *key, const struct operation *op, const char *id)
{
	row_key_make(key, op->site, op->connector->collection, op->owner, id);
}

/* The row's data, new. NULL with a reason: not there, or not readable. */
static json_t *load(const struct operation *op, struct txn *ledger, enum reason *why)
{
	struct row_key key;
	struct span row;
	json_t *data;

	key_of(&key, op, op->id);
	if (!txn_get(ledger, DB_DOCUMENTS, span_of(key.bytes, key.size), &row)) {
		*why = txn_rc(ledger) == RC_OK ? REASON_NOT_FOUND : REASON_AUDIT_UNAVAILABLE;
		return NULL;
	}
	data = row_decode(ledger, row);
	*why = data ? REASON_NONE : REASON_AUDIT_UNAVAILABLE;
	return data;
}

/* {"id": ..., "data": ...}; takes data. */
static json_t *item_of(const char *id, json_t *data)
{
	return json_pack("{s:s, s:o}", "id", id, "data", data);
}

static enum reason answer(struct txn *ledger, json_t *result, json_t **ret)
{
	if (!result) {
		txn_fail(ledger, RC_NOMEM);
		return REASON_AUDIT_UNAVAILABLE;
	}
	*ret = result;
	return REASON_NONE;
}

static enum reason run_get(const struct operation *op, struct txn *ledger, json_t **ret)
{
	enum reason why;
	json_t *data = load(op, ledger, &why);

	return data ? answer(ledger, item_of(op->id, data), ret) : why;
}

/* Every member that `when` names must equal one of its constants; one the row does not have equals none. */
static bool when_holds(const struct operation *op, const json_t *data)
{
	json_t *when = json_object_get(op->connector->source, "when");
	const char *name;
	json_t *constants, *one;
	size_t i;

	json_object_foreach(when, name, constants) {
		const json_t *member = json_object_get(data, name);
		bool found = false;

		json_array_foreach(constants, i, one)
			found = found || json_equal(one, member);
		if (!found)
			return false;
	}
	return true;
}

static enum reason run_create(const struct operation *op, struct txn *ledger, json_t **ret)
{
	struct row_key key;
	struct span row;

	key_of(&key, op, op->id);
	if (txn_get(ledger, DB_DOCUMENTS, span_of(key.bytes, key.size), &row))
		return REASON_CONFLICT;
	if (!row_put(ledger, &key, op->set))
		return REASON_PARAMETERS_INVALID;
	return answer(ledger, item_of(op->id, json_deep_copy(op->set)), ret);
}

static enum reason run_update(const struct operation *op, struct txn *ledger, json_t **ret)
{
	struct row_key key;
	enum reason why;
	json_t *data = load(op, ledger, &why);

	if (!data)
		return why;
	if (!when_holds(op, data)) {
		json_decref(data);
		return REASON_CONFLICT;
	}
	key_of(&key, op, op->id);
	if (json_object_update(data, op->set) != 0) {
		txn_fail(ledger, RC_NOMEM);
	} else if (!row_put(ledger, &key, data)) {
		json_decref(data);
		return REASON_PARAMETERS_INVALID;
	}
	return answer(ledger, item_of(op->id, data), ret);
}

static enum reason run_delete(const struct operation *op, struct txn *ledger, json_t **ret)
{
	struct row_key key;
	enum reason why;
	json_t *data = load(op, ledger, &why);
	bool holds;

	if (!data)
		return why;
	holds = when_holds(op, data);
	json_decref(data);
	if (!holds)
		return REASON_CONFLICT;
	key_of(&key, op, op->id);
	txn_del(ledger, DB_DOCUMENTS, span_of(key.bytes, key.size));
	return answer(ledger, json_pack("{s:s}", "id", op->id), ret);
}

/* Adds one row to the page. The id comes from the key, which is stored bytes like any other. */
static bool add_item(struct txn *ledger, struct span id, struct span row, json_t *items)
{
	char text[DOCUMENT_ID_MAX];
	json_t *data;

	if (!document_id_valid(id)) {
		txn_fail(ledger, RC_CORRUPT);
		return false;
	}
	snprintf(text, sizeof(text), "%.*s", (int)id.size, (const char *)id.data);
	if (!(data = row_decode(ledger, row)))
		return false;
	if (json_array_append_new(items, item_of(text, data)) == 0)
		return true;
	txn_fail(ledger, RC_NOMEM);
	return false;
}

/* A page in id order, and true if there are rows behind it. */
static bool read_page(const struct operation *op, struct txn *ledger, json_t *items)
{
	struct row_key prefix, from;
	struct span key, row;
	struct walk w;
	bool more = false;
	bool there;

	key_of(&prefix, op, NULL);
	key_of(&from, op, op->after[0] ? op->after : NULL);
	walk_begin(&w, ledger, DB_DOCUMENTS);
	there = walk_seek(&w, span_of(from.bytes, from.size), &key, &row);
	if (there && op->after[0] && span_equal(key, span_of(from.bytes, from.size)))
		there = walk_next(&w, &key, &row);
	for (; there; there = walk_next(&w, &key, &row)) {
		struct span id;

		if (key.size <= prefix.size || memcmp(key.data, prefix.bytes, prefix.size) != 0)
			break;
		id = span_of((const char *)key.data + prefix.size, key.size - prefix.size);
		if ((more = json_array_size(items) == LIST_PAGE) || !add_item(ledger, id, row, items))
			break;
	}
	walk_end(&w);
	return more;
}

static enum reason run_list(const struct operation *op, struct txn *ledger, json_t **ret)
{
	json_t *items = json_array();
	json_t *next = NULL;

	if (!items)
		return answer(ledger, NULL, ret);
	if (read_page(op, ledger, items))
		next = json_object_get(json_array_get(items, LIST_PAGE - 1), "id");
	return answer(ledger, json_pack("{s:o, s:O?}", "items", items, "next", next), ret);
}

static const struct document_operation operations[] = {
	/* name		writes	must			may */
	{ "get",	false,	MEMBER_ID,		0,		run_get },
	{ "list",	false,	0,			MEMBER_AFTER,	run_list },
	{ "create",	true,	MEMBER_SET,		0,		run_create },
	{ "update",	true,	MEMBER_ID | MEMBER_SET,	MEMBER_WHEN,	run_update },
	{ "delete",	true,	MEMBER_ID,		MEMBER_WHEN,	run_delete },
};

bool connector_writes(const struct connector *c)
{
	return c->operation && c->operation->writes;
}

/* ---- compiling ---------------------------------------------------------------------------- */

bool collection_valid(struct span name)
{
	const char *text = name.data;

	if (name.size == 0 || name.size >= COLLECTION_MAX || text[0] < 'a' || text[0] > 'z')
		return false;
	for (size_t i = 1; i < name.size; i++)
		if (!(text[i] >= 'a' && text[i] <= 'z') && !ascii_is_digit(text[i]) && text[i] != '_')
			return false;
	return true;
}

/* A string that could be an id, or a reference to something that may turn out to be one. */
static void check_id(struct checker *k, const json_t *value, const json_t *parameters)
{
	if (reference_like(value))
		reference_check(k, value, parameters);
	else if (!json_is_string(value) || !document_id_valid(json_span(value)))
		checker_fail(k, "must be a reference, or a string of 1 to 128 bytes without control characters");
}

static void check_set(struct checker *k, const json_t *value, const json_t *parameters)
{
	if (!json_is_object(value) || json_object_size(value) == 0 || reference_like(value))
		checker_fail(k, "must be an object of at least one member, none of which begins with \"$\"");
	else
		reference_check(k, value, parameters);
}

static void check_when(struct checker *k, const json_t *value, const json_t *parameters)
{
	const char *name;
	json_t *constants;

	(void)parameters;
	if (!json_is_object(value) || json_object_size(value) == 0) {
		checker_fail(k, "must be an object of at least one member");
		return;
	}
	json_object_foreach((json_t *)value, name, constants) {
		size_t mark = checker_enter(k, name);

		if (!json_is_array(constants) || json_array_size(constants) == 0)
			checker_fail(k, "must be an array of at least one constant");
		else
			constant_check(k, constants);
		checker_leave(k, mark);
	}
}

static const struct {
	const char *name;
	unsigned bit;
	void (*check)(struct checker *k, const json_t *value, const json_t *parameters);
} members[] = {
	{ "id",		MEMBER_ID,	check_id },
	{ "set",	MEMBER_SET,	check_set },
	{ "when",	MEMBER_WHEN,	check_when },
	{ "after",	MEMBER_AFTER,	check_id },
};

static void check_members(struct checker *k, const struct connector *c, const json_t *parameters)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const json_t *value = json_object_get(c->source, members[i].name);
		size_t mark = checker_enter(k, members[i].name);

		if (!value && (c->operation->must & members[i].bit))
			checker_fail(k, "required for %s, and missing", c->operation->name);
		else if (value && !((c->operation->must | c->operation->may) & members[i].bit))
			checker_fail(k, "not a member of %s", c->operation->name);
		else if (value)
			members[i].check(k, value, parameters);
		checker_leave(k, mark);
	}
}

static const struct document_operation *find_operation(struct checker *k, const json_t *source)
{
	struct span name = json_span(json_object_get(source, "operation"));

	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (span_is(name, operations[i].name))
			return &operations[i];
	checker_fail_at(k, "operation", "must be get, list, create, update or delete");
	return NULL;
}

static void documents_compile(struct checker *k, struct connector *c, const struct connector_rules *rules)
{
	static const char *const known[] = { "type", "collection", "operation", "id", "set", "when", "after" };
	const json_t *collection = json_object_get(c->source, "collection");

	checker_members(k, c->source, known, ARRAY_LEN(known));
	if (!collection_valid(json_span(collection)))
		checker_fail_at(k, "collection", "must match ^[a-z][a-z0-9_]{0,62}$");
	c->collection = json_string_value(collection);
	if (!(c->operation = find_operation(k, c->source)))
		return;
	if (c->operation->writes != (rules->effect != EFFECT_READ))
		checker_fail_at(k, "operation", "%s does not go with an effect of %s", c->operation->name,
				effect_name(rules->effect));
	check_members(k, c, rules->parameters);
}

/* ---- binding ------------------------------------------------------------------------------ */

/* An integer parameter may serve as an id too: it is written in decimal. */
static bool id_from(const json_t *value, char out[DOCUMENT_ID_MAX])
{
	struct span text = json_span(value);

	if (json_is_integer(value)) {
		snprintf(out, DOCUMENT_ID_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return true;
	}
	if (!document_id_valid(text))
		return false;
	snprintf(out, DOCUMENT_ID_MAX, "%.*s", (int)text.size, (const char *)text.data);
	return true;
}

/* *ret_given: there was a value. */
static enum reason bind_id(const json_t *source, const struct binding *b, char out[DOCUMENT_ID_MAX], bool *ret_given)
{
	json_t *value = NULL;
	enum reason why = reference_resolve(source, b, &value);

	*ret_given = value != NULL;
	if (why == REASON_NONE && value && !id_from(value, out))
		why = reference_fault(source);
	json_decref(value);
	return why;
}

/* Lower case, so that an id reads the same wherever it is typed. */
static enum reason make_id(char out[DOCUMENT_ID_MAX])
{
	char ulid[ULID_MAX];

	if (!ulid_make(ulid, clock_us() / 1000))
		return REASON_OVERLOADED;
	for (size_t i = 0; i < sizeof(ulid); i++)
		out[i] = ascii_lower(ulid[i]);
	return REASON_NONE;
}

static enum reason bind_ids(const struct connector *c, const struct binding *b, struct operation *op)
{
	const json_t *id = json_object_get(c->source, "id");
	const json_t *after = json_object_get(c->source, "after");
	enum reason why = REASON_NONE;
	bool given = true;

	if (id)
		why = bind_id(id, b, op->id, &given);
	else if (c->operation->must & MEMBER_SET)
		why = make_id(op->id);
	if (why == REASON_NONE && !given)
		why = REASON_PARAMETERS_INVALID;
	if (why == REASON_NONE && after)
		why = bind_id(after, b, op->after, &given);
	return why;
}

static enum reason reason_of_fit(enum rc rc)
{
	return rc == RC_OK ? REASON_NONE : rc == RC_NOMEM ? REASON_OVERLOADED : REASON_PARAMETERS_INVALID;
}

static enum reason documents_bind(const struct connector *c, const struct binding *b, struct operation *op)
{
	const json_t *set = json_object_get(c->source, "set");
	enum reason why = bind_ids(c, b, op);

	if (why == REASON_NONE && set)
		why = reference_resolve(set, b, &op->set);
	if (why == REASON_NONE && set)
		why = reason_of_fit(row_fits(op->set));
	return why;
}

static enum reason documents_run(const struct operation *op, struct txn *ledger, json_t **ret)
{
	return op->connector->operation->run(op, ledger, ret);
}

const struct connector_kind documents_kind = { "documents", documents_compile, documents_bind, documents_run };
