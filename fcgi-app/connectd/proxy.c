/* proxy.c -- one request of a worker: checked, compared with its connection's list, sent on.
 *
 * The worker is on the outside: it says which site asks, and nothing it says reaches further than the list of the
 * connection that it names. What is not on the list is refused here, whatever the worker believes. */
#include "fcgi-app/connectd/proxy.h"

#include "fcgi-app/connectd/allow.h"
#include "fcgi-app/connectd/credentials.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "site/site.h"

#include <pthread.h>
#include <stdlib.h>

#define PREFIX "Nango-Proxy-"
#define PREFIX_SIZE (sizeof(PREFIX) - 1)
#define BODY_DEPTH 128

struct exchange {                      /* one request, understood */
	char name[CONNECTION_NAME_MAX + 1];
	struct span connection, provider, site, host;
	struct buf headers;
	struct upstream_call call;
};

/* ---- numbers ---- */

/* Digits; absent: *ret stays. What lies outside is clamped. */
static bool number(const struct request *r, const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
	struct span s;
	uint64_t n = 0;

	if (!request_header_once(r, name, &s))
		return false;
	if (!s.data)
		return true;
	for (size_t i = 0; i < s.size; i++) {
		char c = ((const char *)s.data)[i];

		if (!ascii_is_digit(c) || i > 12)
			return false;
		n = n * 10 + (uint64_t)(c - '0');
	}
	*ret = n < min ? min : n > max ? max : n;
	return s.size > 0;
}

/* ---- headers that go on ---- */

/* Letters, digits and "-": where a server makes CGI variables of headers, "_" would do for "-", and with some "." or "!" too. */
static bool header_name_ok(struct span name)
{
	static const char *const refused[] = {
		"authorization", "cookie", "host", "content-length", "transfer-encoding", "connection", "te", "trailer",
		"upgrade", "expect", "accept-encoding", "keep-alive", "http2-settings",
		/* in which frameworks and servers look for another method, path or host than the request line's */
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-original-uri", "x-rewrite-url",
		"forwarded", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-uri",
	};
	const char *s = name.data;

	for (size_t i = 0; i < name.size; i++)
		if (!ascii_is_alpha(s[i]) && !ascii_is_digit(s[i]) && s[i] != '-')
			return false;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (ascii_equal_nocase(name, refused[i]))
			return false;
	return name.size > 0 && (name.size < 6 || !ascii_equal_nocase(span_of(s, 6), "proxy-"));
}

/* A header's name as the upstream will see it; empty: it stays here. */
static struct span forwarded(struct span name)
{
	if (name.size <= PREFIX_SIZE || !ascii_equal_nocase(span_of(name.data, PREFIX_SIZE), PREFIX))
		return span_of(NULL, 0);
	return span_of((const char *)name.data + PREFIX_SIZE, name.size - PREFIX_SIZE);
}

static bool take_headers(struct exchange *x, const struct request *r, bool *ret_key)
{
	for (size_t i = 0; i < r->header_count; i++) {
		struct span name = forwarded(r->header[i].name);

		if (!name.data)
			continue;
		if (!header_name_ok(name) || !ascii_fits_header(r->header[i].value))
			return false;
		*ret_key |= ascii_equal_nocase(name, "idempotency-key");
		buf_add_span(&x->headers, name);
		buf_add_str(&x->headers, ": ");
		buf_add_span(&x->headers, r->header[i].value);
		buf_add_str(&x->headers, "\r\n");
	}
	return !x->headers.failed;
}

/* Where a server makes CGI variables of headers, "X-Key" is "X_Key". What goes on has no other such sign than "-". */
static bool same_variable(struct span name, const char *credential)
{
	const char *text = name.data;

	if (name.size != strlen(credential))
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = credential[i];

		if (ascii_lower(text[i]) != (ascii_is_alpha(c) || ascii_is_digit(c) ? ascii_lower(c) : '-'))
			return false;
	}
	return true;
}

/* Does the request bring the header that the credential goes into? */
static bool names_credential(const struct connection *c, const struct request *r)
{
	if (c->auth.type != AUTH_API_KEY || c->auth.in_query)
		return false;
	for (size_t i = 0; i < r->header_count; i++)
		if (same_variable(forwarded(r->header[i].name), c->auth.name))
			return true;
	return false;
}

/* The same for a key in the query. Names are compared as bytes and after a percent sign refused, for an upstream would
 * decode them. */
static bool queries_credential(const struct connection *c, struct span query)
{
	struct span name;

	if (c->auth.type != AUTH_API_KEY || !c->auth.in_query)
		return false;
	while (query_next_name(&query, &name))
		if (span_is(name, c->auth.name) || memchr(name.data, '%', name.size))
			return true;
	return false;
}

/* By the media type alone: a parameter of it may say anything. */
static bool type_names(struct span type, const char *word)
{
	const char *at = type.data;
	size_t size = strlen(word);

	for (size_t i = 0; i < type.size && at[i] != ';'; i++)
		if (type.size - i >= size && ascii_equal_nocase(span_of(at + i, size), word))
			return true;
	return false;
}

