/* audit.h -- the audit log: records as canonical lines, their append, the budget, identities, and reading it back.
 *
 * A record is one canonical JSON line: compact, members sorted, ASCII-escaped, integers only, at most 16 KiB; seq counts
 * from 0 (design 10; data/audit-line.schema.json lists the members). The stored bytes are the exported bytes. */
#ifndef POSTERN_AUDIT_AUDIT_H
#define POSTERN_AUDIT_AUDIT_H

#include "base/encode.h"
#include "base/json.h"
#include "base/tree.h"
#include "keyring/keyring.h"

#define AUDIT_LINE_MAX 16384
#define SUBJECT_MAX 36                 /* "h1:" + 32 hex, with the terminator */
#define CONVERSATION_HASH_MAX 17       /* 16 hex */
#define REMOTE_MAX 64                  /* "203.0.113.0/24" */

#define AUDIT_EVENT_LIST(X) X(ACTION, "action") X(IDENTITY, "identity") X(KEY, "key") X(SITE, "site") X(AUDIT, "audit") \
	X(CONNECTION, "connection") X(CONFIG, "config")
#define AUDIT_OUTCOME_LIST(X) X(INTENDED, "intended") X(DONE, "done") X(REFUSED, "refused") X(BLOCKED, "blocked") X(FAILED, "failed")
enum audit_event {
#define X(id, name) AUDIT_EVENT_##id,
	AUDIT_EVENT_LIST(X)
#undef X
};
enum audit_outcome {
#define X(id, name) AUDIT_OUTCOME_##id,
	AUDIT_OUTCOME_LIST(X)
#undef X
};
const char *audit_event_name(enum audit_event e);
const char *audit_outcome_name(enum audit_outcome o);
bool audit_outcome_parse(const char *name, enum audit_outcome *ret);

/* Members that are empty, zero or NULL are left out of the line; always there: event id outcome seq time v. */
struct audit_record {
	enum audit_event event;
	enum audit_outcome outcome;
	enum reason reason;                     /* REASON_NONE: left out */
	char id[ULID_MAX];                      /* the request's id; joins intended and done */
	uint64_t time;                          /* microseconds */
	char site[SITE_ID_MAX];
	char action[64];
	const char *effect;                     /* static: read write destructive */
	char conversation[CONVERSATION_HASH_MAX];
	char kid[KID_MAX];                      /* only of a key under which the signature verified, or an admin event's key */
	char kid_claimed[KID_MAX];              /* only a tombstone's id */
	char remote[REMOTE_MAX];                /* the network, never the address */
	char subject[SUBJECT_MAX];
	char token[9];                          /* first 8 hex of SHA-256(token) */
	bool expiry_none;                       /* "expiry":"none": the token had no exp */
	int status;                             /* HTTP */
	bool has_duration; uint64_t duration_ms;
	uint64_t count, first, last;            /* a folded record; first and last in microseconds */
	const json_t *ignored;                  /* borrowed array of JSON Pointers; the line keeps at most 16 of at most 256 bytes */
	char actor[96];                         /* admin events: "loginuid:name", e.g. "1000:alice" or "-:root" */
	const json_t *detail;                   /* borrowed object; admin events only */
};
void audit_record_init(struct audit_record *r, enum audit_event e, enum audit_outcome o);   /* zero, with id and time of now */

/* Adds the line without line feed. RC_INVALID, nothing added: longer than AUDIT_LINE_MAX, no id, or a detail with a
 * real number. The 256 bytes of an ignored pointer are counted in the line, escaped, so that no visitor can make a line
 * too long. */
enum rc audit_format(struct buf *out, const struct audit_record *r, uint64_t seq) MUST_CHECK;

/* Appends in a ledger write transaction: takes the next seq and stores the line. ret_seq may be NULL. */
enum rc audit_append(struct txn *ledger, const struct audit_record *r, uint64_t *ret_seq) MUST_CHECK;
uint64_t audit_size(struct txn *ledger);         /* the next seq */

/* ---- the tree over the log (RFC 6962): every append adds its leaf in the same transaction ---- */

/* Tiles of 256 hashes: level 0 holds leaf hashes, level 1 the roots of its full tiles, and so on. Rows are hostile: a wrong size is
 * RC_CORRUPT. Valid while the transaction is. */
