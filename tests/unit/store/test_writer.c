/* The group-commit writer: many jobs share a commit, a failing one fails alone, none waits for a lock for ever. */
#include "store/store-private.h"

#include "base/clock.h"
#include "tests/lib/child.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
	*state = tmpstore_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

/* ---- jobs ---- */

/* Puts one row, if it has a key, and says how many rows it found. */
struct put {
	struct job job;
	char key[16];
	enum rc fails;             /* what it returns */
	bool fails_first;          /* before it puts anything */
	unsigned runs;
	uint64_t found;
	enum rc outcome;
	atomic_int told;
};

static enum rc run_put(struct txn *ledger, void *arg)
{
	struct put *p = arg;

	p->runs++;
	p->found = txn_count(ledger, DB_DOCUMENTS);
	if (p->fails != RC_OK && p->fails_first)
		return p->fails;
	txn_put(ledger, DB_DOCUMENTS, span_str(p->key), span_str("row"));
	return p->fails;
}

static void told(void *arg, enum rc outcome)
{
	struct put *p = arg;

	p->outcome = outcome;
	atomic_fetch_add(&p->told, 1);
}

static void submit(struct writer *w, struct put *p, const char *key, enum rc fails, bool fails_first)
{
	*p = (struct put){ .job = { .run = run_put, .done = told, .arg = p }, .fails = fails, .fails_first = fails_first };
	snprintf(p->key, sizeof(p->key), "%s", key);
	writer_submit(w, &p->job);
}

static void wait_told(struct put *p)
{
	uint64_t deadline = clock_mono_ms() + 30000;

	while (!atomic_load(&p->told) && clock_mono_ms() < deadline)
		sched_yield();
	assert_int_equal(atomic_load(&p->told), 1);
}

static struct writer *start(struct store *st)
{
	struct writer *w = NULL;

	assert_int_equal(writer_start(st, &w), RC_OK);
	return w;
}

static uint64_t rows(struct store *st)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	uint64_t n = txn_count(t, DB_DOCUMENTS);

	assert_int_equal(txn_end(t), RC_OK);
	return n;
}

static bool has_row(struct store *st, const char *key)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	struct span row;
	bool has = txn_get(t, DB_DOCUMENTS, span_str(key), &row);

	assert_int_equal(txn_end(t), RC_OK);
	return has;
}

/* ---- batches ---- */

static void a_job_is_on_disk_when_the_call_returns(void **state)
{
	struct writer *w = start(*state);
	struct put p = { .key = "a" };

	assert_int_equal(writer_call(w, run_put, &p), RC_OK);
	assert_true(has_row(*state, "a"));
	assert_true(writer_stop(w, 1000));
}

/* While this thread holds the lock the jobs queue up, and make one batch. */
static void what_queued_behind_the_lock_shares_one_commit(void **state)
{
	enum { JOBS = 100 };
	struct writer *w = start(*state);
	struct txn *lock = txn_write(*state, ENV_LEDGER);
	struct put *p = calloc(JOBS, sizeof(*p));
	struct writer_stats s;
	char key[16];

	for (unsigned i = 0; i < JOBS; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		submit(w, &p[i], key, RC_OK, false);
	}
	writer_stats(w, &s);
	assert_int_equal(s.queued, JOBS);
	txn_abort(lock);
	for (unsigned i = 0; i < JOBS; i++) {
		wait_told(&p[i]);
		assert_int_equal(p[i].outcome, RC_OK);
		assert_int_equal(p[i].found, i);
	}
	writer_stats(w, &s);
	assert_int_equal(s.commits, 1);
	assert_int_equal(s.jobs, JOBS);
	assert_int_equal(s.queued, 0);
	assert_true(writer_stop(w, 1000));
	assert_int_equal(rows(*state), JOBS);
	free(p);
}

