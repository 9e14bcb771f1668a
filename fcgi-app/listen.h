/* listen.h -- the socket a program is reached by: handed over, or made. Always a Unix socket. */
#ifndef POSTERN_FCGI_APP_LISTEN_H
#define POSTERN_FCGI_APP_LISTEN_H

#include "base/codes.h"

#include <sys/types.h>

struct listener {
	int fd;
	const char *path;              /* of a socket that we made; borrowed; NULL: it was handed over */
	dev_t device; ino_t inode;     /* of that file */
};

struct socket_group { bool is; gid_t gid; };
bool socket_group_set(struct socket_group *g, const char *name);  /* false: no such group; before the first thread */

/* LISTEN_FDS, else descriptor 0 if it listens, else a new socket at path (0660, of the group if there is one).
 * RC_INVALID: there is none of these; RC_BUSY: a live socket is at path; RC_REFUSED: what was handed over is no
 * Unix socket; RC_IO. */
enum rc listen_open(const char *path, const struct socket_group *group, struct listener *ret,
		    struct why *why) MUST_CHECK;
/* For a program with several: the one that LISTEN_FDNAMES calls name, else, where none at all were handed over, a new
 * one at path. RC_REFUSED: others were handed over, and not this. */
enum rc listen_open_named(const char *name, const char *path, const struct socket_group *group,
			  struct listener *ret, struct why *why) MUST_CHECK;
void    listen_unlink(const struct listener *l);     /* what we made, if it is still ours */

/* Who may connect besides root and our own user. */
#define LISTEN_PEERS_MAX 32
struct peer_list { uid_t at[LISTEN_PEERS_MAX]; size_t count; };
bool peer_list_add(struct peer_list *peers, const char *name);      /* false: no such user, or no room; as above */
/* The kernel says who connected; *ret_uid is for the log. */
bool listen_peer_allowed(int fd, const struct peer_list *peers, uid_t *ret_uid);

#endif
