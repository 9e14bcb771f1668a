/* test_tree.c -- the tree against the recursion of RFC 6962 2.1, written down as it stands there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/tree.h"

#include <stdio.h>
#include <stdlib.h>

#define LEAVES 1025
#define INCLUSION_ALL 200      /* every proof up to this size, samples above */
#define MUTATION_ALL 20

/* ---- the RFC's recursion; what it found for D[a:b] is kept, or a million proofs would take an hour ---- */

static struct tree_hash leaves[LEAVES];
static struct tree_hash (*found)[LEAVES + 1];
static bool (*is_found)[LEAVES + 1];

static struct tree_hash sha256(uint8_t first, const void *a, size_t a_size, const void *b, size_t b_size)
{
	struct tree_hash out;
	uint8_t text[129] = { first };

	assert_true(a_size + b_size < sizeof(text));
	memcpy(text + 1, a, a_size);
	memcpy(text + 1 + a_size, b, b_size);
	assert_int_equal(crypto_sha256(span_of(text, 1 + a_size + b_size), out.at), RC_OK);
	return out;
}

/* The largest power of two smaller than n. */
static size_t split_of(size_t n)
{
	size_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

/* MTH(D[a:b]) */
static struct tree_hash rfc_mth(size_t a, size_t b)
{
	struct tree_hash left, right, out;
	size_t k;

	if (a == b) {
		assert_int_equal(crypto_sha256(span_of(NULL, 0), out.at), RC_OK);
		return out;
	}
	if (b - a == 1)
		return leaves[a];
	if (is_found[a][b])
		return found[a][b];
	k = split_of(b - a);
	left = rfc_mth(a, a + k);
	right = rfc_mth(a + k, b);
	is_found[a][b] = true;
	return found[a][b] = sha256(1, left.at, TREE_HASH_SIZE, right.at, TREE_HASH_SIZE);
}

static void push(struct tree_proof *p, struct tree_hash hash)
{
	p->hash[p->count++] = hash;
}

/* PATH(m, D[a:b]) */
static void rfc_path(size_t m, size_t a, size_t b, struct tree_proof *p)
{
	size_t k;

	if (b - a == 1)
		return;
	k = split_of(b - a);
	if (m < k) {
		rfc_path(m, a, a + k, p);
		push(p, rfc_mth(a + k, b));
	} else {
		rfc_path(m - k, a + k, b, p);
		push(p, rfc_mth(a, a + k));
	}
}

/* SUBPROOF(m, D[a:b], whole) */
static void rfc_subproof(size_t m, size_t a, size_t b, bool whole, struct tree_proof *p)
{
	size_t k;

	if (m == b - a) {
		if (!whole)
			push(p, rfc_mth(a, b));
		return;
	}
	k = split_of(b - a);
	if (m <= k) {
		rfc_subproof(m, a, a + k, whole, p);
		push(p, rfc_mth(a + k, b));
	} else {
		rfc_subproof(m - k, a + k, b, false, p);
		push(p, rfc_mth(a, a + k));
	}
}

static struct tree_proof rfc_inclusion(size_t index, size_t size)
{
	struct tree_proof p = { .count = 0 };

	rfc_path(index, 0, size, &p);
	return p;
}

static struct tree_proof rfc_consistency(size_t from, size_t to)
{
	struct tree_proof p = { .count = 0 };

	if (from)
		rfc_subproof(from, 0, to, true, &p);
	return p;
}

static int make_leaves(void **state)
{
	(void)state;
	found = calloc(LEAVES + 1, sizeof(*found));
	is_found = calloc(LEAVES + 1, sizeof(*is_found));
	if (!found || !is_found)
		return -1;
	for (size_t i = 0; i < LEAVES; i++) {
		char text[32];
		int size = snprintf(text, sizeof(text), "leaf %zu", i);

		leaves[i] = sha256(0, text, (size_t)size, "", 0);
	}
	return 0;
}

static int drop_leaves(void **state)
{
	(void)state;
	free(found);
	free(is_found);
	return 0;
}

/* ---- a store of complete subtrees; size is how many leaves it has ---- */

struct stored {
	uint64_t size;
	unsigned missing_level;
	uint64_t missing_index;
	bool has_missing;
};

static enum rc stored_get(void *arg, unsigned level, uint64_t index, struct tree_hash *ret)
{
	const struct stored *s = arg;

	assert_true(level < TREE_LEVELS && (index + 1) << level <= s->size);      /* complete ones alone */
	if (s->has_missing && s->missing_level == level && s->missing_index == index)
		return RC_NOT_FOUND;
	*ret = rfc_mth(index << level, (index + 1) << level);
	return RC_OK;
}

#define SOURCE(stored) (&(struct tree_source){ stored_get, stored })

static void assert_same(const struct tree_proof *a, const struct tree_proof *b)
{
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->hash, b->hash, a->count * sizeof(a->hash[0]));
}

