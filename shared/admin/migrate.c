/* migrate.c -- data of an older schema brought up to this program's: the table of what is done at each step, and how
 * it is recorded. */
#include "admin/log-private.h"

/* ---- the steps ---- */

static enum rc has_checkpoint(struct admin *a, bool *ret)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);

	*ret = txn_count(vault, DB_CHECKPOINTS) > 0;
	return txn_end(vault);
}

/* Ledgers of schema 1 are of before the tree, or have it already, made by a program that did not count it as another
 * schema. A checkpoint says that there was one: it is not made anew over records which somebody may have altered. */
static enum rc add_tree(struct txn *ledger, void *arg, struct why *why)
{
	struct admin *a = arg;
	uint64_t size = 0;
	bool has = false;
	enum rc rc;

	if (txn_count(ledger, DB_TREE) > 0 || txn_count(ledger, DB_RECORDS) == 0)
		return txn_rc(ledger);
	if ((rc = has_checkpoint(a, &has)) != RC_OK)
		return rc;
	if (has) {
		why_set(why, "the log's tree is missing, although the vault has checkpoints of it: restore the ledger "
		             "from a backup");
		return RC_CORRUPT;
	}
	if ((rc = audit_tree_build(ledger, &size)) == RC_CORRUPT)
		why_set(why, "the log's rows are no records from %llu on: restore the ledger from a backup",
		        (unsigned long long)size);
	return rc;
}

/* The tables are there: whoever migrates made what was missing. */
static enum rc add_tables(struct txn *ledger, void *arg, struct why *why)
{
	(void)arg;
	(void)why;
	return txn_rc(ledger);
}

static const struct migration steps[] = {
	{ ENV_LEDGER, 1, "the audit log has a Merkle tree over its records", add_tree },
	{ ENV_LEDGER, 2, "the ledger keeps the answers of Idempotency-Keys, and calls to other systems that are under way", add_tables },
};
_Static_assert(ARRAY_LEN(steps) <= MIGRATIONS_MAX, "struct migrated has room for all");

/* ---- the record ---- */

/* In the ledger's own transaction: a ledger that was brought up says so. */
static enum rc record(struct txn *t, enum env env, uint32_t from, void *arg, struct why *why)
{
	json_t *members = env == ENV_LEDGER ? json_pack("{sssIsI}", "environment", "ledger", "from", (json_int_t)from,
	                                                "to", (json_int_t)LEDGER_SCHEMA)
	                                    : NULL;
	struct audit_record r;
	enum rc rc;

	(void)why;
	if (env != ENV_LEDGER)
		return RC_OK;
	rc = members ? record_make(arg, &r, AUDIT_EVENT_CONFIG, NULL, "migrate", members) : RC_NOMEM;
	json_decref(members);
	if (rc != RC_OK)
		return rc;
	rc = audit_append(t, &r, NULL);
	record_done(&r);
	return rc;
}

/* ---- the whole ---- */

enum rc migrate_open(struct admin *a, struct migrated *ret, struct why *why)
{
	struct migrations m = { .step = steps, .count = ARRAY_LEN(steps), .end = record, .arg = a };
	enum rc rc = RC_OK;

	*ret = (struct migrated){ 0 };
	for (enum env env = 0; env < ENV_COUNT && rc == RC_OK; env++) {
		uint32_t from = 0;

		rc = store_migrate(a->store, env, &m, &from, why);
		for (size_t i = 0; i < m.count && rc == RC_OK; i++)
			if (steps[i].env == env && steps[i].from >= from)
				ret->step[ret->count++] = &steps[i];
	}
	return rc;
}

/* Who has it open need not end where there is nothing to do. */
static enum rc is_older(const char *dir, bool *ret, struct why *why)
{
	struct store_options o = { .dir = dir, .mode = STORE_READ };
	struct store *st = NULL;
	enum rc rc = store_open(&o, &st, why);

	store_close(st);
	*ret = rc == RC_OLDER;
	return rc == RC_OLDER ? RC_OK : rc;
}

/* From now on the records that had no tree are vouched for. */
static enum rc sign(struct admin *a, struct why *why)
{
	struct verification found;
	struct buf note = BUF_INIT;
	struct why no = { { 0 } };
	bool is_new;
	enum rc rc = admin_checkpoint(a, &note, &is_new, &found, &no);

	buf_done(&note);
	if (rc != RC_OK)
		why_set(why, "the data was brought up, but no checkpoint could be signed: %s",
		        rc == RC_REFUSED ? found.text : no.text);
	return rc;
}

static enum rc migrate_alone(const char *dir, const char actor[ACTOR_MAX], struct migrated *ret, struct why *why)
{
	struct store_options o = { .dir = dir, .mode = STORE_ADMIN, .alone = true, .older = true };
	struct admin *a = NULL;
	enum rc rc = admin_open_store(&o, actor, &a, why);

	if (rc == RC_OK && (rc = migrate_open(a, ret, why)) == RC_OK)
		rc = sign(a, why);
	(void)admin_close(a);
	return rc;
}

enum rc admin_migrate(const char *dir, struct migrated *ret, struct why *why)
{
	struct swap *swap = NULL;
	struct why older = { { 0 } };
	char actor[ACTOR_MAX];
	bool is_old = false;
	enum rc rc;

	*ret = (struct migrated){ 0 };
	actor_read(actor);
	dir = admin_data_dir(dir);
	if ((rc = privileges_take(dir, why)) != RC_OK)
		return rc;
	if ((rc = is_older(dir, &is_old, &older)) != RC_OK || !is_old) {
		if (rc != RC_OK)
			why_set(why, "%s", older.text);
		return rc;
	}
	if ((rc = store_swap_begin(dir, &swap, why)) == RC_OK)
		rc = migrate_alone(dir, actor, ret, why);
	store_swap_end(swap);
	return rc;
}
