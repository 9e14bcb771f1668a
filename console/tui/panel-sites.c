/* panel-sites.c -- all sites: what each has and does. */
#include "console/tui/panel-sites.h"

#include <stdlib.h>

#define SLICE_MS 20
#define ACTIVITY_SLICE 2000            /* rows of the log a turn */

static struct panel *sites_make(void)
{
	struct sites_panel *p = calloc(1, sizeof(*p));

	if (!p || !(p->activity = activity_new())) {
		free(p);
		return NULL;
	}
	p->panel.ops = &sites_panel;
	p->slice_ms = SLICE_MS;
	return &p->panel;
}

static void sites_free(struct panel *panel)
{
	struct sites_panel *p = (struct sites_panel *)panel;

	if (!p)
		return;
	sites_window_done(&p->window);
	activity_free(p->activity);
	free(p);
}

/* ---- loading ---- */

/* The lines' copies; true: one is another now. */
static bool copy_activity(struct sites_panel *p, uint64_t now_us)
{
	bool changed = false;

	for (size_t i = 0; i < p->window.shown.count; i++) {
		struct site_line *line = &p->window.shown.line[i];
		struct site_activity now;

		activity_get(p->activity, line->row.id, now_us, &now);
		changed |= now.last_at_us != line->activity.last_at_us || now.blocked_1m != line->activity.blocked_1m;
		line->activity = now;
	}
	return changed;
}

/* Said once, not each second. */
static void note(struct sites_panel *p, struct console *c, enum rc rc, const struct why *why)
{
	if (rc != RC_OK && rc != p->rc)
		console_error(c, rc, REASON_NONE, why);
	p->rc = rc;
	p->why = *why;
}

/* Rows are searched for where they may be others than before; else those on the screen are read again. */
static enum rc bring_up_to_date(struct sites_panel *p, uint64_t vault, struct admin *a, struct why *why)
{
	struct sites_window *w = &p->window;
	bool changed = !p->loaded || vault != p->vault;

	p->vault = vault;
	if (changed && w->search.running)
		w->search.again = true;
	else if (!w->search.running && (changed || p->rc != RC_OK || sites_short(w)))
		sites_begin(w, SITES_AROUND);
	return w->search.running ? sites_search(w, a, p->slice_ms, why) : sites_refresh(w, a, why);
}

static void sites_load(struct panel *panel, struct console *c)
{
	struct sites_panel *p = (struct sites_panel *)panel;
	struct admin_versions now;
	struct why why = { "" };
	enum rc rc = admin_versions(c->admin, &now, &why);

	if (rc == RC_OK && (rc = bring_up_to_date(p, now.vault, c->admin, &why)) == RC_OK)
		p->loaded = true;
	copy_activity(p, c->now_us);
	note(p, c, rc, &why);
}

static bool read_activity(struct sites_panel *p, struct console *c)
{
	struct why why = { "" };
	bool more = false, changed;
	enum rc rc = activity_read(p->activity, c->admin, ACTIVITY_SLICE, &more, &why);

	if (rc != RC_OK && rc != p->activity_rc)
		console_error(c, rc, REASON_NONE, &why);
	changed = rc != p->activity_rc || more != p->activity_more;
	p->activity_rc = rc;
	p->activity_more = more;
	return copy_activity(p, c->now_us) || changed;
}

static unsigned sites_tick(struct panel *panel, struct console *c)
{
	struct sites_panel *p = (struct sites_panel *)panel;
	struct why why = { "" };
	unsigned todo = DO_NOTHING;

	if (p->rc == RC_OK && !p->window.search.running && sites_short(&p->window))
		sites_begin(&p->window, SITES_AROUND);
	if (p->window.search.running) {
		note(p, c, sites_search(&p->window, c->admin, p->slice_ms, &why), &why);
		todo = DO_DRAW;
	}
	return read_activity(p, c) ? DO_DRAW : todo;
}

/* ---- drawing ---- */

/* The second line of the heads; both share the widths. Sites and names share what is left. */
static const struct column heads_1[] = {
	{ "", 0, false }, { "", 8, false }, { "", 4, false }, { "VERIFIED", 9, true }, { "BLOCKED", 9, true },
	{ "LAST", 8, true }, { "", 0, false },
};
static const struct column heads_2[] = {
	{ "SITE", 0, false }, { "PLAN", 8, false }, { "KEYS", 4, false }, { "/MIN", 9, true }, { "/MIN", 9, true },
	{ "EVENT", 8, true }, { "NAME", 0, false },
};

