/* panel-token.c -- the token debugger: one pastes a token and sees what the gate would say of it, check by check.
 *
 * Nothing is recorded by looking. The token lies in a struct secret, is drawn only where it is typed, and goes when it is
 * forgotten, when the site is another, and at the end. */
#include "console/tui/panel-token.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define PASTE_MAX (TOKEN_MAX + 256)    /* with "Authorization: Bearer " and spaces; a longer one shows as too long */
#define NAME_COLUMNS 10

static struct token_panel *token_panel_of(struct panel *p)
{
	return (struct token_panel *)p;
}

static void forget(struct token_panel *p)
{
	secret_free(p->token);
	p->token = NULL;
	explained_done(&p->result);
	p->checked_us = 0;
	p->trouble.text[0] = '\0';
	p->top = (struct list){ 0 };
}

static struct panel *token_make(void)
{
	struct token_panel *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->panel.ops = &token_panel;
	return &p->panel;
}

static void token_free(struct panel *panel)
{
	if (panel)
		forget(token_panel_of(panel));
	free(panel);
}

/* ---- loading ---- */

/* What was known before stays where it cannot be known anew. That is said once, not each second, and stands beside
 * it. */
static void note_trouble(struct token_panel *p, struct console *c, enum rc rc, enum reason reason,
                         const struct why *why)
{
	const char *text = rc == RC_REFUSED ? reason_text(reason) : why->text[0] ? why->text : rc_text(rc);

	if (strcmp(p->trouble.text, text) == 0)
		return;
	console_error(c, rc, reason, why);
	snprintf(p->trouble.text, sizeof(p->trouble.text), "%s", text);
}

static void explain(struct token_panel *p, struct console *c)
{
	struct explained result = { 0 };
	enum reason reason = REASON_NONE;
	struct why why = { "" };
	enum rc rc = admin_token_explain(c->admin, p->site, secret_span(p->token), &result, &reason, &why);

	if (rc != RC_OK) {
		note_trouble(p, c, rc, reason, &why);
		return;
	}
	explained_done(&p->result);
	p->result = result;
	p->checked_us = c->now_us;
	p->trouble.text[0] = '\0';
}

static void token_load(struct panel *panel, struct console *c)
{
	struct token_panel *p = token_panel_of(panel);

	if (strcmp(p->site, c->site) != 0) {
		forget(p);
		memcpy(p->site, c->site, sizeof(p->site));
	}
	if (p->token)
		explain(p, c);
}

/* ---- drawing: each part is put below the one before ---- */

struct page {
	struct canvas *cv;
	struct area a;
	int row;                       /* of the area; below zero: scrolled out of it */
};

static void add_text(struct page *g, int indent, enum style s, const char *text)
{
	struct area a = { g->a.row, g->a.col + indent, g->a.rows, g->a.cols - indent };
	int rows = canvas_wrap(g->cv, a, g->row, s, text);

	g->row += rows > 0 ? rows : 1;
}

static void add_member(struct page *g, const char *name, enum style s, const char *text)
{
	canvas_put(g->cv, g->a, g->row, 0, STYLE_HEADING, name);
	add_text(g, NAME_COLUMNS, s, text);
}

static void add_heading(struct page *g, const char *text)
{
	draw_rule(g->cv, g->a, g->row + 1, text);
	g->row += 2;
}

static void add_decision(struct page *g, const struct explained *e)
{
	static const struct { const char *word; enum style style; } words[] = {
		[DECISION_BLOCKED] = { "BLOCKED", STYLE_BAD },
		[DECISION_ANONYMOUS] = { "ANONYMOUS", STYLE_WARN },
		[DECISION_VERIFIED] = { "VERIFIED", STYLE_GOOD },
	};
	char text[64];

	if (e->decision == DECISION_VERIFIED) {
		add_member(g, "Decision", words[e->decision].style, words[e->decision].word);
		return;
	}
	snprintf(text, sizeof(text), "%s: %s", words[e->decision].word, reason_name(e->reason));
	add_member(g, "Decision", words[e->decision].style, text);
	add_text(g, NAME_COLUMNS, STYLE_NORMAL, reason_text(e->reason));
}

/* Without exp it is iat that ends it, and without both nothing. */
static void add_end(struct page *g, const struct explained *e, uint64_t now_s)
{
	const struct identity *who = &e->identity;
	char text[CLOCK_TEXT_MAX + NUMBER_TEXT_MAX + 16], at[CLOCK_TEXT_MAX], left[NUMBER_TEXT_MAX];

	if (!who->has_expiry) {
		add_member(g, "Ends", STYLE_WARN, json_object_get(e->claims, "iat") ?
		           "when iat is too long ago for the site: the token has no exp" :
		           "never: the token has neither exp nor iat");
		return;
	}
	clock_format(who->expires_at * 1000000, at);
	snprintf(text, sizeof(text), "%s, in %s", at, ago_text(now_s, who->expires_at, left));
	add_member(g, "Ends", STYLE_NORMAL, text);
}

