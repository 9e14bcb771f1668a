#include "schema/schema-private.h"
#include "base/checker.h"

#include <stdlib.h>

/* What one schema object says, keyword by keyword. */
struct compiling {
	struct checker *k;
	struct schema *s;
	const struct keyword *word;
	unsigned depth;
};

struct keyword {
	const char *name;
	unsigned applies;        /* types it says something about; 0: any */
	void (*read)(struct compiling *c, const json_t *value);
	size_t member;           /* of struct schema, for the readers that fill in one of many alike */
};

static struct schema *compile(struct checker *k, const json_t *source, unsigned depth);

static const struct { const char *name; unsigned bits; } type_names[] = {
	{ "object",	TYPE_OBJECT },
	{ "array",	TYPE_ARRAY },
	{ "string",	TYPE_STRING },
	{ "integer",	TYPE_INTEGER },
	{ "number",	TYPE_NUMERIC },
	{ "boolean",	TYPE_BOOLEAN },
	{ "null",	TYPE_NULL },
};

static void read_type_name(struct compiling *c, const json_t *value)
{
	struct span name = json_span(value);

	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (span_is(name, type_names[i].name)) {
			c->s->types |= type_names[i].bits;
			return;
		}
	}
	checker_fail(c->k, "not a type: object array string integer number boolean null");
}

static void read_type(struct compiling *c, const json_t *value)
{
	size_t i;
	json_t *one;

	if (!json_is_array(value)) {
		read_type_name(c, value);
		return;
	}
	if (json_array_size(value) == 0)
		checker_fail(c->k, "names no type");
	json_array_foreach((json_t *)value, i, one) {
		size_t mark = checker_enter_index(c->k, i);

		read_type_name(c, one);
		checker_leave(c->k, mark);
	}
}

static void read_text(struct compiling *c, const json_t *value)
{
	if (!json_is_string(value))
		checker_fail(c->k, "must be a string");
}

/* `default` is an annotation: nothing is filled in from it. */
static void read_anything(struct compiling *c, const json_t *value)
{
	(void)c;
	(void)value;
}

static void read_size(struct compiling *c, const json_t *value)
{
	size_t *size = (size_t *)((char *)c->s + c->word->member);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		checker_fail(c->k, "must be an integer, 0 or more");
	else
		*size = (size_t)json_integer_value(value);
}

static void read_bound(struct compiling *c, const json_t *value)
{
	json_t **bound = (json_t **)((char *)c->s + c->word->member);

	if (!json_is_number(value))
		checker_fail(c->k, "must be a number");
	else if (!(*bound = json_deep_copy(value)))
		c->k->nomem = true;
}

static void read_pattern(struct compiling *c, const json_t *value)
{
	const char *detail = "";
	enum rc rc;

	if (!json_is_string(value)) {
		checker_fail(c->k, "must be a string");
		return;
	}
	rc = pattern_compile(json_span(value), &c->s->pattern, &detail);
	if (rc == RC_INVALID)
		checker_fail(c->k, "%s", detail);
	else if (rc != RC_OK)
		c->k->nomem = true;
}

static void read_format(struct compiling *c, const json_t *value)
{
	const char *name = json_string_value(value);

	if (!name || !(c->s->format = format_find(name)))
		checker_fail(c->k, "not a format: date date-time");
}

static void allow(struct compiling *c, json_t *values)
{
	if (!values)
		c->k->nomem = true;
	else if (c->s->allowed)
		checker_fail(c->k, "enum and const exclude each other");
	else
		c->s->allowed = json_incref(values);
	json_decref(values);
}

/* A value is compared with each, and a body can hold thousands of values. */
#define ENUM_MAX 256

static void read_enum(struct compiling *c, const json_t *value)
{
	if (!json_is_array(value) || json_array_size(value) == 0)
		checker_fail(c->k, "must be an array of at least one value");
	else if (json_array_size(value) > ENUM_MAX)
		checker_fail(c->k, "has more than %d values", ENUM_MAX);
	else
		allow(c, json_deep_copy(value));
}

static void read_const(struct compiling *c, const json_t *value)
{
	allow(c, json_pack("[o]", json_deep_copy(value)));
}

static void read_items(struct compiling *c, const json_t *value)
{
	c->s->items = compile(c->k, value, c->depth + 1);
}

static void read_additional(struct compiling *c, const json_t *value)
{
	if (!json_is_boolean(value))
		checker_fail(c->k, "must be true or false");
	else
		c->s->closed = json_is_false(value);
}

static void read_properties(struct compiling *c, const json_t *value)
{
	const char *name;
	json_t *source;

	if (!json_is_object(value)) {
		checker_fail(c->k, "must be an object");
		return;
	}
	if (json_object_size(value) == 0)
		return;
	c->s->properties = calloc(json_object_size(value), sizeof(*c->s->properties));
	if (!c->s->properties) {
		c->k->nomem = true;
		return;
	}
	json_object_foreach((json_t *)value, name, source) {
		struct property *p = &c->s->properties[c->s->property_count++];
		size_t mark = checker_enter(c->k, name);

		if (!(p->name = strdup(name)))
			c->k->nomem = true;
		p->schema = compile(c->k, source, c->depth + 1);
		checker_leave(c->k, mark);
	}
}

