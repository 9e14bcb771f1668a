/* backup.c -- a copy of the data that stands by itself: the log in it is vouched for, and was verified after
 * copying. */
#include "admin/log-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES 4                        /* a prune between the copies of vault and ledger leaves two that do not fit */

/* What the copy ends with is to be vouched for. A log that does not follow from its last checkpoint is copied as it
 * is. */
static enum rc sign(struct admin *a, struct why *why)
{
	struct verification found;
	struct buf note = BUF_INIT;
	bool is_new;
	enum rc rc = admin_checkpoint(a, &note, &is_new, &found, why);

	buf_done(&note);
	return rc == RC_REFUSED ? RC_OK : rc;
}

static enum rc verify(struct admin *a, const char *dir, struct verification *ret, struct why *why)
{
	struct store_options o = { .dir = dir, .master_key = store_master_key(a->store), .mode = STORE_READ };
	struct verify_options any = { .note_count = 0 };
	struct admin *copy = NULL;
	enum rc rc = admin_open_store(&o, a->actor, &copy, why);

	if (rc == RC_OK)
		rc = admin_verify(copy, &any, ret, why);
	if (!admin_close(copy) && rc == RC_OK)
		rc = RC_BUSY;
	return rc;
}

static enum rc copy(struct admin *a, const char *to, struct verification *ret, struct why *why)
{
	enum rc rc = RC_OK;

	for (int i = 0; i < TRIES; i++) {
		if ((rc = store_copy(a->store, to, true, why)) != RC_OK)
			return rc;
		if ((rc = verify(a, to, ret, why)) == RC_OK &&
		    (ret->verdict == VERDICT_VERIFIED || log_first_now(a->store) == ret->first))
			return RC_OK;
		store_copy_remove(to);
		if (rc != RC_OK)
			return rc;
	}
	why_set(why, "the log is being pruned: make the backup after that");
	return RC_BUSY;
}

enum rc admin_backup(struct admin *a, const char *to, struct verification *ret, struct why *why)
{
	struct audit_record r;
	json_t *members;
	enum rc rc = a->read_only ? RC_READ_ONLY : RC_OK;

	*ret = (struct verification){ 0 };
	if (rc != RC_OK || (rc = event_begin(a, &r, NULL, NULL, "backup", NULL, why)) != RC_OK)
		return rc;
	if ((rc = sign(a, why)) == RC_OK)
		rc = copy(a, to, ret, why);
	if (rc == RC_OK)
		members = json_pack("{sIss}", "records", (json_int_t)ret->size, "verdict", verdict_name(ret->verdict));
	else
		members = json_object();
	event_end(a, &r, members, rc);
	json_decref(members);
	return rc;
}

enum rc admin_backup_check(const char *dir, struct why *why)
{
	static const char *const envs[] = { "vault", "ledger" };
	enum rc rc = RC_OK;
	char *path;

	for (size_t i = 0; i < ARRAY_LEN(envs) && rc == RC_OK; i++) {
		if (asprintf(&path, "%s/%s/data.mdb", dir, envs[i]) < 0)
			return RC_NOMEM;
		if (access(path, F_OK) != 0) {
			rc = errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
			why_set(why, "%s is no backup that can be read: %s: %s", dir, path, strerror(errno));
		}
		free(path);
	}
	return rc;
}
