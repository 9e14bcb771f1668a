/* export-private.h -- an exported file as the verifier reads it: lines, what they hold beside records, and the note
 * behind the last. */
#ifndef POSTERN_ADMIN_EXPORT_PRIVATE_H
#define POSTERN_ADMIN_EXPORT_PRIVATE_H

#include "admin/log-private.h"

#include <sys/types.h>

#define EXPORT_LINE_MAX AUDIT_LINE_MAX
#define EXPORT_READ 262144

struct export_file {
	int fd;
	bool spooled;                  /* fd is our own copy of what could not be read twice */
	off_t end;                     /* where the lines end and the note begins */
	off_t at;                      /* what was read of them */
	struct buf note;               /* empty: there is none */
	char *room;                    /* owned, EXPORT_READ bytes; used: from..to */
	size_t from, to;
	bool cut;                      /* the last line does not end, or one is longer than any we write */
};
/* export_done() in any case. */
enum rc export_open(int fd, struct export_file *ret, struct why *why) MUST_CHECK;
void    export_done(struct export_file *f);
/* A sentence where it is something else of ours, which cannot be verified; NULL: none that is known. */
const char *export_other(const struct export_file *f);
/* The next line, borrowed until the next call. RC_NOT_FOUND: there is none. */
enum rc export_line(struct export_file *f, struct span *ret) MUST_CHECK;

/* What stands in a line that is no record: {"NAME":...}, and which members it has. RC_INVALID. */
enum export_kind { EXPORT_RECORD, EXPORT_HEADER, EXPORT_PROOF, EXPORT_CONSISTENCY };
enum export_kind export_kind(struct span line);
struct export_extra { uint64_t number; struct tree_proof hashes; };      /* first, seq or size */
enum rc export_extra(struct span line, enum export_kind kind, struct export_extra *ret) MUST_CHECK;

#endif
