/* expiry.c -- what turning a site's require_exp on would block, as far as the log tells. */
#include "admin/admin-private.h"

#define SLICE 4096                     /* rows of the log a transaction reads */

struct counting { uint64_t count; json_t *sites; bool failed; };       /* sites NULL: not by site */

static bool ran_an_action(const json_t *record)
{
	const struct span outcome = json_span(json_object_get(record, "outcome"));

	return span_is(json_span(json_object_get(record, "event")), audit_event_name(AUDIT_EVENT_ACTION)) &&
	       (span_is(outcome, audit_outcome_name(AUDIT_OUTCOME_DONE)) ||
	        span_is(outcome, audit_outcome_name(AUDIT_OUTCOME_FAILED)));
}

static bool count_one(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	const char *site = json_string_value(json_object_get(record, "site"));
	struct counting *k = arg;

	(void)seq;
	(void)line;
	if (!ran_an_action(record))
		return true;
	k->count++;
	if (k->sites && site)
		k->failed |= json_object_set_new(k->sites, site, json_integer(
			json_integer_value(json_object_get(k->sites, site)) + 1)) != 0;
	return !k->failed;
}

static enum rc count_back(struct admin *a, const char *site, size_t max_rows, struct counting *k, struct why *why)
{
	const struct audit_filter f = { .site = site, .expiry_none = true };
	uint64_t before = UINT64_MAX;
	bool end = false;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !end && max_rows > 0) {
		struct txn *ledger = txn_read(a->store, ENV_LEDGER);
		size_t rows = max_rows < SLICE ? max_rows : SLICE;

		rc = audit_scan_back(ledger, &f, before, rows, count_one, k, &before, &end);
		txn_abort(ledger);
		if (rc == RC_OK && k->failed)
			rc = RC_NOMEM;
		max_rows -= rows;
	}
	if (rc != RC_OK)
		why_set(why, "the audit log cannot be read: %s", rc_text(rc));
	return rc;
}

enum rc admin_expiry_missing(struct admin *a, const char *site, size_t max_rows, uint64_t *ret_count, struct why *why)
{
	struct counting k = { .count = 0 };
	enum rc rc = count_back(a, site, max_rows, &k, why);

	if (rc == RC_OK)
		*ret_count = k.count;
	return rc;
}

/* The log may name any site at all: one that is there, and could turn it on? */
static bool may_turn_it_on(struct txn *vault, const char *site)
{
	struct site s;
	bool may;

	if (!site_id_valid(span_str(site)))
		return false;
	may = site_get(vault, span_str(site), &s) == RC_OK && !s.require_exp;
	site_done(&s);
	return may;
}

enum rc admin_expiry_sites(struct admin *a, size_t max_rows, json_t **ret, struct why *why)
{
	struct counting k = { .sites = json_object() };
	enum rc rc = k.sites ? count_back(a, NULL, max_rows, &k, why) : RC_NOMEM;
	struct txn *vault;
	const char *site;
	json_t *count;
	void *next;

	if (rc != RC_OK) {
		json_decref(k.sites);
		return rc;
	}
	vault = txn_read(a->store, ENV_VAULT);
	json_object_foreach_safe(k.sites, next, site, count)
		if (!may_turn_it_on(vault, site))
			json_object_del(k.sites, site);
	txn_abort(vault);
	*ret = k.sites;
	return RC_OK;
}
