/* connection-private.h -- one question to postern-connectd and its answer. */
#ifndef POSTERN_ADMIN_CONNECTION_PRIVATE_H
#define POSTERN_ADMIN_CONNECTION_PRIVATE_H

#include "admin/admin.h"

struct connect_request {
	const char *socket, *method, *path;
	const struct secret *body;             /* JSON; NULL: none */
	unsigned limit_ms;
};
struct connect_answer { int status; json_t *body; };   /* body: an object, or NULL */
/* RC_IO with why, which says what to run: there was no whole answer. ret is to be given to connect_answer_done(). */
enum rc connect_ask(const struct connect_request *r, struct connect_answer *ret, struct why *why) MUST_CHECK;
void    connect_answer_done(struct connect_answer *a);

#endif
