/* verify.c -- a token's life: begin, run the checks, end; and the memo that spares the usual header its parse. */
#include "token/token-private.h"

#include <stdlib.h>

void token_init(struct token *t, struct span text)
{
	*t = (struct token){ .text = text };
}

void token_done(struct token *t)
{
	json_decref(t->header_json);
	json_decref(t->claims);
	*t = (struct token){ 0 };
}

const char *token_fingerprint(struct token *t)
{
	uint8_t hash[SHA256_SIZE];

	if (!t->fingerprint[0] && crypto_sha256(t->text, hash) == RC_OK)
		hex_encode(t->fingerprint, hash, (sizeof(t->fingerprint) - 1) / 2);
	return t->fingerprint;
}

enum reason token_verify(struct token *t, const struct token_context *c)
{
	enum reason reason = REASON_NONE;

	for (size_t i = 0; i < token_check_count && reason == REASON_NONE; i++)
		reason = token_checks[i].run(t, c);
	if (reason == REASON_KEY_RETIRED || reason == REASON_SIGNATURE_MISMATCH)
		refuse_evenly(t, c, reason);
	if (reason != REASON_NONE)
		token_fingerprint(t);
	return reason;
}

enum reason token_verify_all(struct token *t, const struct token_context *c, enum reason *ret, bool *ran)
{
	enum reason first = REASON_NONE;
	uint32_t passed = 0;

	for (size_t i = 0; i < token_check_count; i++) {
		const struct token_check *check = &token_checks[i];

		ran[i] = (passed & check->needs) == check->needs;
		ret[i] = ran[i] ? check->run(t, c) : REASON_NONE;
		if (ran[i] && ret[i] == REASON_NONE)
			passed |= UINT32_C(1) << i;
		else if (first == REASON_NONE)
			first = ret[i];
	}
	token_fingerprint(t);
	return first;
}

/* ---- the memo ---- */

struct token_memo *token_memo_new(void)
{
	return calloc(1, sizeof(struct token_memo));
}

void token_memo_free(struct token_memo *m)
{
	if (!m)
		return;
	json_decref(m->json);
	free(m);
}

/* Is this the header that is remembered, with another kid? One byte that differs elsewhere, and it is not. */
static bool differs_by_kid(const struct token_memo *m, struct span header, char kid[KID_MAX])
{
	char text[MEMO_HEADER_MAX];
	size_t behind = m->kid_at + KID_MAX - 1;
	struct span found = span_of(text + m->kid_at, KID_MAX - 1);

	if (m->kid_at == 0 || header.size != m->size || base64url_decode((uint8_t *)text, sizeof(text), header) != (long)m->text_size)
		return false;
	if (memcmp(text, m->text, m->kid_at) != 0 || memcmp(text + behind, m->text + behind, m->text_size - behind) != 0 ||
	    !kid_valid(found))
		return false;
	memcpy(kid, found.data, found.size);
	kid[found.size] = '\0';
	return true;
}

json_t *memo_find(const struct token_memo *m, struct span header, char kid[KID_MAX])
{
	if (!m || m->size == 0)
		return NULL;
	if (!span_equal(header, span_of(m->header, m->size)) && !differs_by_kid(m, header, kid))
		return NULL;
	return json_incref(m->json);
}

/* No objects or lists inside, so that a name is one of the header's own wherever it stands. */
static bool is_flat(json_t *header)
{
	const char *name;
	json_t *value;

	json_object_foreach(header, name, value)
		if (json_is_object(value) || json_is_array(value))
			return false;
	return true;
}

/* Where in the text the kid begins, if it stands there as `"kid":"<kid>"`: no space, no escape. 0: it does not, or what does is
 * the end of a longer name, whose quote is an escaped one: `"x\"kid":"<kid>"`. */
static size_t find_kid(struct span text, json_t *header)
{
	static const char before[] = "\"kid\":\"";
	struct span kid = json_span(json_object_get(header, "kid"));
	char member[sizeof(before) + KID_MAX];
	size_t size = sizeof(before) - 1;
	const char *at;

	if (!kid_valid(kid) || !is_flat(header))
		return 0;
	memcpy(member, before, size);
	memcpy(member + size, kid.data, kid.size);
	size += kid.size;
	member[size++] = '"';
	at = memmem(text.data, text.size, member, size);
	/* There is a byte before it: the text begins with the object's bracket. */
	return at && at[-1] != '\\' ? (size_t)(at - (const char *)text.data) + sizeof(before) - 1 : 0;
}

/* A token may be parked and end on another thread than its memo's, so both hold a count of their own: jansson's counts
 * are atomic wherever the compiler can, and where it cannot nothing is remembered. */
void memo_keep(struct token_memo *m, struct span header, json_t *json)
{
	long size;

	if (!JSON_HAVE_ATOMIC_BUILTINS || !m || header.size > sizeof(m->header))
		return;
	size = base64url_decode((uint8_t *)m->text, sizeof(m->text), header);
	json_decref(m->json);
	m->json = json_incref(json);
	memcpy(m->header, header.data, header.size);
	m->size = header.size;
	m->text_size = size > 0 ? (size_t)size : 0;
	m->kid_at = find_kid(span_of(m->text, m->text_size), json);
}
