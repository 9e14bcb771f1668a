/* credential.h -- what a connection's credential adds to a request. Its texts are secrets, made and lost as such. */
#ifndef POSTERN_FCGI_APP_CONNECTD_CREDENTIAL_H
#define POSTERN_FCGI_APP_CONNECTD_CREDENTIAL_H

#include "fcgi-app/connectd/connection.h"

struct credential {
	struct secret *header;             /* "Authorization: Bearer ...", or NULL */
	struct secret *query;              /* "key=...", percent-encoded, or NULL */
};
/* RC_INVALID: the connection has no secret of its type, or one that no header can carry. */
enum rc credential_make(const struct connection *c, struct credential *ret) MUST_CHECK;
void    credential_done(struct credential *c);

/* New; NULL: out of memory. */
struct secret *secret_join(const struct span *parts, size_t count);
struct secret *secret_percent(struct span text);     /* all but RFC 3986's unreserved characters as %XX */
struct secret *secret_basic(struct span user, struct span password);         /* "Authorization: Basic ..." */

#endif
