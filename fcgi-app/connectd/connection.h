/* connection.h -- one connection: what an admin set, what it is allowed to do, and its secrets.
 *
 * Its settings are kept as the JSON the admin gave, checked; the fields below point into it. Secrets are apart from
 * it and come out in one form only: the sealed file. */
#ifndef POSTERN_FCGI_APP_CONNECTD_CONNECTION_H
#define POSTERN_FCGI_APP_CONNECTD_CONNECTION_H

#include "base/json.h"
#include "base/secret.h"

#include <stdint.h>

#define CONNECTION_NAME_MAX 63
#define CONNECTION_LIST_MAX 64         /* sites, rules, networks, extra token parameters */
#define CONNECTION_SECRET_MAX 16384    /* bytes of one secret */
#define CONCURRENCY_DEFAULT 16
#define CONCURRENCY_MAX 256

/* How a call ended where the upstream gave no answer; codes and statuses of the proxy socket. */
enum call_error {
	CALL_OK, CALL_REQUEST_MALFORMED, CALL_CONNECTION_UNKNOWN, CALL_CONNECTION_DENIED, CALL_REAUTH_NEEDED,
	CALL_CREDENTIALS_FAILED, CALL_UPSTREAM_UNREACHABLE, CALL_UPSTREAM_UNSAFE, CALL_ANSWER_TOO_LARGE,
	CALL_UPSTREAM_TIMEOUT, CALL_CONNECTION_BUSY,
};
const char *call_error_code(enum call_error e);      /* "connection_denied"; CALL_OK: "" */
int         call_error_status(enum call_error e);    /* 403; CALL_OK: 200 */

enum auth_type { AUTH_NONE, AUTH_API_KEY, AUTH_BASIC, AUTH_OAUTH2_REFRESH, AUTH_OAUTH2_CLIENT };

struct auth {                          /* strings are borrowed from the settings; NULL: absent */
	enum auth_type type;
	bool in_query;                     /* api_key: else in a header */
	const char *name, *prefix;         /* api_key: the header or parameter; prefix "" where there is none */
	const char *username;              /* basic */
	const char *token_url, *client_id, *scope;         /* oauth2; scope may be NULL */
	bool in_body, json;                /* oauth2: client_id and secret in the body, else Basic; a JSON body, else a form */
	const json_t *extra;               /* oauth2: an object of strings to send along, or NULL */
};

struct network {                       /* "10.0.0.0/8", "fd00::/8" */
	int family;                        /* AF_INET, AF_INET6 */
	uint8_t address[16];               /* network order; 4 bytes of it for AF_INET */
	unsigned bits;
};

struct connection {
	json_t *settings;                  /* owned: what PUT took, without secret; members as on the admin socket */
	const char *name, *provider;
	const char *base_url;              /* "https://api.shop.example/v1": no query, fragment, user or trailing slash */
	char *authority;                   /* owned: "api.shop.example" or "api.shop.example:8443", lower case */
	bool http;                         /* plain http is allowed for it; base_url may then begin with http:// */
	struct network *private_nets; size_t private_count;  /* networks it may reach although they are not public */
	const char *ca_pem;                /* its own CA certificates instead of the system's, or NULL */
	unsigned concurrency;
	const char *test;                  /* "GET /path", or NULL */
	struct auth auth;

	/* The one that its type has; else NULL. */
	struct secret *api_key, *password, *client_secret, *refresh_token;
	struct secret *access_token;       /* oauth2: of the last refresh; NULL: none yet */
	int64_t expires_at;                /* of the access token, seconds; 0: none, or the server did not say */

	bool reauth_needed;                /* the token endpoint said invalid_grant; nothing is tried until rotate */
	int64_t state_since, created_at, rotated_at, refreshed_at;     /* seconds; 0: never */
	char last_error[32];               /* a call_error_code(), or "" */
};

bool connection_name_ok(struct span name);           /* ^[a-z][a-z0-9_-]{0,62}$ */

/* Text of at most that size which goes into a header whole and ends no line: what is saved must load again. */
bool    connection_secret_ok(struct span s);
/* Of the body of PUT /connections/NAME. RC_INVALID: why has a sentence for the admin. Fills *ret, which
 * connection_done() empties. `now` is in seconds. */
enum rc connection_parse(const char *name, const json_t *body, int64_t now, struct connection *ret,
			 struct why *why) MUST_CHECK;
/* New secrets, of the body of POST .../rotate: tokens of old ones are dropped, reauth_needed is cleared. */
enum rc connection_rotate(struct connection *c, const json_t *secret, int64_t now, struct why *why) MUST_CHECK;
/* What the admin socket shows; new; NULL: out of memory. */
json_t *connection_public(const struct connection *c);
/* What the store seals, and back. The JSON text is a secret. */
struct secret *connection_write(const struct connection *c);           /* NULL: out of memory */
enum rc connection_read(const char *name, const struct secret *text, struct connection *ret) MUST_CHECK;
void connection_done(struct connection *c);          /* frees all; c may be used again */

bool connection_serves_site(const struct connection *c, struct span site);
/* One of its rules allows the method and the raw path ("customers/a%40b/orders"). */
bool connection_allows(const struct connection *c, struct span method, struct span path);

#endif
