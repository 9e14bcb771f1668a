/* test_audit.c -- one record of the log, and whose it is: not shown before it is recorded who asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"

#include <stdio.h>

#define ALEX "h1:0123456789abcdef0123456789abcdef"

/* ---- a log with what a worker writes, and with what one that was taken over may write ---- */

struct write {
	enum rc (*run)(struct txn *ledger, const struct write *w);
	struct store *store;
	const char *site, *subject;
	struct span key, row;
	uint64_t seq;
};

static enum rc write_run(struct txn *ledger, void *arg)
{
	const struct write *w = arg;

	return w->run(ledger, w);
}

static void write_ledger(struct tmpadmin *t, struct write *w)
{
	struct writer *writer;

	w->store = admin_store(t->a);
	assert_int_equal(admin_writer(t->a, &writer), RC_OK);
	assert_int_equal(writer_call(writer, write_run, w), RC_OK);
}

static enum rc append_run(struct txn *ledger, const struct write *w)
{
	struct audit_record r;

	audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_DONE);
	snprintf(r.site, sizeof(r.site), "%s", w->site);
	snprintf(r.subject, sizeof(r.subject), "%s", w->subject);
	return audit_append(ledger, &r, (uint64_t *)&w->seq);
}

static enum rc keep_run(struct txn *ledger, const struct write *w)
{
	return audit_identity_keep(w->store, ledger, w->site, w->subject, "alex@example.com", "Alex", clock_s());
}

static enum rc line_run(struct txn *ledger, const struct write *w)
{
	return tmplog_add(ledger, w->row, (uint64_t *)&w->seq);
}

static enum rc identity_row_run(struct txn *ledger, const struct write *w)
{
	txn_put(ledger, DB_IDENTITIES, w->key, w->row);
	return txn_rc(ledger);
}

static uint64_t add_record(struct tmpadmin *t, const char *site, const char *subject, bool keep)
{
	struct write w = { .run = append_run, .site = site, .subject = subject };

	write_ledger(t, &w);
	w.run = keep_run;
	if (keep)
		write_ledger(t, &w);
	return w.seq;
}

static uint64_t put_line(struct tmpadmin *t, const char *line)
{
	struct write w = { .run = line_run, .row = span_str(line) };

	write_ledger(t, &w);
	return w.seq;
}

static uint64_t record_count(struct tmpadmin *t)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	uint64_t count = txn_count(ledger, DB_RECORDS);

	assert_int_equal(txn_rc(ledger), RC_OK);
	txn_abort(ledger);
	return count;
}

static void assert_last_asks_for(struct tmpadmin *t, uint64_t seq)
{
	json_t *records = tmpadmin_records(t);
	const json_t *last = record_at(records, 0);
	const json_t *detail = json_object_get(last, "detail");

	assert_true(record_has(last, "event", "audit") && record_has(last, "outcome", "done"));
	assert_true(record_has(last, "actor", admin_actor(t->a)) && record_has(last, "site", "acme"));
	assert_true(record_has(last, "change", "identity"));
	assert_int_equal(json_object_size(detail), 2);
	assert_int_equal(json_integer_value(json_object_get(detail, "seq")), (json_int_t)seq);
	json_decref(records);
}

/* ---- one record ---- */

static void a_record_is_read_by_its_number(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t seq = add_record(t, "acme", ALEX, false);
	struct buf line = BUF_INIT;
	json_t *record = NULL;

	assert_int_equal(admin_audit_record(t->a, seq, &line, &record, &t->why), RC_OK);
	assert_true(record_has(record, "subject", ALEX));
	assert_int_equal(json_integer_value(json_object_get(record, "seq")), (json_int_t)seq);
	assert_non_null(strstr(line.data, "\"subject\":\"" ALEX "\""));
	assert_int_equal(line.data[line.size - 1], '}');
	json_decref(record);
	buf_done(&line);
}

static void a_number_nobody_has_is_not_found(void **st)
{
	static const uint64_t none[] = { 1000, UINT64_MAX - 1, UINT64_MAX };
	struct tmpadmin *t = *st;

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct audit_identity who = { .email = "" };
		struct why why = { "" }, identity_why = { "" };
		struct buf line = BUF_INIT;
		json_t *record = NULL;

		assert_int_equal(admin_audit_record(t->a, none[i], &line, &record, &why), RC_NOT_FOUND);
		assert_true(line.size == 0 && !record && why.text[0]);
		assert_int_equal(admin_audit_identity(t->a, none[i], &who, &identity_why), RC_NOT_FOUND);
		assert_string_equal(identity_why.text, why.text);
		buf_done(&line);
	}
}

