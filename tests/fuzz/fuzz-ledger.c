/* fuzz-ledger.c -- rows of the ledger as a worker that was taken over may leave them, read by the admin programs.
 *
 * Up to eight changes of five or more bytes: which database, which of its rows, what (a byte set, cut, lengthened, replaced
 * by the input's next bytes, deleted, moved to another key), where, and a value. Every reader ends with an answer or an error;
 * and the log does not verify once a record under a checkpoint is not what it was. */
#include "tests/fuzz/vault.h"

#include <stdlib.h>

static const enum db tables[] = {
	DB_RECORDS, DB_TREE, DB_DOCUMENTS, DB_IDENTITIES, DB_PINS, DB_PIN_ORDER, DB_PIN_EXPIRY, DB_KEY_USE, DB_WORKERS,
	DB_LEDGER_META, DB_INDEX, DB_IDEMPOTENCY, DB_IDEMPOTENCY_EXPIRY, DB_CALLS,
};

#define CHANGES_MAX 8
#define SMALL_MAX 40

struct row { enum db db; struct buf key, value; bool there; };
/* What was there before, to be put back in the opposite order. */
struct change { struct span input; struct row before[2 * CHANGES_MAX]; size_t count; bool record; };

static struct admin *admin;
static struct writer *writer;

/* ---- changing ---- */

static void remember(struct change *c, struct txn *t, enum db db, struct span key)
{
	struct row *r = &c->before[c->count++];
	struct span value;

	*r = (struct row){ .db = db, .there = txn_get(t, db, key, &value) };
	buf_add_span(&r->key, key);
	if (r->there)
		buf_add_span(&r->value, value);
	buf_add(&r->value, "", 0);
	/* A record, or one that comes from nowhere: both change what is there. */
	c->record |= db == DB_RECORDS;
}

static bool find_row(struct txn *t, enum db db, size_t n, struct buf *key, struct buf *value)
{
	struct span k, v;
	struct walk w;
	uint64_t rows = txn_count(t, db);
	bool there = false;

	if (rows == 0)
		return false;
	walk_begin(&w, t, db);
	for (n %= rows; walk_next(&w, &k, &v); n--)
		if (n == 0) {
			buf_add_span(key, k);
			buf_add_span(value, v);
			there = true;
			break;
		}
	walk_end(&w);
	return there;
}

static struct span some(struct span *rest, size_t size)
{
	struct span s = span_of(rest->data, rest->size < size ? rest->size : size);

	*rest = span_of((const char *)rest->data + s.size, rest->size - s.size);
	return s;
}

static void change_row(struct change *c, struct txn *t)
{
	enum db db = tables[fuzz_byte(&c->input) % ARRAY_LEN(tables)];
	size_t n = (size_t)fuzz_byte(&c->input) << 8 | fuzz_byte(&c->input);
	unsigned what = fuzz_byte(&c->input) % 6;
	size_t at = (size_t)fuzz_byte(&c->input) << 8 | fuzz_byte(&c->input);
	uint8_t value = fuzz_byte(&c->input);
	struct buf key = BUF_INIT, row = BUF_INIT;

	if (!find_row(t, db, n, &key, &row)) {
		/* An empty table gets a row of the input's. */
		buf_add_span(&key, some(&c->input, 1 + value % SMALL_MAX));
		what = 3;
	}
	if (key.size == 0)
		goto out;
	remember(c, t, db, buf_span(&key));
	if (what == 0 && row.size)
		row.data[at % row.size] = (char)value;
	if (what == 1)
		row.size = row.size ? at % row.size : 0;
	if (what == 2)
		for (size_t i = 0; i < at % SMALL_MAX; i++)
			buf_add_char(&row, (char)value);
	if (what == 3) {
		buf_clear(&row);
		buf_add_span(&row, some(&c->input, at % SMALL_MAX));
	}
	if (what >= 4)
		txn_del(t, db, buf_span(&key));
	if (what == 5) {
		key.data[at % key.size] = (char)value;
		remember(c, t, db, buf_span(&key));
	}
	if (what != 4)
		txn_put(t, db, buf_span(&key), buf_span(&row));
out:
	buf_done(&key);
	buf_done(&row);
}

static enum rc make_changes(struct txn *t, void *arg)
{
	struct change *c = arg;

	for (int i = 0; i < CHANGES_MAX && c->input.size > 0; i++)
		change_row(c, t);
	return txn_rc(t);
}

static enum rc take_back(struct txn *t, void *arg)
{
	struct change *c = arg;

	for (size_t i = c->count; i-- > 0;) {
		struct row *r = &c->before[i];

		if (r->there)
			txn_put(t, r->db, buf_span(&r->key), buf_span(&r->value));
		else
			txn_del(t, r->db, buf_span(&r->key));
	}
	return txn_rc(t);
}

/* Is a record of the log another now than it was at first? */
static bool differs(const struct change *c)
{
	struct txn *t = txn_read(admin_store(admin), ENV_LEDGER);
	bool is = false;

	for (size_t i = c->count; i-- > 0;) {
		const struct row *r = &c->before[i];
		struct span now;
		bool first = true, there;

		for (size_t j = 0; j < i; j++)
			first &= c->before[j].db != r->db || !span_equal(buf_span(&c->before[j].key), buf_span(&r->key));
		if (r->db != DB_RECORDS || !first || !r->there)
			continue;
		there = txn_get(t, DB_RECORDS, buf_span(&r->key), &now);
		is |= !there || !span_equal(now, buf_span(&r->value));
	}
	txn_abort(t);
	return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct change c = { .input = span_of(data, size) };
	struct verification found;

	if (!admin) {
		char *dir;

		REQUIRE(asprintf(&dir, "%s/data", fuzz_dir()) > 0);
		admin = vault_make(dir);
		REQUIRE(admin_writer(admin, &writer) == RC_OK);
		vault_read_all(admin, &found);
		REQUIRE(found.verdict == VERDICT_VERIFIED);
		free(dir);
	}
	REQUIRE(writer_call(writer, make_changes, &c) == RC_OK);
	vault_read_all(admin, &found);
	REQUIRE(!differs(&c) || found.verdict != VERDICT_VERIFIED);
	REQUIRE(writer_call(writer, take_back, &c) == RC_OK);
	for (size_t i = 0; i < c.count; i++) {
		buf_done(&c.before[i].key);
		buf_done(&c.before[i].value);
	}
	return 0;
}
