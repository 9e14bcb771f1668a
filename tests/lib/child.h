/* child.h -- another process for a test: it runs one function, and each side can tell the other single bytes. */
#ifndef POSTERN_TESTS_LIB_CHILD_H
#define POSTERN_TESTS_LIB_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#define CHILD_SKIP 77      /* a child's exit code: what it needs is not there */

struct child {
	pid_t pid;
	int in, out;       /* bytes from and to the other side */
};

/* run gets its own end; what it returns is the exit code. Fork before starting threads. false: could not. */
bool child_start(struct child *c, int (*run)(struct child *self, void *arg), void *arg);
void child_say(const struct child *c, char byte);
/* The other side's next byte; 0: it ended, or said nothing for 30 s. */
char child_hear(const struct child *c);
bool child_stopped(const struct child *c);      /* waits until a signal has stopped it */
/* Waits for the end. The exit code; or 1000 and the signal's number. */
int  child_wait(struct child *c);
int  child_kill(struct child *c);               /* kill -9, then wait */

#endif
