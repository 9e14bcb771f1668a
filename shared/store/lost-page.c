/* lost-page.c -- a page of vault or ledger that is no longer there: the file was cut short, or the disk cannot read it.
 *
 * LMDB reads through a map, so such a read is a signal, not an error. Nothing that was answered can be wrong by it, and nothing can
 * be gone on with. */
#include "store/store.h"

#include <signal.h>
#include <unistd.h>

static const char *said;
static int exit_code;

static void on_bus(int signal_number)
{
	(void)signal_number;
	(void)!write(STDERR_FILENO, said, strlen(said));
	_exit(exit_code);
}

void store_on_lost_page(const char *line, int code)
{
	struct sigaction act = { .sa_handler = on_bus };
	sigset_t bus;

	said = line;
	exit_code = code;
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	/* Where this fails the signal ends the process all the same, only without a word. */
	if (sigaction(SIGBUS, &act, NULL) == 0)
		sigprocmask(SIG_UNBLOCK, &bus, NULL);
}
