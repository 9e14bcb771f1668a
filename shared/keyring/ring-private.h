/* ring-private.h -- a ring's row as the files of this module see it. Private to keyring/. */
#ifndef POSTERN_KEYRING_RING_PRIVATE_H
#define POSTERN_KEYRING_RING_PRIVATE_H

#include "keyring/keyring.h"

/* The public ring, and beside each key the hash by which its secret is known. */
struct ring {
	struct keyring keys;
	uint8_t known[RING_MAX][SHA256_SIZE];
	struct span sealed[RING_MAX];        /* as just loaded; borrowed from the row */
};

void    ring_done(struct ring *r);

/* Every load checks the ring's MAC. *ret is initialised in any case: ring_done(). */
enum rc ring_load(const struct store *st, struct txn *vault, struct span site, bool want_secrets,
                  struct ring *ret) MUST_CHECK;
/* Seals and writes the row under the next version, which r then has; every key must have its secret. */
enum rc ring_save(const struct store *st, struct txn *vault, const char *site, struct ring *r) MUST_CHECK;
/* Removes the row; the change counts as one of the rings. */
void    ring_delete(const struct store *st, struct txn *vault, const char *site);

/* Makes key i ready to verify, if it is still sealed. */
enum rc ring_open_key(struct keyring *r, size_t i) MUST_CHECK;

/* The key called kid, or RING_MAX. */
size_t  ring_find(const struct keyring *r, struct span kid);

/* site 0 kid, the key of TOMBSTONES, KEY_USE and KNOWN's rows; returns its size. */
#define SITE_KID_MAX (SITE_ID_MAX + KID_MAX)
size_t  site_kid(char out[SITE_KID_MAX], const char *site, const char *kid);
/* Its reading: false if it is not that. */
bool    site_kid_split(struct span key, struct key_name *ret);

/* A new secret in the postern_sk_ form. */
enum rc secret_text_make(struct secret **ret) MUST_CHECK;
/* May these bytes be an imported secret? */
bool    secret_acceptable(struct span bytes);
/* The hash a secret is known by, under the vault's key. */
enum rc secret_known(const struct store *st, struct span secret, uint8_t out[SHA256_SIZE]) MUST_CHECK;

/* The latest retire_at this process saw pass; 0: none. */
uint64_t retired_floor(void);

#endif
