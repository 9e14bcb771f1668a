/* log-private.h -- what the files of the log as evidence share: its names in the vault, the checkpoints that count, and
 * one pass over its records.
 *
 * The vault is what no worker can write: what it says is believed. What the ledger says is not. */
#ifndef POSTERN_ADMIN_LOG_PRIVATE_H
#define POSTERN_ADMIN_LOG_PRIVATE_H

#include "admin/admin-private.h"

#define LOG_SLICE 10000        /* records a transaction looks at: a snapshot keeps pages from being used again */

/* ---- log-name.c ---- */

/* Each time the log begins anew (a restore) it gets a new origin, which is the key's name, and a new key. end: how many
 * records there were when this incarnation ended; UINT64_MAX: it is the present one. */
struct log_incarnation { struct note_key key; uint64_t end; };
struct log_names {
	size_t count;                  /* 0: the log has no name yet */
	struct log_incarnation *at;    /* owned; the present one last */
	uint64_t first;                /* the oldest record not pruned */
};
enum rc log_names_read(struct txn *vault, struct log_names *ret) MUST_CHECK;
/* The oldest record not pruned by now, in a snapshot of its own; 0 also where that cannot be read. */
uint64_t log_first_now(struct store *st);
void    log_names_done(struct log_names *n);
/* Makes name and key where there are none and this admin may: so that who only reads finds them. */
void    log_name_ensure(struct admin *a);
const struct log_incarnation *log_present(const struct log_names *n);

/* Ends the present incarnation at `size` records, where there is one, and begins another, with its key sealed. */
enum rc log_incarnation_begin(const struct store *st, struct txn *vault, uint64_t size, struct why *why) MUST_CHECK;
/* The seed of the present incarnation's key. RC_UNSEALED: it does not open, or is another key's. */
enum rc log_seed(const struct store *st, struct txn *vault, const struct note_key *k, struct secret **ret,
                 struct why *why) MUST_CHECK;
/* Before the records are deleted: what is below is not looked for any more. */
void    log_first_set(struct txn *vault, uint64_t first);

/* ---- migrate.c: all an open store of an older schema needs, before anything else is done with it ---- */

enum rc migrate_open(struct admin *a, struct migrated *ret, struct why *why) MUST_CHECK;

/* ---- checkpoint.c: the checkpoints kept in the vault ---- */

struct kept { uint64_t incarnation, size, at_s; struct span note; };      /* note: borrowed from the row */
/* false: the row is none. */
bool    kept_decode(struct span key, struct span row, struct kept *ret);

/* ---- verify-notes.c: the checkpoints that may vouch for the log, each with its signature checked ---- */

struct vouched { uint64_t size; struct tree_hash root; bool given; };     /* given: not from the vault */
struct evidence {
	struct log_names names;
	struct vouched *at;            /* owned; in order of size */
	size_t count, room;
	uint64_t lost_have, lost_want; /* a checkpoint of a former incarnation speaks of more than it ended with */
	char broken[200];              /* one kept in the vault is not validly signed: which */
	char doubt[320];               /* one that was given cannot be used: why */
};
/* a may be NULL. kept: also those of the vault. */
enum rc evidence_load(struct admin *a, const struct verify_options *o, bool kept, struct evidence *ret,
                      struct why *why) MUST_CHECK;
void    evidence_done(struct evidence *e);
/* Whose checkpoint it is, and is it that one's: by o's key, or by the log's names. As checkpoint_open(). *ret_of: the
 * incarnation; NULL: none of this log. */
enum rc evidence_open(const struct evidence *e, const struct verify_options *o, struct span note,
                      struct checkpoint *ret, const struct log_incarnation **ret_of) MUST_CHECK;
/* Keeps the order. */
enum rc evidence_add(struct evidence *e, const struct checkpoint *c, bool given) MUST_CHECK;

/* ---- verify-pass.c: records and tree, from somewhere on, re-hashed ---- */

#define TILE_BITS 8
#define TILE_LEVELS 8                  /* of 8 bits each: every seq there is */

struct pass {
	struct store *store;
	uint64_t size;                 /* where it ends */
	uint64_t next;                 /* the record to be looked at next */
	struct tree_range tile[TILE_LEVELS];    /* of next, cut in levels of tiles */
	const struct vouched *vouched; /* those from next on; borrowed */
	size_t count, used;
	uint64_t fits;                 /* the size up to which one of them vouched */
	admin_progress progress;
	void *arg;
	struct verification *v;        /* what was found; `found` says that something was */
	bool found;
	bool ended;                    /* there is no record from next on, though size is more */
};
/* From a compact range of the tree on. */
void    pass_begin(struct pass *p, const struct tree_range *from);
/* Until p->size, or something was found. RC_STOPPING: progress said so. */
enum rc pass_run(struct pass *p, struct why *why) MUST_CHECK;
enum rc pass_root(const struct pass *p, struct tree_hash *ret) MUST_CHECK;
/* How far the log goes: by its rows (may be NULL), and by what it says, its leaves too. UINT64_MAX: it does not say. */
enum rc log_end(struct store *st, uint64_t *ret_rows, uint64_t *ret) MUST_CHECK;
/* The tree as it is stored, whatever size the rows say it has. */
struct tree_source log_tree(struct txn *ledger);
/* The member seq of a line, without parsing the rest. false: there is none. */
bool    line_seq(struct span line, uint64_t *ret);

/* A finding. at_end 0: nobody knows where. */
void    tampered(struct verification *v, uint64_t at, uint64_t at_end, const char *fmt, ...) PRINTF_LIKE(4, 5);
void    truncated(struct verification *v, uint64_t have, uint64_t want);
void    unverifiable(struct verification *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
