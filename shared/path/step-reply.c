/* step-reply.c -- the answer: JSON of a success, or application/problem+json (RFC 9457) whose every sentence is fixed.
 *
 * Nothing of the request is echoed; a header value is ours, or a setting checked when the admin made it. */
#include "path/path-private.h"

static const struct { int status; const char *title; } titles[] = {
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" }, { 409, "Conflict" }, { 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" }, { 429, "Too Many Requests" },
	{ 500, "Internal Server Error" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
};

static const char *title_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

static bool names_sign_in(enum reason code)
{
	return code == REASON_SIGN_IN_REQUIRED || code == REASON_TOKEN_EXPIRED;
}

static void problem_errors(struct buf *b, const struct problems *p)
{
	buf_add_str(b, ",\"errors\":[");
	for (size_t i = 0; i < problems_kept(p); i++) {
		buf_add_str(b, i ? ",{\"pointer\":" : "{\"pointer\":");
		buf_add_json(b, span_str(p->list[i].pointer));
		buf_add_str(b, ",\"detail\":");
		buf_add_json(b, span_str(p->list[i].detail));
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void problem(struct exchange *x)
{
	struct buf *b = &x->out.body;
	enum reason code = x->out.code;

	buf_addf(b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", title_of(x->out.status), x->out.status);
	buf_add_json(b, span_str(reason_text(code)));
	buf_addf(b, ",\"code\":\"%s\"", reason_name(code));
	if (x->out.status == 400)
		problem_errors(b, &x->problems);
	if (names_sign_in(code) && x->view && x->view->site.sign_in_url[0]) {
		buf_add_str(b, ",\"sign_in_url\":");
		buf_add_json(b, span_str(x->view->site.sign_in_url));
	}
	buf_add_char(b, '}');
}

static void header(struct exchange *x, const char *name, const char *value)
{
	struct buf *b = &x->out.headers;

	buf_add_str(b, name);
	buf_add_str(b, ": ");
	buf_add_str(b, value);
	buf_add_str(b, "\r\n");
}

static void cors_headers(struct exchange *x)
{
	const struct site *s = exchange_site(x);

	if (!s || s->origins.count == 0)
		return;
	header(x, "Vary", "Origin");
	if (!x->in.has_origin || !origin_listed(s, x->in.origin))
		return;
	/* Equal to a listed origin, so as safe as that setting. */
	buf_addf(&x->out.headers, "Access-Control-Allow-Origin: %.*s\r\n", (int)x->in.origin.size, (const char *)x->in.origin.data);
	if (x->in.endpoint != &path_endpoint_preflight)
		return;
	header(x, "Access-Control-Allow-Methods", x->in.allow);
	header(x, "Access-Control-Allow-Headers", "authorization, content-type, idempotency-key");
	header(x, "Access-Control-Max-Age", "600");
}

static void challenge(struct exchange *x)
{
	bool of_token = x->out.code == REASON_TOKEN_EXPIRED || x->out.code == REASON_TOKEN_INVALID;

	buf_addf(&x->out.headers, "WWW-Authenticate: Bearer realm=\"%s\"%s\r\n", x->view->site.id,
		 of_token ? ", error=\"invalid_token\"" : "");
}

static void headers(struct exchange *x)
{
	int status = x->out.status;

	if (x->out.body.size)
		header(x, "Content-Type", x->out.content_type ? x->out.content_type
				: x->out.code == REASON_NONE ? "application/json" : "application/problem+json");
	header(x, "Cache-Control", "no-store");
	header(x, "X-Content-Type-Options", "nosniff");
	header(x, "X-Request-Id", x->id);
	if (status == 401 && x->view)
		challenge(x);
	if (x->in.allow && (status == 405 || status == 204))
		header(x, "Allow", x->in.allow);
	if (status == 503 || status == 429)
		header(x, "Retry-After", status == 503 ? "2" : "10");
	if (x->replayed)
		header(x, "Idempotent-Replayed", "true");
	cors_headers(x);
}

/* Out of memory, so once more and shorter, for which the memory is most likely there already. */
static void overloaded(struct exchange *x)
{
	buf_clear(&x->out.body);
	buf_clear(&x->out.headers);
	x->out.status = 503;
	x->out.code = REASON_OVERLOADED;
	problem(x);
	if (x->out.body.failed)
		buf_clear(&x->out.body);
	headers(x);
}

enum step_result step_reply(struct exchange *x)
{
	exchange_release(x);
	if (x->reason == REASON_NONE) {
		x->out.status = 200;
		x->in.endpoint->answer(x);              /* may set another status */
	} else {
		x->out.code = reason_public(x->reason);
		x->out.status = reason_status(x->out.code);
		problem(x);
	}
	headers(x);
	if (x->out.body.failed || x->out.headers.failed)
		overloaded(x);
	metrics_count(x->path, x);
	return STEP_NEXT;
}
