/* cmd-connection.c -- postern connection add|list|test|rotate|remove: what actions reach other systems by, kept by
 * postern-connectd. */
#include "console/cli/cli.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_INPUT_MAX (64 * 1024)

static const char *name_of(const struct call *c)
{
	return c->args.operand[0];
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* ---- the secret ---- */

/* Typed or pasted at a terminal it does not appear there. Ctrl-C waits: it would leave the terminal without its echo. */
static enum rc read_input(struct secret **ret)
{
	struct termios shown, hidden;
	void (*interrupt)(int);
	enum rc rc;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &shown) != 0)
		return secret_read_fd(STDIN_FILENO, SECRET_INPUT_MAX, ret);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	talk("the secret, then Enter and Ctrl-D (it is not shown):");
	interrupt = signal(SIGINT, SIG_IGN);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	rc = secret_read_fd(STDIN_FILENO, SECRET_INPUT_MAX, ret);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	signal(SIGINT, interrupt);
	return rc;
}

/* *ret as connectd takes it; NULL for an auth that has none: then nothing is read. */
static int read_secret(struct call *c, const char *type, struct secret **ret)
{
	struct secret *given = NULL;
	enum rc rc;

	*ret = NULL;
	if (!admin_connection_has_secret(type))
		return EXIT_YES;
	rc = read_input(&given);
	if (rc == RC_OK)
		rc = admin_connection_secret(type, given, ret, &c->why);
	else if (rc == RC_INVALID)
		why_set(&c->why, "standard input is longer than any secret");
	secret_free(given);
	return call_end(c, rc);
}

static const char *auth_type(const json_t *connection)
{
	return member(json_object_get(connection, "auth"), "type");
}

/* ---- add, rotate, remove ---- */

int run_connection_add(struct call *c)
{
	struct secret *secret = NULL;
	json_t *settings, *made = NULL;
	int code;

	if (!(settings = connection_settings(c, &code)))
		return code;
	if ((code = read_secret(c, auth_type(settings), &secret)) != EXIT_YES || (code = call_open(c, false)) != EXIT_YES)
		goto out;
	code = call_end(c, admin_connection_add(c->admin, c->args.text[OPT_SOCKET], settings, secret, &made, &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(made ? json_incref(made) : json_pack("{ss}", "name", name_of(c)));
	else if (code == EXIT_YES)
		talk("connection %s is added%s%s", name_of(c), args_given(&c->args, OPT_TEST) ? "; try it: postern connection test " : "",
		     args_given(&c->args, OPT_TEST) ? name_of(c) : "");
out:
	secret_free(secret);
	json_decref(settings);
	json_decref(made);
	return code;
}

/* What is there now, before anything is asked of a person or recorded: a mistyped name is no event. */
static int get_connection(struct call *c, json_t **ret)
{
	return call_end(c, admin_connection_get(c->args.text[OPT_SOCKET], name_of(c), ret, &c->reason, &c->why));
}

static int rotate(struct call *c, const json_t *was)
{
	struct secret *secret = NULL;
	int code;

	if (!admin_connection_has_secret(auth_type(was)))
		return usage_error(c, "connection %s has no secret", name_of(c));
	if ((code = read_secret(c, auth_type(was), &secret)) == EXIT_YES && (code = call_open(c, false)) == EXIT_YES)
		code = call_end(c, admin_connection_rotate(c->admin, c->args.text[OPT_SOCKET], name_of(c), secret, &c->reason, &c->why));
	secret_free(secret);
	return code;
}

int run_connection_rotate(struct call *c)
{
	json_t *was = NULL;
	int code = get_connection(c, &was);

	if (code == EXIT_YES)
		code = rotate(c, was);
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ss}", "name", name_of(c)));
	else if (code == EXIT_YES)
		talk("connection %s has the new secret", name_of(c));
	json_decref(was);
	return code;
}

int run_connection_remove(struct call *c)
{
	char question[256];
	json_t *was = NULL;
	int code = get_connection(c, &was);

	json_decref(was);
	if (code != EXIT_YES)
		return code;
	snprintf(question, sizeof(question), "Removing connection %.64s deletes its secrets; actions that name it fail from then on.",
	         name_of(c));
	if ((code = confirm(c, question, name_of(c))) != EXIT_YES || (code = call_open(c, false)) != EXIT_YES)
		return code;
	code = call_end(c, admin_connection_remove(c->admin, c->args.text[OPT_SOCKET], name_of(c), &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ss}", "name", name_of(c)));
	return code;
}

/* ---- test ---- */

static void test_print(const struct call *c, const json_t *answer, bool ok)
{
	const json_t *status = json_object_get(answer, "status");
	char code[32] = "";

	if (json_is_integer(status))
		snprintf(code, sizeof(code), " (status %lld)", (long long)json_integer_value(status));
	if (ok)
		out_line("Connection %s works%s%s%s", name_of(c), code, *member(answer, "detail") ? ": " : ".", member(answer, "detail"));
	else
		out_line("%s%s: %s", *member(answer, "error") ? member(answer, "error") : "upstream_failed", code,
		         *member(answer, "detail") ? member(answer, "detail") : "it said nothing more");
}

int run_connection_test(struct call *c)
{
	json_t *was = NULL, *answer = NULL;
	int code = get_connection(c, &was);
	bool ok;

	json_decref(was);
	if (code == EXIT_YES && (code = call_open(c, false)) == EXIT_YES)
		code = call_end(c, admin_connection_test(c->admin, c->args.text[OPT_SOCKET], name_of(c), &answer, &c->reason, &c->why));
	if (code == EXIT_YES) {
		ok = json_is_true(json_object_get(answer, "ok"));
		if (args_given(&c->args, OPT_JSON))
			out_json(json_incref(answer));
		else
			test_print(c, answer, ok);
		code = ok ? EXIT_YES : EXIT_NO;
	}
	json_decref(answer);
	return code;
}

/* ---- list ---- */

static const char *joined(const json_t *list, struct buf *text)
{
	const json_t *one;
	size_t i;

	buf_clear(text);
	json_array_foreach(list, i, one)
		buf_addf(text, "%s%s", i ? "," : "", json_is_string(one) ? json_string_value(one) : "?");
	return text->failed || !text->data ? "" : text->data;
}

static void list_print(const json_t *list)
{
	static const char *const heads[] = { "CONNECTION", "STATE", "SINCE", "AUTH", "SITES", "BASE URL" };
	struct buf sites = BUF_INIT;
	const json_t *one;
	struct table t;
	size_t i;

	table_begin(&t, ARRAY_LEN(heads), heads);
	json_array_foreach(list, i, one) {
		json_int_t since = json_integer_value(json_object_get(one, "state_since"));
		char at[CLOCK_TEXT_MAX];

		table_row(&t, (const char *const[]){ member(one, "name"), member(one, "state"),
		                                     out_time(since > 0 ? (uint64_t)since : 0, at), auth_type(one),
		                                     joined(json_object_get(one, "sites"), &sites), member(one, "base_url") });
	}
	table_end(&t);
	buf_done(&sites);
}

/* It needs no data, only connectd. */
int run_connection_list(struct call *c)
{
	json_t *list = NULL;
	int code = call_end(c, admin_connection_list(c->args.text[OPT_SOCKET], 0, &list, &c->why));

	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_incref(list));
	else if (code == EXIT_YES)
		list_print(list);
	json_decref(list);
	return code;
}
