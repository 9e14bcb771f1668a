/* codec.h -- reading a stored row, which is hostile until every length was checked.
 *
 * Once `bad` is set every further read yields zero or empty; a decoder reads all its members and
 * then asks dec_end() once. */
#ifndef POSTERN_BASE_CODEC_H
#define POSTERN_BASE_CODEC_H

#include "base/span.h"

#include <stdint.h>

struct dec {
	const uint8_t *at, *end;
	bool bad;
};

struct dec  dec_of(struct span row);
uint8_t     dec_u8(struct dec *d);
uint32_t    dec_u32(struct dec *d);
uint64_t    dec_u64(struct dec *d);
struct span dec_bytes(struct dec *d);                        /* u32 length, then the bytes; borrowed from the row */
struct span dec_fixed(struct dec *d, size_t size);           /* exactly size bytes; empty if there are fewer */
/* Copies a length-prefixed text into out (NUL-terminated); bad if it has a NUL or does not fit. */
void        dec_text(struct dec *d, char *out, size_t room);
bool        dec_end(const struct dec *d);                    /* all read, nothing left, nothing bad */

/* Big-endian integers for keys, so that LMDB's byte order is the numeric order. */
void     be32_put(uint8_t out[4], uint32_t n);
uint32_t be32_get(const uint8_t in[4]);
void     be64_put(uint8_t out[8], uint64_t n);
uint64_t be64_get(const uint8_t in[8]);

#endif
