/* shim-disk.c -- a disk that is full, slow, nearly full or on a network, as far as a program can tell by its calls; and a
 * count of what it makes durable. Preloaded; only the ledger's data.mdb is touched. */
#include "tests/faults/shim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

enum { AS_THEY_ARE, NO_SPACE, SHORT, NO_SPACE_SYNCED };

static bool is_ledger(int fd)
{
	static const char tail[] = "/ledger/data.mdb";
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n >= (ssize_t)sizeof(tail) - 1 && memcmp(path + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1) == 0;
}

static bool is_synced(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_DSYNC);
}

/* What becomes of a write to fd: 0 it is made, else what to return (and errno). The meta page, written O_DSYNC, is there
 * already where a file system writes in place: a full disk has room for it. */
static ssize_t refuse(int fd)
{
	int64_t told = shim_told(WRITES);
	bool synced;

	if (!is_ledger(fd))
		return 0;
	synced = is_synced(fd);
	if (synced)
		shim_count(SYNCED_WRITES);
	if (told == SHORT && !synced)
		return 1;
	if (told == (synced ? NO_SPACE_SYNCED : NO_SPACE)) {
		errno = ENOSPC;
		return -1;
	}
	return 0;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	ssize_t n = refuse(fd);

	return n ? n : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	ssize_t n = refuse(fd);

	return n ? n : REAL(pwrite64)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	ssize_t n = refuse(fd);

	return n ? n : REAL(writev)(fd, parts, count);
}

static void synced(int fd)
{
	if (!is_ledger(fd))
		return;
	shim_count(SYNCS);
	if (shim_told(SYNC_DELAY_US))
		usleep((useconds_t)shim_told(SYNC_DELAY_US));
}

int fdatasync(int fd)
{
	synced(fd);
	return REAL(fdatasync)(fd);
}

int fsync(int fd)
{
	synced(fd);
	return REAL(fsync)(fd);
}

/* LMDB calls it only with MDB_WRITEMAP; that it is never called is part of what is counted. */
int msync(void *at, size_t size, int flags)
{
	shim_count(SYNCS);
	return REAL(msync)(at, size, flags);
}

static void tell_room(struct statvfs *s)
{
	int64_t told = shim_told(BYTES_FREE);

	if (told && s->f_frsize)
		s->f_bavail = (fsblkcnt_t)(told - 1) / s->f_frsize;
}

int statvfs(const char *path, struct statvfs *s)
{
	int e = REAL(statvfs)(path, s);

	if (e == 0)
		tell_room(s);
	return e;
}

int fstatvfs(int fd, struct statvfs *s)
{
	int e = REAL(fstatvfs)(fd, s);

	if (e == 0)
		tell_room(s);
	return e;
}

static void tell_magic(struct statfs *s)
{
	if (shim_told(FS_MAGIC))
		s->f_type = (__fsword_t)shim_told(FS_MAGIC);
}

int statfs(const char *path, struct statfs *s)
{
	int e = REAL(statfs)(path, s);

	if (e == 0)
		tell_magic(s);
	return e;
}

int fstatfs(int fd, struct statfs *s)
{
	int e = REAL(fstatfs)(fd, s);

	if (e == 0)
		tell_magic(s);
	return e;
}
