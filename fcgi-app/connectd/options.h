/* options.h -- what postern-connectd was told on its command line. */
#ifndef POSTERN_FCGI_APP_CONNECTD_OPTIONS_H
#define POSTERN_FCGI_APP_CONNECTD_OPTIONS_H

#include "base/log.h"

#include <sys/types.h>

#define OPTION_PEERS_MAX 32

struct peer_list { uid_t at[OPTION_PEERS_MAX]; size_t count; };

struct socket_group { bool is; gid_t gid; };

struct options {                       /* strings are borrowed from argv */
	const char *data, *listen, *admin_listen;
	struct socket_group group, admin_group;
	struct peer_list peers, admin_peers;
	enum log_level log_level;
	const char *refresh_of;            /* NULL: serve */
	bool help, version;
};

/* false: why says what is wrong, in one line. */
bool options_read(struct options *o, int argc, char *const *argv, struct why *why);
bool options_print_help(void);         /* on stdout; false: it could not be written */

#endif
