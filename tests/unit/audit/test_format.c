/* A record as its line: the oracle is json_canonical() over the same members. */
#include "audit/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>

static void text_set(char *out, size_t room, const char *text)
{
	assert_true(strlen(text) < room);
	memcpy(out, text, strlen(text) + 1);
}
#define SET(record, member, text) text_set((record)->member, sizeof((record)->member), text)

static struct audit_record small_record(void)
{
	struct audit_record r = { .event = AUDIT_EVENT_IDENTITY, .outcome = AUDIT_OUTCOME_BLOCKED,
				  .time = 1763690000123456 };

	SET(&r, id, "01JD4ZK2M3N4P5Q6R7S8T9V0WX");
	return r;
}

/* Every member there is, though no event has them all. */
static struct audit_record full_record(json_t *ignored, json_t *detail)
{
	struct audit_record r = small_record();

	r.event = AUDIT_EVENT_ACTION;
	r.outcome = AUDIT_OUTCOME_REFUSED;
	r.reason = REASON_TOKEN_EXPIRED;
	SET(&r, site, "demo");
	SET(&r, action, "track_order");
	r.effect = "write";
	SET(&r, conversation, "0123456789abcdef");
	SET(&r, kid, "k_7f3aqc2d");
	SET(&r, kid_claimed, "k_2222aaaa");
	SET(&r, remote, "203.0.113.0/24");
	SET(&r, subject, "h1:00112233445566778899aabbccddeeff");
	SET(&r, token, "9c1d22aa");
	r.expiry_none = true;
	r.status = 401;
	r.has_duration = true;
	r.count = 7;
	r.first = 1763690000000000;
	r.last = 1763690000123000;
	SET(&r, actor, "1000:al\"i\\ce\xc3\xa9\x1b\x7f\xf0\x9f\x98\x80/");
	r.ignored = ignored;
	r.detail = detail;
	return r;
}

static void assert_line(const struct buf *line, const char *text)
{
	assert_int_equal(line->size, strlen(text));
	assert_string_equal(line->data, text);
}

/* Parsed and printed again it is the same: it is canonical. *ret is new. */
static void assert_canonical(const struct buf *line, json_t **ret)
{
	struct buf again = BUF_INIT;

	for (size_t i = 0; i < line->size; i++)
		assert_in_range((unsigned char)line->data[i], 0x20, 0x7f);
	assert_int_equal(json_strict(buf_span(line), 32, ret, NULL), RC_OK);
	json_canonical(&again, *ret);
	assert_string_equal(again.data, line->data);
	buf_done(&again);
}

static void empty_members_are_left_out(void **state)
{
	struct audit_record r = small_record();
	struct buf line = BUF_INIT;

	(void)state;
	assert_int_equal(audit_format(&line, &r, 0), RC_OK);
	assert_line(&line, "{\"event\":\"identity\",\"id\":\"01JD4ZK2M3N4P5Q6R7S8T9V0WX\",\"outcome\":\"blocked\","
			   "\"seq\":0,\"time\":1763690000123456,\"v\":1}");
	buf_done(&line);
}

static void line_equals_the_canonical_object(void **state)
{
	json_t *ignored = json_pack("[ss]", "/email", "/parameters/\xd0\xb8\xd0\xbc\xd1\x8f\n");
	json_t *detail = json_pack("{sss[ss]si}", "change", "set", "settings", "plan", "name", "count", -3);
	struct audit_record r = full_record(ignored, detail);
	json_t *same = json_pack("{ss ss ss sI sO sI ss ss ss sI ss sO ss ss sI ss ss ss sI ss si ss sI ss si}",
				 "action", "track_order", "actor", r.actor, "conversation", "0123456789abcdef",
				 "count", (json_int_t)7, "detail", detail, "duration_ms", (json_int_t)0,
				 "effect", "write", "event", "action", "expiry", "none", "first", (json_int_t)1763690000000000,
				 "id", r.id, "ignored", ignored, "kid", "k_7f3aqc2d", "kid_claimed", "k_2222aaaa",
				 "last", (json_int_t)1763690000123000, "outcome", "refused", "reason", "token_expired",
				 "remote", "203.0.113.0/24", "seq", (json_int_t)17, "site", "demo", "status", 401,
				 "subject", r.subject, "time", (json_int_t)1763690000123456, "token", "9c1d22aa",
				 "v", 1);
	struct buf line = BUF_INIT, expected = BUF_INIT;

	(void)state;
	assert_non_null(same);
	json_canonical(&expected, same);
	assert_int_equal(audit_format(&line, &r, 17), RC_OK);
	assert_line(&line, expected.data);
	buf_done(&line);
	buf_done(&expected);
	json_decref(same);
	json_decref(ignored);
	json_decref(detail);
}

