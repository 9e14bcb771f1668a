/* http-parameters.c -- parameters that look like an identity.
 *
 * A personal action asks as the person of the token. A parameter "customer_id" beside it would be a second, unverified
 * answer to the same question, and many systems take the one that they find first. */
#include "connector/http-private.h"
#include "base/text.h"

static bool contains_nocase(const char *name, const char *part)
{
	size_t size = strlen(name), length = strlen(part);

	for (size_t i = 0; i + length <= size; i++)
		if (ascii_equal_nocase(span_of(name + i, length), part))
			return true;
	return false;
}

bool identity_like(const char *name)
{
	static const char *const parts[] = { "email", "e-mail", "user_id", "userid", "customer" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (contains_nocase(name, parts[i]))
			return true;
	return false;
}

static bool type_names(const json_t *type)
{
	static const char *const others[] = { "object", "array", "boolean", "null" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (span_is(json_span(type), others[i]))
			return false;
	return true;
}

/* Can the value be, or have as an element, a text or a number? What has no type can be anything. */
static bool can_name(const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type");
	const json_t *items = json_object_get(schema, "items");
	bool arrays = span_is(json_span(type), "array");
	json_t *one;
	size_t i;

	if (!type || (json_is_string(type) && type_names(type)))
		return true;
	json_array_foreach((json_t *)type, i, one) {
		if (type_names(one))
			return true;
		arrays = arrays || span_is(json_span(one), "array");
	}
	return arrays && (!items || can_name(items));
}

/* Every property that can name somebody, at any depth; each returns false to stop, and so does the walk. The depth was
 * bounded when the actions document was parsed. */
static bool properties_each(const json_t *schema, bool top, bool (*each)(const char *name, bool top, void *arg),
			    void *arg)
{
	json_t *properties = json_object_get(schema, "properties");
	const json_t *items = json_object_get(schema, "items");
	const char *name;
	json_t *property;

	json_object_foreach(properties, name, property)
		if ((can_name(property) && !each(name, top, arg)) || !properties_each(property, false, each, arg))
			return false;
	return !items || properties_each(items, false, each, arg);
}

static bool is_other(const char *name, bool top, void *arg)
{
	(void)top;
	return strcmp(name, arg) != 0;
}

bool identity_property(const json_t *schema, const char *name)
{
	return !properties_each(schema, true, is_other, (void *)name);
}

struct looking {
	struct checker *k;
	const json_t *listed;
	bool contact;      /* the action may take an unverified email: a public one that writes */
};

static bool is_listed(const json_t *listed, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *)listed, i, one)
		if (span_is(json_span(one), name))
			return true;
	return false;
}

static bool check_parameter(const char *name, bool top, void *arg)
{
	const struct looking *l = arg;

	if (identity_like(name) && !is_listed(l->listed, name) && !(l->contact && top && strcmp(name, "email") == 0))
		checker_fail_at(l->k, "not_identity", "the parameter %s looks like an identity, which the token alone "
				"says; if it is none, list it here", name);
	return true;
}

void check_parameters(struct checker *k, const json_t *source, const struct connector_rules *rules)
{
	struct looking l = {
		.k = k,
		.listed = json_object_get(source, "not_identity"),
		.contact = rules->access == ACCESS_PUBLIC && rules->effect != EFFECT_READ,
	};

	properties_each(rules->parameters, true, check_parameter, &l);
}
