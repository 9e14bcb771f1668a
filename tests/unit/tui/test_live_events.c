/* The ring of blocked tokens and its counts, against a model that keeps everything and counts token by token. */
#include "base/text.h"
#include "console/tui/live-events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define NOW (UINT64_C(1795230960) * SECOND)
#define ROOM 50

/* ---- events ---- */

static struct live_event event_of(const char *line, uint64_t now_us)
{
	json_t *record = json_loads(line, 0, NULL);
	struct live_event e;

	if (!record)
		fail_msg("not JSON: %s", line);
	live_event_of(&e, 7, record, now_us);
	json_decref(record);
	return e;
}

static struct live_event event_at(uint64_t seq, uint64_t time_us, const char *site, enum reason reason)
{
	struct live_event e = { .seq = seq, .time_us = time_us, .first_us = time_us, .last_us = time_us, .count = 1,
				.reason = reason };

	snprintf(e.site, sizeof(e.site), "%s", site);
	snprintf(e.reason_text, sizeof(e.reason_text), "%s", reason_name(reason));
	return e;
}

static struct filter filter_of(const char *text)
{
	struct filter f;

	assert_int_equal(filter_parse(&f, text, NOW, FILTER_ALL, NULL), RC_OK);
	return f;
}

static void a_record_becomes_an_event(void **state)
{
	struct live_event e = event_of("{\"action\":\"track_order\",\"event\":\"action\",\"id\":\"01\","
	                               "\"kid\":\"k_7f3aqc2d\",\"outcome\":\"blocked\",\"reason\":\"token_expired\","
	                               "\"remote\":\"203.0.113.0/24\",\"seq\":7,\"site\":\"demo\","
	                               "\"subject\":\"h1:0123456789abcdef0123456789abcdef\","
	                               "\"time\":1795230950000001,\"token\":\"9c1d22aa\",\"v\":1}", NOW);

	(void)state;
	assert_int_equal(e.seq, 7);
	assert_int_equal(e.time_us, NOW - 10 * SECOND + 1);
	assert_int_equal(e.first_us, e.time_us);
	assert_int_equal(e.last_us, e.time_us);
	assert_int_equal(e.count, 1);
	assert_false(e.folded || e.unreadable || e.claimed);
	assert_int_equal(e.reason, REASON_TOKEN_EXPIRED);
	assert_string_equal(e.reason_text, "token_expired");
	assert_string_equal(e.site, "demo");
	assert_string_equal(e.action, "track_order");
	assert_string_equal(e.remote, "203.0.113.0/24");
	assert_string_equal(e.kid, "k_7f3aqc2d");
	assert_string_equal(e.subject, "h1:0123456789abcdef0123456789abcdef");
	assert_string_equal(e.token, "9c1d22aa");
}

static void a_claimed_key_is_told_from_one_that_verified(void **state)
{
	struct live_event e = event_of("{\"kid_claimed\":\"k_7f3aqc2d\",\"reason\":\"key_retired\"}", NOW);

	(void)state;
	assert_true(e.claimed);
	assert_string_equal(e.kid, "k_7f3aqc2d");
	e = event_of("{\"kid\":\"k_aaaaaaaa\",\"kid_claimed\":\"k_7f3aqc2d\"}", NOW);
	assert_false(e.claimed);
	assert_string_equal(e.kid, "k_aaaaaaaa");
}

static void a_folded_record_counts_from_first_to_last(void **state)
{
	struct live_event e = event_of("{\"count\":1204,\"first\":1795230940000000,\"last\":1795230949500000,"
	                               "\"time\":1795230950000000}", NOW);

	(void)state;
	assert_true(e.folded);
	assert_int_equal(e.count, 1204);
	assert_int_equal(e.first_us, NOW - 20 * SECOND);
	assert_int_equal(e.last_us, NOW - 21 * SECOND / 2);
	assert_string_equal(e.reason_text, "(several)");
	assert_int_equal(e.reason, REASON_NONE);
}

