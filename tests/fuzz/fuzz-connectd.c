/* fuzz-connectd.c -- a request at one of the connection provider's two doors.
 *
 *	METHOD TARGET
 *	Name: value
 *	(an empty line)
 *	body
 *
 * A target below /proxy/ is for the workers' door, any other for the admin's. One connection, "shop", is always there. A
 * call that would leave ends here (the linker puts __wrap_upstream_call in its place), and must be one that the shop's list
 * allows, with no header that could be another's; no answer holds the shop's secret; what an admin saves loads again. */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/connectd/admin.h"
#include "fcgi-app/connectd/allow.h"
#include "fcgi-app/connectd/credentials.h"
#include "fcgi-app/connectd/proxy.h"

#include "base/log.h"
#include "base/text.h"

#include <regex.h>
#include <stdlib.h>

#define CANARY "canary-93ae51"
static const char shop[] = "{\"base_url\":\"https://api.shop.example/v1\",\"sites\":[\"demo\"],"
	"\"allow\":[\"GET /customers/{}/parcels/{}\",\"POST /orders\"],\"auth\":{\"type\":\"api_key\",\"in\":\"header\",\"name\":\"X-Key\"},"
	"\"secret\":{\"api_key\":\"" CANARY "\"},\"test\":\"GET /customers/a/parcels/b\"}";

static struct connect_store *store;
static const struct request *asked;

/* ---- where calls end ---- */

enum call_error __wrap_upstream_call(const struct connection *c, const struct upstream_call *call, struct upstream_answer *ret);
enum call_error __wrap_credentials_ready(struct connect_store *s, const char *name, struct connection *c, bool force_refresh);

static bool matches(const char *pattern, const char *text)
{
	regex_t r;
	bool is;

	REQUIRE(regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB | REG_ICASE) == 0);
	is = regexec(&r, text, 0, NULL, 0) == 0;
	regfree(&r);
	return is;
}

static void check_path(const struct connection *c, const struct upstream_call *call)
{
	char *path = fuzz_text(call->path), *query = fuzz_text(call->query);

	REQUIRE(strlen(path) == call->path.size && strlen(query) == call->query.size);
	REQUIRE(!matches("(^|/)(\\.|%2e)*(/|$)|%2f|%5c|%25|%00|%0[ad]|[^-A-Za-z0-9._~!$&'()*+,;=:@%/]", path));
	REQUIRE(!matches("[^-A-Za-z0-9._~!$&'()*+,;=:@%/?]", query));
	if (strcmp(c->name, "shop") == 0 && strcmp(call->method, "GET") == 0)
		REQUIRE(matches("^customers/[^/]+/parcels/[^/]+$", path));
	else if (strcmp(c->name, "shop") == 0)
		REQUIRE(strcmp(call->method, "POST") == 0 && strcmp(path, "orders") == 0);
	free(path);
	free(query);
}

