/* inspect-files.c -- the data directory as files: owners and modes beyond design 9's table, links, and what else lies
 * there. */
#include "admin/inspect-private.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERMISSIONS 07777
#define ADMIN_USER "postern-admin"
#define PASSWD_ROOM 16384

static void advise_init(struct inspection *i, enum finding_state state, const char *says)
{
	char option[DATA_OPTION_MAX];

	look_say(i, state, mend_with(i, "Run: sudo postern init%s", data_option(i, option)), "%s", says);
}

/* ---- the directory ---- */

/* On the default directory, where there is such a user (design 9). */
static bool owner_expected(const struct inspection *i, const char *owner)
{
	struct passwd entry, *found = NULL;
	char *room;
	bool there;

	if (strcmp(i->dir, STORE_DEFAULT_DIR) != 0 || strcmp(owner, ADMIN_USER) == 0 || !(room = malloc(PASSWD_ROOM)))
		return true;
	there = getpwnam_r(ADMIN_USER, &entry, room, PASSWD_ROOM, &found) == 0 && found;
	free(room);
	return !there;
}

static void directory_owner(struct inspection *i, const struct stat *s)
{
	char owner[USER_NAME_MAX], says[512];

	user_name(s->st_uid, owner);
	if (owner_expected(i, owner)) {
		look_say(i, FINDING_OK, NULL, "%s belongs to %s", i->dir, owner);
		return;
	}
	snprintf(says, sizeof(says), "%s belongs to %s, not to " ADMIN_USER ": every admin command runs as that user",
	         i->dir, owner);
	advise_init(i, FINDING_WARNING, says);
}

void inspect_directory(struct inspection *i)
{
	char option[DATA_OPTION_MAX];
	struct stat s;

	if (stat(i->dir, &s) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
		look_say(i, FINDING_WRONG,
		         mend_with(i, "Name the directory with --data, or make one: sudo postern init%s",
		                   data_option(i, option)),
		         "there is no data directory %s", i->dir);
		return;
	}
	if (access(i->dir, R_OK | X_OK) != 0) {
		i->unsure = true;
		look_say(i, FINDING_SKIPPED, "Run doctor with sudo, or as the owner of the data directory.",
		         "the data directory %s cannot be looked at: %s", i->dir, strerror(errno));
		return;
	}
	if (!S_ISDIR(s.st_mode))
		look_say(i, FINDING_WRONG, "Name the data directory with --data.", "%s is no directory", i->dir);
	else
		directory_owner(i, &s);
}

/* ---- owners and modes ---- */

/* What somebody may do beyond the table, the gravest first. */
static const struct beyond {
	mode_t bits;
	enum finding_state state;
	const char *says;
} beyond[] = {
	{ 00002, FINDING_WRONG,   "every user of this machine may write it" },
	{ 00004, FINDING_WRONG,   "every user of this machine may read it" },
	{ 00001, FINDING_WRONG,   "every user of this machine may enter it" },
	{ 00020, FINDING_WRONG,   "its group may write it, and so may a worker that was taken over" },
	{ 00050, FINDING_WRONG,   "its group may read it, and so may a worker that was taken over" },
	{ 07700, FINDING_WARNING, "it has bits that it should not have" },
};

static bool mode_wrong(struct inspection *i, const struct store_node *n, const char *path, mode_t mode)
{
	mode_t more = mode & ~n->mode, less = n->mode & ~mode;
	char says[512];

	for (size_t b = 0; b < ARRAY_LEN(beyond); b++) {
		if (!(more & beyond[b].bits))
			continue;
		snprintf(says, sizeof(says), "%s has mode %04o, not %04o: %s", path, (unsigned)mode, (unsigned)n->mode,
		         beyond[b].says);
		advise_init(i, beyond[b].state, says);
		return true;
	}
	if (less) {
		snprintf(says, sizeof(says), "%s has mode %04o, not %04o: who needs it cannot use it", path,
		         (unsigned)mode, (unsigned)n->mode);
		advise_init(i, FINDING_WARNING, says);
	}
	return less != 0;
}

/* Whoever owns a file may change its mode. */
static bool owner_wrong(struct inspection *i, const char *path, const struct stat *s, const struct stat *dir)
{
	char owner[USER_NAME_MAX], wanted[USER_NAME_MAX], says[512];

	if (s->st_uid == dir->st_uid && s->st_gid == dir->st_gid)
		return false;
	user_name(s->st_uid, owner);
	user_name(dir->st_uid, wanted);
	if (s->st_uid != dir->st_uid)
		snprintf(says, sizeof(says), "%s belongs to %s, not to %s, who owns the data directory", path, owner,
		         wanted);
	else
		snprintf(says, sizeof(says), "%s has the group %lu, not the data directory's, %lu", path,
		         (unsigned long)s->st_gid, (unsigned long)dir->st_gid);
	advise_init(i, s->st_uid != dir->st_uid ? FINDING_WRONG : FINDING_WARNING, says);
	return true;
}

static const char *foreign_kind(const struct store_node *n, const struct stat *s)
{
	return S_ISLNK(s->st_mode) ? "a link" :
	       (s->st_mode & S_IFMT) != n->type ? (n->type == S_IFDIR ? "no directory" : "no plain file") :
	       n->type == S_IFREG && s->st_nlink != 1 ? "a file with a second name (a hard link)" : NULL;
}

/* The directory itself may be reached by a link; what is in it may not. */
static int node_stat(const struct store_node *n, const char *path, struct stat *ret)
{
	return strcmp(n->name, ".") == 0 ? stat(path, ret) : lstat(path, ret);
}

