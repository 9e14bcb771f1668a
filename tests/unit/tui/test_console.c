/* test_console.c -- the frame around the panels: whom a key belongs to, what is loaded when, what lies over what. */
#include "tests/lib/tmpadmin.h"
#include "console/tui/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define NOW UINT64_C(1763690000000000)
#define SECOND UINT64_C(1000000)

/* ---- panels that only count what happens to them ---- */

struct fake {
	struct panel panel;
	unsigned loads, ticks, draws, commands;
	unsigned loads_before;                 /* the last command */
	enum command last;
	unsigned answer, tick_answer;          /* what its command and its tick ask for */
};

static void fake_free(struct panel *p)
{
	((struct fake *)p)->panel.ops = NULL;
}

static void fake_load(struct panel *p, struct console *c)
{
	(void)c;
	((struct fake *)p)->loads++;
}

static unsigned fake_tick(struct panel *p, struct console *c)
{
	struct fake *f = (struct fake *)p;

	(void)c;
	f->ticks++;
	return f->tick_answer;
}

static void fake_draw(struct panel *p, const struct console *c, struct canvas *cv, struct area a)
{
	((struct fake *)p)->draws++;
	canvas_putf(cv, a, 0, 0, STYLE_NORMAL, "panel %d", (int)c->at);
	canvas_put(cv, a, a.rows - 1, 0, STYLE_NORMAL, "the panel's last row");
}

static unsigned fake_command(struct panel *p, struct console *c, enum command what)
{
	struct fake *f = (struct fake *)p;

	(void)c;
	f->commands++;
	f->loads_before = f->loads;
	f->last = what;
	return f->answer;
}

#define FAKE(n, p, t, by_age, by_log) \
	{ .name = n, .place = p, .tick = t, .ages = by_age, .follows_ledger = by_log, \
	  .free = fake_free, .load = fake_load, .draw = fake_draw, .command = fake_command }
static const struct panel_ops fakes[PANEL_COUNT] = {
	FAKE("Sites", PLACE_SITES, fake_tick, true, false), FAKE("Keys", PLACE_KEYS, fake_tick, true, false),
	FAKE("Live", PLACE_LIVE, fake_tick, false, true), FAKE("Audit", PLACE_AUDIT, fake_tick, false, true),
	FAKE("Health", PLACE_HEALTH, NULL, false, false), FAKE("Token", PLACE_TOKEN, NULL, false, false),
};

struct stage {
	struct console c;
	struct fake fake[PANEL_COUNT];
	unsigned done, accepted;               /* dialogs that ended, and those that were accepted */
	unsigned then;                         /* so many follow the one that ends */
};
static struct stage *stage;

/* Panel `at` is shown and loaded, and nothing waits to be drawn. */
static void begin(enum panel_id at)
{
	struct console *c = &stage->c;

	*c = (struct console){ .dir = "the data", .host = "gate-1", .now_us = NOW };
	for (size_t i = 0; i < PANEL_COUNT; i++) {
		stage->fake[i] = (struct fake){ .panel.ops = &fakes[i] };
		c->panel[i] = &stage->fake[i].panel;
	}
	console_go(c, at);
	console_tick(c);
	stage->fake[at].loads = stage->fake[at].ticks = 0;
	console_stale(c);
}

static int setup(void **st)
{
	secret_process_init();
	*st = stage = calloc(1, sizeof(*stage));
	if (stage)
		begin(PANEL_SITES);
	return stage ? 0 : -1;
}

static int teardown(void **st)
{
	console_done(&stage->c);
	free(*st);
	return 0;
}

static void tick_at(uint64_t us)
{
	stage->c.now_us = us;
	console_tick(&stage->c);
}

static void press_all(const char *keys)
{
	for (; *keys; keys++)
		console_press(&stage->c, (unsigned char)*keys);
}

static void paste(const char *text)
{
	console_press(&stage->c, PRESS_PASTE_BEGIN);
	press_all(text);
	console_press(&stage->c, PRESS_PASTE_END);
}

/* ---- what is on the screen ---- */

static char *look(int rows, int cols)
{
	struct canvas cv;
	struct buf out = BUF_INIT;

	assert_true(canvas_init(&cv, rows, cols, false));
	console_draw(&stage->c, &cv);
	canvas_text(&cv, &out);
	canvas_done(&cv);
	assert_false(out.failed);
	return buf_take(&out);
}

static bool shows(const char *text)
{
	char *shown = look(24, 80);
	bool found = strstr(shown, text) != NULL;

	free(shown);
	return found;
}

/* Row n of a screen of 24 rows and so many columns. */
static void assert_row(int row, int cols, const char *expected)
{
	char *shown = look(24, cols), *at = shown;

	for (int i = 0; i < row; i++)
		at = strchr(at, '\n') + 1;
	at[strcspn(at, "\n")] = '\0';
	assert_string_equal(at, expected);
	free(shown);
}

/* ---- dialogs that count how they end ---- */

static struct dialog *a_dialog(void);

