/* record.c -- records nobody waits for: public reads and the budget's folds. */
#include "path/path-private.h"

#include <stdlib.h>

struct queued_record {
	struct job job;
	struct path *path;
	struct audit_record record;
	json_t *ignored;
	char email[EMAIL_MAX], name[NAME_MAX_BYTES];
	unsigned tries;
	bool closes;                   /* a call: nothing is written where that is closed already */
	struct closing closing;
	struct queued_record *next;    /* late */
};

/* A record that could not be written is tried again once a second, for a minute or (where each try waits for the lock) three.
 * There are few: once one failed no further public read runs until a write succeeds (health.c). */
#define TRIES_MAX 60

static enum rc append(struct txn *ledger, void *arg)
{
	struct queued_record *q = arg;
	enum rc rc = RC_OK;

	if (q->closes && !call_close(q->path->o.store, ledger, &q->closing))
		return txn_rc(ledger);
	if (q->record.subject[0] && q->email[0])
		rc = audit_identity_keep(q->path->o.store, ledger, q->record.site, q->record.subject, q->email, q->name,
					 q->record.time / 1000000);
	return rc == RC_OK ? audit_append(ledger, &q->record, NULL) : rc;
}

/* A fold counts for many: one that could not be written goes back to be written later. */
static void fold_again(struct queued_record *q)
{
	struct audit_record evicted;

	if (budget_fold(q->path->budget, q->record.remote, &q->record, &evicted))
		record_queue(q->path, &evicted, NULL, NULL);
}

static void record_free(struct queued_record *q)
{
	if (!q)
		return;
	json_decref(q->ignored);
	json_decref(q->closing.result);
	free(q);
}

static void wait_for_better(struct queued_record *q)
{
	struct path *p = q->path;

	pthread_mutex_lock(&p->late_lock);
	q->next = p->late;
	p->late = q;
	pthread_mutex_unlock(&p->late_lock);
}

static struct queued_record *take_late(struct path *p)
{
	struct queued_record *list;

	pthread_mutex_lock(&p->late_lock);
	list = p->late;
	p->late = NULL;
	pthread_mutex_unlock(&p->late_lock);
	return list;
}

void records_late(struct path *p)
{
	struct queued_record *q = take_late(p);

	while (q) {
		struct queued_record *next = q->next;      /* submitted, it may be gone at once */

		writer_submit(p->o.writer, &q->job);
		q = next;
	}
}

void records_late_free(struct path *p)
{
	struct queued_record *q = take_late(p);

	while (q) {
		struct queued_record *next = q->next;

		record_free(q);
		q = next;
	}
}

static void appended(void *arg, enum rc outcome)
{
	struct queued_record *q = arg;
	struct metrics *m = &q->path->metrics;

	health_note(q->path, outcome);
	if (outcome != RC_OK && outcome != RC_STOPPING && !q->record.count && ++q->tries < TRIES_MAX) {
		wait_for_better(q);
		return;
	}
	if (outcome != RC_OK && outcome != RC_STOPPING && q->record.count)
		fold_again(q);
	else
		atomic_fetch_add(outcome == RC_OK ? &m->records : &m->unrecorded, 1);
	record_free(q);
}

static void copy_text(char *out, size_t room, const char *text)
{
	size_t size = text ? strnlen(text, room - 1) : 0;

	if (size)
		memcpy(out, text, size);
	out[size] = '\0';
}

/* Copies of its own: the request ends on its thread while the record is written on another, and Jansson's counting of
 * references is not made for that (it reads the count plainly, and lets it go without an acquire). */
static bool copy_values(struct queued_record *q, const json_t *ignored, const json_t *result)
{
	q->ignored = json_array_size(ignored) > 0 ? json_deep_copy(ignored) : NULL;
	q->closing.result = result ? json_deep_copy(result) : NULL;
	return (q->ignored || json_array_size(ignored) == 0) && (q->closing.result || !result);
}

static bool queue(struct path *p, const struct audit_record *r, const char *email, const char *name, const struct closing *c)
{
	struct queued_record *q = calloc(1, sizeof(*q));

	if (q && c)
		q->closing = *c;
	if (!q || !copy_values(q, r->ignored, c ? c->result : NULL)) {
		record_free(q);
		atomic_fetch_add(&p->metrics.unrecorded, 1);
		return false;
	}
	q->path = p;
	q->record = *r;
	q->record.ignored = q->ignored;
	q->closes = c != NULL;
	copy_text(q->email, sizeof(q->email), email);
	copy_text(q->name, sizeof(q->name), name);
	q->job = (struct job){ .run = append, .done = appended, .arg = q };
	writer_submit(p->o.writer, &q->job);
	return true;
}

bool record_queue(struct path *p, const struct audit_record *r, const char *email, const char *name)
{
	return queue(p, r, email, name, NULL);
}

void record_queue_closing(struct path *p, const struct audit_record *r, const struct closing *c)
{
	queue(p, r, NULL, NULL, c);
}
