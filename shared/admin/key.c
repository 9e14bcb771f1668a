/* key.c -- creating, rotating and retiring keys. Every condition holds under the vault's write lock, where it
 * is checked. */
#include "admin/admin-private.h"
#include "base/clock.h"

struct key_change {
	struct key_ref ref;            /* kid NULL: of a rotation, the only active one */
	const char *label;
	const struct secret *secret;   /* of an import */
	struct key *key;               /* what was created */
	struct rotation *rotation;
	uint64_t grace, at;            /* seconds; at 0: now */
	bool last_too;
};

static const struct key *ring_find(const struct keyring *ring, const char *kid)
{
	for (size_t i = 0; i < ring->count; i++)
		if (strcmp(ring->keys[i].kid, kid) == 0)
			return &ring->keys[i];
	return NULL;
}

/* Is this a key one can change, in the ring as it was seen? The tombstone of one that is gone is told apart from a name
 * nobody ever had. */
static enum rc key_require(struct admin *a, struct txn *vault, const struct key_ref *k, struct keyring *ret,
                           enum reason *ret_reason)
{
	enum rc rc;

	if (!site_known(vault, k->site))
		return txn_rc(vault) != RC_OK ? txn_rc(vault) : refuse(REASON_SITE_UNKNOWN, ret_reason);
	if ((rc = keyring_get(a->store, vault, span_str(k->site), false, ret)) != RC_OK)
		return rc;
	if (k->ring && k->ring != ret->version)
		return refuse(REASON_RING_CHANGED, ret_reason);
	if (!k->kid || ring_find(ret, k->kid))
		return RC_OK;
	if (kid_valid(span_str(k->kid)) && keyring_tombstone(vault, span_str(k->site), span_str(k->kid), NULL))
		return refuse(REASON_KEY_GONE, ret_reason);
	return refuse(REASON_KEY_UNKNOWN, ret_reason);
}

/* Would the ring verify nothing once this key is gone, at `at`? */
static bool is_last(const struct keyring *ring, const char *kid, uint64_t at, uint64_t now)
{
	if (key_state_at(ring_find(ring, kid), now) == KEY_RETIRED)
		return false;
	for (size_t i = 0; i < ring->count; i++) {
		const struct key *k = &ring->keys[i];

		if (strcmp(k->kid, kid) != 0 && key_state_at(k, now) != KEY_RETIRED && (k->retire_at == 0 || k->retire_at > at))
			return false;
	}
	return true;
}

/* What is plainly wrong is said before anything is recorded: a mistyped kid is no event, and a question to the
 * admin neither. */
static enum rc key_ask(struct admin *a, const struct key_ref *k, const struct key_change *retire,
                       enum reason *ret_reason, struct why *why)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	struct keyring ring = { 0 };
	uint64_t now = clock_s();
	enum rc rc = key_require(a, vault, k, &ring, ret_reason);

	if (rc == RC_OK && retire && !retire->last_too && is_last(&ring, k->kid, retire->at ? retire->at : now, now))
		rc = refuse(REASON_KEY_LAST, ret_reason);
	keyring_done(&ring);
	txn_abort(vault);
	if (rc != RC_OK && rc != RC_REFUSED)
		why_set(why, "the key ring of site %s cannot be read: %s", k->site, rc_text(rc));
	return rc;
}

static enum rc key_change_run(struct admin *a, struct change *c, const char *kid, enum reason *ret_reason,
                              struct why *why)
{
	c->event = AUDIT_EVENT_KEY;
	if (kid)
		memcpy(c->kid, kid, strlen(kid) + 1);      /* key_ask() found it, so it fits */
	return change_run(a, c, ret_reason, why);
}

/* What a reader of the log knows a key by, without its secret. */
static bool describe(struct change *c, const struct key *k)
{
	return (!k->label[0] || change_member(c, "label", json_string(k->label))) &&
	       change_member(c, "fingerprint", json_string(k->fingerprint));
}

static bool seconds_member(struct change *c, const char *name, uint64_t seconds)
{
	return change_member(c, name, json_integer((json_int_t)seconds));
}

/* ---- create, import ---- */

