/* http-private.h -- what the files of the http connector share. */
#ifndef POSTERN_CONNECTOR_HTTP_PRIVATE_H
#define POSTERN_CONNECTOR_HTTP_PRIVATE_H

#include "connector/connector-private.h"

struct http_method {
	const char *name;
	bool reads;
	bool body;
	bool idempotent;
};

/* Does a parameter of this name look as if it said whose things are meant? */
bool identity_like(const char *name);
/* Has the schema, at any depth, a property of this name that can hold a text or a number? */
bool identity_property(const json_t *schema, const char *name);
/* Each parameter that looks like an identity, and is not among the connector's not_identity, is a mistake. */
void check_parameters(struct checker *k, const json_t *source, const struct connector_rules *rules);

void http_compile(struct checker *k, struct connector *c, const struct connector_rules *rules);
enum reason http_bind(const struct connector *c, const struct binding *b, struct operation *op);

#endif
