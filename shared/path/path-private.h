/* path-private.h -- what the steps share: the process, the thread, and one request between its first byte and its answer. */
#ifndef POSTERN_PATH_PATH_PRIVATE_H
#define POSTERN_PATH_PATH_PRIVATE_H

#include "path/path.h"
#include "base/clock.h"
#include "base/text.h"

#include <pthread.h>

/* ---- site-view.c: what a thread remembers of a site ---- */

/* A site as it was at one head: settings, ring to verify with, pseudonym key. What is sealed is opened when it is first needed: of a
 * site that is not asked for again, one key. Its thread uses all of it; other threads that finish a parked request use `site` alone,
 * which never changes. */
struct site_view {
	atomic_uint refs;
	struct site_head head;
	struct site site;
	struct keyring ring;
	struct hmac_key *pseudonym;    /* view_pseudonym(); NULL before it */
};

#define VIEW_SETS 64
#define VIEW_WAYS 4
/* hash and last use beside the pointer: a look-up touches no view but the one that fits. */
struct view_slot { struct site_view *view; uint64_t used; uint32_t hash; };
struct view_cache {
	pthread_mutex_t lock;
	struct view_slot slot[VIEW_SETS][VIEW_WAYS];
	uint64_t tick;
	uint64_t aged;                 /* the vault's version at the last view_cache_age() */
};

/* REASON_NONE, SITE_UNKNOWN, VAULT_UNAVAILABLE. *ret is a reference: view_unref(). */
enum reason view_get(struct view_cache *c, const struct store *st, struct txn *vault, struct span site, struct site_view **ret);
void view_unref(struct site_view *v);
/* The key of the site's pseudonyms, borrowed from the view; vault is a snapshot in which the view holds. */
enum rc view_pseudonym(struct site_view *v, const struct store *st, struct txn *vault, struct hmac_key **ret) MUST_CHECK;
/* Forgets every site whose head has moved on: a retired secret leaves the memory of idle threads too. Any thread. */
void view_cache_age(struct view_cache *c, struct txn *vault);
void view_cache_init(struct view_cache *c);
void view_cache_done(struct view_cache *c);

/* ---- catalogues.c: compiled actions documents, shared by the process's threads ---- */

struct shared_catalogue {
	atomic_uint refs;
	char site[SITE_ID_MAX];
	uint64_t version, used;
	struct catalogue *catalogue;
};
#define CATALOGUES_MAX 64
struct catalogues { pthread_mutex_t lock; struct shared_catalogue *slot[CATALOGUES_MAX]; uint64_t tick; };

/* NONE, ACTION_UNKNOWN (the site has no actions), VAULT_UNAVAILABLE. *ret is a reference. */
enum reason catalogues_get(struct catalogues *c, struct txn *vault, const struct site_view *v, struct shared_catalogue **ret);
void catalogue_unref(struct shared_catalogue *c);
void catalogues_done(struct catalogues *c);

/* ---- metrics.c ---- */

#define ENDPOINTS_COUNTED 8
struct metrics {
	atomic_ulong requests[ENDPOINTS_COUNTED];
	atomic_ulong decisions[3][REASON_COUNT];     /* by decision and exact reason */
	atomic_ulong answers[REASON_COUNT];          /* by code; REASON_NONE: successes */
	atomic_ulong records, folded, unrecorded;    /* durable records; folded ones; blocked tokens answered without a record */
};
void metrics_count(struct path *p, const struct exchange *x);

/* ---- call.c: what answers tell of connections ---- */

#define CONNECTIONS_LEARNED 256
struct connections {
	pthread_mutex_t lock;
	size_t count;
	struct { char name[64]; bool reauth_needed; } row[CONNECTIONS_LEARNED];
};

/* ---- open-calls.c: intended, and not yet recorded as over ---- */

struct call_key { uint8_t bytes[8 + ULID_MAX - 1]; };
struct call_key open_call_key(const char id[ULID_MAX], uint64_t over_by_s);
/* In a write transaction. r is the intended record. */
void open_call_put(struct txn *ledger, const struct call_key *k, const struct audit_record *r);
bool open_call_remove(struct txn *ledger, const struct call_key *k);       /* false: it is closed already */
/* Once a second: closes those past their time, as a job. */
void open_calls_tick(struct path *p);

/* ---- the process and its threads ---- */

