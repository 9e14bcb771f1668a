/* options.h -- what postern-connectd was told on its command line. */
#ifndef POSTERN_FCGI_APP_CONNECTD_OPTIONS_H
#define POSTERN_FCGI_APP_CONNECTD_OPTIONS_H

#include "fcgi-app/listen.h"

#include "base/log.h"

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
