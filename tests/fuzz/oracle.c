/* oracle.c -- says what our schema and our tree make of a question, for tests that ask somebody else too.
 *
 * A JSON object a line, and as many answers:
 *	{"schema":S,"values":[V,...]}		[true,false,...]; null where S is refused
 *	{"size":N,"index":I,"from":M}		{"root":hex,"inclusion":[hex],"consistency":[hex]} of the log's first N records, of
 *						which number K is the text "record K"; I and M null or less than N */
#include "tests/fuzz/fuzz.h"

#include "audit/audit.h"
#include "schema/schema.h"
#include "tests/lib/tmplog.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- schema ---- */

static json_t *answer_schema(const json_t *source, const json_t *values)
{
	struct schema *s = NULL;
	json_t *verdicts;
	enum rc rc = schema_compile(source, span_str(""), &s, NULL);

	REQUIRE((rc == RC_OK) == (s != NULL));
	if (!s)
		return json_null();
	REQUIRE((verdicts = json_array()) != NULL);
	for (size_t i = 0; i < json_array_size(values); i++)
		json_array_append_new(verdicts, json_boolean(schema_validate(s, json_array_get(values, i), span_str(""), NULL)));
	schema_free(s);
	return verdicts;
}

/* ---- tree ---- */

static struct txn *log_of(uint64_t size)
{
	static struct store *st;
	static struct txn *t;
	struct why why = { "" };

	if (!st) {
		char *dir;

		REQUIRE(asprintf(&dir, "%s/data", fuzz_dir()) > 0 && store_init(dir, NULL, NULL, &why) == RC_OK);
		REQUIRE((st = tmpstore_open(dir, STORE_ADMIN, NULL, &why)) != NULL);
		t = txn_write(st, ENV_LEDGER);         /* never ended: it is given up with the process */
		free(dir);
	}
	for (uint64_t seq = audit_size(t); seq < size; seq++) {
		char line[32];

		snprintf(line, sizeof(line), "record %llu", (unsigned long long)seq);
		REQUIRE(tmplog_add(t, span_str(line), NULL) == RC_OK);
	}
	return t;
}

static json_t *hex_of(const struct tree_hash *h)
{
	char hex[2 * TREE_HASH_SIZE + 1];

	hex_encode(hex, h->at, sizeof(h->at));
	return json_string(hex);
}

static json_t *hashes_of(const struct tree_proof *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->count; i++)
		json_array_append_new(list, hex_of(&p->hash[i]));
	return list;
}

/* The proof shows it; and with a bit of any hash changed, for another leaf or place, or cut short, it does not. */
static void check_inclusion(const struct tree_source *s, uint64_t index, uint64_t size, struct tree_proof p,
			    const struct tree_hash *root)
{
	struct tree_hash leaf;

	REQUIRE(s->get(s->arg, 0, index, &leaf) == RC_OK && tree_check_inclusion(&leaf, index, size, &p, root));
	REQUIRE(size == 1 || !tree_check_inclusion(&leaf, (index + 1) % size, size, &p, root));
	for (size_t i = 0; i < p.count; i++) {
		p.hash[i].at[i % TREE_HASH_SIZE] ^= 1;
		REQUIRE(!tree_check_inclusion(&leaf, index, size, &p, root));
		p.hash[i].at[i % TREE_HASH_SIZE] ^= 1;
	}
	if (p.count > 0) {
		p.count--;
		REQUIRE(!tree_check_inclusion(&leaf, index, size, &p, root));
	}
	leaf.at[0] ^= 1;
	REQUIRE(!tree_check_inclusion(&leaf, index, size, &p, root));
}

static void check_consistency(const struct tree_source *s, uint64_t from, uint64_t size, struct tree_proof p,
			      const struct tree_hash *root)
{
	struct tree_hash before;

	REQUIRE(tree_root(s, from, &before) == RC_OK && tree_check_consistency(from, &before, size, root, &p));
	for (size_t i = 0; i < p.count; i++) {
		p.hash[i].at[31] ^= 0x80;
		REQUIRE(!tree_check_consistency(from, &before, size, root, &p));
		p.hash[i].at[31] ^= 0x80;
	}
	if (from > 0) {
		before.at[7] ^= 1;
		REQUIRE(!tree_check_consistency(from, &before, size, root, &p));
	}
}

static json_t *answer_tree(const json_t *q)
{
	uint64_t size = (uint64_t)json_integer_value(json_object_get(q, "size"));
	const json_t *index = json_object_get(q, "index"), *from = json_object_get(q, "from");
	struct tree_source s = audit_tree(log_of(size));
	struct tree_proof inclusion = { 0 }, consistency = { 0 };
	struct tree_hash root;

	REQUIRE(tree_root(&s, size, &root) == RC_OK);
	if (json_is_integer(index)) {
		REQUIRE(tree_prove_inclusion(&s, (uint64_t)json_integer_value(index), size, &inclusion) == RC_OK);
		check_inclusion(&s, (uint64_t)json_integer_value(index), size, inclusion, &root);
	}
	if (json_is_integer(from)) {
		REQUIRE(tree_prove_consistency(&s, (uint64_t)json_integer_value(from), size, &consistency) == RC_OK);
		check_consistency(&s, (uint64_t)json_integer_value(from), size, consistency, &root);
	}
	return json_pack("{s:o,s:o,s:o}", "root", hex_of(&root), "inclusion", hashes_of(&inclusion), "consistency", hashes_of(&consistency));
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	while ((size = getline(&line, &room, stdin)) > 0) {
		json_t *q = NULL, *a;
		const json_t *schema;

		REQUIRE(json_strict(span_of(line, (size_t)size), 64, &q, NULL) == RC_OK);
		schema = json_object_get(q, "schema");
		a = schema ? answer_schema(schema, json_object_get(q, "values")) : answer_tree(q);
		REQUIRE(json_dumpf(a, stdout, JSON_COMPACT | JSON_ENCODE_ANY) == 0 && puts("") >= 0);
		json_decref(q);
		json_decref(a);
	}
	free(line);
	return 0;
}
