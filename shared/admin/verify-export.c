/* verify-export.c -- is an exported file what the log held? Its lines make a root, or each has a proof; a signed
 * checkpoint vouches for either. Where the log is at hand, it tells which record differs. */
#include "admin/export-private.h"

#include <stdio.h>
#include <stdlib.h>

#define NUMBER(n) ((unsigned long long)(n))
/* v is the last member of a record; behind it --with-identity adds one. */
#define LAST  "\"v\":1}"
#define NAMED "\"v\":1,\"identity\":{"

/* A form is known from the second line on; an export without a record has none. */
enum form { FORM_OPEN, FORM_WHOLE, FORM_PROOFS };

struct export {
	struct admin *a;
	const struct verify_options *o;
	struct export_file file;
	struct evidence e;
	bool has_note, sealed;  /* sealed: the checkpoint stands in the file, which ends with its last record */
	bool own;               /* it is of a's log, so that the two can be compared */
	struct checkpoint note; /* what the file is held against at its end */
	struct verification *v;
	bool found;

	enum form form;
	struct tree_range range; /* whole: of all records up to here */
	size_t used;             /* whole: of e.at */
	uint64_t fits;
	uint64_t records, next; /* how many; proofs: the next seq that may come */
	bool waiting;           /* proofs: a record without its proof yet */
	struct tree_hash leaf;  /* of the last record */
	uint64_t seq;
	bool has_consistency;
	struct export_extra consistency;
	bool named;             /* a line has the member that --with-identity adds */

	struct txn *ledger; /* of the log it is compared with, renewed now and then */
	uint64_t looked;
	bool differs;
	uint64_t differs_at;
};

static void find(struct export *x, uint64_t at, uint64_t at_end, const char *text)
{
	tampered(x->v, at, at_end, "%s", text);
	x->found = true;
}

/* An earlier record that differs from the log counts more, unless a checkpoint vouched for it since. */
static void find_record(struct export *x, uint64_t at, const char *what)
{
	char text[200];

	if (x->differs && x->differs_at < at) {
		at = x->differs_at;
		what = "is not what the log holds";
	}
	snprintf(text, sizeof(text), "record %llu %s", NUMBER(at), what);
	find(x, at, at + 1, text);
}

/* ---- the log beside it ---- */

/* Only remembered: which of the two was altered, the checkpoint decides. */
static void compare(struct export *x, uint64_t seq, const struct tree_hash *leaf)
{
	struct tree_source tree;
	struct tree_hash stored;

	if (!x->own || x->differs)
		return;
	if (x->looked++ % LOG_SLICE == 0) {
		txn_abort(x->ledger);
		x->ledger = txn_read(x->a->store, ENV_LEDGER);
	}
	tree = log_tree(x->ledger);
	if (tree.get(tree.arg, 0, seq, &stored) == RC_OK && !tree_hash_equal(&stored, leaf)) {
		x->differs = true;
		x->differs_at = seq;
	}
}

/* The records up to end do not go with the checkpoint. */
static void misfit(struct export *x, uint64_t end, uint64_t size)
{
	uint64_t from = x->fits > x->v->first ? x->fits : x->v->first;
	char text[240];

	if (x->differs && x->differs_at < end) {
		find_record(x, end, "");
		return;
	}
	snprintf(text, sizeof(text),
	         "records from %llu up to %llu, or the hashes that stand for those before, do not fit the "
	         "checkpoint of %llu records",
	         NUMBER(from), NUMBER(end), NUMBER(size));
	find(x, from, end, text);
}

/* ---- whole exports ---- */

static void fitted(struct export *x, uint64_t size)
{
	x->v->checkpoints++;
	x->v->checkpoint_size = x->fits = size;
	x->differs = false; /* the file is right: it was the log that was altered there */
}

/* Checkpoints of exactly what was read so far. */
static enum rc hold(struct export *x)
{
	struct tree_hash root;
	enum rc rc = RC_OK;

	while (x->used < x->e.count && x->e.at[x->used].size <= x->range.size && !x->found && rc == RC_OK) {
		const struct vouched *c = &x->e.at[x->used++];

		if (c->size < x->range.size)
			continue; /* of records before the first: nothing here can be held against it */
		rc = tree_range_root(&x->range, &root);
		if (rc == RC_OK && tree_hash_equal(&root, &c->root))
			fitted(x, c->size);
		else if (rc == RC_OK)
			misfit(x, c->size, c->size);
	}
	return rc;
}

