/* test_erase.c -- one person is forgotten, and nobody else; the log stays what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/log-private.h"
#include "base/clock.h"
#include "tests/lib/tmpadmin.h"

#include <stdio.h>
#include <stdlib.h>

#define ALEX "alex@example.com"
#define JORDAN "jordan@example.com"

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

static void call(struct tmpadmin *t, job_run run, void *arg)
{
	struct writer *writer;

	assert_int_equal(admin_writer(t->a, &writer), RC_OK);
	assert_int_equal(writer_call(writer, run, arg), RC_OK);
}

/* ---- what is kept of somebody ---- */

struct person { struct store *store; const char *email; char subject[SUBJECT_MAX]; unsigned pins, first_pin; };

static struct person person(struct tmpadmin *t, const char *email, unsigned first_pin, unsigned pins)
{
	struct person p = { .store = admin_store(t->a), .email = email, .pins = pins, .first_pin = first_pin };

	assert_int_equal(admin_subject_of(t->a, "acme", email, p.subject, &t->reason, &t->why), RC_OK);
	return p;
}

static enum rc put_document(struct txn *ledger, const char *collection, const char *owner, const char *id)
{
	struct document d = { .data = json_object() };
	enum rc rc;

	snprintf(d.collection, sizeof(d.collection), "%s", collection);
	snprintf(d.owner, sizeof(d.owner), "%s", owner);
	snprintf(d.id, sizeof(d.id), "%s", id);
	rc = d.data ? document_put(ledger, "acme", &d) : RC_NOMEM;
	json_decref(d.data);
	return rc;
}

static enum rc leave_run(struct txn *ledger, void *arg)
{
	const struct person *p = arg;
	uint8_t conversation[CONVERSATION_KEY_SIZE] = { 0 };
	struct audit_record r;
	enum rc rc;

	for (unsigned i = 0; i < p->pins; i++) {
		be64_put(conversation, p->first_pin + i);
		assert_int_equal(pin_claim(ledger, "acme", conversation, p->subject, clock_us()), REASON_NONE);
	}
	audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_DONE);
	memcpy(r.site, "acme", 5);
	memcpy(r.subject, p->subject, sizeof(r.subject));
	if ((rc = audit_append(ledger, &r, NULL)) != RC_OK ||
	    (rc = audit_identity_keep(p->store, ledger, "acme", p->subject, p->email, "", clock_s())) != RC_OK ||
	    (rc = put_document(ledger, "notes", p->email, "1")) != RC_OK ||
	    (rc = put_document(ledger, "notes", p->email, "2")) != RC_OK)
		return rc;
	return put_document(ledger, "orders", p->email, "1");
}

static uint64_t rows(struct tmpadmin *t, enum db db)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	uint64_t count = txn_count(ledger, db);

	txn_abort(ledger);
	return count;
}

static bool is_known(struct tmpadmin *t, const struct person *p)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	struct audit_identity who;
	enum rc rc = audit_identity_get(p->store, ledger, "acme", p->subject, &who);

	txn_abort(ledger);
	return rc == RC_OK;
}

static void is_verified(struct tmpadmin *t)
{
	struct verify_options any = { .note_count = 0 };
	struct verification found;
	struct buf note = BUF_INIT;
	bool is_new;

	assert_int_equal(admin_checkpoint(t->a, &note, &is_new, &found, &t->why), RC_OK);
	assert_int_equal(admin_verify(t->a, &any, &found, &t->why), RC_OK);
	assert_int_equal(found.verdict, VERDICT_VERIFIED);
	buf_done(&note);
}

static enum rc erase(struct tmpadmin *t, const char *site, const char *email, bool documents, struct erased *ret)
{
	t->reason = REASON_NONE;
	return admin_erase(t->a, site, email, documents, ret, &t->reason, &t->why);
}

/* ---- tests ---- */

static void one_person_goes_and_the_other_stays(void **st)
{
	struct person alex = person(*st, ALEX, 0, 40), jordan = person(*st, JORDAN, 1000, 3);
	struct erased e;

	call(*st, leave_run, &alex);
	call(*st, leave_run, &jordan);
	assert_int_equal(erase(*st, "acme", ALEX, false, &e), RC_OK);
	assert_true(e.identity);
	assert_int_equal(e.pins, 40);
	assert_int_equal(e.documents, 0);
	assert_false(is_known(*st, &alex));
	assert_true(is_known(*st, &jordan));
	assert_int_equal(rows(*st, DB_PINS), 3);
	assert_int_equal(rows(*st, DB_PIN_ORDER), 3);
	assert_int_equal(rows(*st, DB_PIN_EXPIRY), 3);
	assert_int_equal(rows(*st, DB_DOCUMENTS), 6);
	is_verified(*st);
	assert_int_equal(erase(*st, "acme", ALEX, false, &e), RC_OK);
	assert_false(e.identity);
	assert_int_equal(e.pins, 0);
}

static enum rc many_documents_run(struct txn *ledger, void *arg)
{
	char id[16];
	enum rc rc = RC_OK;

