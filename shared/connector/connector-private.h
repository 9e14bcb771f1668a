/* connector-private.h -- what the kinds of connector share, for the files of this folder only. */
#ifndef POSTERN_CONNECTOR_CONNECTOR_PRIVATE_H
#define POSTERN_CONNECTOR_CONNECTOR_PRIVATE_H

#include "connector/connector.h"
#include "base/checker.h"

/* One kind of connector. Each function may count on the ones before it having succeeded. */
struct connector_kind {
	const char *name;
	void (*compile)(struct checker *k, struct connector *c, const struct connector_rules *rules);
	enum reason (*bind)(const struct connector *c, const struct binding *b, struct operation *op);
	enum reason (*run)(const struct operation *op, struct txn *ledger, json_t **ret);
};
extern const struct connector_kind documents_kind, static_kind, http_kind;

struct connector {
	const struct connector_kind *kind;
	json_t *source;                         /* owned copy; read by many threads, so never increfed after load */
	enum access access;
	/* documents */
	const struct document_operation *operation;
	const char *collection;                 /* borrowed from source */
	struct {
		const struct http_method *method;
		unsigned timeout_ms;
		size_t answer_max;
		bool idempotent;
	} http;
};

struct operation {
	const struct connector *connector;
	char site[SITE_ID_MAX];
	char owner[EMAIL_MAX];
	/* documents */
	char id[DOCUMENT_ID_MAX];               /* empty: none */
	char after[DOCUMENT_ID_MAX];            /* empty: from the first */
	json_t *set;                            /* owned; values in place */
	/* http */
	struct upstream_request request;
	char pinned[EMAIL_MAX];                 /* what owner_check compares with; empty: nothing */
};

/* A constant, or a reference, or a structure with references in it. */
void reference_check(struct checker *k, const json_t *value, const json_t *parameters);
/* As above, but a reference anywhere in it is a mistake. */
void constant_check(struct checker *k, const json_t *value);
/* Is value, or would it pass for, a reference? */
bool reference_like(const json_t *value);
/* The value with its references filled in, new. *ret is NULL with REASON_NONE where an optional parameter was not
 * given. IDENTITY_INCOMPLETE; OVERLOADED: out of memory. */
enum reason reference_resolve(const json_t *value, const struct binding *b, json_t **ret);
/* Why a value that this reference gave cannot be used: what the token brought is not for the visitor to correct. */
enum reason reference_fault(const json_t *value);

bool document_id_valid(struct span id);

/* Rows. A key without id is the prefix of all keys of that owner. */
struct row_key { char bytes[512]; size_t size; };
void    row_key_make(struct row_key *key, const char *site, const char *collection, const char *owner, const char *id);
/* The row's object, new. NULL: what is stored is none, and the transaction has failed. */
json_t *row_decode(struct txn *ledger, struct span row);
/* false: larger than DOCUMENT_SIZE_MAX, and nothing was written. Other failures are the transaction's. */
bool    row_put(struct txn *ledger, const struct row_key *key, const json_t *data);
/* RC_OK; RC_INVALID: larger than that; RC_NOMEM. */
enum rc row_fits(const json_t *data);

#endif
