/* span.h -- borrowed bytes: a pointer and a length, never NUL-terminated by promise. */
#ifndef POSTERN_BASE_SPAN_H
#define POSTERN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const void *data;   /* may be NULL only where size is 0 */
	size_t size;
};

static inline struct span span_of(const void *data, size_t size)
{
	return (struct span){ data, size };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

/* Not constant time: never for secrets (crypto_equal is). */
static inline bool span_equal(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_str(s));
}

#endif