/* Runs after `properties`: see read_keywords(). */
static void require_property(struct compiling *c, const json_t *name)
{
	struct span wanted = json_span(name);

	for (size_t i = 0; json_is_string(name) && i < c->s->property_count; i++) {
		struct property *p = &c->s->properties[i];

		if (p->name && span_is(wanted, p->name)) {
			if (p->required)
				checker_fail(c->k, "named twice");
			p->required = true;
			return;
		}
	}
	checker_fail(c->k, "not the name of one of the properties");
}

static void read_required(struct compiling *c, const json_t *value)
{
	size_t i;
	json_t *name;

	if (!json_is_array(value)) {
		checker_fail(c->k, "must be an array of names");
		return;
	}
	json_array_foreach((json_t *)value, i, name) {
		size_t mark = checker_enter_index(c->k, i);

		require_property(c, name);
		checker_leave(c->k, mark);
	}
}

/* In the order they are read: `required` needs `properties`. */
static const struct keyword keywords[] = {
	{ "type",		0,		read_type,		0 },
	{ "title",		0,		read_text,		0 },
	{ "description",	0,		read_text,		0 },
	{ "default",		0,		read_anything,		0 },
	{ "enum",		0,		read_enum,		0 },
	{ "const",		0,		read_const,		0 },
	{ "properties",		TYPE_OBJECT,	read_properties,	0 },
	{ "required",		TYPE_OBJECT,	read_required,		0 },
	{ "additionalProperties", TYPE_OBJECT,	read_additional,	0 },
	{ "minLength",		TYPE_STRING,	read_size,		offsetof(struct schema, min_length) },
	{ "maxLength",		TYPE_STRING,	read_size,		offsetof(struct schema, max_length) },
	{ "pattern",		TYPE_STRING,	read_pattern,		0 },
	{ "format",		TYPE_STRING,	read_format,		0 },
	{ "minimum",		TYPE_NUMERIC,	read_bound,		offsetof(struct schema, minimum) },
	{ "maximum",		TYPE_NUMERIC,	read_bound,		offsetof(struct schema, maximum) },
	{ "items",		TYPE_ARRAY,	read_items,		0 },
	{ "minItems",		TYPE_ARRAY,	read_size,		offsetof(struct schema, min_items) },
	{ "maxItems",		TYPE_ARRAY,	read_size,		offsetof(struct schema, max_items) },
};

static void read_keywords(struct checker *k, struct schema *s, const json_t *source, unsigned depth)
{
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		struct compiling c = { .k = k, .s = s, .word = &keywords[i], .depth = depth };
		const json_t *value = json_object_get(source, c.word->name);
		size_t mark;

		if (!value)
			continue;
		mark = checker_enter(k, c.word->name);
		if (c.word->applies && s->types && !(c.word->applies & s->types))
			checker_fail(k, "says nothing about the type that the schema names");
		else
			c.word->read(&c, value);
		checker_leave(k, mark);
	}
}

static void refuse_unknown(struct checker *k, const json_t *source)
{
	const char *names[ARRAY_LEN(keywords)];

	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		names[i] = keywords[i].name;
	checker_members(k, source, names, ARRAY_LEN(names));
}

/* A schema that nothing can satisfy is a slip of the pen. */
static void refuse_contradiction(struct checker *k, const struct schema *s)
{
	size_t i;
	json_t *one;

	if (s->min_length > s->max_length)
		checker_fail_at(k, "minLength", "more than maxLength");
	if (s->min_items > s->max_items)
		checker_fail_at(k, "minItems", "more than maxItems");
	if (s->minimum && s->maximum && number_compare(s->minimum, s->maximum) > 0)
		checker_fail_at(k, "minimum", "more than maximum");
	if (k->bad || k->nomem)
		return;
	json_array_foreach(s->allowed, i, one)
		if (!schema_validate(s, one, span_str(""), NULL))
			checker_fail(k, "allows a value (number %zu) that its other keywords refuse", i + 1);
}

static struct schema *compile(struct checker *k, const json_t *source, unsigned depth)
{
	struct schema *s;

	if (!json_is_object(source)) {
		checker_fail(k, "a schema must be an object");
		return NULL;
	}
	if (depth >= SCHEMA_DEPTH_MAX) {
		checker_fail(k, "schemas nested deeper than %d", SCHEMA_DEPTH_MAX);
		return NULL;
	}
	if (!(s = calloc(1, sizeof(*s)))) {
		k->nomem = true;
		return NULL;
	}
	s->max_length = s->max_items = SIZE_MAX;
	refuse_unknown(k, source);
	read_keywords(k, s, source, depth);
	refuse_contradiction(k, s);
	return s;
}

enum rc schema_compile(const json_t *source, struct span at, struct schema **ret, struct problems *problems)
{
	struct checker k;
	struct schema *s;
	enum rc rc;

	checker_init(&k, at, problems);
	s = compile(&k, source, 0);
	rc = checker_rc(&k);
	if (rc == RC_OK) {
		*ret = s;
		s = NULL;
	}
	schema_free(s);
	checker_done(&k);
	return rc;
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->property_count; i++) {
		free(s->properties[i].name);
		schema_free(s->properties[i].schema);
	}
	free(s->properties);
	json_decref(s->allowed);
	json_decref(s->minimum);
	json_decref(s->maximum);
	pattern_free(s->pattern);
	schema_free(s->items);
	free(s);
}

const struct property *schema_property(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->property_count; i++)
		if (strcmp(s->properties[i].name, name) == 0)
			return &s->properties[i];
	return NULL;
}