static void members_of_any_type_and_size_become_nothing_or_are_cut(void **state)
{
	static const char *const values[] = { "null", "true", "-1", "1e300", "0.5", "[]", "{}", "[{\"site\":\"x\"}]",
					      "\"\"", "9223372036854775807", "-9223372036854775808",
					      "\"k_7f3aqc2d\"" };
	static const char *const members[] = { "time", "site", "reason", "remote", "kid", "kid_claimed", "subject",
					       "token", "action", "count", "first", "last" };
	char line[512];

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(members); m++) {
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			struct live_event e;

			snprintf(line, sizeof(line), "{\"%s\":%s,\"last\":%s,\"count\":%s}", members[m], values[v],
			         values[v], values[(v + 1) % ARRAY_LEN(values)]);
			e = event_of(line, NOW);
			assert_true(e.count >= 1 && e.count <= LIVE_COUNT_MAX);
			assert_true(e.first_us <= e.last_us && e.last_us <= NOW);
			assert_true(e.reason_text[0] != '\0');
			assert_int_equal(e.seq, 7);
		}
	}
}

static void a_text_too_long_is_cut_on_a_character_and_marked(void **state)
{
	static const struct { const char *name; size_t at; } members[] = {
#define MEMBER(name) { #name, offsetof(struct live_event, name) }
		MEMBER(site), MEMBER(action), MEMBER(remote), MEMBER(kid), MEMBER(subject), MEMBER(token),
		{ "reason", offsetof(struct live_event, reason_text) },
	};
	struct filter f = filter_of("");
	struct live_event e;

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(members); m++) {
		for (size_t size = 1; size < 200; size++) {
			json_t *record = json_object();
			char text[2 * 200 + 2] = "a";
			const char *got;

			for (size_t i = 0; i < size; i++)
				memcpy(text + 1 + 2 * i, "\xc3\xa9", 3);
			assert_int_equal(json_object_set_new(record, members[m].name, json_string(text)), 0);
			live_event_of(&e, 7, record, NOW);
			json_decref(record);
			got = (const char *)&e + members[m].at;
			assert_true(utf8_valid(span_str(got)));
			if (strcmp(got, text) != 0) {
				assert_int_equal(got[strlen(got) - 1], '~');
				assert_memory_equal(got, text, strlen(got) - 1);
			}
		}
	}
	/* 64 bytes of a site's id are no site whose id is the first 63 of them. */
	memset(f.value[FILTER_SITE], 'a', SITE_ID_MAX - 1);
	e = event_of("{\"site\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NOW);
	assert_string_not_equal(e.site, f.value[FILTER_SITE]);
}

static void an_unknown_reason_stays_visible_as_text(void **state)
{
	struct live_event e = event_of("{\"reason\":\"moon_phase\"}", NOW);

	(void)state;
	assert_int_equal(e.reason, REASON_COUNT);
	assert_string_equal(e.reason_text, "moon_phase");
	assert_string_equal(event_of("{}", NOW).reason_text, "(none)");
}

static void a_line_that_is_no_record_is_an_event_without_a_time(void **state)
{
	struct live_event e;

	(void)state;
	live_event_of(&e, 9, NULL, NOW);
	assert_true(e.unreadable);
	assert_int_equal(e.seq, 9);
	assert_int_equal(e.last_us, 0);
	assert_string_equal(e.reason_text, "(unreadable)");
}

