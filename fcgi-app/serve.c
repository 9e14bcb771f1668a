/* serve.c -- a peer's way: its bytes are gathered until they are one whole request, the path runs, the answer goes
 * out.
 *
 * The usual request is there whole at the first look: received straight into the thread's memory file, checked,
 * read by libfcgi from there, answered. One that comes in pieces is gathered in memory of its own (FRAME_MAX at
 * most, over READ_MS at most) and takes the same way once it is whole. So a slow peer costs memory, never a thread,
 * and libfcgi never sees a request that is incomplete or holds anything but itself. */
#include "server.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define INPUT_STEP 8192
#define TOO_LONG "longer than one may be, or than there is memory for"

/* What becomes of a peer after a phase. PARKED: it is the commit's, and may already be another thread's. */
enum next { NEXT_WAIT, NEXT_AGAIN, NEXT_PARKED, NEXT_CLOSE };

/* ---- calls ---- */

/* The commit is over; on the writer's thread, perhaps before path_run() has returned. */
static void wake(void *arg)
{
	struct call *c = arg;

	if (atomic_exchange(&c->parking, CALL_WOKEN) == CALL_PARKED)
		queue_push(&c->server->queue, c->peer, true);
}

void call_free(struct call *c)
{
	if (!c)
		return;
	exchange_free(c->exchange);
	inbound_done(&c->in);
	free(c);
}

static struct call *call_new(struct server *s)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = s;
	c->exchange = exchange_new(s->o.path, wake, c);
	if (!c->exchange) {
		call_free(c);
		return NULL;
	}
	return c;
}

static struct call *call_take(struct worker *w, struct peer *p)
{
	struct server *s = w->server;
	struct call *c = w->spare;

	w->spare = NULL;
	if (!c) {
		pthread_mutex_lock(&s->pool_lock);
		c = s->pool;
		if (c)
			s->pool = c->next;
		pthread_mutex_unlock(&s->pool_lock);
	}
	if (!c && !(c = call_new(s)))
		return NULL;
	c->peer = p;
	exchange_begin(c->exchange);
	if (!exchange_id(c->exchange)[0]) {            /* no randomness, for want of memory: it could not even be named */
		call_free(c);
		return NULL;
	}
	c->overloaded = atomic_fetch_add(&s->calls, 1) >= s->o.calls_max;
	return c;
}

static void call_give(struct worker *w, struct call *c)
{
	struct server *s = w->server;

	exchange_clear(c->exchange);
	inbound_close(&c->in);
	atomic_fetch_sub(&s->calls, 1);
	if (!w->spare) {
		w->spare = c;
		return;
	}
	pthread_mutex_lock(&s->pool_lock);
	c->next = s->pool;
	s->pool = c;
	pthread_mutex_unlock(&s->pool_lock);
}

/* ---- sending ---- */

/* An authorizer's peer may yet say that there is no STDIN. Closing before that would turn its writing into an error,
 * and closing on top of unread bytes its reading: so it sees our end, and has a moment to end itself. */
static enum next leave(struct worker *w, struct peer *p)
{
	char unread[FRAME_LATE_MAX];
	ssize_t n = recv(p->fd, unread, p->left, MSG_DONTWAIT);

	(void)w;
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? NEXT_WAIT : NEXT_CLOSE;
	p->left -= (size_t)n;
	return p->left ? NEXT_AGAIN : NEXT_CLOSE;
}

static enum next sent(struct worker *w, struct peer *p)
{
	bool stopping = atomic_load(&w->server->stopping);

	if (!p->keep && p->frame.late && !stopping && shutdown(p->fd, SHUT_WR) == 0) {
		p->phase = PEER_LEAVING;
		p->left = FRAME_LATE_MAX;
		peer_deadline(p, LEAVE_MS, HOLD_IDLE);
		return NEXT_AGAIN;
	}
	if (!p->keep || stopping)
		return NEXT_CLOSE;
	p->phase = PEER_READING;
	peer_deadline(p, IDLE_MS, HOLD_IDLE);
	return atomic_load(&p->hung_up) ? NEXT_AGAIN : NEXT_WAIT;
}

