/* export-private.h -- a record taken apart, for the forms an export has. */
#ifndef POSTERN_AUDIT_EXPORT_PRIVATE_H
#define POSTERN_AUDIT_EXPORT_PRIVATE_H

#include "audit/audit.h"

/* Every member a record may have (data/audit-line.schema.json), in the order people look for them. */
/*	  enum		name		kind */
#define MEMBER_LIST(X) \
	X(SEQ,		"seq",		NUMBER) \
	X(TIME,		"time",		NUMBER) \
	X(EVENT,	"event",	TEXT) \
	X(OUTCOME,	"outcome",	TEXT) \
	X(REASON,	"reason",	TEXT) \
	X(SITE,		"site",		TEXT) \
	X(ACTION,	"action",	TEXT) \
	X(EFFECT,	"effect",	TEXT) \
	X(STATUS,	"status",	NUMBER) \
	X(DURATION_MS,	"duration_ms",	NUMBER) \
	X(COUNT,	"count",	NUMBER) \
	X(FIRST,	"first",	NUMBER) \
	X(LAST,		"last",		NUMBER) \
	X(REMOTE,	"remote",	TEXT) \
	X(SUBJECT,	"subject",	TEXT) \
	X(TOKEN,	"token",	TEXT) \
	X(KID,		"kid",		TEXT) \
	X(KID_CLAIMED,	"kid_claimed",	TEXT) \
	X(EXPIRY,	"expiry",	TEXT) \
	X(CONVERSATION,	"conversation",	TEXT) \
	X(IGNORED,	"ignored",	JSON) \
	X(ACTOR,	"actor",	TEXT) \
	X(DETAIL,	"detail",	JSON) \
	X(ID,		"id",		TEXT) \
	X(V,		"v",		NUMBER)

enum member {
#define X(id, name, kind) MEMBER_##id,
	MEMBER_LIST(X)
#undef X
	MEMBERS
};
enum member_kind { MEMBER_IS_TEXT, MEMBER_IS_NUMBER, MEMBER_IS_JSON };
struct member_row { const char *name; enum member_kind kind; };
extern const struct member_row member_rows[MEMBERS];

/* A member is there only where it has the type it must have, and seq only where it is the line's own. Everything else of
 * the line, or all of it where it is no record, is `other`, so that no form need lose anything. */
#define EXPORT_TIME_MAX 40
struct export_row {
	const struct audit_row *from;
	const json_t *value[MEMBERS];     /* borrowed; NULL: not there */
	char time[EXPORT_TIME_MAX];            /* RFC 3339 with microseconds; empty: there is none */
	char leaf[2 * TREE_HASH_SIZE + 1];     /* in hexadecimal */
	bool is_record;
	struct buf other;                      /* canonical JSON: an object, or the line as a string; empty: nothing */
};
/* RC_NOMEM, RC_IO (SHA-256 failed). export_row_done() in any case. */
enum rc export_row_read(struct export_row *ret, const struct audit_row *from) MUST_CHECK;
void    export_row_done(struct export_row *r);

const char *export_text(const struct export_row *r, enum member m);              /* NULL: not there */
bool        export_number(const struct export_row *r, enum member m, uint64_t *ret);
const char *export_time(uint64_t us, char out[EXPORT_TIME_MAX]);

/* JSON lets DEL stand in a string as it is; in what was added from `from` on it becomes an escape, as any other control
 * character is. */
void export_escape_delete(struct buf *out, size_t from);

/* The rows of the forms, export-*.c. */
void    export_csv_head(struct buf *out, bool joined);
enum rc export_csv_row(struct buf *out, const struct audit_row *r) MUST_CHECK;
enum rc export_ecs_row(struct buf *out, const struct audit_row *r) MUST_CHECK;
enum rc export_cef_row(struct buf *out, const struct audit_row *r) MUST_CHECK;

#endif
