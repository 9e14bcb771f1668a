/* main.c -- the table of commands: dispatch, usage errors, help and completion all come from it. */
#include "console/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#define SITE_SETTINGS \
	(BIT(OPT_NAME) | BIT(OPT_PLAN) | BIT(OPT_SIGN_IN_URL) | BIT(OPT_ORIGIN) | BIT(OPT_ACCEPT_DOMAIN) | \
	 BIT(OPT_RESERVE_DOMAIN) | BIT(OPT_MAX_LIFETIME) | BIT(OPT_REQUIRE_EXP) | BIT(OPT_ISSUER) | BIT(OPT_AUDIENCE))
#define CONNECTION_SETTINGS \
	(BIT(OPT_SITE) | BIT(OPT_SOCKET) | BIT(OPT_BASE_URL) | BIT(OPT_ALLOW) | BIT(OPT_PROVIDER) | BIT(OPT_AUTH) | \
	 BIT(OPT_HEADER) | BIT(OPT_QUERY))
#define CONNECTION_MORE \
	(MORE(OPT_PREFIX) | MORE(OPT_USERNAME) | MORE(OPT_TOKEN_URL) | MORE(OPT_CLIENT_ID) | MORE(OPT_AUTH_IN) | MORE(OPT_BODY) | \
	 MORE(OPT_SCOPE) | MORE(OPT_EXTRA) | MORE(OPT_CA_FILE) | MORE(OPT_ALLOW_HTTP) | MORE(OPT_ALLOW_NETWORK) | \
	 MORE(OPT_CONCURRENCY) | MORE(OPT_TEST))
#define RECORD_FILTER \
	(BIT(OPT_SITE) | BIT(OPT_AFTER) | BIT(OPT_SINCE) | BIT(OPT_UNTIL) | BIT(OPT_OUTCOME) | BIT(OPT_REASON) | \
	 BIT(OPT_ACTION) | BIT(OPT_EMAIL) | BIT(OPT_REMOTE) | BIT(OPT_KID) | BIT(OPT_WITH_IDENTITY))

