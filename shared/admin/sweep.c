/* sweep.c -- keys whose time is over lose their secret at the first admin command after it, so that no clock
 * brings them back. */
#include "admin/admin-private.h"
#include "base/clock.h"

#define SWEEP_MAX 256                  /* keys a command; the next one goes on */

/* Another admin may have been here between the look and the lock. */
static bool is_due(const struct keyring *ring, struct change *c, uint64_t now_s)
{
	for (size_t i = 0; i < ring->count; i++) {
		const struct key *k = &ring->keys[i];

		if (strcmp(k->kid, c->kid) == 0)
			return key_state_at(k, now_s) == KEY_RETIRED &&
			       change_member(c, "retire_at", json_integer((json_int_t)k->retire_at));
	}
	return false;
}

static enum rc expire_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	struct keyring ring = { 0 };
	uint64_t now = clock_s();
	enum rc rc = keyring_get(a->store, vault, span_str(c->site), false, &ring);

	if (rc != RC_OK)
		return rc;
	if (is_due(&ring, c, now))
		rc = keyring_retire(a->store, vault, c->site, c->kid, now, ret_reason);
	else
		rc = refuse(REASON_KEY_GONE, ret_reason);
	keyring_done(&ring);
	return rc;
}

static size_t keys_due(struct admin *a, struct key_name ret[SWEEP_MAX])
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	size_t count = vault ? keyring_due(vault, clock_s(), ret, SWEEP_MAX) : 0;

	txn_abort(vault);
	return count;
}

/* true: it deleted the key's secret, and so moved the ring on by one version. */
static bool expire(struct admin *a, const struct key_name *due)
{
	struct change c = { .event = AUDIT_EVENT_KEY, .name = "expire", .site = due->site, .urgent = true,
	                    .run = expire_run };
	enum reason reason;
	enum rc rc;

	memcpy(c.kid, due->kid, sizeof(c.kid));
	rc = change_run(a, &c, &reason, NULL);
	if (rc != RC_OK && rc != RC_REFUSED)
		why_set(&a->notice, "key %s of site %s is past its time, but its secret could not be deleted: %s",
		        due->kid, due->site, rc_text(rc));
	return rc == RC_OK;
}

/* Never waits for the ledger and never stops the command it precedes: a key past its time does not verify anyhow. */
void sweep_before(struct admin *a, struct key_ref *k)
{
	struct key_name due[SWEEP_MAX];
	size_t count = a->read_only ? 0 : keys_due(a, due);

	for (size_t i = 0; i < count; i++)
		if (expire(a, &due[i]) && k->ring && strcmp(due[i].site, k->site) == 0)
			k->ring++;
}

void admin_sweep(struct admin *a)
{
	struct key_ref none = { .site = "" };

	sweep_before(a, &none);
}
