/* hints-keys.c -- near misses of a signature: the right secret, used in a wrong way.
 *
 * Libraries and shells disagree about what a key is. Each usual way of bending one is tried on each key of the ring; a
 * match says exactly what the backend does. */
#include "token/token-private.h"

#include "base/text.h"

#define BENT_MAX (2 * KEY_SECRET_MAX + 8)

static size_t bend_append(struct span secret, unsigned char *out, const char *before, const char *after)
{
	size_t lead = strlen(before), tail = strlen(after);

	memcpy(out, before, lead);
	memcpy(out + lead, secret.data, secret.size);
	memcpy(out + lead + secret.size, after, tail);
	return lead + secret.size + tail;
}

static size_t bend_newline(struct span secret, unsigned char *out)
{
	return bend_append(secret, out, "", "\n");
}

static size_t bend_crlf(struct span secret, unsigned char *out)
{
	return bend_append(secret, out, "", "\r\n");
}

static size_t bend_space(struct span secret, unsigned char *out)
{
	return bend_append(secret, out, "", " ");
}

static size_t bend_quotes(struct span secret, unsigned char *out)
{
	return bend_append(secret, out, "\"", "\"");
}

static size_t bend_no_prefix(struct span secret, unsigned char *out)
{
	static const char prefix[] = "postern_sk_";
	size_t skip = sizeof(prefix) - 1;

	if (secret.size <= skip || memcmp(secret.data, prefix, skip) != 0)
		return 0;
	memcpy(out, (const char *)secret.data + skip, secret.size - skip);
	return secret.size - skip;
}

static int base64_value(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	if (c == '+' || (url && c == '-'))
		return 62;
	return c == '/' || (url && c == '_') ? 63 : -1;
}

/* As a lenient decoder does it: what is not of its alphabet is skipped, a last incomplete byte is dropped. */
static size_t bend_base64(struct span secret, unsigned char *out, bool url)
{
	const char *in = secret.data;
	unsigned bits = 0, held = 0;
	size_t size = 0;

	for (size_t i = 0; i < secret.size; i++) {
		int v = base64_value(in[i], url);

		if (v < 0)
			continue;
		bits = (bits << 6 | (unsigned)v) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[size++] = (unsigned char)(bits >> held);
		}
	}
	return size;
}

static size_t bend_base64_decoded(struct span secret, unsigned char *out)
{
	return bend_base64(secret, out, false);
}

static size_t bend_base64url_decoded(struct span secret, unsigned char *out)
{
	return bend_base64(secret, out, true);
}

static size_t bend_base64_text(struct span secret, unsigned char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = secret.data;
	size_t size = 0;

	for (size_t i = 0; i < secret.size; i += 3) {
		size_t have = secret.size - i;
		unsigned v = (unsigned)in[i] << 16;

		v |= have > 1 ? (unsigned)in[i + 1] << 8 : 0;
		v |= have > 2 ? in[i + 2] : 0;

		out[size++] = (unsigned char)digits[v >> 18];
		out[size++] = (unsigned char)digits[v >> 12 & 63];
		out[size++] = (unsigned char)(have > 1 ? digits[v >> 6 & 63] : '=');
		out[size++] = (unsigned char)(have > 2 ? digits[v & 63] : '=');
	}
	return size;
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t bend_hex_decoded(struct span secret, unsigned char *out)
{
	const char *in = secret.data;

	if (secret.size % 2)
		return 0;
	for (size_t i = 0; i < secret.size; i += 2) {
		int high = hex_value(in[i]), low = hex_value(in[i + 1]);

		if (high < 0 || low < 0)
			return 0;
		out[i / 2] = (unsigned char)(high << 4 | low);
	}
	return secret.size / 2;
}

static size_t bend_hex_text(struct span secret, unsigned char *out)
{
	hex_encode((char *)out, secret.data, secret.size);
	return 2 * secret.size;
}

static size_t bend_utf16(struct span secret, unsigned char *out)
{
	const unsigned char *in = secret.data;

	for (size_t i = 0; i < secret.size; i++) {
		out[2 * i] = in[i];
		out[2 * i + 1] = 0;
	}
	return 2 * secret.size;
}

static size_t bend_sha256(struct span secret, unsigned char *out)
{
	return crypto_sha256(secret, out) == RC_OK ? SHA256_SIZE : 0;
}

/* Every bend writes at most BENT_MAX bytes of a secret of at most KEY_SECRET_MAX; 0: does not apply. */
static const struct { const char *what; size_t (*bend)(struct span secret, unsigned char *out); } bends[] = {
	{ "base64url-decodes the secret before using it; the text itself is the key", bend_base64url_decoded },
	{ "base64-decodes the secret before using it; the text itself is the key", bend_base64_decoded },
	{ "uses the secret with a trailing newline", bend_newline },
	{ "uses the secret with a trailing carriage return and newline", bend_crlf },
	{ "uses the secret with a trailing space", bend_space },
	{ "uses the secret with quotes round it", bend_quotes },
	{ "uses the secret without its prefix postern_sk_, which is part of the key", bend_no_prefix },
	{ "hex-decodes the secret before using it; the text itself is the key", bend_hex_decoded },
	{ "uses the secret hex-encoded; the text itself is the key", bend_hex_text },
	{ "uses the secret base64-encoded; the text itself is the key", bend_base64_text },
	{ "uses the secret as UTF-16; its ASCII bytes are the key", bend_utf16 },
	{ "uses the SHA-256 of the secret; the text itself is the key", bend_sha256 },
};

struct attempt { struct span signed_bytes; uint8_t signature[SHA256_SIZE]; };

static bool made_by(const struct attempt *try, struct span key)
{
	uint8_t mac[SHA256_SIZE];

	return crypto_hmac(key, try->signed_bytes, mac) == RC_OK && crypto_equal(mac, try->signature, sizeof(mac));
}

static const char *bent_how(const struct attempt *try, struct span secret)
{
	unsigned char bent[BENT_MAX];
	const char *what = NULL;

	if (secret.size > KEY_SECRET_MAX)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(bends) && !what; i++) {
		size_t size = bends[i].bend(secret, bent);

		if (size > 0 && made_by(try, span_of(bent, size)))
			what = bends[i].what;
	}
	secret_wipe(bent, sizeof(bent));
	return what;
}