static void a_time_that_cannot_be_counts_now_or_not_at_all(void **state)
{
	const struct { const char *line; uint64_t time, first, last; } cases[] = {
		{ "{\"time\":9223372036854775807}", INT64_MAX, NOW, NOW },
		{ "{\"time\":0}", 0, 0, 0 },
		{ "{\"time\":-5}", 0, 0, 0 },
		{ "{}", 0, 0, 0 },
		{ "{\"time\":1}", 1, 1, 1 },
		/* a fold that ends before it begins, takes years, has only one end */
		{ "{\"count\":9,\"time\":1000,\"first\":30,\"last\":20}", 1000, 1000, 1000 },
		{ "{\"count\":9,\"time\":1000,\"first\":1,\"last\":9223372036854775807}", 1000, 1000, 1000 },
		{ "{\"count\":9,\"time\":1000,\"first\":20}", 1000, 1000, 1000 },
		{ "{\"count\":9,\"time\":1000,\"last\":20}", 1000, 1000, 1000 },
		{ "{\"count\":9,\"first\":20,\"last\":30}", 0, 20, 30 },
		{ "{\"count\":9,\"first\":1795230950000000,\"last\":1795230970000000}", 0, NOW - 10 * SECOND, NOW },
		/* no fold, whatever first and last say */
		{ "{\"time\":1000,\"first\":20,\"last\":30}", 1000, 1000, 1000 },
		{ "{\"count\":0,\"time\":1000,\"first\":20,\"last\":30}", 1000, 1000, 1000 },
		{ "{\"count\":-3,\"time\":1000,\"first\":20,\"last\":30}", 1000, 1000, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct live_event e = event_of(cases[i].line, NOW);

		assert_int_equal(e.time_us, cases[i].time);
		assert_int_equal(e.first_us, cases[i].first);
		assert_int_equal(e.last_us, cases[i].last);
	}
}

/* ---- the model ---- */

#define MODEL_MAX 4000
#define MODEL_REASONS 5

struct model {
	struct live_event event[MODEL_MAX];    /* by seq, oldest first */
	bool counted[MODEL_MAX];
	size_t first, end;                     /* the ring holds first..end; newer ones are appended at end */
	size_t room, gone;
	uint64_t now_s, ring_since, since;
	struct filter filter;
};

static bool model_matches(const struct filter *f, const struct live_event *e)
{
	return (!f->value[FILTER_SITE][0] || strcmp(f->value[FILTER_SITE], e->site) == 0) &&
	       (!f->value[FILTER_REMOTE][0] || strcmp(f->value[FILTER_REMOTE], e->remote) == 0) &&
	       (!f->value[FILTER_REASON][0] || strcmp(f->value[FILTER_REASON], e->reason_text) == 0);
}

static void model_recount(struct model *m)
{
	for (size_t i = 0; i < m->end; i++)
		m->counted[i] = i >= m->first && model_matches(&m->filter, &m->event[i]);
	m->since = m->ring_since;
}

static void model_add(struct model *m, const struct live_event *e)
{
	assert_true(m->end < MODEL_MAX);
	if (m->end - m->first == m->room) {
		if (m->event[m->first].last_us > m->ring_since)
			m->ring_since = m->event[m->first].last_us;
		m->first++;
		m->gone++;
	}
	m->event[m->end] = *e;
	m->counted[m->end++] = model_matches(&m->filter, e);
}

static bool model_add_older(struct model *m, const struct live_event *e)
{
	if (m->end - m->first == m->room)
		return false;
	assert_true(m->first > 0);
	m->event[--m->first] = *e;
	m->counted[m->first] = model_matches(&m->filter, e);
	return true;
}

static void model_now(struct model *m, uint64_t now_us)
{
	bool back = now_us / SECOND < m->now_s;

	m->now_s = now_us / SECOND;
	if (!back)
		return;
	for (size_t i = m->first; i < m->end; i++) {
		struct live_event *e = &m->event[i];

		e->first_us = e->first_us > now_us ? now_us : e->first_us;
		e->last_us = e->last_us > now_us ? now_us : e->last_us;
	}
	m->ring_since = m->ring_since > now_us ? now_us : m->ring_since;
	model_recount(m);
}

/* How many tokens came in this second, each put down by itself. */
static uint64_t model_second(const struct model *m, uint64_t s, const char *reason)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->end; i++) {
		const struct live_event *e = &m->event[i];
		uint64_t first = e->first_us / SECOND, seconds = e->last_us / SECOND - first + 1;

		if (!m->counted[i] || e->last_us == 0 || s < first || s >= first + seconds ||
		    (reason && strcmp(reason, e->reason_text) != 0))
			continue;
		for (uint64_t token = 1; token <= e->count; token++)
			sum += first + (token * seconds + e->count - 1) / e->count - 1 == s;
	}
	return sum;
}

