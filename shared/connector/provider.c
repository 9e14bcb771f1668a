/* provider.c -- the client of the connection provider: HTTP over its Unix socket, by libcurl.
 *
 * One thread drives all calls, none holds a thread of the worker. What is sent is the operation's request and the site, never
 * anything of the visitor's: whoever reads this socket learns no token. Every call has a connection of its own, for libcurl
 * would send a request a second time where a kept one turns out to be closed, and a write may not be done twice. */
#include "connector/connector.h"
#include "base/clock.h"
#include "base/text.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define IDLE_MS 60000

struct provider {
	char socket[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;                  /* over all below */
	struct provider_call *calls;           /* reserved or started */
	unsigned count;
	struct provider_call *queued;          /* started, and not yet seen by the thread */
	bool running, stopping;
};

/* What the provider says instead of an upstream's answer. */
static const struct { const char *code; enum reason reason; } refusals[] = {
	{ "request_malformed",    REASON_UPSTREAM_FAILED      },
	{ "connection_unknown",   REASON_CONNECTION_UNKNOWN   },
	{ "connection_denied",    REASON_CONNECTION_DENIED    },
	{ "reauth_needed",        REASON_REAUTH_NEEDED        },
	{ "credentials_failed",   REASON_CREDENTIALS_FAILED   },
	{ "upstream_unreachable", REASON_UPSTREAM_UNREACHABLE },
	{ "upstream_unsafe",      REASON_UPSTREAM_UNSAFE      },
	{ "answer_too_large",     REASON_ANSWER_TOO_LARGE     },
	{ "upstream_timeout",     REASON_UPSTREAM_TIMEOUT     },
	{ "connection_busy",      REASON_CONNECTION_BUSY      },
};

static enum reason refusal_reason(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (strcmp(refusals[i].code, code) == 0)
			return refusals[i].reason;
	return REASON_UPSTREAM_FAILED;
}

/* ---- a call's request ---- */

static bool add_line(struct provider_call *c, const char *line)
{
	struct curl_slist *longer = curl_slist_append(c->lines, line);

	if (longer)
		c->lines = longer;
	return longer != NULL;
}

static bool add_header(struct provider_call *c, const char *name, const char *value)
{
	struct buf line = BUF_INIT;
	bool ok;

	if (!value || !value[0])
		return true;
	buf_add_str(&line, name);
	buf_add_str(&line, ": ");
	buf_add_str(&line, value);
	ok = !line.failed && add_line(c, line.data);
	buf_done(&line);
	return ok;
}

static bool add_number(struct provider_call *c, const char *name, size_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", number);
	return add_header(c, name, text);
}

/* The operation's own: lines that each end with CR LF. */
static bool add_lines(struct provider_call *c, struct span lines)
{
	const char *at = lines.data, *end = at + lines.size, *stop;
	bool ok = true;

	for (; ok && lines.size > 0 && at < end && (stop = memmem(at, (size_t)(end - at), "\r\n", 2)); at = stop + 2) {
		struct buf line = BUF_INIT;

		buf_add(&line, at, (size_t)(stop - at));
		ok = !line.failed && add_line(c, line.data);
		buf_done(&line);
	}
	return ok;
}

/* A header without a value takes libcurl's own out. Retries go by the method: a key alone does not say that the upstream
 * heeds it. */
static bool add_headers(struct provider_call *c)
{
	const struct upstream_request *r = c->request;

	return add_line(c, "Accept:") && add_line(c, "Expect:") && add_line(c, "Content-Type:") &&
	       add_header(c, "Connection-Id", r->connection) &&
	       add_header(c, "Provider-Config-Key", r->provider ? r->provider : r->connection) &&
	       add_header(c, "Postern-Site", c->site) && add_header(c, "Postern-Host", r->host) &&
	       add_number(c, "Postern-Timeout-Ms", r->timeout_ms) && add_number(c, "Postern-Answer-Max", r->answer_max) &&
	       add_header(c, "Retries", r->idempotent ? "2" : "0") && add_lines(c, buf_span(&r->headers)) &&
	       add_header(c, "Nango-Proxy-Content-Type", r->content_type) &&
	       add_header(c, "Nango-Proxy-Idempotency-Key", c->idempotency_key);
}

/* Nothing is kept beyond what the action allows, whatever the other side sends. */
static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct provider_call *c = arg;

