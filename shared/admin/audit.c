/* audit.c -- what admins need around the audit log: whose subject, which site, and a record of who asked for names. */
#include "admin/admin-private.h"

enum rc admin_audit_site(struct admin *a, const char *site, enum reason *ret_reason, struct why *why)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	struct span row;
	bool known = site_known(vault, site) ||
	             (site_id_valid(span_str(site)) && txn_get(vault, DB_REMOVED, span_str(site), &row));
	enum rc rc = txn_end(vault);

	if (rc != RC_OK) {
		why_set(why, "the vault cannot be read: %s", rc_text(rc));
		return rc;
	}
	return known ? RC_OK : refuse(REASON_SITE_UNKNOWN, ret_reason);
}

static enum rc subject_make(const struct secret *pseudonym_key, const char *email, char ret[SUBJECT_MAX])
{
	struct hmac_key *hmac = NULL;
	enum rc rc = hmac_key_new(secret_span(pseudonym_key), &hmac);

	if (rc == RC_OK)
		rc = audit_subject(hmac, span_str(email), ret);
	hmac_key_free(hmac);
	return rc;
}

/* A removed site's pseudonym key is still there: its records can be searched. */
enum rc admin_subject_of(struct admin *a, const char *site, const char *email, char ret[SUBJECT_MAX],
                         enum reason *ret_reason, struct why *why)
{
	char normal[EMAIL_MAX];
	const char *domain;
	struct secret *key = NULL;
	struct txn *vault;
	enum rc rc;

	if (email_normalise(span_str(email), normal, &domain) != REASON_NONE)
		return refuse(REASON_EMAIL_MALFORMED, ret_reason);
	vault = txn_read(a->store, ENV_VAULT);
	rc = site_id_valid(span_str(site)) ? audit_pseudonym_get(a->store, vault, span_str(site), &key) : RC_NOT_FOUND;
	txn_abort(vault);
	if (rc == RC_NOT_FOUND)
		return refuse(REASON_SITE_UNKNOWN, ret_reason);
	if (rc == RC_OK)
		rc = subject_make(key, normal, ret);
	secret_free(key);
	if (rc != RC_OK)
		why_set(why, "the subject of this email cannot be found out: %s", rc_text(rc));
	return rc;
}

static bool add_text(json_t *members, const char *name, const char *text)
{
	return !text || json_object_set_new(members, name, json_string(text)) == 0;
}

static bool add_number(json_t *members, const char *name, bool given, uint64_t number)
{
	return !given || json_object_set_new(members, name, json_integer((json_int_t)number)) == 0;
}

static json_t *filter_members(const struct audit_filter *f, const char *format)
{
	json_t *m = json_pack("{sb}", "with_identity", 1);

	if (m && add_text(m, "format", format) && add_text(m, "action", f->action) && add_text(m, "subject", f->subject) &&
	    add_text(m, "outcome", f->has_outcome ? audit_outcome_name(f->outcome) : NULL) &&
	    add_text(m, "reason", f->reason != REASON_NONE ? reason_name(f->reason) : NULL) &&
	    add_number(m, "after", f->has_after, f->after) && add_number(m, "since", f->since > 0, f->since) &&
	    add_number(m, "until", f->until > 0, f->until))
		return m;
	json_decref(m);
	return NULL;
}

enum rc admin_audit_identities_read(struct admin *a, const struct audit_filter *f, const char *format, struct why *why)
{
	json_t *members = filter_members(f, format);
	struct audit_record r;
	enum rc rc = members ? record_make(a, &r, AUDIT_EVENT_AUDIT, f->site, "export", members) : RC_NOMEM;

	if (rc == RC_OK) {
		rc = record_put(a, &r);
		if (rc != RC_OK)
			why_set(why, "no identity is shown, because that could not be recorded first: %s", rc_text(rc));
		record_done(&r);
	}
	json_decref(members);
	return rc;
}
