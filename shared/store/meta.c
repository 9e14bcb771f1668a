/* meta.c -- the rows each environment keeps about itself: schema version, and in the vault where it stands. */
#include "store/store-private.h"

static const char row_schema[] = "schema";
static const char row_counter[] = "counter";
static const char row_rings[] = "rings";

static bool get_u64(struct txn *t, const char *name, uint64_t *ret)
{
	struct span row;

	if (!txn_get(t, db_meta(t->env), span_str(name), &row))
		return false;
	if (row.size != 8)
		txn_fail(t, RC_CORRUPT);
	else
		*ret = be64_get(row.data);
	return row.size == 8;
}

static void put_u64(struct txn *t, const char *name, uint64_t n)
{
	uint8_t row[8];

	be64_put(row, n);
	txn_put(t, db_meta(t->env), span_str(name), span_of(row, sizeof(row)));
}

uint32_t store_schema(enum env env)
{
	static const uint32_t schemas[ENV_COUNT] = { [ENV_VAULT] = VAULT_SCHEMA, [ENV_LEDGER] = LEDGER_SCHEMA };

	return schemas[env];
}

bool meta_get_schema(struct txn *t, uint64_t *ret)
{
	return get_u64(t, row_schema, ret);
}

void meta_put_schema(struct txn *t, uint64_t schema)
{
	put_u64(t, row_schema, schema);
}

static const char *older_advice(const struct store *st)
{
	return st->copy ? "postern restore brings it up" : "run postern migrate";
}

enum rc meta_check_schema(struct txn *t, bool older, struct why *why)
{
	const char *name = env_name(t->env);
	uint32_t known = store_schema(t->env);
	unsigned long long have;
	uint64_t schema;

	if (!meta_get_schema(t, &schema)) {
		if (txn_rc(t) != RC_OK)
			return txn_rc(t);
		why_set(why, "the %s in %s was not finished: run postern init", name, t->st->paths.dir);
		return RC_NOT_FOUND;
	}
	have = schema;
	if (have > known) {
		why_set(why, "the %s in %s has schema %llu, this program knows %u: use the newer Postern that wrote it",
		        name, t->st->paths.dir, have, known);
		return RC_NEWER;
	}
	if (have < known && !older) {
		why_set(why, "the %s in %s has schema %llu, this program wants %u: %s", name, t->st->paths.dir, have, known,
		        older_advice(t->st));
		return RC_OLDER;
	}
	return RC_OK;
}

enum rc meta_read_state(struct txn *vault, struct vault_state *ret)
{
	struct vault_state s = { 0 };
	struct span rings;
	enum rc rc;

	if (!get_u64(vault, row_counter, &s.counter) || !txn_get(vault, DB_VAULT_META, span_str(row_rings), &rings) ||
	    rings.size != sizeof(s.rings)) {
		txn_fail(vault, RC_CORRUPT);
		rc = txn_rc(vault);
		return rc == RC_OK ? RC_CORRUPT : rc;
	}
	memcpy(s.rings, rings.data, sizeof(s.rings));
	*ret = s;
	return RC_OK;
}

void meta_write_state(struct txn *vault, const struct vault_state *s)
{
	put_u64(vault, row_counter, s->counter);
	txn_put(vault, DB_VAULT_META, span_str(row_rings), span_of(s->rings, sizeof(s->rings)));
}

void meta_complete(struct txn *t, const struct secret *master)
{
	static const struct vault_state first = { .counter = 1 };
	struct span row;

	if (!txn_get(t, db_meta(t->env), span_str(row_schema), &row))
		meta_put_schema(t, store_schema(t->env));
	if (t->env != ENV_VAULT)
		return;
	if (!txn_get(t, DB_VAULT_META, span_str(row_counter), &row))
		meta_write_state(t, &first);
	keys_complete(t, master);
}
