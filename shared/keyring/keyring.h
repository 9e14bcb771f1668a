/* keyring.h -- a site's signing keys: at most three that verify, each shown once and sealed from then on.
 *
 * States come from the clock: active; retiring (retire_at ahead, still verifies); retired (its secret deleted, a
 * tombstone kept). A ring is one vault row, so a change of it is one transaction under LMDB's write lock, whatever
 * the number of admins and processes. */
#ifndef POSTERN_KEYRING_KEYRING_H
#define POSTERN_KEYRING_KEYRING_H

#include "base/crypto.h"
#include "site/site.h"

#define RING_MAX 3
#define KID_MAX 11                    /* "k_" + 8 of [a-z2-7], with the terminator */
#define KEY_LABEL_MAX 65
#define KEY_FINGERPRINT_MAX 9         /* 8 hex digits */
#define KEY_SECRET_TEXT 60            /* "postern_sk_" + 43 base62 + 6 base62 of the CRC-32 */
#define KEY_SECRET_MIN 32             /* bytes an imported secret may have */
#define KEY_SECRET_MAX 512

enum key_state { KEY_ACTIVE, KEY_RETIRING, KEY_RETIRED };
const char *key_state_name(enum key_state s);

struct key {
	char kid[KID_MAX];
	char label[KEY_LABEL_MAX];               /* outside text, may be empty */
	char fingerprint[KEY_FINGERPRINT_MAX];
	uint64_t created_at;                     /* seconds */
	uint64_t retire_at;                      /* seconds; 0: not scheduled. For a tombstone: when it retired */
	struct secret *secret;                   /* the HMAC key; NULL where only listed or sealed, and for a tombstone */
	struct hmac_key *hmac;                   /* ready to verify; NULL where only listed, and where sealed until it is tried */
};

struct sealed_keys;
struct keyring {
	uint64_t version;
	size_t count;                            /* keys whose secret is still there */
	struct key keys[RING_MAX];
	struct sealed_keys *sealed;              /* of keyring_get_sealed(); else NULL */
};

bool kid_valid(struct span kid);
void keyring_done(struct keyring *r);        /* wipes */

/* The ring for verifying (secrets opened) or for listing (want_secrets false). A site without keys has an empty ring.
 * RC_UNSEALED, RC_CORRUPT (also a key under 32 bytes: never an empty key), or the transaction's error. */
enum rc keyring_get(const struct store *st, struct txn *vault, struct span site, bool want_secrets, struct keyring *ret) MUST_CHECK;
/* The ring for verifying: checked as a whole, but each key is opened when keyring_verify() first tries it, and its text is not kept.
 * Outlives the transaction, not the store; one thread at a time. */
enum rc keyring_get_sealed(const struct store *st, struct txn *vault, struct span site, struct keyring *ret) MUST_CHECK;

/* By the clock now (seconds), and by what this process has already seen: once a key's retire_at was seen to pass, no
 * clock that steps back makes it verify again in this process. */
enum key_state key_state_at(const struct key *k, uint64_t now_s);

/* Which key made this signature over these bytes? kid empty: none named. If kid names a key of the ring only that one
 * counts; else all that verify are tried, without early exit. *ret_key borrowed from the ring.
 * REASON_NONE, RING_EMPTY, KEY_RETIRED (kid names a key here or in `tombstone`), SIGNATURE_MISMATCH;
 * OVERLOADED: a primitive failed, so nothing is known. VAULT_UNAVAILABLE: a key that counts does not open. */
enum reason keyring_verify(struct keyring *r, struct span kid, bool kid_is_tombstone, uint64_t now_s,
                           struct span signed_bytes, const uint8_t signature[SHA256_SIZE], const struct key **ret_key);
bool keyring_tombstone(struct txn *vault, struct span site, struct span kid, struct key *ret);   /* ret may be NULL */

/* ---- changes: inside a vault write transaction; *ret_reason says why RC_REFUSED ---- */

/* Makes a key. secret NULL: a new one in the postern_sk_ form; else an imported one, less one final newline
 * (SECRET_INVALID, KEY_KNOWN). RING_FULL. ret_key gets secret too: the only time it is seen. RC_INVALID: label too long. */
enum rc keyring_create(const struct store *st, struct txn *vault, const char *site, const char *label, const struct secret *secret,
                       uint64_t now_s, struct key *ret_key, enum reason *ret_reason) MUST_CHECK;
/* Sets retire_at (0 cancels: keep; not ahead of now: retires at once). KEY_UNKNOWN, KEY_GONE. */
enum rc keyring_schedule(const struct store *st, struct txn *vault, const char *site, const char *kid, uint64_t retire_at, uint64_t now_s,
                         enum reason *ret_reason) MUST_CHECK;
/* Deletes the secret now and keeps a tombstone. KEY_UNKNOWN, KEY_GONE. */
enum rc keyring_retire(const struct store *st, struct txn *vault, const char *site, const char *kid, uint64_t now_s, enum reason *ret_reason) MUST_CHECK;

/* Keys whose retire_at has passed: calls each (at most max). Their secrets are deleted by keyring_retire(). */
struct key_name { char site[SITE_ID_MAX]; char kid[KID_MAX]; };
size_t keyring_due(struct txn *vault, uint64_t now_s, struct key_name *ret, size_t max);

/* All of a removed site's keys and tombstones. */
void keyring_remove_site(const struct store *st, struct txn *vault, const char *site);

/* The secret text's own form: "postern_sk_..." with a CRC that fits. Used by import and by explain's hints. */
bool key_secret_text_ok(struct span text);

void key_done(struct key *k);        /* wipes */

/* ---- last use and counts: kept in memory, written with others' commits, never per request ---- */

struct key_use { uint64_t last_used_at; uint64_t uses_1m, uses_1h, uses_24h; };    /* seconds; 0: never. 1m: the last minute, by share of two */
struct use_counter;                                                       /* one per process; thread-safe */
struct use_counter *use_counter_new(void);
void    use_counter_free(struct use_counter *u);
void    use_counter_add(struct use_counter *u, const char *site, const char *kid, uint64_t now_s);
bool    use_counter_pending(struct use_counter *u);
/* A writer job in two halves: take() moves what is pending aside, run() writes it, done() forgets it or, if the commit
 * failed, puts it back. At most one at a time per counter. */
bool    use_counter_take(struct use_counter *u);
enum rc use_counter_run(struct txn *ledger, void *use_counter);
void    use_counter_done(void *use_counter, enum rc outcome);
void    key_use_get(struct txn *ledger, const char *site, const char *kid, uint64_t now_s, struct key_use *ret);

#endif
