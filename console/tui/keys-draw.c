/* keys-draw.c -- the key ring on the canvas: what is true of the site, three slots, and the keys that were. */
#include "console/tui/panel-keys.h"

#include "base/clock.h"

#define WIDE 112                       /* columns that hold label and fingerprint beside the rest */
#define MARGIN 4                       /* the slots' numbers stand in it */
#define INDENT 11                      /* below the kid */
#define ENDS_SOON (24 * 3600)          /* seconds: tokens signed a day before the end may outlive the key */

static const struct column slot_columns[] = {
	{ "STATE", 10, false }, { "KID", 10, false }, { "CREATED", 10, false }, { "AGE", 7, true },
	{ "LAST USED", 9, true }, { "USES 1 H", 9, true }, { "USES 24 H", 10, true }, { "", 1, false },
	{ "FINGERPRINT", 11, false }, { "LABEL", 0, false },
};
#define NARROW_COLUMNS 7
#define NARROW_WIDTH 71
static const struct column tombstone_columns[] = {
	{ "", 10, false }, { "KID", 10, false }, { "CREATED", 10, false }, { "RETIRED", 10, false },
	{ "FINGERPRINT", 11, false }, { "LABEL", 0, false },
};

const char *moment_text(uint64_t at, char out[MOMENT_TEXT_MAX])
{
	char text[CLOCK_TEXT_MAX];

	clock_format(at * 1000000, text);
	if (strlen(text) != strlen("2026-11-21T03:16:00Z"))    /* a year of this world */
		snprintf(out, MOMENT_TEXT_MAX, "?");
	else
		snprintf(out, MOMENT_TEXT_MAX, "%.10s %.5s UTC", text, text + 11);
	return out;
}

static const char *date_text(uint64_t at, char out[MOMENT_TEXT_MAX])
{
	moment_text(at, out);
	out[strcspn(out, " ")] = '\0';
	return out;
}

static uint64_t now_of(const struct console *c)
{
	return c->now_us / 1000000;
}

/* ---- what is true of the site ---- */

static const char *expiry_text(const struct keys_panel *p, char *out, size_t room)
{
	char number[NUMBER_TEXT_MAX];

	if (p->require_exp)
		return "require_exp is on: a token without exp is blocked.";
	if (!p->expiry_known)
		return "require_exp is off: a token without exp is accepted.";
	snprintf(out, room, "require_exp is off; turned on, it would have blocked %s recent token%s.",
	         p->expiry_missing ? number_text(p->expiry_missing, number) : "no", p->expiry_missing > 1 ? "s" : "");
	return out;
}

/* As admin_key_check() has it; NULL: the ring is in order. */
static const char *problem_text(const struct keys_panel *p)
{
	size_t active = 0;

	for (size_t i = 0; i < p->rows.live; i++)
		active += p->rows.row[i].state == KEY_ACTIVE;
	if (keys_in_use(p) == 0)
		return "NO KEY VERIFIES: every token is blocked. Press c to create a key.";
	if (active == 0)
		return "EVERY KEY HAS AN END: after it all tokens are blocked. Press r to rotate, u to keep one.";
	return NULL;
}

/* Returns the rows taken. */
static int draw_site(const struct keys_panel *p, struct canvas *cv, struct area a)
{
	const char *problem = problem_text(p);
	char text[128], lifetime[NUMBER_TEXT_MAX];
	int row = 1;

	canvas_putf(cv, a, row++, 0, STYLE_NORMAL, "Plan %s.  %zu of %d keys in use.  A token lives at most %s.",
	            plan_name(p->plan), keys_in_use(p), RING_MAX, ago_text(1, 1 + (uint64_t)p->max_lifetime, lifetime));
	canvas_put(cv, a, row++, 0, STYLE_NORMAL, expiry_text(p, text, sizeof(text)));
	if (problem)
		row += canvas_wrap(cv, a, row, STYLE_BAD, problem);
	return row;
}

/* ---- where things are: lines from the top of the list, heads included ---- */

static bool has_end(const struct key_row *r)
{
	return r->key.retire_at != 0;
}

static int slot_rows(const struct keys_panel *p, size_t slot, bool wide)
{
	const struct key_row *r = keys_row(p, slot);

	return r ? 2 + !wide + has_end(r) : 1;
}

static int item_rows(const struct keys_panel *p, size_t item, bool wide)
{
	return item < RING_MAX ? slot_rows(p, item, wide) : 1;
}

/* A blank line follows each slot, heads precede the tombstones. */
static int item_top(const struct keys_panel *p, size_t item, bool wide)
{
	int row = 1;

	for (size_t i = 0; i < item && i < RING_MAX; i++)
		row += slot_rows(p, i, wide) + 1;
	return item < RING_MAX ? row : row + 1 + (int)(item - RING_MAX);
}

