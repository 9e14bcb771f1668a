/* test_checkpoint.c -- what is signed, what is not, and proofs of one record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/log-private.h"
#include "base/clock.h"
#include "base/file.h"
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void append(struct tmpadmin *t, size_t count)
{
	struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);

	for (size_t i = 0; i < count; i++) {
		struct audit_record r;

		audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_DONE);
		assert_int_equal(audit_append(ledger, &r, NULL), RC_OK);
	}
	assert_int_equal(txn_end(ledger), RC_OK);
}

static uint64_t size_of(struct tmpadmin *t)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	uint64_t size = audit_size(ledger);

	assert_int_equal(txn_end(ledger), RC_OK);
	return size;
}

static void put_line(struct tmpadmin *t, uint64_t seq, struct span line)
{
	struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);
	uint8_t key[8];

	be64_put(key, seq);
	txn_put(ledger, DB_RECORDS, span_of(key, sizeof(key)), line);
	assert_int_equal(txn_end(ledger), RC_OK);
}

struct signed_note { struct buf note; bool is_new; struct verification found; enum rc rc; };

static struct signed_note sign(struct tmpadmin *t)
{
	struct signed_note s = { .note = BUF_INIT };

	t->why = (struct why){ { 0 } };
	s.rc = admin_checkpoint(t->a, &s.note, &s.is_new, &s.found, &t->why);
	return s;
}

static enum rc sign_rc(struct tmpadmin *t)
{
	struct signed_note s = sign(t);

	buf_done(&s.note);
	return s.rc;
}

static enum verdict verdict_of_refusal(struct tmpadmin *t)
{
	struct signed_note s = sign(t);

	assert_int_equal(s.rc, RC_REFUSED);
	buf_done(&s.note);
	return s.found.verdict;
}

static size_t kept(struct tmpadmin *t)
{
	struct txn *vault = txn_read(admin_store(t->a), ENV_VAULT);
	size_t count = (size_t)txn_count(vault, DB_CHECKPOINTS);

	assert_int_equal(txn_end(vault), RC_OK);
	return count;
}

/* ---- signing ---- */

static void a_checkpoint_verifies_under_the_logs_key_and_has_its_root(void **st)
{
	struct tmpadmin *t = *st;
	struct checkpoint c, last;
	struct tree_hash root;
	struct tree_source tree;
	struct log_name name;
	struct signed_note s;
	struct buf again = BUF_INIT;
	struct txn *ledger;
	uint64_t at = 0, now = clock_s();

	append(t, 600);
	s = sign(t);
	assert_int_equal(s.rc, RC_OK);
	assert_true(s.is_new);
	assert_int_equal(admin_log_name(t->a, &name, &t->why), RC_OK);
	assert_int_equal(strncmp(name.origin, "postern/", 8), 0);
	assert_int_equal(checkpoint_open(buf_span(&s.note), &name.key, &c), RC_OK);
	assert_int_equal(c.size, size_of(t));
	ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	tree = audit_tree(ledger);
	assert_int_equal(tree_root(&tree, c.size, &root), RC_OK);
	txn_abort(ledger);
	assert_true(tree_hash_equal(&root, &c.root));
	assert_int_equal(admin_checkpoint_last(t->a, &again, &last, &at, &t->why), RC_OK);
	assert_true(span_equal(buf_span(&again), buf_span(&s.note)));
	assert_int_equal(last.size, c.size);
	assert_true(at >= now && at <= clock_s());
	buf_done(&again);
	buf_done(&s.note);
}

static void where_nothing_changed_the_last_one_is_given_again(void **st)
{
	struct tmpadmin *t = *st;
	struct signed_note first = sign(t), second = sign(t), third;

	assert_false(second.is_new);
	assert_true(span_equal(buf_span(&first.note), buf_span(&second.note)));
	assert_int_equal(kept(t), 1);
	append(t, 1);
	third = sign(t);
	assert_true(third.is_new);
	assert_false(span_equal(buf_span(&first.note), buf_span(&third.note)));
	assert_int_equal(kept(t), 2);
	buf_done(&first.note);
	buf_done(&second.note);
	buf_done(&third.note);
}

static void the_name_stays_what_it_is(void **st)
{
	struct tmpadmin *t = *st;
	struct log_name first, second;

	assert_int_equal(admin_log_name(t->a, &first, &t->why), RC_OK);
	assert_true(tmpadmin_reopen(t, true));
	assert_int_equal(admin_log_name(t->a, &second, &t->why), RC_OK);
	assert_memory_equal(&first.key, &second.key, sizeof(first.key));
	assert_string_equal(first.origin, second.origin);
}

