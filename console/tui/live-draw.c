/* live-draw.c -- the Live panel's screen: how many tokens are blocked and for which reasons, and each of them. */
#include "console/tui/panel-live.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000)
#define DAY (86400 * SECOND)

/* ---- what it all amounts to ---- */

#define RATE_COLUMNS 12
#define TOTAL_COLUMNS 33               /* "max 5,000/s 1,500,000 in 5 min" */
#define MORE_COLUMNS 10
#define REASON_ROWS 2
#define HEAD_ROWS (2 + REASON_ROWS)    /* above the columns' heads */

/* The time of day; or the date, where it is not of these days. */
static const char *time_text(uint64_t us, uint64_t now_us, char out[9])
{
	bool near = us <= now_us + DAY && us + DAY >= now_us;
	char text[CLOCK_TEXT_MAX];

	if (us == 0 || strlen(clock_format(us, text)) != sizeof("2026-11-21T03:16:00Z") - 1)
		memcpy(text, "----------T--:--:--", 20);
	memcpy(out, text + (near || us == 0 ? 11 : 2), 8);
	out[8] = '\0';
	return out;
}

static const char *rate_text(double rate, char out[NUMBER_TEXT_MAX])
{
	if (rate >= 9.95 || rate <= 0)
		return number_text((uint64_t)(rate + 0.5), out);
	snprintf(out, NUMBER_TEXT_MAX, "%.1f", rate);
	return out;
}

static void draw_total(const struct live_events *l, uint64_t now_us, struct canvas *cv, struct area a)
{
	char count[NUMBER_TEXT_MAX], since[9], text[64];

	number_text(l->counts.total, count);
	if (live_whole(l))
		snprintf(text, sizeof(text), "%s in 5 min", count);
	else
		snprintf(text, sizeof(text), "%s since %s", count, time_text(l->counts.since_us, now_us, since));
	canvas_put_right(cv, a, 0, 0, STYLE_STRONG, text);
}

static void draw_rate(const struct live_events *l, uint64_t now_us, struct canvas *cv, struct area a)
{
	int room = a.cols - RATE_COLUMNS - TOTAL_COLUMNS;
	uint32_t bar[LIVE_SECONDS], most = 0;
	char text[NUMBER_TEXT_MAX];
	unsigned seconds;
	size_t bars = live_bars(l, room > 0 ? (size_t)room : 1, bar, &seconds);
	struct area line = { a.row, a.col + RATE_COLUMNS, 1, (int)bars };
	double now = live_rate(l, now_us), top;

	for (size_t i = 0; i < bars; i++)
		most = bar[i] > most ? bar[i] : most;
	/* bars and now are not the same seconds, but the highest is never lower than another number beside it */
	top = (double)most / seconds > now ? (double)most / seconds : now;
	canvas_putf(cv, a, 0, 0, STYLE_STRONG, "%s/s now", rate_text(now, text));
	draw_sparkline(cv, line, 0, 0, STYLE_WARN, bar, bars);
	if (most > 0)
		canvas_putf(cv, a, 0, RATE_COLUMNS + (int)bars + 1, STYLE_NORMAL, "max %s/s", rate_text(top, text));
	draw_total(l, now_us, cv, a);
}

static void draw_reasons(const struct live_events *l, struct canvas *cv, struct area a)
{
	const struct live_reason *reason[LIVE_REASONS];
	size_t count = live_reasons(l, reason);
	char number[NUMBER_TEXT_MAX];
	int row = 0, col = 0;

	for (size_t i = 0; i < count; i++) {
		int last = row + 1 == a.rows, more = last && i + 1 < count ? MORE_COLUMNS : 0;
		int width = canvas_width(reason[i]->text, cv->utf8) + 1 +
		            (int)strlen(number_text(reason[i]->total, number));

		if (col > 0 && col + width + more > a.cols) {
			if (last) {
				canvas_putf(cv, a, row, col, STYLE_DIM, "+%zu more", count - i);
				return;
			}
			row++;
			col = 0;
		}
		col += canvas_put(cv, a, row, col, STYLE_NORMAL, reason[i]->text) + 1;
		col += canvas_put(cv, a, row, col, STYLE_STRONG, number) + 2;
	}
}

/* ---- the list ---- */

