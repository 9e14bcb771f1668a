/* verify-notes.c -- the checkpoints that may vouch for the log: those of the vault, and those that were given. */
#include "admin/log-private.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- whose it is ---- */

static const struct log_incarnation *incarnation_of(const struct evidence *e, const char *origin)
{
	for (size_t i = 0; i < e->names.count; i++)
		if (strcmp(e->names.at[i].key.name, origin) == 0)
			return &e->names.at[i];
	return NULL;
}

enum rc evidence_open(const struct evidence *e, const struct verify_options *o, struct span note,
                      struct checkpoint *ret, const struct log_incarnation **ret_of)
{
	struct checkpoint claimed;
	struct span text;
	enum rc rc = note_text(note, &text);

	if (rc == RC_OK)
		rc = checkpoint_parse(text, &claimed);
	if (rc != RC_OK)
		return rc;
	*ret_of = incarnation_of(e, claimed.origin);
	if (o->key)
		return checkpoint_open(note, o->key, ret);
	return *ret_of ? checkpoint_open(note, &(*ret_of)->key, ret) : RC_NOT_FOUND;
}

/* ---- gathering ---- */

static bool make_room(struct evidence *e)
{
	size_t room = e->room ? 2 * e->room : 64;
	struct vouched *grown;

	if (e->count < e->room)
		return true;
	grown = realloc(e->at, room * sizeof(*grown));
	if (!grown)
		return false;
	e->at = grown;
	e->room = room;
	return true;
}

/* The same one may be kept and given: it counts once. */
enum rc evidence_add(struct evidence *e, const struct checkpoint *c, bool given)
{
	size_t at = e->count;

	while (at > 0 && e->at[at - 1].size > c->size)
		at--;
	if (at > 0 && e->at[at - 1].size == c->size && tree_hash_equal(&e->at[at - 1].root, &c->root)) {
		e->at[at - 1].given |= given;
		return RC_OK;
	}
	if (!make_room(e))
		return RC_NOMEM;
	memmove(&e->at[at + 1], &e->at[at], (e->count - at) * sizeof(e->at[0]));
	e->at[at] = (struct vouched){ .size = c->size, .root = c->root, .given = given };
	e->count++;
	return RC_OK;
}

/* A former incarnation may have gone on after the backup was made that this log was restored from. */
static enum rc add(struct evidence *e, const struct checkpoint *c, const struct log_incarnation *of, bool given)
{
	if (!of || c->size <= of->end)
		return evidence_add(e, c, given);
	if (c->size > e->lost_want) {
		e->lost_have = of->end;
		e->lost_want = c->size;
	}
	return RC_OK;
}

/* The row says whose checkpoint it is, and of how many records: both must be in what was signed. */
static enum rc add_kept(struct evidence *e, const struct verify_options *o, struct span key, struct span row)
{
	const struct log_incarnation *of = NULL;
	struct checkpoint c;
	struct kept k;
	enum rc rc = kept_decode(key, row, &k) ? evidence_open(e, o, k.note, &c, &of) : RC_INVALID;

	if (rc == RC_NOT_FOUND && o->key)
		return RC_OK; /* the vault's own key is not the one to be trusted */
	if (rc == RC_OK && c.size == k.size && of && (uint64_t)(of - e->names.at) == k.incarnation)
		return add(e, &c, of, false);
	if (rc == RC_NOMEM || rc == RC_IO)
		return rc;
	snprintf(e->broken, sizeof(e->broken),
	         "a checkpoint kept in the vault is not validly signed: the vault was altered "
	         "or damaged, and nothing it says of the log counts");
	return RC_OK;
}

static enum rc load_kept(struct admin *a, const struct verify_options *o, bool kept, struct evidence *e)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	struct span key, row;
	struct walk w;
	enum rc rc = log_names_read(vault, &e->names), read;

	walk_begin(&w, vault, DB_CHECKPOINTS);
	while (kept && rc == RC_OK && !e->broken[0] && walk_next(&w, &key, &row))
		rc = add_kept(e, o, key, row);
	walk_end(&w);
	read = txn_end(vault);
	return rc == RC_OK ? read : rc;
}

static const char *why_not(enum rc rc)
{
	switch (rc) {
	case RC_NOT_FOUND:
		return "is signed by no key known here: name it with --vkey";
	case RC_REFUSED:
		return "has a signature that does not verify: it was altered";
	default:
		return "is no well-formed checkpoint";
	}
}

/* One that cannot be used is no reason to doubt the log, but it was not held against it either. */
static enum rc load_given(struct evidence *e, const struct verify_options *o)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < o->note_count && rc == RC_OK; i++) {
		const struct log_incarnation *of = NULL;
		struct checkpoint c;
		enum rc opened = evidence_open(e, o, o->notes[i], &c, &of);

		if (opened == RC_OK)
			rc = add(e, &c, of, true);
		else if (opened == RC_NOMEM || opened == RC_IO)
			rc = opened;
		else if (!e->doubt[0])
			snprintf(e->doubt, sizeof(e->doubt), "given checkpoint %zu %s", i + 1, why_not(opened));
	}
	return rc;
}

enum rc evidence_load(struct admin *a, const struct verify_options *o, bool kept, struct evidence *ret, struct why *why)
{
	enum rc rc = RC_OK;

	*ret = (struct evidence){ 0 };
	if (a && (rc = load_kept(a, o, kept, ret)) != RC_OK)
		why_set(why, "the checkpoints in the vault cannot be read: %s", rc_text(rc));
	if (rc == RC_OK)
		rc = load_given(ret, o);
	if (rc != RC_OK)
		evidence_done(ret);
	return rc;
}

void evidence_done(struct evidence *e)
{
	log_names_done(&e->names);
	free(e->at);
	*e = (struct evidence){ 0 };
}
