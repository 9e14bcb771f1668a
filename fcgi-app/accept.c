/* accept.c -- the listener, the threads and their one epoll set.
 *
 * All threads wait in the same set. The listener is edge-triggered: whoever it wakes accepts all that have come,
 * serves the first itself and leaves the others in the queue. A new connection is looked at before it enters the
 * set: the usual one has its request with it, is answered and closed, and never enters.
 *
 * The socket is a trust boundary: whoever talks FastCGI to it can say what the web server says, REMOTE_ADDR and
 * Authorization included. So the kernel is asked who is there (SO_PEERCRED), and strangers are closed unanswered. */
#include "server.h"

#include "listen.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Keys of events that are not a peer's: no slot has these numbers. */
#define KEY_LISTENER UINT64_MAX
#define KEY_QUEUE (UINT64_MAX - 1)
#define KEY_QUIT (UINT64_MAX - 2)

#define TICK_MS 1000
#define PAUSE_MS 100                   /* without descriptors: before the next accept */
#define ACCEPTS_AT_ONCE 64             /* before a thread looks at the peers there are */

/* ---- accepting ---- */

static bool peer_allowed(const struct server *s, int fd)
{
	static struct rarely said;
	uid_t who;

	if (listen_peer_allowed(fd, s->o.peers, &who))
		return true;
	if (rarely(&said))
		log_line(LOG_LEVEL_WARNING, "user %u connected and was refused: run with --peer USER if that is the web server",
			 (unsigned)who);
	return false;
}

/* All descriptors are in use: a connection that waits for nothing of ours makes room; else the listener rests for
 * PAUSE_MS, so that nothing spins, and who wants to connect waits in the backlog. */
static bool make_room(struct server *s)
{
	static struct rarely said;

	if (peers_evict(s, PEERS_FOR_ANOTHER))
		return true;
	if (rarely(&said))
		log_line(LOG_LEVEL_WARNING, "out of descriptors: new connections have to wait");
	atomic_store(&s->accept_paused, true);
	return false;
}

enum accepted { ACCEPTED, ACCEPT_NONE, ACCEPT_SKIPPED };

static enum accepted accept_one(struct server *s, struct peer **ret)
{
	static struct rarely full;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		return make_room(s) ? ACCEPT_SKIPPED : ACCEPT_NONE;
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR ? ACCEPT_SKIPPED : ACCEPT_NONE;
	if (!peer_allowed(s, fd)) {
		close(fd);
		return ACCEPT_SKIPPED;
	}
	*ret = peer_take(s, fd);
	if (!*ret && peers_evict(s, PEERS_FOR_ANOTHER))
		*ret = peer_take(s, fd);
	if (*ret)
		return ACCEPTED;
	if (rarely(&full))
		log_line(LOG_LEVEL_WARNING, "all %u connections are in use: new ones are closed", s->o.peers_max);
	close(fd);
	return ACCEPT_SKIPPED;
}

/* Those that have come, into the queue, `most` of them; one more thread is woken where one cannot serve them at once.
 * true: there may be more, of which the listener's edge tells nobody any more. */
static bool accept_some(struct server *s, unsigned most)
{
	struct peer *p = NULL;
	unsigned count = 0;
	enum accepted got = ACCEPTED;

	for (unsigned i = 0; i < most && !atomic_load(&s->accept_paused); i++) {
		if ((got = accept_one(s, &p)) == ACCEPT_NONE)
			break;
		if (got == ACCEPTED) {
			queue_push(&s->queue, p, false);
			count++;
		}
	}
	if (count > 1)
		queue_wake(&s->queue);
	return got != ACCEPT_NONE && !atomic_load(&s->accept_paused);
}

/* However fast they come, the peers that are there have their turn in between: the rest is an event of its own, behind
 * those that wait. */
static void accept_in_turn(struct server *s)
{
	if (!accept_some(s, ACCEPTS_AT_ONCE))
		return;
	atomic_store(&s->accept_more, true);
	queue_wake(&s->queue);
}

static bool watch(struct server *s, int fd, uint32_t events, uint64_t key)
{
	struct epoll_event e = { .events = events, .data.u64 = key };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* EPOLLEXCLUSIVE: of several workers on one socket, one is woken. It cannot be modified, only added anew. */
static bool watch_listener(struct server *s)
{
	return watch(s, s->listener, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, KEY_LISTENER);
}

/* ---- the threads ---- */

static void handle(struct worker *w, uint64_t key, uint32_t events)
{
	struct server *s = w->server;
	struct peer *p;

	if (key == KEY_LISTENER) {
		accept_in_turn(s);
	} else if (key == KEY_QUEUE) {
		if (atomic_exchange(&s->accept_more, false))
			accept_in_turn(s);
		if (atomic_load(&s->queue.count) > 1) /* more than this thread can do at once: wake the next */
			queue_wake(&s->queue);
	} else if ((p = peer_event(s, key, events)) != NULL) {
		peer_serve(w, p);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct server *s = w->server;
	struct epoll_event e = { 0 };
	struct peer *p;

	while (e.data.u64 != KEY_QUIT) {
		while ((p = queue_pop(&s->queue)) != NULL)
			peer_serve(w, p);
		if (epoll_wait(s->epoll, &e, 1, -1) == 1 && e.data.u64 != KEY_QUIT)
			handle(w, e.data.u64, e.events);
	}
	return NULL;
}

static enum rc worker_start(struct server *s, struct worker *w)
{
	enum rc rc;

	w->server = s;
	w->feed.fd = -1;
	if ((rc = path_thread_new(s->o.path, &w->path)) != RC_OK || (rc = feed_init(&w->feed)) != RC_OK)
		return rc;
	if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
		return RC_IO;
	s->started++;
	return RC_OK;
}

static void worker_done(struct worker *w)
{
	path_thread_free(w->path);
	if (w->feed.data)
		feed_done(&w->feed);
	call_free(w->spare);
}

/* ---- starting ---- */

/* libfcgi installs handlers for SIGTERM, SIGUSR1 and SIGPIPE; the main thread takes signals, so its choices are
 * undone. Its waits on closing are set to nothing: it never closes a socket here. */
static enum rc start_libfcgi(void)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };

	if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) != 0 ||
	    setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "0", 1) != 0 || FCGX_Init() != 0)
		return RC_IO;
	if (sigaction(SIGTERM, &usual, NULL) != 0 || sigaction(SIGUSR1, &usual, NULL) != 0 ||
	    sigaction(SIGPIPE, &ignore, NULL) != 0)
		return RC_IO;
	return RC_OK;
}

