/* init.c -- making a data directory, and mending one: every file with its mode and owner, nothing else changed.
 *
 * It may run as root over files that a taken-over worker could write. So nothing below the directory is followed
 * through a link, and owners and modes come first: the ledger's folder, which was its group's to write once, is closed
 * before LMDB opens by name what is in it. admin.state is written last: where it is there, the environments were
 * finished and are not opened again. */
#include "store/store-private.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_SIZE 32
#define ROOM_TO_FILL ((uint64_t)1 << 26)     /* bytes of map; who opens it later brings the real size */

struct init {
	struct store_paths paths;
	int dir;                     /* the data directory, O_PATH */
	struct init_owner owner;
	bool own_master_key;         /* the master key is the directory's own, not one kept elsewhere */
	bool finished;               /* admin.state was there */
	bool created;
	struct why *why;
};

static enum rc failed(struct init *in, const char *path)
{
	int e = errno;

	why_set(in->why, "%s: %s", path, strerror(e));
	return e == ENOSPC || e == EDQUOT ? RC_NOSPACE : RC_IO;
}

static enum rc make_dir(struct init *in, const char *path)
{
	if (mkdir(path, 0700) == 0) {
		in->created = true;
		/* A umask may have locked us out of it. */
		return chmod(path, 0700) == 0 ? RC_OK : failed(in, path);
	}
	return errno == EEXIST ? RC_OK : failed(in, path);
}

/* Empty where LMDB has nothing yet: it fills both when it opens them. */
static enum rc make_file(struct init *in, const char *dir, const char *name)
{
	enum rc rc;
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return RC_NOMEM;
	rc = file_create(path, span_of(NULL, 0), 0600);
	if (rc == RC_OK)
		in->created = true;
	else if (rc != RC_EXISTS)
		why_set(in->why, "%s: %s", path, rc_text(rc));
	free(path);
	return rc == RC_EXISTS ? RC_OK : rc;
}

static enum rc make_key(struct init *in, const char *path, mode_t mode)
{
	struct secret *key;
	enum rc rc;

	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return RC_OK;
	key = secret_new(KEY_SIZE);
	rc = key ? crypto_random(key->data, key->size) : RC_NOMEM;
	if (rc == RC_OK)
		rc = file_create(path, secret_span(key), mode);
	if (rc == RC_OK)
		in->created = true;
	else
		why_set(in->why, "%s: %s", path, rc_text(rc));
	secret_free(key);
	return rc;
}

/* 0: LMDB has nothing there yet. */
static uint64_t data_size(const char *dir)
{
	uint64_t size = 0;
	struct stat s;
	char *path;

	if (asprintf(&path, "%s/data.mdb", dir) < 0)
		return 1;      /* as good as there: nothing is made in its place */
	if (stat(path, &s) == 0)
		size = (uint64_t)s.st_size;
	free(path);
	return size;
}

/* A new master key opens nothing of a vault that is there already. */
static enum rc make_keys(struct init *in)
{
	enum rc rc;

	if (access(in->paths.master_key, F_OK) != 0 && (!in->own_master_key || data_size(in->paths.vault) > 0)) {
		why_set(in->why, "the master key %s is missing: put it back; a new one would not open the vault",
		        in->paths.master_key);
		return RC_REFUSED;
	}
	if (in->own_master_key && (rc = make_key(in, in->paths.master_key, 0640)) != RC_OK)
		return rc;
	return make_key(in, in->paths.admin_key, 0600);
}

static enum rc make_files(struct init *in)
{
	enum rc rc;

	if (in->finished && data_size(in->paths.vault) == 0) {
		why_set(in->why, "%s has no data although admin.state is there: restore it, or remove admin.state to begin with "
		        "an empty one", in->paths.vault);
		return RC_REFUSED;
	}
	if ((rc = make_file(in, in->paths.vault, "data.mdb")) != RC_OK ||
	    (rc = make_file(in, in->paths.vault, "lock.mdb")) != RC_OK ||
	    (rc = make_file(in, in->paths.ledger, "data.mdb")) != RC_OK)
		return rc;
	return make_file(in, in->paths.ledger, "lock.mdb");
}

/* Makes what is missing of one environment, tables and rows, in one transaction. */
static enum rc fill_env(struct init *in, struct store *st, enum env env, const struct secret *master,
                        struct vault_state *state)
{
	const char *path = env == ENV_VAULT ? in->paths.vault : in->paths.ledger;
	struct txn t;
	enum rc rc;

