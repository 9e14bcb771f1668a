/* route.c -- the table of routes.
 *
 * The web server has decoded the path once; it is not decoded again. A path is its segments exactly: an empty one, or a
 * slash at the end, is no route. */
#include "route.h"

#include "endpoints.h"

enum method { GET = 1, POST = 2, OPTIONS = 4 };

/* Not here: not found. */
static const struct {
	const char *pattern;               /* {} takes a segment: first the site, then the action */
	enum method method;
	const char *allow;
	const struct endpoint *endpoint;
	bool metrics_only;                 /* there only where the web server says POSTERN_METRICS=1 */
} routes[] = {
	{ "/v1/sites/{}/identity",   GET,  "GET, HEAD, OPTIONS", &endpoint_identity,    false },
	{ "/v1/sites/{}/actions",    GET,  "GET, HEAD, OPTIONS", &endpoint_catalogue,   false },
	{ "/v1/sites/{}/actions/{}", POST, "POST, OPTIONS",      &path_endpoint_action, false },
	{ "/v1/health",              GET,  "GET, HEAD, OPTIONS", &endpoint_health,      false },
	{ "/v1/metrics",             GET,  "GET, HEAD, OPTIONS", &endpoint_metrics,     true  },
};

static const struct { const char *name; enum method method; bool head; } methods[] = {
	{ "GET", GET, false }, { "POST", POST, false }, { "HEAD", GET, true }, { "OPTIONS", OPTIONS, false },
};

static const struct endpoint nowhere = { .name = "none", .last = STEP_REQUEST };

/* PATH_INFO if it begins with /v1/, else SCRIPT_NAME from its first /v1/ on. */
static struct span path_of(const struct target *t)
{
	const char *at;

	if (t->path_info.size >= 4 && memcmp(t->path_info.data, "/v1/", 4) == 0)
		return t->path_info;
	at = t->script_name.size ? memmem(t->script_name.data, t->script_name.size, "/v1/", 4) : NULL;
	return at ? span_of(at, t->script_name.size - (size_t)(at - (const char *)t->script_name.data)) : span_of(NULL, 0);
}

/* Takes the next "/segment" off *rest. false: there is none, or it is empty. */
static bool segment(struct span *rest, struct span *ret)
{
	const char *at = rest->data, *slash;
	size_t size;

	if (rest->size < 2 || at[0] != '/')
		return false;
	slash = memchr(at + 1, '/', rest->size - 1);
	size = slash ? (size_t)(slash - at) - 1 : rest->size - 1;
	*ret = span_of(at + 1, size);
	*rest = span_of(at + 1 + size, rest->size - 1 - size);
	return size > 0;
}

static bool matches(const char *pattern, struct span path, struct span *site, struct span *action)
{
	struct span want = span_str(pattern), a, b, *taken[] = { site, action };
	size_t takes = 0;

	while (want.size) {
		if (!segment(&want, &a) || !segment(&path, &b))
			return false;
		if (span_is(a, "{}"))
			*taken[takes++] = b;
		else if (!span_equal(a, b))
			return false;
	}
	return path.size == 0;
}

static void take_method(struct span method, size_t of_route, struct request *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (!span_is(method, methods[i].name))
			continue;
		if (methods[i].method == OPTIONS) {
			ret->endpoint = &path_endpoint_preflight;
			return;
		}
		if (methods[i].method == routes[of_route].method) {
			ret->head = methods[i].head;
			return;
		}
	}
	ret->early = REASON_METHOD_NOT_ALLOWED;
	ret->head = span_is(method, "HEAD");
}

/* An authorizer judges whatever path and method its application has. A POSTERN_ROLE that means nothing is a guard all
 * the same, one that lets nobody pass: it must not become an ordinary route. */
static bool route_guard(const struct target *t, struct request *ret)
{
	if (!t->authorizer && t->role_count == 0)
		return false;
	ret->endpoint = t->authorizer ? &endpoint_authorizer : &endpoint_authorizer_headers;
	ret->head = span_is(t->method, "HEAD");
	if (t->role_count > 1 || (t->role_count == 1 && !span_is(t->role, "authorizer")))
		ret->early = REASON_SITE_NOT_SET;
	return true;
}

void route(const struct target *t, struct request *ret)
{
	struct span path = path_of(t);

	if (route_guard(t, ret))
		return;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct span site = { 0 }, action = { 0 };

		if ((routes[i].metrics_only && !t->metrics) || !matches(routes[i].pattern, path, &site, &action))
			continue;
		ret->endpoint = routes[i].endpoint;
		ret->allow = routes[i].allow;
		ret->site = site;
		ret->action = action;
		take_method(t->method, i, ret);
		return;
	}
	ret->endpoint = &nowhere;
	ret->early = REASON_NOT_FOUND;
	ret->head = span_is(t->method, "HEAD");
}
