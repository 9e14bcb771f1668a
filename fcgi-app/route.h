/* route.h -- which endpoint does this request want? */
#ifndef POSTERN_FCGI_APP_ROUTE_H
#define POSTERN_FCGI_APP_ROUTE_H

#include "path/path.h"

struct target {
	struct span method, path_info, script_name;
	bool metrics;
	bool authorizer;               /* FastCGI's role of that name */
	size_t role_count;             /* POSTERN_ROLE parameters, and the first */
	struct span role;
};

/* Sets endpoint, early (NONE, NOT_FOUND, METHOD_NOT_ALLOWED, SITE_NOT_SET), allow, head, site and action of *ret;
 * spans borrow from t. */
void route(const struct target *t, struct request *ret);

#endif
