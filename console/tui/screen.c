/* screen.c -- the terminal: a canvas shown by curses, keys read from it, a secret past it.
 *
 * Keys are read through a pad, for curses refreshes any other window before it reads from it. curses knows the cells
 * where a secret stands as blanks: it neither holds the secret nor overwrites it, so it is both written and
 * overwritten here. While it stands it is left alone, for a terminal drops the mouse's selection where it is written
 * to. */
#include "console/tui/screen.h"

#include "base/crypto.h"
#include "base/text.h"
#include "console/tui/signals.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#define ROWS_MAX 1000                  /* of a larger terminal the rest stays unused */
#define COLS_MAX 1000
#define SECRET_COLS_MAX 512
#define ESCAPE_MS 25                   /* after an Escape: how long the rest of a key's bytes may take */
#define TRIES 64                       /* presses that mean nothing, before the caller looks at other things */

#define PASTES_ON "\033[?2004h"        /* the terminal says where pasted text begins and ends */
#define PASTES_OFF "\033[?2004l"

enum { KEY_PASTE_BEGIN = KEY_MAX + 1, KEY_PASTE_END };

static struct {
	SCREEN *terminal;              /* NULL: not open */
	WINDOW *input;
	struct termios modes;          /* as they were */
	bool coloured, pastes, redraw, resized, lost;
	int rows, cols;
	attr_t attributes[STYLE_COUNT];
	short pair[STYLE_COUNT];
	int cursor_row, cursor_col;
	int secret_row, secret_col, secret_cols;       /* on the terminal now; no columns: none */
	uint8_t secret_digest[SHA256_SIZE];            /* which one: its memory may be another's by now */
	uint8_t character[4];          /* the beginning of one, as bytes came */
	size_t character_size;
} screen;

/* ---- bytes past curses ---- */

struct bytes { char data[RESCUE_MAX]; size_t size; };
static struct bytes *collecting;       /* tputs() gives its callback no argument */

static int collect(int c)
{
	if (collecting->size < sizeof(collecting->data))
		collecting->data[collecting->size++] = (char)c;
	return c;
}

static void add_capability(struct bytes *to, const char *text)
{
	collecting = to;
	if (text)
		tputs(text, 1, collect);
}

static void add_text(struct bytes *to, const char *text)
{
	for (; *text; text++)
		if (to->size < sizeof(to->data))
			to->data[to->size++] = *text;
}

static void add_move(struct bytes *to, int row, int col)
{
	add_capability(to, tiparm(cursor_address, row, col));
}

static void add_blanks(struct bytes *to, int count)
{
	while (count-- > 0 && to->size < sizeof(to->data))
		to->data[to->size++] = ' ';
}

/* A terminal that takes nothing holds the console up, but not once it was asked to end. */
static void send(const void *data, size_t size)
{
	const char *at = data;
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (size > 0 && !screen.lost) {
		ssize_t n = write(STDOUT_FILENO, at, size);

		if (n > 0) {
			at += n;
			size -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			poll(&p, 1, 100);
			if (signals_stop())
				return;
		} else if (n < 0 && errno != EINTR) {
			screen.lost = true;
		}
	}
}

static void send_bytes(const struct bytes *b)
{
	send(b->data, b->size);
}

static void set_paste(bool on)
{
	if (screen.pastes)
		send(on ? PASTES_ON : PASTES_OFF, sizeof(PASTES_ON) - 1);
}

/* ---- the secret ---- */

static void add_secret_blanks(struct bytes *to)
{
	int cols = screen.secret_cols;

	if (screen.secret_row >= screen.rows || screen.secret_col >= screen.cols)
		return;
	if (cols > screen.cols - screen.secret_col)
		cols = screen.cols - screen.secret_col;
	add_move(to, screen.secret_row, screen.secret_col);
	add_blanks(to, cols);
}