enum { TIME, SITE, REASON, REMOTE, KEY, TOKEN, ACTION, SUBJECT, SEQ, COLUMNS };
static const struct column columns[COLUMNS] = {
	[TIME] = { "TIME UTC", 8, false }, [SITE] = { "SITE", 0, false }, [REASON] = { "REASON", 19, false },
	[REMOTE] = { "REMOTE", 16, false }, [KEY] = { "KEY", 11, false }, [TOKEN] = { "TOKEN", 8, false },
	[ACTION] = { "ACTION", 0, false }, [SUBJECT] = { "SUBJECT", 12, false }, [SEQ] = { "SEQ", 9, true },
};

/* From so many columns on, so many of them are shown. */
static const struct layout { int cols; size_t count; int remote, subject; } layouts[] = {
	{ 156, COLUMNS, 24, SUBJECT_MAX - 1 }, { 126, COLUMNS, 24, 12 }, { 98, SUBJECT, 18, 0 }, { 0, ACTION, 16, 0 },
};

struct line { struct column column[COLUMNS]; const char *cell[COLUMNS]; enum style style[COLUMNS]; size_t count; };

static void line_init(struct line *l, int cols)
{
	const struct layout *at = layouts;

	*l = (struct line){ .count = 0 };
	while (at->cols > cols)
		at++;
	memcpy(l->column, columns, sizeof(columns));
	l->column[REMOTE].width = at->remote;
	l->column[SUBJECT].width = at->subject;
	l->count = at->count;
}

static void line_put(struct line *l, size_t column, const char *text, enum style s)
{
	l->cell[column] = text;
	l->style[column] = s;
}

/* A folded record has neither key nor token: the count has their place. */
static void line_join_key_and_token(struct line *l)
{
	size_t behind = l->count - TOKEN - 1;

	l->column[KEY].width += 1 + l->column[TOKEN].width;
	memmove(&l->column[TOKEN], &l->column[TOKEN + 1], behind * sizeof(l->column[0]));
	memmove(&l->cell[TOKEN], &l->cell[TOKEN + 1], behind * sizeof(l->cell[0]));
	memmove(&l->style[TOKEN], &l->style[TOKEN + 1], behind * sizeof(l->style[0]));
	l->count--;
}

/* Red is what an honest backend does not send. */
static enum style reason_style(const struct live_event *e)
{
	switch (e->reason) {
	case REASON_TOKEN_MALFORMED:
	case REASON_TOKEN_ALGORITHM:
	case REASON_TOKEN_CRITICAL:
	case REASON_SIGNATURE_MISMATCH:
		return STYLE_BAD;
	default:
		return e->unreadable ? STYLE_BAD : STYLE_NORMAL;
	}
}

static const char *text_or_none(const struct live_event *e, const char *text)
{
	return text[0] ? text : e->folded ? "(several)" : "-";
}

#define COUNT_TEXT_MAX 80
static const char *count_text(const struct live_event *e, char out[COUNT_TEXT_MAX])
{
	char number[NUMBER_TEXT_MAX], span[NUMBER_TEXT_MAX];
	uint64_t seconds = (e->last_us - e->first_us + SECOND - 1) / SECOND;
	int size = snprintf(out, COUNT_TEXT_MAX, "x%s", number_text(e->count, number));

	if (seconds > 0)
		snprintf(out + size, COUNT_TEXT_MAX - (size_t)size, " in %s", ago_text(1, 1 + seconds, span));
	return out;
}

static void draw_event(const struct live_event *e, uint64_t now_us, struct canvas *cv, struct area a, int row)
{
	char time[9], key[KID_MAX + 1], seq[24], count[COUNT_TEXT_MAX];
	struct line l;

	line_init(&l, a.cols);
	snprintf(key, sizeof(key), "%s%s", e->kid, e->claimed ? "?" : "");
	snprintf(seq, sizeof(seq), "%" PRIu64, e->seq);
	line_put(&l, TIME, time_text(e->time_us, now_us, time), STYLE_NORMAL);
	line_put(&l, SITE, text_or_none(e, e->site), STYLE_NORMAL);
	line_put(&l, REASON, e->reason_text, reason_style(e));
	line_put(&l, REMOTE, text_or_none(e, e->remote), STYLE_NORMAL);
	line_put(&l, KEY, key, STYLE_NORMAL);
	line_put(&l, TOKEN, e->token, STYLE_DIM);
	line_put(&l, ACTION, e->action, STYLE_NORMAL);
	line_put(&l, SUBJECT, e->subject, STYLE_DIM);
	line_put(&l, SEQ, seq, STYLE_DIM);
	if (e->folded) {
		line_put(&l, KEY, count_text(e, count), STYLE_STRONG);
		line_join_key_and_token(&l);
	}
	draw_cells(cv, a, row, l.column, l.count, l.cell, STYLE_NORMAL, l.style);
}

