/* checks.c -- the checks of a token, in the order of design 5: cheap syntax, then the signature, then meaning.
 *
 * Each reads only what the ones it needs have proved. Whatever is not clearly right fails: a member of the wrong type
 * is malformed, never absent (RFC 8725 2.1, 3.1-3.11). */
#include "token/token-private.h"

#include "base/text.h"

#include <math.h>

#define TIME_MAX (INT64_C(1) << 53)         /* up to here a double holds every integer */

/* ---- before the signature: text and header ---- */

/* RFC 4648 3.5: unused low bits are zero, so a part has one spelling only. */
static bool part_canonical(const unsigned char *part, size_t size)
{
	static const uint8_t unused[] = { 0, 0, 0x0f, 0x03 };

	return size > 0 && size % 4 != 1 && (base64url_digit[part[size - 1]] & unused[size % 4]) == 0;
}

/* A run ends at the first byte that is no digit: a third dot or any stray byte ends the check there. */
static enum reason check_syntax(struct token *t, const struct token_context *c)
{
	struct span *const parts[] = { &t->header, &t->payload, &t->signature };
	const unsigned char *p = t->text.data, *end = p + t->text.size;

	(void)c;
	if (t->text.size == 0 || t->text.size > TOKEN_MAX)
		return REASON_TOKEN_MALFORMED;
	for (size_t part = 0; part < ARRAY_LEN(parts); part++) {
		const unsigned char *start = p;

		p += base64url_run(span_of(p, (size_t)(end - p)));
		if (!part_canonical(start, (size_t)(p - start)))
			return REASON_TOKEN_MALFORMED;
		*parts[part] = span_of(start, (size_t)(p - start));
		if (part < 2 && (p == end || *p++ != '.'))
			return REASON_TOKEN_MALFORMED;
	}
	return p == end ? REASON_NONE : REASON_TOKEN_MALFORMED;
}

enum reason part_parse(struct span part, json_t **ret)
{
	uint8_t text[TOKEN_DECODED_MAX];
	long size = base64url_decode(text, sizeof(text), part);
	json_t *value = NULL;
	enum rc rc = size < 0 ? RC_INVALID : json_strict(span_of(text, (size_t)size), TOKEN_DEPTH_MAX, &value, NULL);

	if (rc == RC_OK && json_is_object(value)) {
		*ret = value;
		return REASON_NONE;
	}
	json_decref(value);
	return rc == RC_NOMEM ? REASON_OVERLOADED : REASON_TOKEN_MALFORMED;
}

static enum reason check_header(struct token *t, const struct token_context *c)
{
	t->header_json = memo_find(c->memo, t->header, t->kid_seen);
	t->header_seen = t->header_json != NULL;
	return t->header_json ? REASON_NONE : part_parse(t->header, &t->header_json);
}

bool string_is(const json_t *value, const char *text)
{
	return json_is_string(value) && span_is(json_span(value), text);
}

/* RFC 8725 3.1: the algorithm is ours to fix; the header may only agree. RFC 7515 4.1.9 for typ. */
static enum reason check_algorithm(struct token *t, const struct token_context *c)
{
	const json_t *typ;
	struct span type;

	(void)c;
	if (t->header_seen)
		return REASON_NONE;
	if (!string_is(json_object_get(t->header_json, "alg"), "HS256"))
		return REASON_TOKEN_ALGORITHM;
	typ = json_object_get(t->header_json, "typ");
	type = json_span(typ);
	if (typ && !ascii_equal_nocase(type, "JWT") && !ascii_equal_nocase(type, "application/jwt"))
		return REASON_TOKEN_ALGORITHM;
	return REASON_NONE;
}

/* RFC 7515 4.1.11: an extension we do not understand must be refused, and we understand none; RFC 7797 6 for b64.
 * jwk, jku, x5u, x5c and zip are never read. */
static enum reason check_critical(struct token *t, const struct token_context *c)
{
	(void)c;
	if (t->header_seen)
		return REASON_NONE;
	if (json_object_get(t->header_json, "crit") || json_object_get(t->header_json, "b64"))
		return REASON_TOKEN_CRITICAL;
	return REASON_NONE;
}

static enum reason check_kid(struct token *t, const struct token_context *c)
{
	const json_t *kid = json_object_get(t->header_json, "kid");

	(void)c;
	if (kid && !json_is_string(kid))
		return REASON_TOKEN_MALFORMED;
	t->kid = t->kid_seen[0] ? span_str(t->kid_seen) : json_span(kid);
	return REASON_NONE;
}

/* ---- the signature ---- */

static uint64_t now_s(const struct token_context *c)
{
	return c->now_us / 1000000;
}

static enum reason check_ring(struct token *t, const struct token_context *c)
{
	(void)t;
	for (size_t i = 0; i < c->ring->count; i++) {
		if (key_state_at(&c->ring->keys[i], now_s(c)) != KEY_RETIRED)
			return REASON_NONE;
	}
	return REASON_RING_EMPTY;
}