/* What a crash sends. Where the terminal has no second screen to leave, the secret is overwritten here. */
static void compose_rescue(void)
{
	struct bytes b = { .size = 0 };

	if (screen.secret_cols > 0)
		add_secret_blanks(&b);
	if (screen.pastes)
		add_text(&b, PASTES_OFF);
	add_capability(&b, exit_attribute_mode);
	if (screen.coloured)
		add_capability(&b, orig_pair);
	add_move(&b, screen.rows - 1, 0);
	add_capability(&b, cursor_normal);
	add_capability(&b, keypad_local);
	add_capability(&b, exit_ca_mode);
	add_text(&b, "\r\n");
	signals_rescue(STDOUT_FILENO, &screen.modes, span_of(b.data, b.size));
}

/* All of it in one line, and nothing that a terminal would act on; else it is not shown at all. */
static bool secret_fits(const struct canvas *c)
{
	const struct secret *s = c->secret;

	if (s->size == 0 || s->size > SECRET_COLS_MAX || c->secret_row < 0 || c->secret_row >= screen.rows ||
	    c->secret_col < 0 || s->size > (size_t)screen.cols || c->secret_col > screen.cols - (int)s->size)
		return false;
	return ascii_is_visible(secret_span(s));
}

/* What the canvas wants is what stands on the terminal. */
static bool secret_stays(const struct canvas *c)
{
	uint8_t digest[SHA256_SIZE];

	return c->secret && secret_fits(c) && c->secret_row == screen.secret_row && c->secret_col == screen.secret_col &&
	       (int)c->secret->size == screen.secret_cols && crypto_sha256(secret_span(c->secret), digest) == RC_OK &&
	       memcmp(digest, screen.secret_digest, sizeof(digest)) == 0;
}

/* Before curses sends anything: an erased screen is put into the scrollback by some terminals, as it was. */
static void hide_secret(void)
{
	struct bytes b = { .size = 0 };

	if (screen.secret_cols == 0)
		return;
	add_secret_blanks(&b);
	add_move(&b, screen.cursor_row, screen.cursor_col);
	send_bytes(&b);
	screen.secret_cols = 0;
	compose_rescue();
}

static void show_secret(const struct canvas *c)
{
	struct bytes to = { .size = 0 }, back = { .size = 0 };

	if (screen.secret_cols > 0 || !c->secret || !secret_fits(c) ||
	    crypto_sha256(secret_span(c->secret), screen.secret_digest) != RC_OK)
		return;
	screen.secret_row = c->secret_row;
	screen.secret_col = c->secret_col;
	screen.secret_cols = (int)c->secret->size;
	compose_rescue();              /* before it is there */
	add_move(&to, c->secret_row, c->secret_col);
	add_move(&back, screen.cursor_row, screen.cursor_col);
	send_bytes(&to);
	send(c->secret->data, c->secret->size);
	send_bytes(&back);
}

/* ---- opening ---- */

#define INSTEAD "use postern key list SITE, postern audit follow, postern doctor and others (see postern help)"

static enum rc check_terminal(struct why *why)
{
	const char *name = getenv("TERM");
	enum rc rc = RC_REFUSED;
	int found = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		why_set(why, "the console needs a terminal as its input and output; elsewhere " INSTEAD);
		return rc;
	}
	if (!name || !*name) {
		why_set(why, "TERM is not set, so it is not known what this terminal can do; set it, or " INSTEAD);
		return rc;
	}
	if (setupterm(name, STDOUT_FILENO, &found) != OK)
		why_set(why, "nothing is known about a terminal of type \"%.40s\" (TERM); set TERM to another, or " INSTEAD, name);
	else if (!cursor_address || !clear_screen)
		why_set(why, "a terminal of type \"%.40s\" (TERM) is too simple for the console; " INSTEAD, name);
	else
		rc = RC_OK;
	if (found == 1)
		del_curterm(cur_term);
	return rc;
}

static bool wants_colour(enum colour_wish wish)
{
	const char *no = getenv("NO_COLOR");

	return wish == COLOUR_ALWAYS || (wish == COLOUR_AUTO && !(no && *no));
}

static attr_t attributes_of(unsigned char look)
{
	return (look & LOOK_BOLD ? A_BOLD : 0) | (look & LOOK_DIM ? A_DIM : 0) | (look & LOOK_REVERSE ? A_REVERSE : 0) |
	       (look & LOOK_UNDERLINE ? A_UNDERLINE : 0);
}

