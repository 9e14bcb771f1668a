/* test_screens_keys.c -- the screens of Keys: rings, what asks before a change, and the secret. */
#include "tests/unit/tui/golden.h"

#include "console/tui/panel-keys.h"
#include "tests/lib/tmpadmin.h"

#define DAY UINT64_C(86400)
#define HOUR UINT64_C(3600)

/* ---- rings ---- */

static struct keys_panel *keys_of(struct console *c)
{
	struct keys_panel *p = (struct keys_panel *)c->panel[PANEL_KEYS];

	c->at = PANEL_KEYS;
	snprintf(c->site, sizeof(c->site), "demo");
	snprintf(p->site, sizeof(p->site), "demo");
	snprintf(p->name, sizeof(p->name), "Demo shop");
	p->plan = PLAN_PRO;
	p->max_lifetime = 86400;
	p->expiry_known = true;
	p->rows.ring = 7;
	p->loaded_us = c->now_us;
	p->list.count = RING_MAX;
	return p;
}

static struct key_row *add_key(struct keys_panel *p, const char *kid, const char *label, uint64_t age_s)
{
	struct key_row *r;

	p->rows.row = realloc(p->rows.row, (p->rows.count + 1) * sizeof(*p->rows.row));
	assert_non_null(p->rows.row);
	r = &p->rows.row[p->rows.count++];
	*r = (struct key_row){ .key = { .created_at = GOLDEN_NOW - age_s } };
	snprintf(r->key.kid, sizeof(r->key.kid), "%s", kid);
	snprintf(r->key.label, sizeof(r->key.label), "%s", label);
	snprintf(r->key.fingerprint, sizeof(r->key.fingerprint), "%08x", (unsigned)(age_s * 2654435761U));
	return r;
}

static struct key_row *add_live(struct keys_panel *p, const char *kid, const char *label, uint64_t age_s)
{
	p->rows.live++;
	return add_key(p, kid, label, age_s);
}

static void add_tombstone(struct keys_panel *p, const char *kid, const char *label, uint64_t age_s,
                          uint64_t retired_ago_s)
{
	struct key_row *r = add_key(p, kid, label, age_s);

	r->tombstone = true;
	r->state = KEY_RETIRED;
	r->key.retire_at = GOLDEN_NOW - retired_ago_s;
	p->list.count++;
}

static void use(struct key_row *r, uint64_t ago_s, uint64_t in_1h, uint64_t in_24h)
{
	r->use = (struct key_use){ .last_used_at = GOLDEN_NOW - ago_s, .uses_1h = in_1h, .uses_24h = in_24h };
}

static void retiring(struct key_row *r, uint64_t in_s)
{
	r->state = KEY_RETIRING;
	r->key.retire_at = GOLDEN_NOW + in_s;
}

/* An active key in use, one that nobody used yet, one that retires; and two that were. */
static struct keys_panel *ring(struct console *c)
{
	struct keys_panel *p = keys_of(c);

	use(add_live(p, "k_7f3aqc2d", "shop backend", 41 * DAY), 3, 1204, 28112);
	add_live(p, "k_bm2xw4ye", "", 2 * HOUR);
	use(add_live(p, "k_q5hznt3a", "old backend", 400 * DAY), 26 * HOUR, 0, 0);
	retiring(&p->rows.row[2], 47 * HOUR);
	add_tombstone(p, "k_aaaabbbb", "first", 700 * DAY, 401 * DAY);
	add_tombstone(p, "k_ccccdddd", "", 720 * DAY, 700 * DAY);
	p->expiry_missing = 12;
	return p;
}

/* The same with a free slot. */
static struct keys_panel *ring_of_two(struct console *c)
{
	struct keys_panel *p = keys_of(c);

	use(add_live(p, "k_7f3aqc2d", "shop backend", 41 * DAY), 3, 1204, 28112);
	use(add_live(p, "k_q5hznt3a", "old backend", 400 * DAY), 26 * HOUR, 0, 0);
	return p;
}

static void full(struct console *c)
{
	ring(c);
}

static void empty(struct console *c)
{
	keys_of(c)->require_exp = true;
}

