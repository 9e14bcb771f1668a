/* live-events.c -- a ring of blocked tokens, and counts of them by second and by reason.
 *
 * The counts go on where the ring is too small for five minutes; only a new filter counts anew, from what it holds. */
#include "console/tui/live-events.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND UINT64_C(1000000)
#define FOLD_MAX_US (UINT64_C(86400) * SECOND)         /* a fold longer than that is not believed */
#define RATE_SECONDS 10
#define OTHERS (LIVE_REASONS - 1)

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- a record as an event ---- */

static bool take_text(char *out, size_t room, const json_t *record, const char *member)
{
	struct span text = json_span(json_object_get(record, member));
	bool fits = text.size < room;
	size_t size = fits ? text.size : room - 2;
	const unsigned char *bytes = text.data;

	if (text.size == 0)
		return false;
	while (!fits && size > 0 && (bytes[size] & 0xc0) == 0x80)
		size--;
	memcpy(out, text.data, size);
	memcpy(out + size, fits ? "" : "~", fits ? 1 : 2);
	return true;
}

static uint64_t take_number(const json_t *record, const char *member)
{
	json_int_t n = json_integer_value(json_object_get(record, member));

	return n > 0 ? (uint64_t)n : 0;
}

static void take_reason(struct live_event *e, const json_t *record)
{
	if (take_text(e->reason_text, sizeof(e->reason_text), record, "reason"))
		e->reason = reason_from_name(e->reason_text);
	else
		snprintf(e->reason_text, sizeof(e->reason_text), "%s",
		         e->unreadable ? "(unreadable)" : e->folded ? "(several)" : "(none)");
}

static void take_kid(struct live_event *e, const json_t *record)
{
	if (!take_text(e->kid, sizeof(e->kid), record, "kid"))
		e->claimed = take_text(e->kid, sizeof(e->kid), record, "kid_claimed");
}

static void take_times(struct live_event *e, const json_t *record, uint64_t now_us)
{
	uint64_t count = take_number(record, "count");
	uint64_t first = take_number(record, "first"), last = take_number(record, "last");

	e->time_us = take_number(record, "time");
	e->folded = count > 0;
	e->count = e->folded ? lesser(count, LIVE_COUNT_MAX) : 1;
	if (!e->folded || first == 0 || first > last || last - first > FOLD_MAX_US)
		first = last = e->time_us;
	e->first_us = lesser(first, now_us);
	e->last_us = lesser(last, now_us);
}

void live_event_of(struct live_event *ret, uint64_t seq, const json_t *record, uint64_t now_us)
{
	*ret = (struct live_event){ .seq = seq, .unreadable = !record, .reason = REASON_NONE };
	take_times(ret, record, now_us);
	take_reason(ret, record);
	take_kid(ret, record);
	take_text(ret->site, sizeof(ret->site), record, "site");
	take_text(ret->action, sizeof(ret->action), record, "action");
	take_text(ret->remote, sizeof(ret->remote), record, "remote");
	take_text(ret->subject, sizeof(ret->subject), record, "subject");
	take_text(ret->token, sizeof(ret->token), record, "token");
}

/* ---- the ring ---- */

bool live_ring_init(struct live_ring *r, size_t room)
{
	*r = (struct live_ring){ .room = room };
	r->event = calloc(room, sizeof(*r->event));
	return r->event != NULL;
}

void live_ring_done(struct live_ring *r)
{
	free(r->event);
	*r = (struct live_ring){ 0 };
}

static struct live_event *at(const struct live_ring *r, size_t index)
{
	return &r->event[(r->start + index) % r->room];
}

const struct live_event *live_ring_at(const struct live_ring *r, size_t index)
{
	return at(r, index);
}

size_t live_ring_nth(const struct live_ring *r, size_t nth)
{
	size_t index = r->count, left = r->shown - nth;

	if (nth >= r->shown)
		return r->count;
	if (left <= nth) {
		while (left > 0)
			left -= at(r, --index)->shown;
		return index;
	}
	for (index = 0; nth > 0 || !at(r, index)->shown; index++)
		nth -= at(r, index)->shown;
	return index;
}

size_t live_ring_from(const struct live_ring *r, uint64_t seq)
{
	size_t count = 0;

	for (size_t i = r->count; i > 0 && at(r, i - 1)->seq >= seq; i--)
		count += at(r, i - 1)->shown;
	return count;
}

