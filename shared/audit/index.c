/* index.c -- which records of a bundle have which site, outcome and subject, and from when to when they are. It is read
 * off the lines' text just as a filter does that (scan.c), so what a filter would find is in it, hostile lines too. */
#include "audit/audit-private.h"

#include <stdlib.h>

#define NEXT_ROW "indexed_parts"       /* of LEDGER_META: the bundle to be indexed next, 8 bytes, big-endian */

static const char *const members[INDEX_MEMBERS] = { "\"outcome\":\"", "\"site\":\"", "\"subject\":\"" };

/* Of the records of one bundle. An entry: the hash of a member's text, then 16 bits of which record it is. */
struct entries {
	uint64_t *entry;
	size_t count;
	uint64_t oldest, newest;
	bool spoilt;                           /* by a hostile line */
};

struct span index_key(uint8_t key[INDEX_KEY], uint64_t bundle, size_t part)
{
	be64_put(key, bundle);
	key[8] = (uint8_t)(part >> 8);
	key[9] = (uint8_t)part;
	return span_of(key, part ? INDEX_KEY : 8);
}

bool index_has(struct span text)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		size_t size = strlen(members[i]);

		if (text.size > size && memcmp(text.data, members[i], size) == 0)
			return !memchr(text.data, '\\', text.size);
	}
	return false;
}

uint32_t index_hash(struct span text)
{
	return crc32_of(text);
}

/* ---- reading a bundle ---- */

/* Each place where the member stands, up to the quote behind its value. */
static void read_member(struct entries *e, const char *member, struct span line, uint64_t offset)
{
	size_t size = strlen(member), same = 0;

	for (struct span rest = line; member_find(&rest, span_of(member, size)); same++) {
		const char *start = (const char *)rest.data - size, *end = memchr(rest.data, '"', rest.size);

		if (same == INDEX_SAME_MAX)
			e->spoilt = true;
		if (!end || e->spoilt)
			return;
		e->entry[e->count++] = (uint64_t)index_hash(span_of(start, (size_t)(end - start) + 1)) << 16 | offset;
	}
}

static void read_line(struct entries *e, struct span line, uint64_t offset)
{
	struct span rest = line;
	uint64_t time;

	e->spoilt |= line.size > AUDIT_LINE_MAX;
	for (size_t i = 0; i < ARRAY_LEN(members) && !e->spoilt; i++)
		read_member(e, members[i], line, offset);
	while (!e->spoilt && member_time(&rest, &time)) {
		e->oldest = time < e->oldest ? time : e->oldest;
		e->newest = time > e->newest ? time : e->newest;
	}
}

static void read_bundle(struct entries *e, struct txn *ledger, uint64_t bundle)
{
	struct span key, line;
	uint8_t start[8];
	struct walk w;

	be64_put(start, bundle * INDEX_BUNDLE);
	walk_begin(&w, ledger, DB_RECORDS);
	for (bool found = walk_seek(&w, span_of(start, sizeof(start)), &key, &line); found && !e->spoilt;
	     found = walk_next(&w, &key, &line)) {
		if (!record_key_valid(key))
			txn_fail(ledger, RC_CORRUPT);
		else if (be64_get(key.data) / INDEX_BUNDLE != bundle)
			break;
		else
			read_line(e, line, be64_get(key.data) % INDEX_BUNDLE);
	}
	walk_end(&w);
}

/* ---- building ---- */

static int compare_entries(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void put_part(struct txn *ledger, uint64_t bundle, const struct entries *e, size_t part, struct buf *row)
{
	uint8_t key[INDEX_KEY];

	buf_clear(row);
	if (part == 0) {
		buf_put_u64(row, e->oldest);
		buf_put_u64(row, e->newest);
		buf_put_u32(row, (uint32_t)e->count);
	}
	for (size_t i = part * INDEX_PART; i < e->count && i < (part + 1) * INDEX_PART; i++) {
		uint8_t entry[8];

		be64_put(entry, e->entry[i]);
		buf_add(row, entry + 2, INDEX_ENTRY);
	}
	if (row->failed)
		txn_fail(ledger, RC_NOMEM);
	txn_put(ledger, DB_INDEX, index_key(key, bundle, part), buf_span(row));
}

static void put_parts(struct txn *ledger, uint64_t bundle, const struct entries *e)
{
	struct buf row = BUF_INIT;
	size_t part = 0;

	index_forget(ledger, bundle);
	do
		put_part(ledger, bundle, e, part, &row);
	while (++part * INDEX_PART < e->count);
	buf_done(&row);
}

static void index_bundle(struct txn *ledger, uint64_t bundle)
{
	struct entries e = { .entry = calloc(INDEX_ENTRIES_MAX, sizeof(*e.entry)), .oldest = UINT64_MAX };

	if (e.entry)
		read_bundle(&e, ledger, bundle);
	else
		txn_fail(ledger, RC_NOMEM);
	if (txn_rc(ledger) == RC_OK && e.spoilt) {
		index_forget(ledger, bundle);
	} else if (txn_rc(ledger) == RC_OK) {
		qsort(e.entry, e.count, sizeof(*e.entry), compare_entries);
		put_parts(ledger, bundle, &e);
	}
	free(e.entry);
}

void index_forget(struct txn *ledger, uint64_t bundle)
{
	uint8_t key[INDEX_KEY];

	for (size_t part = 0; part < INDEX_PARTS; part++)
		txn_del(ledger, DB_INDEX, index_key(key, bundle, part));
}

/* ---- where it stands ---- */

static uint64_t first_bundle(struct txn *ledger)
{
	struct span key, line;
	uint64_t bundle = 0;
	struct walk w;

	walk_begin(&w, ledger, DB_RECORDS);
	if (walk_next(&w, &key, &line) && record_key_valid(key))
		bundle = be64_get(key.data) / INDEX_BUNDLE;
	walk_end(&w);
	return bundle;
}

/* Of so many whole ones. The row is hostile input like the others: one from beyond the log's end begins anew. */
static uint64_t next_bundle(struct txn *ledger, uint64_t whole)
{
	uint64_t next = 0, first = first_bundle(ledger);
	struct span row;

	if (txn_get(ledger, DB_LEDGER_META, span_str(NEXT_ROW), &row) && row.size == 8)
		next = be64_get(row.data);
	if (next > whole)
		next = 0;
	return next > first ? next : first;
}

bool audit_index_behind(struct txn *ledger)
{
	uint64_t whole = audit_size(ledger) / INDEX_BUNDLE;

	return next_bundle(ledger, whole) < whole;
}

enum rc audit_index(struct txn *ledger, size_t max, bool *ret_more)
{
	uint64_t whole = audit_size(ledger) / INDEX_BUNDLE, next = next_bundle(ledger, whole);
	uint8_t row[8];

	if (txn_rc(ledger) == RC_OK && max < INDEX_BUNDLE)
		return RC_INVALID;
	for (size_t left = max / INDEX_BUNDLE; left > 0 && next < whole && txn_rc(ledger) == RC_OK; left--) {
		index_bundle(ledger, next++);
		be64_put(row, next);
		txn_put(ledger, DB_LEDGER_META, span_str(NEXT_ROW), span_of(row, sizeof(row)));
	}
	if (txn_rc(ledger) == RC_OK)
		*ret_more = next < whole;
	return txn_rc(ledger);
}
