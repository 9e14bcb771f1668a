/* test_prune.c -- what is kept long enough goes, in whole bundles, never unproved; what stays is proved as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/log-private.h"
#include "base/clock.h"
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"
#include "tests/lib/tmpstore.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define OLD UINT64_C(1600000000000000)         /* microseconds */
#define YOUNG UINT64_C(1700000000000000)
#define BETWEEN UINT64_C(1650000000000000)

static int setup(void **st)
{
	secret_process_init();
	*st = tmpadmin_new();
	return *st ? 0 : -1;
}

static int teardown(void **st)
{
	tmpadmin_free(*st);
	return 0;
}

/* ---- a log ---- */

struct append { uint64_t time; size_t count; };

static enum rc append_run(struct txn *ledger, void *arg)
{
	const struct append *a = arg;
	struct audit_record r;
	enum rc rc = RC_OK;

	audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_DONE);
	memcpy(r.site, "acme", 5);
	r.time = a->time;
	for (size_t i = 0; i < a->count && rc == RC_OK; i++)
		rc = audit_append(ledger, &r, NULL);
	return rc;
}

static void call(struct tmpadmin *t, job_run run, void *arg)
{
	struct writer *writer;

	assert_int_equal(admin_writer(t->a, &writer), RC_OK);
	assert_int_equal(writer_call(writer, run, arg), RC_OK);
}

static void append(struct tmpadmin *t, uint64_t time, size_t count)
{
	call(t, append_run, &(struct append){ time, count });
}

static uint64_t log_size(struct tmpadmin *t)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	uint64_t size = audit_size(ledger);

	txn_abort(ledger);
	return size;
}

/* Up to that size, with records of now: the log begins with those that adding the site wrote. */
static void fill_to(struct tmpadmin *t, uint64_t time, uint64_t size)
{
	append(t, time, size - log_size(t));
}

static void sign(struct tmpadmin *t)
{
	struct verification found;
	struct buf note = BUF_INIT;
	bool is_new;

	assert_int_equal(admin_checkpoint(t->a, &note, &is_new, &found, &t->why), RC_OK);
	buf_done(&note);
}

static enum verdict verdict(struct tmpadmin *t)
{
	struct verify_options any = { .note_count = 0 };
	struct verification found;

	assert_int_equal(admin_verify(t->a, &any, &found, &t->why), RC_OK);
	if (found.verdict != VERDICT_VERIFIED)
		print_message("%s\n", found.text);
	return found.verdict;
}

static bool is_there(struct tmpadmin *t, uint64_t seq)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	struct span line;
	bool there = audit_get(ledger, seq, &line);

	assert_int_equal(txn_end(ledger), RC_OK);
	return there;
}

static uint64_t first(struct tmpadmin *t)
{
	struct log_name name;

	assert_int_equal(admin_log_name(t->a, &name, &t->why), RC_OK);
	return name.first;
}

static struct pruned prune(struct tmpadmin *t, uint64_t before, int archive)
{
	struct pruned p;
	enum rc rc = admin_prune(t->a, before, 0, archive, &p, &t->why);

	if (rc != RC_OK)
		print_message("%s: %s\n", rc_name(rc), t->why.text);
	assert_int_equal(rc, RC_OK);
	assert_int_equal(verdict(t), VERDICT_VERIFIED);
	return p;
}

static void is_refused(struct tmpadmin *t, uint64_t before)
{
	uint64_t size = log_size(t), from = first(t);
	struct pruned p;

	assert_int_equal(admin_prune(t->a, before, 0, -1, &p, &t->why), RC_REFUSED);
	assert_true(t->why.text[0]);
	assert_int_equal(log_size(t), size);
	assert_int_equal(first(t), from);
	assert_true(is_there(t, from));
}

/* ---- records ---- */

/* The records of adding the site are of now: only with a clock ahead of them are they old. */
#define AHEAD (clock_us() + 1000000)

