/* restore.c -- a backup in the place of the data. All is done to a copy beside it, which then replaces the environments
 * at once. The backup may be old, and know keys that were retired since: so keys are named, or all are accepted. */
#include "admin/log-private.h"
#include "base/clock.h"

#include <stdlib.h>
#include <sys/stat.h>

#define KEYS_NAMED 256                 /* in the record */

struct work {
	const struct restore *r;
	struct restored *ret;
	char actor[ACTOR_MAX];
	struct admin *copy;            /* the data to be, open as an admin's */
	bool *found;                   /* which of r's kids there are; owned */
	struct key_name *unaccepted;   /* owned */
	size_t count;
	json_t *kids;                  /* of those retired, for the record; owned */
};

/* ---- the backup ---- */

/* store_open() would say that it is open in this process, which nobody has to know. */
static enum rc check_other(const char *from, const char *data, struct why *why)
{
	struct stat a, b;

	if (stat(from, &a) != 0 || stat(data, &b) != 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return RC_OK;
	why_set(why, "%s is the data itself, and no backup of it", from);
	return RC_BUSY;
}

/* As whoever called; a backup need not be the data owner's. */
static enum rc open_backup(const struct store_paths *data, const char *from, struct store **ret, struct why *why)
{
	struct store_options o = { .dir = from, .master_key = data->master_key, .mode = STORE_READ,
	                           .older = true };
	enum rc rc = admin_backup_check(from, why);

	if (rc == RC_OK)
		rc = check_other(from, data->dir, why);
	return rc == RC_OK ? store_open(&o, ret, why) : rc;
}

static enum rc open_copy(const struct store_paths *data, const char *dir, struct work *w, struct why *why)
{
	struct store_options o = { .dir = dir, .master_key = data->master_key, .mode = STORE_ADMIN,
	                           .adopt = data->admin_key, .older = true };

	return admin_open_store(&o, w->actor, &w->copy, why);
}

static enum rc verify(struct work *w, struct why *why)
{
	struct verify_options any = { .note_count = 0 };
	struct verification found;
	enum rc rc = admin_verify(w->copy, &any, &found, why);

	if (rc != RC_OK || found.verdict == VERDICT_VERIFIED)
		return rc;
	why_set(why, "the backup is not restored; it is %s: %s", verdict_name(found.verdict), found.text);
	return RC_REFUSED;
}

/* ---- keys ---- */

static bool is_accepted(struct work *w, const char *kid)
{
	bool accepted = w->r->all_keys;

	for (size_t i = 0; i < w->r->kid_count; i++)
		if (strcmp(w->r->kids[i], kid) == 0)
			accepted = w->found[i] = true;
	return accepted;
}

static enum rc note_key(struct work *w, const char *site, const char *kid)
{
	struct key_name *grown;

	if (is_accepted(w, kid)) {
		w->ret->accepted++;
		return RC_OK;
	}
	grown = realloc(w->unaccepted, (w->count + 1) * sizeof(*grown));
	if (!grown)
		return RC_NOMEM;
	w->unaccepted = grown;
	memcpy(grown[w->count].site, site, strlen(site) + 1);
	memcpy(grown[w->count++].kid, kid, strlen(kid) + 1);
	return RC_OK;
}

static enum rc look_at_ring(struct work *w, struct txn *vault, struct span id)
{
	struct keyring ring = { 0 };
	char site[SITE_ID_MAX];
	enum rc rc;

	if (!site_id_valid(id))
		return RC_CORRUPT;
	memcpy(site, id.data, id.size);
	site[id.size] = '\0';
	rc = keyring_get(w->copy->store, vault, id, false, &ring);
	for (size_t i = 0; i < ring.count && rc == RC_OK; i++)
		rc = note_key(w, site, ring.keys[i].kid);
	keyring_done(&ring);
	return rc;
}

/* A mistyped kid would retire the key it was meant to keep. */
static enum rc find_unaccepted(struct work *w, struct txn *vault, struct why *why)
{
	struct span key, row;
	struct walk walk;
	enum rc rc = RC_OK;

	walk_begin(&walk, vault, DB_RINGS);
	while (rc == RC_OK && walk_next(&walk, &key, &row))
		rc = look_at_ring(w, vault, key);
	walk_end(&walk);
	if (rc == RC_OK)
		rc = txn_rc(vault);
	for (size_t i = 0; i < w->r->kid_count && rc == RC_OK; i++) {
		if (!w->found[i]) {
			why_set(why, "no ring of the backup has a key %s", w->r->kids[i]);
			rc = RC_REFUSED;
		}
	}
	return rc;
}

static enum rc retire(struct work *w, struct txn *vault)
{
	enum reason reason;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < w->count && rc == RC_OK; i++) {
		const struct key_name *k = &w->unaccepted[i];

