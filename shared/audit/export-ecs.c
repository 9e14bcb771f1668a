/* export-ecs.c -- a record in the Elastic Common Schema, one JSON document a line.
 *
 * source.address holds the network, because source.ip takes only an address; event.hash is the leaf hash, event.id
 * origin/seq, and transaction.id what joins `intended` with what followed. Members that the schema has no place for are
 * postern.*; objects and arrays among them are JSON texts, so that an index keeps one mapping whatever they hold. */
#include "audit/export-private.h"

#include "base/version.h"

#include <inttypes.h>
#include <stdio.h>

#define ECS_VERSION "8.17.0"
#define NS_PER_MS UINT64_C(1000000)
#define DURATION_MS_MAX (UINT64_MAX / 2 / NS_PER_MS)   /* what a signed 64-bit number of nanoseconds holds */

/* ---- writing JSON ---- */

struct json { struct buf *out; bool first; };

static void put_name(struct json *j, const char *name)
{
	if (!j->first)
		buf_add_char(j->out, ',');
	j->first = false;
	buf_add_json(j->out, span_str(name));
	buf_add_char(j->out, ':');
}

static void put_open(struct json *j, const char *name)
{
	put_name(j, name);
	buf_add_char(j->out, '{');
	j->first = true;
}

static void put_close(struct json *j)
{
	buf_add_char(j->out, '}');
	j->first = false;
}

static void put_text(struct json *j, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	put_name(j, name);
	buf_add_json(j->out, span_str(text));
}

static void put_number(struct json *j, const char *name, uint64_t number)
{
	put_name(j, name);
	buf_add_u64(j->out, number);
}

static void put_time(struct json *j, const char *name, const struct export_row *r, enum member m)
{
	char text[EXPORT_TIME_MAX];
	uint64_t us;

	if (export_number(r, m, &us))
		put_text(j, name, export_time(us, text));
}

/* A value of the record under a name of ours: text and numbers as they are, the rest as JSON text. */
static void put_member(struct json *j, const char *name, const struct export_row *r, enum member m)
{
	struct buf text = BUF_INIT;

	if (!r->value[m])
		return;
	put_name(j, name);
	json_canonical(member_rows[m].kind == MEMBER_IS_JSON ? &text : j->out, r->value[m]);
	if (member_rows[m].kind == MEMBER_IS_JSON)
		buf_add_json(j->out, buf_span(&text));
	j->out->failed |= text.failed;
	buf_done(&text);
}

static void put_object(struct json *j, const char *name, const char *member, const char *text)
{
	if (!text)
		return;
	put_open(j, name);
	put_text(j, member, text);
	put_close(j);
}

/* ---- what kind of event it is ---- */

struct word_row { const char *word, *ecs; };

static const struct word_row categories[] = {
	{ "action", "\"api\"" }, { "identity", "\"authentication\"" }, { "key", "\"iam\"" },
	{ "site", "\"configuration\"" }, { "connection", "\"configuration\"" }, { "config", "\"configuration\"" },
	{ "audit", "\"configuration\"" },
};
static const struct word_row event_types[] = {
	{ "key", "\"admin\",\"change\"" }, { "site", "\"change\"" }, { "connection", "\"change\"" },
	{ "config", "\"change\"" }, { "audit", "\"access\"" },
};
static const struct word_row effect_types[] = {
	{ "read", "\"access\"," }, { "write", "\"change\"," }, { "destructive", "\"deletion\"," },
};
static const struct word_row outcome_types[] = {
	{ "intended", "\"start\"" }, { "done", "\"allowed\"" }, { "refused", "\"denied\"" }, { "blocked", "\"denied\"" },
	{ "failed", "\"end\"" },
};
static const struct word_row outcomes[] = {
	{ "done", "success" }, { "refused", "failure" }, { "blocked", "failure" }, { "failed", "failure" },
};

static const char *word(const struct word_row *rows, size_t count, const char *text, const char *otherwise)
{
	for (size_t i = 0; text && i < count; i++)
		if (strcmp(rows[i].word, text) == 0)
			return rows[i].ecs;
	return otherwise;
}
#define WORD(rows, text, otherwise) word(rows, ARRAY_LEN(rows), text, otherwise)

