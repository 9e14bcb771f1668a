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

json_t *memo_find(const struct token_memo *m, struct span header)
{
	if (!m || m->size == 0 || !span_equal(header, span_of(m->header, m->size)))
		return NULL;
	return json_incref(m->json);
}

/* A token may be parked and end on another thread than its memo's, so both hold a count of their own: jansson's counts
 * are atomic wherever the compiler can, and where it cannot nothing is remembered. */
void memo_keep(struct token_memo *m, struct span header, json_t *json)
{
	if (!JSON_HAVE_ATOMIC_BUILTINS || !m || header.size > sizeof(m->header))
		return;
	json_decref(m->json);
	m->json = json_incref(json);
	memcpy(m->header, header.data, header.size);
	m->size = header.size;
}
