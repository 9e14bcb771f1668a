/* seal.c -- sealing rows under the master key. */
#include "store/store-private.h"

enum rc store_seal(const struct store *st, struct span place, struct span plain, struct buf *out)
{
	return aead_seal(st->master, place, plain, out);
}

enum rc store_unseal(const struct store *st, struct span place, struct span sealed, struct secret **ret)
{
	return aead_open(st->master, place, sealed, ret);
}