static void one(struct console *c)
{
	use(add_live(keys_of(c), "k_7f3aqc2d", "", 59), 1, 1, 1);
}

static void no_site(struct console *c)
{
	c->at = PANEL_KEYS;
}

/* None has no end; one is past it. */
static void ending(struct console *c)
{
	struct keys_panel *p = keys_of(c);

	retiring(add_live(p, "k_7f3aqc2d", "shop backend", 41 * DAY), 59);
	use(&p->rows.row[0], 3, 1204, 28112);
	retiring(add_live(p, "k_bm2xw4ye", "other", 3 * DAY), 30 * DAY);
	retiring(add_live(p, "k_q5hznt3a", "gone", 9 * DAY), 0);
	p->rows.row[2].state = KEY_RETIRED;
	p->rows.row[2].key.retire_at -= 61;
	p->list.selected = 2;
}

static void many_tombstones(struct console *c)
{
	struct keys_panel *p = ring(c);
	char kid[KID_MAX];

	for (unsigned i = 0; i < 30; i++) {
		snprintf(kid, sizeof(kid), "k_%c%caaaaaa", 'a' + (int)i / 26, 'a' + (int)i % 26);
		add_tombstone(p, kid, "rotated", (800 + i) * DAY, (750 + i) * DAY);
	}
	p->list.selected = 20;
}

#define JAPAN "\u65e5\u672c\u8a9e"      /* of two columns each */

static void hostile(struct console *c)
{
	struct keys_panel *p = keys_of(c);

	snprintf(p->name, sizeof(p->name), "\x1b]0;title\a \u202egnp.exe \u65e5\u672c");
	use(add_live(p, "k_7f3aqc2d", "\x1b[2J\n\xff\u200b", UINT64_C(0) - 1), 0, UINT64_MAX, UINT64_MAX);
	use(add_live(p, "k_bm2xw4ye", JAPAN JAPAN JAPAN JAPAN JAPAN JAPAN, 1), GOLDEN_NOW, 0, 0);
	p->rows.row[1].key.created_at = UINT64_MAX;
	retiring(&p->rows.row[1], UINT64_MAX - GOLDEN_NOW);
	add_tombstone(p, "k_aaaabbbb", "\u202e\u2066 e\u0301\u0301\u0301\u0301", 700 * DAY, 401 * DAY);
	p->expiry_missing = UINT64_MAX;
}

static void read_only(struct console *c)
{
	c->read_only = "--read-only was given.";
	ring_of_two(c);
	golden_presses(c, "c");
}

static void site_gone(struct console *c)
{
	struct keys_panel *p = keys_of(c);

	p->rc = RC_REFUSED;
	p->reason = REASON_SITE_UNKNOWN;
	console_error(c, p->rc, p->reason, &p->why);
}

static void unsealed(struct console *c)
{
	struct keys_panel *p = keys_of(c);

	p->rc = RC_UNSEALED;
	why_set(&p->why, "the keys of site %s cannot be read: %s", p->site, rc_text(p->rc));
	console_error(c, p->rc, p->reason, &p->why);
}

/* ---- what asks, and what is refused ---- */

static void create(struct console *c)
{
	ring_of_two(c);
	golden_presses(c, "cmobile app");
}

static void create_refused(struct console *c)
{
	ring(c);
	golden_presses(c, "c");
}

static void rotate(struct console *c)
{
	ring_of_two(c);
	golden_presses(c, "r");
}

static void rotate_retiring(struct console *c)
{
	struct keys_panel *p = ring_of_two(c);

	retiring(&p->rows.row[0], 30 * HOUR);
	golden_presses(c, "r");
}

static void rotate_which(struct console *c)
{
	ring_of_two(c)->list.selected = 2;
	golden_presses(c, "r");
}

static void retire_unused(struct console *c)
{
	ring(c)->list.selected = 2;
	golden_presses(c, "t");
}

static void retire_used(struct console *c)
{
	ring(c);
	golden_presses(c, "t");
}

/* The wrong site was typed. */
static void retire_last(struct console *c)
{
	one(c);
	golden_presses(c, "t\nacme\n");
	console_press(c, PRESS_TAB);
	golden_presses(c, "\n");
}

