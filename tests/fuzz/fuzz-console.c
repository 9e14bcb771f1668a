/* fuzz-console.c -- keys pressed and text pasted into the console, over a data directory of its own, without a terminal.
 *
 * A byte below 0x80 is that key; above it stands a special key, or a character from a list of awkward ones; 0xff, then a byte,
 * lets so many tenths of a second pass. Whatever is pressed, what is drawn holds nothing that a terminal would obey, at any
 * size; a secret is in no cell; and a read-only console (an input that begins with R) changes nothing in the vault. */
#include "tests/fuzz/vault.h"

#include "base/text.h"
#include "console/tui/console.h"

#include <locale.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define PRESSES_MAX 300

static struct admin *admin;

static const int awkward[] = {
	PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT, PRESS_HOME, PRESS_END, PRESS_PAGE_UP, PRESS_PAGE_DOWN, PRESS_DELETE, PRESS_BACKTAB,
	PRESS_F1, PRESS_F10, PRESS_RESIZE, PRESS_PASTE_BEGIN, PRESS_PASTE_END, PRESS_NONE,
	0x80, 0x9b, 0xa0, 0xad, 0xe9, 0x301, 0x200b, 0x200d, 0x202e, 0x2028, 0x2066, 0x3000, 0x65e5, 0xd7ff, 0xd800, 0xfeff, 0xfffd, 0xffff,
	0x1f600, 0x10ffff, 0x110000, 0x1fffff, PRESS_SPECIAL, PRESS_LOST + 1, -1,
};

static const struct { int rows, cols; bool utf8; } sizes[] = { { 24, 80, true }, { 24, 80, false }, { 60, 200, true }, { 5, 20, true }, { 1, 1, false } };

static void draw(struct console *c, size_t n)
{
	struct buf text = BUF_INIT;
	struct canvas cv;
	struct span all, line;

	REQUIRE(canvas_init(&cv, sizes[n].rows, sizes[n].cols, sizes[n].utf8));
	console_draw(c, &cv);
	for (int i = 0; i < cv.rows * cv.cols; i++) {
		const struct cell *cell = &cv.cell[i];

		REQUIRE(cell->cp <= 0x10ffff && !text_is_control(cell->cp ? cell->cp : ' ') && !text_is_bidi(cell->cp));
		REQUIRE(sizes[n].utf8 || cell->cp < 0x80);
		REQUIRE(cell->style < 64);
	}
	REQUIRE(cv.cursor_row >= 0 && cv.cursor_row < cv.rows && cv.cursor_col >= 0 && cv.cursor_col < cv.cols);
	canvas_text(&cv, &text);
	REQUIRE(!text.failed);
	all = buf_span(&text);
	while (fuzz_cut(&all, '\n', &line))
		REQUIRE(fuzz_printable(line));
	/* What is shown once is written by the screen itself, from where it lies. */
	REQUIRE(!text.size || !memmem(text.data, text.size, "postern_sk_", 11));
	buf_done(&text);
	canvas_done(&cv);
}

static void turn(struct console *c, uint64_t us)
{
	c->now_us += us;
	console_tick(c);
	if (console_stale(c))
		draw(c, 0);
}

static void press_all(struct console *c, struct span input)
{
	for (unsigned n = 0; input.size > 0 && n < PRESSES_MAX && !c->quit; n++) {
		uint8_t byte = fuzz_byte(&input);

		if (byte == 0xff)
			turn(c, fuzz_byte(&input) * SECOND / 10);
		else if (byte < 0x80)
			console_press(c, byte == '\n' ? PRESS_ENTER : byte);
		else
			console_press(c, awkward[(byte - 0x80) % ARRAY_LEN(awkward)]);
		if (n % 8 == 7)
			turn(c, SECOND / 10);
	}
}

static uint64_t vault_version(void)
{
	struct admin_versions v;
	struct why why = { "" };

	REQUIRE(admin_versions(admin, &v, &why) == RC_OK);
	return v.vault;
}

static void make(void)
{
	char *dir;

	if (admin)
		return;
	REQUIRE(setlocale(LC_ALL, "C.UTF-8"));
	REQUIRE(asprintf(&dir, "%s/data", fuzz_dir()) > 0);
	admin = vault_make(dir);
	free(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	struct console c = { .dir = "/var/lib/postern", .utf8 = true, .now_us = UINT64_C(1763690000) * SECOND };
	uint64_t before;
	bool read_only = fuzz_byte(&input) == 'R';

	make();
	c.admin = admin;
	memcpy(c.host, "gate-1", 7);
	if (read_only)
		c.read_only = "--read-only was given.";
	before = vault_version();
	REQUIRE(console_init(&c));
	console_go(&c, PANEL_SITES);
	turn(&c, 0);
	press_all(&c, input);
	turn(&c, 2 * SECOND);
	for (size_t n = 0; n < ARRAY_LEN(sizes); n++)
		draw(&c, n);
	REQUIRE(!read_only || vault_version() == before);
	REQUIRE(fuzz_printable(span_str(c.site)));
	console_done(&c);
	return 0;
}
