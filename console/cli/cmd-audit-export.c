/* cmd-audit-export.c -- postern audit export: the log in the forms other programs read, once or for ever, on its own or
 * with what proves it. */
#include "console/cli/cmd-audit-private.h"

#include <unistd.h>

#define CHUNK (UINT64_C(1) << 20)      /* bytes of a slice, about */

#define FILTERS \
	(BIT(OPT_SITE) | BIT(OPT_SINCE) | BIT(OPT_UNTIL) | BIT(OPT_OUTCOME) | BIT(OPT_REASON) | BIT(OPT_ACTION) | \
	 BIT(OPT_EMAIL) | BIT(OPT_REMOTE) | BIT(OPT_KID))

struct export {
	struct call *call;
	struct filter filter;
	const struct audit_form *form;
	const char *row_end;
	bool follow, checkpoint, proofs, whole;        /* whole: no filter, so nothing need be parsed */
	struct log_name log;
	struct state state;
	struct buf note;               /* what stands behind the last record */
	uint64_t next, end;            /* where to go on; the first that is not exported: the note's size, or none */
	size_t rows;
	struct buf out;                /* the slice, formatted; printed when no transaction is open any more */
	struct txn *ledger;
	enum rc rc;
	struct progress progress;
};

/* ---- what goes together ---- */

struct clash { enum opt opt; uint64_t with; const char *why; };

static const struct clash clashes[] = {
	{ OPT_CHECKPOINT, FILTERS, "is for whole ranges: filter with --proofs" },
	{ OPT_CHECKPOINT, BIT(OPT_PROOFS), "and --proofs: each ends with a checkpoint, one is enough" },
	{ OPT_CHECKPOINT, BIT(OPT_FOLLOW) | BIT(OPT_WITH_IDENTITY) | BIT(OPT_JSON),
	  "is for the stored lines up to their last: no --follow, --with-identity or --json" },
	{ OPT_PROOFS, BIT(OPT_FOLLOW) | BIT(OPT_WITH_IDENTITY) | BIT(OPT_JSON),
	  "is for the stored lines up to a checkpoint: no --follow, --with-identity or --json" },
	{ OPT_STATE, BIT(OPT_AFTER) | BIT(OPT_SINCE) | BIT(OPT_UNTIL),
	  "says itself where to go on: no --after, --since or --until" },
	{ OPT_FOLLOW, BIT(OPT_UNTIL) | BIT(OPT_WITH_IDENTITY) | BIT(OPT_JSON),
	  "has no end: no --until, --with-identity or --json" },
};

static int check_options(const struct call *c, const struct audit_form *form)
{
	const struct arguments *a = &c->args;

	if (!form)
		return usage_error(c, "--format is jsonl, csv, ecs or cef");
	for (size_t i = 0; i < ARRAY_LEN(clashes); i++)
		if (args_given(a, clashes[i].opt) && a->given & clashes[i].with)
			return usage_error(c, "--%s %s", option_rows[clashes[i].opt].name, clashes[i].why);
	if (!form->bare && a->given & (BIT(OPT_CHECKPOINT) | BIT(OPT_PROOFS) | BIT(OPT_JSON)))
		return usage_error(c, "--checkpoint, --proofs and --json are for --format jsonl");
	return EXIT_YES;
}

static int parse(struct call *c, struct export *e)
{
	const struct arguments *a = &c->args;
	int code;

	e->form = audit_form_find(args_given(a, OPT_FORMAT) ? a->text[OPT_FORMAT] : "jsonl");
	if ((code = check_options(c, e->form)) != EXIT_YES || (code = filter_parse(c, &e->filter)) != EXIT_YES)
		return code;
	e->filter.f.unindexed = true;          /* what it prints leaves the host as evidence */
	e->follow = args_given(a, OPT_FOLLOW);
	e->checkpoint = args_given(a, OPT_CHECKPOINT);
	e->proofs = args_given(a, OPT_PROOFS);
	e->whole = !(a->given & FILTERS);
	e->row_end = isatty(STDOUT_FILENO) ? "\n" : e->form->row_end;
	return EXIT_YES;
}