static enum rc add_whole(struct export *x)
{
	uint64_t want = x->range.size;
	enum rc rc;

	if (x->seq != want) {
		find_record(x, want, want == 0 ? "is not at the beginning: it was left out, or the log begins later and the export was "
		                                 "made without --checkpoint, which adds what stands for the records before"
		                               : "is not in its place: it was left out, moved or altered");
		return RC_OK;
	}
	if (x->sealed && want >= x->note.size) {
		find_record(x, want, "comes after those that the file's checkpoint speaks of");
		return RC_OK;
	}
	compare(x, x->seq, &x->leaf);
	rc = tree_range_add(&x->range, &x->leaf);
	return rc == RC_OK ? hold(x) : rc;
}

/* Between the last record and the checkpoint lie others, which are not in the file: who cuts an export off can make
 * this line for it, so the verdict says how many. */
static void end_consistency(struct export *x, const struct tree_hash *root)
{
	uint64_t end = x->range.size, want = x->consistency.number;

	if (want < end)
		find_record(x, want, "comes after the last that the file should have");
	else if (want > end || x->records == 0)
		truncated(x->v, end, want > end ? want : x->note.size);
	else if (tree_check_consistency(end, root, x->note.size, &x->note.root, &x->consistency.hashes))
		fitted(x, end);
	else
		misfit(x, end, x->note.size);
	x->found |= x->v->verdict != VERDICT_VERIFIED;
}

/* A given checkpoint beyond the end says as much as the file's own. */
static uint64_t most_given(const struct export *x)
{
	uint64_t most = x->has_note ? x->note.size : 0;

	for (size_t i = 0; i < x->e.count && !x->has_consistency; i++)
		if (x->e.at[i].given && x->e.at[i].size > most)
			most = x->e.at[i].size;
	return most;
}

static enum rc end_whole(struct export *x)
{
	struct tree_hash root;
	enum rc rc = tree_range_root(&x->range, &root);

	x->v->size = x->range.size;
	if (rc != RC_OK)
		return rc;
	if (x->has_consistency && x->note.size > x->range.size)
		end_consistency(x, &root);
	if (!x->found && most_given(x) > x->range.size && !x->has_consistency) {
		truncated(x->v, x->range.size, most_given(x));
		x->found = true;
	}
	return RC_OK;
}

/* ---- exports with a proof for each record ---- */

static enum rc add_proof(struct export *x, struct span line)
{
	struct export_extra extra;
	enum rc rc = export_extra(line, EXPORT_PROOF, &extra);

	if (rc == RC_NOMEM)
		return rc;
	x->waiting = false;
	if (rc == RC_OK && extra.number == x->seq && x->seq >= x->next && x->has_note &&
	    tree_check_inclusion(&x->leaf, x->seq, x->note.size, &extra.hashes, &x->note.root)) {
		x->next = x->seq + 1;
		if (x->records == 1)
			x->v->first = x->seq;
		return RC_OK;
	}
	if (x->seq < x->next)
		find_record(x, x->seq, "comes twice, or out of its order");
	else
		find_record(x, x->seq, "is not proved: it, or its proof, was altered");
	return RC_OK;
}

/* ---- lines ---- */

static enum rc header(struct export *x, struct span line)
{
	struct export_extra extra;
	enum rc rc = export_extra(line, EXPORT_HEADER, &extra);

	if (rc == RC_NOMEM)
		return rc;
	if (rc != RC_OK || x->records > 0 || x->range.size > 0 ||
	    extra.hashes.count != (size_t)__builtin_popcountll(extra.number)) {
		find(x, 0, 0, "the line with the hashes before the first record is damaged");
		return RC_OK;
	}
	x->range.size = x->v->first = extra.number;
	x->range.count = extra.hashes.count;
	memcpy(x->range.hash, extra.hashes.hash, extra.hashes.count * sizeof(extra.hashes.hash[0]));
	return hold(x);
}

/* The first record waits for the second line, which tells the form. */
static enum rc record(struct export *x, struct span line)
{
	enum rc rc = RC_OK;

	if (x->waiting && x->form == FORM_PROOFS) {
		find_record(x, x->seq, "has no proof");
		return RC_OK;
	}
	if (x->waiting) {
		x->form = FORM_WHOLE;
		x->waiting = false;
		rc = add_whole(x);
	}
	if (rc != RC_OK || x->found)
		return rc;
	if (!line_seq(line, &x->seq)) {
		find_record(x, x->form == FORM_PROOFS ? x->next : x->range.size, "is no record");
		return RC_OK;
	}
	x->records++;
	x->waiting = x->form != FORM_WHOLE;
	rc = tree_leaf(line, &x->leaf);
	return rc == RC_OK && x->form == FORM_WHOLE ? add_whole(x) : rc;
}

