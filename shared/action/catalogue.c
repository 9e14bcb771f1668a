/* catalogue.c -- a site's actions document, loaded whole or not at all. */
#include "action/action-private.h"

#include <stdio.h>
#include <stdlib.h>

#define ACTIONS_DEPTH_MAX 32

_Static_assert(ACTION_NAME_MAX == COLLECTION_MAX, "names of actions and collections have one form");

struct catalogue {
	json_t *document;                  /* owned; what the actions borrow from */
	struct action *actions;
	size_t count;
};

/* What an action is read from, and the checker standing there. */
struct loading {
	struct checker *k;
	const json_t *source;
	const struct catalogue *so_far;
};

static const char *text_of(const struct loading *l, const char *member)
{
	const json_t *value = json_object_get(l->source, member);

	if (value && !json_is_string(value))
		checker_fail_at(l->k, member, "must be a string");
	return json_is_string(value) ? json_string_value(value) : "";
}

static void read_name(const struct loading *l, struct action *a)
{
	struct span name = json_span(json_object_get(l->source, "name"));

	if (!collection_valid(name)) {
		checker_fail_at(l->k, "name", "must match ^[a-z][a-z0-9_]{0,62}$");
		return;
	}
	if (catalogue_find(l->so_far, name))
		checker_fail_at(l->k, "name", "an action of this name is already there");
	snprintf(a->name, sizeof(a->name), "%.*s", (int)name.size, (const char *)name.data);
}

static void read_texts(const struct loading *l, struct action *a)
{
	a->title = text_of(l, "title");
	a->description = text_of(l, "description");
}

static void read_access(const struct loading *l, struct action *a)
{
	struct span name = json_span(json_object_get(l->source, "access"));

	for (enum access access = ACCESS_PUBLIC; access <= ACCESS_PERSONAL; access++) {
		if (span_is(name, access_name(access))) {
			a->access = access;
			return;
		}
	}
	checker_fail_at(l->k, "access", "must be public or personal");
}

static void read_effect(const struct loading *l, struct action *a)
{
	struct span name = json_span(json_object_get(l->source, "effect"));

	for (enum effect effect = EFFECT_READ; effect <= EFFECT_DESTRUCTIVE; effect++) {
		if (span_is(name, effect_name(effect))) {
			a->effect = effect;
			return;
		}
	}
	checker_fail_at(l->k, "effect", "must be read, write or destructive");
}

static void note(struct checker *k, enum rc rc)
{
	k->nomem = k->nomem || rc == RC_NOMEM;
	k->bad = k->bad || rc != RC_OK;
}

static void read_parameters(const struct loading *l, struct action *a)
{
	size_t mark = checker_enter(l->k, "parameters");
	enum rc rc;

	a->parameters = json_object_get(l->source, "parameters");
	if (!a->parameters) {
		checker_fail(l->k, "required, and missing");
	} else {
		rc = schema_compile(a->parameters, buf_span(&l->k->at), &a->schema, l->k->problems);
		note(l->k, rc);
		if (!span_is(json_span(json_object_get(a->parameters, "type")), "object"))
			checker_fail_at(l->k, "type", "must be object at the top level");
		if (rc == RC_OK)
			parameters_check(l->k, a->parameters, a);
	}
	checker_leave(l->k, mark);
}

static void read_connector(const struct loading *l, struct action *a)
{
	const json_t *source = json_object_get(l->source, "connector");
	struct connector_rules rules = { .access = a->access, .effect = a->effect, .parameters = a->parameters };
	size_t mark = checker_enter(l->k, "connector");

	if (!source)
		checker_fail(l->k, "required, and missing");
	else
		note(l->k, connector_compile(source, buf_span(&l->k->at), &rules, &a->connector, l->k->problems));
	checker_leave(l->k, mark);
}

/* In this order: a connector's rules need what stands before it. */
static void (*const readers[])(const struct loading *l, struct action *a) = {
	read_name, read_texts, read_access, read_effect, read_parameters, read_connector,
};

static void load_action(struct checker *k, const json_t *source, struct catalogue *c)
{
	static const char *const members[] = {
		"name", "title", "description", "access", "effect", "parameters", "connector",
	};
	struct loading l = { .k = k, .source = source, .so_far = c };
	struct action *a = &c->actions[c->count];

	if (!json_is_object(source)) {
		checker_fail(k, "an action must be an object");
		return;
	}
	checker_members(k, source, members, ARRAY_LEN(members));
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		readers[i](&l, a);
	c->count++;
}

