/* json.h -- jansson, entered through one strict door.
 *
 * json_strict() refuses what jansson lets pass: NUL bytes anywhere, nesting deeper than asked,
 * duplicate names. Ownership follows jansson's words: "new" references are the caller's
 * (json_decref), "borrowed" ones live as long as their parent. */
#ifndef POSTERN_BASE_JSON_H
#define POSTERN_BASE_JSON_H

#include "base/codes.h"
#include "base/buf.h"
#include "base/span.h"

#include <jansson.h>

/* Parses one JSON value. RC_INVALID (why says where) if it is not UTF-8 JSON, has a NUL byte or a
 * duplicate member, or is nested deeper than max_depth; RC_NOMEM says nothing about it. *ret is new. Numbers too large for
 * int64 or double are refused by jansson itself. */
enum rc json_strict(struct span text, unsigned max_depth, json_t **ret, struct why *why) MUST_CHECK;

/* Compact, members sorted, ASCII-escaped: the canonical text used wherever bytes are hashed or
 * stored. Adds to b. */
void json_canonical(struct buf *b, const json_t *value);

/* Appends one reference token to a JSON Pointer (RFC 6901), escaping ~ and /. */
void pointer_add(struct buf *pointer, struct span token);
void pointer_add_index(struct buf *pointer, size_t index);

/* A JSON Pointer of at most POINTER_MAX bytes? */
#define POINTER_MAX 512
bool pointer_valid(struct span pointer);
/* What a valid pointer points at in value, borrowed; NULL: nothing is there. */
const json_t *pointer_get(const json_t *value, struct span pointer);

/* A JSON string's bytes, borrowed; empty span for anything else. */
struct span json_span(const json_t *string);

#endif
