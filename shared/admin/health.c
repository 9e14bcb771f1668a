/* health.c -- what there is to know of a running installation, cheap enough to be asked every second: nothing here
 * reads all records or all sites. What the ledger says is hostile input. */
#include "admin/log-private.h"
#include "base/clock.h"
#include "base/version.h"

#define LINE_DEPTH_MAX 32
#define HOUR 3600
#define DAY 86400
#define FULL_PERCENT 97                /* what verified visitors may fill (design 9) */
#define ROWS_TRIED 8                   /* for one that has a time */

/* ---- the vault ---- */

static uint32_t schema_of(struct txn *t, enum db meta)
{
	struct span row;

	return txn_get(t, meta, span_str("schema"), &row) && row.size == 8 ? (uint32_t)be64_get(row.data) : 0;
}

static bool last_checkpoint(struct txn *vault, struct health *h)
{
	struct span key, row;
	struct kept kept;
	struct walk w;
	bool found;

	walk_begin(&w, vault, DB_CHECKPOINTS);
	found = walk_prev(&w, &key, &row) && kept_decode(key, row, &kept);
	if (found) {
		h->checkpoint_size = kept.size;
		h->checkpoint_at_s = kept.at_s;
	}
	walk_end(&w);
	return found;
}

/* Those past their time come first: they verify nothing any more. */
static void keys_ending(struct txn *vault, struct health_facts *f, uint64_t now_s)
{
	struct key_name name[ENDING_MAX];
	size_t past = keyring_due(vault, now_s, name, ENDING_MAX);
	size_t count = keyring_due(vault, now_s + DAY, name, ENDING_MAX);

	for (size_t i = past; i < count; i++)
		f->ending[f->ending_count++].key = name[i];
}

static enum rc read_vault(struct admin *a, struct health *h, struct health_facts *f)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);

	h->vault_schema = schema_of(vault, DB_VAULT_META);
	h->has_checkpoint = last_checkpoint(vault, h);
	keys_ending(vault, f, h->now_s);
	return txn_end(vault);
}

/* ---- the ledger ---- */

/* false: the row is no record with a time. */
static bool line_time(struct span line, uint64_t *ret_us)
{
	json_t *record = NULL;
	json_int_t us = 0;

	if (line.size <= AUDIT_LINE_MAX && json_strict(line, LINE_DEPTH_MAX, &record, NULL) == RC_OK)
		us = json_integer_value(json_object_get(record, "time"));
	json_decref(record);
	*ret_us = us > 0 ? (uint64_t)us : 0;
	return us > 0;
}

/* Of the record at seq, or of one soon after it; 0: there is none. */
static uint64_t time_near(struct walk *w, uint64_t seq)
{
	struct span key, line;
	uint64_t us = 0;
	uint8_t at[8];
	bool found;

	be64_put(at, seq);
	found = walk_seek(w, span_of(at, sizeof(at)), &key, &line);
	for (size_t i = 0; found && i < ROWS_TRIED && !line_time(line, &us); i++)
		found = walk_next(w, &key, &line);
	return us;
}

/* Times rise with seq, near enough: halving finds where they pass since_us, or with false records some place near. */
static uint64_t records_since(struct walk *w, uint64_t first, uint64_t end, uint64_t since_us)
{
	uint64_t low = first, high = end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (time_near(w, middle) >= since_us)
			high = middle;
		else
			low = middle + 1;
	}
	return end - low;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The first or the last record's seq; UINT64_MAX: the row there is no record. */
static uint64_t seq_at_edge(struct txn *ledger, bool (*step)(struct walk *w, struct span *key, struct span *row))
{
	struct span key, row;
	struct walk w;
	uint64_t seq = 0;

	walk_begin(&w, ledger, DB_RECORDS);
	if (step(&w, &key, &row))
		seq = key.size == 8 ? be64_get(key.data) : UINT64_MAX;
	walk_end(&w);
	return seq;
}

static void count_records(struct txn *ledger, struct health *h, struct health_facts *f)
{
	uint64_t first = seq_at_edge(ledger, walk_next), last = seq_at_edge(ledger, walk_prev);
	struct walk w;

	h->records = txn_count(ledger, DB_RECORDS);
	f->log_ends = last != UINT64_MAX;
	if (h->records == 0 || !f->log_ends)
		return;
	if (first > last)
		first = 0;
	h->pruned = first;
	walk_begin(&w, ledger, DB_RECORDS);
	h->records_1h = least(records_since(&w, first, last + 1, (h->now_s - HOUR) * 1000000), h->records);
	h->records_24h = least(records_since(&w, first, last + 1, (h->now_s - DAY) * 1000000), h->records);
	walk_end(&w);
}

static void keep_used(struct txn *ledger, struct health_facts *f, uint64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->ending_count; i++) {
		struct key_name key = f->ending[i].key;
		struct key_use use;

		key_use_get(ledger, key.site, key.kid, now_s, &use);
		if (use.uses_1h > 0)
			f->ending[kept++] = (struct ending_key){ key, use.uses_1h };
	}
	f->ending_count = kept;
}

static enum rc read_ledger(struct admin *a, struct health *h, struct health_facts *f)
{
	struct txn *ledger = txn_read(a->store, ENV_LEDGER);

	h->ledger_schema = schema_of(ledger, DB_LEDGER_META);
	h->workers = worker_rows(ledger, h->worker, HEALTH_WORKERS_MAX);
	count_records(ledger, h, f);
	keep_used(ledger, f, h->now_s);
	return txn_end(ledger);
}

/* ---- both files ---- */

/* At what the records of the last 24 h cost on the average of all: advisory. */
static uint64_t time_left(const struct health *h)
{
	double room = (double)h->space.limit / 100 * FULL_PERCENT - (double)h->space.used, a_second;

	if (room <= 0)
		return 0;
	if (h->records_24h == 0)
		return UINT64_MAX;
	a_second = (double)h->space.used / (double)h->records * (double)h->records_24h / DAY;
	return room / a_second < (double)INT64_MAX ? (uint64_t)(room / a_second) : UINT64_MAX;
}

/* After the transactions: this program's own snapshots are no news. */
static enum rc measure(struct admin *a, struct health *h)
{
	enum rc rc;

	if ((rc = store_space(a->store, &h->space)) != RC_OK ||
	    (rc = store_used(a->store, ENV_VAULT, &h->vault_bytes)) != RC_OK ||
	    (rc = store_readers(a->store, ENV_VAULT, &h->vault_readers)) != RC_OK ||
	    (rc = store_readers(a->store, ENV_LEDGER, &h->ledger_readers)) != RC_OK)
		return rc;
	h->seconds_left = time_left(h);
	return RC_OK;
}

enum rc admin_health(struct admin *a, struct health *ret, struct why *why)
{
	struct health h = { .now_s = clock_s(), .version = POSTERN_VERSION };
	struct health_facts f = { .health = &h };
	const char *what = "vault";
	enum rc rc;

	if ((rc = read_vault(a, &h, &f)) == RC_OK) {
		what = "ledger";
		rc = read_ledger(a, &h, &f);
	}
	if (rc == RC_OK) {
		what = "space in use";
		rc = measure(a, &h);
	}
	if (rc != RC_OK) {
		why_set(why, "the %s cannot be read: %s", what, rc_text(rc));
		return rc;
	}
	connections_look(a, h.now_s);
	f.connections = a->connections;
	rc = health_warnings(&f, &h);
	if (rc == RC_OK)
		*ret = h;
	return rc;
}

void health_done(struct health *h)
{
	json_decref(h->warnings);
	json_decref(h->findings);
	*h = (struct health){ 0 };
}
