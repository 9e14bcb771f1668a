/* fuzz-filter.c -- the words that choose records in the console. A filter that is taken prints to words that are the same
 * filter, within what a line holds. */
#include "tests/fuzz/fuzz.h"

#include "console/tui/filter.h"

#include <stdlib.h>

#define NOW UINT64_C(1763690000000000)

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same(const struct filter *x, const struct filter *y)
{
	struct audit_filter a = filter_audit(x), b = filter_audit(y);

	return same_text(a.site, b.site) && same_text(a.action, b.action) && same_text(a.subject, b.subject) && same_text(a.remote, b.remote) &&
	       same_text(a.kid, b.kid) && a.has_outcome == b.has_outcome && a.outcome == b.outcome && a.reason == b.reason &&
	       a.has_after == b.has_after && a.after == b.after && a.since == b.since && a.until == b.until;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned allowed[] = { FILTER_ALL, FILTER_BIT(FILTER_SITE) | FILTER_BIT(FILTER_REASON) | FILTER_BIT(FILTER_REMOTE) };
	char *text = fuzz_text(span_of(data, size));

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		struct filter f = { 0 }, again = { 0 };
		struct buf words = BUF_INIT;
		struct why why = { "" };

		if (filter_parse(&f, text, NOW, allowed[i], &why) == RC_OK) {
			filter_text(&f, &words);
			buf_add(&words, "", 0);
			REQUIRE(!words.failed && words.size <= FILTER_TEXT_MAX && fuzz_printable(buf_span(&words)));
			REQUIRE(filter_parse(&again, words.data, NOW, allowed[i], &why) == RC_OK && same(&f, &again));
			REQUIRE(filter_empty(&f) == (words.size == 0));
			for (int w = 0; w < FILTER_WORDS; w++)
				REQUIRE(!f.value[w][0] || (allowed[i] & FILTER_BIT(w)));
		} else {
			REQUIRE(why.text[0]);
		}
		filter_done(&f);
		filter_done(&again);
		buf_done(&words);
	}
	free(text);
	return 0;
}
