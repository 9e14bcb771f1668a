/* cmd-audit-show.c -- postern audit show: one record whole, what its reason means, and what to do about it. */
#include "console/cli/cmd-audit-private.h"

#define NAME_WIDTH "%-20s"
#define PROSE_WIDTH 78

/* ---- a record, one member a line ---- */

/* What a reader looks for first; whatever else there is follows. */
static const char *const order[] = {
	"seq", "time", "event", "outcome", "reason", "site", "action", "effect", "status", "count", "first", "last",
	"remote", "subject", "token", "kid", "kid_claimed", "expiry", "conversation", "ignored", "actor", "detail",
};

static bool in_order(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(order[i], name) == 0)
			return true;
	return false;
}

/* Microseconds of a time member, 0: it is none. */
static uint64_t time_unit(const char *name)
{
	static const struct { const char *name; uint64_t unit; } times[] = {
		{ "time", 1 }, { "first", 1 }, { "last", 1 }, { "detail.since", 1 }, { "detail.until", 1 },
		{ "detail.retire_at", 1000000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (strcmp(times[i].name, name) == 0)
			return times[i].unit;
	return 0;
}

static void print_member(const char *name, const json_t *value)
{
	struct buf text = BUF_INIT;
	char at[CLOCK_TEXT_MAX];

	if (!value)
		return;
	if (json_is_string(value))
		buf_add_span(&text, json_span(value));
	else
		json_canonical(&text, value);
	if (json_is_integer(value) && time_unit(name))
		buf_addf(&text, " (%s)", clock_format((uint64_t)json_integer_value(value) * time_unit(name), at));
	out_line(NAME_WIDTH " %s", name, text.failed ? "out of memory" : text.size ? text.data : "");
	buf_done(&text);
}

static void print_detail(const json_t *detail)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)detail, name, value) {
		char full[64];

		snprintf(full, sizeof(full), "detail.%s", name);
		print_member(full, value);
	}
	if (!json_is_object(detail))
		print_member("detail", detail);
}

static void print_record(const json_t *record)
{
	const char *name;
	json_t *value;

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(order[i], "detail") == 0)
			print_detail(json_object_get(record, order[i]));
		else
			print_member(order[i], json_object_get(record, order[i]));
	json_object_foreach((json_t *)record, name, value)
		if (!in_order(name))
			print_member(name, value);
}

/* ---- its reason, in words ---- */

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

static void print_reason(const json_t *record)
{
	enum reason r = reason_from_name(json_string_value(json_object_get(record, "reason")));

	if (r == REASON_COUNT)
		return;
	putchar('\n');
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
	print_record(s->line.record);
	if (s->named) {
		out_line(NAME_WIDTH " %s", "email", s->kept ? s->who.email : "- (not kept any more)");
		out_line(NAME_WIDTH " %s", "name", s->kept && s->who.name[0] ? s->who.name : "-");
	}
	print_reason(s->line.record);
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
		talk("this record names nobody");
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
