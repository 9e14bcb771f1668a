/* The words of a filter: what they choose, how they print, and what is refused with a sentence. */
#include "console/tui/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define NOW (UINT64_C(1795230960) * SECOND + 123456)       /* 2026-11-21T03:16:00.123456Z */
#define LIVE (FILTER_BIT(FILTER_SITE) | FILTER_BIT(FILTER_REASON) | FILTER_BIT(FILTER_REMOTE))
#define SUBJECT "h1:0123456789abcdef0123456789abcdef"

static struct filter parsed(const char *text)
{
	struct filter f;
	struct why why = { "" };

	memset(&f, 0xaa, sizeof(f));
	if (filter_parse(&f, text, NOW, FILTER_ALL, &why) != RC_OK)
		fail_msg("%s: %s", text, why.text);
	return f;
}

static void assert_prints(const struct filter *f, const char *expected)
{
	struct buf out = BUF_INIT;

	filter_text(f, &out);
	buf_add_char(&out, '\0');
	assert_false(out.failed);
	assert_string_equal(out.data, expected);
	buf_done(&out);
}

/* Refused, with a sentence that holds this, and *ret left alone. */
static void assert_refused(const char *text, unsigned words, const char *said)
{
	struct filter f, untouched;
	struct why why = { "" };

	memset(&f, 0xaa, sizeof(f));
	untouched = f;
	if (filter_parse(&f, text, NOW, words, &why) != RC_INVALID)
		fail_msg("%s was not refused", text);
	if (!strstr(why.text, said))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, why.text, said);
	assert_memory_equal(&f, &untouched, sizeof(f));
	assert_int_equal(filter_parse(&f, text, NOW, words, NULL), RC_INVALID);
}

static void assert_any(const struct filter *f)
{
	struct audit_filter a = filter_audit(f);

	assert_true(filter_empty(f));
	assert_true(!a.site && !a.action && !a.subject && !a.remote && !a.kid && !a.has_outcome && !a.has_after);
	assert_true(a.reason == REASON_NONE && a.since == 0 && a.until == 0);
	assert_prints(f, "");
}

static void nothing_typed_is_every_record(void **state)
{
	const char *const texts[] = { "", " ", " \t  " };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct filter f = parsed(texts[i]);

		assert_any(&f);
	}
}

static void each_word_becomes_its_member(void **state)
{
	struct filter f = parsed("after:17 until:2026-11-21 since:2026-11-20T02:00:00.5Z kid:k_7f3aqc2d "
	                         "subject:" SUBJECT " remote:203.0.113.0/24 action:track_order reason:token_expired "
	                         "outcome:blocked site:demo");
	struct audit_filter a = filter_audit(&f);

	(void)state;
	assert_false(filter_empty(&f));
	assert_string_equal(a.site, "demo");
	assert_string_equal(a.action, "track_order");
	assert_string_equal(a.remote, "203.0.113.0/24");
	assert_string_equal(a.kid, "k_7f3aqc2d");
	assert_string_equal(a.subject, SUBJECT);
	assert_true(a.has_outcome);
	assert_int_equal(a.outcome, AUDIT_OUTCOME_BLOCKED);
	assert_int_equal(a.reason, REASON_TOKEN_EXPIRED);
	assert_true(a.has_after);
	assert_int_equal(a.after, 17);
	assert_int_equal(a.since, UINT64_C(1795140000) * SECOND + SECOND / 2);
	assert_int_equal(a.until, UINT64_C(1795219200) * SECOND);
}

