/* A day under a flood: what it may write to the log, that nothing of it is lost, and that memory stays as it was.
 *
 * The flood brings more than 5,000 requests a second to a site, 432 million a day. It is sampled in two ways that change
 * no record of it:
 *
 *   - Time goes in steps of ten seconds. A bucket holds ten seconds of its rate, so a flood that empties it once a step
 *     gets every token that one without a pause would get.
 *   - What comes when a site has no token left is refused whoever sends it. Such a request is folded with the count of
 *     all those of its source that it stands for. */
#include "audit/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000)
#define START (UINT64_C(1763690000) * SECOND)
#define DAY UINT64_C(86400)
#define STEP UINT64_C(10)
#define RATE UINT64_C(10)                          /* the default of --audit-budget */
#define SOURCES 5000
#define FLOOD_PER_STEP (5000 * STEP)
#define GREEDY 150                                 /* a step's requests of one source: more than its 100 tokens */
#define OTHERS 100                                 /* the step's other sources: the next ones */
#define EACH 10                                    /* requests of each of them: more than the 900 tokens left of 1,000 */

/* `all-day` is flooded all day, `in-turns-*` an hour in four, and `quiet` has one stranger a step. */
enum { ALL_DAY, IN_TURNS, QUIET = 5, SITES };
static const char *const names[SITES] = { "all-day", "in-turns-1", "in-turns-2", "in-turns-3", "in-turns-4", "quiet" };

struct counts { uint64_t requests, admitted, folds, folded; };

struct world {
	struct budget *budget;
	uint64_t now;
	unsigned next;
	struct counts of[SITES];
	char source[SOURCES][REMOTE_MAX];
};

static size_t site_of(const char *name)
{
	for (size_t i = 0; i < SITES; i++) {
		if (strcmp(names[i], name) == 0)
			return i;
	}
	fail_msg("a fold of no site: %s", name);
	return 0;
}

static void count_fold(struct world *w, const struct audit_record *fold)
{
	struct counts *c = &w->of[site_of(fold->site)];

	assert_true(fold->count > 0);
	assert_true(START <= fold->first && fold->first <= fold->last && fold->last <= w->now);
	c->folds++;
	c->folded += fold->count;
}

/* One request that stands for `stands_for` of them where it is refused. */
static bool request(struct world *w, size_t site, const char *source, uint64_t stands_for)
{
	struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = AUDIT_OUTCOME_BLOCKED,
				  .reason = REASON_SIGNATURE_MISMATCH, .time = w->now, .count = stands_for }, evicted;

	if (budget_admit(w->budget, names[site], source, w->now)) {
		w->of[site].requests++;
		w->of[site].admitted++;
		return true;
	}
	w->of[site].requests += stands_for;
	snprintf(r.site, sizeof(r.site), "%s", names[site]);
	snprintf(r.remote, sizeof(r.remote), "%s", source);
	if (budget_fold(w->budget, source, &r, &evicted))
		count_fold(w, &evicted);
	return false;
}

/* Ten seconds of the flood on one site: a greedy source first, then the next of the others. */
static void flood(struct world *w, size_t site)
{
	const uint64_t stands_for = FLOOD_PER_STEP / (OTHERS * EACH - 900);

	for (unsigned i = 0; i < GREEDY; i++)
		request(w, site, "203.0.113.7", 1);
	for (unsigned i = 0; i < OTHERS * EACH; i++)
		request(w, site, w->source[(w->next + i / EACH) % SOURCES], stands_for);
	w->next = (w->next + OTHERS) % SOURCES;
}

static void write_due(struct world *w, bool flush)
{
	struct audit_record due[64];
	size_t n;

	do {
		n = budget_due(w->budget, w->now, flush, due, ARRAY_LEN(due));
		for (size_t i = 0; i < n; i++)
			count_fold(w, &due[i]);
	} while (n == ARRAY_LEN(due));
}

static uint64_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static uint64_t records(const struct counts *c)
{
	return c->admitted + c->folds;
}

/* What one site may cause in t seconds: design 9's numbers, and the sentence at the top of budget.c. */
static uint64_t site_bound(uint64_t t)
{
	return 100 * RATE + 10 * RATE * t + t / 10 + 1;
}

static void world_init(struct world *w)
{
	*w = (struct world){ .budget = budget_new(RATE), .now = START };
	assert_non_null(w->budget);
	for (unsigned i = 0; i < SOURCES; i++)
		snprintf(w->source[i], sizeof(w->source[i]), "198.18.%u.%u", i / 250, i % 250);
}

static void run_day(struct world *w)
{
	for (uint64_t t = 0; t < DAY; t += STEP) {
		flood(w, ALL_DAY);
		flood(w, IN_TURNS + t / 3600 % 4);
		assert_true(request(w, QUIET, "192.0.2.1", 1));
		w->now += STEP * SECOND;
		write_due(w, false);
	}
	write_due(w, true);
}

static void a_day_of_flood_stays_within_the_bounds_and_loses_nothing(void **state)
{
	uint64_t before, in_use, all = 0;
	static struct world w;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();                                /* it is one thread, and would take it minutes */
#endif
	world_init(&w);                            /* what libraries allocate once */
	flood(&w, ALL_DAY);
	write_due(&w, true);
	budget_free(w.budget);
	before = heap();
	world_init(&w);
	in_use = heap();
	assert_true(in_use - before < 1 << 20);
	run_day(&w);
	assert_int_equal(heap(), in_use);
	for (size_t i = 0; i < SITES; i++) {
		/* every hour of one in turns begins with full buckets; a flush may add one */
		uint64_t bound = (i == ALL_DAY ? site_bound(DAY) : i == QUIET ? DAY / STEP : 6 * site_bound(3600)) + 1;

		assert_int_equal(w.of[i].admitted + w.of[i].folded, w.of[i].requests);
		assert_in_range(records(&w.of[i]), bound * 9 / 10, bound);
		all += w.of[i].requests;
	}
	assert_true(all >= 2 * DAY / STEP * FLOOD_PER_STEP);
	budget_free(w.budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_of_flood_stays_within_the_bounds_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
