/* The budget: what strangers can make us write, and that nothing of it is lost. Time is simulated. */
#include "audit/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000)
#define START (UINT64_C(1763690000) * SECOND)

/* One process and its clock: every request is either recorded or folded, as the path does it. */
struct world {
	struct budget *budget;
	uint64_t now;
	uint64_t requests, admitted, folds, folded;     /* folds: records written; folded: what they count */
};

static void world_init(struct world *w, unsigned rate)
{
	*w = (struct world){ .budget = budget_new(rate), .now = START };
	assert_non_null(w->budget);
}

static struct audit_record blocked(const char *site, const char *remote, uint64_t now)
{
	struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = AUDIT_OUTCOME_BLOCKED,
				  .reason = REASON_SIGNATURE_MISMATCH, .time = now };

	snprintf(r.site, sizeof(r.site), "%s", site);
	snprintf(r.remote, sizeof(r.remote), "%s", remote);
	return r;
}

static void count_fold(struct world *w, const struct audit_record *fold)
{
	assert_true(fold->count > 0);
	assert_true(fold->first <= fold->last);
	w->folds++;
	w->folded += fold->count;
}

static bool request(struct world *w, const char *site, const char *source)
{
	struct audit_record r = blocked(site, source, w->now), evicted;

	w->requests++;
	if (budget_admit(w->budget, site, source, w->now)) {
		w->admitted++;
		return true;
	}
	if (budget_fold(w->budget, source, &r, &evicted))
		count_fold(w, &evicted);
	return false;
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

/* Ends it: all that was asked is in a record or in a fold's count. */
static void world_done(struct world *w)
{
	write_due(w, true);
	assert_int_equal(w->admitted + w->folded, w->requests);
	budget_free(w->budget);
}

static const char *source_text(char out[REMOTE_MAX], unsigned n)
{
	snprintf(out, REMOTE_MAX, "%u.%u.%u.%u", n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255);
	return out;
}

/* What one site may cause in t seconds at this rate: the sentence at the top of budget.c. */
static uint64_t site_bound(uint64_t rate, uint64_t t)
{
	return 100 * rate + 10 * rate * t + t / 10 + 1;
}

static void a_source_has_100_at_once_and_10_a_second(void **state)
{
	struct world w;
	unsigned n;

	(void)state;
	world_init(&w, 10);
	for (n = 0; request(&w, "demo", "203.0.113.7"); n++)
		assert_in_range(n, 0, 100);
	assert_int_equal(n, 100);
	w.now += SECOND / 10 - 1;
	assert_false(request(&w, "demo", "203.0.113.7"));
	w.now += 1;
	assert_true(request(&w, "demo", "203.0.113.7"));
	assert_false(request(&w, "demo", "203.0.113.7"));
	w.now += 3600 * SECOND;
	for (n = 0; request(&w, "demo", "203.0.113.7"); n++)
		assert_in_range(n, 0, 100);
	assert_int_equal(n, 100);
	world_done(&w);
}

static void another_source_and_another_site_have_their_own(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	while (request(&w, "demo", "203.0.113.7"))
		;
	assert_true(request(&w, "demo", "203.0.113.8"));
	assert_true(request(&w, "shop", "203.0.113.7"));
	world_done(&w);
}

static void a_site_has_1000_at_once_whatever_the_sources(void **state)
{
	char source[REMOTE_MAX];
	struct world w;

	(void)state;
	world_init(&w, 10);
	for (unsigned i = 0; i < 3000; i++)
		request(&w, "demo", source_text(source, i));
	assert_int_equal(w.admitted, 1000);
	world_done(&w);
}

static void without_a_rate_all_is_admitted(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 0);
	for (unsigned i = 0; i < 5000; i++)
		assert_true(request(&w, "demo", "203.0.113.7"));
	world_done(&w);
}