struct path {
	struct path_options o;
	char pinned_site[SITE_ID_MAX];
	struct budget *budget;
	struct use_counter *uses;
	struct catalogues catalogues;
	struct metrics metrics;
	struct connections connections;
	struct provider *provider;             /* NULL: no socket was named */
	_Atomic uint64_t space_used, space_limit;
	atomic_bool vault_lost, ledger_lost;   /* the file under the open environment is no longer the one of that name */
	atomic_bool ledger_failing;            /* the last write failed: public reads wait until one succeeds again */
	atomic_bool flushed;                   /* the last records of this process were written, as far as they could be */
	pthread_mutex_t threads_lock;
	struct path_thread *threads;           /* all that live */
	pthread_mutex_t late_lock;
	struct queued_record *late;            /* records that wait for the ledger to be writable again */
	unsigned space_warned;                 /* the last threshold that was reported */
	uint64_t started_at, next_beat_ms, next_uses_ms, next_sweep_ms, vault_version;
	atomic_uint indexing;                  /* index jobs that may still follow each other; 0: none is under way */
	bool index_more;                       /* the last one left something: the writer's thread's own */
};

struct path_thread {
	struct path *path;
	struct path_thread *next;
	struct reader *reader;
	struct view_cache views;
	struct token_memo *memo;
};

/* ---- health.c ---- */

/* What a write to the ledger came to: by it the process knows whether the ledger can be written. */
void health_note(struct path *p, enum rc outcome);
/* Once a second: files replaced? and, while writes fail, one more try. */
void health_tick(struct path *p);

/* May this kind of sender still write to the ledger, by the space last measured? */
bool path_space_left(struct path *p, enum audit_writer w);

/* ---- idempotency.c: a change asked for twice is made once (Idempotency-Key) ---- */

#define IDEMPOTENCY_KEY_MAX 128
#define IDEMPOTENCY_PER_SUBJECT 64         /* live answers on a site: beyond that the oldest gives way */
#define IDEMPOTENCY_OPEN_MAX 1024          /* of a visitor's keys on a site: in flight, or ended nobody knows how */
#define IDEMPOTENCY_HASH_SIZE 16

/* A request's use of a key: whose, for what, and with which parameters. Nothing of the client's text; may be copied and kept. */
struct idempotency {
	char site[SITE_ID_MAX], subject[SUBJECT_MAX];
	uint8_t scope[IDEMPOTENCY_HASH_SIZE];      /* of site, subject, action and key; with the two above the row's key */
	uint8_t parameters[SHA256_SIZE];
};

bool idempotency_key_valid(struct span key);       /* 1 to 128 visible ASCII characters */
enum rc idempotency_make(const struct store *st, const char *site, const char *subject, const char *action, struct span key,
			 const json_t *parameters, struct idempotency *ret) MUST_CHECK;
/* In the write transaction that says the change begins. NONE: the key is new or its day is over; it is in flight now, and must be
 * finished or freed, here or in a later transaction. REPLAYED: run nothing, *ret_result (new) is the answer of then. CONFLICT: it has
 * other parameters, or is in flight. RATE_LIMITED: the visitor has too many without an answer. AUDIT_UNAVAILABLE: a storage error, in
 * txn_rc(). */
enum reason idempotency_claim(const struct store *st, struct txn *ledger, const struct idempotency *k, uint64_t now_s,
			      json_t **ret_result);
/* The change was made: keeps its result, sealed, until a day after the claim. A row that was erased meanwhile stays away. */
void idempotency_finish(const struct store *st, struct txn *ledger, const struct idempotency *k, const json_t *result);
/* It was not made: the key is as if it had not been used. `parameters` is not looked at. */
void idempotency_free(struct txn *ledger, const struct idempotency *k);
/* Clears a few away whose day is over: with every commit. */
void idempotency_sweep(struct txn *ledger, uint64_t now_s);

/* ---- call.c: the end of a call, in the commit of its last record or in a later one ---- */

enum key_fate { KEY_NONE, KEY_DONE, KEY_FREE, KEY_STAYS };
struct closing {
	struct call_key call;
	enum key_fate key;                         /* of the Idempotency-Key, if there was one */
	struct idempotency idempotency;
	json_t *result;                            /* of KEY_DONE; borrowed */
};
/* false: another has closed it already, with a record; nothing is written then. */
bool call_close(const struct store *st, struct txn *ledger, const struct closing *c);

/* ---- one request ---- */

enum step_result { STEP_NEXT, STEP_WAIT };

/* Of an action that leaves the process. NOT_MADE: what came of the intention is recorded, if it could be. */
enum call_state { CALL_NONE, CALL_INTENDED, CALL_NOT_MADE, CALL_MADE, CALL_OVER };
struct outgoing_call {
	enum call_state state;
	struct call_key key;
	uint64_t over_us;
	struct provider_call provider;
};

