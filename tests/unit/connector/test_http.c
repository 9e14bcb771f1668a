/* The http connector: what it may say, the request it makes of hostile values, and what it takes for an answer. */
#include "connector/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define ANY "{\"type\":\"object\",\"properties\":{\"v\":{},\"w\":{}}}"
#define OPEN "{\"type\":\"http\",\"connection\":\"shop\","
#define MINE "{\"$identity\":\"email\"}"
#define V "{\"$input\":\"v\"}"
#define GET OPEN "\"method\":\"GET\",\"path\":[\"customers\"," MINE ",\"orders\"]"
#define POST OPEN "\"method\":\"POST\",\"path\":[\"customers\"," MINE "]"

static struct identity alex = {
	.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "Alex", .user_id = "1042",
};
static struct identity nobody = { .decision = DECISION_ANONYMOUS };

static json_t *parse(const char *text)
{
	json_t *value = NULL;

	if (json_strict(span_str(text), 64, &value, NULL) != RC_OK)
		fail_msg("no JSON: %s", text);
	return value;
}

/* ---- at load ---- */

static enum rc compile(const char *source, const char *schema, enum access access, enum effect effect,
		       struct connector **ret, struct problems *problems)
{
	json_t *parameters = parse(schema);
	json_t *value = parse(source);
	struct connector_rules rules = { access, effect, parameters };
	enum rc rc = connector_compile(value, span_str("/c"), &rules, ret, problems);

	json_decref(parameters);
	json_decref(value);
	return rc;
}

static struct connector *made(const char *source, enum access access, enum effect effect)
{
	struct problems problems = { 0 };
	struct connector *c = NULL;

	if (compile(source, ANY, access, effect, &c, &problems) != RC_OK)
		fail_msg("%s: %s: %s", source, problems.list[0].pointer, problems.list[0].detail);
	assert_true(connector_leaves(c));
	assert_false(connector_writes(c));
	return c;
}

static void compiles(const char *source, enum access access, enum effect effect)
{
	connector_free(made(source, access, effect));
}

static void mistaken_with(const char *source, const char *schema, enum access access, enum effect effect,
			  const char *pointer)
{
	struct problems problems = { 0 };
	struct connector *c = NULL;
	enum rc rc = compile(source, schema, access, effect, &c, &problems);

	if (rc != RC_INVALID || problems.count != 1 || strcmp(problems.list[0].pointer, pointer) != 0)
		fail_msg("%zu problems in %s, the first at %s", problems.count, source,
			 problems.count ? problems.list[0].pointer : "no place");
	assert_null(c);
	problems_done(&problems);
}

static void mistaken(const char *source, enum effect effect, const char *pointer)
{
	mistaken_with(source, ANY, ACCESS_PERSONAL, effect, pointer);
}

static void every_form_compiles(void **state)
{
	(void)state;
	compiles(GET "}", ACCESS_PERSONAL, EFFECT_READ);
	compiles(GET ",\"provider\":\"shop-eu\",\"host\":\"api.shop.example:8443\",\"timeout\":\"30s\",\"answer_max\":1048576}",
		 ACCESS_PERSONAL, EFFECT_READ);
	compiles(GET ",\"query\":{\"a\":1,\"b\":[true,1.5," V "]},\"headers\":{\"X-Shop\":\"main\",\"X-V\":" V "}}",
		 ACCESS_PERSONAL, EFFECT_READ);
	compiles(POST ",\"json\":{\"deep\":[{\"v\":" V "}]}}", ACCESS_PERSONAL, EFFECT_WRITE);
	compiles(POST ",\"form\":{\"v\":" V "}}", ACCESS_PERSONAL, EFFECT_DESTRUCTIVE);
	compiles(GET ",\"result\":\"/a\"}", ACCESS_PERSONAL, EFFECT_READ);
	compiles(GET ",\"result\":{\"n\":{\"m\":\"/a/0\"},\"l\":{\"$each\":\"/a\",\"of\":{\"x\":\"/x\"}}}}",
		 ACCESS_PERSONAL,
		 EFFECT_READ);
	compiles(OPEN "\"method\":\"GET\",\"path\":[\"status\"]}", ACCESS_PUBLIC, EFFECT_READ);
}

static void what_must_be_there_is_missed(void **state)
{
	(void)state;
	mistaken("{\"type\":\"http\",\"method\":\"GET\",\"path\":[" MINE "]}", EFFECT_READ, "/c/connection");
	mistaken(OPEN "\"path\":[" MINE "]}", EFFECT_READ, "/c/method");
	mistaken_with(OPEN "\"method\":\"GET\"}", ANY, ACCESS_PUBLIC, EFFECT_READ, "/c/path");
	mistaken(GET ",\"url\":\"https://shop.example\"}", EFFECT_READ, "/c/url");
}

static void where_it_goes_is_constant(void **state)
{
	(void)state;
	mistaken("{\"type\":\"http\",\"connection\":" V ",\"method\":\"GET\",\"path\":[" MINE "]}", EFFECT_READ,
		 "/c/connection");
	mistaken("{\"type\":\"http\",\"connection\":\"Shop\",\"method\":\"GET\",\"path\":[" MINE "]}", EFFECT_READ,
		 "/c/connection");
	mistaken(GET ",\"provider\":\"a b\"}", EFFECT_READ, "/c/provider");
	mistaken(GET ",\"host\":" V "}", EFFECT_READ, "/c/host");
	mistaken(GET ",\"host\":\"a/b\"}", EFFECT_READ, "/c/host");
	mistaken(GET ",\"host\":\"user@shop.example\"}", EFFECT_READ, "/c/host");
	mistaken(GET ",\"host\":\"\"}", EFFECT_READ, "/c/host");
	mistaken(OPEN "\"method\":" V ",\"path\":[" MINE "]}", EFFECT_READ, "/c/method");
	mistaken(OPEN "\"method\":\"get\",\"path\":[" MINE "]}", EFFECT_READ, "/c/method");
	mistaken(OPEN "\"method\":\"CONNECT\",\"path\":[" MINE "]}", EFFECT_READ, "/c/method");
}

