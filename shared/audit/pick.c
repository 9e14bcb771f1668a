/* pick.c -- which records of a bundle a filter need look at, by the index. Its rows are hostile input: one that does not
 * decode is none, and a record that one names is looked at like any other. So it can hide a record, but show none. */
#include "audit/audit-private.h"

static uint64_t whole_bundles(struct txn *ledger)
{
	struct span key, line;
	uint64_t whole = 0;
	struct walk w;

	walk_begin(&w, ledger, DB_RECORDS);
	if (walk_prev(&w, &key, &line) && record_key_valid(key))
		whole = (be64_get(key.data) + 1) / INDEX_BUNDLE;
	walk_end(&w);
	return whole;
}

void pick_init(struct pick *p, struct txn *ledger, const struct audit_filter *f)
{
	*p = (struct pick){ .ledger = ledger, .since = f->since, .until = f->until, .bundle = UINT64_MAX };
	p->whole = whole_bundles(ledger);
}

void pick_add(struct pick *p, struct span text)
{
	if (p->count < ARRAY_LEN(p->hash) && index_has(text))
		p->hash[p->count++] = index_hash(text);
}

static void set_all(uint64_t bits[PICK_WORDS], bool value)
{
	memset(bits, value ? 0xff : 0, PICK_WORDS * sizeof(*bits));
}

/* ---- a row: 16 bytes of times, then sorted entries ---- */

static bool row_valid(struct span row)
{
	return row.size >= INDEX_HEAD && (row.size - INDEX_HEAD) % INDEX_ENTRY == 0 &&
	       (row.size - INDEX_HEAD) / INDEX_ENTRY <= INDEX_ENTRIES_MAX;
}

static bool in_time(const struct pick *p, struct span row)
{
	uint64_t oldest = be64_get(row.data), newest = be64_get((const uint8_t *)row.data + 8);

	return (p->since == 0 && p->until == 0) || (newest >= p->since && (p->until == 0 || oldest < p->until));
}

static const uint8_t *entry_at(struct span row, size_t i)
{
	return (const uint8_t *)row.data + INDEX_HEAD + i * INDEX_ENTRY;
}

static uint32_t entry_hash(const uint8_t *entry)
{
	return (uint32_t)entry[0] << 24 | (uint32_t)entry[1] << 16 | (uint32_t)entry[2] << 8 | entry[3];
}

/* The first entry of this hash, or of a greater one. In a row that is not sorted: some entry. */
static size_t find_hash(struct span row, size_t count, uint32_t hash)
{
	size_t from = 0, to = count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (entry_hash(entry_at(row, middle)) < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* false: an entry is of no record of the bundle. */
static bool named(struct span row, uint32_t hash, uint64_t ret[PICK_WORDS])
{
	size_t count = (row.size - INDEX_HEAD) / INDEX_ENTRY;

	set_all(ret, false);
	for (size_t i = find_hash(row, count, hash); i < count && entry_hash(entry_at(row, i)) == hash; i++) {
		size_t record = (size_t)entry_at(row, i)[4] << 8 | entry_at(row, i)[5];

		if (record >= INDEX_BUNDLE)
			return false;
		ret[record / 64] |= UINT64_C(1) << record % 64;
	}
	return true;
}

/* ---- which records may match ---- */

static bool narrow(struct pick *p, struct span row, uint32_t hash)
{
	uint64_t bits[PICK_WORDS];

	if (!named(row, hash, bits))
		return false;
	for (size_t i = 0; i < PICK_WORDS; i++)
		p->bits[i] &= bits[i];
	return true;
}

static void load(struct pick *p, uint64_t bundle)
{
	struct span row;
	uint8_t key[8];

	p->bundle = bundle;
	set_all(p->bits, true);
	if (bundle >= p->whole || !txn_get(p->ledger, DB_INDEX, index_key(key, bundle), &row) || !row_valid(row))
		return;
	set_all(p->bits, in_time(p, row));
	for (size_t i = 0; i < p->count; i++) {
		if (!narrow(p, row, p->hash[i])) {
			set_all(p->bits, true);
			return;
		}
	}
}

/* false: the index is of no use to this filter. */
static bool look(struct pick *p, uint64_t seq)
{
	if (p->count == 0 && p->since == 0 && p->until == 0)
		return false;
	if (p->bundle != seq / INDEX_BUNDLE)
		load(p, seq / INDEX_BUNDLE);
	return true;
}

bool pick_forward(struct pick *p, uint64_t *seq)
{
	size_t at = *seq % INDEX_BUNDLE, word = at / 64;
	uint64_t bits;

	if (!look(p, *seq))
		return true;
	bits = p->bits[word] & UINT64_MAX << at % 64;
	while (bits == 0 && ++word < PICK_WORDS)
		bits = p->bits[word];
	if (bits)
		*seq = p->bundle * INDEX_BUNDLE + word * 64 + (unsigned)__builtin_ctzll(bits);
	return bits != 0;
}

bool pick_back(struct pick *p, uint64_t *seq)
{
	size_t at = *seq % INDEX_BUNDLE, word = at / 64;
	uint64_t bits;

	if (!look(p, *seq))
		return true;
	bits = p->bits[word] & UINT64_MAX >> (63 - at % 64);
	while (bits == 0 && word-- > 0)
		bits = p->bits[word];
	if (bits)
		*seq = p->bundle * INDEX_BUNDLE + word * 64 + 63 - (unsigned)__builtin_clzll(bits);
	return bits != 0;
}
