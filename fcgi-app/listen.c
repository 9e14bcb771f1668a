/* listen.c -- LISTEN_FDS (sd_listen_fds(3)), descriptor 0 (FastCGI specification 1.0, 2.2), or a socket of our own.
 *
 * Never TCP: whoever can connect can claim to be the web server, and only a Unix socket says who connects. */
#include "listen.h"

#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_HANDED 3                 /* SD_LISTEN_FDS_START */
#define BACKLOG 1024

/* ---- handed over ---- */

static int socket_option(int fd, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

static bool listens(int fd)
{
	return socket_option(fd, SO_ACCEPTCONN) == 1;
}

/* Descriptors are handed over in the order of their names; -1: none of them has this one. */
static int handed_by_name(const char *name, long count)
{
	const char *names = getenv("LISTEN_FDNAMES");

	for (long i = 0; names && i < count; i++) {
		size_t size = strcspn(names, ":");

		if (span_is(span_of(names, size), name))
			return FIRST_HANDED + (int)i;
		names = names[size] ? names + size + 1 : NULL;
	}
	return -1;
}

static enum rc take_handed(int fd, struct listener *ret, struct why *why)
{
	if (!listens(fd)) {
		why_set(why, "descriptor %d was handed over but is not a listening socket", fd);
		return RC_REFUSED;
	}
	if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_STREAM) {
		why_set(why, "descriptor %d is not a Unix stream socket, and TCP is not served; "
			"hand over one, or run it with --listen PATH", fd);
		return RC_REFUSED;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		why_set(why, "descriptor %d: %s", fd, strerror(errno));
		return RC_IO;
	}
	*ret = (struct listener){ .fd = fd };
	return RC_OK;
}

/* How many LISTEN_FDS gives to this very process; 0: none. */
static long handed_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	char *end;
	long n;

	if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	n = strtol(count, &end, 10);
	return *end == '\0' && n > 0 ? n : 0;
}

/* ---- made ---- */

bool socket_group_set(struct socket_group *g, const char *name)
{
	const struct group *found = getgrnam(name);

	g->is = found != NULL;
	if (found)
		g->gid = found->gr_gid;
	return g->is;
}