	(void)size;                            /* always 1 */
	if (count > c->request->answer_max - c->body.size) {
		c->too_large = true;
		return 0;
	}
	buf_add(&c->body, data, count);
	return c->body.failed ? 0 : count;
}

static bool set_target(CURL *easy, const struct upstream_request *r)
{
	struct buf url = BUF_INIT;
	bool ok;

	buf_add_str(&url, "http://connect");
	buf_add_span(&url, buf_span(&r->target));
	ok = !url.failed && curl_easy_setopt(easy, CURLOPT_URL, url.data) == CURLE_OK;
	buf_done(&url);
	return ok;
}

/* POST and PUT say their length even where it is 0. */
static bool set_body(CURL *easy, const struct upstream_request *r)
{
	bool empty = !r->content_type;

	if (empty && strcmp(r->method, "GET") == 0)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(empty ? 0 : r->body.size)) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDS, empty || !r->body.data ? "" : r->body.data) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
}

/* No proxy, no redirect, no other protocol, no path made shorter: what the operation asks for goes to this socket. */
static bool set_limits(CURL *easy, const struct provider *p, unsigned timeout_ms)
{
	return curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, p->socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms + PROVIDER_GRACE_MS) == CURLE_OK;
}

static bool prepare(const struct provider *p, struct provider_call *c)
{
	CURL *easy = c->easy;

	return add_headers(c) && set_target(easy, c->request) && set_body(easy, c->request) &&
	       set_limits(easy, p, c->request->timeout_ms) &&
	       curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->lines) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, c) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, c) == CURLE_OK &&
	       curl_multi_add_handle(p->multi, easy) == CURLM_OK;
}

/* ---- a call's end ---- */

/* Under the lock. */
static void forget(struct provider *p, struct provider_call *c)
{
	if (c->previous)
		c->previous->next = c->next;
	else
		p->calls = c->next;
	if (c->next)
		c->next->previous = c->previous;
	p->count--;
}

/* c belongs to its caller from done() on. */
static void end(struct provider *p, struct provider_call *c, enum reason reason)
{
	if (c->easy)
		curl_multi_remove_handle(p->multi, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->lines);
	c->easy = c->lines = NULL;
	c->reason = reason;
	c->ms = clock_mono_ms() - c->started_ms;
	pthread_mutex_lock(&p->lock);
	forget(p, c);
	pthread_mutex_unlock(&p->lock);
	c->done(c->arg);
}

static enum reason answer_reason(struct provider_call *c)
{
	struct curl_header *code;
	long status = 0;

	if (curl_easy_header(c->easy, "Postern-Connect-Error", 0, CURLH_HEADER, -1, &code) == CURLHE_OK)
		return refusal_reason(code->value);
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	c->status = (int)status;
	return REASON_NONE;
}

static enum reason outcome_of(struct provider_call *c, CURLcode result)
{
	if (result == CURLE_OK)
		return answer_reason(c);
	if (c->too_large)
		return REASON_ANSWER_TOO_LARGE;
	if (c->body.failed || result == CURLE_OUT_OF_MEMORY)
		return REASON_UPSTREAM_FAILED;
	return result == CURLE_OPERATION_TIMEDOUT ? REASON_UPSTREAM_TIMEOUT : REASON_PROVIDER_UNREACHABLE;
}

/* ---- the thread ---- */

static void begin(struct provider *p, struct provider_call *c)
{
	c->easy = curl_easy_init();
	if (!c->easy || !prepare(p, c))
		end(p, c, REASON_OVERLOADED);
}

static struct provider_call *take_queued(struct provider *p, bool *ret_stopping)
{
	struct provider_call *c;

	pthread_mutex_lock(&p->lock);
	*ret_stopping = p->stopping;
	c = p->queued;
	if (c)
		p->queued = c->queued;
	pthread_mutex_unlock(&p->lock);
	return c;
}