struct tree_source audit_tree(struct txn *ledger);
/* A tile's row as it stands, unchecked: for who judges the tree. Borrowed. */
bool    audit_tile(struct txn *ledger, unsigned level, uint64_t index, struct span *ret_hashes);
/* Adds all records of a log without a tree to one. RC_EXISTS: it has one; RC_CORRUPT: its rows are not the records from 0 on. */
enum rc audit_tree_build(struct txn *ledger, uint64_t *ret_size) MUST_CHECK;
/* The stored hash of one leaf. RC_NOT_FOUND: pruned, or never there. */
enum rc audit_leaf(struct txn *ledger, uint64_t seq, struct tree_hash *ret) MUST_CHECK;
/* Deletes records and leaf tiles from `from` up to, not including, `to` (both multiples of AUDIT_BUNDLE), at most max rows of records;
 * what stays proves everything from `to` on. *ret_next: where to go on. Keeps the seq that comes next. */
#define AUDIT_BUNDLE 256
enum rc audit_prune(struct txn *ledger, uint64_t from, uint64_t to, size_t max, uint64_t *ret_next) MUST_CHECK;

/* ---- the index: which records name a site, an outcome, a subject; built behind the tail ---- */

/* Whole bundles of records are indexed, oldest first, never the last, unfinished one. Advisory: it only tells where to look, each
 * record is looked at by the filter. So an index that lies can hide records from a filter, but show none it should not, and hides
 * nothing from who reads all. Indexes at most max records, whole bundles of them, in a write transaction; *ret_more: call again. */
#define INDEX_BUNDLE 4096
enum rc audit_index(struct txn *ledger, size_t max, bool *ret_more) MUST_CHECK;
/* Is there anything to index? Cheap. */
bool    audit_index_behind(struct txn *ledger);

/* "203.0.113.7" -> "203.0.113.0/24"; IPv6 -> /56; IPv4-mapped as IPv4; anything else -> "" (out terminated). */
void audit_network(char out[REMOTE_MAX], struct span address);
/* The exact source a budget counts: IPv4 /32, IPv6 /56. Anything else is one shared source "". */
void audit_source(char out[REMOTE_MAX], struct span address);

/* ---- subjects: the keyed pseudonyms ---- */

/* Makes a site's pseudonym key (at site add; RC_EXISTS: it has one, which is kept); reads it. RC_NOT_FOUND,
 * RC_UNSEALED. */
enum rc audit_pseudonym_make(const struct store *st, struct txn *vault, const char *site) MUST_CHECK;
enum rc audit_pseudonym_get(const struct store *st, struct txn *vault, struct span site, struct secret **ret) MUST_CHECK;
/* email is normalised already (identity/). */
enum rc audit_subject(struct hmac_key *pseudonym_key, struct span email, char out[SUBJECT_MAX]) MUST_CHECK;

/* Keeps the clear identity behind a subject: one sealed row per (site, subject), written when new and refreshed at most daily. */
enum rc audit_identity_keep(const struct store *st, struct txn *ledger, const char *site, const char *subject, const char *email,
                            const char *name, uint64_t now_s) MUST_CHECK;
struct audit_identity { char email[256], name[257]; uint64_t seen_at; };
enum rc audit_identity_get(const struct store *st, struct txn *ledger, const char *site, const char *subject,
                           struct audit_identity *ret) MUST_CHECK;
bool    audit_identity_remove(struct txn *ledger, const char *site, const char *subject);     /* false: none was kept */
/* Removes those not seen since before_s, and rows that are none, of max rows from a key on (empty: the first). *ret_next: where to
 * go on; empty: that was the last. Returns how many went. */
struct identity_key { size_t size; uint8_t at[512]; };
size_t  audit_identity_prune(struct txn *ledger, uint64_t before_s, const struct identity_key *from, size_t max,
                             struct identity_key *ret_next);

/* ---- the budget of records that strangers can cause (design 9) ---- */

/* Fixed-size, thread-safe, one per process. rate: records a second per (site, source), burst ten times that; a site has ten
 * times both. 0: no budget. */
struct budget;
struct budget *budget_new(unsigned rate);
void budget_free(struct budget *b);
/* true: record it. false: past the budget; fold it. now in microseconds of the wall clock, as is a record's time. */
bool budget_admit(struct budget *b, const char *site, const char *source, uint64_t now_us);
/* Counts r into its fold of (site, source). A table slot that must make room hands its old fold out: true, *ret_evicted
 * to be written; or adds it to the fold of its site, which bounds the records of any flood (budget.c says by how much).
 * ret_evicted NULL: nothing may be written now, it goes to the fold of its site.
 * To put back a fold that could not be written, call this with it and its remote as source. */
