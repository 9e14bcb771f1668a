/* shim-nth.c -- the Nth call of a kind fails, counted from the moment the test says so, in whichever thread or process makes it;
 * and how many such calls there were, so that a test can go on until there is no Nth. Preloaded, before a sanitizer's library.
 *
 * Calls that the C library makes inside itself are not seen, but those for memory are. What is written to stderr is left alone:
 * a test reads there what became of the fault. */
#include "tests/faults/shim.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* The order is tests/lib/nth.py's. */
enum kind { MEMORY, WRITE, READ, SYNC, MAP, OPEN, ACCEPT, THREAD, EPOLL, CHANGE, LOOK };

/* What recv() is where the compiler knows how much room there is. */
ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags);

static _Atomic int64_t *page;

/* By the system calls themselves: the functions below are not to be met on the way. */
__attribute__((constructor)) static void page_open(void)
{
	const char *path = getenv("POSTERN_SHIM");
	long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	long at;

	if (fd < 0)
		return;
	at = syscall(SYS_mmap, NULL, SLOTS * sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (at != -1)
		page = (_Atomic int64_t *)at;
}

/* Where the code of the two libraries lies. */
static struct { uintptr_t from, to; } theirs[8];

static int note_theirs(struct dl_phdr_info *library, size_t size, void *count)
{
	size_t *n = count;

	(void)size;
	if (!strstr(library->dlpi_name, "/libc.so") && !strstr(library->dlpi_name, "/libcrypto.so"))
		return 0;
	for (int i = 0; i < library->dlpi_phnum && *n < sizeof(theirs) / sizeof(theirs[0]); i++) {
		const ElfW(Phdr) *p = &library->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		theirs[*n].from = library->dlpi_addr + p->p_vaddr;
		theirs[(*n)++].to = library->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	return 0;
}

__attribute__((constructor)) static void find_theirs(void)
{
	size_t count = 0;

	dl_iterate_phdr(note_theirs, &count);
}

static bool is_theirs(const void *caller)
{
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		if ((uintptr_t)caller >= theirs[i].from && (uintptr_t)caller < theirs[i].to)
			return true;
	return false;
}

static int64_t told(enum slot s)
{
	return atomic_load(&page[s]);
}

static bool fails_for(enum kind kind, const void *caller)
{
	int64_t n, at, every;

	if (!page || !(told(NTH_KINDS) >> kind & 1) || told(NTH_NOT_PID) == getpid() || (told(NTH_OURS) && is_theirs(caller)))
		return false;
	n = atomic_fetch_add(&page[NTH_SEEN], 1) + 1;
	at = told(NTH_AT);
	every = told(NTH_EVERY);
	if (every ? n % every != 0 : at == 0 || n < at || n >= at + told(NTH_FOR))
		return false;
	atomic_fetch_add(&page[NTH_FAILED], 1);
	errno = (int)told(NTH_ERRNO);
	return true;
}

#define fails(kind) fails_for(kind, __builtin_return_address(0))

/* The function behind ours is looked up when it is first needed. */
#define OURS(type, name, kind, failed, params, args) \
	type name params \
	{ \
		static __typeof__(&name) next; \
		\
		if (!next) \
			next = REAL(name); \
		return fails(kind) ? (failed) : next args; \
	}

/* ---- memory ---- */

OURS(void *, malloc, MEMORY, NULL, (size_t size), (size))
OURS(void *, calloc, MEMORY, NULL, (size_t count, size_t size), (count, size))
OURS(void *, realloc, MEMORY, NULL, (void *at, size_t size), (at, size))
OURS(void *, aligned_alloc, MEMORY, NULL, (size_t align, size_t size), (align, size))

/* Nothing fits a shelf then (shared/base/json-memory.c): every block of jansson's is asked for, and may fail. */
size_t malloc_usable_size(void *at)
{
	(void)at;
	return 0;
}

/* ---- descriptors ---- */

#define OURS_OUT(name, params, args) \
	ssize_t name params \
	{ \
		static __typeof__(&name) next; \
		\
		if (!next) \
			next = REAL(name); \
		return fd != STDERR_FILENO && fails(WRITE) ? -1 : next args; \
	}

OURS_OUT(write, (int fd, const void *data, size_t size), (fd, data, size))
OURS_OUT(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
OURS_OUT(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
OURS_OUT(writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
OURS_OUT(send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
OURS_OUT(sendto, (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size),
	 (fd, data, size, flags, to, to_size))
OURS_OUT(sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
OURS_OUT(sendfile, (int fd, int from, off_t *at, size_t size), (fd, from, at, size))

OURS(ssize_t, read, READ, -1, (int fd, void *data, size_t size), (fd, data, size))
OURS(ssize_t, pread, READ, -1, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
OURS(ssize_t, recv, READ, -1, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
OURS(ssize_t, __recv_chk, READ, -1, (int fd, void *data, size_t size, size_t room, int flags), (fd, data, size, room, flags))
OURS(ssize_t, recvmsg, READ, -1, (int fd, struct msghdr *message, int flags), (fd, message, flags))

OURS(int, fsync, SYNC, -1, (int fd), (fd))
OURS(int, fdatasync, SYNC, -1, (int fd), (fd))
OURS(int, msync, SYNC, -1, (void *at, size_t size, int flags), (at, size, flags))

OURS(void *, mmap, MAP, MAP_FAILED, (void *at, size_t size, int protection, int flags, int fd, off_t from),
     (at, size, protection, flags, fd, from))
OURS(void *, mmap64, MAP, MAP_FAILED, (void *at, size_t size, int protection, int flags, int fd, off64_t from),
     (at, size, protection, flags, fd, from))
OURS(void *, mremap, MAP, MAP_FAILED, (void *at, size_t old, size_t size, int flags, ...), (at, old, size, flags))

/* ---- what makes descriptors ---- */

/* The mode is there where the flags say so, and read only there. */
#define OURS_OPEN(name, params, args) \
	int name params \
	{ \
		static __typeof__(&name) next; \
		mode_t mode = 0; \
		va_list more; \
		\
		va_start(more, flags); \
		if (flags & (O_CREAT | O_TMPFILE)) \
			mode = va_arg(more, mode_t); \
		va_end(more); \
		if (!next) \
			next = REAL(name); \
		return fails(OPEN) ? -1 : next args; \
	}

OURS_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OURS_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OURS_OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OURS_OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OURS(FILE *, fopen, OPEN, NULL, (const char *path, const char *mode), (path, mode))
OURS(FILE *, fopen64, OPEN, NULL, (const char *path, const char *mode), (path, mode))
OURS(int, mkostemp, OPEN, -1, (char *path, int flags), (path, flags))
OURS(int, mkostemp64, OPEN, -1, (char *path, int flags), (path, flags))
OURS(int, memfd_create, OPEN, -1, (const char *name, unsigned flags), (name, flags))
OURS(int, eventfd, OPEN, -1, (unsigned count, int flags), (count, flags))
OURS(int, epoll_create1, OPEN, -1, (int flags), (flags))
OURS(int, socket, OPEN, -1, (int domain, int type, int protocol), (domain, type, protocol))

OURS(int, accept, ACCEPT, -1, (int fd, struct sockaddr *from, socklen_t *size), (fd, from, size))
OURS(int, accept4, ACCEPT, -1, (int fd, struct sockaddr *from, socklen_t *size, int flags), (fd, from, size, flags))

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
	return fails(THREAD) ? errno : REAL(pthread_create)(thread, attributes, run, arg);
}

OURS(int, epoll_ctl, EPOLL, -1, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))

/* ---- files ---- */

OURS(int, rename, CHANGE, -1, (const char *from, const char *to), (from, to))
OURS(int, unlink, CHANGE, -1, (const char *path), (path))
OURS(int, mkdir, CHANGE, -1, (const char *path, mode_t mode), (path, mode))
OURS(int, ftruncate, CHANGE, -1, (int fd, off_t size), (fd, size))
OURS(int, ftruncate64, CHANGE, -1, (int fd, off64_t size), (fd, size))
OURS(int, fchmod, CHANGE, -1, (int fd, mode_t mode), (fd, mode))
OURS(int, fchown, CHANGE, -1, (int fd, uid_t user, gid_t group), (fd, user, group))
OURS(int, flock, CHANGE, -1, (int fd, int how), (fd, how))

OURS(int, stat, LOOK, -1, (const char *path, struct stat *s), (path, s))
OURS(int, lstat, LOOK, -1, (const char *path, struct stat *s), (path, s))
OURS(int, fstat, LOOK, -1, (int fd, struct stat *s), (fd, s))
