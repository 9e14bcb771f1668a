/* export.c -- the forms an export has, and what they share: a stored line taken apart. Lines are hostile input. */
#include "audit/export-private.h"

#include "base/clock.h"

#include <stdio.h>

#define NUMBER_MAX INT64_C(9007199254740991)           /* what every reader of JSON takes for an integer */

/* ---- members ---- */

const struct member_row member_rows[MEMBERS] = {
#define X(id, name, kind) [MEMBER_##id] = { name, MEMBER_IS_##kind },
	MEMBER_LIST(X)
#undef X
};

static bool fits(const json_t *value, enum member_kind kind)
{
	switch (kind) {
	case MEMBER_IS_TEXT:
		return json_is_string(value);
	case MEMBER_IS_NUMBER:
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= NUMBER_MAX;
	case MEMBER_IS_JSON:
		return json_is_object(value) || json_is_array(value);
	}
	return false;
}

/* Returns how many. */
static size_t take_members(struct export_row *r)
{
	size_t taken = 0;

	for (size_t m = 0; m < MEMBERS; m++) {
		const json_t *value = json_object_get(r->from->record, member_rows[m].name);

		if (!fits(value, member_rows[m].kind) ||
		    (m == MEMBER_SEQ && (uint64_t)json_integer_value(value) != r->from->seq))
			continue;
		r->value[m] = value;
		taken++;
	}
	return taken;
}

static bool is_taken(const struct export_row *r, const json_t *value)
{
	for (size_t m = 0; m < MEMBERS; m++)
		if (r->value[m] == value)
			return true;
	return false;
}

static enum rc add_rest(struct export_row *r)
{
	json_t *rest = json_object(), *value;
	bool whole = rest != NULL;
	const char *name;

	json_object_foreach((json_t *)r->from->record, name, value)
		if (!is_taken(r, value))
			whole = json_object_set(rest, name, value) == 0 && whole;
	if (whole)
		json_canonical(&r->other, rest);
	json_decref(rest);
	return whole ? RC_OK : RC_NOMEM;
}

/* The bytes that say the leaf hash, or as many of them as a line may have. */
static void add_line(struct export_row *r)
{
	size_t size = r->from->line.size;

	buf_add_json(&r->other, span_of(r->from->line.data, size < AUDIT_LINE_MAX ? size : AUDIT_LINE_MAX));
}

const char *export_text(const struct export_row *r, enum member m)
{
	return json_string_value(r->value[m]);
}

bool export_number(const struct export_row *r, enum member m, uint64_t *ret)
{
	if (r->value[m])
		*ret = (uint64_t)json_integer_value(r->value[m]);
	return r->value[m] != NULL;
}

const char *export_time(uint64_t us, char out[EXPORT_TIME_MAX])
{
	char seconds[CLOCK_TEXT_MAX];
	size_t size = strlen(clock_format(us, seconds));

	snprintf(out, EXPORT_TIME_MAX, "%.*s.%06uZ", (int)size - 1, seconds, (unsigned)(us % 1000000));
	return out;
}

enum rc export_row_read(struct export_row *ret, const struct audit_row *from)
{
	struct tree_hash leaf;
	uint64_t time;
	enum rc rc = tree_leaf(from->line, &leaf);

	*ret = (struct export_row){ .from = from };
	if (rc != RC_OK)
		return rc;
	hex_encode(ret->leaf, leaf.at, sizeof(leaf.at));
	ret->is_record = from->record && from->line.size <= AUDIT_LINE_MAX;
	if (!ret->is_record)
		add_line(ret);
	else if (take_members(ret) < json_object_size(from->record))
		rc = add_rest(ret);
	if (export_number(ret, MEMBER_TIME, &time))
		export_time(time, ret->time);
	return ret->other.failed ? RC_NOMEM : rc;
}

void export_row_done(struct export_row *r)
{
	buf_done(&r->other);
}

void export_escape_delete(struct buf *out, size_t from)
{
	struct buf row = BUF_INIT;
	const char *at, *end, *found;

	if (out->failed || out->size == from || !memchr(out->data + from, '\x7f', out->size - from))
		return;
	buf_add(&row, out->data + from, out->size - from);
	out->failed |= row.failed;
	out->size = from;
	at = row.data;
	end = at + row.size;
	for (; !row.failed && (found = memchr(at, '\x7f', (size_t)(end - at))); at = found + 1) {
		buf_add(out, at, (size_t)(found - at));
		buf_add_str(out, "\\u007F");
	}
	if (!row.failed)
		buf_add(out, at, (size_t)(end - at));
	buf_done(&row);
}

/* ---- jsonl: the stored bytes ---- */

/* The identity joins as a last member, so that taking it out again gives back what was hashed. */
static void add_identity(struct buf *out, const struct audit_identity *who)
{
	if (!who) {
		buf_add_str(out, ",\"identity\":null}");
		return;
	}
	buf_add_str(out, ",\"identity\":{\"email\":");
	buf_add_json(out, span_str(who->email));
	buf_add_str(out, ",\"name\":");
	if (who->name[0])
		buf_add_json(out, span_str(who->name));
	else
		buf_add_str(out, "null");
	buf_add_str(out, "}}");
}

static enum rc jsonl_row(struct buf *out, const struct audit_row *r)
{
	const char *line = r->line.data;

	if (r->joined && json_object_get(r->record, "subject") && line[r->line.size - 1] == '}') {
		buf_add(out, line, r->line.size - 1);
		add_identity(out, r->who);
	} else {
		buf_add_span(out, r->line);
	}
	return RC_OK;
}

/* ---- the forms ---- */

static const struct audit_form forms[] = {
	{ "jsonl", "\n", true, NULL, jsonl_row },
	{ "csv", "\r\n", false, export_csv_head, export_csv_row },
	{ "ecs", "\n", false, NULL, export_ecs_row },
	{ "cef", "\n", false, NULL, export_cef_row },
};

const struct audit_form *audit_form_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

const struct audit_form *audit_form_at(size_t i)
{
	return i < ARRAY_LEN(forms) ? &forms[i] : NULL;
}
