/* tmpstore.c -- a data directory of its own for a test. */
#include "tests/lib/tmpstore.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *tmpdir_new(void)
{
	const char *parent = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/postern-test.XXXXXX", parent && *parent ? parent : "/tmp") < 0)
		return NULL;
	if (!mkdtemp(dir)) {
		perror(dir);
		free(dir);
		return NULL;
	}
	return dir;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

void tmpdir_free(char *dir)
{
	if (dir && nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		perror(dir);
	free(dir);
}

const char *tmpdir_path(const char *dir, const char *name)
{
	static _Thread_local char paths[8][512];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

/* The caller's environment must not lead a test to another directory's key. */
static void forget_environment(void)
{
	unsetenv("POSTERN_DATA");
	unsetenv("POSTERN_MASTER_KEY_FILE");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static struct store *open_with(struct store_options *o, enum rc *ret_rc, struct why *why)
{
	struct store *st = NULL;
	enum rc rc;

	if (!o->vault_map)
		o->vault_map = TMPSTORE_MAP;
	if (!o->ledger_map)
		o->ledger_map = TMPSTORE_MAP;
	rc = store_open(o, &st, why);

	if (ret_rc)
		*ret_rc = rc;
	return rc == RC_OK ? st : NULL;
}

struct store *tmpstore_open(const char *dir, enum store_mode mode, enum rc *ret_rc, struct why *why)
{
	struct store_options o = { .dir = dir, .mode = mode };

	return open_with(&o, ret_rc, why);
}

struct store *tmpstore_new_with(enum store_mode mode, uint64_t vault_map, uint64_t ledger_map)
{
	struct store_options o = { .mode = mode, .vault_map = vault_map, .ledger_map = ledger_map };
	struct why why = { "" };
	struct store *st = NULL;
	char *dir = tmpdir_new();
	enum rc rc = RC_IO;

	if (!dir)
		return NULL;
	forget_environment();
	o.dir = dir;
	if ((rc = store_init(dir, NULL, NULL, &why)) == RC_OK)
		st = open_with(&o, &rc, &why);
	if (!st) {
		fprintf(stderr, "tmpstore: %s: %s\n", rc_name(rc), why.text);
		tmpdir_free(dir);
		return NULL;
	}
	free(dir);
	return st;
}

struct store *tmpstore_new(void)
{
	return tmpstore_new_with(STORE_ADMIN, 0, 0);
}

void tmpstore_free(struct store *st)
{
	char *dir = st ? strdup(store_dir(st)) : NULL;

	store_close(st);
	tmpdir_free(dir);
}