const struct command commands[] = {
	{ "init", NULL, "", .options = BIT(OPT_GROUP) | BIT(OPT_DEMO), .run = run_init,
	  .summary = "make the data directory, or mend its owners and modes" },

	{ "site", "add", "SITE", .options = SITE_SETTINGS, .run = run_site_add, .summary = "add a site" },
	{ "site", "list", "", .options = BIT(OPT_MATCH), .run = run_site_list,
	  .summary = "list the sites, their keys, and what happened in the last minute" },
	{ "site", "show", "SITE", .run = run_site_show, .summary = "show a site's settings" },
	{ "site", "set", "SITE", .options = SITE_SETTINGS, .clearable = SITE_SETTINGS, .run = run_site_set,
	  .summary = "change settings; a list is replaced, --no-OPTION clears" },
	{ "site", "remove", "SITE", .options = BIT(OPT_YES), .run = run_site_remove,
	  .summary = "remove a site with its keys, actions and documents; its records stay" },

	{ "key", "create", "SITE", .options = BIT(OPT_LABEL) | BIT(OPT_SECRET_FILE), .run = run_key_create,
	  .summary = "make a signing key and show its secret, once" },
	{ "key", "import", "SITE", .options = BIT(OPT_LABEL), .run = run_key_import,
	  .summary = "add a key made elsewhere: its secret from standard input" },
	{ "key", "list", "SITE", .run = run_key_list, .summary = "list the site's keys and their use, never their secrets" },
	{ "key", "rotate", "SITE [KID]", .options = BIT(OPT_GRACE) | BIT(OPT_SECRET_FILE), .run = run_key_rotate,
	  .summary = "make a new key; the old one (the only active one) verifies for a while yet" },
	{ "key", "retire", "SITE KID", .options = BIT(OPT_NOW) | BIT(OPT_IN) | BIT(OPT_AT) | BIT(OPT_YES),
	  .run = run_key_retire, .summary = "stop trusting a key: one of --now, --in, --at; the secret is deleted then" },
	{ "key", "keep", "SITE KID", .run = run_key_keep, .summary = "cancel a retirement that is still ahead" },
	{ "key", "check", "SITE", .run = run_key_check, .summary = "is the key ring in order? 1 if not, and why" },

	{ "token", "explain", "SITE [-|FILE]", .run = run_token_explain,
	  .summary = "why a token is accepted or not: every check (FILE, or standard input)" },
	{ "token", "mint", "SITE", .required = BIT(OPT_EMAIL) | BIT(OPT_SECRET_FILE),
	  .options = BIT(OPT_EMAIL) | BIT(OPT_NAME) | BIT(OPT_USER_ID) | BIT(OPT_TTL) | BIT(OPT_SECRET_FILE),
	  .run = run_token_mint, .summary = "sign a token, for tests and scripts" },

	{ "action", "import", "SITE FILE", .run = run_action_import,
	  .summary = "replace the site's actions by this document" },
	{ "action", "list", "SITE", .run = run_action_list, .summary = "list the site's actions" },
	{ "action", "show", "SITE ACTION", .run = run_action_show, .summary = "show one action" },
	{ "action", "run", "SITE ACTION", .options = BIT(OPT_TOKEN_FILE) | BIT(OPT_PARAMETERS), .run = run_action_run,
	  .summary = "run an action as a request would: same checks, same records" },

	{ "connection", "add", "NAME", .options = CONNECTION_SETTINGS, .more = CONNECTION_MORE, .lists = BIT(OPT_SITE),
	  .required = BIT(OPT_SITE) | BIT(OPT_BASE_URL) | BIT(OPT_ALLOW),
	  .run = run_connection_add, .summary = "add a connection to another system: its secret from standard input" },
	{ "connection", "list", "", .options = BIT(OPT_SOCKET), .run = run_connection_list,
	  .summary = "list the connections and their state, never their secrets" },
	{ "connection", "test", "CONNECTION", .options = BIT(OPT_SOCKET), .run = run_connection_test,
	  .summary = "make its test call: do its address and its secret work? 1 if not" },
	{ "connection", "rotate", "CONNECTION", .options = BIT(OPT_SOCKET), .run = run_connection_rotate,
	  .summary = "give it a new secret, from standard input" },
	{ "connection", "remove", "CONNECTION", .options = BIT(OPT_SOCKET) | BIT(OPT_YES), .run = run_connection_remove,
	  .summary = "remove it with its secrets; its records stay" },

	{ "document", "import", "SITE FILE", .run = run_document_import,
	  .summary = "add or replace documents: one JSON object a line" },
	{ "document", "list", "SITE COLLECTION", .run = run_document_list,
	  .summary = "list the documents of a collection" },

	{ "audit", "list", "", .options = RECORD_FILTER | BIT(OPT_LIMIT), .run = run_audit_list,
	  .summary = "show the latest records, newest last" },
	{ "audit", "show", "SEQ", .options = BIT(OPT_WITH_IDENTITY), .run = run_audit_show,
	  .summary = "show one record, what its reason means, and what to do" },
	{ "audit", "follow", "", .options = RECORD_FILTER & ~(BIT(OPT_UNTIL) | BIT(OPT_WITH_IDENTITY)),
	  .run = run_audit_follow, .summary = "print records as they come: from now on, or from --after or --since on" },
	{ "audit", "export", "", .options = RECORD_FILTER | BIT(OPT_FORMAT) | BIT(OPT_CHECKPOINT) | BIT(OPT_PROOFS) |
	  BIT(OPT_STATE) | BIT(OPT_FOLLOW), .run = run_audit_export,
	  .summary = "print the stored records, byte for byte as they were hashed, or as other programs read them" },
	{ "audit", "verify", "[FILE|DIR]", .options = BIT(OPT_VKEY) | BIT(OPT_NOTE), .run = run_audit_verify,
	  .summary = "is the log what it was? Or an export (- for standard input), or a backup; 1 if it was altered" },
	{ "audit", "checkpoint", "", .options = BIT(OPT_EVERY), .run = run_audit_checkpoint,
	  .summary = "sign the log as it is, if it follows from the last checkpoint; 1 if it does not" },
	{ "audit", "vkey", "", .run = run_audit_vkey, .summary = "print the key that verifies the log's checkpoints" },
	{ "audit", "prove", "SEQ", .run = run_audit_prove,
	  .summary = "print what proves that one record is in the log (a C2SP tlog-proof)" },
	{ "audit", "stats", "", .options = RECORD_FILTER & ~BIT(OPT_WITH_IDENTITY), .run = run_audit_stats,
	  .summary = "count the records: per day, reason, action, site and key" },
	{ "audit", "prune", "", .options = BIT(OPT_BEFORE) | BIT(OPT_IDENTITIES_BEFORE) | BIT(OPT_ARCHIVE) | BIT(OPT_YES),
	  .run = run_audit_prune, .summary = "delete what was kept long enough: records up to a checkpoint, and identities" },
	{ "audit", "erase", "SITE", .required = BIT(OPT_EMAIL), .options = BIT(OPT_EMAIL) | BIT(OPT_DOCUMENTS) | BIT(OPT_YES),
	  .run = run_audit_erase, .summary = "erase what is kept of a person; their records stay, under the pseudonym" },

	{ "doctor", NULL, "", .options = BIT(OPT_SOCKET) | BIT(OPT_URL) | BIT(OPT_SITE) | BIT(OPT_ORIGIN) | BIT(OPT_MINT) |
	  BIT(OPT_HEADER_FILE), .run = run_doctor, .summary = "is everything in order? 1 if not, and what to do" },

	{ "backup", NULL, "DIR", .run = run_backup,
	  .summary = "copy the data while it is in use, and verify the copy; it holds neither master.key nor admin.key" },
	{ "restore", NULL, "DIR", .options = BIT(OPT_ACCEPT_KEY) | BIT(OPT_ACCEPT_ALL_KEYS) | BIT(OPT_YES), .run = run_restore,
	  .summary = "put a backup in the place of the data; the log begins a new incarnation" },
	{ "migrate", NULL, "", .run = run_migrate,
	  .summary = "bring data of an older version up to this one; no other program may have it open" },
	{ "compact", NULL, "", .run = run_compact,
	  .summary = "write the data anew without what was deleted; no other program may have it open" },

	{ "help", NULL, "[NOUN] [VERB]", .run = run_help, .summary = "say what a command does" },
	{ "completion", NULL, "", .run = run_completion, .summary = "print a completion script for bash" },
};
const size_t command_count = ARRAY_LEN(commands);

