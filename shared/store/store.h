/* store.h -- the two LMDB environments, vault and ledger: opening, transactions, group commit, sealing.
 *
 * Only shared/store calls mdb_*. A transaction remembers its first error: after it every call is a
 * no-op, and txn_end() aborts. "Not there" is an answer, not an error. Spans read from a transaction
 * are borrowed until its next write or its end: copy or decode first. Stored bytes of the ledger are
 * hostile input: decode with base/codec.h.
 *
 * One store per process (two opens of one environment would drop LMDB's locks): a second store_open()
 * of the same directory is RC_BUSY. Open after fork. */
#ifndef POSTERN_STORE_STORE_H
#define POSTERN_STORE_STORE_H

#include "base/buf.h"
#include "base/codec.h"
#include "base/secret.h"

#include <stdint.h>
#include <sys/types.h>

#define STORE_DEFAULT_DIR "/var/lib/postern"
#define VAULT_MAP_SIZE  (UINT64_C(16) << 30)
#define LEDGER_MAP_SIZE (UINT64_C(256) << 30)

enum env { ENV_VAULT, ENV_LEDGER, ENV_COUNT };

/* How the rows of each are laid out, stored in it. Raised where a program that does not know would misread them or write others: of the
 * ledger 2 since its records have a tree, 3 since it keeps the answers of Idempotency-Keys. */
#define VAULT_SCHEMA  1
#define LEDGER_SCHEMA 3
uint32_t store_schema(enum env env);

/* Every named database, its environment and what its rows are. Keys that begin with a site end that
 * part with a zero byte (ids hold none), so no site's rows run into another's. */
/*	  enum		env	name		key -> row */
#define DB_LIST(X) \
	X(VAULT_META,	VAULT,	"meta")		/* name -> schema version, change counter, rings' MAC, vault keys */ \
	X(SITES,	VAULT,	"sites")	/* site -> settings (site/) */ \
	X(REMOVED,	VAULT,	"removed")	/* site -> when; an id that is never given again */ \
	X(HEADS,	VAULT,	"heads")	/* site -> versions of its settings, ring and actions (site/) */ \
	X(RINGS,	VAULT,	"rings")	/* site -> the ring's live keys, sealed (keyring/) */ \
	X(TOMBSTONES,	VAULT,	"tombstones")	/* site 0 kid -> a retired key (keyring/) */ \
	X(KNOWN,	VAULT,	"known")	/* HMAC of a secret -> site 0 kid (keyring/) */ \
	X(RETIRING,	VAULT,	"retiring")	/* retire_at, site 0 kid -> nothing (keyring/) */ \
	X(PSEUDONYMS,	VAULT,	"pseudonyms")	/* site -> its pseudonym key, sealed (audit/) */ \
	X(ACTIONS,	VAULT,	"actions")	/* site -> its actions document (action/) */ \
	X(CHECKPOINTS,	VAULT,	"checkpoints")	/* incarnation, size -> when it was signed, the signed note (admin/) */ \
	X(LEDGER_META,	LEDGER,	"meta")		/* name -> schema version, log origin */ \
	X(RECORDS,	LEDGER,	"records")	/* seq -> canonical line (audit/) */ \
	X(TREE,		LEDGER,	"tree")		/* tile level, index -> up to 256 hashes (audit/) */ \
	X(INDEX,	LEDGER,	"index")	/* bundle -> which of its records have what (audit/) */ \
	X(IDENTITIES,	LEDGER,	"identities")	/* site 0 subject -> clear identity, sealed (audit/) */ \
	X(PINS,		LEDGER,	"pins")		/* site 0 conversation -> subject, times (path/) */ \
	X(PIN_ORDER,	LEDGER,	"pin_order")	/* site 0 subject claimed_at conversation -> nothing */ \
	X(PIN_EXPIRY,	LEDGER,	"pin_expiry")	/* expires_at, site 0 conversation -> nothing */ \
	X(IDEMPOTENCY,	LEDGER,	"idempotency")	/* site 0 subject 0 scope -> expires_at, state, hash, answer, sealed (path/) */ \
	X(IDEMPOTENCY_EXPIRY, LEDGER, "idempotency_expiry")	/* expires_at, key of IDEMPOTENCY -> nothing */ \
	X(DOCUMENTS,	LEDGER,	"documents")	/* site 0 collection 0 owner 0 id -> JSON (connector/) */ \
	X(KEY_USE,	LEDGER,	"key_use")	/* site 0 kid -> counts (keyring/) */ \
	X(CALLS,	LEDGER,	"calls")	/* must be over by, request id -> what its closing record needs (path/) */ \
	X(WORKERS,	LEDGER,	"workers")	/* boot id, pid -> a live worker (fcgi-app) */

