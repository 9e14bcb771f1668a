/* cmd-audit.c -- postern audit list|export. */
#include "console/cli/cli.h"

#include <stdlib.h>

#define SLICE 512                      /* rows a read transaction looks at */
#define LIMIT_DEFAULT 50
#define LIMIT_MAX 100000

/* ---- the filter, from options ---- */

struct filter {
	struct audit_filter f;
	char subject[SUBJECT_MAX];
	bool with_identity;
};

/* What is wrong with the options alone, before any data is opened. */
static int filter_options(const struct call *c, struct filter *ret)
{
	const struct arguments *a = &c->args;
	struct audit_filter *f = &ret->f;

	*ret = (struct filter){ .with_identity = args_given(a, OPT_WITH_IDENTITY) };
	f->site = a->text[OPT_SITE];
	f->action = a->text[OPT_ACTION];
	f->has_after = args_given(a, OPT_AFTER);
	f->after = a->number[OPT_AFTER];
	f->since = a->number[OPT_SINCE];
	f->until = a->number[OPT_UNTIL];
	f->has_outcome = args_given(a, OPT_OUTCOME);
	if (f->has_outcome && !audit_outcome_parse(a->text[OPT_OUTCOME], &f->outcome))
		return usage_error(c, "--outcome is intended, done, refused, blocked or failed");
	if (args_given(a, OPT_REASON) && (f->reason = reason_from_name(a->text[OPT_REASON])) == REASON_COUNT)
		return usage_error(c, "--reason: there is no code \"%s\"", a->text[OPT_REASON]);
	if (args_given(a, OPT_EMAIL) && !f->site)
		return usage_error(c, "--email needs --site: each site has pseudonyms of its own");
	if (args_given(a, OPT_FORMAT) && strcmp(a->text[OPT_FORMAT], "jsonl") != 0)
		return usage_error(c, "--format is jsonl");
	return EXIT_YES;
}

static int filter_open(struct call *c, struct filter *ret)
{
	int code = filter_options(c, ret);
	enum rc rc = RC_OK;

	if (code != EXIT_YES || (code = call_open(c, !ret->with_identity)) != EXIT_YES)
		return code;
	if (ret->f.site)
		rc = admin_audit_site(c->admin, ret->f.site, &c->reason, &c->why);
	if (rc == RC_OK && args_given(&c->args, OPT_EMAIL)) {
		rc = admin_subject_of(c->admin, ret->f.site, c->args.text[OPT_EMAIL], ret->subject, &c->reason, &c->why);
		ret->f.subject = ret->subject;
	}
	if (rc == RC_OK && ret->with_identity)
		rc = admin_audit_identities_read(c->admin, &ret->f, "jsonl", &c->why);
	return call_end(c, rc);
}

/* ---- lines, read in slices so that no transaction waits for whoever reads our output ---- */

struct line { uint64_t seq; char *text; size_t size; json_t *record; };
struct lines { struct line at[SLICE]; size_t count; uint64_t before; bool failed; };

static bool line_add(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct lines *l = arg;
	struct line *at = &l->at[l->count];

	if (seq >= l->before || l->count == SLICE)
		return false;
	at->text = malloc(line.size + 1);
	if (!at->text) {
		l->failed = true;
		return false;
	}
	memcpy(at->text, line.data, line.size);
	at->text[line.size] = '\0';
	at->seq = seq;
	at->size = line.size;
	at->record = json_incref((json_t *)record);
	l->count++;
	return true;
}

static void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->at[i].text);
		json_decref(l->at[i].record);
	}
	l->count = 0;
}

static enum rc slice_read(struct call *c, const struct audit_filter *f, uint64_t from, struct lines *ret,
                          uint64_t *ret_next, bool *ret_end)
{
	struct txn *ledger = txn_read(admin_store(c->admin), ENV_LEDGER);
	enum rc rc;

	ret->count = 0;
	rc = audit_scan(ledger, f, from, SLICE, line_add, ret, ret_next, ret_end);
	txn_abort(ledger);
	return rc == RC_OK && ret->failed ? RC_NOMEM : rc;
}

/* ---- identities ---- */

/* Who is behind the record's subject; false: nobody any more, or the row does not open. */
static bool identity_of(struct call *c, const json_t *record, struct audit_identity *ret)
{
	const char *site = json_string_value(json_object_get(record, "site"));
	const char *subject = json_string_value(json_object_get(record, "subject"));
	struct txn *ledger;
	enum rc rc;

	if (!site || !subject || !site_id_valid(span_str(site)) || strlen(subject) >= SUBJECT_MAX)
		return false;
	ledger = txn_read(admin_store(c->admin), ENV_LEDGER);
	rc = audit_identity_get(admin_store(c->admin), ledger, site, subject, ret);
	txn_abort(ledger);
	return rc == RC_OK;
}

/* ---- export ---- */

static void add_identity(struct call *c, const json_t *record, struct buf *out)
{
	struct audit_identity who;

	buf_add_str(out, ",\"identity\":");
	if (!identity_of(c, record, &who)) {
		buf_add_str(out, "null");
		return;
	}
	buf_add_str(out, "{\"email\":");
	buf_add_json(out, span_str(who.email));
	buf_add_str(out, ",\"name\":");
	if (who.name[0])
		buf_add_json(out, span_str(who.name));
	else
		buf_add_str(out, "null");
	buf_add_char(out, '}');
}