/* ---- before the first record ---- */

/* Only who may change the data can sign; who may not takes the last checkpoint there is. */
static int open_to_sign(struct call *c)
{
	struct admin_options o = { .dir = c->args.text[OPT_DATA] };
	enum rc rc = admin_open(&o, &c->admin, &c->why);

	if (rc != RC_READ_ONLY)
		return call_end(c, rc);
	c->why.text[0] = '\0';
	return call_open(c, true);
}

static uint64_t log_size(const struct export *e)
{
	struct txn *ledger = txn_read(admin_store(e->call->admin), ENV_LEDGER);
	uint64_t size = audit_size(ledger);

	txn_abort(ledger);
	return size;
}

static enum rc last_note(struct export *e)
{
	struct checkpoint ignored;

	return admin_checkpoint_last(e->call->admin, &e->note, &ignored, NULL, &e->call->why);
}

static int sign(struct export *e)
{
	struct call *c = e->call;
	struct verification found = { .verdict = VERDICT_UNVERIFIABLE };
	bool new;
	enum rc rc = admin_checkpoint(c->admin, &e->note, &new, &found, &c->why);

	if (rc == RC_READ_ONLY) {
		c->why.text[0] = '\0';
		rc = last_note(e);
	}
	if (rc == RC_REFUSED)
		talk("no checkpoint is signed: %s", found.text);
	return call_end(c, rc);
}

/* Whatever the vault keeps, only a checkpoint of this log makes an export that verifies. */
static int take_note(struct export *e)
{
	struct call *c = e->call;
	struct checkpoint checkpoint;
	int code;
	enum rc rc;

	if (!e->checkpoint && !e->proofs)
		return EXIT_YES;
	code = e->checkpoint ? sign(e) : call_end(c, last_note(e));
	if (code != EXIT_YES)
		return code;
	rc = checkpoint_open(buf_span(&e->note), &e->log.key, &checkpoint);
	if (rc != RC_OK)
		why_set(&c->why, "the checkpoint that is kept is not this log's: %s", rc_text(rc));
	else
		e->end = checkpoint.size;
	return call_end(c, rc);
}

static int find_start(struct export *e)
{
	struct call *c = e->call;
	uint64_t size = log_size(e);
	int code;

	if ((code = state_open(c, &e->state, &e->log, size)) != EXIT_YES)
		return code;
	if (e->state.has_after)
		e->next = e->state.after + 1;
	else if (e->filter.f.has_after)
		e->next = e->filter.f.after + 1;
	else if (e->follow && !e->state.path && !e->filter.f.since)
		e->next = size;
	if (e->note.size && e->next < e->log.first)
		e->next = e->log.first;
	if (e->next <= e->end)
		return EXIT_YES;
	talk("the checkpoint covers the records below %llu, and the export would begin with %llu: run postern audit "
	     "checkpoint", (unsigned long long)e->end, (unsigned long long)e->next);
	return EXIT_UNSURE;
}

/* A log that has no name yet gets it from the first who may give it one. */
static int take_name(struct export *e)
{
	struct call *c = e->call;
	enum rc rc = admin_log_name(c->admin, &e->log, &c->why);
	int code;

	if (rc != RC_NOT_FOUND)
		return call_end(c, rc);
	admin_close(c->admin);         /* it only read: no thread is left behind */
	c->admin = NULL;
	c->why.text[0] = '\0';
	code = open_to_sign(c);
	return code == EXIT_YES ? call_end(c, admin_log_name(c->admin, &e->log, &c->why)) : code;
}

