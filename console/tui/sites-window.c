/* sites-window.c -- the part of a long list of sites that is in memory. */
#include "console/tui/sites-window.h"

#include "base/clock.h"

#include <stdlib.h>

#define SITES_LOOK 250                 /* sites a slice looks at: a few milliseconds */
#define ROWS_UNKNOWN 60                /* until the screen has said how many it shows */

/* ---- runs ---- */

static void run_done(struct site_run *r)
{
	free(r->line);
	*r = (struct site_run){ 0 };
}

/* Adds the rows of a page that are nearest, at most `keep`; one beyond them says that there are more, and so does a
 * slice that ended before it found as many. */
static bool run_add(struct site_run *r, const struct site_page *page, size_t keep, bool backwards)
{
	size_t n = page->count < keep ? page->count : keep, skip = backwards ? page->count - n : 0;
	size_t to = backwards ? 0 : r->count;
	struct site_line *grown = calloc(r->count + n + 1, sizeof(*grown));

	if (!grown)
		return false;
	if (r->count > 0)
		memcpy(grown + (backwards ? n : 0), r->line, r->count * sizeof(*grown));
	for (size_t i = 0; i < n; i++)
		grown[to + i].row = page->row[skip + i];
	free(r->line);
	r->line = grown;
	r->count += n;
	*(backwards ? &r->before : &r->after) = page->count > keep || page->more;
	return true;
}

/* The first row from this id on, or the last row. */
static size_t run_find(const struct site_run *r, const char *id)
{
	size_t i = 0;

	while (i + 1 < r->count && strcmp(r->line[i].row.id, id) < 0)
		i++;
	return i;
}

static bool run_covers(const struct site_run *r, const char *id)
{
	if (r->count == 0)
		return true;
	return (!r->before || strcmp(r->line[0].row.id, id) <= 0) &&
	       (!r->after || strcmp(id, r->line[r->count - 1].row.id) <= 0);
}

/* ---- what is selected ---- */

static void remember(struct sites_window *w)
{
	if (w->shown.count > 0)
		memcpy(w->selected, w->shown.line[w->list.selected].row.id, sizeof(w->selected));
}

/* After the rows changed: the same site, on the same line of the screen. */
static void place(struct sites_window *w)
{
	size_t line = w->list.selected - w->list.top, last = w->shown.count ? w->shown.count - 1 : 0;

	w->list.count = w->shown.count;
	if (w->selected[0])
		w->list.selected = run_find(&w->shown, w->selected);
	else
		w->list.selected = w->search.at == SITES_LAST ? last : 0;
	w->list.top = w->list.selected > line ? w->list.selected - line : 0;
	list_fit(&w->list, w->rows);
	remember(w);
}

bool sites_move(struct sites_window *w, enum command what)
{
	bool moved = list_move(&w->list, what, w->rows);

	if (moved)
		remember(w);
	return moved;
}

/* ---- searching ---- */

bool sites_short(const struct sites_window *w)
{
	size_t below = w->shown.count - w->list.selected;

	return (w->shown.before && w->list.selected < w->rows) || (w->shown.after && below <= w->rows);
}

void sites_begin(struct sites_window *w, enum sites_at at)
{
	struct site_search *s = &w->search;

	run_done(&s->found);
	if (at == SITES_AROUND && !w->selected[0])
		at = SITES_FIRST;
	*s = (struct site_search){ .running = true, .at = at, .backwards = at == SITES_LAST };
	s->wanted = 2 * (w->rows ? w->rows : ROWS_UNKNOWN);
	if (at == SITES_AROUND) {
		memcpy(s->anchor, w->selected, sizeof(s->anchor));
		memcpy(s->from, s->anchor, sizeof(s->from));
		return;
	}
	run_done(&w->shown);
	w->list = (struct list){ 0 };
	w->selected[0] = '\0';
}

/* The end of one direction was reached, or enough was found there. */
static void turn_or_end(struct sites_window *w)
{
	struct site_search *s = &w->search;
	bool again = s->again;

	if (s->at == SITES_AROUND && !s->backwards) {
		s->backwards = s->after = true;
		s->got = 0;
		memcpy(s->from, s->anchor, sizeof(s->from));
		return;
	}
	if (s->at == SITES_AROUND && !run_covers(&s->found, w->selected)) {
		again = true;          /* one has moved on meanwhile */
	} else if (s->at == SITES_AROUND) {
		run_done(&w->shown);
		w->shown = s->found;
		s->found = (struct site_run){ 0 };
		place(w);
	}
	s->running = false;
	if (again)
		sites_begin(w, SITES_AROUND);
}

static enum rc slice(struct sites_window *w, struct admin *a, struct why *why)
{
	struct site_search *s = &w->search;
	struct site_run *run = s->at == SITES_AROUND ? &s->found : &w->shown;
	size_t lacking = s->wanted - s->got;
	struct site_query q = { .from = s->from[0] ? s->from : NULL, .after = s->after, .backwards = s->backwards,
	                        .match = w->filter, .max = lacking + 1, .look = SITES_LOOK };
	struct site_page page = { 0 };
	enum rc rc = admin_site_page(a, &q, &page, why);

	if (rc == RC_OK && !run_add(run, &page, lacking, s->backwards))
		rc = RC_NOMEM;
	if (rc != RC_OK)
		goto out;
	w->sites = page.sites;
	s->got += page.count < lacking ? page.count : lacking;
	memcpy(s->from, page.next, sizeof(s->from));
	s->after = true;
	if (run == &w->shown)
		place(w);
	if (page.count > lacking || !page.more || !page.next[0])
		turn_or_end(w);
out:
	site_page_done(&page);
	return rc;
}

enum rc sites_search(struct sites_window *w, struct admin *a, unsigned ms, struct why *why)
{
	uint64_t until = clock_mono_ms() + ms;
	enum rc rc = RC_OK;

	while (w->search.running && rc == RC_OK) {
		rc = slice(w, a, why);
		if (clock_mono_ms() >= until)
			break;
	}
	if (rc != RC_OK)
		w->search.running = false;
	return rc;
}

enum rc sites_refresh(struct sites_window *w, struct admin *a, struct why *why)
{
	enum rc rc = RC_OK;

	for (size_t i = w->list.top; i < w->shown.count && i - w->list.top < w->rows && rc == RC_OK; i++) {
		struct site_row *row = &w->shown.line[i].row;
		struct site_query q = { .from = row->id, .max = 1 };
		struct site_page page = { 0 };

		rc = admin_site_page(a, &q, &page, why);
		/* one that was removed goes when the vault's change is noticed */
		if (rc == RC_OK && page.count == 1 && strcmp(page.row[0].id, row->id) == 0)
			*row = page.row[0];
		site_page_done(&page);
	}
	return rc;
}

void sites_window_done(struct sites_window *w)
{
	run_done(&w->shown);
	run_done(&w->search.found);
}
