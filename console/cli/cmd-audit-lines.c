/* cmd-audit-lines.c -- lines of the log: read, and printed for scripts and for people. They are hostile input. */
#include "console/cli/cmd-audit-private.h"

#include <stdlib.h>

/* ---- reading ---- */

static bool lines_grow(struct lines *l)
{
	size_t room = l->room ? 2 * l->room : SLICE;
	struct line *grown;

	if (l->count < l->room)
		return true;
	grown = realloc(l->at, room * sizeof(*grown));
	if (!grown)
		return false;
	l->at = grown;
	l->room = room;
	return true;
}

static bool line_add(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct lines *l = arg;
	char *text = lines_grow(l) ? malloc(line.size + 1) : NULL;

	if (!text) {
		l->failed = true;
		return false;
	}
	memcpy(text, line.data, line.size);
	text[line.size] = '\0';
	l->at[l->count++] = (struct line){ text, line.size, seq, json_incref((json_t *)record) };
	return l->count < l->limit;
}

enum rc lines_read(struct call *c, scan_call scan, const struct audit_filter *f, uint64_t *at, struct lines *l,
                   bool *ret_end)
{
	struct txn *ledger = txn_read(admin_store(c->admin), ENV_LEDGER);
	enum rc rc = scan(ledger, f, *at, SLICE, line_add, l, at, ret_end);

	txn_abort(ledger);
	return rc == RC_OK && l->failed ? RC_NOMEM : rc;
}

void lines_clear(struct lines *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->at[i].text);
		json_decref(l->at[i].record);
	}
	l->count = 0;
}

void lines_done(struct lines *l)
{
	lines_clear(l);
	free(l->at);
	l->at = NULL;
}

/* ---- identities ---- */

bool line_has_subject(const struct line *l)
{
	return json_object_get(l->record, "subject") != NULL;
}

bool record_identity(struct call *c, struct txn *ledger, const json_t *record, struct audit_identity *ret)
{
	const char *site = json_string_value(json_object_get(record, "site"));
	const char *subject = json_string_value(json_object_get(record, "subject"));

	return site && subject && site_id_valid(span_str(site)) && strlen(subject) < SUBJECT_MAX &&
	       audit_identity_get(admin_store(c->admin), ledger, site, subject, ret) == RC_OK;
}

bool line_identity(struct call *c, const struct line *l, struct audit_identity *ret)
{
	struct txn *ledger = txn_read(admin_store(c->admin), ENV_LEDGER);
	bool kept = record_identity(c, ledger, l->record, ret);

	txn_abort(ledger);
	return kept;
}

/* ---- for scripts ---- */

/* JSON may be broken over lines, and then one record would look like several. Ours never is. */
static bool is_one_line(const struct line *l)
{
	for (size_t i = 0; i < l->size; i++)
		if ((unsigned char)l->text[i] < ' ')
			return false;
	return true;
}

void line_print(const struct line *l, bool document, bool joined, const struct audit_identity *who)
{
	struct audit_row row = { .seq = l->seq, .line = span_of(l->text, l->size), .record = l->record, .joined = joined,
	                         .who = who };
	struct buf out = BUF_INIT;

	if (document && !(l->record && is_one_line(l)))
		buf_add_json(&out, row.line);
	else
		out.failed |= audit_form_find("jsonl")->row(&out, &row) != RC_OK;
	out_buf(&out);
	buf_done(&out);
}

/* ---- for people ---- */

const char *const column_heads[COLUMNS] = { "SEQ", "TIME", "SITE", "EVENT", "OUTCOME", "REASON", "ACTION", "SUBJECT" };

static const char *text_member(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text ? text : "-";
}

/* A folded record counts for many: it says so where one looks first. */
static const char *outcome_of(const json_t *record, char out[48])
{
	json_int_t count = json_integer_value(json_object_get(record, "count"));

	if (count > 0)
		snprintf(out, 48, "%.16s x%lld", text_member(record, "outcome"), (long long)count);
	return count > 0 ? out : text_member(record, "outcome");
}

void cells_fill(struct cells *ret, const struct line *line, const struct audit_identity *who)
{
	const json_t *r = line->record;
	const char *change = json_string_value(json_object_get(json_object_get(r, "detail"), "change"));
	const char *cells[COLUMNS] = {
		ret->seq, ret->time, text_member(r, "site"), text_member(r, "event"), outcome_of(r, ret->outcome),
		text_member(r, "reason"), change ? change : text_member(r, "action"),
		who ? who->email : text_member(r, "subject"),
	};

	snprintf(ret->seq, sizeof(ret->seq), "%llu", (unsigned long long)line->seq);
	clock_format((uint64_t)json_integer_value(json_object_get(r, "time")), ret->time);
	if (!r) {
		cells[1] = "-";
		cells[3] = "not a record";
	}
	memcpy(ret->text, cells, sizeof(cells));
}
