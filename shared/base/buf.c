/* buf.c -- a growing byte buffer that remembers its first failure. */
#include "base/buf.h"

#include "base/codec.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_done(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

/* Room for size more bytes and the terminator. */
static bool reserve(struct buf *b, size_t size)
{
	size_t need, room;
	char *data;

	if (b->failed)
		return false;
	if (size >= SIZE_MAX / 4 - b->size) {
		b->failed = true;
		return false;
	}
	need = b->size + size + 1;
	if (need <= b->room)
		return true;
	for (room = b->room ? b->room : 64; room < need; room *= 2)
		;
	data = realloc(b->data, room);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->room = room;
	return true;
}

void *buf_extend(struct buf *b, size_t size)
{
	char *at;

	if (!reserve(b, size))
		return NULL;
	at = b->data + b->size;
	memset(at, 0, size + 1);
	b->size += size;
	return at;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	if (!reserve(b, size))
		return;
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.data, s.size);
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int size;

	va_start(args, fmt);
	size = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (size < 0) {
		b->failed = true;
		return;
	}
	if (!reserve(b, (size_t)size))
		return;
	va_start(args, fmt);
	if (vsnprintf(b->data + b->size, (size_t)size + 1, fmt, args) == size)
		b->size += (size_t)size;
	else
		b->failed = true;
	va_end(args);
}

void buf_add_u64(struct buf *b, uint64_t n)
{
	char digits[24];
	char *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

static void add_u16_escape(struct buf *b, uint32_t unit)
{
	static const char hex[] = "0123456789ABCDEF";
	char out[6] = { '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15] };

	buf_add(b, out, sizeof(out));
}

static void add_json_char(struct buf *b, uint32_t cp)
{
	static const char shorts[][2] = {
		{ '"', '"' }, { '\\', '\\' }, { '\b', 'b' }, { '\f', 'f' }, { '\n', 'n' }, { '\r', 'r' }, { '\t', 't' },
	};

	for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
		if (cp == (uint32_t)shorts[i][0]) {
			buf_add(b, (char[2]){ '\\', shorts[i][1] }, 2);
			return;
		}
	}
	if (cp < 0x10000) {
		add_u16_escape(b, cp);
		return;
	}
	cp -= 0x10000;
	add_u16_escape(b, 0xd800 | cp >> 10);
	add_u16_escape(b, 0xdc00 | (cp & 0x3ff));
}

/* The very spelling of json_canonical(), so that a line may be built by either. */
void buf_add_json(struct buf *b, struct span text)
{
	const uint8_t *at = text.data;
	const uint8_t *end = at ? at + text.size : NULL;

	buf_add_char(b, '"');
	while (at < end) {
		const uint8_t *from = at;
		uint32_t cp;

		while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
			at++;
		buf_add(b, from, (size_t)(at - from));
		if (at == end)
			break;
		cp = utf8_next(&at, end);
		add_json_char(b, cp == UTF8_BAD ? 0xfffd : cp);
	}
	buf_add_char(b, '"');
}

void buf_put_u8(struct buf *b, uint8_t n)
{
	buf_add(b, &n, 1);
}

void buf_put_u32(struct buf *b, uint32_t n)
{
	uint8_t out[4];

	be32_put(out, n);
	buf_add(b, out, sizeof(out));
}

void buf_put_u64(struct buf *b, uint64_t n)
{
	uint8_t out[8];

	be64_put(out, n);
	buf_add(b, out, sizeof(out));
}

void buf_put_bytes(struct buf *b, struct span s)
{
	if (s.size > UINT32_MAX) {
		b->failed = true;
		return;
	}
	buf_put_u32(b, (uint32_t)s.size);
	buf_add_span(b, s);
}

char *buf_take(struct buf *b)
{
	char *data = NULL;

	if (!b->failed && b->size) {
		data = b->data;
		b->data = NULL;
	}
	buf_done(b);
	return data;
}