static void retire_gone(struct console *c)
{
	ring(c)->list.selected = 4;
	golden_presses(c, "t");
}

static void retire_hostile(struct console *c)
{
	hostile(c);
	golden_presses(c, "t");
}

static void keep(struct console *c)
{
	ring(c)->list.selected = 2;
	golden_presses(c, "u");
}

static void keep_nothing(struct console *c)
{
	ring(c);
	golden_presses(c, "u");
}

static void choose_site(struct console *c)
{
	ring(c);
	golden_presses(c, "s");
}

/* ---- the secret: made for real; what chance and the clock made of it is made the same again ---- */

static void replace(struct dialog *d, const char *from, const char *to)
{
	char *const texts[] = { d->title, d->text.data };
	size_t size = strlen(to);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (char *at = texts[i]; (at = strstr(at, from)); at += size)
			memcpy(at, to, size);
}

/* The moment behind "until ". */
static void settle_moment(struct dialog *d)
{
	char *at = strstr(d->text.data, "until ");

	assert_non_null(at);
	memcpy(at + 6, "2025-11-23 01:53 UTC", 20);
}

static struct tmpadmin *real_data(struct console *c)
{
	struct keys_panel *p = keys_of(c);
	struct tmpadmin *t = tmpadmin_new();

	assert_non_null(t);
	snprintf(p->site, sizeof(p->site), "acme");
	p->rows.ring = 0;              /* as it is then */
	c->admin = t->a;
	return t;
}

static void accept(struct console *c)
{
	assert_non_null(c->dialog);
	while (c->dialog->focus != c->dialog->fields + 1)
		console_press(c, PRESS_TAB);
	console_press(c, PRESS_ENTER);
	assert_true(c->dialog && c->dialog->secret);
	replace(c->dialog, ((struct keys_panel *)c->panel[PANEL_KEYS])->made.kid, "k_newnewne");
	c->admin = NULL;
}

static void secret(struct console *c)
{
	struct tmpadmin *t = real_data(c);

	golden_presses(c, "c");
	accept(c);
	tmpadmin_free(t);
}

static void secret_rotated(struct console *c)
{
	struct tmpadmin *t = real_data(c);
	struct key old;

	assert_int_equal(admin_key_create(t->a, "acme", "", &old, &t->reason, &t->why), RC_OK);
	add_live((struct keys_panel *)c->panel[PANEL_KEYS], old.kid, "shop backend", DAY);
	golden_presses(c, "r");
	accept(c);
	replace(c->dialog, old.kid, "k_oldoldol");
	settle_moment(c->dialog);
	key_done(&old);
	tmpadmin_free(t);
}

static const struct screen screens[] = {
	{ .name = "full", .prepare = full },
	{ .name = "empty", .prepare = empty },
	{ .name = "one", .prepare = one },
	{ .name = "no-site", .prepare = no_site },
	{ .name = "ending", .prepare = ending },
	{ .name = "many-tombstones", .prepare = many_tombstones },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "read-only", .prepare = read_only },
	{ .name = "site-gone", .prepare = site_gone },
	{ .name = "unsealed", .prepare = unsealed },
	{ .name = "create", .prepare = create },
	{ .name = "create-refused", .prepare = create_refused },
	{ .name = "rotate", .prepare = rotate },
	{ .name = "rotate-retiring", .prepare = rotate_retiring },
	{ .name = "rotate-which", .prepare = rotate_which },
	{ .name = "retire-unused", .prepare = retire_unused },
	{ .name = "retire-used", .prepare = retire_used },
	{ .name = "retire-last", .prepare = retire_last },
	{ .name = "retire-gone", .prepare = retire_gone },
	{ .name = "retire-hostile", .prepare = retire_hostile },
	{ .name = "keep", .prepare = keep },
	{ .name = "keep-nothing", .prepare = keep_nothing },
	{ .name = "choose-site", .prepare = choose_site },
	{ .name = "secret", .prepare = secret },
	{ .name = "secret-rotated", .prepare = secret_rotated },
};

int main(void)
{
	secret_process_init();
	return golden_run("keys", screens, ARRAY_LEN(screens));
}
