/* space.c -- who may still add to a ledger that fills up (design 9): strangers stop first, admins never. */
#include "audit/audit.h"

bool audit_space_left(const struct store_space *s, enum audit_writer w)
{
	static const uint64_t percent[] = { [AUDIT_STRANGER] = 80, [AUDIT_VISITOR] = 97 };

	return w == AUDIT_ADMIN || s->used < s->limit / 100 * percent[w];
}