static void a_failing_job_is_rolled_back_alone(void **state)
{
	static const struct { const char *key; enum rc fails; bool fails_first; } rows_[] = {
		{ "a", RC_OK, false }, { "b", RC_REFUSED, false }, { "c", RC_OK, false }, { "d", RC_EXISTS, true },
		{ "e", RC_OK, false }, { "f", RC_INVALID, false }, { "g", RC_NOT_FOUND, false }, { "h", RC_OK, false },
	};
	struct writer *w = start(*state);
	struct txn *lock = txn_write(*state, ENV_LEDGER);
	struct put p[ARRAY_LEN(rows_)];
	struct writer_stats s;
	uint64_t before = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows_); i++)
		submit(w, &p[i], rows_[i].key, rows_[i].fails, rows_[i].fails_first);
	txn_abort(lock);
	for (size_t i = 0; i < ARRAY_LEN(rows_); i++) {
		wait_told(&p[i]);
		assert_int_equal(p[i].outcome, rows_[i].fails);
		assert_int_equal(has_row(*state, rows_[i].key), rows_[i].fails == RC_OK);
		assert_int_equal(p[i].found, before);      /* each saw those before it, and nothing of the failed ones */
		assert_in_range(p[i].runs, 1, 3);
		before += rows_[i].fails == RC_OK;
	}
	writer_stats(w, &s);
	assert_int_equal(s.jobs, ARRAY_LEN(rows_));
	assert_int_equal(s.failed, 4);
	assert_true(writer_stop(w, 1000));
}

static void hundreds_of_failing_jobs_are_each_run_a_few_times(void **state)
{
	enum { JOBS = 300 };     /* each failure is a commit: more take longer than a job may wait where others use the disk */
	struct writer *w = start(*state);
	struct txn *lock = txn_write(*state, ENV_LEDGER);
	struct put *p = calloc(JOBS, sizeof(*p));

	for (unsigned i = 0; i < JOBS; i++)
		submit(w, &p[i], "same", i % 2 ? RC_REFUSED : RC_OK, false);
	txn_abort(lock);
	for (unsigned i = 0; i < JOBS; i++) {
		wait_told(&p[i]);
		assert_int_equal(p[i].outcome, i % 2 ? RC_REFUSED : RC_OK);
		assert_in_range(p[i].runs, 1, 3);
	}
	assert_true(writer_stop(w, 1000));
	free(p);
}

/* A job that ignores what a call told it: the transaction remembers. */
static enum rc run_careless(struct txn *ledger, void *arg)
{
	(void)arg;
	txn_put(ledger, DB_SITES, span_str("a"), span_str("not a table of the ledger"));
	return RC_OK;
}

static void a_job_that_hides_a_failure_fails(void **state)
{
	struct writer *w = start(*state);
	struct put p = { .key = "a" };

	assert_int_equal(writer_call(w, run_careless, NULL), RC_INVALID);
	assert_int_equal(writer_call(w, run_put, &p), RC_OK);
	assert_true(writer_stop(w, 1000));
}

enum { THREADS = 64, CALLS = 40 };

struct caller {
	struct writer *w;
	unsigned number, failed;
	pthread_t thread;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;

	for (unsigned i = 0; i < CALLS; i++) {
		struct put p = { .fails = RC_OK };

		snprintf(p.key, sizeof(p.key), "%u/%u", c->number, i);
		c->failed += writer_call(c->w, run_put, &p) != RC_OK;
	}
	return NULL;
}

static void many_callers_share_commits(void **state)
{
	struct writer *w = start(*state);
	struct caller callers[THREADS];
	struct writer_stats s;

	for (unsigned i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){ .w = w, .number = i };
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].failed, 0);
	}
	writer_stats(w, &s);
	assert_int_equal(s.jobs, THREADS * CALLS);
	assert_true(s.commits * 3 < s.jobs);
	assert_true(writer_stop(w, 1000));
	assert_int_equal(rows(*state), THREADS * CALLS);
}

static void the_writers_threads_take_no_signals(void **state)
{
	struct writer *w = start(*state);
	sigset_t mine, pending, before;
	struct put p = { .key = "a" };

	/* Blocked here too, a signal to the process has no thread to run in: it stays pending. */
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &mine, &before), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(writer_call(w, run_put, &p), RC_OK);
	assert_int_equal(sigpending(&pending), 0);
	assert_true(sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert_true(writer_stop(w, 1000));
}

/* ---- another process holds the lock ---- */

