/* open.c -- opening a store: every check that stands between a data directory and its use. */
#include "store/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the one who asked may do about it, errno being e. */
static const char *place_advice(int e)
{
	return e == ENOENT || e == ENOTDIR ? ": run postern init" :
	       e == EACCES ? ": run it with sudo, or as a user whom the data directory lets in" : "";
}

/* LMDB would make a missing file, with whatever owner and mode this process has: only init makes them. And it would follow a
 * link, which who can write into the ledger's directory can put there, and begin a new lock file in what it leads to. */
static enum rc check_files(const char *env_dir, bool lock, struct why *why)
{
	static const char *const names[] = { "data.mdb", "lock.mdb" };
	enum rc rc = RC_OK;

	for (size_t i = 0; i < (lock ? ARRAY_LEN(names) : 1) && rc == RC_OK; i++) {
		char *path;
		struct stat s;

		if (asprintf(&path, "%s/%s", env_dir, names[i]) < 0)
			return RC_NOMEM;
		if (lstat(path, &s) != 0) {
			rc = errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
			why_set(why, "%s: %s%s", path, strerror(errno), place_advice(errno));
		} else if (!S_ISREG(s.st_mode)) {
			rc = RC_IO;
			why_set(why, "%s is a link or no plain file, and nothing is opened through it: stop every worker and find "
			        "out who put it there", path);
		}
		free(path);
	}
	return rc;
}

static enum rc check_place(const struct store_paths *p, bool locks, struct why *why)
{
	struct stat s;
	enum rc rc;

	if (stat(p->dir, &s) != 0) {
		rc = errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
		why_set(why, "data directory %s: %s%s", p->dir, strerror(errno), place_advice(errno));
		return rc;
	}
	if ((rc = check_files(p->vault, locks, why)) != RC_OK ||
	    (rc = check_files(p->ledger, locks, why)) != RC_OK ||
	    (rc = remote_fs_check(p->vault, why)) != RC_OK)
		return rc;
	return remote_fs_check(p->ledger, why);
}

/* What no worker may read or write, or it could sign checkpoints, or hide a vault that was rolled back. */
static enum rc check_admin_files(const struct store_paths *p, bool state, struct why *why)
{
	const struct { const char *path; mode_t forbidden; } files[] = {
		{ p->admin_key, 077 },
		{ p->admin_state, 022 },
	};
	enum rc rc = RC_OK;

	for (size_t i = 0; i < (state ? ARRAY_LEN(files) : 1) && rc == RC_OK; i++) {
		int fd = open(files[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
			why_set(why, "%s is missing: postern init makes it anew", files[i].path);
			return RC_NOT_FOUND;
		}
		if (fd < 0) {
			why_set(why, "%s: %s: only the owner of the data directory may make changes", files[i].path, strerror(errno));
			return RC_READ_ONLY;
		}
		rc = check_private(fd, files[i].path, files[i].forbidden, why);
		close(fd);
	}
	return rc;
}

static enum rc open_envs(struct store *st, const struct store_options *o, bool alone, struct why *why)
{
	uint64_t vault_map = o->vault_map ? o->vault_map : VAULT_MAP_SIZE;
	uint64_t ledger_map = o->ledger_map ? o->ledger_map : LEDGER_MAP_SIZE;
	enum rc rc;

	for (size_t env = 0; env < ENV_COUNT; env++)
		st->envs[env].no_lock = alone;
	rc = env_open(&st->envs[ENV_VAULT], st->paths.vault, vault_map, o->mode != STORE_ADMIN, why);

	if (rc != RC_OK)
		return rc;
	return env_open(&st->envs[ENV_LEDGER], st->paths.ledger, ledger_map, o->mode == STORE_READ, why);
}

static enum rc check_schema(struct store *st, enum env env, struct why *why)
{
	struct txn *t = txn_read(st, env);
	enum rc rc = txn_rc(t);

	if (rc == RC_OK)
		rc = meta_check_schema(t, st->older, why);
	txn_abort(t);
	return rc;
}

/* The handles of named databases last once the transaction that opened them has committed: so also where one is
 * missing, for another version's schema may lack it, and that is the better sentence. */
static enum rc open_dbs(struct store *st, enum env env, struct why *why)
{
	MDB_txn *txn = NULL;
	int missing, e = env_begin(&st->envs[env], false, &txn);
	enum rc rc;

	if (e != 0)
		return store_rc(e);
	missing = db_open_all(txn, env, false, st->dbi);
	e = mdb_txn_commit(txn);
	env_leave(&st->envs[env]);
	if (e == 0 && st->dbi[db_meta(env)] != 0 && (rc = check_schema(st, env, why)) != RC_OK)
		return rc;
	if (e == 0 && !(st->older && missing == MDB_NOTFOUND && st->dbi[db_meta(env)] != 0))
		e = missing;
	if (e == MDB_NOTFOUND)
		why_set(why, "the %s in %s was not finished: run postern init", env_name(env), st->paths.dir);
	else if (e != 0)
		why_set(why, "the %s in %s: %s", env_name(env), st->paths.dir, mdb_strerror(e));
	return store_rc(e);
}

/* The order is admin-state.c's: known was read before t began. */
static enum rc compare(struct store *st, struct txn *t, const struct vault_state *known, struct vault_state *ret_now,
                       struct why *why)
{
	enum rc rc = meta_read_state(t, ret_now);

