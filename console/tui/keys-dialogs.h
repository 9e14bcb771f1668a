/* keys-dialogs.h -- what asks before it changes a ring. Only for the keys-*.c; panel-keys.h has the way in.
 *
 * A dialog carries the ring's version as it was when it opened: an answer to a question about another ring changes
 * nothing. */
#ifndef POSTERN_CONSOLE_TUI_KEYS_DIALOGS_H
#define POSTERN_CONSOLE_TUI_KEYS_DIALOGS_H

#include "console/tui/panel-keys.h"

/* What a dialog is about. */
struct key_order {
	struct keys_panel *panel;
	char site[SITE_ID_MAX], kid[KID_MAX];
	uint64_t ring;
	uint64_t delay;                /* seconds until the key stops; 0: at once */
	bool used;                     /* in the last 24 h, or who knows */
	bool last;                     /* it says that no other key verifies then */
	char use[KEY_USE_TEXT_MAX];
};
/* r NULL: about the ring alone. */
struct key_order order_of(struct keys_panel *p, const struct console *c, const struct key_row *r);
/* A dialog may stay open for hours. Looks again at a key that was not in use when the question was put: true, and the order
 * says so, where it is now. */
bool             order_came_into_use(struct key_order *o, struct console *c);
struct key_ref   order_ref(const struct key_order *o);         /* borrows from o */

/* When a key stops: the choices, ended by NULL, and the seconds of each. */
extern const char *const when_words[];
extern const uint64_t when_seconds[];
#define WHEN_IN_48_H 3

/* "VERB WHAT of SITE", with a button VERB and a copy of the order as its arg. NULL: out of memory. */
struct dialog *order_dialog(const char *verb, const char *what, const struct key_order *o,
                            void (*done)(struct console *c, struct dialog *d, bool accepted));
/* The site's id must be typed. false: out of memory. */
bool order_guard(struct dialog *d, const struct key_order *o);
/* For each choice the moment at which the key stops. */
void order_say_moments(struct dialog *d, const struct keys_panel *p, const struct key_row *r, const struct console *c,
                       bool rotation);
/* Opens it if it is whole; else memory ran out on the way. */
void order_open(struct console *c, struct dialog *d, bool whole);

/* "k_7f3aqc2d (shop backend)": a label is outside text, and a line feed in it would be a line of the dialog. */
#define KEY_NAME_MAX (KID_MAX + 10 * KEY_LABEL_MAX + 8)
const char *key_name_text(const struct key_row *r, char out[KEY_NAME_MAX]);

/* The key one is on, if something can be done with it; a free slot stands for `instead`, which may be NULL. NULL: it
 * was said why. */
const struct key_row *keys_chosen(const struct keys_panel *p, struct console *c, const struct key_row *instead);

/* keys-create.c */
void keys_ask_create(struct keys_panel *p, struct console *c);
void keys_ask_rotate(struct keys_panel *p, struct console *c);
/* keys-retire.c */
void keys_ask_retire(struct keys_panel *p, struct console *c);
void keys_ask_keep(struct keys_panel *p, struct console *c);

#endif
