/* signals.c -- the signals a program on the whole screen answers, and giving the terminal back when it dies of one. */
#include "console/tui/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define LATE_S 5                       /* more than settling the records may take */
#define EXIT_LATE 3
#define ALT_STACK_SIZE 65536

static int wake[2] = { -1, -1 };
static atomic_uint came;
static volatile sig_atomic_t stop_signal;

/* ---- giving the terminal back; async-signal-safe ---- */

static struct {
	volatile sig_atomic_t fd;      /* -1: there is nothing to give back */
	struct termios modes;
	char bytes[RESCUE_MAX];
	size_t size;
} rescue = { .fd = -1 };

static volatile sig_atomic_t held = -1, real_stderr = -1;

void signals_rescue(int fd, const struct termios *modes, struct span bytes)
{
	rescue.fd = -1;
	atomic_signal_fence(memory_order_seq_cst);
	if (fd < 0 || bytes.size > sizeof(rescue.bytes))
		return;
	rescue.modes = *modes;
	rescue.size = bytes.size;
	if (bytes.size)
		memcpy(rescue.bytes, bytes.data, bytes.size);
	atomic_signal_fence(memory_order_seq_cst);
	rescue.fd = fd;
}

/* Only while the terminal takes bytes: who dies must not hang. */
static void write_now(int fd, const char *data, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	while (size > 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT)) {
		ssize_t n = write(fd, data, size);

		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			return;
		}
	}
}

static void tell_held(void)
{
	char piece[512];
	ssize_t n;

	if (held < 0)
		return;
	for (off_t at = 0; (n = pread(held, piece, sizeof(piece), at)) > 0; at += n)
		write_now(real_stderr, piece, (size_t)n);
}

/* SIGTTOU is blocked in the handlers: a process in the background may do this, too. */
static void give_back(void)
{
	int fd = rescue.fd;

	if (fd >= 0) {
		rescue.fd = -1;
		tcsetattr(fd, TCSANOW, &rescue.modes);
		write_now(fd, rescue.bytes, rescue.size);
	}
	tell_held();
}

static void on_crash(int n)
{
	give_back();
	raise(n);      /* the default by now (SA_RESETHAND): taken as this handler returns */
}

static void on_late(int n)
{
	(void)n;
	if (rescue.fd >= 0)
		tcflush(rescue.fd, TCOFLUSH);  /* or there is no room for what gives it back */
	give_back();
	_exit(EXIT_LATE);
}

/* ---- what the program answers ---- */

static void wake_up(void)
{
	int e = errno;
	ssize_t n = write(wake[1], "", 1);

	(void)n;       /* full: it is readable already */
	errno = e;
}

static void on_stop(int n)
{
	if (!stop_signal)
		alarm(LATE_S);
	stop_signal = n;
	wake_up();
}

static void on_resize(int n)
{
	(void)n;
	atomic_fetch_or(&came, CAME_RESIZE);
	wake_up();
}

static void on_suspend(int n)
{
	(void)n;
	atomic_fetch_or(&came, CAME_SUSPEND);
	wake_up();
}

static void on_continue(int n)
{
	(void)n;
	atomic_fetch_or(&came, CAME_CONTINUE);
	wake_up();
}

static const struct {
	int number;
	void (*run)(int n);
	bool crash;
} answers[] = {
	{ SIGTERM, on_stop, false }, { SIGHUP, on_stop, false }, { SIGINT, on_stop, false },
	{ SIGWINCH, on_resize, false }, { SIGTSTP, on_suspend, false }, { SIGCONT, on_continue, false },
	{ SIGPIPE, SIG_IGN, false }, { SIGALRM, on_late, false },
	{ SIGSEGV, on_crash, true }, { SIGBUS, on_crash, true }, { SIGABRT, on_crash, true },
	{ SIGFPE, on_crash, true }, { SIGILL, on_crash, true }, { SIGSYS, on_crash, true }, { SIGQUIT, on_crash, true },
	{ SIGXCPU, on_crash, true }, { SIGXFSZ, on_crash, true }, { SIGUSR1, on_crash, true }, { SIGUSR2, on_crash, true },
};
static struct sigaction before[ARRAY_LEN(answers)];
static bool taken;

static bool take_one(size_t i)
{
	struct sigaction act = { .sa_handler = answers[i].run, .sa_flags = SA_RESTART };

	if (sigaction(answers[i].number, NULL, &before[i]) != 0)
		return false;
	if (answers[i].crash && before[i].sa_handler != SIG_DFL)
		return true;
	if (answers[i].crash)          /* the stack may be what overflowed */
		act.sa_flags = (int)SA_RESETHAND | SA_ONSTACK;
	sigfillset(&act.sa_mask);
	return sigaction(answers[i].number, &act, NULL) == 0;
}

static void leave(size_t count)
{
	for (size_t i = 0; i < count; i++)
		sigaction(answers[i].number, &before[i], NULL);
}

bool signals_take(void)
{
	static char stack[ALT_STACK_SIZE];
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) }, now;

	/* A sanitizer has put one there already, and frees what it finds at the end. */
	if (sigaltstack(NULL, &now) != 0 || ((now.ss_flags & SS_DISABLE) && sigaltstack(&other, NULL) != 0) ||
	    pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (!take_one(i)) {
			leave(i);
			close(wake[0]);
			close(wake[1]);
			return false;
		}
	}
	taken = true;
	return true;
}

void signals_leave(void)
{
	if (!taken)
		return;
	alarm(0);
	leave(ARRAY_LEN(answers));
	taken = false;
	close(wake[0]);
	close(wake[1]);
}

int signals_fd(void)
{
	return wake[0];
}

unsigned signals_came(void)
{
	char drained[64];

	while (read(wake[0], drained, sizeof(drained)) > 0)
		;
	return atomic_exchange(&came, 0);
}

int signals_stop(void)
{
	return stop_signal;
}

/* The others of the group first, unheard by this process. Then this thread: raise() returns after it was continued,
 * while a signal to the whole process may find another thread and stop this one some instructions later. Where the
 * group is orphaned the kernel drops the signal: nobody could continue it. */
void signals_suspend(void)
{
	struct sigaction ignored = { .sa_handler = SIG_IGN }, normal = { .sa_handler = SIG_DFL }, ours;

	if (sigaction(SIGTSTP, &ignored, &ours) != 0)
		return;
	kill(0, SIGTSTP);
	sigaction(SIGTSTP, &normal, NULL);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &ours, NULL);
	atomic_fetch_and(&came, ~(unsigned)(CAME_SUSPEND | CAME_CONTINUE));
}

/* ---- standard error ---- */

void stderr_hold(void)
{
	int copy, hold;

	if (held >= 0 || !isatty(STDERR_FILENO))
		return;
	copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	hold = memfd_create("stderr", MFD_CLOEXEC);
	if (copy >= 0 && hold >= 0 && dup2(hold, STDERR_FILENO) >= 0) {
		real_stderr = copy;
		held = hold;
		return;
	}
	if (copy >= 0)
		close(copy);
	if (hold >= 0)
		close(hold);
}

void stderr_release(void)
{
	int hold = held, copy = real_stderr;

	if (hold < 0)
		return;
	tell_held();
	held = -1;
	dup2(copy, STDERR_FILENO);
	close(copy);
	close(hold);
}