bool budget_fold(struct budget *b, const char *source, const struct audit_record *r, struct audit_record *ret_evicted);
/* Folds ready to be written (they gather for 10 s; all when flush), at most max: as records with count, first, last.
 * What they have in common they say: reason, and remote where it is one source's; a site's own fold has no remote, that
 * of many sites no site. Call again while it returns max. To be called every second or so by one thread, with the clock
 * just read: it also notices a clock that was set back. */
size_t budget_due(struct budget *b, uint64_t now_us, bool flush, struct audit_record *ret, size_t max);

/* May this kind of writer still add to the ledger? Strangers to 80 %, verified visitors to 97 %, admins always. */
enum audit_writer { AUDIT_STRANGER, AUDIT_VISITOR, AUDIT_ADMIN };
bool audit_space_left(const struct store_space *s, enum audit_writer w);

/* ---- reading it back ---- */

struct audit_filter {
	const char *site, *action, *subject, *remote, *kid;  /* NULL: any. subject: "h1:...", remote: the network as recorded */
	bool has_outcome; enum audit_outcome outcome;
	enum reason reason;                          /* REASON_NONE: any */
	bool expiry_none;                            /* only of tokens without exp */
	bool has_after; uint64_t after;              /* seq greater than this */
	uint64_t since, until;                       /* microseconds, since inclusive, until exclusive; 0: open */
	bool unindexed;                              /* every record is looked at: a worker that was taken over may have
	                                              * written the index so that it hides some */
};
/* One slice, oldest first: calls each for every matching line until it returns false, reading at most max_rows rows of the log in
 * one transaction. *ret_next: the seq to go on from (as `from`); *ret_end: nothing is left. Lines that do not parse, or
 * are longer than AUDIT_LINE_MAX, are passed to each with record NULL; under a filter only those that hold the filter's
 * members, a time within since and until too, as text, within that length (audit verify judges the rest). Of a bundle the
 * index tells to have no such record nothing is read: that counts as one row. */
typedef bool (*audit_each)(uint64_t seq, struct span line, const json_t *record, void *arg);
enum rc audit_scan(struct txn *ledger, const struct audit_filter *f, uint64_t from, size_t max_rows, audit_each each, void *arg,
                   uint64_t *ret_next, bool *ret_end) MUST_CHECK;
/* The same, newest first, from the record before `before` (UINT64_MAX: from the newest) down to the oldest, or to the one after
 * filter.after. *ret_next: the seq to go on before. */
enum rc audit_scan_back(struct txn *ledger, const struct audit_filter *f, uint64_t before, size_t max_rows, audit_each each, void *arg,
                        uint64_t *ret_next, bool *ret_end) MUST_CHECK;
/* The stored lines alone, unparsed (record NULL), oldest first: as audit_scan() with no filter. */
enum rc audit_lines(struct txn *ledger, uint64_t from, size_t max_rows, audit_each each, void *arg, uint64_t *ret_next,
                    bool *ret_end) MUST_CHECK;
/* The stored line of one record, borrowed. false: there is none. */
bool audit_get(struct txn *ledger, uint64_t seq, struct span *ret_line);

/* ---- the forms an export has ---- */

/* What a row is made of. Every form but jsonl carries origin, seq and the leaf hash: they lead from a row to its proof. */
struct audit_row {
	const char *origin;                          /* of the log; jsonl needs none */
	uint64_t seq;
	struct span line;
	const json_t *record;                        /* borrowed; NULL: the line is none. jsonl does not look */
	bool joined;                                 /* clear identities were asked for */
	const struct audit_identity *who;            /* joined: NULL where none is kept */
};
struct audit_form {
	const char *name, *row_end;
	bool bare;                                   /* needs neither origin nor record: the stored bytes */
	void (*head)(struct buf *out, bool joined);  /* what stands before the first row; NULL: nothing */
	/* Adds one row without row_end; but for jsonl it holds no control character, whatever the line has. */
	enum rc (*row)(struct buf *out, const struct audit_row *r);
};
const struct audit_form *audit_form_find(const char *name);      /* NULL: there is none */
const struct audit_form *audit_form_at(size_t i);                /* NULL: there are no more */

/* Lines of a jsonl export that are no records, without line feed: the range before its first record, a record's inclusion
 * proof, a consistency proof from size on. */
void audit_form_range(struct buf *out, const struct tree_range *before);
void audit_form_proof(struct buf *out, uint64_t seq, const struct tree_proof *p);
void audit_form_consistency(struct buf *out, uint64_t size, const struct tree_proof *p);

#endif
