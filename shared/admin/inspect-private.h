/* inspect-private.h -- what the files of the inspection share: how a check says what it found. */
#ifndef POSTERN_ADMIN_INSPECT_PRIVATE_H
#define POSTERN_ADMIN_INSPECT_PRIVATE_H

#include "admin/admin-private.h"

/* ---- inspect.c ---- */

/* A finding of the check that runs. mend: NULL, or mend_with(). What it is made of may be outside text. */
void look_say(struct inspection *i, enum finding_state state, const char *mend, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Borrowed until the next one. */
const char *mend_with(struct inspection *i, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* " --data DIR" for a command that is to be copied, or "" where that is the default. */
#define DATA_OPTION_MAX 300
const char *data_option(const struct inspection *i, char out[DATA_OPTION_MAX]);

/* Of many names the first few, for a sentence: "a, b and 3 more". */
#define NAMES_TOLD 5
struct names { size_t count; struct buf told; };
void    names_add(struct names *n, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *names_text(struct names *n);
void    names_done(struct names *n);

/* ---- the checks: of the place, before the data is opened ---- */

void inspect_directory(struct inspection *i);          /* inspect-files.c */
void inspect_files(struct inspection *i);
void inspect_leftovers(struct inspection *i);
void inspect_master_key(struct inspection *i);         /* inspect-master-key.c */
void inspect_disk(struct inspection *i);               /* inspect-machine.c */
void inspect_clock(struct inspection *i);
void inspect_socket(struct inspection *i);             /* inspect-socket.c */

/* inspect-workers.c: which processes call themselves a worker, as the kernel says. Root sees more of them than the
 * data's owner. */
void inspect_processes(struct inspection *i);

/* ---- ...and of what is in it ---- */

/* The log's last day, as far as its last rows reach. */
struct lately {
	uint64_t size;                 /* of the whole log, pruned records counted */
	uint64_t newest_us;            /* 0: no record */
	uint64_t folded, folds;        /* requests, and the records they were folded into */
	uint64_t not_yet_valid, key_retired;
	struct names retired;          /* site/kid; any stranger may name one */
	char site[SITE_ID_MAX];        /* the first of them; empty: none that is well formed */
};
/* The sites and their rings, as far as is looked. */
struct rings {
	uint64_t sites, looked;
	struct names broken, none, full, unused, old, actionless;
	struct key_name first_unused, first_old;
	char first_none[SITE_ID_MAX], first_full[SITE_ID_MAX];
};
/* What connectd has, and the actions that name another: "site/action: connection". */
struct connections_used { json_t *list; struct names missing, closed; };       /* list NULL: it did not answer */
struct inside {
	const struct health *h;
	const json_t *expiry;
	struct lately lately;
	struct rings rings;
	struct connections_used connections;
};

enum rc lately_read(struct admin *a, struct lately *ret) MUST_CHECK;     /* inspect-log.c */
void    lately_done(struct lately *l);
void inspect_versions(struct inspection *i, struct inside *in);
void inspect_budget(struct inspection *i, struct inside *in);
void inspect_space(struct inspection *i, struct inside *in);
void inspect_record_times(struct inspection *i, struct inside *in);
void inspect_not_yet_valid(struct inspection *i, struct inside *in);
void inspect_retired_named(struct inspection *i, struct inside *in);
void inspect_expiry(struct inspection *i, struct inside *in);
void inspect_checkpoint(struct inspection *i, struct inside *in);

enum rc rings_read(struct admin *a, uint64_t now_s, struct rings *ret) MUST_CHECK;      /* inspect-keys.c */
void    rings_done(struct rings *r);
void inspect_rings(struct inspection *i, struct inside *in);
void inspect_sites_without_key(struct inspection *i, struct inside *in);
void inspect_full_rings(struct inspection *i, struct inside *in);
void inspect_unused_keys(struct inspection *i, struct inside *in);
void inspect_old_keys(struct inspection *i, struct inside *in);
void inspect_sites_without_actions(struct inspection *i, struct inside *in);

enum rc connections_read(struct admin *a, struct connections_used *ret) MUST_CHECK;     /* inspect-connections.c */
void    connections_done(struct connections_used *u);
void inspect_connections(struct inspection *i, struct inside *in);

void inspect_workers(struct inspection *i, struct inside *in);          /* inspect-workers.c */
void inspect_worker_users(struct inspection *i, struct inside *in);
void inspect_worker_programs(struct inspection *i, struct inside *in);

/* ---- inspect-fcgi.c ---- */

/* Asks a worker for /v1/health. RC_READ_ONLY: it closed unanswered, or may not be asked; RC_NOT_FOUND: nobody listens;
 * RC_BUSY: no answer in time; RC_CORRUPT: no FastCGI. *ret_status: of HTTP. */
enum rc fcgi_health(const char *socket, int *ret_status) MUST_CHECK;

#endif
