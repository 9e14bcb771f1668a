/* encode.c -- bytes as text. */
#include "base/encode.h"

#include "base/crypto.h"

#include <zlib.h>

void hex_encode(char *out, const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = data;

	for (size_t i = 0; i < size; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

#define D(c, v) [c] = (v) | BASE64_DIGIT
#define LETTER_VALUES \
	D('A', 0), D('B', 1), D('C', 2), D('D', 3), D('E', 4), D('F', 5), D('G', 6), D('H', 7), D('I', 8), \
	D('J', 9), D('K', 10), D('L', 11), D('M', 12), D('N', 13), D('O', 14), D('P', 15), D('Q', 16), D('R', 17), \
	D('S', 18), D('T', 19), D('U', 20), D('V', 21), D('W', 22), D('X', 23), D('Y', 24), D('Z', 25), D('a', 26), \
	D('b', 27), D('c', 28), D('d', 29), D('e', 30), D('f', 31), D('g', 32), D('h', 33), D('i', 34), D('j', 35), \
	D('k', 36), D('l', 37), D('m', 38), D('n', 39), D('o', 40), D('p', 41), D('q', 42), D('r', 43), D('s', 44), \
	D('t', 45), D('u', 46), D('v', 47), D('w', 48), D('x', 49), D('y', 50), D('z', 51), D('0', 52), D('1', 53), \
	D('2', 54), D('3', 55), D('4', 56), D('5', 57), D('6', 58), D('7', 59), D('8', 60), D('9', 61)
const uint8_t base64url_digit[256] = { LETTER_VALUES, D('-', 62), D('_', 63) };
static const uint8_t base64_digit[256] = { LETTER_VALUES, D('+', 62), D('/', 63) };
#undef LETTER_VALUES
#undef D

size_t base64url_run(struct span text)
{
	const uint8_t *in = text.data;
	size_t size = 0;

	for (; text.size - size >= 8; size += 8, in += 8) {
		unsigned digits = base64url_digit[in[0]] & base64url_digit[in[1]] & base64url_digit[in[2]] &
				  base64url_digit[in[3]] & base64url_digit[in[4]] & base64url_digit[in[5]] &
				  base64url_digit[in[6]] & base64url_digit[in[7]];

		if (!(digits & BASE64_DIGIT))
			break;
	}
	while (size < text.size && base64url_digit[*in]) {
		size++;
		in++;
	}
	return size;
}

/* The last one to three characters: a whole number of bytes, and no bit beyond them (RFC 4648 3.5). */
static bool decode_tail(uint8_t *out, const uint8_t *in, size_t size, const uint8_t digit[256])
{
	uint32_t v = 0;

	for (size_t i = 0; i < size; i++) {
		if (!digit[in[i]])
			return false;
		v |= (digit[in[i]] & 63U) << (18 - 6 * i);
	}
	if (size >= 2)
		out[0] = (uint8_t)(v >> 16);
	if (size == 3)
		out[1] = (uint8_t)(v >> 8);
	return size == 0 || (size == 2 && (v & 0xffff) == 0) || (size == 3 && (v & 0xff) == 0);
}

/* Four characters are three bytes at a time: every token's payload comes through here. */
static long decode(uint8_t *out, size_t room, struct span text, const uint8_t digit[256])
{
	const uint8_t *in = text.data;
	size_t tail = text.size % 4, size = text.size / 4 * 3 + tail * 3 / 4;

	if (tail == 1 || size > room)
		return -1;
	for (size_t left = text.size / 4; left > 0; left--, in += 4, out += 3) {
		uint32_t a = digit[in[0]], b = digit[in[1]], c = digit[in[2]], d = digit[in[3]], v;

		if (!(a & b & c & d & BASE64_DIGIT))
			return -1;
		/* what marks each as a digit falls on another's bits, and is known */
		v = (a << 18 ^ b << 12 ^ c << 6 ^ d) ^ (BASE64_DIGIT << 12 ^ BASE64_DIGIT << 6 ^ BASE64_DIGIT);
		out[0] = (uint8_t)(v >> 16);
		out[1] = (uint8_t)(v >> 8);
		out[2] = (uint8_t)v;
	}
	return decode_tail(out, in, tail, digit) ? (long)size : -1;
}

/* Without padding and terminator; returns the end of what it wrote. */
static char *encode(char *out, struct span bytes, const char digits[65])
{
	const uint8_t *in = bytes.data;
	uint32_t bits = 0;
	unsigned held = 0;

	for (size_t i = 0; i < bytes.size; i++) {
		bits = (bits << 8 | in[i]) & 0xffff;
		for (held += 8; held >= 6; )
			*out++ = digits[bits >> (held -= 6) & 63];
	}
	if (held)
		*out++ = digits[bits << (6 - held) & 63];
	return out;
}

/* Where size characters and the terminator do not fit, the text is empty. */
static bool fits(char *out, size_t room, size_t size)
{
	if (size < room)
		return true;
	if (room)
		out[0] = '\0';
	return false;
}

long base64url_decode(uint8_t *out, size_t room, struct span text)
{
	return decode(out, room, text, base64url_digit);
}

size_t base64url_encode(char *out, size_t room, struct span bytes)
{
	size_t size = bytes.size / 3 * 4 + (bytes.size % 3 * 4 + 2) / 3;

	if (!fits(out, room, size))
		return 0;
	*encode(out, bytes, LETTERS "-_") = '\0';
	return size;
}

/* At most two '=' are padding; any other is no digit. */
long base64_decode(uint8_t *out, size_t room, struct span text)
{
	const uint8_t *in = text.data;

	if (text.size % 4)
		return -1;
	for (int i = 0; i < 2 && text.size > 0 && in[text.size - 1] == '='; i++)
		text.size--;
	return decode(out, room, text, base64_digit);
}

size_t base64_encode(char *out, size_t room, struct span bytes)
{
	size_t size = (bytes.size + 2) / 3 * 4;
	char *at;

	if (!fits(out, room, size))
		return 0;
	for (at = encode(out, bytes, LETTERS "+/"); at < out + size; at++)
		*at = '=';
	*at = '\0';
	return size;
}

/* Horner's rule on the digits themselves: no second copy of the number is made, for it may be a secret. */
void base62_encode(char *out, size_t digits, const uint8_t *number, size_t size)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	memset(out, 0, digits);
	for (size_t i = 0; i < size; i++) {
		unsigned carry = number[i];

		for (size_t d = digits; d-- > 0; carry /= 62) {
			carry += (unsigned)(unsigned char)out[d] * 256;
			out[d] = (char)(carry % 62);
		}
	}
	for (size_t d = 0; d < digits; d++)
		out[d] = letters[(unsigned char)out[d]];
}

uint32_t crc32_of(struct span data)
{
	return (uint32_t)crc32_z(0, data.size ? data.data : (const void *)"", data.size);
}

/* Randomness for many ids at once: asking for it costs more than all else about an id. A thread's own; none of our programs
 * goes on making ids in a child of fork(). */
static bool id_random(uint8_t *out, size_t size)
{
	static _Thread_local uint8_t pool[256];
	static _Thread_local size_t left;

	if (left < size) {
		if (crypto_random(pool, sizeof(pool)) != RC_OK)
			return false;
		left = sizeof(pool);
	}
	left -= size;
	memcpy(out, pool + left, size);
	return true;
}

bool ulid_make(char out[ULID_MAX], uint64_t time_ms)
{
	static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint8_t id[16];
	uint32_t bits = 0;
	unsigned held = 2;      /* 26 characters carry 130 bits: the first two are zero */

	for (int i = 5; i >= 0; i--, time_ms >>= 8)
		id[i] = (uint8_t)time_ms;
	if (!id_random(id + 6, sizeof(id) - 6))
		return false;
	for (size_t i = 0; i < sizeof(id); i++) {
		bits = (bits << 8 | id[i]) & 0xffff;
		for (held += 8; held >= 5; )
			*out++ = letters[bits >> (held -= 5) & 31];
	}
	*out = '\0';
	return true;
}
