/* url.c -- text as a part of a URL. */
#include "base/url.h"

#include "base/text.h"

static bool is_unreserved(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

size_t url_encoded(char *out, struct span text)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = text.data;
	size_t size = 0;

	for (size_t i = 0; i < text.size; i++) {
		unsigned byte = (unsigned char)at[i];
		bool plain = is_unreserved(at[i]);

		if (out && plain) {
			out[size] = at[i];
		} else if (out) {
			out[size] = '%';
			out[size + 1] = digits[byte >> 4];
			out[size + 2] = digits[byte & 15];
		}
		size += plain ? 1 : 3;
	}
	return size;
}

void url_encode(struct buf *b, struct span text)
{
	char *out = buf_extend(b, url_encoded(NULL, text));

	if (out)
		url_encoded(out, text);
}

bool url_segment_valid(struct span text)
{
	const uint8_t *at = text.data;
	const uint8_t *end = at ? at + text.size : NULL;
	bool dots_only = true;

	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (cp == UTF8_BAD || text_is_control(cp) || cp == '/' || cp == '\\' || cp == '%')
			return false;
		dots_only = dots_only && cp == '.';
	}
	return !dots_only;
}
