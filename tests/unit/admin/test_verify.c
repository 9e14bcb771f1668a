/* test_verify.c -- every way of altering the log that a worker's rights allow, and the verdict on it: in the file
 * itself, with and without the tree made to fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/log-private.h"
#include "audit/audit-private.h"
#include "tests/lib/tmpadmin.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_ROOM 512

/* ---- a log of a test's own making: all lines in memory, written back whole with the tree that fits them ---- */

struct log { struct tmpadmin *t; size_t count; char (*line)[LINE_ROOM]; };

static int setup(void **st)
{
	struct log *l = calloc(1, sizeof(*l));

	secret_process_init();
	if (!l)
		return -1;
	l->t = tmpadmin_new();
	*st = l;
	return l->t ? 0 : -1;
}

static int teardown(void **st)
{
	struct log *l = *st;

	tmpadmin_free(l->t);
	free(l->line);
	free(l);
	return 0;
}

static struct txn *ledger_write(struct log *l)
{
	return txn_write(admin_store(l->t->a), ENV_LEDGER);
}

static struct span seq_key(uint8_t out[8], uint64_t seq)
{
	be64_put(out, seq);
	return span_of(out, 8);
}

static struct span tile_key(uint8_t out[9], unsigned level, uint64_t index)
{
	out[0] = (uint8_t)level;
	be64_put(out + 1, index);
	return span_of(out, 9);
}

static void wipe(struct txn *t, enum db db)
{
	struct span key, row;
	struct walk w;

	walk_begin(&w, t, db);
	while (walk_next(&w, &key, &row))
		walk_del(&w);
	walk_end(&w);
}

static void line_make(char out[LINE_ROOM], uint64_t seq, const char *site)
{
	snprintf(out, LINE_ROOM, "{\"event\":\"action\",\"id\":\"01JD4ZK2M3N4P5Q6R7S8T9V0WX\",\"outcome\":\"done\","
	         "\"seq\":%llu,\"site\":\"%s\",\"time\":1763690000000000,\"v\":1}", (unsigned long long)seq, site);
}

/* Writes the whole log anew, tree and all. */
static void log_put(struct log *l)
{
	struct txn *ledger = ledger_write(l);
	uint8_t key[8];

	wipe(ledger, DB_RECORDS);
	wipe(ledger, DB_TREE);
	for (size_t i = 0; i < l->count; i++) {
		assert_int_equal(tree_add(ledger, i, span_str(l->line[i])), RC_OK);
		txn_append(ledger, DB_RECORDS, seq_key(key, i), span_str(l->line[i]));
	}
	assert_int_equal(txn_end(ledger), RC_OK);
}

static void log_grow(struct log *l, size_t count)
{
	l->line = realloc(l->line, count * sizeof(*l->line));
	assert_non_null(l->line);
	for (; l->count < count; l->count++)
		line_make(l->line[l->count], l->count, "acme");
	log_put(l);
}

static void sign(struct log *l, struct buf *ret_note)
{
	struct buf note = BUF_INIT;
	struct verification found;
	bool is_new;

	assert_int_equal(admin_checkpoint(l->t->a, &note, &is_new, &found, &l->t->why), RC_OK);
	assert_true(is_new);
	if (ret_note)
		buf_add_span(ret_note, buf_span(&note));
	buf_done(&note);
}

/* 1000 records, checkpoints of 300 and 700. */
static void log_usual(struct log *l)
{
	log_grow(l, 300);
	sign(l, NULL);
	log_grow(l, 700);
	sign(l, NULL);
	log_grow(l, 1000);
}

static struct verification verify_with(struct log *l, const struct verify_options *o)
{
	struct verification v;

	assert_int_equal(admin_verify(l->t->a, o, &v, &l->t->why), RC_OK);
	return v;
}

static struct verification verify(struct log *l)
{
	struct verify_options o = { 0 };

	return verify_with(l, &o);
}

static void assert_tampered(struct log *l, uint64_t at)
{
	struct verification v = verify(l);

	assert_int_equal(v.verdict, VERDICT_TAMPERED);
	assert_true(v.at_known);
	assert_int_equal(v.at, at);
}

