/* fuzz-authorization.c -- the value of an Authorization header, as it came.
 *
 * A token that verifies carries the HMAC of its own bytes under a key of the ring that is in use, whatever else is in it; no
 * value that holds something like a token is anonymous; and the order in which checks run, or what a thread remembers,
 * changes no verdict. The corpus of tests/fuzz/corpus/token becomes seeds of this target: seed-tokens. */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "tests/lib/tokenring.h"

#include <regex.h>
#include <stdlib.h>

static struct tokenring ring;

/* An active, a retiring and a retired key, and what a careful site sets. */
static void make_ring(void)
{
	if (ring.ring.count)
		return;
	tokenring_init(&ring);
	REQUIRE(tokenring_add_key(&ring, 0) && tokenring_add_key(&ring, TEST_NOW + 3600) &&
		tokenring_add_key(&ring, TEST_NOW - 10));
}

static bool holds_jwt(const char *value)
{
	static regex_t jwt;
	static bool compiled;

	if (!compiled)
		REQUIRE(regcomp(&jwt, "(^|[^A-Za-z0-9_.-])[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+([^A-Za-z0-9_.-]|$)",
				REG_EXTENDED | REG_NOSUB) == 0);
	compiled = true;
	return regexec(&jwt, value, 0, NULL, 0) == 0;
}

static void check_anonymous(struct span value)
{
	char *text = fuzz_text(value);

	REQUIRE(!memchr(value.data ? value.data : "", '\0', value.size));
	REQUIRE(!strchr(text, ',') && strcspn(text, "\r\n\t") == strlen(text) && !holds_jwt(text));
	REQUIRE(text[strspn(text, " ")] != '\0');
	REQUIRE(strncasecmp(text + strspn(text, " "), "bearer ", 7) != 0);
	free(text);
}

/* By nobody's code but HMAC's: the last part is that of the first two, under key n. */
static bool signed_by(struct span text, size_t n)
{
	const char *dot = memrchr(text.data, '.', text.size), *start = text.data;
	struct span key = span_str(test_secret(n));
	struct buf expected = BUF_INIT;
	uint8_t mac[SHA256_SIZE];
	bool same;

	REQUIRE(dot && crypto_hmac(key, span_of(start, (size_t)(dot - start)), mac) == RC_OK);
	base64url_add(&expected, span_of(mac, sizeof(mac)));
	same = span_equal(buf_span(&expected), span_of(dot + 1, text.size - (size_t)(dot - start) - 1));
	buf_done(&expected);
	return same;
}

static enum reason verify_all(struct span text)
{
	enum reason each[32];
	bool ran[32];
	struct token t;
	enum reason why;

	REQUIRE(token_check_count <= ARRAY_LEN(each));
	token_init(&t, text);
	why = token_verify_all(&t, &ring.context, each, ran);
	token_done(&t);
	return why;
}

static void check_verified(const struct token *t, struct span text)
{
	REQUIRE(text.size <= TOKEN_MAX && t->claims && json_is_object(t->claims));
	REQUIRE(signed_by(text, 1) || signed_by(text, 2));
	REQUIRE(!signed_by(text, 3));          /* retired */
	if (t->exp.present)
		REQUIRE(t->exp.valid && t->exp.at > (double)TEST_NOW && t->exp.at <= (double)TEST_NOW + 86400 + 60);
}

/* Twice with a memory, as a thread does: the second time the header is one it knows. */
static void check_token(struct span text)
{
	struct token_memo *memo = token_memo_new();
	struct token_context with_memo = ring.context;
	json_t *hints = json_array();
	enum reason why[2];

	REQUIRE(memo && hints);
	with_memo.memo = memo;
	for (size_t i = 0; i < ARRAY_LEN(why); i++) {
		struct token t;
		struct identity who;

		token_init(&t, text);
		why[i] = token_verify(&t, &with_memo);
		if (why[i] == REASON_NONE) {
			check_verified(&t, text);
			identity_pin(&who, &t, &ring.site);
			REQUIRE(who.decision == DECISION_VERIFIED ? who.reason == REASON_NONE && who.email[0] : who.reason != REASON_NONE);
		} else {
			token_hints(&t, &ring.context, why[i], hints);
		}
		token_done(&t);
	}
	REQUIRE(why[0] == why[1] && why[0] == verify_all(text));
	for (size_t i = 0; i < json_array_size(hints); i++)
		REQUIRE(fuzz_printable(json_span(json_array_get(hints, i))));
	json_decref(hints);
	token_memo_free(memo);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of(data, size), text = span_of("", 0);
	enum reason why = token_from_authorization(1, value, &text);

	make_ring();
	REQUIRE(token_from_authorization(0, value, &text) == REASON_NO_TOKEN);
	REQUIRE(token_from_authorization(2, value, &text) == REASON_TOKEN_MALFORMED);
	REQUIRE(why == REASON_NO_TOKEN || why == REASON_TOKEN_MALFORMED || why == REASON_NONE);
	if (why == REASON_NO_TOKEN)
		check_anonymous(value);
	if (why != REASON_NONE)
		return 0;
	REQUIRE(text.size > 0);
	check_token(text);
	return 0;
}
