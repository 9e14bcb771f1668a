/* fuzz-request.c -- one request, to its reply, over a store of its own.
 *
 *	METHOD PATH
 *	Name: value          what the web server hands over: authorization idempotency-key origin host content-type remote,
 *	                     and site, role, anonymous, metrics of its own
 *	(an empty line)
 *	body
 *
 * {{alex}} and others in a value or the body become tokens (gate.c). Whoever reads the answer gets a whole one; nobody gets
 * what is somebody else's; a value that is not the site's own signature makes nobody somebody; and what was refused
 * for its token, or done, stands in the log under the answer's id. */
#include "tests/fuzz/gate.h"

#include "fcgi-app/route.h"
#include "base/text.h"

#include <stdlib.h>

enum parameter { P_AUTHORIZATION, P_KEY, P_ORIGIN, P_HOST, P_TYPE, P_REMOTE, P_SITE, P_ROLE, P_ANONYMOUS, P_METRICS, P_COUNT };
static const char *const names[P_COUNT] = {
	"authorization", "idempotency-key", "origin", "host", "content-type", "remote", "site", "role", "anonymous", "metrics",
};

struct input {
	struct span method, path, body;
	struct { size_t count; struct buf first; } p[P_COUNT];
	struct buf filled_body;
};

static void take_line(struct input *in, struct span line)
{
	struct span name;

	if (!fuzz_cut(&line, ':', &name))
		return;
	while (line.size && *(const char *)line.data == ' ' && line.size > 1)
		line = span_of((const char *)line.data + 1, line.size - 1);
	for (int i = 0; i < P_COUNT; i++)
		if (ascii_equal_nocase(name, names[i]) && in->p[i].count++ == 0)
			gate_fill(&in->p[i].first, line);
}

static void take(struct input *in, struct span rest)
{
	struct span line = span_of("", 0);

	fuzz_cut(&rest, '\n', &line);
	in->method = in->path = span_of("", 0);
	if (fuzz_cut(&line, ' ', &in->method))
		in->path = line;
	while (fuzz_cut(&rest, '\n', &line) && line.size > 0)
		take_line(in, line);
	if (rest.size <= BODY_MAX)
		gate_fill(&in->filled_body, rest);
	in->body = buf_span(&in->filled_body);
	if (in->body.size > BODY_MAX)
		in->body.size = BODY_MAX;
}

static struct span first(const struct input *in, enum parameter p)
{
	return in->p[p].count ? buf_span(&in->p[p].first) : span_of(NULL, 0);
}

/* As request.c fills it from FastCGI's parameters. */
static void fill(const struct input *in, struct request *r)
{
	struct target t = {
		.method = in->method, .path_info = in->path, .metrics = span_is(first(in, P_METRICS), "1"),
		.role_count = in->p[P_ROLE].count, .role = first(in, P_ROLE),
	};

	r->site_pin_count = in->p[P_SITE].count;
	r->site_pin = first(in, P_SITE);
	r->authorization_count = in->p[P_AUTHORIZATION].count;
	r->authorization = first(in, P_AUTHORIZATION);
	r->idempotency_key_count = in->p[P_KEY].count;
	r->idempotency_key = first(in, P_KEY);
	r->has_origin = in->p[P_ORIGIN].count > 0;
	r->origin = first(in, P_ORIGIN);
	r->host = first(in, P_HOST);
	r->content_type = first(in, P_TYPE);
	r->remote = first(in, P_REMOTE);
	r->anonymous_allowed = span_is(first(in, P_ANONYMOUS), "allow");
	r->body = in->body;
	route(&t, r);
}

/* ---- what must hold ---- */

static void check_headers(const struct gate *g, const struct answer *a)
{
	struct span headers = buf_span(&a->headers), value;

	REQUIRE(fuzz_header_lines(headers));
	REQUIRE(fuzz_header(headers, "X-Request-Id", &value) == 1 && span_is(value, exchange_id(g->exchange)));
	REQUIRE(fuzz_header(headers, "Cache-Control", &value) == 1 && span_is(value, "no-store"));
	REQUIRE(fuzz_header(headers, "Content-Type", &value) <= 1);
	REQUIRE(fuzz_header(headers, "WWW-Authenticate", &value) == (a->status == 401));
}

static void check_body(const struct request *r, const struct answer *a)
{
	json_t *body;

	if (a->status == 204 || (a->status == 200 && (r->endpoint->guards || a->content_type))) {
		REQUIRE(a->status == 200 || a->body.size == 0);
		return;
	}
	body = fuzz_json(buf_span(&a->body));
	REQUIRE(json_is_object(body));
	if (a->status >= 400 && strcmp(r->endpoint->name, "health") != 0)
		REQUIRE(span_is(json_span(json_object_get(body, "code")), reason_name(a->code)));
	json_decref(body);
}

