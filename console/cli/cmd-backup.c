/* cmd-backup.c -- postern backup|restore|compact. */
#include "console/cli/cmd-audit-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- backup ---- */

/* Root will not be root any more when the copy is written, and may have named a place that only root gets to: the
 * directory is made before, for the data's owner, and reached by its descriptor. *ret_fd -1: not needed. */
static int make_dir(const struct call *c, const char *to, int *ret_fd)
{
	struct stat data;
	enum rc rc = RC_OK;
	int e;

	*ret_fd = -1;
	if (geteuid() != 0 || stat(admin_data_dir(c->args.text[OPT_DATA]), &data) != 0 || data.st_uid == 0)
		return EXIT_YES;
	if (mkdir(to, 0700) != 0)
		rc = errno == EEXIST ? RC_EXISTS : RC_IO;
	else if ((*ret_fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
	         fchown(*ret_fd, data.st_uid, data.st_gid) != 0)
		rc = RC_IO;
	if (rc == RC_OK)
		return EXIT_YES;
	e = errno;
	talk("%s: %s%s", to, rc == RC_EXISTS ? rc_text(rc) : strerror(e), e == ENOENT ? ": make the directory that it is to be in" : "");
	return rc == RC_EXISTS ? EXIT_USAGE : EXIT_UNSURE;
}

static int backup(struct call *c, const char *to)
{
	struct verification found;
	int code = call_open(c, false);
	enum rc rc;

	if (code != EXIT_YES)
		return code;
	rc = admin_backup(c->admin, to, &found, &c->why);
	if ((code = call_end(c, rc)) != EXIT_YES)
		return rc == RC_EXISTS ? EXIT_USAGE : code;
	if (args_given(&c->args, OPT_JSON))
		out_json(verification_json(&found));
	else
		out_line("%s: %s", verdict_name(found.verdict), found.text);
	talk("%s holds neither master.key nor admin.key: keep those apart from it; without master.key it does not open",
	     c->args.operand[0]);
	return verification_exit(&found);
}

int run_backup(struct call *c)
{
	char by_fd[32];
	int fd, code = make_dir(c, c->args.operand[0], &fd);

	snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
	if (code == EXIT_YES)
		code = backup(c, fd >= 0 ? by_fd : c->args.operand[0]);
	if (fd >= 0)
		close(fd);
	return code;
}

/* ---- restore ---- */

static size_t take_kids(const struct arguments *a, const char **kids)
{
	size_t count = 0;

	for (size_t i = 0; i < a->listed_count; i++)
		if (a->listed[i].opt == OPT_ACCEPT_KEY)
			kids[count++] = a->listed[i].value;
	return count;
}

static void show_restored(const struct call *c, const struct restored *r)
{
	if (args_given(&c->args, OPT_JSON)) {
		out_json(json_pack("{sIsssssIsI}", "records", (json_int_t)r->records, "origin", r->origin,
		                   "former", r->former, "accepted", (json_int_t)r->accepted, "retired", (json_int_t)r->retired));
		return;
	}
	out_line("records  %llu", (unsigned long long)r->records);
	out_line("keys     %zu accepted, %zu retired", r->accepted, r->retired);
	out_line("log      %s, before %s", r->origin, r->former);
	talk("the log is a new incarnation, with a new key: hand out what postern audit vkey prints; what was recorded "
	     "after the backup was made is lost, and checkpoints of it that left the host will say so");
}

static int restore(struct call *c, const struct restore *r)
{
	struct restored done;
	int code = confirm(c, "This replaces the data by the backup; what was changed or recorded since is lost.",
	                   "restore");

	if (code != EXIT_YES)
		return code;
	code = call_end(c, admin_restore(c->args.text[OPT_DATA], r, &done, &c->why));
	if (code == EXIT_YES)
		show_restored(c, &done);
	return code;
}

int run_restore(struct call *c)
{
	const struct arguments *a = &c->args;
	const char **kids;
	struct restore r = { .from = a->operand[0], .all_keys = args_given(a, OPT_ACCEPT_ALL_KEYS) };
	int code;

	if (r.all_keys == args_given(a, OPT_ACCEPT_KEY))
		return usage_error(c, "say which keys of the backup to trust: --accept-key KID for each, or "
		                   "--accept-all-keys");
	kids = calloc(a->listed_count + 1, sizeof(*kids));
	if (!kids)
		return call_end(c, RC_NOMEM);
	r.kid_count = take_kids(a, kids);
	r.kids = kids;
	code = restore(c, &r);
	free(kids);
	return code;
}

/* ---- compact ---- */

int run_compact(struct call *c)
{
	int code = call_end(c, admin_compact(c->args.text[OPT_DATA], &c->why));

	if (code != EXIT_YES)
		return code;
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ss}", "data", admin_data_dir(c->args.text[OPT_DATA])));
	talk("what was deleted is gone from the vault and the ledger");
	return code;
}
