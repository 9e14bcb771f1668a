/* verify-pass.c -- one pass over the log: every line hashed anew, held against its leaf, the tiles above it and the
 * checkpoints on the way. In slices: no snapshot is kept long. */
#include "admin/log-private.h"

#include <stdarg.h>
#include <stdio.h>

#define TILE_HASHES ((size_t)1 << TILE_BITS)
#define NUMBER(n)   ((unsigned long long)(n))

/* ---- what was found ---- */

static void text_put(struct verification *v, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

static void text_put(struct verification *v, const char *fmt, va_list args)
{
	vsnprintf(v->text, sizeof(v->text), fmt, args);
}

void tampered(struct verification *v, uint64_t at, uint64_t at_end, const char *fmt, ...)
{
	va_list args;

	v->verdict = VERDICT_TAMPERED;
	v->at = at;
	v->at_end = at_end;
	v->at_known = at_end != 0 && at_end - at == 1;
	va_start(args, fmt);
	text_put(v, fmt, args);
	va_end(args);
}

void truncated(struct verification *v, uint64_t have, uint64_t want)
{
	v->verdict = VERDICT_TRUNCATED;
	v->have = have;
	v->want = want;
	snprintf(v->text, sizeof(v->text), "there %s %llu record%s, and a checkpoint speaks of %llu", have == 1 ? "is" : "are",
	         NUMBER(have), have == 1 ? "" : "s", NUMBER(want));
}

void unverifiable(struct verification *v, const char *fmt, ...)
{
	va_list args;

	v->verdict = VERDICT_UNVERIFIABLE;
	va_start(args, fmt);
	text_put(v, fmt, args);
	va_end(args);
}

/* ---- a line ---- */

/* Behind the string that begins at `at`; NULL: it does not end. Only a quotation mark behind a backslash may be within it,
 * and few lines have one: the others need no look at each byte. */
static const char *string_end(const char *at, const char *end)
{
	const char *quote = memchr(at + 1, '"', (size_t)(end - at - 1));

	if (!quote || quote[-1] != '\\')
		return quote ? quote + 1 : NULL;
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : NULL;
}

static bool number_at(const char *at, const char *end, uint64_t *ret)
{
	const char *from = at;
	uint64_t n = 0;

	for (; at < end && *at >= '0' && *at <= '9' && at - from < 19; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	*ret = n;
	return at > from && at < end && (*at == ',' || *at == '}') && (*from != '0' || at == from + 1);
}

bool line_seq(struct span line, uint64_t *ret)
{
	const char *at = line.data, *end = at ? at + line.size : NULL;
	size_t depth = 0;

	if (line.size == 0 || *at != '{')
		return false;
	while (at && at < end) {
		const char *from = at;

		if (*at != '"') {
			depth += *at == '{' || *at == '[';
			depth -= depth > 0 && (*at == '}' || *at == ']');
			at++;
			continue;
		}
		at = string_end(at, end);
		if (at && at < end && *at == ':' && depth == 1 &&
		    span_is(span_of(from, (size_t)(at - from)), "\"seq\""))
			return number_at(at + 1, end, ret);
	}
	return false;
}

/* ---- the log ---- */

static enum rc tree_get(void *arg, unsigned level, uint64_t index, struct tree_hash *ret)
{
	unsigned within = level % TILE_BITS;
	size_t count = (size_t)1 << within, at = (index << within) & (TILE_HASHES - 1);
	struct tree_range range = { 0 };
	const struct tree_hash *hash;
	struct span row;
	enum rc rc = RC_OK;

	if (!audit_tile(arg, level / TILE_BITS, (index << within) >> TILE_BITS, &row) ||
	    row.size < (at + count) * TREE_HASH_SIZE)
		return txn_rc(arg) != RC_OK ? txn_rc(arg) : RC_NOT_FOUND;
	hash = row.data;
	for (size_t i = 0; i < count && rc == RC_OK; i++)
		rc = tree_range_add(&range, &hash[at + i]);
	if (rc == RC_OK)
		*ret = range.hash[0];
	return rc;
}

struct tree_source log_tree(struct txn *ledger)
{
	return (struct tree_source){ .get = tree_get, .arg = ledger };
}

/* Rows that were removed leave their leaves behind, if whoever did it was careless. */
enum rc log_end(struct store *st, uint64_t *ret_rows, uint64_t *ret)
{
	struct txn *ledger = txn_read(st, ENV_LEDGER);
	uint64_t end = audit_size(ledger), leaves = 0;
	struct span row;
	enum rc rc;

	if (audit_tile(ledger, 0, end >> TILE_BITS, &row))
		leaves = (end & ~(uint64_t)(TILE_HASHES - 1)) + row.size / TREE_HASH_SIZE;
	rc = txn_end(ledger);
	if (rc == RC_CORRUPT) {
		rc = RC_OK;
		end = UINT64_MAX;
	}
	if (ret_rows)
		*ret_rows = end;
	*ret = leaves > end ? leaves : end;
	return rc;
}

/* ---- where the pass is ---- */

void pass_begin(struct pass *p, const struct tree_range *from)
{
	size_t used = 0;

	p->next = from->size;
	for (size_t level = TILE_LEVELS; level-- > 0;) {
		struct tree_range *t = &p->tile[level];

		t->size = from->size >> (level * TILE_BITS) & (TILE_HASHES - 1);
		t->count = (size_t)__builtin_popcountll(t->size);
		memcpy(t->hash, from->hash + used, t->count * sizeof(t->hash[0]));
		used += t->count;
	}
}

enum rc pass_root(const struct pass *p, struct tree_hash *ret)
{
	struct tree_range whole = { .size = p->next };

	for (size_t level = TILE_LEVELS; level-- > 0;) {
		const struct tree_range *t = &p->tile[level];

		memcpy(whole.hash + whole.count, t->hash, t->count * sizeof(t->hash[0]));
		whole.count += t->count;
	}
	return tree_range_root(&whole, ret);
}

static void find(struct pass *p, uint64_t at, uint64_t at_end, const char *text)
{
	tampered(p->v, at, at_end, "%s", text);
	p->found = true;
}

/* ---- checkpoints on the way ---- */

static void misfit(struct pass *p, const struct vouched *c)
{
	char text[256];

	if (p->fits == c->size && p->v->checkpoints > 0)
		snprintf(text, sizeof(text), "two checkpoints of %llu records do not have the same root",
		         NUMBER(c->size));
	else if (p->v->checkpoints > 0)
		snprintf(text, sizeof(text),
		         "the checkpoint of %llu records fits, that of %llu does not: records or hashes "
		         "from %llu to %llu were altered together with the tree",
		         NUMBER(p->fits), NUMBER(c->size), NUMBER(p->fits), NUMBER(c->size - 1));
	else
		snprintf(text, sizeof(text),
		         "the first checkpoint, of %llu records, does not fit: records or hashes before "
		         "it were altered together with the tree",
		         NUMBER(c->size));
	find(p, p->fits, c->size, text);
}

/* Those that speak of exactly the records seen so far. */
static enum rc hold(struct pass *p)
{
	struct tree_hash root;
	enum rc rc = RC_OK;

	while (p->used < p->count && p->vouched[p->used].size == p->next && !p->found && rc == RC_OK) {
		const struct vouched *c = &p->vouched[p->used];

		rc = pass_root(p, &root);
		if (rc == RC_OK && !tree_hash_equal(&root, &c->root)) {
			misfit(p, c);
		} else if (rc == RC_OK) {
			p->used++;
			p->fits = p->v->checkpoint_size = c->size;
			p->v->checkpoints++;
		}
	}
	return rc;
}

/* ---- records ---- */

/* One slice. The leaf tile is borrowed from its transaction. */
struct slice {
	struct txn *ledger;
	struct walk walk;
	bool has_tile;
	struct span tile; /* of leaves, the one that pass.next is in */
};

static bool same_hash(struct span tile, size_t at, const struct tree_hash *hash)
{
	return tile.size >= (at + 1) * TREE_HASH_SIZE &&
	       memcmp((const char *)tile.data + at * TREE_HASH_SIZE, hash->at, TREE_HASH_SIZE) == 0;
}

/* A tile is full: does the level above hold its root? */
static void check_above(struct pass *p, struct txn *ledger, unsigned level, const struct tree_hash *root)
{
	unsigned bits = level * TILE_BITS;
	uint64_t index = p->next >> bits;
	struct span tile = { 0 };
	char text[160];

	if (p->found ||
	    (audit_tile(ledger, level, index >> TILE_BITS, &tile) && same_hash(tile, index & (TILE_HASHES - 1), root)))
		return;
	snprintf(text, sizeof(text), "records %llu to %llu do not have the hash that the tree keeps of them together",
	         NUMBER(index << bits), NUMBER(((index + 1) << bits) - 1));
	find(p, index << bits, (index + 1) << bits, text);
}

static enum rc add_leaf(struct pass *p, struct txn *ledger, const struct tree_hash *leaf)
{
	struct tree_hash grown = *leaf;
	enum rc rc = RC_OK;

	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		struct tree_range *t = &p->tile[level];

		if ((rc = tree_range_add(t, &grown)) != RC_OK || t->size < TILE_HASHES)
			break;
		grown = t->hash[0];
		t->size = t->count = 0;
		check_above(p, ledger, level + 1, &grown);
	}
	p->next++;
	return rc;
}

static enum rc look(struct pass *p, struct slice *s, struct span line)
{
	size_t at = p->next & (TILE_HASHES - 1);
	struct tree_hash leaf;
	uint64_t seq;
	char text[160];
	enum rc rc = tree_leaf(line, &leaf);

	if (rc != RC_OK)
		return rc;
	if (at == 0 || !s->has_tile) {
		s->tile = (struct span){ 0 };
		s->has_tile = audit_tile(s->ledger, 0, p->next >> TILE_BITS, &s->tile);
	}
	if (!same_hash(s->tile, at, &leaf))
		snprintf(text, sizeof(text), "record %llu is not what was hashed when it was written", NUMBER(p->next));
	else if (!line_seq(line, &seq) || seq != p->next)
		snprintf(text, sizeof(text), "what stands in the place of record %llu is not that record",
		         NUMBER(p->next));
	else
		return add_leaf(p, s->ledger, &leaf);
	find(p, p->next, p->next + 1, text);
	return RC_OK;
}

/* The row of p->next, where the walk is; false: it is not there. */
static bool right_row(const struct pass *p, struct span key)
{
	return key.size == 8 && be64_get(key.data) == p->next;
}

static enum rc slice_run(struct pass *p, struct slice *s)
{
	struct span key, line;
	uint8_t from[8];
	enum rc rc = RC_OK;
	bool row;

	be64_put(from, p->next);
	row = walk_seek(&s->walk, span_of(from, sizeof(from)), &key, &line);
	for (size_t rows = 0; rows < LOG_SLICE && p->next < p->size && rc == RC_OK; rows++) {
		if (!row) {
			p->ended = true;
			break;
		}
		if (!right_row(p, key))
			find(p, p->next, p->next + 1, "a record is missing, and others come after it");
		else
			rc = look(p, s, line);
		if (rc == RC_OK && !p->found)
			rc = hold(p);
		if (p->found)
			break;
		row = walk_next(&s->walk, &key, &line);
	}
	return rc;
}

/* A file that LMDB cannot read is no log any more; where, is known. */
static enum rc slice(struct pass *p)
{
	struct slice s = { .ledger = txn_read(p->store, ENV_LEDGER) };
	enum rc rc, read;

	walk_begin(&s.walk, s.ledger, DB_RECORDS);
	rc = slice_run(p, &s);
	walk_end(&s.walk);
	read = txn_end(s.ledger);
	if (rc != RC_OK || read == RC_OK || p->found)
		return rc;
	p->ended = false;
	if (read == RC_CORRUPT)
		find(p, p->next, p->next + 1, "the ledger's file is damaged: a record cannot be read");
	return read == RC_CORRUPT ? RC_OK : read;
}

enum rc pass_run(struct pass *p, struct why *why)
{
	enum rc rc = hold(p);

	while (rc == RC_OK && !p->found && !p->ended && p->next < p->size) {
		rc = slice(p);
		if (rc == RC_OK && p->progress && !p->progress(p->next, p->size, p->arg))
			rc = RC_STOPPING;
	}
	if (rc != RC_OK)
		why_set(why, "the log cannot be read: %s", rc_text(rc));
	return rc;
}