static void draw_nothing(const struct live_panel *p, uint64_t now_us, struct canvas *cv, struct area a)
{
	char since[9];

	cv->cursor_row = a.row + 1;
	cv->cursor_col = a.col;
	if (live_list_ring(p)->count > 0)
		canvas_put(cv, a, 1, 0, STYLE_NORMAL, "No blocked token here matches the filter; / changes it, Esc shows all.");
	else if (p->paused)
		canvas_put(cv, a, 1, 0, STYLE_NORMAL, "There was none when you paused; Space follows again.");
	else if (p->reading.back)
		canvas_put(cv, a, 1, 0, STYLE_NORMAL, "Reading the last 5 minutes of the log.");
	else if (live_whole(&p->live))
		canvas_put(cv, a, 1, 0, STYLE_NORMAL, "No token was blocked in the last 5 minutes.");
	else
		canvas_putf(cv, a, 1, 0, STYLE_NORMAL, "No token was blocked since %s.",
		            time_text(p->live.counts.since_us, now_us, since));
	if (!p->paused)
		canvas_put(cv, a, 2, 0, STYLE_DIM, "Watching: a blocked token shows here as it happens.");
}

static void draw_list(struct live_panel *p, uint64_t now_us, struct canvas *cv, struct area a)
{
	const struct live_ring *r = live_list_ring(p);
	int row = 0;

	p->rows = (size_t)a.rows;
	live_fit(p);
	for (size_t i = live_ring_nth(r, p->list.top); i < r->count && row < a.rows; i++) {
		const struct live_event *e = live_ring_at(r, i);

		if (!e->shown)
			continue;
		draw_event(e, now_us, cv, a, row++);
		p->drawn_seq = e->seq;
	}
	if (row > 0)
		draw_selected(cv, a, (int)(p->list.selected - p->list.top));
	else
		draw_nothing(p, now_us, cv, a);
}

/* ---- the rule above ---- */

static enum style state_text(const struct live_panel *p, char *out, size_t room)
{
	char number[NUMBER_TEXT_MAX];

	if (p->reading.retry_us > 0) {
		snprintf(out, room, " the log cannot be read, trying again ");
		return STYLE_BAD;
	}
	if (p->paused) {
		snprintf(out, room, " PAUSED +%s new ", number_text(p->came, number));
		return STYLE_WARN;
	}
	if (p->reading.behind > LIVE_BEHIND) {
		snprintf(out, room, " catching up: %s records behind ", number_text(p->reading.behind, number));
		return STYLE_WARN;
	}
	snprintf(out, room, " following ");
	return STYLE_GOOD;
}

static void draw_title(const struct live_panel *p, struct canvas *cv, struct area a)
{
	const struct live_ring *r = live_list_ring(p);
	char state[96], kept[NUMBER_TEXT_MAX], all[NUMBER_TEXT_MAX];
	enum style s = state_text(p, state, sizeof(state));
	struct area left = { a.row, a.col, 1, a.cols - (int)strlen(state) - 2 };
	struct buf text = BUF_INIT;

	buf_add_str(&text, "Live  ");
	filter_text(&p->live.filter, &text);
	if (filter_empty(&p->live.filter))
		buf_add_str(&text, "all blocked tokens");
	if (r->gone > 0)
		buf_addf(&text, "  (the last %s of %s)", number_text(r->count, kept),
		         number_text(r->count + r->gone, all));
	buf_add_char(&text, '\0');
	draw_rule(cv, a, 0, NULL);
	draw_rule(cv, left, 0, text.failed ? "Live" : text.data);
	canvas_put_right(cv, a, 0, 2, s, state);
	buf_done(&text);
}

void live_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a)
{
	struct live_panel *p = (struct live_panel *)panel;
	struct area in = { a.row, a.col + 1, a.rows, a.cols - 2 }, body;
	struct line heads;

	live_now(&p->live, c->now_us);
	draw_title(p, cv, a);
	draw_rate(&p->live, c->now_us, cv, area_less(in, 1, 0));
	body = area_less(in, 2, 0);
	body.rows = REASON_ROWS;
	draw_reasons(&p->live, cv, body);
	line_init(&heads, in.cols);
	draw_heads(cv, in, HEAD_ROWS, heads.column, heads.count);
	draw_list(p, c->now_us, cv, area_less(in, HEAD_ROWS + 1, 0));
}
