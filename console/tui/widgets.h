/* widgets.h -- what several panels draw: boxes, tables, lists one moves in, sparklines, a line of text one edits. */
#ifndef POSTERN_CONSOLE_TUI_WIDGETS_H
#define POSTERN_CONSOLE_TUI_WIDGETS_H

#include "console/tui/canvas.h"
#include "console/tui/keys.h"

/* ---- frames ---- */

/* A rule over the area's row with text in it: "-- text ------". */
void draw_rule(struct canvas *c, struct area a, int row, const char *text);
/* A cleared box with a title in its frame; returns what is inside, one column away from the frame. */
struct area draw_box(struct canvas *c, struct area a, const char *title);
/* rows x cols (at most a) in the middle of a. */
struct area area_middle(struct area a, int rows, int cols);
/* a without `top` rows above and `bottom` rows below; never negative. */
struct area area_less(struct area a, int top, int bottom);

/* ---- tables ---- */

struct column { const char *head; int width; bool right; };    /* width 0: shares what is left; one space between columns */
void draw_heads(struct canvas *c, struct area a, int row, const struct column *col, size_t count);
/* cells[i] NULL: empty. styles NULL: all s; else one each. */
void draw_cells(struct canvas *c, struct area a, int row, const struct column *col, size_t count, const char *const *cells,
                enum style s, const enum style *styles);

/* ---- lists: a selected line among count, and the first one shown ---- */

struct list { size_t count, selected, top; };
/* Moves by UP DOWN PAGE_UP PAGE_DOWN FIRST LAST over rows shown at once; false: another command, or nothing moved. */
bool list_move(struct list *l, enum command what, size_t rows);
/* After count or the size of the screen changed: selected is within count, and within the rows shown. */
void list_fit(struct list *l, size_t rows);
/* Styles row of the area as selected, and puts the canvas's cursor at its start. */
void draw_selected(struct canvas *c, struct area a, int row);

/* ---- numbers for people ---- */

#define NUMBER_TEXT_MAX 32
const char *number_text(uint64_t n, char out[NUMBER_TEXT_MAX]);        /* "1,204" */
const char *bytes_text(uint64_t n, char out[NUMBER_TEXT_MAX]);         /* "3.4 GiB" */
/* "3 s", "12 min", "26 h", "41 d": how long ago at is; "-" for 0, "now" where at is not before now. Seconds. */
const char *ago_text(uint64_t at, uint64_t now, char out[NUMBER_TEXT_MAX]);
/* Bars of counts, the newest last, scaled to the largest; a count above zero is never invisible, a zero is a space. */
void draw_sparkline(struct canvas *c, struct area a, int row, int col, enum style s, const uint32_t *count, size_t counts);

/* ---- a line of text one edits ---- */

/* Bytes may be a token or a site's name: wiped when done. The text is UTF-8, without control characters. */
struct text_field {
	char *text;            /* owned, NUL-terminated, room max + 1 */
	size_t size, max;      /* bytes */
	size_t at;             /* the cursor: a byte offset on a character boundary */
};
bool text_field_init(struct text_field *f, size_t max, const char *text);      /* false: out of memory */
void text_field_done(struct text_field *f);
void text_field_set(struct text_field *f, const char *text);
/* A key press: characters, LEFT RIGHT HOME END BACKSPACE DELETE, Ctrl-U (empties), Ctrl-W (a word). false: not for a text field. A
 * control character in pasted text is dropped. */
bool text_field_press(struct text_field *f, int press);
/* In one row, scrolled so that the cursor shows; focused: it also takes the canvas's cursor. */
void draw_text_field(struct canvas *c, struct area a, int row, const struct text_field *f, bool focused);

#endif