static enum rc create_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	const struct key_change *k = c->arg;
	enum rc rc;

	if (!site_known(vault, c->site))
		return refuse(REASON_SITE_UNKNOWN, ret_reason);
	rc = keyring_create(a->store, vault, c->site, k->label ? k->label : "", k->secret, clock_s(), k->key, ret_reason);
	if (rc != RC_OK)
		return rc;
	memcpy(c->kid, k->key->kid, sizeof(c->kid));
	return describe(c, k->key) ? RC_OK : RC_NOMEM;
}

static enum rc create(struct admin *a, const char *name, struct key_change *k, struct key *ret_key,
                      enum reason *ret_reason, struct why *why)
{
	struct change c = { .name = name, .site = k->ref.site, .run = create_run, .arg = k };
	struct key made = { 0 };
	enum rc rc;

	if (k->label && !text_plain(k->label, KEY_LABEL_MAX)) {
		why_set(why, "a label is UTF-8 text without control characters, at most %d bytes", KEY_LABEL_MAX - 1);
		return RC_INVALID;
	}
	if ((rc = key_ask(a, &k->ref, NULL, ret_reason, why)) != RC_OK)
		return rc;
	admin_sweep(a);        /* a slot whose time is over is free */
	k->key = &made;
	rc = key_change_run(a, &c, NULL, ret_reason, why);
	if (rc == RC_OK)
		*ret_key = made;
	else
		key_done(&made);
	return rc;
}

enum rc admin_key_create(struct admin *a, const char *site, const char *label, struct key *ret_key,
                         enum reason *ret_reason,
                         struct why *why)
{
	struct key_change k = { .ref.site = site, .label = label };

	return create(a, "create", &k, ret_key, ret_reason, why);
}

enum rc admin_key_import(struct admin *a, const char *site, const char *label, const struct secret *secret,
                         struct key *ret_key, enum reason *ret_reason, struct why *why)
{
	struct key_change k = { .ref.site = site, .label = label, .secret = secret };

	return create(a, "import", &k, ret_key, ret_reason, why);
}

/* ---- rotate ---- */

static const struct key *only_active(const struct keyring *ring, uint64_t now)
{
	const struct key *found = NULL;

	for (size_t i = 0; i < ring->count; i++)
		if (key_state_at(&ring->keys[i], now) == KEY_ACTIVE) {
			if (found)
				return NULL;
			found = &ring->keys[i];
		}
	return found;
}

/* Which key a rotation replaces: the one named, else the only active one. */
static enum rc rotate_find(struct admin *a, struct txn *vault, const struct key_ref *k, struct key *ret,
                           enum reason *ret_reason)
{
	struct keyring ring = { 0 };
	const struct key *old;
	enum rc rc = key_require(a, vault, k, &ring, ret_reason);

	if (rc == RC_OK) {
		old = k->kid ? ring_find(&ring, k->kid) : only_active(&ring, clock_s());
		if (old)
			*ret = *old;
		else
			rc = refuse(REASON_KEY_AMBIGUOUS, ret_reason);
	}
	keyring_done(&ring);
	return rc;
}

static enum rc retire_at(struct admin *a, struct txn *vault, const char *site, const char *kid, uint64_t at,
                         uint64_t now,
                         enum reason *ret_reason)
{
	if (at <= now)
		return keyring_retire(a->store, vault, site, kid, now, ret_reason);
	return keyring_schedule(a->store, vault, site, kid, at, now, ret_reason);
}

static enum rc rotate_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	const struct key_change *k = c->arg;
	struct rotation *r = k->rotation;
	uint64_t now = clock_s();
	struct key old;
	enum rc rc = rotate_find(a, vault, &k->ref, &old, ret_reason);

	if (rc != RC_OK)
		return rc;
	memcpy(r->retiring, old.kid, sizeof(r->retiring));
	r->retire_at = now + k->grace;
	if (old.retire_at && old.retire_at < r->retire_at)
		r->retire_at = old.retire_at;      /* a rotation never prolongs: that is keep's to do */
	if ((rc = keyring_create(a->store, vault, c->site, old.label, NULL, now, &r->created, ret_reason)) != RC_OK ||
	    (rc = retire_at(a, vault, c->site, r->retiring, r->retire_at, now, ret_reason)) != RC_OK)
		return rc;
	memcpy(c->kid, r->created.kid, sizeof(c->kid));
	return describe(c, &r->created) && change_member(c, "replaces", json_string(r->retiring)) &&
	       seconds_member(c, "retire_at", r->retire_at) ? RC_OK : RC_NOMEM;
}