struct exchange {
	struct path *path;
	struct path_thread *thread;            /* while path_run() is in it; NULL while it waits, for it may outlive that thread */
	void (*wake)(void *arg);
	void *wake_arg;

	struct request in;
	struct answer out;
	unsigned at;                           /* index into the table of steps */
	char id[ULID_MAX];
	uint64_t now_us;                       /* the request's one idea of now */

	enum reason reason;                    /* why it was refused, exactly; REASON_NONE: it was not */
	struct problems problems;
	struct txn *vault;                     /* the thread's snapshot; NULL once released */
	struct site_view *view;
	struct shared_catalogue *catalogue;

	bool has_token;
	struct token token;
	struct identity identity;
	bool recordable;                       /* got as far as a record is due for: design 9 */
	bool admitted, admit_asked;            /* the budget's answer */

	const struct action *action;
	struct intent intent;
	uint8_t conversation[CONVERSATION_KEY_SIZE];
	bool claims_pin;                       /* a verified visitor's conversation */
	bool has_key;                          /* an Idempotency-Key that counts */
	struct idempotency idempotency;
	bool replayed;                         /* the answer is the stored one, and nothing was run */
	struct operation *operation;
	bool durable;                          /* its record is on disk before the answer leaves */
	bool has_run;                          /* a read: before the commit that records it, not in it */
	enum reason found;                     /* by that read */
	struct outgoing_call call;
	json_t *result;

	struct audit_record record;
	struct job job;
	bool waiting;                          /* the commit was submitted; what follows is its outcome */
	enum rc committed;
	enum reason committed_reason;
};

/* The steps; each file says what it decides. They set x->reason to refuse. */
enum step_result step_request(struct exchange *x);
enum step_result step_token(struct exchange *x);
enum step_result step_identity(struct exchange *x);
enum step_result step_gate(struct exchange *x);
enum step_result step_intent(struct exchange *x);
enum step_result step_action(struct exchange *x);
enum step_result step_audit(struct exchange *x);
enum step_result step_reply(struct exchange *x);

/* call.c: the action step of an action that leaves; entered three times. The second is part of its first commit; the third says
 * what its last one has to do. */
enum step_result call_step(struct exchange *x);
void call_opened(struct exchange *x, struct txn *ledger);
struct closing call_closing(const struct exchange *x);

/* Submits the record as it is now due, and what belongs into its commit; and what came of it. */
enum step_result audit_submit(struct exchange *x);
void audit_settle(struct exchange *x);

/* May this sender's record be written, or is it past the budget (or its share of the space)? Asked once per request. */
bool exchange_admitted(struct exchange *x);
static inline bool exchange_verified(const struct exchange *x)
{
	return x->identity.decision == DECISION_VERIFIED;
}
/* May a record or a conversation name the visitor? Of those who are verified that is who acts. */
static inline bool exchange_needs_subject(const struct exchange *x)
{
	return x->in.endpoint->runs_action || x->reason != REASON_NONE;
}
/* Ends the thread's snapshots: nothing borrowed from the vault or ledger is used after it. */
void exchange_release(struct exchange *x);

/* ---- record.c: records nobody waits for ---- */

/* Queues a record of its own; takes copies. With a subject, email and name are kept behind it (else NULL). false: no memory. */
bool record_queue(struct path *p, const struct audit_record *r, const char *email, const char *name);
/* The same for a call's last record, with what it comes to for the call: unless another has closed it by then. */
void record_queue_closing(struct path *p, const struct audit_record *r, const struct closing *c);
/* Once a second, and before a stop: those that could not be written are tried again. */
void records_late(struct path *p);
void records_late_free(struct path *p);
/* ---- jobs.c: writer jobs that are nobody's request ---- */

/* Queues run(arg); done (may be NULL) hears the outcome. */
void job_background(struct writer *w, job_run run, job_done done, void *arg);
/* Queues run(arg) and waits for it, but no longer than ms. false: not over yet; arg must stay valid for good. */
bool job_bounded(struct writer *w, job_run run, void *arg, unsigned ms);

/* Indexes what the log has grown by: a bundle a job, some jobs one after the other. While those of the last call are not over it
 * does nothing. */
void job_index(struct path *p);

/* ---- workers.c: the ledger's table of live workers, as jobs; arg is the struct path ---- */

enum rc worker_beat(struct txn *ledger, void *path);
enum rc worker_leave(struct txn *ledger, void *path);

/* ---- origin.c: the browser's Origin against the site's list ---- */

bool origin_listed(const struct site *s, struct span origin);
/* false: the site has a list, and this is neither on it nor the request's own host. */
bool origin_allowed(const struct site *s, const struct request *in);

#endif
