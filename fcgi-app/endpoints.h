/* endpoints.h -- what the worker answers besides actions. Each file fills the body of a success, or its headers. */
#ifndef POSTERN_FCGI_APP_ENDPOINTS_H
#define POSTERN_FCGI_APP_ENDPOINTS_H

#include "path/path.h"

extern const struct endpoint endpoint_identity;     /* GET /v1/sites/{site}/identity */
extern const struct endpoint endpoint_catalogue;    /* GET /v1/sites/{site}/actions */
extern const struct endpoint endpoint_health;       /* GET /v1/health */
extern const struct endpoint endpoint_metrics;      /* GET /v1/metrics */
extern const struct endpoint endpoint_authorizer;   /* FastCGI's authorizer role: any method, any path */
extern const struct endpoint endpoint_authorizer_headers;   /* the same question, asked by POSTERN_ROLE=authorizer */

#endif
