/* test_panel_token.c -- a token is pasted, explained, shown without being shown, and forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "console/tui/panel-token.h"
#include "tests/lib/tmpadmin.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* A console with this one panel, in it. */
struct fixture {
	struct tmpadmin *t;
	struct console c;
	struct key key;
	struct buf text;               /* the screen last printed */
};

static struct token_panel *panel_of(const struct fixture *f)
{
	return (struct token_panel *)f->c.panel[PANEL_TOKEN];
}

static int setup(void **st)
{
	struct fixture *f = calloc(1, sizeof(*f));

	secret_process_init();
	*st = f;
	f->t = tmpadmin_new();
	if (!f->t || admin_key_create(f->t->a, "acme", NULL, &f->key, &f->t->reason, &f->t->why) != RC_OK)
		return -1;
	f->c = (struct console){ .admin = f->t->a, .utf8 = true, .now_us = clock_us(), .at = PANEL_TOKEN };
	f->c.panel[PANEL_TOKEN] = token_panel.make();
	console_enter_site(&f->c, "acme");
	console_tick(&f->c);
	return panel_of(f) ? 0 : -1;
}

static int teardown(void **st)
{
	struct fixture *f = *st;

	console_done(&f->c);
	key_done(&f->key);
	buf_done(&f->text);
	tmpadmin_free(f->t);
	free(f);
	return 0;
}

/* ---- what one does ---- */

static void press_text(struct fixture *f, const char *text)
{
	for (; *text; text++)
		console_press(&f->c, (unsigned char)*text);
}

static void paste(struct fixture *f, const char *text)
{
	console_press(&f->c, PRESS_ENTER);
	assert_non_null(f->c.dialog);
	console_press(&f->c, PRESS_PASTE_BEGIN);
	press_text(f, text);
	console_press(&f->c, PRESS_PASTE_END);
	console_press(&f->c, PRESS_ENTER);
	assert_null(f->c.dialog);
}

static void name_site(struct fixture *f, const char *site)
{
	console_press(&f->c, 's');
	assert_non_null(f->c.dialog);
	press_text(f, site);
	console_press(&f->c, PRESS_ENTER);
}

static void choose_site(struct fixture *f, const char *site)
{
	name_site(f, site);
	assert_null(f->c.dialog);
}

static json_t *good_claims(void)
{
	json_int_t now = (json_int_t)clock_s();

	return json_pack("{sssssIsI}", "email", "alex@example.com", "name", "Alex", "iat", now, "exp", now + 600);
}

/* A token of these claims under the site's key; claims is stolen. */
static char *mint(const struct fixture *f, json_t *claims)
{
	struct buf text = BUF_INIT;

	assert_int_equal(token_mint(f->key.secret, f->key.kid, claims, &text), RC_OK);
	json_decref(claims);
	return buf_take(&text);
}

static void paste_good(struct fixture *f)
{
	char *token = mint(f, good_claims());

	paste(f, token);
	free(token);
}

/* The panel's own rows, as text. */
static const char *screen(struct fixture *f, int rows, int cols, bool utf8)
{
	struct canvas cv;

	assert_true(canvas_init(&cv, rows, cols, utf8));
	token_panel.draw(f->c.panel[PANEL_TOKEN], &f->c, &cv, canvas_area(&cv));
	buf_clear(&f->text);
	canvas_text(&cv, &f->text);
	canvas_done(&cv);
	assert_false(f->text.failed);
	return f->text.data;
}

/* All of it at once. */
static const char *whole(struct fixture *f)
{
	return screen(f, 500, 100, true);
}

static void assert_shows(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not on the screen:\n%s", part, text);
}

static void assert_hides(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is on the screen:\n%s", part, text);
}

static size_t record_count(struct fixture *f)
{
	json_t *records = tmpadmin_records(f->t);
	size_t count = json_array_size(records);

	json_decref(records);
	return count;
}

/* ---- tests ---- */

