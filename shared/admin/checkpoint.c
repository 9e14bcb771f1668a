/* checkpoint.c -- signing the log as it is, and what was signed before. Nothing is signed that does not follow from the
 * last checkpoint: the ledger is written by workers. */
#include "admin/log-private.h"
#include "base/clock.h"

#include <stdio.h>

#define KEY_SIZE  16 /* incarnation, size */
#define TRIES     8  /* another admin may sign at the same time */
#define NUMBER(n) ((unsigned long long)(n))

/* ---- rows ---- */

bool kept_decode(struct span key, struct span row, struct kept *ret)
{
	struct dec k = dec_of(key), d = dec_of(row);

	ret->incarnation = dec_u64(&k);
	ret->size = dec_u64(&k);
	ret->at_s = dec_u64(&d);
	ret->note = dec_bytes(&d);
	return dec_end(&k) && dec_end(&d);
}

static void kept_put(struct txn *vault, uint64_t incarnation, uint64_t size, struct span note)
{
	struct buf row = BUF_INIT;
	uint8_t key[KEY_SIZE];

	be64_put(key, incarnation);
	be64_put(key + 8, size);
	buf_put_u64(&row, clock_s());
	buf_put_bytes(&row, note);
	if (row.failed)
		txn_fail(vault, RC_NOMEM);
	else
		txn_put(vault, DB_CHECKPOINTS, span_of(key, sizeof(key)), buf_span(&row));
	buf_done(&row);
}

/* The vault as a signer finds it: the last checkpoint, and the names. */
struct last {
	struct log_names names;
	bool there, valid; /* valid: signed by the incarnation it is kept under */
	bool present;      /* of the incarnation that is */
	uint64_t at_s;
	struct buf note;
	struct checkpoint c;
};

static void last_done(struct last *l)
{
	log_names_done(&l->names);
	buf_done(&l->note);
	*l = (struct last){ 0 };
}

static enum rc last_row(struct last *l, struct span key, struct span row)
{
	struct kept k;
	enum rc rc;

	l->there = true;
	if (!kept_decode(key, row, &k) || k.incarnation >= l->names.count)
		return RC_OK;
	buf_add_span(&l->note, k.note);
	l->at_s = k.at_s;
	l->present = k.incarnation + 1 == l->names.count;
	rc = checkpoint_open(k.note, &l->names.at[k.incarnation].key, &l->c);
	if (rc == RC_NOMEM || rc == RC_IO || l->note.failed)
		return rc == RC_IO ? rc : RC_NOMEM;
	l->valid = rc == RC_OK && l->c.size == k.size;
	return RC_OK;
}

static enum rc last_read(struct txn *vault, struct last *ret)
{
	struct last l = { .there = false };
	struct span key, row;
	struct walk w;
	enum rc rc = log_names_read(vault, &l.names);

	walk_begin(&w, vault, DB_CHECKPOINTS);
	if (rc == RC_OK && walk_prev(&w, &key, &row))
		rc = last_row(&l, key, row);
	walk_end(&w);
	if (rc == RC_OK)
		rc = txn_rc(vault);
	if (rc == RC_OK)
		*ret = l;
	else
		last_done(&l);
	return rc;
}

static enum rc last_load(struct admin *a, struct last *ret, struct why *why)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	enum rc rc = last_read(vault, ret);

	txn_abort(vault);
	if (rc != RC_OK)
		why_set(why, "the checkpoints in the vault cannot be read: %s", rc_text(rc));
	return rc;
}

enum rc admin_checkpoint_last(struct admin *a, struct buf *ret_note, struct checkpoint *ret, uint64_t *ret_at,
                              struct why *why)
{
	struct last l;
	enum rc rc = last_load(a, &l, why);

	if (rc != RC_OK)
		return rc;
	if (l.there && !l.valid) {
		why_set(why, "the last checkpoint in the vault is not validly signed: postern audit verify says more");
		rc = RC_CORRUPT;
	} else if (!l.there || !l.present) {
		why_set(why, "there is no checkpoint yet: postern audit checkpoint signs one");
		rc = RC_NOT_FOUND;
	} else {
		buf_add_span(ret_note, buf_span(&l.note));
		if (ret)
			*ret = l.c;
		if (ret_at)
			*ret_at = l.at_s;
		rc = ret_note->failed ? RC_NOMEM : RC_OK;
	}
	last_done(&l);
	return rc;
}

/* ---- does the log follow from it? ---- */

/* The compact range that the last checkpoint's root vouches for: from there on lines are hashed again. */
static enum rc begin(struct pass *p, const struct last *l)
{
	struct txn *ledger = txn_read(p->store, ENV_LEDGER);
	struct tree_source tree = log_tree(ledger);
	struct tree_range from = { 0 };
	struct tree_hash root;
	enum rc rc = tree_range_of(&tree, l->there ? l->c.size : l->names.first, &from);

	txn_abort(ledger);
	if (rc == RC_OK)
		rc = tree_range_root(&from, &root);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	if (rc == RC_OK && (!l->there || tree_hash_equal(&root, &l->c.root))) {
		pass_begin(p, &from);
		return RC_OK;
	}
	tampered(p->v, 0, l->c.size, "the tree does not have the root of the last checkpoint, of %llu records",
	         NUMBER(l->c.size));
	p->found = true;
	return RC_OK;
}

/* RC_REFUSED: it does not. */
static enum rc follow(struct pass *p, const struct last *l, struct why *why)
{
	uint64_t rows;
	enum rc rc = log_end(p->store, &rows, &p->size);

