/* copy.c -- both environments copied while they are in use, by LMDB itself. */
#include "store/store-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc failed(const char *path, struct why *why)
{
	int e = errno;

	why_set(why, "%s: %s", path, strerror(e));
	return e == ENOSPC || e == EDQUOT ? RC_NOSPACE : e == EEXIST || e == ENOTEMPTY ? RC_EXISTS : RC_IO;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool empty = d;

	if (!d)
		return false;
	while (empty && (e = readdir(d)))      /* cppcheck-suppress readdirCalled -- readdir_r is no longer to be used */
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty;
}

static enum rc make_dir(const char *dir, bool *ret_made, struct why *why)
{
	*ret_made = mkdir(dir, 0700) == 0;
	if (*ret_made)
		return RC_OK;
	if (errno == ENOENT) {
		why_set(why, "%s: %s: make the directory that it is to be in", dir, strerror(ENOENT));
		return RC_IO;
	}
	if (errno != EEXIST)
		return failed(dir, why);
	if (is_empty(dir))
		return RC_OK;
	why_set(why, "%s is there already: name a directory that is not, or is empty", dir);
	return RC_EXISTS;
}

enum rc dir_sync(const char *dir, struct why *why)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum rc rc = fd >= 0 && fsync(fd) == 0 ? RC_OK : failed(dir, why);

	if (fd >= 0)
		close(fd);
	return rc;
}

/* Of a directory that was made, its name too. */
static enum rc sync_parent(const char *dir, struct why *why)
{
	char *copy = strdup(dir);
	enum rc rc = copy ? dir_sync(dirname(copy), why) : RC_NOMEM;

	free(copy);
	return rc;
}

/* The transaction keeps the map where it is while LMDB reads from it by one of its own. */
static enum rc copy_to(struct store *st, enum env env, int fd, bool compact, const char *path, struct why *why)
{
	struct txn *t = txn_read(st, env);
	enum rc rc = txn_rc(t);
	int e;

	if (rc == RC_OK && (e = mdb_env_copyfd2(st->envs[env].mdb, fd, compact ? MDB_CP_COMPACT : 0)) != 0) {
		why_set(why, "%s: the %s cannot be copied: %s", path, env_name(env), mdb_strerror(e));
		rc = store_rc(e);
	}
	txn_abort(t);
	return rc == RC_OK && fsync(fd) != 0 ? failed(path, why) : rc;
}

static enum rc copy_env(struct store *st, enum env env, const char *dir, bool compact, struct why *why)
{
	char *env_dir = NULL, *path = NULL;
	enum rc rc = RC_NOMEM;
	int fd = -1;

	if (asprintf(&env_dir, "%s/%s", dir, env_name(env)) < 0)
		return RC_NOMEM;
	if (asprintf(&path, "%s/data.mdb", env_dir) < 0)
		goto out;
	if (mkdir(env_dir, 0700) != 0 ||
	    (fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		rc = failed(path, why);
	else if ((rc = copy_to(st, env, fd, compact, path, why)) == RC_OK)
		rc = dir_sync(env_dir, why);
	if (fd >= 0 && close(fd) != 0 && rc == RC_OK)
		rc = failed(path, why);
out:
	free(path);
	free(env_dir);
	return rc;
}

/* What store_copy() puts there, and nothing else. */
static void remove_files(const char *dir)
{
	static const char *const names[] = { "vault/data.mdb", "vault", "ledger/data.mdb", "ledger" };
	char *path;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (asprintf(&path, "%s/%s", dir, names[i]) < 0)
			return;
		(void)remove(path);
		free(path);
	}
}

void store_copy_remove(const char *dir)
{
	remove_files(dir);
	(void)rmdir(dir);
}

enum rc store_copy(struct store *st, const char *dir, bool compact, struct why *why)
{
	bool made;
	enum rc rc = make_dir(dir, &made, why);

	if (rc != RC_OK)
		return rc;
	for (enum env env = 0; env < ENV_COUNT && rc == RC_OK; env++)
		rc = copy_env(st, env, dir, compact, why);
	if (rc == RC_OK && (rc = dir_sync(dir, why)) == RC_OK && made)
		rc = sync_parent(dir, why);
	if (rc != RC_OK) {
		remove_files(dir);
		if (made)
			(void)rmdir(dir);
	}
	return rc;
}