static enum next send_on(struct worker *w, struct peer *p)
{
	switch (spool_send(&p->spool, p->fd)) {
	case SPOOL_WAIT:
		return NEXT_WAIT;
	case SPOOL_EMPTY:
		peer_spool_done(w->server, p);
		return sent(w, p);
	default:
		return NEXT_CLOSE;
	}
}

/* ---- running ---- */

/* A guard that is set up wrongly lets nobody pass, and servers show visitors a page of their own: so it is said
 * here too. */
static void say_site_not_set(void)
{
	static struct rarely said;

	if (rarely(&said))
		log_line(LOG_LEVEL_WARNING, "an authorizer was refused: %s", reason_text(REASON_SITE_NOT_SET));
}

/* An answer that is there has been recorded: it is sent, and the slowest reader of another one gives way. */
static void make_spool_room(struct server *s)
{
	while (atomic_load(&s->spools) > SPOOLS_MAX && peers_evict(s, HOLD_ANSWER))
		;
}

static enum next answer(struct worker *w, struct peer *p)
{
	struct call *c = p->call;
	bool head = exchange_request(c->exchange)->head;
	enum reply_result result;

	if (exchange_answer(c->exchange)->code == REASON_SITE_NOT_SET)
		say_site_not_set();
	result = reply_write(&c->in, p->fd, exchange_answer(c->exchange), head, &p->spool);
	atomic_fetch_add(&w->server->spools, (size_t)p->spool.size);
	p->keep = c->in.keep;
	p->call = NULL;
	call_give(w, c);
	if (result == REPLY_FAILED)
		return NEXT_CLOSE;
	if (result == REPLY_SENT)
		return sent(w, p);
	make_spool_room(w->server);
	p->phase = PEER_SENDING;
	peer_deadline(p, SEND_MS, HOLD_ANSWER);
	return NEXT_WAIT;              /* room to write is an event that comes at once */
}

/* Whoever is second at c->parking, this thread or the commit, sees that the other was there. */
static enum next run(struct worker *w, struct peer *p)
{
	struct call *c = p->call;
	int running;

	do {
		atomic_store(&c->parking, CALL_RUNNING);
		if (path_run(c->exchange, w->path) == PATH_ANSWERED)
			return answer(w, p);
		running = CALL_RUNNING;
	} while (!atomic_compare_exchange_strong(&c->parking, &running, CALL_PARKED));
	return NEXT_PARKED;
}

/* ---- reading ---- */

static enum next drop(const char *fault)
{
	static struct rarely said;

	if (rarely(&said))
		log_line(LOG_LEVEL_WARNING, "a web server's request was dropped: %s", fault);
	return NEXT_CLOSE;
}

/* The feed holds `size` bytes that begin with one whole request. Bytes behind it would be a second one inside the first
 * (no web server of ours does that), or word that nobody waits for this one any more. */
static enum next begin(struct worker *w, struct peer *p, size_t size)
{
	struct call *c;
	const char *fault;

	if (size != p->frame.at)
		return drop("bytes behind its end");
	if (!(c = call_take(w, p)))
		return drop("no memory for it");
	fault = inbound_read(&c->in, &w->feed, &p->frame, exchange_request(c->exchange));
	p->frame = frame_next(&p->frame);
	if (fault) {
		call_give(w, c);
		return drop(fault);
	}
	if (c->overloaded)
		exchange_request(c->exchange)->early = REASON_OVERLOADED;
	p->call = c;
	p->phase = PEER_RUNNING;
	return run(w, p);
}

/* Counts `more` bytes of input; the slowest of other peers give way for them. */
static bool input_count(struct server *s, size_t more)
{
	if (atomic_fetch_add(&s->inputs, more) + more <= INPUTS_MAX)
		return true;
	while (peers_evict(s, HOLD_PART))
		if (atomic_load(&s->inputs) <= INPUTS_MAX)
			return true;
	atomic_fetch_sub(&s->inputs, more);
	return false;
}