static void assert_same_counts(const struct live_events *l, const struct model *m)
{
	uint64_t total = 0, reasons[MODEL_REASONS] = { 0 }, sum = 0;
	const struct live_reason *reason[LIVE_REASONS];
	size_t count = live_reasons(l, reason);

	for (uint64_t s = m->now_s - LIVE_SECONDS + 1; s <= m->now_s; s++) {
		uint64_t n = model_second(m, s, NULL);

		assert_int_equal(l->counts.second[s % LIVE_SECONDS], n);
		total += n;
		for (enum reason r = 0; r < MODEL_REASONS && n > 0; r++)
			reasons[r] += model_second(m, s, reason_name(REASON_TOKEN_MALFORMED + r));
	}
	assert_int_equal(l->counts.total, total);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(reason[i]->total, reasons[reason_from_name(reason[i]->text) - REASON_TOKEN_MALFORMED]);
		assert_true(i == 0 || reason[i - 1]->total >= reason[i]->total);
		sum += reason[i]->total;
	}
	assert_int_equal(sum, total);
	assert_int_equal(l->counts.since_us, m->since);
	assert_int_equal(live_whole(l), m->since <= (m->now_s - LIVE_SECONDS + 1) * SECOND);
}

static void assert_same_ring(const struct live_ring *r, const struct model *m)
{
	size_t shown = 0, from = 0, middle = m->first + (m->end - m->first) / 2;

	assert_int_equal(r->count, m->end - m->first);
	assert_int_equal(r->gone, m->gone);
	assert_int_equal(r->since_us, m->ring_since);
	for (size_t i = 0; i < r->count; i++) {
		const struct live_event *e = live_ring_at(r, i), *expected = &m->event[m->first + i];

		assert_int_equal(e->seq, expected->seq);
		assert_int_equal(e->shown, model_matches(&m->filter, expected));
		if (e->shown)
			assert_int_equal(live_ring_nth(r, shown), i);
		shown += e->shown;
		from += e->shown && m->first + i >= middle;
	}
	assert_int_equal(r->shown, shown);
	assert_int_equal(live_ring_nth(r, shown), r->count);
	if (r->count > 0)
		assert_int_equal(live_ring_from(r, m->event[middle].seq), from);
}

static void assert_same_bars(const struct live_events *l, const struct model *m)
{
	uint32_t bar[LIVE_SECONDS];
	size_t room = 1 + (size_t)random() % 400, bars;
	unsigned seconds;

	bars = live_bars(l, room, bar, &seconds);
	assert_true(bars <= room && bars * seconds >= LIVE_SECONDS);
	for (size_t i = 0; i < bars; i++) {
		uint64_t start = (m->now_s / seconds - (bars - 1 - i)) * seconds, n = 0;

		for (uint64_t s = start; s < start + seconds; s++)
			n += s + LIVE_SECONDS > m->now_s && s <= m->now_s ? model_second(m, s, NULL) : 0;
		assert_int_equal(bar[i], n);
	}
}

static struct live_event random_event(uint64_t seq, uint64_t now_us)
{
	static const char *const sites[] = { "demo", "shop", "" };
	struct live_event e = event_at(seq, now_us - (uint64_t)random() % (400 * SECOND), sites[random() % 3],
	                               REASON_TOKEN_MALFORMED + (enum reason)(random() % MODEL_REASONS));

	snprintf(e.remote, sizeof(e.remote), "%s", random() % 2 ? "203.0.113.0/24" : "");
	if (random() % 4 == 0) {
		e.folded = true;
		e.count = 1 + (uint64_t)random() % 60;
		e.first_us = e.last_us - (uint64_t)random() % (40 * SECOND);
	}
	if (random() % 50 == 0)
		e.first_us = e.last_us = 0;
	return e;
}

