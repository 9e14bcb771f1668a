/* init-files.c -- who owns a data directory, and which mode each of its files has (design 9). */
#include "store/store-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADMIN_USER "postern-admin"
#define WORKER_GROUP "postern"

/* The ledger's files are its group's to write, their folder is not: LMDB opens by name whatever stands there, and would make a
 * new lock file of the vault where a link led to it. */
const struct store_node store_nodes[STORE_NODES] = {
	{ ".",               S_IFDIR, 00750 },
	{ "vault",           S_IFDIR, 00750 },
	{ "vault/data.mdb",  S_IFREG, 00640 },
	{ "vault/lock.mdb",  S_IFREG, 00660 },
	{ "ledger",          S_IFDIR, 00750 },
	{ "ledger/data.mdb", S_IFREG, 00660 },
	{ "ledger/lock.mdb", S_IFREG, 00660 },
	{ "master.key",      S_IFREG, 00640 },
	{ "admin.key",       S_IFREG, 00600 },
	{ "admin.state",     S_IFREG, 00600 },
};

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < STORE_NODES; i++)
		if (strcmp(store_nodes[i].name, name) == 0)
			return true;
	return false;
}

enum rc init_look(const char *dir, bool *ret_ours, struct why *why)
{
	bool ours = false, foreign = false;
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d) {
		why_set(why, "%s: %s", dir, strerror(errno));
		return RC_IO;
	}
	while ((e = readdir(d))) {      /* cppcheck-suppress readdirCalled -- readdir_r is no longer to be used */
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "lost+found") == 0)
			continue;
		if (is_ours(e->d_name))
			ours = true;
		else
			foreign = true;
	}
	closedir(d);
	if (foreign && !ours) {
		why_set(why, "%s holds other files: name a directory that is empty, or not there yet", dir);
		return RC_REFUSED;
	}
	*ret_ours = ours;
	return RC_OK;
}

static bool is_default_dir(const char *dir)
{
	size_t size = strlen(STORE_DEFAULT_DIR);

	return strncmp(dir, STORE_DEFAULT_DIR, size) == 0 && dir[size + strspn(dir + size, "/")] == '\0';
}

/* init runs before there are threads. */
static bool find_group(const char *name, gid_t *ret)
{
	const struct group *g = getgrnam(name);      /* cppcheck-suppress getgrnamCalled */

	if (g)
		*ret = g->gr_gid;
	return g;
}

static bool find_user(const char *name, uid_t *ret)
{
	const struct passwd *u = getpwnam(name);      /* cppcheck-suppress getpwnamCalled */

	if (u)
		*ret = u->pw_uid;
	return u;
}

enum rc init_find_owner(const char *dir, const char *group, struct init_owner *ret, struct why *why)
{
	struct init_owner named = { .fixed = true };
	bool has_group = find_group(group ? group : WORKER_GROUP, &named.gid);

	if (group && !has_group) {
		why_set(why, "there is no group %s", group);
		return RC_NOT_FOUND;
	}
	*ret = (struct init_owner){ .uid = geteuid(), .gid = getegid() };
	if (ret->uid != 0 || (!group && !is_default_dir(dir)))
		return RC_OK;
	if (has_group && find_user(ADMIN_USER, &named.uid))
		*ret = named;
	return RC_OK;
}

/* Where nothing says otherwise, root mending somebody's directory leaves it theirs. */
enum rc init_keep_owner(int dir_fd, bool ours, struct init_owner *owner)
{
	struct stat s;

	if (owner->fixed || !ours)
		return RC_OK;
	if (fstat(dir_fd, &s) != 0)
		return RC_IO;
	owner->uid = s.st_uid;
	owner->gid = s.st_gid;
	return RC_OK;
}

/* fd is O_PATH, which neither chmod knows nor closing drops LMDB's locks for: the mode is set through /proc. */
static bool set_owner_and_mode(int fd, const struct stat *s, const struct init_owner *o, mode_t mode)
{
	bool chowned = false;
	char path[32];

	if (s->st_uid != o->uid || s->st_gid != o->gid) {
		if (fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH) != 0)
			return false;
		chowned = true;      /* which may have cleared a mode bit */
	}
	if (!chowned && (s->st_mode & 07777) == mode)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode) == 0;
}

static enum rc mend_node(int dir_fd, const char *dir, const struct store_node *n, const struct init_owner *o,
                         struct why *why)
{
	int fd = openat(dir_fd, n->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	enum rc rc = RC_OK;
	struct stat s;

	if (fd < 0 && errno == ENOENT)
		return RC_OK;
	if (fd < 0 || fstat(fd, &s) != 0) {
		why_set(why, "%s/%s: %s", dir, n->name, strerror(errno));
		rc = RC_IO;
	} else if ((s.st_mode & S_IFMT) != n->type || (n->type == S_IFREG && s.st_nlink != 1)) {
		why_set(why, "%s/%s is a link or not a plain %s: it is left as it is", dir, n->name,
		        n->type == S_IFDIR ? "directory" : "file");
		rc = RC_REFUSED;
	} else if (!set_owner_and_mode(fd, &s, o, n->mode)) {
		why_set(why, "%s/%s: cannot set its owner and mode: %s", dir, n->name, strerror(errno));
		rc = RC_IO;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

enum rc init_mend(int dir_fd, const char *dir, const struct init_owner *o, struct why *why)
{
	enum rc first = RC_OK;

	for (size_t i = 0; i < STORE_NODES; i++) {
		enum rc rc = mend_node(dir_fd, dir, &store_nodes[i], o, why);

		if (first == RC_OK)
			first = rc;
	}
	return first;
}