/* The secret itself, under a kid that is not its own, or after its time. */
static void say_other_key(struct advice *a, const struct key *k)
{
	if (key_state_at(k, a->c->now_us / 1000000) == KEY_RETIRED)
		advice_say(a, "The signature is that of key %s, which is retired: give the backend an active key.",
			   k->kid);
	else
		advice_say(a, "The signature is that of key %s, but the header's kid names another: "
			   "correct the kid, or leave it out.", k->kid);
}

static bool try_ring(struct advice *a, const struct attempt *try)
{
	for (size_t i = 0; i < a->c->ring->count; i++) {
		const struct key *k = &a->c->ring->keys[i];
		const char *what;

		if (!k->secret)
			continue;
		if (made_by(try, secret_span(k->secret))) {
			say_other_key(a, k);
			return true;
		}
		what = bent_how(try, secret_span(k->secret));
		if (what) {
			advice_say(a, "It was signed with key %s, but the backend %s.", k->kid, what);
			return true;
		}
	}
	return false;
}

/* What a setting that was never made turns into. */
static bool try_unset(struct advice *a, const struct attempt *try)
{
	static const char *const unset[] = { "", "undefined", "null", "None", "secret" };

	for (size_t i = 0; i < ARRAY_LEN(unset); i++) {
		if (!made_by(try, span_str(unset[i])))
			continue;
		advice_say(a, "It was signed with the key \"%s\": the backend's secret is not set.", unset[i]);
		return true;
	}
	return false;
}

static bool is_hex(struct span text)
{
	const char *p = text.data;

	for (size_t i = 0; i < text.size; i++) {
		if (hex_value(p[i]) < 0)
			return false;
	}
	return text.size > 0;
}

static void advise_on_size(struct advice *a, const uint8_t *bytes, long size)
{
	if (is_hex(a->t->signature) && a->t->signature.size == 64)
		advice_say(a, "The signature is written in hexadecimal; it must be base64url.");
	else if (size == 64 && is_hex(span_of(bytes, 64)))
		advice_say(a, "The signature was written in hexadecimal before it was base64url-encoded.");
	else
		advice_say(a, "The signature has %ld bytes; HS256 makes 32%s.", size,
			   size == 48 ? ", HS384 makes 48" : size == 64 ? ", HS512 makes 64" : "");
}

static void advise_on_kid(struct advice *a)
{
	char shown[SHOWN_MAX];

	if (a->t->kid.size == 0)
		return;
	for (size_t i = 0; i < a->c->ring->count; i++) {
		if (span_is(a->t->kid, a->c->ring->keys[i].kid))
			return;
	}
	text_show(shown, sizeof(shown), a->t->kid);
	if (kid_valid(a->t->kid))
		advice_say(a, "No key of site %s has the id %s: is it another site's or another installation's key?",
			   a->c->site->id, shown);
	else
		advice_say(a, "The kid \"%s\" is no key id of Postern: the token was made for something else.",
			   shown);
}

void advise_on_signature(struct advice *a)
{
	const struct token *t = a->t;
	const char *text = t->text.data;
	uint8_t bytes[512];
	struct attempt try;
	long size;

	if (t->signature.size == 0)
		return;
	size = base64url_decode(bytes, sizeof(bytes), t->signature);
	if (size != SHA256_SIZE) {
		if (size >= 0)
			advise_on_size(a, bytes, size);
		return;
	}
	memcpy(try.signature, bytes, sizeof(try.signature));
	try.signed_bytes = span_of(text, (size_t)((const char *)t->signature.data - text) - 1);
	if (try_ring(a, &try) || try_unset(a, &try))
		return;
	advise_on_kid(a);
	advice_say(a, "No key of this ring made this signature in any usual way: another site's secret, one with a "
		   "part missing, or a token changed after it was signed.");
}
