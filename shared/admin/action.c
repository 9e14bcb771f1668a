/* action.c -- a site's actions document: checked whole, stored whole. */
#include "admin/admin-private.h"

static enum rc store_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	const struct span *document = c->arg;

	(void)a;
	if (!site_known(vault, c->site))
		return refuse(REASON_SITE_UNKNOWN, ret_reason);
	return catalogue_store(vault, c->site, *document);
}

enum rc admin_action_import(struct admin *a, const char *site, struct span document, size_t *ret_count,
                            struct problems *problems, enum reason *ret_reason, struct why *why)
{
	struct change c = { .event = AUDIT_EVENT_CONFIG, .name = "actions", .site = site, .run = store_run, .arg = &document };
	struct catalogue *catalogue = NULL;
	size_t count;
	enum rc rc = site_require(a, site, ret_reason, why);

	if (rc != RC_OK)
		return rc;
	rc = catalogue_load(document, &catalogue, problems);
	if (rc == RC_INVALID)
		return refuse(REASON_ACTIONS_INVALID, ret_reason);
	if (rc != RC_OK)
		return rc;
	count = catalogue_count(catalogue);
	catalogue_free(catalogue);
	if (!change_member(&c, "count", json_integer((json_int_t)count)))
		return RC_NOMEM;
	rc = change_run(a, &c, ret_reason, why);
	if (rc == RC_OK)
		*ret_count = count;
	return rc;
}

enum rc admin_action_document(struct admin *a, const char *site, json_t **ret, enum reason *ret_reason,
                              struct why *why)
{
	struct txn *vault;
	struct span text;
	json_t *document = NULL;
	enum rc rc = site_require(a, site, ret_reason, why);

	if (rc != RC_OK)
		return rc;
	vault = txn_read(a->store, ENV_VAULT);
	rc = catalogue_read(vault, span_str(site), &text);
	if (rc == RC_OK)
		rc = json_strict(text, 128, &document, NULL);
	else if (rc == RC_NOT_FOUND)
		rc = RC_OK;
	txn_abort(vault);
	if (rc == RC_OK)
		*ret = document;
	else
		why_set(why, "the actions of site %s cannot be read: %s", site, rc_text(rc));
	return rc;
}
