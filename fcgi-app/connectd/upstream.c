/* upstream.c -- one call to an upstream: its URL, its credential, its tries. */
#include "fcgi-app/connectd/upstream.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/text.h"
#include "fcgi-app/connectd/credential.h"
#include "fcgi-app/connectd/transfer.h"

#include <curl/curl.h>

#include <stdlib.h>
#include <time.h>

#define WAIT_MS 200                    /* before the second try at most; twice that before the third */

enum rc upstream_start(void)
{
	unsetenv("SSLKEYLOGFILE");              /* libcurl would write the sessions' keys there */
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? RC_OK : RC_IO;
}

void upstream_end(void)
{
	curl_global_cleanup();
}

void upstream_answer_done(struct upstream_answer *a)
{
	buf_done(&a->body);
}

/* ---- the URL ---- */

/* Visible ASCII without what ends a path or query: a part of the URL stays that part. */
static bool is_part(struct span part, const char *ends)
{
	const char *at = part.data;

	for (size_t i = 0; i < part.size; i++)
		if (strchr(ends, at[i]))
			return false;
	return ascii_is_visible(part);
}

/* In the secure heap only where an API key is in it: that heap is small, and how long a URL is the worker says. */
struct url { struct secret *secret; struct buf plain; const char *text; };

static void url_make(struct url *u, const struct connection *c, const struct upstream_call *call, const struct credential *key)
{
	struct span own = key->query ? secret_span(key->query) : span_str("");
	struct span parts[] = {
		span_str(c->base_url), span_str("/"), call->path, span_str(call->query.size || own.size ? "?" : ""),
		call->query, span_str(call->query.size && own.size ? "&" : ""), own,
	};

	*u = (struct url){ .plain = BUF_INIT };
	if (key->query) {
		u->secret = secret_join(parts, ARRAY_LEN(parts));
		u->text = u->secret ? (const char *)u->secret->data : NULL;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_add_span(&u->plain, parts[i]);
	u->text = u->plain.failed ? NULL : u->plain.data;
}

static void url_done(struct url *u)
{
	secret_free(u->secret);
	buf_done(&u->plain);
}

/* ---- the tries ---- */

static bool worth_another_try(enum call_error e, const struct transfer *t, const struct upstream_answer *a)
{
	if (e != CALL_OK)
		return e == CALL_UPSTREAM_UNREACHABLE && !t->lasting;
	return a->status == 429 || a->status == 502 || a->status == 503 || a->status == 504;
}

/* Between half of the most and the most, so that calls that failed together do not come back together. */
static uint64_t wait_before(unsigned tried, int retry_after)
{
	uint64_t most = (uint64_t)WAIT_MS << tried, chance = 0;

	if (retry_after > 0)
		most += (uint64_t)retry_after * 1000;
	if (crypto_random(&chance, sizeof(chance)) != RC_OK)
		chance = 0;
	return most - chance % (((uint64_t)WAIT_MS << tried) / 2);
}

static void wait_ms(uint64_t ms)
{
	struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) != 0)
		;
}

/* A wait that would not end before the deadline is not begun: what came last is the answer. */
static enum call_error run_tries(struct transfer *t, const struct upstream_call *call, struct upstream_answer *ret)
{
	uint64_t deadline = clock_mono_ms() + call->timeout_ms;

	for (unsigned tried = 0;; tried++) {
		uint64_t now = clock_mono_ms(), wait;
		enum call_error e;

		if (now >= deadline)
			return CALL_UPSTREAM_TIMEOUT;
		t->timeout_ms = (unsigned)(deadline - now);
		e = transfer_run(t, ret);
		if (tried >= call->retries || !worth_another_try(e, t, ret))
			return e;
		wait = wait_before(tried, e == CALL_OK ? ret->retry_after : -1);
		if (clock_mono_ms() + wait >= deadline)
			return e;
		if (e == CALL_OK)
			upstream_answer_done(ret);
		wait_ms(wait);
	}
}

static enum call_error call_with(const struct connection *c, const struct upstream_call *call,
				 const struct credential *key, struct upstream_answer *ret)
{
	struct transfer t = {
		.connection = c, .method = call->method, .headers = call->headers, .header = key->header, .body = call->body,
		.has_body = call->has_body, .answer_max = call->answer_max,
	};
	enum call_error e;
	struct url url;

	url_make(&url, c, call, key);
	t.url = url.text;
	e = url.text ? run_tries(&t, call, ret) : CALL_UPSTREAM_UNREACHABLE;
	url_done(&url);
	return e;
}

enum call_error upstream_call(const struct connection *c, const struct upstream_call *call, struct upstream_answer *ret)
{
	struct credential key;
	enum call_error e = CALL_CREDENTIALS_FAILED;

	*ret = (struct upstream_answer){ .retry_after = -1 };
	if (!is_part(call->path, "?#") || !is_part(call->query, "#"))
		return CALL_REQUEST_MALFORMED;
	if (credential_make(c, &key) == RC_OK)
		e = call_with(c, call, &key, ret);
	credential_done(&key);
	return e;
}
