/* use.c -- when a key last verified a signature, and how often: advisory, never a write per request.
 *
 * Each process counts in memory and adds to the key's ledger row with somebody else's commit, so rows of several
 * processes add up. A row has 60 buckets of a minute and 24 of an hour; a bucket is number % 60 (24) and belongs to the
 * latest such number up to `newest`. Other processes' rows are hostile input. */
#include "keyring/ring-private.h"

#include <pthread.h>
#include <stdlib.h>

#define ROW_FORMAT 1
#define MINUTES 60
#define HOURS 24
#define STUCK_S UINT64_C(86400)          /* a row this far ahead was written under a wrong clock */

/* ---- the ledger row ---- */

/* A row as it lies in the ledger, integers big-endian: format, last_used_at, and each window's newest and buckets. Worked on where it
 * lies: of all its numbers a fold changes a few. */
enum {
	LAST_USED_AT = 1, MINUTES_AT = LAST_USED_AT + 8, HOURS_AT = MINUTES_AT + 8 + MINUTES * 4, ROW_SIZE = HOURS_AT + 8 + HOURS * 4
};
struct use_row { uint8_t at[ROW_SIZE]; };

struct window {
	uint8_t *newest;                 /* the latest number a bucket stands for */
	uint8_t *buckets;
	size_t count;
};

static struct window minutes_of(struct use_row *r)
{
	return (struct window){ .newest = r->at + MINUTES_AT, .buckets = r->at + MINUTES_AT + 8, .count = MINUTES };
}

static struct window hours_of(struct use_row *r)
{
	return (struct window){ .newest = r->at + HOURS_AT, .buckets = r->at + HOURS_AT + 8, .count = HOURS };
}

static uint64_t newest_of(const struct window *w)
{
	return be64_get(w->newest);
}

static uint32_t bucket_get(const struct window *w, uint64_t number)
{
	return be32_get(w->buckets + number % w->count * 4);
}

static void bucket_set(const struct window *w, uint64_t number, uint32_t n)
{
	be32_put(w->buckets + number % w->count * 4, n);
}

static void row_init(struct use_row *r)
{
	*r = (struct use_row){ .at = { ROW_FORMAT } };
}

/* A row that is none counts from nothing. */
static void row_read(struct txn *ledger, struct span key, struct use_row *r)
{
	struct span row;

	if (txn_get(ledger, DB_KEY_USE, key, &row) && row.size == ROW_SIZE && *(const uint8_t *)row.data == ROW_FORMAT)
		memcpy(r->at, row.data, ROW_SIZE);
	else
		row_init(r);
}

static void window_add(const struct window *w, uint64_t number, uint64_t uses)
{
	uint64_t newest = newest_of(w);
	uint32_t n;

	if (number > newest) {
		for (uint64_t i = 0; i < number - newest && i < w->count; i++)
			bucket_set(w, number - i, 0);
		be64_put(w->newest, number);
		newest = number;
	}
	if (newest - number >= w->count)
		return;
	n = bucket_get(w, number);
	bucket_set(w, number, uses > UINT32_MAX - n ? UINT32_MAX : n + (uint32_t)uses);
}

/* Uses in the last `count` numbers up to now, whatever lies ahead of it. */
static uint64_t window_sum(const struct window *w, uint64_t now)
{
	uint64_t newest = newest_of(w), sum = 0;

	for (size_t i = 0; i < w->count && i <= newest; i++) {
		uint64_t number = newest - i;

		if (number <= now && now - number < w->count)
			sum += bucket_get(w, number);
	}
	return sum;
}

static uint64_t window_at(const struct window *w, uint64_t number)
{
	uint64_t newest = newest_of(w);

	return number <= newest && newest - number < w->count ? bucket_get(w, number) : 0;
}

/* Uses in the last 60 s: this minute's, and of those of the minute before the share of it that is not yet 60 s ago. */
static uint64_t last_minute(const struct window *minutes, uint64_t now_s)
{
	uint64_t minute = now_s / 60, share = 60 - now_s % 60;
	uint64_t before = minute > 0 ? window_at(minutes, minute - 1) : 0;

	return window_at(minutes, minute) + (before * share + 30) / 60;
}

void key_use_get(struct txn *ledger, const char *site, const char *kid, uint64_t now_s, struct key_use *ret)
{
	char key[SITE_KID_MAX];
	size_t size = site_kid(key, site, kid);
	struct window minutes, hours;
	struct use_row r;
	uint64_t last;

	row_read(ledger, span_of(key, size), &r);
	minutes = minutes_of(&r);
	hours = hours_of(&r);
	last = be64_get(r.at + LAST_USED_AT);
	ret->last_used_at = last < now_s ? last : now_s;
	ret->uses_1m = last_minute(&minutes, now_s);
	ret->uses_1h = window_sum(&minutes, now_s / 60);
	ret->uses_24h = window_sum(&hours, now_s / 3600);
}

/* ---- what this process counted ---- */

#define TABLE_FIRST 64                       /* powers of two */
#define TABLE_KEPT 1024                      /* a table that grew further is given back when it was written */
#define TABLE_MAX ((size_t)1 << 17)          /* past it uses are not counted: the ledger cannot be written */

struct use {
	char key[SITE_KID_MAX];              /* site 0 kid */
	uint8_t key_size;                    /* 0: free */
	uint64_t minute, last_s, count;
};

struct use_table {
	struct use *slot;
	size_t room, used;
};

