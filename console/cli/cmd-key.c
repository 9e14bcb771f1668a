/* cmd-key.c -- postern key create|import|list|rotate|retire|keep|check. */
#include "console/cli/cli.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#define GRACE_DEFAULT (48 * 3600)
#define IMPORT_MAX (KEY_SECRET_MAX + 1)        /* with its final newline */

/* ---- showing a new key ---- */

/* The one time its secret is seen. more: further members of the JSON document, each with a comma before it. */
static void show_created(const struct call *c, const struct key *k, const struct secret_file *f, const char *more)
{
	if (args_given(&c->args, OPT_JSON)) {
		printf("{\"kid\":\"%s\"%s", k->kid, more);
		if (!f->path) {
			printf(",\"secret\":\"");
			out_secret(k->secret);         /* base62 and underscores: nothing to escape */
			putchar('"');
		}
		printf(",\"site\":\"%s\",\"state\":\"active\"}\n", c->site);
		return;
	}
	out_line("kid     %s", k->kid);
	if (f->path)
		return;
	printf("secret  ");
	out_secret(k->secret);
	putchar('\n');
}

/* From before a key is made until its secret is in the file: an end in between would leave a key that nobody can use. */
static void hold_signals(const struct secret_file *f, int how)
{
	sigset_t ends;

	if (!f->path)
		return;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGQUIT);
	pthread_sigmask(how, &ends, NULL);
}

/* The secret is in the file or on standard output, or the admin learns that nobody has it. */
static int deliver(struct call *c, const struct key *k, struct secret_file *f, const char *more)
{
	bool kept = true;

	if (f->path)
		kept = secret_file_write(f, k->secret);
	secret_file_end(f, kept);
	hold_signals(f, SIG_UNBLOCK);
	if (kept) {
		show_created(c, k, f, more);
		kept = out_finish();
	}
	if (kept && !f->path && !args_given(&c->args, OPT_JSON))
		talk("this secret is shown only now");
	if (kept)
		return EXIT_YES;
	talk("key %s was made, but its secret could not be written: retire it and make another", k->kid);
	return EXIT_UNSURE;
}

int run_key_create(struct call *c)
{
	struct key made = { 0 };
	struct secret_file f;
	int code = secret_file_make(&f, c->args.text[OPT_SECRET_FILE]);

	if (code == EXIT_YES)
		code = call_open(c, false);
	if (code == EXIT_YES) {
		enum rc rc;

		hold_signals(&f, SIG_BLOCK);
		rc = admin_key_create(c->admin, c->site, c->args.text[OPT_LABEL], &made, &c->reason, &c->why);
		code = call_end(c, rc);
		if (rc == RC_OK)
			code = deliver(c, &made, &f, "");
	}
	secret_file_end(&f, false);
	key_done(&made);
	return code;
}

int run_key_rotate(struct call *c)
{
	uint64_t grace = args_given(&c->args, OPT_GRACE) ? c->args.number[OPT_GRACE] : GRACE_DEFAULT;
	struct key_ref old = { .site = c->site, .kid = c->args.operands > 1 ? c->args.operand[1] : NULL };
	struct rotation made = { 0 };
	struct secret_file f;
	char more[80], at[CLOCK_TEXT_MAX];
	int code = secret_file_make(&f, c->args.text[OPT_SECRET_FILE]);

	if (code == EXIT_YES)
		code = call_open(c, false);
	if (code == EXIT_YES) {
		enum rc rc;

		hold_signals(&f, SIG_BLOCK);
		rc = admin_key_rotate(c->admin, &old, grace, &made, &c->reason, &c->why);
		code = call_end(c, rc);
		if (rc == RC_OK) {
			snprintf(more, sizeof(more), ",\"retire_at\":%llu,\"retiring\":\"%s\"",
			         (unsigned long long)made.retire_at, made.retiring);
			code = deliver(c, &made.created, &f, more);
			talk("key %s verifies until %s", made.retiring, out_time(made.retire_at, at));
		}
	}
	secret_file_end(&f, false);
	key_done(&made.created);
	return code;
}