static void assert_tampered_between(struct log *l, uint64_t at, uint64_t at_end)
{
	struct verification v = verify(l);

	assert_int_equal(v.verdict, VERDICT_TAMPERED);
	assert_false(v.at_known);
	assert_int_equal(v.at, at);
	assert_int_equal(v.at_end, at_end);
}

static void assert_truncated(struct log *l, uint64_t have, uint64_t want)
{
	struct verification v = verify(l);

	assert_int_equal(v.verdict, VERDICT_TRUNCATED);
	assert_int_equal(v.have, have);
	assert_int_equal(v.want, want);
}

static void put_line(struct log *l, uint64_t seq, const char *line)
{
	struct txn *ledger = ledger_write(l);
	uint8_t key[8];

	txn_put(ledger, DB_RECORDS, seq_key(key, seq), span_str(line));
	assert_int_equal(txn_end(ledger), RC_OK);
}

static void drop_lines(struct log *l, uint64_t from, uint64_t to)
{
	struct txn *ledger = ledger_write(l);
	uint8_t key[8];

	for (; from < to; from++)
		assert_true(txn_del(ledger, DB_RECORDS, seq_key(key, from)));
	assert_int_equal(txn_end(ledger), RC_OK);
}

/* Makes the leaf of a record that of another line; the tiles above stay as they are. */
static void put_leaf(struct log *l, uint64_t seq, const char *line)
{
	struct txn *ledger = ledger_write(l);
	struct tree_hash tile[AUDIT_BUNDLE];
	struct span row;
	uint8_t key[9];

	assert_true(audit_tile(ledger, 0, seq / AUDIT_BUNDLE, &row));
	assert_true(row.size <= sizeof(tile));
	memcpy(tile, row.data, row.size);
	assert_int_equal(tree_leaf(span_str(line), &tile[seq % AUDIT_BUNDLE]), RC_OK);
	txn_put(ledger, DB_TREE, tile_key(key, 0, seq / AUDIT_BUNDLE), span_of(tile, row.size));
	assert_int_equal(txn_end(ledger), RC_OK);
}

static void drop_tile(struct log *l, unsigned level, uint64_t index)
{
	struct txn *ledger = ledger_write(l);
	uint8_t key[9];

	assert_true(txn_del(ledger, DB_TREE, tile_key(key, level, index)));
	assert_int_equal(txn_end(ledger), RC_OK);
}

/* ---- what is well ---- */

static void a_log_that_was_never_signed_cannot_be_verified(void **st)
{
	struct verification v;

	log_grow(*st, 300);
	v = verify(*st);
	assert_int_equal(v.verdict, VERDICT_UNVERIFIABLE);
	assert_int_equal(v.size, 300);
}

static void a_log_as_its_checkpoints_know_it_is_verified(void **st)
{
	struct verification v;

	log_usual(*st);
	v = verify(*st);
	assert_int_equal(v.verdict, VERDICT_VERIFIED);
	assert_int_equal(v.first, 0);
	assert_int_equal(v.size, 1000);
	assert_int_equal(v.checkpoints, 2);
	assert_int_equal(v.checkpoint_size, 700);
	assert_non_null(strstr(v.text, "300 after the last checkpoint"));
}

static void an_empty_log_can_be_signed_and_verified(void **st)
{
	struct log *l = *st;

	log_put(l);
	sign(l, NULL);
	assert_int_equal(verify(l).verdict, VERDICT_VERIFIED);
	log_grow(l, 1);
	assert_int_equal(verify(l).verdict, VERDICT_VERIFIED);
}

/* Nobody could tell: the design says so, and so do the texts. */
static void what_was_altered_with_its_tree_after_the_last_checkpoint_is_not_seen(void **st)
{
	struct log *l = *st;

	log_usual(l);
	line_make(l->line[700], 700, "lies");
	log_put(l);
	assert_int_equal(verify(l).verdict, VERDICT_VERIFIED);
}

/* ---- the file, as somebody with the worker's rights leaves it ---- */

