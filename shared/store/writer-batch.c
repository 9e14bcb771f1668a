/* writer-batch.c -- the writer's thread: one transaction after the other, each over the jobs it took.
 *
 * A job that fails after it wrote spoils the transaction: it is aborted, and its jobs go back to the head of the queue.
 * The next transaction takes just those before the failed one, which so comes first in the one after it, where its
 * failure costs nobody else anything. A job is run at most three times, and the order of the queue is kept. */
#include "store/writer-private.h"

#include "base/clock.h"

static void take(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	for (w->count = 0; w->head && w->count < w->limit; w->count++)
		w->batch[w->count] = writer_pop(w);
	w->locking = false;
	pthread_mutex_unlock(&w->lock);
	w->limit = WRITER_BATCH_MAX;
}

/* Jobs of the batch from `from` on go back, in their order; a writer that stops has no next transaction for them. */
static void put_back(struct writer *w, size_t from)
{
	struct job *list = NULL;

	pthread_mutex_lock(&w->lock);
	for (size_t i = w->count; i > from; i--)
		writer_prepend(w, w->batch[i - 1]);
	if (w->stopping)
		list = writer_unlink(w, UINT64_MAX);
	else if (w->head)
		writer_wake(w);
	w->count = from;
	pthread_mutex_unlock(&w->lock);
	writer_tell_list(list, RC_STOPPING);
}

/* The outcomes of the batch are final. */
static void settle(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stats.jobs += w->count;
	for (size_t i = 0; i < w->count; i++)
		w->stats.failed += w->batch[i]->outcome != RC_OK;
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < w->count; i++)
		writer_tell(w->batch[i], w->batch[i]->outcome);
	if (w->count)
		w->retried = false;
}

/* How the last transaction went, for those who ask whether the ledger can be written. */
static void note_health(struct writer *w, enum rc rc, int mdb_rc)
{
	pthread_mutex_lock(&w->lock);
	w->stats.failing = rc != RC_OK;
	w->stats.broken |= mdb_rc == MDB_PANIC;
	pthread_mutex_unlock(&w->lock);
}

static void settle_all(struct writer *w, enum rc rc)
{
	for (size_t i = 0; i < w->count; i++)
		w->batch[i]->outcome = rc;
	settle(w);
}

static enum rc run_job(struct txn *t, const struct job *j)
{
	enum rc rc = j->run(t, j->arg);

	return rc != RC_OK ? rc : t->rc;
}

/* Runs the batch; returns the place of the first job whose failure spoiled the transaction, or count. A failure before
 * anything was written, and without an error of LMDB's, spoils nothing. */
static size_t run_batch(struct writer *w, struct txn *t)
{
	bool dirty = false;
	size_t i;

	for (i = 0; i < w->count; i++) {
		t->dirty = false;
		w->batch[i]->outcome = run_job(t, w->batch[i]);
		if (w->batch[i]->outcome != RC_OK && (t->dirty || t->mdb_rc))
			break;
		t->rc = RC_OK;
		dirty |= t->dirty;
	}
	t->dirty = dirty;
	return i;
}

/* Readers that died may hold the pages that are missing: worth one more try. */
static bool try_again(struct writer *w, int mdb_rc)
{
	if (mdb_rc != MDB_MAP_FULL || w->retried)
		return false;
	store_reader_check(w->st);
	w->retried = true;
	return true;
}

/* Job i spoiled the transaction, which is gone. */
static void isolate(struct writer *w, size_t i, int mdb_rc)
{
	if (i > 0) {
		put_back(w, 0);
		w->limit = i;
	} else if (try_again(w, mdb_rc)) {
		put_back(w, 0);
		w->limit = 1;
	} else {
		put_back(w, 1);
	}
	settle(w);
}

static void commit(struct writer *w, struct txn *t)
{
	uint64_t started = clock_us();
	size_t limit = w->count;
	enum rc rc;

	if (w->st->mode == STORE_WORKER)       /* an admin's program makes a commit or two */
		env_write_ahead(&w->st->envs[ENV_LEDGER]);
	rc = txn_commit(t);
	if (rc != RC_OK && try_again(w, t->mdb_rc)) {
		put_back(w, 0);
		w->limit = limit;
		settle(w);
		return;
	}
	note_health(w, rc, t->mdb_rc);
	pthread_mutex_lock(&w->lock);
	w->stats.commits += rc == RC_OK;
	w->stats.last_commit_us = clock_us() - started;
	pthread_mutex_unlock(&w->lock);
	/* Also the verdicts of jobs that failed cleanly: they saw what those before them wrote, and that is not kept. */
	if (rc != RC_OK)
		settle_all(w, rc);
	else
		settle(w);
}

static void one_transaction(struct writer *w)
{
	struct txn *t = txn_write(w->st, ENV_LEDGER);      /* may wait for another process, and no job waits inside it */
	int mdb_rc;
	size_t i;

	take(w);
	if (txn_rc(t) != RC_OK) {
		note_health(w, txn_rc(t), t ? t->mdb_rc : 0);
		settle_all(w, txn_rc(t));
	} else if (w->count && (i = run_batch(w, t)) < w->count) {
		mdb_rc = t->mdb_rc;
		txn_abort(t);
		isolate(w, i, mdb_rc);
		return;
	} else if (w->count) {
		commit(w, t);
	}
	txn_abort(t);
}

static bool wait_for_work(struct writer *w)
{
	bool go;

	pthread_mutex_lock(&w->lock);
	while (!w->head && !w->stopping)
		pthread_cond_wait(&w->work, &w->lock);
	go = !w->stopping;
	w->locking = go;
	w->locking_ms = clock_mono_ms();
	pthread_mutex_unlock(&w->lock);
	return go;
}

void *writer_main(void *arg)
{
	struct writer *w = arg;

	while (wait_for_work(w))
		one_transaction(w);
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_broadcast(&w->end);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}