static void nothing_goes_without_a_checkpoint(void **st)
{
	fill_to(*st, OLD, 300);
	is_refused(*st, AHEAD);
}

static void whole_bundles_go_and_never_above_the_checkpoint(void **st)
{
	struct pruned p;

	fill_to(*st, OLD, 1000);
	sign(*st);
	fill_to(*st, OLD, 2000);
	p = prune(*st, AHEAD, -1);
	assert_int_equal(p.first, 0);
	assert_int_equal(p.next, 768);
	assert_int_equal(p.records, 768);
	assert_int_equal(first(*st), 768);
	assert_false(is_there(*st, 0));
	assert_false(is_there(*st, 767));
	assert_true(is_there(*st, 768));
	assert_int_equal(log_size(*st), 2002);         /* with the two that say so */
	sign(*st);
	p = prune(*st, AHEAD, -1);
	assert_int_equal(p.first, 768);
	assert_int_equal(p.next, 1792);
}

static void a_clock_that_was_set_back_takes_no_young_record_with_it(void **st)
{
	uint64_t now = AHEAD;

	fill_to(*st, OLD, 512);
	append(*st, now, 1);
	fill_to(*st, OLD, 2000);
	sign(*st);
	assert_int_equal(prune(*st, now, -1).next, 512);
	assert_int_equal(prune(*st, now, -1).records, 0);
	assert_int_equal(prune(*st, now + 1, -1).next, 1792);
}

static void young_records_stay(void **st)
{
	fill_to(*st, YOUNG, 600);
	sign(*st);
	assert_int_equal(prune(*st, BETWEEN, -1).records, 0);
	assert_int_equal(prune(*st, 0, -1).records, 0);
	assert_true(is_there(*st, 0));
}

/* Who altered a record and the tree over it must not be rid of the evidence. */
static enum rc alter_run(struct txn *ledger, void *arg)
{
	struct buf line = BUF_INIT;
	struct span old;
	uint8_t key[8];
	char *at;

	be64_put(key, *(const uint64_t *)arg);
	assert_true(txn_get(ledger, DB_RECORDS, span_of(key, sizeof(key)), &old));
	buf_add_span(&line, old);
	at = strstr(line.data, "\"done\"");
	assert_non_null(at);
	memcpy(at, "\"gone\"", 6);
	txn_put(ledger, DB_RECORDS, span_of(key, sizeof(key)), buf_span(&line));
	buf_done(&line);
	return txn_rc(ledger);
}

static enum rc remove_run(struct txn *ledger, void *arg)
{
	uint8_t key[8];

	be64_put(key, *(const uint64_t *)arg);
	assert_true(txn_del(ledger, DB_RECORDS, span_of(key, sizeof(key))));
	return RC_OK;
}

static void altered_records_are_not_pruned(void **st)
{
	uint64_t seq = 100;

	fill_to(*st, OLD, 600);
	sign(*st);
	call(*st, alter_run, &seq);
	is_refused(*st, AHEAD);
}

static void a_log_with_a_gap_is_not_pruned(void **st)
{
	uint64_t seq = 255;

	fill_to(*st, OLD, 600);
	sign(*st);
	call(*st, remove_run, &seq);
	is_refused(*st, AHEAD);
}

static void what_a_prune_left_goes_with_the_next(void **st)
{
	struct tmpadmin *t = *st;
	struct txn *vault;

	fill_to(t, OLD, 2000);
	sign(t);
	vault = txn_write(admin_store(t->a), ENV_VAULT);
	log_first_set(vault, 1024);
	assert_int_equal(txn_end(vault), RC_OK);
	assert_true(is_there(t, 1023));                /* as if the process had died here */
	assert_int_equal(verdict(t), VERDICT_VERIFIED);
	assert_int_equal(prune(t, BETWEEN, -1).next, 1792);
	assert_false(is_there(t, 0));
	assert_false(is_there(t, 1023));
	assert_false(is_there(t, 1791));
}

static enum rc no_time_run(struct txn *ledger, void *arg)
{
	(void)arg;
	return tmplog_add(ledger, span_str("{\"seq\":300}"), NULL);
}

