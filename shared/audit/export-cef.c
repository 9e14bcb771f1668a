/* export-cef.c -- a record in the Common Event Format (version 0): the standard's own keys where one means what the
 * member means, custom strings with labels for what is searched most, and PosternPostern* for the rest.
 *
 * A line break is \n, as the format has it; other control and invisible characters stand as \\u and four digits. */
#include "audit/export-private.h"

#include "base/text.h"
#include "base/version.h"

#include <inttypes.h>

#define US_PER_MS 1000

/* ---- escaping ---- */

/* Ordinary text is added at once. Returns where it ends. */
static const uint8_t *add_run(struct buf *out, const uint8_t *at, const uint8_t *end, const char *special)
{
	const uint8_t *from = at;

	while (at < end && *at >= ' ' && *at < 0x7f && !strchr(special, *at))
		at++;
	buf_add(out, from, (size_t)(at - from));
	return at;
}

static void add_character(struct buf *out, uint32_t cp, bool breaks)
{
	char utf8[4];

	if (breaks && (cp == '\n' || cp == '\r'))
		buf_add_str(out, cp == '\n' ? "\\n" : "\\r");
	else if (cp == UTF8_BAD)
		buf_add_str(out, "\\\\ufffd");
	else if (text_is_control(cp) || text_is_bidi(cp))
		buf_addf(out, "\\\\u%04" PRIx32, cp);
	else if (cp < 0x80)
		buf_addf(out, "\\%c", (char)cp);
	else
		buf_add(out, utf8, utf8_put(utf8, cp));
}

/* special: what needs a backslash here. breaks: whether a line break has an escape of its own. */
static void add_escaped(struct buf *out, struct span text, const char *special, bool breaks)
{
	const uint8_t *at = text.data, *end = at ? at + text.size : NULL;

	while ((at = add_run(out, at, end, special)) < end)
		add_character(out, utf8_next(&at, end), breaks);
}

static void add_header(struct buf *out, const char *text)
{
	buf_add_char(out, '|');
	add_escaped(out, span_str(text), "\\|", false);
}

static void add_text(struct buf *out, const char *key, struct span text)
{
	if (text.size == 0)
		return;
	buf_addf(out, " %s=", key);
	add_escaped(out, text, "\\=", true);
}

static void add_json(struct buf *out, const char *key, const json_t *value)
{
	struct buf json = BUF_INIT;

	json_canonical(&json, value);
	add_text(out, key, buf_span(&json));
	out->failed |= json.failed;
	buf_done(&json);
}

/* ---- the keys ---- */

struct key_row { enum member member; const char *key, *label; bool is_time; };

static const struct key_row keys[] = {
	{ MEMBER_TIME, "rt", NULL, true }, { MEMBER_FIRST, "start", NULL, true }, { MEMBER_LAST, "end", NULL, true },
	{ MEMBER_EVENT, "cat", NULL, false }, { MEMBER_OUTCOME, "act", NULL, false },
	{ MEMBER_REASON, "reason", NULL, false }, { MEMBER_COUNT, "cnt", NULL, false },
	{ MEMBER_SUBJECT, "suid", NULL, false },
	{ MEMBER_SITE, "cs1", "site", false }, { MEMBER_ACTION, "cs2", "action", false },
	{ MEMBER_REMOTE, "cs3", "network", false }, { MEMBER_KID, "cs4", "kid", false },
	{ MEMBER_DETAIL, "cs6", "detail", false },
	{ MEMBER_STATUS, "cn1", "status", false }, { MEMBER_DURATION_MS, "cn2", "duration_ms", false },
	{ MEMBER_ID, "PosternPosternId", NULL, false }, { MEMBER_EFFECT, "PosternPosternEffect", NULL, false },
	{ MEMBER_TOKEN, "PosternPosternToken", NULL, false },
	{ MEMBER_KID_CLAIMED, "PosternPosternKidClaimed", NULL, false },
	{ MEMBER_EXPIRY, "PosternPosternExpiry", NULL, false },
	{ MEMBER_CONVERSATION, "PosternPosternConversation", NULL, false },
	{ MEMBER_IGNORED, "PosternPosternIgnored", NULL, false }, { MEMBER_V, "PosternPosternV", NULL, false },
};

static void add_member(struct buf *out, const struct export_row *r, const struct key_row *k)
{
	const json_t *value = r->value[k->member];
	uint64_t number = (uint64_t)json_integer_value(value);

	if (value && k->label)
		buf_addf(out, " %sLabel=%s", k->key, k->label);
	if (json_is_integer(value))
		buf_addf(out, " %s=%" PRIu64, k->key, k->is_time ? number / US_PER_MS : number);
	else if (json_is_string(value))
		add_text(out, k->key, json_span(value));
	else if (value)
		add_json(out, k->key, value);
}

static void add_leaf(struct buf *out, const struct export_row *r)
{
	add_text(out, "cs5Label", span_str("leaf_hash"));
	add_text(out, "cs5", span_str(r->leaf));
}

/* A visitor who is named, or the admin. */
static void add_user(struct buf *out, const struct export_row *r)
{
	static const struct key_row actor = { MEMBER_ACTOR, "suser", NULL, false };
	static const struct key_row other_actor = { MEMBER_ACTOR, "PosternPosternActor", NULL, false };
	const struct audit_identity *who = r->from->joined ? r->from->who : NULL;

	add_member(out, r, who ? &other_actor : &actor);
	if (!who)
		return;
	add_text(out, "suser", span_str(who->email));
	add_text(out, "PosternPosternName", span_str(who->name));
}

/* ---- the line ---- */

/* From 0 to 10. */
static unsigned severity(const struct export_row *r)
{
	static const struct { const char *outcome; unsigned severity; } rows[] = {
		{ "intended", 1 }, { "done", 1 }, { "refused", 4 }, { "blocked", 5 }, { "failed", 6 },
	};
	const char *outcome = export_text(r, MEMBER_OUTCOME);

	for (size_t i = 0; outcome && i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].outcome, outcome) == 0)
			return rows[i].severity;
	return r->is_record ? 5 : 9;
}

static void add_headers(struct buf *out, const struct export_row *r)
{
	const char *event = export_text(r, MEMBER_EVENT), *outcome = export_text(r, MEMBER_OUTCOME);
	const char *reason = export_text(r, MEMBER_REASON);

	buf_add_str(out, "CEF:0|Postern|postern");
	add_header(out, POSTERN_VERSION);
	add_header(out, reason ? reason : outcome ? outcome : r->is_record ? "unknown" : "not_a_record");
	add_header(out, event ? event : r->is_record ? "record" : "not a record");
	if (event && outcome) {
		buf_add_char(out, ' ');
		add_escaped(out, span_str(outcome), "\\|", false);
	}
	buf_addf(out, "|%u|", severity(r));
}

enum rc export_cef_row(struct buf *out, const struct audit_row *from)
{
	struct export_row r;
	enum rc rc = export_row_read(&r, from);

	if (rc == RC_OK) {
		add_headers(out, &r);
		buf_addf(out, "externalId=%" PRIu64, from->seq);
		add_text(out, "deviceExternalId", span_str(from->origin));
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			add_member(out, &r, &keys[i]);
		add_leaf(out, &r);
		add_user(out, &r);
		add_text(out, "PosternPosternOther", buf_span(&r.other));
	}
	export_row_done(&r);
	return rc;
}
