/* step-gate.c -- may they ask for this, from here? The checks between a known caller and a request worth running, in the order
 * design 4 gives their refusals. From the conversation check on, a refusal of an action is recorded. */
#include "path/path-private.h"

static enum reason find_action(struct exchange *x)
{
	enum reason reason = catalogues_get(&x->path->catalogues, x->vault, x->view, &x->catalogue);

	if (!x->in.endpoint->runs_action)
		return reason == REASON_ACTION_UNKNOWN ? REASON_NONE : reason;    /* a site without actions has an empty catalogue */
	if (reason != REASON_NONE)
		return reason;
	x->action = catalogue_find(x->catalogue->catalogue, x->in.action);
	return x->action ? REASON_NONE : REASON_ACTION_UNKNOWN;
}

/* application/json with any parameters; an empty body needs no type. */
static enum reason check_media_type(struct exchange *x)
{
	const char *at = x->in.content_type.data;
	size_t size = 0;

	if (x->in.content_type.size == 0)
		return x->in.body.size == 0 ? REASON_NONE : REASON_MEDIA_TYPE;
	while (size < x->in.content_type.size && at[size] != ';' && at[size] != ' ' && at[size] != '\t')
		size++;
	return ascii_equal_nocase(span_of(at, size), "application/json") ? REASON_NONE : REASON_MEDIA_TYPE;
}

static enum reason read_body(struct exchange *x)
{
	if (x->in.body_short)
		return REASON_REQUEST_MALFORMED;
	return intent_parse(x->action, x->in.body, &x->intent, &x->problems);
}

/* Whoever is anonymous has no key, for nobody is there whose it would be; a read is simply made again. */
static enum reason check_idempotency_key(struct exchange *x)
{
	size_t count = x->in.idempotency_key_count;

	x->has_key = count > 0 && exchange_verified(x) && x->action->effect != EFFECT_READ;
	if (!x->has_key || (count == 1 && idempotency_key_valid(x->in.idempotency_key)))
		return REASON_NONE;
	problems_add(&x->problems, span_str(""), "Idempotency-Key must be one header of 1 to %d visible ASCII characters",
		     IDEMPOTENCY_KEY_MAX);
	return REASON_REQUEST_MALFORMED;
}

static enum rc hash_conversation(struct exchange *x)
{
	uint8_t hash[SHA256_SIZE];
	struct buf text = BUF_INIT;
	enum rc rc;

	buf_add(&text, x->view->site.id, strlen(x->view->site.id) + 1);
	buf_add_str(&text, x->intent.conversation);
	rc = text.failed ? RC_NOMEM
			 : crypto_hmac(secret_span(store_vault_key(x->path->o.store, "conversation")), buf_span(&text), hash);
	buf_done(&text);
	if (rc != RC_OK)
		return rc;
	memcpy(x->conversation, hash, sizeof(x->conversation));
	hex_encode(x->record.conversation, hash, (CONVERSATION_HASH_MAX - 1) / 2);
	return RC_OK;
}

/* Early word of a conflict. The claim itself is made in the commit, where nobody can come between. */
static enum reason check_conversation(struct exchange *x)
{
	char owner[SUBJECT_MAX];
	struct txn *ledger;

	x->recordable = true;
	if (!x->intent.conversation[0])
		return REASON_NONE;
	if (hash_conversation(x) != RC_OK)
		return REASON_VAULT_UNAVAILABLE;
	if (!exchange_verified(x))
		return REASON_NONE;
	x->claims_pin = true;
	ledger = reader_begin(x->thread->reader, ENV_LEDGER);
	if (pin_get(ledger, x->view->site.id, x->conversation, x->now_us / 1000000, owner) &&
	    strcmp(owner, x->record.subject) != 0)
		return REASON_CONVERSATION_CONFLICT;
	return txn_rc(ledger) == RC_OK ? REASON_NONE : REASON_AUDIT_UNAVAILABLE;
}

static enum reason check_origin(struct exchange *x)
{
	return origin_allowed(&x->view->site, &x->in) ? REASON_NONE : REASON_ORIGIN_DENIED;
}

static enum reason check_gate(struct exchange *x)
{
	return gate_check(&x->identity, x->action->access, x->view->site.plan);
}

/* What a guard stands before is personal, or public where it says so; the plan is about actions alone. */
static enum reason check_guard(struct exchange *x)
{
	return gate_check(&x->identity, x->in.anonymous_allowed ? ACCESS_PUBLIC : ACCESS_PERSONAL, PLAN_PRO);
}

/* Whoever reads a header cuts it at a line's end and strips it: " 1001" would arrive as user 1001. */
static enum reason check_headers(struct exchange *x)
{
	const struct identity *who = &x->identity;

	return text_fits_header(span_str(who->email)) && text_fits_header(span_str(who->user_id)) ? REASON_NONE
		: REASON_IDENTITY_INCOMPLETE;
}

/* Kinds of endpoints, as one needs more than another or something else. */
enum { PLAIN = 1, CATALOGUE = 2, ACTION = 4, GUARD = 8 };

static const struct {
	const char *name;
	unsigned for_endpoints;
	enum reason (*check)(struct exchange *x);
} checks[] = {
	{ "action",          CATALOGUE | ACTION,                 find_action           },
	{ "media type",      ACTION,                             check_media_type      },
	{ "body",            ACTION,                             read_body             },
	{ "idempotency key", ACTION,                             check_idempotency_key },
	{ "conversation",    ACTION,                             check_conversation    },
	{ "origin",          PLAIN | CATALOGUE | ACTION | GUARD, check_origin          },
	{ "gate",            ACTION,                             check_gate            },
	{ "guard",           GUARD,                              check_guard           },
	{ "headers",         GUARD,                              check_headers         },
};

static unsigned kind_of(const struct endpoint *e)
{
	return e->runs_action ? ACTION : e->needs_catalogue ? CATALOGUE : e->guards ? GUARD : PLAIN;
}

enum step_result step_gate(struct exchange *x)
{
	unsigned kind = kind_of(x->in.endpoint);

	for (size_t i = 0; i < ARRAY_LEN(checks) && x->reason == REASON_NONE; i++)
		if (checks[i].for_endpoints & kind)
			x->reason = checks[i].check(x);
	return STEP_NEXT;
}
