/* test_verify.c -- the checks in their order, at their boundaries, by a clock that stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpstore.h"
#include "tests/lib/tokenring.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW ((long long)TEST_NOW)

static int setup(void **state)
{
	struct tokenring *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	tokenring_init(r);
	*state = r;
	return tokenring_add_key(r, 0) ? 0 : -1;
}

static int teardown(void **state)
{
	tokenring_done(*state);
	free(*state);
	return 0;
}

static enum reason verify_text(struct tokenring *r, struct span text)
{
	struct token t;
	enum reason reason;

	token_init(&t, text);
	reason = token_verify(&t, &r->context);
	assert_true(reason == REASON_NONE || strlen(t.fingerprint) == 8);
	assert_true(t.claims == NULL || t.key != NULL);
	token_done(&t);
	return reason;
}

static enum reason verify(struct tokenring *r, const char *header, const char *payload, const char *key)
{
	struct buf text = BUF_INIT;
	enum reason reason;

	token_sign(&text, span_str(header), span_str(payload), span_str(key));
	assert_false(text.failed);
	reason = verify_text(r, buf_span(&text));
	buf_done(&text);
	return reason;
}

static enum reason verify_payload(struct tokenring *r, const char *payload)
{
	return verify(r, TEST_HEADER, payload, test_secret(1));
}

/* ---- times ---- */

struct timed { long long exp, iat, nbf; enum reason expected; };    /* 0: absent; else seconds from now */

static void assert_timed(struct tokenring *r, const struct timed *row, size_t count)
{
	for (size_t i = 0; i < count; i++, row++) {
		struct buf payload = BUF_INIT;

		buf_add_str(&payload, "{\"email\":\"alex@example.com\"");
		if (row->exp)
			buf_addf(&payload, ",\"exp\":%lld", NOW + row->exp);
		if (row->iat)
			buf_addf(&payload, ",\"iat\":%lld", NOW + row->iat);
		if (row->nbf)
			buf_addf(&payload, ",\"nbf\":%lld", NOW + row->nbf);
		buf_add_str(&payload, "}");
		if (verify_payload(r, payload.data) != row->expected)
			fail_msg("%s: not %s", payload.data, reason_name(row->expected));
		buf_done(&payload);
	}
}

static void times_hold_at_their_boundaries(void **state)
{
	static const struct timed rows[] = {
		{ 1, 0, 0, REASON_NONE },                 { -1, 0, 0, REASON_TOKEN_EXPIRED },
		{ 0, 60, 0, REASON_NONE },                { 0, 61, 0, REASON_TOKEN_NOT_YET_VALID },
		{ 0, 0, 60, REASON_NONE },                { 0, 0, 61, REASON_TOKEN_NOT_YET_VALID },
		{ 86400, 0, 0, REASON_NONE },             { 86401, 0, 0, REASON_LIFETIME_TOO_LONG },
		{ 86460, 60, 0, REASON_NONE },            { 86461, 60, 0, REASON_LIFETIME_TOO_LONG },
		{ 1, -86399, 0, REASON_NONE },            { 1, -86400, 0, REASON_LIFETIME_TOO_LONG },
		{ 0, -86400, 0, REASON_NONE },            { 0, -86401, 0, REASON_LIFETIME_TOO_LONG },
		{ -1, 61, 61, REASON_TOKEN_EXPIRED },     { 90000, 0, 61, REASON_TOKEN_NOT_YET_VALID },
		{ 30, 50, 0, REASON_NONE },
	};

	assert_timed(*state, rows, ARRAY_LEN(rows));
}