static void a_line_that_is_no_object_comes_without_record(void **st)
{
	static const char *const lines[] = {
		"not json \x1b[2J", "[1]", "\"site\"", "{\"seq\":1,\"seq\":2}", "", "{\"site\":\"acme\"",
	};
	struct tmpadmin *t = *st;
	uint64_t before = record_count(t), seq;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct audit_identity who = { .email = "" };
		json_t *record = (json_t *)(uintptr_t)1;
		struct buf line = BUF_INIT;
		struct why why = { "" };

		seq = put_line(t, lines[i]);
		assert_int_equal(admin_audit_record(t->a, seq, &line, &record, &why), RC_OK);
		assert_null(record);
		assert_true(span_is(buf_span(&line), lines[i]));
		assert_int_equal(admin_audit_identity(t->a, seq, &who, &why), RC_NOT_FOUND);
		assert_true(who.email[0] == '\0' && why.text[0]);
		buf_done(&line);
	}
	assert_int_equal(record_count(t), before + ARRAY_LEN(lines));  /* the lines themselves: there was nobody to ask for */
}

static void of_a_line_longer_than_a_record_the_beginning_is_shown(void **st)
{
	static char text[AUDIT_LINE_MAX + 2];
	struct audit_identity who = { .email = "" };
	json_t *record = (json_t *)(uintptr_t)1;
	struct tmpadmin *t = *st;
	struct buf line = BUF_INIT;
	uint64_t seq;

	memset(text, ' ', AUDIT_LINE_MAX + 1);
	memcpy(text, "{\"site\":\"acme\"}", 15);
	seq = put_line(t, text);
	assert_int_equal(admin_audit_record(t->a, seq, &line, &record, &t->why), RC_OK);
	assert_null(record);
	assert_int_equal(line.size, AUDIT_LINE_MAX);
	assert_memory_equal(line.data, text, AUDIT_LINE_MAX);
	assert_int_equal(admin_audit_identity(t->a, seq, &who, &t->why), RC_NOT_FOUND);
	buf_done(&line);
}

/* ---- whose it is ---- */

static void an_identity_is_shown_after_it_is_recorded_who_asked(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t seq = add_record(t, "acme", ALEX, true);
	struct audit_identity who = { .email = "" };
	uint64_t before = record_count(t);

	assert_int_equal(admin_audit_identity(t->a, seq, &who, &t->why), RC_OK);
	assert_string_equal(who.email, "alex@example.com");
	assert_string_equal(who.name, "Alex");
	assert_int_equal(record_count(t), before + 1);
	assert_last_asks_for(t, seq);
}

static void an_identity_not_kept_any_more_was_still_asked_for(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t seq = add_record(t, "acme", ALEX, false);
	struct audit_identity who = { .email = "" };

	assert_int_equal(admin_audit_identity(t->a, seq, &who, &t->why), RC_NOT_FOUND);
	assert_true(who.email[0] == '\0' && t->why.text[0]);
	assert_last_asks_for(t, seq);
}

static void a_record_that_names_nobody_is_not_found_and_nothing_is_recorded(void **st)
{
	static const char *const lines[] = {
		"{}", "{\"site\":\"acme\"}", "{\"subject\":\"" ALEX "\"}", "{\"site\":7,\"subject\":\"" ALEX "\"}",
		"{\"site\":\"acme\",\"subject\":[\"" ALEX "\"]}", "{\"site\":\"../acme\",\"subject\":\"" ALEX "\"}",
		"{\"site\":\"\",\"subject\":\"" ALEX "\"}",
	};
	struct tmpadmin *t = *st;
	uint64_t before, seq;

	add_record(t, "acme", ALEX, true);
	before = record_count(t);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct audit_identity who = { .email = "" };
		struct why why = { "" };

		seq = put_line(t, lines[i]);
		assert_int_equal(admin_audit_identity(t->a, seq, &who, &why), RC_NOT_FOUND);
		assert_true(who.email[0] == '\0' && why.text[0]);
	}
	assert_int_equal(record_count(t), before + ARRAY_LEN(lines));
}

