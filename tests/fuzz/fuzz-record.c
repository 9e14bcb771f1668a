/* fuzz-record.c -- a line of the log, as a worker that was taken over may have written it, read back and exported.
 *
 * It is put into the log (in a transaction that is given up), found by the filters that it matches and no others, and leaves
 * in every form as that form's readers expect it: the stored bytes, JSON, a row of as many cells as the head has, a CEF
 * line; and but for the stored bytes without a control character. */
#include "tests/fuzz/fuzz.h"

#include "admin/admin.h"
#include "tests/lib/tmplog.h"
#include "tests/lib/tmpstore.h"

#include <stdlib.h>

#define ORIGIN "postern/gate-1/x"

static struct store *store;

/* ---- the forms ---- */

/* RFC 4180, by its grammar: the next cell, unquoted; false: the row is over. */
static bool cell(const char **at, const char *end, struct buf *ret)
{
	buf_clear(ret);
	buf_add(ret, "", 0);
	if (*at > end)
		return false;
	if (*at < end && **at == '"') {
		for ((*at)++; *at < end; (*at)++) {
			if (**at != '"') {
				buf_add_char(ret, **at);
			} else if (*at + 1 < end && (*at)[1] == '"') {
				buf_add_char(ret, '"');
				(*at)++;
			} else {
				break;
			}
		}
		REQUIRE(*at < end);                    /* the closing quotation mark */
		(*at)++;
	} else {
		while (*at < end && **at != ',') {
			REQUIRE(**at != '"');
			buf_add_char(ret, *(*at)++);
		}
	}
	REQUIRE(*at == end || **at == ',');
	(*at)++;
	return true;
}

/* A spreadsheet must not take it for a formula, and the text comes back from it. */
static void check_cell(struct span c, struct span name, const json_t *record)
{
	const json_t *value = NULL;
	const char *text = c.data;
	json_t *json = NULL;

	REQUIRE(c.size == 0 || !strchr("=+-@\t\r", text[0]));
	if (c.size == 0)
		return;
	value = json_object_getn(record, name.data, name.size);
	if (!json_is_string(value))
		return;
	if (text[0] == '"') {
		json = fuzz_json(c);
		REQUIRE(json && json_is_string(json));
		/* Bytes that are no text, and NUL, are shown as what replaces them. */
	} else {
		if (text[0] == '\'')
			c = span_of(text + 1, c.size - 1);
		REQUIRE(span_equal(c, json_span(value)));
	}
	json_decref(json);
}

static void check_csv(struct span row, const json_t *record)
{
	struct buf head = BUF_INIT, name = BUF_INIT, value = BUF_INIT;
	const char *h, *r = row.data;

	audit_form_find("csv")->head(&head, false);
	h = head.data;
	while (cell(&h, head.data + head.size, &name)) {
		REQUIRE(cell(&r, (const char *)row.data + row.size, &value));
		if (!span_is(buf_span(&name), "origin") && !span_is(buf_span(&name), "other"))
			check_cell(buf_span(&value), buf_span(&name), record);
	}
	REQUIRE(!cell(&r, (const char *)row.data + row.size, &value));
	buf_done(&head);
	buf_done(&name);
	buf_done(&value);
}

static void check_ecs(struct span row, const json_t *record)
{
	json_t *json = fuzz_json(row);

	(void)record;
	REQUIRE(json_is_object(json) && json_object_get(json, "@timestamp"));
	json_decref(json);
}

