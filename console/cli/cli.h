/* cli.h -- what the files of the command line share: options, one call of a command, output, and the commands. */
#ifndef POSTERN_CONSOLE_CLI_CLI_H
#define POSTERN_CONSOLE_CLI_CLI_H

#include "admin/admin.h"
#include "base/clock.h"
#include "base/version.h"

#include <stdio.h>

#ifndef POSTERN_DATADIR
#define POSTERN_DATADIR "/usr/share/postern/demo"
#endif

/* Exit codes, the contract with scripts. */
enum { EXIT_YES, EXIT_NO, EXIT_USAGE, EXIT_UNSURE };

/* ---- args.c: every option there is, once; a command says which it takes ---- */

/* OPT_EITHER: a list where the command says so, else given once. */
enum opt_type { OPT_FLAG, OPT_TEXT, OPT_LIST, OPT_EITHER, OPT_DURATION, OPT_TIME, OPT_NUMBER };

/*	  enum			name			type	  value		help */
#define OPTION_LIST(X) \
	X(DATA,		"data",			TEXT,	  "DIR",	"the data directory (default: $POSTERN_DATA, else /var/lib/postern)") \
	X(JSON,		"json",			FLAG,	  "",		"print one JSON document; follow: one a line") \
	X(HELP,		"help",			FLAG,	  "",		"say what this does") \
	X(VERSION,	"version",		FLAG,	  "",		"print the version") \
	X(SOCKET,	"socket",		TEXT,	  "PATH",	"the worker's socket; connection: postern-connectd's for admins (default: each one's own)") \
	X(YES,		"yes",			FLAG,	  "",		"do not ask") \
	X(GROUP,	"group",		TEXT,	  "G",		"the worker's group, which owns the directory (default: postern)") \
	X(DEMO,		"demo",			FLAG,	  "",		"add the site demo with its actions and documents") \
	X(NAME,		"name",			TEXT,	  "N",		"a name for people: the site's, or of a token the visitor's") \
	X(PLAN,		"plan",			TEXT,	  "P",		"free, pro or business (default: pro)") \
	X(SIGN_IN_URL,	"sign-in-url",		TEXT,	  "U",		"where a visitor signs in; told to those who must") \
	X(ORIGIN,	"origin",		LIST,	  "O",		"an origin whose pages may call: https://shop.example.com") \
	X(ACCEPT_DOMAIN, "accept-domain",	LIST,	  "D",		"accept emails of this domain though it is reserved or private") \
	X(RESERVE_DOMAIN, "reserve-domain",	LIST,	  "D",		"treat emails of this domain as anonymous") \
	X(MAX_LIFETIME,	"max-lifetime",		DURATION, "T",		"the longest a token may live (default and most: 24h)") \
	X(REQUIRE_EXP,	"require-exp",		FLAG,	  "",		"block tokens without exp") \
	X(ISSUER,	"issuer",		TEXT,	  "I",		"what a token's iss must be") \
	X(AUDIENCE,	"audience",		TEXT,	  "A",		"what a token's aud must be or contain") \
	X(MATCH,	"match",		TEXT,	  "TEXT",	"only sites whose id or name holds this") \
	X(LABEL,	"label",		TEXT,	  "L",		"a note for people: which backend holds it") \
	X(SECRET_FILE,	"secret-file",		TEXT,	  "F",		"the file of the secret: written new (0600), or read to mint") \
	X(GRACE,	"grace",		DURATION, "T",		"how long the old key still verifies (default: 48h)") \
	X(NOW,		"now",			FLAG,	  "",		"at once, whatever state the ledger is in") \
	X(IN,		"in",			DURATION, "T",		"that long from now: 30s 15m 48h 7d") \
	X(AT,		"at",			TIME,	  "T",		"at that time: RFC 3339, or a date") \
	X(EMAIL,	"email",		TEXT,	  "E",		"the visitor's email") \
	X(USER_ID,	"user-id",		TEXT,	  "U",		"the visitor's id at the site") \
	X(TTL,		"ttl",			DURATION, "T",		"how long it lives (default: 1h)") \
	X(TOKEN_FILE,	"token-file",		TEXT,	  "F",		"the file of the visitor's token, or - for standard input") \
	X(PARAMETERS,	"parameters",		TEXT,	  "JSON",	"the action's parameters, an object") \
	X(SITE,		"site",			EITHER,	  "S",		"only records of this site; doctor: the site to ask for; connection: a site it serves") \
	X(AFTER,	"after",		NUMBER,	  "SEQ",	"only records after this one") \
	X(SINCE,	"since",		TIME,	  "T",		"only from this time on: RFC 3339, a date, or -1h") \
	X(UNTIL,	"until",		TIME,	  "T",		"only before this time") \
	X(OUTCOME,	"outcome",		TEXT,	  "O",		"only intended, done, refused, blocked or failed") \
	X(REASON,	"reason",		TEXT,	  "R",		"only with this reason code") \
	X(ACTION,	"action",		TEXT,	  "A",		"only of this action") \
	X(REMOTE,	"remote",		TEXT,	  "NETWORK",	"only from this network: 203.0.113.0/24, or an address in it") \
	X(KID,		"kid",			TEXT,	  "KID",	"only of this key: it verified the token, or an admin changed it") \
	X(FORMAT,	"format",		TEXT,	  "F",		"jsonl (default: the stored lines, byte for byte), csv, ecs or cef") \
	X(CHECKPOINT,	"checkpoint",		FLAG,	  "",		"end with a checkpoint, signed now, that proves all the lines before it") \
	X(PROOFS,	"proofs",		FLAG,	  "",		"a proof after each line, and the last checkpoint; filters may be used") \
	X(STATE,	"state",		TEXT,	  "FILE",	"go on from the place kept there; a crash repeats records, never skips") \
	X(FOLLOW,	"follow",		FLAG,	  "",		"go on as records come: from now on, or from --after, --since or --state") \
	X(EVERY,	"every",		DURATION, "D",		"go on and sign one that often, or print the last one again") \
	X(VKEY,		"vkey",			TEXT,	  "V",		"the key that checkpoints must be signed by, as audit vkey prints it") \
	X(NOTE,		"note",			LIST,	  "FILE",	"a checkpoint that was kept elsewhere, to hold the log against") \
	X(BEFORE,	"before",		TIME,	  "T",		"records from before this time (default: 400 days ago)") \
	X(IDENTITIES_BEFORE, "identities-before", TIME,	  "T",		"identities not seen since this time (default: 30 days ago)") \
	X(ARCHIVE,	"archive",		TEXT,	  "FILE",	"write the records there first, with what proves them; a new file (0600)") \
	X(DOCUMENTS,	"documents",		FLAG,	  "",		"the documents that this email owns, too") \
	X(ACCEPT_KEY,	"accept-key",		LIST,	  "KID",	"a key of the backup to trust; the others are retired") \
	X(ACCEPT_ALL_KEYS, "accept-all-keys",	FLAG,	  "",		"trust every key of the backup, those retired since too") \
	X(WITH_IDENTITY, "with-identity",	FLAG,	  "",		"add the clear identities; that you asked is recorded first") \
	X(URL,		"url",			TEXT,	  "URL",	"ask Postern through the web server at this URL, before its /v1 (its log gets blocked tokens)") \
	X(MINT,		"mint",			TEXT,	  "URL",	"ask the site's own token endpoint for a token of somebody else") \
	X(HEADER_FILE,	"header-file",		TEXT,	  "F",		"header lines of a signed-in session, such as Cookie: ...; - for standard input") \
	X(LIMIT,	"limit",		NUMBER,	  "N",		"how many, the latest (default: 50)") \
	X(BASE_URL,	"base-url",		TEXT,	  "URL",	"where the system is: https://api.shop.example/v1") \
	X(ALLOW,	"allow",		LIST,	  "CALL",	"a call it serves, {} any one segment: 'GET /customers/{}/orders'") \
	X(PROVIDER,	"provider",		TEXT,	  "P",		"its provider's key (default: the connection's name)") \
	X(AUTH,		"auth",			TEXT,	  "TYPE",	"api-key (default), basic, oauth2-refresh, oauth2-client or none") \
	X(HEADER,	"header",		TEXT,	  "H",		"api-key: the header it goes into (default: Authorization, after \"Bearer \")") \
	X(QUERY,	"query",		TEXT,	  "Q",		"api-key: the query parameter it goes into") \
	X(PREFIX,	"prefix",		TEXT,	  "TEXT",	"api-key: what stands before it in the header") \
	X(USERNAME,	"username",		TEXT,	  "U",		"basic: the user's name") \
	X(TOKEN_URL,	"token-url",		TEXT,	  "URL",	"oauth2: the token server's endpoint") \
	X(CLIENT_ID,	"client-id",		TEXT,	  "ID",		"oauth2: the client's id") \
	X(AUTH_IN,	"auth-in",		TEXT,	  "PLACE",	"oauth2: the client's id and secret in the header (default) or the body") \
	X(BODY,		"body",			TEXT,	  "FORM",	"oauth2: what the token server takes, form (default) or json") \
	X(SCOPE,	"scope",		TEXT,	  "S",		"oauth2: the scope to ask for") \
	X(EXTRA,	"extra",		LIST,	  "K=V",	"oauth2: a further parameter for the token server; no secret") \
	X(CA_FILE,	"ca-file",		TEXT,	  "FILE",	"trust the certificates in it (PEM), instead of the machine's") \
	X(ALLOW_HTTP,	"allow-http",		FLAG,	  "",		"permit plain http for this connection") \
	X(ALLOW_NETWORK, "allow-network",	LIST,	  "CIDR",	"permit this private network: 10.0.0.0/8, 127.0.0.0/8") \
	X(CONCURRENCY,	"concurrency",		NUMBER,	  "N",		"as many calls at a time (default: 16)") \
	X(TEST,		"test",			TEXT,	  "CALL",	"the call that postern connection test makes: 'GET /ping'")