static void a_refused_source_takes_no_token_of_its_site(void **state)
{
	char source[REMOTE_MAX];
	struct world w;

	(void)state;
	world_init(&w, 10);
	for (unsigned i = 0; i < 10000; i++)
		request(&w, "demo", "203.0.113.7");
	for (unsigned i = 0; i < 900; i++)
		assert_true(request(&w, "demo", source_text(source, i)));
	assert_false(request(&w, "demo", "203.0.113.9"));
	world_done(&w);
}

static void a_fold_says_what_it_counted(void **state)
{
	struct audit_record due[4];
	struct world w;

	(void)state;
	world_init(&w, 10);
	while (request(&w, "demo", "203.0.113.0/24"))
		;
	w.now += 5;
	request(&w, "demo", "203.0.113.0/24");
	w.now += 10 * SECOND - 6;
	assert_int_equal(budget_due(w.budget, w.now, false, due, ARRAY_LEN(due)), 0);
	w.now += 1;
	assert_int_equal(budget_due(w.budget, w.now, false, due, ARRAY_LEN(due)), 1);
	assert_int_equal(due[0].event, AUDIT_EVENT_ACTION);
	assert_int_equal(due[0].outcome, AUDIT_OUTCOME_BLOCKED);
	assert_int_equal(due[0].reason, REASON_SIGNATURE_MISMATCH);
	assert_string_equal(due[0].site, "demo");
	assert_string_equal(due[0].remote, "203.0.113.0/24");
	assert_int_equal(strlen(due[0].id), ULID_MAX - 1);
	assert_int_equal(due[0].time, w.now);
	assert_int_equal(due[0].count, 2);
	assert_int_equal(due[0].first, START);
	assert_int_equal(due[0].last, START + 5);
	assert_int_equal(budget_due(w.budget, w.now + 3600 * SECOND, true, due, ARRAY_LEN(due)), 0);
	budget_free(w.budget);
}

/* At most one in 10 s, though it is asked for every second and never stops. */
static void a_source_causes_a_fold_every_ten_seconds(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	for (unsigned second = 0; second < 600; second++) {
		for (unsigned i = 0; i < 200; i++)
			request(&w, "demo", "203.0.113.7");
		w.now += SECOND;
		write_due(&w, false);
	}
	assert_in_range(w.folds, 50, 60);
	assert_in_range(w.admitted, 6000, 6100);
	world_done(&w);
}

static struct audit_record fold_of_two(enum reason reason, enum audit_event event, enum audit_outcome outcome)
{
	struct audit_record r = blocked("demo", "203.0.113.0/24", START), due, unused;
	struct world w;

	world_init(&w, 10);
	assert_false(budget_fold(w.budget, "203.0.113.7", &r, &unused));
	r.reason = reason;
	r.event = event;
	r.outcome = outcome;
	snprintf(r.kid, sizeof(r.kid), "k_7f3aqc2d");
	snprintf(r.subject, sizeof(r.subject), "h1:00112233445566778899aabbccddeeff");
	snprintf(r.token, sizeof(r.token), "9c1d22aa");
	assert_false(budget_fold(w.budget, "203.0.113.7", &r, &unused));
	assert_int_equal(budget_due(w.budget, START, true, &due, 1), 1);
	assert_int_equal(due.count, 2);
	budget_free(w.budget);
	return due;
}

static void a_fold_keeps_only_what_is_common(void **state)
{
	struct audit_record same = fold_of_two(REASON_SIGNATURE_MISMATCH, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_BLOCKED);
	struct audit_record mixed = fold_of_two(REASON_SIGN_IN_REQUIRED, AUDIT_EVENT_IDENTITY, AUDIT_OUTCOME_REFUSED);

	(void)state;
	assert_int_equal(same.reason, REASON_SIGNATURE_MISMATCH);
	assert_int_equal(mixed.reason, REASON_NONE);
	assert_int_equal(mixed.outcome, AUDIT_OUTCOME_BLOCKED);
	assert_int_equal(mixed.event, AUDIT_EVENT_ACTION);
	assert_string_equal(mixed.kid, "");
	assert_string_equal(mixed.subject, "");
	assert_string_equal(mixed.token, "");
}

