/* process.c -- what the threads of a process share, and its housekeeping. */
#include "path/path-private.h"

#include <stdlib.h>

#define BEAT_MS 10000                  /* a live worker says so this often */
#define USES_MS 3000                   /* key-use counts are at most 5 s behind */
#define SWEEP_MS 30000
#define FOLDS_PER_TICK 64
#define FLUSH_MS 700                   /* of the 2 s a stop may take */

static enum rc copy_pinned_site(struct path *p)
{
	const char *pinned = p->o.pinned_site;

	if (!pinned || !pinned[0])
		return RC_OK;
	if (!site_id_valid(span_str(pinned)))
		return RC_INVALID;
	memcpy(p->pinned_site, pinned, strlen(pinned) + 1);
	return RC_OK;
}

static void measure_space(struct path *p)
{
	struct store_space s;

	if (store_space(p->o.store, &s) != RC_OK)
		s = (struct store_space){ .used = 1, .limit = 1 };      /* not to be found out: take it for full */
	atomic_store(&p->space_used, s.used);
	atomic_store(&p->space_limit, s.limit);
}

enum rc path_new(const struct path_options *o, struct path **ret)
{
	struct path *p = calloc(1, sizeof(*p));
	enum rc rc;

	if (!p)
		return RC_NOMEM;
	p->o = *o;
	pthread_mutex_init(&p->catalogues.lock, NULL);
	pthread_mutex_init(&p->threads_lock, NULL);
	pthread_mutex_init(&p->connections.lock, NULL);
	pthread_mutex_init(&p->late_lock, NULL);
	p->started_at = clock_s();
	if ((rc = copy_pinned_site(p)) == RC_OK &&
	    (!(p->budget = budget_new(o->audit_budget)) || !(p->uses = use_counter_new())))
		rc = RC_NOMEM;
	if (rc == RC_OK && o->provider_socket)
		rc = provider_new(o->provider_socket, &p->provider);
	if (rc != RC_OK) {
		path_free(p);
		return rc;
	}
	measure_space(p);
	*ret = p;
	return RC_OK;
}

void path_free(struct path *p)
{
	if (!p)
		return;
	provider_free(p->provider);
	budget_free(p->budget);
	use_counter_free(p->uses);
	catalogues_done(&p->catalogues);
	records_late_free(p);
	pthread_mutex_destroy(&p->late_lock);
	pthread_mutex_destroy(&p->connections.lock);
	pthread_mutex_destroy(&p->threads_lock);
	free(p);
}

bool path_space_left(struct path *p, enum audit_writer w)
{
	struct store_space s = { .used = atomic_load(&p->space_used), .limit = atomic_load(&p->space_limit) };

	return audit_space_left(&s, w);
}

enum rc path_thread_new(struct path *p, struct path_thread **ret)
{
	struct path_thread *t = calloc(1, sizeof(*t));
	enum rc rc;

	if (!t)
		return RC_NOMEM;
	t->path = p;
	view_cache_init(&t->views);
	pthread_mutex_lock(&p->threads_lock);
	t->next = p->threads;
	p->threads = t;
	pthread_mutex_unlock(&p->threads_lock);
	rc = reader_new(p->o.store, &t->reader);
	if (rc == RC_OK && !(t->memo = token_memo_new()))
		rc = RC_NOMEM;
	if (rc != RC_OK) {
		path_thread_free(t);
		return rc;
	}
	*ret = t;
	return RC_OK;
}

static void forget_thread(struct path_thread *t)
{
	struct path_thread **at = &t->path->threads;

	pthread_mutex_lock(&t->path->threads_lock);
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	pthread_mutex_unlock(&t->path->threads_lock);
}

void path_thread_free(struct path_thread *t)
{
	if (!t)
		return;
	forget_thread(t);
	view_cache_done(&t->views);
	token_memo_free(t->memo);
	reader_free(t->reader);
	free(t);
}

/* ---- housekeeping ---- */

static void write_folds(struct path *p, bool flush)
{
	struct audit_record due[FOLDS_PER_TICK];
	size_t count;

	/* past the strangers' share counts stay in the table until there is room, or the worker stops */
	if (!flush && !path_space_left(p, AUDIT_STRANGER))
		return;
	do {
		count = budget_due(p->budget, clock_us(), flush, due, FOLDS_PER_TICK);
		for (size_t i = 0; i < count; i++)
			record_queue(p, &due[i], NULL, NULL);
	} while (flush && count == FOLDS_PER_TICK);
}

static bool due(uint64_t *next_ms, uint64_t now_ms, uint64_t every_ms)
{
	if (now_ms < *next_ms)
		return false;
	*next_ms = now_ms + every_ms;
	return true;
}

/* A thread with nothing to do would keep a retired secret for as long as it has nothing to do. */
static void age_views(struct path *p)
{
	struct txn *vault = txn_read(p->o.store, ENV_VAULT);
	uint64_t version = txn_version(vault);

	if (version != p->vault_version && txn_rc(vault) == RC_OK) {
		pthread_mutex_lock(&p->threads_lock);
		for (struct path_thread *t = p->threads; t; t = t->next)
			view_cache_age(&t->views, vault);
		pthread_mutex_unlock(&p->threads_lock);
		p->vault_version = version;
	}
	txn_abort(vault);
}

void path_tick(struct path *p)
{
	uint64_t now = clock_mono_ms();

	measure_space(p);
	health_tick(p);
	age_views(p);
	write_folds(p, false);
	records_late(p);
	if (p->o.worker) {
		job_index(p);
		open_calls_tick(p);
	}
	if (due(&p->next_uses_ms, now, USES_MS) && use_counter_take(p->uses))
		job_background(p->o.writer, use_counter_run, use_counter_done, p->uses);
	if (due(&p->next_sweep_ms, now, SWEEP_MS))
		store_reader_check(p->o.store);
	if (p->o.worker && due(&p->next_beat_ms, now, BEAT_MS))
		job_background(p->o.writer, worker_beat, NULL, p);
}

void path_stop_calls(struct path *p)
{
	if (p->provider)
		provider_stop(p->provider);
}

void path_flush(struct path *p)
{
	write_folds(p, true);
	records_late(p);
	if (use_counter_take(p->uses))
		job_background(p->o.writer, use_counter_run, use_counter_done, p->uses);
	/* The queue keeps its order: when this last one is over, so are the others. */
	job_bounded(p->o.writer, worker_leave, p, FLUSH_MS);
	atomic_store(&p->flushed, true);
}
