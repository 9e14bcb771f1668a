#include "schema/schema-private.h"

#include "base/clock.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

/* A pattern is an admin's, its subject a visitor's: these bound what a careless one costs. PCRE2's match limit counts the
 * steps from one place of the subject, and a step may look at all of it; so that limit alone is worth seconds. A callout before
 * each item of the pattern looks at the processor's time, and ends a match that has had MATCH_US_MAX. What it cannot see into
 * is one item: the subject has a bound, and back-references, which compare any number of bytes, are refused at load. */
#define SUBJECT_MAX_BYTES 4096
#define PATTERN_LENGTH_MAX 512
#define PATTERN_COMPILED_MAX 65536         /* a callout takes six bytes */
#define PATTERN_NESTING_MAX 32
#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 2000
#define HEAP_LIMIT_KIB 2048
#define MATCH_US_MAX 10000
#define CALLOUTS_PER_LOOK 64               /* reading the clock is a system call */

/* As ECMA-262 reads a pattern, which is what JSON Schema refers to: `$` is only the very end, \uXXXX is a character,
 * \d and \w are ASCII (no PCRE2_UCP). */
#define PATTERN_OPTIONS \
	(PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C | \
	 PCRE2_AUTO_CALLOUT)

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

struct patience { unsigned callouts; uint64_t until_us; };

static int look_at_the_clock(pcre2_callout_block *at, void *arg)
{
	struct patience *p = arg;
	uint64_t now;

	(void)at;
	if (++p->callouts % CALLOUTS_PER_LOOK != 0)
		return 0;
	now = clock_thread_us();
	if (p->until_us == 0)
		p->until_us = now + MATCH_US_MAX;
	return now > p->until_us ? PCRE2_ERROR_MATCHLIMIT : 0;
}

bool pattern_matches(const struct pattern *p, struct span subject)
{
	pcre2_match_context *context;
	pcre2_match_data *data;
	const char *text = subject.data ? subject.data : "";
	struct patience patience = { 0 };
	bool matches = false;

	if (subject.size > SUBJECT_MAX_BYTES)
		return false;
	context = pcre2_match_context_create(NULL);
	data = pcre2_match_data_create(1, NULL);
	if (context && data &&
	    pcre2_set_match_limit(context, MATCH_LIMIT) == 0 &&
	    pcre2_set_depth_limit(context, DEPTH_LIMIT) == 0 &&
	    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB) == 0 &&
	    pcre2_set_callout(context, look_at_the_clock, &patience) == 0)
		/* 0 is a match too: of more groups than data has room for */
		matches = pcre2_match(p->code, (PCRE2_SPTR)text, subject.size, 0, 0, data, context) >= 0;
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return matches;
}