/* What it says of who is asking. */
static const char *status_of(const struct request *r, const struct answer *a, struct span *ret_email)
{
	static char status[32];
	json_t *body;
	const json_t *identity;

	*ret_email = span_of("", 0);
	status[0] = '\0';
	if (a->status != 200)
		return status;
	if (r->endpoint->guards) {
		struct span value;

		fuzz_header(buf_span(&a->headers), "X-Postern-Email", ret_email);
		if (fuzz_header(buf_span(&a->headers), "X-Postern-Decision", &value) == 1 && value.size < sizeof(status))
			snprintf(status, sizeof(status), "%.*s", (int)value.size, (const char *)value.data);
		return status;
	}
	body = fuzz_json(buf_span(&a->body));
	identity = json_object_get(json_object_get(body, "identity"), "status");
	if (json_is_string(identity))
		snprintf(status, sizeof(status), "%s", json_string_value(identity));
	json_decref(body);
	return status;
}

static void check_identity(const struct request *r, const struct answer *a, enum visitor who)
{
	struct span email;
	const char *status = status_of(r, a, &email);

	REQUIRE(strcmp(status, "verified") != 0 || who != VISITOR_NONE);
	REQUIRE(email.size == 0 || who != VISITOR_NONE);
	if (a->status == 200 && r->endpoint->guards)
		REQUIRE(status[0] && (strcmp(status, "verified") == 0 || r->anonymous_allowed));
	/* A bad token is never no token. */
	if (a->status == 200 && r->authorization_count > 0 && r->endpoint->last >= STEP_TOKEN && strcmp(status, "anonymous") == 0) {
		struct span text = span_of("", 0);

		REQUIRE(r->authorization_count == 1);
		if (token_from_authorization(1, r->authorization, &text) == REASON_NONE)
			REQUIRE(memmem(buf_span(&a->body).data, a->body.size, "email_", 6) || r->endpoint->guards || r->endpoint->runs_action);
	}
}

struct log { uint64_t size; bool blocked, done; };

static bool look(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	(void)seq;
	(void)line;
	(void)arg;
	REQUIRE(record);
	return true;
}

/* What the log says of this answer. */
static struct log read_log(struct gate *g, uint64_t from)
{
	static const struct audit_filter any = { 0 };
	struct txn *t = txn_read(g->store, ENV_LEDGER);
	struct log log = { .size = audit_size(t) };
	uint64_t next;
	bool end;

	REQUIRE(from == UINT64_MAX || audit_scan(t, &any, from, 64, look, NULL, &next, &end) == RC_OK);
	for (uint64_t seq = from; from != UINT64_MAX && seq < log.size; seq++) {
		struct span line;
		json_t *record;

		REQUIRE(audit_get(t, seq, &line) && (record = fuzz_json(line)) != NULL);
		if (span_is(json_span(json_object_get(record, "id")), exchange_id(g->exchange))) {
			log.blocked |= span_is(json_span(json_object_get(record, "outcome")), "blocked");
			log.done |= span_is(json_span(json_object_get(record, "outcome")), "done");
		}
		json_decref(record);
	}
	txn_abort(t);
	return log;
}

static void check_log(struct gate *g, const struct request *r, const struct answer *a, uint64_t before)
{
	struct log log = read_log(g, before);

	REQUIRE(log.size >= before);
	if (a->code == REASON_TOKEN_INVALID || a->code == REASON_TOKEN_EXPIRED)
		REQUIRE(log.blocked && !log.done);
	else
		REQUIRE(!log.blocked);
	/* A public read may be recorded after its answer. */
	if (a->status == 200 && r->endpoint->runs_action && !span_is(r->action, "browse_products"))
		REQUIRE(log.done);
	REQUIRE(a->status == 200 || !log.done);
}

static void input_done(struct input *in)
{
	for (int i = 0; i < P_COUNT; i++)
		buf_done(&in->p[i].first);
	buf_done(&in->filled_body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gate *g = gate_get();
	struct input in = { .method = { 0 } };
	const struct request *r = exchange_request(g->exchange);
	const struct answer *a;
	enum visitor who;
	uint64_t before = read_log(g, UINT64_MAX).size;

	take(&in, span_of(data, size));
	exchange_begin(g->exchange);
	fill(&in, exchange_request(g->exchange));
	who = r->authorization_count == 1 ? gate_signed(r->authorization) : VISITOR_NONE;
	a = gate_run(g);
	REQUIRE(a->status >= 200 && a->status <= 599);
	REQUIRE((a->code == REASON_NONE) == (a->status < 400) || strcmp(r->endpoint->name, "health") == 0);
	check_headers(g, a);
	check_body(r, a);
	check_identity(r, a, who);
	gate_require_private(buf_span(&a->body), span_of(data, size), who);
	gate_require_private(buf_span(&a->headers), span_of(data, size), who);
	check_log(g, r, a, before);
	exchange_clear(g->exchange);
	input_done(&in);
	return 0;
}
