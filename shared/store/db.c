/* db.c -- the table of databases, and LMDB's answers translated at one border. */
#include "store/store-private.h"

#include <errno.h>

struct db_row {
	enum env env;
	const char *name;
};

static const struct db_row db_rows[DB_COUNT] = {
#define X(id, env, name) [DB_##id] = { ENV_##env, name },
	DB_LIST(X)
#undef X
};

enum env db_env(enum db db)
{
	return db_rows[db].env;
}

const char *env_name(enum env env)
{
	static const char *const names[ENV_COUNT] = { [ENV_VAULT] = "vault", [ENV_LEDGER] = "ledger" };

	return names[env];
}

enum db db_meta(enum env env)
{
	return env == ENV_VAULT ? DB_VAULT_META : DB_LEDGER_META;
}

int db_open_all(MDB_txn *txn, enum env env, bool create, MDB_dbi dbi[DB_COUNT])
{
	int e = 0;

	for (size_t i = 0; i < DB_COUNT && e == 0; i++)
		if (db_rows[i].env == env)
			e = mdb_dbi_open(txn, db_rows[i].name, create ? MDB_CREATE : 0, &dbi[i]);
	return e;
}

struct rc_pair {
	int mdb_rc;
	enum rc rc;
};

static const struct rc_pair rc_pairs[] = {
	{ 0,                     RC_OK },
	{ MDB_NOTFOUND,          RC_NOT_FOUND },
	{ MDB_KEYEXIST,          RC_EXISTS },
	{ MDB_BAD_VALSIZE,       RC_INVALID },
	/* A file that cannot grow is a full disk to the caller, whatever holds it: the map, the disk, a quota, a limit. */
	{ MDB_MAP_FULL,          RC_NOSPACE },
	{ MDB_TXN_FULL,          RC_NOSPACE },
	{ ENOSPC,                RC_NOSPACE },
	{ EDQUOT,                RC_NOSPACE },
	{ EFBIG,                 RC_NOSPACE },
	{ ENOMEM,                RC_NOMEM },
	{ MDB_READERS_FULL,      RC_BUSY },
	{ MDB_MAP_RESIZED,       RC_BUSY },
	{ EBUSY,                 RC_BUSY },
	{ EAGAIN,                RC_BUSY },
	{ EACCES,                RC_READ_ONLY },
	{ EPERM,                 RC_READ_ONLY },
	{ EROFS,                 RC_READ_ONLY },
	{ ENOENT,                RC_NOT_FOUND },
	{ MDB_CORRUPTED,         RC_CORRUPT },
	{ MDB_PAGE_NOTFOUND,     RC_CORRUPT },
	{ MDB_INVALID,           RC_CORRUPT },
	{ MDB_VERSION_MISMATCH,  RC_CORRUPT },
	{ MDB_INCOMPATIBLE,      RC_CORRUPT },
};

enum rc store_rc(int mdb_rc)
{
	for (size_t i = 0; i < ARRAY_LEN(rc_pairs); i++)
		if (rc_pairs[i].mdb_rc == mdb_rc)
			return rc_pairs[i].rc;
	return RC_IO;
}
