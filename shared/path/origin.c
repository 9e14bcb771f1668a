/* origin.c -- the browser's Origin against the site's list. Host is read for this comparison and for nothing else. */
#include "path/path-private.h"

bool origin_listed(const struct site *s, struct span origin)
{
	for (size_t i = 0; i < s->origins.count; i++)
		if (span_is(origin, s->origins.entry[i]))
			return true;
	return false;
}

static bool strip_suffix(struct span *s, const char *suffix)
{
	size_t size = strlen(suffix);

	if (s->size <= size || memcmp((const char *)s->data + s->size - size, suffix, size) != 0)
		return false;
	s->size -= size;
	return true;
}

static bool equal_nocase(struct span a, struct span b)
{
	const char *x = a.data, *y = b.data;

	if (a.size != b.size || a.size == 0)
		return false;
	for (size_t i = 0; i < a.size; i++)
		if (ascii_lower(x[i]) != ascii_lower(y[i]))
			return false;
	return true;
}

/* "https://shop.example" is host "shop.example", with or without the scheme's own port. */
static bool same_host(struct span origin, struct span host)
{
	static const struct { const char *scheme, *port; } schemes[] = { { "https://", ":443" }, { "http://", ":80" } };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t size = strlen(schemes[i].scheme);
		struct span authority, bare = host;

		if (origin.size <= size || memcmp(origin.data, schemes[i].scheme, size) != 0)
			continue;
		authority = span_of((const char *)origin.data + size, origin.size - size);
		strip_suffix(&authority, schemes[i].port);
		strip_suffix(&bare, schemes[i].port);
		return equal_nocase(authority, bare);
	}
	return false;
}

bool origin_allowed(const struct site *s, const struct request *in)
{
	return !in->has_origin || s->origins.count == 0 || origin_listed(s, in->origin) || same_host(in->origin, in->host);
}
