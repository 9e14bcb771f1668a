/* checks.c -- the checks of an email, in the order of design 5: they follow the token's. */
#include "identity/identity-private.h"

static enum reason check_email(struct identity *id, const json_t *claims, const struct site *site)
{
	(void)id;
	(void)site;
	return json_is_string(json_object_get(claims, "email")) ? REASON_NONE : REASON_EMAIL_MISSING;
}

static enum reason check_syntax(struct identity *id, const json_t *claims, const struct site *site)
{
	const char *domain;

	(void)site;
	return email_normalise(json_span(json_object_get(claims, "email")), id->email, &domain);
}

/* Run alone, without an email that is well formed, there is nothing whose standing could be asked. */
static enum reason standing(const struct identity *id, const struct site *site)
{
	const char *at = strchr(id->email, '@');

	return at ? email_domain_standing(at + 1, site) : REASON_EMAIL_MALFORMED;
}

static enum reason check_reserved(struct identity *id, const json_t *claims, const struct site *site)
{
	enum reason reason = standing(id, site);

	(void)claims;
	return reason == REASON_EMAIL_NOT_PUBLIC ? REASON_NONE : reason;
}

static enum reason check_public(struct identity *id, const json_t *claims, const struct site *site)
{
	enum reason reason = standing(id, site);

	(void)claims;
	return reason == REASON_EMAIL_RESERVED ? REASON_NONE : reason;
}

const struct identity_check identity_checks[] = {
	{ "email", "The token has an email, a string.", DECISION_BLOCKED, check_email },
	{ "email_syntax", "The email is one ordinary mailbox.", DECISION_BLOCKED, check_syntax },
	{ "email_reserved", "The email's domain is not reserved.", DECISION_ANONYMOUS, check_reserved },
	{ "email_public", "The email's domain can be a public one.", DECISION_ANONYMOUS, check_public },
};
const size_t identity_check_count = ARRAY_LEN(identity_checks);

void identity_check(struct identity *id, const json_t *claims, const struct site *site)
{
	for (size_t i = 0; i < identity_check_count; i++) {
		id->reason = identity_checks[i].run(id, claims, site);
		if (id->reason != REASON_NONE) {
			id->decision = identity_checks[i].on_failure;
			return;
		}
	}
	id->decision = DECISION_VERIFIED;
}