static void ended(struct console *c, struct dialog *d, bool accepted)
{
	(void)d;
	stage->done++;
	stage->accepted += accepted;
	if (stage->then > 0) {
		stage->then--;
		console_dialog(c, a_dialog());
	}
}

static struct dialog *a_dialog(void)
{
	struct dialog *d = dialog_new("A question", "Retire");

	assert_non_null(d);
	dialog_sayf(d, "Do it?");
	assert_true(dialog_text_field(d, "Type the site's name", 64, ""));
	snprintf(d->expect, sizeof(d->expect), "acme");
	d->done = ended;
	return d;
}

static struct dialog *a_secret_dialog(const struct secret *s)
{
	struct dialog *d = dialog_new("The secret", NULL);

	assert_non_null(d);
	d->secret = s;
	d->close_at_us = NOW + 120 * SECOND;
	d->done = ended;
	return d;
}

/* ---- the lines above and below ---- */

static void the_header_marks_the_panel_that_is_shown(void **st)
{
	(void)st;
	assert_row(0, 80, " Postern [1 Sites] 2 Keys  3 Live  4 Audit  5 Health  6 Token            gate-1");
	console_press(&stage->c, '5');
	assert_row(0, 80, " Postern  1 Sites  2 Keys  3 Live  4 Audit [5 Health] 6 Token            gate-1");
	assert_row(0, 90, " Postern  1 Sites  2 Keys  3 Live  4 Audit [5 Health] 6 Token                      gate-1");
}

static void the_header_says_read_only_beside_whatever_host(void **st)
{
	(void)st;
	stage->c.read_only = "--read-only";
	memset(stage->c.host, 'h', sizeof(stage->c.host) - 1);
	assert_row(0, 80, " Postern [1 Sites] 2 Keys  3 Live  4 Audit  5 Health  6 Token hhhhhh~ read-only");
}

static void assert_footer_has(enum place place, const char *row)
{
	for (size_t i = 0; i < binding_count; i++) {
		const struct key_binding *b = &bindings[i];
		bool there, due = b->word && (b->places & place) && !(b->changes && stage->c.read_only);
		char text[48];

		if (!b->word)
			continue;
		snprintf(text, sizeof(text), " %s %s ", press_name(b->press[0]), b->word);
		there = strstr(row, text) != NULL;
		if (there != due && !(there && binding_of(place, b->press[0])->word == b->word))
			fail_msg("\"%s\" in \"%s\"", text, row);
	}
}

static void footers(void)
{
	for (enum panel_id at = 0; at < PANEL_COUNT; at++) {
		char *shown, *last;

		console_go(&stage->c, at);
		shown = look(24, 80);
		shown[strlen(shown) - 1] = ' ';
		last = strrchr(shown, '\n');
		assert_footer_has(fakes[at].place, last + 1);
		free(shown);
	}
}

static void the_footer_shows_the_keys_of_each_panel_whole(void **st)
{
	(void)st;
	footers();
	assert_row(23, 80, " Enter token  x forget  s site  ? help  q quit");
}

static void the_footer_of_a_read_only_console_shows_no_key_that_changes(void **st)
{
	(void)st;
	stage->c.read_only = "--read-only";
	footers();
	console_press(&stage->c, '2');
	assert_row(23, 80, " s site  Esc sites  ? help  q quit");
}

static void a_message_stands_above_the_footer_for_ten_seconds(void **st)
{
	(void)st;
	console_say(&stage->c, STYLE_GOOD, "It is %s.", "done");
	assert_true(console_stale(&stage->c));
	assert_row(22, 80, " It is done.");
	tick_at(NOW + 10 * SECOND - 1);
	assert_true(shows("It is done."));
	tick_at(NOW + 10 * SECOND);
	assert_true(console_stale(&stage->c));
	assert_false(shows("It is done."));
}

static void a_message_goes_with_the_next_key_that_does_something(void **st)
{
	(void)st;
	console_say(&stage->c, STYLE_GOOD, "It is done.");
	console_press(&stage->c, 'z');
	assert_true(shows("It is done."));
	console_press(&stage->c, 'j');
	assert_false(shows("It is done."));
}

static void a_long_message_takes_the_rows_it_needs(void **st)
{
	char *shown;

	(void)st;
	console_say(&stage->c, STYLE_BAD, "%0*d end", 180, 0);
	shown = look(24, 80);
	assert_non_null(strstr(shown, "0000\n"));
	assert_non_null(strstr(shown, " end\n"));
	assert_null(strstr(shown, "the panel's last row"));
	assert_int_equal(strlen(strrchr(shown, '0')) < 80, true);
	free(shown);
}

