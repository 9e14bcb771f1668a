/* prune.c -- retention: the oldest records go, and the identities that were not seen for long. Nothing goes that the
 * last checkpoint does not vouch for: who altered the log must not be rid of it by waiting.
 *
 * The order: recorded, archived, the vault's `first` moved, rows deleted. So a crash leaves at worst rows below
 * `first`: nobody looks for those any more, and the next prune deletes them. */
#include "admin/log-private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define DELETE_ROWS (4 * (size_t)AUDIT_BUNDLE)     /* a job: some ms of the ledger's lock */
#define IDENTITY_ROWS 2000
#define LINE_DEPTH_MAX 32
#define CHUNK 262144

struct prune {
	struct admin *a;
	uint64_t before_us, identities_before_s;
	int archive;
	struct buf note;
	struct checkpoint last;
	struct tree_range from, to;    /* what is pruned: the records between, and the tree at both ends */
	struct pruned *ret;
};

/* One pass over the lines from a range on. */
struct lines {
	struct tree_range at;
	uint64_t end;
	uint64_t before_us;            /* stop at a record that is not older; UINT64_MAX: at none */
	struct tree_range *bundle;     /* the last bundle that ended; may be NULL */
	struct buf *out;               /* the lines; may be NULL */
	bool gap, stopped;
	enum rc rc;
};

/* ---- reading ---- */

/* A line that says no time is as old as it can be: else it would keep all that come after it. */
static enum rc line_time(struct span line, uint64_t *ret)
{
	json_t *record = NULL;
	json_int_t time;
	enum rc rc = json_strict(line, LINE_DEPTH_MAX, &record, NULL);

	time = json_integer_value(json_object_get(record, "time"));
	*ret = time > 0 ? (uint64_t)time : 0;
	json_decref(record);
	return rc == RC_NOMEM ? rc : RC_OK;
}

static enum rc take_line(struct lines *l, struct span line)
{
	struct tree_hash leaf;
	uint64_t time = 0;
	enum rc rc = RC_OK;

	if (l->before_us < UINT64_MAX && (rc = line_time(line, &time)) == RC_OK && time >= l->before_us) {
		l->stopped = true;
		return RC_OK;
	}
	if (rc != RC_OK || (rc = tree_leaf(line, &leaf)) != RC_OK || (rc = tree_range_add(&l->at, &leaf)) != RC_OK)
		return rc;
	if (l->bundle && l->at.size % AUDIT_BUNDLE == 0)
		*l->bundle = l->at;
	if (l->out) {
		buf_add_span(l->out, line);
		buf_add_char(l->out, '\n');
	}
	return RC_OK;
}

static bool each_line(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct lines *l = arg;

	(void)record;
	if (l->at.size >= l->end)
		return false;
	l->gap = seq != l->at.size;
	if (!l->gap)
		l->rc = take_line(l, line);
	return l->rc == RC_OK && !l->gap && !l->stopped && (!l->out || l->out->size < CHUNK);
}

/* Some of them, in a transaction of their own: a snapshot kept for long keeps pages from being used again. */
static enum rc read_slice(struct prune *p, struct lines *l)
{
	struct txn *ledger = txn_read(p->a->store, ENV_LEDGER);
	uint64_t next, before = l->at.size;
	bool end = false;
	enum rc rc = audit_lines(ledger, before, LOG_SLICE, each_line, l, &next, &end);

	txn_abort(ledger);
	if (rc == RC_OK)
		rc = l->rc;
	l->gap |= rc == RC_OK && end && l->at.size < l->end && !l->stopped;
	return rc;
}

/* ---- what is to go ---- */

static enum rc refused(struct why *why, const char *text)
{
	why_set(why, "nothing was pruned: %s", text);
	return RC_REFUSED;
}

static enum rc begin(struct prune *p, struct why *why)
{
	struct why cause = { { 0 } };
	struct log_name name;
	struct tree_source tree;
	struct txn *ledger;
	enum rc rc = admin_log_name(p->a, &name, &cause);

	if (rc == RC_OK && (rc = admin_checkpoint_last(p->a, &p->note, &p->last, NULL, &cause)) == RC_NOT_FOUND)
		return refused(why, "there is no checkpoint to say what the records were: postern audit checkpoint signs "
		               "one");
	if (rc != RC_OK) {
		why_set(why, "%s", cause.text);
		return rc;
	}
	ledger = txn_read(p->a->store, ENV_LEDGER);
	tree = log_tree(ledger);
	rc = tree_range_of(&tree, name.first, &p->from);
	txn_abort(ledger);
	p->to = p->from;
	if (rc == RC_NOT_FOUND)
		return refused(why, "the hashes of the records pruned before are missing: see postern audit verify");
	return rc;
}

