/* request.c -- from FastCGI parameters to a struct request, in one pass over them.
 *
 * Of the client's headers only these are read: Authorization, Origin, Host, Content-Type (design 8), Idempotency-Key.
 * Authorization, Idempotency-Key and the server's POSTERN_ parameters are counted, for two of them decide differently
 * from one. */
#include "request.h"

#include "route.h"
#include "base/log.h"
#include "base/text.h"

#include <assert.h>
#include <fcgiapp.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BODY_KEPT 16384                /* memory a call keeps for its next body */

enum parameter {
	P_METHOD, P_PROTOCOL, P_PATH_INFO, P_SCRIPT_NAME, P_CONTENT_LENGTH, P_CONTENT_TYPE, P_REMOTE, P_AUTHORIZATION,
	P_IDEMPOTENCY_KEY, P_ORIGIN, P_HOST, P_SITE, P_METRICS, P_ROLE, P_ANONYMOUS, P_COUNT
};
#define NAME(text) { text, sizeof(text) - 1 }
static const struct span parameter_names[P_COUNT] = {
	[P_METHOD] = NAME("REQUEST_METHOD"), [P_PROTOCOL] = NAME("SERVER_PROTOCOL"), [P_PATH_INFO] = NAME("PATH_INFO"),
	[P_SCRIPT_NAME] = NAME("SCRIPT_NAME"), [P_CONTENT_LENGTH] = NAME("CONTENT_LENGTH"),
	[P_CONTENT_TYPE] = NAME("CONTENT_TYPE"), [P_REMOTE] = NAME("REMOTE_ADDR"),
	[P_AUTHORIZATION] = NAME("HTTP_AUTHORIZATION"), [P_ORIGIN] = NAME("HTTP_ORIGIN"),
	[P_IDEMPOTENCY_KEY] = NAME("HTTP_IDEMPOTENCY_KEY"),
	[P_HOST] = NAME("HTTP_HOST"), [P_SITE] = NAME("POSTERN_SITE"), [P_METRICS] = NAME("POSTERN_METRICS"),
	[P_ROLE] = NAME("POSTERN_ROLE"), [P_ANONYMOUS] = NAME("POSTERN_ANONYMOUS"),
};
struct parameters { struct { size_t count; struct span first; } p[P_COUNT]; };

/* ---- the memory file ---- */

enum rc feed_init(struct feed *f)
{
	void *data = MAP_FAILED;
	int fd = memfd_create("request", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, FRAME_MAX) == 0)
		data = mmap(NULL, FRAME_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return RC_IO;
	}
	*f = (struct feed){ .fd = fd, .data = data };
	return RC_OK;
}

void feed_done(struct feed *f)
{
	if (f->data) {
		munmap(f->data, FRAME_MAX);
		close(f->fd);
	}
	*f = (struct feed){ .fd = -1 };
}

/* ---- parameters ---- */

static void note(struct parameters *ps, const char *name, size_t size, const char *value)
{
	for (int i = 0; i < P_COUNT; i++) {
		if (!span_equal(span_of(name, size), parameter_names[i]))
			continue;
		if (ps->p[i].count++ == 0)
			ps->p[i].first = span_str(value);
		return;
	}
}

static void note_all(struct parameters *ps, char **envp)
{
	for (; *envp; envp++) {
		const char *equals = strchr(*envp, '=');

		if (equals)
			note(ps, *envp, (size_t)(equals - *envp), equals + 1);
	}
}

/* ---- the body ---- */

/* CONTENT_LENGTH: unset and empty mean that nothing was promised (RFC 3875 4.1.2); else digits and nothing else. */
enum promise { PROMISE_NONE, PROMISE_SIZE, PROMISE_UNREADABLE };

static enum promise promised(struct span text, uint64_t *ret)
{
	const char *at = text.data;
	uint64_t n = 0;

	if (text.size == 0)
		return PROMISE_NONE;
	for (size_t i = 0; i < text.size; i++) {
		if (!ascii_is_digit(at[i]))
			return PROMISE_UNREADABLE;
		if (n <= BODY_MAX)                 /* more is too large, however much more */
			n = n * 10 + (uint64_t)(at[i] - '0');
	}
	*ret = n;
	return PROMISE_SIZE;
}

static bool body_room(struct inbound *in, size_t size)
{
	char *room;

	if (size <= in->body_room)
		return true;
	room = realloc(in->body, size);
	if (!room)
		return false;
	in->body = room;
	in->body_room = size;
	return true;
}

/* Reads one byte more than there is, so that the end of the stream is seen too. */
static const char *read_body(struct inbound *in, const struct frame *frame, struct request *ret)
{
	size_t size = (size_t)frame->body;
	int got;

	if (!body_room(in, size + 1))
		return "no memory for its body";
	got = FCGX_GetStr(in->body, (int)size + 1, in->fcgi->in);
	if (got < 0 || (size_t)got != size || FCGX_GetError(in->fcgi->in))
		return "a body that does not end";
	ret->body = span_of(in->body, size);
	return NULL;
}

static const char *take_body(struct inbound *in, const struct frame *frame, const struct parameters *ps,
			     struct request *ret)
{
	uint64_t said = 0;
	enum promise promise = promised(ps->p[P_CONTENT_LENGTH].first, &said);

