/* cmd-audit-prune.c -- postern audit prune: what was kept long enough goes. */
#include "console/cli/cli.h"
#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#define RECORDS_KEPT (UINT64_C(400) * 86400)       /* seconds */
#define IDENTITIES_KEPT (UINT64_C(30) * 86400)

/* ---- the archive: made as who called ---- */

static int archive_make(const char *path, int *ret_fd)
{
	enum rc rc;

	*ret_fd = -1;
	if (!path)
		return EXIT_YES;
	rc = file_create(path, span_of(NULL, 0), 0600);
	if (rc == RC_OK && (*ret_fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		rc = RC_IO;
	if (rc == RC_OK)
		return EXIT_YES;
	talk("--archive: %s: %s", path, rc_text(rc));
	return rc == RC_EXISTS ? EXIT_USAGE : EXIT_UNSURE;
}

/* Half an archive must not be taken for one. Who called may have been root, and only root may remove it then. */
static void archive_end(const char *path, int fd, bool whole)
{
	if (fd < 0)
		return;
	if (!whole && unlink(path) != 0)
		talk("%s: %s: remove it", path, ftruncate(fd, 0) == 0 ? "nothing was archived, it is empty" : "is no archive");
	close(fd);
}

/* ---- the command ---- */

static void show(const struct call *c, const struct pruned *p)
{
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{sIsIsIsIsb}", "first", (json_int_t)p->first, "next", (json_int_t)p->next,
		                   "records", (json_int_t)p->records, "identities", (json_int_t)p->identities,
		                   "archived", p->archived));
	else if (p->records > 0)
		out_line("records %llu to %llu are gone, and %llu identit%s", (unsigned long long)p->first,
		         (unsigned long long)p->next - 1, (unsigned long long)p->identities, p->identities == 1 ? "y" : "ies");
	else
		out_line("no record is to be pruned: they go %d at a time, and only below the last checkpoint; %llu identit%s gone",
		         AUDIT_BUNDLE, (unsigned long long)p->identities, p->identities == 1 ? "y is" : "ies are");
}

static int prune(struct call *c, uint64_t before_us, uint64_t identities_before_s, int archive)
{
	struct pruned done = { 0 };
	int code = call_open(c, false);

	if (code == EXIT_YES)
		code = call_end(c, admin_prune(c->admin, before_us, identities_before_s, archive, &done, &c->why));
	if (code == EXIT_YES)
		show(c, &done);
	archive_end(c->args.text[OPT_ARCHIVE], archive, done.archived);
	return code;
}

int run_audit_prune(struct call *c)
{
	const struct arguments *a = &c->args;
	uint64_t before = args_given(a, OPT_BEFORE) ? a->number[OPT_BEFORE] : clock_us() - RECORDS_KEPT * 1000000;
	uint64_t identities = args_given(a, OPT_IDENTITIES_BEFORE) ? a->number[OPT_IDENTITIES_BEFORE] / 1000000
	                                                           : clock_s() - IDENTITIES_KEPT;
	char records_text[CLOCK_TEXT_MAX], identities_text[CLOCK_TEXT_MAX], question[160];
	int archive, code;

	snprintf(question, sizeof(question), "This deletes records from before %s, and identities not seen since %s.",
	         clock_format(before, records_text), out_time(identities, identities_text));
	if ((code = confirm(c, question, "prune")) != EXIT_YES)
		return code;
	code = archive_make(a->text[OPT_ARCHIVE], &archive);
	return code == EXIT_YES ? prune(c, before, identities, archive) : code;
}
