/* sites-window.h -- the part of a long list of sites that is in memory: the selected one, two screens on either side.
 *
 * It is anchored at the selected site's id, not at a number, so it keeps its place while others add and remove sites.
 * What it needs is searched for a slice at a time: under a filter the next that matches may be a million rows away. */
#ifndef POSTERN_CONSOLE_TUI_SITES_WINDOW_H
#define POSTERN_CONSOLE_TUI_SITES_WINDOW_H

#include "admin/admin.h"
#include "console/tui/widgets.h"

#define SITES_FILTER_MAX 65

struct site_line {
	struct site_row row;
	struct site_activity activity;
};
/* Sites that match, one after the other in id order. */
struct site_run {
	size_t count;
	struct site_line *line;        /* owned */
	bool before, after;            /* there are more on this side */
};

enum sites_at { SITES_AROUND, SITES_FIRST, SITES_LAST };
struct site_search {
	bool running;
	bool again;                    /* the vault changed meanwhile: once more when this is done */
	enum sites_at at;
	char anchor[SITE_ID_MAX];      /* of AROUND: first from it on, then backwards */
	bool backwards, after;         /* as in struct site_query */
	char from[SITE_ID_MAX];
	size_t wanted, got;            /* rows in this direction */
	struct site_run found;         /* of AROUND, until it is whole; the others show what they have */
};

struct sites_window {
	char filter[SITES_FILTER_MAX]; /* empty: all sites */
	uint64_t sites;                /* in the vault */
	size_t rows;                   /* that the screen has for them; 0: not known yet */
	struct site_run shown;
	struct list list;              /* over shown */
	char selected[SITE_ID_MAX];    /* remembered while its row is not here; empty: none yet */
	struct site_search search;
};

void sites_window_done(struct sites_window *w);

/* Starts a search: around the selected site, what is shown stays until it is done; from the first or the last one, the
 * rows appear as they are found. */
void sites_begin(struct sites_window *w, enum sites_at at);
/* Goes on with it for about `ms` milliseconds, one slice at least. After an error it no longer runs. */
enum rc sites_search(struct sites_window *w, struct admin *a, unsigned ms, struct why *why) MUST_CHECK;
/* Does a screenful lack on a side where there are more? A search around the selected site gets it. */
bool sites_short(const struct sites_window *w);
/* Reads the rows on the screen anew, each by its id. */
enum rc sites_refresh(struct sites_window *w, struct admin *a, struct why *why) MUST_CHECK;
/* list_move(), and remembers what is selected. */
bool sites_move(struct sites_window *w, enum command what);

#endif
