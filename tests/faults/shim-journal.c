/* shim-journal.c -- in what order a program writes to the ledger's data.mdb and makes it durable: a journal that a test
 * replays up to any moment. A write stands in it before it is made, for it may be on the disk from then on; that it is
 * durable, after the call returned, for it may not be until then. */
#include "tests/faults/shim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* The order is tests/faults/test_crash_points.py's. */
enum kind { WRITE, SYNCED_WRITE, SYNC, SYNCED, MAPPED_SYNC };

/* Then come the bytes of a write. SYNCED ends its thread's last SYNCED_WRITE or SYNC. */
struct entry {
	int64_t kind;
	int64_t thread;
	int64_t at;
	int64_t size;
};

static int journal = -1;

__attribute__((constructor)) static void journal_open(void)
{
	const char *path = getenv("POSTERN_SHIM_JOURNAL");

	if (path)
		journal = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* Without its journal the program must not go on as if it had one. */
static void put_all(const void *data, size_t size)
{
	if (REAL(write)(journal, data, size) != (ssize_t)size)
		abort();
}

static void put(enum kind kind, off_t at, const struct iovec *parts, int count)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct entry e = { .kind = kind, .thread = syscall(SYS_gettid), .at = at };

	for (int i = 0; i < count; i++)
		e.size += (int64_t)parts[i].iov_len;
	pthread_mutex_lock(&lock);
	put_all(&e, sizeof(e));
	for (int i = 0; i < count; i++)
		put_all(parts[i].iov_base, parts[i].iov_len);
	pthread_mutex_unlock(&lock);
}

static bool is_ledger(int fd)
{
	static const char tail[] = "/ledger/data.mdb";
	char link[64], path[4096];
	ssize_t n;

	if (journal < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n >= (ssize_t)sizeof(tail) - 1 && memcmp(path + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1) == 0;
}

/* Returns the write's kind; WRITE also where it is no write of the ledger. */
static enum kind begin(int fd, const struct iovec *parts, int count, off_t at)
{
	enum kind kind;
	int flags;

	if (!is_ledger(fd))
		return WRITE;
	flags = fcntl(fd, F_GETFL);
	kind = flags >= 0 && (flags & O_DSYNC) ? SYNCED_WRITE : WRITE;
	put(kind, at < 0 ? lseek(fd, 0, SEEK_CUR) : at, parts, count);
	return kind;
}

static ssize_t end(enum kind kind, ssize_t n)
{
	if (kind != WRITE && n >= 0)
		put(SYNCED, 0, NULL, 0);
	return n;
}

/* The base of an iovec is not const, for readv(); nothing is written through it here. */
static struct iovec part_of(const void *data, size_t size)
{
	union {
		const void *data;
		void *base;
	} u = { .data = data };

	return (struct iovec){ .iov_base = u.base, .iov_len = size };
}

ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec part = part_of(data, size);
	enum kind kind = begin(fd, &part, 1, -1);

	return end(kind, REAL(write)(fd, data, size));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	struct iovec part = part_of(data, size);
	enum kind kind = begin(fd, &part, 1, at);

	return end(kind, REAL(pwrite)(fd, data, size, at));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return pwrite(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	enum kind kind = begin(fd, parts, count, -1);

	return end(kind, REAL(writev)(fd, parts, count));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	enum kind kind = begin(fd, parts, count, at);

	return end(kind, REAL(pwritev)(fd, parts, count, at));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
	return pwritev(fd, parts, count, at);
}

static enum kind begin_sync(int fd)
{
	if (!is_ledger(fd))
		return WRITE;
	put(SYNC, 0, NULL, 0);
	return SYNC;
}

int fdatasync(int fd)
{
	enum kind kind = begin_sync(fd);

	return (int)end(kind, REAL(fdatasync)(fd));
}

int fsync(int fd)
{
	enum kind kind = begin_sync(fd);

	return (int)end(kind, REAL(fsync)(fd));
}

/* Nothing is written through LMDB's map: that this is never called is what the test asks. */
int msync(void *at, size_t size, int flags)
{
	if (journal >= 0)
		put(MAPPED_SYNC, 0, NULL, 0);
	return REAL(msync)(at, size, flags);
}
