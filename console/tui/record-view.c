/* record-view.c -- one record of the log, whole: its members, what its reason means, what to do about it, and, when asked
 * for, who is behind its subject. Shown over the panel it was opened from. */
#include "console/tui/console.h"

#include <stdlib.h>

#define NAME_COLUMNS 21                /* "detail.with_identity" */

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

/* ---- drawing: below one another; without a canvas the rows are only counted ---- */

struct page {
	struct canvas *cv;
	struct area a;
	int row;                       /* the next one */
};

static void put_member(void *arg, const char *name, const char *value)
{
	struct page *p = arg;
	struct area right = { p->a.row, p->a.col + NAME_COLUMNS, p->a.rows, p->a.cols - NAME_COLUMNS };
	struct area left = { p->a.row, p->a.col, p->a.rows, NAME_COLUMNS - 1 };
	int rows = canvas_wrap(p->cv, right, p->row, STYLE_NORMAL, value);

	if (p->cv)
		canvas_put(p->cv, left, p->row, 0, STYLE_HEADING, name);
	p->row += rows > 1 ? rows : 1;
}

static void put_reason(struct page *p, const char *name)
{
	enum reason r = reason_from_name(name);

	if (r == REASON_COUNT) {
		put_member(p, "What it means", "This version of Postern does not know the reason.");
		return;
	}
	put_member(p, "What it means", reason_text(r));
	if (admin_advice(r))
		put_member(p, "What to do", admin_advice(r));
}

/* Before the members, which may be more than the screen holds. */
static void put_meaning(struct page *p, const json_t *record)
{
	const char *reason = json_string_value(json_object_get(record, "reason"));
	int from = p->row;

	if (reason)
		put_reason(p, reason);
	if (admin_record_folded(record))
		put_member(p, "Folded", admin_folded);
	p->row += p->row > from;
}

static void put_identity(struct page *p, const struct record_view *v, const struct console *c)
{
	if (!json_is_string(json_object_get(v->record, "subject")))
		return;
	if (v->named) {
		put_member(p, "Email", v->who.email);
		if (v->who.name[0])
			put_member(p, "Name", v->who.name);
	} else {
		put_member(p, "Identity", c->read_only ?
		           "Not shown: that is recorded, and this console is read-only." :
		           "i shows the email behind the subject, and records that you asked.");
	}
	p->row++;
}

static void put_line(struct page *p, const struct record_view *v)
{
	struct buf text = BUF_INIT;

	buf_add_span(&text, buf_span(&v->line));
	buf_add_char(&text, '\0');
	put_member(p, "Not a record", text.failed ? "(out of memory)" : text.data);
	buf_done(&text);
	p->row++;
	put_member(p, "What to do", "The log holds a line that Postern does not write: it was altered. "
	           "Keep a copy of the data directory before anything else.");
}

/* Returns the row after it all. */
static int draw_all(struct canvas *cv, struct area a, int row, const struct record_view *v, const struct console *c)
{
	struct page p = { cv, a, row };

	if (v->record) {
		put_meaning(&p, v->record);
		put_identity(&p, v, c);
		admin_record_members(v->record, put_member, &p);
	} else {
		put_line(&p, v);
	}
	return p.row;
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

	v->top = 0;            /* where the identity stands */
	if (v->named || !console_may_change(c))
		return DO_DRAW;
	rc = admin_audit_identity(c->admin, v->seq, &v->who, &why);
	v->named = rc == RC_OK;
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