/* Of anybody but a verified visitor nothing is pinned, whatever the claims say. */
static void add_identity(struct page *g, const struct explained *e, uint64_t now_s)
{
	const struct identity *who = &e->identity;

	if (e->decision != DECISION_VERIFIED) {
		add_member(g, "Identity", STYLE_NORMAL, e->decision == DECISION_ANONYMOUS ?
		           "none: public actions run, as anonymous" : "none: nothing runs, not even as anonymous");
		return;
	}
	add_member(g, "Email", STYLE_STRONG, who->email);
	add_member(g, "Name", STYLE_NORMAL, who->name[0] ? who->name : "-");
	add_member(g, "User id", STYLE_NORMAL, who->user_id[0] ? who->user_id : "-");
	add_end(g, e, now_s);
}

static void add_token(struct page *g, const struct token_panel *p)
{
	const struct explained *e = &p->result;
	char text[160], size[NUMBER_TEXT_MAX], at[CLOCK_TEXT_MAX];

	clock_format(p->checked_us, at);
	if (e->token_size)
		snprintf(text, sizeof(text), "%s bytes, %s in the audit log; checked %s",
		         number_text(e->token_size, size), e->token, at);
	else
		snprintf(text, sizeof(text), "none was found in what was pasted; checked %s", at);
	add_member(g, "Token", STYLE_NORMAL, text);
	if (p->trouble.text[0])
		add_member(g, "But now", STYLE_BAD, p->trouble.text);
}

static const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

#define VERDICT_COLUMNS 12             /* "not checked" */
#define CHECK_COLUMNS 16               /* "expiry_required" */

static void add_check(struct page *g, const json_t *check)
{
	static const struct { const char *verdict, *word; enum style style; } words[] = {
		{ "passed", "passed", STYLE_GOOD },
		{ "failed", "FAILED", STYLE_BAD },
		{ "not_checked", "not checked", STYLE_DIM },
	};
	const char *verdict = member_text(check, "verdict"), *reason = member_text(check, "reason");
	char text[256];
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(words) && strcmp(words[i].verdict, verdict) != 0)
		i++;
	canvas_put(g->cv, g->a, g->row, 0, words[i].style, words[i].word);
	canvas_put(g->cv, g->a, g->row, VERDICT_COLUMNS, STYLE_NORMAL, member_text(check, "check"));
	if (*reason)
		snprintf(text, sizeof(text), "%s: %s", reason, member_text(check, "what"));
	else
		snprintf(text, sizeof(text), "%s", member_text(check, "what"));
	add_text(g, VERDICT_COLUMNS + CHECK_COLUMNS, words[i].style, text);
}

static void add_checks(struct page *g, const struct explained *e)
{
	json_t *one;
	size_t i;

	add_heading(g, "Checks");
	json_array_foreach(e->checks, i, one)
		add_check(g, one);
}

static void add_hints(struct page *g, const struct explained *e)
{
	json_t *one;
	size_t i;

	if (json_array_size(e->hints) > 0)
		add_heading(g, "Hints");
	json_array_foreach(e->hints, i, one) {
		canvas_put(g->cv, g->a, g->row, 0, STYLE_NORMAL, "-");
		add_text(g, 2, STYLE_NORMAL, json_string_value(one));
	}
}

static bool is_signed(const struct explained *e)
{
	json_t *one;
	size_t i;

	json_array_foreach(e->checks, i, one)
		if (strcmp(member_text(one, "check"), "signature") == 0)
			return strcmp(member_text(one, "verdict"), "passed") == 0;
	return false;
}

/* What the site or anybody else wrote into it. Where the terminal knows only ASCII a character shows as its number. */
static void add_part(struct page *g, const char *name, const struct explained *e, const json_t *part)
{
	char title[80];
	char *text;

	if (!part)
		return;
	snprintf(title, sizeof(title), is_signed(e) ? "%s: verified, the signature is right" :
	         "%s: UNVERIFIED, anybody may have written this", name);
	add_heading(g, title);
	text = json_dumps(part, JSON_INDENT(2) | JSON_ENCODE_ANY | (g->cv->utf8 ? 0 : JSON_ENSURE_ASCII));
	add_text(g, 0, STYLE_NORMAL, text ? text : "(out of memory)");
	free(text);
}