/* The stored bytes; an identity joins them as a last member, so that taking it out again gives back what was hashed.
 * What is no record is, where one document is asked for, a string in it. */
static void export_line(struct call *c, const struct filter *f, bool document, const struct line *line)
{
	struct buf out = BUF_INIT;

	if (!line->record && document) {
		buf_add_json(&out, span_of(line->text, line->size));
	} else if (f->with_identity && json_object_get(line->record, "subject") && line->text[line->size - 1] == '}') {
		buf_add(&out, line->text, line->size - 1);
		add_identity(c, line->record, &out);
		buf_add_char(&out, '}');
	} else {
		buf_add(&out, line->text, line->size);
	}
	out_buf(&out);
	buf_done(&out);
}

int run_audit_export(struct call *c)
{
	bool json = args_given(&c->args, OPT_JSON), end = false;
	struct lines l = { .before = UINT64_MAX };
	struct filter f;
	uint64_t next = 0;
	size_t printed = 0;
	enum rc rc = RC_OK;
	int code = filter_open(c, &f);

	if (code != EXIT_YES)
		return code;
	while (rc == RC_OK && !end && out_ok()) {
		rc = slice_read(c, &f.f, next, &l, &next, &end);
		for (size_t i = 0; i < l.count && rc == RC_OK; i++, printed++) {
			if (json)
				putchar(printed == 0 ? '[' : ',');
			export_line(c, &f, json, &l.at[i]);
			if (!json)
				putchar('\n');
		}
		lines_done(&l);
	}
	if (json)
		out_array_end(printed);
	return call_end(c, rc);
}

/* ---- list: the latest, looked for backwards ---- */

struct latest { struct line *line; size_t count, limit; };     /* newest first */

static bool latest_add(struct latest *l, struct lines *slice)
{
	for (size_t i = slice->count; i > 0 && l->count < l->limit; i--) {
		struct line *grown = realloc(l->line, (l->count + 1) * sizeof(*grown));

		if (!grown)
			return false;
		l->line = grown;
		l->line[l->count++] = slice->at[i - 1];
		slice->at[i - 1] = (struct line){ 0 };
	}
	return true;
}

static void latest_done(struct latest *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->line[i].text);
		json_decref(l->line[i].record);
	}
	free(l->line);
}

static enum rc latest_find(struct call *c, const struct audit_filter *f, struct latest *l)
{
	struct lines slice = { 0 };
	struct txn *ledger = txn_read(admin_store(c->admin), ENV_LEDGER);
	uint64_t end = audit_size(ledger), next, least = f->has_after ? f->after + 1 : 0;
	enum rc rc = txn_end(ledger);
	bool last;

	while (rc == RC_OK && end > least && l->count < l->limit) {
		uint64_t from = end > SLICE ? end - SLICE : 0;

		slice.before = end;
		rc = slice_read(c, f, from, &slice, &next, &last);
		if (rc == RC_OK && !latest_add(l, &slice))
			rc = RC_NOMEM;
		lines_done(&slice);
		end = from;
	}
	return rc;
}

static const char *text_member(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text ? text : "-";
}

static void list_line(struct call *c, const struct filter *f, struct table *t, const struct line *line)
{
	const json_t *r = line->record;
	const char *change = json_string_value(json_object_get(json_object_get(r, "detail"), "change"));
	uint64_t time = (uint64_t)json_integer_value(json_object_get(r, "time"));
	struct audit_identity who;
	char seq[24], at[CLOCK_TEXT_MAX];
	bool named = f->with_identity && identity_of(c, r, &who);

	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)line->seq);
	if (!r) {
		table_row(t, (const char *const[]){ seq, "-", "-", "not a record", "-", "-", "-", "-" });
		return;
	}
	table_row(t, (const char *const[]){ seq, clock_format(time, at), text_member(r, "site"), text_member(r, "event"),
	                                    text_member(r, "outcome"), text_member(r, "reason"),
	                                    change ? change : text_member(r, "action"),
	                                    named ? who.email : text_member(r, "subject") });
}

/* --json: the records as they are, an array. */
static void list_json(struct call *c, const struct filter *f, const struct latest *l)
{
	for (size_t i = l->count; i > 0; i--) {
		putchar(i == l->count ? '[' : ',');
		export_line(c, f, true, &l->line[i - 1]);
	}
	out_array_end(l->count);
}

int run_audit_list(struct call *c)
{
	static const char *const heads[] = { "SEQ", "TIME", "SITE", "EVENT", "OUTCOME", "REASON", "ACTION", "SUBJECT" };
	struct latest l = { .limit = args_given(&c->args, OPT_LIMIT) ? c->args.number[OPT_LIMIT] : LIMIT_DEFAULT };
	struct filter f;
	struct table t;
	enum rc rc;
	int code;

	if (l.limit < 1 || l.limit > LIMIT_MAX)
		return usage_error(c, "--limit is between 1 and %d", LIMIT_MAX);
	if ((code = filter_open(c, &f)) != EXIT_YES)
		return code;
	rc = latest_find(c, &f.f, &l);
	if (rc == RC_OK && args_given(&c->args, OPT_JSON)) {
		list_json(c, &f, &l);
	} else if (rc == RC_OK) {
		table_begin(&t, ARRAY_LEN(heads), heads);
		for (size_t i = l.count; i > 0; i--)
			list_line(c, &f, &t, &l.line[i - 1]);
		table_end(&t);
	}
	latest_done(&l);
	return call_end(c, rc);
}