static void an_altered_line_is_named(void **st)
{
	static const uint64_t places[] = { 0, 255, 256, 299, 300, 511, 699, 700, 999 };
	struct log *l = *st;
	char line[LINE_ROOM];

	log_usual(l);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		line_make(line, places[i], "bcme");
		put_line(l, places[i], line);
		assert_tampered(l, places[i]);
		put_line(l, places[i], l->line[places[i]]);
	}
	assert_int_equal(verify(l).verdict, VERDICT_VERIFIED);
}

static void a_missing_line_is_named(void **st)
{
	struct log *l = *st;

	log_usual(l);
	drop_lines(l, 420, 421);
	assert_tampered(l, 420);
	drop_lines(l, 0, 1);
	assert_tampered(l, 0);
}

static void lines_that_changed_places_are_named_though_their_hashes_went_along(void **st)
{
	struct log *l = *st;

	log_usual(l);
	put_line(l, 10, l->line[11]);
	put_line(l, 11, l->line[10]);
	assert_tampered(l, 10);
	put_leaf(l, 10, l->line[11]);
	put_leaf(l, 11, l->line[10]);
	assert_tampered(l, 10);
}

static void a_line_twice_is_named(void **st)
{
	struct log *l = *st;

	log_usual(l);
	put_line(l, 800, l->line[799]);
	put_leaf(l, 800, l->line[799]);
	assert_tampered(l, 800);
}

static void a_line_altered_with_its_leaf_is_found_by_the_tile_above(void **st)
{
	struct log *l = *st;
	char line[LINE_ROOM];

	log_usual(l);
	line_make(line, 300, "lies");
	put_line(l, 300, line);
	put_leaf(l, 300, line);
	assert_tampered_between(l, 256, 512);
}

static void a_missing_tile_is_found(void **st)
{
	struct log *l = *st;

	log_usual(l);
	drop_tile(l, 0, 2);
	assert_tampered(l, 512);
	log_put(l);
	drop_tile(l, 1, 0);
	assert_tampered_between(l, 0, 256);
}

static void rows_that_are_no_records_are_found(void **st)
{
	struct log *l = *st;
	struct txn *ledger;
	uint8_t key[9];

	log_usual(l);
	put_line(l, UINT64_MAX - 1, "{}");
	assert_tampered(l, 1000);
	log_put(l);
	put_line(l, 1001, l->line[0]);
	assert_tampered(l, 1000);
	log_put(l);
	ledger = ledger_write(l);
	txn_put(ledger, DB_RECORDS, span_of(key, seq_key(key, 500).size - 1), span_str("x"));
	memset(key, 0xff, sizeof(key));
	txn_put(ledger, DB_RECORDS, span_of(key, sizeof(key)), span_str("x"));
	assert_int_equal(txn_end(ledger), RC_OK);
	assert_int_equal(verify(l).verdict, VERDICT_TAMPERED);
}

static void a_line_without_its_number_is_named(void **st)
{
	static const char *const lines[] = { "", "x", "{\"seq\":5}", "{\"a\":\"\\\"seq\\\":4,\",\"seq\":5}",
	                                     "{\"detail\":{\"seq\":4},\"x\":1}", "{\"seq\":04}", "{\"seq\":4x}",
	                                     "{\"seq\":99999999999999999999}", "[\"seq\",4]", "{\"seq\":4" };
	struct log *l = *st;

	log_usual(l);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		put_line(l, 4, lines[i][0] ? lines[i] : " ");
		put_leaf(l, 4, lines[i][0] ? lines[i] : " ");
		assert_tampered(l, 4);
	}
}

/* ---- lines and tree rewritten together: only the checkpoints tell ---- */

static void a_line_altered_with_the_whole_tree_lies_between_two_checkpoints(void **st)
{
	struct log *l = *st;

	log_usual(l);
	line_make(l->line[450], 450, "lies");
	log_put(l);
	assert_tampered_between(l, 300, 700);
	line_make(l->line[299], 299, "lies");
	log_put(l);
	assert_tampered_between(l, 0, 300);
}

static void a_record_taken_out_with_the_whole_tree_lies_between_two_checkpoints(void **st)
{
	struct log *l = *st;

	log_usual(l);
	for (size_t i = 600; i + 1 < l->count; i++)
		line_make(l->line[i], i, i == 600 ? "next" : "acme");
	l->count--;
	log_put(l);
	assert_tampered_between(l, 300, 700);
}