static bool is_word(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

/* A blocked token is a failed authentication, whatever it was to do. */
static void put_category(struct json *j, const struct export_row *r)
{
	const char *event = export_text(r, MEMBER_EVENT), *category = WORD(categories, event, NULL);

	if (!category)
		return;
	put_name(j, "category");
	buf_addf(j->out, "[%s%s]", category,
	         is_word(event, "action") && is_word(export_text(r, MEMBER_OUTCOME), "blocked") ? ",\"authentication\"" : "");
}

static void put_type(struct json *j, const struct export_row *r)
{
	const char *types = WORD(event_types, export_text(r, MEMBER_EVENT), NULL);

	put_name(j, "type");
	if (types)
		buf_addf(j->out, "[%s]", types);
	else
		buf_addf(j->out, "[%s%s]", WORD(effect_types, export_text(r, MEMBER_EFFECT), ""),
		         WORD(outcome_types, export_text(r, MEMBER_OUTCOME), "\"info\""));
}

/* The visitor's action, or the admin's change: key-create. */
static void put_action(struct json *j, const struct export_row *r)
{
	const char *change = json_string_value(json_object_get(r->value[MEMBER_DETAIL], "change"));
	const char *event = export_text(r, MEMBER_EVENT);
	char text[256];

	if (!change) {
		put_member(j, "action", r, MEMBER_ACTION);
		return;
	}
	snprintf(text, sizeof(text), "%.64s-%.128s", event ? event : "", change);
	put_text(j, "action", text);
}

/* ---- the document ---- */

static void put_event(struct json *j, const struct export_row *r)
{
	char id[300];
	uint64_t ms;

	snprintf(id, sizeof(id), "%s/%" PRIu64, r->from->origin, r->from->seq);
	put_open(j, "event");
	put_text(j, "kind", r->is_record ? "event" : "pipeline_error");
	if (r->is_record) {
		put_category(j, r);
		put_type(j, r);
		put_text(j, "outcome", WORD(outcomes, export_text(r, MEMBER_OUTCOME), "unknown"));
		put_action(j, r);
		put_member(j, "reason", r, MEMBER_REASON);
	} else {
		put_name(j, "original");
		buf_add_span(j->out, buf_span(&r->other));     /* a JSON string already */
	}
	put_text(j, "module", "postern");
	put_text(j, "dataset", "postern.audit");
	put_text(j, "id", id);
	put_number(j, "sequence", r->from->seq);
	put_text(j, "hash", r->leaf);
	put_time(j, "start", r, MEMBER_FIRST);
	put_time(j, "end", r, MEMBER_LAST);
	if (export_number(r, MEMBER_DURATION_MS, &ms) && ms <= DURATION_MS_MAX)
		put_number(j, "duration", ms * NS_PER_MS);
	put_close(j);
}

static void put_observer(struct json *j)
{
	put_open(j, "observer");
	put_text(j, "vendor", "Postern");
	put_text(j, "product", "postern");
	put_text(j, "version", POSTERN_VERSION);
	put_close(j);
}

static void put_user(struct json *j, const struct export_row *r)
{
	const char *actor = export_text(r, MEMBER_ACTOR), *name = actor ? strchr(actor, ':') : NULL;
	const struct audit_identity *who = r->from->joined ? r->from->who : NULL;

	if (!r->value[MEMBER_SUBJECT] && !name && !who)
		return;
	put_open(j, "user");
	put_member(j, "hash", r, MEMBER_SUBJECT);
	put_text(j, "name", name ? name + 1 : NULL);
	put_text(j, "email", who ? who->email : NULL);
	put_text(j, "full_name", who ? who->name : NULL);
	put_close(j);
}

static void put_status(struct json *j, const struct export_row *r)
{
	if (!r->value[MEMBER_STATUS])
		return;
	put_open(j, "http");
	put_open(j, "response");
	put_member(j, "status_code", r, MEMBER_STATUS);
	put_close(j);
	put_close(j);
}

static void put_postern(struct json *j, const struct export_row *r)
{
	static const enum member members[] = {
		MEMBER_EVENT, MEMBER_OUTCOME, MEMBER_SITE, MEMBER_ACTION, MEMBER_EFFECT, MEMBER_COUNT, MEMBER_TOKEN, MEMBER_KID,
		MEMBER_KID_CLAIMED, MEMBER_EXPIRY, MEMBER_CONVERSATION, MEMBER_IGNORED, MEMBER_ACTOR, MEMBER_DETAIL, MEMBER_V,
	};

	put_open(j, "postern");
	put_text(j, "origin", r->from->origin);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		put_member(j, member_rows[members[i]].name, r, members[i]);
	if (r->is_record)
		put_text(j, "other", r->other.data);
	put_close(j);
}

/* What has no time, as data streams demand one, has the earliest. */
static void put_document(struct json *j, const struct export_row *r)
{
	char none[EXPORT_TIME_MAX];

	put_text(j, "@timestamp", r->time[0] ? r->time : export_time(0, none));
	put_object(j, "ecs", "version", ECS_VERSION);
	put_event(j, r);
	put_observer(j);
	put_object(j, "source", "address", export_text(r, MEMBER_REMOTE));
	put_user(j, r);
	put_status(j, r);
	put_object(j, "transaction", "id", export_text(r, MEMBER_ID));
	put_postern(j, r);
	put_object(j, "error", "message", r->is_record ? NULL : "the stored line is no record");
}

enum rc export_ecs_row(struct buf *out, const struct audit_row *from)
{
	struct json j = { out, true };
	struct export_row r;
	size_t row = out->size;
	enum rc rc = export_row_read(&r, from);

	if (rc == RC_OK) {
		buf_add_char(out, '{');
		put_document(&j, &r);
		buf_add_char(out, '}');
		export_escape_delete(out, row);
	}
	export_row_done(&r);
	return rc;
}
