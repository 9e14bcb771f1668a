/* record-view.c -- one record of the log, whole: its members, what its reason means, what to do about it, and, when asked
 * for, who is behind its subject. Shown over the panel it was opened from. */
#include "console/tui/console.h"

#include "base/clock.h"

#include <stdlib.h>

#define NAME_COLUMNS 16
#define VALUE_MAX 4096

struct record_view {
	uint64_t seq;
	struct buf line;               /* as it is stored */
	json_t *record;                /* NULL: the line is no JSON object */
	bool named;
	struct audit_identity who;     /* where named */
	int top, rows, total;          /* the first row shown; how many fit; how many there are */
};

void record_free(struct record_view *v)
{
	if (!v)
		return;
	buf_done(&v->line);
	json_decref(v->record);
	secret_wipe(&v->who, sizeof(v->who));
	free(v);
}

void record_open(struct console *c, uint64_t seq)
{
	struct record_view *v = calloc(1, sizeof(*v));
	struct why why = { "" };
	enum rc rc = RC_NOMEM;

	if (v)
		rc = admin_audit_record(c->admin, seq, &v->line, &v->record, &why);
	if (rc != RC_OK) {
		record_free(v);
		console_error(c, rc, REASON_NONE, &why);
		return;
	}
	v->seq = seq;
	record_free(c->record);
	c->record = v;
}

/* ---- drawing: each part returns the row after it; without a canvas it only counts ---- */

static int draw_member(struct canvas *cv, struct area a, int row, const char *name, const char *value)
{
	struct area right = { a.row, a.col + NAME_COLUMNS, a.rows, a.cols - NAME_COLUMNS };
	int rows = canvas_wrap(cv, right, row, STYLE_NORMAL, value);

	if (cv)
		canvas_put(cv, a, row, 0, STYLE_HEADING, name);
	return row + (rows > 1 ? rows : 1);
}

/* Microseconds in words; a number that is no time of this world stays a number. */
static bool is_time(const char *name, const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) > 0 &&
	       (strcmp(name, "time") == 0 || strcmp(name, "first") == 0 || strcmp(name, "last") == 0);
}

static int draw_value(struct canvas *cv, struct area a, int row, const char *name, const json_t *value)
{
	struct buf text = BUF_INIT;
	char at[CLOCK_TEXT_MAX];

	if (json_is_string(value)) {
		buf_add_span(&text, json_span(value));
	} else {
		json_canonical(&text, value);
		if (is_time(name, value))
			buf_addf(&text, "  %s", clock_format((uint64_t)json_integer_value(value), at));
	}
	buf_add_char(&text, '\0');
	row = draw_member(cv, a, row, name, text.failed ? "(out of memory)" : text.data);
	buf_done(&text);
	return row;
}

static int draw_members(struct canvas *cv, struct area a, int row, const json_t *record)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)record, name, value)
		row = draw_value(cv, a, row, name, value);
	return row;
}

static int draw_reason(struct canvas *cv, struct area a, int row, const json_t *record)
{
	const char *name = json_string_value(json_object_get(record, "reason"));
	enum reason r = name ? reason_from_name(name) : REASON_COUNT;
	const char *advice;

	if (!name)
		return row;
	if (r == REASON_COUNT)
		return draw_member(cv, a, row + 1, "What it means", "This version of Postern does not know the reason.");
	row = draw_member(cv, a, row + 1, "What it means", reason_text(r));
	advice = admin_advice(r);
	return advice ? draw_member(cv, a, row, "What to do", advice) : row;
}

static int draw_identity(struct canvas *cv, struct area a, int row, const struct record_view *v, const struct console *c)
{
	if (!json_is_string(json_object_get(v->record, "subject")))
		return row;
	if (!v->named)
		return 1 + draw_member(cv, a, row, "Identity", c->read_only ?
		                       "Not shown: that is recorded, and this console is read-only." :
		                       "i shows the email behind the subject, and records that you asked.");
	row = draw_member(cv, a, row, "Email", v->who.email);
	return 1 + (v->who.name[0] ? draw_member(cv, a, row, "Name", v->who.name) : row);
}

static int draw_all(struct canvas *cv, struct area a, int row, const struct record_view *v, const struct console *c)
{
	struct buf text = BUF_INIT;

	if (v->record) {
		row = draw_identity(cv, a, row, v, c);
		row = draw_members(cv, a, row, v->record);
		return draw_reason(cv, a, row, v->record);
	}
	buf_add_span(&text, buf_span(&v->line));
	buf_add_char(&text, '\0');
	row = draw_member(cv, a, row, "Not a record", text.failed ? "(out of memory)" : text.data);
	buf_done(&text);
	return draw_member(cv, a, row + 1, "What to do", "The log holds a line that Postern does not write: it was altered. "
	                   "Keep a copy of the data directory before anything else.");
}

static void draw_title(struct canvas *cv, struct area a, const struct record_view *v)
{
	char title[96];
	int size = snprintf(title, sizeof(title), "Record %llu", (unsigned long long)v->seq);

	if (v->total > v->rows)
		snprintf(title + size, sizeof(title) - (size_t)size, "  rows %d-%d of %d", v->top + 1, v->top + v->rows, v->total);
	draw_rule(cv, a, 0, title);
}

void record_draw(struct record_view *v, const struct console *c, struct canvas *cv, struct area a)
{
	struct area body = area_less(a, 2, 0);

	body.col++;
	body.cols -= 2;
	v->rows = body.rows;
	v->total = draw_all(NULL, body, 0, v, c);
	if (v->top > v->total - v->rows)
		v->top = v->total - v->rows > 0 ? v->total - v->rows : 0;
	canvas_fill(cv, a, STYLE_NORMAL);
	draw_title(cv, a, v);
	draw_all(cv, body, -v->top, v, c);
	cv->cursor_row = body.row;
	cv->cursor_col = body.col;
}

/* ---- commands ---- */

static unsigned scroll(struct record_view *v, enum command what)
{
	static const struct { enum command what; int lines, pages; } moves[] = {
		{ CMD_UP, -1, 0 }, { CMD_DOWN, 1, 0 }, { CMD_PAGE_UP, 0, -1 }, { CMD_PAGE_DOWN, 0, 1 },
	};
	int most = v->total > v->rows ? v->total - v->rows : 0, to = v->top;

	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		if (moves[i].what == what)
			to += moves[i].lines + moves[i].pages * v->rows;
	}
	if (what == CMD_FIRST)
		to = 0;
	if (what == CMD_LAST || to > most)
		to = most;
	if (to < 0)
		to = 0;
	if (to == v->top)
		return DO_NOTHING;
	v->top = to;
	return DO_DRAW;
}

static unsigned show_identity(struct record_view *v, struct console *c)
{
	struct why why = { "" };
	enum rc rc;

	if (v->named || !console_may_change(c))
		return DO_DRAW;
	rc = admin_audit_identity(c->admin, v->seq, &v->who, &why);
	v->named = rc == RC_OK;
	v->top = 0;            /* where the identity stands */
	if (rc == RC_OK)
		console_say(c, STYLE_WARN, "That you looked at this identity is recorded.");
	else
		console_error(c, rc, REASON_NONE, &why);
	return DO_DRAW;
}

unsigned record_command(struct record_view *v, struct console *c, enum command what)
{
	if (what == CMD_IDENTITY)
		return show_identity(v, c);
	return scroll(v, what);
}
