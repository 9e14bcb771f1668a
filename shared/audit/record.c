/* record.c -- the words of a record, and an empty one. */
#include "audit/audit.h"

#include "base/clock.h"

static const char *const event_names[] = {
#define X(id, name) [AUDIT_EVENT_##id] = name,
	AUDIT_EVENT_LIST(X)
#undef X
};

static const char *const outcome_names[] = {
#define X(id, name) [AUDIT_OUTCOME_##id] = name,
	AUDIT_OUTCOME_LIST(X)
#undef X
};

const char *audit_event_name(enum audit_event e)
{
	return event_names[e];
}

const char *audit_outcome_name(enum audit_outcome o)
{
	return outcome_names[o];
}

bool audit_outcome_parse(const char *name, enum audit_outcome *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(outcome_names); i++) {
		if (strcmp(outcome_names[i], name) == 0) {
			*ret = (enum audit_outcome)i;
			return true;
		}
	}
	return false;
}

/* Without randomness the id stays empty, and audit_format() refuses a record without one. */
void audit_record_init(struct audit_record *r, enum audit_event e, enum audit_outcome o)
{
	*r = (struct audit_record){ .event = e, .outcome = o, .time = clock_us() };
	if (!ulid_make(r->id, r->time / 1000))
		r->id[0] = '\0';
}
