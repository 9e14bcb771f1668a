/* test_hints.c -- near misses of a signature: each way of bending the shown secret is recognised for what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpstore.h"
#include "tests/lib/tokenring.h"

#include <stdio.h>
#include <stdlib.h>

/* The form every secret of ours is shown in: its alphabet is also base64url's. */
#define SHOWN "postern_sk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg4TxM0q"

static void replace_secret(struct tokenring *r, const char *text)
{
	struct key *k = &r->ring.keys[0];

	secret_free(k->secret);
	hmac_key_free(k->hmac);
	k->hmac = NULL;
	k->secret = secret_copy(span_str(text));
	assert_non_null(k->secret);
	assert_int_equal(hmac_key_new(secret_span(k->secret), &k->hmac), RC_OK);
}

static void assert_hint(struct tokenring *r, struct span key, enum reason why, const char *words)
{
	json_t *hints = json_array(), *hint;
	struct buf text = BUF_INIT;
	bool found = false;
	struct token t;
	size_t i;

	token_sign(&text, span_str(TEST_HEADER), span_str("{\"email\":\"a@b.co\"}"), key);
	token_init(&t, buf_span(&text));
	assert_int_equal(token_verify(&t, &r->context), why);
	token_hints(&t, &r->context, why, hints);
	json_array_foreach(hints, i, hint) {
		found |= strstr(json_string_value(hint), words) != NULL;
		if (strstr(json_string_value(hint), "0123456789ABC"))
			fail_msg("a hint shows the secret");
	}
	if (!found)
		fail_msg("no hint says \"%s\", but \"%s\"", words, json_string_value(json_array_get(hints, 0)));
	token_done(&t);
	json_decref(hints);
	buf_done(&text);
}

/* What Python makes of SHOWN. */
static const struct bent { const char *words; const char *hex; } bent[] = {
	{ "base64url-decodes",
	  "a68b2d7ab9ffb24ff4d76df8e7aefcf400420c41461c824a2cc34e3d04524d45565d865a6dc75e7e0e13c4cd2a" },
	{ "base64-decodes",
	  "a68b2d7ab9ec934d76df8e7aefcf400420c41461c824a2cc34e3d04524d45565d865a6dc75e7e0e13c4cd2" },
	{ "trailing newline",
	  "706f737465726e5f736b5f303132333435363738394142434445464748494a4b4c4d4e4f505152535455565758"
	  "595a616263646566673454784d30710a" },
	{ "carriage return",
	  "706f737465726e5f736b5f303132333435363738394142434445464748494a4b4c4d4e4f505152535455565758"
	  "595a616263646566673454784d30710d0a" },
	{ "trailing space",
	  "706f737465726e5f736b5f303132333435363738394142434445464748494a4b4c4d4e4f505152535455565758"
	  "595a616263646566673454784d307120" },
	{ "quotes",
	  "22706f737465726e5f736b5f303132333435363738394142434445464748494a4b4c4d4e4f5051525354555657"
	  "58595a616263646566673454784d307122" },
	{ "without its prefix",
	  "303132333435363738394142434445464748494a4b4c4d4e4f505152535455565758595a616263646566673454"
	  "784d3071" },
	{ "hex-encoded",
	  "373036663733373436353732366535663733366235663330333133323333333433353336333733383339343134"
	  "323433343434353436343734383439346134623463346434653466353035313532353335343535353635373538"
	  "353935613631363236333634363536363637333435343738346433303731" },
	{ "base64-encoded",
	  "6347397a64475679626c397a613138774d54497a4e4455324e7a673551554a44524556475230684a536b744d54"
	  "5535505546465355315256566c645957567068596d4e6b5a575a6e4e46523454544278" },
	{ "UTF-16",
	  "70006f0073007400650072006e005f0073006b005f003000310032003300340035003600370038003900410042"
	  "0043004400450046004700480049004a004b004c004d004e004f00500051005200530054005500560057005800"
	  "59005a0061006200630064006500660067003400540078004d0030007100" },
	{ "SHA-256",
	  "ebd82cd2fc94bee45b36482eb45e9fae446533c7c508c2538d2d8de3d55f3670" },
};

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t size = strlen(hex) / 2;

	for (size_t i = 0; i < size; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return size;
}

static void every_bent_secret_is_recognised(void **state)
{
	struct tokenring r;

	(void)state;
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	replace_secret(&r, SHOWN);
	for (size_t i = 0; i < ARRAY_LEN(bent); i++) {
		uint8_t key[512];
		size_t size = unhex(bent[i].hex, key);

		assert_hint(&r, span_of(key, size), REASON_SIGNATURE_MISMATCH, bent[i].words);
	}
	tokenring_done(&r);
}

