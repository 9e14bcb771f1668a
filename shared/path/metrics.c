/* metrics.c -- counters of a process, as Prometheus text. Labels are ours alone: endpoints, decisions, reason codes. */
#include "path/path-private.h"

static const char *const endpoint_names[ENDPOINTS_COUNTED] = {
	"identity", "actions", "action", "authorizer", "health", "metrics", "preflight", "none",
};

void metrics_count(struct path *p, const struct exchange *x)
{
	struct metrics *m = &p->metrics;

	for (size_t i = 0; i < ENDPOINTS_COUNTED; i++)
		if (strcmp(endpoint_names[i], x->in.endpoint->name) == 0)
			atomic_fetch_add_explicit(&m->requests[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->answers[x->out.code], 1, memory_order_relaxed);
	/* Only requests that came as far as a token have a decision. */
	if (x->view && (x->identity.decision != DECISION_BLOCKED || x->identity.reason != REASON_NONE))
		atomic_fetch_add_explicit(&m->decisions[x->identity.decision][x->identity.reason], 1, memory_order_relaxed);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", name, help, name, name, (unsigned long long)value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %llu\n", name, help, name, name, (unsigned long long)value);
}

static void labelled(struct buf *out, struct metrics *m)
{
	buf_add_str(out, "# HELP postern_requests_total Requests answered, by endpoint.\n# TYPE postern_requests_total counter\n");
	for (size_t i = 0; i < ENDPOINTS_COUNTED; i++)
		buf_addf(out, "postern_requests_total{endpoint=\"%s\"} %lu\n", endpoint_names[i], atomic_load(&m->requests[i]));

	buf_add_str(out, "# HELP postern_decisions_total Decisions, by exact reason.\n# TYPE postern_decisions_total counter\n");
	for (int d = 0; d < 3; d++)
		for (int r = 0; r < REASON_COUNT; r++)
			if (atomic_load(&m->decisions[d][r]))
				buf_addf(out, "postern_decisions_total{decision=\"%s\",reason=\"%s\"} %lu\n", decision_name((enum decision)d),
					 reason_name((enum reason)r), atomic_load(&m->decisions[d][r]));

	buf_add_str(out, "# HELP postern_answers_total Answers, by code; none: successes.\n# TYPE postern_answers_total counter\n");
	for (int r = 0; r < REASON_COUNT; r++)
		if (atomic_load(&m->answers[r]))
			buf_addf(out, "postern_answers_total{code=\"%s\"} %lu\n", reason_name((enum reason)r), atomic_load(&m->answers[r]));
}

static void connections(struct buf *out, struct connections *all)
{
	static const char name[] = "postern_connection_reauth_needed";

	buf_addf(out, "# HELP %s Connections whose authorization must be given again, as the last call told.\n# TYPE %s gauge\n", name, name);
	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < all->count; i++)
		buf_addf(out, "%s{connection=\"%s\"} %d\n", name, all->row[i].name, all->row[i].reauth_needed);
	pthread_mutex_unlock(&all->lock);
}

void path_metrics(struct path *p, struct buf *out)
{
	struct metrics *m = &p->metrics;
	struct writer_stats w;

	writer_stats(p->o.writer, &w);
	labelled(out, m);
	connections(out, &p->connections);
	counter(out, "postern_records_total", "Audit records committed.", atomic_load(&m->records));
	counter(out, "postern_folded_total", "Refusals folded past the budget.", atomic_load(&m->folded));
	counter(out, "postern_unrecorded_total", "Refusals answered, or reads done, whose record could not be written.",
		atomic_load(&m->unrecorded));
	counter(out, "postern_commits_total", "Ledger commits of this process; one serves all that queued.", w.commits);
	counter(out, "postern_jobs_total", "Writes those commits carried.", w.jobs);
	counter(out, "postern_jobs_failed_total", "Writes that failed and were rolled back.", w.failed);
	counter(out, "postern_jobs_withdrawn_total", "Writes withdrawn because the lock was not to be had in time.", w.withdrawn);
	gauge(out, "postern_jobs_queued", "Writes waiting now.", w.queued);
	gauge(out, "postern_commit_microseconds", "How long the last commit took.", w.last_commit_us);
	gauge(out, "postern_ledger_used_bytes", "Ledger bytes in use.", atomic_load(&p->space_used));
	gauge(out, "postern_ledger_limit_bytes", "Ledger bytes it may come to: its map, or what the disk has left.",
	      atomic_load(&p->space_limit));
	gauge(out, "postern_start_time_seconds", "When this process started.", p->started_at);
}
