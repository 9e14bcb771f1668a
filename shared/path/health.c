/* health.c -- can the vault be read, the ledger be written, and are both still the files of their names?
 *
 * An environment whose file was deleted or replaced goes on working, into a file that nobody will read: answering "done" from it
 * would be a lie, and so would a key ring that no admin can change any more. */
#include "path/path-private.h"

void health_note(struct path *p, enum rc outcome)
{
	if (outcome == RC_OK)
		atomic_store(&p->ledger_failing, false);
	else if (outcome != RC_STOPPING)
		atomic_store(&p->ledger_failing, true);
}

static void tried(void *path, enum rc outcome)
{
	health_note(path, outcome);
}

void health_tick(struct path *p)
{
	atomic_store(&p->vault_lost, store_replaced(p->o.store, ENV_VAULT));
	atomic_store(&p->ledger_lost, store_replaced(p->o.store, ENV_LEDGER));
	/* While every action is refused nobody else would find out that the ledger can be written again. */
	if (atomic_load(&p->ledger_failing) && !atomic_load(&p->ledger_lost))
		job_background(p->o.writer, worker_beat, tried, p);
}

unsigned path_space_warning(struct path *p)
{
	static const unsigned thresholds[] = { 95, 85, 75, 0 };
	uint64_t used = atomic_load(&p->space_used), limit = atomic_load(&p->space_limit);
	unsigned percent = limit ? (unsigned)(used * 100 / limit) : 100, before = p->space_warned;
	size_t i = 0;

	while (percent < thresholds[i])
		i++;
	p->space_warned = thresholds[i];
	return p->space_warned > before ? p->space_warned : 0;
}

bool path_broken(struct path *p)
{
	struct writer_stats w;

	writer_stats(p->o.writer, &w);
	return w.broken;
}

static bool readable(struct path_thread *t, enum env env)
{
	bool ok = txn_rc(reader_begin(t->reader, env)) == RC_OK;

	reader_end(t->reader, env);
	return ok && !store_replaced(t->path->o.store, env);
}

void path_health(struct path *p, struct path_thread *t, struct path_health *ret)
{
	uint64_t used = atomic_load(&p->space_used), limit = atomic_load(&p->space_limit);
	struct writer_stats w;

	writer_stats(p->o.writer, &w);
	ret->vault = readable(t, ENV_VAULT);
	ret->ledger = readable(t, ENV_LEDGER) && !w.failing && !atomic_load(&p->ledger_failing);
	ret->space_percent = limit ? (unsigned)(used * 100 / limit) : 100;
	ret->space = path_space_left(p, AUDIT_VISITOR);
}
