/* budget.c -- how many records strangers may cause (design 9): two tables of token buckets, and folds for the rest.
 *
 * A record is admitted where both buckets, of its (site, source) and of its site, hold a token. Past that it is counted
 * in a fold of its (site, source). The folds' own records are bounded too:
 *
 *   - a source's fold is written 10 s after it was opened, and costs a token of its site's bucket like any record;
 *   - where the site has no token left, or the fold's slot is needed for another source, it is added to the site's own
 *     fold, which is written 10 s after it was opened and costs nothing;
 *   - where the site's slot is needed for another site, its fold is added to the one fold of all such sites, likewise.
 *
 * A site's slot changes hands with its level: forgetting a site never makes a token. So with R = the rate (the site's
 * is 10 R, with 100 R at once) one site causes in T seconds at most
 *
 *         100 R + 10 R T + T/10 + 1        records, whatever the number of sources,
 *
 * and all sites together at most SITE_SLOTS times that, plus T/10 + 1, whatever the number of sites. (Where more than
 * WAYS busy sites fall into one set of slots, they share that set's tokens.) budget_due(flush) adds one a slot, once.
 * Nothing is lost: admitted records and the folds' counts together are all that came.
 *
 * A source's slot starts full: with more busy sources than slots the sources' own limit weakens to the site's. That
 * keeps a flood of one site from taking the tokens of another site's visitors. */
#include "audit/audit.h"

#include "base/crypto.h"

#include <pthread.h>
#include <stdlib.h>

#define WAYS 8
#define SOURCE_SLOTS 4096
#define SITE_SLOTS 1024
#define SOURCE_TEXT_MAX 28                         /* "ffff:ffff:ffff:ff00::/56" is 24 */
#define SECOND UINT64_C(1000000)
#define FOLD_US (10 * SECOND)                      /* a fold gathers for this long */
#define REFILL_US (10 * SECOND)                    /* every bucket holds ten seconds of its rate */
#define BACK_US (10 * SECOND)                      /* a step back of the wall clock that is followed */
#define REASON_MIXED REASON_COUNT

struct fold {
	uint64_t count, first, last;               /* wall clock */
	uint64_t opened;                           /* the budget's clock */
	enum reason reason;
	enum audit_event event;
	enum audit_outcome outcome;
};

struct slot {
	char site[SITE_ID_MAX];                    /* empty: free */
	char source[SOURCE_TEXT_MAX];              /* empty in the table of sites */
	char remote[SOURCE_TEXT_MAX];              /* what its fold says; empty in the table of sites */
	uint64_t level;                            /* millionths of a token, at `at` on the budget's clock */
	uint64_t at;
	struct fold fold;
};

struct table {
	struct slot *slots;                        /* sets of WAYS */
	size_t count;
	uint64_t rate;                             /* tokens a second = millionths a microsecond */
};

_Static_assert((SOURCE_SLOTS + SITE_SLOTS) * sizeof(struct slot) < 1 << 20, "the budget stays under 1 MiB");
_Static_assert(SOURCE_SLOTS % WAYS == 0 && SITE_SLOTS % WAYS == 0, "whole sets");

struct budget {
	pthread_mutex_t lock;
	uint64_t seed;                             /* so that nobody outside can choose a set */
	uint64_t clock, wall;
	struct table sources, sites;
	struct fold rest;                          /* of sites that lost their slot */
	size_t due_from;                           /* where budget_due() goes on */
};

/* ---- time and tokens ---- */

/* The budget's clock never steps back and counts no time twice: a request that was read slowly brings an old time and
 * gets the newest one seen. */
static uint64_t tick(struct budget *b, uint64_t now_us)
{
	if (now_us > b->wall) {
		b->clock += now_us - b->wall;
		b->wall = now_us;
	}
	return b->clock;
}

/* Where the wall clock was set back, ours goes on from where it stood. Only budget_due() says so, whose caller reads
 * the clock there and then: a stranger's slow requests must not make time. Nor must that caller itself, where a flood
 * keeps it from the lock for a while: a smaller step back is waited out. */
static void follow_back(struct budget *b, uint64_t now_us)
{
	if (b->wall > now_us && b->wall - now_us > BACK_US)
		b->wall = now_us;
}

static uint64_t level_at(const struct slot *s, uint64_t rate, uint64_t clock)
{
	uint64_t full = rate * REFILL_US, passed = clock - s->at;

	if (passed >= REFILL_US || full - s->level <= passed * rate)
		return full;
	return s->level + passed * rate;
}

static bool has_token(const struct table *t, struct slot *s, uint64_t clock)
{
	s->level = level_at(s, t->rate, clock);
	s->at = clock;
	return s->level >= SECOND;
}

static bool take_token(const struct table *t, struct slot *s, uint64_t clock)
{
	if (!has_token(t, s, clock))
		return false;
	s->level -= SECOND;
	return true;
}

