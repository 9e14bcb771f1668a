/* admin-private.h -- what the files of admin/ share: the open admin, records on their way, and one change with
 * its records. */
#ifndef POSTERN_ADMIN_ADMIN_PRIVATE_H
#define POSTERN_ADMIN_ADMIN_PRIVATE_H

#include "admin/admin.h"

#include <pthread.h>

#define ACTOR_MAX 96

struct entry;

struct admin {
	struct store *store;
	char actor[ACTOR_MAX];
	bool read_only;
	struct writer *writer;         /* started with the first record */
	pthread_mutex_t lock;          /* guards sent and its entries */
	pthread_cond_t ended;
	struct entry *sent;            /* records nobody waits for yet */
	struct why notice;             /* for admin_settle() */
	struct connections_seen {
		uint64_t asked_s;      /* 0: not yet */
		size_t reauth;         /* connections that need to be authorized again, and the first of them */
		char first[CONNECTION_NAME_ROOM];
	} connections;
	uint64_t checked;              /* the vault's version that was found not to be set back; 0: none yet */
};

/* admin.c: RC_IO with why where the environment's file is no longer the one that was opened: what is written to it is lost. */
enum rc still_there(struct admin *a, enum env env, struct why *why) MUST_CHECK;
/* admin.c: as admin_open(), but as whoever this process is by now, and nothing is written by opening. actor: who asked, as read before
 * privileges were taken. */
enum rc admin_open_store(const struct store_options *o, const char actor[ACTOR_MAX], struct admin **ret, struct why *why) MUST_CHECK;

/* privileges.c */
#define USER_NAME_MAX 64
void    user_name(uid_t uid, char out[USER_NAME_MAX]);         /* its number where it has none */
void    actor_read(char out[ACTOR_MAX]);
enum rc privileges_take(const char *dir, struct why *why) MUST_CHECK;

/* record.c */
enum rc records_init(struct admin *a) MUST_CHECK;
/* Puts an admin event together: who, where, and {"change": change} with further members in detail. Ends with
 * record_done(). */
enum rc record_make(const struct admin *a, struct audit_record *ret, enum audit_event e, const char *site,
                    const char *change, const json_t *members) MUST_CHECK;
void    record_done(struct audit_record *r);
/* On disk when it returns RC_OK; RC_WITHDRAWN if the ledger's lock did not come in 2 s. */
enum rc record_put(struct admin *a, const struct audit_record *r) MUST_CHECK;
/* Never waits; what became of it is admin_settle()'s business. */
void    record_send(struct admin *a, const struct audit_record *r);
/* Frees what is settled; false: some are still on their way. */
bool    records_free(struct admin *a);

/* event.c: work that is no change of the vault: `intended` before it, `done` or `failed` after. */
/* why says so where it could not be recorded: then nothing must be done. r stays as it is until event_end(). */
enum rc event_begin(struct admin *a, struct audit_record *r, const char *site, const char *subject, const char *change,
                    const json_t *members, struct why *why) MUST_CHECK;
void    event_end(struct admin *a, struct audit_record *r, const json_t *members, enum rc ended);

/* change.c: one change of the vault, with `intended` before it and `done`, `refused` or `failed` after. */
struct change {
	enum audit_event event;
	const char *name;              /* detail.change */
	const char *site;
	char kid[KID_MAX];             /* run() may fill it: the record after has it */
	json_t *members;               /* of detail, owned; run() may add to it; may be NULL */
	bool urgent;                   /* never waits for the ledger: the vault counts, records follow if they can */
	/* Checks its conditions and makes the change, under the vault's write lock. RC_REFUSED with the reason. */
	enum rc (*run)(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason);
	/* What remains to be done once the vault has committed, before the record of how it ended; NULL: nothing. */
	enum rc (*after)(struct admin *a, struct change *c, struct why *why);
	void *arg;
};
/* false: out of memory, or value was NULL. Steals value. */
bool    change_member(struct change *c, const char *name, json_t *value);
/* Consumes c->members. */
enum rc change_run(struct admin *a, struct change *c, enum reason *ret_reason, struct why *why) MUST_CHECK;

/* The answer is no. */
static inline enum rc refuse(enum reason reason, enum reason *ret_reason)
{
	*ret_reason = reason;
	return RC_REFUSED;
}

/* site.c */
bool    site_known(struct txn *vault, const char *site);
/* RC_REFUSED with SITE_UNKNOWN before anything is recorded: a mistyped name is no event. */
enum rc site_require(struct admin *a, const char *site, enum reason *ret_reason, struct why *why) MUST_CHECK;

/* site-check.c: UTF-8 without control or bidi characters, under room bytes. */
bool    text_plain(const char *text, size_t room);

/* warnings.c: what of a health snapshot an admin should act on; facts besides the snapshot's own. */
#define ENDING_MAX 64
struct ending_key { struct key_name key; uint64_t uses_1h; };
struct health_facts {
	const struct health *health;
	bool log_ends;                 /* with a record; else nothing can be appended */
	size_t ending_count;           /* keys that end within 24 h, and were used in the last hour */
	struct ending_key ending[ENDING_MAX];
	struct connections_seen connections;
};
/* Fills h->warnings and h->findings. RC_NOMEM: and neither is there. */
enum rc health_warnings(const struct health_facts *f, struct health *h) MUST_CHECK;

/* connection.c: what connectd says of its connections, asked at most every few seconds, and not waited for. Where it does not answer, nothing
 * is known: not every installation has it. */
void    connections_look(struct admin *a, uint64_t now_s);

/* sweep.c */
/* As admin_sweep(), within a change of k's ring: k->ring moves on by what this sweep moves that ring on, and by
 * nothing else. Deleting what the clock had ended is no change to what the admin saw; so a ref is as stale after it as it
 * was before. */
void    sweep_before(struct admin *a, struct key_ref *k);

#endif