static void expiry_is_exact_to_the_microsecond(void **state)
{
	struct tokenring *r = *state;
	char payload[128];

	snprintf(payload, sizeof(payload), "{\"email\":\"a@b.co\",\"exp\":%lld.25}", NOW);
	r->context.now_us = TEST_NOW * 1000000 + 249999;
	assert_int_equal(verify_payload(r, payload), REASON_NONE);
	r->context.now_us = TEST_NOW * 1000000 + 250000;
	assert_int_equal(verify_payload(r, payload), REASON_TOKEN_EXPIRED);

	snprintf(payload, sizeof(payload), "{\"email\":\"a@b.co\",\"exp\":%lld}", NOW);
	r->context.now_us = TEST_NOW * 1000000 - 1;
	assert_int_equal(verify_payload(r, payload), REASON_NONE);
	r->context.now_us = TEST_NOW * 1000000;
	assert_int_equal(verify_payload(r, payload), REASON_TOKEN_EXPIRED);
}

static void a_site_shortens_the_lifetime_but_never_lengthens_it(void **state)
{
	static const struct timed shorter[] = { { 600, 0, 0, REASON_NONE }, { 601, 0, 0, REASON_LIFETIME_TOO_LONG } };
	static const struct timed longer[] = {
		{ 86400, 0, 0, REASON_NONE }, { 86401, 0, 0, REASON_LIFETIME_TOO_LONG },
	};
	struct tokenring *r = *state;

	r->site.max_lifetime = 600;
	assert_timed(r, shorter, ARRAY_LEN(shorter));
	r->site.max_lifetime = 1000000;
	assert_timed(r, longer, ARRAY_LEN(longer));
}

static void a_malformed_time_is_not_an_absent_one(void **state)
{
	static const char *const values[] = {
		"null", "true", "\"1\"", "[]", "{}", "-1", "-0.5", "9007199254740993", "9.1e15",
		"9223372036854775807",
	};
	static const char *const names[] = { "exp", "iat", "nbf" };

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			char payload[160];

			snprintf(payload, sizeof(payload), "{\"email\":\"a@b.co\",\"%s\":%s}", names[n], values[i]);
			if (verify_payload(*state, payload) != REASON_CLAIM_INVALID)
				fail_msg("%s", payload);
		}
	}
}

/* ---- order ---- */

/* Each token has all the faults of those below it: the first in the table must win. */
static void the_first_failure_in_the_table_wins(void **state)
{
	static const char forged[] = "another-secret-another-secret-another-secret";
	static const char *const bad_header = "{\"alg\":\"none\",\"crit\":[\"x\"],\"kid\":7}";
	static const char *const worst = "{\"exp\":\"x\",\"email\":5}";
	struct tokenring *r = *state;

	r->site.require_exp = true;
	snprintf(r->site.issuer, sizeof(r->site.issuer), "us");
	snprintf(r->site.audience, sizeof(r->site.audience), "here");
	assert_int_equal(verify_text(r, span_str("a.b")), REASON_TOKEN_MALFORMED);
	assert_int_equal(verify(r, "[]", worst, forged), REASON_TOKEN_MALFORMED);
	assert_int_equal(verify(r, bad_header, worst, forged), REASON_TOKEN_ALGORITHM);
	assert_int_equal(verify(r, "{\"alg\":\"HS256\",\"typ\":\"x\",\"crit\":1}", worst, forged),
		REASON_TOKEN_ALGORITHM);
	assert_int_equal(verify(r, "{\"alg\":\"HS256\",\"crit\":1,\"kid\":7}", worst, forged), REASON_TOKEN_CRITICAL);
	assert_int_equal(verify(r, "{\"alg\":\"HS256\",\"kid\":7}", worst, forged), REASON_TOKEN_MALFORMED);
	assert_int_equal(verify(r, TEST_HEADER, worst, forged), REASON_SIGNATURE_MISMATCH);
	assert_int_equal(verify_payload(r, "[]"), REASON_TOKEN_MALFORMED);
	assert_int_equal(verify_payload(r, worst), REASON_CLAIM_INVALID);
	assert_int_equal(verify_payload(r, "{\"exp\":5,\"nbf\":9000000000}"), REASON_TOKEN_EXPIRED);
	assert_int_equal(verify_payload(r, "{\"exp\":9000000000,\"nbf\":9000000000}"), REASON_TOKEN_NOT_YET_VALID);
	assert_int_equal(verify_payload(r, "{\"exp\":9000000000}"), REASON_LIFETIME_TOO_LONG);
	assert_int_equal(verify_payload(r, "{}"), REASON_EXPIRY_MISSING);
	r->site.require_exp = false;
	assert_int_equal(verify_payload(r, "{}"), REASON_ISSUER_MISMATCH);
	assert_int_equal(verify_payload(r, "{\"iss\":\"us\"}"), REASON_AUDIENCE_MISMATCH);
	assert_int_equal(verify_payload(r, "{\"iss\":\"us\",\"aud\":[\"there\",\"here\"]}"), REASON_NONE);
}

