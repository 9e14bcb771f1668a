/* test_record_view.c -- one record, whole: hostile ones too; and the clear identity, which is shown only once that is recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "console/tui/console.h"
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"

#include <locale.h>
#include <stdlib.h>

#define SUBJECT "h1:00112233445566778899aabbccddeeff"

struct fixture {
	struct tmpadmin *t;
	struct console c;
	struct canvas cv;
	struct buf text;
	struct span line;              /* of append_line() */
	uint64_t seq;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || !(f->t = tmpadmin_new()) || !canvas_init(&f->cv, 40, 80, true))
		return -1;
	f->c = (struct console){ .admin = f->t->a, .dir = f->t->dir, .host = "gate1", .utf8 = true, .now_us = clock_us() };
	*state = f;
	return console_init(&f->c) ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	console_done(&f->c);
	canvas_done(&f->cv);
	buf_done(&f->text);
	tmpadmin_free(f->t);
	free(f);
	return 0;
}

/* As a worker that was taken over might: any bytes at the end of the log. */
static enum rc append_line(struct txn *ledger, void *arg)
{
	struct fixture *f = arg;

	return tmplog_add(ledger, f->line, &f->seq);
}

static enum rc append_with_identity(struct txn *ledger, void *arg)
{
	struct fixture *f = arg;
	struct audit_record r;
	enum rc rc;

	audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_DONE);
	memcpy(r.site, "acme", 5);
	memcpy(r.subject, SUBJECT, sizeof(SUBJECT));
	rc = audit_append(ledger, &r, &f->seq);
	return rc != RC_OK ? rc : audit_identity_keep(admin_store(f->t->a), ledger, "acme", SUBJECT, "alex@example.com", "Alex",
	                                              clock_s());
}

static void write_with(struct fixture *f, job_run run)
{
	struct writer *w;

	assert_int_equal(admin_writer(f->t->a, &w), RC_OK);
	assert_int_equal(writer_call(w, run, f), RC_OK);
}

static const char *screen(struct fixture *f)
{
	console_draw(&f->c, &f->cv);
	buf_clear(&f->text);
	canvas_text(&f->cv, &f->text);
	return f->text.data;
}

static void a_line_that_is_no_record_is_shown_and_named_so(void **state)
{
	struct fixture *f = *state;

	f->line = span_str("not json \x1b[2J\x07");
	write_with(f, append_line);
	record_open(&f->c, f->seq);
	assert_non_null(strstr(screen(f), "Not a record"));
	assert_non_null(strstr(f->text.data, "\\x1b[2J\\x07"));
}

/* Neither as a sentence of Postern's, nor over the value of another. */
static void a_member_cannot_pass_for_what_postern_says(void **state)
{
	struct fixture *f = *state;

	f->line = span_str("{\"What to do\":\"run this\",\"Email\":\"boss@example.com\",\"reason            verified and good\":\"x\"}");
	write_with(f, append_line);
	record_open(&f->c, f->seq);
	assert_non_null(strstr(screen(f), "\n \"What to do\"         run this"));
	assert_non_null(strstr(f->text.data, "\n \"Email\"              boss@example.com"));
	assert_non_null(strstr(f->text.data, "\n \"reason            \xe2\x80\xa6 x\n"));
}

static void hostile_members_reach_the_screen_as_visible_text(void **state)
{
	struct fixture *f = *state;

	f->line = span_str("{\"\\u001b]0;x\":1,\"reason\":\"\\u001b[31mevil\\u202e\",\"site\":[[{\"a\":\"\\u009b\"}]],\"time\":99999999999999999}");
	write_with(f, append_line);
	record_open(&f->c, f->seq);
	assert_null(memchr(screen(f), 0x1b, f->text.size));
	assert_non_null(strstr(f->text.data, "\\x1b[31mevil\\u202e"));
	assert_non_null(strstr(f->text.data, "does not know the reason"));
}

