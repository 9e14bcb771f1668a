/* test_screens_token.c -- the screens of the token debugger. */
#include "tests/unit/tui/golden.h"

#include "console/tui/panel-token.h"

static struct token_panel *token_of(struct console *c)
{
	struct token_panel *p = (struct token_panel *)c->panel[PANEL_TOKEN];

	c->at = PANEL_TOKEN;
	snprintf(c->site, sizeof(c->site), "demo");
	snprintf(p->site, sizeof(p->site), "demo");
	return p;
}

static void no_site(struct console *c)
{
	c->at = PANEL_TOKEN;
	golden_presses(c, "p");
}

static void no_token(struct console *c)
{
	token_of(c);
}

/* ---- what was found out about one ---- */

static void add_check(struct token_panel *p, const char *name, const char *what, const char *failing,
                      enum reason *reason)
{
	bool failed = failing && strcmp(name, failing) == 0;
	json_t *check = json_pack("{ssssss}", "check", name, "what", what, "verdict",
	                          failed ? "failed" : *reason == REASON_NONE ? "passed" : "not_checked");

	assert_non_null(check);
	if (failed) {
		*reason = p->result.reason;
		assert_int_equal(json_object_set_new(check, "reason", json_string(reason_name(*reason))), 0);
	}
	assert_int_equal(json_array_append_new(p->result.checks, check), 0);
}

/* Each check passes, up to the one that fails; what follows it was not checked. NULL: none fails. */
static struct token_panel *explained(struct console *c, enum decision decision, const char *failing, enum reason reason)
{
	struct token_panel *p = token_of(c);
	enum reason found = REASON_NONE;

	p->token = secret_copy(span_str("a.b.c"));
	p->checked_us = c->now_us;
	p->result = (struct explained){
		.decision = decision, .reason = reason, .checks = json_array(), .hints = json_array(),
		.header = json_pack("{ssssss}", "alg", "HS256", "kid", "k_7f3aqc2d", "typ", "JWT"),
		.claims = json_pack("{sssIsIssss}", "email", "Alex@Example.com", "exp", (json_int_t)GOLDEN_NOW + 3600,
		                    "iat", (json_int_t)GOLDEN_NOW - 60, "name", "Alex", "user_id", "42"),
		.token_size = 1204, .token = "9c1d22aa",
	};
	assert_true(p->token && p->result.checks && p->result.hints && p->result.header && p->result.claims);
	for (size_t i = 0; i < token_check_count; i++)
		add_check(p, token_checks[i].name, token_checks[i].what, failing, &found);
	for (size_t i = 0; i < identity_check_count; i++)
		add_check(p, identity_checks[i].name, identity_checks[i].what, failing, &found);
	return p;
}

static void hint(struct token_panel *p, const char *text)
{
	assert_int_equal(json_array_append_new(p->result.hints, json_string(text)), 0);
}

static void verified(struct console *c)
{
	struct token_panel *p = explained(c, DECISION_VERIFIED, NULL, REASON_NONE);

	p->result.identity = (struct identity){
		.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "Alex", .user_id = "42",
		.has_expiry = true, .expires_at = GOLDEN_NOW + 3600,
	};
}

static void verified_at_the_end(struct console *c)
{
	verified(c);
	golden_look(c);
	golden_presses(c, "G");
}

static void anonymous(struct console *c)
{
	struct token_panel *p = explained(c, DECISION_ANONYMOUS, "email_reserved", REASON_EMAIL_RESERVED);

	hint(p, "shop.test is reserved, so the visitor counts as anonymous. If this site's visitors really have such addresses: "
	        "postern site set demo --accept-domain shop.test (besides those it accepts already).");
}

static void blocked(struct console *c)
{
	struct token_panel *p = explained(c, DECISION_BLOCKED, "signature", REASON_SIGNATURE_MISMATCH);

	hint(p, "It verifies under the secret after base64 decoding: the backend must use the text as it stands.");
	hint(p, "Its header names no key.");
}

static void hostile(struct console *c)
{
	struct token_panel *p = explained(c, DECISION_BLOCKED, "signature", REASON_SIGNATURE_MISMATCH);

	json_decref(p->result.header);
	json_decref(p->result.claims);
	p->result.header = json_pack("{ss}", "\x1b]0;title\a", "\x1b[2J");
	p->result.claims = json_pack("{sss[sn]}", "name", "\u202egnp.exe\u200b \u65e5\u672c e\u0301\u0302\u0303",
	                             "\xc2\x9b" "31m", "\n\t\x7f");
	assert_true(p->result.header && p->result.claims);
	hint(p, "Its kid \x1b[31m\u202e names no key.");
	p->result.token_size = 0;
	/* they stand at the end */
	p->top = (struct list){ .count = 999, .selected = 998 };
}

static void no_longer(struct console *c)
{
	struct token_panel *p = token_of(c);

	verified(c);
	snprintf(p->trouble.text, sizeof(p->trouble.text), "%s", reason_text(REASON_SITE_UNKNOWN));
	console_error(c, RC_REFUSED, REASON_SITE_UNKNOWN, NULL);
}

static void unreadable(struct console *c)
{
	struct token_panel *p = token_of(c);

	why_set(&p->trouble, "the keys of site demo cannot be read: %s", rc_text(RC_UNSEALED));
	console_error(c, RC_UNSEALED, REASON_NONE, &p->trouble);
}

/* ---- what it asks ---- */

static void ask_token(struct console *c)
{
	token_of(c);
	golden_presses(c, "p");
	console_press(c, PRESS_PASTE_BEGIN);
	for (int i = 0; i < 60; i++)
		golden_presses(c, "eyJhbGciOi\x1b\x01");
	console_press(c, PRESS_PASTE_END);
}

static void ask_site(struct console *c)
{
	token_of(c);
	golden_presses(c, "s");
}

static void forgotten(struct console *c)
{
	verified(c);
	golden_presses(c, "x");
}

static const struct screen screens[] = {
	{ .name = "no-site", .prepare = no_site },
	{ .name = "no-token", .prepare = no_token },
	{ .name = "verified", .prepare = verified },
	{ .name = "verified-at-the-end", .prepare = verified_at_the_end },
	{ .name = "anonymous", .prepare = anonymous },
	{ .name = "blocked", .prepare = blocked },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "no-longer", .prepare = no_longer },
	{ .name = "unreadable", .prepare = unreadable },
	{ .name = "ask-token", .prepare = ask_token },
	{ .name = "ask-site", .prepare = ask_site },
	{ .name = "forgotten", .prepare = forgotten },
};

int main(void)
{
	secret_process_init();
	return golden_run("token", screens, ARRAY_LEN(screens));
}
