/* change.c -- no record, no change: `intended`, then the vault, then what came of it (design 11). */
#include "admin/admin-private.h"

#include <string.h>

bool change_member(struct change *c, const char *name, json_t *value)
{
	json_t *members = c->members ? c->members : json_object();

	if (json_object_set_new(members, name, value) == 0) {
		c->members = members;
		return true;
	}
	if (!c->members)
		json_decref(members);
	return false;
}

static enum rc vault_change(struct admin *a, struct change *c, enum reason *ret_reason, struct why *why)
{
	struct txn *vault = txn_write(a->store, ENV_VAULT);
	enum rc rc = vault ? txn_rc(vault) : RC_NOMEM;

	if (rc == RC_OK)
		rc = still_there(a, ENV_VAULT, why);
	if (rc == RC_OK)
		rc = c->run(a, vault, c, ret_reason);
	if (rc != RC_OK)
		txn_fail(vault, rc);
	return txn_end(vault);
}

static enum rc record_before(struct admin *a, const struct change *c, char id[ULID_MAX], struct why *why)
{
	struct audit_record r;
	enum rc rc = record_make(a, &r, c->event, c->site, c->name, c->members);

	if (rc != RC_OK)
		return rc;
	r.outcome = AUDIT_OUTCOME_INTENDED;
	memcpy(r.kid, c->kid, sizeof(r.kid));
	memcpy(id, r.id, ULID_MAX);
	if (c->urgent)
		record_send(a, &r);
	else if ((rc = record_put(a, &r)) != RC_OK)
		why_set(why, "nothing was changed, because it could not be recorded first: %s", rc_text(rc));
	record_done(&r);
	return rc;
}

static void record_after(struct admin *a, const struct change *c, const char id[ULID_MAX], enum rc changed,
                         enum reason reason)
{
	struct audit_record r;
	enum rc rc = record_make(a, &r, c->event, c->site, c->name, c->members);

	if (rc == RC_OK) {
		memcpy(r.id, id, ULID_MAX);
		memcpy(r.kid, c->kid, sizeof(r.kid));
		if (changed == RC_REFUSED) {
			r.outcome = AUDIT_OUTCOME_REFUSED;
			r.reason = reason;
		} else if (changed != RC_OK) {
			r.outcome = AUDIT_OUTCOME_FAILED;
			r.reason = REASON_VAULT_UNAVAILABLE;
		}
		if (c->urgent)
			record_send(a, &r);
		else
			rc = record_put(a, &r);
		record_done(&r);
	}
	if (rc != RC_OK)
		why_set(&a->notice, "the record of how this change ended could not be written: %s", rc_text(rc));
}

enum rc change_run(struct admin *a, struct change *c, enum reason *ret_reason, struct why *why)
{
	enum reason reason = REASON_NONE;
	char id[ULID_MAX] = "";
	enum rc rc = RC_READ_ONLY;

	/* an urgent change is made even where its record cannot be */
	if (!a->read_only && ((rc = record_before(a, c, id, why)) == RC_OK || c->urgent)) {
		rc = vault_change(a, c, &reason, why);
		if (rc == RC_OK && c->after)
			rc = c->after(a, c, why);
		record_after(a, c, id, rc, reason);
	}
	if (rc == RC_REFUSED)
		*ret_reason = reason;
	json_decref(c->members);
	c->members = NULL;
	return rc;
}
