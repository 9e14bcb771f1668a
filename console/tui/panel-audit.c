/* panel-audit.c -- the audit log, browsed both ways from its newest record. Rows are read a slice at a time, so that a filter
 * that matches one record in millions never stops the keys. */
#include "console/tui/panel-audit.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define SLICE 4000                     /* rows of the log looked at in one turn */

/* ---- reading ---- */

/* A page more than is shown, on both sides, so that a page key finds its rows there. */
static size_t margin(const struct audit_panel *p)
{
	return p->shown > 0 ? p->shown : 20;
}

static size_t missing_above(const struct audit_panel *p)
{
	return p->rows.oldest || p->list.top >= margin(p) ? 0 : margin(p) - p->list.top;
}

static size_t missing_below(const struct audit_panel *p)
{
	size_t below = p->list.count - p->list.top, wanted = p->shown + margin(p);

	if (p->follow && !p->rows.newest)
		return AUDIT_WINDOW;
	return p->rows.newest || below >= wanted ? 0 : wanted - below;
}

/* The record itself, or the one nearest to it. */
static void select_jump(struct audit_panel *p, struct console *c)
{
	size_t i = 0;

	if (p->jump == UINT64_MAX || p->rows.count == 0)
		return;
	while (p->rows.row[i].seq < p->jump && i + 1 < p->rows.count)
		i++;
	p->list.selected = i;
	if (p->rows.row[i].seq != p->jump)
		console_say(c, STYLE_WARN, filter_empty(&p->filter) ? "There is no record %llu; one near it is selected." :
		            "The filter leaves record %llu out, or there is none; one near it is selected.",
		            (unsigned long long)p->jump);
	p->jump = UINT64_MAX;
}

static void older_joined(struct audit_panel *p, size_t added)
{
	p->list.count = p->rows.count;
	p->list.selected += added;
	p->list.top += added;
	list_fit(&p->list, p->shown);
}

static void newer_joined(struct audit_panel *p, size_t dropped)
{
	p->list.count = p->rows.count;
	p->list.selected -= p->list.selected < dropped ? p->list.selected : dropped;
	p->list.top -= p->list.top < dropped ? p->list.top : dropped;
	if (p->follow && p->list.count > 0)
		p->list.selected = p->list.count - 1;
	list_fit(&p->list, p->shown);
}

/* One slice at the end that lacks rows. true: rows joined, or a search ended. */
static bool read_slice(struct audit_panel *p, struct console *c)
{
	struct audit_filter f = filter_audit(&p->filter);
	size_t above = missing_above(p), below = missing_below(p), added = 0, dropped = 0;
	bool searched = p->searching, empty = p->rows.count == 0;
	enum rc rc = RC_OK;

	if (above > 0) {
		rc = audit_rows_older(&p->rows, c->admin, &f, above, SLICE, &added, &dropped);
		older_joined(p, added);
	} else if (below > 0) {
		rc = audit_rows_newer(&p->rows, c->admin, &f, below, SLICE, &added, &dropped);
		newer_joined(p, dropped);
	}
	if (rc != RC_OK) {
		console_error(c, rc, REASON_NONE, NULL);
		p->rows.oldest = p->rows.newest = true;        /* not again ten times a second */
	}
	if (empty && added > 0)
		p->list.selected = p->follow ? p->rows.count - 1 : 0;
	select_jump(p, c);
	list_fit(&p->list, p->shown);
	p->started = true;
	p->searching = missing_above(p) > 0 || missing_below(p) > 0;
	return added > 0 || p->searching || searched;
}

static void start(struct audit_panel *p, uint64_t before, bool follow)
{
	audit_rows_reset(&p->rows, before);
	p->list = (struct list){ 0 };
	p->follow = follow;
	p->jump = UINT64_MAX;
	p->searching = true;
}

/* ---- the panel ---- */

static struct panel *audit_make(void)
{
	struct audit_panel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->panel.ops = &audit_panel;
	start(p, UINT64_MAX, true);
	return &p->panel;
}

static void audit_free(struct panel *panel)
{
	struct audit_panel *p = (struct audit_panel *)panel;

	if (p)
		filter_done(&p->filter);
	free(p);
}

/* The ledger has changed: there may be newer records. One who follows a log that grows faster than this reads is taken to its
 * end. */
static void audit_load(struct panel *panel, struct console *c)
{
	struct audit_panel *p = (struct audit_panel *)panel;

	if (p->started)
		p->rows.newest = false;
	read_slice(p, c);
	if (p->follow && !p->rows.newest && filter_empty(&p->filter)) {
		start(p, UINT64_MAX, true);
		read_slice(p, c);
	}
}