/* ---- folds ---- */

static struct fold fold_of(const struct audit_record *r)
{
	return (struct fold){
		.count = r->count ? r->count : 1,
		.first = r->first ? r->first : r->time,
		.last = r->last ? r->last : r->time,
		.reason = r->reason,
		.event = r->event,
		.outcome = r->outcome == AUDIT_OUTCOME_BLOCKED ? AUDIT_OUTCOME_BLOCKED : AUDIT_OUTCOME_REFUSED,
	};
}

/* Moves from into `into`: what they do not have in common is left out of the record. */
static void fold_merge(struct fold *into, struct fold *from, uint64_t clock)
{
	if (into->count == 0) {
		*into = *from;
		into->opened = clock;
	} else if (from->count) {
		into->count += from->count;
		into->first = from->first < into->first ? from->first : into->first;
		into->last = from->last > into->last ? from->last : into->last;
		into->reason = from->reason == into->reason ? into->reason : REASON_MIXED;
		into->event = from->event == into->event ? into->event : AUDIT_EVENT_ACTION;
		into->outcome = from->outcome == into->outcome ? into->outcome : AUDIT_OUTCOME_BLOCKED;
	}
	from->count = 0;
}

static bool fold_ready(const struct fold *f, uint64_t clock, bool flush)
{
	return f->count && (flush || clock - f->opened >= FOLD_US);
}

static void copy(char *out, size_t room, const char *text)
{
	size_t size = strnlen(text, room - 1);

	memcpy(out, text, size);
	out[size] = '\0';
}

static void fold_write(struct fold *f, const char *site, const char *remote, uint64_t now_us, struct audit_record *ret)
{
	audit_record_init(ret, f->event, f->outcome);
	ret->time = now_us;
	ret->reason = f->reason == REASON_MIXED ? REASON_NONE : f->reason;
	copy(ret->site, sizeof(ret->site), site);
	copy(ret->remote, sizeof(ret->remote), remote);
	ret->count = f->count;
	ret->first = f->first;
	ret->last = f->last;
	f->count = 0;
}

/* ---- slots ---- */

static uint64_t hash_text(uint64_t h, const char *text)
{
	do
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	while (*text++);
	return h;
}

/* The hash only chooses the set; who owns a slot is compared as text. */
static struct slot *set_of(const struct budget *b, const struct table *t, const char *site, const char *source)
{
	uint64_t h = hash_text(hash_text(b->seed, site), source);

	h ^= h >> 32;
	return t->slots + h % (t->count / WAYS) * WAYS;
}

static struct slot *find_in(struct slot *set, const char *site, const char *source)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (strcmp(set[i].site, site) == 0 && strcmp(set[i].source, source) == 0)
			return &set[i];
	}
	return NULL;
}

/* The slot that knows least: no fold, and the fullest bucket. */
static struct slot *victim_in(struct slot *set, uint64_t rate, uint64_t clock)
{
	struct slot *best = NULL;
	uint64_t best_level = 0;

	for (size_t i = 0; i < WAYS; i++) {
		uint64_t level = level_at(&set[i], rate, clock);
		bool idle = set[i].fold.count == 0, best_idle = best && best->fold.count == 0;

		if (!best || (idle && !best_idle) || (idle == best_idle && level > best_level)) {
			best = &set[i];
			best_level = level;
		}
	}
	return best;
}

static struct slot *site_find(struct budget *b, const char *site)
{
	return find_in(set_of(b, &b->sites, site, ""), site, "");
}

/* The site's slot; a new owner inherits the old one's level. */
static struct slot *site_take(struct budget *b, const char *site, uint64_t clock)
{
	struct slot *set = set_of(b, &b->sites, site, ""), *s = find_in(set, site, "");

	if (s)
		return s;
	s = victim_in(set, b->sites.rate, clock);
	fold_merge(&b->rest, &s->fold, clock);
	copy(s->site, sizeof(s->site), site);
	return s;
}

/* Where a source's fold goes that is not written itself. */
static void fold_up(struct budget *b, struct slot *source, uint64_t clock)
{
	struct slot *site = site_find(b, source->site);

	fold_merge(site ? &site->fold : &b->rest, &source->fold, clock);
}

/* Writes a source's fold at the cost of a site's token. false: there is none, nothing changed. */
static bool fold_pay(struct budget *b, struct slot *source, uint64_t now_us, uint64_t clock, struct audit_record *ret)
{
	struct slot *site = site_find(b, source->site);

	if (!site || !take_token(&b->sites, site, clock))
		return false;
	fold_write(&source->fold, source->site, source->remote, now_us, ret);
	return true;
}

/* The source's slot. evicted, unless NULL, gets the old owner's fold where its site can pay for that. */
static struct slot *source_take(struct budget *b, const char *site, const char *source, uint64_t now_us, uint64_t clock,
                                struct audit_record *evicted, bool *ret_evicted)
{
	struct slot *set = set_of(b, &b->sources, site, source), *s = find_in(set, site, source);