#define KEYS_TEXT_MAX (RING_MAX * 4 + 1)

/* One sign for each place in the ring, told apart without colour. */
static const char *keys_text(const struct site_row *r, bool utf8, char out[KEYS_TEXT_MAX])
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < RING_MAX; i++) {
		const char *sign = glyph_text(i < r->active ? GLYPH_SLOT_USED : GLYPH_SLOT_FREE, utf8);

		if (i >= r->active && i < r->active + r->retiring)
			sign = "r";
		if (!r->ring_ok)
			sign = "?";
		used += (size_t)snprintf(out + used, KEYS_TEXT_MAX - used, "%s", sign);
	}
	return out;
}

static enum style keys_style(const struct site_row *r)
{
	if (!r->ring_ok || r->active + r->retiring == 0)
		return STYLE_BAD;
	return r->active ? STYLE_NORMAL : STYLE_WARN;
}

static void draw_site(const struct sites_panel *p, const struct console *c, struct canvas *cv, struct area a, int row,
                      const struct site_line *l)
{
	bool known = p->activity_rc == RC_OK;
	char keys[KEYS_TEXT_MAX], verified[NUMBER_TEXT_MAX], blocked[NUMBER_TEXT_MAX], last[NUMBER_TEXT_MAX];
	const char *cells[] = {
		l->row.id, plan_name(l->row.plan), keys_text(&l->row, c->utf8, keys),
		number_text(l->row.verified_1m, verified), known ? number_text(l->activity.blocked_1m, blocked) : "?",
		known ? ago_text(site_last_event(&l->row, &l->activity), c->now_us / 1000000, last) : "?", l->row.name,
	};
	const enum style styles[] = {
		STYLE_STRONG, STYLE_NORMAL, keys_style(&l->row), STYLE_NORMAL,
		l->activity.blocked_1m ? STYLE_BAD : STYLE_NORMAL, STYLE_NORMAL, STYLE_NORMAL,
	};

	draw_cells(cv, a, row, heads_2, ARRAY_LEN(heads_2), cells, STYLE_NORMAL, styles);
}

static void draw_top(const struct sites_panel *p, struct canvas *cv, struct area a)
{
	const struct sites_window *w = &p->window;
	char number[NUMBER_TEXT_MAX];
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s site%s", number_text(w->sites, number), w->sites == 1 ? "" : "s");
	if (w->filter[0])
		buf_addf(&text, ", filter \"%s\"", w->filter);
	if (w->search.running)
		buf_add_str(&text, ", searching...");
	if (p->activity_more)
		buf_add_str(&text, ", reading the log...");
	if (p->rc != RC_OK && w->shown.count > 0)
		buf_add_str(&text, ", cannot be read now: this is old");
	draw_rule(cv, a, 0, text.failed ? "Sites" : text.data);
	buf_done(&text);
}

static void draw_bottom(const struct sites_window *w, struct canvas *cv, struct area a, int row)
{
	bool above = w->list.top > 0 || w->shown.before;
	bool below = w->list.top + w->rows < w->shown.count || w->shown.after;

	canvas_putf(cv, a, row, 0, STYLE_DIM, "Keys: %s active  r retiring  %s free  ? unreadable",
	            glyph_text(GLYPH_SLOT_USED, cv->utf8), glyph_text(GLYPH_SLOT_FREE, cv->utf8));
	if (above || below)
		canvas_put_right(cv, a, row, 0, STYLE_DIM,
		                 !above ? "more below" : !below ? "more above" : "more above and below");
}

/* Why there is no row, and what to do about it. */
static void draw_nothing(const struct sites_panel *p, struct canvas *cv, struct area a)
{
	char text[sizeof(p->why.text) + SITES_FILTER_MAX + 128];

	if (p->window.search.running)
		return;
	if (p->rc != RC_OK)
		snprintf(text, sizeof(text), "The sites cannot be read: %s",
		         p->why.text[0] ? p->why.text : rc_text(p->rc));
	else if (p->window.filter[0])
		snprintf(text, sizeof(text), "No site has \"%s\" in its id or name.\n"
		         "Press / to change the filter, Esc to see all sites.", p->window.filter);
	else
		snprintf(text, sizeof(text), "There is no site yet. Add one with:\n  postern site add SITE");
	canvas_wrap(cv, a, 0, p->rc != RC_OK ? STYLE_BAD : STYLE_NORMAL, text);
}