static void it_prints_in_one_order_and_parses_to_the_same(void **state)
{
	const char *const cases[][2] = {
		{ "until:10m  since:1h\tsite:demo", "site:demo since:1h until:10m" },
		{ "REASON:token_expired Site:demo", "site:demo reason:token_expired" },
		{ "remote:203.0.113.77", "remote:203.0.113.0/24" },
		{ "remote:203.0.113.77/24", "remote:203.0.113.0/24" },
		{ "remote:2001:DB8:1:2345::1", "remote:2001:db8:1:2300::/56" },
		{ "remote:2001:db8:1:2300::/56", "remote:2001:db8:1:2300::/56" },
		{ "remote:::ffff:203.0.113.77", "remote:203.0.113.0/24" },
		{ "after:007", "after:7" },
		{ "after:18446744073709551615", "after:18446744073709551615" },
		{ "after:0", "after:0" },
		{ "since:2026-11-20T05:00:00.25+02:00", "since:2026-11-20T05:00:00.25+02:00" },
		{ "subject:" SUBJECT " kid:k_7f3aqc2d action:a outcome:failed after:1",
		  "outcome:failed action:a kid:k_7f3aqc2d subject:" SUBJECT " after:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct filter f = parsed(cases[i][0]), again = parsed(cases[i][1]);

		assert_prints(&f, cases[i][1]);
		assert_prints(&again, cases[i][1]);
		assert_int_equal(again.since, f.since);
		assert_int_equal(again.until, f.until);
		assert_int_equal(again.after, f.after);
		assert_int_equal(again.outcome, f.outcome);
		assert_int_equal(again.reason, f.reason);
	}
}

static void after_0_is_not_the_same_as_no_after(void **state)
{
	struct filter f = parsed("after:0");

	(void)state;
	assert_true(filter_audit(&f).has_after);
}

static void times_are_durations_back_from_now_or_dates(void **state)
{
	struct filter f = parsed("since:1h until:30s");

	(void)state;
	assert_int_equal(f.since, NOW - 3600 * SECOND);
	assert_int_equal(f.until, NOW - 30 * SECOND);
	f = parsed("since:-2d");
	assert_int_equal(f.since, NOW - 2 * 86400 * SECOND);
	f = parsed("since:2026-11-21");
	assert_int_equal(f.since, UINT64_C(1795219200) * SECOND);
}

static void what_is_no_word_is_named_with_those_there_are(void **state)
{
	(void)state;
	assert_refused("demo", FILTER_ALL, "\"demo\"");
	assert_refused("site:demo why:expired", FILTER_ALL, "\"why:expired\"");
	assert_refused(":demo", FILTER_ALL, "\":demo\"");
	assert_refused("-site:demo", FILTER_ALL, "\"-site:demo\"");
	assert_refused("sitesite:demo", FILTER_ALL,
	               "site: outcome: reason: action: remote: kid: subject: since: until: after:");
}

static void what_a_word_cannot_take_is_named(void **state)
{
	const struct { const char *text, *said; } cases[] = {
		{ "site:", "site: takes" }, { "site:Demo", "site: takes" }, { "site:de/mo", "site: takes" },
		{ "outcome:none", "outcome: takes" }, { "outcome:", "outcome: takes" },
		{ "reason:expired", "reason: takes" }, { "reason:none", "reason: takes" },
		{ "reason:TOKEN_EXPIRED", "\"TOKEN_EXPIRED\"" },
		{ "action:a\"b", "action: takes" }, { "action:Order", "action: takes" },
		{ "remote:203.0.113.0/25", "remote: takes" }, { "remote:203.0.113.0/", "remote: takes" },
		{ "remote:/24", "remote: takes" }, { "remote:2001:db8::/24", "remote: takes" },
		{ "remote:203.0.113.0/56", "remote: takes" }, { "remote:example.com", "remote: takes" },
		{ "remote:203.0.113", "remote: takes" },
		{ "kid:7f3aqc2d", "kid: takes" }, { "kid:k_7f3aqc2", "kid: takes" }, { "kid:k_7F3AQC2D", "kid: takes" },
		{ "subject:alex@example.com", "subject: takes" }, { "subject:h1:0123", "subject: takes" },
		{ "subject:" SUBJECT "0", "subject: takes" },
		{ "subject:h2:0123456789abcdef0123456789abcdef", "subject: takes" },
		{ "since:yesterday", "since: takes" }, { "since:1", "since: takes" }, { "since:1h30m", "since: takes" },
		{ "since:2026-11-31", "since: takes" }, { "since:100d100", "since: takes" },
		{ "since:99999d", "since: takes" }, { "since:30000d", "since: takes" },
		{ "until:", "until: takes" }, { "until:1970-01-01", "until: takes" },
		{ "after:-1", "after: takes" }, { "after:1e3", "after: takes" },
		{ "after:18446744073709551616", "after: takes" },
		{ "after:9999999999999999999999999999999999999999999999999999999999999999999999999", "after: takes" },
		{ "site:demo site:shop", "site: is there twice" }, { "site:demo SITE:demo", "site: is there twice" },
		{ "since:1h until:1h", "until:1h is not after since:1h" },
		{ "since:1h until:2h", "until:2h is not after" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(cases[i].text, FILTER_ALL, cases[i].said);
}

static void values_of_any_length_are_cut_in_the_sentence_alone(void **state)
{
	static const char *const words[] = { "site:", "action:", "remote:", "kid:", "subject:", "since:", "outcome:",
					     "reason:", "" };
	char text[10000], said[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (size_t size = 72; size < sizeof(text); size = size < 200 ? size + 1 : size * 2) {
			size_t word = (size_t)snprintf(text, sizeof(text), "%s", words[i]);

			memset(text + word, 'a', size - word);
			text[size] = '\0';
			snprintf(said, sizeof(said), "%s", words[i][0] ? words[i] : "no word of the filter");
			assert_refused(text, FILTER_ALL, said);
		}
	}
}

static void a_sentence_shows_no_control_character(void **state)
{
	struct filter f;
	struct why why = { "" };

	(void)state;
	assert_int_equal(filter_parse(&f, "site:\x1b[31m\xff", NOW, FILTER_ALL, &why), RC_INVALID);
	assert_null(strchr(why.text, '\x1b'));
	assert_non_null(strstr(why.text, "\\x1b[31m"));
}

static void words_that_do_not_work_here_are_refused_by_name(void **state)
{
	struct filter f;

	(void)state;
	assert_int_equal(filter_parse(&f, "remote:203.0.113.7 reason:key_retired site:demo", NOW, LIVE, NULL), RC_OK);
	assert_prints(&f, "site:demo reason:key_retired remote:203.0.113.0/24");
	assert_refused("site:demo outcome:done", LIVE, "outcome: cannot be used here; there are site: reason: remote:");
	assert_refused("since:nonsense", LIVE, "since: cannot be used here");
	assert_refused("nonsense", LIVE, "there are site: reason: remote:");
}

static void emptied_it_matches_every_record(void **state)
{
	struct filter f = parsed("site:demo since:1h after:3 reason:key_retired outcome:done");

	(void)state;
	filter_done(&f);
	assert_any(&f);
}

/* Whatever is typed is refused with a sentence, or prints to what parses to the same print. */
static void random_words_are_refused_or_print_to_themselves(void **state)
{
	static const char *const parts[] = { "site:", "demo", "reason:", "token_expired", "since:", "1h", "remote:",
					     "203.0.113.7", ":", "/24", " ", "\t", "after:", "99", "until:",
					     "2026-11-21", "\xc3\xa9", "\xff", "\x1b", "\"" };
	unsigned taken = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		char text[256] = "";
		struct filter f, again;
		struct buf out = BUF_INIT, out_again = BUF_INIT;
		struct why why = { "" };

		for (long n = random() % 9; n > 0; n--)
			strcat(text, parts[(size_t)random() % ARRAY_LEN(parts)]);
		if (filter_parse(&f, text, NOW, FILTER_ALL, &why) != RC_OK) {
			assert_int_not_equal(why.text[0], '\0');
			continue;
		}
		taken++;
		filter_text(&f, &out);
		buf_add_char(&out, '\0');
		assert_int_equal(filter_parse(&again, out.data, NOW, FILTER_ALL, &why), RC_OK);
		filter_text(&again, &out_again);
		buf_add_char(&out_again, '\0');
		assert_string_equal(out.data, out_again.data);
		buf_done(&out);
		buf_done(&out_again);
	}
	assert_true(taken > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_typed_is_every_record),
		cmocka_unit_test(each_word_becomes_its_member),
		cmocka_unit_test(it_prints_in_one_order_and_parses_to_the_same),
		cmocka_unit_test(after_0_is_not_the_same_as_no_after),
		cmocka_unit_test(times_are_durations_back_from_now_or_dates),
		cmocka_unit_test(what_is_no_word_is_named_with_those_there_are),
		cmocka_unit_test(what_a_word_cannot_take_is_named),
		cmocka_unit_test(values_of_any_length_are_cut_in_the_sentence_alone),
		cmocka_unit_test(a_sentence_shows_no_control_character),
		cmocka_unit_test(words_that_do_not_work_here_are_refused_by_name),
		cmocka_unit_test(emptied_it_matches_every_record),
		cmocka_unit_test(random_words_are_refused_or_print_to_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