static void without_a_site_it_says_to_choose_one(void **st)
{
	struct fixture *f = *st;

	console_enter_site(&f->c, "");
	console_tick(&f->c);
	assert_shows(whole(f), "No site is chosen.");
	console_press(&f->c, PRESS_ENTER);
	assert_null(f->c.dialog);
	assert_shows(f->c.message, "Choose a site first");
	choose_site(f, "acme");
	assert_string_equal(panel_of(f)->site, "acme");
	assert_shows(whole(f), "Press Enter, and paste");
}

static void a_good_token_is_verified_and_pins_its_identity(void **st)
{
	struct fixture *f = *st;
	size_t records = record_count(f);
	const char *text;

	paste_good(f);
	text = whole(f);
	assert_shows(text, "Token at site acme");
	assert_shows(text, "VERIFIED");
	assert_shows(text, "Email     alex@example.com");
	assert_shows(text, "Name      Alex");
	assert_shows(text, "User id   -");
	assert_shows(text, "Claims: verified");
	assert_shows(text, "\"email\": \"alex@example.com\"");
	assert_shows(text, f->key.kid);
	assert_hides(text, "FAILED");
	assert_hides(text, "not checked");
	assert_int_equal(record_count(f), records);            /* looking leaves no trace */
}

static void each_check_stands_in_its_order_with_its_verdict(void **st)
{
	struct fixture *f = *st;
	json_int_t now = (json_int_t)clock_s();
	char *token = mint(f, json_pack("{sssIsI}", "email", "alex@shop.local", "iat", now - 900, "exp", now - 300));
	const char *at;

	paste(f, token);
	free(token);
	at = whole(f);
	assert_shows(at, "BLOCKED: token_expired\n");
	assert_shows(at, reason_text(REASON_TOKEN_EXPIRED));
	assert_shows(at, "Identity  none");
	assert_shows(at, "FAILED      expiry          token_expired: ");
	assert_shows(at, "FAILED      email_reserved  email_reserved: ");
	assert_shows(at, "not checked email_public ");
	assert_shows(at, "passed      signature ");
	assert_shows(at, "Claims: verified");
	assert_shows(at, " Hints ");
	at = strstr(strstr(at, " Hints "), " Checks ");
	assert_non_null(at);
	for (size_t i = 0; i < token_check_count + identity_check_count; i++) {
		bool ours = i < token_check_count;
		const struct identity_check *other = &identity_checks[ours ? 0 : i - token_check_count];
		char row[64];

		snprintf(row, sizeof(row), " %-16s", ours ? token_checks[i].name : other->name);
		assert_shows(at, row);
		at = strstr(at, row);
		assert_shows(at, ours ? token_checks[i].what : other->what);
	}
	assert_shows(at, " Header: ");
	assert_shows(strstr(at, " Header: "), " Claims: ");
}

static void what_has_no_exp_says_when_it_ends_nevertheless(void **st)
{
	struct fixture *f = *st;
	char *token = mint(f, json_pack("{sssI}", "email", "alex@example.com", "iat", (json_int_t)clock_s()));

	paste(f, token);
	free(token);
	assert_shows(whole(f), "VERIFIED\n");
	assert_shows(f->text.data, "Ends      when iat is too long ago for the site: the token has no exp\n");
	token = mint(f, json_pack("{ss}", "email", "alex@example.com"));
	paste(f, token);
	free(token);
	assert_shows(whole(f), "Ends      never: the token has neither exp nor iat\n");
}

static void claims_without_a_right_signature_are_said_to_be_unverified(void **st)
{
	struct fixture *f = *st;
	char *token = mint(f, good_claims());
	char *last = token + strlen(token) - 2;      /* the very last has bits that must be zero */

	*last = *last == 'A' ? 'B' : 'A';
	paste(f, token);
	free(token);
	assert_shows(whole(f), "BLOCKED: signature_mismatch");
	assert_shows(whole(f), "Header: UNVERIFIED");
	assert_shows(whole(f), "Claims: UNVERIFIED");
	assert_shows(whole(f), "not checked expiry ");
	assert_hides(whole(f), "Email     alex@example.com");
}

