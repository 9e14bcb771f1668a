/* registry.c -- one open of a directory per process: closing a second one would drop the first one's fcntl() locks,
 * and with them LMDB's knowledge of who is alive. */
#include "store/store-private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* By device and inode, since one directory has many names; by process, since a child made by fork() inherits the
 * list but must open for itself. */
struct registered {
	struct registered *next;
	dev_t dev;
	ino_t ino;
	pid_t pid;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct registered *registry;

static bool is_registered(const struct registered *new)
{
	for (const struct registered *r = registry; r; r = r->next)
		if (r->dev == new->dev && r->ino == new->ino && r->pid == new->pid)
			return true;
	return false;
}

enum rc registry_add(const char *dir, struct registered **ret, struct why *why)
{
	struct registered *r;
	struct stat s;
	bool taken;

	if (stat(dir, &s) != 0) {
		why_set(why, "%s: %s", dir, strerror(errno));
		return errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return RC_NOMEM;
	*r = (struct registered){ .dev = s.st_dev, .ino = s.st_ino, .pid = getpid() };
	pthread_mutex_lock(&registry_lock);
	taken = is_registered(r);
	if (!taken) {
		r->next = registry;
		registry = r;
	}
	pthread_mutex_unlock(&registry_lock);
	if (taken) {
		free(r);
		why_set(why, "%s is already open in this process", dir);
		return RC_BUSY;
	}
	*ret = r;
	return RC_OK;
}

void registry_remove(struct registered *r)
{
	struct registered **at;

	if (!r)
		return;
	pthread_mutex_lock(&registry_lock);
	for (at = &registry; *at && *at != r; at = &(*at)->next)
		;
	if (*at)
		*at = r->next;
	pthread_mutex_unlock(&registry_lock);
	free(r);
}