/* ---- usage ---- */

size_t command_operands(const struct command *c, size_t *ret_least)
{
	size_t most = 0, optional = 0;

	for (const char *at = c->operands; *at; at += strspn(at, " ")) {
		optional += *at == '[';
		most++;
		at += strcspn(at, " ");
	}
	*ret_least = most - optional;
	return most;
}

static const char *verb_or_nothing(const struct command *c)
{
	return c->verb ? c->verb : "";
}

void say_where_help_is(const struct command *c)
{
	if (c)
		talk("see: postern %s%s%s --help", c->noun, c->verb ? " " : "", verb_or_nothing(c));
	else
		talk("see: postern help");
}

int usage_error(const struct call *c, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	talk("%s", text);
	say_where_help_is(c->command);
	return EXIT_USAGE;
}

/* The command the first operands name; *ret_words: how many of them are its name. */
static const struct command *find_command(const struct arguments *a, size_t *ret_words)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (a->operands == 0 || strcmp(a->operand[0], c->noun) != 0)
			continue;
		if (c->verb && (a->operands < 2 || strcmp(a->operand[1], c->verb) != 0))
			continue;
		*ret_words = c->verb ? 2 : 1;
		return c;
	}
	return NULL;
}

static int no_command(const struct arguments *a)
{
	if (a->operands == 0)
		help_all(stderr);
	else if (a->operands == 1 && help_noun(stderr, a->operand[0]))
		;
	else
		talk("there is no command \"%s%s%s\"; see: postern help", a->operand[0], a->operands > 1 ? " " : "",
		     a->operands > 1 ? a->operand[1] : "");
	return EXIT_USAGE;
}

/* Of options that are a list for some commands only. */
static bool given_twice(const struct arguments *a, enum opt o)
{
	size_t times = 0;

	for (size_t i = 0; i < a->listed_count; i++)
		times += a->listed[i].opt == o;
	return times > 1;
}

static int check_options(const struct call *c)
{
	const struct arguments *a = &c->args;

	for (enum opt o = 0; o < OPT_COUNT; o++) {
		if (args_given(a, o) && !command_takes(c->command, o))
			return usage_error(c, "this command takes no --%s", option_rows[o].name);
		if (given_twice(a, o) && !command_lists(c->command, o))
			return usage_error(c, "--%s is given twice", option_rows[o].name);
		if (args_cleared(a, o) && !opt_in(c->command->clearable, 0, o))
			return usage_error(c, "this command takes no --no-%s", option_rows[o].name);
		if (command_needs(c->command, o) && !args_given(a, o))
			return usage_error(c, "--%s %s is needed", option_rows[o].name, option_rows[o].value);
	}
	return EXIT_YES;
}

