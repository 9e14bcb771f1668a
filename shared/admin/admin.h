/* admin.h -- what admins do, each change with its audit records: used by the command line and the console alike.
 *
 * Key changes write `intended`, then the vault, then `done`; `retire --now` never waits for the ledger. Every function
 * returns RC_REFUSED with *ret_reason for "the answer is no" (exit 1), RC_INVALID for a value that was written wrong
 * (exit 2), another rc with why for "could not find out" (exit 3).
 * Opening sweeps: keys whose retire_at has passed lose their secret and leave a tombstone. */
#ifndef POSTERN_ADMIN_ADMIN_H
#define POSTERN_ADMIN_ADMIN_H

#include "base/note.h"
#include "path/path.h"

struct admin;

/* Opens the store. Root first takes the data directory's owner, group and groups (design 3); files named on the command
 * line are opened before that by the caller. read_only: nothing is changed, not even by the sweep. */
struct admin_options {
	const char *dir, *master_key;
	bool read_only;
	uint64_t vault_map, ledger_map;        /* bytes of address space; 0: the fixed sizes */
};
enum rc admin_open(const struct admin_options *o, struct admin **ret, struct why *why) MUST_CHECK;
/* Waits at most wait_s for records still on their way. false: *ret_notice is a sentence for the admin about what could not
 * be recorded, or not be swept. Before admin_close() with SETTLE_SECONDS; a program that stays open asks with 0 now and then. */
#define SETTLE_SECONDS 3
bool    admin_settle(struct admin *a, unsigned wait_s, struct why *ret_notice);
/* false: a thread was left behind, waiting for a lock; the process must end by _exit(). NULL is fine. */
bool    admin_close(struct admin *a);
struct store *admin_store(struct admin *a);
const char *admin_actor(const struct admin *a);      /* "loginuid:user" */
/* Deletes the secrets of keys past their time, as opening does: for a program that stays open, once a minute. */
void    admin_sweep(struct admin *a);
/* Another number, another state: to be asked many times a second, to learn that somebody changed something. RC_IO: also where
 * the vault or the ledger was replaced or removed since it was opened; RC_ROLLED_BACK. No change is made then. */
struct admin_versions { uint64_t vault, ledger; };
enum rc admin_versions(struct admin *a, struct admin_versions *ret, struct why *why) MUST_CHECK;
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

/* A page of sites in id order: what a list shows of each. ring_ok false: its keys cannot be read; the counts are zero. */
struct site_row {
	char id[SITE_ID_MAX], name[SITE_TEXT_MAX];
	enum plan plan;
	bool ring_ok;
	unsigned active, retiring;             /* keys that verify */
	uint64_t verified_1m, last_verified_at;        /* signatures verified in the last minute; seconds, 0: never. Advisory */
};
struct site_query {
	const char *from;                      /* begin with this id (NULL: at the first, or the last if backwards) */
	bool after;                            /* ...but not with from itself */
	bool backwards;
	const char *match;                     /* only where id or name holds this, ASCII case ignored; NULL or "": all */
	size_t max;                            /* rows of the page */
	size_t look;                           /* sites looked at, at most: a page may be shorter; 0: no limit */
};
struct site_page {
	size_t count;
	struct site_row *row;                  /* owned; in id order also where backwards */
	uint64_t sites;                        /* how many there are in all */
	bool more;                             /* it stopped before the end (or the beginning) */
	char next[SITE_ID_MAX];                /* the last site looked at: go on from it with after = true. Empty: none was */
};
enum rc admin_site_page(struct admin *a, const struct site_query *q, struct site_page *ret, struct why *why) MUST_CHECK;
void    site_page_done(struct site_page *p);

/* What the end of the log says of each site: its last record, and blocked tokens in the last minute. In memory, bounded. */
struct activity;
struct activity *activity_new(void);           /* NULL: out of memory */
void    activity_free(struct activity *x);
/* Reads at most max_rows rows: what is new, then further back to ACTIVITY_ROWS before the newest. *ret_more: call again. */
#define ACTIVITY_ROWS 100000
enum rc activity_read(struct activity *x, struct admin *a, size_t max_rows, bool *ret_more, struct why *why) MUST_CHECK;
struct site_activity { uint64_t last_at_us; uint64_t blocked_1m; };    /* 0: nothing in what was read; folded records count whole */
void    activity_get(const struct activity *x, const char *site, uint64_t now_us, struct site_activity *ret);
/* Its last record, or the last token that verified, for not every request leaves a record. Seconds; 0: neither is known. */
uint64_t site_last_event(const struct site_row *r, const struct site_activity *now);

