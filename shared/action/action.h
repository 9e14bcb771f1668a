/* action.h -- the things a bot can do: a site's actions document, loaded whole, and the pinning of identity fields. */
#ifndef POSTERN_ACTION_ACTION_H
#define POSTERN_ACTION_ACTION_H

#include "connector/connector.h"
#include "schema/schema.h"

#define ACTION_NAME_MAX 64             /* ^[a-z][a-z0-9_]{0,62}$ */
#define ACTIONS_MAX 256                /* in one document */
#define ACTIONS_SIZE_MAX (1u << 20)    /* bytes of it, as written and in canonical form */
#define IGNORED_MAX 16                 /* pointers listed; what is found past them is removed all the same */
#define IGNORED_POINTER_MAX 256        /* bytes; a longer one is listed as "/parameters" */

struct action {
	char name[ACTION_NAME_MAX];
	const char *title, *description;   /* borrowed from the catalogue's document; "" where absent */
	enum access access;
	enum effect effect;
	const json_t *parameters;          /* the schema as written; borrowed */
	struct schema *schema;
	struct connector *connector;
	bool takes_email, takes_name;      /* a public action that declares them (design 7, pinned fields) */
};

struct catalogue;                          /* immutable once loaded; may be shared by threads */
/* Compiles {"actions":[...]}. An action must have name, access, effect, parameters (a schema of type object) and
 * connector, and may have title and description. Unknown parameters are let through unless the schema says
 * "additionalProperties": false. Every mistake is added with its pointer. RC_INVALID, RC_NOMEM. */
enum rc catalogue_load(struct span document, struct catalogue **ret, struct problems *problems) MUST_CHECK;
void catalogue_free(struct catalogue *c);
size_t catalogue_count(const struct catalogue *c);
const struct action *catalogue_at(const struct catalogue *c, size_t i);
const struct action *catalogue_find(const struct catalogue *c, struct span name);    /* NULL: none */

/* The stored document: its canonical text. store bumps the site's head (SITE_ACTIONS); RC_INVALID: not JSON, or too
 * large in canonical form. read: RC_NOT_FOUND where the site has none yet; *ret_document is borrowed from the
 * transaction. */
enum rc catalogue_store(struct txn *vault, const char *site, struct span document) MUST_CHECK;
enum rc catalogue_read(struct txn *vault, struct span site, struct span *ret_document) MUST_CHECK;

/* One request's body for an action, taken apart. */
struct intent {
	json_t *parameters;                /* owned; after pinning */
	char conversation[129];            /* empty: none */
	json_t *ignored;                   /* owned array of JSON Pointers into the body: identity fields removed */
};
void intent_done(struct intent *i);
/* Parses the body (strict JSON, depth 32): only `parameters` (object, default {}) and `conversation`; identity
 * fields (email, name, user_id, identity in any case) are removed from the top level and, unless the action
 * declares them, at any depth of parameters; each removed pointer goes to `ignored`. Any other unknown member:
 * REQUEST_MALFORMED with a problem. An empty body is {}. OVERLOADED: out of memory, here and below. *ret is written
 * only with REASON_NONE. */
enum reason intent_parse(const struct action *a, struct span body, struct intent *ret, struct problems *problems);
/* For a public action that declares email or name: a verified caller's is the pinned value, given or not, or
 * removed where the token has none (recorded in ignored if another was given). Then validates. REASON_NONE,
 * PARAMETERS_INVALID. */
enum reason intent_pin(const struct action *a, const struct identity *who, struct intent *i, struct problems *problems);

bool conversation_id_valid(struct span id);     /* ^[A-Za-z0-9_-]{1,128}$ */

#endif