	if (s)
		return s;
	s = victim_in(set, b->sources.rate, clock);
	if (s->fold.count) {
		*ret_evicted = evicted && fold_pay(b, s, now_us, clock, evicted);
		if (!*ret_evicted)
			fold_up(b, s, clock);
	}
	copy(s->site, sizeof(s->site), site);
	copy(s->source, sizeof(s->source), source);
	s->remote[0] = '\0';
	s->level = b->sources.rate * REFILL_US;
	s->at = clock;
	return s;
}

/* ---- what callers see ---- */

static bool table_init(struct table *t, size_t count, uint64_t rate)
{
	t->slots = calloc(count, sizeof(*t->slots));
	t->count = count;
	t->rate = rate;
	for (size_t i = 0; t->slots && i < count; i++)
		t->slots[i].level = rate * REFILL_US;
	return t->slots != NULL;
}

struct budget *budget_new(unsigned rate)
{
	struct budget *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	if (pthread_mutex_init(&b->lock, NULL) != 0) {
		free(b);
		return NULL;
	}
	if (!table_init(&b->sources, SOURCE_SLOTS, rate) || !table_init(&b->sites, SITE_SLOTS, UINT64_C(10) * rate) ||
	    crypto_random(&b->seed, sizeof(b->seed)) != RC_OK) {
		budget_free(b);
		return NULL;
	}
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b->sources.slots);
	free(b->sites.slots);
	free(b);
}

bool budget_admit(struct budget *b, const char *site, const char *source, uint64_t now_us)
{
	struct slot *by_site, *by_source;
	bool unused, admitted;
	char key[SOURCE_TEXT_MAX];
	uint64_t clock;

	if (b->sources.rate == 0 || !site[0])
		return b->sources.rate == 0;
	copy(key, sizeof(key), source);
	pthread_mutex_lock(&b->lock);
	clock = tick(b, now_us);
	by_site = site_take(b, site, clock);
	by_source = source_take(b, site, key, now_us, clock, NULL, &unused);
	admitted = has_token(&b->sources, by_source, clock) && take_token(&b->sites, by_site, clock);
	if (admitted)
		by_source->level -= SECOND;
	pthread_mutex_unlock(&b->lock);
	return admitted;
}

bool budget_fold(struct budget *b, const char *source, const struct audit_record *r, struct audit_record *ret_evicted)
{
	struct fold one = fold_of(r);
	char key[SOURCE_TEXT_MAX];
	bool evicted = false;
	struct slot *s;
	uint64_t clock;

	copy(key, sizeof(key), source);
	pthread_mutex_lock(&b->lock);
	clock = tick(b, r->time);
	if (r->site[0]) {
		site_take(b, r->site, clock);
		s = source_take(b, r->site, key, r->time, clock, ret_evicted, &evicted);
		if (s->fold.count == 0)
			copy(s->remote, sizeof(s->remote), r->remote);
		fold_merge(&s->fold, &one, clock);
	} else {
		fold_merge(&b->rest, &one, clock);
	}
	pthread_mutex_unlock(&b->lock);
	return evicted;
}

/* The slot at index i of both tables, and behind them the rest: true, a record was written to ret. */
static bool due_at(struct budget *b, size_t i, uint64_t now_us, uint64_t clock, bool flush, struct audit_record *ret)
{
	struct slot *source = i < SOURCE_SLOTS ? &b->sources.slots[i] : NULL;
	struct slot *site = !source && i < SOURCE_SLOTS + SITE_SLOTS ? &b->sites.slots[i - SOURCE_SLOTS] : NULL;
	struct fold *f = source ? &source->fold : site ? &site->fold : &b->rest;

	if (!fold_ready(f, clock, flush))
		return false;
	if (source && !fold_pay(b, source, now_us, clock, ret)) {
		fold_up(b, source, clock);
		return false;
	}
	if (!source)
		fold_write(f, site ? site->site : "", "", now_us, ret);
	return true;
}

/* Goes round, so that no slot waits for others that are due again and again. A flush starts at the sources, whose folds
 * may go up to their sites. */
size_t budget_due(struct budget *b, uint64_t now_us, bool flush, struct audit_record *ret, size_t max)
{
	const size_t all = SOURCE_SLOTS + SITE_SLOTS + 1;
	uint64_t clock;
	size_t n = 0;

	pthread_mutex_lock(&b->lock);
	follow_back(b, now_us);
	clock = tick(b, now_us);
	if (flush)
		b->due_from = 0;
	for (size_t looked = 0; looked < all && n < max; looked++) {
		n += due_at(b, b->due_from, now_us, clock, flush, &ret[n]);
		b->due_from = (b->due_from + 1) % all;
	}
	pthread_mutex_unlock(&b->lock);
	return n;
}
