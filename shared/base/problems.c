/* problems.c -- what is wrong with a piece of JSON. */
#include "base/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void problems_done(struct problems *p)
{
	for (size_t i = 0; i < PROBLEMS_MAX; i++) {
		free(p->list[i].pointer);
		free(p->list[i].detail);
	}
	*p = (struct problems){ 0 };
}

/* Counted even where no memory is left to keep it: a fault never turns into none. */
void problems_add(struct problems *p, struct span pointer, const char *fmt, ...)
{
	struct problem new = { NULL, NULL };
	size_t kept;
	va_list args;

	if (!p)
		return;
	kept = problems_kept(p);
	p->count++;
	if (kept == PROBLEMS_MAX)
		return;
	va_start(args, fmt);
	if (vasprintf(&new.detail, fmt, args) < 0)
		new.detail = NULL;
	va_end(args);
	new.pointer = strndup(pointer.size ? pointer.data : "", pointer.size);
	if (!new.detail || !new.pointer) {
		free(new.detail);
		free(new.pointer);
		return;
	}
	p->list[kept] = new;
}

size_t problems_kept(const struct problems *p)
{
	size_t kept = 0;

	while (kept < PROBLEMS_MAX && p->list[kept].pointer)
		kept++;
	return kept;
}
