/* test_screens_live.c -- the screens of Live. */
#include "tests/unit/tui/golden.h"

#include "console/tui/panel-live.h"

#define SECOND UINT64_C(1000000)
#define NOW_US (GOLDEN_NOW * SECOND)

/* Empty, and known to be. */
static struct live_panel *live_of(struct console *c)
{
	struct live_panel *p = (struct live_panel *)c->panel[PANEL_LIVE];

	c->at = PANEL_LIVE;
	live_clear(&p->live, NOW_US);
	live_complete(&p->live, 0);
	p->reading.started = true;
	return p;
}

static struct live_event event_of(uint64_t seq, uint64_t at_us, enum reason reason)
{
	struct live_event e = {
		.seq = seq, .time_us = at_us, .first_us = at_us, .last_us = at_us, .count = 1, .reason = reason,
	};

	snprintf(e.reason_text, sizeof(e.reason_text), "%s", reason_name(reason));
	snprintf(e.site, sizeof(e.site), "demo");
	snprintf(e.remote, sizeof(e.remote), "203.0.113.0/24");
	snprintf(e.action, sizeof(e.action), "track_order");
	snprintf(e.token, sizeof(e.token), "%08x", (unsigned)(seq * 2654435761U));
	return e;
}

/* Five minutes of them, more and more, of eight kinds. */
static void add_wave(struct live_panel *p)
{
	static const struct { enum reason reason; const char *site, *kid; bool claimed; } kinds[] = {
		{ REASON_TOKEN_EXPIRED, "demo", "k_7f3aqc2d", false },
		{ REASON_SIGNATURE_MISMATCH, "acme", "", false },
		{ REASON_TOKEN_EXPIRED, "demo", "k_7f3aqc2d", false },
		{ REASON_KEY_RETIRED, "demo", "k_q5hznt3a", true },
		{ REASON_TOKEN_MALFORMED, "library", "", false },
		{ REASON_EMAIL_MALFORMED, "demo", "k_7f3aqc2d", false },
		{ REASON_LIFETIME_TOO_LONG, "acme", "k_bm2xw4ye", false },
		{ REASON_AUDIENCE_MISMATCH, "zoo", "k_zzzzzzzz", false },
	};
	uint64_t seq = 1200;

	for (uint64_t s = 0; s < LIVE_SECONDS; s++)
		for (uint64_t i = 0; i < s / 60 + (s % 50 == 0) * 4; i++, seq++) {
			size_t kind = seq % ARRAY_LEN(kinds);
			uint64_t at_us = NOW_US - (LIVE_SECONDS - 1 - s) * SECOND;
			struct live_event e = event_of(seq, at_us, kinds[kind].reason);

			snprintf(e.site, sizeof(e.site), "%s", kinds[kind].site);
			snprintf(e.kid, sizeof(e.kid), "%s", kinds[kind].kid);
			e.claimed = kinds[kind].claimed;
			if (kinds[kind].kid[0] && !e.claimed)
				snprintf(e.subject, SUBJECT_MAX, "h1:%08x%024d", (unsigned)(seq * 2246822519U), 0);
			live_panel_add(p, &e);
		}
	p->reading.next = seq;
}

static void none(struct console *c)
{
	live_of(c);
}

/* The log was not read back so far yet. */
static void begins(struct console *c)
{
	struct live_panel *p = live_of(c);

	live_clear(&p->live, NOW_US - 20 * SECOND);
	p->reading.back = true;
}

static void wave(struct console *c)
{
	add_wave(live_of(c));
}

static void paused(struct console *c)
{
	struct live_panel *p = live_of(c);

	add_wave(p);
	golden_look(c);        /* what was drawn is what one pauses at */
	golden_presses(c, " kkk");
	for (uint64_t i = 0; i < 37; i++) {
		struct live_event e = event_of(p->reading.next + i, NOW_US, REASON_TOKEN_EXPIRED);

		live_panel_add(p, &e);
	}
}