static void a_log_cut_off_is_truncated(void **st)
{
	struct log *l = *st;

	log_usual(l);
	l->count = 650;
	log_put(l);
	assert_truncated(l, 650, 700);
	l->count = 0;
	log_put(l);
	assert_truncated(l, 0, 700);
}

static void a_log_cut_off_that_grew_again_is_tampered(void **st)
{
	struct log *l = *st;

	log_usual(l);
	for (size_t i = 650; i < l->count; i++)
		line_make(l->line[i], i, "lies");
	log_put(l);
	assert_tampered_between(l, 300, 700);
}

static void rows_cut_off_leave_their_leaves_behind(void **st)
{
	struct log *l = *st;

	log_usual(l);
	drop_lines(l, 990, 1000);
	assert_tampered(l, 990);
	drop_lines(l, 600, 990);
	assert_truncated(l, 600, 700);
}

/* ---- checkpoints: kept, given, of others ---- */

static void forget_checkpoints(struct log *l)
{
	struct txn *vault = txn_write(admin_store(l->t->a), ENV_VAULT);

	wipe(vault, DB_CHECKPOINTS);
	assert_int_equal(txn_end(vault), RC_OK);
}

static void a_checkpoint_kept_elsewhere_tells_what_the_vault_forgot(void **st)
{
	struct log *l = *st;
	struct buf note = BUF_INIT;
	struct span given;
	struct verify_options o = { .notes = &given, .note_count = 1 };
	struct verification v;

	log_grow(l, 300);
	sign(l, &note);
	given = buf_span(&note);
	assert_int_equal(verify_with(l, &o).checkpoints, 1);
	forget_checkpoints(l);
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_VERIFIED);
	l->count = 200;
	log_put(l);
	assert_int_equal(verify(l).verdict, VERDICT_UNVERIFIABLE);
	v = verify_with(l, &o);
	assert_int_equal(v.verdict, VERDICT_TRUNCATED);
	assert_int_equal(v.have, 200);
	assert_int_equal(v.want, 300);
	buf_done(&note);
}

static void a_given_checkpoint_that_cannot_be_used_leaves_the_log_unverified(void **st)
{
	struct log *l = *st;
	struct buf note = BUF_INIT;
	struct span given;
	struct verify_options o = { .notes = &given, .note_count = 1 };

	log_grow(l, 300);
	sign(l, &note);
	given = span_str("nonsense");
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_UNVERIFIABLE);
	given = span_str("postern/other/x\n3\nuU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=\n\n"
	                 "\xe2\x80\x94 postern/other/x AAAAAAAA\n");
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_UNVERIFIABLE);
	note.data[strcspn(note.data, "\n") + 1] = '4';
	given = buf_span(&note);
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_UNVERIFIABLE);
	line_make(l->line[5], 5, "lies");
	log_put(l);
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_TAMPERED);      /* that is found out all the same */
	buf_done(&note);
}

static void a_named_key_counts_instead_of_the_vaults(void **st)
{
	struct log *l = *st;
	struct verify_options o = { 0 };
	struct note_key other;
	struct log_name name;

	log_usual(l);
	assert_int_equal(admin_log_name(l->t->a, &name, &l->t->why), RC_OK);
	o.key = &name.key;
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_VERIFIED);
	name.key.public[0] ^= 1;
	assert_int_equal(note_key_make(name.origin, name.key.public, &other), RC_OK);
	o.key = &other;
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_UNVERIFIABLE);
}

static void a_checkpoint_altered_in_the_vault_is_no_evidence(void **st)
{
	struct log *l = *st;
	struct txn *vault;
	struct span key, row;
	struct buf copy = BUF_INIT, at = BUF_INIT;
	struct walk w;

	log_usual(l);
	vault = txn_write(admin_store(l->t->a), ENV_VAULT);
	walk_begin(&w, vault, DB_CHECKPOINTS);
	assert_true(walk_next(&w, &key, &row));
	buf_add_span(&at, key);
	buf_add_span(&copy, row);
	walk_end(&w);
	copy.data[copy.size - 20] ^= 1;
	txn_put(vault, DB_CHECKPOINTS, buf_span(&at), buf_span(&copy));
	assert_int_equal(txn_end(vault), RC_OK);
	assert_int_equal(verify(l).verdict, VERDICT_TAMPERED);
	assert_false(verify(l).at_known);
	buf_done(&copy);
	buf_done(&at);
}

