/* peer.c -- the slots of connections: who owns one, what the epoll set tells it, when it is closed. */
#include "server.h"

#include "base/clock.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t word_of(uint64_t generation, enum peer_state state)
{
	return generation << 8 | state;
}

static uint64_t generation_of(uint64_t word)
{
	return word >> 8;
}

static enum peer_state state_of(uint64_t word)
{
	return (enum peer_state)(word & 0xff);
}

/* Slot and generation in what epoll carries; 32 bits each. */
static uint64_t key_of(const struct server *s, const struct peer *p)
{
	return generation_of(atomic_load(&p->word)) << 32 | (uint64_t)(p - s->peers.slot);
}

enum rc peers_init(struct peers *ps, unsigned count)
{
	ps->slot = calloc(count, sizeof(*ps->slot));
	pthread_mutex_init(&ps->lock, NULL);
	if (!ps->slot)
		return RC_NOMEM;
	ps->count = count;
	for (unsigned i = count; i-- > 0;) {
		ps->slot[i].fd = ps->slot[i].spool.fd = -1;
		ps->slot[i].next = ps->free;
		ps->free = &ps->slot[i];
	}
	return RC_OK;
}

void peers_done(struct peers *ps)
{
	free(ps->slot);
	pthread_mutex_destroy(&ps->lock);
}

struct peer *peer_take(struct server *s, int fd)
{
	struct peer *p;

	pthread_mutex_lock(&s->peers.lock);
	p = s->peers.free;
	if (p)
		s->peers.free = p->next;
	pthread_mutex_unlock(&s->peers.lock);
	if (!p)
		return NULL;
	p->phase = PEER_READING;
	p->fd = fd;
	p->registered = p->wants_out = p->keep = false;
	atomic_store(&p->hung_up, false);
	p->frame = (struct frame){ 0 };
	p->spool = (struct spool){ .fd = -1 };
	peer_deadline(p, READ_MS, HOLD_SILENT);
	atomic_fetch_add(&s->peers.open, 1);
	atomic_store(&p->word, word_of(generation_of(atomic_load(&p->word)), PEER_BUSY));
	return p;
}

struct peer *peer_event(struct server *s, uint64_t key, uint32_t events)
{
	struct peer *p = &s->peers.slot[key & UINT32_MAX];
	uint64_t generation = key >> 32, word = atomic_load(&p->word);

	/* Said before the owner hears of the event; said of the slot's next peer, it costs that one a look. */
	if (generation_of(word) == generation && (events & (EPOLLRDHUP | EPOLLHUP)))
		atomic_store(&p->hung_up, true);
	while (generation_of(word) == generation) {
		if (state_of(word) == PEER_WAITING) {
			if (atomic_compare_exchange_weak(&p->word, &word, word_of(generation, PEER_BUSY)))
				return p;
		} else if (state_of(word) != PEER_BUSY) {
			return NULL;                       /* free, or its owner already knows */
		} else if (atomic_compare_exchange_weak(&p->word, &word, word_of(generation, PEER_AGAIN))) {
			return NULL;
		}
	}
	return NULL;
}

/* Tells the epoll set about the peer, or that it now waits for room to write, or no longer does. */
static bool peer_register(struct server *s, struct peer *p)
{
	bool wants_out = p->phase == PEER_SENDING;
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = key_of(s, p) };

	if (p->registered && p->wants_out == wants_out)
		return true;
	if (wants_out)
		e.events |= EPOLLOUT;
	if (epoll_ctl(s->epoll, p->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, p->fd, &e) != 0)
		return false;
	p->registered = true;
	p->wants_out = wants_out;
	return true;
}

enum peer_wait peer_wait(struct server *s, struct peer *p)
{
	uint64_t generation = generation_of(atomic_load(&p->word)), busy = word_of(generation, PEER_BUSY);

	if (!peer_register(s, p))
		return PEER_LOST;
	if (atomic_compare_exchange_strong(&p->word, &busy, word_of(generation, PEER_WAITING)))
		return PEER_LET_GO;
	atomic_store(&p->word, word_of(generation, PEER_BUSY));
	return PEER_MORE;
}

void peer_deadline(struct peer *p, unsigned ms, enum peer_hold hold)
{
	atomic_store(&p->deadline_ms, clock_mono_ms() + ms);
	atomic_store(&p->hold, (int)hold);
}

void peer_input_free(struct server *s, struct peer *p)
{
	free(p->input);
	atomic_fetch_sub(&s->inputs, p->input_room);
	p->input = NULL;
	p->input_size = p->input_room = 0;
}

