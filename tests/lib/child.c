/* child.c -- another process for a test. */
#include "tests/lib/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAR_MS 30000

bool child_start(struct child *c, int (*run)(struct child *self, void *arg), void *arg)
{
	int down[2], up[2];
	struct child self;

	if (pipe(down) != 0)
		return false;
	if (pipe(up) != 0) {
		close(down[0]);
		close(down[1]);
		return false;
	}
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0) {
		close(down[1]);
		close(up[0]);
		self = (struct child){ .pid = getppid(), .in = down[0], .out = up[1] };
		_exit(run(&self, arg));
	}
	close(down[0]);
	close(up[1]);
	c->in = up[0];
	c->out = down[1];
	return c->pid > 0;
}

void child_say(const struct child *c, char byte)
{
	if (write(c->out, &byte, 1) != 1)
		perror("child_say");
}

char child_hear(const struct child *c)
{
	struct pollfd p = { .fd = c->in, .events = POLLIN };
	char byte;
	int n;

	do
		n = poll(&p, 1, HEAR_MS);
	while (n < 0 && errno == EINTR);
	return n == 1 && read(c->in, &byte, 1) == 1 ? byte : 0;
}

static int wait_for(pid_t pid, int flags)
{
	int status;

	while (waitpid(pid, &status, flags) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

bool child_stopped(const struct child *c)
{
	return WIFSTOPPED(wait_for(c->pid, WUNTRACED));
}

int child_wait(struct child *c)
{
	int status;

	close(c->in);
	close(c->out);
	status = wait_for(c->pid, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int child_kill(struct child *c)
{
	kill(c->pid, SIGKILL);
	return child_wait(c);
}
