/* cmd-audit-checkpoint.c -- postern audit checkpoint|vkey|prove: what leaves the host, so that others can hold the log
 * to it. */
#include "console/cli/cmd-audit-private.h"
#include "base/log.h"

#include <unistd.h>

/* Where nobody looks, the journal or a file takes it, with its priority. */
static void say(enum log_level level, const char *text)
{
	if (isatty(STDERR_FILENO))
		talk("%s", text);
	else
		log_line(level, "%s", text);
}

/* A note is printed as it is: it holds nothing but what the vault says, and nothing else would verify. */
static void print_text(const struct buf *text)
{
	const char *at = text->data, *feed;

	if (!isatty(STDOUT_FILENO)) {
		out_buf(text);
		return;
	}
	for (; at && (feed = strchr(at, '\n')); at = feed + 1)
		out_line("%.*s", (int)(feed - at), at);
}

/* In one line, which the journal carries away: the note's lines, its empty one left out. */
static void log_note(const struct buf *note)
{
	struct buf line = BUF_INIT;

	buf_add_str(&line, "checkpoint ");
	for (const char *at = note->data; at && *at; at++)
		if (*at != '\n')
			buf_add_char(&line, *at);
		else if (at[1] && at[1] != '\n')
			buf_add_char(&line, ' ');
	if (!line.failed && !isatty(STDERR_FILENO))
		log_line(LOG_LEVEL_INFO, "%s", line.data);
	buf_done(&line);
}

static void print_checkpoint(const struct call *c, const struct buf *note, bool is_new)
{
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{sbss}", "new", is_new, "note", note->data));
	else
		print_text(note);
	log_note(note);
}

static void print_refusal(const struct call *c, const struct verification *v)
{
	char text[sizeof(v->text) + 64];

	snprintf(text, sizeof(text), "no checkpoint was signed: %s: %s", verdict_name(v->verdict), v->text);
	say(LOG_LEVEL_ERROR, text);
	if (args_given(&c->args, OPT_JSON))
		out_json(verification_json(v));
}

/* EXIT_YES or the exit code. */
static int checkpoint(struct call *c)
{
	struct buf note = BUF_INIT;
	struct verification found;
	bool is_new = false;
	enum rc rc = admin_checkpoint(c->admin, &note, &is_new, &found, &c->why);

	if (rc == RC_OK)
		print_checkpoint(c, &note, is_new);
	else if (rc == RC_REFUSED)
		print_refusal(c, &found);
	buf_done(&note);
	return rc == RC_REFUSED ? EXIT_NO : call_end(c, rc);
}

static int checkpoint_every(struct call *c, uint64_t every_s)
{
	int code = EXIT_YES;

	follow_begin();
	while (code == EXIT_YES && !follow_stopped()) {
		uint64_t due = clock_mono_ms() + every_s * 1000;

		code = checkpoint(c);
		if (!follow_flush())
			return EXIT_UNSURE;
		while (code == EXIT_YES && !follow_stopped() && clock_mono_ms() < due)
			code = call_end(c, follow_wait(c));
	}
	return code;
}

int run_audit_checkpoint(struct call *c)
{
	uint64_t every = c->args.number[OPT_EVERY];
	int code;

	if (args_given(&c->args, OPT_EVERY) && every == 0)
		return usage_error(c, "--every is at least 1s");
	if ((code = call_open(c, false)) != EXIT_YES)
		return code;
	return args_given(&c->args, OPT_EVERY) ? checkpoint_every(c, every) : checkpoint(c);
}

int run_audit_vkey(struct call *c)
{
	char text[NOTE_KEY_TEXT_MAX];
	struct log_name name;
	int code = call_open(c, false);

	if (code == EXIT_YES)
		code = call_end(c, admin_log_name(c->admin, &name, &c->why));
	if (code != EXIT_YES)
		return code;
	note_key_text(&name.key, text);
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ssss}", "origin", name.origin, "vkey", text));
	else
		out_line("%s", text);
	return EXIT_YES;
}

int run_audit_prove(struct call *c)
{
	struct buf line = BUF_INIT, proof = BUF_INIT;
	uint64_t seq;
	int code;

	if (!number_parse(c->args.operand[0], &seq))
		return usage_error(c, "\"%s\" is no record's number", c->args.operand[0]);
	if ((code = call_open(c, true)) != EXIT_YES)
		return code;
	code = call_end(c, admin_prove(c->admin, seq, &line, &proof, &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{sIss%ss}", "seq", (json_int_t)seq, "line", line.data, line.size, "proof",
		                   proof.data));
	else if (code == EXIT_YES)
		print_text(&proof);
	buf_done(&line);
	buf_done(&proof);
	return code;
}
