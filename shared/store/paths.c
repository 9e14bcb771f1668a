/* paths.c -- where things are under a data directory. */
#include "store/store-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *join(const char *dir, const char *name)
{
	size_t size = strlen(dir);
	char *path;

	return asprintf(&path, "%s%s%s", dir, size && dir[size - 1] == '/' ? "" : "/", name) < 0 ? NULL : path;
}

/* A service manager's credential counts where it is there; a file named by the admin counts even if it is not,
 * so that a mistyped name is an error instead of another key. */
static char *find_master_key(const char *dir, const char *named)
{
	const char *credentials = environment("CREDENTIALS_DIRECTORY");
	char *path;

	if (!named)
		named = environment("POSTERN_MASTER_KEY_FILE");
	if (named)
		return strdup(named);
	if (credentials) {
		path = join(credentials, "postern.master-key");
		if (!path || access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return join(dir, "master.key");
}

enum rc store_paths_init(struct store_paths *p, const char *dir, const char *master_key)
{
	if (!dir)
		dir = environment("POSTERN_DATA");
	if (!dir)
		dir = STORE_DEFAULT_DIR;
	p->dir = strdup(dir);
	p->vault = join(dir, "vault");
	p->ledger = join(dir, "ledger");
	p->master_key = find_master_key(dir, master_key);
	p->admin_key = join(dir, "admin.key");
	p->admin_state = join(dir, "admin.state");
	if (p->dir && p->vault && p->ledger && p->master_key && p->admin_key && p->admin_state)
		return RC_OK;
	store_paths_done(p);
	return RC_NOMEM;
}

void store_paths_done(struct store_paths *p)
{
	free(p->dir);
	free(p->vault);
	free(p->ledger);
	free(p->master_key);
	free(p->admin_key);
	free(p->admin_state);
	*p = (struct store_paths){ 0 };
}
