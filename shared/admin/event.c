/* event.c -- what admins do to the log and the data behind it, recorded before and after. */
#include "admin/admin-private.h"
#include "base/clock.h"

enum rc event_begin(struct admin *a, struct audit_record *r, const char *site, const char *subject, const char *change,
                    const json_t *members, struct why *why)
{
	enum rc rc = record_make(a, r, AUDIT_EVENT_AUDIT, site, change, members);

	if (rc != RC_OK)
		return rc;
	if (subject)
		memcpy(r->subject, subject, strlen(subject) + 1);
	r->outcome = AUDIT_OUTCOME_INTENDED;
	if ((rc = record_put(a, r)) != RC_OK) {
		why_set(why, "nothing was done, because it could not be recorded first: %s", rc_text(rc));
		record_done(r);
	}
	return rc;
}

void event_end(struct admin *a, struct audit_record *r, const json_t *members, enum rc ended)
{
	enum rc rc = json_object_update((json_t *)r->detail, (json_t *)members) == 0 ? RC_OK : RC_NOMEM;

	r->outcome = ended == RC_OK ? AUDIT_OUTCOME_DONE : AUDIT_OUTCOME_FAILED;
	r->reason = ended == RC_OK ? REASON_NONE : REASON_AUDIT_UNAVAILABLE;
	r->time = clock_us();
	if (rc == RC_OK)
		rc = record_put(a, r);
	if (rc != RC_OK)
		why_set(&a->notice, "the record of how this ended could not be written: %s", rc_text(rc));
	record_done(r);
}