static int hold_lock(struct child *self, void *dir)
{
	struct store *st = tmpstore_open(dir, STORE_WORKER, NULL, NULL);
	struct txn *t = st ? txn_write(st, ENV_LEDGER) : NULL;

	child_say(self, txn_rc(t) == RC_OK ? 'l' : 'x');
	if (child_hear(self) == 's')
		raise(SIGSTOP);
	txn_abort(t);
	store_close(st);
	return 0;
}

struct held {
	struct store *st;
	struct writer *w;
	struct child holder;
};

/* The holder is forked before this process has threads. */
static void hold(struct held *h, struct store *st)
{
	h->st = st;
	assert_true(child_start(&h->holder, hold_lock, (void *)store_dir(st)));
	assert_int_equal(child_hear(&h->holder), 'l');
	child_say(&h->holder, 's');
	assert_true(child_stopped(&h->holder));
	h->w = start(st);
}

static void let_go(struct held *h)
{
	assert_int_equal(kill(h->holder.pid, SIGCONT), 0);
	assert_int_equal(child_wait(&h->holder), 0);
}

static void a_job_behind_a_stopped_process_is_withdrawn_after_2_s_and_never_runs(void **state)
{
	uint64_t began = clock_mono_ms();
	struct put p, later = { .key = "later" };
	struct writer_stats s;
	struct held h;

	hold(&h, *state);
	submit(h.w, &p, "a", RC_OK, false);
	wait_told(&p);
	assert_int_equal(p.outcome, RC_WITHDRAWN);
	assert_in_range(clock_mono_ms() - began, 2000, 4000);
	let_go(&h);
	assert_int_equal(writer_call(h.w, run_put, &later), RC_OK);
	assert_int_equal(p.runs, 0);
	assert_false(has_row(*state, "a"));
	writer_stats(h.w, &s);
	assert_int_equal(s.withdrawn, 1);
	assert_true(writer_stop(h.w, 1000));
}

static void each_job_is_withdrawn_in_its_own_time(void **state)
{
	struct put first, second;
	struct held h;

	hold(&h, *state);
	writer_set_withdraw_ms(h.w, 1000000);
	submit(h.w, &first, "a", RC_OK, false);
	while (clock_mono_ms() <= first.job.queued_ms)
		sched_yield();
	submit(h.w, &second, "b", RC_OK, false);
	writer_withdraw(h.w, first.job.queued_ms + 1000000 - 1);
	assert_int_equal(atomic_load(&first.told), 0);
	writer_withdraw(h.w, first.job.queued_ms + 1000000);
	assert_int_equal(atomic_load(&first.told), 1);
	assert_int_equal(atomic_load(&second.told), 0);
	let_go(&h);
	wait_told(&second);
	assert_int_equal(second.outcome, RC_OK);
	assert_true(writer_stop(h.w, 1000));
}

static void a_killed_lock_holder_stops_nobody(void **state)
{
	struct put p = { .key = "a" };
	struct held h;

	hold(&h, *state);
	assert_int_equal(child_kill(&h.holder), 1000 + SIGKILL);
	assert_int_equal(writer_call(h.w, run_put, &p), RC_OK);
	assert_true(writer_stop(h.w, 1000));
}

/* A job whose callback hands in the next one, as a program does that has not yet seen that it stops. */
struct again {
	struct writer *w;
	struct put first, next;
};

static void told_and_submits(void *arg, enum rc outcome)
{
	struct again *a = arg;

	told(&a->first, outcome);
	submit(a->w, &a->next, "b", RC_OK, false);
}

/* In a process of its own, for the thread that is left behind. */
static int stop_while_locked(struct child *self, void *dir)
{
	struct store *st = tmpstore_open(dir, STORE_WORKER, NULL, NULL);
	struct again a = { .first.job = { .run = run_put, .done = told_and_submits, .arg = &a } };
	uint64_t began;

	(void)self;
	if (!st || writer_start(st, &a.w) != RC_OK)
		return 1;
	writer_submit(a.w, &a.first.job);
	began = clock_mono_ms();
	writer_stop(a.w, 200);
	if (clock_mono_ms() - began > 1500)
		return 2;
	if (atomic_load(&a.first.told) != 1 || a.first.outcome != RC_STOPPING || a.first.runs)
		return 3;
	return atomic_load(&a.next.told) == 1 && a.next.outcome == RC_STOPPING && !a.next.runs ? 0 : 4;
}