static void a_fold_that_could_not_be_written_is_put_back(void **state)
{
	struct audit_record fold = fold_of_two(REASON_SIGNATURE_MISMATCH, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_BLOCKED);
	struct audit_record again, unused;
	struct budget *b = budget_new(10);

	(void)state;
	assert_non_null(b);
	assert_false(budget_fold(b, fold.remote, &fold, &unused));
	assert_int_equal(budget_due(b, START, true, &again, 1), 1);
	assert_int_equal(again.count, fold.count);
	assert_int_equal(again.first, fold.first);
	assert_int_equal(again.last, fold.last);
	assert_string_equal(again.site, fold.site);
	assert_string_equal(again.remote, fold.remote);
	budget_free(b);
}

/* A day of twice what the site may, every request from the next of a million sources. */
static void a_flood_from_a_million_sources_stays_within_the_bound(void **state)
{
	const uint64_t rate = 1, day = 86400, step = 10;
	char source[REMOTE_MAX];
	uint64_t shop_requests = 0;
	unsigned next = 0;
	struct world w;

	(void)state;
	world_init(&w, rate);
	for (uint64_t t = 0; t < day; t += step) {
		for (unsigned i = 0; i < 200; i++, next = (next + 1) % 1000000)
			request(&w, "demo", source_text(source, next));
		/* another site's visitor goes unharmed */
		assert_true(request(&w, "shop", "198.51.100.1"));
		shop_requests++;
		w.now += step * SECOND;
		write_due(&w, false);
	}
	assert_true(w.requests > 1000000);
	assert_true(w.admitted - shop_requests + w.folds <= site_bound(rate, day));
	/* and the budget is used, not only kept */
	assert_true(w.admitted - shop_requests + w.folds > site_bound(rate, day) * 9 / 10);
	write_due(&w, true);
	assert_true(w.admitted - shop_requests + w.folds <= site_bound(rate, day) + 2);
	world_done(&w);
}

/* The flood has no tokens to take, for all of them are taken at once: what it folds must not cost one record each. */
static void folds_of_a_million_sources_become_the_sites_own(void **state)
{
	struct audit_record due[64];
	char source[REMOTE_MAX];
	uint64_t of_the_site = 0;
	struct world w;

	(void)state;
	world_init(&w, 1);
	for (unsigned i = 0; i < 1000000; i++)
		request(&w, "demo", source_text(source, i));
	assert_int_equal(w.admitted, 100);
	assert_int_equal(w.folds, 0);
	for (unsigned second = 0; second < 30; second++) {
		size_t n;

		w.now += SECOND;
		while ((n = budget_due(w.budget, w.now, false, due, ARRAY_LEN(due))) > 0) {
			for (size_t i = 0; i < n; i++) {
				count_fold(&w, &due[i]);
				assert_string_equal(due[i].site, "demo");
				of_the_site += due[i].remote[0] == '\0' ? due[i].count : 0;
			}
		}
	}
	assert_true(w.folds <= site_bound(1, 30));
	assert_true(of_the_site > 900000);
	world_done(&w);
}

/* More sites than the table has slots, and many sources at each: a site that lost its slot makes no new tokens. */
static void a_flood_of_many_sites_stays_within_the_tables_bound(void **state)
{
	const uint64_t site_slots = 1024, rate = 1;
	char site[SITE_ID_MAX], source[REMOTE_MAX];
	struct world w;

	(void)state;
	world_init(&w, rate);
	for (uint64_t t = 0; t < 100; t++) {
		for (unsigned i = 0; i < 20000; i++) {
			snprintf(site, sizeof(site), "s%u", i);
			request(&w, site, source_text(source, i * 7 + (unsigned)t));
		}
		w.now += SECOND;
		write_due(&w, false);
	}
	assert_true(w.admitted + w.folds <= site_slots * site_bound(rate, 100) + 100 / 10 + 1);
	world_done(&w);
}

