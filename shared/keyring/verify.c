/* verify.c -- which key of a ring made a signature, and whether a key still counts. */
#include "keyring/ring-private.h"

#include <stdatomic.h>

/* Once a retire_at was seen to pass, a clock that steps back does not bring the key to life again. Raised only. */
static _Atomic uint64_t floor_s;

uint64_t retired_floor(void)
{
	return atomic_load(&floor_s);
}

static void raise_floor(uint64_t to)
{
	uint64_t seen = atomic_load(&floor_s);

	while (seen < to && !atomic_compare_exchange_weak(&floor_s, &seen, to))
		;
}

const char *key_state_name(enum key_state s)
{
	static const char *const names[] = {
		[KEY_ACTIVE] = "active",
		[KEY_RETIRING] = "retiring",
		[KEY_RETIRED] = "retired",
	};

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "unknown";
}

enum key_state key_state_at(const struct key *k, uint64_t now_s)
{
	if (!k->retire_at)
		return KEY_ACTIVE;
	if (now_s >= k->retire_at)
		raise_floor(k->retire_at);
	return k->retire_at <= retired_floor() ? KEY_RETIRED : KEY_RETIRING;
}

/* Tries every candidate, whichever fits, so that the time taken tells nothing but their number. */
static enum reason try_keys(struct keyring *r, const bool candidate[RING_MAX], struct span signed_bytes,
			    const uint8_t signature[SHA256_SIZE], const struct key **ret)
{
	const struct key *match = NULL;
	bool failed = false, closed = false;

	for (size_t i = 0; i < r->count; i++) {
		const struct key *k = &r->keys[i];
		uint8_t mac[SHA256_SIZE];

		if (!candidate[i])
			continue;
		if (ring_open_key(r, i) != RC_OK)
			closed = true;
		if (!k->hmac)
			continue;
		if (hmac_key_sign(k->hmac, signed_bytes, mac) != RC_OK)
			failed = true;
		else if (crypto_equal(mac, signature, sizeof(mac)))
			match = k;
		secret_wipe(mac, sizeof(mac));
	}
	*ret = closed ? NULL : match;
	if (closed)
		return REASON_VAULT_UNAVAILABLE;
	return match ? REASON_NONE : failed ? REASON_OVERLOADED : REASON_SIGNATURE_MISMATCH;
}

enum reason keyring_verify(struct keyring *r, struct span kid, bool kid_is_tombstone, uint64_t now_s,
                           struct span signed_bytes, const uint8_t signature[SHA256_SIZE], const struct key **ret_key)
{
	size_t named = ring_find(r, kid);
	bool candidate[RING_MAX] = { false }, other[RING_MAX] = { false };
	const struct key *nobody;
	enum reason reason;
	bool any = false;

	for (size_t i = 0; i < r->count; i++) {
		candidate[i] = key_state_at(&r->keys[i], now_s) != KEY_RETIRED;
		any |= candidate[i];
	}
	if (!any)
		return REASON_RING_EMPTY;
	if (named == RING_MAX ? kid_is_tombstone : !candidate[named])
		return REASON_KEY_RETIRED;
	for (size_t i = 0; i < r->count; i++) {
		other[i] = candidate[i] && named != RING_MAX && i != named;
		candidate[i] &= !other[i];
	}
	reason = try_keys(r, candidate, signed_bytes, signature, ret_key);
	if (reason != REASON_NONE)      /* for nothing: a refusal takes as long whether kid names a key of the ring or not */
		(void)try_keys(r, other, signed_bytes, signature, &nobody);
	return reason;
}