/* Room for more of an incomplete request. false: it is as long as one may be, or memory is short. */
static bool input_room(struct server *s, struct peer *p, size_t at_least)
{
	size_t room = p->input_room ? p->input_room : INPUT_STEP;
	unsigned char *input;

	while (room < at_least)
		room *= 2;
	if (room > FRAME_MAX)
		return false;
	if (room == p->input_room)
		return true;
	if (!input_count(s, room - p->input_room))
		return false;
	input = realloc(p->input, room);
	if (!input) {
		atomic_fetch_sub(&s->inputs, room - p->input_room);
		return false;
	}
	p->input = input;
	p->input_room = room;
	return true;
}

/* Its first bytes have come, but not all: they move from the thread's feed into memory of its own. */
static bool input_start(struct worker *w, struct peer *p, size_t size)
{
	if (!input_room(w->server, p, size))
		return false;
	memcpy(p->input, w->feed.data, size);
	p->input_size = size;
	peer_deadline(p, READ_MS, HOLD_PART);
	return true;
}

/* What came in pieces was the end of the request before: nothing of a next one has come. */
static enum next input_nothing(struct worker *w, struct peer *p)
{
	peer_input_free(w->server, p);
	peer_deadline(p, IDLE_MS, HOLD_IDLE);
	return NEXT_AGAIN;
}

static enum next input_whole(struct worker *w, struct peer *p)
{
	size_t size = p->input_size;

	memcpy(w->feed.data, p->input, size);
	peer_input_free(w->server, p);
	return begin(w, p, size);
}

/* Goes on with a request that comes in pieces, as far as bytes are there. */
static enum next read_on(struct worker *w, struct peer *p)
{
	for (;;) {
		ssize_t n;

		if (!input_room(w->server, p, p->input_size + 1))
			return drop(TOO_LONG);
		n = recv(p->fd, p->input + p->input_size, p->input_room - p->input_size, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? NEXT_WAIT : NEXT_CLOSE;
		p->input_size += (size_t)n;
		switch (frame_walk(&p->frame, p->input, &p->input_size)) {
		case FRAME_WHOLE:
			return input_whole(w, p);
		case FRAME_BAD:
			return drop(p->frame.bad);
		case FRAME_MORE:
			if (p->input_size == 0)
				return input_nothing(w, p);
			break;
		}
	}
}

static enum next read_first(struct worker *w, struct peer *p)
{
	size_t size;
	ssize_t n;

	n = recv(p->fd, w->feed.data, FRAME_MAX, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? NEXT_WAIT : NEXT_CLOSE;
	size = (size_t)n;
	switch (frame_walk(&p->frame, w->feed.data, &size)) {
	case FRAME_WHOLE:
		return begin(w, p, size);
	case FRAME_BAD:
		return drop(p->frame.bad);
	case FRAME_MORE:
		break;
	}
	if (size == 0)
		return NEXT_AGAIN;             /* it was the end of the request before */
	return input_start(w, p, size) ? read_on(w, p) : drop(TOO_LONG);
}

static enum next read_some(struct worker *w, struct peer *p)
{
	if (!w->feed.data && feed_init(&w->feed) != RC_OK)     /* libfcgi closed the last one on an error */
		return drop("no memory to read it");
	return p->input ? read_on(w, p) : read_first(w, p);
}

/* ---- the whole ---- */

static enum next (*const phases[])(struct worker *w, struct peer *p) = {
	[PEER_READING] = read_some,
	[PEER_RUNNING] = run,
	[PEER_SENDING] = send_on,
	[PEER_LEAVING] = leave,
};

void peer_serve(struct worker *w, struct peer *p)
{
	enum next next;

	do {
		next = phases[p->phase](w, p);
		if (next == NEXT_WAIT) {
			enum peer_wait wait = peer_wait(w->server, p);

			if (wait == PEER_LET_GO)
				return;
			next = wait == PEER_MORE ? NEXT_AGAIN : NEXT_CLOSE;
		}
	} while (next == NEXT_AGAIN);
	if (next == NEXT_CLOSE)
		peer_close(w->server, p);
}
