/* shim.h -- what a test tells a preloaded library, and hears from it: a page of numbers in a file both map. */
#ifndef POSTERN_TESTS_FAULTS_SHIM_H
#define POSTERN_TESTS_FAULTS_SHIM_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The order is tests/lib/shim.py's. */
enum slot {
	SYNCS,             /* heard: fdatasync(), fsync(), msync() of the ledger */
	SYNCED_WRITES,     /* heard: writes of the ledger through a descriptor that is O_DSYNC */
	SYNC_DELAY_US,     /* told: how long such a sync takes at least */
	WRITES,            /* told: 0 as they are; 1 the ledger's pages fail with ENOSPC; 2 they end short; 3 its meta page fails */
	BYTES_FREE,        /* told: what statvfs() says is free, less one; 0: the truth */
	FS_MAGIC,          /* told: what statfs() says the file system is; 0: the truth */
	CLOCK_OFFSET_S,    /* told: added to the wall clock */
	CLOCK_SYNC,        /* told: 1 the kernel calls the clock synchronised, 2 it does not, 3 it does not say; 0: the truth */
	NTH_KINDS,         /* told: which calls are counted, a set of shim-nth.c's kinds; 0: none */
	NTH_AT,            /* told: of these calls the how manyeth fails; 0: none */
	NTH_FOR,           /* told: how many fail from there on */
	NTH_EVERY,         /* told: each so-manyeth fails instead; 0: NTH_AT says which */
	NTH_ERRNO,         /* told: with which errno */
	NTH_OURS,          /* told: 1 calls that the C library or OpenSSL makes do not count: starting, both crash without memory */
	NTH_NOT_PID,       /* told: the process that is left alone; 0: none */
	NTH_SEEN,          /* heard: how many such calls there were */
	NTH_FAILED,        /* heard: how many of them failed by this */
	SLOTS
};

/* Zeros where the environment names no page: then nothing is changed. */
static inline _Atomic int64_t *shim_page(void)
{
	static _Atomic int64_t none[SLOTS];
	static _Atomic int64_t *_Atomic mapped;
	_Atomic int64_t *page = atomic_load(&mapped);
	const char *path;
	void *data;
	int fd;

	if (page)
		return page;
	page = none;
	path = getenv("POSTERN_SHIM");
	fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd >= 0) {
		data = mmap(NULL, SLOTS * sizeof(none[0]), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (data != MAP_FAILED)
			page = data;
		close(fd);
	}
	atomic_store(&mapped, page);
	return page;
}

static inline int64_t shim_told(enum slot s)
{
	return atomic_load(&shim_page()[s]);
}

static inline void shim_count(enum slot s)
{
	atomic_fetch_add(&shim_page()[s], 1);
}

/* The library's own function behind ours. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#endif