/* ---- keys ---- */
struct key_row {
	struct key key;                /* its secret is never set */
	enum key_state state;
	bool tombstone;                /* false and retired: past its time, the secret not yet deleted */
	struct key_use use;
};
struct key_rows {
	uint64_t ring;                 /* the ring's version */
	bool use_unknown;              /* the ledger could not be read: what the rows say of use means nothing */
	size_t count, live;            /* live keys first, then tombstones, the latest first */
	struct key_row *row;
};
enum rc admin_key_list(struct admin *a, const char *site, struct key_rows *ret, enum reason *ret_reason,
                       struct why *why) MUST_CHECK;
void    key_rows_done(struct key_rows *r);
/* What retiring it now would mean, as last reported: "verified 1,204 tokens in the last hour, last 3 s ago", "not used for 26 h:
 * safe to retire", "not used yet" where it is younger than a day. The last key that verifies is never called safe to retire. */
#define KEY_USE_TEXT_MAX 128
const char *key_use_text(const struct key_rows *rows, size_t index, uint64_t now_s, char out[KEY_USE_TEXT_MAX]);
/* Would the ring verify nothing (any more) without this row? */
bool    key_row_is_last(const struct key_rows *rows, size_t index, uint64_t now_s);
/* Of the site's newest records, at most max_rows rows of the log: how many tokens without exp ran an action: what turning
 * require_exp on would block. */
enum rc admin_expiry_missing(struct admin *a, const char *site, size_t max_rows, uint64_t *ret_count, struct why *why) MUST_CHECK;
/* The same of every site that does not require it and had one: a new object {site: count}. */
#define EXPIRY_ROWS 20000              /* how far back one looks: a fraction of a second */
enum rc admin_expiry_sites(struct admin *a, size_t max_rows, json_t **ret, struct why *why) MUST_CHECK;
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
/* A key as the admin saw it. ring: the version it was seen at; where the ring is another by the time the change is made, it
 * is refused, RING_CHANGED, and nothing happens. 0: as it is now. */
struct key_ref { const char *site, *kid; uint64_t ring; };
/* Creates one key and gives kid (NULL: the only active one, else KEY_AMBIGUOUS) retire_at = now + grace_s. */
struct rotation { struct key created; char retiring[KID_MAX]; uint64_t retire_at; };
enum rc admin_key_rotate(struct admin *a, const struct key_ref *k, uint64_t grace_s, struct rotation *ret,
                         enum reason *ret_reason, struct why *why) MUST_CHECK;
/* at 0: now. KEY_LAST where it is the last that verifies and !last_too. */
enum rc admin_key_retire(struct admin *a, const struct key_ref *k, uint64_t at_s, bool last_too,
                         enum reason *ret_reason, struct why *why) MUST_CHECK;