enum opt {
#define X(id, name, type, value, help) OPT_##id,
	OPTION_LIST(X)
#undef X
	OPT_COUNT
};
/* A set of options is two words. Each option's bit is in one of them, and the compiler warns of a shift where it is in the other. */
_Static_assert(OPT_COUNT <= 128, "a set of options is two words");
#define BIT(opt) (UINT64_C(1) << (opt))
#define MORE(opt) (UINT64_C(1) << ((opt) - 64))
#define OPTIONS_EVERYWHERE (BIT(OPT_DATA) | BIT(OPT_JSON) | BIT(OPT_HELP))

struct option_row { const char *name; enum opt_type type; const char *value, *help; };
extern const struct option_row option_rows[OPT_COUNT];

#define OPERANDS_MAX 8
struct arguments {
	uint64_t given, cleared;               /* sets of options; cleared: as --no-NAME */
	uint64_t more, cleared_more;           /* their second words */
	const char *text[OPT_COUNT];           /* as given; of a list the last */
	uint64_t number[OPT_COUNT];            /* a duration in seconds, a time in microseconds, a number */
	struct { enum opt opt; const char *value; } *listed;
	size_t listed_count;
	const char *operand[OPERANDS_MAX];
	size_t operands;
};
/* A number of at most 18 digits. */
bool number_parse(const char *text, uint64_t *ret);
/* false: wrong usage, and stderr says what. */
bool args_parse(struct arguments *a, int argc, char *const *argv);
void args_done(struct arguments *a);
static inline bool opt_in(uint64_t first, uint64_t more, enum opt o)
{
	return (o < 64 ? first >> o : more >> (o - 64)) & 1;
}
static inline bool args_given(const struct arguments *a, enum opt o)
{
	return opt_in(a->given, a->more, o);
}
static inline bool args_cleared(const struct arguments *a, enum opt o)
{
	return opt_in(a->cleared, a->cleared_more, o);
}