/* Returns the rows it takes. */
static int draw_result(const struct token_panel *p, const struct console *c, struct canvas *cv, struct area a, int row)
{
	struct page g = { .cv = cv, .a = a, .row = row };

	add_decision(&g, &p->result);
	add_identity(&g, &p->result, c->now_us / 1000000);
	add_token(&g, p);
	add_hints(&g, &p->result);          /* what to do, before all that was looked at */
	add_checks(&g, &p->result);
	add_part(&g, "Header", &p->result, p->result.header);
	add_part(&g, "Claims", &p->result, p->result.claims);
	return g.row - row;
}

static void draw_scrolled(struct token_panel *p, const struct console *c, struct canvas *cv, struct area a)
{
	struct area nothing = { a.row, a.col, 0, a.cols };
	int total = draw_result(p, c, cv, nothing, 0), most = total > a.rows ? total - a.rows : 0;
	char text[48];

	p->rows = (size_t)a.rows;
	p->top.count = (size_t)most + 1;
	list_fit(&p->top, 1);
	draw_result(p, c, cv, a, -(int)p->top.selected);
	cv->cursor_row = a.row;
	cv->cursor_col = a.col;
	if (most == 0)
		return;
	snprintf(text, sizeof(text), " rows %zu-%zu of %d ", p->top.selected + 1, p->top.selected + p->rows, total);
	canvas_put_right(cv, (struct area){ a.row - 1, a.col, 1, a.cols }, 0, 1, STYLE_DIM, text);
}

static void draw_nothing(const struct token_panel *p, struct canvas *cv, struct area a)
{
	static const char no_site[] =
		"No site is chosen.\n\n"
		"Press s to name the site the token is for, or 1 to choose it from the list.";
	static const char no_token[] =
		"Press Enter, and paste a visitor's token: here you see what Postern makes of it, check by check.\n\n"
		"Nothing is recorded by this. The token is forgotten when you press x, when you choose another site, "
		"and when the console ends.";

	if (p->trouble.text[0])
		canvas_wrap(cv, a, 1, STYLE_BAD, p->trouble.text);
	else
		canvas_wrap(cv, a, 1, STYLE_NORMAL, p->site[0] ? no_token : no_site);
}

static void token_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a)
{
	struct token_panel *p = token_panel_of(panel);
	struct area in = area_less(a, 1, 0);
	char title[SITE_ID_MAX + 32];

	snprintf(title, sizeof(title), p->site[0] ? "Token at site %s" : "Token", p->site);
	draw_rule(cv, a, 0, title);
	in.col++;
	in.cols -= 2;
	if (p->result.checks)
		draw_scrolled(p, c, cv, in);
	else
		draw_nothing(p, cv, in);
}

/* ---- commands ---- */

static void token_typed(struct console *c, struct dialog *d, bool accepted)
{
	struct token_panel *p = d->arg;
	const struct text_field *typed = &d->field[0].text;

	if (!accepted || typed->size == 0)
		return;
	forget(p);
	p->token = secret_copy(span_of(typed->text, typed->size));
	if (p->token)
		console_reload(c);
	else
		console_error(c, RC_NOMEM, REASON_NONE, NULL);
}

static unsigned type_token(struct token_panel *p, struct console *c)
{
	if (!p->site[0]) {
		console_say(c, STYLE_WARN, "Choose a site first: press s.");
		return DO_DRAW;
	}
	console_prompt(c, &(struct prompt){
		.title = "Check a token", .accept = "Check", .label = "Token", .max = PASTE_MAX,
		.help = "Paste it, with or without \"Bearer\" before it. Nothing of it is kept on disk, or recorded.",
		.done = token_typed, .arg = p });
	return DO_DRAW;
}

static unsigned forget_token(struct token_panel *p, struct console *c)
{
	if (!p->token && !p->result.checks)
		return DO_NOTHING;
	forget(p);
	console_say(c, STYLE_NORMAL, "The token is forgotten.");
	return DO_DRAW;
}

static unsigned token_command(struct panel *panel, struct console *c, enum command what)
{
	struct token_panel *p = token_panel_of(panel);

	switch (what) {
	case CMD_TYPE_TOKEN:
		return type_token(p, c);
	case CMD_FORGET_TOKEN:
		return forget_token(p, c);
	default:
		return list_move(&p->top, what, p->rows) ? DO_DRAW : DO_NOTHING;
	}
}

const struct panel_ops token_panel = {
	.name = "Token", .place = PLACE_TOKEN, .make = token_make, .free = token_free, .load = token_load, .ages = true,
	.draw = token_draw, .command = token_command,
};