static void a_hex_secret_decoded_before_use_is_recognised(void **state)
{
	static const char text[] = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
	uint8_t key[64];
	struct tokenring r;
	size_t size = unhex(text, key);

	(void)state;
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	replace_secret(&r, text);
	assert_hint(&r, span_of(key, size), REASON_SIGNATURE_MISMATCH, "hex-decodes");
	tokenring_done(&r);
}

static void every_key_of_the_ring_is_tried(void **state)
{
	struct tokenring r;
	char key[128];

	(void)state;
	tokenring_init(&r);
	for (size_t n = 1; n <= RING_MAX; n++) {
		assert_true(tokenring_add_key(&r, 0));
		snprintf(key, sizeof(key), "%s\n", test_secret(n));
		assert_hint(&r, span_str(key), REASON_SIGNATURE_MISMATCH, test_kid(n));
	}
	tokenring_done(&r);
}

static void the_longest_secret_fits_every_attempt(void **state)
{
	char text[KEY_SECRET_MAX + 1];
	struct tokenring r;

	(void)state;
	memset(text, 'a', KEY_SECRET_MAX);
	text[KEY_SECRET_MAX] = '\0';
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	replace_secret(&r, text);
	assert_hint(&r, span_str("nothing of the kind, nothing of the kind"), REASON_SIGNATURE_MISMATCH,
		"No key of this ring");
	tokenring_done(&r);
}

static void a_verified_token_without_exp_gets_a_hint(void **state)
{
	struct tokenring r;

	(void)state;
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	assert_hint(&r, span_str(test_secret(1)), REASON_NONE, "no exp");
	tokenring_done(&r);
}

/* What is said of a token that verified as far as `verified`, when `why` is the reason. */
static void assert_said(struct tokenring *r, struct span text, enum reason verified, enum reason why, const char *words)
{
	json_t *hints = json_array(), *hint;
	bool found = false;
	struct token t;
	size_t i;

	token_init(&t, text);
	assert_int_equal(token_verify(&t, &r->context), verified);
	token_hints(&t, &r->context, why, hints);
	json_array_foreach(hints, i, hint)
		found |= strstr(json_string_value(hint), words) != NULL;
	if (!found)
		fail_msg("no hint says \"%s\", but \"%s\"", words, json_string_value(json_array_get(hints, 0)));
	token_done(&t);
	json_decref(hints);
}

static void each_claim_s_mistake_is_named(void **state)
{
	static const struct { const char *payload; enum reason verified, why; const char *words; } cases[] = {
		{ "{\"iat\":1763690000,\"exp\":1763689000}", REASON_TOKEN_EXPIRED, REASON_TOKEN_EXPIRED, "never valid" },
		{ "{\"exp\":\"1763690060\"}", REASON_CLAIM_INVALID, REASON_CLAIM_INVALID, "exp is a string" },
		{ "{\"exp\":-5.5}", REASON_CLAIM_INVALID, REASON_CLAIM_INVALID, "exp is negative" },
		{ "{\"nbf\":[]}", REASON_CLAIM_INVALID, REASON_CLAIM_INVALID, "nbf is not a number" },
		{ "{\"iat\":1763697200}", REASON_TOKEN_NOT_YET_VALID, REASON_TOKEN_NOT_YET_VALID, "2 hours ahead" },
		{ "{\"iat\":1763693600}", REASON_TOKEN_NOT_YET_VALID, REASON_TOKEN_NOT_YET_VALID, "1 hour ahead" },
		{ "{\"nbf\":1763750000}", REASON_TOKEN_NOT_YET_VALID, REASON_TOKEN_NOT_YET_VALID, "ahead" },
		{ "{\"iat\":1763692000}", REASON_TOKEN_NOT_YET_VALID, REASON_TOKEN_NOT_YET_VALID, "ahead" },
		{ "{\"email\":7,\"mail\":\"a@b\"}", REASON_NONE, REASON_EMAIL_MISSING, "not a string" },
		{ "{\"mail\":\"a@b\",\"n\":{\"deep\":{\"e\":\"a@b.co\"}}}", REASON_NONE, REASON_EMAIL_MISSING, "No claim looks" },
		{ "{\"handle\":\"@b.co\"}", REASON_NONE, REASON_EMAIL_MISSING, "No claim looks" },
		{ "{\"user\":{\"a\":{},\"mail\":\"a@b.co\"}}", REASON_NONE, REASON_EMAIL_MISSING, "user.mail looks" },
		{ "{\"mails\":[\"a@b.co\"]}", REASON_NONE, REASON_EMAIL_MISSING, "mails looks" },
		{ "{}", REASON_NONE, REASON_EMAIL_MISSING, "No claim looks" },
		{ "{\"email\":\"a@b.co \"}", REASON_NONE, REASON_EMAIL_MALFORMED, "white space" },
		{ "{\"email\":\"a@b.co\\n\"}", REASON_NONE, REASON_EMAIL_MALFORMED, "white space" },
		{ "{\"email\":\"a@b.co;c@d.co\"}", REASON_NONE, REASON_EMAIL_MALFORMED, "list" },
		{ "{\"email\":\"a@b.co,c@d.co\"}", REASON_NONE, REASON_EMAIL_MALFORMED, "list" },
		{ "{\"email\":\"j\xc3\xb6rg@b.co\"}", REASON_NONE, REASON_EMAIL_MALFORMED, "outside ASCII" },
	};
	struct tokenring r;

	(void)state;
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT;

		token_sign(&text, span_str(TEST_HEADER), span_str(cases[i].payload), span_str(test_secret(1)));
		assert_said(&r, buf_span(&text), cases[i].verified, cases[i].why, cases[i].words);
		buf_done(&text);
	}
	tokenring_done(&r);
}