static void lines_follow_each_other_in_one_buffer(void **state)
{
	struct audit_record r = small_record();
	struct buf lines = BUF_INIT;
	size_t first;

	(void)state;
	assert_int_equal(audit_format(&lines, &r, 1), RC_OK);
	first = lines.size;
	assert_int_equal(audit_format(&lines, &r, 2), RC_OK);
	assert_int_equal(lines.size, 2 * first);
	assert_memory_equal(lines.data + first, "{\"event\"", 8);
	buf_done(&lines);
}

static json_t *repeated(const char *character, size_t times)
{
	struct buf text = BUF_INIT;
	json_t *string;

	for (size_t i = 0; i < times; i++)
		buf_add_str(&text, character);
	assert_false(text.failed);
	string = json_stringn(text.data, text.size);
	buf_done(&text);
	return string;
}

static json_t *ignored_after_format(json_t *ignored)
{
	struct audit_record r = full_record(ignored, NULL);
	struct buf line = BUF_INIT;
	json_t *record, *kept;

	assert_int_equal(audit_format(&line, &r, UINT64_MAX / 4), RC_OK);
	assert_canonical(&line, &record);
	kept = json_incref(json_object_get(record, "ignored"));
	json_decref(record);
	buf_done(&line);
	return kept;
}

static void ignored_is_cut_on_a_whole_character(void **state)
{
	static const struct { const char *character; size_t escaped; } cases[] = {
		{ "a", 1 }, { "\"", 2 }, { "\n", 2 }, { "\x01", 6 }, { "\xc3\xa9", 6 }, { "\xe2\x82\xac", 6 },
		{ "\xf0\x9f\x98\x80", 12 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *ignored = json_pack("[o]", repeated(cases[i].character, 300));
		json_t *expected = repeated(cases[i].character, 256 / cases[i].escaped);
		json_t *kept = ignored_after_format(ignored);

		assert_true(json_equal(json_array_get(kept, 0), expected));
		json_decref(kept);
		json_decref(expected);
		json_decref(ignored);
	}
}

static void an_ignored_pointer_of_256_bytes_is_whole(void **state)
{
	json_t *ignored = json_pack("[oo]", repeated("a", 256), repeated("a", 257));
	json_t *kept = ignored_after_format(ignored);

	(void)state;
	assert_int_equal(json_string_length(json_array_get(kept, 0)), 256);
	assert_int_equal(json_string_length(json_array_get(kept, 1)), 256);
	json_decref(kept);
	json_decref(ignored);
}

static void the_worst_a_visitor_can_send_still_fits(void **state)
{
	json_t *ignored = json_array(), *kept;

	(void)state;
	for (int i = 0; i < 200; i++)
		assert_int_equal(json_array_append_new(ignored, repeated("\x01\xf0\x9f\x98\x80", 1000)), 0);
	kept = ignored_after_format(ignored);
	assert_int_equal(json_array_size(kept), 16);
	json_decref(kept);
	json_decref(ignored);
}

static void an_empty_ignored_list_is_no_member(void **state)
{
	json_t *ignored = json_array();

	(void)state;
	assert_null(ignored_after_format(ignored));
	json_decref(ignored);
}

static void a_refused_record_leaves_the_buffer_as_it_was(void **state)
{
	json_t *details[] = { json_pack("{so}", "label", repeated("x", AUDIT_LINE_MAX)), json_pack("{sf}", "n", 1.5),
			      json_pack("{s[{sf}]}", "list", "n", 2.0), json_pack("[s]", "no object") };
	struct buf line = BUF_INIT;

	(void)state;
	buf_add_str(&line, "before");
	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		struct audit_record r = full_record(NULL, details[i]);

		assert_int_equal(audit_format(&line, &r, 3), RC_INVALID);
		assert_line(&line, "before");
		json_decref(details[i]);
	}
	buf_done(&line);
}

