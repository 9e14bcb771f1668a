/* cmd-audit-private.h -- what the audit commands share: the filter, lines read in slices, and how a line is printed. */
#ifndef POSTERN_CONSOLE_CLI_CMD_AUDIT_PRIVATE_H
#define POSTERN_CONSOLE_CLI_CMD_AUDIT_PRIVATE_H

#include "console/cli/cli.h"

/* ---- cmd-audit-filter.c: the filter, from options ---- */

struct filter {
	struct audit_filter f;
	char subject[SUBJECT_MAX], remote[REMOTE_MAX];
	bool with_identity;
};
/* What is wrong with the options alone; then, once the data is open, what it says about them, and who asked is recorded
 * before any identity is read. EXIT_YES or the exit code. *ret stays where it is: its filter points into it. */
int filter_parse(struct call *c, struct filter *ret);
int filter_begin(struct call *c, struct filter *f, const char *format);
/* Both, and opens the data in between. */
int filter_open(struct call *c, struct filter *ret);

/* ---- cmd-audit-lines.c: lines, read in slices so that no transaction waits for whoever reads our output ---- */

#define SLICE 512                      /* rows a read transaction looks at */

struct line { char *text; size_t size; uint64_t seq; json_t *record; };      /* record NULL: it is none */
struct lines { struct line *at; size_t count, room, limit; bool failed; };

typedef enum rc (*scan_call)(struct txn *ledger, const struct audit_filter *f, uint64_t at, size_t max_rows,
                             audit_each each, void *arg, uint64_t *ret_next, bool *ret_end);
/* One slice more, added to l until it holds limit lines. at: where it begins, then where the next does. */
enum rc lines_read(struct call *c, scan_call scan, const struct audit_filter *f, uint64_t *at, struct lines *l,
                   bool *ret_end);
void    lines_clear(struct lines *l);
void    lines_done(struct lines *l);

/* Who is behind the record's subject; false: nobody any more, or the row does not open. */
bool    line_identity(struct call *c, const struct line *l, struct audit_identity *ret);
bool    record_identity(struct call *c, struct txn *ledger, const json_t *record, struct audit_identity *ret);

/* The stored bytes. joined: an identity joins them as a last member, null where who is, so that taking it out again
 * gives back what was hashed. document: what is no record on one line is printed as a JSON string. */
void    line_print(const struct line *l, bool document, bool joined, const struct audit_identity *who);
bool    line_has_subject(const struct line *l);

/* For people: one row. */
#define COLUMNS 8
extern const char *const column_heads[COLUMNS];
struct cells { char seq[24], time[CLOCK_TEXT_MAX], outcome[48]; const char *text[COLUMNS]; };
/* *ret points into itself, line and who (NULL: the subject is shown). */
void    cells_fill(struct cells *ret, const struct line *line, const struct audit_identity *who);

/* ---- cmd-audit-follow.c: until somebody says stop ---- */

void    follow_begin(void);            /* SIGINT and SIGTERM say stop from now on */
bool    follow_stopped(void);
/* Until the next look, or a signal. RC_IO, with why: nothing more will ever be shown. */
enum rc follow_wait(struct call *c);
/* false: not everything was written, and what was not is dropped. */
bool    follow_flush(void);

/* ---- cmd-audit-state.c: where an export goes on ---- */

struct state {
	const char *path;              /* NULL: none is kept */
	int lock;
	const char *origin;            /* borrowed */
	bool has_after;                /* records up to `after` were exported; else none was */
	uint64_t after, saved_ms;
	bool unsaved;
};
/* Only one export goes on from a state at a time. size: of the log. EXIT_YES or the exit code; state_close() in any
 * case. */
int  state_open(struct call *c, struct state *s, const struct log_name *log, uint64_t size);
/* Everything before next was exported; it is on its way, flushed. Writes at most once a second, unless now. */
enum rc state_move(struct call *c, struct state *s, uint64_t next, bool now);
void state_close(struct state *s);

/* ---- cmd-audit-progress.c: on stderr, where somebody waits at a terminal for output that goes elsewhere ---- */

struct progress { bool shown; uint64_t next_ms; };
void progress_begin(struct progress *p);
bool progress_show(uint64_t done, uint64_t of, void *arg);     /* arg: the progress; an admin_progress */
void progress_end(struct progress *p);

/* ---- cmd-audit-verify.c ---- */

json_t *verification_json(const struct verification *v);       /* a new object */
int     verification_exit(const struct verification *v);

#endif
