/* schema-private.h -- a compiled schema, for the files of this folder only. */
#ifndef POSTERN_SCHEMA_SCHEMA_PRIVATE_H
#define POSTERN_SCHEMA_SCHEMA_PRIVATE_H

#include "schema/schema.h"

#include <stdint.h>

/* Types as bits. A JSON integer is of two: integer and number. */
enum {
	TYPE_OBJECT = 1 << 0,
	TYPE_ARRAY = 1 << 1,
	TYPE_STRING = 1 << 2,
	TYPE_INTEGER = 1 << 3,
	TYPE_NUMBER = 1 << 4,
	TYPE_BOOLEAN = 1 << 5,
	TYPE_NULL = 1 << 6,
};
#define TYPE_NUMERIC (TYPE_INTEGER | TYPE_NUMBER)

struct property {
	char *name;              /* owned */
	bool required;
	struct schema *schema;   /* owned */
};

struct format {
	const char *name;
	bool (*valid)(struct span text);
};

struct pattern;

struct schema {
	unsigned types;                          /* 0: any */
	struct property *properties;
	size_t property_count;
	bool closed;                             /* additionalProperties is false */
	json_t *allowed;                         /* enum, or const as an array of one; NULL: anything */
	size_t min_length, max_length;           /* code points */
	size_t min_items, max_items;
	json_t *minimum, *maximum;               /* kept as written, so that large integers compare exactly */
	struct pattern *pattern;
	const struct format *format;
	struct schema *items;
};

const struct property *schema_property(const struct schema *s, const char *name);

/* Numbers by value, exactly, also an integer with a real: negative, 0 or positive. */
int number_compare(const json_t *a, const json_t *b);

/* NULL: a format this schema does not know. */
const struct format *format_find(const char *name);

/* RC_INVALID: not a regular expression, or too large a one; detail says which, in words. */
enum rc pattern_compile(struct span source, struct pattern **ret, const char **detail);
void    pattern_free(struct pattern *p);
/* A subject that needs more than the limits allow does not match. */
bool    pattern_matches(const struct pattern *p, struct span subject);

#endif