static void an_empty_ring_comes_before_every_key(void **state)
{
	struct tokenring r;

	(void)state;
	tokenring_init(&r);
	assert_int_equal(verify(&r, "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{}", ""), REASON_RING_EMPTY);
	assert_true(tokenring_add_key(&r, TEST_NOW - 5));
	assert_int_equal(verify(&r, "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{}", test_secret(1)),
		REASON_RING_EMPTY);
	assert_true(tokenring_add_key(&r, 0));
	assert_int_equal(verify(&r, "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{}", test_secret(1)),
		REASON_KEY_RETIRED);
	tokenring_done(&r);
}

static void explain_runs_what_its_needs_allow(void **state)
{
	struct tokenring *r = *state;
	enum reason each[32];
	bool ran[32];
	struct buf text = BUF_INIT;
	struct token t;
	size_t failed = 0;

	token_signf(&text, "{\"exp\":5,\"nbf\":9000000000}");
	token_init(&t, buf_span(&text));
	assert_int_equal(token_verify_all(&t, &r->context, each, ran), REASON_TOKEN_EXPIRED);
	for (size_t i = 0; i < token_check_count; i++) {
		assert_true(ran[i]);
		failed += each[i] != REASON_NONE;
	}
	assert_int_equal(failed, 2);
	token_done(&t);
	buf_done(&text);

	token_init(&t, span_str("e30.e30.e30"));
	assert_int_equal(token_verify_all(&t, &r->context, each, ran), REASON_TOKEN_ALGORITHM);
	for (size_t i = 0; i < token_check_count; i++) {
		if (strcmp(token_checks[i].name, "signature") == 0 || strcmp(token_checks[i].name, "payload") == 0)
			assert_false(ran[i]);
	}
	assert_null(t.claims);
	token_done(&t);
}

/* ---- the signature ---- */

/* Every other byte in every place: nothing but the token itself verifies. */
static void no_single_byte_can_be_changed(void **state)
{
	struct tokenring *r = *state;
	struct buf text = BUF_INIT;

	token_signf(&text, "{\"email\":\"alex@example.com\",\"exp\":%lld}", NOW + 60);
	assert_int_equal(verify_text(r, buf_span(&text)), REASON_NONE);
	for (size_t i = 0; i < text.size; i++) {
		char kept = text.data[i];

		for (int c = 0; c < 256; c++) {
			text.data[i] = (char)c;
			if ((char)c != kept && verify_text(r, buf_span(&text)) == REASON_NONE)
				fail_msg("byte %zu may be %d", i, c);
		}
		text.data[i] = kept;
	}
	for (size_t size = 0; size < text.size; size++)
		assert_int_not_equal(verify_text(r, span_of(text.data, size)), REASON_NONE);
	buf_done(&text);
}