static void a_stop_does_not_wait_for_the_lock(void **state)
{
	char *dir = strdup(store_dir(*state));
	struct child holder, stopper;

	assert_true(child_start(&holder, hold_lock, dir));
	assert_int_equal(child_hear(&holder), 'l');
	child_say(&holder, 's');
	assert_true(child_stopped(&holder));
	assert_true(child_start(&stopper, stop_while_locked, dir));
	assert_int_equal(child_wait(&stopper), 0);
	assert_int_equal(kill(holder.pid, SIGCONT), 0);
	assert_int_equal(child_wait(&holder), 0);
	assert_int_equal(rows(*state), 0);
	free(dir);
}

/* ---- stopping ---- */

struct gate {
	atomic_bool entered, open;
};

static enum rc run_gate(struct txn *ledger, void *arg)
{
	struct gate *g = arg;

	txn_put(ledger, DB_DOCUMENTS, span_str("gate"), span_str("row"));
	atomic_store(&g->entered, true);
	while (!atomic_load(&g->open))
		sched_yield();
	return RC_OK;
}

struct opener {
	struct put untaken;
	struct gate gate;
};

/* The job that was not taken is told of the stop while the taken one still runs. */
static void *open_gate_once_told(void *arg)
{
	struct opener *o = arg;
	uint64_t deadline = clock_mono_ms() + 30000;

	while (!atomic_load(&o->untaken.told) && clock_mono_ms() < deadline)
		sched_yield();
	atomic_store(&o->gate.open, true);
	return NULL;
}

static void a_stop_waits_for_what_was_taken_and_withdraws_the_rest(void **state)
{
	struct writer *w = start(*state);
	struct opener o = { .gate = { false, false } };
	struct job gate_job = { .run = run_gate, .arg = &o.gate };
	pthread_t thread;

	writer_submit(w, &gate_job);
	while (!atomic_load(&o.gate.entered))
		sched_yield();
	submit(w, &o.untaken, "a", RC_OK, false);
	assert_int_equal(pthread_create(&thread, NULL, open_gate_once_told, &o), 0);
	assert_true(writer_stop(w, 0));      /* past its deadline, since a job is taken */
	pthread_join(thread, NULL);
	assert_int_equal(gate_job.outcome, RC_OK);
	assert_int_equal(o.untaken.outcome, RC_STOPPING);
	assert_int_equal(o.untaken.runs, 0);
	assert_true(has_row(*state, "gate"));
	assert_false(has_row(*state, "a"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void note_outcome(void *arg, enum rc outcome)
{
	*(enum rc *)arg = outcome;
}

static enum rc do_nothing(struct txn *ledger, void *arg)
{
	(void)ledger;
	(void)arg;
	return RC_OK;
}

/* A thread that is still at work when the program stops may submit after the writer ended. */
static void a_job_submitted_after_the_halt_is_told_so(void **state)
{
	enum rc outcome = RC_OK;
	struct job late = { .run = do_nothing, .done = note_outcome, .arg = &outcome };
	struct store *st = tmpstore_new();
	struct writer *w = NULL;

	(void)state;
	assert_non_null(st);
	assert_int_equal(writer_start(st, &w), RC_OK);
	assert_true(writer_halt(w, 1000));
	writer_submit(w, &late);
	assert_int_equal(outcome, RC_STOPPING);
	writer_free(w);
	tmpstore_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_submitted_after_the_halt_is_told_so),
		T(a_job_is_on_disk_when_the_call_returns),
		T(what_queued_behind_the_lock_shares_one_commit),
		T(a_failing_job_is_rolled_back_alone),
		T(hundreds_of_failing_jobs_are_each_run_a_few_times),
		T(a_job_that_hides_a_failure_fails),
		T(many_callers_share_commits),
		T(the_writers_threads_take_no_signals),
		T(a_job_behind_a_stopped_process_is_withdrawn_after_2_s_and_never_runs),
		T(each_job_is_withdrawn_in_its_own_time),
		T(a_killed_lock_holder_stops_nobody),
		T(a_stop_does_not_wait_for_the_lock),
		T(a_stop_waits_for_what_was_taken_and_withdraws_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
