/* http-compile.c -- the http connector at load: what it may say, and that it asks for the visitor's own things only.
 *
 *	{"type": "http", "connection": "shop", "method": "GET",
 *	 "path": ["customers", {"$identity": "email"}, "orders"], "query": {"state": {"$input": "state"}},
 *	 "result": {"orders": "/items"}, "owner_check": {"each": "/items", "pointer": "/customer/email",
 *	 "equals": {"$identity": "email"}}} */
#include "connector/http-private.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/url.h"

enum { PATH_SEGMENTS_MAX = 32, CONNECTION_NAME_MAX = 63, HOST_MAX = 260, TIMEOUT_MAX_S = 30 };
enum { TIMEOUT_DEFAULT_S = 10, ANSWER_DEFAULT = 262144, ANSWER_LARGEST = 1 << 20 };

static const struct http_method methods[] = {
	/* name		reads	body	idempotent */
	{ "GET",	true,	false,	true },
	{ "POST",	false,	true,	false },
	{ "PUT",	false,	true,	true },
	{ "PATCH",	false,	true,	false },
	{ "DELETE",	false,	true,	true },
};

struct http_checking {
	struct checker *k;
	struct connector *c;
	const struct connector_rules *rules;
};

/* ---- where to ---- */

static bool name_valid(struct span name)
{
	const char *text = name.data;

	if (name.size == 0 || name.size > CONNECTION_NAME_MAX || text[0] < 'a' || text[0] > 'z')
		return false;
	for (size_t i = 1; i < name.size; i++)
		if (!(text[i] >= 'a' && text[i] <= 'z') && !ascii_is_digit(text[i]) && text[i] != '_' && text[i] != '-')
			return false;
	return true;
}

static void check_name(const struct http_checking *h, const json_t *value)
{
	if (!name_valid(json_span(value)))
		checker_fail(h->k, "must match ^[a-z][a-z0-9_-]{0,62}$");
}

static void check_host(const struct http_checking *h, const json_t *value)
{
	struct span host = json_span(value);
	const char *text = host.data;
	bool good = host.size > 0 && host.size <= HOST_MAX;

	for (size_t i = 0; good && i < host.size; i++)
		good = ascii_is_alpha(text[i]) || ascii_is_digit(text[i]) || (text[i] && strchr(".-:[]", text[i]));
	if (!good)
		checker_fail(h->k, "must be a host, or host:port, and a constant");
}

static void check_method(const struct http_checking *h, const json_t *value)
{
	const struct http_method *m = NULL;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (span_is(json_span(value), methods[i].name))
			m = &methods[i];
	h->c->http.method = m;
	if (!m)
		checker_fail(h->k, "must be GET, POST, PUT, PATCH or DELETE");
	else if (h->rules->effect == EFFECT_READ && !m->reads)
		checker_fail(h->k, "%s does not go with an effect of read", m->name);
}

/* A constant, or a reference whose value is looked at when it is there. */
static bool reference_checked(const struct http_checking *h, const json_t *value)
{
	if (!reference_like(value))
		return false;
	reference_check(h->k, value, h->rules->parameters);
	return true;
}

static void check_segment(const struct http_checking *h, const json_t *value)
{
	if (!reference_checked(h, value) && (!json_is_string(value) || !url_segment_valid(json_span(value))))
		checker_fail(h->k, "must be a reference, or one segment as text: not empty, not of dots only, "
			     "without / \\ %% and control characters");
}

static void check_path(const struct http_checking *h, const json_t *value)
{
	json_t *segment;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) == 0 || json_array_size(value) > PATH_SEGMENTS_MAX) {
		checker_fail(h->k, "must be an array of 1 to %d segments", PATH_SEGMENTS_MAX);
		return;
	}
	json_array_foreach((json_t *)value, i, segment) {
		size_t mark = checker_enter_index(h->k, i);

		check_segment(h, segment);
		checker_leave(h->k, mark);
	}
}

/* ---- what is sent ---- */