/* An ambiguous command is one wrongly written: said before anything is recorded. */
static enum rc rotate_ask(struct admin *a, struct change *c, const struct key_ref *k, enum reason *ret_reason,
                          struct why *why)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	struct key old;
	enum rc rc = rotate_find(a, vault, k, &old, ret_reason);

	txn_abort(vault);
	if (rc == RC_OK && !change_member(c, "replaces", json_string(old.kid)))
		rc = RC_NOMEM;
	if (rc != RC_OK && rc != RC_REFUSED)
		why_set(why, "the key ring of site %s cannot be read: %s", c->site, rc_text(rc));
	return rc;
}

enum rc admin_key_rotate(struct admin *a, const struct key_ref *k, uint64_t grace_s, struct rotation *ret,
                         enum reason *ret_reason, struct why *why)
{
	struct rotation made = { 0 };
	struct key_change change = { .ref = *k, .rotation = &made, .grace = grace_s };
	struct change c = { .name = "rotate", .site = k->site, .run = rotate_run, .arg = &change };
	enum rc rc;

	sweep_before(a, &change.ref);
	if ((rc = rotate_ask(a, &c, &change.ref, ret_reason, why)) != RC_OK)
		return rc;
	rc = key_change_run(a, &c, NULL, ret_reason, why);
	if (rc == RC_OK)
		*ret = made;
	else
		key_done(&made.created);
	return rc;
}

/* ---- retire, keep ---- */

static enum rc retire_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	const struct key_change *k = c->arg;
	uint64_t now = clock_s(), at = k->at > now ? k->at : now;
	struct keyring ring = { 0 };
	bool last = false;
	enum rc rc = key_require(a, vault, &k->ref, &ring, ret_reason);

	if (rc == RC_OK) {
		last = is_last(&ring, c->kid, at, now);
		describe(c, ring_find(&ring, c->kid));
	}
	keyring_done(&ring);
	if (rc != RC_OK)
		return rc;
	if (last && !k->last_too)
		return refuse(REASON_KEY_LAST, ret_reason);
	if (last)
		change_member(c, "last", json_true());
	return retire_at(a, vault, c->site, c->kid, at, now, ret_reason);
}

enum rc admin_key_retire(struct admin *a, const struct key_ref *k, uint64_t at_s, bool last_too,
                         enum reason *ret_reason, struct why *why)
{
	struct key_change change = { .ref = *k, .at = at_s, .last_too = last_too };
	struct change c = { .name = at_s ? "schedule" : "retire", .site = k->site, .run = retire_run, .arg = &change,
	                    .urgent = at_s == 0 };
	enum rc rc = key_ask(a, k, &change, ret_reason, why);

	if (rc != RC_OK)
		return rc;
	if (at_s && !seconds_member(&c, "retire_at", at_s))
		return RC_NOMEM;
	return key_change_run(a, &c, k->kid, ret_reason, why);
}

static enum rc keep_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	const struct key_change *change = c->arg;
	struct keyring ring = { 0 };
	enum rc rc = key_require(a, vault, &change->ref, &ring, ret_reason);

	if (rc == RC_OK) {
		const struct key *k = ring_find(&ring, c->kid);

		if (!describe(c, k) || (k->retire_at && !seconds_member(c, "retire_at", k->retire_at)))
			rc = RC_NOMEM;
	}
	keyring_done(&ring);
	return rc != RC_OK ? rc : keyring_schedule(a->store, vault, c->site, c->kid, 0, clock_s(), ret_reason);
}

enum rc admin_key_keep(struct admin *a, const struct key_ref *k, enum reason *ret_reason, struct why *why)
{
	struct key_change change = { .ref = *k };
	struct change c = { .name = "keep", .site = k->site, .run = keep_run, .arg = &change };
	enum rc rc = key_ask(a, k, NULL, ret_reason, why);

	return rc != RC_OK ? rc : key_change_run(a, &c, k->kid, ret_reason, why);
}
