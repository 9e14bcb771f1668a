/* theme.c -- what things look like: the tables of theme.h. */
#include "console/tui/theme.h"

const struct look looks[STYLE_COUNT] = {
#define X(id, fg, bg, look, mono) [STYLE_##id] = { COLOUR_##fg, COLOUR_##bg, look, mono },
	STYLE_LIST(X)
#undef X
};

const char *glyph_text(enum glyph g, bool utf8)
{
	static const char *const text[GLYPH_COUNT][2] = {
#define X(id, unicode, ascii) [GLYPH_##id] = { ascii, unicode },
		GLYPH_LIST(X)
#undef X
	};

	return text[g][utf8];
}
