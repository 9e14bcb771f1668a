/* admin.c -- opening the data as an admin, and closing it. */
#include "admin/log-private.h"

#include <stdlib.h>
#include <string.h>

#define STOP_MS 500                    /* everything was waited for before: only a thread without the lock is left */

const char *admin_data_dir(const char *dir)
{
	const char *named = dir ? dir : getenv("POSTERN_DATA");

	return named && *named ? named : STORE_DEFAULT_DIR;
}

enum rc admin_init(const char *dir, const char *group, bool *ret_created, struct why *why)
{
	return store_init(admin_data_dir(dir), group, ret_created, why);
}

static void admin_free(struct admin *a)
{
	store_close(a->store);
	pthread_cond_destroy(&a->ended);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

enum rc admin_open_store(const struct store_options *o, const char actor[ACTOR_MAX], struct admin **ret, struct why *why)
{
	struct admin *a = calloc(1, sizeof(*a));
	enum rc rc;

	if (!a)
		return RC_NOMEM;
	if ((rc = records_init(a)) != RC_OK) {
		free(a);
		return rc;
	}
	a->read_only = o->mode == STORE_READ;
	memcpy(a->actor, actor, sizeof(a->actor));
	if ((rc = store_open(o, &a->store, why)) == RC_OK)
		*ret = a;
	else
		admin_free(a);
	return rc;
}

enum rc admin_open(const struct admin_options *o, struct admin **ret, struct why *why)
{
	struct store_options so = { .dir = admin_data_dir(o->dir), .master_key = o->master_key,
	                            .mode = o->read_only ? STORE_READ : STORE_ADMIN,
	                            .vault_map = o->vault_map, .ledger_map = o->ledger_map };
	char actor[ACTOR_MAX];
	enum rc rc;

	actor_read(actor);
	if ((rc = privileges_take(so.dir, why)) != RC_OK || (rc = admin_open_store(&so, actor, ret, why)) != RC_OK)
		return rc;
	admin_sweep(*ret);
	log_name_ensure(*ret);
	return RC_OK;
}

bool admin_close(struct admin *a)
{
	if (!a)
		return true;
	/* a thread left behind may still touch the store and the records: they stay as they are */
	if (a->writer && !writer_stop(a->writer, STOP_MS))
		return false;
	records_free(a);
	admin_free(a);
	return true;
}

struct store *admin_store(struct admin *a)
{
	return a->store;
}

const char *admin_actor(const struct admin *a)
{
	return a->actor;
}

enum rc still_there(struct admin *a, enum env env, struct why *why)
{
	if (!store_replaced(a->store, env))
		return RC_OK;
	why_set(why, "the %s in %s was replaced or removed while this program had it open, so what it knows is old and it changes "
	        "nothing: start it again", env == ENV_VAULT ? "vault" : "ledger", store_dir(a->store));
	return RC_IO;
}

static enum rc version_of(struct admin *a, enum env env, const char *name, uint64_t *ret, struct why *why)
{
	struct txn *t = txn_read(a->store, env);
	uint64_t version = txn_version(t);
	enum rc rc = txn_end(t);

	if (rc == RC_OK && (rc = still_there(a, env, why)) != RC_OK)
		return rc;
	if (rc == RC_OK)
		*ret = version;
	else
		why_set(why, "the %s cannot be read: %s", name, rc_text(rc));
	return rc;
}

enum rc admin_versions(struct admin *a, struct admin_versions *ret, struct why *why)
{
	struct admin_versions v = { 0 };
	enum rc rc;

	if ((rc = version_of(a, ENV_VAULT, "vault", &v.vault, why)) != RC_OK ||
	    (rc = version_of(a, ENV_LEDGER, "ledger", &v.ledger, why)) != RC_OK)
		return rc;
	if (v.vault != a->checked && (rc = store_check_rollback(a->store, why)) != RC_OK)
		return rc;
	a->checked = v.vault;
	*ret = v;
	return RC_OK;
}
