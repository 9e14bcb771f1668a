/* secret-text.c -- the secret as a site's backend holds it, and the hash by which the vault knows it again.
 *
 * "postern_sk_" + 43 base62 of 32 random bytes + 6 base62 of the CRC-32 of those 54 characters. The whole ASCII text
 * is the HMAC key, so that every JWT library takes it as it is; the CRC finds a damaged paste, and lets scanners
 * for leaked secrets be sure. */
#include "keyring/ring-private.h"

#include "base/encode.h"
#include "base/text.h"

#define PREFIX "postern_sk_"
#define PREFIX_SIZE (sizeof(PREFIX) - 1)
#define RANDOM_SIZE 32
#define RANDOM_DIGITS 43
#define CRC_DIGITS 6
#define HMAC_BLOCK 64                 /* RFC 2104: SHA-256's block */
_Static_assert(PREFIX_SIZE + RANDOM_DIGITS + CRC_DIGITS == KEY_SECRET_TEXT, "the parts make the whole");

static void crc_digits(char out[CRC_DIGITS], const void *text)
{
	uint8_t number[4];

	be32_put(number, crc32_of(span_of(text, KEY_SECRET_TEXT - CRC_DIGITS)));
	base62_encode(out, CRC_DIGITS, number, sizeof(number));
}

static bool has_prefix(struct span text)
{
	return text.size >= PREFIX_SIZE && memcmp(text.data, PREFIX, PREFIX_SIZE) == 0;
}

bool key_secret_text_ok(struct span text)
{
	const char *c = text.data;
	char crc[CRC_DIGITS];

	if (text.size != KEY_SECRET_TEXT || !has_prefix(text))
		return false;
	for (size_t i = PREFIX_SIZE; i < text.size; i++)
		if (!ascii_is_alpha(c[i]) && !ascii_is_digit(c[i]))
			return false;
	crc_digits(crc, c);
	return crypto_equal(crc, c + KEY_SECRET_TEXT - CRC_DIGITS, CRC_DIGITS);
}

enum rc secret_text_make(struct secret **ret)
{
	struct secret *text = secret_new(KEY_SECRET_TEXT);
	uint8_t random[RANDOM_SIZE];
	enum rc rc;
	char *at;

	if (!text)
		return RC_NOMEM;
	rc = crypto_random(random, sizeof(random));
	if (rc != RC_OK) {
		secret_free(text);
		return rc;
	}
	at = (char *)text->data;
	memcpy(at, PREFIX, PREFIX_SIZE);
	base62_encode(at + PREFIX_SIZE, RANDOM_DIGITS, random, sizeof(random));
	crc_digits(at + PREFIX_SIZE + RANDOM_DIGITS, at);
	secret_wipe(random, sizeof(random));
	*ret = text;
	return RC_OK;
}

bool secret_acceptable(struct span bytes)
{
	if (bytes.size < KEY_SECRET_MIN || bytes.size > KEY_SECRET_MAX || memchr(bytes.data, '\0', bytes.size))
		return false;
	return !has_prefix(bytes) || key_secret_text_ok(bytes);
}

/* HMAC takes a key over one block as its hash (RFC 2104 2), so such a key and its hash are one secret in two
 * spellings: hashed first, they are known by one value. (Zero padding makes no third: a NUL is refused.) */
enum rc secret_known(const struct store *st, struct span secret, uint8_t out[SHA256_SIZE])
{
	const struct secret *key = store_vault_key(st, "known");
	uint8_t hash[SHA256_SIZE];
	struct span form = secret;
	enum rc rc = RC_OK;

	if (!key)
		return RC_CORRUPT;
	if (secret.size > HMAC_BLOCK) {
		rc = crypto_sha256(secret, hash);
		form = span_of(hash, sizeof(hash));
	}
	if (rc == RC_OK)
		rc = crypto_hmac(secret_span(key), form, out);
	secret_wipe(hash, sizeof(hash));
	return rc;
}