enum db {
#define X(id, env, name) DB_##id,
	DB_LIST(X)
#undef X
	DB_COUNT
};

/* ---- the data directory ------------------------------------------------------------------- */

/* Where things are under a data directory. Paths are owned by the struct: store_paths_done(). */
struct store_paths {
	char *dir, *vault, *ledger, *master_key, *admin_key, *admin_state;
};
enum rc store_paths_init(struct store_paths *p, const char *dir, const char *master_key);
void    store_paths_done(struct store_paths *p);

/* Every file of it with its mode (design 9), a directory before what is in it: once that is closed nobody swaps its files. */
struct store_node {
	const char *name;
	mode_t type, mode;
};
#define STORE_NODES 10
extern const struct store_node store_nodes[STORE_NODES];
/* The network file system that path is on, by name; NULL: a local one, or it cannot be told. */
const char *store_remote_fs(const char *path);

/* Creates every file with its mode and owner (design 9), mends owners and modes when run again, changes
 * nothing else. group: NULL or a group name; as root with a group or on the default directory, and where
 * user postern-admin and the group exist, they own it; else the caller. *ret_created: something was new.
 * RC_REMOTE_FS, RC_NOT_FOUND (no such group), RC_REFUSED (other files are there; a link in place of a file; the master
 * key or the vault is gone), RC_IO. */
enum rc store_init(const char *dir, const char *group, bool *ret_created, struct why *why) MUST_CHECK;

/* ---- opening ------------------------------------------------------------------------------ */

enum store_mode {
	STORE_WORKER,      /* reads the vault, writes the ledger */
	STORE_ADMIN,       /* writes both; checks that the vault was not rolled back */
	STORE_READ,        /* reads both */
};

struct store_options {
	const char *dir;          /* NULL: $POSTERN_DATA, else the default directory */
	const char *master_key;   /* NULL: $POSTERN_MASTER_KEY_FILE, $CREDENTIALS_DIRECTORY/postern.master-key,
	                           * DIR/master.key */
	enum store_mode mode;
	uint64_t vault_map, ledger_map;   /* 0: the fixed sizes. Bytes of address space */
	/* STORE_READ: no lock file is looked at, for nobody else can have it open. A copy without lock files is always opened so. */
	bool alone;
	/* STORE_ADMIN: a copy that is to replace the data that this admin.key belongs to. Its admin.state is made of the vault as it is. */
	const char *adopt;
	/* STORE_ADMIN, or to copy: an older schema is opened too, with what tables it has; store_migrate() comes before anything else.
	 * With `alone`, under a swap's exclusion, it also writes without looking at a lock file. */
	bool older;
};

struct store;
/* RC_NOT_FOUND (no data directory: run postern init), RC_TOO_OPEN, RC_UNSEALED (the master key does not
 * fit), RC_NEWER, RC_OLDER, RC_ROLLED_BACK, RC_REMOTE_FS, RC_BUSY, RC_IO; why says which file and what to run. */
enum rc     store_open(const struct store_options *o, struct store **ret, struct why *why) MUST_CHECK;
void        store_close(struct store *st);           /* after its writer, readers and transactions; NULL is fine */
const char *store_dir(const struct store *st);
const char *store_master_key(const struct store *st);        /* the path of the file */

/* ---- transactions ------------------------------------------------------------------------- */

struct txn;      /* not thread-safe; a read may move between threads, a write stays on its own */

/* Never NULL except out of memory... then every txn_ call on NULL is a no-op and txn_end(NULL) is RC_NOMEM.
 * A write transaction of ENV_VAULT checks admin.state (RC_ROLLED_BACK) and bumps the change counter when it ends.
 * Write transactions of ENV_LEDGER in a process with a writer go through the writer only. */
struct txn *txn_read(struct store *st, enum env env);
struct txn *txn_write(struct store *st, enum env env);

bool     txn_get(struct txn *t, enum db db, struct span key, struct span *ret_row);   /* false: not there, or failed */
void     txn_put(struct txn *t, enum db db, struct span key, struct span row);        /* insert or replace */
void     txn_append(struct txn *t, enum db db, struct span key, struct span row);     /* key greater than all there */
bool     txn_del(struct txn *t, enum db db, struct span key);                         /* false: was not there */
uint64_t txn_count(struct txn *t, enum db db);                                        /* rows */

/* The number of the commit a read transaction sees: another number, another state. 0: the transaction failed. */
uint64_t txn_version(const struct txn *t);