static void a_line_of_16_kib_is_the_longest(void **state)
{
	struct audit_record r = small_record();
	struct buf line = BUF_INIT;
	json_t *detail;
	size_t room;

	(void)state;
	r.detail = detail = json_pack("{ss}", "label", "");
	assert_int_equal(audit_format(&line, &r, 3), RC_OK);
	room = AUDIT_LINE_MAX - line.size;
	for (size_t over = 0; over < 2; over++) {
		buf_clear(&line);
		assert_int_equal(json_object_set_new(detail, "label", repeated("x", room + over)), 0);
		assert_int_equal(audit_format(&line, &r, 3), over ? RC_INVALID : RC_OK);
		assert_int_equal(line.size, over ? 0 : AUDIT_LINE_MAX);
	}
	json_decref(detail);
	buf_done(&line);
}

static void a_record_without_id_is_refused(void **state)
{
	struct audit_record r = small_record();
	struct buf line = BUF_INIT;

	(void)state;
	r.id[0] = '\0';
	assert_int_equal(audit_format(&line, &r, 0), RC_INVALID);
	buf_done(&line);
}

static void a_new_record_has_an_id_and_a_time_and_nothing_else(void **state)
{
	struct audit_record r, other;
	struct buf line = BUF_INIT;
	json_t *record;

	(void)state;
	audit_record_init(&r, AUDIT_EVENT_KEY, AUDIT_OUTCOME_INTENDED);
	audit_record_init(&other, AUDIT_EVENT_KEY, AUDIT_OUTCOME_INTENDED);
	assert_string_not_equal(r.id, other.id);
	assert_int_equal(strlen(r.id), 26);
	assert_true(r.time > UINT64_C(1700000000000000));
	assert_int_equal(audit_format(&line, &r, 0), RC_OK);
	assert_canonical(&line, &record);
	assert_int_equal(json_object_size(record), 6);
	json_decref(record);
	buf_done(&line);
}

static void outcome_names_are_read_back(void **state)
{
	enum audit_outcome o = AUDIT_OUTCOME_INTENDED;

	(void)state;
	assert_true(audit_outcome_parse("failed", &o));
	assert_int_equal(o, AUDIT_OUTCOME_FAILED);
	assert_string_equal(audit_outcome_name(o), "failed");
	assert_false(audit_outcome_parse("Failed", &o));
	assert_false(audit_outcome_parse("", &o));
	assert_int_equal(o, AUDIT_OUTCOME_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_members_are_left_out),
		cmocka_unit_test(line_equals_the_canonical_object),
		cmocka_unit_test(lines_follow_each_other_in_one_buffer),
		cmocka_unit_test(ignored_is_cut_on_a_whole_character),
		cmocka_unit_test(an_ignored_pointer_of_256_bytes_is_whole),
		cmocka_unit_test(the_worst_a_visitor_can_send_still_fits),
		cmocka_unit_test(an_empty_ignored_list_is_no_member),
		cmocka_unit_test(a_refused_record_leaves_the_buffer_as_it_was),
		cmocka_unit_test(a_line_of_16_kib_is_the_longest),
		cmocka_unit_test(a_record_without_id_is_refused),
		cmocka_unit_test(a_new_record_has_an_id_and_a_time_and_nothing_else),
		cmocka_unit_test(outcome_names_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
