/* cmd-audit-progress.c -- how far long work has come, for who waits at a terminal. */
#include "console/cli/cmd-audit-private.h"

#include <unistd.h>

#define PATIENCE_MS 1000               /* what ends sooner needs no progress */
#define SHOW_MS 200

void progress_begin(struct progress *p)
{
	*p = (struct progress){ .next_ms = UINT64_MAX };
	if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO))
		p->next_ms = clock_mono_ms() + PATIENCE_MS;
}

bool progress_show(uint64_t done, uint64_t of, void *arg)
{
	struct progress *p = arg;
	uint64_t now;

	if (p->next_ms == UINT64_MAX || (now = clock_mono_ms()) < p->next_ms)
		return true;
	fprintf(stderr, "\rpostern: %llu of %llu records", (unsigned long long)done, (unsigned long long)of);
	fflush(stderr);
	p->shown = true;
	p->next_ms = now + SHOW_MS;
	return true;
}

/* Leaves an empty line for whatever is said next. */
void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
