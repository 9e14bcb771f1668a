/* audit-rows.h -- a window on the log: some hundred neighbouring records that match a filter, longer at either end when asked.
 * It holds no transaction between calls. Not thread-safe. */
#ifndef POSTERN_CONSOLE_TUI_AUDIT_ROWS_H
#define POSTERN_CONSOLE_TUI_AUDIT_ROWS_H

#include "admin/admin.h"

#define AUDIT_WINDOW 1024              /* rows held at most; the other end gives way */

struct record_row {                     /* outside text; what a record lacks is empty */
	uint64_t seq, time_us;
	char site[SITE_ID_MAX], event[12], outcome[12], reason[32], what[64], who[SUBJECT_MAX], remote[REMOTE_MAX];
	uint64_t count;                /* of a folded record; else 0 */
	bool broken;                   /* the line is no record */
};

struct audit_rows {
	size_t count;
	struct record_row row[AUDIT_WINDOW];    /* by seq, oldest first */
	uint64_t older, newer;         /* where reading goes on: before `older`, from `newer` */
	bool oldest, newest;           /* nothing matches further back; nothing newer was there when last looked */
};

/* Empties it. The records before `before` and those from it on are still to be read. */
void audit_rows_reset(struct audit_rows *r, uint64_t before);
/* Reads one slice, at most max_rows of the log, and takes at most want matching rows. *ret_added: how many joined at that end;
 * *ret_dropped: how many had to go at the other. */
enum rc audit_rows_older(struct audit_rows *r, struct admin *a, const struct audit_filter *f, size_t want, size_t max_rows,
                         size_t *ret_added, size_t *ret_dropped) MUST_CHECK;
enum rc audit_rows_newer(struct audit_rows *r, struct admin *a, const struct audit_filter *f, size_t want, size_t max_rows,
                         size_t *ret_added, size_t *ret_dropped) MUST_CHECK;
/* What a row of the list needs of a record; record NULL: a broken line. */
void record_row_fill(struct record_row *ret, uint64_t seq, const json_t *record);

#endif