		rc = keyring_retire(w->copy->store, vault, k->site, k->kid, clock_s(), &reason);
		if (rc == RC_OK && i < KEYS_NAMED && json_array_append_new(w->kids, json_string(k->kid)) != 0)
			rc = RC_NOMEM;
	}
	w->ret->retired = w->count;
	return rc;
}

/* ---- the new incarnation ---- */

static enum rc begin_anew(struct work *w, struct txn *vault, struct why *why)
{
	struct log_names names = { 0 };
	enum rc rc = log_names_read(vault, &names);

	if (rc == RC_OK && log_present(&names))
		memcpy(w->ret->former, log_present(&names)->key.name, sizeof(w->ret->former));
	log_names_done(&names);
	return rc == RC_OK ? log_incarnation_begin(w->copy->store, vault, w->ret->records, why) : rc;
}

/* One transaction: no state of the vault has the one without the other. */
static enum rc change_vault(struct work *w, struct why *why)
{
	struct txn *ledger = txn_read(w->copy->store, ENV_LEDGER), *vault;
	enum rc rc;

	w->ret->records = audit_size(ledger);
	if ((rc = txn_end(ledger)) != RC_OK)
		return rc;
	vault = txn_write(w->copy->store, ENV_VAULT);
	if ((rc = txn_rc(vault)) == RC_OK && (rc = find_unaccepted(w, vault, why)) == RC_OK &&
	    (rc = retire(w, vault)) == RC_OK)
		rc = begin_anew(w, vault, why);
	txn_fail(vault, rc);
	return txn_end(vault);
}

/* The first record of the new incarnation, and a checkpoint over it. */
static enum rc record(struct work *w, struct why *why)
{
	json_t *members = json_pack("{sssIsIsO}", "origin", w->ret->former, "records", (json_int_t)w->ret->records,
	                            "retired", (json_int_t)w->ret->retired, "keys", w->kids);
	struct verification found;
	struct buf note = BUF_INIT;
	struct audit_record r;
	struct log_name name;
	bool is_new;
	enum rc rc = members ? record_make(w->copy, &r, AUDIT_EVENT_AUDIT, NULL, "restore", members) : RC_NOMEM;

	json_decref(members);
	if (rc != RC_OK)
		return rc;
	rc = record_put(w->copy, &r);
	record_done(&r);
	if (rc == RC_OK && (rc = admin_checkpoint(w->copy, &note, &is_new, &found, why)) == RC_OK &&
	    (rc = admin_log_name(w->copy, &name, why)) == RC_OK)
		memcpy(w->ret->origin, name.origin, sizeof(w->ret->origin));
	buf_done(&note);
	return rc;
}

static enum rc change_copy(struct work *w, struct why *why)
{
	struct migrated migrated;
	enum rc rc;

	w->kids = json_array();
	w->found = calloc(w->r->kid_count + 1, sizeof(*w->found));
	rc = w->kids && w->found ? migrate_open(w->copy, &migrated, why) : RC_NOMEM;
	if (rc == RC_OK && (rc = verify(w, why)) == RC_OK && (rc = change_vault(w, why)) == RC_OK)
		rc = record(w, why);
	json_decref(w->kids);
	free(w->found);
	free(w->unaccepted);
	return rc;
}

/* ---- the whole ---- */

static enum rc make_copy(const struct store_paths *data, struct store *backup, const char *dir, struct work *w,
                         struct why *why)
{
	enum rc rc = store_copy(backup, dir, true, why);

	if (rc == RC_OK)
		rc = open_copy(data, dir, w, why);
	if (rc == RC_OK)
		rc = change_copy(w, why);
	if (!admin_close(w->copy) && rc == RC_OK)
		rc = RC_BUSY;
	return rc;
}

enum rc admin_restore(const char *dir, const struct restore *r, struct restored *ret, struct why *why)
{
	struct work w = { .r = r, .ret = ret };
	struct store_paths data = { 0 };
	struct store *backup = NULL;
	struct swap *swap = NULL;
	enum rc rc;

	*ret = (struct restored){ 0 };
	actor_read(w.actor);
	dir = admin_data_dir(dir);
	if ((rc = store_paths_init(&data, dir, NULL)) != RC_OK)
		return rc;
	if ((rc = open_backup(&data, r->from, &backup, why)) == RC_OK &&
	    (rc = privileges_take(dir, why)) == RC_OK &&
	    (rc = store_swap_begin(dir, &swap, why)) == RC_OK &&
	    (rc = make_copy(&data, backup, store_swap_dir(swap), &w, why)) == RC_OK)
		rc = store_swap_commit(swap, why);
	store_swap_end(swap);
	store_close(backup);
	store_paths_done(&data);
	return rc;
}
