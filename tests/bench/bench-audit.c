/* bench-audit.c -- fills an audit log, as its writer does or in bulk.
 *
 * bench-audit append DIR COUNT: through the group-commit writer, one job a record, as many in flight as fill its batches;
 * the commits are as durable as the worker's. bench-audit build DIR COUNT: in large transactions, for a log to read.
 * Both index as they go, as a worker does. Records are of the sites shop-0 to shop-19, the first with half of them, the last
 * with one in 256; of 100 about three are blocked and three refused. In the oldest tenth, about one in 16 of shop-19 (so one
 * in 4,096 of all) is of the visitor alex@example.com. Prints one JSON object: seconds, records, commits. */
#include "audit/audit.h"

#include "base/clock.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IN_FLIGHT 4096             /* four times what one commit takes */
#define BULK 20000                 /* records of one transaction of build */
#define SITES 20
#define VISITORS 50000
#define STEP_US 20000              /* from one record to the next */

static struct store *store;
static char rare_subject[SUBJECT_MAX];
static uint64_t total, start_us;

static _Noreturn void die(const char *what, enum rc rc)
{
	fprintf(stderr, "bench-audit: %s: %s\n", what, rc_text(rc));
	exit(1);
}

static void need(enum rc rc, const char *what)
{
	if (rc != RC_OK)
		die(what, rc);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- records ---- */

/* splitmix64: the same log every time. */
static uint64_t mixed(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

static unsigned site_of(uint64_t chance)
{
	unsigned part = chance & 255;

	return part == 0 ? SITES - 1 : part < 128 ? 0 : 1 + part % (SITES - 2);
}

static void fill(struct audit_record *r, uint64_t n)
{
	static const enum reason blocked[] = { REASON_TOKEN_EXPIRED, REASON_SIGNATURE_MISMATCH, REASON_KEY_RETIRED };
	uint64_t chance = mixed(n), visitor[2] = { mixed(chance % VISITORS), mixed(chance % VISITORS + VISITORS) };
	unsigned site = site_of(chance >> 40), percent = (unsigned)(chance >> 48) % 100;
	enum audit_outcome outcome = percent < 3 ? AUDIT_OUTCOME_BLOCKED : percent < 6 ? AUDIT_OUTCOME_REFUSED :
				     AUDIT_OUTCOME_DONE;

	audit_record_init(r, AUDIT_EVENT_ACTION, outcome);
	r->time = start_us + n * STEP_US;
	snprintf(r->site, sizeof(r->site), "shop-%u", site);
	snprintf(r->action, sizeof(r->action), "track_order");
	snprintf(r->remote, sizeof(r->remote), "203.0.%u.0/24", (unsigned)(chance >> 8) & 255);
	hex_encode(r->token, &chance, 4);
	r->effect = "read";
	r->has_duration = true;
	r->duration_ms = chance >> 60;
	r->status = outcome == AUDIT_OUTCOME_DONE ? 200 : outcome == AUDIT_OUTCOME_REFUSED ? 403 : 401;
	if (outcome == AUDIT_OUTCOME_BLOCKED) {
		r->reason = blocked[percent];
		return;
	}
	r->reason = outcome == AUDIT_OUTCOME_REFUSED ? REASON_PLAN_REQUIRED : REASON_NONE;
	snprintf(r->kid, sizeof(r->kid), "k_aaaaaaa%c", 'a' + (int)site);
	hex_encode(r->conversation, &chance, 8);
	memcpy(r->subject, "h1:", 3);
	hex_encode(r->subject + 3, visitor, 16);
	if (site == SITES - 1 && n < total / 10 && (chance >> 20 & 15) == 0)
		memcpy(r->subject, rare_subject, sizeof(rare_subject));
}

/* ---- append: through the writer ---- */

struct slot { struct job job; struct audit_record record; };

static struct slot slots[IN_FLIGHT];
static sem_t room, index_free;

static enum rc run(struct txn *ledger, void *arg)
{
	return audit_append(ledger, arg, NULL);
}

static void done(void *arg, enum rc outcome)
{
	(void)arg;
	need(outcome, "a record");
	sem_post(&room);
}

static void index_done(void *arg, enum rc outcome)
{
	(void)arg;
	need(outcome, "the index");
	sem_post(&index_free);
}

static enum rc run_index(struct txn *ledger, void *arg)
{
	bool more;

	(void)arg;
	return audit_index(ledger, INDEX_BUNDLE, &more);
}

/* Slots come free in the order they were queued. */
static uint64_t append(void)
{
	static struct job index = { .run = run_index, .done = index_done };
	struct writer_stats stats;
	struct writer *w;

	need(writer_start(store, &w), "writer_start");
	sem_init(&room, 0, IN_FLIGHT);
	sem_init(&index_free, 0, 1);
	for (uint64_t n = 0; n < total; n++) {
		struct slot *s = &slots[n % IN_FLIGHT];

		if (n % INDEX_BUNDLE == INDEX_BUNDLE - 1) {
			sem_wait(&index_free);
			writer_submit(w, &index);
		}
		sem_wait(&room);
		fill(&s->record, n);
		s->job = (struct job){ .run = run, .done = done, .arg = &s->record };
		writer_submit(w, &s->job);
	}
	for (int i = 0; i < IN_FLIGHT; i++)
		sem_wait(&room);
	sem_wait(&index_free);
	writer_stats(w, &stats);
	if (!writer_stop(w, 2000))
		die("the writer does not stop", RC_BUSY);
	return stats.commits;
}

/* ---- build: in bulk ---- */

static uint64_t build(void)
{
	uint64_t commits = 0;

	for (uint64_t n = 0; n < total; commits++) {
		struct txn *ledger = txn_write(store, ENV_LEDGER);
		bool more;

		for (int i = 0; i < BULK && n < total; i++, n++) {
			struct audit_record r;

			fill(&r, n);
			need(audit_append(ledger, &r, NULL), "a record");
		}
		need(audit_index(ledger, 2 * BULK, &more), "the index");
		need(txn_end(ledger), "a commit");
	}
	return commits;
}

/* ---- */

static void find_subject(void)
{
	struct txn *vault = txn_read(store, ENV_VAULT);
	struct hmac_key *pseudonym = NULL;
	struct secret *key = NULL;

	need(audit_pseudonym_get(store, vault, span_str("shop-19"), &key), "the site shop-19");
	need(hmac_key_new(secret_span(key), &pseudonym), "hmac_key_new");
	need(audit_subject(pseudonym, span_str("alex@example.com"), rare_subject), "a subject");
	hmac_key_free(pseudonym);
	secret_free(key);
	txn_abort(vault);
}

int main(int argc, char **argv)
{
	bool is_append = argc == 4 && strcmp(argv[1], "append") == 0;
	struct store_options o = { .dir = argc == 4 ? argv[2] : NULL, .mode = STORE_WORKER };
	struct why why = { "" };
	uint64_t commits;
	double start;

	if (argc != 4 || (!is_append && strcmp(argv[1], "build") != 0) || (total = strtoull(argv[3], NULL, 10)) == 0) {
		fprintf(stderr, "usage: bench-audit append|build DIR COUNT\n");
		return 2;
	}
	secret_process_init();
	start_us = clock_us() - total * STEP_US;
	if (store_open(&o, &store, &why) != RC_OK) {
		fprintf(stderr, "bench-audit: %s\n", why.text);
		return 1;
	}
	find_subject();
	start = seconds();
	commits = is_append ? append() : build();
	printf("{\"seconds\": %.6f, \"records\": %llu, \"commits\": %llu}\n", seconds() - start, (unsigned long long)total,
	       (unsigned long long)commits);
	store_close(store);
	return 0;
}