static const struct key *find_key(const struct keyring *r, struct span kid)
{
	const struct key *found = NULL;

	for (size_t i = 0; i < r->count; i++) {
		if (span_is(kid, r->keys[i].kid))
			found = &r->keys[i];
	}
	return found;
}

static bool is_tombstone(const struct token *t, const struct token_context *c)
{
	return c->vault && keyring_tombstone(c->vault, span_str(c->site->id), t->kid, NULL);
}

/* Only a kid of our own form becomes part of a look-up; any other is no key of ours and is never used at all. The tombstones
 * are asked even where the ring has the key, so that the time does not tell, unless the usual header names it. */
static enum reason check_key(struct token *t, const struct token_context *c)
{
	const struct key *k;
	bool retired;

	if (!kid_valid(t->kid))
		return REASON_NONE;
	k = find_key(c->ring, t->kid);
	retired = !(k && t->header_seen) && is_tombstone(t, c);
	if (k)
		retired = key_state_at(k, now_s(c)) == KEY_RETIRED;
	if (!retired)
		return REASON_NONE;
	memcpy(t->kid_tombstone, t->kid.data, t->kid.size);
	t->kid_tombstone[t->kid.size] = '\0';
	return REASON_KEY_RETIRED;
}

_Static_assert(sizeof(((struct token *)0)->kid_tombstone) == KID_MAX, "holds any kid_valid() text");

static struct span signed_bytes(const struct token *t)
{
	const char *text = t->text.data;

	return span_of(text, (size_t)((const char *)t->signature.data - text) - 1);
}

static enum reason try_signature(const struct token *t, const struct token_context *c, struct span kid, const struct key **ret)
{
	uint8_t signature[SHA256_SIZE];

	if (t->signature.size != SIGNATURE_TEXT ||
	    base64url_decode(signature, sizeof(signature), t->signature) != (long)sizeof(signature))
		return REASON_SIGNATURE_MISMATCH;
	return keyring_verify(c->ring, kid, false, now_s(c), signed_bytes(t), signature, ret);
}

static enum reason check_signature(struct token *t, const struct token_context *c)
{
	const struct key *key = NULL;
	enum reason reason = try_signature(t, c, t->kid, &key);

	if (reason != REASON_NONE)
		return reason;
	if (!key)
		return REASON_SIGNATURE_MISMATCH;
	t->key = key;
	if (!t->header_seen)
		memo_keep(c->memo, t->header, t->header_json);
	return REASON_NONE;
}

void refuse_evenly(const struct token *t, const struct token_context *c, enum reason reason)
{
	const struct key *key;
	json_t *header = NULL;

	if (t->header_seen && t->kid.size && part_parse(t->header, &header) == REASON_NONE)
		json_decref(header);
	if (t->header_seen && find_key(c->ring, t->kid))
		(void)is_tombstone(t, c);
	if (reason == REASON_KEY_RETIRED)
		(void)try_signature(t, c, span_of(NULL, 0), &key);
}

/* ---- behind the signature: the claims ---- */

static enum reason check_payload(struct token *t, const struct token_context *c)
{
	(void)c;
	return part_parse(t->payload, &t->claims);
}

/* RFC 7519 2, NumericDate. Ranges are compared before any cast, an integer as an integer: 2^53 + 1 as a double is 2^53.
 * jansson lets no NaN and no infinity in; isfinite() says so. */
static struct claim_time claim_time_of(const json_t *value)
{
	struct claim_time time = { .present = value != NULL };
	double at = json_number_value(value);

	if (json_is_integer(value))
		time.valid = json_integer_value(value) >= 0 && json_integer_value(value) <= TIME_MAX;
	else if (json_is_real(value))
		time.valid = isfinite(at) && at >= 0.0 && at <= (double)TIME_MAX;
	if (time.valid)
		time.at = at;
	return time;
}

static bool time_usable(const struct claim_time *time)
{
	return !time->present || time->valid;
}

static enum reason check_times(struct token *t, const struct token_context *c)
{
	(void)c;
	t->exp = claim_time_of(json_object_get(t->claims, "exp"));
	t->iat = claim_time_of(json_object_get(t->claims, "iat"));
	t->nbf = claim_time_of(json_object_get(t->claims, "nbf"));
	if (!time_usable(&t->exp) || !time_usable(&t->iat) || !time_usable(&t->nbf))
		return REASON_CLAIM_INVALID;
	return REASON_NONE;
}

/* RFC 7519 4.1.4, without leeway. */
static enum reason check_expiry(struct token *t, const struct token_context *c)
{
	return !t->exp.present || token_now(c) < t->exp.at ? REASON_NONE : REASON_TOKEN_EXPIRED;
}

static enum reason check_not_before(struct token *t, const struct token_context *c)
{
	double latest = token_now(c) + TOKEN_SKEW;