static void the_token_is_named_as_the_log_names_it_and_never_shown(void **st)
{
	static const struct { const char *before, *after; } ways[] = {
		{ "", "" }, { "Bearer ", "" }, { "  bearer   ", "  " }, { "\n\t", "\n" },
		{ "Authorization: Bearer ", "\r\n" },
	};
	struct fixture *f = *st;
	char *token = mint(f, good_claims()), pasted[2048], expected[64];
	struct token t;

	token_init(&t, span_str(token));
	snprintf(expected, sizeof(expected), "%zu bytes, %s in the audit log", strlen(token), token_fingerprint(&t));
	token_done(&t);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		snprintf(pasted, sizeof(pasted), "%s%s%s", ways[i].before, token, ways[i].after);
		paste(f, pasted);
		assert_shows(whole(f), expected);
		assert_shows(whole(f), "VERIFIED");
		assert_hides(screen(f, 500, 2000, true), token);
		assert_hides(whole(f), strrchr(token, '.') + 1);
		assert_hides(f->c.message, token);
	}
	free(token);
}

static void what_holds_no_token_is_said_to(void **st)
{
	struct fixture *f = *st;

	paste(f, "Basic abc");
	assert_shows(whole(f), "ANONYMOUS: no_token");
	assert_shows(whole(f), "none was found");
	assert_hides(whole(f), "Claims");
	paste(f, "nonsense");
	assert_shows(whole(f), "BLOCKED: token_malformed");
	paste(f, "Bearer");
	assert_shows(whole(f), "BLOCKED: token_malformed");
}

static void a_paste_without_end_is_cut_and_malformed(void **st)
{
	struct fixture *f = *st;
	char *huge = malloc(100001);

	memset(huge, 'A', 100000);
	huge[100000] = '\0';
	paste(f, huge);
	free(huge);
	assert_in_range(panel_of(f)->token->size, TOKEN_MAX + 1, 2 * TOKEN_MAX);
	assert_shows(whole(f), "BLOCKED: token_malformed");
}

static void forgetting_leaves_nothing(void **st)
{
	struct fixture *f = *st;

	paste_good(f);
	console_press(&f->c, 'x');
	assert_null(panel_of(f)->token);
	assert_null(panel_of(f)->result.checks);
	assert_null(panel_of(f)->result.claims);
	assert_int_equal(panel_of(f)->result.identity.email[0], '\0');
	assert_shows(whole(f), "Press Enter, and paste");
	assert_hides(whole(f), "alex");
	console_press(&f->c, 'x');                     /* nothing is there to forget */
	assert_int_equal(f->c.message[0], '\0');
}

static void another_site_forgets_the_token_and_an_unknown_one_does_not(void **st)
{
	struct fixture *f = *st;
	struct site s;

	site_init(&s);
	memcpy(s.id, "other", 6);
	assert_int_equal(admin_site_add(f->t->a, &s, &f->t->reason, &f->t->why), RC_OK);
	site_done(&s);
	paste_good(f);
	name_site(f, "nobody");
	assert_non_null(f->c.dialog);
	console_press(&f->c, PRESS_ESCAPE);
	assert_string_equal(f->c.site, "acme");
	assert_non_null(panel_of(f)->token);
	choose_site(f, "acme");
	assert_non_null(panel_of(f)->token);
	choose_site(f, "other");
	assert_string_equal(f->c.site, "other");
	assert_null(panel_of(f)->token);
	assert_null(panel_of(f)->result.checks);
	paste_good(f);
	assert_shows(whole(f), "BLOCKED: ring_empty");
	console_enter_site(&f->c, "acme");             /* as the list of sites does */
	console_tick(&f->c);
	assert_null(panel_of(f)->token);
}

static void cancelling_keeps_what_there_is(void **st)
{
	struct fixture *f = *st;

	paste_good(f);
	console_press(&f->c, 'p');
	press_text(f, "abc");
	console_press(&f->c, PRESS_ESCAPE);
	assert_shows(whole(f), "VERIFIED");
	console_press(&f->c, 'p');
	console_press(&f->c, PRESS_ENTER);             /* with nothing typed */
	assert_null(f->c.dialog);
	assert_shows(whole(f), "VERIFIED");
	console_press(&f->c, 's');
	press_text(f, "xyz");
	console_press(&f->c, PRESS_ESCAPE);
	assert_string_equal(f->c.site, "acme");
	assert_shows(whole(f), "VERIFIED");
}

