/* credentials.h -- a connection's credential is there and fresh; who asks need not know how. */
#ifndef POSTERN_FCGI_APP_CONNECTD_CREDENTIALS_H
#define POSTERN_FCGI_APP_CONNECTD_CREDENTIALS_H

#include "fcgi-app/connectd/store.h"

/* c was loaded from the store. Where its access token is absent, about to expire, or (force_refresh) was refused by
 * the upstream, it is refreshed, once for all who ask at the same time, and c loaded again in place. force_refresh does
 * nothing where the stored token is no longer the one that c has. CALL_OK at once for what needs no refresh;
 * CALL_REAUTH_NEEDED, CALL_CREDENTIALS_FAILED, CALL_UPSTREAM_UNSAFE; CALL_CONNECTION_UNKNOWN where it was removed
 * meanwhile. After a refresh that failed there is a pause, of 1 s at first and 60 s at last, in which nothing is
 * asked and the failure is the answer. c is whole after each of these. Blocks; thread-safe. */
enum call_error credentials_ready(struct connect_store *s, const char *name, struct connection *c, bool force_refresh);

/* May it be the token where the upstream answers 401? Not for a while after new ones were refused as well, twice running:
 * then it is the call that the upstream does not want, and whoever can make such calls could have a refresh with each. */
bool credentials_doubtful(const char *name);
/* What came of a refresh by force: was the new token served? */
void credentials_judged(const char *name, bool served);

/* Forgets that refreshes of it failed or were in vain: the next one is tried at once. */
void credentials_try_now(const char *name);

/* `postern-connectd --refresh NAME --data DIR`: the process in which a refresh happens, which outlives whoever
 * started it. Returns its exit code. main() has called secret_process_init() and nothing else. */
int credentials_refresh_main(const char *data, const char *name);

#endif