static void a_site_that_loses_its_slot_gets_no_new_tokens(void **state)
{
	char site[SITE_ID_MAX], source[REMOTE_MAX];
	struct world w;

	(void)state;
	world_init(&w, 1);
	/* empty every slot there is, so that whatever slot `demo` gets has nothing to give */
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(site, sizeof(site), "s%u", i);
		for (unsigned n = 0; n < 11; n++)
			request(&w, site, source_text(source, n));
	}
	assert_true(w.admitted <= 1024 * 100);
	assert_false(request(&w, "demo", "203.0.113.7"));
	world_done(&w);
}

/* Past 80 % of the space nobody asks budget_admit(): a slot that makes room hands its fold out at its site's cost. */
static void an_evicted_fold_is_handed_out_while_its_site_can_pay(void **state)
{
	struct audit_record r, evicted;
	uint64_t handed_out = 0, counted = 0;
	char source[REMOTE_MAX];
	struct world w;

	(void)state;
	world_init(&w, 10);
	for (unsigned i = 0; i < 20000; i++) {
		r = blocked("demo", "203.0.113.0/24", START);
		if (!budget_fold(w.budget, source_text(source, i), &r, &evicted))
			continue;
		assert_string_equal(evicted.site, "demo");
		assert_string_equal(evicted.remote, "203.0.113.0/24");
		handed_out++;
		counted += evicted.count;
	}
	assert_int_equal(handed_out, 1000);
	write_due(&w, true);
	assert_int_equal(counted + w.folded, 20000);
	budget_free(w.budget);
}

static void a_clock_set_back_neither_blocks_nor_gives(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	while (request(&w, "demo", "203.0.113.7"))
		;
	w.now -= 3600 * SECOND;
	assert_false(request(&w, "demo", "203.0.113.7"));
	write_due(&w, false);
	assert_false(request(&w, "demo", "203.0.113.7"));
	w.now += SECOND / 10;
	assert_true(request(&w, "demo", "203.0.113.7"));
	w.now += 10 * SECOND;
	write_due(&w, false);
	assert_int_equal(w.folds, 1);
	world_done(&w);
}

static void a_small_step_back_is_waited_out(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	while (request(&w, "demo", "203.0.113.7"))
		;
	w.now -= 9 * SECOND;
	for (unsigned second = 0; second < 9; second++) {
		write_due(&w, false);
		assert_false(request(&w, "demo", "203.0.113.7"));
		w.now += SECOND;
	}
	w.now += SECOND / 10;
	assert_true(request(&w, "demo", "203.0.113.7"));
	world_done(&w);
}

static void slow_requests_with_an_old_time_make_no_tokens(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 10);
	while (request(&w, "demo", "203.0.113.7"))
		;
	for (unsigned i = 0; i < 10000; i++) {
		assert_false(budget_admit(w.budget, "demo", "203.0.113.7", w.now - 60 * SECOND));
		assert_false(budget_admit(w.budget, "demo", "203.0.113.7", w.now));
	}
	world_done(&w);
}

static void long_and_empty_names_are_counted_too(void **state)
{
	char source[REMOTE_MAX];
	struct audit_record due, r = blocked("", "", START), unused;
	struct world w;

	(void)state;
	world_init(&w, 10);
	memset(source, 'f', sizeof(source) - 1);
	source[sizeof(source) - 1] = '\0';
	assert_true(request(&w, "demo", source));
	assert_true(request(&w, "demo", ""));
	assert_false(budget_admit(w.budget, "", "203.0.113.7", w.now));
	assert_false(budget_fold(w.budget, "203.0.113.7", &r, &unused));
	assert_int_equal(budget_due(w.budget, w.now, true, &due, 1), 1);
	assert_string_equal(due.site, "");
	assert_int_equal(due.count, 1);
	world_done(&w);
}

