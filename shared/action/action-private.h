/* action-private.h -- the names of an identity, for the files of this folder only. */
#ifndef POSTERN_ACTION_ACTION_PRIVATE_H
#define POSTERN_ACTION_ACTION_PRIVATE_H

#include "action/action.h"
#include "base/checker.h"

/* email, name, user_id, identity, in any case. */
bool identity_name(const char *name);

/* What a parameter may be called (design 7, pinned fields): every misnamed property of the schema is a mistake. Says
 * which of email and name the action takes. */
void parameters_check(struct checker *k, const json_t *schema, struct action *a);

#endif
