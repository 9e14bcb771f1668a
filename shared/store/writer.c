/* writer.c -- the group-commit writer of the ledger: its queue, its clock, starting and stopping.
 *
 * One transaction and one fsync serve all that queued. Two threads: the writer's (writer-batch.c) waits for a job, then
 * for LMDB's write lock, and only then takes what has queued by then, so a job is either untaken, and can still be
 * withdrawn, or taken under the lock, and ends soon. The timer's thread withdraws. */
#include "store/writer-private.h"

#include "base/clock.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

/* ---- the queue; the lock is held ---- */

void writer_wake(struct writer *w)
{
	pthread_cond_signal(&w->work);
	if (w->timer_sleeps) {
		w->timer_sleeps = false;
		pthread_cond_signal(&w->timer);
	}
}

static void queue_append(struct writer *w, struct job *j)
{
	j->next = NULL;
	if (w->tail)
		w->tail->next = j;
	else
		w->head = j;
	w->tail = j;
	w->queued++;
}

void writer_prepend(struct writer *w, struct job *j)
{
	j->next = w->head;
	w->head = j;
	if (!w->tail)
		w->tail = j;
	w->queued++;
}

struct job *writer_pop(struct writer *w)
{
	struct job *j = w->head;

	w->head = j->next;
	if (!w->head)
		w->tail = NULL;
	w->queued--;
	return j;
}

/* ---- outcomes; the lock is not held ---- */

void writer_tell(struct job *j, enum rc outcome)
{
	if (j->done)
		j->done(j->arg, outcome);
}

void writer_tell_list(struct job *list, enum rc outcome)
{
	while (list) {
		struct job *next = list->next;      /* after done() the job is its caller's again */

		writer_tell(list, outcome);
		list = next;
	}
}

/* Unlinks those queued at or before `before`; they are the oldest, so they stand first. The lock is held. */
struct job *writer_unlink(struct writer *w, uint64_t before)
{
	struct job *list = NULL, **end = &list;

	while (w->head && w->head->queued_ms <= before) {
		struct job *j = writer_pop(w);

		j->next = NULL;
		*end = j;
		end = &j->next;
		w->stats.withdrawn++;
	}
	return list;
}

void writer_withdraw(struct writer *w, uint64_t now_mono_ms)
{
	struct job *list;

	if (now_mono_ms < w->withdraw_ms)
		return;
	pthread_mutex_lock(&w->lock);
	list = writer_unlink(w, now_mono_ms - w->withdraw_ms);
	pthread_mutex_unlock(&w->lock);
	writer_tell_list(list, RC_WITHDRAWN);
}

/* ---- the timer's thread ---- */

/* Of the monotonic clock, as the conditions are. */
static struct timespec at_ms(uint64_t ms)
{
	return (struct timespec){ .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L };
}

