/* swap.c -- putting other files in the place of both environments while nobody has them open.
 *
 * Whoever has an environment open holds a read lock on the first byte of its lock.mdb, and who opens one waits for that
 * lock (LMDB, mdb_env_excl_lock). So a write lock on it says that nobody has it open, and keeps everybody waiting. It is
 * one of the open file, not of the process: closing another descriptor of lock.mdb does not lose it.
 *
 * What waits has opened lock.mdb, and maybe data.mdb too, as they were before, and would take lock.mdb for one that
 * somebody has made ready. Therefore it is emptied at once: then LMDB cannot use it (EINVAL), and env.c tries again,
 * from the start.
 *
 * The files are made in DIR/swap.new. Renaming that to DIR/swap is the decision: from there on the work is only ever
 * finished, by whoever comes next, and until then nothing opens (swap_check). Each data.mdb is replaced by rename, so
 * there is one at any time; the old one is kept under another name until all is done. */
#include "store/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct swap {
	struct store_paths paths;
	char *made, *decided;          /* DIR/swap.new, DIR/swap */
	int lock[ENV_COUNT];
	bool locked;
};

static enum rc failed(const char *path, struct why *why)
{
	int e = errno;

	why_set(why, "%s: %s", path, strerror(e));
	return e == ENOSPC || e == EDQUOT ? RC_NOSPACE : RC_IO;
}

static char *in(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

enum rc swap_check(const struct store_paths *p, struct why *why)
{
	char *decided = in(p->dir, "swap");
	bool pending = decided && access(decided, F_OK) == 0;

	free(decided);
	if (!decided)
		return RC_NOMEM;
	if (!pending)
		return RC_OK;
	why_set(why, "replacing the vault and the ledger in %s was interrupted: run postern compact to finish it",
	        p->dir);
	return RC_BUSY;
}

/* ---- locks ---- */

/* A ledger's folder is its group's to write: what stands there under this name may be anything. */
static enum rc lock_open(const char *path, int *ret_fd, struct why *why)
{
	struct stat s;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT) {
		why_set(why, "%s: %s: run postern init", path, strerror(errno));
		return RC_NOT_FOUND;
	}
	if (fd < 0)
		return failed(path, why);
	if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_nlink != 1) {
		close(fd);
		why_set(why, "%s is a link or not a plain file", path);
		return RC_REFUSED;
	}
	*ret_fd = fd;
	return RC_OK;
}

static enum rc lock_env(const char *env_dir, int *ret_fd, struct why *why)
{
	struct flock first = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	char *path = in(env_dir, "lock.mdb");
	enum rc rc = path ? lock_open(path, ret_fd, why) : RC_NOMEM;

	if (rc == RC_OK && fcntl(*ret_fd, F_OFD_SETLK, &first) != 0) {
		if (errno == EAGAIN || errno == EACCES) {
			why_set(why, "%s is in use: stop every worker and every other program that has it open",
			        env_dir);
			rc = RC_BUSY;
		} else {
			rc = failed(path, why);
		}
	}
	if (rc == RC_OK && ftruncate(*ret_fd, 0) != 0)
		rc = failed(path, why);
	free(path);
	return rc;
}

static void unlock(int lock[ENV_COUNT])
{
	for (size_t env = 0; env < ENV_COUNT; env++)
		if (lock[env] >= 0)
			close(lock[env]);
}

/* Where this process has them open, closing a second descriptor would lose LMDB's own locks: it is not even opened. */
static enum rc lock_all(const struct store_paths *p, int lock[ENV_COUNT], struct why *why)
{
	struct registered *registered = NULL;
	enum rc rc = registry_add(p->dir, &registered, why);

	lock[ENV_VAULT] = lock[ENV_LEDGER] = -1;
	if (rc == RC_OK && (rc = lock_env(p->vault, &lock[ENV_VAULT], why)) == RC_OK)
		rc = lock_env(p->ledger, &lock[ENV_LEDGER], why);
	registry_remove(registered);
	return rc;
}

enum rc store_unused(const char *dir, struct why *why)
{
	struct store_paths p = { 0 };
	int lock[ENV_COUNT] = { -1, -1 };
	enum rc rc = store_paths_init(&p, dir, NULL);

	if (rc == RC_OK)
		rc = lock_all(&p, lock, why);
	unlock(lock);
	store_paths_done(&p);
	return rc;
}

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

static enum rc remove_tree(const char *dir, struct why *why)
{
	if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
		return RC_OK;
	return failed(dir, why);
}