static bool is_scalar(const json_t *value)
{
	return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

static void check_scalar(const struct http_checking *h, const json_t *value)
{
	if (!reference_checked(h, value) && !is_scalar(value))
		checker_fail(h->k, "must be a reference, a string, a number, true or false");
}

static void check_pair(const struct http_checking *h, const char *name, const json_t *value)
{
	json_t *element;
	size_t i;

	if (name[0] == '\0')
		checker_fail(h->k, "must have a name");
	if (!json_is_array(value)) {
		check_scalar(h, value);
		return;
	}
	json_array_foreach((json_t *)value, i, element) {
		size_t mark = checker_enter_index(h->k, i);

		check_scalar(h, element);
		checker_leave(h->k, mark);
	}
}

static void check_object(const struct http_checking *h, const json_t *value,
			 void (*check)(const struct http_checking *h, const char *name, const json_t *value))
{
	const char *name;
	json_t *member;

	if (!json_is_object(value) || reference_like(value)) {
		checker_fail(h->k, "must be an object, no member of which begins with \"$\"");
		return;
	}
	json_object_foreach((json_t *)value, name, member) {
		size_t mark = checker_enter(h->k, name);

		check(h, name, member);
		checker_leave(h->k, mark);
	}
}

static void check_pairs(const struct http_checking *h, const json_t *value)
{
	check_object(h, value, check_pair);
}

/* What HTTP itself or the connection says. */
static bool header_is_ours(const char *name)
{
	static const char *const ours[] = {
		"authorization", "cookie", "host", "content-length", "content-type", "content-encoding",
		"transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "accept-encoding",
		"keep-alive", "idempotency-key",
	};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (ascii_equal_nocase(span_str(name), ours[i]))
			return true;
	return strlen(name) >= 6 && ascii_equal_nocase(span_of(name, 6), "proxy-");
}

static bool header_name_valid(const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < size; i++)
		if (!ascii_is_alpha(name[i]) && !ascii_is_digit(name[i]) && name[i] != '-')
			return false;
	return size > 0 && size <= 64;
}

static bool header_is_twice(const json_t *headers, const char *name)
{
	const char *other;
	json_t *value;
	int found = 0;

	json_object_foreach((json_t *)headers, other, value)
		found += ascii_equal_nocase(span_str(other), name);
	return found > 1;
}

static void check_header(const struct http_checking *h, const char *name, const json_t *value)
{
	if (!header_name_valid(name))
		checker_fail(h->k, "a header's name is 1 to 64 letters, digits and -");
	else if (header_is_ours(name))
		checker_fail(h->k, "this header is not the connector's to set");
	else if (header_is_twice(json_object_get(h->c->source, "headers"), name))
		checker_fail(h->k, "this header is there twice");
	else if (json_is_string(value) && !ascii_fits_header(json_span(value)))
		checker_fail(h->k, "must be visible ASCII, with spaces only inside it");
	else
		check_scalar(h, value);
}

static void check_headers(const struct http_checking *h, const json_t *value)
{
	check_object(h, value, check_header);
}

static void check_body(const struct http_checking *h)
{
	if (h->c->http.method && !h->c->http.method->body)
		checker_fail(h->k, "%s has no body", h->c->http.method->name);
}

/* As a whole it is the connector's, so that a visitor fills in places and never chooses the structure. */
static void check_json(const struct http_checking *h, const json_t *value)
{
	check_body(h);
	if ((!json_is_object(value) && !json_is_array(value)) || reference_like(value))
		checker_fail(h->k, "must be an object or an array; references stand inside it");
	else
		reference_check(h->k, value, h->rules->parameters);
}

static void check_form(const struct http_checking *h, const json_t *value)
{
	check_body(h);
	if (json_object_get(h->c->source, "json"))
		checker_fail(h->k, "a request has json or form, not both");
	check_pairs(h, value);
}

/* ---- limits ---- */

static void check_timeout(const struct http_checking *h, const json_t *value)
{
	const char *text = json_string_value(value);
	uint64_t s = 0;

	if (!text || !duration_parse(text, &s) || s < 1 || s > TIMEOUT_MAX_S)
		checker_fail(h->k, "must be a time from \"1s\" to \"%ds\"", TIMEOUT_MAX_S);
	else
		h->c->http.timeout_ms = (unsigned)s * 1000;
}

static void check_answer_max(const struct http_checking *h, const json_t *value)
{
	json_int_t size = json_integer_value(value);

	if (size < 1 || size > ANSWER_LARGEST)
		checker_fail(h->k, "must be a number of bytes from 1 to %d", ANSWER_LARGEST);
	else
		h->c->http.answer_max = (size_t)size;
}

/* ---- what comes back ---- */

static void check_pointer(struct checker *k, const json_t *value)
{
	if (!json_is_string(value) || !pointer_valid(json_span(value)))
		checker_fail(k, "must be a JSON Pointer into the answer, as \"/orders\"");
}

static void check_mapping(struct checker *k, const json_t *value);

static void check_member(struct checker *k, const json_t *object, const char *name,
			 void (*check)(struct checker *k, const json_t *value))
{
	size_t mark = checker_enter(k, name);
	const json_t *value = json_object_get(object, name);

	if (value)
		check(k, value);
	else
		checker_fail(k, "required, and missing");
	checker_leave(k, mark);
}

static void check_each(struct checker *k, const json_t *value)
{
	static const char *const known[] = { "$each", "of" };

	checker_members(k, value, known, ARRAY_LEN(known));
	check_member(k, value, "$each", check_pointer);
	check_member(k, value, "of", check_mapping);
}

