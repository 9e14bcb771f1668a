/* inspect-socket.c -- the worker's socket: is it there, who reaches it, who listens, and is that one well? */
#include "admin/inspect-private.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define HTTP_OK 200
#define START "Run: sudo systemctl restart postern.socket postern.service; or start postern-fcgi with --listen."

#define GROUP_ROOM 65536

static void group_name(gid_t gid, char out[USER_NAME_MAX])
{
	struct group entry, *found = NULL;
	char *room = malloc(GROUP_ROOM);

	if (room && getgrgid_r(gid, &entry, room, GROUP_ROOM, &found) == 0 && found)
		snprintf(out, USER_NAME_MAX, "%s", found->gr_name);
	else
		snprintf(out, USER_NAME_MAX, "%lu", (unsigned long)gid);
	free(room);
}

static void nothing_there(struct inspection *i, const char *path)
{
	if (i->socket)
		look_say(i, FINDING_WRONG, START, "there is no socket %s: %s", path, strerror(errno));
	else
		look_say(i, FINDING_SKIPPED, NULL,
		         "there is no socket %s; where the web server starts the worker itself, name its "
		         "socket with --socket",
		         path);
}

/* Whoever reaches it can claim any network address, and ask as often as it likes. */
static bool too_open(struct inspection *i, const char *path, const struct stat *s)
{
	if (!(s->st_mode & 0007))
		return false;
	look_say(i, FINDING_WRONG,
	         mend_with(i, "Run: sudo chmod 0660 %s; and set SocketMode=0660 in postern.socket.", path),
	         "%s has mode %04o: every user of this machine may connect to it", path,
	         (unsigned)(s->st_mode & 07777));
	return true;
}

static const struct { enum rc rc; enum finding_state state; const char *mend, *says;
} failures[] = {
	{ RC_NOT_FOUND, FINDING_WRONG, START, "nobody listens there" },
	{ RC_BUSY, FINDING_WRONG, "Look at the worker's log: journalctl -u postern.service",
	  "no answer came within 3 s" },
	{ RC_CORRUPT, FINDING_WRONG, "Look which program listens there: sudo ss -xlp",
	  "what answers there does not speak FastCGI" },
	{ RC_READ_ONLY, FINDING_SKIPPED, "Run doctor with sudo: root is always among the worker's peers.",
	  "the worker does not answer who asks here" },
};

static void not_answered(struct inspection *i, const char *path, enum rc rc)
{
	for (size_t f = 0; f < ARRAY_LEN(failures); f++) {
		if (failures[f].rc != rc)
			continue;
		look_say(i, failures[f].state, failures[f].mend, "%s: %s", path, failures[f].says);
		return;
	}
	look_say(i, FINDING_SKIPPED, NULL, "%s cannot be asked: %s", path, rc_text(rc));
}

static void ask(struct inspection *i, const char *path, const struct stat *s)
{
	char owner[USER_NAME_MAX], group[USER_NAME_MAX];
	int status = 0;
	enum rc rc = fcgi_health(path, &status);

	user_name(s->st_uid, owner);
	group_name(s->st_gid, group);
	if (rc != RC_OK)
		not_answered(i, path, rc);
	else if (status == HTTP_OK)
		look_say(i, FINDING_OK, NULL, "%s (%s:%s, mode %04o) answers that the worker is well", path, owner,
		         group, (unsigned)(s->st_mode & 07777));
	else
		look_say(i, FINDING_WRONG, "Look at the other findings, and at: journalctl -u postern.service",
		         "%s answers that the worker is not well (status %d)", path, status);
}

void inspect_socket(struct inspection *i)
{
	const char *path = i->socket ? i->socket : INSPECT_SOCKET;
	struct stat s;

	if (lstat(path, &s) != 0)
		nothing_there(i, path);
	else if (!S_ISSOCK(s.st_mode))
		look_say(i, FINDING_WRONG, "Find out who put it there, remove it, and start the worker.",
		         "%s is no socket", path);
	else if (!too_open(i, path, &s))
		ask(i, path, &s);
}