/* ---- import ---- */

/* Typed or pasted at a terminal it does not appear there. Ctrl-C waits: it would leave the terminal without its echo. */
static enum rc read_secret(struct secret **ret)
{
	struct termios shown, hidden;
	void (*interrupt)(int);
	bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
	enum rc rc;

	if (!terminal)
		return secret_read_fd(STDIN_FILENO, IMPORT_MAX, ret);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	talk("the secret, then Enter and Ctrl-D (it is not shown):");
	interrupt = signal(SIGINT, SIG_IGN);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	rc = secret_read_fd(STDIN_FILENO, IMPORT_MAX, ret);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	signal(SIGINT, interrupt);
	return rc;
}

int run_key_import(struct call *c)
{
	struct secret *secret = NULL;
	struct key made = { 0 };
	enum rc rc = read_secret(&secret);
	int code;

	code = rc == RC_INVALID ? call_refuse(c, REASON_SECRET_INVALID) : call_end(c, rc);
	if (code != EXIT_YES || (code = call_open(c, false)) != EXIT_YES)
		goto out;
	rc = admin_key_import(c->admin, c->site, c->args.text[OPT_LABEL], secret, &made, &c->reason, &c->why);
	if ((code = call_end(c, rc)) != EXIT_YES)
		goto out;
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ssssssss}", "kid", made.kid, "site", c->site, "state", "active", "fingerprint",
		                   made.fingerprint));
	else
		out_line("kid     %s", made.kid);
out:
	secret_free(secret);
	key_done(&made);
	return code;
}

/* ---- list ---- */

static json_t *time_json(uint64_t at)
{
	return at ? json_integer((json_int_t)at) : json_null();
}

static json_t *row_json(const struct key_row *r)
{
	return json_pack("{sssssssssIsososIsIsI}", "kid", r->key.kid, "label", r->key.label,
	                 "state", key_state_name(r->state), "fingerprint", r->key.fingerprint,
	                 "created_at", (json_int_t)r->key.created_at, "retire_at", time_json(r->key.retire_at),
	                 "last_used_at", time_json(r->use.last_used_at), "uses_1m", (json_int_t)r->use.uses_1m,
	                 "uses_1h", (json_int_t)r->use.uses_1h, "uses_24h", (json_int_t)r->use.uses_24h);
}

static void row_print(struct table *t, const struct key_rows *rows, size_t index, uint64_t now)
{
	const struct key_row *r = &rows->row[index];
	char created[CLOCK_TEXT_MAX], retire[CLOCK_TEXT_MAX], use[KEY_USE_TEXT_MAX];

	table_row(t, (const char *const[]){ r->key.kid, key_state_name(r->state), r->key.fingerprint,
	                                    out_time(r->key.created_at, created), out_time(r->key.retire_at, retire),
	                                    key_use_text(rows, index, now, use), r->key.label });
}

int run_key_list(struct call *c)
{
	static const char *const heads[] = { "KID", "STATE", "FINGERPRINT", "CREATED", "RETIRES", "USE", "LABEL" };
	struct key_rows rows = { 0 };
	struct table t;
	int code = call_open(c, false);

	if (code != EXIT_YES ||
	    (code = call_end(c, admin_key_list(c->admin, c->site, &rows, &c->reason, &c->why))) != EXIT_YES)
		return code;
	if (args_given(&c->args, OPT_JSON)) {
		for (size_t i = 0; i < rows.count; i++)
			out_item(row_json(&rows.row[i]), i);
		out_array_end(rows.count);
	} else {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (size_t i = 0; i < rows.count; i++)
			row_print(&t, &rows, i, clock_s());
		table_end(&t);
	}
	key_rows_done(&rows);
	return EXIT_YES;
}

/* ---- retire, keep, check ---- */

