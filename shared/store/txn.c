/* txn.c -- transactions that remember their first error, and what the end of a vault write adds to it. */
#include "store/store-private.h"

#include <stdlib.h>

static MDB_val val_of(struct span s)
{
	return (MDB_val){ .mv_size = s.size, .mv_data = (void *)s.data };
}

bool txn_check(struct txn *t, int mdb_rc)
{
	if (mdb_rc == 0)
		return true;
	if (t->rc == RC_OK)
		t->mdb_rc = mdb_rc;
	txn_fail(t, store_rc(mdb_rc));
	return false;
}

void txn_init(struct txn *t, struct store *st, enum env env, bool writes)
{
	*t = (struct txn){ .st = st, .env = env, .writes = writes };
}

void txn_start(struct txn *t)
{
	struct env_handle *h = &t->st->envs[t->env];

	if (t->writes && h->read_only)
		txn_fail(t, RC_READ_ONLY);
	else
		t->live = txn_check(t, env_begin(h, t->writes, &t->mdb));
}

static struct txn *new_txn(struct store *st, enum env env, bool writes)
{
	struct txn *t = malloc(sizeof(*t));

	if (t)
		txn_init(t, st, env, writes);
	return t;
}

struct txn *txn_read(struct store *st, enum env env)
{
	struct txn *t = new_txn(st, env, false);

	if (t)
		txn_start(t);
	return t;
}

/* The order is admin-state.c's: what the admins know is read before the transaction begins. */
static void start_vault_write(struct txn *t)
{
	struct vault_state known;
	enum rc rc;

	if (t->st->envs[ENV_VAULT].read_only) {
		txn_fail(t, RC_READ_ONLY);
		return;
	}
	if ((rc = admin_state_read(&t->st->paths, &known, NULL)) != RC_OK) {
		txn_fail(t, rc == RC_NOT_FOUND ? RC_IO : rc);      /* not the caller's "there is no such thing" */
		return;
	}
	txn_start(t);
	if (t->rc != RC_OK || meta_read_state(t, &t->state) != RC_OK)
		return;
	txn_fail(t, admin_state_check(&known, &t->state));
	t->state.counter++;
}

struct txn *txn_write(struct store *st, enum env env)
{
	struct txn *t = new_txn(st, env, true);

	if (t && env == ENV_VAULT)
		start_vault_write(t);
	else if (t)
		txn_start(t);
	return t;
}

uint64_t txn_version(const struct txn *t)
{
	return t && t->live && t->rc == RC_OK ? mdb_txn_id(t->mdb) : 0;
}

enum rc txn_rc(const struct txn *t)
{
	return t ? t->rc : RC_NOMEM;
}

void txn_fail(struct txn *t, enum rc rc)
{
	if (t && t->rc == RC_OK)
		t->rc = rc;
}

static bool usable(struct txn *t, enum db db)
{
	if (!t || t->rc != RC_OK)
		return false;
	if (db_env(db) == t->env && t->live)
		return true;
	t->rc = RC_INVALID;
	return false;
}

static bool writable(struct txn *t, enum db db)
{
	if (!usable(t, db))
		return false;
	if (!t->writes)
		t->rc = RC_READ_ONLY;
	return t->writes;
}

/* A key that LMDB would not store is one that is not there. */
static bool storable(struct span key)
{
	return key.size > 0 && key.size <= MAX_KEY_SIZE;
}

bool txn_get(struct txn *t, enum db db, struct span key, struct span *ret_row)
{
	MDB_val k = val_of(key), v;
	int e;

	if (!usable(t, db) || !storable(key))
		return false;
	e = mdb_get(t->mdb, t->st->dbi[db], &k, &v);
	if (e == MDB_NOTFOUND || !txn_check(t, e))
		return false;
	*ret_row = span_of(v.mv_data, v.mv_size);
	return true;
}

static void put(struct txn *t, enum db db, struct span key, struct span row, unsigned flags)
{
	MDB_val k = val_of(key), v = val_of(row);

	if (!writable(t, db))
		return;
	if (!storable(key)) {
		t->rc = RC_INVALID;
		return;
	}
	t->dirty = true;
	txn_check(t, mdb_put(t->mdb, t->st->dbi[db], &k, &v, flags));
}

void txn_put(struct txn *t, enum db db, struct span key, struct span row)
{
	put(t, db, key, row, 0);
}

void txn_append(struct txn *t, enum db db, struct span key, struct span row)
{
	put(t, db, key, row, MDB_APPEND);
}

bool txn_del(struct txn *t, enum db db, struct span key)
{
	MDB_val k = val_of(key);
	int e;

	if (!writable(t, db) || !storable(key))
		return false;
	e = mdb_del(t->mdb, t->st->dbi[db], &k, NULL);
	if (e == MDB_NOTFOUND)
		return false;
	t->dirty = true;
	return txn_check(t, e);
}

uint64_t txn_count(struct txn *t, enum db db)
{
	MDB_stat s;

	if (!usable(t, db) || !txn_check(t, mdb_stat(t->mdb, t->st->dbi[db], &s)))
		return 0;
	return s.ms_entries;
}

/* mac' = HMAC(ring key, mac || counter || ring_mac): two histories of rings that differ anywhere differ at the end. */
void txn_ring_changed(struct txn *t, struct span ring_mac)
{
	struct buf b = BUF_INIT;
	enum rc rc;

	if (!writable(t, DB_VAULT_META))
		return;
	buf_add(&b, t->state.rings, sizeof(t->state.rings));
	buf_put_u64(&b, t->state.counter);
	buf_put_bytes(&b, ring_mac);
	rc = b.failed ? RC_NOMEM : crypto_hmac(secret_span(keys_ring(t->st)), buf_span(&b), t->state.rings);
	t->dirty = true;
	txn_fail(t, rc);
	buf_done(&b);
}

/* `ended`: a commit has freed LMDB's part. */
static void release(struct txn *t, bool ended)
{
	if (!t->live)
		return;
	t->live = false;
	if (t->cached)
		mdb_txn_reset(t->mdb);
	else if (!ended)
		mdb_txn_abort(t->mdb);
	env_leave(&t->st->envs[t->env]);
}

enum rc txn_commit(struct txn *t)
{
	bool commits = t->rc == RC_OK && t->dirty && t->live;

	if (commits)
		txn_check(t, env_commit(&t->st->envs[t->env], t->mdb));
	release(t, commits);
	return t->rc;
}

static enum rc commit_vault(struct txn *t)
{
	meta_write_state(t, &t->state);
	/* Once on disk, a failure to write admin.state must not read as a change that did not happen. The next open adopts
	 * the counter, and fails there if the file still cannot be written. */
	if (txn_commit(t) == RC_OK)
		(void)admin_state_raise(&t->st->paths, &t->state);
	return t->rc;
}

enum rc txn_end(struct txn *t)
{
	enum rc rc;

	if (!t)
		return RC_NOMEM;
	rc = t->env == ENV_VAULT && t->dirty ? commit_vault(t) : txn_commit(t);
	if (!t->cached)
		free(t);
	return rc;
}

void txn_abort(struct txn *t)
{
	if (!t)
		return;
	release(t, false);
	if (!t->cached)
		free(t);
}
