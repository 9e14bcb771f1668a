/* intent.c -- one request's body, and the pinning of identity fields in it (design 7).
 *
 * What a request says about identity is taken out before anything looks at it, and noted by pointer. What is left of it
 * is validated, and only that reaches a connector. */
#include "action/action-private.h"
#include "base/text.h"

#include <stdio.h>

#define BODY_DEPTH_MAX 32

bool conversation_id_valid(struct span id)
{
	const char *text = id.data;

	if (id.size == 0 || id.size >= sizeof(((struct intent *)0)->conversation))
		return false;
	for (size_t i = 0; i < id.size; i++)
		if (!ascii_is_alpha(text[i]) && !ascii_is_digit(text[i]) && text[i] != '_' && text[i] != '-')
			return false;
	return true;
}

void intent_done(struct intent *i)
{
	json_decref(i->parameters);
	json_decref(i->ignored);
	*i = (struct intent){ 0 };
}

/* ---- removing ----------------------------------------------------------------------------- */

struct removing {
	const struct action *a;
	json_t *ignored;
	struct buf at;
	bool nomem;
};

/* Names are the sender's, and many: a small body must not make a large record. What is past the bounds is removed like
 * the rest. */
static void note_ignored(struct removing *r)
{
	struct span pointer = buf_span(&r->at);

	if (r->at.failed)
		r->nomem = true;
	if (r->nomem || json_array_size(r->ignored) >= IGNORED_MAX)
		return;
	if (pointer.size > IGNORED_POINTER_MAX)
		pointer = span_str("/parameters");
	if (json_array_append_new(r->ignored, json_stringn(pointer.data, pointer.size)) != 0)
		r->nomem = true;
}

static bool declared(const struct action *a, const char *name)
{
	return (a->takes_email && strcmp(name, "email") == 0) || (a->takes_name && strcmp(name, "name") == 0);
}

static void descend(struct removing *r, json_t *value);

/* keep: this object may hold what the action declares. deep: look below, too. */
static void strip_object(struct removing *r, json_t *object, bool keep, bool deep)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value) {
		size_t mark = r->at.size;

		pointer_add(&r->at, span_str(name));
		if (identity_name(name) && !(keep && declared(r->a, name))) {
			note_ignored(r);
			json_object_del(object, name);
		} else if (deep) {
			descend(r, value);
		}
		if (!r->at.failed)
			r->at.size = mark;
	}
}

static void descend(struct removing *r, json_t *value)
{
	json_t *one;
	size_t i;

	if (json_is_object(value))
		strip_object(r, value, false, true);
	json_array_foreach(value, i, one) {
		size_t mark = r->at.size;

		pointer_add_index(&r->at, i);
		descend(r, one);
		if (!r->at.failed)
			r->at.size = mark;
	}
}

static bool strip_body(const struct action *a, json_t *body, json_t *ignored)
{
	struct removing r = { .a = a, .ignored = ignored };
	json_t *parameters;

	strip_object(&r, body, false, false);
	parameters = json_object_get(body, "parameters");
	if (json_is_object(parameters)) {
		pointer_add(&r.at, span_str("parameters"));
		strip_object(&r, parameters, true, true);
	}
	buf_done(&r.at);
	return !r.nomem;
}

/* ---- parsing ------------------------------------------------------------------------------ */

static enum reason read_parameters(const json_t *value, struct intent *i, struct checker *k)
{
	if (value && !json_is_object(value))
		checker_fail(k, "must be an object");
	else if (!(i->parameters = value ? json_incref((json_t *)value) : json_object()))
		return REASON_OVERLOADED;
	return REASON_NONE;
}

static enum reason read_conversation(const json_t *value, struct intent *i, struct checker *k)
{
	struct span id = json_span(value);

	if (!value)
		return REASON_NONE;
	if (conversation_id_valid(id))
		snprintf(i->conversation, sizeof(i->conversation), "%.*s", (int)id.size, (const char *)id.data);
	else
		checker_fail(k, "must be a string that matches ^[A-Za-z0-9_-]{1,128}$");
	return REASON_NONE;
}

static enum reason read_members(const json_t *body, struct intent *i, struct problems *problems)
{
	static const char *const names[] = { "parameters", "conversation" };
	static enum reason (*const readers[])(const json_t *value, struct intent *i, struct checker *k) = {
		read_parameters, read_conversation,
	};
	enum reason why = REASON_NONE;
	struct checker k;

	checker_init(&k, span_str(""), problems);
	checker_members(&k, body, names, ARRAY_LEN(names));
	for (size_t n = 0; n < ARRAY_LEN(names) && why == REASON_NONE; n++) {
		size_t mark = checker_enter(&k, names[n]);

		why = readers[n](json_object_get(body, names[n]), i, &k);
		checker_leave(&k, mark);
	}
	if (why == REASON_NONE && checker_rc(&k) != RC_OK)
		why = checker_rc(&k) == RC_NOMEM ? REASON_OVERLOADED : REASON_REQUEST_MALFORMED;
	checker_done(&k);
	return why;
}

static enum reason read_json(struct span text, json_t **ret, struct problems *problems)
{
	enum rc rc = json_strict(text.size ? text : span_str("{}"), BODY_DEPTH_MAX, ret, NULL);

	if (rc == RC_OK && json_is_object(*ret))
		return REASON_NONE;
	if (rc == RC_NOMEM)
		return REASON_OVERLOADED;
	problems_add(problems, span_str(""), "the body must be a JSON object: UTF-8, each name once, at most %d deep",
		     BODY_DEPTH_MAX);
	return REASON_REQUEST_MALFORMED;
}

enum reason intent_parse(const struct action *a, struct span body, struct intent *ret, struct problems *problems)
{
	struct intent i = { .ignored = json_array() };
	json_t *value = NULL;
	enum reason why = i.ignored ? REASON_NONE : REASON_OVERLOADED;

	if (why == REASON_NONE)
		why = read_json(body, &value, problems);
	if (why == REASON_NONE && !strip_body(a, value, i.ignored))
		why = REASON_OVERLOADED;
	if (why == REASON_NONE)
		why = read_members(value, &i, problems);
	json_decref(value);
	if (why == REASON_NONE)
		*ret = i;
	else
		intent_done(&i);
	return why;
}

/* ---- pinning ------------------------------------------------------------------------------ */

/* One declared contact field of a verified caller: the pinned value, or none. */
static bool pin_field(struct intent *i, const char *name, const char *pinned)
{
	struct removing r = { .ignored = i->ignored };
	json_t *given = json_object_get(i->parameters, name);

	if (given && !(pinned[0] && span_is(json_span(given), pinned))) {
		pointer_add(&r.at, span_str("parameters"));
		pointer_add(&r.at, span_str(name));
		note_ignored(&r);
		buf_done(&r.at);
	}
	if (pinned[0] == '\0')
		json_object_del(i->parameters, name);
	else if (json_object_set_new(i->parameters, name, json_string(pinned)) != 0)
		r.nomem = true;
	return !r.nomem;
}

enum reason intent_pin(const struct action *a, const struct identity *who, struct intent *i, struct problems *problems)
{
	bool pinned = who->decision == DECISION_VERIFIED;

	if (pinned && a->takes_email && !pin_field(i, "email", who->email))
		return REASON_OVERLOADED;
	if (pinned && a->takes_name && !pin_field(i, "name", who->name))
		return REASON_OVERLOADED;
	if (!schema_validate(a->schema, i->parameters, span_str("/parameters"), problems))
		return REASON_PARAMETERS_INVALID;
	return REASON_NONE;
}
