/* tree.c -- the Merkle tree of RFC 6962 2.1: hashes, compact ranges, roots and proofs. */
#include "base/tree.h"

#include "base/crypto.h"

_Static_assert(TREE_HASH_SIZE == SHA256_SIZE, "the tree's hash is SHA-256");

/* The first byte keeps a leaf from passing for a node (RFC 6962 2.1). */
static const uint8_t leaf_prefix[] = { 0x00 }, node_prefix[] = { 0x01 };

enum rc tree_leaf(struct span leaf, struct tree_hash *ret)
{
	const struct span parts[] = { span_of(leaf_prefix, 1), leaf };

	return crypto_sha256_parts(parts, ARRAY_LEN(parts), ret->at);
}

enum rc tree_node(const struct tree_hash *left, const struct tree_hash *right, struct tree_hash *ret)
{
	const struct span parts[] = {
		span_of(node_prefix, 1), span_of(left->at, TREE_HASH_SIZE), span_of(right->at, TREE_HASH_SIZE),
	};

	return crypto_sha256_parts(parts, ARRAY_LEN(parts), ret->at);
}

enum rc tree_empty(struct tree_hash *ret)
{
	return crypto_sha256(span_of(NULL, 0), ret->at);
}

bool tree_hash_equal(const struct tree_hash *a, const struct tree_hash *b)
{
	return memcmp(a->at, b->at, TREE_HASH_SIZE) == 0;
}

/* ---- compact ranges ---- */

static bool range_fits(const struct tree_range *r)
{
	return r->size <= TREE_SIZE_MAX && r->count == (size_t)__builtin_popcountll(r->size);
}

/* Every one at the low end of the old size is a subtree as large as what grew out of the leaf so far. */
enum rc tree_range_add(struct tree_range *r, const struct tree_hash *leaf)
{
	struct tree_hash grown = *leaf;
	size_t count = r->count;

	if (!range_fits(r) || r->size == TREE_SIZE_MAX)
		return RC_INVALID;
	for (uint64_t size = r->size; size & 1; size >>= 1) {
		enum rc rc = tree_node(&r->hash[--count], &grown, &grown);

		if (rc != RC_OK)
			return rc;
	}
	r->hash[count] = grown;
	r->count = count + 1;
	r->size++;
	return RC_OK;
}

enum rc tree_range_root(const struct tree_range *r, struct tree_hash *ret)
{
	struct tree_hash root;
	enum rc rc = RC_OK;

	if (!range_fits(r))
		return RC_INVALID;
	if (r->count == 0)
		return tree_empty(ret);
	root = r->hash[r->count - 1];
	for (size_t i = r->count - 1; i-- > 0 && rc == RC_OK; )
		rc = tree_node(&r->hash[i], &root, &root);
	if (rc == RC_OK)
		*ret = root;
	return rc;
}

/* ---- trees that are stored somewhere ---- */

/* The range of the size leaves from begin on: begin is a multiple of a power of two that is not below size. */
static enum rc range_at(const struct tree_source *s, uint64_t begin, uint64_t size, struct tree_range *ret)
{
	ret->size = size;
	ret->count = 0;
	for (unsigned level = TREE_LEVELS; level-- > 0; ) {
		enum rc rc;

		if (!(size >> level & 1))
			continue;
		rc = s->get(s->arg, level, begin >> level, &ret->hash[ret->count]);
		if (rc != RC_OK)
			return rc;
		ret->count++;
		begin += (uint64_t)1 << level;
	}
	return RC_OK;
}

enum rc tree_range_of(const struct tree_source *s, uint64_t size, struct tree_range *ret)
{
	return size <= TREE_SIZE_MAX ? range_at(s, 0, size, ret) : RC_INVALID;
}

enum rc tree_root(const struct tree_source *s, uint64_t size, struct tree_hash *ret)
{
	struct tree_range range;
	enum rc rc = tree_range_of(s, size, &range);

	return rc == RC_OK ? tree_range_root(&range, ret) : rc;
}

/* ---- making proofs ---- */

/* Adds the root of the subtree of up to 2^level leaves that begins with leaf index << level, cut off at size. */
static enum rc add_subtree(const struct tree_source *s, unsigned level, uint64_t index, uint64_t size,
			   struct tree_proof *p)
{
	struct tree_hash *hash = &p->hash[p->count];
	uint64_t begin = index << level;
	struct tree_range range;
	enum rc rc;

	if (size - begin >= (uint64_t)1 << level) {
		rc = s->get(s->arg, level, index, hash);
	} else {
		rc = range_at(s, begin, size - begin, &range);
		if (rc == RC_OK)
			rc = tree_range_root(&range, hash);
	}
	if (rc == RC_OK)
		p->count++;
	return rc;
}