static void a_good_token_says_who_signed_it(void **state)
{
	struct tokenring *r = *state;
	struct buf text = BUF_INIT;
	struct token t;

	assert_true(tokenring_add_key(r, TEST_NOW + 100));
	token_sign(&text, span_str("{\"alg\":\"HS256\",\"kid\":\"k_bbbbbbbb\"}"),
		span_str("{\"email\":\"a@b.co\",\"exp\":1763690050.5}"),
		   span_str(test_secret(2)));
	token_init(&t, buf_span(&text));
	assert_int_equal(token_verify(&t, &r->context), REASON_NONE);
	assert_ptr_equal(t.key, &r->ring.keys[1]);
	assert_true(span_is(t.kid, "k_bbbbbbbb"));
	assert_true(t.exp.present && t.exp.valid && !t.iat.present && !t.nbf.present);
	assert_true(t.exp.at > 1763690050.4 && t.exp.at < 1763690050.6);
	assert_string_equal(t.kid_tombstone, "");
	assert_string_equal(t.fingerprint, "");
	assert_int_equal(strlen(token_fingerprint(&t)), 8);
	token_done(&t);
	assert_null(t.claims);
	buf_done(&text);
}

static void a_size_limit_holds_without_the_parameter(void **state)
{
	struct tokenring *r = *state;
	struct buf payload = BUF_INIT, text = BUF_INIT;

	buf_add_str(&payload, "{\"email\":\"a@b.co\",\"x\":\"");
	while (payload.size < 6050)
		buf_add_char(&payload, 'x');
	buf_add_str(&payload, "\"}");
	token_sign(&text, span_str(TEST_HEADER), buf_span(&payload), span_str(test_secret(1)));
	assert_true(text.size <= TOKEN_MAX && text.size > TOKEN_MAX - 100);
	assert_int_equal(verify_text(r, buf_span(&text)), REASON_NONE);
	while (text.size <= TOKEN_MAX)
		buf_add_char(&text, 'A');
	assert_int_equal(verify_text(r, buf_span(&text)), REASON_TOKEN_MALFORMED);
	buf_done(&payload);
	buf_done(&text);
}

/* ---- the memo ---- */

static void a_remembered_header_changes_no_answer(void **state)
{
	static const char *const headers[] = {
		TEST_HEADER, "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"none\"}",
		"{\"alg\":\"HS256\",\"crit\":[]}",
		"{\"alg\":\"HS256\",\"kid\":\"k_bbbbbbbb\"}", "[]", TEST_HEADER,
	};
	struct tokenring *r = *state;

	for (int round = 0; round < 3; round++) {
		struct token_memo *memo = token_memo_new();

		assert_non_null(memo);
		for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
			for (size_t k = 1; k <= 2; k++) {
				enum reason without, with;

				r->context.memo = NULL;
				without = verify(r, headers[i], "{\"email\":\"a@b.co\"}", test_secret(k));
				r->context.memo = memo;
				with = verify(r, headers[i], "{\"email\":\"a@b.co\"}", test_secret(k));
				assert_int_equal(with, without);
				assert_int_equal(verify(r, headers[i], "{\"email\":\"a@b.co\"}", test_secret(k)),
					without);
			}
		}
		r->context.memo = NULL;
		token_memo_free(memo);
	}
}

/* Under a key of the ring, so that nothing but the header can be what refuses them. */
static void a_header_like_the_remembered_one_is_another(void **state)
{
	static const struct { const char *header; enum reason reason; } cases[] = {
		{ "{\"alg\":\"none\", \"typ\":\"JWT\"}", REASON_TOKEN_ALGORITHM },              /* of the same size */
		{ TEST_HEADER "{}", REASON_TOKEN_MALFORMED },                               /* begins so */
		{ "{\"alg\":\"HS256\",\"typ\":\"JW\"}", REASON_TOKEN_ALGORITHM },
	};
	struct tokenring *r = *state;
	struct token_memo *memo = token_memo_new();

	assert_non_null(memo);
	assert_int_equal(strlen(cases[0].header), strlen(TEST_HEADER));
	r->context.memo = memo;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(verify(r, TEST_HEADER, "{\"email\":\"a@b.co\"}", test_secret(1)), REASON_NONE);
		assert_int_equal(verify(r, cases[i].header, "{\"email\":\"a@b.co\"}", test_secret(1)), cases[i].reason);
	}
	r->context.memo = NULL;
	token_memo_free(memo);
}

struct answer { enum reason reason; char kid[64]; bool seen; };

