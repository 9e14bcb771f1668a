/* settings.h -- the checked settings of a connection, from the JSON of the admin socket or of the sealed file. */
#ifndef POSTERN_FCGI_APP_CONNECTD_SETTINGS_H
#define POSTERN_FCGI_APP_CONNECTD_SETTINGS_H

#include "fcgi-app/connectd/connection.h"

/* Fills c->settings and what points into it; "secret", "ca" and "state" are not its business. RC_INVALID: why has a
 * sentence. What was filled is connection_done()'s to free, also then. */
enum rc settings_take(const char *name, const json_t *body, struct connection *c, struct why *why) MUST_CHECK;

#endif
