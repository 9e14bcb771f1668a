/* server.c -- the doors: our own accept loop, then libmicrohttpd with a thread for each connection.
 *
 * A socket is a trust boundary: who passes the admin one changes what the worker can reach. So the kernel is asked who
 * is there (SO_PEERCRED) before libmicrohttpd sees the connection, and strangers are closed unanswered. The request's
 * target is taken as it came: what the library would make of %2f is not what an allow list can be compared with. */
#include "fcgi-app/connectd/server.h"

#include "fcgi-app/listen.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOORS_MAX 2
#define IDLE_SECONDS 75                /* longer than any call: the library counts a handler's time as idle */
#define HEADERS_BYTES 32768
#define STACK_BYTES (512 * 1024)
#define PAUSE_MS 100                   /* without descriptors: before the next accept */
#define ACCEPTS_AT_ONCE 64             /* of one door, before the other and the end of it all are looked at */

struct gate {
	struct door door;
	struct server *server;
	struct MHD_Daemon *daemon;
	atomic_uint open;
	struct rarely refused, full;
};

struct server {
	struct gate gates[DOORS_MAX];
	size_t count;
	int quit_fd;
	pthread_t thread;
	bool started;
	_Atomic unsigned handling;
};

/* What is gathered of a request until it is whole. */
struct exchange {
	char *target;
	char *body;
	size_t size;
	bool begun, too_large, handling;
};

/* ---- requests and answers ---- */

bool request_header_once(const struct request *r, const char *name, struct span *ret)
{
	size_t count = 0;

	*ret = span_of(NULL, 0);
	for (size_t i = 0; i < r->header_count; i++) {
		if (!ascii_equal_nocase(r->header[i].name, name))
			continue;
		*ret = r->header[i].value;
		count++;
	}
	return count <= 1;
}

void answer_header_add(struct answer *a, const char *name, const char *value)
{
	struct answer_header *h = &a->header[a->header_count];

	if (a->header_count == ANSWER_HEADERS_MAX || strlen(value) >= sizeof(h->value))
		return;
	h->name = name;
	memcpy(h->value, value, strlen(value) + 1);
	a->header_count++;
}

static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct request *r = arg;

	(void)kind;
	if (r->header_count == REQUEST_HEADERS_MAX) {
		r->too_large = true;
		return MHD_NO;
	}
	r->header[r->header_count++] = (struct request_header){ span_str(name), span_str(value ? value : "") };
	return MHD_YES;
}

static void split_target(struct request *r, const char *target)
{
	size_t size = strcspn(target, "?");

	r->path = span_of(target, size);
	r->query = target[size] ? span_str(target + size + 1) : span_of(NULL, 0);
}

/* The body becomes the library's to free. */
static struct MHD_Response *response_of(struct answer *a)
{
	size_t size = a->body.size;
	char *body = size > 0 ? buf_take(&a->body) : NULL;
	struct MHD_Response *response;

	if (size > 0 && !body)
		return NULL;
	response = MHD_create_response_from_buffer(size, body ? body : (char *)(uintptr_t)"",
						   body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!response)
		free(body);
	for (size_t i = 0; response && i < a->header_count; i++)
		MHD_add_response_header(response, a->header[i].name, a->header[i].value);
	return response;
}

static enum MHD_Result answer(struct gate *g, struct MHD_Connection *connection, const char *method,
			      struct exchange *x)
{
	struct request r = { .method = span_str(method), .body = span_of(x->body, x->size), .too_large = x->too_large };
	struct answer a = { .status = 500 };
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;

	x->handling = true;            /* until its answer is out: on_completed() */
	atomic_fetch_add(&g->server->handling, 1);
	split_target(&r, x->target);
	MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, &r);
	g->door.handle(g->door.arg, &r, &a);
	response = response_of(&a);
	if (response)
		result = MHD_queue_response(connection, (unsigned)a.status, response);
	if (response)
		MHD_destroy_response(response);
	buf_done(&a.body);
	return result;
}

/* ---- libmicrohttpd's calls ---- */

static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct exchange *x = calloc(1, sizeof(*x));

	(void)arg;
	(void)connection;
	if (x && !(x->target = strdup(target))) {
		free(x);
		return NULL;
	}
	return x;
}

static size_t on_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

/* false: no memory. */
static bool add_body(const struct gate *g, struct exchange *x, const char *data, size_t size)
{
	if (!x->body && !(x->body = malloc(g->door.body_max)))
		return false;
	if (x->too_large || size > g->door.body_max - x->size) {
		x->too_large = true;
		return true;
	}
	memcpy(x->body + x->size, data, size);
	x->size += size;
	return true;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *size, void **context)
{
	struct exchange *x = *context;

	(void)url;
	(void)version;
	if (!x)
		return MHD_NO;
	if (!x->begun) {
		x->begun = true;
		return MHD_YES;
	}
	if (*size == 0)
		return answer(arg, connection, method, x);
	if (!add_body(arg, x, data, *size))
		return MHD_NO;         /* the connection is closed without an answer */
	*size = 0;
	return MHD_YES;
}