static struct answer ask(struct tokenring *r, struct token_memo *memo, const char *header, size_t secret)
{
	struct buf text = BUF_INIT;
	struct answer a = { .kid = "" };
	struct token t;

	r->context.memo = memo;
	token_sign(&text, span_str(header), span_str("{\"email\":\"a@b.co\"}"), span_str(test_secret(secret)));
	token_init(&t, buf_span(&text));
	a.reason = token_verify(&t, &r->context);
	assert_true(t.kid.size < sizeof(a.kid));
	if (t.kid.size)
		memcpy(a.kid, t.kid.data, t.kid.size);
	a.seen = t.header_seen;
	token_done(&t);
	buf_done(&text);
	r->context.memo = NULL;
	return a;
}

/* Each is as long as the one before it that is remembered. */
static void a_header_like_the_usual_one_is_read_as_it_stands(void **state)
{
	static const struct { const char *usual, *header; bool seen; } cases[] = {
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kid\":\"k_bbbbbbbb\"}", true },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kid\":\"k_zzzzzzzz\"}", true },
		{ "{\"kid\":\"k_aaaaaaaa\",\"alg\":\"HS256\"}", "{\"kid\":\"k_bbbbbbbb\",\"alg\":\"HS256\"}", true },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS512\",\"kid\":\"k_bbbbbbbb\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kie\":\"k_bbbbbbbb\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kid\":\"k_bbbbbbb1\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kid\":\"k_bb\\u0062\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kid\":\"\",\"b64\":123}", false },
		{ "{\"kid\":\"k_aaaaaaaa\",\"alg\":\"HS256\"}", "{\"kid\":\"k_bbbbbbbb\",\"alg\":\"HS25\\\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\": \"k_aaaaaaaa\"}", "{\"alg\":\"HS256\",\"kid\": \"k_bbbbbbbb\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaa1\"}", "{\"alg\":\"HS256\",\"kid\":\"k_bbbbbbbb\"}", false },
		{ "{\"alg\":\"HS256\",\"x\":{\"kid\":\"k_aaaaaaaa\"},\"kid\": \"k_aaaaaaaa\"}",
		  "{\"alg\":\"HS256\",\"x\":{\"kid\":\"k_bbbbbbbb\"},\"kid\": \"k_aaaaaaaa\"}", false },
		{ "{\"alg\":\"HS256\",\"x\":[{\"kid\":\"k_aaaaaaaa\"}],\"kid\":\"k_aaaaaaaa\"}",
		  "{\"alg\":\"HS256\",\"x\":[{\"kid\":\"k_bbbbbbbb\"}],\"kid\":\"k_aaaaaaaa\"}", false },
		/* a member whose name ends like the kid's */
		{ "{\"x\\\"kid\":\"k_aaaaaaaa\",\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}",
		  "{\"x\\\"kid\":\"k_bbbbbbbb\",\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}", false },
		{ "{\"x\\\"kid\":\"k_aaaaaaaa\",\"alg\":\"HS256\",\"k\\u0069d\":\"k_aaaaaaaa\"}",
		  "{\"x\\\"kid\":\"k_zzzzzzzz\",\"alg\":\"HS256\",\"k\\u0069d\":\"k_aaaaaaaa\"}", false },
	};
	struct tokenring *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t secret = 1; secret <= 2; secret++) {
			struct answer without = ask(r, NULL, cases[i].header, secret), with;
			struct token_memo *memo = token_memo_new();

			assert_non_null(memo);
			assert_int_equal(strlen(cases[i].usual), strlen(cases[i].header));
			assert_int_equal(ask(r, memo, cases[i].usual, 1).reason, REASON_NONE);
			assert_true(ask(r, memo, cases[i].usual, 1).seen);
			with = ask(r, memo, cases[i].header, secret);
			assert_int_equal(with.reason, without.reason);
			assert_string_equal(with.kid, without.kid);
			assert_int_equal(with.seen, cases[i].seen);
			token_memo_free(memo);
		}
}

