/* erase.c -- everything of one person that can go: what is kept behind the subject. The records keep the subject, so
 * the tree stays what it was. */
#include "admin/admin-private.h"

#define ERASE_BATCH 200                /* rows a job: well under 50 ms of the ledger's lock */

struct erasure {
	const char *site;
	char email[EMAIL_MAX];         /* normalised: the owner of documents */
	char subject[SUBJECT_MAX];
	bool documents;
	bool identity;                 /* what the last job removed */
	size_t went;
};

static enum rc identity_run(struct txn *ledger, void *arg)
{
	struct erasure *e = arg;

	e->identity = audit_identity_remove(ledger, e->site, e->subject);
	return txn_rc(ledger);
}

static enum rc pins_run(struct txn *ledger, void *arg)
{
	struct erasure *e = arg;

	e->went = pin_remove(ledger, e->site, e->subject, ERASE_BATCH);
	return txn_rc(ledger);
}

/* The stored answers are what the person was told. */
static enum rc answers_run(struct txn *ledger, void *arg)
{
	struct erasure *e = arg;

	e->went = idempotency_remove(ledger, e->site, e->subject, ERASE_BATCH);
	return txn_rc(ledger);
}

static enum rc documents_run(struct txn *ledger, void *arg)
{
	struct erasure *e = arg;

	e->went = document_remove_owner(ledger, e->site, e->email, ERASE_BATCH);
	return txn_rc(ledger);
}

static enum rc remove_all(struct writer *writer, job_run run, struct erasure *e, uint64_t *ret_count)
{
	enum rc rc;

	do {
		rc = writer_call(writer, run, e);
		if (rc == RC_OK)
			*ret_count += e->went;
	} while (rc == RC_OK && e->went == ERASE_BATCH);
	return rc;
}

static enum rc run(struct admin *a, struct erasure *e, struct erased *ret, struct why *why)
{
	struct writer *writer;
	uint64_t answers = 0;
	enum rc rc = admin_writer(a, &writer);

	if (rc == RC_OK && (rc = writer_call(writer, identity_run, e)) == RC_OK) {
		ret->identity = e->identity;
		rc = remove_all(writer, pins_run, e, &ret->pins);
	}
	if (rc == RC_OK)
		rc = remove_all(writer, answers_run, e, &answers);
	if (rc == RC_OK && e->documents)
		rc = remove_all(writer, documents_run, e, &ret->documents);
	if (rc != RC_OK)
		why_set(why, "not everything was erased; erase again: %s", rc_text(rc));
	return rc;
}

static json_t *result_members(const struct erasure *e, const struct erased *ret)
{
	json_t *m = json_pack("{sbsI}", "identity", ret->identity, "pins", (json_int_t)ret->pins);

	if (m && e->documents)
		json_object_set_new(m, "documents", json_integer((json_int_t)ret->documents));
	return m;
}

static enum rc erase(struct admin *a, struct erasure *e, struct erased *ret, struct why *why)
{
	json_t *members = json_pack("{sb}", "with_documents", e->documents);
	struct audit_record r;
	enum rc rc = members ? event_begin(a, &r, e->site, e->subject, "erase", members, why) : RC_NOMEM;

	json_decref(members);
	if (rc != RC_OK)
		return rc;
	rc = run(a, e, ret, why);
	members = result_members(e, ret);
	event_end(a, &r, members, rc);
	json_decref(members);
	return rc;
}

enum rc admin_erase(struct admin *a, const char *site, const char *email, bool documents, struct erased *ret,
                    enum reason *ret_reason, struct why *why)
{
	struct erasure e = { .site = site, .documents = documents };
	const char *domain;
	enum rc rc;

	*ret = (struct erased){ 0 };
	if (a->read_only)
		return RC_READ_ONLY;
	if ((rc = admin_subject_of(a, site, email, e.subject, ret_reason, why)) != RC_OK)
		return rc;
	if (email_normalise(span_str(email), e.email, &domain) != REASON_NONE)
		return refuse(REASON_EMAIL_MALFORMED, ret_reason);
	return erase(a, &e, ret, why);
}
