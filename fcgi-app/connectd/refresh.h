/* refresh.h -- a refresh: when it is due, and the process it happens in. */
#ifndef POSTERN_FCGI_APP_CONNECTD_REFRESH_H
#define POSTERN_FCGI_APP_CONNECTD_REFRESH_H

#include "fcgi-app/connectd/connection.h"

#include "base/clock.h"

/* oauth2: the access token is there, and neither about to expire (a tenth of its life, 5 to 60 s) nor past it. */
bool refresh_fresh(const struct connection *c, int64_t now);

/* Starts the process and waits for it: CALL_OK says the stored connection is to be loaded again. */
enum call_error refresh_run(const char *data, const char *name);

#endif
