/* test_site_check.c -- which settings a site may have. */
#include "admin/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum rc check(void (*change)(struct site *s, const char *text), const char *text)
{
	struct why why = { { 0 } };
	struct site s;
	enum rc rc;

	site_init(&s);
	memcpy(s.id, "acme", 5);
	change(&s, text);
	rc = admin_site_check(&s, &why);
	site_done(&s);
	if (rc != RC_OK)
		assert_true(why.text[0] != '\0');        /* a refusal says what is wrong */
	return rc;
}

static void url(struct site *s, const char *text)    { snprintf(s->sign_in_url, sizeof(s->sign_in_url), "%s", text); }
static void id(struct site *s, const char *text)     { snprintf(s->id, sizeof(s->id), "%s", text); }
static void name(struct site *s, const char *text)   { snprintf(s->name, sizeof(s->name), "%s", text); }
static void origin(struct site *s, const char *text) { assert_int_equal(site_list_add(&s->origins, text), RC_OK); }
static void domain(struct site *s, const char *text) { assert_int_equal(site_list_add(&s->accept_domains, text), RC_OK); }

static void expect(void (*change)(struct site *s, const char *text), const char *const *texts, size_t count, enum rc rc)
{
	for (size_t i = 0; i < count; i++)
		if (check(change, texts[i]) != rc)
			fail_msg("\"%s\": not %s", texts[i], rc_name(rc));
}

#define GOOD(change, ...) expect(change, (const char *const[]){ __VA_ARGS__ }, \
                                 ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })), RC_OK)
#define BAD(change, ...) expect(change, (const char *const[]){ __VA_ARGS__ }, \
                                ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })), RC_INVALID)

static void origins_are_spelled_as_browsers_send_them(void **st)
{
	(void)st;
	GOOD(origin, "https://shop.example.com", "http://localhost", "http://localhost:3000", "https://127.0.0.1:8443",
	     "https://[::1]", "https://[2001:db8::1]:444", "https://xn--bcher-kva.example", "http://a:443", "https://a:80");
	BAD(origin, "https://Shop.example.com", "HTTPS://shop.example.com", "https://shop.example.com/", "shop.example.com",
	    "https://", "https://a:443", "http://a:80", "https://a:", "https://a:0", "https://a:0443", "https://a:123456",
	    "https://a b", "https://a/b", "https://a?b", "https://u@a", "https://[::1", "https://[]", "https://::1", "null", "*",
	    "file:///a", "https://-a", "https://.a", "https://a:4x", "https://b\xc3\xbc", "https://a\n");
}

static void sign_in_urls_are_http_and_one_line(void **st)
{
	(void)st;
	GOOD(url, "", "https://a.example/sign-in?next=%2F#x", "http://localhost:3000/", "https://[::1]/x");
	BAD(url, "javascript:alert(1)", "https://", "https:///x", "//a.example", "ftp://a", "https://a b", "https://a\r\nX: y",
	    "https://a\x7f", "https://a/\"", "https://a/<", "https://\xc3\xbc.example", "HTTPS://a");
}

static void texts_hold_no_control_or_bidi_characters(void **st)
{
	(void)st;
	GOOD(name, "", "Caf\xc3\xa9 \xe6\x97\xa5");
	BAD(name, "a\nb", "a\x1b[2J", "a\xe2\x80\xae" "b", "\xff", "\xc0\xaf");
}

static void domains_are_normalised_already(void **st)
{
	(void)st;
	GOOD(domain, "test", "corp", "shop.example", "xn--bcher-kva.example");
	BAD(domain, "Test", "b\xc3\xbc" "cher.example", "a..b", "a@b", "", ".a", "a.");
}

static void ids_are_bounded(void **st)
{
	(void)st;
	GOOD(id, "a", "a-", "a1-b");
	BAD(id, "", "A", "1a", "-a", "a_b", "a.b", "a/b");
}

static void lifetimes_are_one_second_to_a_day(void **st)
{
	static const struct { uint32_t seconds; enum rc rc; } cases[] = {
		{ 0, RC_INVALID }, { 1, RC_OK }, { 86400, RC_OK }, { 86401, RC_INVALID }, { UINT32_MAX, RC_INVALID },
	};
	struct site s;

	(void)st;
	site_init(&s);
	memcpy(s.id, "acme", 5);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		s.max_lifetime = cases[i].seconds;
		assert_int_equal(admin_site_check(&s, NULL), cases[i].rc);
	}
	site_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origins_are_spelled_as_browsers_send_them),
		cmocka_unit_test(sign_in_urls_are_http_and_one_line),
		cmocka_unit_test(texts_hold_no_control_or_bidi_characters),
		cmocka_unit_test(domains_are_normalised_already),
		cmocka_unit_test(ids_are_bounded),
		cmocka_unit_test(lifetimes_are_one_second_to_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