enum rc  txn_rc(const struct txn *t);
void     txn_fail(struct txn *t, enum rc rc);        /* remembers rc if nothing failed before */
enum rc  txn_end(struct txn *t);                     /* commits a write that did not fail, else aborts; frees t */
void     txn_abort(struct txn *t);                   /* frees t, nothing is kept */

/* Folds the MAC of a changed ring into the vault's running MAC over all ring changes (admin.state). */
void     txn_ring_changed(struct txn *t, struct span ring_mac);

/* A walk over rows in key order. Rows are borrowed until the next step. Rows of db may not be written
 * while it is open, except by walk_del(). */
struct walk { struct txn *txn; void *cursor; enum db db; int at; };     /* the walk's own */
void walk_begin(struct walk *w, struct txn *t, enum db db);
bool walk_seek(struct walk *w, struct span from, struct span *key, struct span *row);  /* first key >= from */
bool walk_next(struct walk *w, struct span *key, struct span *row);                    /* before any seek: the first */
bool walk_prev(struct walk *w, struct span *key, struct span *row);                    /* before any seek: the last */
void walk_del(struct walk *w);                                                         /* the row stood on */
void walk_end(struct walk *w);

/* ---- readers ------------------------------------------------------------------------------ */

/* A thread's cached read transactions: renewed, not reopened (one LMDB reader slot each). Not thread-safe. */
struct reader;
enum rc     reader_new(struct store *st, struct reader **ret) MUST_CHECK;
void        reader_free(struct reader *r);
struct txn *reader_begin(struct reader *r, enum env env);    /* a fresh snapshot; never NULL; ask txn_rc() */
void        reader_end(struct reader *r, enum env env);      /* releases the snapshot; a second call does nothing */

/* ---- the group-commit writer of the ledger ------------------------------------------------ */

/* A job is a function and its argument. Many jobs share one transaction and one fsync. A job that returns
 * other than RC_OK is rolled back alone: to do so the writer aborts and runs the other jobs again, so a job must
 * give the same result when run twice: it sets its outputs anew each time and touches nothing else. */
typedef enum rc (*job_run)(struct txn *ledger, void *arg);
/* Called once, on any thread, when the outcome is final: RC_OK is on disk. RC_WITHDRAWN: the job waited 2 s for
 * the lock; it was never run and never will be. RC_STOPPING: likewise. After it the writer forgets the job. */
typedef void (*job_done)(void *arg, enum rc outcome);

struct job {                 /* the caller's memory until done() */
	job_run run;
	job_done done;           /* may be NULL */
	void *arg;
	/* the writer's own */
	struct job *next;
	uint64_t queued_ms;
	enum rc outcome;
};

struct writer;
enum rc writer_start(struct store *st, struct writer **ret) MUST_CHECK;
void    writer_submit(struct writer *w, struct job *j);                   /* never blocks */
enum rc writer_call(struct writer *w, job_run run, void *arg) MUST_CHECK;  /* submits and waits */
/* Withdraws jobs that have waited 2 s without being taken. The writer has a timer thread of its own that calls it. */
void    writer_withdraw(struct writer *w, uint64_t now_mono_ms);
/* Takes no more jobs, withdraws those not taken, waits for those taken (they end: the lock is held) and ends. If the
 * writer is still waiting for the lock at the deadline its thread is left behind: the caller then exits by _exit(). */
bool    writer_halt(struct writer *w, unsigned deadline_ms);             /* false: the thread was left behind */
/* Only after true, and once nobody submits any more: until then a submitted job is told RC_STOPPING. NULL is fine. */
void    writer_free(struct writer *w);
bool    writer_stop(struct writer *w, unsigned deadline_ms);             /* both, where no other thread knows the writer */

/* failing: the last commit failed, or the lock has not been had for a second. broken: LMDB gave the environment up (a failed write
 * of its meta page); only a new process opens it again. */
struct writer_stats { uint64_t commits, jobs, failed, withdrawn, queued; uint64_t last_commit_us; bool failing, broken; };
void    writer_stats(struct writer *w, struct writer_stats *ret);

/* ---- sealing ------------------------------------------------------------------------------ */

/* AES-256-GCM under the master key; the associated data names the row's place and state, so a sealed value moved
 * to another row, or a state flipped around it, does not open (RC_UNSEALED). */
enum rc store_seal(const struct store *st, struct span place, struct span plain, struct buf *out) MUST_CHECK;
enum rc store_unseal(const struct store *st, struct span place, struct span sealed, struct secret **ret) MUST_CHECK;

