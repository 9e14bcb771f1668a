/* record.c -- audit records of what admins do, through the ledger's writer. */
#include "admin/admin-private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Longer than the writer's own withdrawal (2 s), so that its verdict is usually the one heard. */

struct entry {                         /* a record nobody waits for; the writer's until `final` */
	struct job job;
	struct admin *admin;
	struct audit_record record;
	enum rc outcome;
	bool final;
	struct entry *next;
};

enum rc records_init(struct admin *a)
{
	pthread_condattr_t attributes;

	if (pthread_condattr_init(&attributes) != 0)
		return RC_NOMEM;
	if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(&a->ended, &attributes) != 0) {
		pthread_condattr_destroy(&attributes);
		return RC_NOMEM;
	}
	pthread_condattr_destroy(&attributes);
	return pthread_mutex_init(&a->lock, NULL) == 0 ? RC_OK : RC_NOMEM;
}

enum rc admin_writer(struct admin *a, struct writer **ret)
{
	enum rc rc;

	if (a->read_only)
		return RC_READ_ONLY;
	if (!a->writer && (rc = writer_start(a->store, &a->writer)) != RC_OK)
		return rc;
	*ret = a->writer;
	return RC_OK;
}

static void text_set(char *out, size_t room, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	if (size >= room)
		size = room - 1;
	memcpy(out, text ? text : "", size);
	out[size] = '\0';
}

enum rc record_make(const struct admin *a, struct audit_record *ret, enum audit_event e, const char *site,
                    const char *change, const json_t *members)
{
	json_t *detail = json_object();

	audit_record_init(ret, e, AUDIT_OUTCOME_DONE);
	text_set(ret->actor, sizeof(ret->actor), a->actor);
	text_set(ret->site, sizeof(ret->site), site);
	if (!detail || json_object_set_new(detail, "change", json_string(change)) != 0 ||
	    (members && json_object_update(detail, (json_t *)members) != 0)) {
		json_decref(detail);
		return RC_NOMEM;
	}
	ret->detail = detail;
	return RC_OK;
}

void record_done(struct audit_record *r)
{
	json_decref((json_t *)r->detail);
	r->detail = NULL;
}

static enum rc append_run(struct txn *ledger, void *arg)
{
	uint64_t seq;

	return audit_append(ledger, arg, &seq);
}

enum rc record_put(struct admin *a, const struct audit_record *r)
{
	struct writer *writer;
	enum rc rc = still_there(a, ENV_LEDGER, NULL);

	if (rc == RC_OK)
		rc = admin_writer(a, &writer);
	return rc != RC_OK ? rc : writer_call(writer, append_run, (void *)r);
}

static enum rc entry_run(struct txn *ledger, void *arg)
{
	struct entry *e = arg;

	return append_run(ledger, &e->record);
}

static void entry_ended(void *arg, enum rc outcome)
{
	struct entry *e = arg;
	struct admin *a = e->admin;

	pthread_mutex_lock(&a->lock);
	e->outcome = outcome;
	e->final = true;
	pthread_cond_broadcast(&a->ended);
	pthread_mutex_unlock(&a->lock);
}

static void unrecorded(struct admin *a, enum rc rc)
{
	why_set(&a->notice, "not everything about this change is in the audit log: %s", rc_text(rc));
}

void record_send(struct admin *a, const struct audit_record *r)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct writer *writer;
	enum rc rc = e ? still_there(a, ENV_LEDGER, NULL) : RC_NOMEM;

	if (rc == RC_OK)
		rc = admin_writer(a, &writer);
	/* jansson counts references without a lock: the writer's thread gets a tree of its own */
	if (rc == RC_OK) {
		e->record = *r;
		e->record.detail = json_deep_copy(r->detail);
		rc = e->record.detail ? RC_OK : RC_NOMEM;
	}
	if (rc != RC_OK) {
		free(e);
		unrecorded(a, rc);
		return;
	}
	e->admin = a;
	e->job = (struct job){ .run = entry_run, .done = entry_ended, .arg = e };
	pthread_mutex_lock(&a->lock);
	e->next = a->sent;
	a->sent = e;
	pthread_mutex_unlock(&a->lock);
	writer_submit(writer, &e->job);
}

/* With the lock held. */
static bool all_final(const struct admin *a)
{
	for (const struct entry *e = a->sent; e; e = e->next)
		if (!e->final)
			return false;
	return true;
}

bool records_free(struct admin *a)
{
	bool final;

	pthread_mutex_lock(&a->lock);
	final = all_final(a);
	while (final && a->sent) {
		struct entry *e = a->sent;

		a->sent = e->next;
		if (e->outcome != RC_OK)
			unrecorded(a, e->outcome);
		record_done(&e->record);
		free(e);
	}
	pthread_mutex_unlock(&a->lock);
	return final;
}

bool admin_settle(struct admin *a, unsigned wait_s, struct why *ret_notice)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_s;
	pthread_mutex_lock(&a->lock);
	while (!all_final(a) && pthread_cond_timedwait(&a->ended, &a->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&a->lock);
	if (!records_free(a) && wait_s > 0)
		unrecorded(a, RC_BUSY);
	if (!a->notice.text[0])
		return true;
	*ret_notice = a->notice;
	a->notice = (struct why){ { 0 } };
	return false;
}
