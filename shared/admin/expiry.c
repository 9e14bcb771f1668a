/* expiry.c -- what turning a site's require_exp on would block, as far as the log tells. */
#include "admin/admin-private.h"

#define SLICE 4096                     /* rows of the log a transaction reads */

static bool count_one(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	const struct span outcome = json_span(json_object_get(record, "outcome"));
	uint64_t *count = arg;

	(void)seq;
	(void)line;
	if (span_is(json_span(json_object_get(record, "event")), audit_event_name(AUDIT_EVENT_ACTION)))
		*count += span_is(outcome, audit_outcome_name(AUDIT_OUTCOME_DONE)) ||
		          span_is(outcome, audit_outcome_name(AUDIT_OUTCOME_FAILED));
	return true;
}

enum rc admin_expiry_missing(struct admin *a, const char *site, size_t max_rows, uint64_t *ret_count, struct why *why)
{
	const struct audit_filter f = { .site = site, .expiry_none = true };
	uint64_t before = UINT64_MAX, count = 0;
	bool end = false;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !end && max_rows > 0) {
		struct txn *ledger = txn_read(a->store, ENV_LEDGER);
		size_t rows = max_rows < SLICE ? max_rows : SLICE;

		rc = audit_scan_back(ledger, &f, before, rows, count_one, &count, &before, &end);
		txn_abort(ledger);
		max_rows -= rows;
	}
	if (rc == RC_OK)
		*ret_count = count;
	else
		why_set(why, "the audit log cannot be read: %s", rc_text(rc));
	return rc;
}