/* Recursion is as deep as the actions document, whose depth was bounded when it was parsed. */
static void check_mapping(struct checker *k, const json_t *value)
{
	const char *name;
	json_t *member;

	if (json_is_string(value)) {
		check_pointer(k, value);
	} else if (json_object_get(value, "$each")) {
		check_each(k, value);
	} else if (!json_is_object(value) || reference_like(value)) {
		checker_fail(k, "must be a JSON Pointer, an object of such, or {\"$each\": pointer, \"of\": ...}");
	} else {
		json_object_foreach((json_t *)value, name, member)
			check_member(k, value, name, check_mapping);
	}
}

static void check_result(const struct http_checking *h, const json_t *value)
{
	check_mapping(h->k, value);
}

/* Is it {"$identity": "email"} or {"$identity": "user_id"}? */
static bool names_owner(const json_t *value)
{
	struct span name = json_span(json_object_get(value, "$identity"));

	return json_object_size(value) == 1 && (span_is(name, "email") || span_is(name, "user_id"));
}

static void check_equals(struct checker *k, const json_t *value)
{
	if (!names_owner(value))
		checker_fail(k, "must be {\"$identity\": \"email\"} or {\"$identity\": \"user_id\"}");
}

static void check_owner(const struct http_checking *h, const json_t *value)
{
	static const char *const known[] = { "pointer", "equals", "each" };

	if (!json_is_object(value)) {
		checker_fail(h->k, "must be an object");
		return;
	}
	if (h->rules->access != ACCESS_PERSONAL)
		checker_fail(h->k, "only what a personal action asks for has an owner");
	checker_members(h->k, value, known, ARRAY_LEN(known));
	check_member(h->k, value, "pointer", check_pointer);
	check_member(h->k, value, "equals", check_equals);
	if (json_object_get(value, "each"))
		check_member(h->k, value, "each", check_pointer);
}

static void check_not_identity(const struct http_checking *h, const json_t *value)
{
	json_t *name;
	size_t i;

	if (!json_is_array(value))
		checker_fail(h->k, "must be an array of names of parameters");
	json_array_foreach((json_t *)value, i, name)
		if (!json_is_string(name) || !identity_like(json_string_value(name)) ||
		    !identity_property(h->rules->parameters, json_string_value(name)))
			checker_fail(h->k, "element %zu names no parameter that looks like an identity", i);
}

/* ---- whose things ---- */

static bool sends_owner(const json_t *value)
{
	const char *name;
	json_t *below;
	size_t i;

	if (names_owner(value))
		return true;
	json_object_foreach((json_t *)value, name, below)
		if (sends_owner(below))
			return true;
	json_array_foreach((json_t *)value, i, below)
		if (sends_owner(below))
			return true;
	return false;
}

static void check_is_personal(const struct http_checking *h)
{
	static const char *const places[] = { "path", "query", "headers", "json", "form" };
	bool owned = h->rules->effect == EFFECT_READ && json_object_get(h->c->source, "owner_check");

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		owned = owned || sends_owner(json_object_get(h->c->source, places[i]));
	if (h->rules->access == ACCESS_PERSONAL && !owned)
		checker_fail(h->k, "a personal action must send $identity email or user_id with its request, or, if it "
			     "only reads, have an owner_check");
}

static const struct {
	const char *name;
	bool needed;
	void (*check)(const struct http_checking *h, const json_t *value);
} members[] = {     /* in this order: a body depends on the method */
	{ "connection",		true,	check_name },
	{ "provider",		false,	check_name },
	{ "host",		false,	check_host },
	{ "method",		true,	check_method },
	{ "path",		true,	check_path },
	{ "query",		false,	check_pairs },
	{ "headers",		false,	check_headers },
	{ "json",		false,	check_json },
	{ "form",		false,	check_form },
	{ "timeout",		false,	check_timeout },
	{ "answer_max",		false,	check_answer_max },
	{ "result",		false,	check_result },
	{ "owner_check",	false,	check_owner },
	{ "not_identity",	false,	check_not_identity },
};

static bool is_member(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (strcmp(members[i].name, name) == 0)
			return true;
	return strcmp(name, "type") == 0;
}

void http_compile(struct checker *k, struct connector *c, const struct connector_rules *rules)
{
	const struct http_checking h = { k, c, rules };
	const char *name;
	json_t *value;

	c->http.timeout_ms = TIMEOUT_DEFAULT_S * 1000;
	c->http.answer_max = ANSWER_DEFAULT;
	json_object_foreach(c->source, name, value)
		if (!is_member(name))
			checker_fail_at(k, name, "unknown member");
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		size_t mark = checker_enter(k, members[i].name);

		value = json_object_get(c->source, members[i].name);
		if (value)
			members[i].check(&h, value);
		else if (members[i].needed)
			checker_fail(k, "required, and missing");
		checker_leave(k, mark);
	}
	/* What a GET changes, against all custom, is better not done twice. */
	c->http.idempotent = c->http.method && c->http.method->idempotent &&
			     (!c->http.method->reads || rules->effect == EFFECT_READ);
	check_is_personal(&h);
	check_parameters(k, c->source, rules);
}