/* The end of a record tells at once that it is none of these, as nearly all are. */
static bool is_named(struct span line)
{
	const size_t size = sizeof(LAST) - 1;

	if (line.size >= size && memcmp((const char *)line.data + line.size - size, LAST, size) == 0)
		return false;
	return memmem(line.data, line.size, NAMED, sizeof(NAMED) - 1) != NULL;
}

static enum rc one_line(struct export *x, struct span line)
{
	enum export_kind kind = export_kind(line);
	enum rc rc;

	if (x->has_consistency) {
		find(x, x->range.size, 0, "lines come after the one that ends the records");
		return RC_OK;
	}
	switch (kind) {
	case EXPORT_RECORD:
		x->named |= is_named(line);
		return record(x, line);
	case EXPORT_HEADER:
		return header(x, line);
	case EXPORT_PROOF:
		if (x->form == FORM_OPEN && x->waiting)
			x->form = FORM_PROOFS;
		if (x->form == FORM_PROOFS && x->waiting)
			return add_proof(x, line);
		find_record(x, x->form == FORM_PROOFS ? x->next : x->range.size, "is missing before a proof");
		return RC_OK;
	case EXPORT_CONSISTENCY:
		rc = export_extra(line, kind, &x->consistency);
		x->has_consistency = rc == RC_OK;
		if (rc == RC_INVALID)
			find(x, x->range.size, 0, "the line behind the last record is damaged");
		return rc == RC_INVALID ? RC_OK : rc;
	}
	return RC_OK;
}

static enum rc read_lines(struct export *x, struct why *why)
{
	struct span line;
	enum rc rc = hold(x);

	for (uint64_t lines = 1; rc == RC_OK && !x->found; lines++) {
		rc = export_line(&x->file, &line);
		if (rc == RC_OK)
			rc = one_line(x, line);
		if (rc == RC_OK && lines % LOG_SLICE == 0 && x->o->progress &&
		    !x->o->progress((uint64_t)x->file.at, (uint64_t)x->file.end, x->o->arg))
			rc = RC_STOPPING;
	}
	if (rc == RC_NOT_FOUND)
		rc = RC_OK;
	if (rc == RC_OK && !x->found && x->waiting && x->form == FORM_OPEN) {
		x->form = FORM_WHOLE;
		x->waiting = false;
		rc = add_whole(x);
	}
	if (rc != RC_OK)
		why_set(why, "the export cannot be read: %s", rc_text(rc));
	return rc;
}

/* ---- the verdict ---- */

static void all_is_well(struct export *x)
{
	struct verification *v = x->v;
	uint64_t after = x->note.size - v->size;

	v->verdict = VERDICT_VERIFIED;
	if (x->form == FORM_PROOFS)
		snprintf(v->text, sizeof(v->text),
		         "%llu record%s, %sproved to be in the log as the checkpoint of %llu records has "
		         "it; which others were left out cannot be told",
		         NUMBER(x->records), x->records == 1 ? "" : "s", x->records == 1 ? "" : "each ", NUMBER(x->note.size));
	else if (x->has_consistency && x->note.size > v->size)
		snprintf(v->text, sizeof(v->text),
		         "%llu record%s, from %llu on, %s that the checkpoint of %llu records vouches for; "
		         "the %llu after %s %s not in the file",
		         NUMBER(x->records), x->records == 1 ? "" : "s", NUMBER(v->first), x->records == 1 ? "is one" : "are those",
		         NUMBER(x->note.size), NUMBER(after), x->records == 1 ? "it" : "them", after == 1 ? "is" : "are");
	else
		snprintf(v->text, sizeof(v->text),
		         "%llu record%s, from %llu on, %s that %zu checkpoint%s vouch%s for",
		         NUMBER(x->records), x->records == 1 ? "" : "s", NUMBER(v->first),
		         x->records == 1 ? "is there and is one" : "are all there and are those", v->checkpoints,
		         v->checkpoints == 1 ? "" : "s", v->checkpoints == 1 ? "es" : "");
}