static bool missing_is_wrong(struct inspection *i, const struct store_node *n, const char *path)
{
	char says[512];

	if (errno != ENOENT && errno != ENOTDIR) {
		look_say(i, FINDING_SKIPPED, NULL, "%s cannot be looked at: %s", path, strerror(errno));
		return true;
	}
	if (strcmp(n->name, "master.key") == 0)
		return false;          /* it may be elsewhere: master_key says */
	snprintf(says, sizeof(says), "%s is missing", path);
	advise_init(i, FINDING_WRONG, says);
	return true;
}

static bool node_wrong(struct inspection *i, const struct store_node *n, const char *path, const struct stat *dir)
{
	const char *kind;
	struct stat s;
	bool wrong;

	if (node_stat(n, path, &s) != 0)
		return missing_is_wrong(i, n, path);
	if ((kind = foreign_kind(n, &s)) != NULL) {
		look_say(i, FINDING_WRONG,
		         "Stop every worker, find out who put it there, and restore the file from a backup.",
		         "%s is %s", path, kind);
		return true;
	}
	wrong = owner_wrong(i, path, &s, dir);
	return mode_wrong(i, n, path, s.st_mode & PERMISSIONS) || wrong;
}

void inspect_files(struct inspection *i)
{
	size_t wrong = 0;
	struct stat dir;

	if (i->unsure || stat(i->dir, &dir) != 0 || !S_ISDIR(dir.st_mode))
		return;
	for (size_t n = 0; n < STORE_NODES; n++) {
		char *path = NULL;

		if (asprintf(&path, strcmp(store_nodes[n].name, ".") == 0 ? "%s" : "%s/%s", i->dir,
		             store_nodes[n].name) < 0) {
			i->out->failed = true;
			return;
		}
		wrong += node_wrong(i, &store_nodes[n], path, &dir);
		free(path);
	}
	if (wrong == 0)
		look_say(i, FINDING_OK, NULL, "owners and modes are as they must be");
}

/* ---- what else is there ---- */

static bool is_known(const char *folder, const char *name)
{
	size_t size = strlen(folder);

	for (size_t n = 0; n < STORE_NODES; n++) {
		const char *at = store_nodes[n].name;

		if (size > 0 && (strncmp(at, folder, size) != 0 || at[size] != '/'))
			continue;
		at += size > 0 ? size + 1 : 0;
		if (strcmp(at, name) == 0)
			return true;
	}
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

/* As file_replace() names what it writes before it is renamed: six letters and digits. */
static bool is_temporary(const char *name)
{
	static const char begin[] = "admin.state.";
	size_t size = strlen(name);

	if (size != sizeof(begin) - 1 + 6 || strncmp(name, begin, sizeof(begin) - 1) != 0)
		return false;
	for (const char *at = name + sizeof(begin) - 1; *at; at++)
		if (!ascii_is_alpha(*at) && !ascii_is_digit(*at))
			return false;
	return true;
}

static void unknown_say(struct inspection *i, const char *folder, struct names *unknown)
{
	if (unknown->count > 0)
		look_say(i, FINDING_WARNING, "Find out who put it there, and remove it.",
		         "%s%s%s holds what Postern did not put "
		         "there: %s",
		         i->dir, *folder ? "/" : "", folder, names_text(unknown));
}

/* One entry of the directory itself that a command leaves when it is killed. */
static bool is_leftover(struct inspection *i, const char *name)
{
	char option[DATA_OPTION_MAX];

	data_option(i, option);
	if (strcmp(name, "swap") == 0)
		look_say(i, FINDING_WRONG, mend_with(i, "Stop every worker, then run: sudo postern compact%s", option),
		         "replacing the vault and the ledger was interrupted, and no program opens them until it is "
		         "finished");
	else if (strcmp(name, "swap.new") == 0)
		look_say(i, FINDING_WARNING, mend_with(i, "If none of them runs now: sudo rm -r %s/swap.new", i->dir),
		         "a compact, restore or migrate that was killed left a copy of the data, swap.new");
	else if (is_temporary(name))
		look_say(i, FINDING_WARNING, mend_with(i, "Run: sudo rm %s/%s", i->dir, name),
		         "a command that was killed left %s", name);
	else
		return false;
	return true;
}

/* NULL: it cannot be opened; that it is missing, inspect_files() says. */
static DIR *folder_open(struct inspection *i, const char *folder)
{
	char *path = NULL;
	DIR *d;

	if (asprintf(&path, "%s/%s", i->dir, folder) < 0) {
		i->out->failed = true;
		return NULL;
	}
	d = opendir(path);
	if (!d && errno != ENOENT && errno != ENOTDIR)
		look_say(i, FINDING_SKIPPED, NULL, "what lies in %s cannot be looked at: %s", path, strerror(errno));
	free(path);
	return d;
}

/* How many were said; what cannot be opened counts as one. */
static size_t folder_look(struct inspection *i, const char *folder)
{
	struct names unknown = { 0 };
	size_t said = 0;
	struct dirent *e;
	DIR *d = folder_open(i, folder);

	if (!d)
		return 1;
	while ((e = readdir(d))) {           /* cppcheck-suppress readdirCalled -- readdir_r is no longer to be used */
		if (is_known(folder, e->d_name))
			continue;
		if (*folder || !is_leftover(i, e->d_name))
			names_add(&unknown, "%s", e->d_name);
		said++;
	}
	unknown_say(i, folder, &unknown);
	names_done(&unknown);
	closedir(d);
	return said;
}

void inspect_leftovers(struct inspection *i)
{
	static const char *const folders[] = { "", "vault", "ledger" };
	size_t said = 0;

	if (i->unsure || access(i->dir, F_OK) != 0)
		return;
	for (size_t f = 0; f < ARRAY_LEN(folders); f++)
		said += folder_look(i, folders[f]);
	if (said == 0)
		look_say(i, FINDING_OK, NULL, "nothing else lies in it");
}