void peer_spool_done(struct server *s, struct peer *p)
{
	atomic_fetch_sub(&s->spools, (size_t)p->spool.size);
	spool_done(&p->spool);
}

static void tell_gone(struct server *s)
{
	pthread_mutex_lock(&s->gone_lock);
	pthread_cond_signal(&s->gone);
	pthread_mutex_unlock(&s->gone_lock);
}

/* Generations wrap after 2^32 uses of a slot; a stale event is never that old. */
void peer_close(struct server *s, struct peer *p)
{
	uint64_t generation = (generation_of(atomic_load(&p->word)) + 1) & UINT32_MAX;

	close(p->fd);                              /* leaves the epoll set by itself */
	p->fd = -1;
	peer_spool_done(s, p);
	peer_input_free(s, p);
	atomic_store(&p->word, word_of(generation, PEER_FREE));
	pthread_mutex_lock(&s->peers.lock);
	p->next = s->peers.free;
	s->peers.free = p;
	pthread_mutex_unlock(&s->peers.lock);
	if (atomic_fetch_sub(&s->peers.open, 1) == 1 && atomic_load(&s->stopping))
		tell_gone(s);
}

/* Takes a waiting peer for closing. The caller has seen its deadline before it owned it, so looks again. */
static bool own_waiting(struct peer *p, uint64_t word)
{
	return state_of(word) == PEER_WAITING &&
	       atomic_compare_exchange_strong(&p->word, &word, word_of(generation_of(word), PEER_BUSY));
}

/* Gives a peer that is not to be closed after all back to the epoll set, or to the queue if something came
 * meanwhile. */
static void give_back(struct server *s, struct peer *p)
{
	if (peer_wait(s, p) != PEER_LET_GO)
		queue_push(&s->queue, p, true);
}

static bool is_idle(const struct peer *p)
{
	return atomic_load(&p->hold) == HOLD_IDLE;
}

static bool due(const struct peer *p, uint64_t now_ms, bool idle_too)
{
	return atomic_load(&p->deadline_ms) <= now_ms || (idle_too && is_idle(p));
}

static bool has_bytes(const struct peer *p)
{
	char byte;

	return recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void peers_sweep(struct server *s, uint64_t now_ms, bool idle_too)
{
	for (unsigned i = 0; i < s->peers.count; i++) {
		struct peer *p = &s->peers.slot[i];
		uint64_t word = atomic_load(&p->word);

		if (!due(p, now_ms, idle_too) || !own_waiting(p, word))
			continue;
		/* Its next request has begun and no thread has looked yet: closed now, it would be lost without an
		 * answer. */
		if (due(p, now_ms, idle_too) && !(is_idle(p) && has_bytes(p)))
			peer_close(s, p);
		else
			give_back(s, p);
	}
}

/* ---- making room ---- */

/* How long a peer of each hold has before it is closed anyway. */
static unsigned time_of(int hold)
{
	return hold == HOLD_IDLE ? IDLE_MS : hold == HOLD_ANSWER ? SEND_MS : READ_MS;
}

/* In which order they are closed; UINT64_MAX: not this one. */
static uint64_t turn_of(const struct peer *p, int holds, uint64_t now_ms)
{
	uint64_t deadline = atomic_load(&p->deadline_ms);
	int hold = atomic_load(&p->hold);

	if (!(hold & holds) || (hold != HOLD_IDLE && deadline + SPARED_MS > now_ms + time_of(hold)))
		return UINT64_MAX;
	return (uint64_t)hold << 48 | deadline;
}

static struct peer *next_in_turn(struct server *s, int holds, uint64_t now_ms)
{
	struct peer *first = NULL;
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < s->peers.count; i++) {
		struct peer *p = &s->peers.slot[i];
		uint64_t turn;

		if (state_of(atomic_load(&p->word)) != PEER_WAITING || (turn = turn_of(p, holds, now_ms)) >= best)
			continue;
		best = turn;
		first = p;
	}
	return first;
}

/* Bytes that have come and wait for a thread of ours are nobody's slowness. */
bool peers_evict(struct server *s, int holds)
{
	uint64_t now_ms = clock_mono_ms();
	struct peer *p = next_in_turn(s, holds, now_ms);

	if (!p || !own_waiting(p, atomic_load(&p->word)))
		return false;
	if (turn_of(p, holds, now_ms) == UINT64_MAX || (atomic_load(&p->hold) != HOLD_ANSWER && has_bytes(p))) {
		give_back(s, p);
		return false;
	}
	peer_close(s, p);
	return true;
}