/* Are the records up to there those that the last checkpoint vouches for? */
static enum rc check_found(struct prune *p, bool gap, struct why *why)
{
	struct txn *ledger = txn_read(p->a->store, ENV_LEDGER);
	struct tree_source tree = log_tree(ledger);
	struct tree_proof proof;
	struct tree_hash root;
	enum rc rc = tree_range_root(&p->to, &root);

	if (rc == RC_OK)
		rc = tree_prove_consistency(&tree, p->to.size, p->last.size, &proof);
	txn_abort(ledger);
	if (rc == RC_NOT_FOUND)
		gap = true;
	else if (rc != RC_OK)
		return rc;
	if (gap || !tree_check_consistency(p->to.size, &root, p->last.size, &p->last.root, &proof))
		return refused(why, "the oldest records are not those that the last checkpoint vouches for; postern audit "
		               "verify says more");
	return RC_OK;
}

/* The clock may have been set back, so that a record is older than one before it: the first that is not old ends it. */
static enum rc find(struct prune *p, struct why *why)
{
	struct lines l = { .at = p->from, .end = p->last.size, .before_us = p->before_us, .bundle = &p->to };
	enum rc rc = RC_OK;

	while (rc == RC_OK && !l.gap && !l.stopped && l.at.size < l.end)
		rc = read_slice(p, &l);
	return rc == RC_OK ? check_found(p, l.gap, why) : rc;
}

/* ---- the archive ---- */

static enum rc flush(int fd, struct buf *out, struct why *why)
{
	size_t done = 0;

	if (out->failed)
		return RC_NOMEM;
	while (done < out->size) {
		ssize_t n = write(fd, out->data + done, out->size - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			why_set(why, "the archive cannot be written: %s; nothing was pruned", strerror(errno));
			return n < 0 && (errno == ENOSPC || errno == EDQUOT) ? RC_NOSPACE : RC_IO;
		}
	}
	buf_clear(out);
	return RC_OK;
}

/* The lines are hashed again: what was looked at before is what must be in the file. */
static enum rc archive_lines(struct prune *p, struct buf *out, struct why *why)
{
	struct lines l = { .at = p->from, .end = p->to.size, .before_us = UINT64_MAX, .out = out };
	struct tree_hash was = { { 0 } }, is = { { 0 } };
	enum rc rc = RC_OK;

	while (rc == RC_OK && !l.gap && l.at.size < l.end)
		if ((rc = read_slice(p, &l)) == RC_OK)
			rc = flush(p->archive, out, why);
	if (rc == RC_OK && (rc = tree_range_root(&p->to, &was)) == RC_OK)
		rc = tree_range_root(&l.at, &is);
	if (rc == RC_OK && (l.gap || !tree_hash_equal(&was, &is)))
		return refused(why, "the records changed meanwhile; postern audit verify says more");
	return rc;
}

/* What leads from the last record to the checkpoint. */
static enum rc archive_end(struct prune *p, struct buf *out)
{
	struct txn *ledger = txn_read(p->a->store, ENV_LEDGER);
	struct tree_source tree = audit_tree(ledger);
	struct tree_proof proof;
	enum rc rc = RC_OK;

	if (p->to.size < p->last.size &&
	    (rc = tree_prove_consistency(&tree, p->to.size, p->last.size, &proof)) == RC_OK) {
		audit_form_consistency(out, p->to.size, &proof);
		buf_add_char(out, '\n');
	}
	txn_abort(ledger);
	buf_add_span(out, buf_span(&p->note));
	return rc;
}

static enum rc archive(struct prune *p, struct why *why)
{
	struct buf out = BUF_INIT;
	enum rc rc;

	if (p->archive < 0 || p->to.size == p->from.size)
		return RC_OK;
	if (p->from.size > 0) {
		audit_form_range(&out, &p->from);
		buf_add_char(&out, '\n');
	}
	if ((rc = archive_lines(p, &out, why)) == RC_OK && (rc = archive_end(p, &out)) == RC_OK)
		rc = flush(p->archive, &out, why);
	if (rc == RC_OK && fsync(p->archive) != 0) {
		why_set(why, "the archive cannot be synced: %s; nothing was pruned", strerror(errno));
		rc = RC_IO;
	}
	p->ret->archived = rc == RC_OK;
	buf_done(&out);
	return rc;
}

/* ---- deleting ---- */