/* So that the selected item shows, with the heads above it where it is the first below them. */
static void fit_scroll(struct keys_panel *p, int rows, bool wide)
{
	size_t at = p->list.selected, last = p->list.count - 1;
	int top = item_top(p, at, wide), bottom = top + item_rows(p, at, wide);
	int most = item_top(p, last, wide) + item_rows(p, last, wide) - rows;

	if (at == 0 || at == RING_MAX)
		top--;
	if (p->scroll > most)
		p->scroll = most;
	if (p->scroll < bottom - rows)
		p->scroll = bottom - rows;
	if (p->scroll > top)
		p->scroll = top;
	if (p->scroll < 0)
		p->scroll = 0;
}

/* ---- the slots ---- */

#define STATE_TEXT_MAX 32

/* What a state looks like, told apart without colour. */
static enum style state_text(const struct key_row *r, bool utf8, char out[STATE_TEXT_MAX])
{
	static const struct { const char *sign; enum style style; } looks_of[] = {
		[KEY_ACTIVE] = { NULL, STYLE_GOOD }, [KEY_RETIRING] = { "r", STYLE_WARN },
		[KEY_RETIRED] = { "x", STYLE_DIM },
	};
	const char *sign = looks_of[r->state].sign;

	if (!sign)
		sign = glyph_text(GLYPH_SLOT_USED, utf8);
	snprintf(out, STATE_TEXT_MAX, "%s %s", sign, key_state_name(r->state));
	return looks_of[r->state].style;
}

static void draw_columns(struct canvas *cv, struct area a, int row, const struct key_row *r, bool use_known, bool wide,
                         uint64_t now)
{
	char state[STATE_TEXT_MAX], made[MOMENT_TEXT_MAX], age[NUMBER_TEXT_MAX], used[NUMBER_TEXT_MAX];
	char hour[NUMBER_TEXT_MAX], day[NUMBER_TEXT_MAX];
	enum style styles[ARRAY_LEN(slot_columns)] = { state_text(r, cv->utf8, state), STYLE_STRONG };
	const char *cells[] = {
		state, r->key.kid, date_text(r->key.created_at, made), ago_text(r->key.created_at, now, age),
		use_known ? ago_text(r->use.last_used_at, now, used) : "?",
		use_known ? number_text(r->use.uses_1h, hour) : "?",
		use_known ? number_text(r->use.uses_24h, day) : "?", "", r->key.fingerprint, r->key.label,
	};

	draw_cells(cv, a, row, slot_columns, wide ? ARRAY_LEN(slot_columns) : NARROW_COLUMNS, cells, STYLE_NORMAL,
	           styles);
}

static void draw_label(struct canvas *cv, struct area a, int row, const struct key_row *r)
{
	struct area left = { a.row, a.col + INDENT, a.rows, NARROW_WIDTH - INDENT - 21 };
	struct area whole = { a.row, a.col, a.rows, NARROW_WIDTH };
	char text[KEY_FINGERPRINT_MAX + 16];
	bool none = !r->key.label[0];

	canvas_put(cv, left, row, 0, none ? STYLE_DIM : STYLE_NORMAL, none ? "(no label)" : r->key.label);
	snprintf(text, sizeof(text), "fingerprint %s", r->key.fingerprint);
	canvas_put_right(cv, whole, row, 0, STYLE_DIM, text);
}

static void draw_end(struct canvas *cv, struct area a, int row, const struct key_row *r, uint64_t now)
{
	bool used = r->use.uses_1h > 0 && r->key.retire_at <= now + ENDS_SOON;
	char left[NUMBER_TEXT_MAX], moment[MOMENT_TEXT_MAX];

	moment_text(r->key.retire_at, moment);
	if (r->key.retire_at > now)
		canvas_putf(cv, a, row, INDENT, used ? STYLE_BAD : STYLE_WARN, "%s left: verifies until %s%s",
		            ago_text(now, r->key.retire_at, left), moment, used ? ", STILL USED" : "");
	else
		canvas_putf(cv, a, row, INDENT, STYLE_WARN, "stopped at %s; its secret is not deleted yet", moment);
}

static void draw_slot(const struct keys_panel *p, struct canvas *cv, struct area a, int row, size_t slot, bool wide,
                      uint64_t now)
{
	const struct key_row *r = keys_row(p, slot);
	struct area in = { a.row, a.col + MARGIN, a.rows, a.cols - MARGIN };
	char use[KEY_USE_TEXT_MAX];

	canvas_putf(cv, a, row, 1, STYLE_STRONG, "%zu", slot + 1);
	if (!r) {
		canvas_putf(cv, in, row, 0, STYLE_DIM, "%s free", glyph_text(GLYPH_SLOT_FREE, cv->utf8));
		return;
	}
	draw_columns(cv, in, row++, r, !p->rows.use_unknown, wide, now);
	if (!wide)
		draw_label(cv, in, row++, r);
	if (has_end(r))
		draw_end(cv, in, row++, r, now);
	canvas_put(cv, in, row, INDENT, STYLE_NORMAL, key_use_text(&p->rows, slot, now, use));
}

