/* warnings.c -- what in a health snapshot an admin should act on, the gravest first, and how. */
#include "admin/admin-private.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>

#define VERSION_SHOWN_MAX 128
#define VAULT_PERCENT 80
#define SLOTS_PERCENT 90
#define COMMITS_BEHIND 10000           /* of a busy worker, most of a minute: no honest read takes as long */

struct report {
	const struct health_facts *f;
	const struct health *h;
	const struct check *check;
	json_t *out;
	struct findings found;
	bool failed;
};

struct check {
	const char *name;
	enum finding_state state;
	void (*look)(struct report *r);
};

static void say(struct report *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(struct report *r, const char *fmt, ...)
{
	json_t *sentence;
	va_list args;

	va_start(args, fmt);
	sentence = json_vsprintf(fmt, args);
	va_end(args);
	if (sentence)
		finding_add(&r->found, r->check->name, r->check->state, NULL, "%s", json_string_value(sentence));
	if (json_array_append_new(r->out, sentence) != 0)
		r->failed = true;
}

static uint64_t percent_of(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((double)part * 100 / (double)whole) : 100;
}

#define OTHERS_MAX 40
static const char *and_others(size_t count, char out[OTHERS_MAX])
{
	out[0] = '\0';
	if (count > 1)
		snprintf(out, OTHERS_MAX, " (and %zu more)", count - 1);
	return out;
}

/* ---- the log ---- */

static void log_broken(struct report *r)
{
	if (!r->f->log_ends)
		say(r, "The audit log's last row is no record, so nothing can be recorded and every action is refused: "
		    "restore the ledger from a backup.");
}

/* ---- workers ---- */

/* A beat ahead of the clock is as far off as one behind it. */
static uint64_t beat_age(const struct health *h, const struct worker_row *w)
{
	return w->beat_s < h->now_s ? h->now_s - w->beat_s : w->beat_s - h->now_s;
}

static bool is_alive(const struct health *h, const struct worker_row *w)
{
	return w->this_boot && beat_age(h, w) <= HEALTH_LOST_S;
}

static bool is_late(const struct health *h, const struct worker_row *w)
{
	return beat_age(h, w) > HEALTH_LATE_S;
}

static bool is_other_version(const struct health *h, const struct worker_row *w)
{
	return is_alive(h, w) && strcmp(w->version, h->version) != 0;
}

/* How many workers, and the first of them. */
static size_t workers_that(const struct health *h, bool (*are)(const struct health *h, const struct worker_row *w),
                           const struct worker_row **ret_first)
{
	size_t count = 0;

	for (size_t i = h->workers; i-- > 0;)
		if (are(h, &h->worker[i])) {
			*ret_first = &h->worker[i];
			count++;
		}
	return count;
}

static void no_worker(struct report *r)
{
	const struct worker_row *w;

	if (workers_that(r->h, is_alive, &w) == 0)
		say(r, "No worker is running, so no request is answered: start postern-fcgi, or the web server that "
		    "starts it.");
}

static void worker_late(struct report *r)
{
	char age[CLOCK_TEXT_MAX], others[OTHERS_MAX];
	const struct worker_row *w;
	size_t count = workers_that(r->h, is_late, &w);

	if (count > 0)
		say(r, "Worker %llu%s was last heard of %s %s: look whether it runs, and at its log.",
		    (unsigned long long)w->pid, and_others(count, others), duration_format(beat_age(r->h, w), age),
		    w->beat_s < r->h->now_s ? "ago" : "ahead of this clock");
}

static void worker_version(struct report *r)
{
	char version[VERSION_SHOWN_MAX], others[OTHERS_MAX];
	const struct worker_row *w;
	size_t count = workers_that(r->h, is_other_version, &w);

	if (count > 0)
		say(r, "Worker %llu%s runs version %s, this is %s: restart it.", (unsigned long long)w->pid,
		    and_others(count, others), text_show(version, sizeof(version), span_str(w->version)),
		    r->h->version);
}

/* ---- room ---- */

static const struct level { unsigned percent; const char *means; } levels[] = {
	{ 97, "visitors' actions are refused. Make room on its file system now" },
	{ 95, "from 97 % on all visitors' actions are refused. Make room on its file system now" },
	{ 85, "anonymous visitors' actions are refused, from 97 % on all. Make room on its file system" },
	{ 75, "from 80 % on anonymous visitors' actions are refused. Make room on its file system" },
};

static void ledger_space(struct report *r, unsigned least, unsigned below)
{
	uint64_t percent = percent_of(r->h->space.used, r->h->space.limit);

	if (percent < least || percent >= below)
		return;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (percent >= levels[i].percent) {
			say(r, "The ledger uses %llu %% of its space: %s.", (unsigned long long)percent,
			    levels[i].means);
			return;
		}
}

static void ledger_full(struct report *r)
{
	ledger_space(r, 95, UINT32_MAX);
}

static void ledger_filling(struct report *r)
{
	ledger_space(r, 75, 95);
}

static void vault_large(struct report *r)
{
	uint64_t percent = percent_of(r->h->vault_bytes, VAULT_MAP_SIZE);

	if (percent >= VAULT_PERCENT)
		say(r, "The vault uses %llu %% of the %llu GiB it can have; when it is full no key can be made: remove "
		    "sites that are not needed.", (unsigned long long)percent,
		    (unsigned long long)(VAULT_MAP_SIZE >> 30));
}

/* ---- readers ---- */

static void slots_full(struct report *r)
{
	const struct { const char *name; struct store_readers readers; } tables[] = {
		{ "vault", r->h->vault_readers }, { "ledger", r->h->ledger_readers },
	};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (percent_of(tables[i].readers.used, tables[i].readers.max) >= SLOTS_PERCENT)
			say(r, "%u of %u reader slots of the %s are in use; when none is left, requests fail: end "
			    "programs that have the data open and are not needed.", tables[i].readers.used,
			    tables[i].readers.max, tables[i].name);
}

static void reader_old(struct report *r)
{
	if (r->h->ledger_readers.behind >= COMMITS_BEHIND)
		say(r, "A program has been reading one state of the ledger for %llu commits; the file grows until it "
		    "is done: look for a postern command that hangs.", (unsigned long long)r->h->ledger_readers.behind);
}

/* ---- keys ---- */

static void keys_in_use_ending(struct report *r)
{
	const struct ending_key *e = r->f->ending;
	char others[OTHERS_MAX];

	if (r->f->ending_count > 0)
		say(r, "Key %s of site %s%s ends within 24 h, but verified %llu tokens in the last hour: a backend "
		    "still signs with it. See: postern key check %s", e->key.kid, e->key.site,
		    and_others(r->f->ending_count, others), (unsigned long long)e->uses_1h, e->key.site);
}

/* ---- connections ---- */

static void connection_reauth(struct report *r)
{
	const struct connections_seen *c = &r->f->connections;
	char others[OTHERS_MAX];

	if (c->reauth > 0)
		say(r, "Connection %s%s is no longer authorized, so every action that uses it fails: authorize it again at its "
		    "provider, then run: postern connection rotate %s", c->first, and_others(c->reauth, others), c->first);
}

enum rc health_warnings(const struct health_facts *f, struct health *h)
{
	static const struct check checks[] = {
		{ "log", FINDING_WRONG, log_broken },
		{ "workers", FINDING_WARNING, no_worker },
		{ "ledger_space", FINDING_WRONG, ledger_full },
		{ "readers", FINDING_WRONG, slots_full },
		{ "worker_late", FINDING_WARNING, worker_late },
		{ "worker_version", FINDING_WARNING, worker_version },
		{ "ledger_space", FINDING_WARNING, ledger_filling },
		{ "vault_space", FINDING_WARNING, vault_large },
		{ "reader_old", FINDING_WARNING, reader_old },
		{ "keys_retiring", FINDING_WARNING, keys_in_use_ending },
		{ "connection_reauth", FINDING_WARNING, connection_reauth },
	};
	struct report r = { .f = f, .h = f->health, .out = json_array() };

	if (!findings_init(&r.found))
		r.failed = true;
	for (size_t i = 0; r.out && !r.failed && i < ARRAY_LEN(checks); i++) {
		r.check = &checks[i];
		checks[i].look(&r);
	}
	if (r.out && !r.failed && !r.found.failed) {
		h->warnings = r.out;
		h->findings = r.found.list;
		return RC_OK;
	}
	json_decref(r.out);
	findings_done(&r.found);
	return RC_NOMEM;
}
