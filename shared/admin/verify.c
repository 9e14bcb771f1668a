/* verify.c -- is the log what it was? All records, held against the tree and against every checkpoint (design 10). */
#include "admin/log-private.h"

#include <stdio.h>

#define TRIES     4 /* a prune may begin below us */
#define NUMBER(n) ((unsigned long long)(n))

static const char *const verdict_names[] = { "verified", "tampered", "truncated", "unverifiable" };

const char *verdict_name(enum verdict v)
{
	return verdict_names[v];
}

/* Of records that were pruned the upper hashes stay: some of the old checkpoints can still be held against those. */
static enum rc hold_pruned(struct pass *p, struct txn *ledger, const struct evidence *e)
{
	struct tree_source tree = log_tree(ledger);
	struct tree_hash root;
	enum rc rc = RC_OK;

	for (; p->used < e->count && e->at[p->used].size < e->names.first && !p->found; p->used++) {
		const struct vouched *c = &e->at[p->used];

		rc = tree_root(&tree, c->size, &root);
		if (rc == RC_NOT_FOUND)
			continue;
		if (rc != RC_OK)
			break;
		if (tree_hash_equal(&root, &c->root)) {
			p->v->checkpoints++;
			p->fits = c->size;
		} else {
			tampered(p->v, p->fits, c->size,
			         "the hashes of the pruned records do not fit the checkpoint of %llu records",
			         NUMBER(c->size));
			p->found = true;
		}
	}
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* Where the records begin: at 0, or with what the tree keeps of those that were pruned. */
static enum rc begin(struct pass *p, const struct evidence *e)
{
	struct txn *ledger = txn_read(p->store, ENV_LEDGER);
	struct tree_source tree = log_tree(ledger);
	struct tree_range from = { 0 };
	enum rc rc = RC_OK;

	if (p->size < e->names.first) {
		p->next = p->size;
		p->ended = true;
	} else if ((rc = tree_range_of(&tree, e->names.first, &from)) == RC_NOT_FOUND) {
		unverifiable(p->v, "the hashes of the %llu records that were pruned are missing",
		             NUMBER(e->names.first));
		p->found = true;
		rc = RC_OK;
	} else if (rc == RC_OK) {
		pass_begin(p, &from);
		rc = hold_pruned(p, ledger, e);
	}
	txn_abort(ledger);
	return rc;
}

static void all_is_well(struct verification *v)
{
	uint64_t vouched = v->checkpoint_size - v->first, after = v->size - v->checkpoint_size;
	int size;

	v->verdict = VERDICT_VERIFIED;
	size = snprintf(v->text, sizeof(v->text), "%llu record%s, from %llu on, %s that %zu checkpoint%s vouch%s for",
	                NUMBER(vouched), vouched == 1 ? "" : "s", NUMBER(v->first), vouched == 1 ? "is one" : "are those",
	                v->checkpoints, v->checkpoints == 1 ? "" : "s", v->checkpoints == 1 ? "es" : "");
	if (after > 0 && size > 0 && (size_t)size < sizeof(v->text))
		snprintf(v->text + size, sizeof(v->text) - (size_t)size,
		         "; the %llu after the last checkpoint agree%s with the tree, "
		         "but nothing signed vouches for %s yet",
		         NUMBER(after), after == 1 ? "s" : "", after == 1 ? "it" : "them");
}

/* What was found first counts; then what is missing; then what could not be used. */
static void conclude(struct pass *p, const struct evidence *e)
{
	uint64_t want = e->count > 0 ? e->at[e->count - 1].size : 0;
	struct verification *v = p->v;

	v->size = p->next;
	if (p->found)
		return;
	if (want > p->next)
		truncated(v, p->next, want);
	else if (p->ended)
		tampered(v, p->next, p->next + 1, "record %llu is not there, although the log goes on",
		         NUMBER(p->next));
	else if (e->broken[0])
		tampered(v, 0, 0, "%s", e->broken);
	else if (e->lost_want > 0) {
		truncated(v, e->lost_have, e->lost_want);
		snprintf(v->text, sizeof(v->text),
		         "the log was restored from a backup of %llu records, and a checkpoint from before "
		         "speaks of %llu: those between are lost",
		         NUMBER(e->lost_have), NUMBER(e->lost_want));
	} else if (e->doubt[0])
		unverifiable(v, "%s", e->doubt);
	else if (v->checkpoints == 0)
		unverifiable(v,
		             "%llu records agree with their tree, but there is no checkpoint to hold them against: "
		             "postern audit checkpoint signs one",
		             NUMBER(v->size - v->first));
	else
		all_is_well(v);
}

static enum rc verify_once(struct admin *a, const struct verify_options *o, struct verification *v, struct why *why)
{
	struct pass p = { .store = a->store, .progress = o->progress, .arg = o->arg, .v = v };
	struct evidence e;
	enum rc rc;

	*v = (struct verification){ 0 };
	if ((rc = evidence_load(a, o, true, &e, why)) != RC_OK)
		return rc;
	v->first = e.names.first;
	p.vouched = e.at;
	p.count = e.count;
	if ((rc = log_end(a->store, NULL, &p.size)) == RC_OK && (rc = begin(&p, &e)) == RC_OK && !p.found && !p.ended)
		rc = pass_run(&p, why);
	if (rc == RC_OK)
		conclude(&p, &e);
	else
		why_set(why, "the log cannot be read: %s", rc_text(rc));
	evidence_done(&e);
	return rc;
}

enum rc admin_verify(struct admin *a, const struct verify_options *o, struct verification *ret, struct why *why)
{
	enum rc rc = RC_OK;

	for (int i = 0; i < TRIES; i++) {
		rc = verify_once(a, o, ret, why);
		/* what is missing may have been pruned a moment ago */
		if (rc != RC_OK || ret->verdict == VERDICT_VERIFIED || log_first_now(a->store) == ret->first)
			break;
	}
	return rc;
}
