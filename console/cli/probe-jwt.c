/* probe-jwt.c -- tokens in what a site's endpoint answers: found by their form, wherever they stand, and decoded for
 * reading only. */
#include "console/cli/probe-private.h"
#include "base/encode.h"
#include "base/json.h"

static struct span part_at(struct span text, size_t at)
{
	const unsigned char *p = text.data;
	size_t size = 0;

	while (at + size < text.size && size <= TOKEN_MAX && base64url_digit[p[at + size]])
		size++;
	return span_of(p + at, size);
}

/* The object in a part. What is decoded may be somebody's: it does not stay behind. */
static json_t *object_in(struct span part)
{
	struct secret *bytes = part.size ? secret_new(part.size) : NULL;
	json_t *value = NULL;
	long size;

	if (bytes && (size = base64url_decode(bytes->data, bytes->size, part)) > 0 &&
	    json_strict(span_of(bytes->data, (size_t)size), TOKEN_DEPTH_MAX, &value, NULL) != RC_OK)
		value = NULL;
	secret_free(bytes);
	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

static bool dot_at(struct span text, size_t at)
{
	return at < text.size && ((const char *)text.data)[at] == '.';
}

/* Three parts from `at` on, the first an object with alg. The third is empty in a token that is not signed. */
static bool jwt_at(struct span text, size_t at, struct probe_jwt *ret)
{
	struct span header = part_at(text, at), claims, signature;
	size_t next = at + header.size + 1;

	if (header.size < 4 || !dot_at(text, next - 1))
		return false;
	claims = part_at(text, next);
	next += claims.size + 1;
	if (claims.size == 0 || !dot_at(text, next - 1))
		return false;
	signature = part_at(text, next);
	ret->header = object_in(header);
	if (!ret->header || !json_object_get(ret->header, "alg")) {
		json_decref(ret->header);
		return false;
	}
	ret->claims = object_in(claims);
	ret->text = span_of(header.data, next - at + signature.size);
	return true;
}

/* An object begins with { and a quote or white space: ey or ew in base64. It is looked for inside of words too, for a
 * cookie may have something before the token ("s%3A"). */
bool jwt_next(struct span text, size_t *at, struct probe_jwt *ret)
{
	const char *p = text.data;

	for (; *at + 1 < text.size; (*at)++)
		if (p[*at] == 'e' && (p[*at + 1] == 'y' || p[*at + 1] == 'w') && jwt_at(text, *at, ret)) {
			*at += ret->text.size;
			return true;
		}
	return false;
}

void jwt_done(struct probe_jwt *j)
{
	json_decref(j->header);
	json_decref(j->claims);
	*j = (struct probe_jwt){ 0 };
}

bool json_holds(const json_t *value, const char *text)
{
	const char *name;
	json_t *below;
	size_t i;

	if (json_is_string(value))
		return ascii_equal_nocase(json_span(value), text);
	json_object_foreach((json_t *)value, name, below)
		if (json_holds(below, text))
			return true;
	json_array_foreach(value, i, below)
		if (json_holds(below, text))
			return true;
	return false;
}
