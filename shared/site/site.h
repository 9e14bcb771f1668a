/* site.h -- a site: its settings and policy, as the vault holds them.
 *
 * A site's row changes whole. Its head carries one version each for settings, ring and actions, so that a
 * worker learns with one small read whether what it cached still holds. */
#ifndef POSTERN_SITE_SITE_H
#define POSTERN_SITE_SITE_H

#include "store/store.h"

#define SITE_ID_MAX 64                 /* with the terminator; ^[a-z][a-z0-9-]{0,62}$ */
#define SITE_TEXT_MAX 1024             /* name, URL, issuer, audience; with the terminator */
#define SITE_LIST_MAX 32               /* entries of a list setting */
#define SITE_LIFETIME_MAX 86400        /* seconds; default and hard cap */

enum plan { PLAN_FREE, PLAN_PRO, PLAN_BUSINESS };
const char *plan_name(enum plan p);
bool plan_parse(const char *name, enum plan *ret);

struct site_list { size_t count; char **entry; };       /* owned strings */
void site_list_done(struct site_list *l);
enum rc site_list_add(struct site_list *l, const char *entry) MUST_CHECK;   /* RC_INVALID: full or too long */
bool site_list_has(const struct site_list *l, const char *entry);

struct site {
	char id[SITE_ID_MAX];
	char name[SITE_TEXT_MAX];              /* empty: none */
	enum plan plan;
	char sign_in_url[SITE_TEXT_MAX];       /* empty: none; https or http URL */
	struct site_list origins;              /* scheme://host[:port], as a browser sends it */
	struct site_list accept_domains;       /* A-label form, lower case: accepted though reserved or private */
	struct site_list reserve_domains;      /* reserved by this site besides */
	uint32_t max_lifetime;                 /* seconds, 1..86400 */
	bool require_exp;
	char issuer[SITE_TEXT_MAX];            /* empty: any */
	char audience[SITE_TEXT_MAX];          /* empty: any */
	uint64_t created_at;                   /* seconds */
};

bool site_id_valid(struct span id);
void site_init(struct site *s);            /* the defaults */
void site_done(struct site *s);

struct site_head { uint64_t settings, ring, actions; };   /* versions; 0: never set */

/* RC_NOT_FOUND, RC_CORRUPT. *ret is initialised in any case: site_done(). */
enum rc site_get(struct txn *vault, struct span id, struct site *ret) MUST_CHECK;
bool    site_head_get(struct txn *vault, struct span id, struct site_head *ret);      /* false: no such site */

enum site_part { SITE_SETTINGS, SITE_RING, SITE_ACTIONS };
void    site_head_bump(struct txn *vault, const char *id, enum site_part part);       /* +1, so every worker reloads it */

/* RC_EXISTS also for a removed id. */
enum rc site_add(struct txn *vault, const struct site *s) MUST_CHECK;
enum rc site_set(struct txn *vault, const struct site *s) MUST_CHECK;                 /* RC_NOT_FOUND */
enum rc site_remove(struct txn *vault, const char *id, uint64_t now_s) MUST_CHECK;    /* leaves a tombstone of the id */

/* What a list shows of a row of DB_SITES, without decoding the rest of it: a list looks at many. name is borrowed.
 * RC_CORRUPT. */
struct site_brief { char id[SITE_ID_MAX]; struct span name; enum plan plan; };
enum rc site_brief(struct span key, struct span row, struct site_brief *ret) MUST_CHECK;

#endif
