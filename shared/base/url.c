/* url.c -- text as a part of a URL. */
#include "base/url.h"

#include "base/text.h"

static bool is_unreserved(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void url_encode(struct buf *b, struct span text)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = text.data;

	for (size_t i = 0; i < text.size; i++) {
		unsigned byte = (unsigned char)at[i];

		if (is_unreserved(at[i])) {
			buf_add_char(b, at[i]);
		} else {
			buf_add_char(b, '%');
			buf_add_char(b, digits[byte >> 4]);
			buf_add_char(b, digits[byte & 15]);
		}
	}
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
