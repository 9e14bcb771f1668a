/* identity.c -- the person pinned from a verified token, or the lack of one. */
#include "identity/identity-private.h"

#include "base/text.h"

#include <stdio.h>

const char *decision_name(enum decision d)
{
	static const char *const names[] = {
		[DECISION_BLOCKED] = "blocked",
		[DECISION_ANONYMOUS] = "anonymous",
		[DECISION_VERIFIED] = "verified",
	};

	return (size_t)d < ARRAY_LEN(names) ? names[d] : names[DECISION_BLOCKED];
}

void identity_anonymous(struct identity *id, enum reason reason)
{
	*id = (struct identity){ .decision = DECISION_ANONYMOUS, .reason = reason };
}

void identity_blocked(struct identity *id, enum reason reason)
{
	*id = (struct identity){ .decision = DECISION_BLOCKED, .reason = reason };
}

/* A string or an integer, always a string for us. */
static void pin_user_id(struct identity *id, const json_t *claim)
{
	struct span text = json_span(claim);

	if (json_is_integer(claim))
		snprintf(id->user_id, sizeof(id->user_id), "%" JSON_INTEGER_FORMAT, json_integer_value(claim));
	else if (text.size > 0 && text.size < sizeof(id->user_id))
		memcpy(id->user_id, text.data, text.size);      /* the rest is zero already */
}

void identity_pin(struct identity *id, const struct token *verified, const struct site *site)
{
	*id = (struct identity){ .decision = DECISION_BLOCKED };
	if (!verified->key || !verified->claims) {
		/* Nobody may come here with a token that did not verify; who does is not let in. */
		identity_blocked(id, REASON_SIGNATURE_MISMATCH);
		return;
	}
	identity_check(id, verified->claims, site);
	if (id->decision != DECISION_VERIFIED)
		return;
	text_clean(id->name, sizeof(id->name), json_span(json_object_get(verified->claims, "name")));
	pin_user_id(id, json_object_get(verified->claims, "user_id"));
	if (verified->exp.present && verified->exp.valid) {
		id->has_expiry = true;
		id->expires_at = (uint64_t)verified->exp.at;    /* in 0..2^53: the times check passed */
	}
}