static void who_only_reads_signs_nothing(void **st)
{
	struct tmpadmin *t = *st;
	struct log_name name;
	struct buf note = BUF_INIT;
	struct checkpoint c;

	assert_true(tmpadmin_reopen(t, true));
	assert_int_equal(sign_rc(t), RC_READ_ONLY);
	/* made when the data was opened for changes */
	assert_int_equal(admin_log_name(t->a, &name, &t->why), RC_OK);
	assert_int_equal(admin_checkpoint_last(t->a, &note, &c, NULL, &t->why), RC_NOT_FOUND);
	buf_done(&note);
}

/* ---- what is not signed ---- */

static void a_record_altered_since_the_last_checkpoint_is_not_signed_and_that_is_recorded(void **st)
{
	struct tmpadmin *t = *st;
	const json_t *last, *at;
	json_t *records;
	uint64_t size;

	assert_int_equal(sign_rc(t), RC_OK);
	append(t, 5);
	size = size_of(t);
	put_line(t, size - 3, span_str("{\"seq\":1}"));
	assert_int_equal(verdict_of_refusal(t), VERDICT_TAMPERED);
	assert_int_equal(kept(t), 1);
	records = tmpadmin_records(t);
	last = record_at(records, 0);
	assert_true(record_has(last, "event", "audit"));
	assert_true(record_has(last, "change", "checkpoint"));
	assert_true(record_has(last, "outcome", "refused"));
	assert_true(record_has(last, "verdict", "tampered"));
	at = json_object_get(json_object_get(last, "detail"), "at");
	assert_int_equal(json_integer_value(at), size - 3);
	json_decref(records);
	assert_int_equal(verdict_of_refusal(t), VERDICT_TAMPERED);
}

static void a_log_shorter_than_its_last_checkpoint_is_not_signed(void **st)
{
	struct tmpadmin *t = *st;
	struct txn *ledger;
	uint8_t key[8];

	append(t, 5);
	assert_int_equal(sign_rc(t), RC_OK);
	be64_put(key, size_of(t) - 1);
	ledger = txn_write(admin_store(t->a), ENV_LEDGER);
	assert_true(txn_del(ledger, DB_RECORDS, span_of(key, sizeof(key))));
	assert_int_equal(txn_end(ledger), RC_OK);
	assert_int_equal(verdict_of_refusal(t), VERDICT_TRUNCATED);
	assert_int_equal(kept(t), 1);
}

static void a_tree_that_has_not_the_last_root_is_not_signed(void **st)
{
	struct tmpadmin *t = *st;
	struct tree_hash tile[AUDIT_BUNDLE];
	struct txn *ledger;
	struct span row;
	uint8_t key[9] = { 0 };

	append(t, 5);
	assert_int_equal(sign_rc(t), RC_OK);
	ledger = txn_write(admin_store(t->a), ENV_LEDGER);
	assert_true(audit_tile(ledger, 0, 0, &row));
	memcpy(tile, row.data, row.size);
	tile[1].at[5] ^= 1;
	txn_put(ledger, DB_TREE, span_of(key, sizeof(key)), span_of(tile, row.size));
	assert_int_equal(txn_end(ledger), RC_OK);
	assert_int_equal(verdict_of_refusal(t), VERDICT_TAMPERED);
	assert_int_equal(kept(t), 1);
}

/* ---- the admin key ---- */

static void without_the_admin_key_nothing_is_signed(void **st)
{
	struct tmpadmin *t = *st;
	const char *path = tmpdir_path(t->dir, "admin.key");

	assert_int_equal(sign_rc(t), RC_OK);
	append(t, 1);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(sign_rc(t), RC_TOO_OPEN);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(rename(path, tmpdir_path(t->dir, "away")), 0);
	assert_int_equal(sign_rc(t), RC_NOT_FOUND);
	assert_int_equal(file_create(path, span_str("0123456789abcdef0123456789abcdef"), 0600), RC_OK);
	assert_int_equal(sign_rc(t), RC_UNSEALED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_create(path, span_str("short"), 0600), RC_OK);
	assert_int_equal(sign_rc(t), RC_UNSEALED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(tmpdir_path(t->dir, "away"), path), 0);
	assert_int_equal(sign_rc(t), RC_OK);
	assert_int_equal(kept(t), 2);
}

static void what_the_admin_key_sealed_opens_only_in_its_place(void **st)
{
	struct tmpadmin *t = *st;
	struct store *store = admin_store(t->a);
	struct buf sealed = BUF_INIT;
	struct secret *open = NULL;

	assert_int_equal(store_admin_seal(store, span_str("here"), span_str("text"), &sealed, &t->why), RC_OK);
	assert_int_equal(store_admin_unseal(store, span_str("there"), buf_span(&sealed), &open, &t->why), RC_UNSEALED);
	assert_int_equal(store_unseal(store, span_str("here"), buf_span(&sealed), &open), RC_UNSEALED);
	assert_int_equal(store_admin_unseal(store, span_str("here"), buf_span(&sealed), &open, &t->why), RC_OK);
	assert_true(span_is(secret_span(open), "text"));
	secret_free(open);
	buf_done(&sealed);
}