/* A body may have held a secret. */
static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode how)
{
	struct gate *g = arg;
	struct exchange *x = *context;

	(void)connection;
	(void)how;
	if (!x)
		return;
	if (x->handling)
		atomic_fetch_sub(&g->server->handling, 1);
	if (x->body)
		secret_wipe(x->body, g->door.body_max);
	free(x->body);
	free(x->target);
	free(x);
	*context = NULL;
}

/* Not called for one that the library had no memory for: that place is lost. */
static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct gate *g = arg;

	(void)connection;
	(void)context;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED)
		atomic_fetch_sub(&g->open, 1);
}

/* ---- accepting ---- */

static bool peer_allowed(struct gate *g, int fd)
{
	uid_t who;

	if (listen_peer_allowed(fd, g->door.peers, &who))
		return true;
	if (rarely(&g->refused))
		log_line(LOG_LEVEL_WARNING, "user %u connected to the %s socket and was refused", (unsigned)who,
			 g->door.name);
	return false;
}

/* The places are counted here: libmicrohttpd up to 0.9.77 forgets to unlock a mutex where its own limit is reached, and
 * never serves anybody again. */
static void take(struct gate *g, int fd, const struct sockaddr *from, socklen_t size)
{
	if (atomic_fetch_add(&g->open, 1) < g->door.connections_max) {
		if (MHD_add_connection(g->daemon, fd, from, size) != MHD_YES)       /* which has closed it */
			atomic_fetch_sub(&g->open, 1);
		return;
	}
	atomic_fetch_sub(&g->open, 1);
	close(fd);
	if (rarely(&g->full))
		log_line(LOG_LEVEL_WARNING, "all %u connections of the %s socket are in use: new ones are closed",
			 g->door.connections_max, g->door.name);
}

/* false: nothing waits, or nothing can be accepted now. */
static bool accept_one(struct gate *g)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	int fd = accept4(g->door.listener, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		struct pollfd quit = { .fd = g->server->quit_fd, .events = POLLIN };

		(void)poll(&quit, 1, PAUSE_MS);
		return false;
	}
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (!peer_allowed(g, fd))
		close(fd);
	else
		take(g, fd, (struct sockaddr *)&from, size);
	return true;
}

/* However fast they come, and whatever becomes of them, they keep nobody else waiting. */
static void accept_some(struct gate *g)
{
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE && accept_one(g); i++)
		;
}

static void *accept_main(void *arg)
{
	struct server *s = arg;
	struct pollfd wait[DOORS_MAX + 1] = { { .fd = s->quit_fd, .events = POLLIN } };

	for (size_t i = 0; i < s->count; i++)
		wait[i + 1] = (struct pollfd){ .fd = s->gates[i].door.listener, .events = POLLIN };
	while ((wait[0].revents & POLLIN) == 0) {
		if (poll(wait, s->count + 1, -1) < 0)
			wait[0].revents = 0;
		else
			for (size_t i = 0; i < s->count; i++)
				if (wait[i + 1].revents && !(wait[0].revents & POLLIN))
					accept_some(&s->gates[i]);
	}
	return NULL;
}

/* ---- starting and stopping ---- */

static enum rc open_gate(struct gate *g)
{
	int flags = fcntl(g->door.listener, F_GETFL);

	if (flags < 0 || fcntl(g->door.listener, F_SETFL, flags | O_NONBLOCK) < 0)
		return RC_IO;
	g->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
				     MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC,
				     0, NULL, NULL, on_request, g,
				     MHD_OPTION_URI_LOG_CALLBACK, on_target, g,
				     MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, g,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, g,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, g,
				     MHD_OPTION_CONNECTION_LIMIT, UINT_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_BYTES,
				     MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
				     MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_END);
	return g->daemon ? RC_OK : RC_IO;
}

enum rc server_start(const struct door *doors, size_t count, struct server **ret)
{
	struct server *s = calloc(1, sizeof(*s));
	enum rc rc = RC_OK;

	if (!s)
		return RC_NOMEM;
	s->quit_fd = eventfd(0, EFD_CLOEXEC);
	if (s->quit_fd < 0 || count > DOORS_MAX)
		rc = RC_IO;
	for (size_t i = 0; i < count && rc == RC_OK; i++) {
		s->gates[i].door = doors[i];
		s->gates[i].server = s;
		s->count++;
		rc = open_gate(&s->gates[i]);
	}
	if (rc == RC_OK && pthread_create(&s->thread, NULL, accept_main, s) != 0)
		rc = RC_IO;
	s->started = rc == RC_OK;
	if (rc == RC_OK)
		*ret = s;
	else
		server_free(s);
	return rc;
}

static void stop_accepting(struct server *s)
{
	if (s->started && eventfd_write(s->quit_fd, 1) == 0)
		pthread_join(s->thread, NULL);
	s->started = false;
}

bool server_drain(struct server *s, unsigned ms)
{
	uint64_t until = clock_mono_ms() + ms;

	stop_accepting(s);
	while (atomic_load(&s->handling) != 0) {
		if (clock_mono_ms() >= until)
			return false;
		(void)poll(NULL, 0, 5);
	}
	return true;
}

void server_free(struct server *s)
{
	stop_accepting(s);
	for (size_t i = 0; i < s->count; i++)
		if (s->gates[i].daemon)
			MHD_stop_daemon(s->gates[i].daemon);
	if (s->quit_fd >= 0)
		close(s->quit_fd);
	free(s);
}
