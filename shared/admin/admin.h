/* admin.h -- what admins do, each change with its audit records: used by the command line and the console alike.
 *
 * Key changes write `intended`, then the vault, then `done`; `retire --now` never waits for the ledger. Every function
 * returns RC_REFUSED with *ret_reason for "the answer is no" (exit 1), RC_INVALID for a value that was written wrong
 * (exit 2), another rc with why for "could not find out" (exit 3).
 * Opening sweeps: keys whose retire_at has passed lose their secret and leave a tombstone. */
#ifndef POSTERN_ADMIN_ADMIN_H
#define POSTERN_ADMIN_ADMIN_H

#include "path/path.h"

struct admin;

/* Opens the store. Root first takes the data directory's owner, group and groups (design 3); files named on the command
 * line are opened before that by the caller. read_only: nothing is changed, not even by the sweep. */
struct admin_options { const char *dir, *master_key; bool read_only; };
enum rc admin_open(const struct admin_options *o, struct admin **ret, struct why *why) MUST_CHECK;
/* Waits at most 3 s for records still on their way. false: *ret_notice is a sentence for the admin about what could not
 * be recorded, or not be swept. Before admin_close(), or now and then. */
bool    admin_settle(struct admin *a, struct why *ret_notice);
/* false: a thread was left behind, waiting for a lock; the process must end by _exit(). NULL is fine. */
bool    admin_close(struct admin *a);
struct store *admin_store(struct admin *a);
const char *admin_actor(const struct admin *a);      /* "loginuid:user" */
/* The process's one writer of the ledger, started when first asked for; ends with admin_close(). RC_READ_ONLY. */
enum rc admin_writer(struct admin *a, struct writer **ret) MUST_CHECK;
/* dir, else $POSTERN_DATA, else the default. */
const char *admin_data_dir(const char *dir);

/* postern init: store_init(). Stays root. *ret_created: something was new. */
enum rc admin_init(const char *dir, const char *group, bool *ret_created, struct why *why) MUST_CHECK;

/* ---- sites ---- */
/* Are all settings what they must be? RC_INVALID with why. add and set ask it themselves. */
enum rc admin_site_check(const struct site *s, struct why *why) MUST_CHECK;
enum rc admin_site_add(struct admin *a, const struct site *s, enum reason *ret_reason, struct why *why) MUST_CHECK;
/* An edit of a site's settings. It is made to them as they are when the change is made, under the vault's lock; false: it cannot be. */
struct site_edit { bool (*apply)(struct site *s, void *arg); void *arg; };
/* s: the settings with the edit made, to be checked first; on success those that were written. changed: names of the settings,
 * for the record; NULL-terminated. */
enum rc admin_site_set(struct admin *a, struct site *s, const struct site_edit *edit, const char *const *changed, enum reason *ret_reason,
                       struct why *why) MUST_CHECK;
enum rc admin_site_remove(struct admin *a, const char *site, enum reason *ret_reason, struct why *why) MUST_CHECK;
enum rc admin_site_get(struct admin *a, const char *site, struct site *ret, enum reason *ret_reason,
                       struct why *why) MUST_CHECK;

/* ---- keys ---- */
struct key_row {
	struct key key;                /* its secret is never set */
	enum key_state state;
	bool tombstone;                /* false and retired: past its time, the secret not yet deleted */
	struct key_use use;
};
struct key_rows { size_t count; struct key_row *row; };      /* live keys first, then tombstones */
enum rc admin_key_list(struct admin *a, const char *site, struct key_rows *ret, enum reason *ret_reason,
                       struct why *why) MUST_CHECK;
void    key_rows_done(struct key_rows *r);
/* Is the ring healthy: a key verifies, one of them without an end, none in use about to end? *ret_problems: a new array
 * of sentences, empty where it is. */
enum rc admin_key_check(struct admin *a, const char *site, json_t **ret_problems, enum reason *ret_reason,
                        struct why *why) MUST_CHECK;

/* *ret_key carries the secret: shown once, then key_done(). */
enum rc admin_key_create(struct admin *a, const char *site, const char *label, struct key *ret_key,
                         enum reason *ret_reason, struct why *why) MUST_CHECK;
enum rc admin_key_import(struct admin *a, const char *site, const char *label, const struct secret *secret,
                         struct key *ret_key,
                         enum reason *ret_reason, struct why *why) MUST_CHECK;
/* Creates one key and gives kid (NULL: the only active one, else KEY_AMBIGUOUS) retire_at = now + grace_s. */
struct rotation { struct key created; char retiring[KID_MAX]; uint64_t retire_at; };
enum rc admin_key_rotate(struct admin *a, const char *site, const char *kid, uint64_t grace_s, struct rotation *ret,
                         enum reason *ret_reason,
                         struct why *why) MUST_CHECK;
/* at 0: now. KEY_LAST where it is the last that verifies and !last_too. */
enum rc admin_key_retire(struct admin *a, const char *site, const char *kid, uint64_t at_s, bool last_too,
                         enum reason *ret_reason, struct why *why) MUST_CHECK;
enum rc admin_key_keep(struct admin *a, const char *site, const char *kid, enum reason *ret_reason,
                       struct why *why) MUST_CHECK;

/* ---- actions and documents ---- */
enum rc admin_action_import(struct admin *a, const char *site, struct span document, size_t *ret_count,
                            struct problems *problems,
                            enum reason *ret_reason, struct why *why) MUST_CHECK;
/* Lines of JSON; all are checked before any is written, in batches that hold the lock at most 50 ms. why names
 * the line. */
enum rc admin_document_import(struct admin *a, const char *site, struct span lines, size_t *ret_count,
                              enum reason *ret_reason, struct why *why) MUST_CHECK;

/* The stored actions document; *ret is new, or NULL where the site has none yet. */
enum rc admin_action_document(struct admin *a, const char *site, json_t **ret, enum reason *ret_reason,
                              struct why *why) MUST_CHECK;
/* Every document of a collection, all owners: a new array of {"collection","id","owner","data"}. COLLECTION_UNKNOWN: no
 * row is in it and no action names it. */
enum rc admin_document_list(struct admin *a, const char *site, const char *collection, json_t **ret,
                            enum reason *ret_reason,
                            struct why *why) MUST_CHECK;

/* ---- the token debugger ---- */
struct explained {
	enum decision decision;
	enum reason reason;
	struct identity identity;
	json_t *checks;      /* array of {"check","what","verdict":"passed|failed|not_checked","reason"?}; owned */
	json_t *hints;       /* array of sentences; owned */
	json_t *header, *claims;   /* decoded for reading, unverified unless the signature check passed; owned, may be NULL */
};
/* value: a token, or a whole Authorization value ("Bearer ..."). */
enum rc admin_token_explain(struct admin *a, const char *site, struct span value, struct explained *ret,
                            enum reason *ret_reason, struct why *why) MUST_CHECK;
void    explained_done(struct explained *e);

/* ---- audit ---- */
/* Does the log know this site: one that is there, or was removed? SITE_UNKNOWN. */
enum rc admin_audit_site(struct admin *a, const char *site, enum reason *ret_reason, struct why *why) MUST_CHECK;
/* Records that the caller takes clear identities out of the log, and by which filter: before any is shown. */
enum rc admin_audit_identities_read(struct admin *a, const struct audit_filter *f, const char *format,
                                    struct why *why) MUST_CHECK;
/* The subject of an email at a site, for filters. */
enum rc admin_subject_of(struct admin *a, const char *site, const char *email, char ret[SUBJECT_MAX],
                         enum reason *ret_reason, struct why *why) MUST_CHECK;

#endif