/* ---- a log that began anew, and one that was pruned ---- */

static void begin_anew(struct log *l)
{
	struct txn *vault = txn_write(admin_store(l->t->a), ENV_VAULT);

	assert_int_equal(log_incarnation_begin(admin_store(l->t->a), vault, l->count, &l->t->why), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
}

static void checkpoints_of_former_origins_still_count(void **st)
{
	struct log *l = *st;
	struct log_name before, after;
	struct buf note = BUF_INIT;
	struct span given;
	struct verify_options o = { .notes = &given, .note_count = 1 };
	struct verification v;

	log_usual(l);
	sign(l, &note);
	given = buf_span(&note);
	assert_int_equal(admin_log_name(l->t->a, &before, &l->t->why), RC_OK);
	begin_anew(l);
	assert_int_equal(admin_log_name(l->t->a, &after, &l->t->why), RC_OK);
	assert_string_not_equal(before.origin, after.origin);
	assert_memory_not_equal(before.key.public, after.key.public, ED25519_PUBLIC_SIZE);
	assert_int_equal(verify_with(l, &o).verdict, VERDICT_VERIFIED);
	sign(l, NULL);
	v = verify(l);
	assert_int_equal(v.verdict, VERDICT_VERIFIED);
	assert_int_equal(v.checkpoints, 3);          /* two say the same of the same records */
	line_make(l->line[450], 450, "lies");
	log_put(l);
	assert_tampered_between(l, 300, 700);
	buf_done(&note);
}

static void what_a_restored_log_lost_is_said(void **st)
{
	struct log *l = *st;
	struct buf note = BUF_INIT;
	struct span given;
	struct verify_options o = { .notes = &given, .note_count = 1 };
	struct verification v;

	log_grow(l, 300);
	sign(l, &note);
	given = buf_span(&note);
	forget_checkpoints(l);
	l->count = 200;                                /* the backup was older */
	log_put(l);
	begin_anew(l);
	log_grow(l, 400);
	sign(l, NULL);
	assert_int_equal(verify(l).verdict, VERDICT_VERIFIED);
	v = verify_with(l, &o);
	assert_int_equal(v.verdict, VERDICT_TRUNCATED);
	assert_int_equal(v.have, 200);
	assert_int_equal(v.want, 300);
	buf_done(&note);
}

static void prune(struct log *l, uint64_t to)
{
	struct txn *vault = txn_write(admin_store(l->t->a), ENV_VAULT), *ledger;
	uint64_t next = 0;

	log_first_set(vault, to);
	assert_int_equal(txn_end(vault), RC_OK);
	ledger = ledger_write(l);
	while (next < to)
		assert_int_equal(audit_prune(ledger, next, to, SIZE_MAX, &next), RC_OK);
	assert_int_equal(txn_end(ledger), RC_OK);
}

static void a_pruned_log_is_verified_from_its_first_record_on(void **st)
{
	struct log *l = *st;
	struct verification v;
	char line[LINE_ROOM];

	log_usual(l);
	prune(l, 512);
	v = verify(l);
	assert_int_equal(v.verdict, VERDICT_VERIFIED);
	assert_int_equal(v.first, 512);
	assert_int_equal(v.checkpoint_size, 700);
	line_make(line, 600, "lies");
	put_line(l, 600, line);
	assert_tampered(l, 600);
	put_line(l, 600, l->line[600]);
	drop_lines(l, 512, 513);
	assert_tampered(l, 512);
}

static void a_pruned_log_without_the_hashes_of_what_was_pruned_cannot_be_verified(void **st)
{
	struct log *l = *st;

	log_usual(l);
	prune(l, 512);
	drop_tile(l, 1, 0);
	assert_int_equal(verify(l).verdict, VERDICT_UNVERIFIABLE);
}

static bool no_more(uint64_t done, uint64_t of, void *arg)
{
	assert_true(done <= of);
	++*(int *)arg;
	return false;
}

static void who_waits_can_stop_it(void **st)
{
	struct log *l = *st;
	struct verification v;
	int calls = 0;
	struct verify_options o = { .progress = no_more, .arg = &calls };

	log_usual(l);
	assert_int_equal(admin_verify(l->t->a, &o, &v, &l->t->why), RC_STOPPING);
	assert_int_equal(calls, 1);
}

/* The number a line states, whatever its texts and inner objects say: -1 for none. */
static void the_number_of_a_line_is_its_own_member(void **st)
{
	static const struct { const char *line; long long seq; } rows[] = {
		{ "{\"seq\":17,\"v\":1}", 17 }, { "{\"a\":\"\",\"seq\":0}", 0 },
		{ "{\"a\":\"\\\",\\\"seq\\\":5\",\"seq\":6}", 6 }, { "{\"a\":\"\\\\\",\"seq\":7}", 7 },
		{ "{\"a\":\"\\\\\\\"\",\"seq\":8}", 8 }, { "{\"a\":{\"seq\":1},\"b\":[{\"seq\":2}],\"seq\":3}", 3 },
		{ "{\"a\":\"\\\\\\\\\",\"b\":\"}\",\"seq\":9}", 9 }, { "{\"a\":\"seq\",\"b\":2}", -1 },
		{ "{\"a\":{\"seq\":1}}", -1 }, { "{\"a\":\"\\\"seq\\\":4\"}", -1 }, { "{\"seq\":01}", -1 },
		{ "{\"a\":\"\\", -1 }, { "{\"a\":\"", -1 }, { "{\"", -1 }, { "\"", -1 }, { "", -1 },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t seq = 0;
		bool found = line_seq(span_str(rows[i].line), &seq);

		if (found != (rows[i].seq >= 0) || (found && seq != (uint64_t)rows[i].seq))
			fail_msg("%s", rows[i].line);
	}
}

#define WITH_LOG(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOG(a_log_that_was_never_signed_cannot_be_verified),
		WITH_LOG(a_log_as_its_checkpoints_know_it_is_verified),
		WITH_LOG(an_empty_log_can_be_signed_and_verified),
		WITH_LOG(what_was_altered_with_its_tree_after_the_last_checkpoint_is_not_seen),
		WITH_LOG(an_altered_line_is_named),
		WITH_LOG(a_missing_line_is_named),
		WITH_LOG(lines_that_changed_places_are_named_though_their_hashes_went_along),
		WITH_LOG(a_line_twice_is_named),
		WITH_LOG(a_line_altered_with_its_leaf_is_found_by_the_tile_above),
		WITH_LOG(a_missing_tile_is_found),
		WITH_LOG(rows_that_are_no_records_are_found),
		WITH_LOG(a_line_without_its_number_is_named),
		WITH_LOG(a_line_altered_with_the_whole_tree_lies_between_two_checkpoints),
		WITH_LOG(a_record_taken_out_with_the_whole_tree_lies_between_two_checkpoints),
		WITH_LOG(a_log_cut_off_is_truncated),
		WITH_LOG(a_log_cut_off_that_grew_again_is_tampered),
		WITH_LOG(rows_cut_off_leave_their_leaves_behind),
		WITH_LOG(a_checkpoint_kept_elsewhere_tells_what_the_vault_forgot),
		WITH_LOG(a_given_checkpoint_that_cannot_be_used_leaves_the_log_unverified),
		WITH_LOG(a_named_key_counts_instead_of_the_vaults),
		WITH_LOG(a_checkpoint_altered_in_the_vault_is_no_evidence),
		WITH_LOG(checkpoints_of_former_origins_still_count),
		WITH_LOG(what_a_restored_log_lost_is_said),
		WITH_LOG(a_pruned_log_is_verified_from_its_first_record_on),
		WITH_LOG(a_pruned_log_without_the_hashes_of_what_was_pruned_cannot_be_verified),
		WITH_LOG(who_waits_can_stop_it),
		cmocka_unit_test(the_number_of_a_line_is_its_own_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