static void *timer_main(void *arg)
{
	struct writer *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		uint64_t now = clock_mono_ms(), due;
		struct timespec t;

		if (!w->head) {
			w->timer_sleeps = true;
			pthread_cond_wait(&w->timer, &w->lock);
			continue;
		}
		due = w->head->queued_ms + w->withdraw_ms;
		t = at_ms(due);
		if (now < due) {
			pthread_cond_timedwait(&w->timer, &w->lock, &t);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		writer_withdraw(w, now);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- starting and stopping ---- */

static void init_cond(pthread_cond_t *c)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(c, &a);
	pthread_condattr_destroy(&a);
}

static struct writer *writer_new(struct store *st)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->st = st;
	w->limit = WRITER_BATCH_MAX;
	w->withdraw_ms = WRITER_WITHDRAW_MS;
	pthread_mutex_init(&w->lock, NULL);
	init_cond(&w->work);
	init_cond(&w->timer);
	init_cond(&w->end);
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	pthread_cond_destroy(&w->end);
	pthread_cond_destroy(&w->timer);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void ask_to_stop(struct writer *w)
{
	struct job *list;

	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	list = writer_unlink(w, UINT64_MAX);
	pthread_cond_broadcast(&w->work);
	pthread_cond_broadcast(&w->timer);
	pthread_mutex_unlock(&w->lock);
	writer_tell_list(list, RC_STOPPING);
}

/* The threads take no signal: it would interrupt them instead of the program that waits for it. */
static enum rc start_threads(struct writer *w)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);       /* not an interruption: a page that is gone */
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return RC_IO;
	e = pthread_create(&w->writer_thread, NULL, writer_main, w);
	if (e == 0 && (e = pthread_create(&w->timer_thread, NULL, timer_main, w)) != 0) {
		ask_to_stop(w);
		pthread_join(w->writer_thread, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e == 0 ? RC_OK : RC_NOMEM;
}

enum rc writer_start(struct store *st, struct writer **ret)
{
	struct writer *w;
	enum rc rc;

	if (st->envs[ENV_LEDGER].read_only)
		return RC_READ_ONLY;
	w = writer_new(st);
	if (!w)
		return RC_NOMEM;
	rc = start_threads(w);
	if (rc == RC_OK)
		*ret = w;
	else
		writer_free(w);
	return rc;
}

/* Only a wait for LMDB's lock can last: a job that is taken holds it, ends, and is waited for past any deadline. */
static bool wait_until_ended(struct writer *w, uint64_t deadline)
{
	struct timespec t = at_ms(deadline);
	bool ended;

	pthread_mutex_lock(&w->lock);
	while (!w->ended && (!w->locking || clock_mono_ms() < deadline)) {
		if (w->locking)
			pthread_cond_timedwait(&w->end, &w->lock, &t);
		else
			pthread_cond_wait(&w->end, &w->lock);
	}
	ended = w->ended;
	pthread_mutex_unlock(&w->lock);
	return ended;
}

bool writer_halt(struct writer *w, unsigned deadline_ms)
{
	if (!w)
		return true;
	ask_to_stop(w);
	pthread_join(w->timer_thread, NULL);
	if (!wait_until_ended(w, clock_mono_ms() + deadline_ms)) {
		pthread_detach(w->writer_thread);      /* it still looks at w: that memory is left behind with it */
		return false;
	}
	pthread_join(w->writer_thread, NULL);
	return true;
}

bool writer_stop(struct writer *w, unsigned deadline_ms)
{
	bool halted = writer_halt(w, deadline_ms);

	if (halted)
		writer_free(w);
	return halted;
}

/* ---- callers ---- */

void writer_submit(struct writer *w, struct job *j)
{
	bool stopping;

	j->outcome = RC_OK;
	pthread_mutex_lock(&w->lock);
	stopping = w->stopping;
	j->queued_ms = clock_mono_ms();
	if (!stopping) {
		queue_append(w, j);
		writer_wake(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (stopping)
		writer_tell(j, RC_STOPPING);
}

struct call {
	job_run run;
	void *arg;
	enum rc outcome;
	sem_t done;
};

static enum rc call_run(struct txn *ledger, void *arg)
{
	const struct call *c = arg;

	return c->run(ledger, c->arg);
}

static void call_done(void *arg, enum rc outcome)
{
	struct call *c = arg;

	c->outcome = outcome;
	sem_post(&c->done);
}

enum rc writer_call(struct writer *w, job_run run, void *arg)
{
	struct call c = { .run = run, .arg = arg };
	struct job j = { .run = call_run, .done = call_done, .arg = &c };

	if (sem_init(&c.done, 0, 0) != 0)
		return RC_NOMEM;
	writer_submit(w, &j);
	while (sem_wait(&c.done) != 0)
		;      /* a signal */
	sem_destroy(&c.done);
	return c.outcome;
}

void writer_stats(struct writer *w, struct writer_stats *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->stats;
	ret->queued = w->queued;
	ret->failing |= w->locking && clock_mono_ms() - w->locking_ms > 1000;
	pthread_mutex_unlock(&w->lock);
}

void writer_set_withdraw_ms(struct writer *w, unsigned ms)
{
	pthread_mutex_lock(&w->lock);
	w->withdraw_ms = ms;
	pthread_cond_signal(&w->timer);
	pthread_mutex_unlock(&w->lock);
}