/* ---- main.c: one call ---- */

struct call;
struct command {
	const char *noun, *verb;       /* verb NULL: the noun alone is the command */
	const char *operands;          /* "SITE [KID]": what help shows and what is counted */
	uint64_t options, more;        /* besides those taken everywhere; more: the second word */
	uint64_t required;             /* of options */
	uint64_t lists;                /* of OPT_EITHER, those that may come several times */
	uint64_t clearable;            /* that may also come as --no-NAME */
	int (*run)(struct call *c);
	const char *summary;
};
extern const struct command commands[];
extern const size_t command_count;
static inline bool command_takes(const struct command *c, enum opt o)
{
	return opt_in(c->options | OPTIONS_EVERYWHERE, c->more, o);
}
static inline bool command_lists(const struct command *c, enum opt o)
{
	return option_rows[o].type == OPT_LIST || opt_in(c->lists, 0, o);
}
static inline bool command_needs(const struct command *c, enum opt o)
{
	return opt_in(c->required, 0, o);
}
size_t command_operands(const struct command *c, size_t *ret_least);    /* at most */

struct call {
	const struct command *command;
	struct arguments args;
	const char *site;              /* the first operand, where the command takes one */
	struct admin *admin;
	enum reason reason;            /* what a call of admin/ gave back, for call_end() */
	struct why why;
};
/* Opens the data; files that the command line names are opened before it, as who called. EXIT_YES or the exit code. */
int call_open(struct call *c, bool read_only);
/* Says how a call of admin/ ended, and with which exit code. */
int call_end(struct call *c, enum rc rc);
int call_refuse(struct call *c, enum reason reason);
int usage_error(const struct call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What usage_error() ends with, where something else has said what is wrong. */
void say_where_help_is(const struct command *c);

/* ---- help.c ---- */
void help_all(FILE *to);
bool help_noun(FILE *to, const char *noun);
void help_command(FILE *to, const struct command *c);
int  run_help(struct call *c);

/* ---- completion.c ---- */
int  run_completion(struct call *c);

/* ---- out.c: results on stdout, talk on stderr; outside text only through here ---- */
void talk(const char *fmt, ...) PRINTF_LIKE(1, 2);         /* one line on stderr, sanitised as a whole */
void out_line(const char *fmt, ...) PRINTF_LIKE(1, 2);     /* one line on stdout, sanitised as a whole */
void out_buf(const struct buf *b);                         /* its bytes as they are; on a terminal sanitised */
void out_json(json_t *value);                              /* a document; steals the reference, NULL is out of memory */
void out_item(json_t *value, size_t index);                /* of an array; ends with out_array_end() */
void out_array_end(size_t count);
void out_secret(const struct secret *s);                   /* never through a buffer */
bool out_ok(void);
bool out_finish(void);                                     /* flushes; false: not everything was written */
const char *out_time(uint64_t seconds, char out[CLOCK_TEXT_MAX]);      /* "-" for 0 */

#define TABLE_COLUMNS 8
struct table {
	size_t columns, rows;
	char **cell;                   /* rows * columns, sanitised */
	bool failed;
};
void table_begin(struct table *t, size_t columns, const char *const *heads);
void table_row(struct table *t, const char *const *cells);     /* NULL: empty */
void table_end(struct table *t);                               /* prints and frees */

/* ---- confirm.c ---- */
/* --yes, or the word typed at a terminal. EXIT_YES, EXIT_NO (said no), EXIT_USAGE (nobody to ask). */
int confirm(const struct call *c, const char *question, const char *word);

/* ---- secret-file.c: a file made before the secret that goes into it, and gone again if that never comes ---- */
struct secret_file { const char *path; int fd, guard; pid_t pid; };
int  secret_file_make(struct secret_file *f, const char *path);    /* EXIT_YES or the exit code; path NULL: no file */
bool secret_file_write(struct secret_file *f, const struct secret *s);
void secret_file_end(struct secret_file *f, bool keep);

/* ---- settings.c: a site's settings as options and as JSON ---- */
/* false: wrong usage, and stderr says what. ret_changed: their names, room for SETTINGS_MAX + 1, ends with NULL. */
#define SETTINGS_MAX 10
bool settings_apply(struct site *s, const struct arguments *a, const char *ret_changed[SETTINGS_MAX + 1]);
json_t *settings_json(const struct site *s);
bool settings_from_json(struct site *s, const json_t *object, struct why *why);
void settings_print(const struct site *s);

/* ---- connection-settings.c ---- */
/* What `connection add` was given, as postern-connectd takes it; new. NULL: wrong usage, or a file that cannot be read, and stderr says
 * what; *ret_code has the exit code. */
json_t *connection_settings(const struct call *c, int *ret_code);

/* ---- demo.c ---- */
struct demo { struct buf site, actions, documents; };
enum rc demo_read(struct demo *d, struct why *why);           /* before the data is opened */
void demo_done(struct demo *d);
enum rc demo_add(struct admin *a, const struct demo *d, bool *ret_added, enum reason *ret_reason, struct why *why);

/* ---- the commands, cmd-<noun>.c ---- */
int run_init(struct call *c);
int run_site_add(struct call *c);
int run_site_list(struct call *c);
int run_site_show(struct call *c);
int run_site_set(struct call *c);
int run_site_remove(struct call *c);
int run_key_create(struct call *c);
int run_key_import(struct call *c);
int run_key_list(struct call *c);
int run_key_rotate(struct call *c);
int run_key_retire(struct call *c);
int run_key_keep(struct call *c);
int run_key_check(struct call *c);
int run_token_explain(struct call *c);
int run_token_mint(struct call *c);
int run_action_import(struct call *c);
int run_action_list(struct call *c);
int run_action_show(struct call *c);
int run_action_run(struct call *c);
int run_document_import(struct call *c);
int run_document_list(struct call *c);
int run_doctor(struct call *c);
int run_audit_list(struct call *c);
int run_audit_show(struct call *c);
int run_audit_follow(struct call *c);
int run_audit_export(struct call *c);
int run_audit_checkpoint(struct call *c);
int run_audit_vkey(struct call *c);
int run_audit_verify(struct call *c);
int run_audit_prove(struct call *c);
int run_audit_stats(struct call *c);
int run_audit_prune(struct call *c);
int run_audit_erase(struct call *c);
int run_connection_add(struct call *c);
int run_connection_list(struct call *c);
int run_connection_test(struct call *c);
int run_connection_rotate(struct call *c);
int run_connection_remove(struct call *c);
int run_backup(struct call *c);
int run_restore(struct call *c);
int run_migrate(struct call *c);
int run_compact(struct call *c);

#endif
