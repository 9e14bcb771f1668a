/* audit.c -- what admins need around the audit log: whose subject, which site, one record whole, and a record of who
 * asked for names. */
#include "admin/log-private.h"

#define LINE_DEPTH_MAX 32

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

	if (email_normalise(span_str(email), normal, &domain) != REASON_NONE) {
		why_set(why, "what was given is no email that a token could name");
		return refuse(REASON_EMAIL_MALFORMED, ret_reason);
	}
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

	if (m && add_text(m, "format", format) && add_text(m, "action", f->action) &&
	    add_text(m, "subject", f->subject) && add_text(m, "remote", f->remote) && add_text(m, "kid", f->kid) &&
	    add_text(m, "outcome", f->has_outcome ? audit_outcome_name(f->outcome) : NULL) &&
	    add_text(m, "reason", f->reason != REASON_NONE ? reason_name(f->reason) : NULL) &&
	    add_number(m, "after", f->has_after, f->after) && add_number(m, "since", f->since > 0, f->since) &&
	    add_number(m, "until", f->until > 0, f->until))
		return m;
	json_decref(m);
	return NULL;
}

/* No clear identity leaves before it is on disk who asked for it. */
static enum rc asked_put(struct admin *a, const char *site, const char *change, const json_t *members, struct why *why)
{
	struct audit_record r;
	enum rc rc = members ? record_make(a, &r, AUDIT_EVENT_AUDIT, site, change, members) : RC_NOMEM;

	if (rc != RC_OK)
		return rc;
	rc = record_put(a, &r);
	if (rc != RC_OK)
		why_set(why, "no identity is shown, because that could not be recorded first: %s", rc_text(rc));
	record_done(&r);
	return rc;
}

enum rc admin_audit_identities_read(struct admin *a, const struct audit_filter *f, const char *format, struct why *why)
{
	json_t *members = filter_members(f, format);
	enum rc rc = asked_put(a, f->site, "export", members, why);

	json_decref(members);
	return rc;
}

/* ---- one record ---- */

enum rc admin_audit_record(struct admin *a, uint64_t seq, struct buf *ret_line, json_t **ret_record, struct why *why)
{
	struct txn *ledger = txn_read(a->store, ENV_LEDGER);
	json_t *record = NULL;
	struct span line;
	enum rc rc = RC_OK;

	if (audit_get(ledger, seq, &line)) {
		bool fits = line.size <= AUDIT_LINE_MAX;

		buf_add_span(ret_line, span_of(line.data, fits ? line.size : AUDIT_LINE_MAX));
		rc = fits ? json_strict(line, LINE_DEPTH_MAX, &record, NULL) : RC_INVALID;
		rc = rc == RC_NOMEM || ret_line->failed ? RC_NOMEM : RC_OK;
	} else {
		rc = txn_rc(ledger) != RC_OK ? txn_rc(ledger) : RC_NOT_FOUND;
	}
	txn_abort(ledger);
	if (rc == RC_OK && json_is_object(record)) {
		*ret_record = record;
		return RC_OK;
	}
	json_decref(record);
	if (rc == RC_OK)
		*ret_record = NULL;
	else if (rc == RC_NOT_FOUND && seq < log_first_now(a->store))
		why_set(why, "record %llu was pruned: the log begins with %llu", (unsigned long long)seq,
		        (unsigned long long)log_first_now(a->store));
	else if (rc == RC_NOT_FOUND)
		why_set(why, "there is no record %llu in the log", (unsigned long long)seq);
	else
		why_set(why, "the log cannot be read: %s", rc_text(rc));
	return rc;
}

/* Whom the record names; false: nobody, or its members are not what an identity is kept under. */
static bool whose(const json_t *record, const char **ret_site, const char **ret_subject)
{
	*ret_site = json_string_value(json_object_get(record, "site"));
	*ret_subject = json_string_value(json_object_get(record, "subject"));
	return *ret_site && *ret_subject && site_id_valid(span_str(*ret_site));
}

static enum rc identity_read(struct admin *a, const char *site, const char *subject, struct audit_identity *ret)
{
	struct txn *ledger = txn_read(a->store, ENV_LEDGER);
	enum rc rc = audit_identity_get(a->store, ledger, site, subject, ret);

	txn_abort(ledger);
	return rc == RC_INVALID ? RC_NOT_FOUND : rc;           /* a subject of another form: nothing is kept under it */
}

/* That it was asked for is recorded, whether or not an identity is still kept. */
static enum rc identity_of(struct admin *a, const json_t *record, uint64_t seq, struct audit_identity *ret,
                           struct why *why)
{
	unsigned long long number = seq;
	const char *site, *subject;
	json_t *members;
	enum rc rc;

	if (!whose(record, &site, &subject)) {
		why_set(why, "record %llu names nobody: it has no subject", number);
		return RC_NOT_FOUND;
	}
	members = json_pack("{sI}", "seq", (json_int_t)seq);
	if ((rc = asked_put(a, site, "identity", members, why)) == RC_OK)
		rc = identity_read(a, site, subject, ret);
	json_decref(members);
	if (rc == RC_NOT_FOUND)
		why_set(why, "the identity behind record %llu is not kept any more", number);
	else if (rc != RC_OK)
		why_set(why, "the identity behind record %llu cannot be read: %s", number, rc_text(rc));
	return rc;
}

enum rc admin_audit_identity(struct admin *a, uint64_t seq, struct audit_identity *ret, struct why *why)
{
	struct buf line = BUF_INIT;
	json_t *record = NULL;
	enum rc rc = admin_audit_record(a, seq, &line, &record, why);

	if (rc == RC_OK)
		rc = identity_of(a, record, seq, ret, why);
	json_decref(record);
	buf_done(&line);
	return rc;
}