/* Without start_color() curses sends no colour at all. */
static void set_looks(enum colour_wish wish)
{
	bool own;

	screen.coloured = wants_colour(wish) && has_colors() && start_color() == OK && COLORS >= 8 &&
	                  COLOR_PAIRS > STYLE_COUNT;
	own = screen.coloured && use_default_colors() == OK;
	for (int i = 0; i < STYLE_COUNT; i++) {
		const struct look *l = &looks[i];
		short fg = l->fg < 0 && !own ? COLOR_WHITE : l->fg;
		short bg = l->bg < 0 && !own ? COLOR_BLACK : l->bg;
		bool plain = l->fg < 0 && l->bg < 0;

		screen.attributes[i] = attributes_of(screen.coloured ? l->look : l->mono);
		screen.pair[i] = screen.coloured && !plain && init_pair((short)(i + 1), fg, bg) == OK ? (short)(i + 1) : 0;
	}
}

/* What terminals send whatever their description says: the cursor keys in both modes, Home and End of each kind. */
static void define_keys(void)
{
	static const struct { const char *bytes; int key; } rows[] = {
		{ "\033[A", KEY_UP }, { "\033OA", KEY_UP }, { "\033[B", KEY_DOWN }, { "\033OB", KEY_DOWN },
		{ "\033[C", KEY_RIGHT }, { "\033OC", KEY_RIGHT }, { "\033[D", KEY_LEFT }, { "\033OD", KEY_LEFT },
		{ "\033[H", KEY_HOME }, { "\033OH", KEY_HOME }, { "\033[1~", KEY_HOME }, { "\033[7~", KEY_HOME },
		{ "\033[F", KEY_END }, { "\033OF", KEY_END }, { "\033[4~", KEY_END }, { "\033[8~", KEY_END },
		{ "\033[3~", KEY_DC }, { "\033[5~", KEY_PPAGE }, { "\033[6~", KEY_NPAGE }, { "\033[Z", KEY_BTAB },
		{ "\033[200~", KEY_PASTE_BEGIN }, { "\033[201~", KEY_PASTE_END },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (key_defined(rows[i].bytes) == 0)
			define_key(rows[i].bytes, rows[i].key);
	define_key(NULL, KEY_MOUSE);   /* never asked for: a sequence as any other that is not known */
}

static bool is_capability(const char *text)
{
	return text && text != (const char *)-1;
}

/* Descriptions that do not speak of pasting: a terminal with a mouse is like xterm, and the rest ignore the request. */
static bool can_paste(void)
{
	return is_capability(tigetstr("BE")) || is_capability(tigetstr("kmous"));
}

static void set_modes(void)
{
	raw();
	noecho();
	nonl();
	keypad(screen.input, TRUE);
	nodelay(screen.input, TRUE);
	if (!getenv("ESCDELAY"))
		set_escdelay(ESCAPE_MS);
	typeahead(-1);                 /* what is shown is shown whole, also while keys wait */
	idcok(stdscr, FALSE);          /* inserted characters would shift a secret that curses does not know of */
	define_keys();
}

/* The terminal's size now: what curses takes it to be, all of it drawn anew. */
static void fit(void)
{
	struct winsize w = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 && w.ws_col > 0) {
		screen.rows = w.ws_row < ROWS_MAX ? w.ws_row : ROWS_MAX;
		screen.cols = w.ws_col < COLS_MAX ? w.ws_col : COLS_MAX;
	}
	hide_secret();
	resize_term(screen.rows, screen.cols);
	getmaxyx(stdscr, screen.rows, screen.cols);
	screen.redraw = true;
	compose_rescue();
}

enum rc screen_open(enum colour_wish colour, struct why *why)
{
	enum rc rc = check_terminal(why);

	if (rc != RC_OK)
		return rc;
	if (tcgetattr(STDIN_FILENO, &screen.modes) != 0 || !signals_take()) {
		why_set(why, "the terminal or its signals cannot be set up: %s", strerror(errno));
		return RC_IO;
	}
	use_tioctl(TRUE);              /* LINES and COLUMNS may be another terminal's */
	screen.terminal = newterm(NULL, stdout, stdin);
	screen.input = screen.terminal ? newpad(1, 1) : NULL;
	if (!screen.input) {
		screen_close();
		why_set(why, "the terminal cannot be set up: %s", rc_text(RC_NOMEM));
		return RC_NOMEM;
	}
	getmaxyx(stdscr, screen.rows, screen.cols);
	screen.pastes = can_paste();
	compose_rescue();
	stderr_hold();
	set_looks(colour);
	set_modes();
	set_paste(true);
	fit();
	return RC_OK;
}

