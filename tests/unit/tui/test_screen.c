/* test_screen.c -- what goes to the terminal past curses, and what comes from it: in a child on a pseudo-terminal, of
 * which the test sees every byte. How the whole console treats its terminal is tests/console/test_terminal.py's. */
#include "console/tui/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 24
#define COLS 80
#define SECRET_ROW 10
#define PRESS_MS 5000

static const char first[] = "postern_sk_FIRSTSECRET", second[] = "postern_sk_OTHERSECRET";

struct terminal { int master; struct buf sent; };

/* ---- in the child: no assertion of cmocka's ends there ---- */

static int keyboard = -1;              /* what is written there is typed */

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "in the child: %s\n", what);
	_exit(1);
}

static void open_screen(void)
{
	struct why why = { "" };

	check(screen_open(COLOUR_NEVER, &why) == RC_OK, why.text);
}

static struct secret *make_secret(const char *text)
{
	struct secret *s = secret_copy(span_str(text));

	check(s != NULL, "out of memory");
	return s;
}

/* A text that has moved up by `up` lines, around a line for the secret. */
static void show(const struct secret *s, int up)
{
	struct canvas c;

	check(canvas_init(&c, ROWS, COLS, true), "out of memory");
	for (int i = 0; i < ROWS; i++)
		if (i != SECRET_ROW)
			canvas_putf(&c, canvas_area(&c), i, 0, STYLE_NORMAL, "line %d of %d", i + up, (i + up) * 7919);
	c.secret = s;
	c.secret_row = SECRET_ROW;
	screen_show(&c);
	canvas_done(&c);
}

/* ---- in the parent ---- */

static void child(int slave, void (*script)(void))
{
	setenv("TERM", "xterm-256color", 1);
	setlocale(LC_CTYPE, "C.UTF-8");
	check(dup2(slave, STDIN_FILENO) >= 0 && dup2(slave, STDOUT_FILENO) >= 0, "dup2");
	script();
	screen_close();
	_exit(0);
}

static void read_all(struct terminal *t)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(t->master, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(&t->sent, piece, (size_t)n);
	assert_false(t->sent.failed);
}

/* Runs the script on a terminal; its output is NUL-terminated. */
static struct terminal run(void (*script)(void))
{
	struct winsize size = { .ws_row = ROWS, .ws_col = COLS };
	struct terminal t = { .sent = BUF_INIT };
	int slave, status;
	pid_t pid;

	assert_int_equal(openpty(&t.master, &slave, NULL, NULL, &size), 0);
	keyboard = t.master;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(slave, script);
	assert_true(pid > 0);
	close(slave);
	read_all(&t);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(t.master);
	return t;
}