/* Has the JSON object this member? So it is taken to have where the upstream may read what is none to us: a name that is there
 * twice, a number too large, deeper nesting, a mark in front. */
static bool json_names(struct span body, bool meant, const char *name)
{
	json_t *value = NULL;
	enum rc rc = json_strict(body, BODY_DEPTH, &value, NULL);
	bool found = rc == RC_OK ? json_object_get(value, name) != NULL : rc == RC_NOMEM || (meant && body.size > 0);

	json_decref(value);
	return found;
}

/* Frameworks take another method from a POST's parameter "_method": then the list would have been asked about a method that is
 * not the one that counts. A body of parts may hold it in as many ways as there are readers of parts, and no action sends one. */
static bool overrides_method(const struct request *r)
{
	static const char override[] = "_method";
	struct span type;
	bool is_json;

	if (!span_is(r->method, "POST"))
		return false;
	if (!request_header_once(r, PREFIX "Content-Type", &type))
		return true;
	is_json = type_names(type, "json");
	return type_names(type, "multipart") || query_names(r->query, override) || (!is_json && query_names(r->body, override)) || json_names(r->body, is_json, override);
}

/* ---- understanding ---- */

static bool repeatable(const char *method)
{
	return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

static bool take_limits(struct exchange *x, const struct request *r, bool has_key)
{
	uint64_t ms = TIMEOUT_DEFAULT_MS, max = ANSWER_DEFAULT, retries = 2;

	if (!number(r, "Postern-Timeout-Ms", 100, 30000, &ms) || !number(r, "Postern-Answer-Max", 1, 1 << 20, &max) ||
	    !number(r, "Retries", 0, UINT32_MAX, &retries) || retries > 2)
		return false;
	x->call.timeout_ms = (unsigned)ms;
	x->call.answer_max = max;
	x->call.retries = repeatable(x->call.method) || has_key ? (unsigned)retries : 0;
	return true;
}

static bool take_target(struct exchange *x, const struct request *r)
{
	const size_t prefix = strlen("/proxy/");

	if (r->path.size <= prefix || memcmp(r->path.data, "/proxy/", prefix) != 0)
		return false;
	x->call.path = span_of((const char *)r->path.data + prefix, r->path.size - prefix);
	x->call.query = r->query;
	x->call.method = method_of(r->method);
	return x->call.method && path_safe(x->call.path) && query_safe(r->query) && !overrides_method(r);
}

static bool take_names(struct exchange *x, const struct request *r)
{
	return request_header_once(r, "Connection-Id", &x->connection) && x->connection.size > 0 &&
	       request_header_once(r, "Provider-Config-Key", &x->provider) && x->provider.size > 0 &&
	       request_header_once(r, "Postern-Site", &x->site) && site_id_valid(x->site) &&
	       request_header_once(r, "Postern-Host", &x->host);
}

static bool understand(struct exchange *x, const struct request *r)
{
	bool has_key = false;

	if (r->too_large || !take_names(x, r) || !take_target(x, r) || !take_headers(x, r, &has_key) ||
	    !take_limits(x, r, has_key))
		return false;
	x->call.headers = buf_span(&x->headers);
	x->call.body = r->body;
	x->call.has_body = r->body.size > 0;
	return true;
}

/* ---- the list ---- */

static bool served(const struct connection *c, const struct exchange *x)
{
	return connection_serves_site(c, x->site) && span_is(x->provider, c->provider) &&
	       (!x->host.data || ascii_equal_nocase(x->host, c->authority)) &&
	       connection_allows(c, span_str(x->call.method), x->call.path);
}

static enum call_error find(struct connect_store *s, struct exchange *x, struct connection *ret)
{
	enum rc rc;

	if (!connection_name_ok(x->connection))
		return CALL_CONNECTION_UNKNOWN;
	memcpy(x->name, x->connection.data, x->connection.size);
	x->name[x->connection.size] = '\0';
	rc = connect_store_load(s, x->name, ret);
	if (rc == RC_OK)
		return CALL_OK;
	if (rc == RC_NOT_FOUND)
		return CALL_CONNECTION_UNKNOWN;
	log_line(LOG_LEVEL_ERROR, "connection %s cannot be read: %s", x->name, rc_text(rc));
	return CALL_CREDENTIALS_FAILED;
}

/* ---- how many at once ---- */

struct busy {
	struct busy *next;
	char name[CONNECTION_NAME_MAX + 1];
	unsigned count;
};

static pthread_mutex_t busy_lock = PTHREAD_MUTEX_INITIALIZER;
static struct busy *busy_list;

/* Entries live while somebody calls: their number is bounded by the requests in flight. */
static bool enter_locked(const struct connection *c)
{
	struct busy *b = busy_list;

	while (b && strcmp(b->name, c->name) != 0)
		b = b->next;
	if (!b) {
		if (!(b = calloc(1, sizeof(*b))))
			return false;
		snprintf(b->name, sizeof(b->name), "%s", c->name);
		b->next = busy_list;
		busy_list = b;
	}
	if (b->count >= c->concurrency)
		return false;
	b->count++;
	return true;
}

static bool enter(const struct connection *c)
{
	bool ok;

	pthread_mutex_lock(&busy_lock);
	ok = enter_locked(c);
	pthread_mutex_unlock(&busy_lock);
	return ok;
}

static void leave(const char *name)
{
	struct busy **at = &busy_list, *b;

	pthread_mutex_lock(&busy_lock);
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	b = *at;
	if (b && --b->count == 0) {
		*at = b->next;
		free(b);
	}
	pthread_mutex_unlock(&busy_lock);
}

/* ---- calling ---- */

/* In what is left of the time: a caller that has given up has said so, and nothing is sent in its name any more. */
static enum call_error call_until(uint64_t until, const struct connection *c, const struct upstream_call *call,
				  struct upstream_answer *ret)
{
	struct upstream_call rest = *call;
	uint64_t now = clock_mono_ms();

	if (now >= until)
		return CALL_UPSTREAM_TIMEOUT;
	rest.timeout_ms = (unsigned)(until - now);
	return upstream_call(c, &rest, ret);
}

enum call_error proxy_call(struct connect_store *s, struct connection *c, const struct upstream_call *call,
			   struct upstream_answer *ret)
{
	uint64_t until = clock_mono_ms() + call->timeout_ms;
	char name[CONNECTION_NAME_MAX + 1];
	enum call_error e;

	snprintf(name, sizeof(name), "%s", c->name);   /* c is loaded again in place */
	if ((e = credentials_ready(s, name, c, false)) != CALL_OK || (e = call_until(until, c, call, ret)) != CALL_OK)
		return e;
	if (ret->status != 401 || c->auth.type < AUTH_OAUTH2_REFRESH || clock_mono_ms() >= until || !credentials_doubtful(name))
		return CALL_OK;
	upstream_answer_done(ret);
	if ((e = credentials_ready(s, name, c, true)) == CALL_OK && (e = call_until(until, c, call, ret)) == CALL_OK)
		credentials_judged(name, ret->status != 401);
	return e;
}

static void give(struct answer *ret, struct upstream_answer *a)
{
	ret->status = a->status;
	ret->body = a->body;
	a->body = BUF_INIT;
	if (a->content_type[0])
		answer_header_add(ret, "Content-Type", a->content_type);
	if (a->etag[0])
		answer_header_add(ret, "ETag", a->etag);
	if (a->last_modified[0])
		answer_header_add(ret, "Last-Modified", a->last_modified);
	if (a->retry_after >= 0) {
		char seconds[16];

		snprintf(seconds, sizeof(seconds), "%d", a->retry_after);
		answer_header_add(ret, "Retry-After", seconds);
	}
}

static enum call_error call_as(struct connect_store *s, struct connection *c, struct exchange *x, const struct request *r,
			       struct answer *ret)
{
	struct upstream_answer a = { .retry_after = -1 };
	enum call_error e;

	if (!served(c, x))
		return CALL_CONNECTION_DENIED;
	if (names_credential(c, r) || queries_credential(c, r->query))
		return CALL_REQUEST_MALFORMED;
	if (!enter(c))
		return CALL_CONNECTION_BUSY;
	e = proxy_call(s, c, &x->call, &a);
	leave(x->name);
	if (e == CALL_OK)
		give(ret, &a);
	upstream_answer_done(&a);
	return e;
}

/* ---- refusing ---- */

/* The path stands in the log for refusals of the list alone: an admin needs it to write the rule. Its query does not. */
static void log_refusal(const struct exchange *x, const struct request *r, enum call_error e)
{
	char site[64], connection[80], method[16], path[200] = "";
	enum log_level level = e == CALL_CONNECTION_DENIED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;

	if (e == CALL_CONNECTION_DENIED)
		text_show(path, sizeof(path), x->call.path);
	log_line(level, "refused: %s: site %s, connection %s, %s%s%s", call_error_code(e),
		 x->site.size ? text_show(site, sizeof(site), x->site) : "-",
		 x->connection.size ? text_show(connection, sizeof(connection), x->connection) : "-",
		 text_show(method, sizeof(method), r->method), path[0] ? " /" : "", path);
}

static void refuse(struct answer *ret, enum call_error e)
{
	ret->status = call_error_status(e);
	answer_header_add(ret, "Content-Type", "application/json");
	answer_header_add(ret, "Postern-Connect-Error", call_error_code(e));
	buf_addf(&ret->body, "{\"error\":\"%s\"}", call_error_code(e));
}

void proxy_handle(void *arg, const struct request *r, struct answer *ret)
{
	struct exchange x = { .headers = BUF_INIT };
	struct connection c = { 0 };
	enum call_error e = CALL_REQUEST_MALFORMED;

	if (understand(&x, r) && (e = find(arg, &x, &c)) == CALL_OK)
		e = call_as(arg, &c, &x, r, ret);
	if (e != CALL_OK) {
		log_refusal(&x, r, e);
		refuse(ret, e);
	}
	connection_done(&c);
	buf_done(&x.headers);
}