static void a_record_without_a_time_does_not_keep_what_follows(void **st)
{
	fill_to(*st, OLD, 300);
	call(*st, no_time_run, NULL);
	fill_to(*st, OLD, 600);
	sign(*st);
	assert_int_equal(prune(*st, AHEAD, -1).next, 512);
}

static void before_and_after_are_recorded(void **st)
{
	struct tmpadmin *t = *st;
	const json_t *detail;
	json_t *records;
	uint64_t size;

	fill_to(t, OLD, 600);
	sign(t);
	size = log_size(t);
	prune(t, AHEAD, -1);
	assert_int_equal(log_size(t), size + 2);
	records = tmpadmin_records(t);
	assert_true(record_has(record_at(records, 1), "outcome", "intended"));
	assert_true(record_has(record_at(records, 0), "outcome", "done"));
	assert_string_equal(json_string_value(json_object_get(record_at(records, 0), "id")),
	                    json_string_value(json_object_get(record_at(records, 1), "id")));
	detail = json_object_get(record_at(records, 0), "detail");
	assert_true(record_has(record_at(records, 0), "change", "prune"));
	assert_int_equal(json_integer_value(json_object_get(detail, "first")), 0);
	assert_int_equal(json_integer_value(json_object_get(detail, "next")), 512);
	assert_int_equal(json_integer_value(json_object_get(detail, "records")), 512);
	json_decref(records);
}

static void who_only_reads_prunes_nothing(void **st)
{
	struct tmpadmin *t = *st;
	struct pruned p;

	fill_to(t, OLD, 600);
	sign(t);
	assert_true(tmpadmin_reopen(t, true));
	assert_int_equal(admin_prune(t->a, AHEAD, 0, -1, &p, &t->why), RC_READ_ONLY);
	assert_true(is_there(t, 0));
}

/* ---- the archive ---- */