static int begin(struct export *e)
{
	struct call *c = e->call;
	bool named = !e->form->bare || args_given(&c->args, OPT_STATE) || e->checkpoint || e->proofs;
	int code = e->checkpoint ? open_to_sign(c) : call_open(c, !e->filter.with_identity);

	if (code == EXIT_YES)
		code = filter_begin(c, &e->filter, e->form->name);
	if (code == EXIT_YES && named)
		code = take_name(e);
	if (code == EXIT_YES)
		code = take_note(e);
	return code == EXIT_YES ? find_start(e) : code;
}

/* ---- records ---- */

static void row_end(struct export *e)
{
	buf_add_str(&e->out, e->row_end);
}

static void add_proof(struct export *e, uint64_t seq)
{
	struct tree_source tree = audit_tree(e->ledger);
	struct tree_proof proof;

	e->rc = tree_prove_inclusion(&tree, seq, e->end, &proof);
	if (e->rc == RC_OK)
		audit_form_proof(&e->out, seq, &proof);
	else
		why_set(&e->call->why, "record %llu cannot be proved: %s (see: postern audit verify)", (unsigned long long)seq,
		        rc_text(e->rc));
	row_end(e);
}

/* With a checkpoint every record there was is needed. false: this one is not the next. */
static bool in_sequence(struct export *e, uint64_t seq)
{
	if (!e->checkpoint || seq == e->next)
		return true;
	why_set(&e->call->why, "record %llu is not in the log (see: postern audit verify)", (unsigned long long)e->next);
	e->rc = RC_CORRUPT;
	return false;
}

static bool add_row(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct export *e = arg;
	struct audit_row row = { .origin = e->log.origin, .seq = seq, .line = line, .record = record,
	                         .joined = e->filter.with_identity };
	struct audit_identity who;

	if (seq >= e->end || !in_sequence(e, seq))
		return false;
	if (row.joined && record_identity(e->call, e->ledger, record, &who))
		row.who = &who;
	e->rc = e->form->row(&e->out, &row);
	row_end(e);
	if (e->proofs && e->rc == RC_OK)
		add_proof(e, seq);
	if (e->out.failed)
		e->rc = RC_NOMEM;
	e->next = seq + 1;
	e->rows++;
	return e->rc == RC_OK && e->out.size < CHUNK;
}

static enum rc read_slice(struct export *e, bool *ret_end)
{
	uint64_t next = e->next;
	enum rc rc;

	e->ledger = txn_read(admin_store(e->call->admin), ENV_LEDGER);
	if (e->whole && e->form->bare && !e->filter.with_identity)
		rc = audit_lines(e->ledger, e->next, SLICE, add_row, e, &next, ret_end);
	else
		rc = audit_scan(e->ledger, &e->filter.f, e->next, SLICE, add_row, e, &next, ret_end);
	txn_abort(e->ledger);
	if (rc == RC_OK)
		rc = e->rc;
	if (rc == RC_OK && !e->checkpoint)
		e->next = next < e->end ? next : e->end;
	*ret_end |= e->next >= e->end;
	return rc;
}

/* For a terminal a line at a time, so that the breaks between them are ours. */
static void print_lines(const struct buf *lines)
{
	const char *at = lines->data, *end = at + lines->size;

	for (const char *stop; at < end; at = stop + 1) {
		struct buf line = BUF_INIT;

		stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			stop = end;
		buf_add(&line, at, (size_t)(stop - at));
		out_buf(&line);
		putchar('\n');
		buf_done(&line);
	}
}

static void print_out(struct export *e)
{
	if (e->out.size && isatty(STDOUT_FILENO))
		print_lines(&e->out);
	else if (e->out.size)
		out_buf(&e->out);
	buf_clear(&e->out);
}

/* ---- from the first line to the last ---- */

/* What the exported records need from those before them. */
static enum rc add_range(struct export *e)
{
	struct txn *ledger = txn_read(admin_store(e->call->admin), ENV_LEDGER);
	struct tree_source tree = audit_tree(ledger);
	struct tree_range range;
	enum rc rc = tree_range_of(&tree, e->next, &range);

