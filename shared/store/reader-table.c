/* reader-table.c -- LMDB's table of readers: who holds a snapshot, how old the oldest is, and who died with one.
 *
 * The table is in lock.mdb, which every worker can write: what it says is outside text. */
#include "store/store-private.h"

#include <stdlib.h>

struct table { unsigned slots; uint64_t oldest; };      /* oldest: a snapshot's commit; UINT64_MAX: there is none */

static size_t skip_blanks(const char *at)
{
	return strspn(at, " \n");
}

/* A slot is "pid thread commit", with "-" for one that holds no snapshot. Other lines are heads and remarks. */
static int take_line(const char *line, void *arg)
{
	struct table *t = arg;
	const char *field[3];
	uint64_t commit;
	char *end;

	for (size_t i = 0; i < ARRAY_LEN(field); i++) {
		line += skip_blanks(line);
		field[i] = line;
		line += strcspn(line, " \n");
	}
	if (*field[2] != '-' && (*field[2] < '0' || *field[2] > '9'))
		return 0;
	t->slots++;
	commit = strtoull(field[2], &end, 10);
	if (end != field[2] && commit < t->oldest)
		t->oldest = commit;
	return 0;
}

enum rc store_readers(struct store *st, enum env env, struct store_readers *ret)
{
	MDB_env *mdb = st->envs[env].mdb;
	struct table t = { .oldest = UINT64_MAX };
	MDB_envinfo info;
	int e;

	if (mdb_reader_list(mdb, take_line, &t) < 0)
		return RC_IO;
	if ((e = mdb_env_info(mdb, &info)) != 0)
		return store_rc(e);
	ret->used = t.slots;
	ret->max = info.me_maxreaders;
	ret->behind = t.oldest < info.me_last_txnid ? info.me_last_txnid - t.oldest : 0;
	return RC_OK;
}

int store_reader_check(struct store *st)
{
	int dead, all = 0;

	for (size_t env = 0; env < ENV_COUNT; env++)
		if (mdb_reader_check(st->envs[env].mdb, &dead) == 0)
			all += dead;
	return all;
}