static void a_read_action_only_reads(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "PATCH", "DELETE" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct buf source = BUF_INIT;

		buf_addf(&source, OPEN "\"method\":\"%s\",\"path\":[" MINE "]}", methods[i]);
		mistaken(source.data, EFFECT_READ, "/c/method");
		compiles(source.data, ACCESS_PERSONAL, EFFECT_WRITE);
		buf_done(&source);
	}
}

static void path_is_made_of_segments(void **state)
{
	static const char *const bad[] = {
		"\"\"", "\".\"", "\"..\"", "\"a/b\"", "\"a\\\\b\"", "\"a%2fb\"", "\"a\\nb\"", "7", "null", "[\"a\"]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf source = BUF_INIT;

		buf_addf(&source, OPEN "\"method\":\"GET\",\"path\":[" MINE ",%s]}", bad[i]);
		mistaken(source.data, EFFECT_READ, "/c/path/1");
		buf_done(&source);
	}
	mistaken(OPEN "\"method\":\"GET\",\"path\":[" MINE ",{\"$input\":\"x\"}]}", EFFECT_READ, "/c/path/1/$input");
	mistaken(OPEN "\"method\":\"GET\",\"path\":[" MINE ",{\"$claim\":\"sub\"}]}", EFFECT_READ, "/c/path/1/$claim");
	mistaken_with(OPEN "\"method\":\"GET\",\"path\":[]}", ANY, ACCESS_PUBLIC, EFFECT_READ, "/c/path");
	mistaken_with(OPEN "\"method\":\"GET\",\"path\":\"/orders\"}", ANY, ACCESS_PUBLIC, EFFECT_READ, "/c/path");
}

static void query_headers_and_bodies_are_checked(void **state)
{
	(void)state;
	mistaken(GET ",\"query\":" V "}", EFFECT_READ, "/c/query");
	mistaken(GET ",\"query\":{\"a\":null}}", EFFECT_READ, "/c/query/a");
	mistaken(GET ",\"query\":{\"a\":{\"b\":1}}}", EFFECT_READ, "/c/query/a");
	mistaken(GET ",\"query\":{\"a\":[1,[2]]}}", EFFECT_READ, "/c/query/a/1");
	mistaken(GET ",\"query\":{\"\":1}}", EFFECT_READ, "/c/query/");
	mistaken(GET ",\"headers\":{\"X-A\":\"a\\r\\nb\"}}", EFFECT_READ, "/c/headers/X-A");
	mistaken(GET ",\"headers\":{\"X-A\":\" a\"}}", EFFECT_READ, "/c/headers/X-A");
	mistaken(GET ",\"headers\":{\"X-A\":[\"a\"]}}", EFFECT_READ, "/c/headers/X-A");
	mistaken(GET ",\"headers\":{\"X A\":\"a\"}}", EFFECT_READ, "/c/headers/X A");
	mistaken(GET ",\"headers\":{\"X:A\":\"a\"}}", EFFECT_READ, "/c/headers/X:A");
	mistaken(GET ",\"json\":{\"a\":1}}", EFFECT_READ, "/c/json");
	mistaken(GET ",\"form\":{\"a\":1}}", EFFECT_READ, "/c/form");
	mistaken(POST ",\"json\":" V "}", EFFECT_WRITE, "/c/json");
	mistaken(POST ",\"json\":\"text\"}", EFFECT_WRITE, "/c/json");
	mistaken(POST ",\"json\":{\"a\":{\"$input\":\"x\"}}}", EFFECT_WRITE, "/c/json/a/$input");
	mistaken(POST ",\"json\":{\"a\":1},\"form\":{\"a\":1}}", EFFECT_WRITE, "/c/form");
}

static void headers_of_the_connection_are_not_set(void **state)
{
	static const char *const names[] = {
		"Authorization", "COOKIE", "host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection",
		"TE",
		"Upgrade", "Expect", "Accept-Encoding", "Keep-Alive", "Proxy-Authorization", "proxy-x",
		"Idempotency-Key",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf source = BUF_INIT, pointer = BUF_INIT;

		buf_addf(&source, GET ",\"headers\":{\"%s\":\"x\"}}", names[i]);
		buf_addf(&pointer, "/c/headers/%s", names[i]);
		mistaken(source.data, EFFECT_READ, pointer.data);
		buf_done(&source);
		buf_done(&pointer);
	}
}

static void limits_are_limited(void **state)
{
	static const char *const times[] = { "\"0s\"", "\"31s\"", "\"1m\"", "\"10\"", "10", "\"-1s\"", "null" };
	static const char *const sizes[] = { "0", "-1", "1048577", "\"1\"", "1.5", "null" };
	struct buf source = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++, buf_clear(&source)) {
		buf_addf(&source, GET ",\"timeout\":%s}", times[i]);
		mistaken(source.data, EFFECT_READ, "/c/timeout");
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++, buf_clear(&source)) {
		buf_addf(&source, GET ",\"answer_max\":%s}", sizes[i]);
		mistaken(source.data, EFFECT_READ, "/c/answer_max");
	}
	buf_done(&source);
}

