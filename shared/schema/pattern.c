#include "schema/schema-private.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

/* A pattern is an admin's, its subject a visitor's: these bound what a careless one costs. Some 10 ms at worst. The match limit
 * counts steps, not the bytes a step looks at: so the subject has a bound too, and back-references, whose steps compare any
 * number of bytes, are refused at load. */
#define SUBJECT_MAX_BYTES 4096
#define PATTERN_LENGTH_MAX 512
#define PATTERN_COMPILED_MAX 32768
#define PATTERN_NESTING_MAX 32
#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 2000
#define HEAP_LIMIT_KIB 2048

/* As ECMA-262 reads a pattern, which is what JSON Schema refers to: `$` is only the very end, \uXXXX is a character,
 * \d and \w are ASCII (no PCRE2_UCP). */
#define PATTERN_OPTIONS \
	(PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C)

struct pattern {
	pcre2_code *code;
};

static enum rc compile(struct span source, pcre2_compile_context *context, struct pattern *p, const char **detail)
{
	int error;
	PCRE2_SIZE at;
	uint32_t references = 0;
	size_t size = 0;

	p->code = pcre2_compile(source.data, source.size, PATTERN_OPTIONS, &error, &at, context);
	if (!p->code && error == PCRE2_ERROR_HEAP_FAILED)
		return RC_NOMEM;
	if (!p->code) {
		*detail = "not a regular expression that PCRE2 accepts";
		return RC_INVALID;
	}
	if (pcre2_pattern_info(p->code, PCRE2_INFO_BACKREFMAX, &references) != 0 || references > 0) {
		*detail = "a regular expression with a back-reference, which has no bound on its cost";
		return RC_INVALID;
	}
	if (pcre2_pattern_info(p->code, PCRE2_INFO_SIZE, &size) != 0 || size > PATTERN_COMPILED_MAX) {
		*detail = "too large a regular expression";
		return RC_INVALID;
	}
	return RC_OK;
}

enum rc pattern_compile(struct span source, struct pattern **ret, const char **detail)
{
	pcre2_compile_context *context = NULL;
	struct pattern *p = NULL;
	enum rc rc = RC_NOMEM;

	if (source.size > PATTERN_LENGTH_MAX) {
		*detail = "a regular expression longer than 512 bytes";
		return RC_INVALID;
	}
	if (!(context = pcre2_compile_context_create(NULL)) || !(p = calloc(1, sizeof(*p))))
		goto out;
	if (pcre2_set_parens_nest_limit(context, PATTERN_NESTING_MAX) != 0)
		goto out;
	if ((rc = compile(source, context, p, detail)) != RC_OK)
		goto out;
	*ret = p;
	p = NULL;
out:
	pattern_free(p);
	pcre2_compile_context_free(context);
	return rc;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	free(p);
}

bool pattern_matches(const struct pattern *p, struct span subject)
{
	pcre2_match_context *context;
	pcre2_match_data *data;
	const char *text = subject.data ? subject.data : "";
	bool matches = false;

	if (subject.size > SUBJECT_MAX_BYTES)
		return false;
	context = pcre2_match_context_create(NULL);
	data = pcre2_match_data_create(1, NULL);
	if (context && data &&
	    pcre2_set_match_limit(context, MATCH_LIMIT) == 0 &&
	    pcre2_set_depth_limit(context, DEPTH_LIMIT) == 0 &&
	    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB) == 0)
		/* 0 is a match too: of more groups than data has room for */
		matches = pcre2_match(p->code, (PCRE2_SPTR)text, subject.size, 0, 0, data, context) >= 0;
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return matches;
}
