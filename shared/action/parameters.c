/* parameters.c -- what an action's parameters may be called. */
#include "action/action-private.h"
#include "base/text.h"

bool identity_name(const char *name)
{
	static const char *const names[] = { "email", "name", "user_id", "identity" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (ascii_equal_nocase(span_str(name), names[i]))
			return true;
	return false;
}

/* Only a public action, only at the top, only these two, only in lower case. */
static bool may_declare(struct action *a, const char *name, bool top)
{
	bool *takes = strcmp(name, "email") == 0 ? &a->takes_email : strcmp(name, "name") == 0 ? &a->takes_name : NULL;

	if (!takes || !top || a->access != ACCESS_PUBLIC)
		return false;
	*takes = true;
	return true;
}

static void check_schema(struct checker *k, const json_t *schema, struct action *a, bool top);

static void check_property(struct checker *k, const char *name, const json_t *schema, struct action *a, bool top)
{
	size_t mark = checker_enter(k, name);

	if (identity_name(name) && !may_declare(a, name, top))
		checker_fail(k, a->access == ACCESS_PERSONAL ?
			     "the identity comes from the token: no parameter of a personal action has this name" :
			     "a public action may have only email and name, at the top level, in lower case");
	check_schema(k, schema, a, false);
	checker_leave(k, mark);
}

/* Depth was bounded by the schema's own compiler, which ran before. */
static void check_schema(struct checker *k, const json_t *schema, struct action *a, bool top)
{
	json_t *properties = json_object_get(schema, "properties");
	const json_t *items = json_object_get(schema, "items");
	const char *name;
	json_t *property;
	size_t mark;

	mark = checker_enter(k, "properties");
	json_object_foreach(properties, name, property)
		check_property(k, name, property, a, top);
	checker_leave(k, mark);
	mark = checker_enter(k, "items");
	if (items)
		check_schema(k, items, a, false);
	checker_leave(k, mark);
}

void parameters_check(struct checker *k, const json_t *schema, struct action *a)
{
	check_schema(k, schema, a, true);
}
