/* test_allow.c -- what an allow list serves, and the paths that no list serves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fcgi-app/connectd/allow.h"

static bool matches(const char *rule, const char *method, const char *path)
{
	return allow_matches(span_str(rule), span_str(method), span_str(path));
}

static void a_rule_is_compared_segment_by_segment(void **state)
{
	const char *rule = "GET /customers/{}/orders";

	(void)state;
	assert_true(matches(rule, "GET", "customers/a%40b.de/orders"));
	assert_true(matches(rule, "GET", "customers/orders/orders"));
	assert_false(matches(rule, "GET", "customers/a/b/orders"));
	assert_false(matches(rule, "GET", "customers/a/orders/1"));
	assert_false(matches(rule, "GET", "customers/a"));
	assert_false(matches(rule, "GET", "customers//orders"));
	assert_false(matches(rule, "GET", "customers/a/orders/"));
	assert_false(matches(rule, "GET", "customers/a/Orders"));
	assert_false(matches(rule, "GET", "x/customers/a/orders"));
	assert_false(matches(rule, "GET", ""));
}

static void the_method_is_compared_as_it_is(void **state)
{
	(void)state;
	assert_false(matches("GET /orders", "POST", "orders"));
	assert_false(matches("GET /orders", "get", "orders"));
	assert_false(matches("GET /orders", "HEAD", "orders"));
	assert_false(matches("GET /orders", "", "orders"));
	assert_null(method_of(span_str("TRACE")));
	assert_null(method_of(span_str("CONNECT")));
	assert_string_equal(method_of(span_str("PATCH")), "PATCH");
}

static void a_literal_spelt_otherwise_is_another_path(void **state)
{
	(void)state;
	assert_false(matches("GET /orders", "GET", "%6frders"));
	assert_false(matches("GET /orders", "GET", "orders;x"));
	assert_false(matches("GET /{}", "GET", "a/b"));
}

static void paths_that_an_upstream_could_read_as_structure_are_unsafe(void **state)
{
	static const char *const unsafe[] = {
		"", "/", "a/", "a//b", ".", "..", "a/../b", "%2e%2e", ".%2E", "...", "%2e", "a%2fb", "a%2Fb", "a%5cb", "a\\b",
		"a%252fb", "a%25", "%", "%4", "%zz", "a%00b", "a%0d%0ab", "a%7f", "a b", "a\tb", "a#b", "a?b", "..;", ";a", "%20", "a%c2%85b",
		"..%3b", "..%3bx", "..%20", "%20..", "..%3fx", "..%23x", "%ff", "%c0%af", "%c0%ae%c0%ae", "%ed%a0%80", "caf\xc3\xa9", "a\"b", "a<b", "[a]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		if (path_safe(span_str(unsafe[i])))
			fail_msg("safe: %s", unsafe[i]);
}

static void data_in_a_segment_is_safe(void **state)
{
	static const char *const safe[] = {
		"a", "a/b", "a.b", ".a", "a..", "a%40b.de", "caf%C3%A9", "a%20b", "%20a", "%3fx", "a.%3f", "a%3Bb", "a..b;c=1", "%26admin%3D1", "A-1_~!$&'()*+,=:@",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (!path_safe(span_str(safe[i])))
			fail_msg("unsafe: %s", safe[i]);
}

static void a_query_ends_nothing(void **state)
{
	(void)state;
	assert_false(query_safe(span_str("a[]=x")));
	assert_true(query_safe(span_str("a=1&b=%20&c=x/y?z")));
	assert_true(query_safe(span_of(NULL, 0)));
	assert_false(query_safe(span_str("a=1#b")));
	assert_false(query_safe(span_str("a=1 HTTP/1.1")));
	assert_false(query_safe(span_str("a=1\r\nX: y")));
}

static void a_parameter_is_found_in_every_spelling(void **state)
{
	static const char *const there[] = {
		"_method", "_method=DELETE", "a=1&_method=x", "a;_method", "&&_method=", "%5fmethod=x", "_%6Dethod", "+_method=x", "%20_method",
		"a=_x&_metho%64=1", ".method=x", "%2Emethod", "+.method", "_method%00=1", "_method%00x=1",
	};
	static const char *const absent[] = {
		"", "a=_method", "payment_method=x", "_methods=1", "_metho", "_metho%00d=1", "..method", "-method", "a=1&b=%26_method", "_Method=x", "%5", "=_method",
		"_method[]=x",
	};
	struct span rest = span_str("a=1&&b;c=2="), name;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(there); i++)
		if (!query_names(span_str(there[i]), "_method"))
			fail_msg("not found in %s", there[i]);
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		if (query_names(span_str(absent[i]), "_method"))
			fail_msg("found in %s", absent[i]);
	assert_false(query_names(span_of(NULL, 0), "_method"));
	assert_true(query_next_name(&rest, &name) && span_is(name, "a"));
	assert_true(query_next_name(&rest, &name) && span_is(name, ""));
	assert_true(query_next_name(&rest, &name) && span_is(name, "b"));
	assert_true(query_next_name(&rest, &name) && span_is(name, "c"));
	assert_false(query_next_name(&rest, &name));
}

static void a_rule_that_no_path_can_match_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "GET", "GET ", "GET /", "GET orders", "get /orders", "TRACE /orders", "GET  /orders", "GET /orders/", "GET //orders",
		"GET /../orders", "GET /a%2fb", "GET /{id}", "GET /order-{}", "GET /*?", " GET /orders", "/orders",
	};
	struct why why = { "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (allow_rule_ok(span_str(bad[i]), &why))
			fail_msg("taken: %s", bad[i]);
	assert_true(allow_rule_ok(span_str("GET /customers/{}/orders"), NULL));
	assert_true(allow_rule_ok(span_str("DELETE /{}"), NULL));
	assert_string_not_equal(why.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_compared_segment_by_segment),
		cmocka_unit_test(the_method_is_compared_as_it_is),
		cmocka_unit_test(a_literal_spelt_otherwise_is_another_path),
		cmocka_unit_test(paths_that_an_upstream_could_read_as_structure_are_unsafe),
		cmocka_unit_test(data_in_a_segment_is_safe),
		cmocka_unit_test(a_query_ends_nothing),
		cmocka_unit_test(a_parameter_is_found_in_every_spelling),
		cmocka_unit_test(a_rule_that_no_path_can_match_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