static void a_signature_of_another_size_is_named(void **state)
{
	static const struct { const char *bytes; const char *words; } cases[] = {
		{ "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef", "before it was base64url-encoded" },
		{ "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdeg", "HS512 makes 64" },
		{ "0123456789abcdef0123456789ABCDEF0123456789abcdef", "HS384 makes 48" },
		{ "0123456789abcdef0123456789ABCDEF01234567", "has 40 bytes" },
	};
	struct tokenring r;

	(void)state;
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT;

		base64url_add(&text, span_str(TEST_HEADER));
		buf_add_str(&text, ".e30.");
		base64url_add(&text, span_str(cases[i].bytes));
		assert_said(&r, buf_span(&text), REASON_SIGNATURE_MISMATCH, REASON_SIGNATURE_MISMATCH, cases[i].words);
		buf_done(&text);
	}
	tokenring_done(&r);
}

static void secrets_of_every_size_are_bent(void **state)
{
	static const struct { const char *secret, *key, *words; } cases[] = {
		{ "a secret of just thirty-four bytes", "YSBzZWNyZXQgb2YganVzdCB0aGlydHktZm91ciBieXRlcw==", "base64-encoded" },
		{ "a secret of thirty-two bytes ...", "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyAuLi4=", "base64-encoded" },
		{ "0123456789abcdef0123456789abcdef0", "none of the usual, none of the usual", "No key of this ring" },
		{ "0123456789abcdef0123456789abcdeg", "none of the usual, none of the usual", "No key of this ring" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tokenring r;
		struct buf text = BUF_INIT;

		tokenring_init(&r);
		assert_true(tokenring_add_key(&r, 0));
		replace_secret(&r, cases[i].secret);
		token_sign(&text, span_str(TEST_HEADER), span_str("{}"), span_str(cases[i].key));
		assert_said(&r, buf_span(&text), REASON_SIGNATURE_MISMATCH, REASON_SIGNATURE_MISMATCH, cases[i].words);
		buf_done(&text);
		tokenring_done(&r);
	}
}

/* A key whose secret is gone: only its tombstone knows when. */
static void a_retired_key_s_end_is_told(void **state)
{
	struct store *st = tmpstore_new();
	enum reason reason = REASON_NONE;
	struct buf text = BUF_INIT;
	char header[96];
	struct tokenring r;
	struct txn *vault;
	struct key k;

	(void)state;
	assert_non_null(st);
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	vault = txn_write(st, ENV_VAULT);
	assert_int_equal(site_add(vault, &r.site), RC_OK);
	assert_int_equal(keyring_create(st, vault, "demo", "", NULL, TEST_NOW - 60, &k, &reason), RC_OK);
	assert_int_equal(keyring_retire(st, vault, "demo", k.kid, TEST_NOW - 30, &reason), RC_OK);
	r.context.vault = vault;
	snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", k.kid);
	token_sign(&text, span_str(header), span_str("{}"), secret_span(k.secret));
	assert_said(&r, buf_span(&text), REASON_KEY_RETIRED, REASON_KEY_RETIRED, "was retired at 2025-11-21T01:52:50");
	key_done(&k);
	txn_abort(vault);
	buf_done(&text);
	tokenring_done(&r);
	tmpstore_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bent_secret_is_recognised),
		cmocka_unit_test(a_hex_secret_decoded_before_use_is_recognised),
		cmocka_unit_test(every_key_of_the_ring_is_tried),
		cmocka_unit_test(the_longest_secret_fits_every_attempt),
		cmocka_unit_test(a_verified_token_without_exp_gets_a_hint),
		cmocka_unit_test(each_claim_s_mistake_is_named),
		cmocka_unit_test(a_signature_of_another_size_is_named),
		cmocka_unit_test(secrets_of_every_size_are_bent),
		cmocka_unit_test(a_retired_key_s_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
