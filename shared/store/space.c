/* space.c -- how full the environments are, and whether their files are still the ones we have open. */
#include "store/store-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FREE_DBI 0      /* LMDB's own table of freed pages: transaction -> count, then page numbers */

/* Rows of the free list begin with their number of pages, a size_t. */
static int free_pages(MDB_txn *txn, uint64_t *ret)
{
	MDB_cursor *cursor;
	uint64_t pages = 0;
	MDB_val key, row;
	int e = mdb_cursor_open(txn, FREE_DBI, &cursor);

	if (e != 0)
		return e;
	while ((e = mdb_cursor_get(cursor, &key, &row, MDB_NEXT)) == 0) {
		size_t n;

		if (row.mv_size < sizeof(n))
			continue;
		memcpy(&n, row.mv_data, sizeof(n));
		pages += n;
	}
	mdb_cursor_close(cursor);
	*ret = pages;
	return e == MDB_NOTFOUND ? 0 : e;
}

struct pages {
	uint64_t in_file, free, size, map;      /* size: bytes of a page; map: bytes */
};

static uint64_t used_bytes(const struct pages *p)
{
	return (p->in_file - (p->free < p->in_file ? p->free : p->in_file)) * p->size;
}

static enum rc count_pages(struct store *st, enum env env, struct pages *ret)
{
	struct env_handle *h = &st->envs[env];
	struct pages p = { 0 };
	MDB_txn *txn = NULL;
	MDB_envinfo info;
	MDB_stat stat;
	int e;

	if ((e = env_begin(h, false, &txn)) != 0)
		return store_rc(e);
	if ((e = free_pages(txn, &p.free)) == 0 && (e = mdb_env_info(h->mdb, &info)) == 0 &&
	    (e = mdb_env_stat(h->mdb, &stat)) == 0) {
		p.in_file = (uint64_t)info.me_last_pgno + 1;
		p.size = stat.ms_psize;
		p.map = info.me_mapsize;
		*ret = p;
	}
	mdb_txn_abort(txn);
	env_leave(h);
	return store_rc(e);
}

/* Free pages within the file are room too: without them a full disk would stay full after a prune. So is what was written
 * ahead of its pages (ahead.c). */
enum rc store_space(struct store *st, struct store_space *ret)
{
	mdb_filehandle_t fd;
	struct pages p = { 0 };
	uint64_t room, file_size;
	struct stat file;
	struct statvfs fs;
	enum rc rc;

	if ((rc = count_pages(st, ENV_LEDGER, &p)) != RC_OK)
		return rc;
	if (mdb_env_get_fd(st->envs[ENV_LEDGER].mdb, &fd) != 0 || fstat(fd, &file) != 0 || statvfs(st->paths.ledger, &fs) != 0)
		return RC_IO;
	file_size = (uint64_t)file.st_size;
	room = (file_size > p.in_file * p.size ? file_size : p.in_file * p.size) + (uint64_t)fs.f_bavail * fs.f_frsize;
	ret->used = used_bytes(&p);
	ret->limit = room < p.map ? room : p.map;
	return RC_OK;
}

enum rc store_used(struct store *st, enum env env, uint64_t *ret)
{
	struct pages p = { 0 };
	enum rc rc = count_pages(st, env, &p);

	if (rc == RC_OK)
		*ret = used_bytes(&p);
	return rc;
}

static bool is_still(const char *dir, const char *name, dev_t device, ino_t inode)
{
	struct stat st;
	bool same = true;
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return true;           /* cannot be told */
	if (stat(path, &st) == 0)
		same = st.st_dev == device && st.st_ino == inode;
	else if (errno == ENOENT || errno == ENOTDIR)
		same = false;
	free(path);
	return same;
}

static bool env_replaced(const struct env_handle *h, const char *dir)
{
	struct stat data;
	mdb_filehandle_t fd;

	if (mdb_env_get_fd(h->mdb, &fd) != 0 || fstat(fd, &data) != 0)
		return false;
	return !is_still(dir, "data.mdb", data.st_dev, data.st_ino) ||
	       !is_still(dir, "lock.mdb", h->lock_device, h->lock_inode);
}

bool store_replaced(const struct store *st, enum env env)
{
	return env_replaced(&st->envs[env], env == ENV_VAULT ? st->paths.vault : st->paths.ledger);
}
