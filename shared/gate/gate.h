/* gate.h -- may this caller run this action? One table (design 6), nothing else. */
#ifndef POSTERN_GATE_GATE_H
#define POSTERN_GATE_GATE_H

#include "identity/identity.h"

enum access { ACCESS_PUBLIC, ACCESS_PERSONAL };
const char *access_name(enum access a);

/* REASON_NONE: it may run. Else SIGN_IN_REQUIRED, PLAN_REQUIRED, or for a blocked caller its public reason. */
enum reason gate_check(const struct identity *who, enum access access, enum plan plan);

#endif
