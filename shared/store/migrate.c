/* migrate.c -- an environment of an older schema brought up, all in one transaction: a crash leaves the old one or
 * the new one. */
#include "store/store-private.h"

static enum rc run_steps(struct txn *t, const struct migrations *m, uint64_t *schema, struct why *why)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < m->count && rc == RC_OK; i++) {
		const struct migration *step = &m->step[i];

		if (step->env != t->env || step->from != *schema)
			continue;
		if ((rc = step->run(t, m->arg, why)) == RC_OK)
			++*schema;
	}
	if (rc == RC_OK && *schema != store_schema(t->env)) {
		why_set(why, "the %s in %s has schema %llu, which this program cannot bring up to %u", env_name(t->env),
		        t->st->paths.dir, (unsigned long long)*schema, store_schema(t->env));
		rc = RC_OLDER;
	}
	return rc;
}

static enum rc migrate(struct txn *t, uint64_t from, const struct migrations *m, struct why *why)
{
	uint64_t schema = from;
	enum rc rc;

	if (!txn_check(t, db_open_all(t->mdb, t->env, true, t->st->dbi)))
		return txn_rc(t);
	if ((rc = run_steps(t, m, &schema, why)) != RC_OK)
		return rc;
	meta_put_schema(t, schema);
	return m->end ? m->end(t, t->env, (uint32_t)from, m->arg, why) : RC_OK;
}

enum rc store_migrate(struct store *st, enum env env, const struct migrations *m, uint32_t *ret_from, struct why *why)
{
	struct txn *t = txn_write(st, env);
	uint64_t from = 0;
	enum rc rc;

	if (txn_rc(t) == RC_OK && !meta_get_schema(t, &from))
		txn_fail(t, RC_CORRUPT);
	if (txn_rc(t) == RC_OK && from != store_schema(env))
		txn_fail(t, migrate(t, from, m, why));
	*ret_from = (uint32_t)from;
	rc = txn_end(t);
	if (rc != RC_OK)
		why_set(why, "the %s in %s stays as it was: %s", env_name(env), st->paths.dir, rc_text(rc));
	return rc;
}