/* The new file gets what the old one has, where that is a plain file. */
static enum rc take_after(const char *new, const char *old, struct why *why)
{
	int fd = open(new, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat is, was;
	enum rc rc = RC_OK;

	if (fd < 0)
		return failed(new, why);
	if (lstat(old, &was) != 0 || fstat(fd, &is) != 0) {
		rc = failed(old, why);
	} else if (!S_ISREG(was.st_mode)) {
		why_set(why, "%s is not a plain file", old);
		rc = RC_REFUSED;
	} else if (((was.st_uid != is.st_uid || was.st_gid != is.st_gid) && fchown(fd, was.st_uid, was.st_gid) != 0) ||
	           fchmod(fd, was.st_mode & 0777) != 0 || fsync(fd) != 0) {
		rc = failed(new, why);
	}
	close(fd);
	return rc;
}

/* ---- the work once it is decided: every step may have been done already ---- */

static enum rc replace(const char *new, const char *old, const char *aside, struct why *why)
{
	if (access(new, F_OK) != 0)
		return errno == ENOENT ? RC_OK : failed(new, why);
	if (aside)
		(void)!link(old, aside);       /* a file system without links has no old one to go back to */
	return rename(new, old) == 0 ? RC_OK : failed(old, why);
}

static enum rc replace_env(const struct swap *s, enum env env, struct why *why)
{
	const char *env_dir = env == ENV_VAULT ? s->paths.vault : s->paths.ledger;
	char *from = in(s->decided, env_name(env)), *new = from ? in(from, "data.mdb") : NULL;
	char *aside = from ? in(from, "old.mdb") : NULL, *old = in(env_dir, "data.mdb");
	enum rc rc = new && aside && old ? replace(new, old, aside, why) : RC_NOMEM;

	if (rc == RC_OK)
		rc = dir_sync(env_dir, why);
	free(old);
	free(aside);
	free(new);
	free(from);
	return rc;
}

static enum rc replace_state(const struct swap *s, struct why *why)
{
	char *new = in(s->decided, "admin.state");
	enum rc rc = new ? replace(new, s->paths.admin_state, NULL, why) : RC_NOMEM;

	free(new);
	return rc == RC_OK ? dir_sync(s->paths.dir, why) : rc;
}

static enum rc finish(const struct swap *s, struct why *why)
{
	enum rc rc = RC_OK;

	for (enum env env = 0; env < ENV_COUNT && rc == RC_OK; env++)
		rc = replace_env(s, env, why);
	if (rc == RC_OK && (rc = replace_state(s, why)) == RC_OK && (rc = remove_tree(s->decided, why)) == RC_OK)
		rc = dir_sync(s->paths.dir, why);
	return rc;
}

/* ---- the whole ---- */

static enum rc begin(struct swap *s, const char *dir, struct why *why)
{
	enum rc rc = store_paths_init(&s->paths, dir, NULL);

	if (rc != RC_OK)
		return rc;
	s->made = in(s->paths.dir, "swap.new");
	s->decided = in(s->paths.dir, "swap");
	if (!s->made || !s->decided)
		return RC_NOMEM;
	if ((rc = lock_all(&s->paths, s->lock, why)) != RC_OK)
		return rc;
	s->locked = true;
	if (access(s->decided, F_OK) == 0 && (rc = finish(s, why)) != RC_OK)
		return rc;
	if ((rc = remove_tree(s->made, why)) != RC_OK)
		return rc;
	return mkdir(s->made, 0700) == 0 ? RC_OK : failed(s->made, why);
}

enum rc store_swap_begin(const char *dir, struct swap **ret, struct why *why)
{
	struct swap *s = calloc(1, sizeof(*s));
	enum rc rc;

	if (!s)
		return RC_NOMEM;
	s->lock[ENV_VAULT] = s->lock[ENV_LEDGER] = -1;
	rc = begin(s, dir, why);
	if (rc == RC_OK)
		*ret = s;
	else
		store_swap_end(s);
	return rc;
}

const char *store_swap_dir(const struct swap *s)
{
	return s->made;
}

static enum rc prepare(const struct swap *s, enum env env, struct why *why)
{
	const char *env_dir = env == ENV_VAULT ? s->paths.vault : s->paths.ledger;
	char *from = in(s->made, env_name(env)), *new = from ? in(from, "data.mdb") : NULL;
	char *old = in(env_dir, "data.mdb");
	enum rc rc = new && old ? take_after(new, old, why) : RC_NOMEM;

	if (rc == RC_OK)
		rc = dir_sync(from, why);
	free(old);
	free(new);
	free(from);
	return rc;
}

enum rc store_swap_commit(struct swap *s, struct why *why)
{
	enum rc rc;

	if ((rc = prepare(s, ENV_VAULT, why)) != RC_OK || (rc = prepare(s, ENV_LEDGER, why)) != RC_OK ||
	    (rc = dir_sync(s->made, why)) != RC_OK)
		return rc;
	if (rename(s->made, s->decided) != 0)
		return failed(s->decided, why);
	if ((rc = dir_sync(s->paths.dir, why)) == RC_OK)
		rc = finish(s, why);
	return rc;
}

void store_swap_end(struct swap *s)
{
	if (!s)
		return;
	if (s->locked)                 /* else it is another's */
		(void)remove_tree(s->made, NULL);
	unlock(s->lock);
	free(s->made);
	free(s->decided);
	store_paths_done(&s->paths);
	free(s);
}
