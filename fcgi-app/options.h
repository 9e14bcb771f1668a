/* options.h -- what the worker was told, by its command line or its environment. */
#ifndef POSTERN_FCGI_APP_OPTIONS_H
#define POSTERN_FCGI_APP_OPTIONS_H

#include "listen.h"

#include "base/log.h"

struct options {                       /* strings are borrowed from argv and the environment */
	const char *data, *master_key;         /* NULL: the store's own rules */
	const char *connect;                   /* the connection provider's socket */
	const char *listen;                    /* NULL: only a socket that was handed over */
	struct socket_group group;
	struct peer_list peers;
	unsigned threads, audit_budget;
	enum log_level log_level;
	bool help, version;
};

/* Defaults, environment, command line. false: why says what is wrong, in one line. */
bool options_read(struct options *o, int argc, char *const *argv, struct why *why);
bool options_print_help(void);         /* on stdout; false: it could not be written */

#endif
