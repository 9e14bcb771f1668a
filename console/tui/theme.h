/* theme.h -- what things look like: styles by meaning, glyphs by name, each for every kind of terminal.
 *
 * Colour never carries meaning alone: whatever a style says, a word or a glyph beside it says too (design 12). */
#ifndef POSTERN_CONSOLE_TUI_THEME_H
#define POSTERN_CONSOLE_TUI_THEME_H

#include <stdbool.h>

/* The eight colours every terminal has; DEFAULT is the terminal's own. */
enum colour { COLOUR_BLACK, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_BLUE, COLOUR_MAGENTA, COLOUR_CYAN, COLOUR_WHITE,
              COLOUR_DEFAULT = -1 };
enum { LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_REVERSE = 4, LOOK_UNDERLINE = 8 };

/*	  style		foreground  background  look		look without colour */
#define STYLE_LIST(X) \
	X(NORMAL,	DEFAULT,    DEFAULT,    0,		0) \
	X(DIM,		DEFAULT,    DEFAULT,    LOOK_DIM,	LOOK_DIM) \
	X(STRONG,	DEFAULT,    DEFAULT,    LOOK_BOLD,	LOOK_BOLD) \
	X(HEADER,	WHITE,      BLUE,       LOOK_BOLD,	LOOK_REVERSE) /* the top line */ \
	X(TAB,		WHITE,      BLUE,       0,		LOOK_REVERSE) /* a panel one can go to */ \
	X(TAB_HERE,	BLACK,      CYAN,       LOOK_BOLD,	LOOK_BOLD | LOOK_UNDERLINE) /* the panel one is in */ \
	X(HEADING,	CYAN,       DEFAULT,    LOOK_BOLD,	LOOK_BOLD) /* above a list */ \
	X(FRAME,	CYAN,       DEFAULT,    0,		0) /* lines and boxes */ \
	X(SELECTED,	BLACK,      CYAN,       0,		LOOK_REVERSE) /* the line one is on */ \
	X(GOOD,		GREEN,      DEFAULT,    0,		0) \
	X(WARN,		YELLOW,     DEFAULT,    LOOK_BOLD,	LOOK_BOLD) \
	X(BAD,		RED,        DEFAULT,    LOOK_BOLD,	LOOK_BOLD) \
	X(KEY,		BLACK,      CYAN,       0,		LOOK_REVERSE) /* a key of the keyboard, in the footer */ \
	X(FIELD,	DEFAULT,    DEFAULT,    LOOK_UNDERLINE,	LOOK_UNDERLINE) /* where one types */ \
	X(BUTTON,	DEFAULT,    DEFAULT,    0,		0) \
	X(BUTTON_HERE,	BLACK,      CYAN,       LOOK_BOLD,	LOOK_REVERSE) \
	X(SECRET,	DEFAULT,    DEFAULT,    LOOK_BOLD,	LOOK_BOLD)

enum style {
#define X(id, fg, bg, look, mono) STYLE_##id,
	STYLE_LIST(X)
#undef X
	STYLE_COUNT
};
struct look { signed char fg, bg; unsigned char look, mono; };
extern const struct look looks[STYLE_COUNT];

/* Each glyph is one column wide in both rows. */
/*	  glyph		UTF-8			ASCII */
#define GLYPH_LIST(X) \
	X(HORIZONTAL,	"\u2500",		"-") \
	X(VERTICAL,	"\u2502",		"|") \
	X(TOP_LEFT,	"\u250c",		"+") \
	X(TOP_RIGHT,	"\u2510",		"+") \
	X(BOTTOM_LEFT,	"\u2514",		"+") \
	X(BOTTOM_RIGHT,	"\u2518",		"+") \
	X(SLOT_USED,	"\u25cf",		"*") \
	X(SLOT_FREE,	"\u25cb",		"o") \
	X(ELLIPSIS,	"\u2026",		"~") \
	X(BAR_1,	"\u2581",		".") \
	X(BAR_2,	"\u2582",		":") \
	X(BAR_3,	"\u2583",		"-") \
	X(BAR_4,	"\u2584",		"=") \
	X(BAR_5,	"\u2585",		"+") \
	X(BAR_6,	"\u2586",		"*") \
	X(BAR_7,	"\u2587",		"#") \
	X(BAR_8,	"\u2588",		"@")

enum glyph {
#define X(id, utf8, ascii) GLYPH_##id,
	GLYPH_LIST(X)
#undef X
	GLYPH_COUNT
};
const char *glyph_text(enum glyph g, bool utf8);      /* static */

#endif
