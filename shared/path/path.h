/* path.h -- one request's way: request -> token -> identity -> gate -> intent -> action -> audit -> reply.
 *
 * path.c holds the table of steps and the loop; read it first. The path knows neither FastCGI nor curses: a program fills a
 * struct request, calls path_run(), and prints the struct answer. A request whose record is being committed holds no
 * thread: path_run() says PATH_WAITING, and once wake() was called any thread may call path_run() again. */
#ifndef POSTERN_PATH_PATH_H
#define POSTERN_PATH_PATH_H

#include "action/action.h"

#include <stdatomic.h>

#define BODY_MAX 65536                 /* bytes of a request body */

/* ---- what a process shares ---- */

struct path_options {
	struct store *store;           /* borrowed, as are the next two; they outlive the path */
	struct writer *writer;
	unsigned audit_budget;         /* records a second, design 9; 0: no budget */
	const char *pinned_site;       /* POSTERN_SITE of the environment, or NULL */
	const char *version;           /* of the program, for the table of live workers */
	unsigned threads;              /* likewise */
	bool worker;                   /* keeps a row in that table */
	const char *provider_socket;   /* of the connection provider; NULL: what leaves the process is refused */
};
struct path;
struct path_thread;
enum rc path_new(const struct path_options *o, struct path **ret) MUST_CHECK;
void    path_free(struct path *p);

/* Housekeeping, once a second from one thread: folds, key-use counts, space, dead readers, this worker's beat. Queues writer
 * jobs, never blocks. path_flush(): the last of it before a stop, waits for its own jobs; public reads are refused after it. */
void path_tick(struct path *p);
void path_flush(struct path *p);
/* Ends calls to other systems that are under way, and begins none any more; their requests go on at once. */
void path_stop_calls(struct path *p);

/* 75, 85 or 95 where the ledger has just come to use so many percent of its space; 0: nothing new. After path_tick(). */
unsigned path_space_warning(struct path *p);

/* Is this process beyond repair (store.h, writer_stats.broken)? It should end, for its supervisor to start another. */
bool path_broken(struct path *p);

/* A row of the ledger's table of live workers, which each writes every 10 s. Hostile input: a worker that was taken over may
 * write any. */
#define WORKER_VERSION_MAX 33
struct worker_row {
	uint64_t pid, beat_s, started_at;      /* seconds */
	uint32_t threads;
	char version[WORKER_VERSION_MAX];      /* outside text */
	bool this_boot;
};
/* At most max rows; returns how many. */
size_t worker_rows(struct txn *ledger, struct worker_row *ret, size_t max);

/* For /v1/health: vault readable, ledger writable, space left. */
struct path_health { bool vault, ledger, space; unsigned space_percent; };
void path_health(struct path *p, struct path_thread *t, struct path_health *ret);

/* Prometheus text of every counter. */
void path_metrics(struct path *p, struct buf *out);

/* ---- what a thread keeps ---- */

struct path_thread;                    /* cached read transactions, sites it has seen, the token memo */
enum rc path_thread_new(struct path *p, struct path_thread **ret) MUST_CHECK;
void    path_thread_free(struct path_thread *t);

/* ---- one request ---- */

enum path_step { STEP_REQUEST, STEP_TOKEN, STEP_IDENTITY, STEP_GATE, STEP_INTENT, STEP_ACTION, STEP_AUDIT, STEP_REPLY };

struct exchange;

/* An endpoint names the last step it needs; audit and reply always run. */
struct endpoint {
	const char *name;              /* for metrics: identity actions action authorizer health metrics preflight none */
	enum path_step last;
	bool runs_action;              /* the gate step looks the action up and reads the body */
	bool needs_catalogue;          /* the gate step loads the site's actions */
	bool guards;                   /* something that is not Postern's: the site is the pinned one, whatever the route, and only
	                                * a verified visitor passes, whose identity the answer's headers can carry */
	void (*answer)(struct exchange *x);    /* writes the body (or headers) of a success into x->out */
};
extern const struct endpoint path_endpoint_action;     /* POST .../actions/{action}: shared by the worker and the command line */
extern const struct endpoint path_endpoint_preflight;  /* OPTIONS: 204, CORS headers, no token looked at */

