/* inspect-fcgi.c -- one FastCGI request by hand: is the worker behind this socket well? What it answers is outside
 * text. */
#include "admin/inspect-private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_S 3
#define ANSWER_MAX 16384
#define HEADER_SIZE 8

enum record { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

/* Version, type, request 1, length, no padding. */
static void record_add(struct buf *out, enum record type, struct span content)
{
	const uint8_t head[HEADER_SIZE] = {
		1, (uint8_t)type, 0, 1, (uint8_t)(content.size >> 8), (uint8_t)content.size
	};

	buf_add(out, head, sizeof(head));
	buf_add(out, content.data, content.size);
}

static void parameter_add(struct buf *out, const char *name, const char *value)
{
	const uint8_t sizes[2] = { (uint8_t)strlen(name), (uint8_t)strlen(value) };

	buf_add(out, sizes, sizeof(sizes));
	buf_add_str(out, name);
	buf_add_str(out, value);
}

static void request_make(struct buf *out)
{
	static const uint8_t responder[] = { 0, 1, 0, 0, 0, 0, 0, 0 };
	struct buf parameters = BUF_INIT;

	parameter_add(&parameters, "REQUEST_METHOD", "GET");
	parameter_add(&parameters, "SCRIPT_NAME", "");
	parameter_add(&parameters, "PATH_INFO", "/v1/health");
	parameter_add(&parameters, "SERVER_PROTOCOL", "HTTP/1.1");
	parameter_add(&parameters, "CONTENT_LENGTH", "0");
	record_add(out, BEGIN, span_of(responder, sizeof(responder)));
	record_add(out, PARAMS, buf_span(&parameters));
	record_add(out, PARAMS, span_of(NULL, 0));
	record_add(out, STDIN, span_of(NULL, 0));
	if (parameters.failed)
		out->failed = true;
	buf_done(&parameters);
}

static enum rc rc_of(int e)
{
	return e == ECONNREFUSED || e == ENOENT ? RC_NOT_FOUND :
	       e == EAGAIN || e == EWOULDBLOCK || e == EINPROGRESS ? RC_BUSY :
	       e == EACCES || e == EPERM || e == EPIPE || e == ECONNRESET ? RC_READ_ONLY : RC_IO;
}

static enum rc dial(const char *path, int *ret_fd)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, e;

	if (strlen(path) >= sizeof(at.sun_path))
		return RC_INVALID;
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return RC_IO;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
	    connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0) {
		*ret_fd = fd;
		return RC_OK;
	}
	e = errno;
	close(fd);
	return rc_of(e);
}

/* A worker that does not take us for its web server closes. What drips is not waited for byte by byte. */
static enum rc exchange(int fd, const struct buf *request, struct buf *answer)
{
	char piece[2048];
	uint64_t end_ms = clock_mono_ms() + WAIT_S * 1000;
	ssize_t n = send(fd, request->data, request->size, MSG_NOSIGNAL);

	if (n != (ssize_t)request->size)
		return n < 0 ? rc_of(errno) : RC_BUSY;
	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0 && answer->size < ANSWER_MAX) {
		buf_add(answer, piece, (size_t)n);
		if (clock_mono_ms() > end_ms)
			return RC_BUSY;
	}
	if (n < 0)
		return rc_of(errno);
	if (answer->failed)
		return RC_NOMEM;
	return answer->size == 0 ? RC_READ_ONLY : RC_OK;
}

/* The bytes of its standard output; false: these are no records, or they do not end. */
static bool records_read(const struct buf *answer, struct buf *out)
{
	const uint8_t *at = (const uint8_t *)answer->data, *end = at + answer->size;

	while (end - at >= HEADER_SIZE) {
		size_t size = (size_t)at[4] << 8 | at[5], whole = HEADER_SIZE + size + at[6];

		if (at[0] != 1 || (size_t)(end - at) < whole)
			return false;
		if (at[1] == STDOUT)
			buf_add(out, at + HEADER_SIZE, size);
		if (at[1] == END)
			return !out->failed;
		at += whole;
	}
	return false;
}

/* CGI: without a Status it is 200. */
static enum rc status_read(const struct buf *answer, int *ret_status)
{
	static const char name[] = "Status: ";
	struct buf out = BUF_INIT;
	enum rc rc = records_read(answer, &out) && out.size > 0 ? RC_OK : RC_CORRUPT;
	const char *found;

	*ret_status = 200;
	if (rc == RC_OK) {
		buf_add(&out, "", 1);
		found = out.failed ? NULL : strstr(out.data, name);
		if (found)
			*ret_status = (int)strtol(found + sizeof(name) - 1, NULL, 10);
	}
	buf_done(&out);
	return rc;
}

enum rc fcgi_health(const char *socket, int *ret_status)
{
	struct buf request = BUF_INIT, answer = BUF_INIT;
	int fd = -1;
	enum rc rc = dial(socket, &fd);

	if (rc == RC_OK) {
		request_make(&request);
		rc = request.failed ? RC_NOMEM : exchange(fd, &request, &answer);
		close(fd);
	}
	if (rc == RC_OK)
		rc = status_read(&answer, ret_status);
	buf_done(&request);
	buf_done(&answer);
	return rc;
}