static void folded(struct console *c)
{
	struct live_panel *p = live_of(c);
	struct live_event e = event_of(88, NOW_US - 30 * SECOND, REASON_NONE);

	live_panel_add(p, &e);
	e = event_of(90, NOW_US - 2 * SECOND, REASON_RATE_LIMITED);
	e.folded = true;
	e.count = 1234567;
	e.first_us = NOW_US - 12 * SECOND;
	e.remote[0] = e.site[0] = e.action[0] = e.token[0] = '\0';
	snprintf(e.reason_text, sizeof(e.reason_text), "(several)");
	live_panel_add(p, &e);
	e.seq++;
	e.count = 2;
	e.first_us = e.last_us;
	snprintf(e.site, sizeof(e.site), "demo");
	live_panel_add(p, &e);
}

/* Each built from a record that a worker which was taken over may write. */
static void hostile(struct console *c)
{
	static const char *const records[] = {
		"{'reason':'\\u001b[31m\\u202eevil\\u200b','site':'\\u001b]0;t\\u0007','remote':'\\u009b1m',"
		"'time':1763689990000000}",
		"{'reason':[],'site':{},'remote':1,'kid':null,'token':true,'time':'now'}",
		"{'reason':'token_expired','time':9223372036854775807,'count':9223372036854775807,'first':1,"
		"'last':9223372036854775807}",
		"{'reason':'a reason that is far longer than any that there is',"
		"'site':'\\u65e5\\u672c\\u8a9e\\u306e\\u30b5\\u30a4\\u30c8','kid':'k_\\u65e5\\u672c\\u8a9e',"
		"'token':'e\\u0301e\\u0301','time':1}",
	};
	struct live_panel *p = live_of(c);
	struct live_event e;

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		json_t *record = golden_json(records[i]);

		live_event_of(&e, 10 + i, record, NOW_US);
		live_panel_add(p, &e);
		json_decref(record);
	}
	live_event_of(&e, UINT64_MAX, NULL, NOW_US);
	live_panel_add(p, &e);
}

static void filter(struct live_panel *p, const char *text)
{
	struct filter f;
	struct why why;

	assert_int_equal(filter_parse(&f, text, NOW_US, FILTER_ALL, &why), RC_OK);
	live_choose(&p->live, &f);
	filter_done(&f);
}

static void filtered(struct console *c)
{
	struct live_panel *p = live_of(c);

	add_wave(p);
	filter(p, "site:demo reason:key_retired");
}

static void nothing_matches(struct console *c)
{
	struct live_panel *p = live_of(c);

	add_wave(p);
	filter(p, "site:nobody");
}

static void filter_wrong(struct console *c)
{
	add_wave(live_of(c));
	golden_presses(c, "/since:1h\n");
}

static void catching_up(struct console *c)
{
	struct live_panel *p = live_of(c);

	add_wave(p);
	p->live.ring.gone = 90000;
	p->reading.behind = 45678;
}

static void unreadable(struct console *c)
{
	struct live_panel *p = live_of(c);

	add_wave(p);
	p->reading.retry_us = NOW_US + SECOND;
	console_say(c, STYLE_BAD, "The audit log cannot be read: %s. Trying again each second.", rc_text(RC_CORRUPT));
}

static const struct screen screens[] = {
	{ .name = "none", .prepare = none },
	{ .name = "begins", .prepare = begins },
	{ .name = "wave", .prepare = wave },
	{ .name = "paused", .prepare = paused },
	{ .name = "folded", .prepare = folded },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "filtered", .prepare = filtered },
	{ .name = "nothing-matches", .prepare = nothing_matches },
	{ .name = "filter-wrong", .prepare = filter_wrong },
	{ .name = "catching-up", .prepare = catching_up },
	{ .name = "unreadable", .prepare = unreadable },
};

int main(void)
{
	return golden_run("live", screens, ARRAY_LEN(screens));
}