static uint64_t random_time(uint64_t now_us)
{
	switch (random() % 40) {
	case 0:
		return now_us - (uint64_t)random() % (20 * SECOND);
	case 1:
		return now_us + (uint64_t)random() % (700 * SECOND);
	default:
		return now_us + (uint64_t)random() % (3 * SECOND);
	}
}

static void random_step(struct live_events *l, struct model *m, uint64_t *now_us, uint64_t *older, uint64_t *newer)
{
	static const char *const filters[] = { "", "site:demo", "site:shop reason:token_malformed",
					       "remote:203.0.113.0/24", "reason:token_critical", "site:nobody" };
	long what = random() % 12;
	struct live_event e;

	if (what < 2) {
		*now_us = random_time(*now_us);
		live_now(l, *now_us);
		model_now(m, *now_us);
	} else if (what == 2) {
		m->filter = filter_of(filters[(size_t)random() % ARRAY_LEN(filters)]);
		model_recount(m);
		live_choose(l, &m->filter);
	} else if (what < 5 && m->gone == 0 && m->first > 0) {
		e = random_event(--*older, *now_us);
		assert_int_equal(live_add_older(l, &e), model_add_older(m, &e));
	} else {
		e = random_event((*newer)++, *now_us);
		live_add(l, &e);
		model_add(m, &e);
	}
}

static void ring_and_counts_agree_with_the_model(void **state)
{
	struct model *m = malloc(sizeof(*m));

	(void)state;
	assert_non_null(m);
	for (unsigned seed = 0; seed < 60; seed++) {
		uint64_t now_us = NOW, older = 1000, newer = 1000;
		struct live_events l;

		srandom(seed);
		*m = (struct model){ .first = 20, .end = 20, .room = 1 + (size_t)random() % ROOM,
		                     .now_s = now_us / SECOND, .ring_since = now_us, .since = now_us };
		assert_true(live_init(&l, m->room, now_us));
		for (int i = 0; i < 250; i++) {
			random_step(&l, m, &now_us, &older, &newer);
			assert_same_ring(&l.ring, m);
			if (i % 5 == 0)
				assert_same_counts(&l, m);
			if (i % 25 == 0)
				assert_same_bars(&l, m);
		}
		live_done(&l);
	}
	free(m);
}

/* ---- what the model does not say ---- */

static void what_falls_out_of_the_ring_is_still_counted_until_the_filter_changes(void **state)
{
	struct filter any = filter_of(""), demo = filter_of("site:demo");
	struct live_events l;

	(void)state;
	assert_true(live_init(&l, ROOM, NOW - 400 * SECOND));
	live_now(&l, NOW);
	for (uint64_t i = 0; i < 3 * ROOM; i++) {
		struct live_event e = event_at(i, NOW - 200 * SECOND + i * SECOND, i % 2 ? "demo" : "shop",
					       REASON_TOKEN_EXPIRED);

		live_add(&l, &e);
	}
	assert_int_equal(l.ring.gone, 2 * ROOM);
	assert_int_equal(l.counts.total, 3 * ROOM);
	assert_true(live_whole(&l));
	live_choose(&l, &demo);
	assert_int_equal(l.counts.total, ROOM / 2);
	assert_int_equal(l.ring.shown, ROOM / 2);
	assert_false(live_whole(&l));
	/* the newest that fell out: from then on everything is there */
	assert_int_equal(l.counts.since_us, NOW - 200 * SECOND + (2 * ROOM - 1) * SECOND);
	live_choose(&l, &any);
	assert_int_equal(l.counts.total, ROOM);
	live_now(&l, NOW + 400 * SECOND);
	assert_true(live_whole(&l));
	assert_int_equal(l.counts.total, 0);
	live_done(&l);
}