	txn_abort(ledger);
	if (rc != RC_OK) {
		why_set(&e->call->why, "the hashes of the records before %llu cannot be read: %s (see: postern audit verify)",
		        (unsigned long long)e->next, rc_text(rc));
		return rc;
	}
	audit_form_range(&e->out, &range);
	row_end(e);
	return RC_OK;
}

static enum rc print_head(struct export *e)
{
	enum rc rc = RC_OK;

	if (e->form->head) {
		e->form->head(&e->out, e->filter.with_identity);
		row_end(e);
	}
	if (e->note.size && e->next > 0)
		rc = add_range(e);
	print_out(e);
	return rc;
}

static enum rc print_records(struct export *e)
{
	bool end = e->next >= e->end;
	uint64_t size = e->follow ? 0 : log_size(e);
	enum rc rc = RC_OK;

	while (rc == RC_OK && !end && out_ok() && !follow_stopped()) {
		rc = read_slice(e, &end);
		print_out(e);
		if (!e->follow)
			progress_show(e->next, size, &e->progress);
		if (e->follow && rc == RC_OK && follow_flush())
			rc = state_move(e->call, &e->state, e->next, false);
	}
	return rc;
}

/* The last line of what was promised; only then is there a note, and only then may a state say it was exported. */
static enum rc finish(struct export *e)
{
	if (e->checkpoint && e->next < e->end) {
		in_sequence(e, UINT64_MAX);
		return e->rc;
	}
	if (e->note.size) {
		buf_add_span(&e->out, buf_span(&e->note));
		print_out(e);
	}
	return out_finish() ? state_move(e->call, &e->state, e->next, true) : RC_OK;
}

static enum rc follow(struct export *e)
{
	enum rc rc = RC_OK;

	follow_begin();
	while (rc == RC_OK && !follow_stopped() && out_ok()) {
		rc = print_records(e);
		if (rc == RC_OK && out_ok())
			rc = state_move(e->call, &e->state, e->next, false);
		if (rc == RC_OK && out_ok())
			rc = follow_wait(e->call);
	}
	return rc;
}

static enum rc export(struct export *e)
{
	enum rc rc = print_head(e);

	if (rc == RC_OK && e->follow)
		rc = follow(e);
	else if (rc == RC_OK)
		rc = print_records(e);
	progress_end(&e->progress);
	return rc == RC_OK && out_ok() ? finish(e) : rc;
}

/* ---- --json: one array ---- */

static enum rc export_array(struct export *e)
{
	struct lines l = { .limit = SLICE };
	struct audit_identity who;
	bool end = false;
	size_t printed = 0;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !end && out_ok()) {
		rc = lines_read(e->call, audit_scan, &e->filter.f, &e->next, &l, &end);
		for (size_t i = 0; i < l.count; i++) {
			bool kept = e->filter.with_identity && line_identity(e->call, &l.at[i], &who);

			putchar(printed++ == 0 ? '[' : ',');
			line_print(&l.at[i], true, e->filter.with_identity, kept ? &who : NULL);
		}
		lines_clear(&l);
	}
	lines_done(&l);
	out_array_end(printed);
	return rc == RC_OK && out_finish() ? state_move(e->call, &e->state, e->next, true) : rc;
}

int run_audit_export(struct call *c)
{
	struct export e = { .call = c, .end = UINT64_MAX, .state.lock = -1 };
	int code = parse(c, &e);

	if (code == EXIT_YES && (code = begin(&e)) == EXIT_YES) {
		progress_begin(&e.progress);
		code = call_end(c, args_given(&c->args, OPT_JSON) ? export_array(&e) : export(&e));
	}
	state_close(&e.state);
	buf_done(&e.note);
	buf_done(&e.out);
	return code;
}
