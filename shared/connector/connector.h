/* connector.h -- how an action reaches its data: documents (embedded, in the ledger), static, and http.
 *
 * A connector is compiled from its JSON at load, bound to one request's values (structure, never templates), and
 * run. The rows of a collection are keyed (site, collection, owner, id): another's row is not found because it is
 * not there. */
#ifndef POSTERN_CONNECTOR_CONNECTOR_H
#define POSTERN_CONNECTOR_CONNECTOR_H

#include "base/problems.h"
#include "gate/gate.h"

#define DOCUMENT_ID_MAX 129            /* 128 bytes: no control byte, valid UTF-8 */
#define COLLECTION_MAX 64              /* ^[a-z][a-z0-9_]{0,62}$ */
#define DOCUMENT_SIZE_MAX 65536        /* bytes of canonical JSON */
#define LIST_PAGE 50

enum effect { EFFECT_READ, EFFECT_WRITE, EFFECT_DESTRUCTIVE };
const char *effect_name(enum effect e);
bool collection_valid(struct span name);

/* documents: {"type":"documents","collection":C,"operation":O, ...} with
 *	get	id			create	set
 *	list	[after]			update	id set [when]		delete	id [when]
 * id and after are a string or a reference (an integer is written in decimal); after is a cursor as `next` gave it.
 * set is an object whose values, at any depth, are constants or references; when is {member:[constants]}.
 * static: {"type":"static","result":J}.
 * http: {"type":"http","connection":N,["provider":N,"host":H,]"method":M,"path":[segments],["query":{},"headers":{},
 *	"json":J|"form":{},"timeout":"10s","answer_max":N,"result":mapping,"owner_check":{},"not_identity":[names]]}
 * path segments, members of query, headers and form, and values in json are constants or references, encoded for where
 * they stand. mapping: "/json/pointer" into the answer, {member: mapping}, {"$each":"/pointer","of":mapping}.
 * owner_check: {"pointer":P,"equals":{"$identity":"email"|"user_id"},["each":P]}: whose the answer must be.
 *
 * A reference is {"$input":name}, {"$identity":"email"|"name"|"user_id"} or {"$claim":name}; any other object with
 * a member that begins with "$" is a load error. An optional $input without a value leaves its member or element
 * out; a null claim is a missing one. $identity and $claim have values only for a verified caller. */

struct connector;

/* What an action tells its connector's compiler. */
struct connector_rules {
	enum access access;
	enum effect effect;                /* read: get list static GET; write, destructive: create update delete
	                                    * static, every method */
	const json_t *parameters;          /* the action's parameter schema: a $input must name one of its properties */
};
/* Every mistake is added with its pointer below `at`: unknown type, unknown member, a reference that names no
 * parameter, $claim naming an identity or time claim (email name user_id identity sub exp iat nbf iss aud jti, in any
 * case), an http connector that does not say whose things it asks for, ... RC_INVALID, RC_NOMEM. */
enum rc connector_compile(const json_t *source, struct span at, const struct connector_rules *rules,
                          struct connector **ret, struct problems *problems) MUST_CHECK;
void connector_free(struct connector *c);

/* Does running it leave the process (then an `intended` record goes first)? http alone does. */
bool connector_leaves(const struct connector *c);
/* Does it change anything in the ledger? */
bool connector_writes(const struct connector *c);

struct binding {                           /* all borrowed */
	const char *site;
	const struct identity *identity;   /* the pinned identity */
	const char *owner;                 /* the pinned email for a personal action; "" (nobody) for a public one */
	const json_t *input;               /* validated parameters, an object */
	const json_t *claims;              /* the verified token's claims, or NULL */
};
struct operation;                          /* a connector with its values in place; borrows only the connector */
/* REASON_NONE; PARAMETERS_INVALID (an id or path reference without a value, no possible id, or more data than a row
 * or a request holds, or a value that does not fit its place); IDENTITY_INCOMPLETE (also an owner that is not the pinned
 * email of a personal action); OVERLOADED (no memory). */
enum reason connector_bind(const struct connector *c, const struct binding *b, struct operation **ret);
void operation_free(struct operation *op);

/* Runs in a ledger transaction (read, or write where connector_writes). Gives the same result when run twice from
 * the same state: a created row's id is made by bind. *ret_result is new, and written only with REASON_NONE.
 * NOT_FOUND, CONFLICT, PARAMETERS_INVALID (an update that makes the row too large); AUDIT_UNAVAILABLE: a storage
 * error, in txn_rc(); UPSTREAM_FAILED: an operation that leaves is not run this way. */
