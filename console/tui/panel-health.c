/* panel-health.c -- is all well: warnings, live workers, room in the ledger and the vault, versions. */
#include "console/tui/panel-health.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_US UINT64_C(1000000)
/* A snapshot walks the ledger's free list: not for every commit, and seldom where nothing happens. */
#define CHANGED_US SECOND_US
#define UNCHANGED_US (5 * SECOND_US)

static struct panel *health_make(void)
{
	struct health_panel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->panel.ops = &health_panel;
	return &p->panel;
}

static void health_free(struct panel *panel)
{
	struct health_panel *p = (struct health_panel *)panel;

	if (!p)
		return;
	health_done(&p->health);
	free(p);
}

/* ---- loading ---- */

/* What cannot be read, and a clock that was set back, are no reason to keep the old. */
static bool is_fresh(const struct health_panel *p, const struct console *c, const struct admin_versions *now)
{
	uint64_t age_us = c->now_us - p->loaded_us;
	bool same = now->vault == p->versions.vault && now->ledger == p->versions.ledger;

	return p->loaded && p->rc == RC_OK && c->now_us >= p->loaded_us && age_us < (same ? UNCHANGED_US : CHANGED_US);
}

static void health_load(struct panel *panel, struct console *c)
{
	struct health_panel *p = (struct health_panel *)panel;
	struct admin_versions now = { 0 };
	struct health h;
	struct why why = { "" };
	enum rc rc = admin_versions(c->admin, &now, &why);

	if (rc == RC_OK && is_fresh(p, c, &now))
		return;
	if (rc == RC_OK && (rc = admin_health(c->admin, &h, &why)) == RC_OK) {
		health_done(&p->health);
		p->health = h;
		p->loaded = true;
		p->loaded_us = c->now_us;
		p->versions = now;
	}
	if (rc != p->rc)       /* said once, not each second */
		console_error(c, rc, REASON_NONE, &why);
	p->rc = rc;
	p->why = why;
}

/* ---- drawing: one long page, of which the area is a window ---- */

struct page {
	struct canvas *cv;
	struct area a;
	int row;               /* the next one, of the area: negative above it */
};

#define LABEL_COLUMNS 12

static void put_heading(struct page *p, const char *text)
{
	draw_rule(p->cv, (struct area){ p->a.row, p->a.col - 1, p->a.rows, p->a.cols + 2 }, p->row++, text);
}

static void put_wrapped(struct page *p, int col, enum style s, const char *text)
{
	struct area a = { p->a.row, p->a.col + col, p->a.rows, p->a.cols - col };

	p->row += canvas_wrap(p->cv, a, p->row, s, text);
}

