/* dialog.h -- what lies over a panel: a question with its fields and buttons, a text to read, a secret shown once.
 *
 * One at a time. The default answer is always Cancel: Enter in a field goes on to the buttons, where Cancel is
 * selected. Escape cancels; but a secret only Enter and Ctrl-C take away, not a key whose code begins like Escape.
 * Pasted text reaches text fields only. */
#ifndef POSTERN_CONSOLE_TUI_DIALOG_H
#define POSTERN_CONSOLE_TUI_DIALOG_H

#include "console/tui/widgets.h"

#include <stdarg.h>

struct console;
struct dialog;

enum field_kind { FIELD_TEXT, FIELD_CHOICE };
struct field {
	enum field_kind kind;
	const char *label;                     /* static */
	struct text_field text;                /* of FIELD_TEXT */
	const char *const *choice;             /* of FIELD_CHOICE: static words, ended by NULL; left and right choose */
	size_t chosen;
};

#define DIALOG_FIELDS 2
struct dialog {
	char title[80];
	struct buf text;                       /* paragraphs, '\n' between them; scrolls where the box is too small */
	struct field field[DIALOG_FIELDS];
	size_t fields;
	char expect[128];                      /* what the last text field must hold for accept to work; "": nothing */
	const char *accept;                    /* the button that acts; NULL: there is only Close */
	bool quick;                            /* Enter in the last field accepts: a prompt that changes nothing */
	const struct secret *secret;           /* borrowed; shown on a screen of its own */
	uint64_t close_at_us;                  /* closes by itself, as if cancelled; 0: never */
	size_t focus;                          /* 0..fields-1: a field; fields: Cancel, or Close; fields + 1: accept */
	int scroll;                            /* the first row of the text that is shown */
	int rows, rows_in_all;                 /* of the text: shown at once, and in all; as last drawn */
	const char *complaint;                 /* why accept did not work; static */
	/* Called once, when it ends; the dialog is freed after it. It may open another. */
	void (*done)(struct console *c, struct dialog *d, bool accepted);
	void *arg;                             /* for done() */
	size_t arg_size;                       /* > 0: arg is owned, and wiped when freed */
};

struct dialog *dialog_new(const char *title, const char *accept);      /* NULL: out of memory */
void dialog_free(struct dialog *d);
/* false: out of memory. */
bool dialog_text_field(struct dialog *d, const char *label, size_t max, const char *text);
bool dialog_choice(struct dialog *d, const char *label, const char *const *choice, size_t chosen);
void dialog_sayf(struct dialog *d, const char *fmt, ...) PRINTF_LIKE(2, 3);     /* a paragraph */
void dialog_vsay(struct dialog *d, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

enum dialog_end { DIALOG_STAYS, DIALOG_CANCELLED, DIALOG_ACCEPTED };
/* A key press. Knows no console: that one calls done(). */
enum dialog_end dialog_press(struct dialog *d, int press);
/* A press out of pasted text: only a text field takes it, and only a character. false: no text field has the focus. */
bool dialog_paste(struct dialog *d, int press);
/* With a secret the dialog fills the area and nothing else is drawn; the canvas's secret is set. */
void dialog_draw(struct dialog *d, struct canvas *c, struct area a, uint64_t now_us);

#endif
