/* fuzz-export.c -- an exported file as `audit verify FILE` reads it: a byte that says what is done to it, then its lines.
 *
 *	0	as it is
 *	1	a checkpoint over the lines is signed and put behind them: it verifies
 *	2	the same, and then one bit of the file is changed, at the place that two more bytes say: it does not
 *
 * And whatever verifies has the root that a tree built from its lines by the definition has. */
#include "tests/fuzz/fuzz.h"

#include "admin/export-private.h"
#include "base/note.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ORIGIN "postern/gate-1/0d0f2c0e-1f1a-4c6b-9a53-6f1d1c6b2a10"
#define LINES_MAX 4096

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

/* RFC 6962 2.1, as it stands there. */
static struct tree_hash root_of(const struct tree_hash *leaf, size_t count)
{
	struct tree_hash left, right, root;
	size_t k = 1;

	if (count == 0) {
		REQUIRE(tree_empty(&root) == RC_OK);
		return root;
	}
	if (count == 1)
		return leaf[0];
	while (k * 2 < count)
		k *= 2;
	left = root_of(leaf, k);
	right = root_of(leaf + k, count - k);
	REQUIRE(tree_node(&left, &right, &root) == RC_OK);
	return root;
}

struct lines { size_t count; bool plain; struct tree_hash leaf[LINES_MAX]; };

static bool canonical(const json_t *record, struct span line)
{
	struct buf text = BUF_INIT;
	bool same;

	json_canonical(&text, record);
	same = span_equal(buf_span(&text), line);
	buf_done(&text);
	return same;
}

/* plain: what the export of a whole log has, records with their numbers and nothing else. */
static struct lines *read_lines(struct span s)
{
	struct lines *l = calloc(1, sizeof(*l));
	struct span line;

	REQUIRE(l);
	l->plain = s.size == 0 || ((const char *)s.data)[s.size - 1] == '\n';
	while (l->count < LINES_MAX && fuzz_cut(&s, '\n', &line)) {
		json_t *record = line.size > 0 && line.size <= EXPORT_LINE_MAX ? fuzz_json(line) : NULL;
		const json_t *seq = json_object_get(record, "seq");

		l->plain &= json_is_integer(seq) && (size_t)json_integer_value(seq) == l->count &&
			    *(const char *)line.data == '{' && export_kind(line) == EXPORT_RECORD && canonical(record, line);
		json_decref(record);
		REQUIRE(tree_leaf(line, &l->leaf[l->count++]) == RC_OK);
	}
	l->plain &= s.size == 0;
	return l;
}

static void add_checkpoint(struct buf *file, const struct lines *l)
{
	struct checkpoint c = { .size = l->count, .root = root_of(l->leaf, l->count) };
	struct buf text = BUF_INIT;

	memcpy(c.origin, ORIGIN, sizeof(ORIGIN));
	checkpoint_format(&text, &c);
	REQUIRE(note_sign(file, buf_span(&text), &ours, seed) == RC_OK);
	buf_done(&text);
}

static enum verdict verify(struct span file, struct verification *ret)
{
	const struct verify_options o = { .key = &ours };
	struct why why = { "" };
	int fd = memfd_create("export", MFD_CLOEXEC);
	enum rc rc;

	REQUIRE(fd >= 0 && write(fd, file.size ? file.data : "", file.size) == (ssize_t)file.size);
	*ret = (struct verification){ .verdict = VERDICT_UNVERIFIABLE };
	rc = admin_verify_export(NULL, fd, &o, ret, &why);
	close(fd);
	REQUIRE(rc == RC_OK && fuzz_printable(span_str(ret->text)));
	return ret->verdict;
}

/* Whatever is said to verify: by the definition it does. */
static void check_verified(struct span file)
{
	const char *at = file.data, *note = NULL;
	struct checkpoint c;
	struct lines *l;

	for (size_t i = 0; i < file.size; i++)
		if ((i == 0 || at[i - 1] == '\n') && at[i] != '{') {
			note = at + i;
			break;
		}
	REQUIRE(note);
	l = read_lines(span_of(at, (size_t)(note - at)));
	if (l->plain) {
		struct tree_hash root = root_of(l->leaf, l->count);

		REQUIRE(checkpoint_open(span_of(note, file.size - (size_t)(note - at)), &ours, &c) == RC_OK);
		REQUIRE(c.size == l->count && tree_hash_equal(&c.root, &root));
	}
	free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size);
	unsigned what = fuzz_byte(&rest) % 3;
	size_t place = what == 2 ? (size_t)fuzz_byte(&rest) << 8 | fuzz_byte(&rest) : 0;
	struct lines *l = read_lines(rest);
	struct buf file = BUF_INIT;
	struct verification found;
	enum verdict v;

	make_key();
	buf_add_span(&file, rest);
	if (what > 0)
		add_checkpoint(&file, l);
	if (what == 2)
		file.data[place % file.size] ^= (char)(1 << place % 8);
	v = verify(buf_span(&file), &found);
	REQUIRE(what != 1 || !l->plain || l->count == 0 || (v == VERDICT_VERIFIED && found.size == l->count));
	REQUIRE(what != 2 || !l->plain || v != VERDICT_VERIFIED);
	if (v == VERDICT_VERIFIED && file.size)
		check_verified(buf_span(&file));
	buf_done(&file);
	free(l);
	return 0;
}
