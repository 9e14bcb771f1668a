/* authorization.c -- three states, never two: what the Authorization parameters of one request mean.
 *
 * A request is anonymous only where nobody meant to present a token. Whatever looks like an attempt that went wrong
 * (a second parameter, a comma-joined pair, a bare JWT, a JWT under another scheme) blocks, so that no fault upstream
 * turns a bad token into no token. */
#include "token/token.h"

#include "base/text.h"

#define BEARER "Bearer"
#define BEARER_SIZE (sizeof(BEARER) - 1)
#define VALUE_MAX (BEARER_SIZE + 1 + TOKEN_MAX)

static struct span trim_spaces(struct span s)
{
	const char *p = s.data;

	while (s.size > 0 && p[s.size - 1] == ' ')
		s.size--;
	while (s.size > 0 && *p == ' ') {
		p++;
		s.size--;
	}
	return span_of(p, s.size);
}

static bool is_base64url(unsigned char c)
{
	return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || c == '-' || c == '_';
}

/* RFC 9110 5.6.2. */
static bool is_tchar(unsigned char c)
{
	return ascii_is_alpha((char)c) || ascii_is_digit((char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Is there, between any other bytes, a run of exactly three base64url parts joined by dots? Quotes and the like end a
 * run, so that `Token token="x.y.z"` is seen as well. */
static bool has_jwt_word(const unsigned char *p, size_t size)
{
	size_t dots = 0, part = 0;
	bool empty_part = false;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && is_base64url(p[i])) {
			part++;
			continue;
		}
		empty_part |= part == 0;
		part = 0;
		if (i < size && p[i] == '.') {
			dots++;
			continue;
		}
		if (dots == 2 && !empty_part)
			return true;
		dots = 0;
		empty_part = false;
	}
	return false;
}

static bool has_control_or_comma(const unsigned char *p, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (p[i] < 0x20 || p[i] == 0x7f || p[i] == ',')
			return true;
	}
	return false;
}

/* A parameter of another scheme: none of our business, if that is clear beyond doubt. */
static enum reason other_scheme(struct span value)
{
	const unsigned char *p = value.data;
	size_t scheme = 0;

	if (value.size > TOKEN_MAX)
		return REASON_TOKEN_MALFORMED;
	while (scheme < value.size && is_tchar(p[scheme]))
		scheme++;
	if (scheme == 0 || (scheme < value.size && p[scheme] != ' '))
		return REASON_TOKEN_MALFORMED;
	if (has_control_or_comma(p, value.size) || has_jwt_word(p, value.size))
		return REASON_TOKEN_MALFORMED;
	return REASON_NO_TOKEN;
}

enum reason token_from_authorization(size_t count, struct span value, struct span *ret_token)
{
	struct span trimmed, rest;

	if (count == 0)
		return REASON_NO_TOKEN;
	if (count > 1 || value.size > VALUE_MAX)
		return REASON_TOKEN_MALFORMED;
	trimmed = trim_spaces(value);
	if (trimmed.size < BEARER_SIZE || !ascii_equal_nocase(span_of(trimmed.data, BEARER_SIZE), BEARER))
		return other_scheme(trimmed);

	rest = span_of((const char *)trimmed.data + BEARER_SIZE, trimmed.size - BEARER_SIZE);
	if (rest.size > 0 && *(const char *)rest.data != ' ')
		return other_scheme(trimmed);          /* "BearerX": a scheme of another name */
	rest = trim_spaces(rest);
	if (rest.size == 0)
		return REASON_TOKEN_MALFORMED;
	/* Spaces, commas and control bytes inside are refused by the first check: its alphabet holds none. */
	*ret_token = rest;
	return REASON_NONE;
}
