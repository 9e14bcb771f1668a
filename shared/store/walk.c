/* walk.c -- walking rows in key order. */
#include "store/store-private.h"

/* Where a walk stands, besides LMDB's own idea: LMDB leaves a cursor that failed at no defined place. */
enum { WALK_FRESH, WALK_ON, WALK_BEFORE, WALK_BEHIND };

void walk_begin(struct walk *w, struct txn *t, enum db db)
{
	MDB_cursor *cursor = NULL;

	*w = (struct walk){ .txn = t, .db = db, .at = WALK_FRESH };
	if (!t || t->rc != RC_OK)
		return;
	if (db_env(db) != t->env || !t->live)
		txn_fail(t, RC_INVALID);
	else if (txn_check(t, mdb_cursor_open(t->mdb, t->st->dbi[db], &cursor)))
		w->cursor = cursor;
}

/* `edge`: where the walk is if there is no such row. */
static bool move(struct walk *w, MDB_cursor_op op, struct span from, int edge, struct span *key, struct span *row)
{
	MDB_val k = { .mv_size = from.size, .mv_data = (void *)from.data }, v;
	int e;

	if (!w->cursor || txn_rc(w->txn) != RC_OK)
		return false;
	e = mdb_cursor_get(w->cursor, &k, &v, op);
	w->at = e == 0 ? WALK_ON : edge;
	if (e == MDB_NOTFOUND || !txn_check(w->txn, e))
		return false;
	*key = span_of(k.mv_data, k.mv_size);
	*row = span_of(v.mv_data, v.mv_size);
	return true;
}

bool walk_seek(struct walk *w, struct span from, struct span *key, struct span *row)
{
	return move(w, from.size ? MDB_SET_RANGE : MDB_FIRST, from, WALK_BEHIND, key, row);
}

bool walk_next(struct walk *w, struct span *key, struct span *row)
{
	if (w->at == WALK_BEHIND)
		return false;
	return move(w, w->at == WALK_ON ? MDB_NEXT : MDB_FIRST, span_of(NULL, 0), WALK_BEHIND, key, row);
}

bool walk_prev(struct walk *w, struct span *key, struct span *row)
{
	if (w->at == WALK_BEFORE)
		return false;
	return move(w, w->at == WALK_ON ? MDB_PREV : MDB_LAST, span_of(NULL, 0), WALK_BEFORE, key, row);
}

void walk_del(struct walk *w)
{
	struct txn *t = w->txn;

	if (!w->cursor || txn_rc(t) != RC_OK)
		return;
	if (w->at != WALK_ON || !t->writes) {
		txn_fail(t, w->at != WALK_ON ? RC_INVALID : RC_READ_ONLY);
		return;
	}
	t->dirty = true;
	txn_check(t, mdb_cursor_del(w->cursor, 0));
}

void walk_end(struct walk *w)
{
	if (w->cursor)
		mdb_cursor_close(w->cursor);
	w->cursor = NULL;
}