static void what_was_read_back_makes_the_counts_whole(void **state)
{
	struct live_event e = event_at(5, NOW - 250 * SECOND, "demo", REASON_TOKEN_EXPIRED);
	struct live_events l;

	(void)state;
	assert_true(live_init(&l, 2, NOW));
	assert_false(live_whole(&l));
	assert_true(live_add_older(&l, &e));
	live_complete(&l, NOW - 250 * SECOND);
	assert_false(live_whole(&l));
	assert_int_equal(l.counts.since_us, NOW - 250 * SECOND);
	live_complete(&l, 0);
	assert_true(live_whole(&l));
	assert_int_equal(l.counts.total, 1);
	live_done(&l);
}

static void what_made_room_cannot_be_read_back(void **state)
{
	struct live_events l;
	uint64_t since;

	(void)state;
	assert_true(live_init(&l, 2, NOW));
	for (uint64_t i = 0; i < 3; i++) {
		struct live_event e = event_at(i, NOW + i, "demo", REASON_TOKEN_EXPIRED);

		live_add(&l, &e);
	}
	since = l.ring.since_us;
	live_complete(&l, 0);
	assert_int_equal(l.ring.since_us, since);
	assert_false(live_whole(&l));
	live_done(&l);
}

static void the_rate_is_of_the_last_ten_seconds(void **state)
{
	struct live_event e = event_at(1, NOW, "demo", REASON_TOKEN_EXPIRED);
	struct live_events l;

	(void)state;
	assert_true(live_init(&l, ROOM, NOW));
	assert_true(live_rate(&l, NOW) == 0);
	e.folded = true;
	e.count = 190;
	live_add(&l, &e);
	assert_true(live_rate(&l, NOW + SECOND / 2) == 20);
	live_now(&l, NOW + 9 * SECOND);
	assert_true(live_rate(&l, NOW + 9 * SECOND + SECOND / 2) == 20);
	live_now(&l, NOW + 10 * SECOND);
	assert_true(live_rate(&l, NOW + 10 * SECOND) == 0);
	assert_int_equal(l.counts.total, 190);
	live_done(&l);
}

static void counts_of_any_size_do_not_overflow(void **state)
{
	struct live_events l;
	uint32_t bar[LIVE_SECONDS];
	unsigned seconds;

	(void)state;
	assert_true(live_init(&l, ROOM, NOW));
	for (uint64_t i = 0; i < 100000; i++) {
		struct live_event e = event_of("{\"count\":9223372036854775807,\"first\":1795144570000000,"
		                               "\"last\":1795230960000000,\"reason\":\"token_expired\"}", NOW);

		live_add(&l, &e);
		if (i == 0)
			assert_int_equal(l.counts.total,
			                 LIVE_COUNT_MAX - LIVE_COUNT_MAX * (86391 - LIVE_SECONDS) / 86391);
	}
	assert_true(l.counts.total > LIVE_COUNT_MAX && l.counts.total < LIVE_COUNT_MAX * 100000);
	assert_int_equal(live_bars(&l, 1, bar, &seconds), 1);
	assert_int_equal(bar[0], UINT32_MAX);
	assert_true(live_rate(&l, NOW) > 0);
	live_done(&l);
}

static void more_reasons_than_there_is_room_for_count_together(void **state)
{
	const struct live_reason *reason[LIVE_REASONS];
	struct live_event later = event_at(2000, NOW + LIVE_SECONDS * SECOND, "demo", REASON_KEY_RETIRED);
	struct live_events l;
	uint64_t sum = 0;
	size_t count;

	(void)state;
	assert_true(live_init(&l, 1000, NOW));
	for (int i = 0; i < 1000; i++) {
		struct live_event e = event_at((uint64_t)i, NOW, "demo", REASON_COUNT);

		snprintf(e.reason_text, sizeof(e.reason_text), "reason_%d", i % 100);
		live_add(&l, &e);
	}
	count = live_reasons(&l, reason);
	assert_int_equal(count, LIVE_REASONS);
	assert_string_equal(reason[0]->text, "(others)");
	assert_int_equal(reason[0]->total, (100 - LIVE_REASONS + 1) * 10);
	for (size_t i = 0; i < count; i++)
		sum += reason[i]->total;
	assert_int_equal(sum, 1000);
	/* with time their places become free again */
	live_now(&l, NOW + LIVE_SECONDS * SECOND);
	assert_int_equal(live_reasons(&l, reason), 0);
	live_add(&l, &later);
	assert_int_equal(live_reasons(&l, reason), 1);
	assert_string_equal(reason[0]->text, "key_retired");
	live_done(&l);
}