static void mapping_and_owner_check_are_checked(void **state)
{
	(void)state;
	mistaken(GET ",\"result\":7}", EFFECT_READ, "/c/result");
	mistaken(GET ",\"result\":\"a\"}", EFFECT_READ, "/c/result");
	mistaken(GET ",\"result\":{\"a\":\"/~2\"}}", EFFECT_READ, "/c/result/a");
	mistaken(GET ",\"result\":{\"a\":" V "}}", EFFECT_READ, "/c/result/a");
	mistaken(GET ",\"result\":{\"$each\":\"/a\"}}", EFFECT_READ, "/c/result/of");
	mistaken(GET ",\"result\":{\"$each\":\"a\",\"of\":\"/b\"}}", EFFECT_READ, "/c/result/$each");
	mistaken(GET ",\"result\":{\"$each\":\"/a\",\"of\":\"/b\",\"x\":\"/c\"}}", EFFECT_READ, "/c/result/x");
	mistaken(GET ",\"owner_check\":\"/a\"}", EFFECT_READ, "/c/owner_check");
	mistaken(GET ",\"owner_check\":{\"equals\":" MINE "}}", EFFECT_READ, "/c/owner_check/pointer");
	mistaken(GET ",\"owner_check\":{\"pointer\":\"/a\"}}", EFFECT_READ, "/c/owner_check/equals");
	mistaken(GET ",\"owner_check\":{\"pointer\":\"/a\",\"equals\":" V "}}", EFFECT_READ, "/c/owner_check/equals");
	mistaken(GET ",\"owner_check\":{\"pointer\":\"/a\",\"equals\":{\"$identity\":\"name\"}}}", EFFECT_READ,
		 "/c/owner_check/equals");
	mistaken(GET ",\"owner_check\":{\"pointer\":\"/a\",\"equals\":" MINE ",\"each\":1}}", EFFECT_READ,
		 "/c/owner_check/each");
	mistaken(GET ",\"owner_check\":{\"pointer\":\"/a\",\"equals\":" MINE ",\"x\":1}}", EFFECT_READ,
		 "/c/owner_check/x");
	mistaken_with(OPEN "\"method\":\"GET\",\"path\":[\"a\"],\"owner_check\":{\"pointer\":\"/a\",\"equals\":" MINE "}}", ANY,
		      ACCESS_PUBLIC, EFFECT_READ, "/c/owner_check");
}

#define CHECK ",\"owner_check\":{\"pointer\":\"/customer/email\",\"equals\":" MINE "}"

static void a_personal_action_asks_as_somebody(void **state)
{
	static const char bare[] = OPEN "\"method\":\"GET\",\"path\":[\"orders\"," V "]}";

	(void)state;
	mistaken(bare, EFFECT_READ, "/c");
	compiles(bare, ACCESS_PUBLIC, EFFECT_READ);
	mistaken(OPEN "\"method\":\"GET\",\"path\":[\"orders\",{\"$identity\":\"name\"}]}", EFFECT_READ, "/c");
	mistaken(OPEN "\"method\":\"PUT\",\"path\":[\"orders\"," V "]" CHECK "}", EFFECT_WRITE, "/c");
	mistaken(OPEN "\"method\":\"GET\",\"path\":[\"email\"]}", EFFECT_READ, "/c");
	compiles(OPEN "\"method\":\"GET\",\"path\":[\"orders\"," V "]" CHECK "}", ACCESS_PERSONAL, EFFECT_READ);
	compiles(OPEN "\"method\":\"GET\",\"path\":[\"o\"],\"query\":{\"u\":[{\"$identity\":\"user_id\"}]}}",
		 ACCESS_PERSONAL,
		 EFFECT_READ);
	compiles(OPEN "\"method\":\"GET\",\"path\":[\"o\"],\"headers\":{\"X-U\":" MINE "}}", ACCESS_PERSONAL,
		 EFFECT_READ);
	compiles(OPEN "\"method\":\"POST\",\"path\":[\"o\"],\"json\":{\"a\":[{\"b\":" MINE "}]}}", ACCESS_PERSONAL,
		 EFFECT_WRITE);
	compiles(OPEN "\"method\":\"POST\",\"path\":[\"o\"],\"form\":{\"a\":" MINE "}}", ACCESS_PERSONAL, EFFECT_WRITE);
}

#define SCHEMA(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define STRING ":{\"type\":\"string\"}"

static void a_parameter_that_looks_like_an_identity_is_refused(void **state)
{
	static const char *const schemas[] = {
		SCHEMA("\"customer_ref\"" STRING), SCHEMA("\"Email2\"" STRING), SCHEMA("\"contact_E-MAIL\"" STRING),
		SCHEMA("\"UserID\"" STRING), SCHEMA("\"user_id_\"" STRING), SCHEMA("\"customer\":{}"),
		SCHEMA("\"customer\":{\"type\":\"integer\"}"), SCHEMA("\"customer\":{\"type\":[\"null\",\"string\"]}"),
		SCHEMA("\"a\":{\"type\":\"object\",\"properties\":{\"customer\"" STRING "}}"),
		SCHEMA("\"a\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"customer\"" STRING "}}}"),
		SCHEMA("\"customers\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"),
		SCHEMA("\"customers\":{\"type\":\"array\"}"),
	};
	struct connector *c = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		mistaken_with(GET "}", schemas[i], ACCESS_PERSONAL, EFFECT_READ, "/c/not_identity");
		mistaken_with(GET "}", schemas[i], ACCESS_PUBLIC, EFFECT_READ, "/c/not_identity");
	}
	assert_int_equal(compile(GET "}", SCHEMA("\"is_customer\":{\"type\":\"boolean\"}"), ACCESS_PERSONAL,
				 EFFECT_READ, &c,
				 NULL), RC_OK);
	connector_free(c);
}

