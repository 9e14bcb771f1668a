/* upstream.h -- one call to an upstream: its URL, its limits, its answer. */
#ifndef POSTERN_FCGI_APP_CONNECTD_UPSTREAM_H
#define POSTERN_FCGI_APP_CONNECTD_UPSTREAM_H

#include "base/buf.h"
#include "fcgi-app/connectd/connection.h"

struct upstream_call {                 /* all borrowed; checked by the caller */
	const char *method;                /* GET HEAD POST PUT PATCH DELETE */
	struct span path;                  /* raw, without the leading slash: "customers/a%40b/orders" */
	struct span query;                 /* raw, without the question mark; empty: none */
	struct span headers;               /* "Name: value\r\n" lines, Content-Type among them; no credential */
	struct span body;
	bool has_body;
	unsigned timeout_ms;               /* of all tries together */
	size_t answer_max;                 /* bytes of the body, after decoding */
	unsigned retries;                  /* further tries; 0 where the call may not be repeated */
};

struct upstream_answer {
	int status;
	struct buf body;
	char content_type[256], etag[256], last_modified[64];  /* visible ASCII and inner spaces; "": none came */
	int retry_after;                   /* 0..3600 seconds; -1: none came */
};

/* Process-wide, before the first thread and after the last. */
enum rc upstream_start(void) MUST_CHECK;
void    upstream_end(void);

/* Blocks. Puts the connection's credential on the request (credentials.h) and sends it, checking address and scheme
 * at connect time. CALL_OK: *ret has what came, whatever its status (401 too; a redirect is CALL_UPSTREAM_UNSAFE);
 * else *ret has nothing to free. The caller has called credentials_ready(). Thread-safe. */
enum call_error upstream_call(const struct connection *c, const struct upstream_call *call, struct upstream_answer *ret);
void upstream_answer_done(struct upstream_answer *a);

#endif
