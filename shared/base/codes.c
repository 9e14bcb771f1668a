/* codes.c -- the tables behind codes.h, made from its two lists, so that code, name and sentence cannot drift. */
#include "base/codes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct rc_row {
	const char *name, *text;
};

static const struct rc_row rc_rows[] = {
#define X(id, name, text) [RC_##id] = { name, text },
	RC_LIST(X)
#undef X
};

struct reason_row {
	const char *name, *text;
	int status;
};

static const struct reason_row reason_rows[] = {
#define X(id, name, status, text) [REASON_##id] = { name, text, status },
	REASON_LIST(X)
#undef X
};

static const struct rc_row *rc_row(enum rc rc)
{
	static const struct rc_row unknown = { "unknown", "an outcome that is not in the list" };

	return (size_t)rc < ARRAY_LEN(rc_rows) ? &rc_rows[rc] : &unknown;
}

static const struct reason_row *reason_row(enum reason r)
{
	static const struct reason_row unknown = { "unknown", "A reason that is not in the list.", 0 };

	return (size_t)r < ARRAY_LEN(reason_rows) ? &reason_rows[r] : &unknown;
}

const char *rc_name(enum rc rc)
{
	return rc_row(rc)->name;
}

const char *rc_text(enum rc rc)
{
	return rc_row(rc)->text;
}

const char *reason_name(enum reason r)
{
	return reason_row(r)->name;
}

const char *reason_text(enum reason r)
{
	return reason_row(r)->text;
}

int reason_status(enum reason r)
{
	return reason_row(r)->status;
}

enum reason reason_from_name(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(reason_rows); i++)
		if (strcmp(reason_rows[i].name, name) == 0)
			return (enum reason)i;
	return REASON_COUNT;
}

/* What is told in another's name. The two reasons after EMAIL_MALFORMED do not block: such a caller is anonymous, and may
 * be told why. That an answer was somebody else's looks like one that is not there. */
static const struct { enum reason first, last, told; } told_as[] = {
	{ REASON_TOKEN_MALFORMED,    REASON_EMAIL_MALFORMED,      REASON_TOKEN_INVALID   },
	{ REASON_CONNECTION_UNKNOWN, REASON_PROVIDER_UNREACHABLE, REASON_UPSTREAM_FAILED },
	{ REASON_CONNECTION_BUSY,    REASON_CONNECTION_BUSY,      REASON_OVERLOADED      },
	{ REASON_OWNER_MISMATCH,     REASON_OWNER_MISMATCH,       REASON_NOT_FOUND       },
	{ REASON_OUTCOME_UNKNOWN,    REASON_OUTCOME_UNKNOWN,      REASON_UPSTREAM_FAILED },
};

enum reason reason_public(enum reason r)
{
	if (reason_status(r) != 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(told_as); i++)
		if (r >= told_as[i].first && r <= told_as[i].last)
			return told_as[i].told;
	return r;
}

void why_set(struct why *w, const char *fmt, ...)
{
	va_list args;

	if (!w || w->text[0])
		return;
	va_start(args, fmt);
	if (vsnprintf(w->text, sizeof(w->text), fmt, args) < 0)
		w->text[0] = '\0';
	va_end(args);
}