static void the_verdict_follows_the_ring(void **st)
{
	struct fixture *f = *st;
	struct key_ref k = { "acme", f->key.kid, 0 };

	paste_good(f);
	assert_shows(whole(f), "VERIFIED");
	assert_int_equal(admin_key_retire(f->t->a, &k, 0, true, &f->t->reason, &f->t->why), RC_OK);
	console_tick(&f->c);
	assert_shows(whole(f), "BLOCKED: ring_empty");
	assert_shows(whole(f), "FAILED      key             key_retired: ");
}

static void what_cannot_be_known_anew_stays_and_is_said_once(void **st)
{
	struct fixture *f = *st;

	paste_good(f);
	assert_int_equal(admin_site_remove(f->t->a, "acme", &f->t->reason, &f->t->why), RC_OK);
	console_tick(&f->c);
	assert_shows(f->c.message, "site_unknown");
	assert_shows(whole(f), "VERIFIED");
	assert_shows(whole(f), "But now   There is no such site.");
	console_say(&f->c, STYLE_NORMAL, "%s", "something else");
	console_reload(&f->c);
	console_tick(&f->c);
	assert_string_equal(f->c.message, "something else");
}

/* ---- drawing a snapshot made by hand ---- */

static void fill_hostile(struct token_panel *p, size_t size)
{
	char *huge = malloc(size + 1);
	json_t *deep = json_string("bottom");

	assert_non_null(huge);
	memset(huge, 'x', size);
	huge[size] = '\0';
	for (int i = 0; i < 30; i++)
		deep = json_pack("[o]", deep);
	p->result.decision = DECISION_VERIFIED;
	snprintf(p->result.identity.email, sizeof(p->result.identity.email), "%s", "a\x1b[2Jb@example.com");
	snprintf(p->result.identity.name, sizeof(p->result.identity.name), "%s", "\xe2\x80\xae" "evil\xff\n\x9b" "31m");
	p->result.checks = json_pack("[{ssssss}]", "check", "sig\x1bnature", "what", "\x1b]0;title\x07",
	                             "verdict", "unheard of");
	p->result.hints = json_pack("[s]", "Look at \xe2\x80\xae this\r\x1b[1A");
	p->result.header = json_pack("[s]", "\xc2\x9b" "31m");
	p->result.claims = json_pack("{sssosssssi}", "huge", huge, "deep", deep,
	                             "\x1b[31m", "\x7f\x1b\x08\r\n\xe2\x80\xa8", "name", "Zo\xc3\xab \xe6\x97\xa5\xe6\x9c\xac", "last", 1);
	assert_non_null(p->result.claims);
	memcpy(p->result.token, "\x1b[31m", 6);
	p->result.token_size = SIZE_MAX;
	p->checked_us = UINT64_MAX;
	free(huge);
}

/* Nothing a terminal would obey, and nothing outside the area. */
static void assert_sound(const struct canvas *cv, struct area a)
{
	for (int row = 0; row < cv->rows; row++)
		for (int col = 0; col < cv->cols; col++) {
			const struct cell *k = &cv->cell[row * cv->cols + col];

			assert_false(text_is_control(k->cp) && k->cp != 0);
			assert_false(text_is_bidi(k->cp) || text_is_bidi(k->mark[0]) || text_is_bidi(k->mark[1]));
			assert_true(cv->utf8 || k->cp < 0x7f);
			if (row < a.row || row >= a.row + a.rows || col < a.col || col >= a.col + a.cols)
				assert_int_equal(k->cp, ' ');
		}
}