static void server_free(struct server *s)
{
	int fds[] = { s->epoll, s->listener, s->quit_fd };

	for (unsigned i = 0; s->workers && i < s->o.threads; i++)
		worker_done(&s->workers[i]);
	free(s->workers);
	for (unsigned i = 0; i < s->peers.count; i++) {
		struct peer *p = &s->peers.slot[i];

		call_free(p->call);
		p->call = NULL;
		if (p->fd >= 0)
			peer_close(s, p);
	}
	while (s->pool) {
		struct call *c = s->pool;

		s->pool = c->next;
		call_free(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	queue_done(&s->queue);
	peers_done(&s->peers);
	pthread_mutex_destroy(&s->pool_lock);
	pthread_mutex_destroy(&s->gone_lock);
	pthread_cond_destroy(&s->gone);
	free(s);
}

static struct server *server_new(const struct server_options *o)
{
	struct server *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return NULL;
	s->o = *o;
	s->listener = o->listener;
	s->queue.wake_fd = -1;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->quit_fd = eventfd(0, EFD_CLOEXEC);
	s->workers = calloc(o->threads, sizeof(*s->workers));
	pthread_mutex_init(&s->pool_lock, NULL);
	pthread_mutex_init(&s->gone_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->gone, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

/* The listener's flags are shared with whoever gave it to us; non-blocking harms none of them. */
static enum rc set_up(struct server *s, struct why *why)
{
	int flags = fcntl(s->listener, F_GETFL);
	enum rc rc;

	if (!s->workers)
		return RC_NOMEM;
	if ((rc = start_libfcgi()) != RC_OK || (rc = peers_init(&s->peers, s->o.peers_max)) != RC_OK ||
	    (rc = queue_init(&s->queue)) != RC_OK)
		return rc;
	if (s->epoll < 0 || s->quit_fd < 0 || flags < 0 || fcntl(s->listener, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    !watch(s, s->queue.wake_fd, EPOLLIN | EPOLLET, KEY_QUEUE)) {
		why_set(why, "no descriptors for the accept loop: %s", strerror(errno));
		return RC_IO;
	}
	for (unsigned i = 0; i < s->o.threads && rc == RC_OK; i++)
		rc = worker_start(s, &s->workers[i]);
	if (rc == RC_OK && !watch_listener(s)) {
		why_set(why, "the socket cannot be waited for: %s", strerror(errno));
		rc = RC_IO;
	}
	return rc;
}

enum rc server_start(const struct server_options *o, struct server **ret, struct why *why)
{
	struct server *s = server_new(o);
	enum rc rc = s ? set_up(s, why) : RC_NOMEM;

	if (rc == RC_OK)
		*ret = s;
	else if (s)
		server_end(s, 1000);
	return rc;
}

/* ---- running and stopping: the main thread ---- */

unsigned server_tick(struct server *s)
{
	peers_sweep(s, clock_mono_ms(), false);
	if (!atomic_load(&s->accept_paused) || atomic_load(&s->stopping))
		return TICK_MS;
	/* Added anew, the listener reports what has been waiting. */
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
	atomic_store(&s->accept_paused, false);
	if (!watch_listener(s))
		atomic_store(&s->accept_paused, true);
	return PAUSE_MS;
}

void server_stop_accepting(struct server *s)
{
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
	accept_some(s, s->o.peers_max);            /* what the backlog holds; more cannot be served in time */
	queue_wake(&s->queue);
	atomic_store(&s->stopping, true);
	atomic_store(&s->accept_paused, true);
}

static struct timespec in_ms(unsigned ms, clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Woken when the last one goes; looks itself now and then for those that have become idle. */
bool server_drain(struct server *s, unsigned ms)
{
	uint64_t until = clock_mono_ms() + ms;

	for (;;) {
		struct timespec soon = in_ms(20, CLOCK_MONOTONIC);

		peers_sweep(s, clock_mono_ms(), true);
		if (atomic_load(&s->peers.open) == 0)
			return true;
		if (clock_mono_ms() >= until)
			return false;
		pthread_mutex_lock(&s->gone_lock);
		if (atomic_load(&s->peers.open) != 0)
			pthread_cond_timedwait(&s->gone, &s->gone_lock, &soon);
		pthread_mutex_unlock(&s->gone_lock);
	}
}

bool server_end(struct server *s, unsigned ms)
{
	struct timespec until = in_ms(ms, CLOCK_REALTIME);

	/* Level-triggered and never read: every thread sees it. */
	if (s->started && !watch(s, s->quit_fd, EPOLLIN, KEY_QUIT))
		return false;
	if (s->started && eventfd_write(s->quit_fd, 1) != 0)
		return false;
	for (unsigned i = 0; i < s->started; i++)
		if (pthread_timedjoin_np(s->workers[i].thread, NULL, &until) != 0)
			return false;
	server_free(s);
	return true;
}
