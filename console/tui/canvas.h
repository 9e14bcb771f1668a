/* canvas.h -- a grid of cells that panels draw on. It knows no terminal: screen.c shows it, canvas_text() prints it, so that
 * every screen can be tested.
 *
 * Whatever is put on it passes text_show() here, the one sanitiser (base/text.h): no caller can forget it. A cell
 * outside the canvas or the given area is silently not drawn. Rows and columns count from 0. */
#ifndef POSTERN_CONSOLE_TUI_CANVAS_H
#define POSTERN_CONSOLE_TUI_CANVAS_H

#include "base/buf.h"
#include "base/secret.h"
#include "console/tui/theme.h"

struct area { int row, col, rows, cols; };             /* of a canvas */

#define CELL_MARKS 2
struct cell {
	uint32_t cp;                   /* 0: the right half of a wide character */
	uint32_t mark[CELL_MARKS];     /* combining characters on it; 0: none */
	uint8_t style;                 /* enum style */
};

struct canvas {
	int rows, cols;
	bool utf8;                     /* false: only ASCII is drawn, other characters as '?' */
	struct cell *cell;             /* rows * cols, owned */
	int cursor_row, cursor_col;    /* where the terminal's cursor stays: on the selected line, for screen readers */
	bool cursor_bar;               /* it is in a text field: shown there */
	/* A secret never is in a cell: the screen writes it to the terminal itself, from where it lies. NULL: none. */
	const struct secret *secret;   /* borrowed */
	int secret_row, secret_col;
};

/* wcwidth() must know UTF-8 where utf8 is true: setlocale() first. false: out of memory. rows, cols >= 1. */
bool canvas_init(struct canvas *c, int rows, int cols, bool utf8);
void canvas_done(struct canvas *c);
struct area canvas_area(const struct canvas *c);        /* all of it */
void canvas_clear(struct canvas *c);                   /* spaces, no secret, cursor at 0,0 */

/* Puts text from row, col of the area (both relative to it) to its right edge; what does not fit ends with an ellipsis. Returns
 * the columns used. Text that is longer than 4 KiB once it is printable is cut. */
int canvas_put(struct canvas *c, struct area a, int row, int col, enum style s, const char *text);
int canvas_put_span(struct canvas *c, struct area a, int row, int col, enum style s, struct span text);
int canvas_putf(struct canvas *c, struct area a, int row, int col, enum style s, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* Ends at the area's right edge less right columns. */
int canvas_put_right(struct canvas *c, struct area a, int row, int right, enum style s, const char *text);
/* Breaks text into lines at spaces, within the area, from row on; '\n' starts a line, at the very end it does not. Returns the
 * rows it takes, also those beyond the area (NULL canvas: only counts, for UTF-8). */
int canvas_wrap(struct canvas *c, struct area a, int row, enum style s, const char *text);
int canvas_width(const char *text, bool utf8);                 /* columns that putting it whole would take */

void canvas_glyph(struct canvas *c, struct area a, int row, int col, enum style s, enum glyph g, int times);
void canvas_fill(struct canvas *c, struct area a, enum style s);       /* spaces */
void canvas_style(struct canvas *c, struct area a, enum style s);      /* the characters stay */

/* Its rows as text, one a line, without spaces at their ends. A secret prints as one '*' per byte. */
void canvas_text(const struct canvas *c, struct buf *out);

#endif