/* Seven bars that no backslash stands before, then the extension. */
static void check_cef(struct span row, const json_t *record)
{
	const char *at = row.data, *end = at + row.size;
	unsigned bars = 0;

	(void)record;
	REQUIRE(row.size > 6 && memcmp(at, "CEF:0|", 6) == 0);
	for (; at < end && bars < 7; at++) {
		if (*at == '\\')
			at++;
		else
			bars += *at == '|';
	}
	REQUIRE(bars == 7 && at < end);
	/* In the extension every = that begins no pair has a backslash: so each name before one is plain. */
	for (; at < end; at++) {
		const char *from = at;

		if (*at == '\\') {
			at++;
			continue;
		}
		if (*at != '=')
			continue;
		while (from > (const char *)row.data && from[-1] != ' ' && from[-1] != '|')
			from--;
		REQUIRE(from < at);
		for (; from < at; from++)
			REQUIRE((*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') || (*from >= '0' && *from <= '9') || *from == '_');
	}
}

static const struct { const char *name; void (*check)(struct span row, const json_t *record); } forms[] = {
	{ "csv", check_csv }, { "ecs", check_ecs }, { "cef", check_cef },
};

static void check_forms(uint64_t seq, struct span line, const json_t *record)
{
	struct audit_row row = { .origin = ORIGIN, .seq = seq, .line = line, .record = record };
	struct buf out = BUF_INIT;

	REQUIRE(audit_form_find("jsonl")->row(&out, &row) == RC_OK && span_equal(buf_span(&out), line));
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		buf_clear(&out);
		REQUIRE(audit_form_find(forms[i].name)->row(&out, &row) == RC_OK && !out.failed);
		REQUIRE(fuzz_printable(buf_span(&out)));
		forms[i].check(buf_span(&out), record);
	}
	buf_done(&out);
}

/* ---- reading it ---- */

static void take_member(void *arg, const char *name, const char *value)
{
	(void)arg;
	REQUIRE(name && value);
}

static bool look(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct span *seen = arg;

	REQUIRE(!record || json_is_object(record));
	check_forms(seq, line, record);
	if (record)
		admin_record_members(record, take_member, NULL);
	*seen = line;
	return true;
}

static bool found(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	(void)seq;
	(void)line;
	(void)record;
	*(bool *)arg = true;
	return true;
}

static bool scan(struct txn *t, const struct audit_filter *f)
{
	bool there = false, back = false, end;
	uint64_t next;

	REQUIRE(audit_scan(t, f, 0, 10, found, &there, &next, &end) == RC_OK && end);
	REQUIRE(audit_scan_back(t, f, UINT64_MAX, 10, found, &back, &next, &end) == RC_OK && end);
	REQUIRE(there == back);
	return there;
}

static bool is(const json_t *record, const char *member, const char *value)
{
	return span_is(json_span(json_object_get(record, member)), value);
}

static void check_filters(struct txn *t, const json_t *record)
{
	const struct audit_filter by_site = { .site = "demo" }, by_kid = { .kid = "k_7f3aqc2d" }, by_action = { .action = "track_order" },
		by_outcome = { .has_outcome = true, .outcome = AUDIT_OUTCOME_BLOCKED }, by_reason = { .reason = REASON_TOKEN_EXPIRED },
		by_time = { .since = UINT64_C(1763690000000000) };
	const json_t *time = json_object_get(record, "time");

	REQUIRE(scan(t, &by_site) == is(record, "site", by_site.site));
	REQUIRE(scan(t, &by_kid) == is(record, "kid", by_kid.kid) || is(record, "kid_claimed", by_kid.kid));
	REQUIRE(scan(t, &by_action) == is(record, "action", by_action.action));
	REQUIRE(scan(t, &by_outcome) == is(record, "outcome", "blocked"));
	REQUIRE(scan(t, &by_reason) == is(record, "reason", "token_expired"));
	if (json_is_integer(time))
		REQUIRE(scan(t, &by_time) == (json_integer_value(time) >= (json_int_t)by_time.since));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct audit_filter any = { 0 };
	struct span line = span_of(data, size), seen = span_of("", 0);
	struct txn *t;
	json_t *record;
	uint64_t next;
	bool end;

	if (!store) {
		char *dir;

		REQUIRE(asprintf(&dir, "%s/data", fuzz_dir()) > 0 && store_init(dir, NULL, NULL, NULL) == RC_OK);
		REQUIRE((store = tmpstore_open(dir, STORE_ADMIN, NULL, NULL)) != NULL);
		free(dir);
	}
	t = txn_write(store, ENV_LEDGER);
	REQUIRE(tmplog_put(t, 0, line) == RC_OK);
	REQUIRE(audit_scan(t, &any, 0, 10, look, &seen, &next, &end) == RC_OK && end && span_equal(seen, line));
	/* Of lines in a spelling of their own a filter may show fewer. */
	if (line.size <= AUDIT_LINE_MAX && json_strict(line, 32, &record, NULL) == RC_OK) {
		struct buf canonical = BUF_INIT;

		json_canonical(&canonical, record);
		if (json_is_object(record) && span_equal(buf_span(&canonical), line))
			check_filters(t, record);
		buf_done(&canonical);
		json_decref(record);
	}
	txn_abort(t);
	return 0;
}
