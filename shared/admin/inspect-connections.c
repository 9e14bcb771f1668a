/* inspect-connections.c -- do the connections that the actions name exist, and serve their sites? Only where connectd
 * answers. */
#include "admin/inspect-private.h"

#define SITES_LOOKED 1000
#define DOCUMENT_DEPTH 128
#define WAIT_MS 300

struct reading { struct connections_used *u; const char *site; };

static const json_t *find(const json_t *list, struct span name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (span_equal(json_span(json_object_get(one, "name")), name))
			return one;
	return NULL;
}

static bool serves(const json_t *connection, const char *site)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(connection, "sites"), i, one)
		if (span_is(json_span(one), site))
			return true;
	return false;
}

static void look_at_action(const struct reading *d, const json_t *action)
{
	const json_t *connector = json_object_get(action, "connector"), *connection;
	const char *name = json_string_value(json_object_get(connector, "connection"));
	const char *called = json_string_value(json_object_get(action, "name"));

	if (!name || !span_is(json_span(json_object_get(connector, "type")), "http"))
		return;
	connection = find(d->u->list, span_str(name));
	if (!connection)
		names_add(&d->u->missing, "%s/%s: %s", d->site, called ? called : "?", name);
	else if (!serves(connection, d->site))
		names_add(&d->u->closed, "%s/%s: %s", d->site, called ? called : "?", name);
}

static void look_at_site(const struct reading *d, struct txn *vault)
{
	const json_t *action;
	json_t *document = NULL;
	struct span text;
	size_t i;

	if (catalogue_read(vault, span_str(d->site), &text) == RC_OK && json_strict(text, DOCUMENT_DEPTH, &document, NULL) == RC_OK)
		json_array_foreach(json_object_get(document, "actions"), i, action)
			look_at_action(d, action);
	json_decref(document);
}

enum rc connections_read(struct admin *a, struct connections_used *ret)
{
	struct txn *vault;
	struct span key, row;
	struct walk w;

	if (admin_connection_list(NULL, WAIT_MS, &ret->list, NULL) != RC_OK)
		return RC_OK;
	vault = txn_read(a->store, ENV_VAULT);
	walk_begin(&w, vault, DB_SITES);
	for (size_t looked = 0; looked < SITES_LOOKED && walk_next(&w, &key, &row); looked++) {
		char site[SITE_ID_MAX] = "";
		const struct reading d = { ret, site };

		if (!site_id_valid(key))
			continue;
		memcpy(site, key.data, key.size);
		look_at_site(&d, vault);
	}
	walk_end(&w);
	return txn_end(vault);
}

void connections_done(struct connections_used *u)
{
	json_decref(u->list);
	names_done(&u->missing);
	names_done(&u->closed);
}

void inspect_connections(struct inspection *i, struct inside *in)
{
	struct connections_used *u = &in->connections;

	if (!u->list)
		return;
	if (u->missing.count > 0)
		look_say(i, FINDING_WARNING, "Add the connection: sudo postern connection add; or mend its name in the actions file, and import that.",
		         "actions that name a connection which is not there, so that they fail: %s", names_text(&u->missing));
	if (u->closed.count > 0)
		look_say(i, FINDING_WARNING, "If it is to serve the site, remove it and add it again with that --site too.",
		         "actions that name a connection which does not serve their site, so that they fail: %s", names_text(&u->closed));
	if (u->missing.count + u->closed.count == 0)
		look_say(i, FINDING_OK, NULL, "%zu connections; every one that an action names is there", json_array_size(u->list));
}
