/* export-proof.c -- the lines of a jsonl export that prove the others: canonical JSON, told from records by their first
 * member. */
#include "audit/audit.h"

#define HASH_TEXT_MAX 48               /* base64 of a hash, terminated */

static void add_hashes(struct buf *out, const char *name, const struct tree_hash *hash, size_t count)
{
	char text[HASH_TEXT_MAX];

	buf_addf(out, "\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		base64_encode(text, sizeof(text), span_of(hash[i].at, TREE_HASH_SIZE));
		buf_addf(out, "%s\"%s\"", i > 0 ? "," : "", text);
	}
	buf_add_char(out, ']');
}

void audit_form_range(struct buf *out, const struct tree_range *before)
{
	buf_addf(out, "{\"export\":1,\"first\":%llu,", (unsigned long long)before->size);
	add_hashes(out, "hashes", before->hash, before->count);
	buf_add_char(out, '}');
}

void audit_form_proof(struct buf *out, uint64_t seq, const struct tree_proof *p)
{
	buf_add_char(out, '{');
	add_hashes(out, "proof", p->hash, p->count);
	buf_addf(out, ",\"seq\":%llu}", (unsigned long long)seq);
}

void audit_form_consistency(struct buf *out, uint64_t size, const struct tree_proof *p)
{
	buf_add_char(out, '{');
	add_hashes(out, "consistency", p->hash, p->count);
	buf_addf(out, ",\"size\":%llu}", (unsigned long long)size);
}
