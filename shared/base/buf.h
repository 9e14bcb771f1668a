/* buf.h -- a growing byte buffer that remembers its first failure.
 *
 * Every add is a no-op once `failed` is set, so a caller checks once, at the end. Not for secrets. */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "base/codes.h"
#include "base/span.h"

#include <stdint.h>

struct buf {
	char *data;      /* owned; NUL-terminated after any add */
	size_t size;     /* bytes used, without the terminator */
	size_t room;
	bool failed;     /* out of memory: the content is not to be used */
};

#define BUF_INIT ((struct buf){ 0 })

void buf_done(struct buf *b);                    /* frees; leaves an empty buffer */
void buf_clear(struct buf *b);                   /* empties, keeps the memory, forgets a failure */
void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_str(struct buf *b, const char *s);
void buf_add_span(struct buf *b, struct span s);
void buf_add_char(struct buf *b, char c);
/* Adds size zero bytes for the caller to fill; valid until the next add. NULL if the buffer failed. */
void *buf_extend(struct buf *b, size_t size);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_add_u64(struct buf *b, uint64_t n);     /* decimal */

/* A JSON string with its quotes, ASCII only: control bytes and non-ASCII characters are \u-escaped.
 * Bytes that are not UTF-8 become U+FFFD, one each. */
void buf_add_json(struct buf *b, struct span text);

/* Row encoding, big-endian: what codec.h decodes. */
void buf_put_u8(struct buf *b, uint8_t n);
void buf_put_u32(struct buf *b, uint32_t n);
void buf_put_u64(struct buf *b, uint64_t n);
void buf_put_bytes(struct buf *b, struct span s);     /* u32 length, then the bytes */

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->data, b->size);
}

/* Hands the memory to the caller (free()), who owns it; NULL if the buffer failed or is empty. */
char *buf_take(struct buf *b);

#endif
