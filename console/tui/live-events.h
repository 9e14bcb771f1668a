/* live-events.h -- the newest blocked tokens, in a ring of fixed size, and what they amount to over five minutes.
 *
 * No store, no clock, no screen. Events are built from records, which are hostile: any member may be missing, of
 * another type, too long, or a time that cannot be. */
#ifndef POSTERN_CONSOLE_TUI_LIVE_EVENTS_H
#define POSTERN_CONSOLE_TUI_LIVE_EVENTS_H

#include "console/tui/filter.h"

#define LIVE_ROOM 10000                /* events the ring holds */
#define LIVE_SECONDS 300               /* what is counted: the present second and those before it */
#define LIVE_REASONS 24                /* told apart; further ones count together */
#define LIVE_REASON_MAX 32
#define LIVE_COUNT_MAX (UINT64_C(1) << 32)     /* what a folded record may count, so that no sum overflows */

struct live_event {
	uint64_t seq;
	uint64_t time_us;              /* as the record says; 0: it says none */
	uint64_t first_us, last_us;    /* when its tokens came, for the counts: never ahead of the clock. 0: unknown */
	uint64_t count;                /* tokens it stands for: 1, or more where folded */
	bool folded, unreadable;       /* unreadable: the line is no record */
	bool claimed;                  /* kid is a retired key's, named by the token */
	bool shown;                    /* it matches the filter */
	enum reason reason;            /* NONE: it says none; COUNT: not in our list */
	char reason_text[LIVE_REASON_MAX];     /* what it says; never empty */
	char site[SITE_ID_MAX], action[64], remote[REMOTE_MAX], kid[KID_MAX], subject[SUBJECT_MAX], token[9];
};
/* record NULL: unreadable. A text that has no room ends with '~', which no name of ours holds. */
void live_event_of(struct live_event *ret, uint64_t seq, const json_t *record, uint64_t now_us);

/* ---- the ring, oldest first ---- */

struct live_ring {
	struct live_event *event;      /* owned */
	size_t room, start, count;
	size_t shown;                  /* of count, those that match the filter */
	uint64_t gone;                 /* events that made room for newer ones */
	uint64_t since_us;             /* every blocked token from then on is in it */
};
bool live_ring_init(struct live_ring *r, size_t room);         /* false: out of memory */
void live_ring_done(struct live_ring *r);
const struct live_event *live_ring_at(const struct live_ring *r, size_t index);
/* The index of the nth that is shown; count: there is none. */
size_t live_ring_nth(const struct live_ring *r, size_t nth);
/* How many of those shown have this seq or a greater one. */
size_t live_ring_from(const struct live_ring *r, uint64_t seq);
void live_ring_choose(struct live_ring *r, const struct filter *f);
void live_ring_copy(struct live_ring *to, const struct live_ring *from);       /* of the same room */

/* ---- and what it amounts to, of what the filter chooses ---- */

struct live_reason { char text[LIVE_REASON_MAX]; uint64_t total, second[LIVE_SECONDS]; };
struct live_counts {
	uint64_t now_s;                /* the present second; a second's place is its number modulo LIVE_SECONDS */
	uint64_t total, second[LIVE_SECONDS];
	struct live_reason reason[LIVE_REASONS];       /* the last: all for which there is no other */
	uint64_t since_us;             /* every token from then on is counted */
};

struct live_events {
	struct live_ring ring;
	struct live_counts counts;
	struct filter filter;          /* site, reason and remote choose */
};
bool live_init(struct live_events *l, size_t room, uint64_t now_us);           /* false: out of memory */
void live_done(struct live_events *l);
void live_clear(struct live_events *l, uint64_t now_us);       /* forgets all but the filter; complete from now on */
/* Time passes. Where the clock was set back, what lay ahead of it counts as now. */
void live_now(struct live_events *l, uint64_t now_us);
void live_add(struct live_events *l, const struct live_event *e);      /* newer than all; the oldest makes room */
bool live_add_older(struct live_events *l, const struct live_event *e);        /* older than all; false: no room */
/* Everything from then on was added. Says nothing where newer ones had to make room meanwhile. */
void live_complete(struct live_events *l, uint64_t since_us);
/* Counts anew, from the ring alone. */
void live_choose(struct live_events *l, const struct filter *f);

bool live_whole(const struct live_events *l);                  /* do the counts reach back five minutes? */
double live_rate(const struct live_events *l, uint64_t now_us);        /* a second, over the last ten */
/* At most room bars of equally many seconds, the newest last; returns how many. */
size_t live_bars(const struct live_events *l, size_t room, uint32_t bar[LIVE_SECONDS], unsigned *ret_seconds);
/* The largest first; returns how many. Borrowed until the next change. */
size_t live_reasons(const struct live_events *l, const struct live_reason *ret[LIVE_REASONS]);

#endif
