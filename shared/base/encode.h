/* encode.h -- bytes as text: hexadecimal, base64url and base64 (RFC 4648, strict), base62, and CRC-32. */
#ifndef POSTERN_BASE_ENCODE_H
#define POSTERN_BASE_ENCODE_H

#include "base/span.h"

#include <stdint.h>

/* Writes 2 * size hex digits, lower case, and a terminator. */
void hex_encode(char *out, const void *data, size_t size);

/* Value and BASE64_DIGIT of each character of base64url; 0 for every other byte. */
#define BASE64_DIGIT 0x80U
extern const uint8_t base64url_digit[256];
/* How many of the first bytes are such characters. */
size_t base64url_run(struct span text);

/* Decodes unpadded base64url into out. Strict: only its alphabet, length not 1 mod 4, unused low
 * bits zero (one spelling per value). Returns the size, or -1. room must be >= 3 * size / 4. */
long base64url_decode(uint8_t *out, size_t room, struct span text);
/* Writes the unpadded text and a terminator; returns its length. room > 4 * size / 3 + 2. */
size_t base64url_encode(char *out, size_t room, struct span bytes);

/* Standard base64 (RFC 4648 4), padded. Decoding is strict: whole groups, its alphabet, one spelling per value; -1
 * otherwise. Encoding writes a terminator: room > 4 * ((size + 2) / 3); returns the length. */
long base64_decode(uint8_t *out, size_t room, struct span text);
size_t base64_encode(char *out, size_t room, struct span bytes);

/* `digits` characters of 0-9A-Za-z, most significant first, of a big-endian number, modulo 62^digits. */
void base62_encode(char *out, size_t digits, const uint8_t *number, size_t size);

uint32_t crc32_of(struct span data);      /* zlib's CRC-32 */

/* 128 bits of time and chance as 26 characters of Crockford base32 (a ULID), terminated: request and
 * record ids. false: no randomness. */
#define ULID_MAX 27
bool ulid_make(char out[ULID_MAX], uint64_t time_ms);

#endif