static void draw_tombstone_heads(const struct keys_panel *p, struct canvas *cv, struct area a, int row)
{
	draw_heads(cv, a, row, tombstone_columns, ARRAY_LEN(tombstone_columns));
	canvas_putf(cv, a, row, 0, STYLE_HEADING, "%zu RETIRED", p->list.count - RING_MAX);
}

static void draw_tombstone(struct canvas *cv, struct area a, int row, const struct key_row *r)
{
	char made[MOMENT_TEXT_MAX], retired[MOMENT_TEXT_MAX];
	const char *cells[] = {
		"x retired", r->key.kid, date_text(r->key.created_at, made), date_text(r->key.retire_at, retired),
		r->key.fingerprint, r->key.label,
	};

	draw_cells(cv, a, row, tombstone_columns, ARRAY_LEN(tombstone_columns), cells, STYLE_DIM, NULL);
}

/* ---- all of it ---- */

static void draw_items(struct keys_panel *p, const struct console *c, struct canvas *cv, struct area a, bool wide)
{
	struct area in = { a.row, a.col + MARGIN, a.rows, a.cols - MARGIN };

	p->visible = 0;
	for (size_t i = 0; i < p->list.count; i++) {
		int row = item_top(p, i, wide) - p->scroll, rows = item_rows(p, i, wide);

		if (row >= a.rows)
			break;
		p->visible += row >= 0 && row + rows <= a.rows;
		if (i < RING_MAX)
			draw_slot(p, cv, a, row, i, wide, now_of(c));
		else if (row >= 0)
			draw_tombstone(cv, in, row, keys_row(p, i));
	}
}

/* In the rule above: what is not on the screen. */
static void draw_more(const struct keys_panel *p, struct canvas *cv, struct area rule, int rows, bool wide)
{
	size_t last = p->list.count - 1;
	bool below = item_top(p, last, wide) + item_rows(p, last, wide) - p->scroll > rows;

	if (p->scroll > 0 || below)
		canvas_put_right(cv, rule, 0, 2, STYLE_DIM, !below ? " more above " :
		                 p->scroll > 0 ? " more above and below " : " more below ");
}

static void draw_list(struct keys_panel *p, const struct console *c, struct canvas *cv, struct area rule, struct area a)
{
	struct area in = { a.row, a.col + MARGIN, a.rows, a.cols - MARGIN };
	bool wide = a.cols >= WIDE;

	p->list.count = RING_MAX + (p->rows.count - p->rows.live);
	list_fit(&p->list, p->list.count);
	fit_scroll(p, a.rows, wide);
	draw_heads(cv, in, -p->scroll, slot_columns, wide ? ARRAY_LEN(slot_columns) : NARROW_COLUMNS);
	if (p->list.count > RING_MAX)
		draw_tombstone_heads(p, cv, in, item_top(p, RING_MAX, wide) - 1 - p->scroll);
	draw_items(p, c, cv, a, wide);
	draw_selected(cv, a, item_top(p, p->list.selected, wide) - p->scroll);
	draw_more(p, cv, rule, a.rows, wide);
}

/* Instead of a ring. */
static void draw_failure(const struct keys_panel *p, struct canvas *cv, struct area a)
{
	static const char until[] = "\nUntil they can be, requests with a token are answered 503 vault_unavailable.";
	bool unreadable = p->rc == RC_UNSEALED || p->rc == RC_CORRUPT;
	char text[sizeof(p->why.text) + 160];

	if (p->rc == RC_REFUSED && p->reason == REASON_SITE_UNKNOWN)
		snprintf(text, sizeof(text), "There is no site %s. Choose another: 1, then Enter.", p->site);
	else
		snprintf(text, sizeof(text), "%s%s", p->why.text[0] ? p->why.text : rc_text(p->rc),
		         unreadable ? until : "");
	canvas_wrap(cv, a, 2, STYLE_BAD, text);
}

void keys_draw(struct panel *panel, const struct console *c, struct canvas *cv, struct area a)
{
	struct keys_panel *p = (struct keys_panel *)panel;
	struct area in = { a.row, a.col + 1, a.rows, a.cols - 2 };
	char title[SITE_ID_MAX + SITE_TEXT_MAX + 8];

	snprintf(title, sizeof(title), "%s%s%s", p->site[0] ? p->site : "Keys", p->name[0] ? "  " : "", p->name);
	draw_rule(cv, a, 0, title);
	if (!p->site[0])
		canvas_wrap(cv, in, 2, STYLE_NORMAL, "Choose a site first: 1, then Enter.");
	else if (p->rc != RC_OK)
		draw_failure(p, cv, in);
	else
		draw_list(p, c, cv, a, area_less(in, draw_site(p, cv, in) + 1, 0));
}