	if (frame->body_cut || said > BODY_MAX) {
		if (ret->early == REASON_NONE)
			ret->early = REASON_BODY_TOO_LARGE;
		return NULL;
	}
	ret->body_short = promise == PROMISE_UNREADABLE || (promise == PROMISE_SIZE && said != frame->body);
	return read_body(in, frame, ret);
}

/* ---- libfcgi and memory ---- */

/* Where memory fails libfcgi asserts that it does not. That must not end the process, and with it all that others wait for. */
static _Thread_local jmp_buf *without_memory;

/* In the place of the C library's, for every library that is linked. */
void __assert_fail(const char *what, const char *file, unsigned line, const char *function)    /* NOLINT(*-reserved-identifier) */
{
	if (without_memory)
		longjmp(*without_memory, 1);
	log_line(LOG_LEVEL_ERROR, "postern-fcgi gave up: %s:%u: %s: %s", file, line, function, what);
	abort();
}

enum accepted { ACCEPTED, REFUSED, NO_MEMORY };

/* What libfcgi was making when memory failed is lost (one small block); what it had made is freed. */
static enum accepted accept_request(FCGX_Request *r)
{
	volatile enum accepted ended = NO_MEMORY;
	jmp_buf here;

	without_memory = &here;
	if (setjmp(here) == 0)
		ended = FCGX_Accept_r(r) == 0 ? ACCEPTED : REFUSED;
	else
		FCGX_Free(r, 0);
	without_memory = NULL;
	return ended;
}

/* ---- the whole ---- */

/* keepConnection makes libfcgi leave our descriptor alone when it starts; without a listening socket it can only
 * read this one. */
static const char *accept_from(struct inbound *in, struct feed *f)
{
	if (!in->fcgi && !(in->fcgi = malloc(sizeof(*in->fcgi))))
		return "no memory for it";
	if (lseek(f->fd, 0, SEEK_SET) != 0)
		return "its bytes could not be read again";
	FCGX_InitRequest(in->fcgi, -1, 0);
	in->fcgi->ipcFd = f->fd;
	in->fcgi->keepConnection = 1;
	switch (accept_request(in->fcgi)) {
	case ACCEPTED:
		break;
	case NO_MEMORY:
		return "no memory for it";
	case REFUSED:
		/* It has closed the descriptor. */
		munmap(f->data, FRAME_MAX);
		*f = (struct feed){ .fd = -1 };
		return "libfcgi refused it";
	}
	in->open = true;
	in->keep = in->fcgi->keepConnection != 0;
	in->fcgi->keepConnection = 1;
	return FCGX_GetError(in->fcgi->in) ? "libfcgi could not read it" : NULL;
}

/* There once, with exactly this value? */
static bool says(const struct parameters *ps, enum parameter which, const char *value)
{
	return ps->p[which].count == 1 && span_is(ps->p[which].first, value);
}

static void fill(struct request *ret, const struct frame *frame, const struct parameters *ps)
{
	struct target target = {
		.method = ps->p[P_METHOD].first,
		.path_info = ps->p[P_PATH_INFO].first,
		.script_name = ps->p[P_SCRIPT_NAME].first,
		.metrics = says(ps, P_METRICS, "1"),
		.authorizer = frame->authorizer,
		.role_count = ps->p[P_ROLE].count,
		.role = ps->p[P_ROLE].first,
	};

	ret->site_pin_count = ps->p[P_SITE].count;
	ret->site_pin = ps->p[P_SITE].first;
	ret->authorization_count = ps->p[P_AUTHORIZATION].count;
	ret->authorization = ps->p[P_AUTHORIZATION].first;
	ret->idempotency_key_count = ps->p[P_IDEMPOTENCY_KEY].count;
	ret->idempotency_key = ps->p[P_IDEMPOTENCY_KEY].first;
	ret->has_origin = ps->p[P_ORIGIN].count > 0;
	if (ps->p[P_ORIGIN].count == 1)
		ret->origin = ps->p[P_ORIGIN].first;     /* of several none is on any list */
	ret->host = ps->p[P_HOST].first;
	ret->content_type = ps->p[P_CONTENT_TYPE].first;
	ret->remote = ps->p[P_REMOTE].first;
	ret->anonymous_allowed = says(ps, P_ANONYMOUS, "allow");
	route(&target, ret);
}

const char *inbound_read(struct inbound *in, struct feed *f, const struct frame *frame, struct request *ret)
{
	struct parameters ps = { 0 };
	const char *fault = accept_from(in, f);

	if (fault)
		return fault;
	note_all(&ps, in->fcgi->envp);
	if (ps.p[P_METHOD].count == 0 || ps.p[P_PROTOCOL].count == 0)
		return "no REQUEST_METHOD or SERVER_PROTOCOL";
	fill(ret, frame, &ps);
	if (ret->endpoint->guards)
		return NULL;                   /* an authorizer has no STDIN; what came as one is the application's */
	return take_body(in, frame, &ps, ret);
}

void inbound_close(struct inbound *in)
{
	if (in->open)
		FCGX_Free(in->fcgi, 0);           /* 0: the descriptors are ours */
	in->open = false;
	if (in->body_room > BODY_KEPT) {
		free(in->body);
		in->body = NULL;
		in->body_room = 0;
	}
}

void inbound_done(struct inbound *in)
{
	inbound_close(in);
	free(in->fcgi);
	free(in->body);
	*in = (struct inbound){ 0 };
}
