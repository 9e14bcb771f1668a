/* reply.c -- from struct answer to FastCGI records. */
#include "reply.h"

#include <errno.h>
#include <fcgiapp.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* What surely fits into the empty buffer of a Unix socket (net.core.wmem_default 212,992 less its book-keeping). */
#define DIRECT_MAX 65536

static const struct { int status; const char *line; } status_lines[] = {
	{ 200, "Status: 200 OK\r\n" },
	{ 204, "Status: 204 No Content\r\n" },
	{ 400, "Status: 400 Bad Request\r\n" },
	{ 401, "Status: 401 Unauthorized\r\n" },
	{ 403, "Status: 403 Forbidden\r\n" },
	{ 404, "Status: 404 Not Found\r\n" },
	{ 405, "Status: 405 Method Not Allowed\r\n" },
	{ 409, "Status: 409 Conflict\r\n" },
	{ 413, "Status: 413 Content Too Large\r\n" },
	{ 415, "Status: 415 Unsupported Media Type\r\n" },
	{ 429, "Status: 429 Too Many Requests\r\n" },
	{ 500, "Status: 500 Internal Server Error\r\n" },
	{ 502, "Status: 502 Bad Gateway\r\n" },
	{ 503, "Status: 503 Service Unavailable\r\n" },
	{ 504, "Status: 504 Gateway Timeout\r\n" },
};

/* A status that codes.h has and this table has not would be a mistake of ours: 500 says so. */
static const char *status_line(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(status_lines); i++)
		if (status_lines[i].status == status)
			return status_lines[i].line;
	return "Status: 500 Internal Server Error\r\n";
}

static void put(FCGX_Stream *out, const struct buf *b)
{
	if (b->size && b->size <= INT_MAX)
		FCGX_PutStr(b->data, (int)b->size, out);
}

static void put_length(FCGX_Stream *out, size_t size)
{
	char line[48];
	int n = snprintf(line, sizeof(line), "Content-Length: %zu\r\n", size);

	FCGX_PutStr(line, n, out);
}

/* RFC 9110 8.6: no Content-Length with 204. */
static bool write_records(struct inbound *in, const struct answer *a, bool head)
{
	FCGX_Stream *out = in->fcgi->out;

	FCGX_PutS(status_line(a->status), out);
	put(out, &a->headers);
	if (a->status != 204)
		put_length(out, a->body.size);
	FCGX_PutStr("\r\n", 2, out);
	if (!head)
		put(out, &a->body);
	/* err first: nothing was written to it, so it costs no record. out then ends the request in the same write. */
	return FCGX_FClose(in->fcgi->err) == 0 && FCGX_FClose(out) == 0;
}

static enum reply_result write_spool(struct inbound *in, const struct answer *a, struct spool *ret)
{
	int fd = memfd_create("answer", MFD_CLOEXEC);
	off_t size;

	if (fd < 0)
		return REPLY_FAILED;
	in->fcgi->ipcFd = fd;
	if (!write_records(in, a, false) || (size = lseek(fd, 0, SEEK_CUR)) <= 0) {
		close(fd);
		return REPLY_FAILED;
	}
	*ret = (struct spool){ .fd = fd, .size = size };
	return REPLY_SPOOLED;
}

enum reply_result reply_write(struct inbound *in, int socket, const struct answer *a, bool head,
			      struct spool *ret_spool)
{
	if (!head && a->body.size > DIRECT_MAX)
		return write_spool(in, a, ret_spool);
	in->fcgi->ipcFd = socket;
	return write_records(in, a, head) ? REPLY_SENT : REPLY_FAILED;
}

enum spool_result spool_send(struct spool *s, int socket)
{
	while (s->at < s->size) {
		ssize_t n = sendfile(socket, s->fd, &s->at, (size_t)(s->size - s->at));

		if (n < 0 && errno == EAGAIN)
			return SPOOL_WAIT;
		if (n <= 0)
			return SPOOL_BROKEN;
	}
	return SPOOL_EMPTY;
}

void spool_done(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct spool){ .fd = -1 };
}