/* Only the directory lock's holder may take a stale socket away, or two starting workers could take each other's. */
static int lock_directory(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	size_t size = slash == path ? 1 : (size_t)(slash - path);
	int fd;

	memcpy(dir, path, size);
	dir[size] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Removes what a dead worker left. RC_BUSY: somebody listens there. */
static enum rc clear_stale(const struct sockaddr_un *at, struct why *why)
{
	struct stat st;
	int fd, rc;

	if (lstat(at->sun_path, &st) != 0)
		return errno == ENOENT ? RC_OK : RC_IO;
	if (!S_ISSOCK(st.st_mode)) {
		why_set(why, "%s is there and is not a socket: choose another --listen", at->sun_path);
		return RC_REFUSED;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return RC_IO;
	rc = connect(fd, (const struct sockaddr *)at, sizeof(*at));
	if (rc != 0 && errno == ECONNREFUSED) {
		close(fd);
		return unlink(at->sun_path) == 0 ? RC_OK : RC_IO;
	}
	if (rc == 0 || errno == EAGAIN)
		why_set(why, "another process listens on %s: stop it, or choose another path", at->sun_path);
	else
		why_set(why, "%s is there and cannot be asked whether it is in use: %s", at->sun_path, strerror(errno));
	close(fd);
	return RC_BUSY;
}

/* Bound with its final mode: there is no moment at which others could connect. */
static bool bind_0660(int fd, const struct sockaddr_un *at)
{
	mode_t before = umask(0117);
	int rc = bind(fd, (const struct sockaddr *)at, sizeof(*at));

	umask(before);
	return rc == 0;
}

/* What is wrong, in words; RC_OK when the bound socket has its group and listens. */
static enum rc set_up_socket(int fd, const char *path, const struct socket_group *group, struct stat *ret_st, struct why *why)
{
	if (group->is && chown(path, (uid_t)-1, group->gid) != 0)
		why_set(why, "cannot give %s to its group: %s; make the program's user a member of it", path, strerror(errno));
	else if (listen(fd, BACKLOG) != 0 || stat(path, ret_st) != 0)
		why_set(why, "cannot set up %s: %s", path, strerror(errno));
	else
		return RC_OK;
	return RC_IO;
}

static enum rc make_socket(const struct sockaddr_un *at, const struct socket_group *group, struct listener *ret, struct why *why)
{
	enum rc rc = clear_stale(at, why);
	struct stat st;
	int fd;

	if (rc != RC_OK)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !bind_0660(fd, at)) {
		why_set(why, "cannot make %s: %s", at->sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return RC_IO;
	}
	if ((rc = set_up_socket(fd, at->sun_path, group, &st, why)) != RC_OK) {
		unlink(at->sun_path);
		close(fd);
		return rc;
	}
	*ret = (struct listener){ .fd = fd, .device = st.st_dev, .inode = st.st_ino };
	return RC_OK;
}

static enum rc open_path(const char *path, const struct socket_group *group, struct listener *ret, struct why *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	enum rc rc = RC_IO;
	int dir;

	if (strlen(path) >= sizeof(at.sun_path)) {
		why_set(why, "--listen: a socket's path has at most %zu bytes", sizeof(at.sun_path) - 1);
		return RC_INVALID;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	dir = lock_directory(path);
	if (dir >= 0)
		rc = make_socket(&at, group, ret, why);
	if (rc == RC_OK)
		ret->path = path;
	else
		why_set(why, "cannot listen on %s: %s%s", path, strerror(errno),
		        errno == ENOENT ? ": make the directory that it is to be in" : "");
	if (dir >= 0)
		close(dir);
	return rc;
}

/* ---- the order ---- */

enum rc listen_open(const char *path, const struct socket_group *group, struct listener *ret, struct why *why)
{
	long handed = handed_count();

	if (handed > 1) {
		why_set(why, "LISTEN_FDS hands over %ld sockets: give the worker exactly one", handed);
		return RC_REFUSED;
	}
	if (handed == 1)
		return take_handed(FIRST_HANDED, ret, why);
	if (listens(STDIN_FILENO))
		return take_handed(STDIN_FILENO, ret, why);
	if (path)
		return open_path(path, group, ret, why);
	why_set(why, "no socket: start it from a web server or a systemd socket, or run postern-fcgi --listen PATH");
	return RC_INVALID;
}

enum rc listen_open_named(const char *name, const char *path, const struct socket_group *group, struct listener *ret, struct why *why)
{
	long handed = handed_count();
	int fd = handed_by_name(name, handed);

	if (fd >= 0)
		return take_handed(fd, ret, why);
	if (handed == 0)
		return open_path(path, group, ret, why);
	why_set(why, "LISTEN_FDNAMES names no socket \"%s\": set FileDescriptorName=%s in its socket unit", name, name);
	return RC_REFUSED;
}

void listen_unlink(const struct listener *l)
{
	struct stat st;

	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
		unlink(l->path);
}

/* ---- who connects ---- */

bool peer_list_add(struct peer_list *peers, const char *name)
{
	const struct passwd *p = getpwnam(name);

	if (!p || peers->count == LISTEN_PEERS_MAX)
		return false;
	peers->at[peers->count++] = p->pw_uid;
	return true;
}

bool listen_peer_allowed(int fd, const struct peer_list *peers, uid_t *ret_uid)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	*ret_uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
		return false;
	*ret_uid = who.uid;
	if (who.uid == 0 || who.uid == geteuid())
		return true;
	for (size_t i = 0; i < peers->count; i++)
		if (peers->at[i] == who.uid)
			return true;
	return false;
}