static void what_is_no_identity_is_listed(void **state)
{
	static const char listed[] = GET ",\"not_identity\":[\"customer_ref\"]}";
	struct connector *c = NULL;

	(void)state;
	assert_int_equal(compile(listed, SCHEMA("\"customer_ref\"" STRING), ACCESS_PERSONAL, EFFECT_READ, &c, NULL),
			 RC_OK);
	connector_free(c);
	mistaken_with(listed, SCHEMA("\"customer_ref\"" STRING ",\"customer_no\"" STRING), ACCESS_PERSONAL, EFFECT_READ,
		      "/c/not_identity");
	mistaken(listed, EFFECT_READ, "/c/not_identity");
	mistaken(GET ",\"not_identity\":[\"v\"]}", EFFECT_READ, "/c/not_identity");
	mistaken(GET ",\"not_identity\":[7]}", EFFECT_READ, "/c/not_identity");
	mistaken(GET ",\"not_identity\":\"v\"}", EFFECT_READ, "/c/not_identity");
}

/* The contact of an anonymous visitor, which a public action may write down. */
static void a_public_write_may_take_an_email(void **state)
{
	static const char post[] = OPEN "\"method\":\"POST\",\"path\":[\"tickets\"]}";
	static const char get[] = OPEN "\"method\":\"GET\",\"path\":[\"tickets\"]}";
	struct connector *c = NULL;

	(void)state;
	assert_int_equal(compile(post, SCHEMA("\"email\"" STRING), ACCESS_PUBLIC, EFFECT_WRITE, &c, NULL), RC_OK);
	connector_free(c);
	mistaken_with(get, SCHEMA("\"email\"" STRING), ACCESS_PUBLIC, EFFECT_READ, "/c/not_identity");
	mistaken_with(post, SCHEMA("\"a\":{\"type\":\"object\",\"properties\":{\"email\"" STRING "}}"), ACCESS_PUBLIC,
		      EFFECT_WRITE, "/c/not_identity");
}

/* ---- the request ---- */

static enum reason bind_values(const struct connector *c, const struct identity *who, json_t *input, json_t *claims,
			       struct operation **ret)
{
	struct binding b = { "demo", who, who->email, input, claims };

	return connector_bind(c, &b, ret);
}

/* v is taken. */
static enum reason bind_v(const char *source, enum effect effect, json_t *v, struct connector **ret_c,
			  struct operation **ret)
{
	json_t *input = json_object();
	enum reason why;

	if (v)
		json_object_set_new_nocheck(input, "v", v);
	*ret_c = made(source, ACCESS_PERSONAL, effect);
	*ret = NULL;
	why = bind_values(*ret_c, &alex, input, NULL, ret);
	json_decref(input);
	return why;
}

static void refuses(const char *source, enum effect effect, json_t *v)
{
	struct connector *c;
	struct operation *op;

	assert_int_equal(bind_v(source, effect, v, &c, &op), REASON_PARAMETERS_INVALID);
	assert_null(op);
	connector_free(c);
}

enum part { TARGET, HEADERS, BODY };

static void sends(const char *source, enum effect effect, json_t *v, enum part part, const char *expected)
{
	struct connector *c;
	struct operation *op;
	const struct upstream_request *r;

	assert_int_equal(bind_v(source, effect, v, &c, &op), REASON_NONE);
	r = operation_request(op);
	assert_string_equal(part == TARGET ? r->target.data : part == HEADERS ? r->headers.data : r->body.data,
			    expected);
	operation_free(op);
	connector_free(c);
}

#define IN_PATH OPEN "\"method\":\"GET\",\"path\":[\"o\"," V ",\"items\"],\"query\":{\"u\":" MINE "}}"
#define IN_QUERY OPEN "\"method\":\"GET\",\"path\":[\"o\"," MINE "],\"query\":{\"a\":" V "}}"
#define IN_HEADER GET ",\"headers\":{\"X-Note\":" V "}}"
#define IN_JSON POST ",\"json\":{\"note\":" V ",\"admin\":false}}"
#define IN_FORM POST ",\"form\":{\"note\":" V "}}"

static void the_request_says_what_the_connector_says(void **state)
{
	struct connector *c;
	struct operation *op;
	const struct upstream_request *r;

	(void)state;
	assert_int_equal(bind_v(GET ",\"provider\":\"p\",\"host\":\"h.example\",\"timeout\":\"3s\",\"answer_max\":99}",
				EFFECT_READ,
				NULL, &c, &op), REASON_NONE);
	r = operation_request(op);
	assert_string_equal(r->connection, "shop");
	assert_string_equal(r->provider, "p");
	assert_string_equal(r->host, "h.example");
	assert_string_equal(r->method, "GET");
	assert_string_equal(r->target.data, "/proxy/customers/alex%40example.com/orders");
	assert_int_equal(r->headers.size, 0);
	assert_int_equal(r->body.size, 0);
	assert_null(r->content_type);
	assert_int_equal(r->timeout_ms, 3000);
	assert_int_equal(r->answer_max, 99);
	assert_true(r->idempotent);
	operation_free(op);
	connector_free(c);
	assert_int_equal(bind_v(IN_JSON, EFFECT_WRITE, json_integer(1), &c, &op), REASON_NONE);
	r = operation_request(op);
	assert_string_equal(r->provider, "shop");
	assert_null(r->host);
	assert_string_equal(r->content_type, "application/json");
	assert_int_equal(r->timeout_ms, 10000);
	assert_int_equal(r->answer_max, 262144);
	assert_false(r->idempotent);
	operation_free(op);
	connector_free(c);
}

