/* panel-live.c -- blocked tokens as they come: following them, pausing, the filter. */
#include "console/tui/panel-live.h"

#include <stdlib.h>

#define FILTER_USABLE (FILTER_BIT(FILTER_SITE) | FILTER_BIT(FILTER_REASON) | FILTER_BIT(FILTER_REMOTE))

static struct live_panel *panel_of(struct panel *panel)
{
	return (struct live_panel *)panel;
}

/* ---- beginning, end, and each turn ---- */

static struct panel *live_make(void)
{
	struct live_panel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->panel.ops = &live_panel;
	p->reading.resume = UINT64_MAX;
	p->drawn_seq = UINT64_MAX;
	if (live_init(&p->live, LIVE_ROOM, 0) && live_ring_init(&p->held, LIVE_ROOM))
		return &p->panel;
	live_done(&p->live);
	free(p);
	return NULL;
}

static void live_free(struct panel *panel)
{
	struct live_panel *p = panel_of(panel);

	if (!p)
		return;
	live_done(&p->live);
	live_ring_done(&p->held);
	free(p);
}

/* Counts grow old: once a second, as long as there are any. */
static bool counts_moved(struct live_panel *p)
{
	const struct live_counts *k = &p->live.counts;
	bool moving = k->total > 0, whole = live_whole(&p->live), passed = k->now_s != p->told_s;

	if (whole == p->told_whole && !(passed && (moving || p->told_moving)))
		return false;
	p->told_s = k->now_s;
	p->told_moving = moving;
	p->told_whole = whole;
	return true;
}

static unsigned live_tick(struct panel *panel, struct console *c)
{
	struct live_panel *p = panel_of(panel);
	bool changed;

	live_now(&p->live, c->now_us);
	changed = c->admin && live_read(p, c);
	return counts_moved(p) || changed ? DO_DRAW : DO_NOTHING;
}

static void live_load(struct panel *panel, struct console *c)
{
	live_tick(panel, c);
}

/* ---- following and pausing ---- */

const struct live_ring *live_list_ring(const struct live_panel *p)
{
	return p->paused ? &p->held : &p->live.ring;
}

void live_fit(struct live_panel *p)
{
	p->list.count = live_list_ring(p)->shown;
	if (!p->paused && p->list.count > 0)
		p->list.selected = p->list.count - 1;
	list_fit(&p->list, p->rows);
}

static void pause_here(struct live_panel *p)
{
	if (p->paused)
		return;
	live_ring_copy(&p->held, &p->live.ring);
	p->paused = true;
	p->paused_at = p->reading.next;
	p->came = 0;
	p->list.count = p->held.shown;
	p->list.selected = p->held.shown - live_ring_from(&p->held, p->drawn_seq);
	list_fit(&p->list, p->rows);
}

static void follow(struct live_panel *p)
{
	p->paused = false;
	live_fit(p);
}

/* The event one sees as selected: while following, the newest that was drawn. false: one sees none. */
static bool selected_seq(const struct live_panel *p, uint64_t *ret)
{
	const struct live_ring *r = live_list_ring(p);
	size_t index = live_ring_nth(r, p->list.selected);

	if (index == r->count)
		return false;
	*ret = p->paused ? live_ring_at(r, index)->seq : p->drawn_seq;
	return *ret != UINT64_MAX;
}

/* ---- the filter ---- */

static void choose(struct live_panel *p, const struct filter *f)
{
	uint64_t seq = 0;
	bool selected = selected_seq(p, &seq);

	live_choose(&p->live, f);
	live_ring_choose(&p->held, f);
	p->came = p->paused ? live_ring_from(&p->live.ring, p->paused_at) : 0;
	if (p->paused && selected)
		p->list.selected = p->held.shown - live_ring_from(&p->held, seq);
	live_fit(p);
}

static void filter_chosen(struct console *c, struct dialog *d, bool accepted);

/* complaint NULL: none. */
static void ask_filter(struct live_panel *p, struct console *c, const char *text, const char *complaint)
{
	console_prompt(c, &(struct prompt){
		.title = "Filter the blocked tokens", .accept = "Filter", .label = "Filter", .max = FILTER_TEXT_MAX, .text = text,
		.help = "Words: site:demo reason:token_expired remote:203.0.113.0/24. Empty: all of them.",
		.complaint = complaint, .done = filter_chosen, .arg = p });
}

static void filter_chosen(struct console *c, struct dialog *d, bool accepted)
{
	const char *text = d->field[0].text.text;
	struct filter f;
	struct why why = { "" };

	if (!accepted)
		return;
	if (filter_parse(&f, text, c->now_us, FILTER_USABLE, &why) == RC_OK)
		choose(d->arg, &f);
	else
		ask_filter(d->arg, c, text, why.text);
}

static void open_filter(struct live_panel *p, struct console *c)
{
	struct buf text = BUF_INIT;

	filter_text(&p->live.filter, &text);
	buf_add_char(&text, '\0');
	ask_filter(p, c, text.failed ? "" : text.data, NULL);
	buf_done(&text);
}

static unsigned show_all(struct live_panel *p)
{
	struct filter none;

	if (filter_empty(&p->live.filter))
		return DO_NOTHING;
	filter_done(&none);
	choose(p, &none);
	return DO_DRAW;
}

/* ---- commands ---- */

static unsigned open_record(struct live_panel *p, struct console *c)
{
	uint64_t seq;

	if (!selected_seq(p, &seq))
		return DO_NOTHING;
	record_open(c, seq);
	return DO_DRAW;
}

/* Whoever goes back wants to look: it pauses. */
static unsigned move(struct live_panel *p, enum command what)
{
	bool back = what == CMD_UP || what == CMD_PAGE_UP || what == CMD_FIRST, was = p->paused;

	if (back && p->live.ring.shown > 0)
		pause_here(p);
	return (p->paused && list_move(&p->list, what, p->rows)) || p->paused != was ? DO_DRAW : DO_NOTHING;
}

static unsigned live_command(struct panel *panel, struct console *c, enum command what)
{
	struct live_panel *p = panel_of(panel);

	switch (what) {
	case CMD_FILTER:
		open_filter(p, c);
		return DO_DRAW;
	case CMD_SHOW_ALL:
		return show_all(p);
	case CMD_OPEN:
		return open_record(p, c);
	case CMD_PAUSE:
		if (p->paused)
			follow(p);
		else
			pause_here(p);
		return DO_DRAW;
	case CMD_LAST:
		follow(p);
		return DO_DRAW;
	default:
		return move(p, what);
	}
}

const struct panel_ops live_panel = {
	.name = "Live", .place = PLACE_LIVE, .make = live_make, .free = live_free, .load = live_load, .tick = live_tick,
	.draw = live_draw, .command = live_command,
};