static unsigned audit_tick(struct panel *panel, struct console *c)
{
	struct audit_panel *p = (struct audit_panel *)panel;

	if (missing_above(p) == 0 && missing_below(p) == 0)
		return DO_NOTHING;
	return read_slice(p, c) ? DO_DRAW : DO_NOTHING;
}

/* ---- drawing ---- */

/* The year is in the title. */
static const struct column columns[] = {
	{ "SEQ", 8, true }, { "TIME UTC", 14, false }, { "SITE", 12, false }, { "EVENT", 8, false }, { "OUTCOME", 8, false },
	{ "REASON OR ACTION", 0, false },
};
static const struct column columns_wide[] = {
	{ "SEQ", 10, true }, { "TIME UTC", 14, false }, { "SITE", 18, false }, { "EVENT", 8, false }, { "OUTCOME", 8, false },
	{ "REASON", 22, false }, { "ACTION", 0, false }, { "WHO", 12, false }, { "REMOTE", 18, false },
};
#define WIDE_COLS 130

static enum style outcome_style(const struct record_row *r)
{
	if (r->broken || strcmp(r->outcome, "blocked") == 0 || strcmp(r->outcome, "failed") == 0)
		return STYLE_BAD;
	return strcmp(r->outcome, "refused") == 0 ? STYLE_WARN : STYLE_NORMAL;
}

/* "11-21 03:16:00", of "2026-11-21T03:16:00Z". */
static void day_and_time(uint64_t us, char out[CLOCK_TEXT_MAX])
{
	char full[CLOCK_TEXT_MAX];

	clock_format(us, full);
	snprintf(out, CLOCK_TEXT_MAX, "%.5s %.8s", full + 5, full + 11);
}

static const char *reason_and_action(const struct record_row *r, char *out, size_t room)
{
	if (r->broken)
		return "not a record";
	if (r->count > 0)
		snprintf(out, room, "%s x%llu", r->reason, (unsigned long long)r->count);
	else
		snprintf(out, room, "%s%s%s", r->reason, r->reason[0] && r->what[0] ? "  " : "", r->what);
	return out;
}

static void draw_row(struct canvas *cv, struct area a, int row, const struct record_row *r)
{
	enum style st[] = { STYLE_DIM, STYLE_NORMAL, STYLE_NORMAL, STYLE_NORMAL, outcome_style(r), STYLE_NORMAL, STYLE_NORMAL,
	                    STYLE_DIM, STYLE_DIM };
	char seq[24], at[CLOCK_TEXT_MAX] = "-", both[128];

	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)r->seq);
	if (r->time_us > 0)
		day_and_time(r->time_us, at);
	if (a.cols >= WIDE_COLS && !r->broken)
		draw_cells(cv, a, row, columns_wide, ARRAY_LEN(columns_wide),
		           (const char *const[]){ seq, at, r->site, r->event, r->outcome, r->reason, r->what, r->who, r->remote },
		           STYLE_NORMAL, st);
	else
		draw_cells(cv, a, row, columns, ARRAY_LEN(columns),
		           (const char *const[]){ seq, at, r->site, r->event, r->outcome, reason_and_action(r, both, sizeof(both)) },
		           STYLE_NORMAL, st);
}

static void draw_title(struct canvas *cv, struct area a, const struct audit_panel *p)
{
	struct buf title = BUF_INIT;
	char at[CLOCK_TEXT_MAX];

	buf_add_str(&title, "Audit");
	if (p->list.count > 0 && p->rows.row[p->list.selected].time_us > 0)
		buf_addf(&title, "  %.10s", clock_format(p->rows.row[p->list.selected].time_us, at));
	if (!filter_empty(&p->filter)) {
		buf_add_str(&title, "  ");
		filter_text(&p->filter, &title);
	}
	if (p->searching && p->started)
		buf_addf(&title, "  searching, at %llu", (unsigned long long)p->rows.older);
	buf_add_char(&title, '\0');
	draw_rule(cv, a, 0, title.failed ? "Audit" : title.data);
	buf_done(&title);
}

static void draw_nothing(struct canvas *cv, struct area body, const struct audit_panel *p)
{
	cv->cursor_row = body.row + 1;
	cv->cursor_col = body.col + 1;
	if (p->started && !p->searching)
		canvas_put(cv, body, 1, 1, STYLE_NORMAL, filter_empty(&p->filter) ? "The log has no record yet." :
		           "No record matches; / changes the filter, Esc shows all.");
}

