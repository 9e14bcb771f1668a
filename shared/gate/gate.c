/* gate.c -- one table, nothing else: who may run what (design 6). */
#include "gate/gate.h"

const char *access_name(enum access a)
{
	return a == ACCESS_PUBLIC ? "public" : "personal";
}

/* What a caller is refused with: under a plan that includes personal actions, and under one that does not. */
static const enum reason refusals[3][2][2] = {
	[DECISION_BLOCKED] = {
		[ACCESS_PUBLIC]   = { REASON_TOKEN_INVALID,    REASON_TOKEN_INVALID },
		[ACCESS_PERSONAL] = { REASON_TOKEN_INVALID,    REASON_TOKEN_INVALID },
	},
	[DECISION_ANONYMOUS] = {
		[ACCESS_PUBLIC]   = { REASON_NONE,             REASON_NONE },
		[ACCESS_PERSONAL] = { REASON_SIGN_IN_REQUIRED, REASON_SIGN_IN_REQUIRED },
	},
	[DECISION_VERIFIED] = {
		[ACCESS_PUBLIC]   = { REASON_NONE,             REASON_NONE },
		[ACCESS_PERSONAL] = { REASON_NONE,             REASON_PLAN_REQUIRED },
	},
};

/* The public name of why a caller is blocked. A blocked caller without a reason is blocked all the same. */
static enum reason blocked_reason(enum reason why)
{
	enum reason told = reason_public(why);

	return reason_status(told) != 0 ? told : REASON_TOKEN_INVALID;
}

enum reason gate_check(const struct identity *who, enum access access, enum plan plan)
{
	/* Values outside the enumerations read as the strictest of theirs. */
	unsigned decision = (size_t)who->decision < ARRAY_LEN(refusals) ? who->decision : DECISION_BLOCKED;
	unsigned wanted = access == ACCESS_PUBLIC ? ACCESS_PUBLIC : ACCESS_PERSONAL;
	bool included = plan == PLAN_PRO || plan == PLAN_BUSINESS;
	enum reason refusal = refusals[decision][wanted][!included];

	return refusal == REASON_TOKEN_INVALID ? blocked_reason(who->reason) : refusal;
}