static void a_get_that_writes_is_not_repeated(void **state)
{
	struct connector *c;
	struct operation *op;

	(void)state;
	assert_int_equal(bind_v(GET "}", EFFECT_WRITE, NULL, &c, &op), REASON_NONE);
	assert_false(operation_request(op)->idempotent);
	operation_free(op);
	connector_free(c);
}

static void a_path_value_stays_one_segment(void **state)
{
	static const char *const traversals[] = {
		"", ".", "..", "...", "../admin", "..\\admin", "a/../../admin", "/etc", "a/b", "a\\b", "%2f",
		"..%2fadmin", "%2e%2e",
		"a\r\nX-Admin: 1", "a\nb", "\x7f", "\xc2\x85", "\xe2\x80\xa8", "100%",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(traversals); i++)
		refuses(IN_PATH, EFFECT_READ, json_string(traversals[i]));
	refuses(IN_PATH, EFFECT_READ, json_stringn("a\0b", 3));
	refuses(IN_PATH, EFFECT_READ, json_stringn("\0", 1));
	refuses(IN_PATH, EFFECT_READ, NULL);
	refuses(IN_PATH, EFFECT_READ, json_true());
	refuses(IN_PATH, EFFECT_READ, json_null());
	refuses(IN_PATH, EFFECT_READ, json_real(1.5));
	refuses(IN_PATH, EFFECT_READ, parse("[\"a\",\"b\"]"));
	refuses(IN_PATH, EFFECT_READ, parse("{\"$ne\":1}"));
#define O(segment) "/proxy/o/" segment "/items?u=alex%40example.com"
	sends(IN_PATH, EFFECT_READ, json_integer(-7), TARGET, O("-7"));
	sends(IN_PATH, EFFECT_READ, json_string("a b?admin=1&x#y;z"), TARGET, O("a%20b%3Fadmin%3D1%26x%23y%3Bz"));
	sends(IN_PATH, EFFECT_READ, json_string("http:@[::1]"), TARGET, O("http%3A%40%5B%3A%3A1%5D"));
	sends(IN_PATH, EFFECT_READ, json_string("\xc3\xa9\xef\xbc\x8f\xe2\x80\xa5"), TARGET,
	      O("%C3%A9%EF%BC%8F%E2%80%A5"));
}

static void a_query_value_stays_one_value(void **state)
{
	(void)state;
#define Q(value) "/proxy/o/alex%40example.com?a=" value
	sends(IN_QUERY, EFFECT_READ, json_string("x&admin=1"), TARGET, Q("x%26admin%3D1"));
	sends(IN_QUERY, EFFECT_READ, json_string("x#y?z;w+v=%26"), TARGET, Q("x%23y%3Fz%3Bw%2Bv%3D%2526"));
	sends(IN_QUERY, EFFECT_READ, json_string("a\r\nHost: evil HTTP/1.1"), TARGET,
	      Q("a%0D%0AHost%3A%20evil%20HTTP%2F1.1"));
	sends(IN_QUERY, EFFECT_READ, json_string("../%2f\\"), TARGET, Q("..%2F%252f%5C"));
	sends(IN_QUERY, EFFECT_READ, json_stringn("a\0b", 3), TARGET, Q("a%00b"));
	sends(IN_QUERY, EFFECT_READ, json_string("\xe2\x80\xae\xc3\xa9"), TARGET, Q("%E2%80%AE%C3%A9"));
	sends(IN_QUERY, EFFECT_READ, json_string(""), TARGET, Q(""));
	sends(IN_QUERY, EFFECT_READ, json_true(), TARGET, Q("true"));
	sends(IN_QUERY, EFFECT_READ, json_real(1e30), TARGET, Q("1e30"));
	sends(IN_QUERY, EFFECT_READ, parse("[1,\"x&b=2\",false]"), TARGET, Q("1&a=x%26b%3D2&a=false"));
	sends(IN_QUERY, EFFECT_READ, NULL, TARGET, "/proxy/o/alex%40example.com");
	refuses(IN_QUERY, EFFECT_READ, json_null());
	refuses(IN_QUERY, EFFECT_READ, parse("{\"$gt\":\"\"}"));
	refuses(IN_QUERY, EFFECT_READ, parse("[[1]]"));
	refuses(IN_QUERY, EFFECT_READ, parse("[{\"admin\":1}]"));
}

static void a_form_value_stays_one_value(void **state)
{
	(void)state;
	sends(IN_FORM, EFFECT_WRITE, json_string("x&admin=1\r\n\r\nGET / +%"), BODY,
	      "note=x%26admin%3D1%0D%0A%0D%0AGET%20%2F%20%2B%25");
	sends(IN_FORM, EFFECT_WRITE, json_stringn("a\0b", 3), BODY, "note=a%00b");
	sends(IN_FORM, EFFECT_WRITE, parse("[\"a\",2]"), BODY, "note=a&note=2");
	refuses(IN_FORM, EFFECT_WRITE, parse("{\"a\":1}"));
}

