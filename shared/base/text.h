/* text.h -- text from outside: is it UTF-8, and how may it be shown.
 *
 * text_show() is the one sanitiser: outside text reaches a terminal or a log line no other way. */
#ifndef POSTERN_BASE_TEXT_H
#define POSTERN_BASE_TEXT_H

#include "base/span.h"

#include <stdint.h>

/* One code point of valid UTF-8 (RFC 3629: no overlong form, no surrogate); advances *at.
 * Invalid: returns UTF8_BAD and advances one byte. *at < end is required. */
#define UTF8_BAD UINT32_MAX
uint32_t utf8_next(const uint8_t **at, const uint8_t *end);
bool     utf8_valid(struct span s);
/* The other way: one code point's bytes, not terminated; returns how many. cp <= 0x10ffff and no surrogate. */
size_t   utf8_put(char out[4], uint32_t cp);

/* C0, DEL, C1, line and paragraph separators. */
bool text_is_control(uint32_t cp);
/* The white space of Unicode that is no control character. */
bool text_is_white(uint32_t cp);
/* Bidi marks, embeddings, overrides, isolates, and zero-width characters. */
bool text_is_bidi(uint32_t cp);

/* Printable UTF-8 of outside text: control, bidi and invalid bytes become visible escapes
 * (\x1b, \u202e), cut on a whole character with "..." where it does not fit. Always terminated.
 * Returns out. room >= 8. */
char *text_show(char *out, size_t room, struct span in);

/* Removes control and bidi characters and invalid bytes, trims white space at both ends, cuts at
 * room - 1 bytes on a character boundary. Returns the length, 0 if nothing is left. */
size_t text_clean(char *out, size_t room, struct span in);

/* Does it go into an HTTP header and come out of it as it was? No control character, no invalid byte, and neither white space
 * nor an invisible character at an end: whoever reads a header strips some of these. All other UTF-8 does. */
bool text_fits_header(struct span in);

/* ASCII only, on purpose: Unicode folding merges people. */
char ascii_lower(char c);
bool ascii_is_digit(char c);
bool ascii_is_alpha(char c);
bool ascii_equal_nocase(struct span a, const char *b);
/* Visible ASCII and nothing else; with spaces too. Nothing at all is both. */
bool ascii_is_visible(struct span s);
bool ascii_is_printable(struct span s);
/* Visible ASCII, with spaces only inside, and not empty: nothing ends the header, and no server reads it in two ways. */
bool ascii_fits_header(struct span s);

#endif
