/* seal.c -- sealing rows: under the master key, which is open all the time, or under the admin key, for a moment. */
#include "store/store-private.h"

enum rc store_seal(const struct store *st, struct span place, struct span plain, struct buf *out)
{
	return aead_seal(st->master, place, plain, out);
}

enum rc store_unseal(const struct store *st, struct span place, struct span sealed, struct secret **ret)
{
	return aead_open(st->master, place, sealed, ret);
}

enum rc store_admin_seal(const struct store *st, struct span place, struct span plain, struct buf *out, struct why *why)
{
	struct secret *key = NULL;
	enum rc rc = admin_key_read(st->paths.admin_key, &key, why);

	if (rc == RC_OK)
		rc = aead_seal(key, place, plain, out);
	secret_free(key);
	return rc;
}

enum rc store_admin_unseal(const struct store *st, struct span place, struct span sealed, struct secret **ret,
                           struct why *why)
{
	struct secret *key = NULL;
	enum rc rc = admin_key_read(st->paths.admin_key, &key, why);

	if (rc == RC_OK)
		rc = aead_open(key, place, sealed, ret);
	if (rc == RC_UNSEALED)
		why_set(why, "the admin key in %s does not fit what the vault sealed with it", st->paths.admin_key);
	secret_free(key);
	return rc;
}