enum reason operation_run(struct operation *op, struct txn *ledger, json_t **ret_result);

/* ---- an operation that leaves: whoever runs it sends the request, and hands in what came back ---- */

struct upstream_request {                  /* owned by its operation; names are borrowed from the connector */
	const char *connection, *provider;
	const char *host;                  /* NULL: the connection's own */
	const char *method;
	struct buf target;                 /* "/proxy/customers/..?a=b" */
	struct buf headers;                /* "Nango-Proxy-Name: value\r\n" lines, safe */
	struct buf body;
	const char *content_type;          /* NULL: no body */
	unsigned timeout_ms;
	size_t answer_max;
	bool idempotent;                   /* may be sent again where no answer came: PUT, DELETE, a GET that reads */
};
const struct upstream_request *operation_request(const struct operation *op);    /* NULL: it does not leave */
/* The upstream's own status and body. REASON_NONE with a new *ret_result (null where the body is empty); NOT_FOUND,
 * CONFLICT, PARAMETERS_INVALID, UPSTREAM_TIMEOUT, UPSTREAM_FAILED after its status; UPSTREAM_INVALID: no JSON;
 * OWNER_MISMATCH; OVERLOADED: no memory. */
enum reason operation_answer(const struct operation *op, int status, struct span body, json_t **ret_result);

/* ---- provider.c: the client of the connection provider, which alone holds credentials ---- */

#define PROVIDER_SOCKET_DEFAULT "/run/postern-connect/proxy.sock"
#define PROVIDER_GRACE_MS 2000             /* what the provider itself may take beyond a call's own time limit */
#define PROVIDER_CALLS_MAX 256
#define PROVIDER_CONNECTION_CALLS_MAX 64
#define UPSTREAM_KEY_MAX 65

struct provider;
struct provider_call {                     /* the caller's memory until done() */
	const struct upstream_request *request;
	const char *site;
	char idempotency_key[UPSTREAM_KEY_MAX];        /* "": none */
	/* Once, on the provider's thread; on the starter's where the provider has stopped. c is the caller's again. */
	void (*done)(void *arg);
	void *arg;
	enum reason reason;                /* what came. REASON_NONE: status and body are the upstream's */
	int status;
	struct buf body;                   /* the caller frees it */
	uint64_t ms;                       /* how long it took */
	/* the provider's own */
	struct provider_call *next, *previous, *queued;
	void *easy, *lines;
	uint64_t started_ms;
	bool too_large;
};
/* Its thread starts with the first call. RC_INVALID: no absolute path, or longer than a socket's may be. */
enum rc provider_new(const char *socket, struct provider **ret) MUST_CHECK;
/* Keeps room for c, whose request is set. false: too many are in flight, or it has stopped. */
bool provider_reserve(struct provider *p, struct provider_call *c);
void provider_start(struct provider *p, struct provider_call *c);      /* one that was reserved; never blocks */
void provider_drop(struct provider *p, struct provider_call *c);       /* one that was reserved and is not started */
/* Ends what is in flight with UPSTREAM_TIMEOUT; a call started later is told OVERLOADED, and is not made. */
void provider_stop(struct provider *p);
void provider_free(struct provider *p);    /* stops first; NULL is fine */

/* ---- documents by hand: import and list ---- */
struct document {
	char collection[COLLECTION_MAX];
	char owner[EMAIL_MAX];             /* empty: nobody's */
	char id[DOCUMENT_ID_MAX];
	json_t *data;                      /* an object */
};
/* Parses one import line {"collection","id","owner","data"}; owner is normalised. ret->data is new. RC_INVALID with
 * why. */
enum rc document_parse(struct span line, struct document *ret, struct why *why) MUST_CHECK;
/* RC_INVALID: data larger than DOCUMENT_SIZE_MAX. */
enum rc document_put(struct txn *ledger, const char *site, const struct document *d) MUST_CHECK;
/* Rows of a collection in key order, all owners; each returns false to stop. The document is borrowed for the call.
 * A row that does not decode ends the walk: RC_CORRUPT in txn_rc(). */
void    document_each(struct txn *ledger, const char *site, const char *collection,
                      bool (*each)(const struct document *d, void *arg), void *arg);
/* Every row of a removed site, at most max a call; returns how many went. */
size_t  document_remove_site(struct txn *ledger, const char *site, size_t max);
/* Every row of one owner (a normalised email), in all collections, the same way. */
size_t  document_remove_owner(struct txn *ledger, const char *site, const char *owner, size_t max);

#endif
