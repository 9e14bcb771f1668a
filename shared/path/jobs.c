/* jobs.c -- writer jobs that are nobody's request: in the background, or waited for with a bound. */
#include "path/path-private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct background { struct job job; job_run run; job_done done; void *arg; };

static enum rc background_run(struct txn *ledger, void *arg)
{
	struct background *b = arg;

	return b->run(ledger, b->arg);
}

static void background_done(void *arg, enum rc outcome)
{
	struct background *b = arg;

	if (b->done)
		b->done(b->arg, outcome);
	free(b);
}

void job_background(struct writer *w, job_run run, job_done done, void *arg)
{
	struct background *b = calloc(1, sizeof(*b));

	if (!b) {
		if (done)
			done(arg, RC_NOMEM);
		return;
	}
	*b = (struct background){ .run = run, .done = done, .arg = arg };
	b->job = (struct job){ .run = background_run, .done = background_done, .arg = b };
	writer_submit(w, &b->job);
}

/* ---- the index behind the log ---- */

/* A bundle takes the lock for some milliseconds: between two of them others have their turn. */
#define INDEX_JOBS_PER_TICK 16

static enum rc index_run(struct txn *ledger, void *arg)
{
	struct path *p = arg;

	return audit_index(ledger, INDEX_BUNDLE, &p->index_more);
}

static void index_done(void *arg, enum rc outcome)
{
	struct path *p = arg;
	unsigned left = outcome == RC_OK && p->index_more ? atomic_load(&p->indexing) - 1 : 0;

	atomic_store(&p->indexing, left);
	if (left > 0)
		job_background(p->o.writer, index_run, index_done, p);
}

static bool index_behind(struct path *p)
{
	struct txn *ledger = txn_read(p->o.store, ENV_LEDGER);
	bool behind = audit_index_behind(ledger) && txn_rc(ledger) == RC_OK;

	txn_abort(ledger);
	return behind;
}

void job_index(struct path *p)
{
	if (atomic_load(&p->indexing) > 0 || !path_space_left(p, AUDIT_VISITOR) || !index_behind(p))
		return;
	atomic_store(&p->indexing, INDEX_JOBS_PER_TICK);
	job_background(p->o.writer, index_run, index_done, p);
}

/* ---- waited for with a bound ---- */

/* Shared by the waiter and the writer; whoever lets go last frees it. */
struct bounded_call {
	struct job job;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	job_run run;
	void *arg;
	bool over, abandoned;
};

static enum rc bounded_run(struct txn *ledger, void *arg)
{
	struct bounded_call *c = arg;

	return c->run(ledger, c->arg);
}

static void bounded_free(struct bounded_call *c)
{
	pthread_cond_destroy(&c->ended);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void bounded_done(void *arg, enum rc outcome)
{
	struct bounded_call *c = arg;
	bool last;

	(void)outcome;
	pthread_mutex_lock(&c->lock);
	c->over = true;
	last = c->abandoned;
	pthread_cond_signal(&c->ended);
	pthread_mutex_unlock(&c->lock);
	if (last)
		bounded_free(c);
}

static struct bounded_call *bounded_new(job_run run, void *arg)
{
	struct bounded_call *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (!c)
		return NULL;
	c->run = run;
	c->arg = arg;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->ended, &attr);
	pthread_condattr_destroy(&attr);
	c->job = (struct job){ .run = bounded_run, .done = bounded_done, .arg = c };
	return c;
}

bool job_bounded(struct writer *w, job_run run, void *arg, unsigned ms)
{
	struct bounded_call *c = bounded_new(run, arg);
	struct timespec until;
	bool over;

	if (!c)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	writer_submit(w, &c->job);
	pthread_mutex_lock(&c->lock);
	while (!c->over && pthread_cond_timedwait(&c->ended, &c->lock, &until) != ETIMEDOUT)
		;
	over = c->over;
	c->abandoned = !over;
	pthread_mutex_unlock(&c->lock);
	if (over)
		bounded_free(c);
	return over;
}
