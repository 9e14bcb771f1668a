/* panel-live.h -- blocked tokens as they come. */
#ifndef POSTERN_CONSOLE_TUI_PANEL_LIVE_H
#define POSTERN_CONSOLE_TUI_PANEL_LIVE_H

#include "console/tui/console.h"
#include "console/tui/live-events.h"

/* Where in the log it is. Older records are read back once, at the beginning; newer ones always come first. */
struct live_reading {
	bool started, back;            /* back: older records are still to be read */
	uint64_t next;                 /* the first record not yet read */
	uint64_t end, before;          /* those read back are the ones from before up to end */
	uint64_t resume;               /* having begun anew: where it had got to before; UINT64_MAX: it has not */
	uint64_t behind;               /* records that are there and not yet read */
	uint64_t read_us;              /* when it was last read: once a turn of the loop */
	uint64_t retry_us;             /* it cannot be read; when to try again. 0: it can */
};

struct live_panel {
	struct panel panel;
	struct live_events live;
	struct live_reading reading;
	bool paused;
	struct live_ring held;         /* what the list shows while paused: the ring as it was */
	uint64_t paused_at;            /* records from here on came since */
	uint64_t came;                 /* events since, of those the filter chooses */
	struct list list;              /* over the events shown */
	size_t rows;                   /* of the list on the screen */
	uint64_t drawn_seq;            /* the last event on the screen; UINT64_MAX: none was yet */
	uint64_t told_s;               /* the second of the counts last drawn, and what they were */
	bool told_moving, told_whole;
};
extern const struct panel_ops live_panel;

/* An event newer than all. For reading; and for tests that fill the panel by hand, which call live_now() before it. */
void live_panel_add(struct live_panel *p, const struct live_event *e);

/* ---- its parts ---- */

/* Reads what is new, for some ms at most, once a turn of the loop. true: there is something to draw. */
bool live_read(struct live_panel *p, struct console *c);
#define LIVE_BEHIND 2000               /* records not yet read that are worth a word */

/* What the list is over. */
const struct live_ring *live_list_ring(const struct live_panel *p);
/* After events came, or the size of the screen changed: while following, the newest is selected. */
void live_fit(struct live_panel *p);
void live_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a);

#endif