struct request {                       /* all spans borrowed until the answer is out */
	const struct endpoint *endpoint;
	enum reason early;             /* what routing found: NONE, NOT_FOUND (no such route), METHOD_NOT_ALLOWED, BODY_TOO_LARGE, OVERLOADED,
	                                * SITE_NOT_SET (a guard that is set up wrongly) */
	const char *allow;             /* static: the methods, with METHOD_NOT_ALLOWED and a preflight */
	bool head;                     /* HEAD: answered as GET, the body is not sent */
	struct span site, action;      /* from the route; as they stood there */
	size_t site_pin_count;         /* POSTERN_SITE among the request's parameters: how many, and the first */
	struct span site_pin;
	bool anonymous_allowed;        /* a guard lets visitors without a token pass too */
	size_t authorization_count;    /* HTTP_AUTHORIZATION parameters, and the first */
	struct span authorization;
	size_t idempotency_key_count;  /* HTTP_IDEMPOTENCY_KEY parameters, and the first */
	struct span idempotency_key;
	bool has_origin;
	struct span origin, host, content_type, remote;   /* remote: REMOTE_ADDR */
	struct span body;
	bool body_short;               /* fewer bytes came than CONTENT_LENGTH said, or that is no number: request_malformed */
};

struct answer {
	int status;
	enum reason code;              /* REASON_NONE on success */
	const char *content_type;      /* static; NULL: JSON */
	struct buf headers;            /* "Name: value\r\n" lines, already safe; without Status */
	struct buf body;
};

enum path_result { PATH_ANSWERED, PATH_WAITING };

/* wake(arg) is called once per PATH_WAITING, on any thread, possibly before path_run() has returned it. */
struct exchange *exchange_new(struct path *p, void (*wake)(void *arg), void *arg);    /* reusable: one per connection */
void exchange_begin(struct exchange *x);                                              /* before each request */
void exchange_clear(struct exchange *x);                                              /* after it: keeps nothing of it */
void exchange_free(struct exchange *x);
struct request *exchange_request(struct exchange *x);                                 /* to be filled before path_run() */
const struct answer *exchange_answer(const struct exchange *x);                       /* valid after PATH_ANSWERED until cleared */
const char *exchange_id(const struct exchange *x);                                    /* X-Request-Id */
enum path_result path_run(struct exchange *x, struct path_thread *t);

/* For endpoints outside this folder (identity, catalogue, health, metrics). */
struct answer *exchange_out(struct exchange *x);
const struct identity *exchange_identity(const struct exchange *x);
const struct site *exchange_site(const struct exchange *x);
/* The site's catalogue, for endpoints with needs_catalogue; NULL: the site has no actions. Borrowed until the answer is out. */
const struct catalogue *exchange_catalogue(struct exchange *x);
void answer_identity_json(struct buf *b, const struct identity *who);                 /* {"status":...} */
struct path *exchange_path(const struct exchange *x);
struct path_thread *exchange_thread(const struct exchange *x);                        /* while a step or an endpoint runs */

/* Conversation pins of the ledger (design 5, Conversation). */
#define PINS_PER_SUBJECT 64
#define PIN_SECONDS 86400
#define CONVERSATION_KEY_SIZE 16
/* Whose is it now? false: nobody's, or expired. */
bool pin_get(struct txn *ledger, const char *site, const uint8_t conversation[CONVERSATION_KEY_SIZE], uint64_t now_s, char ret_subject[SUBJECT_MAX]);
/* Claims or extends it for subject in a write transaction; now in microseconds. REASON_NONE, CONVERSATION_CONFLICT. */
enum reason pin_claim(struct txn *ledger, const char *site, const uint8_t conversation[CONVERSATION_KEY_SIZE], const char *subject, uint64_t now_us);
/* Removes a subject's pins, live or expired, at most max; returns how many rows went. Call again while it returns max. */
size_t pin_remove(struct txn *ledger, const char *site, const char *subject, size_t max);

/* What the ledger keeps of Idempotency-Keys. */
#define IDEMPOTENCY_SECONDS 86400
/* Removes a subject's rows, or with NULL a whole site's, the same way. */
size_t idempotency_remove(struct txn *ledger, const char *site, const char *subject, size_t max);

#endif
