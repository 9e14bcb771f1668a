/* connection-secret.c -- what an admin gave as a connection's secret, as the JSON object that postern-connectd takes. It
 * is copied from one struct secret to another, never through a JSON value: those are not wiped. */
#include "admin/admin.h"
#include "base/text.h"

#include <string.h>

#define ESCAPED_MAX 6                  /* bytes of a character as \u00XX */

struct shape { const char *type, *names[3]; };

/* One name: the bare secret is given. Several: an object with them. */
static const struct shape shapes[] = {
	{ "api_key", { "api_key" } },
	{ "basic", { "password" } },
	{ "oauth2_client", { "client_secret" } },
	{ "oauth2_refresh", { "client_secret", "refresh_token" } },
	{ "none", { NULL } },
};

static const struct shape *shape_of(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_LEN(shapes); i++)
		if (strcmp(shapes[i].type, type) == 0)
			return &shapes[i];
	return NULL;
}

bool admin_connection_has_secret(const char *type)
{
	const struct shape *shape = shape_of(type);

	return !shape || shape->names[0];
}

/* ---- an object ---- */

static void skip_space(struct span *at)
{
	const char *s = at->data;
	size_t n = 0;

	while (n < at->size && (s[n] == ' ' || s[n] == '\t' || s[n] == '\n' || s[n] == '\r'))
		n++;
	*at = span_of(s + n, at->size - n);
}

static bool take_char(struct span *at, char c)
{
	skip_space(at);
	if (at->size == 0 || *(const char *)at->data != c)
		return false;
	*at = span_of((const char *)at->data + 1, at->size - 1);
	return true;
}

/* A string with its quotes, as it stands there: what its escapes mean is the reader's business. */
static bool take_string(struct span *at, struct span *ret)
{
	const char *s;
	size_t n = 1;

	skip_space(at);
	s = at->data;
	if (at->size < 2 || s[0] != '"')
		return false;
	while (n < at->size && s[n] != '"') {
		if ((unsigned char)s[n] < 0x20)
			return false;
		n += s[n] == '\\' ? 2 : 1;
	}
	if (n >= at->size)
		return false;
	*ret = span_of(s, n + 1);
	*at = span_of(s + n + 1, at->size - n - 1);
	return true;
}

static bool is_named(const struct shape *shape, struct span quoted)
{
	for (size_t i = 0; shape->names[i]; i++)
		if (span_is(span_of((const char *)quoted.data + 1, quoted.size - 2), shape->names[i]))
			return true;
	return false;
}

static bool is_object(const struct shape *shape, struct span at)
{
	struct span name, value;

	if (!take_char(&at, '{'))
		return false;
	do {
		if (!take_string(&at, &name) || !is_named(shape, name) || !take_char(&at, ':') || !take_string(&at, &value))
			return false;
	} while (take_char(&at, ','));
	if (!take_char(&at, '}'))
		return false;
	skip_space(&at);
	return at.size == 0;
}

/* ---- the bare secret ---- */

static size_t put_escaped(unsigned char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = c;
		return 2;
	}
	if (c >= 0x20) {
		out[0] = c;
		return 1;
	}
	memcpy(out, "\\u00", 4);
	out[4] = (unsigned char)hex[c >> 4];
	out[5] = (unsigned char)hex[c & 15];
	return ESCAPED_MAX;
}

static struct secret *wrap(const char *name, struct span bare)
{
	struct secret *s = secret_new(strlen(name) + bare.size * ESCAPED_MAX + 8);
	size_t at;

	if (!s)
		return NULL;
	at = (size_t)snprintf((char *)s->data, s->size, "{\"%s\":\"", name);
	for (size_t i = 0; i < bare.size; i++)
		at += put_escaped(s->data + at, ((const unsigned char *)bare.data)[i]);
	s->data[at++] = '"';
	s->data[at++] = '}';
	s->size = at;
	return s;
}

/* ---- the whole ---- */

enum rc admin_connection_secret(const char *type, const struct secret *given, struct secret **ret, struct why *why)
{
	const struct shape *shape = shape_of(type);
	struct span text = secret_span(given);

	if (text.size > 0 && given->data[text.size - 1] == '\n')
		text.size--;
	if (!shape || !shape->names[0]) {
		why_set(why, "a connection with this auth has no secret");
		return RC_INVALID;
	}
	if (text.size == 0 || !utf8_valid(text) || memchr(text.data, '\0', text.size)) {
		why_set(why, "standard input must give the secret: text that is not empty");
		return RC_INVALID;
	}
	if (shape->names[1] && !is_object(shape, text)) {
		why_set(why, "standard input must give a JSON object of texts: {\"%s\": ..., \"%s\": ...}", shape->names[0],
		        shape->names[1]);
		return RC_INVALID;
	}
	*ret = shape->names[1] ? secret_copy(text) : wrap(shape->names[0], text);
	return *ret ? RC_OK : RC_NOMEM;
}