static void sites_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a)
{
	struct sites_panel *p = (struct sites_panel *)panel;
	struct sites_window *w = &p->window;
	struct area in = { a.row, a.col + 1, a.rows, a.cols - 2 }, list = area_less(in, 3, 1);

	draw_top(p, cv, a);
	w->rows = (size_t)list.rows;
	w->list.count = w->shown.count;
	list_fit(&w->list, w->rows);
	if (w->shown.count == 0) {
		draw_nothing(p, cv, area_less(in, 2, 0));
		return;
	}
	draw_heads(cv, in, 1, heads_1, ARRAY_LEN(heads_1));
	draw_heads(cv, in, 2, heads_2, ARRAY_LEN(heads_2));
	for (size_t i = w->list.top; i < w->shown.count && i - w->list.top < w->rows; i++)
		draw_site(p, c, cv, list, (int)(i - w->list.top), &w->shown.line[i]);
	draw_selected(cv, list, (int)(w->list.selected - w->list.top));
	draw_bottom(w, cv, in, a.rows - 1);
}

/* ---- commands ---- */

static void start(struct sites_panel *p, struct console *c, enum sites_at at)
{
	struct why why = { "" };

	sites_begin(&p->window, at);
	note(p, c, sites_search(&p->window, c->admin, p->slice_ms, &why), &why);
	copy_activity(p, c->now_us);
}

/* One sees the neighbours of the site one has found. */
static unsigned show_all(struct sites_panel *p, struct console *c)
{
	if (!p->window.filter[0])
		return DO_NOTHING;
	p->window.filter[0] = '\0';
	start(p, c, SITES_AROUND);
	return DO_DRAW;
}

static void filter_chosen(struct console *c, struct dialog *d, bool accepted)
{
	struct sites_panel *p = d->arg;
	const char *filter = d->field[0].text.text;

	if (!accepted || strcmp(filter, p->window.filter) == 0)
		return;
	if (!filter[0]) {
		show_all(p, c);
		return;
	}
	snprintf(p->window.filter, sizeof(p->window.filter), "%s", filter);
	start(p, c, SITES_FIRST);
}

static unsigned ask_filter(struct sites_panel *p, struct console *c)
{
	console_prompt(c, &(struct prompt){
		.title = "Filter the sites", .accept = "Filter", .label = "Id or name has", .max = SITES_FILTER_MAX - 1,
		.text = p->window.filter, .help = "Upper and lower case are the same. Empty: all sites.",
		.done = filter_chosen, .arg = p });
	return DO_DRAW;
}

static unsigned open_site(struct sites_panel *p, struct console *c)
{
	if (p->window.shown.count == 0)
		return DO_NOTHING;
	console_enter_site(c, p->window.selected);
	console_go(c, PANEL_KEYS);
	return DO_DRAW;
}

static unsigned move(struct sites_panel *p, struct console *c, enum command what)
{
	struct sites_window *w = &p->window;

	if (what == CMD_FIRST && w->shown.before)
		start(p, c, SITES_FIRST);
	else if (what == CMD_LAST && w->shown.after)
		start(p, c, SITES_LAST);
	else if (!sites_move(w, what))
		return DO_NOTHING;
	return sites_short(w) && !w->search.running ? DO_LOAD : DO_DRAW;
}

static unsigned sites_command(struct panel *panel, struct console *c, enum command what)
{
	struct sites_panel *p = (struct sites_panel *)panel;

	switch (what) {
	case CMD_FILTER:
		return ask_filter(p, c);
	case CMD_SHOW_ALL:
		return show_all(p, c);
	case CMD_OPEN:
		return open_site(p, c);
	default:
		return move(p, c, what);
	}
}

const struct panel_ops sites_panel = {
	.name = "Sites", .place = PLACE_SITES, .make = sites_make, .free = sites_free, .load = sites_load, .ages = true,
	.tick = sites_tick, .draw = sites_draw, .command = sites_command,
};
