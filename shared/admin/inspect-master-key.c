/* inspect-master-key.c -- where the master key comes from, and who else can reach it. Whether it fits, opening says. */
#include "admin/inspect-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_SIZE 32
#define FORBIDDEN 027          /* the worker's group reads it, and nobody but the owner writes it */

enum place { BESIDE, NAMED, CREDENTIAL };

static enum place place_of(const struct store_paths *p)
{
	const char *named = getenv("POSTERN_MASTER_KEY_FILE");
	size_t size = strlen(p->admin_key) - strlen("admin.key");

	if (named && *named)
		return NAMED;
	return strncmp(p->master_key, p->admin_key, size) == 0 && strcmp(p->master_key + size, "master.key") == 0 ?
	       BESIDE : CREDENTIAL;
}

static const char *const place_says[] = {
	[BESIDE] = "it lies beside the vault: keep it out of copies, or give it as credential postern.master-key",
	[NAMED] = "POSTERN_MASTER_KEY_FILE names it for this command: the worker must be told the same",
	[CREDENTIAL] = "it is a credential of the service manager",
};

static void bad_file(struct inspection *i, const struct store_paths *p, const struct stat *s)
{
	if (!S_ISREG(s->st_mode) || s->st_size != KEY_SIZE)
		look_say(i, FINDING_WRONG, "Put the right file back; no other key opens the vault.",
		         "the master key %s is not a file of %d bytes", p->master_key, KEY_SIZE);
	else
		look_say(i, FINDING_WRONG,
		         mend_with(i, "Run: sudo chmod %03o %s", s->st_mode & 0777 & ~(unsigned)FORBIDDEN,
		                   p->master_key),
		         "the master key %s has mode %04o, so others may %s it", p->master_key,
		         (unsigned)(s->st_mode & 07777), s->st_mode & 022 ? "write" : "read");
}

static bool key_is_beside(const struct store_paths *p)
{
	char *beside = NULL;
	bool is;

	if (asprintf(&beside, "%s/master.key", p->dir) < 0)
		return false;
	is = access(beside, F_OK) == 0;
	free(beside);
	return is;
}

static void look(struct inspection *i, const struct store_paths *p)
{
	enum place place = place_of(p);
	struct stat s;

	if (stat(p->master_key, &s) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			look_say(i, FINDING_WRONG,
			         "Put it back from where you keep it: nothing in the vault opens without it.",
			         "there is no master key %s", p->master_key);
		else
			look_say(i, FINDING_SKIPPED, NULL, "the master key %s cannot be looked at: %s", p->master_key,
			         strerror(errno));
	} else if (!S_ISREG(s.st_mode) || s.st_size != KEY_SIZE || (s.st_mode & FORBIDDEN)) {
		bad_file(i, p, &s);
	} else if (place != BESIDE && key_is_beside(p)) {
		look_say(i, FINDING_WARNING,
		         mend_with(i, "Keep a copy elsewhere, then run: sudo rm %s/master.key", p->dir),
		         "%s is used, but another one lies beside the vault, in %s", p->master_key, p->dir);
	} else {
		look_say(i, FINDING_OK, NULL, "%s: %s", p->master_key, place_says[place]);
	}
}

void inspect_master_key(struct inspection *i)
{
	struct store_paths p = { 0 };

	if (i->unsure || access(i->dir, F_OK) != 0)
		return;
	if (store_paths_init(&p, i->dir, NULL) == RC_OK)
		look(i, &p);
	else
		i->out->failed = true;
	store_paths_done(&p);
}
