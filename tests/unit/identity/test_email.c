/* test_email.c -- one ordinary mailbox, in one spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity/identity.h"

#include <locale.h>
#include <stdio.h>

static void assert_normal(const char *in, const char *expected)
{
	char out[EMAIL_MAX];
	const char *domain = NULL;

	if (email_normalise(span_str(in), out, &domain) != REASON_NONE)
		fail_msg("refused: %s", in);
	assert_string_equal(out, expected);
	assert_ptr_equal(domain, strchr(out, '@') + 1);
}

static void assert_malformed_bytes(struct span in)
{
	char out[EMAIL_MAX] = "untouched";
	const char *domain = NULL;

	if (email_normalise(in, out, &domain) != REASON_EMAIL_MALFORMED)
		fail_msg("accepted: %.*s", (int)in.size, (const char *)in.data);
	assert_string_equal(out, "untouched");
	assert_null(domain);
}

static void an_ordinary_address_keeps_its_spelling(void **state)
{
	static const char *const same[] = {
		"alex@example.com", "a@b.co", "a.b.c@d.e.f.gh", "alex+orders@example.com",
		"!#$%&'*+-/=?^_`{|}~@example.com",
		"0@1.com", "alex@ab--cd.com", "alex@3com.com", "alex@xn--bcher-kva.com", "alex@localhost",
		"alex@a-b.c-d.com",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_normal(same[i], same[i]);
}

static void case_is_ascii_and_folds_nothing_else(void **state)
{
	(void)state;
	assert_normal("ALEX.Q@EXAMPLE.COM", "alex.q@example.com");
	assert_normal("IIII@IIII.COM", "iiii@iiii.com");
	assert_malformed_bytes(span_str("mi\xe2\x84\xaa" "e@example.com"));      /* U+212A KELVIN SIGN */
	assert_malformed_bytes(span_str("\xc4\xb0@example.com"));               /* U+0130 */
	assert_malformed_bytes(span_str("\xc4\xb1@example.com"));               /* U+0131 */
}

/* Under tr_TR the library's own lower-casing would not make an i of an I. */
static void a_locale_changes_nothing(void **state)
{
	(void)state;
	setlocale(LC_ALL, "tr_TR.UTF-8");
	assert_normal("IDIL@EXAMPLE.COM", "idil@example.com");
	setlocale(LC_ALL, "C");
}

static void a_domain_becomes_its_a_label_form(void **state)
{
	(void)state;
	assert_normal("alex@b\xc3\xbc" "cher.com", "alex@xn--bcher-kva.com");
	assert_normal("alex@B\xc3\x9c" "CHER.com", "alex@xn--bcher-kva.com");
	assert_normal("alex@XN--BCHER-KVA.com", "alex@xn--bcher-kva.com");
	assert_normal("alex@fa\xc3\x9f.de", "alex@xn--fa-hia.de");                        /* IDNA2008: not fass.de */
	assert_normal("alex@p\xd0\xb0ypal.com", "alex@xn--pypal-4ve.com");                /* Cyrillic a stays apart */
	assert_normal("alex@corp\xe3\x80\x82test", "alex@corp.test");                     /* U+3002 */
	assert_normal("alex@corp\xef\xbc\x8etest", "alex@corp.test");                     /* U+FF0E */
	assert_normal("alex@corp.te\xc5\xbft", "alex@corp.test");                         /* U+017F */
	assert_normal("alex@corp.te\xc2\xadst", "alex@corp.test");                        /* U+00AD vanishes */
}

