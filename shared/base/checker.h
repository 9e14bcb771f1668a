/* checker.h -- a walk over a piece of JSON that notes every mistake with the place it stands at.
 *
 * A file of settings is checked whole: one run names all its mistakes. The walk goes on after a mistake, and
 * checker_rc() says at the end whether there was one. */
#ifndef POSTERN_BASE_CHECKER_H
#define POSTERN_BASE_CHECKER_H

#include "base/json.h"
#include "base/problems.h"

struct checker {
	struct problems *problems;     /* borrowed; may be NULL */
	struct buf at;                 /* JSON Pointer of where the walk stands */
	bool bad;
	bool nomem;                    /* set by whoever could not allocate */
};

void   checker_init(struct checker *k, struct span at, struct problems *problems);
void   checker_done(struct checker *k);

/* Down to a member or element, and back up to where the mark was taken. */
size_t checker_enter(struct checker *k, const char *member);
size_t checker_enter_index(struct checker *k, size_t index);
void   checker_leave(struct checker *k, size_t mark);

/* A mistake here, or at a member of here. */
void   checker_fail(struct checker *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
void   checker_fail_at(struct checker *k, const char *member, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Each member of object that is not among names is a mistake. */
void   checker_members(struct checker *k, const json_t *object, const char *const *names, size_t count);

enum rc checker_rc(const struct checker *k);     /* RC_NOMEM, RC_INVALID, RC_OK */

#endif
