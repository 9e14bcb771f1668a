/* schema.h -- a strict subset of JSON Schema 2020-12 for an action's parameters.
 *
 * Keywords: type properties required additionalProperties enum const minLength maxLength pattern minimum maximum
 * items minItems maxItems format (date, date-time) description title default. Any other keyword is a load error; so
 * is one with a value that cannot apply, one that says nothing about the type beside it, and a pair that nothing
 * satisfies. `type` is a name or an array of names; additionalProperties true (the default) or false, never a
 * schema; items a schema; required names properties. Lengths count Unicode code points. `pattern` is PCRE2 (UTF,
 * not anchored, read as ECMA-262 where they differ: `$` is the very end), run with limits on steps and time and without
 * back-references: a subject that exceeds a limit, or 4,096 bytes, does not match. `default` is annotation only.
 * Numbers compare by value, and 1.0 is an integer. */
#ifndef POSTERN_SCHEMA_SCHEMA_H
#define POSTERN_SCHEMA_SCHEMA_H

#include "base/json.h"
#include "base/problems.h"

#define SCHEMA_DEPTH_MAX 16

struct schema;
/* Compiles; every mistake is added to problems with its pointer below `at` (may be empty). RC_INVALID, RC_NOMEM.
 * An action's top level must be an object schema: that rule is the caller's. */
enum rc schema_compile(const json_t *source, struct span at, struct schema **ret, struct problems *problems) MUST_CHECK;
void    schema_free(struct schema *s);                   /* NULL is fine */

/* Thread-safe on one schema. Every fault is added with the pointer of the value (below `at`), or of the last place
 * above it that fits in 512 bytes; details never echo the value. */
bool    schema_validate(const struct schema *s, const json_t *value, struct span at, struct problems *problems);

#endif