static void a_copy_of_a_ring_stands_still(void **state)
{
	struct live_ring copy;
	struct live_events l;

	(void)state;
	assert_true(live_init(&l, ROOM, NOW));
	assert_true(live_ring_init(&copy, ROOM));
	for (size_t n = 0; n < 2 * ROOM; n += 7) {
		for (uint64_t i = 0; i < 7; i++) {
			struct live_event e = event_at(n + i, NOW, i % 2 ? "demo" : "shop", REASON_TOKEN_EXPIRED);

			live_add(&l, &e);
		}
		live_ring_copy(&copy, &l.ring);
		assert_int_equal(copy.count, l.ring.count);
		assert_int_equal(copy.shown, l.ring.shown);
		assert_int_equal(copy.gone, l.ring.gone);
		for (size_t i = 0; i < copy.count; i++)
			assert_int_equal(live_ring_at(&copy, i)->seq, live_ring_at(&l.ring, i)->seq);
	}
	live_clear(&l, NOW);
	assert_int_equal(l.ring.count, 0);
	assert_int_equal(copy.count, ROOM);
	live_ring_done(&copy);
	live_done(&l);
}

static void an_empty_ring_has_nothing_to_show(void **state)
{
	const struct live_reason *reason[LIVE_REASONS];
	struct filter demo = filter_of("site:demo");
	struct live_events l;
	uint32_t bar[LIVE_SECONDS];
	unsigned seconds;

	(void)state;
	assert_true(live_init(&l, ROOM, 0));
	live_choose(&l, &demo);
	assert_int_equal(live_ring_nth(&l.ring, 0), 0);
	assert_int_equal(live_ring_from(&l.ring, 0), 0);
	assert_int_equal(live_reasons(&l, reason), 0);
	assert_int_equal(live_bars(&l, 0, bar, &seconds), 1);
	assert_int_equal(bar[0], 0);
	assert_true(live_rate(&l, 0) == 0);
	live_now(&l, NOW);
	assert_int_equal(live_bars(&l, 1000, bar, &seconds), LIVE_SECONDS);
	assert_int_equal(seconds, 1);
	live_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_becomes_an_event),
		cmocka_unit_test(a_claimed_key_is_told_from_one_that_verified),
		cmocka_unit_test(a_folded_record_counts_from_first_to_last),
		cmocka_unit_test(members_of_any_type_and_size_become_nothing_or_are_cut),
		cmocka_unit_test(a_text_too_long_is_cut_on_a_character_and_marked),
		cmocka_unit_test(an_unknown_reason_stays_visible_as_text),
		cmocka_unit_test(a_line_that_is_no_record_is_an_event_without_a_time),
		cmocka_unit_test(a_time_that_cannot_be_counts_now_or_not_at_all),
		cmocka_unit_test(ring_and_counts_agree_with_the_model),
		cmocka_unit_test(what_falls_out_of_the_ring_is_still_counted_until_the_filter_changes),
		cmocka_unit_test(what_was_read_back_makes_the_counts_whole),
		cmocka_unit_test(what_made_room_cannot_be_read_back),
		cmocka_unit_test(the_rate_is_of_the_last_ten_seconds),
		cmocka_unit_test(counts_of_any_size_do_not_overflow),
		cmocka_unit_test(more_reasons_than_there_is_room_for_count_together),
		cmocka_unit_test(a_copy_of_a_ring_stands_still),
		cmocka_unit_test(an_empty_ring_has_nothing_to_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
