/* text.c -- text from outside: is it UTF-8, and how may it be shown. */
#include "base/text.h"

#include "base/codes.h"

#include <stdio.h>

static bool is_tail(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

uint32_t utf8_next(const uint8_t **at, const uint8_t *end)
{
	/* Per length: the lowest code point it may carry, so that no character has two spellings. */
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = *at;
	uint32_t cp;
	size_t size;

	*at = p + 1;
	if (p[0] < 0x80)
		return p[0];
	size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t)(end - p) < size)
		return UTF8_BAD;
	cp = p[0] & (0x7fU >> size);
	for (size_t i = 1; i < size; i++) {
		if (!is_tail(p[i]))
			return UTF8_BAD;
		cp = cp << 6 | (p[i] & 0x3fU);
	}
	if (cp < lowest[size] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return UTF8_BAD;
	*at = p + size;
	return cp;
}

bool utf8_valid(struct span s)
{
	const uint8_t *at = s.data;
	const uint8_t *end = at ? at + s.size : NULL;

	while (at < end)
		if (utf8_next(&at, end) == UTF8_BAD)
			return false;
	return true;
}

size_t utf8_put(char out[4], uint32_t cp)
{
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t size = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = size - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80U | (cp & 0x3fU));
	out[0] = (char)(lead[size] | cp);
	return size;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t cp, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	return false;
}

bool text_is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029;
}

/* What reorders its neighbours, or is there without being seen. */
bool text_is_bidi(uint32_t cp)
{
	static const struct range ranges[] = {
		{ 0x00ad, 0x00ad },      /* soft hyphen */
		{ 0x061c, 0x061c },      /* Arabic letter mark */
		{ 0x180e, 0x180e },      /* Mongolian vowel separator */
		{ 0x200b, 0x200f },      /* zero-width space and joiners, left and right marks */
		{ 0x202a, 0x202e },      /* embeddings, overrides */
		{ 0x2060, 0x206f },      /* word joiner, invisible operators, isolates, deprecated formats */
		{ 0xfeff, 0xfeff },      /* zero-width no-break space */
		{ 0xfff9, 0xfffb },      /* interlinear annotations */
		{ 0xe0000, 0xe0fff },    /* tags and other default-ignorable characters */
	};

	return cp >= 0xad && in_ranges(cp, ranges, ARRAY_LEN(ranges));
}

bool text_is_white(uint32_t cp)
{
	static const struct range ranges[] = {
		{ 0x0020, 0x0020 }, { 0x00a0, 0x00a0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200a },
		{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
	};

	return in_ranges(cp, ranges, ARRAY_LEN(ranges));
}

/* One character as it is shown: itself, or a visible escape. \x is a byte, \u and \U a character. */
static size_t show_one(char out[12], const uint8_t *from, size_t size, uint32_t cp)
{
	if (cp == UTF8_BAD || (cp < 0x80 && text_is_control(cp)))
		return (size_t)snprintf(out, 12, "\\x%02x", from[0]);
	if (text_is_control(cp) || text_is_bidi(cp))
		return (size_t)snprintf(out, 12, cp > 0xffff ? "\\U%08x" : "\\u%04x", cp);
	memcpy(out, from, size);
	return size;
}

char *text_show(char *out, size_t room, struct span in)
{
	static const char more[] = "...";
	const uint8_t *at = in.data;
	const uint8_t *end = at ? at + in.size : NULL;
	size_t size = 0, cut = 0;      /* cut: the last end of a character behind which "..." still fits */

	while (at < end) {
		const uint8_t *from = at;
		uint32_t cp = utf8_next(&at, end);
		char piece[12];
		size_t piece_size = show_one(piece, from, (size_t)(at - from), cp);

		if (piece_size > room - 1 - size) {
			memcpy(out + cut, more, sizeof(more));
			return out;
		}
		memcpy(out + size, piece, piece_size);
		size += piece_size;
		if (size + sizeof(more) <= room)
			cut = size;
	}
	out[size] = '\0';
	return out;
}

size_t text_clean(char *out, size_t room, struct span in)
{
	const uint8_t *at = in.data;
	const uint8_t *end = at ? at + in.size : NULL;
	size_t size = 0, kept = 0;     /* kept: up to the last character that is no white space */

	while (at < end) {
		const uint8_t *from = at;
		uint32_t cp;
		size_t n;

		if (*at > ' ' && *at < 0x7f && size + 1 < room) {      /* the usual: what is asked below is plain */
			out[size++] = (char)*at++;
			kept = size;
			continue;
		}
		cp = utf8_next(&at, end);
		n = (size_t)(at - from);
		if (cp == UTF8_BAD || text_is_control(cp) || text_is_bidi(cp) || (size == 0 && text_is_white(cp)))
			continue;
		if (n > room - 1 - size)
			break;
		memcpy(out + size, from, n);
		size += n;
		if (!text_is_white(cp))
			kept = size;
	}
	out[kept] = '\0';
	return kept;
}

bool text_fits_header(struct span in)
{
	const uint8_t *begin = in.data, *at = begin;
	const uint8_t *end = at ? at + in.size : NULL;
	bool stripped = false;         /* the last character so far would be, if it is the last */

	while (at < end) {
		bool first = at == begin;
		uint32_t cp = utf8_next(&at, end);

		stripped = text_is_white(cp) || text_is_bidi(cp);
		if (cp == UTF8_BAD || text_is_control(cp) || (first && stripped))
			return false;
	}
	return !stripped;
}

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_alpha(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

bool ascii_equal_nocase(struct span a, const char *b)
{
	const char *text = a.data;

	if (a.size != strlen(b))
		return false;
	for (size_t i = 0; i < a.size; i++)
		if (ascii_lower(text[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

static bool ascii_between(struct span s, char first, char last)
{
	const char *at = s.data;

	for (size_t i = 0; i < s.size; i++)
		if (at[i] < first || at[i] > last)
			return false;
	return true;
}

bool ascii_is_visible(struct span s)
{
	return ascii_between(s, '!', '~');
}

bool ascii_is_printable(struct span s)
{
	return ascii_between(s, ' ', '~');
}

bool ascii_fits_header(struct span s)
{
	const char *at = s.data;

	return s.size > 0 && at[0] != ' ' && at[s.size - 1] != ' ' && ascii_is_printable(s);
}