static void a_header_stays_one_line(void **state)
{
	static const char *const splits[] = {
		"a\r\nX-Admin: 1", "a\nb", "a\rb", "a\tb", "", " ", " a", "a ", "\xc3\xa9", "\x7f",
		"\xe5\x98\x8a\xe5\x98\x8d", "a\x0b",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(splits); i++)
		refuses(IN_HEADER, EFFECT_READ, json_string(splits[i]));
	refuses(IN_HEADER, EFFECT_READ, json_stringn("a\0b", 3));
	refuses(IN_HEADER, EFFECT_READ, parse("[\"a\"]"));
	sends(IN_HEADER, EFFECT_READ, json_string("a: b; c=\"d\" %0d%0a"), HEADERS,
	      "Nango-Proxy-X-Note: a: b; c=\"d\" %0d%0a\r\n");
	sends(IN_HEADER, EFFECT_READ, json_integer(7), HEADERS, "Nango-Proxy-X-Note: 7\r\n");
}

static void json_is_not_broken_out_of(void **state)
{
	(void)state;
	sends(IN_JSON, EFFECT_WRITE, json_string("\",\"admin\":true,\"x\":\""), BODY,
	      "{\"admin\":false,\"note\":\"\\\",\\\"admin\\\":true,\\\"x\\\":\\\"\"}");
	sends(IN_JSON, EFFECT_WRITE, json_string("\\\"}\r\n"), BODY, "{\"admin\":false,\"note\":\"\\\\\\\"}\\r\\n\"}");
	sends(IN_JSON, EFFECT_WRITE, json_stringn("a\0b", 3), BODY, "{\"admin\":false,\"note\":\"a\\u0000b\"}");
	sends(IN_JSON, EFFECT_WRITE, json_string("\xe2\x80\xa8\xf0\x9f\x98\x80"), BODY,
	      "{\"admin\":false,\"note\":\"\\u2028\\uD83D\\uDE00\"}");
	sends(IN_JSON, EFFECT_WRITE, json_string("{\"$input\":\"w\"}"), BODY,
	      "{\"admin\":false,\"note\":\"{\\\"$input\\\":\\\"w\\\"}\"}");
	sends(IN_JSON, EFFECT_WRITE, NULL, BODY, "{\"admin\":false}");
}

/* A value is not looked at for references again. */
static void a_reference_from_a_visitor_is_data(void **state)
{
	(void)state;
	sends(IN_JSON, EFFECT_WRITE, parse("{\"$identity\":\"name\"}"), BODY,
	      "{\"admin\":false,\"note\":{\"$identity\":\"name\"}}");
	refuses(IN_QUERY, EFFECT_READ, parse("{\"$identity\":\"name\"}"));
}

static void a_request_has_a_size(void **state)
{
	char *text = malloc(70000);
	static const struct { const char *source; enum effect effect; size_t size; } sizes[] = {
		{ IN_PATH, EFFECT_READ, 8001 }, { IN_QUERY, EFFECT_READ, 8001 }, { IN_HEADER, EFFECT_READ, 8001 },
		{ IN_JSON, EFFECT_WRITE, 65537 }, { IN_FORM, EFFECT_WRITE, 65537 },
	};

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 70000);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		refuses(sizes[i].source, sizes[i].effect, json_stringn(text, sizes[i].size));
	free(text);
}

static enum reason bind_token(const char *source, const struct identity *who, const char *claims)
{
	struct connector *c = made(source, ACCESS_PERSONAL, EFFECT_READ);
	struct operation *op = NULL;
	json_t *input = json_object(), *values = parse(claims);
	enum reason why = bind_values(c, who, input, values, &op);

	operation_free(op);
	json_decref(input);
	json_decref(values);
	connector_free(c);
	return why;
}