	(void)arg;
	for (unsigned i = 0; i < 500 && rc == RC_OK; i++) {
		snprintf(id, sizeof(id), "m%u", i);
		if ((rc = put_document(ledger, "a", ALEX, id)) == RC_OK &&
		    (rc = put_document(ledger, "z", "", id)) == RC_OK)
			rc = put_document(ledger, "z", i % 2 ? ALEX : "alex@example.co", id);
	}
	return rc;
}

/* More than a job takes, in many collections; a domain that begins like another; nobody's documents. */
static void documents_go_where_they_are_asked_for(void **st)
{
	struct person alex = person(*st, ALEX, 0, 1), jordan = person(*st, JORDAN, 1000, 1);
	struct erased e;

	call(*st, leave_run, &alex);
	call(*st, leave_run, &jordan);
	call(*st, many_documents_run, NULL);
	assert_int_equal(erase(*st, "acme", ALEX, true, &e), RC_OK);
	assert_int_equal(e.documents, 3 + 500 + 250);
	assert_int_equal(rows(*st, DB_DOCUMENTS), 3 + 500 + 250);
}

static void an_email_is_found_however_it_is_written(void **st)
{
	struct person alex = person(*st, ALEX, 0, 1);
	struct erased e;

	call(*st, leave_run, &alex);
	assert_int_equal(erase(*st, "acme", "Alex@EXAMPLE.com", true, &e), RC_OK);
	assert_true(e.identity);
	assert_int_equal(e.documents, 3);
}

static enum rc spoil_run(struct txn *ledger, void *arg)
{
	const struct person *p = arg;
	uint8_t key[5 + CONVERSATION_KEY_SIZE] = "acme";
	char order[SITE_ID_MAX + SUBJECT_MAX + 8];
	int size = snprintf(order, sizeof(order), "acme%c%s%cx", 0, p->subject, 0);

	txn_put(ledger, DB_PINS, span_of(key, sizeof(key)), span_str("rubbish"));
	txn_put(ledger, DB_PIN_ORDER, span_of(order, (size_t)size), span_of(NULL, 0));
	txn_put(ledger, DB_DOCUMENTS, span_str("acme"), span_str("x"));
	txn_put(ledger, DB_DOCUMENTS, span_of("acme\0notes", 10), span_str("x"));
	return txn_rc(ledger);
}

/* Rows that a worker could write keep nothing of the person there. */
static void rows_that_are_none_stop_nothing(void **st)
{
	struct person alex = person(*st, ALEX, 0, 2);
	struct erased e;

	call(*st, leave_run, &alex);
	call(*st, spoil_run, &alex);           /* the first conversation's pin does not decode any more */
	assert_int_equal(erase(*st, "acme", ALEX, true, &e), RC_OK);
	assert_true(e.identity);
	assert_int_equal(e.documents, 3);
	assert_int_equal(rows(*st, DB_PINS), 0);
	assert_int_equal(rows(*st, DB_PIN_ORDER), 0);
}

static void it_is_recorded_without_the_email(void **st)
{
	struct tmpadmin *t = *st;
	struct person alex = person(t, ALEX, 0, 2);
	const json_t *done, *intended;
	json_t *records;
	struct erased e;
	char *text;

	call(t, leave_run, &alex);
	assert_int_equal(erase(t, "acme", ALEX, true, &e), RC_OK);
	records = tmpadmin_records(t);
	intended = record_at(records, 1);
	done = record_at(records, 0);
	assert_true(record_has(intended, "outcome", "intended") && record_has(done, "outcome", "done"));
	assert_true(record_has(intended, "subject", alex.subject) && record_has(done, "subject", alex.subject));
	assert_true(record_has(done, "change", "erase") && record_has(done, "site", "acme"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(done, "detail"), "pins")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(done, "detail"), "documents")), 3);
	text = json_dumps(records, 0);
	assert_non_null(text);
	assert_null(strstr(text, "alex@"));
	free(text);
	json_decref(records);
}

static void a_person_of_a_removed_site_can_be_erased(void **st)
{
	struct tmpadmin *t = *st;
	struct person alex = person(t, ALEX, 0, 2);
	struct erased e;

	call(t, leave_run, &alex);
	assert_int_equal(admin_site_remove(t->a, "acme", &t->reason, &t->why), RC_OK);
	assert_int_equal(erase(t, "acme", ALEX, true, &e), RC_OK);
	assert_true(e.identity);
	assert_int_equal(e.pins, 2);
}

static void what_names_nobody_is_refused_and_no_event(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t records = rows(t, DB_RECORDS);
	struct erased e;

	assert_int_equal(erase(t, "nope", ALEX, false, &e), RC_REFUSED);
	assert_int_equal(t->reason, REASON_SITE_UNKNOWN);
	assert_int_equal(erase(t, "acme", "alex", false, &e), RC_REFUSED);
	assert_int_equal(t->reason, REASON_EMAIL_MALFORMED);
	assert_int_equal(rows(t, DB_RECORDS), records);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(one_person_goes_and_the_other_stays),
		WITH_ADMIN(documents_go_where_they_are_asked_for),
		WITH_ADMIN(an_email_is_found_however_it_is_written),
		WITH_ADMIN(rows_that_are_none_stop_nothing),
		WITH_ADMIN(it_is_recorded_without_the_email),
		WITH_ADMIN(a_person_of_a_removed_site_can_be_erased),
		WITH_ADMIN(what_names_nobody_is_refused_and_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
