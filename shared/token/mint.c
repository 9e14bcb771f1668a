/* mint.c -- a token as a site's backend would sign it: for tests, scripts and the demo. */
#include "token/token.h"

#include <stdlib.h>

static void add_base64url(struct buf *out, struct span bytes)
{
	size_t room = bytes.size / 3 * 4 + 8;
	char *text = malloc(room);

	if (!text) {
		out->failed = true;
		return;
	}
	buf_add(out, text, base64url_encode(text, room, bytes));
	free(text);
}

static enum rc add_part(struct buf *out, const json_t *value)
{
	struct buf text = BUF_INIT;
	enum rc rc = RC_NOMEM;

	json_canonical(&text, value);
	if (!text.failed) {
		add_base64url(out, buf_span(&text));
		rc = RC_OK;
	}
	buf_done(&text);
	return rc;
}

static enum rc add_header(struct buf *out, const char *kid)
{
	json_t *header = json_pack("{s:s, s:s, s:s*}", "alg", "HS256", "typ", "JWT", "kid", kid);
	enum rc rc = header ? add_part(out, header) : RC_NOMEM;

	json_decref(header);
	return rc;
}

enum rc token_mint(const struct secret *secret, const char *kid, const json_t *claims, struct buf *out)
{
	uint8_t mac[SHA256_SIZE];
	struct buf token = BUF_INIT;
	enum rc rc;

	if (!secret || secret->size < KEY_SECRET_MIN || !json_is_object(claims))
		return RC_INVALID;
	if ((rc = add_header(&token, kid && kid[0] ? kid : NULL)) != RC_OK)
		goto out;
	buf_add_char(&token, '.');
	if ((rc = add_part(&token, claims)) != RC_OK)
		goto out;
	if (token.failed) {
		rc = RC_NOMEM;
		goto out;
	}
	if ((rc = crypto_hmac(secret_span(secret), buf_span(&token), mac)) != RC_OK)
		goto out;
	buf_add_char(&token, '.');
	add_base64url(&token, span_of(mac, sizeof(mac)));
	if (!token.failed)
		buf_add_span(out, buf_span(&token));
	rc = token.failed || out->failed ? RC_NOMEM : RC_OK;
out:
	buf_done(&token);
	return rc;
}