enum rc admin_key_keep(struct admin *a, const struct key_ref *k, enum reason *ret_reason,
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

/* ---- connections: of postern-connectd, by its admin socket; each change with its records ---- */
#define CONNECT_ADMIN_SOCKET "/run/postern-connect/admin.sock"
#define CONNECTION_NAME_ROOM 64
/* socket, else $POSTERN_CONNECT_ADMIN, else the default. Everything below takes one, NULL too. */
const char *admin_connect_socket(const char *socket);
bool    admin_connection_name_ok(const char *name);
/* RC_IO, and why says what to run: connectd gave no answer. limit_ms 0: some seconds. *ret: a new array of connections, none with a secret. */
enum rc admin_connection_list(const char *socket, unsigned limit_ms, json_t **ret, struct why *why) MUST_CHECK;
/* CONNECTION_UNKNOWN, here and below. */
enum rc admin_connection_get(const char *socket, const char *name, json_t **ret, enum reason *ret_reason, struct why *why) MUST_CHECK;
/* Has a connection of this auth type a secret? Of one that is not known here: yes. */
bool    admin_connection_has_secret(const char *type);
/* What was given, by a file or standard input, as the JSON object that add and rotate take: the bare secret, or an object where the type
 * has two. One final newline is dropped. RC_INVALID with why. */
enum rc admin_connection_secret(const char *type, const struct secret *given, struct secret **ret, struct why *why) MUST_CHECK;
/* settings: as connectd takes them, name among them. *ret: the connection as it is now, or NULL where connectd does not say. RC_INVALID: connectd
 * does not take them, why says what. SITE_UNKNOWN, CONNECTION_EXISTS. */
enum rc admin_connection_add(struct admin *a, const char *socket, const json_t *settings, const struct secret *secret, json_t **ret,
                             enum reason *ret_reason, struct why *why) MUST_CHECK;
enum rc admin_connection_rotate(struct admin *a, const char *socket, const char *name, const struct secret *secret,
                                enum reason *ret_reason, struct why *why) MUST_CHECK;
/* *ret: new, {"ok","status","error","detail"}; RC_OK whatever it says. */
enum rc admin_connection_test(struct admin *a, const char *socket, const char *name, json_t **ret, enum reason *ret_reason,
                              struct why *why) MUST_CHECK;
enum rc admin_connection_remove(struct admin *a, const char *socket, const char *name, enum reason *ret_reason, struct why *why) MUST_CHECK;

/* ---- the token debugger ---- */
struct explained {
	enum decision decision;
	enum reason reason;
	struct identity identity;
	json_t *checks;      /* array of {"check","what","verdict":"passed|failed|not_checked","reason"?}; owned */
	json_t *hints;       /* array of sentences; owned */
	json_t *header, *claims;   /* decoded for reading, unverified unless the signature check passed; owned, may be NULL */
	size_t token_size;         /* bytes of the token that was found in it; 0: none was */
	char token[9];             /* what the audit log knows it by; empty: none was found */
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
/* One record, by its number: the stored line, and parsed. *ret_record is new; NULL where the line is no JSON object, or
 * longer than any record: then *ret_line is its beginning. RC_NOT_FOUND: there is none. */
enum rc admin_audit_record(struct admin *a, uint64_t seq, struct buf *ret_line, json_t **ret_record, struct why *why) MUST_CHECK;
/* The clear identity behind one record's subject. That the caller asked is recorded first. RC_NOT_FOUND: the record names no
 * subject, or its identity is not kept any more. */
enum rc admin_audit_identity(struct admin *a, uint64_t seq, struct audit_identity *ret, struct why *why) MUST_CHECK;
/* What an admin may do about a reason found in the log: a sentence or two. Static; NULL: there is nothing to do. */
const char *admin_advice(enum reason r);
/* A record for people: each member with its value as text, those of its detail as "detail.NAME", what one looks for first
 * standing first. */
typedef void (*record_member)(void *arg, const char *name, const char *value);
void    admin_record_members(const json_t *record, record_member take, void *arg);
/* Does it stand for several requests? Then admin_folded says what that means. */
bool    admin_record_folded(const json_t *record);
extern const char admin_folded[];
/* The subject of an email at a site, for filters. */
enum rc admin_subject_of(struct admin *a, const char *site, const char *email, char ret[SUBJECT_MAX],
                         enum reason *ret_reason, struct why *why) MUST_CHECK;

/* ---- the log as evidence: checkpoints, verifying, proofs ---- */

/* The vault's own names of the log: origin "postern/<host>/<uuid>" of this incarnation, and the key that signs its checkpoints, both
 * made by init (or here, where an older vault has none), the private half sealed under the admin key. */
struct log_name { char origin[NOTE_NAME_MAX]; struct note_key key; uint64_t first; };  /* first: the oldest record not pruned */
enum rc admin_log_name(struct admin *a, struct log_name *ret, struct why *why) MUST_CHECK;

enum verdict { VERDICT_VERIFIED, VERDICT_TAMPERED, VERDICT_TRUNCATED, VERDICT_UNVERIFIABLE };   /* exits 0, 1, 1, 3 */
const char *verdict_name(enum verdict v);
struct verification {
	enum verdict verdict;
	uint64_t first, size;                  /* records looked at: first <= seq < size */
	bool at_known; uint64_t at;            /* TAMPERED: the first record that is not what it was; not known: it is */
	uint64_t at_end;                       /* ...one of at <= seq < at_end, where at_end is not 0 */
	uint64_t have, want;                   /* TRUNCATED: records there, and records a checkpoint speaks of */
	size_t checkpoints;                    /* how many it was held against */
	uint64_t checkpoint_size;              /* up to where the last of them vouches */
	char text[400];                        /* a sentence with what was found */
};
/* Called now and then during long work; false: stop. May be NULL. */
typedef bool (*admin_progress)(uint64_t done, uint64_t of, void *arg);

/* The live log, every record re-hashed, held against every kept checkpoint and those given as notes. rc is RC_OK whenever there is a
 * verdict. */
struct verify_options {
	const struct span *notes; size_t note_count;           /* checkpoints that were kept elsewhere */
	const struct note_key *key;            /* vkey to trust instead of the vault's; NULL: the vault's */
	admin_progress progress; void *arg;
};
enum rc admin_verify(struct admin *a, const struct verify_options *o, struct verification *ret, struct why *why) MUST_CHECK;
/* An exported file, read from fd. Where its origin is the log's under a, leaf by leaf against the log, so that `at` is known; a may
 * be NULL, then o->key is needed, else UNVERIFIABLE. */
enum rc admin_verify_export(struct admin *a, int fd, const struct verify_options *o, struct verification *ret, struct why *why) MUST_CHECK;

/* Signs the log as it is: re-hashes what came since the last checkpoint and checks that the log is consistent with it. *ret_note is
 * the note, also where nothing changed (the last one again; *ret_new false). RC_REFUSED: it is not, and *ret_found says what was found; that is
 * recorded, and nothing is signed. */
enum rc admin_checkpoint(struct admin *a, struct buf *ret_note, bool *ret_new, struct verification *ret_found, struct why *why) MUST_CHECK;
/* The last checkpoint kept of this incarnation. RC_NOT_FOUND: none. ret, ret_at (seconds) may be NULL. */
enum rc admin_checkpoint_last(struct admin *a, struct buf *ret_note, struct checkpoint *ret, uint64_t *ret_at, struct why *why) MUST_CHECK;

/* One record and its inclusion proof under the last checkpoint, as a C2SP tlog-proof; RC_REFUSED with *ret_reason NOT_FOUND: no such record,
 * or no checkpoint covers it yet (why says). */
enum rc admin_prove(struct admin *a, uint64_t seq, struct buf *ret_line, struct buf *ret_proof, enum reason *ret_reason, struct why *why) MUST_CHECK;

/* ---- retention and erasure ---- */

/* Removes records up to the first that is not older than a time, in whole bundles, never above the last checkpoint and only what it
 * vouches for, and clear identities not seen since another. What it would do is recorded first, what it did after. archive: a file made
 * for it, which first gets the records, with what proves them, and is synced; -1: none. Microseconds; seconds. RC_REFUSED, with why:
 * there is no checkpoint, or the records are not what it vouches for, and nothing was pruned. *ret is filled in any case. */
struct pruned {
	uint64_t first, next, records, identities;     /* records first <= seq < next are gone */
	bool archived;                                 /* the archive is whole; from then on records may be gone */
};
enum rc admin_prune(struct admin *a, uint64_t before_us, uint64_t identities_before_s, int archive, struct pruned *ret,
                    struct why *why) MUST_CHECK;

struct erased { bool identity; uint64_t pins, documents; };
/* Everything of a person that can go: the identity row, the conversation pins, the answers of Idempotency-Keys (not counted), and where asked the documents. The records keep the subject. */
enum rc admin_erase(struct admin *a, const char *site, const char *email, bool documents, struct erased *ret, enum reason *ret_reason,
                    struct why *why) MUST_CHECK;

/* ---- statistics ---- */

/* A new object: {"records","counted","first","last","from","to","days":[{"day","intended","done","refused","blocked","failed"}],
 * "reasons":{},"actions":{},"sites":{},"keys":{}}. records: lines that match; counted: what they stand for, a folded one for all of
 * its own, as everywhere below. first and last: their numbers, from and to: their times; null where nothing matches. Each list has at
 * most STATS_NAMES names; what is beyond, and what is no name, is STATS_OTHER, which no name can be. */
#define STATS_NAMES 1000
#define STATS_OTHER "(other)"
enum rc admin_stats(struct admin *a, const struct audit_filter *f, admin_progress progress, void *arg, json_t **ret, struct why *why) MUST_CHECK;

/* ---- backup ---- */

/* A copy that holds neither master.key nor admin.key, verified after copying (a checkpoint is signed first); `to` must not exist, or be
 * empty. RC_OK whatever verifying it found: *ret says. */
enum rc admin_backup(struct admin *a, const char *to, struct verification *ret, struct why *why) MUST_CHECK;
/* Has it the files of a backup? Of what is not there opening it would say: run postern init. */
enum rc admin_backup_check(const char *dir, struct why *why) MUST_CHECK;
/* Puts a backup in the place of a data directory's environments; its keys stay. Refuses while a process has the data open, and a backup
 * that does not verify. Keys of rings that are not among kids are retired, unless all_keys. The log gets a new origin: a new
 * incarnation, whose first record says so. */
struct restored {
	uint64_t records;                      /* of the backup */
	char former[NOTE_NAME_MAX], origin[NOTE_NAME_MAX];
	size_t accepted, retired;              /* keys */
};
struct restore { const char *from, *const *kids; size_t kid_count; bool all_keys; };
enum rc admin_restore(const char *dir, const struct restore *r, struct restored *ret, struct why *why) MUST_CHECK;
/* Brings data of an older schema up to this program's, each environment in one transaction. Refuses while a process has the data open; who
 * has nothing to do does not ask. *ret: the steps that were made. */
#define MIGRATIONS_MAX 8
struct migrated { size_t count; const struct migration *step[MIGRATIONS_MAX]; };
enum rc admin_migrate(const char *dir, struct migrated *ret, struct why *why) MUST_CHECK;
/* Rewrites both environments without free pages (what was deleted is then gone from them). Refuses while a process has the data open. */
enum rc admin_compact(const char *dir, struct why *why) MUST_CHECK;

/* ---- health ---- */

#define HEALTH_WORKERS_MAX 64
/* A worker beats every 10 s. Its last beat longer ago than this, it is late; lost: as good as none. Seconds. */
#define HEALTH_LATE_S 20
#define HEALTH_LOST_S 30
struct health {
	uint64_t now_s;
	const char *version;                   /* of this program; static */
	uint32_t vault_schema, ledger_schema;
	size_t workers;                        /* rows filled; the table may hold more */
	struct worker_row worker[HEALTH_WORKERS_MAX];
	struct store_space space;              /* of the ledger */
	uint64_t vault_bytes;
	uint64_t records, records_1h, records_24h;
	uint64_t pruned;                       /* records before the first that is there */
	uint64_t seconds_left;                 /* until the ledger is full at the rate of the last 24 h; UINT64_MAX: no end in sight */
	struct store_readers vault_readers, ledger_readers;
	bool has_checkpoint; uint64_t checkpoint_size, checkpoint_at_s;        /* the records the last one covers; when it was signed */
	json_t *warnings;                      /* array of sentences, the gravest first; owned */
	json_t *findings;                      /* the same as the list of struct findings; owned */
};
enum rc admin_health(struct admin *a, struct health *ret, struct why *why) MUST_CHECK;
void    health_done(struct health *h);

/* ---- findings: what a check found, for doctor ---- */

/* OK: as it should be. WARNING: it works, but. WRONG: it does not, or is unsafe. SKIPPED: it could not be looked at. */
enum finding_state { FINDING_OK, FINDING_WARNING, FINDING_WRONG, FINDING_SKIPPED, FINDING_STATES };
struct findings {
	json_t *list;                          /* of {"check","state","says","mend"}: mend only where there is something to mend; owned */
	size_t count[FINDING_STATES];
	bool failed;                           /* out of memory: the list is not whole */
};
bool findings_init(struct findings *f) MUST_CHECK;     /* false: out of memory */
void findings_done(struct findings *f);
/* check: a stable name such as "master_key"; mend: what to do, an imperative sentence, or NULL. Outside text only through
 * text_show(). Returns nothing: f->failed is looked at once, at the end. */
void finding_add(struct findings *f, const char *check, enum finding_state state, const char *mend, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
const char *finding_state_name(enum finding_state state);      /* static */
/* Adds those of another list. */
void findings_take(struct findings *f, const json_t *list);

/* ---- inspection: what doctor looks at beside a health snapshot. It changes nothing. ---- */

#define INSPECT_SOCKET "/run/postern/fcgi.sock"
#define INSPECT_PROCESSES 64
struct inspection {
	const char *dir;                       /* the data directory */
	const char *socket;                    /* the worker's; NULL: INSPECT_SOCKET, where there is one */
	struct findings *out;
	bool unsure;                           /* who asks may not look at the data directory */
	/* inspect's own */
	const char *check;
	char mend[768];
	size_t processes;
	struct inspect_process { uint64_t pid; uid_t uid; bool replaced; } process[INSPECT_PROCESSES];      /* named as a worker */
};
/* All that needs no open data: files, master key, machine, socket, processes. As whoever called, so before admin_open(). */
void    inspect_place(struct inspection *i);
/* Did the data open? opened: what admin_open() said, and why. */
void    inspect_opened(struct inspection *i, enum rc opened, const struct why *why);
/* What is in the data. expiry: as admin_expiry_sites() gave it. */
enum rc admin_inspect(struct admin *a, const struct health *h, const json_t *expiry, struct inspection *i, struct why *why) MUST_CHECK;

#endif