/* ---- proofs ---- */

static size_t decode_hashes(const char *from, struct tree_proof *ret)
{
	for (ret->count = 0; *from != '\n'; from += 45) {
		uint8_t bytes[TREE_HASH_SIZE + 2];

		assert_int_equal(base64_decode(bytes, sizeof(bytes), span_of(from, 44)), TREE_HASH_SIZE);
		memcpy(ret->hash[ret->count++].at, bytes, TREE_HASH_SIZE);
	}
	return ret->count;
}

static void a_proof_shows_that_the_record_is_in_the_log(void **st)
{
	struct tmpadmin *t = *st;
	struct buf line = BUF_INIT, proof = BUF_INIT;
	struct tree_proof p;
	struct tree_hash leaf;
	struct checkpoint c;
	struct log_name name;
	const char *hashes, *note;

	append(t, 700);
	assert_int_equal(sign_rc(t), RC_OK);
	append(t, 3);
	assert_int_equal(admin_log_name(t->a, &name, &t->why), RC_OK);
	assert_int_equal(admin_prove(t->a, 300, &line, &proof, &t->reason, &t->why), RC_OK);
	assert_int_equal(strncmp(proof.data, "c2sp.org/tlog-proof@v1\nindex 300\n", 33), 0);
	hashes = proof.data + 33;
	note = strstr(proof.data, "\n\n") + 2;
	decode_hashes(hashes, &p);
	assert_int_equal(checkpoint_open(span_str(note), &name.key, &c), RC_OK);
	assert_int_equal(tree_leaf(buf_span(&line), &leaf), RC_OK);
	assert_true(tree_check_inclusion(&leaf, 300, c.size, &p, &c.root));
	buf_done(&line);
	buf_done(&proof);
}

static enum rc prove(struct tmpadmin *t, uint64_t seq)
{
	struct buf line = BUF_INIT, proof = BUF_INIT;
	enum rc rc;

	t->why = (struct why){ { 0 } };
	t->reason = REASON_NONE;
	rc = admin_prove(t->a, seq, &line, &proof, &t->reason, &t->why);
	assert_true(rc == RC_OK || proof.size == 0);
	buf_done(&line);
	buf_done(&proof);
	return rc;
}

static void what_no_checkpoint_covers_is_not_proved(void **st)
{
	struct tmpadmin *t = *st;
	uint64_t size;

	assert_int_equal(prove(t, 0), RC_REFUSED);
	assert_int_equal(t->reason, REASON_NOT_FOUND);
	assert_int_equal(sign_rc(t), RC_OK);
	size = size_of(t);
	append(t, 1);
	assert_int_equal(prove(t, size - 1), RC_OK);
	assert_int_equal(prove(t, size), RC_REFUSED);
	assert_int_equal(prove(t, UINT64_MAX), RC_REFUSED);
	assert_non_null(strstr(t->why.text, "no checkpoint covers"));
}

static void an_altered_record_is_not_proved(void **st)
{
	struct tmpadmin *t = *st;

	append(t, 5);
	assert_int_equal(sign_rc(t), RC_OK);
	put_line(t, 1, span_str("{\"seq\":1}"));
	assert_int_equal(prove(t, 1), RC_CORRUPT);
	assert_int_equal(prove(t, 0), RC_OK);
}

#define WITH_ADMIN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(a_checkpoint_verifies_under_the_logs_key_and_has_its_root),
		WITH_ADMIN(where_nothing_changed_the_last_one_is_given_again),
		WITH_ADMIN(the_name_stays_what_it_is),
		WITH_ADMIN(who_only_reads_signs_nothing),
		WITH_ADMIN(a_record_altered_since_the_last_checkpoint_is_not_signed_and_that_is_recorded),
		WITH_ADMIN(a_log_shorter_than_its_last_checkpoint_is_not_signed),
		WITH_ADMIN(a_tree_that_has_not_the_last_root_is_not_signed),
		WITH_ADMIN(without_the_admin_key_nothing_is_signed),
		WITH_ADMIN(what_the_admin_key_sealed_opens_only_in_its_place),
		WITH_ADMIN(a_proof_shows_that_the_record_is_in_the_log),
		WITH_ADMIN(what_no_checkpoint_covers_is_not_proved),
		WITH_ADMIN(an_altered_record_is_not_proved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