void screen_close(void)
{
	if (screen.terminal) {
		hide_secret();
		set_paste(false);
		endwin();
		tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.modes);
		signals_rescue(-1, NULL, span_of(NULL, 0));
		if (screen.input)
			delwin(screen.input);
		delscreen(screen.terminal);
		screen.terminal = NULL;
	}
	stderr_release();
	signals_leave();
}

void screen_size(int *ret_rows, int *ret_cols)
{
	*ret_rows = screen.rows;
	*ret_cols = screen.cols;
}

bool screen_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* ---- showing ---- */

static void show_cell(const struct cell *cell, cchar_t *out)
{
	wchar_t text[1 + CELL_MARKS + 1] = { (wchar_t)cell->cp };

	for (size_t i = 0; i < CELL_MARKS; i++)
		text[1 + i] = (wchar_t)cell->mark[i];
	if (setcchar(out, text, screen.attributes[cell->style], screen.pair[cell->style], NULL) != OK)
		setcchar(out, L"?", A_NORMAL, 0, NULL);
}

static void show_row(const struct canvas *c, int row, int cols)
{
	static cchar_t line[COLS_MAX];
	const struct cell *cell = c->cell + (size_t)row * (size_t)c->cols;
	int n = 0;

	for (int col = 0; col < cols; col++)
		if (cell[col].cp != 0)         /* curses itself makes the right half of a wide character */
			show_cell(&cell[col], &line[n++]);
	mvadd_wchnstr(row, 0, line, n);
}

/* Of several changed lines curses moves some on the terminal, where it can, and with them a secret that stands there:
 * so then they change one by one, without the cursor. */
static void show_rows(const struct canvas *c, int rows, int cols)
{
	bool one_by_one = screen.secret_cols > 0;

	leaveok(stdscr, one_by_one);
	for (int row = 0; row < rows; row++) {
		show_row(c, row, cols);
		if (one_by_one)
			refresh();
	}
	leaveok(stdscr, FALSE);
}

void screen_show(const struct canvas *c)
{
	int rows = c->rows < screen.rows ? c->rows : screen.rows;
	int cols = c->cols < screen.cols ? c->cols : screen.cols;

	if (screen.redraw || !secret_stays(c))
		hide_secret();
	if (screen.redraw)
		clearok(curscr, TRUE);
	screen.redraw = false;
	show_rows(c, rows, cols);
	screen.cursor_row = c->cursor_row < rows ? c->cursor_row : rows - 1;
	screen.cursor_col = c->cursor_col < cols ? c->cursor_col : cols - 1;
	move(screen.cursor_row, screen.cursor_col);
	curs_set(c->cursor_bar ? 2 : 1);
	refresh();
	show_secret(c);
}

void screen_redraw(void)
{
	screen.redraw = true;
}

/* ---- away and back ---- */

static void come_back(void)
{
	reset_prog_mode();
	set_paste(true);
	stderr_hold();
	screen.resized = true;         /* it may have changed meanwhile: a process in the background is not told */
}

void screen_suspend(void)
{
	hide_secret();
	set_paste(false);
	endwin();                      /* the next refresh() takes the terminal again */
	stderr_release();
	signals_suspend();
	come_back();
}

/* ---- keys ---- */