static void a_message_from_outside_is_harmless(void **st)
{
	char *shown;

	(void)st;
	console_say(&stage->c, STYLE_BAD, "\x1b[2J%s", "\xff\xfe\x07\r");
	shown = look(24, 80);
	for (const char *at = shown; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
	assert_non_null(strstr(shown, "\\x1b[2J"));
	free(shown);
}

static void an_error_says_the_code_or_the_cause(void **st)
{
	struct why why = { "" };

	(void)st;
	console_error(&stage->c, RC_OK, REASON_NONE, &why);
	assert_string_equal(stage->c.message, "");
	console_error(&stage->c, RC_REFUSED, REASON_RING_FULL, &why);
	assert_non_null(strstr(stage->c.message, "ring_full"));
	assert_non_null(strstr(stage->c.message, reason_text(REASON_RING_FULL)));
	console_error(&stage->c, RC_BUSY, REASON_NONE, &why);
	assert_string_equal(stage->c.message, rc_text(RC_BUSY));
	why_set(&why, "the vault is locked");
	console_error(&stage->c, RC_BUSY, REASON_NONE, &why);
	assert_string_equal(stage->c.message, "the vault is locked");
	console_error(&stage->c, RC_NOMEM, REASON_NONE, NULL);
	assert_string_equal(stage->c.message, rc_text(RC_NOMEM));
}

/* ---- keys and panels ---- */

static void digits_and_tab_go_to_a_panel_and_load_it(void **st)
{
	struct console *c = &stage->c;

	(void)st;
	for (int i = 0; i < PANEL_COUNT; i++) {
		unsigned loads = stage->fake[i].loads;

		console_press(c, '1' + i);
		assert_int_equal(c->at, i);
		assert_int_equal(stage->fake[i].loads, loads + 1);
		assert_true(console_stale(c));
	}
	console_press(c, PRESS_TAB);
	assert_int_equal(c->at, PANEL_SITES);
	console_press(c, PRESS_BACKTAB);
	assert_int_equal(c->at, PANEL_TOKEN);
}

static void a_key_of_the_panel_reaches_it_as_a_command(void **st)
{
	struct fake *f = &stage->fake[PANEL_LIVE];

	(void)st;
	console_press(&stage->c, '3');
	console_press(&stage->c, ' ');
	assert_int_equal(f->last, CMD_PAUSE);
	console_press(&stage->c, PRESS_CTRL('F'));
	assert_int_equal(f->last, CMD_PAGE_DOWN);
	assert_int_equal(f->commands, 2);
}

static void a_key_that_means_nothing_here_does_nothing(void **st)
{
	static const int keys[] = {
		'c', 'r', 't', 'u', 'x', 'i', 'z', '#', ' ', 'Q', '\n', PRESS_BACKSPACE, PRESS_DELETE, 0x1f600,
		PRESS_CTRL('A'), PRESS_NONE, -1,
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		console_press(&stage->c, keys[i]);
	assert_int_equal(stage->fake[PANEL_SITES].commands, 0);
	assert_int_equal(stage->c.at, PANEL_SITES);
	assert_false(stage->c.quit);
	assert_false(console_stale(&stage->c));
}

static void what_a_command_asks_for_is_done(void **st)
{
	struct fake *f = &stage->fake[PANEL_HEALTH];

	(void)st;
	begin(PANEL_HEALTH);
	f->answer = DO_LOAD;
	console_press(&stage->c, 'j');
	assert_int_equal(f->loads, 1);
	f->answer = DO_DRAW;
	console_press(&stage->c, 'j');
	assert_int_equal(f->loads, 1);
	assert_true(console_stale(&stage->c));
}

static void several_wishes_to_load_are_one_load(void **st)
{
	(void)st;
	console_enter_site(&stage->c, "acme");
	console_go(&stage->c, PANEL_KEYS);
	console_reload(&stage->c);
	assert_true(shows("panel 1"));
	assert_int_equal(stage->fake[PANEL_KEYS].loads, 1);
	assert_int_equal(stage->fake[PANEL_SITES].loads, 0);
	assert_string_equal(stage->c.site, "acme");
}

static void a_command_never_meets_a_panel_that_was_not_loaded(void **st)
{
	(void)st;
	console_go(&stage->c, PANEL_KEYS);
	console_press(&stage->c, 'r');
	assert_int_equal(stage->fake[PANEL_KEYS].last, CMD_ROTATE);
	assert_int_equal(stage->fake[PANEL_KEYS].loads_before, 1);
}

static void escape_goes_from_the_keys_to_the_sites(void **st)
{
	(void)st;
	console_press(&stage->c, '2');
	console_press(&stage->c, PRESS_ESCAPE);
	assert_int_equal(stage->c.at, PANEL_SITES);
	assert_int_equal(stage->fake[PANEL_KEYS].commands, 0);
}

static void q_f10_and_ctrl_c_quit(void **st)
{
	static const int keys[] = { 'q', PRESS_F10, PRESS_CTRL('C') };

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		stage->c.quit = false;
		console_press(&stage->c, keys[i]);
		assert_true(stage->c.quit);
	}
}

static void a_terminal_that_is_gone_ends_it_whatever_is_open(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	console_press(&stage->c, PRESS_PASTE_BEGIN);
	console_press(&stage->c, PRESS_LOST);
	assert_true(stage->c.quit);
	assert_int_equal(stage->accepted, 0);
}

static void without_a_list_the_cursor_stands_below_the_title(void **st)
{
	struct canvas cv;

	(void)st;
	assert_true(canvas_init(&cv, 24, 80, true));
	console_draw(&stage->c, &cv);
	assert_int_equal(cv.cursor_row, 3);    /* header, title, a blank line */
	assert_int_equal(cv.cursor_col, 1);
	canvas_done(&cv);
}

static void a_read_only_console_refuses_what_changes(void **st)
{
	(void)st;
	begin(PANEL_KEYS);
	stage->c.read_only = "the vault can not be written";
	press_all("crtu");
	assert_int_equal(stage->fake[PANEL_KEYS].commands, 0);
	assert_true(shows("read-only: the vault can not be written"));
	assert_false(console_may_change(&stage->c));
	console_press(&stage->c, 's');
	assert_non_null(stage->c.dialog);      /* looking at another site changes nothing */
	console_press(&stage->c, PRESS_ESCAPE);
	stage->c.read_only = NULL;
	assert_true(console_may_change(&stage->c));
}

static void help_opens_over_the_panel_with_its_keys_first(void **st)
{
	(void)st;
	console_press(&stage->c, '4');
	console_press(&stage->c, '?');
	assert_non_null(stage->c.dialog);
	assert_true(shows("In Audit"));
	assert_true(shows("Jump to a record by its number."));
	console_press(&stage->c, 'q');
	assert_null(stage->c.dialog);
	assert_false(stage->c.quit);
}

/* ---- each turn ---- */

static void an_idle_console_has_nothing_to_draw(void **st)
{
	(void)st;
	begin(PANEL_AUDIT);
	for (uint64_t i = 1; i < 40; i++)
		tick_at(NOW + i * SECOND / 10);
	assert_false(console_stale(&stage->c));
	assert_int_equal(stage->fake[PANEL_AUDIT].loads, 0);
	assert_int_equal(stage->fake[PANEL_AUDIT].ticks, 39);
	assert_int_equal(stage->fake[PANEL_LIVE].ticks, 0);
}

static void what_shows_ages_loads_once_a_second(void **st)
{
	(void)st;
	for (uint64_t i = 1; i <= 35; i++)
		tick_at(NOW + i * SECOND / 10);
	assert_int_equal(stage->fake[PANEL_SITES].loads, 3);
	assert_true(console_stale(&stage->c));
}

static void what_a_tick_asks_for_is_done(void **st)
{
	struct fake *f = &stage->fake[PANEL_LIVE];

	(void)st;
	begin(PANEL_LIVE);
	f->tick_answer = DO_DRAW;
	tick_at(NOW + SECOND / 10);
	assert_true(console_stale(&stage->c));
	assert_int_equal(f->loads, 0);
	f->tick_answer = DO_LOAD;
	tick_at(NOW + SECOND / 5);
	assert_int_equal(f->loads, 1);
}

/* ---- dialogs ---- */

static void a_dialog_takes_the_keys_and_the_panel_none(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	press_all("q1?j/");
	assert_non_null(stage->c.dialog);
	assert_string_equal(stage->c.dialog->field[0].text.text, "q1?j/");
	assert_int_equal(stage->c.at, PANEL_SITES);
	assert_int_equal(stage->fake[PANEL_SITES].commands, 0);
	assert_true(shows("[ Cancel ]  [ Retire ]"));
	assert_row(23, 80, "");
}

static void a_dialog_ends_once_and_says_how(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	console_press(&stage->c, PRESS_ESCAPE);
	assert_int_equal(stage->done, 1);
	assert_int_equal(stage->accepted, 0);
	console_dialog(&stage->c, a_dialog());
	press_all("acme\t\t\r");
	assert_int_equal(stage->done, 2);
	assert_int_equal(stage->accepted, 1);
	assert_null(stage->c.dialog);
	assert_true(console_stale(&stage->c));
}

static void a_cancelled_question_says_that_nothing_was_changed(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	press_all("acme\r\r");                /* Enter in the field leads to Cancel, not to Retire */
	assert_null(stage->c.dialog);
	assert_int_equal(stage->accepted, 0);
	assert_string_equal(stage->c.message, "Cancelled: nothing was changed.");
	console_tell(&stage->c, "A text", "to be read");
	console_press(&stage->c, PRESS_ESCAPE);
	assert_string_equal(stage->c.message, "");
	console_prompt(&stage->c, &(struct prompt){ .title = "A prompt", .accept = "Go", .label = "Where", .max = 9 });
	console_press(&stage->c, PRESS_ESCAPE);
	assert_null(stage->c.dialog);
	assert_string_equal(stage->c.message, "");
}

static void ctrl_c_cancels_a_dialog_and_does_not_quit(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	console_press(&stage->c, PRESS_CTRL('C'));
	assert_int_equal(stage->done, 1);
	assert_false(stage->c.quit);
	console_press(&stage->c, PRESS_CTRL('C'));
	assert_true(stage->c.quit);
}

static void one_dialog_may_follow_another(void **st)
{
	(void)st;
	stage->then = 1;
	console_dialog(&stage->c, a_dialog());
	console_press(&stage->c, PRESS_ESCAPE);
	assert_int_equal(stage->done, 1);
	assert_non_null(stage->c.dialog);
	console_press(&stage->c, PRESS_ESCAPE);
	assert_int_equal(stage->done, 2);
	assert_null(stage->c.dialog);
}

static void a_second_dialog_is_cancelled_at_once(void **st)
{
	struct dialog *first = a_dialog();

	(void)st;
	console_dialog(&stage->c, first);
	console_dialog(&stage->c, a_dialog());
	assert_ptr_equal(stage->c.dialog, first);
	assert_int_equal(stage->done, 1);
	assert_int_equal(stage->accepted, 0);
}

static void no_memory_for_a_dialog_is_said(void **st)
{
	(void)st;
	console_dialog(&stage->c, NULL);
	assert_null(stage->c.dialog);
	assert_true(shows(rc_text(RC_NOMEM)));
}

static void what_is_told_is_read_and_closed(void **st)
{
	(void)st;
	console_tell(&stage->c, "Note", "%d keys", 3);
	assert_true(shows("3 keys"));
	assert_true(shows("[ Close ]"));
	console_press(&stage->c, PRESS_ENTER);
	assert_null(stage->c.dialog);
}

static void a_dialog_closes_by_itself_when_its_time_is_over(void **st)
{
	struct secret *s = secret_copy(span_str("postern_sk_secret"));

	(void)st;
	begin(PANEL_HEALTH);
	console_dialog(&stage->c, a_secret_dialog(s));
	console_stale(&stage->c);
	tick_at(NOW + SECOND);
	assert_true(console_stale(&stage->c));         /* it counts down */
	tick_at(NOW + SECOND + SECOND / 10);
	assert_false(console_stale(&stage->c));
	tick_at(NOW + 120 * SECOND - 1);
	assert_int_equal(stage->done, 0);
	tick_at(NOW + 120 * SECOND);
	assert_int_equal(stage->done, 1);
	assert_int_equal(stage->accepted, 0);
	assert_null(stage->c.dialog);
	secret_free(s);
}

static void a_clock_set_back_keeps_no_secret_on_the_screen(void **st)
{
	struct secret *s = secret_copy(span_str("postern_sk_secret"));

	(void)st;
	console_dialog(&stage->c, a_secret_dialog(s));
	console_say(&stage->c, STYLE_GOOD, "It is done.");
	tick_at(NOW + 9 * SECOND);
	tick_at(NOW - 3600 * SECOND);
	tick_at(NOW - 3600 * SECOND + SECOND);
	assert_string_equal(stage->c.message, "");
	tick_at(NOW - 3600 * SECOND + 111 * SECOND - 1);
	assert_int_equal(stage->done, 0);
	tick_at(NOW - 3600 * SECOND + 111 * SECOND);
	assert_int_equal(stage->done, 1);
	secret_free(s);
}

static void a_secret_is_drawn_with_nothing_around_it(void **st)
{
	struct secret *s = secret_copy(span_str("postern_sk_secret"));
	char *shown;

	(void)st;
	console_dialog(&stage->c, a_secret_dialog(s));
	console_say(&stage->c, STYLE_GOOD, "a message");
	shown = look(24, 80);
	assert_null(strstr(shown, "Postern"));
	assert_null(strstr(shown, "panel"));
	assert_null(strstr(shown, "a message"));
	assert_null(strstr(shown, "quit"));
	assert_non_null(strstr(shown, "\n*****************\n"));
	free(shown);
	stage->c.now_us += SECOND;
	console_press(&stage->c, PRESS_ENTER);
	assert_int_equal(stage->done, 1);
	secret_free(s);
}

/* It was not pressed for what has only just come. */
static void an_enter_as_a_secret_appears_does_not_close_it(void **st)
{
	struct secret *s = secret_copy(span_str("postern_sk_secret"));

	(void)st;
	console_dialog(&stage->c, a_secret_dialog(s));
	stage->c.now_us += SECOND / 3;
	console_press(&stage->c, PRESS_ENTER);
	assert_int_equal(stage->done, 0);
	stage->c.now_us += SECOND;
	console_press(&stage->c, PRESS_ENTER);
	assert_int_equal(stage->done, 1);
	secret_free(s);
}

static void an_open_dialog_ends_with_the_console(void **st)
{
	(void)st;
	stage->then = 3;
	console_dialog(&stage->c, a_dialog());
	console_done(&stage->c);
	assert_null(stage->c.dialog);
	assert_int_equal(stage->done, 4);              /* those that follow it are refused, one in the other */
	assert_int_equal(stage->accepted, 0);
	for (size_t i = 0; i < PANEL_COUNT; i++)
		assert_null(stage->fake[i].panel.ops);
}

/* ---- pasted text ---- */

static void pasted_text_is_no_command(void **st)
{
	(void)st;
	paste("q2\x03?crt\r\x1b");
	assert_false(stage->c.quit);
	assert_null(stage->c.dialog);
	assert_int_equal(stage->c.at, PANEL_SITES);
	assert_int_equal(stage->fake[PANEL_SITES].commands, 0);
	assert_true(shows("Pasted text is ignored here."));
	console_press(&stage->c, '2');
	assert_int_equal(stage->c.at, PANEL_KEYS);
	assert_string_equal(stage->c.message, "");
	paste("q");
	assert_string_not_equal(stage->c.message, "");
}

static void pasted_text_reaches_a_text_field_and_accepts_nothing(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	stage->c.dialog->quick = true;
	paste("acme\r\n\r\x1b\x03\t\t\r");
	assert_int_equal(stage->done, 0);
	assert_string_equal(stage->c.dialog->field[0].text.text, "acme");
	assert_string_equal(stage->c.message, "");
	console_press(&stage->c, PRESS_ENTER);
	assert_int_equal(stage->accepted, 1);
}

static void pasted_text_presses_no_button(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	press_all("acme\t\t");
	paste("\r\r ");
	assert_int_equal(stage->done, 0);
	assert_true(shows("Pasted text is ignored here."));
}

static void what_is_pasted_after_a_dialog_closed_goes_nowhere(void **st)
{
	(void)st;
	console_dialog(&stage->c, a_dialog());
	stage->c.dialog->close_at_us = NOW + SECOND;
	console_press(&stage->c, PRESS_PASTE_BEGIN);
	press_all("ac");
	tick_at(NOW + SECOND);
	assert_null(stage->c.dialog);
	press_all("mq2");
	assert_false(stage->c.quit);
	assert_int_equal(stage->c.at, PANEL_SITES);
}

static void a_paste_without_an_end_does_not_lock_the_keys_out(void **st)
{
	(void)st;
	console_press(&stage->c, PRESS_PASTE_BEGIN);
	press_all("q");
	tick_at(NOW + 2 * SECOND);
	press_all("q");
	tick_at(NOW + 4 * SECOND);
	press_all("q");
	assert_false(stage->c.quit);
	tick_at(NOW + 8 * SECOND);
	press_all("q");
	assert_true(stage->c.quit);
}

/* ---- the screen is too small ---- */

static void too_small_a_screen_says_what_it_needs_and_nothing_else(void **st)
{
	static const struct { int rows, cols; const char *text; } sizes[] = {
		{ 20, 60, "postern-console needs 80x24, this is 60x20" },
		{ 23, 80, "postern-console needs 80x24, this is 80x23" },
		{ 24, 79, "postern-console needs 80x24, this is 79x24" },
		{ 5, 20, "needs 80x24" }, { 1, 11, "needs 80x24" }, { 1, 4, "nee~" }, { 1, 1, "~" },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *shown = look(sizes[i].rows, sizes[i].cols), *rest = shown + strlen(sizes[i].text);

		assert_memory_equal(shown, sizes[i].text, strlen(sizes[i].text));
		assert_int_equal(strspn(rest, "\n"), strlen(rest));
		free(shown);
	}
	assert_int_equal(stage->fake[PANEL_SITES].draws, 0);
}

static void too_small_a_screen_shows_no_secret(void **st)
{
	struct secret *s = secret_copy(span_str("postern_sk_secret"));
	char *shown;

	(void)st;
	console_dialog(&stage->c, a_secret_dialog(s));
	shown = look(20, 80);
	assert_null(strchr(shown, '*'));
	free(shown);
	assert_true(shows("*****"));
	stage->c.now_us += SECOND;
	console_press(&stage->c, PRESS_ENTER);
	secret_free(s);
}

static void what_one_does_not_see_does_not_act(void **st)
{
	(void)st;
	begin(PANEL_KEYS);
	console_dialog(&stage->c, a_dialog());
	free(look(20, 60));
	press_all("acme\t\t\r");
	console_press(&stage->c, PRESS_ESCAPE);
	paste("acme");
	assert_int_equal(stage->done, 0);
	assert_string_equal(stage->c.dialog->field[0].text.text, "");
	console_press(&stage->c, PRESS_RESIZE);
	assert_true(console_stale(&stage->c));
	free(look(24, 80));
	console_press(&stage->c, PRESS_ESCAPE);
	assert_int_equal(stage->done, 1);
	free(look(20, 60));
	press_all("crt3?");
	assert_int_equal(stage->fake[PANEL_KEYS].commands, 0);
	assert_int_equal(stage->c.at, PANEL_KEYS);
	console_press(&stage->c, 'q');
	assert_true(stage->c.quit);
}

static void the_console_draws_at_every_size(void **st)
{
	static const int cols[] = { 1, 2, 10, 11, 41, 42, 79, 80, 81, 120, 200 };

	(void)st;
	for (int open = 0; open < 2; open++) {
		for (int rows = 1; rows <= 60; rows++)
			for (size_t i = 0; i < ARRAY_LEN(cols); i++)
				free(look(rows, cols[i]));
		console_say(&stage->c, STYLE_BAD, "%0*d", 500, 0);
		console_press(&stage->c, '?');
	}
}

/* ---- at random ---- */

static int random_press(uint32_t *seed)
{
	static const int keys[] = {
		PRESS_ENTER, PRESS_TAB, PRESS_ESCAPE, PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT, PRESS_PAGE_DOWN,
		PRESS_PAGE_UP, PRESS_BACKSPACE, PRESS_RESIZE, PRESS_PASTE_BEGIN, PRESS_PASTE_END, PRESS_PASTE_END,
		PRESS_F1, PRESS_BACKTAB, PRESS_CTRL('L'), 'a', 'c', 'm', 'e', '1', '2', '3', '4', '5', '6', '?', ' ',
		'#', '/', 'i', 'x', 'p', 's', 't', 'r', 'u', 'G', 'g', 0xe9,
	};

	*seed = *seed * 1664525 + 1013904223;
	return keys[(*seed >> 8) % ARRAY_LEN(keys)];
}

static void one_random_press(uint32_t *seed)
{
	struct console *c = &stage->c;
	int press = random_press(seed);
	unsigned accepted = stage->accepted;
	bool may = press == PRESS_ENTER && c->dialog && c->dialog->focus > c->dialog->fields && !c->own.pasting &&
	           !c->own.too_small && (c->dialog->fields == 0 || strcmp(c->dialog->field[0].text.text, "acme") == 0);

	console_press(c, press);
	assert_true(may || stage->accepted == accepted);
	assert_false(c->quit);
	assert_in_range(c->at, 0, PANEL_COUNT - 1);
}

static void whatever_is_pressed_the_console_holds_together(void **st)
{
	uint32_t seed = 1;
	unsigned opened = 0;

	(void)st;
	for (unsigned i = 0; i < 20000; i++) {
		if (!stage->c.dialog && i % 50 == 0) {
			console_dialog(&stage->c, a_dialog());
			opened++;
		}
		one_random_press(&seed);
		if (i % 32 == 0)
			free(look(20 + (int)(seed >> 29), 78 + (int)(seed >> 27) % 8));
		if (i % 8 == 0)
			tick_at(NOW + i * SECOND / 80);
	}
	if (stage->c.dialog && stage->c.dialog->done)
		opened--;
	assert_int_equal(stage->done, opened);
}

/* ---- with a data directory ---- */

static struct tmpadmin *with_admin(enum panel_id at)
{
	struct tmpadmin *t = tmpadmin_new();

	assert_non_null(t);
	begin(at);
	stage->c.admin = t->a;
	console_tick(&stage->c);
	stage->fake[at].loads = 0;
	console_stale(&stage->c);
	return t;
}

static void create_key(struct tmpadmin *t)
{
	struct key k = { 0 };

	assert_int_equal(admin_key_create(t->a, "acme", "shop", &k, &t->reason, &t->why), RC_OK);
	key_done(&k);
}

static void a_changed_vault_is_loaded_by_the_next_turn(void **st)
{
	struct tmpadmin *t = with_admin(PANEL_TOKEN);

	(void)st;
	console_tick(&stage->c);
	assert_int_equal(stage->fake[PANEL_TOKEN].loads, 0);
	create_key(t);
	console_tick(&stage->c);
	assert_int_equal(stage->fake[PANEL_TOKEN].loads, 1);
	assert_true(console_stale(&stage->c));
	console_tick(&stage->c);
	assert_int_equal(stage->fake[PANEL_TOKEN].loads, 1);
	tmpadmin_free(t);
	stage->c.admin = NULL;
}

/* What is shown is not what is, however often one presses a key, and for however long. */
static void data_that_was_replaced_is_said_until_it_is_back(void **st)
{
	struct tmpadmin *t = with_admin(PANEL_HEALTH);
	char *vault, *moved = NULL;

	(void)st;
	assert_true(asprintf(&vault, "%s/vault", t->dir) > 0 && asprintf(&moved, "%s/moved", t->dir) > 0);
	assert_int_equal(rename(vault, moved), 0);
	console_tick(&stage->c);
	assert_non_null(strstr(stage->c.message, "the vault in"));
	console_press(&stage->c, '1');
	console_tick(&stage->c);
	assert_non_null(strstr(stage->c.message, "was replaced or removed"));
	tick_at(NOW + 11 * SECOND);
	assert_non_null(strstr(stage->c.message, "start it again"));
	assert_int_equal(rename(moved, vault), 0);
	tick_at(NOW + 12 * SECOND);
	tick_at(NOW + 23 * SECOND);
	assert_string_equal(stage->c.message, "");
	free(vault);
	free(moved);
	tmpadmin_free(t);
	stage->c.admin = NULL;
}

/* A record, and the vault as it was. */
static void append_record(struct tmpadmin *t)
{
	const struct audit_filter acme = { .site = "acme" };

	assert_int_equal(admin_audit_identities_read(t->a, &acme, "jsonl", &t->why), RC_OK);
}

static void a_longer_log_is_loaded_where_the_panel_follows_it(void **st)
{
	struct tmpadmin *t = with_admin(PANEL_AUDIT);

	(void)st;
	append_record(t);
	console_tick(&stage->c);
	assert_int_equal(stage->fake[PANEL_AUDIT].loads, 1);
	console_go(&stage->c, PANEL_HEALTH);
	console_tick(&stage->c);
	assert_int_equal(stage->fake[PANEL_HEALTH].loads, 1);
	append_record(t);
	console_tick(&stage->c);
	assert_int_equal(stage->fake[PANEL_HEALTH].loads, 1);
	assert_string_equal(stage->c.message, "");
	tmpadmin_free(t);
	stage->c.admin = NULL;
}

static void a_record_lies_over_its_panel_until_one_goes_back(void **st)
{
	static const int ways[] = { 'q', PRESS_ESCAPE, PRESS_BACKSPACE, 'h', PRESS_LEFT };
	struct tmpadmin *t = with_admin(PANEL_AUDIT);

	(void)st;
	append_record(t);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		record_open(&stage->c, 0);
		assert_non_null(stage->c.record);
		assert_true(shows("Esc back"));
		assert_false(shows("panel 3"));
		console_press(&stage->c, 'j');
		console_press(&stage->c, ways[i]);
		assert_null(stage->c.record);
		assert_true(shows("panel 3"));
	}
	assert_int_equal(stage->fake[PANEL_AUDIT].commands, 0);
	assert_false(stage->c.quit);
	tmpadmin_free(t);
	stage->c.admin = NULL;
}