enum call_error __wrap_upstream_call(const struct connection *c, const struct upstream_call *call, struct upstream_answer *ret)
{
	static const char *const refused[] = { "Authorization", "Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "X-Key" };
	struct span value;

	check_path(c, call);
	REQUIRE(call->timeout_ms >= 1 && call->timeout_ms <= 30000 && call->answer_max > 0 && call->answer_max <= 1 << 20 && call->retries <= 2);
	REQUIRE(fuzz_header_lines(call->headers));
	if (memcmp(asked->path.data, "/proxy/", 7) == 0) {
		for (size_t i = 0; i < ARRAY_LEN(refused); i++)
			REQUIRE((i == 6 && strcmp(c->name, "shop") != 0) || fuzz_header(call->headers, refused[i], &value) == 0);
		REQUIRE(strcmp(call->method, "POST") != 0 || call->retries == 0 || fuzz_header(call->headers, "Idempotency-Key", &value) > 0);
		REQUIRE(request_header_once(asked, "Postern-Site", &value) && connection_serves_site(c, value));
	}
	*ret = (struct upstream_answer){ .status = 200, .retry_after = -1 };
	buf_add_str(&ret->body, "{\"ok\":true}");
	return CALL_OK;
}

/* Tokens of oauth2 would be fetched over the network. */
enum call_error __wrap_credentials_ready(struct connect_store *s, const char *name, struct connection *c, bool force_refresh)
{
	(void)s;
	(void)name;
	(void)c;
	(void)force_refresh;
	return CALL_OK;
}

/* ---- requests ---- */

static void take(struct request *r, struct span rest)
{
	struct span line = span_of("", 0), value;

	fuzz_cut(&rest, '\n', &line);
	r->method = r->path = r->query = span_of("", 0);
	fuzz_cut(&line, ' ', &r->method);
	value = line;
	fuzz_cut(&value, '?', &r->path);
	r->query = value;
	while (fuzz_cut(&rest, '\n', &line) && line.size > 0) {
		struct span name;

		if (!fuzz_cut(&line, ':', &name))
			continue;
		while (line.size && *(const char *)line.data == ' ')
			line = span_of((const char *)line.data + 1, line.size - 1);
		if (r->header_count == REQUEST_HEADERS_MAX)
			r->too_large = true;
		else
			r->header[r->header_count++] = (struct request_header){ name, line };
	}
	r->body = rest;
}

static void check_answer(const struct answer *a)
{
	REQUIRE(a->status >= 200 && a->status <= 599 && a->header_count <= ANSWER_HEADERS_MAX && !a->body.failed);
	for (size_t i = 0; i < a->header_count; i++)
		for (const char *at = a->header[i].value; *at; at++)
			REQUIRE((unsigned char)*at >= 0x20 && *at != 0x7f);
	REQUIRE(!a->body.size || !memmem(a->body.data, a->body.size, CANARY, strlen(CANARY)) || memmem(asked->body.data, asked->body.size, CANARY, strlen(CANARY)) ||
		memmem(asked->path.data, asked->path.size, CANARY, strlen(CANARY)));
}

static void ask(const char *method, const char *path, const char *body, int status)
{
	struct request r = { .method = span_str(method), .path = span_str(path), .body = span_str(body) };
	struct answer a = { .status = 500 };

	asked = &r;
	admin_handle(store, &r, &a);
	REQUIRE(a.status == status || status == 0);
	buf_done(&a.body);
}

/* Whatever is there loads; all but the shop goes. */
static void tidy(void)
{
	json_t *names = NULL, *name;
	size_t i;

	REQUIRE(connect_store_names(store, &names) == RC_OK);
	json_array_foreach(names, i, name) {
		struct connection c = { 0 };
		json_t *shown;

		REQUIRE(connect_store_load(store, json_string_value(name), &c) == RC_OK && (shown = connection_public(&c)) != NULL);
		json_decref(shown);
		connection_done(&c);
		REQUIRE(connect_store_remove(store, json_string_value(name)) == RC_OK);
	}
	json_decref(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request r = { .header_count = 0 };
	struct answer a = { .status = 500 };
	static bool changed = true;
	struct why why = { "" };

	if (!store) {
		char *dir;

		log_set_level(LOG_LEVEL_ERROR);
		REQUIRE(asprintf(&dir, "%s/connect", fuzz_dir()) > 0 && connect_store_open(dir, &store, &why) == RC_OK);
		free(dir);
	}
	if (changed) {
		tidy();
		ask("PUT", "/connections/shop", shop, 0);
	}
	take(&r, span_of(data, size));
	asked = &r;
	changed = r.path.size < 7 || memcmp(r.path.data, "/proxy/", 7) != 0;
	if (changed)
		admin_handle(store, &r, &a);
	else
		proxy_handle(store, &r, &a);
	changed &= !span_is(r.method, "GET");
	check_answer(&a);
	buf_done(&a.body);
	return 0;
}
