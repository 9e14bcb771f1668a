/* workers.c -- the ledger's table of live workers: what an admin's screen shows of them. */
#include "path/path-private.h"

#include "base/file.h"

#include <unistd.h>

#define BEAT_LOST_S 60                 /* a row without a beat for this long is a dead worker's */
#define WORKER_KEY_SIZE (16 + 8)

/* The boot id keeps a pid of before a restart from passing for one of now. */
static void worker_key(uint8_t key[WORKER_KEY_SIZE])
{
	struct buf text = BUF_INIT;
	uint8_t hash[SHA256_SIZE] = { 0 };

	if (file_read("/proc/sys/kernel/random/boot_id", 64, &text) == RC_OK && crypto_sha256(buf_span(&text), hash) != RC_OK)
		memset(hash, 0, sizeof(hash));
	buf_done(&text);
	memcpy(key, hash, 16);
	be64_put(key + 16, (uint64_t)getpid());
}

/* At most one lost row a beat. */
static void forget_lost_worker(struct txn *ledger, uint64_t now_s)
{
	struct span key, row;
	struct walk w;

	walk_begin(&w, ledger, DB_WORKERS);
	while (walk_next(&w, &key, &row)) {
		struct dec d = dec_of(row);

		if (dec_u64(&d) + BEAT_LOST_S < now_s || d.bad) {
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
