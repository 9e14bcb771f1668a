#include "base/checker.h"

#include <stdarg.h>
#include <stdio.h>

void checker_init(struct checker *k, struct span at, struct problems *problems)
{
	*k = (struct checker){ .problems = problems };
	buf_add_span(&k->at, at);
}

void checker_done(struct checker *k)
{
	buf_done(&k->at);
}

size_t checker_enter(struct checker *k, const char *member)
{
	size_t mark = k->at.size;

	pointer_add(&k->at, span_str(member));
	return mark;
}

size_t checker_enter_index(struct checker *k, size_t index)
{
	size_t mark = k->at.size;

	pointer_add_index(&k->at, index);
	return mark;
}

void checker_leave(struct checker *k, size_t mark)
{
	if (k->at.failed || mark > k->at.size)
		return;
	k->at.size = mark;
	if (k->at.data)
		k->at.data[mark] = '\0';
}

static void PRINTF_LIKE(2, 0) fail(struct checker *k, const char *fmt, va_list args)
{
	char text[256];

	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	k->bad = true;
	problems_add(k->problems, buf_span(&k->at), "%s", text);
}

void checker_fail(struct checker *k, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail(k, fmt, args);
	va_end(args);
}

void checker_fail_at(struct checker *k, const char *member, const char *fmt, ...)
{
	size_t mark = checker_enter(k, member);
	va_list args;

	va_start(args, fmt);
	fail(k, fmt, args);
	va_end(args);
	checker_leave(k, mark);
}

static bool among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void checker_members(struct checker *k, const json_t *object, const char *const *names, size_t count)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
		if (!among(name, names, count))
			checker_fail_at(k, name, "unknown member");
}

enum rc checker_rc(const struct checker *k)
{
	if (k->nomem || k->at.failed)
		return RC_NOMEM;
	return k->bad ? RC_INVALID : RC_OK;
}