/* Which of --now, --in and --at; *ret_at 0: now. */
static int retire_time(const struct call *c, uint64_t *ret_at)
{
	const struct arguments *a = &c->args;
	uint64_t now = clock_s();

	if (args_given(a, OPT_NOW) + args_given(a, OPT_IN) + args_given(a, OPT_AT) != 1)
		return usage_error(c, "exactly one of --now, --in and --at is needed");
	*ret_at = 0;
	if (args_given(a, OPT_IN))
		*ret_at = now + a->number[OPT_IN];
	if (args_given(a, OPT_AT))
		*ret_at = a->number[OPT_AT] / 1000000;
	if (*ret_at && *ret_at <= now)
		return usage_error(c, "that is no time ahead; at once is --now");
	return EXIT_YES;
}

/* Shows what goes with the ring's last key, and asks. The answer holds for the ring that was looked at before the
 * question: *k gets its version. */
static int confirm_last(struct call *c, struct key_ref *k)
{
	char use[KEY_USE_TEXT_MAX] = "gone", question[KEY_USE_TEXT_MAX + 128];
	struct key_rows rows = { 0 };
	int code = call_end(c, admin_key_list(c->admin, k->site, &rows, &c->reason, &c->why));

	if (code != EXIT_YES)
		return code;
	k->ring = rows.ring;
	for (size_t i = 0; i < rows.live; i++)
		if (strcmp(rows.row[i].key.kid, k->kid) == 0)
			key_use_text(&rows, i, clock_s(), use);
	key_rows_done(&rows);
	snprintf(question, sizeof(question), "key_last: That is the last key that verifies (%s); without it every token "
	         "is blocked.", use);
	return confirm(c, question, k->kid);
}

/* Asks only where it must: a ring that would verify nothing any more. */
static int retire(struct call *c, uint64_t at)
{
	struct key_ref k = { .site = c->site, .kid = c->args.operand[1] };
	bool last_too = args_given(&c->args, OPT_YES);
	enum rc rc = admin_key_retire(c->admin, &k, at, last_too, &c->reason, &c->why);
	int code;

	if (rc != RC_REFUSED || c->reason != REASON_KEY_LAST)
		return call_end(c, rc);
	code = confirm_last(c, &k);
	if (code != EXIT_YES)
		return code;
	return call_end(c, admin_key_retire(c->admin, &k, at, true, &c->reason, &c->why));
}

int run_key_retire(struct call *c)
{
	uint64_t at = 0;
	char time[CLOCK_TEXT_MAX];
	int code = retire_time(c, &at);

	if (code != EXIT_YES || (code = call_open(c, false)) != EXIT_YES || (code = retire(c, at)) != EXIT_YES)
		return code;
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ssssssso}", "site", c->site, "kid", c->args.operand[1], "state", at ? "retiring" : "retired",
		                   "retire_at", json_integer((json_int_t)(at ? at : clock_s()))));
	else if (at)
		talk("key %s verifies until %s", c->args.operand[1], out_time(at, time));
	else
		talk("key %s is retired and its secret deleted", c->args.operand[1]);
	return EXIT_YES;
}

int run_key_keep(struct call *c)
{
	struct key_ref k = { .site = c->site, .kid = c->args.operand[1] };
	int code = call_open(c, false);

	if (code != EXIT_YES)
		return code;
	code = call_end(c, admin_key_keep(c->admin, &k, &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ssssss}", "site", c->site, "kid", c->args.operand[1], "state", "active"));
	else if (code == EXIT_YES)
		talk("key %s stays", c->args.operand[1]);
	return code;
}

int run_key_check(struct call *c)
{
	json_t *problems = NULL, *sentence;
	bool healthy;
	size_t i;
	int code = call_open(c, false);

	if (code != EXIT_YES ||
	    (code = call_end(c, admin_key_check(c->admin, c->site, &problems, &c->reason, &c->why))) != EXIT_YES)
		return code;
	healthy = json_array_size(problems) == 0;
	if (args_given(&c->args, OPT_JSON)) {
		out_json(json_pack("{sssbsO}", "site", c->site, "healthy", healthy, "problems", problems));
	} else {
		json_array_foreach(problems, i, sentence)
			out_line("%s", json_string_value(sentence));
		if (healthy)
			out_line("The key ring is in order.");
	}
	json_decref(problems);
	return healthy ? EXIT_YES : EXIT_NO;
}