/* ---- tests ---- */

static void assert_root(const struct tree_hash *hash, const char *expected)
{
	char hex[2 * TREE_HASH_SIZE + 1];

	hex_encode(hex, hash->at, TREE_HASH_SIZE);
	assert_string_equal(hex, expected);
}

/* The eight inputs of the reference tests of certificate-transparency. */
static void the_reference_inputs_have_the_known_roots(void **state)
{
	static const struct { const char *leaf; size_t size; const char *root; } known[] = {
		{ "", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
		{ "\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
		{ "\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
		{ "\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
		{ "\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
		{ "\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
		{ "\x50\x51\x52\x53\x54\x55\x56\x57", 8,
		  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
		{ "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
		  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
	};
	struct tree_range r = { .size = 0 };
	struct tree_hash hash;

	(void)state;
	assert_int_equal(tree_range_root(&r, &hash), RC_OK);
	assert_root(&hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		assert_int_equal(tree_leaf(span_of(known[i].leaf, known[i].size), &hash), RC_OK);
		assert_int_equal(tree_range_add(&r, &hash), RC_OK);
		assert_int_equal(tree_range_root(&r, &hash), RC_OK);
		assert_root(&hash, known[i].root);
	}
}

static void every_size_has_the_root_of_the_recursion(void **state)
{
	struct tree_range grown = { .size = 0 };

	(void)state;
	for (size_t size = 0; size <= LEAVES; size++) {
		struct tree_hash expected = rfc_mth(0, size), root;
		struct stored s = { .size = size };
		struct tree_range read;

		assert_int_equal(tree_range_root(&grown, &root), RC_OK);
		assert_true(tree_hash_equal(&root, &expected));
		assert_int_equal(tree_root(SOURCE(&s), size, &root), RC_OK);
		assert_true(tree_hash_equal(&root, &expected));
		assert_int_equal(tree_range_of(SOURCE(&s), size, &read), RC_OK);
		assert_int_equal(read.size, grown.size);
		assert_int_equal(read.count, grown.count);
		assert_memory_equal(read.hash, grown.hash, grown.count * sizeof(grown.hash[0]));
		if (size < LEAVES)
			assert_int_equal(tree_range_add(&grown, &leaves[size]), RC_OK);
	}
}

/* The proof is the recursion's, and shows its leaf; the tree that holds it may have grown since. */
static void prove_inclusion(size_t index, size_t size)
{
	struct tree_proof expected = rfc_inclusion(index, size), proof;
	struct tree_hash root = rfc_mth(0, size);
	struct stored s = { .size = size };

	assert_int_equal(tree_prove_inclusion(SOURCE(&s), index, size, &proof), RC_OK);
	assert_same(&proof, &expected);
	assert_true(tree_check_inclusion(&leaves[index], index, size, &proof, &root));
}

static void inclusion_proofs_are_those_of_the_recursion(void **state)
{
	(void)state;
	for (size_t size = 1; size <= LEAVES; size++)
		for (size_t index = 0; index < size; index += size <= INCLUSION_ALL ? 1 : 1 + (size * 7 + index) % 29)
			prove_inclusion(index, size);
	for (size_t size = 1; size <= LEAVES; size++)
		prove_inclusion(size - 1, size);
}

static void consistency_proofs_are_those_of_the_recursion(void **state)
{
	(void)state;
	for (size_t to = 0; to <= LEAVES; to++) {
		struct tree_hash to_root = rfc_mth(0, to);
		struct stored s = { .size = to };

		for (size_t from = 0; from <= to; from++) {
			struct tree_proof expected = rfc_consistency(from, to), proof;
			struct tree_hash from_root = rfc_mth(0, from);

			assert_int_equal(tree_prove_consistency(SOURCE(&s), from, to, &proof), RC_OK);
			assert_same(&proof, &expected);
			assert_true(tree_check_consistency(from, &from_root, to, &to_root, &proof));
		}
	}
}

/* An inclusion or a consistency proof, with everything that a mutation may change. */
struct claim {
	bool inclusion;
	uint64_t at, size;      /* index or from; size or to */
	struct tree_hash first, root;      /* the leaf or the old root; the root */
	struct tree_proof proof;
};

static bool shows(const struct claim *c)
{
	return c->inclusion ? tree_check_inclusion(&c->first, c->at, c->size, &c->proof, &c->root)
			    : tree_check_consistency(c->at, &c->first, c->size, &c->root, &c->proof);
}

static struct tree_proof rfc_proof(const struct claim *c, size_t at, size_t size)
{
	return c->inclusion ? rfc_inclusion(at, size) : rfc_consistency(at, size);
}

static struct claim claim_of(bool inclusion, size_t at, size_t size)
{
	struct claim c = { .inclusion = inclusion, .at = at, .size = size, .root = rfc_mth(0, size) };

	c.first = inclusion ? leaves[at] : rfc_mth(0, at);
	c.proof = rfc_proof(&c, at, size);
	return c;
}

static void refuse_flips(struct claim *c, struct tree_hash *hash)
{
	for (size_t bit = 0; bit < 8 * sizeof(hash->at); bit += 5) {
		hash->at[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(shows(c));
		hash->at[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void refuse_other_counts(const struct claim *c)
{
	for (size_t i = 0; i <= c->proof.count; i++) {
		size_t behind = c->proof.count - i;
		struct claim d = *c;

		memmove(&d.proof.hash[i + 1], &d.proof.hash[i], behind * sizeof(d.proof.hash[0]));
		d.proof.hash[i] = d.root;
		d.proof.count++;
		assert_false(shows(&d));
		d.proof.hash[i] = d.first;
		assert_false(shows(&d));
		if (behind == 0)
			continue;
		d = *c;
		memmove(&d.proof.hash[i], &d.proof.hash[i + 1], (behind - 1) * sizeof(d.proof.hash[0]));
		d.proof.count--;
		assert_false(shows(&d));
	}
}

static void refuse_swaps(const struct claim *c)
{
	for (size_t i = 0; i + 1 < c->proof.count; i++) {
		struct claim d = *c;

		d.proof.hash[i] = c->proof.hash[i + 1];
		d.proof.hash[i + 1] = c->proof.hash[i];
		assert_false(shows(&d));
	}
}

/* Another place in the same tree is another way to the root. Another size need not be (three leaves or four, seen from
 * the first): it is refused where the recursion's proof has another length. */
static void refuse_other_numbers(const struct claim *c)
{
	struct claim d = *c;

	for (d.at = 0; d.at <= c->size + 2; d.at++)
		if (d.at != c->at)
			assert_false(shows(&d));
	d.at = c->at;
	for (d.size = 0; d.size <= 2 * c->size + 2 && d.size <= LEAVES; d.size++) {
		bool possible = c->inclusion ? d.at < d.size : d.at < d.size && d.at > 0;

		if (!possible ? d.size != c->size : rfc_proof(c, d.at, d.size).count != c->proof.count)
			assert_false(shows(&d));
	}
	for (d.size = UINT64_MAX; d.size > TREE_SIZE_MAX; d.size = d.size / 4 * 3)
		assert_false(shows(&d));
	d.size = c->size;
	d.at = UINT64_MAX;
	assert_false(shows(&d));
}

static void refuse_mutations(bool inclusion, size_t at, size_t size)
{
	struct claim c = claim_of(inclusion, at, size);

	assert_true(shows(&c));
	for (size_t i = 0; i < c.proof.count; i++)
		refuse_flips(&c, &c.proof.hash[i]);
	refuse_flips(&c, &c.first);
	refuse_flips(&c, &c.root);
	assert_true(shows(&c));
	refuse_other_counts(&c);
	refuse_swaps(&c);
	refuse_other_numbers(&c);
	c.proof.count = ARRAY_LEN(c.proof.hash) + 1;
	assert_false(shows(&c));
}

static void every_mutated_proof_is_refused(void **state)
{
	static const struct { size_t at, size; } large[] = {
		{ 0, 1025 }, { 1, 1025 }, { 1023, 1025 }, { 1024, 1025 }, { 512, 1024 }, { 511, 1000 }, { 96, 97 },
		{ 64, 97 }, { 5, 300 }, { 768, 769 },
	};

	(void)state;
	for (size_t size = 1; size <= MUTATION_ALL; size++) {
		for (size_t at = 0; at < size; at++)
			refuse_mutations(true, at, size);
		for (size_t at = 1; at <= size; at++)
			refuse_mutations(false, at, size);
	}
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		refuse_mutations(true, large[i].at, large[i].size);
		if (large[i].at)
			refuse_mutations(false, large[i].at, large[i].size);
	}
}

static void a_tree_of_no_leaf_precedes_every_tree(void **state)
{
	struct tree_hash empty, root = rfc_mth(0, 7), other = rfc_mth(0, 6);
	struct tree_proof none = { .count = 0 }, one = { .count = 1 };

	(void)state;
	assert_int_equal(tree_empty(&empty), RC_OK);
	assert_true(tree_check_consistency(0, &empty, 7, &root, &none));
	assert_true(tree_check_consistency(0, &empty, 0, &empty, &none));
	assert_false(tree_check_consistency(0, &other, 7, &root, &none));
	assert_false(tree_check_consistency(0, &other, 0, &other, &none));
	assert_false(tree_check_consistency(0, &empty, 0, &root, &none));
	assert_false(tree_check_consistency(0, &empty, 7, &root, &one));
	assert_true(tree_check_consistency(7, &root, 7, &root, &none));
	assert_false(tree_check_consistency(7, &other, 7, &root, &none));
	assert_false(tree_check_consistency(7, &root, 6, &other, &none));
}

static void places_outside_the_tree_have_no_proof(void **state)
{
	struct stored s = { .size = 5 };
	struct tree_range range;
	struct tree_proof proof;
	struct tree_hash root;

	(void)state;
	assert_int_equal(tree_prove_inclusion(SOURCE(&s), 0, 0, &proof), RC_INVALID);
	assert_int_equal(tree_prove_inclusion(SOURCE(&s), 5, 5, &proof), RC_INVALID);
	assert_int_equal(tree_prove_inclusion(SOURCE(&s), 0, TREE_SIZE_MAX + 1, &proof), RC_INVALID);
	assert_int_equal(tree_prove_consistency(SOURCE(&s), 5, 4, &proof), RC_INVALID);
	assert_int_equal(tree_prove_consistency(SOURCE(&s), 5, TREE_SIZE_MAX + 1, &proof), RC_INVALID);
	assert_int_equal(tree_range_of(SOURCE(&s), TREE_SIZE_MAX + 1, &range), RC_INVALID);
	assert_int_equal(tree_root(SOURCE(&s), UINT64_MAX, &root), RC_INVALID);
}

/* What a proof needs is asked for, and what is not there ends it: 13 leaves are subtrees of 8, 4 and 1. */
static void a_missing_subtree_is_said(void **state)
{
	static const struct { unsigned level; uint64_t index; enum rc root, inclusion, consistency; } cases[] = {
		{ 3, 0, RC_NOT_FOUND, RC_NOT_FOUND, RC_NOT_FOUND },
		{ 2, 2, RC_NOT_FOUND, RC_OK, RC_OK },
		{ 0, 12, RC_NOT_FOUND, RC_NOT_FOUND, RC_NOT_FOUND },
		{ 0, 10, RC_OK, RC_OK, RC_NOT_FOUND },
		{ 0, 8, RC_OK, RC_NOT_FOUND, RC_OK },
		{ 0, 3, RC_OK, RC_OK, RC_OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stored s = { 13, cases[i].level, cases[i].index, true };
		struct tree_proof proof;
		struct tree_hash root;

		assert_int_equal(tree_root(SOURCE(&s), 13, &root), cases[i].root);
		assert_int_equal(tree_prove_inclusion(SOURCE(&s), 9, 13, &proof), cases[i].inclusion);
		assert_int_equal(tree_prove_consistency(SOURCE(&s), 11, 13, &proof), cases[i].consistency);
	}
}

/* A tree of up to 2^63 leaves, each node a mark of its place: sizes no test can fill. */
static enum rc marked_get(void *arg, unsigned level, uint64_t index, struct tree_hash *ret)
{
	uint64_t size = *(const uint64_t *)arg, count = (uint64_t)1 << level;

	assert_true(level < TREE_LEVELS && index <= (size - count) / count);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->at, &level, sizeof(level));
	memcpy(ret->at + 8, &index, sizeof(index));
	return RC_OK;
}

static void the_largest_trees_neither_overflow_nor_end(void **state)
{
	static const uint64_t sizes[] = { TREE_SIZE_MAX, TREE_SIZE_MAX - 1, TREE_SIZE_MAX / 2 + 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t size = sizes[i];
		struct tree_source s = { marked_get, &size };
		struct tree_range range;
		struct tree_proof proof;

		assert_int_equal(tree_range_of(&s, size, &range), RC_OK);
		assert_int_equal(range.count, __builtin_popcountll(size));
		assert_int_equal(tree_prove_inclusion(&s, 1, size, &proof), RC_OK);
		assert_int_equal(proof.count, 63);
		assert_int_equal(tree_prove_consistency(&s, 3, size, &proof), RC_OK);
		assert_int_equal(proof.count, 64);
		assert_int_equal(tree_prove_consistency(&s, size - 1, size, &proof), RC_OK);
	}
}

static void a_range_that_contradicts_itself_is_refused(void **state)
{
	static const struct { uint64_t size; size_t count; } bad[] = {
		{ 0, 1 }, { 3, 0 }, { 3, 1 }, { 3, 3 }, { 4, TREE_LEVELS + 1 }, { 1, SIZE_MAX },
		{ UINT64_MAX, 64 }, { TREE_SIZE_MAX + 1, 2 },
	};
	struct tree_range r = { .size = TREE_SIZE_MAX, .count = 1 };
	struct tree_hash root;

	(void)state;
	assert_int_equal(tree_range_root(&r, &root), RC_OK);
	assert_int_equal(tree_range_add(&r, &leaves[0]), RC_INVALID);      /* full */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		r.size = bad[i].size;
		r.count = bad[i].count;
		assert_int_equal(tree_range_add(&r, &leaves[0]), RC_INVALID);
		assert_int_equal(tree_range_root(&r, &root), RC_INVALID);
		assert_int_equal(r.size, bad[i].size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_inputs_have_the_known_roots),
		cmocka_unit_test(every_size_has_the_root_of_the_recursion),
		cmocka_unit_test(inclusion_proofs_are_those_of_the_recursion),
		cmocka_unit_test(consistency_proofs_are_those_of_the_recursion),
		cmocka_unit_test(every_mutated_proof_is_refused),
		cmocka_unit_test(a_tree_of_no_leaf_precedes_every_tree),
		cmocka_unit_test(places_outside_the_tree_have_no_proof),
		cmocka_unit_test(a_missing_subtree_is_said),
		cmocka_unit_test(the_largest_trees_neither_overflow_nor_end),
		cmocka_unit_test(a_range_that_contradicts_itself_is_refused),
	};

	return cmocka_run_group_tests(tests, make_leaves, drop_leaves);
}
