/* cmd-audit-show.c -- postern audit show: one record whole, what its reason means, and what to do about it. */
#include "console/cli/cmd-audit-private.h"

#define NAME_WIDTH "%-20s"
#define PROSE_WIDTH 78

/* ---- a record, one member a line ---- */

static void print_member(void *arg, const char *name, const char *value)
{
	(void)arg;
	out_line(NAME_WIDTH " %s", name, value);
}

/* ---- what it means, in words ---- */

/* Our own text, broken between words. */
static void print_prose(const char *text)
{
	while (*text) {
		size_t size = strlen(text), cut = PROSE_WIDTH;

		while (size > PROSE_WIDTH && cut > 0 && text[cut] != ' ')
			cut--;
		if (size > PROSE_WIDTH && cut > 0)
			size = cut;
		out_line("%.*s", (int)size, text);
		text += size + strspn(text + size, " ");
	}
}

static void print_meaning(const json_t *record)
{
	enum reason r = reason_from_name(json_string_value(json_object_get(record, "reason")));
	bool folded = admin_record_folded(record);

	if (r != REASON_COUNT || folded)
		putchar('\n');
	if (folded)
		print_prose(admin_folded);
	if (r == REASON_COUNT)
		return;
	print_prose(reason_text(r));
	if (admin_advice(r))
		print_prose(admin_advice(r));
}

/* ---- the command ---- */

struct shown {
	struct line line;
	bool named;                    /* an identity was asked for, and the record names somebody */
	bool kept;
	struct audit_identity who;
};

static void show_text(const struct shown *s)
{
	struct buf quoted = BUF_INIT;

	if (!s->line.record) {
		buf_add_json(&quoted, span_of(s->line.text, s->line.size));
		out_line(NAME_WIDTH " %s", "not a record", quoted.failed ? "out of memory" : quoted.data);
		buf_done(&quoted);
		return;
	}
	admin_record_members(s->line.record, print_member, NULL);
	if (s->named) {
		out_line(NAME_WIDTH " %s", "email", s->kept ? s->who.email : "- (not kept any more)");
		out_line(NAME_WIDTH " %s", "name", s->kept && s->who.name[0] ? s->who.name : "-");
	}
	print_meaning(s->line.record);
}

/* What a record has no answer to is a no, not a failure. */
static enum rc not_found(struct call *c, enum rc rc)
{
	if (rc != RC_NOT_FOUND)
		return rc;
	c->reason = REASON_NOT_FOUND;
	return RC_REFUSED;
}

static enum rc identify(struct call *c, struct shown *s)
{
	struct why why = { "" };
	enum rc rc;

	if (!args_given(&c->args, OPT_WITH_IDENTITY))
		return RC_OK;
	if (!line_has_subject(&s->line)) {
		talk("this record names nobody: it has no subject");
		return RC_OK;
	}
	rc = admin_audit_identity(c->admin, s->line.seq, &s->who, &why);
	s->kept = rc == RC_OK;
	s->named = s->kept || rc == RC_NOT_FOUND;
	if (s->named)
		return RC_OK;
	c->why = why;
	return rc;
}

int run_audit_show(struct call *c)
{
	struct shown s = { .named = false };
	struct buf text = BUF_INIT;
	enum rc rc;
	int code;

	if (!number_parse(c->args.operand[0], &s.line.seq))
		return usage_error(c, "\"%s\" is no record's number", c->args.operand[0]);
	if ((code = call_open(c, !args_given(&c->args, OPT_WITH_IDENTITY))) != EXIT_YES)
		return code;
	rc = admin_audit_record(c->admin, s.line.seq, &text, &s.line.record, &c->why);
	s.line.text = text.data;
	s.line.size = text.size;
	rc = rc == RC_OK ? identify(c, &s) : not_found(c, rc);
	if (rc == RC_OK && args_given(&c->args, OPT_JSON)) {
		line_print(&s.line, true, s.named, s.kept ? &s.who : NULL);
		putchar('\n');
	} else if (rc == RC_OK) {
		show_text(&s);
	}
	json_decref(s.line.record);
	buf_done(&text);
	return call_end(c, rc);
}
