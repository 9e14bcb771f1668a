/* store-private.h -- what the files of shared/store share with each other and with their tests. */
#ifndef POSTERN_STORE_STORE_PRIVATE_H
#define POSTERN_STORE_STORE_PRIVATE_H

#include "store/store.h"

#include "base/crypto.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#define MAX_READERS 1024
#define MAX_KEY_SIZE 511           /* LMDB's, as Debian builds it */

/* ---- db.c: the table of databases; LMDB's answers as ours --------------------------------- */

enum env    db_env(enum db db);
const char *env_name(enum env env);          /* "vault", "ledger" */
enum rc     store_rc(int mdb_rc);            /* 0, an MDB_ code or an errno */

enum db     db_meta(enum env env);           /* its table of rows about itself */

/* Opens every named database of env within txn, the meta table first, and makes those missing if create. */
int db_open_all(MDB_txn *txn, enum env env, bool create, MDB_dbi dbi[DB_COUNT]);

/* ---- an environment ------------------------------------------------------------------------ */

struct env_handle {
	MDB_env *mdb;
	atomic_int active;         /* transactions of this process; below zero while the map is being resized */
	bool read_only;
	bool no_lock;              /* lock.mdb is not looked at */
	dev_t lock_device;         /* which lock.mdb this process uses: under another one nobody waits for the other */
	ino_t lock_inode;
};

#define VAULT_KEY_COUNT 3

struct store {
	struct store_paths paths;
	enum store_mode mode;
	bool older, copy;          /* an older schema will do; a backup, in which nobody writes */
	struct env_handle envs[ENV_COUNT];
	MDB_dbi dbi[DB_COUNT];
	struct secret *master;
	struct secret *vault_keys[VAULT_KEY_COUNT];
	struct hmac_key *ring_mac;           /* of the one that is called ring */
	struct registered *registered;
};

/* env.c. Creates nothing on disk that is not there; mode says what LMDB is told of reading and writing. */
enum rc env_open(struct env_handle *h, const char *path, uint64_t map_size, bool read_only, struct why *why);
void    env_close(struct env_handle *h);
/* Begins or renews (*txn not NULL: one that was reset); counts it as active on success. Returns LMDB's code. */
int     env_begin(struct env_handle *h, bool writes, MDB_txn **txn);
int     env_commit(struct env_handle *h, MDB_txn *txn);      /* LMDB's code; a full disk is ENOSPC */
void    env_leave(struct env_handle *h);     /* after the transaction ended or was reset */

/* ahead.c: lengthens the file now and then, so that commits need not. Within a write transaction. */
void    env_write_ahead(struct env_handle *h);

/* registry.c: which directories this process has open. RC_BUSY: that one already. */
struct registered;
enum rc registry_add(const char *dir, struct registered **ret, struct why *why);
void    registry_remove(struct registered *r);

/* remote-fs.c: the name of a network file system by its statfs() magic number; NULL: not one. */
const char *remote_fs_name(uint32_t magic);
/* RC_REMOTE_FS if path is on one. */
enum rc remote_fs_check(const char *path, struct why *why);

/* ---- rows of VAULT_META and LEDGER_META (meta.c) ------------------------------------------- */

/* Where the vault stands: +1 at each transaction that changed it, and the running MAC over all changes of rings. */
struct vault_state {
	uint64_t counter;
	uint8_t rings[SHA256_SIZE];
};

/* Of the environment t is in; older: an older one will do. */
enum rc meta_check_schema(struct txn *t, bool older, struct why *why);
bool    meta_get_schema(struct txn *t, uint64_t *ret);
void    meta_put_schema(struct txn *t, uint64_t schema);
enum rc meta_read_state(struct txn *vault, struct vault_state *ret);
void    meta_write_state(struct txn *vault, const struct vault_state *s);
/* Writes those of the rows every environment needs that are missing: schema; in the vault also the rest. */
void    meta_complete(struct txn *t, const struct secret *master);

/* ---- keys.c: the master key and what the vault seals under it ------------------------------ */

enum rc master_read(const char *path, struct secret **ret, struct why *why);
enum rc admin_key_read(const char *path, struct secret **ret, struct why *why);
/* The rows that seal a constant and the vault keys: made where missing; opened and kept in st. */
void    keys_complete(struct txn *vault, const struct secret *master);
enum rc keys_load(struct store *st, struct txn *vault, struct why *why);
void    keys_done(struct store *st);
const struct secret *keys_ring(const struct store *st);

/* A secret file that its group or others can touch beyond `forbidden` is RC_TOO_OPEN. */
enum rc check_private(int fd, const char *path, mode_t forbidden, struct why *why);

/* ---- admin-state.c: the vault's state as the admins last knew it --------------------------- */

enum rc admin_state_read(const struct store_paths *p, struct vault_state *ret, struct why *why);
/* RC_ROLLED_BACK unless `vault` can be what followed `known`. */
enum rc admin_state_check(const struct vault_state *known, const struct vault_state *vault);
/* Writes s unless the file already knows as much or more; made if missing. */
enum rc admin_state_raise(const struct store_paths *p, const struct vault_state *s);

/* ---- init-files.c: owners and modes of a data directory ------------------------------------- */

struct init_owner {
	uid_t uid;
	gid_t gid;
	bool fixed;                /* design 9 names it; else it is the caller, or whoever owns the directory already */
};

enum rc init_find_owner(const char *dir, const char *group, struct init_owner *ret, struct why *why);
enum rc init_keep_owner(int dir_fd, bool ours, struct init_owner *owner);
/* RC_REFUSED: holds files, and none of them ours. */
enum rc init_look(const char *dir, bool *ret_ours, struct why *why);
/* Gives everything that is there its owner and mode. */
enum rc init_mend(int dir_fd, const char *dir, const struct init_owner *o, struct why *why);

/* copy.c: what was made or renamed in it is durable. */
enum rc dir_sync(const char *dir, struct why *why);

/* ---- swap.c ---------------------------------------------------------------------------------- */

/* Was replacing the environments interrupted? RC_BUSY, and why says what to run. */
enum rc swap_check(const struct store_paths *p, struct why *why);

/* ---- transactions --------------------------------------------------------------------------- */

struct txn {
	struct store *st;
	MDB_txn *mdb;              /* NULL: never begun; of a cached read: kept from one snapshot to the next */
	enum env env;
	enum rc rc;                /* the first failure */
	int mdb_rc;                /* LMDB's code behind it, 0: not LMDB's */
	bool writes;
	bool live;                 /* has a snapshot, and counts as active */
	bool dirty;                /* something was written since the writer last cleared this */
	bool cached;               /* belongs to a struct reader: ending it releases the snapshot only */
	struct vault_state state;  /* of a vault write: as it will be after the commit */
};

bool txn_check(struct txn *t, int mdb_rc);       /* remembers a failure; true if there is none */
void txn_init(struct txn *t, struct store *st, enum env env, bool writes);
void txn_start(struct txn *t);                   /* takes its snapshot, for a write LMDB's lock; or remembers why not */

/* Commits what was written if nothing failed, else aborts; does not free, does not touch the vault's counter. */
enum rc txn_commit(struct txn *t);

/* ---- writer.c, for tests -------------------------------------------------------------------- */

#define WRITER_BATCH_MAX 1024
#define WRITER_WITHDRAW_MS 2000
void writer_set_withdraw_ms(struct writer *w, unsigned ms);

#endif