/* What the token brought is not the visitor's to correct. */
static void hostile_claims_and_identities_are_refused(void **state)
{
	static const char in_path[] = OPEN "\"method\":\"GET\",\"path\":[" MINE ",{\"$claim\":\"t\"}]}";
	static const char in_query[] = GET ",\"query\":{\"t\":[{\"$claim\":\"t\"}]}}";
	static const char in_header[] = GET ",\"headers\":{\"T\":{\"$claim\":\"t\"}}}";
	static const char name_in_path[] = OPEN "\"method\":\"GET\",\"path\":[" MINE ",{\"$identity\":\"name\"}]}";
	static const char id_in_path[] = OPEN "\"method\":\"GET\",\"path\":[{\"$identity\":\"user_id\"}]}";
	static const struct identity crooked = {
		.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "../admin", .user_id = "..",
	};
	static const struct identity slashed = { .decision = DECISION_VERIFIED, .email = "a/../b@example.com" };

	(void)state;
	assert_int_equal(bind_token(in_path, &alex, "{\"t\":\"gold\"}"), REASON_NONE);
	assert_int_equal(bind_token(in_path, &alex, "{\"t\":\"../x\"}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(in_path, &alex, "{\"t\":{\"a\":1}}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(in_path, &alex, "{}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(in_query, &alex, "{\"t\":{\"a\":1}}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(in_header, &alex, "{\"t\":\"a\\r\\nb\"}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(name_in_path, &alex, "{}"), REASON_NONE);
	assert_int_equal(bind_token(name_in_path, &crooked, "{}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(id_in_path, &crooked, "{}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(GET "}", &slashed, "{}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(id_in_path, &slashed, "{}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(GET "}", &nobody, "{}"), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind_token(GET ",\"owner_check\":{\"pointer\":\"/u\",\"equals\":{\"$identity\":\"user_id\"}}}", &slashed,
				    "{}"), REASON_IDENTITY_INCOMPLETE);
}

/* ---- the answer ---- */

static enum reason answered(const char *source, int status, const char *body, char **ret_text)
{
	struct connector *c;
	struct operation *op;
	struct buf text = BUF_INIT;
	json_t *result = NULL;
	enum reason why;

	assert_int_equal(bind_v(source, EFFECT_READ, NULL, &c, &op), REASON_NONE);
	why = operation_answer(op, status, span_str(body), &result);
	if (why == REASON_NONE)
		json_canonical(&text, result);
	else
		assert_null(result);
	json_decref(result);
	operation_free(op);
	connector_free(c);
	*ret_text = buf_take(&text);
	buf_done(&text);
	return why;
}

static void gives(const char *source, const char *body, const char *expected)
{
	char *text;

	assert_int_equal(answered(source, 200, body, &text), REASON_NONE);
	assert_string_equal(text, expected);
	free(text);
}

static void fails(const char *source, int status, const char *body, enum reason expected)
{
	char *text;

	assert_int_equal(answered(source, status, body, &text), expected);
	assert_null(text);
}

static void a_status_has_its_reason(void **state)
{
	static const struct { int status; enum reason reason; } rows[] = {
		{ 404, REASON_NOT_FOUND }, { 410, REASON_NOT_FOUND }, { 409, REASON_CONFLICT }, { 412,
		REASON_CONFLICT },
		{ 423, REASON_CONFLICT }, { 422, REASON_PARAMETERS_INVALID }, { 408, REASON_UPSTREAM_TIMEOUT },
		{ 504, REASON_UPSTREAM_TIMEOUT }, { 400, REASON_UPSTREAM_FAILED }, { 401, REASON_UPSTREAM_FAILED },
		{ 403, REASON_UPSTREAM_FAILED }, { 429, REASON_UPSTREAM_FAILED }, { 500, REASON_UPSTREAM_FAILED },
		{ 301, REASON_UPSTREAM_FAILED }, { 304, REASON_UPSTREAM_FAILED }, { 100, REASON_UPSTREAM_FAILED },
		{ 0, REASON_UPSTREAM_FAILED }, { -1, REASON_UPSTREAM_FAILED }, { 300, REASON_UPSTREAM_FAILED },
		{ 199, REASON_UPSTREAM_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fails(GET "}", rows[i].status, "{\"a\":1}", rows[i].reason);
}

static void an_answer_is_json_or_nothing(void **state)
{
	char *text;

	(void)state;
	gives(GET "}", "{\"a\":[1]}", "{\"a\":[1]}");
	gives(GET "}", "7", "7");
	gives(GET "}", "", "null");
	gives(GET ",\"result\":{\"a\":\"/a\"}}", "", "null");
	assert_int_equal(answered(GET "}", 204, "ignored", &text), REASON_NONE);
	assert_string_equal(text, "null");
	free(text);
	fails(GET "}", 200, "<html>", REASON_UPSTREAM_INVALID);
	fails(GET "}", 200, "{\"a\":1", REASON_UPSTREAM_INVALID);
	fails(GET "}", 200, "{\"a\":1,\"a\":2}", REASON_UPSTREAM_INVALID);
	fails(GET "}", 201, "{} {}", REASON_UPSTREAM_INVALID);
	fails(GET "}", 200, "\"\xff\"", REASON_UPSTREAM_INVALID);
	fails(GET "}", 200, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	      REASON_UPSTREAM_INVALID);
}

static void a_mapping_picks(void **state)
{
	static const char body[] = "{\"items\":[{\"id\":1,\"secret\":\"s\"},{\"id\":2},{\"x\":3}],\"a/b\":null,\"n\":{\"m\":[4,5]}}";

	(void)state;
	gives(GET ",\"result\":\"/n/m/1\"}", body, "5");
	gives(GET ",\"result\":\"\"}", "[1]", "[1]");
	gives(GET ",\"result\":\"/none\"}", body, "null");
	gives(GET ",\"result\":{\"x\":\"/n/m/0\",\"y\":\"/none\",\"z\":{\"deep\":\"/a~1b\"}}}", body,
	      "{\"x\":4,\"z\":{\"deep\":null}}");
	gives(GET ",\"result\":{\"$each\":\"/items\",\"of\":{\"id\":\"/id\"}}}", body, "[{\"id\":1},{\"id\":2},{}]");
	gives(GET ",\"result\":{\"$each\":\"/items\",\"of\":\"/id\"}}", body, "[1,2]");
	gives(GET ",\"result\":{\"l\":{\"$each\":\"/n\",\"of\":\"\"}}}", body, "{}");
	gives(GET ",\"result\":{\"l\":{\"$each\":\"/n/m\",\"of\":\"\"}}}", body, "{\"l\":[4,5]}");
	gives(GET ",\"result\":{\"x\":\"/a\"}}", "7", "{}");
}

#define BY_EMAIL GET ",\"result\":\"/id\",\"owner_check\":{\"pointer\":\"/customer/email\",\"equals\":" MINE "}}"
#define BY_ID GET ",\"result\":\"/id\",\"owner_check\":{\"pointer\":\"/u\",\"equals\":{\"$identity\":\"user_id\"}}}"

static void another_ones_order_is_none(void **state)
{
	static const char *const others[] = {
		"{\"id\":7,\"customer\":{\"email\":\"jordan@example.com\"}}", "{\"id\":7}",
		"{\"id\":7,\"customer\":{\"email\":null}}",
		"{\"id\":7,\"customer\":{\"email\":[\"alex@example.com\"]}}",
		"{\"id\":7,\"customer\":\"alex@example.com\"}",
		"{\"id\":7,\"customer\":{\"email\":\"\"}}",
		"{\"id\":7,\"customer\":{\"email\":\"alex@example.com.evil.example\"}}",
		"{\"id\":7,\"customer\":{\"email\":\"alex@example.com,jordan@example.com\"}}", "[]", "7", "null", "",
		"{\"id\":7,\"customer\":{\"email\":\"\xc3\x81lex@example.com\"}}",
	};

	(void)state;
	gives(BY_EMAIL, "{\"id\":7,\"customer\":{\"email\":\"alex@example.com\"}}", "7");
	gives(BY_EMAIL, "{\"id\":7,\"customer\":{\"email\":\"Alex@EXAMPLE.com\"}}", "7");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fails(BY_EMAIL, 200, others[i], REASON_OWNER_MISMATCH);
	fails(BY_EMAIL, 204, "", REASON_OWNER_MISMATCH);
	fails(BY_EMAIL, 404, "", REASON_NOT_FOUND);
}

static void a_user_id_is_text_or_an_integer(void **state)
{
	static const char *const others[] = {
		"{\"u\":\"01042\"}", "{\"u\":1043}", "{\"u\":1042.0}", "{\"u\":\"1042 \"}", "{\"u\":true}",
		"{\"u\":[1042]}", "{}",
		"{\"u\":-1042}", "{\"u\":\"\"}",
	};

	(void)state;
	gives(BY_ID, "{\"id\":7,\"u\":1042}", "7");
	gives(BY_ID, "{\"id\":7,\"u\":\"1042\"}", "7");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		fails(BY_ID, 200, others[i], REASON_OWNER_MISMATCH);
}

#define EACH GET ",\"owner_check\":{\"each\":\"/l\",\"pointer\":\"/u\",\"equals\":{\"$identity\":\"user_id\"}}}"

static void every_element_has_its_owner(void **state)
{
	(void)state;
	gives(EACH, "{\"l\":[{\"u\":1042},{\"u\":\"1042\"}]}", "{\"l\":[{\"u\":1042},{\"u\":\"1042\"}]}");
	gives(EACH, "{\"l\":[]}", "{\"l\":[]}");
	fails(EACH, 200, "{\"l\":[{\"u\":1042},{\"u\":1043}]}", REASON_OWNER_MISMATCH);
	fails(EACH, 200, "{\"l\":[{\"u\":1042},{}]}", REASON_OWNER_MISMATCH);
	fails(EACH, 200, "{\"l\":[1042]}", REASON_OWNER_MISMATCH);
	fails(EACH, 200, "{\"l\":{\"u\":1042}}", REASON_OWNER_MISMATCH);
	fails(EACH, 200, "{}", REASON_OWNER_MISMATCH);
	fails(EACH, 200, "[{\"u\":1042}]", REASON_OWNER_MISMATCH);
}

static void it_is_not_run_in_the_ledger(void **state)
{
	struct connector *c;
	struct operation *op;
	json_t *result = NULL;

	(void)state;
	assert_int_equal(bind_v(GET "}", EFFECT_READ, NULL, &c, &op), REASON_NONE);
	assert_int_equal(operation_run(op, NULL, &result), REASON_UPSTREAM_FAILED);
	assert_null(result);
	operation_free(op);
	connector_free(c);
}

static void what_stays_makes_no_request(void **state)
{
	json_t *input = json_object(), *result = NULL;
	struct connector *c = NULL;
	struct operation *op = NULL;

	(void)state;
	assert_int_equal(compile("{\"type\":\"static\",\"result\":1}", ANY, ACCESS_PERSONAL, EFFECT_READ, &c, NULL),
			 RC_OK);
	assert_false(connector_leaves(c));
	assert_int_equal(bind_values(c, &alex, input, NULL, &op), REASON_NONE);
	assert_null(operation_request(op));
	assert_int_equal(operation_answer(op, 200, span_str("{}"), &result), REASON_UPSTREAM_FAILED);
	assert_null(result);
	operation_free(op);
	connector_free(c);
	json_decref(input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_compiles),
		cmocka_unit_test(what_must_be_there_is_missed),
		cmocka_unit_test(where_it_goes_is_constant),
		cmocka_unit_test(a_read_action_only_reads),
		cmocka_unit_test(path_is_made_of_segments),
		cmocka_unit_test(query_headers_and_bodies_are_checked),
		cmocka_unit_test(headers_of_the_connection_are_not_set),
		cmocka_unit_test(limits_are_limited),
		cmocka_unit_test(mapping_and_owner_check_are_checked),
		cmocka_unit_test(a_personal_action_asks_as_somebody),
		cmocka_unit_test(a_parameter_that_looks_like_an_identity_is_refused),
		cmocka_unit_test(what_is_no_identity_is_listed),
		cmocka_unit_test(a_public_write_may_take_an_email),
		cmocka_unit_test(the_request_says_what_the_connector_says),
		cmocka_unit_test(a_get_that_writes_is_not_repeated),
		cmocka_unit_test(a_path_value_stays_one_segment),
		cmocka_unit_test(a_query_value_stays_one_value),
		cmocka_unit_test(a_form_value_stays_one_value),
		cmocka_unit_test(a_header_stays_one_line),
		cmocka_unit_test(json_is_not_broken_out_of),
		cmocka_unit_test(a_reference_from_a_visitor_is_data),
		cmocka_unit_test(a_request_has_a_size),
		cmocka_unit_test(hostile_claims_and_identities_are_refused),
		cmocka_unit_test(a_status_has_its_reason),
		cmocka_unit_test(an_answer_is_json_or_nothing),
		cmocka_unit_test(a_mapping_picks),
		cmocka_unit_test(another_ones_order_is_none),
		cmocka_unit_test(a_user_id_is_text_or_an_integer),
		cmocka_unit_test(every_element_has_its_owner),
		cmocka_unit_test(it_is_not_run_in_the_ledger),
		cmocka_unit_test(what_stays_makes_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