static void put_fact(struct page *p, const char *label, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void put_fact(struct page *p, const char *label, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	canvas_put(p->cv, p->a, p->row, 0, STYLE_DIM, label);
	put_wrapped(p, LABEL_COLUMNS, STYLE_NORMAL, text);
}

static void put_warnings(struct page *p, const struct health *h)
{
	static const char word[] = "WARNING";
	const json_t *warning;
	size_t i;

	if (json_array_size(h->warnings) == 0)
		canvas_put(p->cv, p->a, p->row++, 0, STYLE_GOOD, "Nothing to warn of.");
	json_array_foreach(h->warnings, i, warning) {
		const char *text = json_string_value(warning);

		canvas_put(p->cv, p->a, p->row, 0, STYLE_WARN, word);
		put_wrapped(p, sizeof(word) + 1, STYLE_NORMAL, text ? text : "?");
	}
}

/* ---- workers ---- */

static const struct column worker_heads[] = {
	{ "PID", 10, true }, { "STATE", 10, false }, { "UP FOR", 8, true }, { "LAST BEAT", 9, true },
	{ "THREADS", 7, true }, { "VERSION", 0, false },
};

struct state { const char *word; enum style style; };

/* A beat ahead of the clock is as far off as one behind it. */
static const struct state *state_of(const struct worker_row *w, uint64_t now_s)
{
	static const struct state other_boot = { "other boot", STYLE_WARN }, lost = { "LOST", STYLE_BAD },
	                          late = { "LATE", STYLE_WARN }, ok = { "ok", STYLE_GOOD };
	uint64_t age = w->beat_s < now_s ? now_s - w->beat_s : w->beat_s - now_s;

	return !w->this_boot ? &other_boot : age > HEALTH_LOST_S ? &lost : age > HEALTH_LATE_S ? &late : &ok;
}

static void put_worker(struct page *p, const struct worker_row *w, uint64_t now_s)
{
	const struct state *state = state_of(w, now_s);
	char pid[24], up[NUMBER_TEXT_MAX], beat[NUMBER_TEXT_MAX], threads[16];
	const char *cells[] = {
		pid, state->word, ago_text(w->started_at, now_s, up),
		w->beat_s > now_s + HEALTH_LATE_S ? "ahead" : ago_text(w->beat_s, now_s, beat), threads, w->version,
	};
	const enum style styles[ARRAY_LEN(worker_heads)] = { STYLE_STRONG, state->style };      /* and NORMAL */

	snprintf(pid, sizeof(pid), "%" PRIu64, w->pid);
	snprintf(threads, sizeof(threads), "%" PRIu32, w->threads);
	draw_cells(p->cv, p->a, p->row++, worker_heads, ARRAY_LEN(worker_heads), cells, STYLE_NORMAL, styles);
}

static void put_workers(struct page *p, const struct health *h)
{
	char heading[48];

	snprintf(heading, sizeof(heading), "Workers: %s%zu", h->workers < HEALTH_WORKERS_MAX ? "" : "the first ",
	         h->workers);
	put_heading(p, heading);
	if (h->workers == 0)
		canvas_put(p->cv, p->a, p->row++, 0, STYLE_NORMAL, "None has reported itself.");
	else
		draw_heads(p->cv, p->a, p->row++, worker_heads, ARRAY_LEN(worker_heads));
	for (size_t i = 0; i < h->workers; i++)
		put_worker(p, &h->worker[i], h->now_s);
}

/* ---- room ---- */

#define BAR_COLUMNS 20
#define HOUR UINT64_C(3600)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

/* Something is never nothing, and only full is full. */
static void put_space(struct page *p, const struct store_space *space)
{
	int percent = space->used < space->limit ? (int)((double)space->used * 100 / (double)space->limit) : 100;
	int full = percent * BAR_COLUMNS / 100 + (space->used > 0 && percent < 100 / BAR_COLUMNS);
	enum style s = percent >= 95 ? STYLE_BAD : percent >= 75 ? STYLE_WARN : STYLE_GOOD;
	char used[NUMBER_TEXT_MAX], limit[NUMBER_TEXT_MAX];
	int bar = LABEL_COLUMNS + 1, row = p->row;

	put_fact(p, "Space", "[%*s] %d %%, %s of %s", BAR_COLUMNS, "", percent, bytes_text(space->used, used),
	         bytes_text(space->limit, limit));
	canvas_glyph(p->cv, p->a, row, bar, STYLE_DIM, GLYPH_BAR_1, BAR_COLUMNS);
	canvas_glyph(p->cv, p->a, row, bar, s, GLYPH_BAR_8, full);
}

static void put_time_left(struct page *p, uint64_t s)
{
	/* Two of a unit at least: no "1 days". */
	static const struct { uint64_t up_to, unit; const char *units; } scales[] = {
		{ 2 * HOUR, 60, "minutes" }, { 2 * DAY, HOUR, "hours" }, { 2 * YEAR, DAY, "days" },
		{ UINT64_MAX, YEAR, "years" },
	};
	const char *rate = "at the rate of the last 24 h";
	size_t i = 0;

	while (i < ARRAY_LEN(scales) - 1 && s >= scales[i].up_to)
		i++;
	if (s == UINT64_MAX)
		put_fact(p, "Time left", "no end in sight %s", rate);
	else if (s > 100 * YEAR)
		put_fact(p, "Time left", "more than 100 years %s", rate);
	else if (s == 0)
		put_fact(p, "Time left", "none: it is full");
	else if (s < 120)
		put_fact(p, "Time left", "less than 2 minutes %s", rate);
	else
		put_fact(p, "Time left", "about %" PRIu64 " %s %s", s / scales[i].unit, scales[i].units, rate);
}

static void put_readers(struct page *p, const struct store_readers *r)
{
	char behind[NUMBER_TEXT_MAX];

	put_fact(p, "Readers", "%u of %u slots in use; the oldest is %s commit%s behind", r->used, r->max,
	         number_text(r->behind, behind), r->behind == 1 ? "" : "s");
}

static void put_checkpoint(struct page *p, const struct health *h)
{
	char covered[NUMBER_TEXT_MAX], records[NUMBER_TEXT_MAX], age[NUMBER_TEXT_MAX];

	if (h->has_checkpoint)
		put_fact(p, "Checkpoint", "the last one covers %s of %s records; age: %s",
		         number_text(h->checkpoint_size, covered), number_text(h->records + h->pruned, records),
		         ago_text(h->checkpoint_at_s, h->now_s, age));
	else
		put_fact(p, "Checkpoint", "none yet");
}

static void put_ledger(struct page *p, const struct health *h)
{
	char all[NUMBER_TEXT_MAX], hour[NUMBER_TEXT_MAX], day[NUMBER_TEXT_MAX];

	put_heading(p, "Ledger");
	put_space(p, &h->space);
	put_time_left(p, h->seconds_left);
	put_fact(p, "Records", "%s; %s in the last hour, %s in the last 24 h", number_text(h->records, all),
	         number_text(h->records_1h, hour), number_text(h->records_24h, day));
	put_checkpoint(p, h);
	put_readers(p, &h->ledger_readers);
}

static void put_vault(struct page *p, const struct health *h)
{
	char size[NUMBER_TEXT_MAX];

	put_heading(p, "Vault");
	put_fact(p, "Space", "%s", bytes_text(h->vault_bytes, size));
	put_readers(p, &h->vault_readers);
}

static void put_installation(struct page *p, const struct health *h, const char *dir)
{
	put_heading(p, "Installation");
	put_fact(p, "Data", "%s", dir);
	put_fact(p, "Postern", "%s", h->version);
	put_fact(p, "Schemas", "vault %" PRIu32 ", ledger %" PRIu32, h->vault_schema, h->ledger_schema);
}

/* ---- the page and its window ---- */

/* Returns the rows it takes. */
static int put_page(struct canvas *cv, struct area a, int row, const struct health_panel *p, const char *dir)
{
	struct page page = { cv, { a.row, a.col + 1, a.rows, a.cols - 2 }, row };
	char heading[CLOCK_TEXT_MAX + 48] = "Health", at[CLOCK_TEXT_MAX];

	if (p->rc != RC_OK)
		snprintf(heading, sizeof(heading), "Health of %s: it cannot be read now", clock_format(p->loaded_us, at));
	put_heading(&page, heading);
	put_warnings(&page, &p->health);
	put_workers(&page, &p->health);
	put_ledger(&page, &p->health);
	put_vault(&page, &p->health);
	put_installation(&page, &p->health, dir);
	return page.row - row;
}

static void draw_window(struct health_panel *p, struct canvas *cv, struct area a, const char *dir)
{
	struct area nowhere = { a.row, a.col, 0, a.cols }, line = area_less(a, a.rows - 1, 0);
	size_t in_all = (size_t)put_page(cv, nowhere, 0, p, dir), first;
	char text[64];

	p->rows = (size_t)a.rows;
	if (in_all > p->rows) {
		a = area_less(a, 0, 1);
		p->rows--;
	}
	p->scroll.count = in_all > p->rows ? in_all - p->rows + 1 : 1;
	list_fit(&p->scroll, p->rows);
	first = p->scroll.selected;
	put_page(cv, a, -(int)first, p, dir);
	if (in_all <= p->rows)
		return;
	snprintf(text, sizeof(text), "lines %zu-%zu of %zu", first + 1, first + p->rows, in_all);
	canvas_put_right(cv, line, 0, 1, STYLE_DIM, text);
}

static void health_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a)
{
	struct health_panel *p = (struct health_panel *)panel;
	struct area in = { a.row, a.col + 1, a.rows, a.cols - 2 };
	char text[sizeof(p->why.text) + 64];

	cv->cursor_row = a.row;
	if (p->loaded) {
		draw_window(p, cv, a, c->dir);
		return;
	}
	draw_rule(cv, a, 0, "Health");
	if (p->rc == RC_OK)
		return;
	snprintf(text, sizeof(text), "Nothing can be read: %s", p->why.text[0] ? p->why.text : rc_text(p->rc));
	canvas_wrap(cv, in, 2, STYLE_BAD, text);
}

/* ---- commands ---- */

static unsigned health_command(struct panel *panel, struct console *c, enum command what)
{
	struct health_panel *p = (struct health_panel *)panel;

	(void)c;
	return list_move(&p->scroll, what, p->rows) ? DO_DRAW : DO_NOTHING;
}

const struct panel_ops health_panel = {
	.name = "Health", .place = PLACE_HEALTH, .make = health_make, .free = health_free, .load = health_load,
	.ages = true, .draw = health_draw, .command = health_command,
};