static int check_operands(const struct call *c)
{
	size_t least, most = command_operands(c->command, &least);

	if (c->args.operands < least)
		return usage_error(c, "something is missing: %s", c->command->operands);
	if (c->args.operands > most)
		return usage_error(c, "too many operands: %s", c->command->operands[0] ? c->command->operands : "none is taken");
	return EXIT_YES;
}

/* ---- a call ---- */

int call_open(struct call *c, bool read_only)
{
	struct admin_options o = { .dir = c->args.text[OPT_DATA], .read_only = read_only };

	return call_end(c, admin_open(&o, &c->admin, &c->why));
}

/* Names the code, for scripts. */
int call_refuse(struct call *c, enum reason reason)
{
	talk("%s: %s", reason_name(reason), reason_text(reason));
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ssss}", "error", reason_name(reason), "detail", reason_text(reason)));
	return reason == REASON_KEY_AMBIGUOUS ? EXIT_USAGE : EXIT_NO;
}

int call_end(struct call *c, enum rc rc)
{
	if (rc == RC_OK)
		return EXIT_YES;
	if (c->why.text[0])
		talk("%s", c->why.text);
	if (rc == RC_REFUSED)                  /* without a code where no site or key refused, but init */
		return c->reason == REASON_NONE ? EXIT_NO : call_refuse(c, c->reason);
	if (!c->why.text[0])
		talk("%s", rc_text(rc));
	return rc == RC_INVALID ? EXIT_USAGE : EXIT_UNSURE;
}

static int call_run(struct call *c, size_t words)
{
	int code;

	if (args_given(&c->args, OPT_HELP)) {
		help_command(stdout, c->command);
		return EXIT_YES;
	}
	c->args.operands -= words;
	memmove(c->args.operand, c->args.operand + words, c->args.operands * sizeof(c->args.operand[0]));
	if ((code = check_options(c)) != EXIT_YES || (code = check_operands(c)) != EXIT_YES)
		return code;
	c->site = strncmp(c->command->operands, "SITE", 4) == 0 ? c->args.operand[0] : NULL;
	return c->command->run(c);
}

static int dispatch(struct call *c)
{
	size_t words = 0;

	if (args_given(&c->args, OPT_VERSION)) {
		out_line("postern %s", POSTERN_VERSION);
		return EXIT_YES;
	}
	c->command = find_command(&c->args, &words);
	if (c->command)
		return call_run(c, words);
	if (!args_given(&c->args, OPT_HELP))
		return no_command(&c->args);
	if (c->args.operands == 0)
		help_all(stdout);
	else if (c->args.operands > 1 || !help_noun(stdout, c->args.operand[0]))
		return no_command(&c->args);
	return EXIT_YES;
}

/* Arguments that cannot be read; the operands before them may name the command. */
static int unreadable(const struct arguments *a)
{
	size_t words;

	say_where_help_is(find_command(a, &words));
	return EXIT_USAGE;
}

/* ---- the process ---- */

/* A closed standard descriptor would be given to the next file opened, and the result printed into the vault. */
static bool descriptors_ready(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && (errno != EBADF || open("/dev/null", O_RDONLY) != fd))
			return false;
	return true;
}

static bool close_admin(struct call *c)
{
	struct why notice = { { 0 } };

	if (c->admin && !admin_settle(c->admin, SETTLE_SECONDS, &notice))
		talk("%s", notice.text);
	return admin_close(c->admin);
}

int main(int argc, char **argv)
{
	struct call c = { 0 };
	bool whole;
	int code;

	if (!descriptors_ready())
		return EXIT_UNSURE;
	signal(SIGPIPE, SIG_IGN);      /* a reader that left is a failed write, not a death between vault and ledger */
	secret_process_init();
	store_on_lost_page("postern: vault or ledger is shorter than it was, or cannot be read: stop every worker, look at the disk, and "
			   "restore a backup\n", EXIT_UNSURE);
	code = args_parse(&c.args, argc, argv) ? dispatch(&c) : unreadable(&c.args);
	whole = close_admin(&c);
	args_done(&c.args);
	if (!out_finish()) {
		talk("not everything could be written to standard output");
		code = EXIT_UNSURE;
	}
	if (!whole)
		_exit(code);           /* a thread still waits for a lock */
	return code;
}