	if ((rc = env_open(&st->envs[env], path, data_size(path) + ROOM_TO_FILL, false, in->why)) != RC_OK)
		return rc;
	txn_init(&t, st, env, true);
	txn_start(&t);
	if (t.rc == RC_OK && txn_check(&t, db_open_all(t.mdb, env, true, st->dbi))) {
		t.dirty = true;
		meta_complete(&t, master);
		if (env == ENV_VAULT)
			meta_read_state(&t, state);
	}
	rc = txn_commit(&t);
	if (rc != RC_OK)
		why_set(in->why, "%s: %s", path, t.mdb_rc ? mdb_strerror(t.mdb_rc) : rc_text(rc));
	return rc;
}

static enum rc fill(struct init *in)
{
	struct store st = { .paths = in->paths };
	struct vault_state state = { 0 };
	struct secret *master = NULL;
	enum rc rc = registry_add(in->paths.dir, &st.registered, in->why);

	if (rc == RC_OK && !in->finished)
		rc = master_read(in->paths.master_key, &master, in->why);
	if (rc == RC_OK && !in->finished)
		rc = fill_env(in, &st, ENV_VAULT, master, &state);
	if (rc == RC_OK)
		rc = fill_env(in, &st, ENV_LEDGER, NULL, NULL);
	for (size_t env = 0; env < ENV_COUNT; env++)
		env_close(&st.envs[env]);
	registry_remove(st.registered);
	secret_free(master);
	if (rc != RC_OK || in->finished)
		return rc;
	rc = admin_state_raise(&in->paths, &state);
	if (rc == RC_OK)
		in->created = true;
	else
		why_set(in->why, "%s: %s", in->paths.admin_state, rc_text(rc));
	return rc;
}

static enum rc make_all(struct init *in)
{
	bool ledger_there = data_size(in->paths.ledger) > 0;
	enum rc rc;

	in->finished = faccessat(AT_FDCWD, in->paths.admin_state, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if ((rc = make_dir(in, in->paths.vault)) != RC_OK ||
	    (rc = make_dir(in, in->paths.ledger)) != RC_OK ||
	    (rc = init_mend(in->dir, in->paths.dir, &in->owner, in->why)) != RC_OK ||
	    (rc = make_keys(in)) != RC_OK ||
	    (rc = make_files(in)) != RC_OK)
		return rc;
	if (!in->finished || !ledger_there)
		rc = fill(in);
	return rc;
}

/* The parent's file system where the directory is still to be made. */
static enum rc check_remote(const char *dir, struct why *why)
{
	char *copy;
	enum rc rc;

	if (access(dir, F_OK) == 0)
		return remote_fs_check(dir, why);
	copy = strdup(dir);
	if (!copy)
		return RC_NOMEM;
	rc = remote_fs_check(dirname(copy), why);
	free(copy);
	return rc;
}

/* Not one that a service manager or the admin keeps elsewhere. */
static bool is_own_master_key(const struct store_paths *p)
{
	size_t size = strlen(p->admin_key) - strlen("admin.key");

	return strncmp(p->master_key, p->admin_key, size) == 0 && strcmp(p->master_key + size, "master.key") == 0;
}

static enum rc open_dir(struct init *in)
{
	bool was_there = access(in->paths.dir, F_OK) == 0, ours = false;
	enum rc rc;

	if (was_there && (rc = init_look(in->paths.dir, &ours, in->why)) != RC_OK)
		return rc;
	if ((rc = make_dir(in, in->paths.dir)) != RC_OK)
		return rc;
	in->dir = open(in->paths.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (in->dir < 0)
		return failed(in, in->paths.dir);
	return init_keep_owner(in->dir, ours, &in->owner);
}

enum rc store_init(const char *dir, const char *group, bool *ret_created, struct why *why)
{
	struct init in = { .dir = -1, .why = why };
	enum rc rc = store_paths_init(&in.paths, dir, NULL);

	if (rc != RC_OK)
		return rc;
	in.own_master_key = is_own_master_key(&in.paths);
	if ((rc = swap_check(&in.paths, why)) != RC_OK ||
	    (rc = check_remote(in.paths.dir, why)) != RC_OK ||
	    (rc = init_find_owner(in.paths.dir, group, &in.owner, why)) != RC_OK ||
	    (rc = open_dir(&in)) != RC_OK)
		goto out;
	rc = make_all(&in);
	/* What was made since, also after a failure. The first sentence stands. */
	if (init_mend(in.dir, in.paths.dir, &in.owner, why) != RC_OK && rc == RC_OK)
		rc = RC_IO;
	if (rc == RC_OK && ret_created)
		*ret_created = in.created;
out:
	if (in.dir >= 0)
		close(in.dir);
	store_paths_done(&in.paths);
	return rc;
}
