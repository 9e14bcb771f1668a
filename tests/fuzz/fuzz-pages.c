/* fuzz-pages.c -- the ledger's file itself, damaged, as the admin programs open and read it, each time in a process of
 * its own.
 *
 * Changes of five bytes or more: which page, where in it (two bytes), how many bytes, and these. LMDB 0.9 has no checksums and
 * believes its pages, so it may crash on a damaged one, or run in a circle: that is its own, and told by the innermost frame
 * that is neither the C library's nor a sanitizer's. What must not be is a crash in our reading of what it gave us. */
#include "tests/fuzz/vault.h"

#include "base/file.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define CHANGES_MAX 8
#define SECONDS_MAX 8

/* How the reading process ends. */
enum { ENDED = 0, LMDBS_OWN = 70, OURS = 71 };

static char *dir, *file;
static struct buf whole;               /* the ledger's file as it should be */

static bool of_lmdb(const char *object)
{
	const char *slash = strrchr(object, '/');

	return strncmp(slash ? slash + 1 : object, "liblmdb", 7) == 0;
}

/* Ours is what stands in the program itself; but its frames of a sanitizer, and of this handler, come first. */
static int whose(void)
{
	void *frame[64];
	int count = backtrace(frame, (int)ARRAY_LEN(frame));
	bool below = false;

	for (int i = 0; i < count; i++) {
		Dl_info info;
		const char *name;

		if (!dladdr(frame[i], &info) || !info.dli_fname)
			continue;
		if (of_lmdb(info.dli_fname))
			return LMDBS_OWN;
		name = info.dli_sname ? info.dli_sname : "";
		/* the C library's frame is the signal's; what is below it was interrupted */
		below |= strstr(info.dli_fname, "libc.so") != NULL;
		if (below && strstr(info.dli_fname, "/fuzz-pages") && strncmp(name, "__interceptor", 13) != 0 &&
		    strncmp(name, "__asan", 6) != 0 && strncmp(name, "__sanitizer", 11) != 0)
			return OURS;
	}
	return OURS;
}

static void crashed(int number)
{
	int end = whose();

	if (end == OURS) {
		void *frame[64];

		dprintf(STDERR_FILENO, "signal %d while reading a damaged ledger\n", number);
		backtrace_symbols_fd(frame, backtrace(frame, (int)ARRAY_LEN(frame)), STDERR_FILENO);
	}
	_exit(end);
}

static void read_it(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM };
	struct verification found;
	struct admin *a;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct sigaction act = { .sa_handler = crashed, .sa_flags = SA_NODEFER };

		sigaction(signals[i], &act, NULL);
	}
	alarm(SECONDS_MAX);
	a = vault_open(dir, true, NULL);
	if (a) {
		vault_read_all(a, &found);
		admin_close(a);
	}
	_exit(ENDED);
}

static void make(void)
{
	struct why why = { "" };
	struct admin *a;
	void *frame[4];

	if (whole.size)
		return;
	REQUIRE(asprintf(&dir, "%s/data", fuzz_dir()) > 0 && asprintf(&file, "%s/ledger/data.mdb", dir) > 0);
	a = vault_make(dir);
	REQUIRE(admin_settle(a, SETTLE_SECONDS, &why) && admin_close(a));
	REQUIRE(file_read(file, 1 << 26, &whole) == RC_OK && whole.size > 8 * PAGE);
	REQUIRE(backtrace(frame, 4) > 0);      /* loads what it needs before a handler needs it */
}

static void put(const struct buf *bytes)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, bytes->data, bytes->size) == (ssize_t)bytes->size && close(fd) == 0);
}

static void damage(struct buf *bytes, struct span input)
{
	size_t pages = bytes->size / PAGE;

	for (int i = 0; i < CHANGES_MAX && input.size >= 4; i++) {
		size_t page = fuzz_byte(&input) % pages, at = ((size_t)fuzz_byte(&input) << 8 | fuzz_byte(&input)) % PAGE;
		size_t count = 1 + fuzz_byte(&input) % 16;

		for (; count > 0 && at < PAGE; count--)
			bytes->data[page * PAGE + at++] = (char)fuzz_byte(&input);
	}
	/* One byte over: the file is cut at that page. */
	if (input.size)
		bytes->size = (1 + fuzz_byte(&input) % pages) * PAGE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes = BUF_INIT;
	int status = 0;
	pid_t pid;

	make();
	buf_add_span(&bytes, buf_span(&whole));
	damage(&bytes, span_of(data, size));
	put(&bytes);
	buf_done(&bytes);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0)
		read_it();
	while (waitpid(pid, &status, 0) < 0)
		;
	REQUIRE(WIFEXITED(status) && (WEXITSTATUS(status) == ENDED || WEXITSTATUS(status) == LMDBS_OWN));
	return 0;
}