/* Another prune may have gone further: it is never moved back. */
static enum rc move_first(struct prune *p)
{
	struct log_names names = { 0 };
	struct txn *vault;
	enum rc rc;

	if (p->to.size == p->from.size)
		return RC_OK;
	vault = txn_write(p->a->store, ENV_VAULT);
	rc = log_names_read(vault, &names);
	if (rc == RC_OK && names.first < p->to.size)
		log_first_set(vault, p->to.size);
	log_names_done(&names);
	txn_fail(vault, rc);
	return txn_end(vault);
}

struct deletion { uint64_t from, to, next; };

static enum rc delete_run(struct txn *ledger, void *arg)
{
	struct deletion *d = arg;

	return audit_prune(ledger, d->from, d->to, DELETE_ROWS, &d->next);
}

/* From 0 on: a prune before may have died before all was gone. */
static enum rc delete_records(struct prune *p, struct writer *writer)
{
	struct deletion d = { .to = p->to.size };
	enum rc rc = RC_OK;

	while (rc == RC_OK && d.from < d.to) {
		rc = writer_call(writer, delete_run, &d);
		d.from = d.next;
	}
	if (rc == RC_OK) {
		p->ret->next = p->to.size;
		p->ret->records = p->to.size - p->from.size;
	}
	return rc;
}

struct forgetting { uint64_t before_s; struct identity_key from, next; size_t gone; };

static enum rc forget_run(struct txn *ledger, void *arg)
{
	struct forgetting *f = arg;

	f->gone = audit_identity_prune(ledger, f->before_s, &f->from, IDENTITY_ROWS, &f->next);
	return txn_rc(ledger);
}

static enum rc delete_identities(struct prune *p, struct writer *writer)
{
	struct forgetting f = { .before_s = p->identities_before_s };
	enum rc rc;

	do {
		rc = writer_call(writer, forget_run, &f);
		if (rc == RC_OK)
			p->ret->identities += f.gone;
		f.from = f.next;
	} while (rc == RC_OK && f.next.size > 0);
	return rc;
}

/* ---- the whole ---- */

static enum rc run(struct prune *p, struct why *why)
{
	struct writer *writer;
	enum rc rc;

	if ((rc = archive(p, why)) != RC_OK)
		return rc;
	if ((rc = admin_writer(p->a, &writer)) == RC_OK && (rc = move_first(p)) == RC_OK &&
	    (rc = delete_records(p, writer)) == RC_OK)
		rc = delete_identities(p, writer);
	if (rc != RC_OK)
		why_set(why, "not everything was pruned; prune again: %s", rc_text(rc));
	return rc;
}

static json_t *plan_members(const struct prune *p)
{
	json_t *m = json_pack("{sIsIsIsI}", "before", (json_int_t)p->before_us, "identities_before",
	                      (json_int_t)p->identities_before_s * 1000000, "first", (json_int_t)p->from.size,
	                      "next", (json_int_t)p->to.size);

	if (m && p->archive >= 0)
		json_object_set_new(m, "archive", json_true());
	return m;
}

static enum rc prune(struct prune *p, struct why *why)
{
	json_t *members = plan_members(p), *result;
	struct audit_record r;
	enum rc rc = members ? event_begin(p->a, &r, NULL, NULL, "prune", members, why) : RC_NOMEM;

	json_decref(members);
	if (rc != RC_OK)
		return rc;
	rc = run(p, why);
	result = json_pack("{sIsI}", "records", (json_int_t)p->ret->records, "identities",
	                   (json_int_t)p->ret->identities);
	event_end(p->a, &r, result, rc);
	json_decref(result);
	return rc;
}

enum rc admin_prune(struct admin *a, uint64_t before_us, uint64_t identities_before_s, int archive_fd,
                    struct pruned *ret, struct why *why)
{
	struct prune *p = calloc(1, sizeof(*p));
	enum rc rc = a->read_only ? RC_READ_ONLY : RC_OK;

	*ret = (struct pruned){ 0 };
	if (!p)
		return RC_NOMEM;
	*p = (struct prune){ .a = a, .before_us = before_us, .identities_before_s = identities_before_s,
	                     .archive = archive_fd, .ret = ret };
	if (rc == RC_OK && (rc = begin(p, why)) == RC_OK) {
		ret->first = ret->next = p->from.size;
		rc = find(p, why);
	}
	if (rc == RC_OK)
		rc = prune(p, why);
	else if (rc != RC_REFUSED)
		why_set(why, "nothing was pruned: %s", rc_text(rc));
	buf_done(&p->note);
	free(p);
	return rc;
}