	if (rc != RC_OK)
		return rc;
	if (l->there && !l->valid) {
		tampered(p->v, 0, 0,
		         "the last checkpoint in the vault is not validly signed: the vault was altered or damaged");
		return RC_REFUSED;
	}
	if (l->there && l->c.size > rows) {
		truncated(p->v, rows, l->c.size);
		return RC_REFUSED;
	}
	if ((rc = begin(p, l)) == RC_OK && !p->found)
		rc = pass_run(p, why);
	if (rc != RC_OK)
		return rc;
	p->v->size = p->next;
	if (p->ended)
		tampered(p->v, p->next, p->next + 1, "record %llu is not there, although the log goes on",
		         NUMBER(p->next));
	return p->found || p->ended ? RC_REFUSED : RC_OK;
}

/* ---- signing ---- */

static bool same_last(const struct last *a, const struct last *b)
{
	return a->there == b->there && a->names.count == b->names.count &&
	       span_equal(buf_span(&a->note), buf_span(&b->note));
}

static enum rc sign(const struct store *st, struct txn *vault, const struct pass *p, const struct last *l,
                    struct buf *ret_note, struct why *why)
{
	const struct note_key *k = &log_present(&l->names)->key;
	struct checkpoint c = { .size = p->next };
	struct secret *seed = NULL;
	struct buf text = BUF_INIT;
	enum rc rc;

	memcpy(c.origin, k->name, sizeof(c.origin));
	if ((rc = pass_root(p, &c.root)) != RC_OK || (rc = log_seed(st, vault, k, &seed, why)) != RC_OK)
		goto out;
	checkpoint_format(&text, &c);
	rc = text.failed ? RC_NOMEM : note_sign(ret_note, buf_span(&text), k, seed);
	if (rc == RC_OK)
		rc = ret_note->failed ? RC_NOMEM : RC_OK;
	if (rc == RC_OK)
		kept_put(vault, l->names.count - 1, c.size, buf_span(ret_note));
out:
	secret_free(seed);
	buf_done(&text);
	return rc;
}

/* Under the vault's lock the last checkpoint must still be the one this one follows from. RC_BUSY: it is not. */
static enum rc sign_locked(struct admin *a, const struct pass *p, const struct last *l, struct buf *ret_note,
                           struct why *why)
{
	struct txn *vault = txn_write(a->store, ENV_VAULT);
	struct last now;
	enum rc rc = last_read(vault, &now);

	if (rc == RC_OK) {
		rc = same_last(&now, l) ? sign(a->store, vault, p, l, ret_note, why) : RC_BUSY;
		last_done(&now);
	}
	txn_fail(vault, rc);
	return txn_end(vault);
}

static enum rc checkpoint_once(struct admin *a, struct buf *ret_note, bool *ret_new, struct verification *v,
                               struct why *why)
{
	struct pass p = { .store = a->store, .v = v };
	struct last l;
	enum rc rc;

	*v = (struct verification){ 0 };
	buf_clear(ret_note);
	if ((rc = last_load(a, &l, why)) != RC_OK)
		return rc;
	v->first = l.there ? l.c.size : l.names.first;
	rc = follow(&p, &l, why);
	if (rc == RC_OK) {
		*ret_new = !l.there || !l.present || p.next != l.c.size;
		if (*ret_new)
			rc = sign_locked(a, &p, &l, ret_note, why);
		else
			buf_add_span(ret_note, buf_span(&l.note));
	}
	if (rc == RC_OK && ret_note->failed)
		rc = RC_NOMEM;
	last_done(&l);
	return rc;
}

/* ---- the alarm ---- */

static json_t *found_members(const struct verification *v)
{
	json_t *m = json_pack("{sssI}", "verdict", verdict_name(v->verdict), "size", (json_int_t)v->size);

	if (m && v->at_end > 0 && v->at_end <= (uint64_t)INT64_MAX)
		json_object_set_new(m, "at", json_integer((json_int_t)v->at));
	if (m && v->verdict == VERDICT_TRUNCATED) {
		json_object_set_new(m, "size", json_integer((json_int_t)v->have));
		json_object_set_new(m, "want", json_integer((json_int_t)v->want));
	}
	return m;
}

/* A log that was altered may take no record any more; that it is not signed stands in any case. */
static void record_refusal(struct admin *a, const struct verification *v)
{
	json_t *members = found_members(v);
	struct audit_record r;
	enum rc rc = members ? record_make(a, &r, AUDIT_EVENT_AUDIT, NULL, "checkpoint", members) : RC_NOMEM;

	if (rc == RC_OK) {
		r.outcome = AUDIT_OUTCOME_REFUSED;
		r.reason = REASON_CONFLICT;
		rc = record_put(a, &r);
		record_done(&r);
	}
	if (rc != RC_OK)
		why_set(&a->notice, "that no checkpoint was signed could not be recorded: %s", rc_text(rc));
	json_decref(members);
}

enum rc admin_checkpoint(struct admin *a, struct buf *ret_note, bool *ret_new, struct verification *ret_found,
                         struct why *why)
{
	struct log_name name;
	enum rc rc = RC_BUSY;

	if (a->read_only) {
		why_set(why, "the data is open for reading only: no checkpoint can be signed");
		return RC_READ_ONLY;
	}
	if ((rc = admin_log_name(a, &name, why)) != RC_OK)
		return rc;
	rc = RC_BUSY;
	for (int i = 0; i < TRIES && rc == RC_BUSY; i++)
		rc = checkpoint_once(a, ret_note, ret_new, ret_found, why);
	if (rc == RC_REFUSED)
		record_refusal(a, ret_found);
	else if (rc != RC_OK)
		why_set(why, "no checkpoint was signed: %s", rc_text(rc));
	return rc;
}
