/* step-token.c -- who signed this? No token is one answer, a good one another, and everything else blocks. */
#include "path/path-private.h"

static void block(struct exchange *x, enum reason reason)
{
	identity_blocked(&x->identity, reason);
	x->reason = reason;
	x->recordable = true;
}

static void note_subject(struct exchange *x, const char *email)
{
	struct hmac_key *key;

	if (view_pseudonym(x->view, x->path->o.store, x->vault, &key) != RC_OK)
		x->reason = REASON_VAULT_UNAVAILABLE;
	else if (audit_subject(key, span_str(email), x->record.subject) != RC_OK)
		x->record.subject[0] = '\0';
}

/* A verified signature makes kid and subject known, whatever failed after it; nothing else may name them (design 10). */
static void note_signer(struct exchange *x)
{
	const struct token *t = &x->token;
	struct audit_record *r = &x->record;
	char email[EMAIL_MAX];
	const char *domain;

	memcpy(r->kid_claimed, t->kid_tombstone, sizeof(r->kid_claimed));
	if (!t->key)
		return;
	memcpy(r->kid, t->key->kid, sizeof(r->kid));
	use_counter_add(x->path->uses, x->view->site.id, t->key->kid, x->now_us / 1000000);
	r->expiry_none = t->claims && !t->exp.present;
	if (t->claims && email_normalise(json_span(json_object_get(t->claims, "email")), email, &domain) == REASON_NONE) {
		memcpy(x->identity.email, email, sizeof(email));
		if (exchange_needs_subject(x))
			note_subject(x, email);
	}
}

enum step_result step_token(struct exchange *x)
{
	struct token_context context = {
		.site = &x->view->site, .ring = &x->view->ring, .vault = x->vault,
		.now_us = x->now_us, .memo = x->thread->memo,
	};
	struct span text;
	enum reason reason = token_from_authorization(x->in.authorization_count, x->in.authorization, &text);

	if (reason == REASON_NO_TOKEN)
		return STEP_NEXT;
	if (reason != REASON_NONE) {
		block(x, reason);
		return STEP_NEXT;
	}
	token_init(&x->token, text);
	x->has_token = true;
	reason = token_verify(&x->token, &context);
	if (reason == REASON_OVERLOADED || reason == REASON_VAULT_UNAVAILABLE)
		x->reason = reason;                     /* says nothing about the token: nobody is blamed */
	else if (reason != REASON_NONE)
		block(x, reason);
	note_signer(x);
	if (txn_rc(x->vault) != RC_OK)
		x->reason = REASON_VAULT_UNAVAILABLE;   /* the tombstones could not be read */
	return STEP_NEXT;
}
