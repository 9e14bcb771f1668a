/* compact.c -- both environments written anew without their free pages: until then what was deleted still lies in
 * them. */
#include "admin/admin-private.h"

/* Nothing replaces the data that does not hold as much. */
static enum rc compare(struct store *was, struct store *is, struct why *why)
{
	static const enum env env_of[DB_COUNT] = {
#define X(id, env, name) [DB_##id] = ENV_##env,
		DB_LIST(X)
#undef X
	};
	enum rc rc = RC_OK;

	for (enum db db = 0; db < DB_COUNT && rc == RC_OK; db++) {
		struct txn *before = txn_read(was, env_of[db]), *after = txn_read(is, env_of[db]);
		bool same = txn_count(before, db) == txn_count(after, db);
		enum rc ended = txn_end(after);

		if ((rc = txn_end(before)) == RC_OK && (rc = ended) == RC_OK && !same) {
			why_set(why, "the copy does not hold what the data holds: nothing was changed");
			rc = RC_CORRUPT;
		}
	}
	return rc;
}

static enum rc copy(const char *dir, const char *to, struct why *why)
{
	struct store_options o = { .dir = dir, .mode = STORE_READ, .alone = true };
	struct store *data = NULL, *copied = NULL;
	enum rc rc;

	if ((rc = store_open(&o, &data, why)) != RC_OK || (rc = store_copy(data, to, true, why)) != RC_OK)
		goto out;
	o.master_key = store_master_key(data);
	o.dir = to;
	if ((rc = store_open(&o, &copied, why)) == RC_OK)
		rc = compare(data, copied, why);
out:
	store_close(copied);
	store_close(data);
	return rc;
}

enum rc admin_compact(const char *dir, struct why *why)
{
	struct swap *swap = NULL;
	enum rc rc;

	dir = admin_data_dir(dir);
	if ((rc = privileges_take(dir, why)) != RC_OK || (rc = store_swap_begin(dir, &swap, why)) != RC_OK)
		return rc;
	if ((rc = copy(dir, store_swap_dir(swap), why)) == RC_OK)
		rc = store_swap_commit(swap, why);
	store_swap_end(swap);
	return rc;
}
