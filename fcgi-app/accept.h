/* accept.h -- the worker's own accept loop around libfcgi. */
#ifndef POSTERN_FCGI_APP_ACCEPT_H
#define POSTERN_FCGI_APP_ACCEPT_H

#include "path/path.h"

#define THREADS_MAX 64
#define PEERS_MAX 4096                 /* connections at once */
#define CALLS_MAX 1024                 /* requests in flight; more are answered overloaded */

struct peer_list;

struct server_options {
	struct path *path;             /* borrowed */
	int listener;                  /* a listening Unix socket; becomes the server's */
	unsigned threads, peers_max, calls_max;
	const struct peer_list *peers; /* borrowed */
};

struct server;
/* Sets libfcgi up and starts the threads. RC_IO, RC_NOMEM; why says which. Call with all signals blocked. */
enum rc server_start(const struct server_options *o, struct server **ret, struct why *why) MUST_CHECK;
/* Deadlines, and accepting again after a pause. Returns in how many ms it wants to be called again. */
unsigned server_tick(struct server *s);
/* No further connection; those that had come are still served. Answers no longer keep connections. */
void server_stop_accepting(struct server *s);
bool server_drain(struct server *s, unsigned ms);     /* waits until every peer is gone; false: some are not */
/* Ends the threads and frees all; false: one is stuck, nothing was freed. */
bool server_end(struct server *s, unsigned ms);

#endif