	if ((t->nbf.present && !(t->nbf.at <= latest)) || (t->iat.present && !(t->iat.at <= latest)))
		return REASON_TOKEN_NOT_YET_VALID;
	return REASON_NONE;
}

/* exp - iat alone is dodged by an iat in the future, exp - now alone by a token made long ago: both, then. The sender's
 * clock made exp and iat, so the first has no leeway; now is ours. */
static enum reason check_lifetime(struct token *t, const struct token_context *c)
{
	double max = token_lifetime_max(c), now = token_now(c);
	bool fits = true;

	if (t->exp.present && t->iat.present)
		fits = t->exp.at - t->iat.at <= max && t->exp.at - now <= max + TOKEN_SKEW;
	else if (t->exp.present)
		fits = t->exp.at - now <= max;
	else if (t->iat.present)
		fits = now - t->iat.at <= max;
	return fits ? REASON_NONE : REASON_LIFETIME_TOO_LONG;
}

static enum reason check_expiry_required(struct token *t, const struct token_context *c)
{
	return c->site->require_exp && !t->exp.present ? REASON_EXPIRY_MISSING : REASON_NONE;
}

static enum reason check_issuer(struct token *t, const struct token_context *c)
{
	if (!c->site->issuer[0] || string_is(json_object_get(t->claims, "iss"), c->site->issuer))
		return REASON_NONE;
	return REASON_ISSUER_MISMATCH;
}

/* RFC 7519 4.1.3: one string or an array of them. */
static enum reason check_audience(struct token *t, const struct token_context *c)
{
	const json_t *aud;

	if (!c->site->audience[0])
		return REASON_NONE;
	aud = json_object_get(t->claims, "aud");
	if (string_is(aud, c->site->audience))
		return REASON_NONE;
	for (size_t i = 0; i < json_array_size(aud); i++) {
		if (string_is(json_array_get(aud, i), c->site->audience))
			return REASON_NONE;
	}
	return REASON_AUDIENCE_MISMATCH;
}

enum { SYNTAX, HEADER, ALGORITHM, CRITICAL, KID, RING, KEY, SIGNATURE, PAYLOAD, TIMES, EXPIRY, NOT_BEFORE, LIFETIME,
       EXPIRY_REQUIRED, ISSUER, AUDIENCE, CHECK_COUNT };

#define BIT(check) (UINT32_C(1) << (check))
/* A header that is not understood may mean other bytes were signed, so the signature needs the whole of it. */
#define WHOLE_HEADER (BIT(SYNTAX) | BIT(HEADER) | BIT(ALGORITHM) | BIT(CRITICAL) | BIT(KID))

const struct token_check token_checks[] = {
	[SYNTAX] = { "syntax", "One compact JWS: three base64url parts joined by dots, nothing else.",
		     0, check_syntax },
	[HEADER] = { "header", "The header is a JSON object without duplicate names.",
		     BIT(SYNTAX), check_header },
	[ALGORITHM] = { "algorithm", "The algorithm is HS256 and the type, if named, JWT.",
			BIT(HEADER), check_algorithm },
	[CRITICAL] = { "critical", "The header demands no extension (crit, b64).",
		       BIT(HEADER), check_critical },
	[KID] = { "kid", "The key id, if there is one, is a string.",
		  BIT(HEADER), check_kid },
	[RING] = { "ring", "The site has a key that verifies.",
		   0, check_ring },
	[KEY] = { "key", "The key id names no retired key of this site.",
		  BIT(KID), check_key },
	[SIGNATURE] = { "signature", "The signature verifies under the key named, or under any of the ring.",
			WHOLE_HEADER | BIT(RING) | BIT(KEY), check_signature },
	[PAYLOAD] = { "payload", "The payload is a JSON object without duplicate names.",
		      BIT(SIGNATURE), check_payload },
	[TIMES] = { "times", "exp, iat and nbf, where present, are numbers in range.",
		    BIT(PAYLOAD), check_times },
	[EXPIRY] = { "expiry", "The token's time is not over.",
		     BIT(TIMES), check_expiry },
	[NOT_BEFORE] = { "not_before", "nbf and iat do not lie in the future (60 s allowed).",
			 BIT(TIMES), check_not_before },
	[LIFETIME] = { "lifetime", "The token lives no longer than the site allows.",
		       BIT(TIMES), check_lifetime },
	[EXPIRY_REQUIRED] = { "expiry_required", "exp is present, if the site requires it.",
			      BIT(TIMES), check_expiry_required },
	[ISSUER] = { "issuer", "iss is the site's issuer, if it names one.",
		     BIT(PAYLOAD), check_issuer },
	[AUDIENCE] = { "audience", "aud names the site's audience, if it has one.",
		       BIT(PAYLOAD), check_audience },
};
const size_t token_check_count = ARRAY_LEN(token_checks);
_Static_assert(ARRAY_LEN(token_checks) == CHECK_COUNT && CHECK_COUNT <= 32, "needs is a set of bits by index");
