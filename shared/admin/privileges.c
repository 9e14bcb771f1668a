/* privileges.c -- who asks, and as whom their command works on the data (design 3). */
#include "admin/admin-private.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWD_ROOM 16384
#define LOGIN_UID_NONE "4294967295"

struct account {
	bool named;
	char name[USER_NAME_MAX];
};

static bool account_of(uid_t uid, struct account *ret)
{
	struct passwd entry, *found = NULL;
	char *room = malloc(PASSWD_ROOM);

	*ret = (struct account){ 0 };
	if (!room)
		return false;
	if (getpwuid_r(uid, &entry, room, PASSWD_ROOM, &found) == 0 && found &&
	    strlen(found->pw_name) < sizeof(ret->name)) {
		memcpy(ret->name, found->pw_name, strlen(found->pw_name) + 1);
		ret->named = true;
	}
	free(room);
	return true;
}

void user_name(uid_t uid, char out[USER_NAME_MAX])
{
	struct account account;

	if (account_of(uid, &account) && account.named)
		snprintf(out, USER_NAME_MAX, "%s", account.name);
	else
		snprintf(out, USER_NAME_MAX, "%lu", (unsigned long)uid);
}

/* The login uid survives sudo and su and only a privileged process can set it; SUDO_USER is anyone's to write. */
static void login_uid(char *out, size_t room)
{
	struct buf text = BUF_INIT;
	size_t digits = 0;

	snprintf(out, room, "-");
	if (file_read("/proc/self/loginuid", 32, &text) == RC_OK && text.data) {
		while (ascii_is_digit(text.data[digits]))
			digits++;
		text.data[digits] = '\0';
		if (digits > 0 && digits < room && strcmp(text.data, LOGIN_UID_NONE) != 0)
			snprintf(out, room, "%s", text.data);
	}
	buf_done(&text);
}

void actor_read(char out[ACTOR_MAX])
{
	struct account account;
	char login[16];

	login_uid(login, sizeof(login));
	if (account_of(getuid(), &account) && account.named)
		snprintf(out, ACTOR_MAX, "%s:%s", login, account.name);
	else
		snprintf(out, ACTOR_MAX, "%s:%lu", login, (unsigned long)getuid());
}

/* The owner's groups, and the directory's group as the first: files that are written anew keep it, whether or not the
 * owner was made a member. An owner without an account, as in a container, has that one alone. */
static bool groups_take(const struct account *owner, gid_t group)
{
	int taken = owner->named ? initgroups(owner->name, group) : setgroups(1, &group);

	return taken == 0 && setresgid(group, group, group) == 0;
}

/* Set-id calls are not believed: all three ids must have changed, and the way back must be closed. */
static bool privileges_gone(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0)
		return false;
	return r == uid && e == uid && s == uid && rg == gid && eg == gid && sg == gid && setuid(0) != 0;
}

enum rc privileges_take(const char *dir, struct why *why)
{
	struct account owner;
	struct stat st;

	if (geteuid() != 0 || stat(dir, &st) != 0 || st.st_uid == 0)
		return RC_OK;          /* nothing to take; a missing directory is store_open()'s to report */
	if (!account_of(st.st_uid, &owner))
		return RC_NOMEM;
	if (!groups_take(&owner, st.st_gid) || setresuid(st.st_uid, st.st_uid, st.st_uid) != 0 ||
	    !privileges_gone(st.st_uid, st.st_gid)) {
		why_set(why, "cannot become the owner of %s (uid %lu): %s", dir, (unsigned long)st.st_uid, strerror(errno));
		return RC_IO;
	}
	/* changing ids resets it */
	if (prctl(PR_SET_DUMPABLE, 0) != 0) {
		why_set(why, "cannot forbid core dumps: %s", strerror(errno));
		return RC_IO;
	}
	return RC_OK;
}
