/* inspect-keys.c -- the rings of the sites: keys that nobody uses, or everybody too long; sites that can verify
 * nobody. */
#include "admin/inspect-private.h"

#define SITES_LOOKED 1000
#define DAY UINT64_C(86400)
#define UNUSED_S (7 * DAY)
#define OLD_S (365 * DAY)

/* ---- reading ---- */

struct reading { struct admin *a; struct txn *vault, *ledger; uint64_t now_s; struct rings *r; };

static void key_keep(struct key_name *ret, const char *site, const char *kid)
{
	if (ret->site[0])
		return;
	memcpy(ret->site, site, strlen(site) + 1);
	memcpy(ret->kid, kid, strlen(kid) + 1);
}

static void look_at_key(struct reading *d, const char *site, const struct key *k)
{
	uint64_t age = k->created_at < d->now_s ? d->now_s - k->created_at : 0;
	struct key_use use;

	if (key_state_at(k, d->now_s) != KEY_ACTIVE)
		return;
	key_use_get(d->ledger, site, k->kid, d->now_s, &use);
	if (use.last_used_at == 0 && age > UNUSED_S) {
		names_add(&d->r->unused, "%s/%s", site, k->kid);
		key_keep(&d->r->first_unused, site, k->kid);
	} else if (age > OLD_S) {
		names_add(&d->r->old, "%s/%s, %llu days", site, k->kid, (unsigned long long)(age / DAY));
		key_keep(&d->r->first_old, site, k->kid);
	}
}

static size_t verifying(const struct keyring *ring, uint64_t now_s)
{
	size_t count = 0;

	for (size_t k = 0; k < ring->count; k++)
		count += key_state_at(&ring->keys[k], now_s) != KEY_RETIRED;
	return count;
}

static void site_keep(char ret[SITE_ID_MAX], const char *site)
{
	if (!ret[0])
		memcpy(ret, site, strlen(site) + 1);
}

static void look_at_ring(struct reading *d, const char *site, const struct keyring *ring)
{
	size_t count = verifying(ring, d->now_s);

	if (count == 0) {
		names_add(&d->r->none, "%s", site);
		site_keep(d->r->first_none, site);
	}
	if (count >= RING_MAX) {
		names_add(&d->r->full, "%s", site);
		site_keep(d->r->first_full, site);
	}
	for (size_t k = 0; k < ring->count; k++)
		look_at_key(d, site, &ring->keys[k]);
}

static void look_at_site(struct reading *d, const char *site)
{
	struct keyring ring = { 0 };
	struct span row;

	d->r->looked++;
	if (keyring_get(d->a->store, d->vault, span_str(site), false, &ring) == RC_OK)
		look_at_ring(d, site, &ring);
	else
		names_add(&d->r->broken, "%s", site);
	keyring_done(&ring);
	if (!txn_get(d->vault, DB_ACTIONS, span_str(site), &row))
		names_add(&d->r->actionless, "%s", site);
}

enum rc rings_read(struct admin *a, uint64_t now_s, struct rings *ret)
{
	struct reading d = { .a = a, .now_s = now_s, .r = ret };
	struct span key, row;
	struct walk w;
	enum rc rc;

	d.vault = txn_read(a->store, ENV_VAULT);
	d.ledger = txn_read(a->store, ENV_LEDGER);
	ret->sites = txn_count(d.vault, DB_SITES);
	walk_begin(&w, d.vault, DB_SITES);
	while (ret->looked < SITES_LOOKED && walk_next(&w, &key, &row)) {
		char site[SITE_ID_MAX] = "";

		if (!site_id_valid(key))
			continue;
		memcpy(site, key.data, key.size);
		look_at_site(&d, site);
	}
	walk_end(&w);
	txn_abort(d.ledger);           /* use is advisory */
	rc = txn_end(d.vault);
	return rc;
}

void rings_done(struct rings *r)
{
	struct names *all[] = { &r->broken, &r->none, &r->full, &r->unused, &r->old, &r->actionless };

	for (size_t n = 0; n < ARRAY_LEN(all); n++)
		names_done(all[n]);
}

/* ---- the checks ---- */

void inspect_rings(struct inspection *i, struct inside *in)
{
	struct rings *r = &in->rings;

	if (r->broken.count > 0)
		look_say(i, FINDING_WRONG,
		         "Restore the vault from a backup; what the site's requests get until then is 503.",
		         "the key rings of these sites cannot be read: %s", names_text(&r->broken));
	else if (r->looked < r->sites)
		look_say(i, FINDING_OK, NULL, "the key rings of the first %llu of %llu sites were looked at",
		         (unsigned long long)r->looked, (unsigned long long)r->sites);
	else
		look_say(i, FINDING_OK, NULL, "%llu %s can be read", (unsigned long long)r->sites,
		         r->sites == 1 ? "site, whose key ring" : "sites, whose key rings");
}

void inspect_sites_without_key(struct inspection *i, struct inside *in)
{
	char option[DATA_OPTION_MAX];

	if (in->rings.none.count > 0)
		look_say(
			i, FINDING_WARNING,
			mend_with(i, "Run: sudo postern key create %s%s", in->rings.first_none, data_option(i, option)),
			"sites without a key that verifies, where every token is blocked: %s",
			names_text(&in->rings.none));
	else
		look_say(i, FINDING_OK, NULL, "every site has a key that verifies");
}

void inspect_full_rings(struct inspection *i, struct inside *in)
{
	char option[DATA_OPTION_MAX];

	data_option(i, option);
	if (in->rings.full.count > 0)
		look_say(i, FINDING_WARNING,
		         mend_with(i, "Look which one is not used any more: sudo postern key list %s%s; and retire it.",
		                   in->rings.first_full, option),
		         "sites whose ring is full, so that no key can be rotated: %s", names_text(&in->rings.full));
	else
		look_say(i, FINDING_OK, NULL, "every ring has room for another key");
}

void inspect_unused_keys(struct inspection *i, struct inside *in)
{
	const struct key_name *first = &in->rings.first_unused;
	char option[DATA_OPTION_MAX];

	if (in->rings.unused.count > 0)
		look_say(i, FINDING_WARNING,
		         mend_with(i, "If no backend was given it: sudo postern key retire %s %s --now%s", first->site,
		                   first->kid, data_option(i, option)),
		         "keys made more than 7 days ago that never verified a token: %s",
		         names_text(&in->rings.unused));
	else
		look_say(i, FINDING_OK, NULL, "no key older than 7 days was never used");
}

void inspect_old_keys(struct inspection *i, struct inside *in)
{
	const struct key_name *first = &in->rings.first_old;
	char option[DATA_OPTION_MAX];

	if (in->rings.old.count > 0)
		look_say(i, FINDING_WARNING,
		         mend_with(i, "Run: sudo postern key rotate %s %s%s", first->site, first->kid,
		                   data_option(i, option)),
		         "keys older than a year: %s", names_text(&in->rings.old));
	else
		look_say(i, FINDING_OK, NULL, "no key is older than a year");
}

/* Where Postern only guards another application that is as it should be. */
void inspect_sites_without_actions(struct inspection *i, struct inside *in)
{
	if (in->rings.actionless.count > 0)
		look_say(i, FINDING_OK, NULL, "sites without actions, which only say who a visitor is: %s",
		         names_text(&in->rings.actionless));
	else
		look_say(i, FINDING_OK, NULL, "every site has actions");
}