bool screen_wait(int ms)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = signals_fd(), .events = POLLIN } };
	int n = poll(p, ARRAY_LEN(p), ms);

	if (n > 0 && (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
		screen.lost = true;
	return n != 0;
}

static int special_press(int key)
{
	static const struct { int key, press; } rows[] = {
		{ KEY_UP, PRESS_UP }, { KEY_DOWN, PRESS_DOWN }, { KEY_LEFT, PRESS_LEFT }, { KEY_RIGHT, PRESS_RIGHT },
		{ KEY_HOME, PRESS_HOME }, { KEY_END, PRESS_END }, { KEY_FIND, PRESS_HOME }, { KEY_SELECT, PRESS_END },
		{ KEY_A1, PRESS_HOME }, { KEY_C1, PRESS_END }, { KEY_A3, PRESS_PAGE_UP }, { KEY_C3, PRESS_PAGE_DOWN },
		{ KEY_PPAGE, PRESS_PAGE_UP }, { KEY_NPAGE, PRESS_PAGE_DOWN }, { KEY_DC, PRESS_DELETE },
		{ KEY_BTAB, PRESS_BACKTAB }, { KEY_BACKSPACE, PRESS_BACKSPACE }, { KEY_ENTER, PRESS_ENTER },
		{ KEY_F(1), PRESS_F1 }, { KEY_F(10), PRESS_F10 },
		{ KEY_PASTE_BEGIN, PRESS_PASTE_BEGIN }, { KEY_PASTE_END, PRESS_PASTE_END },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].key == key)
			return rows[i].press;
	return PRESS_NONE;
}

/* Up to the letter that ends it. */
static void skip_sequence(int first)
{
	int next = wgetch(screen.input);

	if (first == '[' && next == '[')       /* as the Linux console sends F1 */
		next = wgetch(screen.input);
	while (next >= ' ' && next < '@')
		next = wgetch(screen.input);
	if (next != ERR && (next < ' ' || next > '~'))
		ungetch(next);
}

/* An Escape alone, or the start of a sequence that no key is known by: its letters must not be taken for keys. What
 * follows an Escape at once has come with it. */
static int escape_press(void)
{
	int next = wgetch(screen.input);

	if (next == '[' || next == 'O') {
		skip_sequence(next);
		return PRESS_NONE;
	}
	if (next != ERR)
		ungetch(next);
	return PRESS_ESCAPE;
}

static size_t character_room(uint8_t first)
{
	return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}

/* A byte of a character beyond ASCII. Its bytes may come one by one; what makes no character is U+FFFD, so that
 * pasted text is never silently shorter than it was. */
static int byte_press(int byte)
{
	const uint8_t *at = screen.character;
	uint32_t cp;

	if (!screen_utf8())
		return 0xfffd;
	screen.character[screen.character_size++] = (uint8_t)byte;
	if (screen.character_size < character_room(screen.character[0]) && screen.character[0] >= 0xc0)
		return PRESS_NONE;
	cp = utf8_next(&at, screen.character + screen.character_size);
	screen.character_size = 0;
	return cp == UTF8_BAD ? 0xfffd : (int)cp;
}

static int key_press(int key)
{
	if (key >= 0x80 && key <= 0xff)
		return byte_press(key);
	if (screen.character_size > 0) {
		screen.character_size = 0;
		ungetch(key);
		return 0xfffd;
	}
	if (key > 0xff)
		return special_press(key);
	if (key == PRESS_ESCAPE)
		return escape_press();
	if (key == PRESS_CTRL('H'))
		return PRESS_BACKSPACE;
	return key == '\n' ? PRESS_ENTER : key;
}

/* What came by a signal. */
static void answer_signals(void)
{
	unsigned came = signals_came();

	if (came & CAME_SUSPEND) {
		screen_suspend();
	} else if (came & CAME_CONTINUE) {     /* it was stopped unasked, and the terminal used by somebody else */
		hide_secret();                 /* here, and not in the screen that endwin() goes back to */
		endwin();
		come_back();
	}
	if (came & CAME_RESIZE)
		screen.resized = true;
}

int screen_press(void)
{
	answer_signals();
	if (screen.resized && !screen.lost) {
		screen.resized = false;
		fit();
		return PRESS_RESIZE;
	}
	for (int i = 0; i < TRIES && !screen.lost; i++) {
		int key, press;

		errno = 0;
		key = wgetch(screen.input);
		if (key == ERR) {
			screen.lost = errno == EIO;    /* nobody's terminal: a hung up line, or a job that lost its shell */
			break;
		}
		press = key_press(key);
		if (press != PRESS_NONE)
			return press;
	}
	return screen.lost ? PRESS_LOST : PRESS_NONE;
}

int screen_stopped(void)
{
	return signals_stop();
}
