/* oauth.h -- what is asked of a token endpoint, and what its answer says (RFC 6749 4.4, 6). */
#ifndef POSTERN_FCGI_APP_CONNECTD_OAUTH_H
#define POSTERN_FCGI_APP_CONNECTD_OAUTH_H

#include "fcgi-app/connectd/connection.h"

#define TOKEN_SECONDS_MAX (30 * 86400)         /* an access token is never taken to live longer */

struct oauth_tokens {
	struct secret *access_token;
	struct secret *refresh_token;      /* NULL: the one that was used stays good */
	int64_t expires_in;                /* 1 .. TOKEN_SECONDS_MAX; 0: the server did not say */
};
void oauth_tokens_done(struct oauth_tokens *t);

/* The request's body, as the connection has it: form or JSON. NULL: out of memory, or a secret that is no text. */
struct secret *oauth_body(const struct connection *c);
/* CALL_REAUTH_NEEDED: invalid_grant. CALL_CREDENTIALS_FAILED: any other refusal, or no answer of a token endpoint. */
enum call_error oauth_read(int status, struct span body, struct oauth_tokens *ret);

/* Asks once: a refresh token may be good for one try. Blocks, 15 s at most. Also CALL_UPSTREAM_UNSAFE. */
enum call_error oauth_ask(const struct connection *c, struct oauth_tokens *ret);

#endif