static void leaving_for_another_panel_closes_the_record(void **st)
{
	struct tmpadmin *t = with_admin(PANEL_AUDIT);

	(void)st;
	append_record(t);
	record_open(&stage->c, 0);
	console_press(&stage->c, '5');
	assert_null(stage->c.record);
	assert_int_equal(stage->c.at, PANEL_HEALTH);
	record_open(&stage->c, 0);
	console_press(&stage->c, PRESS_CTRL('C'));
	assert_true(stage->c.quit);
	tmpadmin_free(t);
	stage->c.admin = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_header_marks_the_panel_that_is_shown),
		TEST(the_header_says_read_only_beside_whatever_host),
		TEST(the_footer_shows_the_keys_of_each_panel_whole),
		TEST(the_footer_of_a_read_only_console_shows_no_key_that_changes),
		TEST(a_message_stands_above_the_footer_for_ten_seconds),
		TEST(a_message_goes_with_the_next_key_that_does_something),
		TEST(a_long_message_takes_the_rows_it_needs),
		TEST(a_message_from_outside_is_harmless),
		TEST(an_error_says_the_code_or_the_cause),
		TEST(digits_and_tab_go_to_a_panel_and_load_it),
		TEST(a_key_of_the_panel_reaches_it_as_a_command),
		TEST(a_key_that_means_nothing_here_does_nothing),
		TEST(what_a_command_asks_for_is_done),
		TEST(several_wishes_to_load_are_one_load),
		TEST(a_command_never_meets_a_panel_that_was_not_loaded),
		TEST(escape_goes_from_the_keys_to_the_sites),
		TEST(q_f10_and_ctrl_c_quit),
		TEST(a_terminal_that_is_gone_ends_it_whatever_is_open),
		TEST(without_a_list_the_cursor_stands_below_the_title),
		TEST(a_read_only_console_refuses_what_changes),
		TEST(help_opens_over_the_panel_with_its_keys_first),
		TEST(an_idle_console_has_nothing_to_draw),
		TEST(what_shows_ages_loads_once_a_second),
		TEST(what_a_tick_asks_for_is_done),
		TEST(a_dialog_takes_the_keys_and_the_panel_none),
		TEST(a_dialog_ends_once_and_says_how),
		TEST(a_cancelled_question_says_that_nothing_was_changed),
		TEST(ctrl_c_cancels_a_dialog_and_does_not_quit),
		TEST(one_dialog_may_follow_another),
		TEST(a_second_dialog_is_cancelled_at_once),
		TEST(no_memory_for_a_dialog_is_said),
		TEST(what_is_told_is_read_and_closed),
		TEST(a_dialog_closes_by_itself_when_its_time_is_over),
		TEST(a_clock_set_back_keeps_no_secret_on_the_screen),
		TEST(a_secret_is_drawn_with_nothing_around_it),
		TEST(an_enter_as_a_secret_appears_does_not_close_it),
		TEST(an_open_dialog_ends_with_the_console),
		TEST(pasted_text_is_no_command),
		TEST(pasted_text_reaches_a_text_field_and_accepts_nothing),
		TEST(pasted_text_presses_no_button),
		TEST(what_is_pasted_after_a_dialog_closed_goes_nowhere),
		TEST(a_paste_without_an_end_does_not_lock_the_keys_out),
		TEST(too_small_a_screen_says_what_it_needs_and_nothing_else),
		TEST(too_small_a_screen_shows_no_secret),
		TEST(what_one_does_not_see_does_not_act),
		TEST(the_console_draws_at_every_size),
		TEST(whatever_is_pressed_the_console_holds_together),
		TEST(a_changed_vault_is_loaded_by_the_next_turn),
		TEST(data_that_was_replaced_is_said_until_it_is_back),
		TEST(a_longer_log_is_loaded_where_the_panel_follows_it),
		TEST(a_record_lies_over_its_panel_until_one_goes_back),
		TEST(leaving_for_another_panel_closes_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