/* The same under the admin key, which only an admin may read: for what no worker may open. RC_NOT_FOUND, RC_TOO_OPEN, RC_IO: admin.key
 * cannot be read. */
enum rc store_admin_seal(const struct store *st, struct span place, struct span plain, struct buf *out, struct why *why) MUST_CHECK;
enum rc store_admin_unseal(const struct store *st, struct span place, struct span sealed, struct secret **ret, struct why *why) MUST_CHECK;

/* A 32-byte key of the vault, made at init and sealed there: "known" (fingerprints), "ring" (ring MACs),
 * "conversation" (hashes of conversation ids). Borrowed until store_close(). NULL: no such key. */
const struct secret *store_vault_key(const struct store *st, const char *name);
/* "ring" in place for its HMACs. */
const struct hmac_key *store_ring_mac(const struct store *st);

/* ---- state of the store ------------------------------------------------------------------- */

/* Ends the process with this code and line (stderr; a constant, with its line feed) where a page of a file turns out to be gone. */
void store_on_lost_page(const char *line, int code);

struct store_space { uint64_t used, limit; };    /* bytes; used / limit is design 9's space */
/* Of the ledger; walks the free list: once a second, not per request. Free pages within its file count as room. */
enum rc store_space(struct store *st, struct store_space *ret) MUST_CHECK;

/* Has the file under the open environment been replaced or removed? */
bool store_replaced(const struct store *st, enum env env);

/* Has the vault been set back under the open environment? As when it was opened: RC_ROLLED_BACK with why; who may not read
 * admin.state is not told. For programs that stay open, when the vault is another. */
enum rc store_check_rollback(struct store *st, struct why *why) MUST_CHECK;

/* Bytes of the environment's file in use (not its free pages). */
enum rc store_used(struct store *st, enum env env, uint64_t *ret) MUST_CHECK;

/* The reader table: slots in use, how many there are, and how many commits the oldest snapshot is behind the newest. */
struct store_readers { unsigned used, max; uint64_t behind; };
enum rc store_readers(struct store *st, enum env env, struct store_readers *ret) MUST_CHECK;

/* ---- copies ---- */

/* Copies both environments as they are at one moment each, the vault first, while others go on: DIR/vault/data.mdb and
 * DIR/ledger/data.mdb, for the owner alone (0700, 0600) and without lock files; DIR must not exist, or be empty. compact: without free
 * pages. Synced. RC_EXISTS, RC_NOSPACE, RC_IO; what was begun is removed. */
enum rc store_copy(struct store *st, const char *dir, bool compact, struct why *why) MUST_CHECK;
void    store_copy_remove(const char *dir);
/* Has any process the data directory open, this one too? RC_BUSY, RC_OK: none. */
enum rc store_unused(const char *dir, struct why *why) MUST_CHECK;

/* Putting copies in the place of both environments at once: a crash leaves the old ones, or the new ones, or a directory that
 * does not open and says which command finishes the work. RC_BUSY: a process has it open. From begin to end who opens it waits, and
 * this process opens it `alone`, if at all. begin also finishes what was interrupted. */
struct swap;
enum rc     store_swap_begin(const char *dir, struct swap **ret, struct why *why) MUST_CHECK;
const char *store_swap_dir(const struct swap *s);    /* where the copies go: for store_copy(); empty at first */
/* Nobody has them open any more. They get the owners and modes that are there; admin.state comes along where it was made. */
enum rc     store_swap_commit(struct swap *s, struct why *why) MUST_CHECK;
void        store_swap_end(struct swap *s);          /* removes what was not committed; NULL is fine */

/* ---- older schemas ---- */

/* One step up: `from` to `from` + 1. The tables are there, made where they were missing. */
struct migration {
	enum env env;
	uint32_t from;
	const char *what;              /* for people: what it does */
	enum rc (*run)(struct txn *t, void *arg, struct why *why);
};
struct migrations {
	const struct migration *step;  /* of an environment in the order of from */
	size_t count;
	/* After the last step of an environment, in its transaction. */
	enum rc (*end)(struct txn *t, enum env env, uint32_t from, void *arg, struct why *why);
	void *arg;
};
/* All steps that an environment needs, and its new schema, in one transaction: it is the old one or the new one. *ret_from: the schema it
 * had. Where that is store_schema() nothing is done. RC_OLDER: there is no such step. */
enum rc store_migrate(struct store *st, enum env env, const struct migrations *m, uint32_t *ret_from, struct why *why) MUST_CHECK;

/* Clears reader slots of dead processes; returns how many. Every 30 s, and by itself on a full table. */
int store_reader_check(struct store *st);

#endif