static void hostile_claims_stay_text_within_the_panel(void **st)
{
	static const struct { int rows, cols; } sizes[] = {
		{ 24, 80 }, { 60, 200 }, { 6, 40 }, { 4, 3 }, { 2, 1 }, { 900, 80 },
	};
	struct fixture *f = *st;
	struct token_panel *p = panel_of(f);

	fill_hostile(p, 20000);
	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		int rows = sizes[i / 2].rows, cols = sizes[i / 2].cols;
		struct area a = { 1, cols > 2, rows - 2 > 0 ? rows - 2 : 0, cols > 4 ? cols - 4 : cols };
		struct canvas cv;

		assert_true(canvas_init(&cv, rows, cols, i % 2));
		for (int at = 0; at < 3; at++) {
			token_panel.draw(&p->panel, &f->c, &cv, a);
			assert_sound(&cv, a);
			token_panel.command(&p->panel, &f->c, at ? CMD_LAST : CMD_PAGE_DOWN);
			canvas_clear(&cv);
		}
		canvas_done(&cv);
	}
}

static void what_a_terminal_cannot_draw_shows_as_its_number(void **st)
{
	struct fixture *f = *st;

	fill_hostile(panel_of(f), 10);
	assert_shows(screen(f, 200, 80, true), "Zo\xc3\xab \xe6\x97\xa5\xe6\x9c\xac");
	assert_shows(screen(f, 200, 80, false), "Zo\\u00EB \\u65E5\\u672C");
	assert_shows(screen(f, 200, 80, true), "\\u202e");
	assert_shows(screen(f, 200, 80, true), "Claims: UNVERIFIED");          /* no check says that it was signed */
	assert_shows(screen(f, 200, 80, true), "not checked sig\\x1bnature");  /* a verdict nobody knows is none */
}

static unsigned command(const struct fixture *f, enum command what)
{
	return token_panel.command(f->c.panel[PANEL_TOKEN], (struct console *)&f->c, what);
}

static void it_scrolls_from_the_decision_to_the_last_claim(void **st)
{
	struct fixture *f = *st;

	paste_good(f);
	assert_shows(screen(f, 21, 80, true), "VERIFIED");
	assert_hides(screen(f, 21, 80, true), "Claims:");
	assert_shows(screen(f, 21, 80, true), "rows 1-20 of ");
	assert_int_equal(command(f, CMD_UP), DO_NOTHING);
	assert_int_equal(command(f, CMD_DOWN), DO_DRAW);
	assert_hides(screen(f, 21, 80, true), "VERIFIED");
	assert_shows(screen(f, 21, 80, true), "rows 2-21 of ");
	assert_int_equal(command(f, CMD_PAGE_DOWN), DO_DRAW);
	assert_int_equal(command(f, CMD_LAST), DO_DRAW);
	assert_shows(screen(f, 21, 80, true), "\n }\n");                       /* the claims' end, on the last row */
	assert_int_equal(command(f, CMD_DOWN), DO_NOTHING);
	assert_int_equal(command(f, CMD_PAGE_DOWN), DO_NOTHING);
	assert_hides(screen(f, 400, 80, true), "rows ");                       /* all of it fits */
	assert_int_equal(panel_of(f)->top.selected, 0);
	assert_int_equal(command(f, CMD_DOWN), DO_NOTHING);
	assert_shows(screen(f, 21, 80, true), "VERIFIED");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_site_it_says_to_choose_one),
		TEST(a_good_token_is_verified_and_pins_its_identity),
		TEST(each_check_stands_in_its_order_with_its_verdict),
		TEST(what_has_no_exp_says_when_it_ends_nevertheless),
		TEST(claims_without_a_right_signature_are_said_to_be_unverified),
		TEST(the_token_is_named_as_the_log_names_it_and_never_shown),
		TEST(what_holds_no_token_is_said_to),
		TEST(a_paste_without_end_is_cut_and_malformed),
		TEST(forgetting_leaves_nothing),
		TEST(another_site_forgets_the_token_and_an_unknown_one_does_not),
		TEST(cancelling_keeps_what_there_is),
		TEST(the_verdict_follows_the_ring),
		TEST(what_cannot_be_known_anew_stays_and_is_said_once),
		TEST(hostile_claims_stay_text_within_the_panel),
		TEST(what_a_terminal_cannot_draw_shows_as_its_number),
		TEST(it_scrolls_from_the_decision_to_the_last_claim),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
