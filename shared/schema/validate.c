#include "schema/schema-private.h"

#include "base/clock.h"

/* Where in the value we are: a chain on the stack, so that a value without faults costs no allocation. */
struct where {
	const struct where *up;
	struct span base;        /* the root's: the caller's pointer */
	const char *name;        /* NULL: an element */
	size_t index;
};

struct validating { struct problems *problems; bool valid; uint64_t patterns_us; };

/* A match has its own limit (pattern.c), but a body can ask for a thousand of them: all of one value share this much of the
 * processor's time, and past it none matches. */
#define PATTERNS_US_MAX 50000

/* Names in a pointer are the sender's. Past this the pointer stays at the last place that fits, so that a small body
 * cannot make a large answer. */
#define FAULT_POINTER_MAX 512

static bool where_add(struct buf *pointer, const struct where *w)
{
	size_t mark;

	if (!w->up) {
		buf_add_span(pointer, w->base);
		return true;
	}
	if (!where_add(pointer, w->up))
		return false;
	mark = pointer->size;
	if (w->name)
		pointer_add(pointer, span_str(w->name));
	else
		pointer_add_index(pointer, w->index);
	if (pointer->failed || pointer->size <= FAULT_POINTER_MAX)
		return true;
	pointer->size = mark;
	return false;
}

static void fault(struct validating *v, const struct where *w, const char *detail)
{
	struct buf pointer = BUF_INIT;

	v->valid = false;
	if (!v->problems)
		return;
	where_add(&pointer, w);
	problems_add(v->problems, buf_span(&pointer), "%s", detail);
	buf_done(&pointer);
}

static bool matches(struct validating *v, const struct pattern *p, struct span text)
{
	uint64_t before = clock_thread_us();
	bool ok = v->patterns_us <= PATTERNS_US_MAX && pattern_matches(p, text);

	v->patterns_us += clock_thread_us() - before;
	return ok;
}

/* A real without a fraction is an integer: 1.0 is one (JSON Schema 2020-12, 6.1.1). */
static bool real_is_whole(double x)
{
	return x >= 9007199254740992.0 || x <= -9007199254740992.0 || x == (double)(json_int_t)x;
}

static unsigned types_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return TYPE_OBJECT;
	case JSON_ARRAY:
		return TYPE_ARRAY;
	case JSON_STRING:
		return TYPE_STRING;
	case JSON_INTEGER:
		return TYPE_NUMERIC;
	case JSON_REAL:
		return real_is_whole(json_real_value(value)) ? TYPE_NUMERIC : TYPE_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return TYPE_BOOLEAN;
	case JSON_NULL:
		return TYPE_NULL;
	}
	return 0;
}

static bool same_value(const json_t *a, const json_t *b);

static bool same_elements(const json_t *a, const json_t *b)
{
	size_t count = json_array_size(a);
	bool same = json_array_size(b) == count;

	for (size_t i = 0; same && i < count; i++)
		same = same_value(json_array_get(a, i), json_array_get(b, i));
	return same;
}

static bool same_members(const json_t *a, const json_t *b)
{
	const char *name;
	json_t *member;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach((json_t *)a, name, member) {
		const json_t *other = json_object_get(b, name);

		if (!other || !same_value(member, other))
			return false;
	}
	return true;
}

/* Numbers by value at any depth (JSON Schema 2020-12, 4.2.2), which json_equal() does not: it tells 1 from 1.0. */
static bool same_value(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return number_compare(a, b) == 0;
	if (json_is_array(a) && json_is_array(b))
		return same_elements(a, b);
	if (json_is_object(a) && json_is_object(b))
		return same_members(a, b);
	return json_equal(a, b);
}

static bool is_allowed(const json_t *allowed, const json_t *value)
{
	size_t i;
	json_t *one;

	json_array_foreach((json_t *)allowed, i, one)
		if (same_value(one, value))
			return true;
	return false;
}

static size_t code_points(struct span text)
{
	const char *bytes = text.data;
	size_t count = 0;

	for (size_t i = 0; i < text.size; i++)
		count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return count;
}

static void check(struct validating *v, const struct schema *s, const json_t *value, const struct where *w);

static void check_string(struct validating *v, const struct schema *s, const json_t *value, const struct where *w)
{
	struct span text = json_span(value);
	size_t length = code_points(text);

	if (length < s->min_length)
		fault(v, w, "shorter than minLength");
	if (length > s->max_length)
		fault(v, w, "longer than maxLength");
	else if (s->pattern && !matches(v, s->pattern, text))
		fault(v, w, "does not match the pattern");
	if (s->format && !s->format->valid(text))
		fault(v, w, "not of the format that the schema names");
}

static void check_number(struct validating *v, const struct schema *s, const json_t *value, const struct where *w)
{
	if (s->minimum && number_compare(value, s->minimum) < 0)
		fault(v, w, "less than the minimum");
	if (s->maximum && number_compare(value, s->maximum) > 0)
		fault(v, w, "greater than the maximum");
}

static void check_array(struct validating *v, const struct schema *s, const json_t *value, const struct where *w)
{
	size_t count = json_array_size(value);

	if (count < s->min_items)
		fault(v, w, "fewer elements than minItems");
	if (count > s->max_items) {
		fault(v, w, "more elements than maxItems");
		return;
	}
	for (size_t i = 0; s->items && i < count; i++) {
		struct where below = { .up = w, .index = i };

		check(v, s->items, json_array_get(value, i), &below);
	}
}

static void check_unknown(struct validating *v, const struct schema *s, const json_t *value, const struct where *w)
{
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)value, name, member) {
		struct where below = { .up = w, .name = name };

		if (!schema_property(s, name))
			fault(v, &below, "not a parameter that the schema knows");
	}
}

static void check_object(struct validating *v, const struct schema *s, const json_t *value, const struct where *w)
{
	for (size_t i = 0; i < s->property_count; i++) {
		const struct property *p = &s->properties[i];
		const json_t *member = json_object_get(value, p->name);
		struct where below = { .up = w, .name = p->name };

		if (member)
			check(v, p->schema, member, &below);
		else if (p->required)
			fault(v, &below, "required, and missing");
	}
	if (s->closed)
		check_unknown(v, s, value, w);
}

static const struct {
	unsigned types;
	void (*check)(struct validating *v, const struct schema *s, const json_t *value, const struct where *w);
} checks[] = {
	{ TYPE_STRING,	check_string },
	{ TYPE_NUMERIC,	check_number },
	{ TYPE_ARRAY,	check_array },
	{ TYPE_OBJECT,	check_object },
};

static void check(struct validating *v, const struct schema *s, const json_t *value, const struct where *w)
{
	unsigned types = types_of(value);

	if (s->types && !(s->types & types)) {
		fault(v, w, "not of the type that the schema names");
		return;
	}
	if (s->allowed && !is_allowed(s->allowed, value))
		fault(v, w, "not one of the values that the schema allows");
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (checks[i].types & types)
			checks[i].check(v, s, value, w);
}

bool schema_validate(const struct schema *s, const json_t *value, struct span at, struct problems *problems)
{
	struct validating v = { .problems = problems, .valid = true };
	struct where root = { .base = at };

	check(&v, s, value, &root);
	return v.valid;
}