static void audit_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a)
{
	struct audit_panel *p = (struct audit_panel *)panel;
	struct area body = area_less(a, 2, 0);

	(void)c;
	draw_title(cv, a, p);
	if (a.cols >= WIDE_COLS)
		draw_heads(cv, a, 1, columns_wide, ARRAY_LEN(columns_wide));
	else
		draw_heads(cv, a, 1, columns, ARRAY_LEN(columns));
	p->shown = body.rows > 0 ? (size_t)body.rows : 0;
	list_fit(&p->list, p->shown);
	for (size_t i = 0; i < p->shown && p->list.top + i < p->list.count; i++)
		draw_row(cv, body, (int)i, &p->rows.row[p->list.top + i]);
	if (p->list.count > 0)
		draw_selected(cv, body, (int)(p->list.selected - p->list.top));
	else
		draw_nothing(cv, body, p);
}

/* ---- commands ---- */

static void filter_chosen(struct console *c, struct dialog *d, bool accepted);

static void ask_filter(struct audit_panel *p, struct console *c, const char *text, const char *complaint)
{
	console_prompt(c, &(struct prompt){
		.title = "Filter the records", .accept = "Filter", .label = "Filter", .max = FILTER_TEXT_MAX, .text = text,
		.help = "Words: site:demo outcome:blocked reason:token_expired action:track_order remote:203.0.113.0/24 "
		        "kid:k_... subject:h1:... since:1h until:10m. Empty: all records.",
		.complaint = complaint, .done = filter_chosen, .arg = p });
}

/* A filter with a mistake is asked for again: nothing that was typed is lost. */
static void filter_chosen(struct console *c, struct dialog *d, bool accepted)
{
	struct audit_panel *p = d->arg;
	struct filter f = { 0 };
	struct why why = { "" };

	if (!accepted)
		return;
	if (filter_parse(&f, d->field[0].text.text, c->now_us, FILTER_ALL, &why) != RC_OK) {
		ask_filter(p, c, d->field[0].text.text, why.text);
		return;
	}
	filter_done(&p->filter);
	p->filter = f;
	start(p, UINT64_MAX, true);
	console_reload(c);
}

static void ask_filter_again(struct audit_panel *p, struct console *c)
{
	struct buf text = BUF_INIT;

	filter_text(&p->filter, &text);
	buf_add_char(&text, '\0');
	ask_filter(p, c, text.failed ? "" : text.data, NULL);
	buf_done(&text);
}

/* Who follows goes on following; who went to a record sees its neighbours. */
static unsigned show_all(struct audit_panel *p)
{
	bool found = p->list.count > 0 && !p->follow;
	uint64_t seq = found ? p->rows.row[p->list.selected].seq : UINT64_MAX;

	if (filter_empty(&p->filter))
		return DO_NOTHING;
	filter_done(&p->filter);
	start(p, found ? seq + 1 : UINT64_MAX, !found);
	p->jump = seq;
	return DO_LOAD;
}

static void jump_chosen(struct console *c, struct dialog *d, bool accepted)
{
	struct audit_panel *p = d->arg;
	const char *text = d->field[0].text.text;
	char *end;
	unsigned long long seq;

	if (!accepted)
		return;
	errno = 0;
	seq = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || seq >= UINT64_MAX - 1) {
		console_say(c, STYLE_BAD, "A record's number is digits alone.");
		return;
	}
	start(p, seq + 1, false);
	p->jump = seq;
	console_reload(c);
}

static void ask_jump(struct audit_panel *p, struct console *c)
{
	console_prompt(c, &(struct prompt){ .title = "Go to a record", .accept = "Go", .label = "Its number (seq)", .max = 20,
	                                    .done = jump_chosen, .arg = p });
}

static unsigned audit_command(struct panel *panel, struct console *c, enum command what)
{
	struct audit_panel *p = (struct audit_panel *)panel;

	if (what == CMD_FILTER) {
		ask_filter_again(p, c);
	} else if (what == CMD_JUMP) {
		ask_jump(p, c);
	} else if (what == CMD_SHOW_ALL) {
		return show_all(p);
	} else if (what == CMD_OPEN && p->list.count > 0) {
		record_open(c, p->rows.row[p->list.selected].seq);
	} else if (what == CMD_FIRST && !p->rows.oldest) {
		start(p, 0, false);
		return DO_LOAD;
	} else if (what == CMD_LAST && !p->rows.newest) {
		start(p, UINT64_MAX, true);
		return DO_LOAD;
	} else if (!list_move(&p->list, what, p->shown)) {
		return DO_NOTHING;
	}
	p->follow = p->rows.newest && p->list.selected + 1 == p->list.count;
	audit_tick(panel, c);
	return DO_DRAW;
}

const struct panel_ops audit_panel = {
	.name = "Audit", .place = PLACE_AUDIT, .make = audit_make, .free = audit_free, .load = audit_load, .follows_ledger = true,
	.tick = audit_tick, .draw = audit_draw, .command = audit_command,
};
