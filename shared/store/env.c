/* env.c -- one LMDB environment: opening it, and beginning transactions that survive a full reader table and a map
 * that another program made larger.
 *
 * MDB_NOTLS ties a reader slot to its transaction instead of the thread, so a read may move between threads.
 * MDB_WRITEMAP and MDB_NOSYNC are never used: the one turns a full disk into SIGBUS, the other into lost commits. */
#include "store/store-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define OPEN_TRIES 20
#define RESIZE_TRIES 100
#define NEARLY_FULL ((uint64_t)1 << 20)     /* bytes */
#define RESIZING (INT_MIN / 2)

static void wait_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

static int open_once(struct env_handle *h, const char *path, uint64_t map_size)
{
	unsigned flags = MDB_NOTLS | (h->read_only ? MDB_RDONLY : 0) | (h->no_lock ? MDB_NOLOCK : 0);
	int e = mdb_env_create(&h->mdb);

	if (e != 0) {
		h->mdb = NULL;
		return e;
	}
	if ((e = mdb_env_set_maxdbs(h->mdb, DB_COUNT)) != 0 ||
	    (e = mdb_env_set_maxreaders(h->mdb, MAX_READERS)) != 0 ||
	    (e = mdb_env_set_mapsize(h->mdb, map_size)) != 0 ||
	    (e = mdb_env_open(h->mdb, path, flags, 0660)) != 0) {
		mdb_env_close(h->mdb);      /* also after a failed open, says lmdb.h */
		h->mdb = NULL;
	}
	return e;
}

static const char *open_advice(int e)
{
	if (e == EACCES || e == EPERM)
		return "run it as root, or as the owner of the data directory";
	if (e == ENOENT)
		return "stop every worker, then run postern init";
	if (e == EROFS)
		return "the file system is mounted for reading only: see why in dmesg, then mount it for writing";
	if (e == EBADF)     /* LMDB would write the first pages, and reads only */
		return "its data.mdb is empty: restore a backup, or run postern init where it never held anything";
	return "stop every worker and look whether its files are whole";
}

/* LMDB does not say which file its lock is; nobody has had the time to replace it. A reader of a backup may have none. */
static enum rc note_lock_file(struct env_handle *h, const char *path, struct why *why)
{
	struct stat st = { 0 };
	enum rc rc = RC_OK;
	char *lock;

	if (asprintf(&lock, "%s/lock.mdb", path) < 0)
		return RC_NOMEM;
	if (stat(lock, &st) == 0) {
		h->lock_device = st.st_dev;
		h->lock_inode = st.st_ino;
	} else if (errno != ENOENT) {
		why_set(why, "%s: %s", lock, strerror(errno));
		rc = RC_IO;
	}
	free(lock);
	return rc;
}

/* An open that meets another process's open or close of the same file may fail (lmdb.h, caveats): try again. */
enum rc env_open(struct env_handle *h, const char *path, uint64_t map_size, bool read_only, struct why *why)
{
	int e = 0, dead;

	h->read_only = read_only;
	for (int i = 0; i < OPEN_TRIES; i++) {
		e = open_once(h, path, map_size);
		if (e != EAGAIN && e != EBUSY && e != EINVAL && e != MDB_INVALID)
			break;
		wait_ms(10);
	}
	if (e != 0) {
		why_set(why, "%s: %s: %s", path, mdb_strerror(e), open_advice(e));
		return read_only && store_rc(e) == RC_READ_ONLY ? RC_IO : store_rc(e);
	}
	mdb_reader_check(h->mdb, &dead);      /* if this fails, a full table will tell */
	return note_lock_file(h, path, why);
}

void env_close(struct env_handle *h)
{
	if (h->mdb)
		mdb_env_close(h->mdb);
	h->mdb = NULL;
}

/* LMDB calls a write that the disk took only in part EIO, and a disk that is filling up takes one such before it says
 * ENOSPC. A file that has reached the process's limit does the same. */
static bool is_full(const struct env_handle *h)
{
	struct rlimit limit;
	mdb_filehandle_t fd;
	struct statvfs fs;
	struct stat file;

	if (mdb_env_get_fd(h->mdb, &fd) != 0)
		return false;
	if (fstatvfs(fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < NEARLY_FULL)
		return true;
	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && fstat(fd, &file) == 0 &&
	       (uint64_t)file.st_size + NEARLY_FULL > limit.rlim_cur;
}

int env_commit(struct env_handle *h, MDB_txn *txn)
{
	int e = mdb_txn_commit(txn);

	return e == EIO && is_full(h) ? ENOSPC : e;
}

static void enter(struct env_handle *h)
{
	int n = atomic_load(&h->active);

	for (;;) {
		if (n < 0) {
			wait_ms(1);
			n = atomic_load(&h->active);
		} else if (atomic_compare_exchange_weak(&h->active, &n, n + 1)) {
			return;
		}
	}
}

void env_leave(struct env_handle *h)
{
	atomic_fetch_sub(&h->active, 1);
}

/* The map may only move while no transaction of this process looks into it. Map sizes are fixed, so this happens
 * only beside a later version with a larger one; a process that is never idle then fails with RC_BUSY. */
static bool adopt_map_size(struct env_handle *h)
{
	int e;

	for (int i = 0; i < RESIZE_TRIES; i++) {
		int none = 0;

		if (atomic_compare_exchange_strong(&h->active, &none, RESIZING)) {
			e = mdb_env_set_mapsize(h->mdb, 0);
			atomic_store(&h->active, 0);
			return e == 0;
		}
		wait_ms(1);
	}
	return false;
}

int env_begin(struct env_handle *h, bool writes, MDB_txn **txn)
{
	bool cleared = false, resized = false;

	for (;;) {
		int dead, e;

		enter(h);
		e = *txn ? mdb_txn_renew(*txn) : mdb_txn_begin(h->mdb, NULL, writes ? 0 : MDB_RDONLY, txn);
		if (e == 0)
			return 0;
		env_leave(h);
		if (e == MDB_READERS_FULL && !cleared) {
			mdb_reader_check(h->mdb, &dead);
			cleared = true;
		} else if (e == MDB_MAP_RESIZED && !resized) {
			if (!adopt_map_size(h))
				return e;
			resized = true;
		} else {
			return e;
		}
	}
}