static void what_is_no_mailbox_is_malformed(void **state)
{
	static const char *const wrong[] = {
		"", "@", "a", "a@", "@b.co", "a@b@c.co", "a@@b.co", "a@b.co@", ".a@b.co", "a.@b.co", "a..b@b.co",
		"a b@b.co",
		" a@b.co", "a@b.co ", "a@ b.co", "\"a\"@b.co", "a(c)@b.co", "<a@b.co>", "A <a@b.co>", "a,b@b.co",
		"a;b@b.co",
		"mailto:a@b.co", "a\\b@b.co", "a[b@b.co", "a\x7f@b.co", "a\n@b.co", "a@b.co\n", "a@b.co.",
		"a@.b.co", "a@b..co",
		"a@-b.co", "a@b-.co", "a@b.-co", "a@b.co-", "a@b_c.co", "a@[1.2.3.4]", "a@[IPv6:::1]",
		"a@b.co:25", "a@b/c.co",
		"a@b%2ec.co", "a@b c.co", "a@b'c.co", "a@*.co", "\xc3\xa4@b.co", "a@\xff.co", "a@\xc3.co",
		"a@xn--a.com",
		"a@xn--.com", "a@xn--bcher-kva\xc3\xbc.com", "a@b\xe2\x84\x80.com", "a@\xe2\x80\x8b.com",
		"a@b.com\xe3\x80\x82",
		"a@\xf0\x9f\x98\x80.com", "a@b\xef\xbc\xa0" "c.com", "a\xef\xbc\xa0" "b.com",
		"a@b\xc2\xa0" "c.com", "a@\xe2\x92\x88.com",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_malformed_bytes(span_str(wrong[i]));
	assert_malformed_bytes(span_of(NULL, 0));
	assert_malformed_bytes(span_of("a@b.co\0", 7));
	assert_malformed_bytes(span_of("a@b\0c.co", 8));
	assert_malformed_bytes(span_of("a\0@b.co", 7));
	assert_malformed_bytes(span_of("a@b.co\0\xc3\xbc.com", 13));
}

static void fill(char *out, size_t size, const char *pattern)
{
	for (size_t i = 0; i < size; i++)
		out[i] = pattern[i % strlen(pattern)];
	out[size] = '\0';
}

static void lengths_hold_at_their_boundaries(void **state)
{
	char part[400], address[512];

	(void)state;
	fill(part, 64, "a");
	snprintf(address, sizeof(address), "%s@b.co", part);
	assert_normal(address, address);
	fill(part, 65, "a");
	snprintf(address, sizeof(address), "%s@b.co", part);
	assert_malformed_bytes(span_str(address));

	fill(part, 63, "a");
	snprintf(address, sizeof(address), "a@%s.co", part);
	assert_normal(address, address);
	fill(part, 64, "a");
	snprintf(address, sizeof(address), "a@%s.co", part);
	assert_malformed_bytes(span_str(address));

	/* 254 bytes in all: with one byte before the @ that is a domain of 252. */
	fill(part, 252, "a.");
	part[251] = 'b';
	snprintf(address, sizeof(address), "a@%s", part);
	assert_int_equal(strlen(address), 254);
	assert_normal(address, address);
	snprintf(address, sizeof(address), "aa@%s", part);
	assert_malformed_bytes(span_str(address));
}

/* 40 labels of one u-umlaut are 120 bytes in and 320 out. */
static void a_domain_that_grows_too_long_is_malformed(void **state)
{
	char address[256] = "a@";

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(address, "\xc3\xbc.");
	strcat(address, "co");
	assert_true(strlen(address) < 150);
	assert_malformed_bytes(span_str(address));
}

/* 28 of them are 226 bytes out: a domain by itself, but none behind a local part of 64. */
static void an_address_that_grows_too_long_is_malformed(void **state)
{
	char out[EMAIL_MAX], address[256];

	(void)state;
	fill(address, 64, "a");
	strcat(address, "@");
	for (int i = 0; i < 28; i++)
		strcat(address, "\xc3\xbc.");
	strcat(address, "co");
	assert_true(domain_normalise(span_str(strchr(address, '@') + 1), out));
	assert_malformed_bytes(span_str(address));
}

static void an_address_may_be_normalised_again(void **state)
{
	static const char *const addresses[] = { "Alex@\xc3\xbc.COM", "a@fa\xc3\x9f.de", "a@AB--cd.com",
		"x@\xe4\xb8\xad\xe5\x9b\xbd.cn" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		char once[EMAIL_MAX];
		const char *domain;

		assert_int_equal(email_normalise(span_str(addresses[i]), once, &domain), REASON_NONE);
		assert_normal(once, once);
	}
}

static void a_domain_alone_follows_the_same_rules(void **state)
{
	char out[EMAIL_MAX];

	(void)state;
	assert_true(domain_normalise(span_str("Corp.Local"), out));
	assert_string_equal(out, "corp.local");
	assert_true(domain_normalise(span_str("b\xc3\xbc" "cher.com"), out));
	assert_string_equal(out, "xn--bcher-kva.com");
	assert_true(domain_normalise(span_str("shop"), out));
	assert_false(domain_normalise(span_str(""), out));
	assert_false(domain_normalise(span_str("corp.local."), out));
	assert_false(domain_normalise(span_str("*.local"), out));
	assert_false(domain_normalise(span_str("@corp.local"), out));
	assert_false(domain_normalise(span_of("a\0b", 3), out));
	assert_false(domain_normalise(span_of("b\xc3\xbc.co\0.evil.com", 15), out));     /* mapped as text it would end there */
	for (size_t size = 252; size <= 256; size++) {
		char text[300];

		fill(text, size, "a.");
		text[size - 1] = 'b';
		if (text[size - 2] == 'a')
			text[size - 2] = '.', text[size - 3] = 'b';
		assert_int_equal(domain_normalise(span_str(text), out), size <= 253);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_address_keeps_its_spelling),
		cmocka_unit_test(case_is_ascii_and_folds_nothing_else),
		cmocka_unit_test(a_locale_changes_nothing),
		cmocka_unit_test(a_domain_becomes_its_a_label_form),
		cmocka_unit_test(what_is_no_mailbox_is_malformed),
		cmocka_unit_test(lengths_hold_at_their_boundaries),
		cmocka_unit_test(an_address_that_grows_too_long_is_malformed),
		cmocka_unit_test(a_domain_that_grows_too_long_is_malformed),
		cmocka_unit_test(an_address_may_be_normalised_again),
		cmocka_unit_test(a_domain_alone_follows_the_same_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
