/* ahead.c -- the file is longer than its pages need, so that a commit seldom makes it longer.
 *
 * A commit that does costs a file system with a journal a flush more: the file's new length has to be as durable as
 * what was written. Space that is only reserved (fallocate) costs the same later, when it is first written. So zeros
 * are written, many commits' pages at once, and only behind the end of the file, where nothing can be: the caller holds
 * LMDB's write lock, and it is no error where they cannot be written. */
#include "store/store-private.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define AHEAD_LEAST ((uint64_t)128 << 10)   /* bytes: with less behind the last page ... */
#define AHEAD_STEP ((uint64_t)512 << 10)    /* ... so many more */
#define SPARE ((uint64_t)64 << 20)          /* bytes the file system has, or there is nothing to be generous with */

static bool has_room(int fd, uint64_t size, uint64_t map_size)
{
	struct statvfs fs;

	return size + AHEAD_STEP <= map_size && fstatvfs(fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= SPARE;
}

void env_write_ahead(struct env_handle *h)
{
	static char zeros[AHEAD_STEP];
	mdb_filehandle_t fd;
	MDB_envinfo info;
	struct stat file;
	MDB_stat stat;
	uint64_t end;

	if (mdb_env_info(h->mdb, &info) != 0 || mdb_env_stat(h->mdb, &stat) != 0 || mdb_env_get_fd(h->mdb, &fd) != 0 ||
	    fstat(fd, &file) != 0)
		return;
	end = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if ((uint64_t)file.st_size < end + AHEAD_LEAST && has_room(fd, (uint64_t)file.st_size, info.me_mapsize))
		(void)!pwrite(fd, zeros, sizeof(zeros), file.st_size);
}
