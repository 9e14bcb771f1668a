/* The browser's Origin against a site's list. */
#include "path/path-private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct request from(const char *origin, const char *host)
{
	return (struct request){ .has_origin = origin != NULL, .origin = span_str(origin), .host = span_str(host) };
}

static bool allowed(const struct site *s, const char *origin, const char *host)
{
	struct request in = from(origin, host);

	return origin_allowed(s, &in);
}

static void without_a_list_every_origin_may_ask(void **state)
{
	struct site s;

	(void)state;
	site_init(&s);
	assert_true(allowed(&s, "https://evil.example", "api.shop.example"));
	assert_true(allowed(&s, NULL, NULL));
	site_done(&s);
}

static void with_a_list_only_listed_origins_and_the_own_host_may(void **state)
{
	static const struct { const char *origin, *host; bool want; } cases[] = {
		{ "https://shop.example",      "api.example",        true  },
		{ NULL,                        "api.example",        true  },
		{ "https://api.example",       "api.example",        true  },
		{ "https://api.example:443",   "API.example",        true  },
		{ "http://api.example",        "api.example:80",     true  },
		{ "http://127.0.0.1:8080",     "127.0.0.1:8080",     true  },
		{ "http://127.0.0.1:8081",     "127.0.0.1:8080",     false },
		{ "https://SHOP.example",      "api.example",        false },   /* browsers send lower case */
		{ "https://shop.example.evil", "api.example",        false },
		{ "https://evil/shop.example", "shop.example",       false },
		{ "http://shop.example",       "api.example",        false },
		{ "null",                      "api.example",        false },
		{ "",                          "",                   false },
		{ "https://",                  "",                   false },
		{ "ftp://api.example",         "api.example",        false },
	};
	struct site s;

	(void)state;
	site_init(&s);
	assert_int_equal(site_list_add(&s.origins, "https://shop.example"), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (allowed(&s, cases[i].origin, cases[i].host) != cases[i].want)
			fail_msg("origin %s at host %s", cases[i].origin ? cases[i].origin : "(none)", cases[i].host);
	site_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_list_every_origin_may_ask),
		cmocka_unit_test(with_a_list_only_listed_origins_and_the_own_host_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