/* Whoever verifies an export --with-identity has not altered it. */
static void say_named(struct export *x)
{
	size_t size = strlen(x->v->text);

	if (x->v->verdict == VERDICT_TAMPERED && x->named)
		snprintf(x->v->text + size, sizeof(x->v->text) - size,
		         "; its lines have what audit export --with-identity adds: only an export without it is what was hashed");
}

static enum rc conclude(struct export *x)
{
	enum rc rc = RC_OK;

	if (x->found)
		return RC_OK;
	if (x->form == FORM_PROOFS) {
		x->v->size = x->next;
		if (x->waiting)
			find_record(x, x->seq, "has no proof");
		x->v->checkpoints = 1;
		x->v->checkpoint_size = x->note.size;
	} else {
		rc = end_whole(x);
	}
	if (rc != RC_OK || x->found)
		return rc;
	if (x->file.cut)
		unverifiable(x->v, "the file ends within a line, and no checkpoint tells how much is missing");
	else if (x->e.doubt[0])
		unverifiable(x->v, "%s", x->e.doubt);
	else if (x->form != FORM_PROOFS && x->v->checkpoint_size < x->v->size)
		unverifiable(x->v, "nothing signed vouches for the records from %llu on", NUMBER(x->fits));
	else
		all_is_well(x);
	return RC_OK;
}

/* Checkpoints that the vault keeps are of its own log only. */
static void drop_kept(struct evidence *e)
{
	size_t left = 0;

	for (size_t i = 0; i < e->count; i++)
		if (e->at[i].given)
			e->at[left++] = e->at[i];
	e->count = left;
}

static enum rc take_own_note(struct export *x)
{
	const struct log_incarnation *of = NULL;
	const char *other = export_other(&x->file);
	enum rc rc = evidence_open(&x->e, x->o, buf_span(&x->file.note), &x->note, &of);

	x->found = rc != RC_OK;
	x->has_note = x->sealed = true;
	x->own = x->a && of;
	switch (rc) {
	case RC_OK:
		return evidence_add(&x->e, &x->note, true);
	case RC_REFUSED:
		find(x, 0, 0, "the checkpoint in the file was altered: its signature does not verify");
		return RC_OK;
	case RC_NOT_FOUND:
		unverifiable(x->v, "the checkpoint in the file is signed by no key known here: name it with --vkey");
		return RC_OK;
	case RC_INVALID:
		unverifiable(x->v, "%s", other ? other : x->file.end > 0 ? "what follows the last record is no whole checkpoint"
		                                                         : "the file holds neither records nor a checkpoint");
		return RC_OK;
	default:
		return rc;
	}
}

/* The longest of those that were given. */
static void take_given_note(struct export *x)
{
	const char *other;

	for (size_t i = 0; i < x->o->note_count; i++) {
		const struct log_incarnation *of = NULL;
		struct checkpoint c;

		if (evidence_open(&x->e, x->o, x->o->notes[i], &c, &of) != RC_OK ||
		    (x->has_note && c.size <= x->note.size))
			continue;
		x->note = c;
		x->has_note = true;
		x->own = x->a && of;
	}
	if (x->has_note)
		return;
	other = export_other(&x->file);
	unverifiable(x->v, "%s",
	             x->e.doubt[0] ? x->e.doubt
	             : other       ? other
	                           : "there is no checkpoint in the file, and none was given: "
	                             "audit export --checkpoint adds one, --note names one");
	x->found = true;
}

/* The checkpoint that the end is held against. */
static enum rc take_note(struct export *x)
{
	enum rc rc = RC_OK;

	if (x->file.note.size > 0)
		rc = take_own_note(x);
	else
		take_given_note(x);
	if (!x->own)
		drop_kept(&x->e);
	return rc;
}

enum rc admin_verify_export(struct admin *a, int fd, const struct verify_options *o, struct verification *ret,
                            struct why *why)
{
	struct export *x = calloc(1, sizeof(*x));
	enum rc rc;

	if (!x)
		return RC_NOMEM;
	*ret = (struct verification){ 0 };
	*x = (struct export){ .a = a, .o = o, .v = ret, .file.fd = -1 };
	if ((rc = export_open(fd, &x->file, why)) == RC_OK &&
	    (rc = evidence_load(a, o, a != NULL, &x->e, why)) == RC_OK && (rc = take_note(x)) == RC_OK && !x->found &&
	    (rc = read_lines(x, why)) == RC_OK)
		rc = conclude(x);
	if (rc == RC_OK)
		say_named(x);
	txn_abort(x->ledger);
	export_done(&x->file);
	evidence_done(&x->e);
	free(x);
	return rc;
}
