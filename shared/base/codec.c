/* codec.c -- reading a stored row, which is hostile until every length was checked. */
#include "base/codec.h"

/* ---- big-endian numbers ---- */

static void be_put(uint8_t *out, size_t size, uint64_t n)
{
	for (size_t i = size; i-- > 0; n >>= 8)
		out[i] = (uint8_t)n;
}

static uint64_t be_get(const uint8_t *in, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | in[i];
	return n;
}

void be32_put(uint8_t out[4], uint32_t n)
{
	be_put(out, 4, n);
}

uint32_t be32_get(const uint8_t in[4])
{
	return (uint32_t)be_get(in, 4);
}

void be64_put(uint8_t out[8], uint64_t n)
{
	be_put(out, 8, n);
}

uint64_t be64_get(const uint8_t in[8])
{
	return be_get(in, 8);
}

/* ---- rows ---- */

struct dec dec_of(struct span row)
{
	const uint8_t *data = row.data;

	return (struct dec){ .at = data, .end = data ? data + row.size : NULL };
}

struct span dec_fixed(struct dec *d, size_t size)
{
	struct span s;

	if (d->bad || (size_t)(d->end - d->at) < size) {
		d->bad = true;
		return span_of(NULL, 0);
	}
	s = span_of(d->at, size);
	d->at += size;
	return s;
}

static uint64_t dec_number(struct dec *d, size_t size)
{
	struct span s = dec_fixed(d, size);

	return be_get(s.data, s.size);
}

uint8_t dec_u8(struct dec *d)
{
	return (uint8_t)dec_number(d, 1);
}

uint32_t dec_u32(struct dec *d)
{
	return (uint32_t)dec_number(d, 4);
}

uint64_t dec_u64(struct dec *d)
{
	return dec_number(d, 8);
}

struct span dec_bytes(struct dec *d)
{
	return dec_fixed(d, dec_u32(d));
}

void dec_text(struct dec *d, char *out, size_t room)
{
	struct span s = dec_bytes(d);

	out[0] = '\0';
	if (s.size >= room || (s.size && memchr(s.data, '\0', s.size))) {
		d->bad = true;
		return;
	}
	if (s.size)
		memcpy(out, s.data, s.size);
	out[s.size] = '\0';
}

bool dec_end(const struct dec *d)
{
	return !d->bad && d->at == d->end;
}