static void a_token_outlives_the_memo_it_met(void **state)
{
	struct tokenring *r = *state;
	struct token_memo *memo = token_memo_new();
	struct buf text = BUF_INIT;
	struct token t[2];

	assert_non_null(memo);
	r->context.memo = memo;
	token_sign(&text, span_str("{\"alg\":\"HS256\",\"kid\":\"k_aaaaaaaa\"}"), span_str("{}"),
		span_str(test_secret(1)));
	for (int i = 0; i < 2; i++) {
		token_init(&t[i], buf_span(&text));
		assert_int_equal(token_verify(&t[i], &r->context), REASON_NONE);
		assert_int_equal(t[i].header_seen, i == 1);
	}
	token_memo_free(memo);
	r->context.memo = NULL;
	assert_true(span_is(t[0].kid, "k_aaaaaaaa") && span_is(t[1].kid, "k_aaaaaaaa"));
	token_done(&t[0]);
	assert_true(span_is(t[1].kid, "k_aaaaaaaa"));
	token_done(&t[1]);
	buf_done(&text);
}

static void only_a_signature_that_verified_makes_a_header_remembered(void **state)
{
	struct tokenring *r = *state;
	struct token_memo *memo = token_memo_new();
	struct buf text = BUF_INIT;
	struct token t;

	assert_non_null(memo);
	r->context.memo = memo;
	token_sign(&text, span_str(TEST_HEADER), span_str("{}"), span_str("some-other-secret-some-other-secret"));
	for (int i = 0; i < 2; i++) {
		token_init(&t, buf_span(&text));
		assert_int_equal(token_verify(&t, &r->context), REASON_SIGNATURE_MISMATCH);
		assert_false(t.header_seen);
		token_done(&t);
	}
	r->context.memo = NULL;
	token_memo_free(memo);
	buf_done(&text);
}

/* ---- tombstones: these need a vault ---- */

static void retire_a_key(struct store *st, const char *site, char kid[KID_MAX])
{
	struct txn *vault = txn_write(st, ENV_VAULT);
	struct key k = { 0 };
	enum reason reason = REASON_NONE;

	assert_int_equal(keyring_create(st, vault, site, "", NULL, TEST_NOW, &k, &reason), RC_OK);
	memcpy(kid, k.kid, KID_MAX);
	assert_int_equal(keyring_retire(st, vault, site, kid, TEST_NOW, &reason), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	key_done(&k);
}

static void add_site(struct store *st, const char *id)
{
	struct txn *vault = txn_write(st, ENV_VAULT);
	struct site s;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), "%s", id);
	assert_int_equal(site_add(vault, &s), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	site_done(&s);
}

static enum reason verify_kid(struct tokenring *r, const char *kid, const char *tombstone)
{
	struct buf text = BUF_INIT;
	char header[128];
	enum reason reason;
	struct token t;

	snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
	token_sign(&text, span_str(header), span_str("{}"), span_str(test_secret(1)));
	token_init(&t, buf_span(&text));
	reason = token_verify(&t, &r->context);
	assert_string_equal(t.kid_tombstone, tombstone);
	token_done(&t);
	buf_done(&text);
	return reason;
}

static void a_tombstone_of_this_site_only_makes_a_key_retired(void **state)
{
	struct tokenring *r = *state;
	struct store *st = tmpstore_new();
	char ours[KID_MAX], theirs[KID_MAX];

	assert_non_null(st);
	add_site(st, "demo");
	add_site(st, "other");
	retire_a_key(st, "demo", ours);
	retire_a_key(st, "other", theirs);
	r->context.vault = txn_read(st, ENV_VAULT);
	assert_int_equal(verify_kid(r, ours, ours), REASON_KEY_RETIRED);
	assert_int_equal(verify_kid(r, theirs, ""), REASON_NONE);
	assert_int_equal(verify_kid(r, "k_aaaaaaaa", ""), REASON_NONE);
	assert_int_equal(txn_rc(r->context.vault), RC_OK);
	txn_abort(r->context.vault);
	r->context.vault = NULL;
	tmpstore_free(st);
}