static bool begin_queued(struct provider *p)
{
	struct provider_call *c;
	bool stopping;

	while ((c = take_queued(p, &stopping))) {
		if (stopping)
			end(p, c, REASON_OVERLOADED);
		else
			begin(p, c);
	}
	return !stopping;
}

static void end_finished(struct provider *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left))) {
		struct provider_call *c = NULL;

		if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c) == CURLE_OK && c)
			end(p, c, outcome_of(c, m->data.result));
	}
}

static struct provider_call *in_flight(struct provider *p)
{
	struct provider_call *c;

	pthread_mutex_lock(&p->lock);
	for (c = p->calls; c && !c->easy; c = c->next)
		;
	pthread_mutex_unlock(&p->lock);
	return c;
}

static void *serve(void *arg)
{
	struct provider *p = arg;
	struct provider_call *c;

	while (begin_queued(p)) {
		int active = 0;

		curl_multi_perform(p->multi, &active);
		end_finished(p);
		curl_multi_poll(p->multi, NULL, 0, IDLE_MS, NULL);
	}
	while ((c = in_flight(p)))
		end(p, c, REASON_UPSTREAM_TIMEOUT);
	return NULL;
}

/* ---- for callers ---- */

static void global_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum rc provider_new(const char *socket, struct provider **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct provider *p;

	if (socket[0] != '/' || strlen(socket) >= sizeof(p->socket))
		return RC_INVALID;
	pthread_once(&once, global_init);
	if (!(p = calloc(1, sizeof(*p))))
		return RC_NOMEM;
	memcpy(p->socket, socket, strlen(socket) + 1);
	pthread_mutex_init(&p->lock, NULL);
	if (!(p->multi = curl_multi_init())) {
		provider_free(p);
		return RC_NOMEM;
	}
	*ret = p;
	return RC_OK;
}

/* Under the lock. */
static bool has_room(const struct provider *p, const char *connection)
{
	unsigned same = 0;

	for (const struct provider_call *c = p->calls; c; c = c->next)
		same += strcmp(c->request->connection, connection) == 0;
	return !p->stopping && p->count < PROVIDER_CALLS_MAX && same < PROVIDER_CONNECTION_CALLS_MAX;
}

bool provider_reserve(struct provider *p, struct provider_call *c)
{
	bool ok;

	pthread_mutex_lock(&p->lock);
	if ((ok = has_room(p, c->request->connection))) {
		c->previous = NULL;
		c->next = p->calls;
		if (c->next)
			c->next->previous = c;
		p->calls = c;
		p->count++;
	}
	pthread_mutex_unlock(&p->lock);
	return ok;
}

/* Under the lock. */
static bool enqueue(struct provider *p, struct provider_call *c)
{
	if (!p->stopping && !p->running)
		p->running = pthread_create(&p->thread, NULL, serve, p) == 0;
	if (p->stopping || !p->running)
		return false;
	c->queued = p->queued;
	p->queued = c;
	curl_multi_wakeup(p->multi);
	return true;
}

void provider_start(struct provider *p, struct provider_call *c)
{
	bool begun;

	c->started_ms = clock_mono_ms();
	pthread_mutex_lock(&p->lock);
	begun = enqueue(p, c);                 /* c may be over, and its caller's, once the lock is let go */
	pthread_mutex_unlock(&p->lock);
	if (!begun)
		end(p, c, REASON_OVERLOADED);
}

void provider_drop(struct provider *p, struct provider_call *c)
{
	pthread_mutex_lock(&p->lock);
	forget(p, c);
	pthread_mutex_unlock(&p->lock);
}

void provider_stop(struct provider *p)
{
	bool running;

	pthread_mutex_lock(&p->lock);
	running = p->running;
	p->running = false;
	p->stopping = true;
	if (running)
		curl_multi_wakeup(p->multi);
	pthread_mutex_unlock(&p->lock);
	if (running)
		pthread_join(p->thread, NULL);
}

void provider_free(struct provider *p)
{
	if (!p)
		return;
	provider_stop(p);
	curl_multi_cleanup(p->multi);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
