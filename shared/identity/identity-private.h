/* identity-private.h -- shared between the files of identity/; nobody else includes it. */
#ifndef POSTERN_IDENTITY_PRIVATE_H
#define POSTERN_IDENTITY_PRIVATE_H

#include "identity/identity.h"

/* Runs the checks in order on an identity that is all zero: sets email where it is well formed, decision and reason. */
void identity_check(struct identity *id, const json_t *claims, const struct site *site);

#endif