/* A subject that is none has no identity; the record of who asked never carries it. */
static void a_false_subject_leads_nowhere(void **st)
{
	static const char *const lines[] = {
		"{\"site\":\"acme\",\"subject\":\"\"}",
		"{\"site\":\"acme\",\"subject\":\"h1:0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		"{\"site\":\"other\",\"subject\":\"" ALEX "\"}",
	};
	struct tmpadmin *t = *st;
	uint64_t seq;

	add_record(t, "acme", ALEX, true);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct audit_identity who = { .email = "" };
		struct why why = { "" };

		seq = put_line(t, lines[i]);
		assert_int_equal(admin_audit_identity(t->a, seq, &who, &why), RC_NOT_FOUND);
		assert_true(who.email[0] == '\0' && why.text[0]);
	}
}

/* One site's sealed identity, copied under another subject or overwritten, does not open there. */
static void an_identity_row_that_was_tampered_with_does_not_open(void **st)
{
	static const char key[] = "acme\0" ALEX;
	static const char row[] = "\0\0\0\0\0\0\0\1\0\0\0\5short";
	struct tmpadmin *t = *st;
	uint64_t seq = add_record(t, "acme", ALEX, true);
	struct write w = { .run = identity_row_run, .key = span_of(key, sizeof(key) - 1),
	                   .row = span_of(row, sizeof(row) - 1) };
	struct audit_identity who = { .email = "" };

	write_ledger(t, &w);
	assert_int_equal(admin_audit_identity(t->a, seq, &who, &t->why), RC_UNSEALED);
	assert_true(who.email[0] == '\0' && t->why.text[0]);
	assert_last_asks_for(t, seq);
}

static void an_admin_who_cannot_record_sees_the_record_but_not_whose_it_is(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t seq = add_record(t, "acme", ALEX, true);
	struct audit_identity who = { .email = "" };
	uint64_t before = record_count(t);
	struct buf line = BUF_INIT;
	json_t *record = NULL;

	assert_true(tmpadmin_reopen(t, true));
	assert_int_equal(admin_audit_record(t->a, seq, &line, &record, &t->why), RC_OK);
	assert_int_equal(admin_audit_identity(t->a, seq, &who, &t->why), RC_READ_ONLY);
	assert_true(who.email[0] == '\0' && t->why.text[0]);
	assert_int_equal(record_count(t), before);
	json_decref(record);
	buf_done(&line);
}

static void the_record_of_an_export_has_its_filter(void **st)
{
	struct audit_filter f = { .site = "acme", .remote = "203.0.113.0/24", .kid = "k_aaaaaaaa", .has_after = true,
	                          .after = 3 };
	struct tmpadmin *t = *st;
	json_t *records;
	const json_t *last;

	assert_int_equal(admin_audit_identities_read(t->a, &f, "jsonl", &t->why), RC_OK);
	records = tmpadmin_records(t);
	last = record_at(records, 0);
	assert_true(record_has(last, "change", "export") && record_has(last, "remote", "203.0.113.0/24"));
	assert_null(json_object_get(last, "remote"));          /* it is detail's: who asked has no network here */
	assert_true(record_has(last, "kid", "k_aaaaaaaa") && !json_object_get(last, "kid"));
	assert_int_equal(json_object_size(json_object_get(last, "detail")), 6);
	json_decref(records);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpadmin_setup, tmpadmin_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_read_by_its_number),
		TEST(a_number_nobody_has_is_not_found),
		TEST(a_line_that_is_no_object_comes_without_record),
		TEST(of_a_line_longer_than_a_record_the_beginning_is_shown),
		TEST(an_identity_is_shown_after_it_is_recorded_who_asked),
		TEST(an_identity_not_kept_any_more_was_still_asked_for),
		TEST(a_record_that_names_nobody_is_not_found_and_nothing_is_recorded),
		TEST(a_false_subject_leads_nowhere),
		TEST(an_identity_row_that_was_tampered_with_does_not_open),
		TEST(an_admin_who_cannot_record_sees_the_record_but_not_whose_it_is),
		TEST(the_record_of_an_export_has_its_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