static void load_actions(struct checker *k, const json_t *actions, struct catalogue *c)
{
	size_t mark = checker_enter(k, "actions");
	json_t *source;
	size_t i;

	if (!json_is_array(actions)) {
		checker_fail(k, "must be an array of actions");
	} else if (json_array_size(actions) > ACTIONS_MAX) {
		checker_fail(k, "more than %d actions", ACTIONS_MAX);
	} else if (!(c->actions = calloc(json_array_size(actions) + 1, sizeof(*c->actions)))) {
		k->nomem = true;
	} else {
		json_array_foreach((json_t *)actions, i, source) {
			size_t below = checker_enter_index(k, i);

			load_action(k, source, c);
			checker_leave(k, below);
		}
	}
	checker_leave(k, mark);
}

static void load_document(struct checker *k, const json_t *document, struct catalogue *c)
{
	static const char *const members[] = { "actions" };

	if (!json_is_object(document)) {
		checker_fail(k, "must be an object {\"actions\": [...]}");
		return;
	}
	checker_members(k, document, members, ARRAY_LEN(members));
	load_actions(k, json_object_get(document, "actions"), c);
}

static enum rc parse(struct span text, json_t **ret, struct problems *problems)
{
	struct why why = { "" };
	enum rc rc = RC_INVALID;

	if (text.size > ACTIONS_SIZE_MAX)
		why_set(&why, "larger than %u bytes", ACTIONS_SIZE_MAX);
	else
		rc = json_strict(text, ACTIONS_DEPTH_MAX, ret, &why);
	if (rc == RC_INVALID)
		problems_add(problems, span_str(""), "%s", why.text);
	return rc;
}

enum rc catalogue_load(struct span document, struct catalogue **ret, struct problems *problems)
{
	struct catalogue *c = calloc(1, sizeof(*c));
	struct checker k;
	enum rc rc;

	if (!c)
		return RC_NOMEM;
	checker_init(&k, span_str(""), problems);
	if ((rc = parse(document, &c->document, problems)) != RC_OK)
		goto out;
	load_document(&k, c->document, c);
	if ((rc = checker_rc(&k)) != RC_OK)
		goto out;
	*ret = c;
	c = NULL;
out:
	checker_done(&k);
	catalogue_free(c);
	return rc;
}

void catalogue_free(struct catalogue *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++) {
		schema_free(c->actions[i].schema);
		connector_free(c->actions[i].connector);
	}
	free(c->actions);
	json_decref(c->document);
	free(c);
}

size_t catalogue_count(const struct catalogue *c)
{
	return c->count;
}

const struct action *catalogue_at(const struct catalogue *c, size_t i)
{
	return i < c->count ? &c->actions[i] : NULL;
}

const struct action *catalogue_find(const struct catalogue *c, struct span name)
{
	for (size_t i = 0; i < c->count; i++)
		if (span_is(name, c->actions[i].name))
			return &c->actions[i];
	return NULL;
}

enum rc catalogue_store(struct txn *vault, const char *site, struct span document)
{
	struct buf text = BUF_INIT;
	json_t *value = NULL;
	enum rc rc = parse(document, &value, NULL);

	if (rc != RC_OK)
		return rc;
	json_canonical(&text, value);
	json_decref(value);
	if (text.failed) {
		rc = RC_NOMEM;
	} else if (text.size > ACTIONS_SIZE_MAX) {
		rc = RC_INVALID;         /* escaped it is longer, and what is stored must load again */
	} else {
		txn_put(vault, DB_ACTIONS, span_str(site), buf_span(&text));
		site_head_bump(vault, site, SITE_ACTIONS);
		rc = txn_rc(vault);
	}
	buf_done(&text);
	return rc;
}

enum rc catalogue_read(struct txn *vault, struct span site, struct span *ret_document)
{
	if (txn_get(vault, DB_ACTIONS, site, ret_document))
		return RC_OK;
	return txn_rc(vault) == RC_OK ? RC_NOT_FOUND : txn_rc(vault);
}
