/* workers.c -- the ledger's table of live workers: what an admin's screen shows of them. */
#include "path/path-private.h"

#include "base/file.h"

#include <unistd.h>

#define BEAT_LOST_S 60                 /* a row without a beat for this long is a dead worker's */
#define BOOT_SIZE 16
#define WORKER_KEY_SIZE (BOOT_SIZE + 8)
#define ROWS_LOOKED_AT 4096            /* a worker that was taken over may write any number */
#define TIME_MAX_S ((uint64_t)INT64_MAX / 1000000)

static void boot_hash(uint8_t out[BOOT_SIZE])
{
	struct buf text = BUF_INIT;
	uint8_t hash[SHA256_SIZE] = { 0 };

	if (file_read("/proc/sys/kernel/random/boot_id", 64, &text) == RC_OK &&
	    crypto_sha256(buf_span(&text), hash) != RC_OK)
		memset(hash, 0, sizeof(hash));
	buf_done(&text);
	memcpy(out, hash, BOOT_SIZE);
}

/* The boot id keeps a pid of before a restart from passing for one of now. */
static void worker_key(uint8_t key[WORKER_KEY_SIZE])
{
	boot_hash(key);
	be64_put(key + BOOT_SIZE, (uint64_t)getpid());
}

/* Nor does a beat ahead of the clock keep a row for ever. */
static bool is_lost(struct span row, uint64_t now_s)
{
	struct dec d = dec_of(row);
	uint64_t beat_s = dec_u64(&d);

	return d.bad || (beat_s < now_s ? now_s - beat_s : beat_s - now_s) > BEAT_LOST_S;
}

/* At most one lost row a beat. */
static void forget_lost_worker(struct txn *ledger, uint64_t now_s)
{
	struct span key, row;
	struct walk w;

	walk_begin(&w, ledger, DB_WORKERS);
	while (walk_next(&w, &key, &row)) {
		if (is_lost(row, now_s)) {
			walk_del(&w);
			break;
		}
	}
	walk_end(&w);
}

enum rc worker_beat(struct txn *ledger, void *arg)
{
	struct path *p = arg;
	uint8_t key[WORKER_KEY_SIZE];
	struct buf row = BUF_INIT;

	worker_key(key);
	forget_lost_worker(ledger, clock_s());
	buf_put_u64(&row, clock_s());
	buf_put_u64(&row, p->started_at);
	buf_put_u64(&row, (uint64_t)getpid());
	buf_put_u32(&row, p->o.threads);
	buf_put_bytes(&row, span_str(p->o.version));
	if (row.failed)
		txn_fail(ledger, RC_NOMEM);
	txn_put(ledger, DB_WORKERS, span_of(key, sizeof(key)), buf_span(&row));
	buf_done(&row);
	return txn_rc(ledger);
}

enum rc worker_leave(struct txn *ledger, void *arg)
{
	uint8_t key[WORKER_KEY_SIZE];

	(void)arg;
	worker_key(key);
	txn_del(ledger, DB_WORKERS, span_of(key, sizeof(key)));
	return txn_rc(ledger);
}

static bool row_plausible(const struct worker_row *r)
{
	return r->pid > 0 && r->pid <= INT32_MAX && r->beat_s <= TIME_MAX_S && r->started_at <= TIME_MAX_S;
}

/* The key names the pid too: a row that says another is no worker's. */
static bool row_decode(struct span key, struct span row, const uint8_t boot[BOOT_SIZE], struct worker_row *ret)
{
	struct dec d = dec_of(row);
	struct worker_row r = { 0 };

	r.beat_s = dec_u64(&d);
	r.started_at = dec_u64(&d);
	r.pid = dec_u64(&d);
	r.threads = dec_u32(&d);
	dec_text(&d, r.version, sizeof(r.version));
	if (!dec_end(&d) || !row_plausible(&r) || key.size != WORKER_KEY_SIZE ||
	    be64_get((const uint8_t *)key.data + BOOT_SIZE) != r.pid)
		return false;
	r.this_boot = memcmp(key.data, boot, BOOT_SIZE) == 0;
	*ret = r;
	return true;
}

size_t worker_rows(struct txn *ledger, struct worker_row *ret, size_t max)
{
	uint8_t boot[BOOT_SIZE];
	struct span key, row;
	struct walk w;
	size_t count = 0;

	boot_hash(boot);
	walk_begin(&w, ledger, DB_WORKERS);
	for (size_t i = 0; i < ROWS_LOOKED_AT && count < max && walk_next(&w, &key, &row); i++)
		count += row_decode(key, row, boot, &ret[count]);
	walk_end(&w);
	return count;
}
