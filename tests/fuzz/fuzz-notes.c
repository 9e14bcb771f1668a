/* fuzz-notes.c -- signed notes, keys, checkpoints and the lines of an export that prove something, from outside.
 *
 * What is parsed prints to itself; a note that opens was signed by the key; what is signed here opens, and with any bit of it
 * changed does not; a checkpoint is nobody's unless its origin is the key's name. */
#include "tests/fuzz/fuzz.h"

#include "admin/export-private.h"
#include "base/note.h"

#include <stdlib.h>

#define ORIGIN "postern/gate-1/0d0f2c0e-1f1a-4c6b-9a53-6f1d1c6b2a10"

static struct note_key ours;
static struct secret *seed;

static void make_key(void)
{
	uint8_t public[ED25519_PUBLIC_SIZE];

	if (seed)
		return;
	REQUIRE((seed = secret_copy(span_str("a seed of thirty-two bytes, once"))) != NULL);
	REQUIRE(ed25519_public(seed, public) == RC_OK && note_key_make(ORIGIN, public, &ours) == RC_OK);
}

static void check_key(struct span text)
{
	struct note_key k, again;
	char printed[NOTE_KEY_TEXT_MAX];

	if (note_key_parse(text, &k) != RC_OK)
		return;
	REQUIRE(span_is(text, note_key_text(&k, printed)));
	REQUIRE(note_key_parse(span_str(printed), &again) == RC_OK && memcmp(&k, &again, sizeof(k)) == 0);
}

static bool same(const struct checkpoint *a, const struct checkpoint *b)
{
	return strcmp(a->origin, b->origin) == 0 && a->size == b->size && tree_hash_equal(&a->root, &b->root);
}

static void check_checkpoint(struct span text)
{
	struct checkpoint c, again;
	struct buf printed = BUF_INIT;

	if (checkpoint_parse(text, &c) != RC_OK)
		return;
	checkpoint_format(&printed, &c);
	REQUIRE(checkpoint_parse(buf_span(&printed), &again) == RC_OK && same(&c, &again));
	/* All of it but extension lines. */
	REQUIRE(printed.size <= text.size && memcmp(printed.data, text.data, printed.size) == 0);
	buf_done(&printed);
}

/* Nobody but this target has the seed. */
static void check_foreign(struct span note)
{
	struct span text;
	struct checkpoint c;

	if (note_text(note, &text) == RC_OK)
		REQUIRE(text.size && ((const char *)text.data)[text.size - 1] == '\n' && text.size < note.size);
	if (note_open(note, &ours, &text) == RC_OK)
		REQUIRE(memmem(note.data, note.size, ORIGIN, strlen(ORIGIN)));
	if (checkpoint_open(note, &ours, &c) == RC_OK)
		REQUIRE(strcmp(c.origin, ORIGIN) == 0);
}

static void check_signed(struct span text)
{
	struct buf note = BUF_INIT;
	struct span opened;
	size_t at;

	if (note_sign(&note, text, &ours, seed) != RC_OK)
		return;
	REQUIRE(note_open(buf_span(&note), &ours, &opened) == RC_OK && span_equal(opened, text));
	at = crc32_of(text) % note.size;
	note.data[at] ^= (char)(1 << at % 8);
	REQUIRE(note_open(buf_span(&note), &ours, &opened) != RC_OK || !span_equal(opened, text));
	buf_done(&note);
}

static void check_extra(struct span line)
{
	enum export_kind kind = export_kind(line);
	struct export_extra extra;
	struct buf printed = BUF_INIT;

	if (kind == EXPORT_RECORD || export_extra(line, kind, &extra) != RC_OK)
		return;
	REQUIRE(extra.hashes.count <= ARRAY_LEN(extra.hashes.hash));
	if (kind == EXPORT_PROOF)
		audit_form_proof(&printed, extra.number, &extra.hashes);
	else if (kind == EXPORT_CONSISTENCY)
		audit_form_consistency(&printed, extra.number, &extra.hashes);
	if (printed.size) {
		struct export_extra again;

		REQUIRE(export_kind(buf_span(&printed)) == kind && export_extra(buf_span(&printed), kind, &again) == RC_OK);
		REQUIRE(again.number == extra.number && again.hashes.count == extra.hashes.count);
		REQUIRE(memcmp(again.hashes.hash, extra.hashes.hash, extra.hashes.count * sizeof(extra.hashes.hash[0])) == 0);
	}
	buf_done(&printed);
}

/* A proof of anything is none of this leaf. */
static void check_proof(struct span bytes)
{
	struct tree_proof proof = { 0 };
	struct tree_hash leaf, root;
	uint64_t index = 0, size = 0;

	REQUIRE(tree_leaf(bytes, &leaf) == RC_OK && tree_leaf(span_str("another"), &root) == RC_OK);
	for (int i = 0; i < 8; i++) {
		index = index << 8 | fuzz_byte(&bytes);
		size = size << 8 | fuzz_byte(&bytes);
	}
	for (; bytes.size >= TREE_HASH_SIZE && proof.count < ARRAY_LEN(proof.hash); proof.count++) {
		memcpy(proof.hash[proof.count].at, bytes.data, TREE_HASH_SIZE);
		bytes = span_of((const char *)bytes.data + TREE_HASH_SIZE, bytes.size - TREE_HASH_SIZE);
	}
	REQUIRE(!tree_check_inclusion(&leaf, index, size, &proof, &root));
	REQUIRE(index == size || index == 0 || !tree_check_consistency(index, &leaf, size, &root, &proof));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);

	make_key();
	check_key(input);
	check_checkpoint(input);
	check_foreign(input);
	check_signed(input);
	check_extra(input);
	check_proof(input);
	return 0;
}
