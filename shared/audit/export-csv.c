/* export-csv.c -- a record as a line of RFC 4180: a column for every member, then what has none.
 *
 * A cell never holds a line break or another control character: a text with one stands as its JSON string, and so
 * does one that begins with a quotation mark. A text that a spreadsheet would take for a formula has an apostrophe
 * before it, and so has one that begins with an apostrophe: taking off one apostrophe gives back every text. */
#include "audit/export-private.h"

#include "base/text.h"

static const char *const before[] = { "origin", "leaf_hash", "time_utc" };
static const char *const identity[] = { "email", "name" };

/* Spreadsheets also take the full-width forms for what they look like. */
static bool is_guarded(struct span text)
{
	static const uint32_t first[] = { '=', '+', '-', '@', '\'', 0xff1d, 0xff0b, 0xff0d, 0xff20 };
	const uint8_t *at = text.data;
	uint32_t cp = text.size ? utf8_next(&at, at + text.size) : 0;

	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		if (cp == first[i])
			return true;
	return false;
}

static bool is_quoted(struct span text)
{
	const char *at = text.data;

	if (text.size == 0)
		return false;
	if (at[0] == ' ' || at[text.size - 1] == ' ')
		return true;
	for (size_t i = 0; i < text.size; i++)
		if (at[i] == '"' || at[i] == ',' || at[i] == ';')
			return true;
	return false;
}

static void add_doubled(struct buf *out, struct span text)
{
	const char *at = text.data;

	for (size_t i = 0; i < text.size; i++) {
		if (at[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, at[i]);
	}
}

static void add_cell(struct buf *out, struct span text)
{
	const char *guard = is_guarded(text) ? "'" : "";

	if (!is_quoted(text)) {
		buf_add_str(out, guard);
		buf_add_span(out, text);
		return;
	}
	buf_add_char(out, '"');
	buf_add_str(out, guard);
	add_doubled(out, text);
	buf_add_char(out, '"');
}

static bool needs_json(struct span text)
{
	const uint8_t *at = text.data, *end = at ? at + text.size : NULL;

	if (at < end && *at == '"')
		return true;
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (cp == UTF8_BAD || text_is_control(cp) || text_is_bidi(cp))
			return true;
	}
	return false;
}

static void add_text(struct buf *out, struct span text)
{
	struct buf json = BUF_INIT;

	if (!needs_json(text)) {
		add_cell(out, text);
		return;
	}
	buf_add_json(&json, text);
	add_cell(out, buf_span(&json));
	out->failed |= json.failed;
	buf_done(&json);
}

static void add_json(struct buf *out, const json_t *value)
{
	struct buf json = BUF_INIT;

	json_canonical(&json, value);
	add_cell(out, buf_span(&json));
	out->failed |= json.failed;
	buf_done(&json);
}

/* The line's own number is known though its member may say another. */
static void add_member(struct buf *out, const struct export_row *r, enum member m)
{
	const json_t *value = r->value[m];

	if (m == MEMBER_SEQ)
		buf_add_u64(out, r->from->seq);
	else if (json_is_string(value))
		add_text(out, json_span(value));
	else if (json_is_integer(value))
		buf_add_u64(out, (uint64_t)json_integer_value(value));
	else if (value)
		add_json(out, value);
}

void export_csv_head(struct buf *out, bool joined)
{
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		buf_addf(out, "%s,", before[i]);
	for (size_t m = 0; m < MEMBERS; m++)
		buf_addf(out, "%s,", member_rows[m].name);
	buf_add_str(out, "other");
	for (size_t i = 0; joined && i < ARRAY_LEN(identity); i++)
		buf_addf(out, ",%s", identity[i]);
}

enum rc export_csv_row(struct buf *out, const struct audit_row *from)
{
	struct export_row r;
	size_t row = out->size;
	enum rc rc = export_row_read(&r, from);

	if (rc != RC_OK)
		goto out;
	add_text(out, span_str(from->origin));
	buf_addf(out, ",%s,%s,", r.leaf, r.time);
	for (size_t m = 0; m < MEMBERS; m++) {
		add_member(out, &r, (enum member)m);
		buf_add_char(out, ',');
	}
	add_cell(out, buf_span(&r.other));
	if (from->joined) {
		buf_add_char(out, ',');
		add_text(out, span_str(from->who ? from->who->email : ""));
		buf_add_char(out, ',');
		add_text(out, span_str(from->who ? from->who->name : ""));
	}
	export_escape_delete(out, row);
out:
	export_row_done(&r);
	return rc;
}
