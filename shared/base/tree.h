/* tree.h -- the Merkle tree of RFC 6962 2.1 (RFC 9162 2.1): hashes, compact ranges, roots and proofs.
 *
 * It knows no storage: who has the hashes of complete subtrees hands them out through a tree_source. A size above
 * TREE_SIZE_MAX, or a range whose count does not fit its size, is RC_INVALID. */
#ifndef POSTERN_BASE_TREE_H
#define POSTERN_BASE_TREE_H

#include "base/codes.h"
#include "base/span.h"

#include <stdint.h>

#define TREE_HASH_SIZE 32
#define TREE_LEVELS 64                 /* of a tree of up to 2^63 leaves */
#define TREE_SIZE_MAX ((uint64_t)1 << 63)

struct tree_hash { uint8_t at[TREE_HASH_SIZE]; };

/* RFC 6962 2.1: SHA-256(0x00 || leaf), SHA-256(0x01 || left || right), SHA-256("") of no leaf. RC_IO: it failed. */
enum rc tree_leaf(struct span leaf, struct tree_hash *ret) MUST_CHECK;
enum rc tree_node(const struct tree_hash *left, const struct tree_hash *right, struct tree_hash *ret) MUST_CHECK;
enum rc tree_empty(struct tree_hash *ret) MUST_CHECK;
bool    tree_hash_equal(const struct tree_hash *a, const struct tree_hash *b);

/* ---- a compact range: the roots of the perfect subtrees that the first `size` leaves fall into, the largest first.
 * Adding a leaf and finding the root need nothing else. ---- */

struct tree_range {
	uint64_t size;
	size_t count;                          /* of hash: the number of ones in size */
	struct tree_hash hash[TREE_LEVELS];
};
enum rc tree_range_add(struct tree_range *r, const struct tree_hash *leaf) MUST_CHECK;
enum rc tree_range_root(const struct tree_range *r, struct tree_hash *ret) MUST_CHECK;

/* ---- trees that are stored somewhere ---- */

/* Hands out the root of the complete subtree of 2^level leaves that begins with leaf index << level. Only complete ones
 * are asked for. RC_NOT_FOUND: it is not there (pruned, or missing). */
struct tree_source {
	enum rc (*get)(void *arg, unsigned level, uint64_t index, struct tree_hash *ret);
	void *arg;
};
/* The compact range, and the root, of the first size leaves. */
enum rc tree_range_of(const struct tree_source *s, uint64_t size, struct tree_range *ret) MUST_CHECK;
enum rc tree_root(const struct tree_source *s, uint64_t size, struct tree_hash *ret) MUST_CHECK;

struct tree_proof { size_t count; struct tree_hash hash[TREE_LEVELS + 1]; };
/* RFC 6962 2.1.1: from the leaf's sibling up. index < size, else RC_INVALID. */
enum rc tree_prove_inclusion(const struct tree_source *s, uint64_t index, uint64_t size,
			     struct tree_proof *ret) MUST_CHECK;
/* RFC 6962 2.1.2. from <= to, else RC_INVALID; from 0 or equal to to: an empty proof. */
enum rc tree_prove_consistency(const struct tree_source *s, uint64_t from, uint64_t to,
			       struct tree_proof *ret) MUST_CHECK;

/* RFC 9162 2.1.3.2 and 2.1.4.2. false: the proof does not show it. Sizes that give a tree of one shape are not told
 * apart: a size comes from the signed checkpoint that also has the root. from 0: the root is that of no leaf. */
bool tree_check_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size, const struct tree_proof *proof,
			  const struct tree_hash *root);
bool tree_check_consistency(uint64_t from, const struct tree_hash *from_root, uint64_t to,
			    const struct tree_hash *to_root, const struct tree_proof *proof);

#endif
