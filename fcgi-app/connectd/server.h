/* server.h -- HTTP on Unix sockets: who may connect, a request whole, an answer whole.
 *
 * libmicrohttpd is seen by server.c alone. */
#ifndef POSTERN_FCGI_APP_CONNECTD_SERVER_H
#define POSTERN_FCGI_APP_CONNECTD_SERVER_H

#include "base/buf.h"

#define REQUEST_HEADERS_MAX 64
#define ANSWER_HEADERS_MAX 6

struct request_header { struct span name, value; };

struct request {                       /* borrowed for the handler's time; all as it came */
	struct span method, path, query;   /* the path with its leading slash; nothing decoded */
	struct request_header header[REQUEST_HEADERS_MAX];
	size_t header_count;
	struct span body;
	bool too_large;                    /* the body, or the headers' number: they are not whole */
};

struct answer_header { const char *name; char value[256]; };

struct answer {
	int status;
	struct buf body;
	struct answer_header header[ANSWER_HEADERS_MAX];
	size_t header_count;
};

/* The value of a header that must stand there at most once. false: it is there twice. *ret has no data: absent. */
bool request_header_once(const struct request *r, const char *name, struct span *ret);
/* A value that does not fit is left out whole. */
void answer_header_add(struct answer *a, const char *name, const char *value);

struct peer_list;

struct door {                          /* one listening socket */
	const char *name;                  /* for the log */
	int listener;
	const struct peer_list *peers;     /* borrowed */
	unsigned connections_max;
	size_t body_max;
	/* On a thread of its own; fills *ret, which starts zeroed. */
	void (*handle)(void *arg, const struct request *r, struct answer *ret);
	void *arg;
};

struct server;
/* Starts accepting; call with all signals blocked. RC_NOMEM, RC_IO. */
enum rc server_start(const struct door *doors, size_t count, struct server **ret) MUST_CHECK;
/* No connection is accepted any more; waits until no request is being handled. false: some still are, after ms. */
bool server_drain(struct server *s, unsigned ms);
void server_free(struct server *s);    /* after a drain that was true; waits for its threads */

#endif