static int new_file(const struct tmpadmin *t, const char *name)
{
	int fd = open(tmpdir_path(t->dir, name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static enum verdict archive_verdict(struct tmpadmin *t, const char *name, struct verification *found)
{
	struct verify_options any = { .note_count = 0 };
	int fd = open(tmpdir_path(t->dir, name), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(admin_verify_export(t->a, fd, &any, found, &t->why), RC_OK);
	close(fd);
	return found->verdict;
}

static void the_archive_is_an_export_that_verifies(void **st)
{
	struct tmpadmin *t = *st;
	struct verification found;
	int one = new_file(t, "one"), two = new_file(t, "two");
	struct pruned p;

	fill_to(t, OLD, 1000);
	sign(t);
	p = prune(t, AHEAD, one);
	assert_true(p.archived);
	assert_int_equal(archive_verdict(t, "one", &found), VERDICT_VERIFIED);
	assert_int_equal(found.first, 0);
	assert_int_equal(found.size, 768);
	fill_to(t, OLD, 3000);
	sign(t);
	p = prune(t, AHEAD, two);
	assert_true(p.archived);
	assert_int_equal(archive_verdict(t, "two", &found), VERDICT_VERIFIED);
	assert_int_equal(found.first, 768);
	assert_int_equal(found.size, p.next);
	close(one);
	close(two);
}

static void an_altered_archive_does_not_verify(void **st)
{
	struct tmpadmin *t = *st;
	struct verification found;
	int fd = new_file(t, "one");
	char byte;

	fill_to(t, OLD, 600);
	sign(t);
	prune(t, AHEAD, fd);
	assert_int_equal(pread(fd, &byte, 1, 5000), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
	assert_int_equal(archive_verdict(t, "one", &found), VERDICT_TAMPERED);
	close(fd);
}

static void nothing_goes_that_could_not_be_archived(void **st)
{
	struct tmpadmin *t = *st;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct pruned p;

	if (full < 0)
		skip();
	fill_to(t, OLD, 600);
	sign(t);
	assert_int_equal(admin_prune(t->a, AHEAD, 0, full, &p, &t->why), RC_NOSPACE);
	assert_false(p.archived);
	assert_true(is_there(t, 0));
	assert_int_equal(first(t), 0);
	close(full);
}

static void an_archive_of_nothing_is_none(void **st)
{
	struct tmpadmin *t = *st;
	int fd = new_file(t, "one");

	fill_to(t, YOUNG, 600);
	sign(t);
	assert_false(prune(t, BETWEEN, fd).archived);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

/* ---- identities ---- */

#define NOW UINT64_C(1700000000)

struct keep { struct store *store; unsigned from, to; uint64_t seen_at; };

static void subject_of(char out[SUBJECT_MAX], unsigned n)
{
	snprintf(out, SUBJECT_MAX, "h1:%032x", n);
}

static enum rc keep_run(struct txn *ledger, void *arg)
{
	const struct keep *k = arg;
	char subject[SUBJECT_MAX];
	enum rc rc = RC_OK;

	for (unsigned i = k->from; i < k->to && rc == RC_OK; i++) {
		subject_of(subject, i);
		rc = audit_identity_keep(k->store, ledger, "acme", subject, "alex@example.com", "Alex", k->seen_at);
	}
	return rc;
}

static uint64_t kept(struct tmpadmin *t)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	uint64_t count = txn_count(ledger, DB_IDENTITIES);

	txn_abort(ledger);
	return count;
}

static enum rc rubbish_run(struct txn *ledger, void *arg)
{
	(void)arg;
	txn_put(ledger, DB_IDENTITIES, span_str("acme"), span_str("x"));
	txn_put(ledger, DB_IDENTITIES, span_str("zzzz"), span_of(NULL, 0));
	return txn_rc(ledger);
}

static void identities_go_by_when_they_were_seen_however_many(void **st)
{
	struct tmpadmin *t = *st;
	struct store *store = admin_store(t->a);
	char subject[SUBJECT_MAX];
	struct audit_identity who;
	struct txn *ledger;
	struct pruned p;

	call(t, keep_run, &(struct keep){ store, 0, 2500, NOW - 100 });
	call(t, keep_run, &(struct keep){ store, 2500, 2503, NOW });
	call(t, keep_run, &(struct keep){ store, 2503, 4600, NOW - 1 });
	call(t, rubbish_run, NULL);
	sign(t);
	assert_int_equal(admin_prune(t->a, 0, NOW, -1, &p, &t->why), RC_OK);
	assert_int_equal(p.identities, 4599);
	assert_int_equal(p.records, 0);
	assert_int_equal(kept(t), 3);
	ledger = txn_read(store, ENV_LEDGER);
	subject_of(subject, 2501);
	assert_int_equal(audit_identity_get(store, ledger, "acme", subject, &who), RC_OK);
	assert_string_equal(who.email, "alex@example.com");
	txn_abort(ledger);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(nothing_goes_without_a_checkpoint),
		WITH_ADMIN(whole_bundles_go_and_never_above_the_checkpoint),
		WITH_ADMIN(a_clock_that_was_set_back_takes_no_young_record_with_it),
		WITH_ADMIN(young_records_stay),
		WITH_ADMIN(altered_records_are_not_pruned),
		WITH_ADMIN(a_log_with_a_gap_is_not_pruned),
		WITH_ADMIN(what_a_prune_left_goes_with_the_next),
		WITH_ADMIN(a_record_without_a_time_does_not_keep_what_follows),
		WITH_ADMIN(before_and_after_are_recorded),
		WITH_ADMIN(who_only_reads_prunes_nothing),
		WITH_ADMIN(the_archive_is_an_export_that_verifies),
		WITH_ADMIN(an_altered_archive_does_not_verify),
		WITH_ADMIN(nothing_goes_that_could_not_be_archived),
		WITH_ADMIN(an_archive_of_nothing_is_none),
		WITH_ADMIN(identities_go_by_when_they_were_seen_however_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
