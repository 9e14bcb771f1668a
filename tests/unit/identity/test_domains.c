/* test_domains.c -- reserved, private or public: whole labels from the right, and what a site says about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity/identity.h"

#include <stdio.h>

static const char *const reserved[] = {
	"test", "example", "invalid", "localhost", "local", "onion", "alt", "internal", "arpa",
};
static const char *const private[] = {
	"corp", "home", "lan", "mail", "intranet", "private", "localdomain", "domain", "workgroup",
};

static int setup(void **state)
{
	static struct site site;

	site_init(&site);
	*state = &site;
	return 0;
}

static int teardown(void **state)
{
	site_done(*state);
	return 0;
}

static void assert_standing(const struct site *s, const char *below, const char *name, enum reason expected)
{
	char domain[128];

	snprintf(domain, sizeof(domain), "%s%s", below, name);
	if (email_domain_standing(domain, s) != expected)
		fail_msg("%s: %s", domain, reason_name(email_domain_standing(domain, s)));
}

static void every_listed_name_covers_itself_and_all_below(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		assert_standing(*state, "", reserved[i], REASON_EMAIL_RESERVED);
		assert_standing(*state, "a.", reserved[i], REASON_EMAIL_RESERVED);
		assert_standing(*state, "a.b.c.", reserved[i], REASON_EMAIL_RESERVED);
	}
	for (size_t i = 0; i < ARRAY_LEN(private); i++) {
		assert_standing(*state, "", private[i], REASON_EMAIL_NOT_PUBLIC);
		assert_standing(*state, "a.", private[i], REASON_EMAIL_NOT_PUBLIC);
		assert_standing(*state, "a.b.c.", private[i], REASON_EMAIL_NOT_PUBLIC);
	}
}

static void only_whole_labels_from_the_right_count(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		assert_standing(*state, "a.not", reserved[i], REASON_NONE);
		assert_standing(*state, "a.x-", reserved[i], REASON_NONE);
	}
	assert_standing(*state, "", "contest.com", REASON_NONE);
	assert_standing(*state, "", "local.iana.org", REASON_NONE);
	assert_standing(*state, "", "test.corp.com", REASON_NONE);
	assert_standing(*state, "", "home.arpa", REASON_EMAIL_RESERVED);
	assert_standing(*state, "", "mail.example.com", REASON_NONE);
}

static void example_com_is_an_ordinary_name(void **state)
{
	assert_standing(*state, "", "example.com", REASON_NONE);
	assert_standing(*state, "", "example.net", REASON_NONE);
	assert_standing(*state, "www.", "example.org", REASON_NONE);
}

static void one_label_or_a_numeric_last_one_is_not_public(void **state)
{
	assert_standing(*state, "", "shop", REASON_EMAIL_NOT_PUBLIC);
	assert_standing(*state, "", "1.2.3.4", REASON_EMAIL_NOT_PUBLIC);
	assert_standing(*state, "", "example.123", REASON_EMAIL_NOT_PUBLIC);
	assert_standing(*state, "", "123.com", REASON_NONE);
	assert_standing(*state, "", "example.1a", REASON_NONE);
}

static void a_site_accepts_a_name_and_what_is_below_it(void **state)
{
	struct site *s = *state;

	assert_int_equal(site_list_add(&s->accept_domains, "corp.local"), RC_OK);
	assert_int_equal(site_list_add(&s->accept_domains, "intranet"), RC_OK);
	assert_standing(s, "", "corp.local", REASON_NONE);
	assert_standing(s, "x.y.", "corp.local", REASON_NONE);
	assert_standing(s, "my", "corp.local", REASON_EMAIL_RESERVED);
	assert_standing(s, "", "local", REASON_EMAIL_RESERVED);
	assert_standing(s, "", "intranet", REASON_NONE);
	assert_standing(s, "", "corp", REASON_EMAIL_NOT_PUBLIC);
}

static void what_a_site_reserves_wins_over_what_it_accepts(void **state)
{
	struct site *s = *state;

	assert_int_equal(site_list_add(&s->reserve_domains, "example.net"), RC_OK);
	assert_int_equal(site_list_add(&s->accept_domains, "staff.example.net"), RC_OK);
	assert_standing(s, "", "example.net", REASON_EMAIL_RESERVED);
	assert_standing(s, "staff.", "example.net", REASON_EMAIL_RESERVED);
	assert_standing(s, "not", "example.net", REASON_NONE);
}

/* An empty entry, which no command writes, would cover every name there is. */
static void an_empty_name_covers_nothing(void **state)
{
	struct site *s = *state;

	assert_int_equal(site_list_add(&s->accept_domains, ""), RC_OK);
	assert_int_equal(site_list_add(&s->reserve_domains, ""), RC_OK);
	assert_standing(s, "", "example.com", REASON_NONE);
	assert_standing(s, "a.", "test", REASON_EMAIL_RESERVED);
	assert_standing(s, "a.", "lan", REASON_EMAIL_NOT_PUBLIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_listed_name_covers_itself_and_all_below, setup, teardown),
		cmocka_unit_test_setup_teardown(only_whole_labels_from_the_right_count, setup, teardown),
		cmocka_unit_test_setup_teardown(example_com_is_an_ordinary_name, setup, teardown),
		cmocka_unit_test_setup_teardown(one_label_or_a_numeric_last_one_is_not_public, setup, teardown),
		cmocka_unit_test_setup_teardown(a_site_accepts_a_name_and_what_is_below_it, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_site_reserves_wins_over_what_it_accepts, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_name_covers_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
