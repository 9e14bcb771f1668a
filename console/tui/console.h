/* console.h -- what the panels share: the open data, the site one is in, the clock, messages, and a panel's own shape.
 *
 * A panel loads a snapshot from shared/admin, draws it on a canvas, and answers commands. load() opens and closes its
 * own read transactions; draw() sees neither store nor terminal and no clock but now_us; so draw() is tested with
 * snapshots made by hand, and no transaction is open while the console waits for a key. */
#ifndef POSTERN_CONSOLE_TUI_CONSOLE_H
#define POSTERN_CONSOLE_TUI_CONSOLE_H

#include "admin/admin.h"
#include "console/tui/dialog.h"

#define CONSOLE_ROWS_MIN 24
#define CONSOLE_COLS_MIN 80

enum panel_id { PANEL_SITES, PANEL_KEYS, PANEL_LIVE, PANEL_AUDIT, PANEL_HEALTH, PANEL_TOKEN, PANEL_COUNT };

struct panel;
/* What a panel wants done after a command or a tick: bits. */
enum { DO_NOTHING = 0, DO_DRAW = 1, DO_LOAD = 2 /* load, then draw */ };

struct panel_ops {
	const char *name;                      /* in the tabs */
	enum place place;                      /* whose bindings hold here */
	struct panel *(*make)(void);           /* zeroed but for ops; NULL: out of memory */
	void (*free)(struct panel *p);
	/* Brings the snapshot up to date. When the panel is entered, when the vault changed and, where
	 * `follows_ledger`, when the ledger did; and once a second where `ages`. Errors: console_error(), the old
	 * snapshot stays. */
	void (*load)(struct panel *p, struct console *c);
	bool follows_ledger, ages;
	/* Called ten times a second while the panel is shown: further slices of a search, new events. NULL: not. */
	unsigned (*tick)(struct panel *p, struct console *c);
	/* a: between header and footer. The panel remembers the rows it could show, for paging. */
	void (*draw)(struct panel *p, const struct console *c, struct canvas *cv, struct area a);
	unsigned (*command)(struct panel *p, struct console *c, enum command what);
};
struct panel { const struct panel_ops *ops; };         /* the first member of every panel */
extern const struct panel_ops *const panels[PANEL_COUNT];

/* What console.c keeps for itself. */
struct console_own {
	bool stale;                            /* there is something to draw */
	bool reload;                           /* the panel shown loads before anything else */
	bool too_small;                        /* the canvas last drawn on */
	bool pasting, paste_refused;           /* pasted text is coming in; it was said that nobody takes it */
	bool ending;                           /* no dialog opens any more */
	bool versions_failed;                  /* and it is said */
	struct admin_versions versions;        /* as last seen */
	uint64_t tick_us, paste_us;            /* when the last turn was, and the last press of pasted text */
	uint64_t press_us;                     /* the last press a dialog had; or when one with a secret opened */
	uint64_t sweep_us, settle_us;          /* when these are due */
};

struct console {
	struct admin *admin;                   /* borrowed; NULL in tests: nothing is asked of it */
	const char *dir;                       /* the data directory */
	char host[65];
	const char *read_only;                 /* why it is, in words; NULL: it may change things */
	bool utf8;
	uint64_t now_us;                       /* the wall clock, read once a turn of the loop */
	char site[SITE_ID_MAX];                /* the site one is in; empty: none was chosen */
	enum panel_id at;
	struct panel *panel[PANEL_COUNT];
	struct dialog *dialog;                 /* over the panel; owned; NULL: none */
	struct record_view *record;            /* shown whole, over the panel and under a dialog; owned; NULL: none */
	char message[512];                     /* above the footer: a line, or a few where it is long */
	enum style message_style;
	uint64_t message_until_us;
	bool quit;                             /* a key asked for it, or the terminal is gone: the loop ends */
	char parting[256];                     /* for the shell, once the screen is gone; empty: nothing */
	struct console_own own;
};

/* ---- for panels ---- */

/* A line above the footer (a few where it is long), for ten seconds or until the next key that does something. */
void console_say(struct console *c, enum style s, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Says how a call of admin/ ended: the reason's code and sentence for RC_REFUSED, else why or the rc's text. RC_OK says
 * nothing. */
void console_error(struct console *c, enum rc rc, enum reason reason, const struct why *why);
/* false, and said so: the console is read-only. */
bool console_may_change(struct console *c);
/* Takes ownership; NULL (out of memory) is said. Replaces nothing: while another is open the new one is cancelled at
 * once. */
void console_dialog(struct console *c, struct dialog *d);
/* A question with one line to type, which changes nothing: Enter accepts. */
struct prompt {
	const char *title, *accept, *label;
	const char *help;                      /* what may be typed; NULL: nothing to say */
	size_t max;                            /* bytes */
	const char *text;                      /* what is there already; NULL: nothing */
	const char *complaint;                 /* about that; NULL: none */
	void (*done)(struct console *c, struct dialog *d, bool accepted);
	void *arg;                             /* for done(); borrowed */
};
void console_prompt(struct console *c, const struct prompt *p);
/* Asks for a site's id and enters it. */
void console_ask_site(struct console *c);
/* A text to read. */
void console_tell(struct console *c, const char *title, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Goes to a panel and loads it. */
void console_go(struct console *c, enum panel_id to);
void console_enter_site(struct console *c, const char *site);          /* remembers the site; the panel shown loads */
/* After a change: the panel shown loads before the next draw. */
void console_reload(struct console *c);

/* ---- what the loop and the tests call ---- */

/* Makes the panels; the caller fills admin, dir, host... before. false: out of memory. */
bool console_init(struct console *c);
void console_done(struct console *c);
void console_press(struct console *c, int press);
/* Ten times a second, now_us set: what changed is loaded, what is due closes. */
void console_tick(struct console *c);
/* Draws everything: header, panel, record, dialog, message, footer; below 80x24 the one line that says so. */
void console_draw(struct console *c, struct canvas *cv);
bool console_stale(struct console *c);         /* is there something to draw? Asking forgets it. */

/* The help: every binding, grouped; the groups of `first` (bits of enum place) come before "everywhere", all others
 * after it. Each line ends with '\n' and fits 72 columns. Also for --help. */
void help_text(struct buf *out, unsigned first, bool read_only);

/* ---- one record, whole (record-view.c) ---- */

struct record_view;
/* Reads the record with this seq and opens it over the panel; says so where there is none. */
void record_open(struct console *c, uint64_t seq);
void record_free(struct record_view *v);
void record_draw(struct record_view *v, const struct console *c, struct canvas *cv, struct area a);
unsigned record_command(struct record_view *v, struct console *c, enum command what);

#endif