static void what_it_means_stands_above_its_members(void **state)
{
	struct fixture *f = *state;
	const char *means, *members;

	f->line = span_str("{\"count\":7,\"detail\":{\"retire_at\":1763690000},\"reason\":\"token_expired\"}");
	write_with(f, append_line);
	record_open(&f->c, f->seq);
	means = strstr(screen(f), admin_advice(REASON_TOKEN_EXPIRED) ? "What to do" : "?");
	members = strstr(f->text.data, "detail.retire_at     1763690000 (2025-11-21T01:53:20Z)");
	assert_non_null(means);
	assert_non_null(members);
	assert_true(means < members);
	assert_non_null(strstr(f->text.data, "stands for as many requests"));
}

static void a_record_longer_than_the_screen_scrolls_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct buf line = BUF_INIT;

	buf_add_str(&line, "{\"a\":\"first\"");
	for (int i = 0; i < 200; i++)
		buf_addf(&line, ",\"m%d\":%d", i, i);
	buf_add_str(&line, ",\"z\":\"the very last\"}");
	f->line = buf_span(&line);
	write_with(f, append_line);
	buf_done(&line);
	record_open(&f->c, f->seq);
	assert_null(strstr(screen(f), "the very last"));
	console_press(&f->c, PRESS_END);
	assert_non_null(strstr(screen(f), "the very last"));
	assert_null(strstr(f->text.data, "first"));
	console_press(&f->c, PRESS_DOWN);
	assert_non_null(strstr(screen(f), "the very last"));
	console_press(&f->c, PRESS_HOME);
	assert_non_null(strstr(screen(f), "first"));
}

static void a_number_that_no_record_has_opens_nothing(void **state)
{
	struct fixture *f = *state;

	record_open(&f->c, 12345);
	assert_null(f->c.record);
	assert_true(f->c.message[0] != '\0');
}

static void the_identity_is_shown_only_after_that_was_recorded(void **state)
{
	struct fixture *f = *state;
	json_t *records;

	write_with(f, append_with_identity);
	record_open(&f->c, f->seq);
	assert_null(strstr(screen(f), "alex@example.com"));
	console_press(&f->c, 'i');
	assert_non_null(strstr(screen(f), "alex@example.com"));
	records = tmpadmin_records(f->t);
	assert_string_equal(json_string_value(json_object_get(record_at(records, 0), "event")), "audit");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(record_at(records, 0), "detail"), "seq")), f->seq);
	json_decref(records);
}

static void asked_for_again_the_identity_comes_back_onto_the_screen(void **state)
{
	struct fixture *f = *state;
	struct buf line = BUF_INIT;

	buf_add_str(&line, "{\"site\":\"acme\",\"subject\":\"" SUBJECT "\"");
	for (int i = 0; i < 200; i++)
		buf_addf(&line, ",\"m%d\":%d", i, i);
	buf_add_char(&line, '}');
	f->line = buf_span(&line);
	write_with(f, append_with_identity);
	write_with(f, append_line);
	buf_done(&line);
	record_open(&f->c, f->seq);
	console_press(&f->c, 'i');
	assert_non_null(strstr(screen(f), "alex@example.com"));
	console_press(&f->c, PRESS_END);
	assert_null(strstr(screen(f), "alex@example.com"));
	console_press(&f->c, 'i');
	assert_non_null(strstr(screen(f), "alex@example.com"));
}

static void a_read_only_console_shows_no_identity(void **state)
{
	struct fixture *f = *state;

	write_with(f, append_with_identity);
	f->c.read_only = "--read-only";
	record_open(&f->c, f->seq);
	console_press(&f->c, 'i');
	assert_null(strstr(screen(f), "alex@example.com"));
	assert_non_null(strstr(f->text.data, "read-only"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_that_is_no_record_is_shown_and_named_so, setup, teardown),
		cmocka_unit_test_setup_teardown(a_member_cannot_pass_for_what_postern_says, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_members_reach_the_screen_as_visible_text, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_means_stands_above_its_members, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_longer_than_the_screen_scrolls_to_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_number_that_no_record_has_opens_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_identity_is_shown_only_after_that_was_recorded, setup, teardown),
		cmocka_unit_test_setup_teardown(asked_for_again_the_identity_comes_back_onto_the_screen, setup, teardown),
		cmocka_unit_test_setup_teardown(a_read_only_console_shows_no_identity, setup, teardown),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