/* The path never gets to the second: an iat so far ahead is refused before. Asked by itself it is right all the same. */
static void a_life_that_begins_in_the_future_is_measured_from_now_too(void **state)
{
	struct tokenring *r = *state;
	struct buf text = BUF_INIT;
	enum reason each[32];
	bool ran[32];
	struct token t;

	token_signf(&text, "{\"email\":\"a@b.co\",\"iat\":%lld,\"exp\":%lld}", NOW + 86400, NOW + 2 * 86400);
	token_init(&t, buf_span(&text));
	assert_int_equal(token_verify_all(&t, &r->context, each, ran), REASON_TOKEN_NOT_YET_VALID);
	for (size_t i = 0; i < token_check_count; i++)
		if (strcmp(token_checks[i].name, "lifetime") == 0)
			assert_int_equal(each[i], REASON_LIFETIME_TOO_LONG);
	token_done(&t);
	buf_done(&text);
}

static void a_site_may_require_an_expiry(void **state)
{
	struct tokenring *r = *state;
	char with_exp[96];

	r->site.require_exp = true;
	snprintf(with_exp, sizeof(with_exp), "{\"email\":\"a@b.co\",\"exp\":%lld}", NOW + 60);
	assert_int_equal(verify_payload(r, with_exp), REASON_NONE);
	assert_int_equal(verify_payload(r, "{\"email\":\"a@b.co\"}"), REASON_EXPIRY_MISSING);
}

static void a_header_too_large_to_remember_is_parsed_each_time(void **state)
{
	struct tokenring *r = *state;
	struct token_memo *memo = token_memo_new();
	struct buf header = BUF_INIT, text = BUF_INIT;
	struct token t;

	assert_non_null(memo);
	token_memo_free(NULL);
	r->context.memo = memo;
	buf_add_str(&header, "{\"alg\":\"HS256\",\"kid\":\"");
	for (int i = 0; i < 600; i++)
		buf_add_char(&header, 'k');
	buf_add_str(&header, "\"}");
	token_sign(&text, buf_span(&header), span_str("{}"), span_str(test_secret(1)));
	for (int i = 0; i < 2; i++) {
		token_init(&t, buf_span(&text));
		assert_int_equal(token_verify(&t, &r->context), REASON_NONE);
		assert_false(t.header_seen);
		token_done(&t);
	}
	r->context.memo = NULL;
	token_memo_free(memo);
	buf_done(&header);
	buf_done(&text);
}

#define WITH_RING(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RING(times_hold_at_their_boundaries),
		WITH_RING(expiry_is_exact_to_the_microsecond),
		WITH_RING(a_site_shortens_the_lifetime_but_never_lengthens_it),
		WITH_RING(a_malformed_time_is_not_an_absent_one),
		WITH_RING(the_first_failure_in_the_table_wins),
		cmocka_unit_test(an_empty_ring_comes_before_every_key),
		WITH_RING(explain_runs_what_its_needs_allow),
		WITH_RING(no_single_byte_can_be_changed),
		WITH_RING(a_good_token_says_who_signed_it),
		WITH_RING(a_size_limit_holds_without_the_parameter),
		WITH_RING(a_remembered_header_changes_no_answer),
		WITH_RING(a_header_like_the_remembered_one_is_another),
		WITH_RING(a_header_like_the_usual_one_is_read_as_it_stands),
		WITH_RING(a_token_outlives_the_memo_it_met),
		WITH_RING(only_a_signature_that_verified_makes_a_header_remembered),
		WITH_RING(a_tombstone_of_this_site_only_makes_a_key_retired),
		WITH_RING(a_life_that_begins_in_the_future_is_measured_from_now_too),
		WITH_RING(a_site_may_require_an_expiry),
		WITH_RING(a_header_too_large_to_remember_is_parsed_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
