/* reference.c -- the values of a connector: constants, and references to what a request brings.
 *
 * A reference is an object with one member, "$input", "$identity" or "$claim". It is replaced by a JSON value, never
 * pasted into text, so nothing a visitor writes can become structure. */
#include "connector/connector-private.h"
#include "base/text.h"

/* What the token says of the person or of itself: the pinned identity is read by $identity, and by nothing else. */
static const char *const pinned_claims[] = {
	"email", "name", "user_id", "identity", "sub", "exp", "iat", "nbf", "iss", "aud", "jti",
};

static void check_input(struct checker *k, const char *name, const json_t *parameters)
{
	if (!json_object_get(json_object_get(parameters, "properties"), name))
		checker_fail(k, "names no parameter of this action");
}

static void check_claim(struct checker *k, const char *name, const json_t *parameters)
{
	(void)parameters;
	for (size_t i = 0; i < ARRAY_LEN(pinned_claims); i++)
		if (ascii_equal_nocase(span_str(name), pinned_claims[i]))
			checker_fail(k, "$claim may not name an identity or time claim");
	if (name[0] == '\0')
		checker_fail(k, "names no claim");
}

/* The parameter as validated, borrowed. */
static const json_t *read_input(const struct binding *b, const char *name, json_t **made)
{
	(void)made;
	return json_object_get(b->input, name);
}

/* Only a verified caller's token says anything, so a well-formed but reserved email is not read here. */
static const json_t *read_claim(const struct binding *b, const char *name, json_t **made)
{
	const json_t *claim = json_object_get(b->claims, name);

	(void)made;
	return b->identity->decision != DECISION_VERIFIED || json_is_null(claim) ? NULL : claim;
}

static const struct { const char *name; size_t offset; } identity_fields[] = {
	{ "email",	offsetof(struct identity, email) },
	{ "name",	offsetof(struct identity, name) },
	{ "user_id",	offsetof(struct identity, user_id) },
};

static void check_identity(struct checker *k, const char *name, const json_t *parameters)
{
	(void)parameters;
	for (size_t i = 0; i < ARRAY_LEN(identity_fields); i++)
		if (strcmp(identity_fields[i].name, name) == 0)
			return;
	checker_fail(k, "must be email, name or user_id");
}

static const json_t *read_identity(const struct binding *b, const char *name, json_t **made)
{
	const char *text = "";

	for (size_t i = 0; i < ARRAY_LEN(identity_fields); i++)
		if (strcmp(identity_fields[i].name, name) == 0)
			text = (const char *)b->identity + identity_fields[i].offset;
	if (b->identity->decision != DECISION_VERIFIED || text[0] == '\0')
		return NULL;
	*made = json_string(text);
	return *made;
}

static const struct source {
	const char *name;
	enum reason absent;      /* REASON_NONE: the member is left out */
	void (*check)(struct checker *k, const char *name, const json_t *parameters);
	/* Borrowed, or made here and in *made too; NULL: no value. */
	const json_t *(*read)(const struct binding *b, const char *name, json_t **made);
} sources[] = {
	{ "$input",	REASON_NONE,			check_input,	read_input },
	{ "$identity",	REASON_IDENTITY_INCOMPLETE,	check_identity,	read_identity },
	{ "$claim",	REASON_IDENTITY_INCOMPLETE,	check_claim,	read_claim },
};

bool reference_like(const json_t *value)
{
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)value, name, member)
		if (name[0] == '$')
			return true;
	return false;
}

/* The source that a well-formed reference names, and what it names there; NULL for anything else. */
static const struct source *source_of(const json_t *value, const char **ret_name)
{
	for (size_t i = 0; json_object_size(value) == 1 && i < ARRAY_LEN(sources); i++) {
		const char *name = json_string_value(json_object_get(value, sources[i].name));

		if (name) {
			*ret_name = name;
			return &sources[i];
		}
	}
	return NULL;
}

static void check_reference(struct checker *k, const json_t *value, const json_t *parameters)
{
	const char *name = NULL;
	const struct source *source = source_of(value, &name);
	size_t mark;

	if (!source) {
		checker_fail(k, "an object with a \"$\" member must be exactly one of "
			     "{\"$input\": name}, {\"$identity\": name}, {\"$claim\": name}");
		return;
	}
	mark = checker_enter(k, source->name);
	source->check(k, name, parameters);
	checker_leave(k, mark);
}

/* parameters NULL: no references here. */
static void check_value(struct checker *k, const json_t *value, const json_t *parameters)
{
	const char *name;
	json_t *below;
	size_t i, mark;

	if (reference_like(value)) {
		if (parameters)
			check_reference(k, value, parameters);
		else
			checker_fail(k, "must be a constant, not a reference");
		return;
	}
	json_object_foreach((json_t *)value, name, below) {
		mark = checker_enter(k, name);
		check_value(k, below, parameters);
		checker_leave(k, mark);
	}
	json_array_foreach((json_t *)value, i, below) {
		mark = checker_enter_index(k, i);
		check_value(k, below, parameters);
		checker_leave(k, mark);
	}
}

void reference_check(struct checker *k, const json_t *value, const json_t *parameters)
{
	check_value(k, value, parameters);
}

void constant_check(struct checker *k, const json_t *value)
{
	check_value(k, value, NULL);
}

enum reason reference_fault(const json_t *value)
{
	const char *name = NULL;
	const struct source *source = source_of(value, &name);

	return source && source->absent != REASON_NONE ? source->absent : REASON_PARAMETERS_INVALID;
}

static enum reason resolve_reference(const struct source *source, const char *name, const struct binding *b,
				     json_t **ret)
{
	json_t *made = NULL;
	const json_t *value = source->read(b, name, &made);

	*ret = NULL;
	if (!value)
		return source->absent;
	*ret = made ? made : json_deep_copy(value);
	return *ret ? REASON_NONE : REASON_OVERLOADED;
}

static enum reason resolve_object(const json_t *value, const struct binding *b, json_t *into)
{
	enum reason why = REASON_NONE;
	const char *name;
	json_t *below, *done;

	json_object_foreach((json_t *)value, name, below) {
		if ((why = reference_resolve(below, b, &done)) != REASON_NONE)
			return why;
		if (done && json_object_set_new_nocheck(into, name, done) != 0)
			return REASON_OVERLOADED;
	}
	return REASON_NONE;
}

static enum reason resolve_array(const json_t *value, const struct binding *b, json_t *into)
{
	enum reason why = REASON_NONE;
	json_t *below, *done;
	size_t i;

	json_array_foreach((json_t *)value, i, below) {
		if ((why = reference_resolve(below, b, &done)) != REASON_NONE)
			return why;
		if (done && json_array_append_new(into, done) != 0)
			return REASON_OVERLOADED;
	}
	return REASON_NONE;
}

/* Recursion is as deep as the actions document, whose depth was bounded when it was parsed. */
enum reason reference_resolve(const json_t *value, const struct binding *b, json_t **ret)
{
	const char *name = NULL;
	const struct source *source = source_of(value, &name);
	enum reason why = REASON_NONE;
	json_t *into;

	*ret = NULL;
	if (source)
		return resolve_reference(source, name, b, ret);
	if (json_is_object(value))
		into = json_object();
	else if (json_is_array(value))
		into = json_array();
	else
		into = json_deep_copy(value);
	if (!into)
		return REASON_OVERLOADED;
	if (json_is_object(value))
		why = resolve_object(value, b, into);
	else if (json_is_array(value))
		why = resolve_array(value, b, into);
	if (why != REASON_NONE) {
		json_decref(into);
		return why;
	}
	*ret = into;
	return REASON_NONE;
}
