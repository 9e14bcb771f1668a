/* tokenring.c -- a site and a key ring made by hand, and tokens signed for them. */
#include "tests/lib/tokenring.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kids[RING_MAX] = { "k_aaaaaaaa", "k_bbbbbbbb", "k_cccccccc" };
static const char *const secrets[RING_MAX] = {
	"test-secret-one-0123456789-0123456789-0123456789",
	"test-secret-two-0123456789-0123456789-0123456789",
	"test-secret-three-0123456789-0123456789-01234567",
};

const char *test_kid(size_t n)
{
	return kids[n - 1];
}

const char *test_secret(size_t n)
{
	return secrets[n - 1];
}

void tokenring_init(struct tokenring *r)
{
	*r = (struct tokenring){ .ring = { .version = 1 } };
	site_init(&r->site);
	snprintf(r->site.id, sizeof(r->site.id), "demo");
	r->context = (struct token_context){ .site = &r->site, .ring = &r->ring, .now_us = TEST_NOW * 1000000 };
}

void tokenring_done(struct tokenring *r)
{
	keyring_done(&r->ring);
	site_done(&r->site);
}

bool tokenring_add_key(struct tokenring *r, uint64_t retire_at)
{
	size_t n = r->ring.count + 1;
	struct key *k;

	if (n > RING_MAX)
		return false;
	k = &r->ring.keys[n - 1];
	*k = (struct key){ .created_at = TEST_NOW - 1000, .retire_at = retire_at };
	snprintf(k->kid, sizeof(k->kid), "%s", test_kid(n));
	k->secret = secret_copy(span_str(test_secret(n)));
	if (!k->secret || hmac_key_new(secret_span(k->secret), &k->hmac) != RC_OK)
		return false;
	r->ring.count = n;
	return true;
}

void base64url_add(struct buf *out, struct span bytes)
{
	size_t room = bytes.size * 2 + 8;
	char *text = malloc(room);

	if (text)
		buf_add(out, text, base64url_encode(text, room, bytes));
	else
		out->failed = true;
	free(text);
}

void token_sign(struct buf *out, struct span header, struct span payload, struct span key)
{
	uint8_t mac[SHA256_SIZE];
	size_t start = out->size;

	base64url_add(out, header);
	buf_add_char(out, '.');
	base64url_add(out, payload);
	if (out->failed || crypto_hmac(key, span_of(out->data + start, out->size - start), mac) != RC_OK) {
		out->failed = true;
		return;
	}
	buf_add_char(out, '.');
	base64url_add(out, span_of(mac, sizeof(mac)));
}

void token_signf(struct buf *out, const char *payload, ...)
{
	char text[TOKEN_MAX];
	va_list args;

	va_start(args, payload);
	vsnprintf(text, sizeof(text), payload, args);
	va_end(args);
	token_sign(out, span_str(TEST_HEADER), span_str(text), span_str(test_secret(1)));
}