struct use_counter {
	pthread_mutex_t lock;
	struct use_table pending;
	/* What take() set aside: nobody touches it between take() and done() but run(). */
	struct use_table taken;
	bool is_taken;
};

static void table_done(struct use_table *t)
{
	free(t->slot);
	*t = (struct use_table){ 0 };
}

/* FNV-1a: names are ours, no stranger picks them. */
static size_t hash_of(const struct use *u)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ u->minute;

	for (size_t i = 0; i < u->key_size; i++)
		h = (h ^ (uint8_t)u->key[i]) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32);
}

/* The slot of the same key and minute, or the free one where it belongs. The table has room. */
static struct use *table_slot(struct use_table *t, const struct use *u)
{
	for (size_t i = hash_of(u);; i++) {
		struct use *slot = &t->slot[i & (t->room - 1)];

		if (slot->key_size == 0 || (slot->key_size == u->key_size && slot->minute == u->minute &&
					    memcmp(slot->key, u->key, u->key_size) == 0))
			return slot;
	}
}

/* At most three quarters full. */
static bool table_reserve(struct use_table *t)
{
	struct use_table bigger = { .room = t->room ? t->room * 2 : TABLE_FIRST };

	if (t->used < t->room / 4 * 3)
		return true;
	if (bigger.room > TABLE_MAX)
		return false;
	bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (size_t i = 0; i < t->room; i++)
		if (t->slot[i].key_size)
			*table_slot(&bigger, &t->slot[i]) = t->slot[i];
	bigger.used = t->used;
	free(t->slot);
	*t = bigger;
	return true;
}

static void table_add(struct use_table *t, const struct use *u)
{
	bool may_grow = table_reserve(t);
	struct use *slot;

	if (!t->room)
		return;
	slot = table_slot(t, u);
	if (slot->key_size == 0) {
		if (may_grow) {
			*slot = *u;
			t->used++;
		}
		return;
	}
	slot->count += u->count;
	if (u->last_s > slot->last_s)
		slot->last_s = u->last_s;
}

static void table_clear(struct use_table *t)
{
	if (t->room > TABLE_KEPT)
		table_done(t);
	else if (t->used)
		memset(t->slot, 0, t->room * sizeof(*t->slot));
	t->used = 0;
}

struct use_counter *use_counter_new(void)
{
	struct use_counter *u = calloc(1, sizeof(*u));

	if (u && pthread_mutex_init(&u->lock, NULL) != 0) {
		free(u);
		u = NULL;
	}
	return u;
}

void use_counter_free(struct use_counter *u)
{
	if (!u)
		return;
	pthread_mutex_destroy(&u->lock);
	table_done(&u->pending);
	table_done(&u->taken);
	free(u);
}

void use_counter_add(struct use_counter *u, const char *site, const char *kid, uint64_t now_s)
{
	struct use one = { .minute = now_s / 60, .last_s = now_s, .count = 1 };

	one.key_size = (uint8_t)site_kid(one.key, site, kid);
	pthread_mutex_lock(&u->lock);
	table_add(&u->pending, &one);
	pthread_mutex_unlock(&u->lock);
}

bool use_counter_pending(struct use_counter *u)
{
	bool pending;

	pthread_mutex_lock(&u->lock);
	pending = u->pending.used > 0;
	pthread_mutex_unlock(&u->lock);
	return pending;
}

bool use_counter_take(struct use_counter *u)
{
	bool took = false;

	pthread_mutex_lock(&u->lock);
	if (!u->is_taken && u->pending.used) {
		struct use_table empty = u->taken;

		u->taken = u->pending;
		u->pending = empty;
		u->is_taken = took = true;
	}
	pthread_mutex_unlock(&u->lock);
	return took;
}

static void fold(struct txn *ledger, const struct use *u)
{
	struct span key = span_of(u->key, u->key_size);
	struct window minutes, hours;
	struct use_row r;

	row_read(ledger, key, &r);
	minutes = minutes_of(&r);
	hours = hours_of(&r);
	if (be64_get(r.at + LAST_USED_AT) > u->last_s + STUCK_S || newest_of(&minutes) > (u->last_s + STUCK_S) / 60 ||
	    newest_of(&hours) > (u->last_s + STUCK_S) / 3600)
		row_init(&r);
	if (u->last_s > be64_get(r.at + LAST_USED_AT))
		be64_put(r.at + LAST_USED_AT, u->last_s);
	window_add(&minutes, u->minute, u->count);
	window_add(&hours, u->minute / 60, u->count);
	txn_put(ledger, DB_KEY_USE, key, span_of(r.at, ROW_SIZE));
}

/* Reads rows and the taken batch, writes rows: run again in a new transaction it does the same. */
enum rc use_counter_run(struct txn *ledger, void *use_counter)
{
	const struct use_counter *u = use_counter;

	for (size_t i = 0; i < u->taken.room; i++)
		if (u->taken.slot[i].key_size)
			fold(ledger, &u->taken.slot[i]);
	return txn_rc(ledger);
}

void use_counter_done(void *use_counter, enum rc outcome)
{
	struct use_counter *u = use_counter;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; outcome != RC_OK && i < u->taken.room; i++)
		if (u->taken.slot[i].key_size)
			table_add(&u->pending, &u->taken.slot[i]);
	table_clear(&u->taken);
	u->is_taken = false;
	pthread_mutex_unlock(&u->lock);
}