	if (rc != RC_OK || (rc = admin_state_check(known, ret_now)) == RC_OK)
		return rc;
	why_set(why, "vault rolled back: %s is at change %llu, admin.state knows of %llu: restore the newest vault; "
	        "to accept this one, check its keys, remove admin.state and run postern init", st->paths.vault,
	        (unsigned long long)ret_now->counter, (unsigned long long)known->counter);
	return rc;
}

static enum rc check_rollback(struct store *st, struct txn *t, const struct vault_state *known, struct why *why)
{
	struct vault_state now = { 0 };
	enum rc rc = compare(st, t, known, &now, why);

	if (rc != RC_OK)
		return rc;
	if (now.counter == known->counter || st->mode == STORE_READ)
		return RC_OK;
	rc = admin_state_raise(&st->paths, &now);
	if (rc == RC_NOSPACE)
		return RC_OK;      /* else nobody could open it to make room; the vault is ahead of the file, not behind */
	if (rc != RC_OK)
		why_set(why, "cannot write %s: %s", st->paths.admin_state, rc_text(rc));
	return rc;
}

/* Who only reads may be somebody who cannot read admin.state. */
static bool knows_state(const struct store *st)
{
	return st->mode == STORE_ADMIN || (st->mode == STORE_READ && access(st->paths.admin_state, R_OK) == 0);
}

enum rc store_check_rollback(struct store *st, struct why *why)
{
	struct vault_state known, now = { 0 };
	struct txn *t;
	enum rc rc;

	if (!knows_state(st))
		return RC_OK;
	if ((rc = admin_state_read(&st->paths, &known, why)) != RC_OK)
		return rc;
	t = txn_read(st, ENV_VAULT);
	if ((rc = txn_rc(t)) == RC_OK)
		rc = compare(st, t, &known, &now, why);
	txn_abort(t);
	return rc;
}

static enum rc make_state(struct store *st, struct txn *t, struct why *why)
{
	struct vault_state now = { 0 };
	enum rc rc = meta_read_state(t, &now);

	if (rc == RC_OK)
		rc = admin_state_raise(&st->paths, &now);
	if (rc != RC_OK)
		why_set(why, "cannot write %s: %s", st->paths.admin_state, rc_text(rc));
	return rc;
}

static enum rc check_vault(struct store *st, bool adopt, struct why *why)
{
	struct vault_state known = { 0 };
	struct txn *t = NULL;
	bool check = !adopt && knows_state(st);
	enum rc rc;

	if (check && (rc = admin_state_read(&st->paths, &known, why)) != RC_OK)
		return rc;
	t = txn_read(st, ENV_VAULT);
	if ((rc = txn_rc(t)) == RC_OK &&
	    (rc = keys_load(st, t, why)) == RC_OK &&
	    check)
		rc = check_rollback(st, t, &known, why);
	if (rc == RC_OK && adopt)
		rc = make_state(st, t, why);
	txn_abort(t);
	return rc;
}

static bool is_there(const char *dir, const char *name)
{
	bool there = true;      /* as far as can be told */
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return there;
	there = access(path, F_OK) == 0;
	free(path);
	return there;
}

/* A backup: nobody ever wrote in it. Data that lost only its lock files is none. */
static bool is_copy(const struct store_paths *p)
{
	return !is_there(p->vault, "lock.mdb") && !is_there(p->ledger, "lock.mdb") && access(p->admin_key, F_OK) != 0;
}

/* The admin key is that of the data which the copy is to become. */
static enum rc take_admin_key(struct store_paths *p, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		return RC_NOMEM;
	free(p->admin_key);
	p->admin_key = copy;
	return RC_OK;
}

static enum rc open_checked(struct store *st, const struct store_options *o, struct why *why)
{
	bool alone = o->alone && (st->mode == STORE_READ || o->older);
	enum rc rc;

	st->older = o->older;
	st->copy = st->mode == STORE_READ && is_copy(&st->paths);
	alone |= st->copy;

	if (o->adopt && (rc = take_admin_key(&st->paths, o->adopt)) != RC_OK)
		return rc;
	if ((rc = check_place(&st->paths, !alone && !o->adopt, why)) != RC_OK ||
	    (rc = registry_add(st->paths.dir, &st->registered, why)) != RC_OK ||
	    (rc = master_read(st->paths.master_key, &st->master, why)) != RC_OK)
		return rc;
	if (st->mode == STORE_ADMIN && (rc = check_admin_files(&st->paths, !o->adopt, why)) != RC_OK)
		return rc;
	/* once they are open nobody begins to replace them */
	if ((rc = open_envs(st, o, alone, why)) != RC_OK ||
	    (rc = swap_check(&st->paths, why)) != RC_OK ||
	    (rc = open_dbs(st, ENV_VAULT, why)) != RC_OK ||
	    (rc = open_dbs(st, ENV_LEDGER, why)) != RC_OK)
		return rc;
	return check_vault(st, o->adopt, why);
}

enum rc store_open(const struct store_options *o, struct store **ret, struct why *why)
{
	struct store *st = calloc(1, sizeof(*st));
	enum rc rc;

	if (!st)
		return RC_NOMEM;
	st->mode = o->mode;
	if ((rc = store_paths_init(&st->paths, o->dir, o->master_key)) == RC_OK)
		rc = open_checked(st, o, why);
	if (rc == RC_OK)
		*ret = st;
	else
		store_close(st);
	return rc;
}

void store_close(struct store *st)
{
	if (!st)
		return;
	keys_done(st);
	for (size_t env = 0; env < ENV_COUNT; env++)
		env_close(&st->envs[env]);
	registry_remove(st->registered);
	store_paths_done(&st->paths);
	free(st);
}

const char *store_dir(const struct store *st)
{
	return st->paths.dir;
}

const char *store_master_key(const struct store *st)
{
	return st->paths.master_key;
}
