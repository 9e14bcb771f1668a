/* main.c -- postern-console: options, opening, closing. */
#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"
#include "console/tui/loop.h"
#include "console/tui/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_QUIT = 0, EXIT_USAGE = 2, EXIT_UNSURE = 3 };

struct options {
	const char *data, *site;
	enum colour_wish colour;
	bool read_only, ascii, help, version;
};

/* ---- words ---- */

static void talk(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void talk(const char *fmt, ...)
{
	char text[1024], shown[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "postern-console: %s\n", text_show(shown, sizeof(shown), span_str(text)));
}

static int print_help(void)
{
	struct buf keys = BUF_INIT;
	bool ok;

	help_text(&keys, 0, false);
	printf("usage: postern-console [OPTION]...\n"
	       "The key rings and the audit log of a data directory, on a terminal of 80x24 or more.\n\n"
	       "  --data DIR      the data directory (default $POSTERN_DATA, else " STORE_DEFAULT_DIR ")\n"
	       "  --site SITE     begin with this site's keys\n"
	       "  --read-only     change nothing; so by itself where the vault cannot be written\n"
	       "  --color WHEN    auto, always or never; auto heeds NO_COLOR\n"
	       "  --ascii         draw with ASCII characters only\n"
	       "  --help          this text\n"
	       "  --version       the version\n\n"
	       "Exit: 0 ended by a key or a signal, 2 usage, 3 could not start, or the terminal was lost.\n"
	       "What the console does, postern does in lines of text: postern help.\n\n%s", keys.failed ? "" : keys.data);
	ok = !keys.failed && fflush(stdout) == 0 && !ferror(stdout);
	buf_done(&keys);
	return ok ? EXIT_QUIT : EXIT_UNSURE;
}

/* ---- options ---- */

enum { DATA = 1, SITE, READ_ONLY, COLOUR, ASCII, HELP, VERSION };

static bool take_colour(struct options *o, const char *word)
{
	static const char *const words[] = { [COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0) {
			o->colour = (enum colour_wish)i;
			return true;
		}
	}
	return false;
}

static bool take(struct options *o, int option)
{
	switch (option) {
	case DATA: o->data = optarg; return true;
	case SITE: o->site = optarg; return true;
	case READ_ONLY: return o->read_only = true;
	case COLOUR: return take_colour(o, optarg);
	case ASCII: return o->ascii = true;
	case HELP: return o->help = true;
	case VERSION: return o->version = true;
	default: return false;
	}
}

static bool read_options(struct options *o, int argc, char **argv)
{
	static const struct option rows[] = {
		{ "data", required_argument, NULL, DATA }, { "site", required_argument, NULL, SITE },
		{ "read-only", no_argument, NULL, READ_ONLY }, { "color", required_argument, NULL, COLOUR },
		{ "ascii", no_argument, NULL, ASCII }, { "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION }, { NULL, 0, NULL, 0 },
	};
	int option, at = optind;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (!take(o, option))
			break;
		at = optind;
	}
	if (option == -1 && optind == argc)
		return true;
	if (option == COLOUR)
		talk("--color is auto, always or never, not \"%s\"; see: postern-console --help", optarg);
	else
		talk("\"%s\" is not understood; see: postern-console --help", argv[option == -1 ? optind : at]);
	return false;
}

/* ---- the data ---- */

/* Where this user may read the data, but not change it, the console opens nevertheless: *ret_only_read says why. */
static enum rc open_admin(const struct options *o, struct admin **ret, struct why *ret_only_read, struct why *why)
{
	struct admin_options a = { .dir = o->data, .read_only = o->read_only };
	enum rc rc = admin_open(&a, ret, ret_only_read);

	if (rc == RC_READ_ONLY && !a.read_only) {
		a.read_only = true;
		return admin_open(&a, ret, why);
	}
	*why = *ret_only_read;
	*ret_only_read = (struct why){ { 0 } };
	return rc;
}

static enum rc find_site(struct admin *a, const char *name, struct why *why)
{
	enum reason reason = REASON_NONE;
	struct site s;
	enum rc rc = admin_site_get(a, name, &s, &reason, why);

	if (rc == RC_REFUSED)
		why_set(why, "%s: %s See: postern site list", name, reason_text(reason));
	if (rc == RC_OK)
		site_done(&s);
	return rc;
}

/* ---- the process ---- */

/* A closed standard descriptor would be given to the next file opened, and the screen drawn into the vault. */
static bool descriptors_ready(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && (errno != EBADF || open("/dev/null", O_RDONLY) != fd))
			return false;
	return true;
}

/* Characters only: the C library's numbers and messages stay as they are. A language that is not installed here, as
 * over ssh, still says which characters the terminal knows. */
static void set_characters(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value = NULL;

	if (setlocale(LC_CTYPE, ""))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names) && !(value && *value); i++)
		value = getenv(names[i]);
	if (value && (strcasestr(value, "UTF-8") || strcasestr(value, "utf8")))
		setlocale(LC_CTYPE, "C.UTF-8");
}

static void begin(struct console *c, const struct options *o)
{
	if (o->site) {
		console_enter_site(c, o->site);
		console_go(c, PANEL_KEYS);
	}
	if (c->read_only && !o->read_only)
		console_say(c, STYLE_WARN, "This console is read-only: %s", c->read_only);
}

static enum rc run(struct console *c, const struct options *o, struct why *why)
{
	enum rc rc = screen_open(o->colour, why);

	if (rc != RC_OK)
		return rc;
	c->utf8 = screen_utf8() && !o->ascii;
	c->now_us = clock_us();
	rc = RC_NOMEM;
	if (console_init(c)) {
		begin(c, o);
		rc = loop_run(c);
		console_done(c);
	}
	screen_close();
	if (c->parting[0])
		talk("%s", c->parting);
	if (rc == RC_IO)
		why_set(why, "the terminal was lost; start postern-console again");
	return rc;
}

static int console(const struct options *o)
{
	struct why why = { "" }, only_read = { "" }, notice = { "" };
	struct console c = { 0 };
	enum rc rc = open_admin(o, &c.admin, &only_read, &why);
	int code;

	if (rc == RC_OK && o->site)
		rc = find_site(c.admin, o->site, &why);
	if (rc == RC_OK) {
		c.dir = store_dir(admin_store(c.admin));
		c.read_only = o->read_only ? "it was started with --read-only." : only_read.text[0] ? only_read.text : NULL;
		gethostname(c.host, sizeof(c.host) - 1);
		rc = run(&c, o, &why);
	}
	if (c.admin && !admin_settle(c.admin, SETTLE_SECONDS, &notice))
		talk("%s", notice.text);
	if (rc != RC_OK)
		talk("%s", why.text[0] ? why.text : rc_text(rc));
	code = rc == RC_OK ? EXIT_QUIT : EXIT_UNSURE;
	if (!admin_close(c.admin))
		_exit(code);           /* a thread still waits for a lock */
	return code;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };

	if (!descriptors_ready())
		return EXIT_UNSURE;
	signal(SIGPIPE, SIG_IGN);
	secret_process_init();
	set_characters();
	if (!read_options(&o, argc, argv))
		return EXIT_USAGE;
	if (o.help)
		return print_help();
	if (o.version)
		return printf("postern-console %s\n", POSTERN_VERSION) > 0 && fflush(stdout) == 0 ? EXIT_QUIT : EXIT_UNSURE;
	return console(&o);
}
