/* server.h -- what the files of the accept loop share: accept.c, peer.c, queue.c, serve.c.
 *
 * A peer is one connection of a web server. It sits in a slot that is never freed, and has one owner at a time: the
 * thread that moved its state to BUSY, or, while its record is being committed, nobody until the commit hands it to
 * the queue. No thread ever waits for a peer: it is read without blocking, its answer is written without blocking,
 * and between the two it waits in the epoll set (edge-triggered; an event for a busy peer is remembered as AGAIN
 * and looked into by its owner).
 *
 * Lifetimes: an epoll event names slot and generation, so one that arrives late finds another generation and means
 * nothing. */
#ifndef POSTERN_FCGI_APP_SERVER_H
#define POSTERN_FCGI_APP_SERVER_H

#include "accept.h"
#include "reply.h"
#include "request.h"

#include <pthread.h>

/* From the first byte of a request to its last, however it drips; also for a new connection that says nothing. */
#define READ_MS 10000
#define IDLE_MS 60000                  /* a kept connection without a request */
#define LEAVE_MS 2000                  /* answered, and what the peer may yet send has not come */
#define SEND_MS 30000                  /* an answer too long for the socket's buffer, to a slow reader */
#define SPARED_MS 1000                 /* what has begun is not closed to make room before it had this long */

/* What all slow peers together may have of the memory: past it the slowest are closed. */
#define INPUTS_MAX (64 * 1024 * 1024)  /* of incomplete requests */
#define SPOOLS_MAX (256 * 1024 * 1024) /* of answers not yet read */

/* ---- a request in flight ---- */

enum parking { CALL_RUNNING, CALL_PARKED, CALL_WOKEN };

/* Made once, used for one request after another; belongs to a peer from its whole request to its answer. */
struct call {
	struct server *server;
	struct peer *peer;
	struct inbound in;
	struct exchange *exchange;
	bool overloaded;               /* more in flight than there may be: it is turned away */
	_Atomic int parking;           /* enum parking: who goes on after PATH_WAITING, the thread that ran it or the queue */
	struct call *next;             /* in the pool */
};

/* ---- peer.c: slots, states, deadlines ---- */

enum peer_state { PEER_FREE, PEER_WAITING, PEER_BUSY, PEER_AGAIN };
enum peer_phase { PEER_READING, PEER_RUNNING, PEER_SENDING, PEER_LEAVING };

/* What a waiting peer is in the middle of; a bit each, the sooner closed to make room the lower. */
enum peer_hold {
	HOLD_IDLE = 1,                 /* kept or leaving, and no byte of a next request has come */
	HOLD_SILENT = 2,               /* new, and nothing has come */
	HOLD_PART = 4,                 /* part of a request has come */
	HOLD_ANSWER = 8,               /* its answer is not all sent */
};
#define PEERS_FOR_ANOTHER (HOLD_IDLE | HOLD_SILENT | HOLD_PART)

struct peer {
	_Atomic uint64_t word;         /* generation << 8 | enum peer_state */
	_Atomic uint64_t deadline_ms;  /* when a waiting peer is closed */
	_Atomic int hold;              /* enum peer_hold */
	atomic_bool hung_up;           /* an event has said that it sends no more: no other will */
	enum peer_phase phase;         /* from here on: its owner's alone */
	int fd;
	bool registered, wants_out;    /* as the epoll set has it */
	bool keep;                     /* after the answer that is being sent */
	size_t left;                   /* leaving: bytes that may yet come */
	struct frame frame;
	unsigned char *input;          /* of an incomplete request; NULL: none */
	size_t input_size, input_room;
	struct call *call;
	struct spool spool;
	struct peer *next;             /* in the queue, or among the free */
};

struct peers { struct peer *slot; unsigned count; pthread_mutex_t lock; struct peer *free; atomic_uint open; };

enum rc peers_init(struct peers *ps, unsigned count) MUST_CHECK;
void    peers_done(struct peers *ps);
struct peer *peer_take(struct server *s, int fd);              /* busy, owned by the caller; NULL: no slot */
struct peer *peer_event(struct server *s, uint64_t key, uint32_t events);      /* owned by the caller now; NULL: somebody else's */
/* The owner lets go and waits for the next event; unless something came meanwhile (MORE), or it cannot be waited
 * for (LOST). */
enum peer_wait { PEER_LET_GO, PEER_MORE, PEER_LOST };
enum peer_wait peer_wait(struct server *s, struct peer *p);
void peer_deadline(struct peer *p, unsigned ms, enum peer_hold hold);
void peer_input_free(struct server *s, struct peer *p);
void peer_spool_done(struct server *s, struct peer *p);
void peer_close(struct server *s, struct peer *p);
/* Closes what is past its deadline; idle ones at once where `idle_too`. */
void peers_sweep(struct server *s, uint64_t now_ms, bool idle_too);
/* Closes one of these holds (bits): the lowest, of that the one whose time is up first. false: there is none. */
bool peers_evict(struct server *s, int holds);

/* ---- queue.c: peers that have something to do and no owner thread yet ---- */

struct queue {
	pthread_mutex_t lock;
	struct peer *first, *last;
	atomic_uint count;
	int wake_fd;                   /* eventfd in the epoll set */
};
enum rc queue_init(struct queue *q) MUST_CHECK;
void    queue_done(struct queue *q);
void queue_push(struct queue *q, struct peer *p, bool wake);
struct peer *queue_pop(struct queue *q);
void queue_wake(struct queue *q);      /* one more thread */

/* ---- serve.c: what is done with a peer ---- */

struct worker {
	struct server *server;
	pthread_t thread;
	struct path_thread *path;
	struct feed feed;
	struct call *spare;            /* saves the pool's lock */
};

void peer_serve(struct worker *w, struct peer *p);             /* the caller owns p, and no longer does afterwards */
void call_free(struct call *c);

/* ---- accept.c ---- */

struct server {
	struct server_options o;
	int epoll, listener, quit_fd;
	struct peers peers;
	struct queue queue;
	struct worker *workers;
	unsigned started;
	atomic_bool stopping, accept_paused;
	atomic_bool accept_more;       /* the backlog was left with something in it */
	atomic_uint calls;             /* requests in flight */
	atomic_size_t inputs, spools;  /* bytes of all peers' */
	pthread_mutex_t pool_lock;
	struct call *pool;
	pthread_mutex_t gone_lock;
	pthread_cond_t gone;           /* a peer was closed while stopping */
};

#endif
