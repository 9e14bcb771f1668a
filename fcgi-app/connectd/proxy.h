/* proxy.h -- the workers' socket: what a connection serves, it calls; all else is refused and logged. */
#ifndef POSTERN_FCGI_APP_CONNECTD_PROXY_H
#define POSTERN_FCGI_APP_CONNECTD_PROXY_H

#include "fcgi-app/connectd/server.h"
#include "fcgi-app/connectd/store.h"
#include "fcgi-app/connectd/upstream.h"

#define PROXY_BODY_MAX 65536
#define TIMEOUT_DEFAULT_MS 10000
#define ANSWER_DEFAULT 262144

/* arg is the struct connect_store. */
void proxy_handle(void *arg, const struct request *r, struct answer *ret);

/* Credential, call, and once more with a fresh credential where the upstream says 401. c is of the store. */
enum call_error proxy_call(struct connect_store *s, struct connection *c, const struct upstream_call *call,
			   struct upstream_answer *ret);

#endif