static bool chosen(const char *value, const char *text)
{
	return !value[0] || strcmp(value, text) == 0;
}

static bool matches(const struct filter *f, const struct live_event *e)
{
	return chosen(f->value[FILTER_SITE], e->site) && chosen(f->value[FILTER_REMOTE], e->remote) &&
	       (f->reason == REASON_NONE || f->reason == e->reason);
}

void live_ring_choose(struct live_ring *r, const struct filter *f)
{
	r->shown = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct live_event *e = at(r, i);

		e->shown = matches(f, e);
		r->shown += e->shown;
	}
}

void live_ring_copy(struct live_ring *to, const struct live_ring *from)
{
	struct live_event *event = to->event;
	size_t tail = lesser(from->count, from->room - from->start);

	memcpy(event, from->event + from->start, tail * sizeof(*event));
	memcpy(event + tail, from->event, (from->count - tail) * sizeof(*event));
	*to = *from;
	to->event = event;
	to->start = 0;
}

static void ring_put(struct live_ring *r, size_t index, const struct live_event *e, bool shown)
{
	struct live_event *place = at(r, index);

	*place = *e;
	place->shown = shown;
	r->shown += shown;
	r->count++;
}

static void ring_drop_oldest(struct live_ring *r)
{
	const struct live_event *oldest = at(r, 0);

	r->since_us = greater(r->since_us, oldest->last_us);
	r->shown -= oldest->shown;
	r->start = (r->start + 1) % r->room;
	r->count--;
	r->gone++;
}

/* ---- counts ---- */

static size_t place_of(uint64_t second)
{
	return second % LIVE_SECONDS;
}

/* The first second that is counted. */
static uint64_t first_second(const struct live_counts *c)
{
	return c->now_s >= LIVE_SECONDS ? c->now_s - LIVE_SECONDS + 1 : 0;
}

static void forget_second(struct live_counts *c, size_t place)
{
	c->total -= c->second[place];
	c->second[place] = 0;
	for (size_t i = 0; i < LIVE_REASONS; i++) {
		c->reason[i].total -= c->reason[i].second[place];
		c->reason[i].second[place] = 0;
	}
}

static struct live_reason *row_of(struct live_counts *c, const char *reason)
{
	struct live_reason *unused = NULL;

	for (size_t i = 0; i < OTHERS; i++) {
		struct live_reason *row = &c->reason[i];

		if (row->total == 0)
			unused = unused ? unused : row;
		else if (strcmp(row->text, reason) == 0)
			return row;
	}
	if (!unused)
		return &c->reason[OTHERS];
	snprintf(unused->text, sizeof(unused->text), "%s", reason);
	return unused;
}

/* Of count tokens spread over so many seconds, those of the first `of`. */
static uint64_t share(uint64_t count, uint64_t of, uint64_t seconds)
{
	return count * of / seconds;
}

static void count_event(struct live_counts *c, const struct live_event *e)
{
	uint64_t first = e->first_us / SECOND, last = e->last_us / SECOND, seconds = last - first + 1;
	struct live_reason *row = NULL;

	if (e->last_us == 0)
		return;
	for (uint64_t s = greater(first, first_second(c)); s <= lesser(last, c->now_s); s++) {
		uint64_t n = share(e->count, s - first + 1, seconds) - share(e->count, s - first, seconds);

		if (n == 0)
			continue;
		row = row ? row : row_of(c, e->reason_text);
		c->total += n;
		c->second[place_of(s)] += n;
		row->total += n;
		row->second[place_of(s)] += n;
	}
}

static void counts_clear(struct live_counts *c, uint64_t now_s, uint64_t since_us)
{
	*c = (struct live_counts){ .now_s = now_s, .since_us = since_us };
	snprintf(c->reason[OTHERS].text, LIVE_REASON_MAX, "(others)");
}

static void count_ring(struct live_events *l, uint64_t now_s)
{
	counts_clear(&l->counts, now_s, l->ring.since_us);
	for (size_t i = 0; i < l->ring.count; i++)
		if (at(&l->ring, i)->shown)
			count_event(&l->counts, at(&l->ring, i));
}

/* ---- both ---- */

bool live_init(struct live_events *l, size_t room, uint64_t now_us)
{
	filter_done(&l->filter);
	if (!live_ring_init(&l->ring, room))
		return false;
	live_clear(l, now_us);
	return true;
}

void live_done(struct live_events *l)
{
	live_ring_done(&l->ring);
}