/* Adds the siblings on the way from a node up to the root. One at the right edge may have none: it goes up as it is. */
static enum rc add_siblings(const struct tree_source *s, unsigned level, uint64_t index, uint64_t size,
			    struct tree_proof *p)
{
	enum rc rc = RC_OK;

	for (; (size - 1) >> level != 0 && rc == RC_OK; level++, index >>= 1) {
		uint64_t sibling = index ^ 1;

		if (sibling <= (size - 1) >> level)
			rc = add_subtree(s, level, sibling, size, p);
	}
	return rc;
}

enum rc tree_prove_inclusion(const struct tree_source *s, uint64_t index, uint64_t size, struct tree_proof *ret)
{
	ret->count = 0;
	if (index >= size || size > TREE_SIZE_MAX)
		return RC_INVALID;
	return add_siblings(s, 0, index, size, ret);
}

/* From the largest complete subtree that ends where the old tree ends. Where it is the whole old tree, who checks knows
 * its root; elsewhere it comes first. */
enum rc tree_prove_consistency(const struct tree_source *s, uint64_t from, uint64_t to, struct tree_proof *ret)
{
	uint64_t index = from - 1;
	enum rc rc = RC_OK;
	unsigned level = 0;

	ret->count = 0;
	if (from > to || to > TREE_SIZE_MAX)
		return RC_INVALID;
	if (from == 0 || from == to)
		return RC_OK;
	for (; index & 1; index >>= 1)
		level++;
	if (index != 0)
		rc = add_subtree(s, level, index, to, ret);
	return rc == RC_OK ? add_siblings(s, level, index, to, ret) : rc;
}

/* ---- checking proofs. The names are RFC 9162's: fn and sn are the places of the node and of its level's last ---- */

static bool proof_fits(const struct tree_proof *proof)
{
	return proof->count <= ARRAY_LEN(proof->hash);
}

/* The node is its parent's right child, or stands at the edge and its next sibling is to the left. */
static bool joins_left(uint64_t fn, uint64_t sn)
{
	return (fn & 1) || fn == sn;
}

/* To the level of the parent; past those where a node at the edge has no sibling. */
static void go_up(uint64_t *fn, uint64_t *sn)
{
	if (*fn == *sn) {
		for (; *fn != 0 && !(*fn & 1); *fn >>= 1)
			*sn >>= 1;
	}
	*fn >>= 1;
	*sn >>= 1;
}

bool tree_check_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size, const struct tree_proof *proof,
			  const struct tree_hash *root)
{
	uint64_t fn = index, sn = size - 1;
	struct tree_hash r = *leaf;

	if (index >= size || size > TREE_SIZE_MAX || !proof_fits(proof))
		return false;
	for (size_t i = 0; i < proof->count; i++) {
		const struct tree_hash *p = &proof->hash[i];
		bool left = joins_left(fn, sn);

		if (sn == 0 || tree_node(left ? p : &r, left ? &r : p, &r) != RC_OK)
			return false;
		go_up(&fn, &sn);
	}
	return sn == 0 && tree_hash_equal(&r, root);
}

/* Trees that need no proof: an old one of no leaf, or the same one twice. */
static bool check_trivial(uint64_t from, const struct tree_hash *from_root, uint64_t to,
			  const struct tree_hash *to_root, const struct tree_proof *proof)
{
	struct tree_hash empty;

	if (proof->count != 0 || (from == to && !tree_hash_equal(from_root, to_root)))
		return false;
	return from != 0 || (tree_empty(&empty) == RC_OK && tree_hash_equal(from_root, &empty));
}

bool tree_check_consistency(uint64_t from, const struct tree_hash *from_root, uint64_t to,
			    const struct tree_hash *to_root, const struct tree_proof *proof)
{
	uint64_t fn = from - 1, sn = to - 1;
	struct tree_hash fr, sr;
	bool whole;

	if (from > to || to > TREE_SIZE_MAX || !proof_fits(proof))
		return false;
	if (from == 0 || from == to)
		return check_trivial(from, from_root, to, to_root, proof);
	if (proof->count == 0)
		return false;
	whole = (from & (from - 1)) == 0;
	fr = sr = whole ? *from_root : proof->hash[0];
	for (; fn & 1; fn >>= 1)
		sn >>= 1;
	for (size_t i = whole ? 0 : 1; i < proof->count; i++) {
		const struct tree_hash *c = &proof->hash[i];
		bool left = joins_left(fn, sn);

		if (sn == 0 || (left && tree_node(c, &fr, &fr) != RC_OK) ||
		    tree_node(left ? c : &sr, left ? &sr : c, &sr) != RC_OK)
			return false;
		go_up(&fn, &sn);
	}
	return sn == 0 && tree_hash_equal(&fr, from_root) && tree_hash_equal(&sr, to_root);
}