static size_t count(const struct terminal *t, const char *text)
{
	size_t n = 0;

	for (const char *at = t->sent.data; (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	return n;
}

/* ---- secrets ---- */

static void scroll_with_secret(void)
{
	struct secret *s = make_secret(first);

	open_screen();
	show(NULL, 0);
	for (int up = 0; up < 6; up++)
		show(s, up);
	secret_free(s);
	show(NULL, 6);
}

/* curses moves lines on the terminal where that is shorter, and knows of no secret among them. */
static void a_secret_is_written_once_and_stays_while_the_lines_around_it_move(void **st)
{
	struct terminal t = run(scroll_with_secret);
	const char *shown = strstr(t.sent.data, first), *gone, *region;

	(void)st;
	assert_int_equal(count(&t, first), 1);
	gone = strstr(shown, "\033[11;1H                      \033[");
	assert_non_null(gone);
	region = strstr(shown, "r\033[");     /* the end of a region that is scrolled */
	assert_true(!region || region > gone);
	assert_null(memmem(shown, (size_t)(gone - shown), "\n", 1));
	buf_done(&t.sent);
}

static void show_two_secrets(void)
{
	struct secret *s = make_secret(first);

	open_screen();
	show(s, 0);
	memcpy(s->data, second, s->size);
	show(s, 0);
	secret_free(s);
}

static void another_secret_in_the_same_memory_is_written(void **st)
{
	struct terminal t = run(show_two_secrets);

	(void)st;
	assert_int_equal(count(&t, first), 1);
	assert_int_equal(count(&t, second), 1);
	buf_done(&t.sent);
}

static void show_unfit_secrets(void)
{
	char wide[COLS + 2] = "";
	const char *const texts[] = { "SECRET with spaces", "SECRET\033[31m", "SECRET\n", "SECRET\xc3\xbc", "", wide };

	memset(wide, 'S', COLS + 1);
	open_screen();
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct secret *s = make_secret(texts[i]);

		show(s, 0);
		secret_free(s);
	}
}

static void a_secret_that_a_terminal_would_act_on_or_cut_is_not_written(void **st)
{
	struct terminal t = run(show_unfit_secrets);

	(void)st;
	assert_int_equal(count(&t, "SECRET"), 0);
	assert_int_equal(count(&t, "SSSS"), 0);
	buf_done(&t.sent);
}

/* ---- keys ---- */

static int next_press(void)
{
	int press = PRESS_NONE;

	for (int ms = 0; press == PRESS_NONE && ms < PRESS_MS; ms += 10) {
		screen_wait(10);
		press = screen_press();
	}
	return press;
}

static void type(const char *bytes)
{
	check(write(keyboard, bytes, strlen(bytes)) == (ssize_t)strlen(bytes), "typing");
}

/* Each followed by an x, so that what means nothing is seen to mean nothing. */
static const struct { const char *bytes; int press; } keys[] = {
	{ "a", 'a' }, { "\r", PRESS_ENTER }, { "\n", PRESS_ENTER }, { "\t", PRESS_TAB }, { "\033[Z", PRESS_BACKTAB },
	{ "\b", PRESS_BACKSPACE }, { "\x7f", PRESS_BACKSPACE }, { "\033[3~", PRESS_DELETE }, { "\x15", PRESS_CTRL('U') },
	{ "\033[A", PRESS_UP }, { "\033OA", PRESS_UP }, { "\033[B", PRESS_DOWN }, { "\033[C", PRESS_RIGHT },
	{ "\033OD", PRESS_LEFT },
	{ "\033[H", PRESS_HOME }, { "\033[1~", PRESS_HOME }, { "\033OF", PRESS_END }, { "\033[4~", PRESS_END },
	{ "\033[5~", PRESS_PAGE_UP }, { "\033[6~", PRESS_PAGE_DOWN }, { "\033OP", PRESS_F1 }, { "\033[21~", PRESS_F10 },
	{ "\033[200~", PRESS_PASTE_BEGIN }, { "\033[201~", PRESS_PASTE_END },
	{ "\xc3\xbc", 0xfc }, { "\xe2\x82\xac", 0x20ac }, { "\xf0\x9f\x98\x80", 0x1f600 },
	{ "\xff", 0xfffd }, { "\x80", 0xfffd }, { "\xc3", 0xfffd }, { "\xed\xa0\x80", 0xfffd }, { "\xc0\xaf", 0xfffd },
	{ "\033[1;5A", PRESS_NONE }, { "\033[<0;4;4M", PRESS_NONE }, { "\033[[A", PRESS_NONE }, { "\033[200;2~", PRESS_NONE },
	{ "\033O5Q", PRESS_NONE }, { "\033[?1;2c", PRESS_NONE },
};

static void type_all_keys(void)
{
	open_screen();
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char what[32];

		snprintf(what, sizeof(what), "key %zu", i);
		type(keys[i].bytes);
		type("x");
		check(keys[i].press == PRESS_NONE || next_press() == keys[i].press, what);
		check(next_press() == 'x', what);
	}
}

static void bytes_become_the_presses_they_stand_for(void **st)
{
	struct terminal t = run(type_all_keys);

	(void)st;
	buf_done(&t.sent);
}

static void type_escape(void)
{
	open_screen();
	type("\033");
	check(next_press() == PRESS_ESCAPE, "an Escape alone");
	type("\033q");
	check(next_press() == PRESS_ESCAPE && next_press() == 'q', "an Escape, and another key right after it");
}

static void an_escape_is_a_key_of_its_own(void **st)
{
	struct terminal t = run(type_escape);

	(void)st;
	buf_done(&t.sent);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_written_once_and_stays_while_the_lines_around_it_move),
		cmocka_unit_test(another_secret_in_the_same_memory_is_written),
		cmocka_unit_test(a_secret_that_a_terminal_would_act_on_or_cut_is_not_written),
		cmocka_unit_test(bytes_become_the_presses_they_stand_for),
		cmocka_unit_test(an_escape_is_a_key_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
