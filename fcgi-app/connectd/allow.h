/* allow.h -- which calls a connection serves: rules such as "GET /customers/{}/orders", and paths that are safe. */
#ifndef POSTERN_FCGI_APP_CONNECTD_ALLOW_H
#define POSTERN_FCGI_APP_CONNECTD_ALLOW_H

#include "base/codes.h"
#include "base/span.h"

#define METHODS "GET, HEAD, POST, PUT, PATCH or DELETE"

/* One of METHODS, as a constant; NULL: none of them. */
const char *method_of(struct span method);

/* "METHOD /segment/{}/segment": {} stands for one whole segment, all else for itself, byte by byte. */
bool allow_rule_ok(struct span rule, struct why *why);
/* The rule is well formed. path is raw, without its leading slash. */
bool allow_matches(struct span rule, struct span method, struct span path);

/* Every segment is one for the upstream too, whatever it makes of it: decoded once it is UTF-8, not empty, holds none
 * of / \ % and no control byte, and is not dots only. Nothing that would need an escape stands there unescaped. */
bool path_safe(struct span path);
bool query_safe(struct span query);    /* nothing in it ends the query or the request line */

/* Takes the next name of a query or a form, as it came; false: there is none left. */
bool query_next_name(struct span *rest, struct span *ret_name);
/* Is there a parameter of this name, in whatever spelling? */
bool query_names(struct span query, const char *name);

#endif