void live_clear(struct live_events *l, uint64_t now_us)
{
	struct live_event *event = l->ring.event;

	l->ring = (struct live_ring){ .event = event, .room = l->ring.room, .since_us = now_us };
	counts_clear(&l->counts, now_us / SECOND, now_us);
}

static void set_back(struct live_events *l, uint64_t now_us)
{
	for (size_t i = 0; i < l->ring.count; i++) {
		struct live_event *e = at(&l->ring, i);

		e->first_us = lesser(e->first_us, now_us);
		e->last_us = lesser(e->last_us, now_us);
	}
	l->ring.since_us = lesser(l->ring.since_us, now_us);
	count_ring(l, now_us / SECOND);
}

void live_now(struct live_events *l, uint64_t now_us)
{
	struct live_counts *c = &l->counts;
	uint64_t now_s = now_us / SECOND;

	if (now_s < c->now_s) {
		set_back(l, now_us);
		return;
	}
	for (uint64_t passed = lesser(now_s - c->now_s, LIVE_SECONDS); passed > 0; passed--)
		forget_second(c, place_of(now_s - passed + 1));
	c->now_s = now_s;
}

void live_add(struct live_events *l, const struct live_event *e)
{
	bool shown = matches(&l->filter, e);

	if (l->ring.count == l->ring.room)
		ring_drop_oldest(&l->ring);
	ring_put(&l->ring, l->ring.count, e, shown);
	if (shown)
		count_event(&l->counts, e);
}

bool live_add_older(struct live_events *l, const struct live_event *e)
{
	struct live_ring *r = &l->ring;
	bool shown = matches(&l->filter, e);

	if (r->count == r->room)
		return false;
	r->start = (r->start + r->room - 1) % r->room;
	ring_put(r, 0, e, shown);
	if (shown)
		count_event(&l->counts, e);
	return true;
}

void live_complete(struct live_events *l, uint64_t since_us)
{
	if (l->ring.gone > 0)
		return;
	l->ring.since_us = lesser(l->ring.since_us, since_us);
	l->counts.since_us = lesser(l->counts.since_us, since_us);
}

void live_choose(struct live_events *l, const struct filter *f)
{
	l->filter = *f;
	live_ring_choose(&l->ring, f);
	count_ring(l, l->counts.now_s);
}

/* ---- what to show of them ---- */

bool live_whole(const struct live_events *l)
{
	return l->counts.since_us <= first_second(&l->counts) * SECOND;
}

double live_rate(const struct live_events *l, uint64_t now_us)
{
	const struct live_counts *c = &l->counts;
	double passed = RATE_SECONDS - 1 + (double)(now_us % SECOND) / SECOND;
	uint64_t sum = 0;

	for (uint64_t back = 0; back < RATE_SECONDS && back <= c->now_s; back++)
		sum += c->second[place_of(c->now_s - back)];
	return (double)sum / passed;
}

size_t live_bars(const struct live_events *l, size_t room, uint32_t bar[LIVE_SECONDS], unsigned *ret_seconds)
{
	const struct live_counts *c = &l->counts;
	unsigned seconds = room > 0 ? (unsigned)((LIVE_SECONDS + room - 1) / room) : LIVE_SECONDS;
	size_t bars = (LIVE_SECONDS + seconds - 1) / seconds;

	memset(bar, 0, bars * sizeof(*bar));
	/* A second always lies in the same bar, however time passes: only the newest grows. */
	for (uint64_t s = first_second(c); s <= c->now_s; s++) {
		uint64_t back = c->now_s / seconds - s / seconds, last = bars - 1;

		if (back <= last)
			bar[last - back] = (uint32_t)lesser(bar[last - back] + c->second[place_of(s)], UINT32_MAX);
	}
	*ret_seconds = seconds;
	return bars;
}

static bool before(const struct live_reason *a, const struct live_reason *b)
{
	return a->total != b->total ? a->total > b->total : strcmp(a->text, b->text) < 0;
}

size_t live_reasons(const struct live_events *l, const struct live_reason *ret[LIVE_REASONS])
{
	size_t count = 0;

	for (size_t i = 0; i < LIVE_REASONS; i++) {
		const struct live_reason *row = &l->counts.reason[i];
		size_t place = count;

		if (row->total == 0)
			continue;
		for (; place > 0 && before(row, ret[place - 1]); place--)
			ret[place] = ret[place - 1];
		ret[place] = row;
		count++;
	}
	return count;
}
