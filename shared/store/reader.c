/* reader.c -- cached read transactions: a renew costs a tenth of a begin. */
#include "store/store-private.h"

#include <stdlib.h>

struct reader {
	struct txn txns[ENV_COUNT];
};

enum rc reader_new(struct store *st, struct reader **ret)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return RC_NOMEM;
	for (size_t env = 0; env < ENV_COUNT; env++) {
		txn_init(&r->txns[env], st, (enum env)env, false);
		r->txns[env].cached = true;
	}
	*ret = r;
	return RC_OK;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	for (size_t env = 0; env < ENV_COUNT; env++) {
		reader_end(r, (enum env)env);
		if (r->txns[env].mdb)
			mdb_txn_abort(r->txns[env].mdb);
	}
	free(r);
}

struct txn *reader_begin(struct reader *r, enum env env)
{
	struct txn *t = &r->txns[env];

	reader_end(r, env);
	t->rc = RC_OK;
	t->mdb_rc = 0;
	txn_start(t);
	return t;
}

void reader_end(struct reader *r, enum env env)
{
	txn_abort(&r->txns[env]);      /* of a cached one: lets the snapshot go, if there is one */
}
