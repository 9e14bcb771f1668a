/* pick.c -- which records of a bundle a filter need look at, by the index. Its rows are hostile input: one that does not
 * decode is none, and a record that one names is looked at like any other. So it can hide a record, but show none: an export
 * does without. */
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
	if (!f->unindexed)                     /* without whole bundles the index is never asked */
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

/* ---- a bundle's index, in its parts ---- */

struct index {
	struct txn *ledger;
	uint64_t bundle;
	size_t count;                          /* entries */
	size_t part;                           /* the one whose entries these are */
	const uint8_t *entries;
	bool bad;                              /* a part is not there, or not of its size */
};

static bool open_part(struct index *x, size_t part)
{
	size_t first = part * INDEX_PART, count = x->count - first < INDEX_PART ? x->count - first : INDEX_PART;
	size_t head = part ? 0 : INDEX_HEAD;
	uint8_t key[INDEX_KEY];
	struct span row;

	x->part = part;
	if (!txn_get(x->ledger, DB_INDEX, index_key(key, x->bundle, part), &row) || row.size != head + count * INDEX_ENTRY)
		return false;
	x->entries = (const uint8_t *)row.data + head;
	return true;
}

/* *ret_head: the first part. */
static bool open_index(struct index *x, struct span *ret_head)
{
	uint8_t key[INDEX_KEY];

	if (!txn_get(x->ledger, DB_INDEX, index_key(key, x->bundle, 0), ret_head) || ret_head->size < INDEX_HEAD)
		return false;
	x->count = be32_get((const uint8_t *)ret_head->data + 16);
	return x->count <= INDEX_ENTRIES_MAX && open_part(x, 0);
}

static bool in_time(const struct pick *p, struct span head)
{
	uint64_t oldest = be64_get(head.data), newest = be64_get((const uint8_t *)head.data + 8);

	return (p->since == 0 && p->until == 0) || (newest >= p->since && (p->until == 0 || oldest < p->until));
}

/* NULL: its part is bad. */
static const uint8_t *entry_at(struct index *x, size_t i)
{
	if (i / INDEX_PART != x->part && !open_part(x, i / INDEX_PART))
		x->bad = true;
	return x->bad ? NULL : x->entries + i % INDEX_PART * INDEX_ENTRY;
}

/* The first entry of this hash, or of a greater one. In an index that is not sorted: some entry. */
static size_t find_hash(struct index *x, uint32_t hash)
{
	size_t from = 0, to = x->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const uint8_t *entry = entry_at(x, middle);

		if (entry && be32_get(entry) < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* false: an entry is of no record of the bundle, or cannot be read. */
static bool named(struct index *x, uint32_t hash, uint64_t ret[PICK_WORDS])
{
	const uint8_t *entry;

	set_all(ret, false);
	for (size_t i = find_hash(x, hash); i < x->count && (entry = entry_at(x, i)) && be32_get(entry) == hash; i++) {
		size_t record = (size_t)entry[4] << 8 | entry[5];

		if (record >= INDEX_BUNDLE)
			return false;
		ret[record / 64] |= UINT64_C(1) << record % 64;
	}
	return !x->bad;
}

/* ---- which records may match ---- */

/* *ret_any: some are left. */
static bool narrow(struct pick *p, struct index *x, uint32_t hash, bool *ret_any)
{
	uint64_t bits[PICK_WORDS], any = 0;

	if (!named(x, hash, bits))
		return false;
	for (size_t i = 0; i < PICK_WORDS; i++)
		any |= p->bits[i] &= bits[i];
	*ret_any = any != 0;
	return true;
}

static void load(struct pick *p, uint64_t bundle)
{
	struct index x = { .ledger = p->ledger, .bundle = bundle };
	struct span head;
	bool any = true;

	p->bundle = bundle;
	set_all(p->bits, true);
	if (bundle >= p->whole || !open_index(&x, &head))
		return;
	set_all(p->bits, in_time(p, head));
	for (size_t i = 0; i < p->count && any; i++) {
		if (!narrow(p, &x, p->hash[i], &any)) {
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