/* The simulated clock runs far ahead of the real one, so a racer may be held up for all of the race: it is shorter than
 * the step back that budget_due() follows. */
#define RACERS 4
#define RACE_REQUESTS 20000
#define RACE_SECONDS 5
static atomic_uint_least64_t race_clock = START;

static void *race(void *arg)
{
	struct world *w = arg;
	struct audit_record due[8], evicted;
	char source[REMOTE_MAX];
	size_t n;

	for (unsigned i = 0; i < RACE_REQUESTS; i++) {
		const char *from = source_text(source, i % 6000);
		struct audit_record r;

		w->now = atomic_fetch_add(&race_clock, RACE_SECONDS * SECOND / (RACERS * RACE_REQUESTS));
		r = blocked("demo", from, w->now);
		w->requests++;
		if (budget_admit(w->budget, "demo", from, w->now))
			w->admitted++;
		else if (budget_fold(w->budget, from, &r, &evicted))
			w->folded += evicted.count;
		n = i % 100 == 0 ? budget_due(w->budget, w->now, true, due, ARRAY_LEN(due)) : 0;
		while (n-- > 0)
			w->folded += due[n].count;
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct world all, w[RACERS];
	pthread_t thread[RACERS];

	(void)state;
	world_init(&all, 10);
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		w[i] = (struct world){ .budget = all.budget };
		assert_int_equal(pthread_create(&thread[i], NULL, race, &w[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		all.requests += w[i].requests;
		all.admitted += w[i].admitted;
		all.folded += w[i].folded;
	}
	all.now = START + 60 * SECOND;
	assert_true(all.admitted <= site_bound(10, RACE_SECONDS));
	world_done(&all);
}

static void strangers_stop_at_80_percent_and_visitors_at_97(void **state)
{
	const struct store_space space[] = {
		{ 0, 1000 }, { 799, 1000 }, { 800, 1000 }, { 969, 1000 }, { 970, 1000 }, { 1000, 1000 }, { 0, 0 },
	};
	static const bool stranger[] = { true, true, false, false, false, false, false };
	static const bool visitor[] = { true, true, true, true, false, false, false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(space); i++) {
		assert_int_equal(audit_space_left(&space[i], AUDIT_STRANGER), stranger[i]);
		assert_int_equal(audit_space_left(&space[i], AUDIT_VISITOR), visitor[i]);
		assert_true(audit_space_left(&space[i], AUDIT_ADMIN));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_has_100_at_once_and_10_a_second),
		cmocka_unit_test(another_source_and_another_site_have_their_own),
		cmocka_unit_test(a_site_has_1000_at_once_whatever_the_sources),
		cmocka_unit_test(without_a_rate_all_is_admitted),
		cmocka_unit_test(a_refused_source_takes_no_token_of_its_site),
		cmocka_unit_test(a_fold_says_what_it_counted),
		cmocka_unit_test(a_source_causes_a_fold_every_ten_seconds),
		cmocka_unit_test(a_fold_keeps_only_what_is_common),
		cmocka_unit_test(a_fold_that_could_not_be_written_is_put_back),
		cmocka_unit_test(a_flood_from_a_million_sources_stays_within_the_bound),
		cmocka_unit_test(folds_of_a_million_sources_become_the_sites_own),
		cmocka_unit_test(a_flood_of_many_sites_stays_within_the_tables_bound),
		cmocka_unit_test(a_site_that_loses_its_slot_gets_no_new_tokens),
		cmocka_unit_test(an_evicted_fold_is_handed_out_while_its_site_can_pay),
		cmocka_unit_test(a_clock_set_back_neither_blocks_nor_gives),
		cmocka_unit_test(a_small_step_back_is_waited_out),
		cmocka_unit_test(slow_requests_with_an_old_time_make_no_tokens),
		cmocka_unit_test(long_and_empty_names_are_counted_too),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(strangers_stop_at_80_percent_and_visitors_at_97),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
