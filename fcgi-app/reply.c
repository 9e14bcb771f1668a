/* reply.c -- from struct answer to FastCGI records. */
#include "reply.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* What surely fits into the empty buffer of a Unix socket (net.core.wmem_default 212,992 less its book-keeping). */
#define DIRECT_MAX 65536

static const struct { int status; const char *phrase; } phrases[] = {
	{ 200, "OK" }, { 204, "No Content" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" }, { 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" }, { 429, "Too Many Requests" }, { 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

static const char *phrase(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Status";
}

static void put(FCGX_Stream *out, const struct buf *b)
{
	if (b->size && b->size <= INT_MAX)
		FCGX_PutStr(b->data, (int)b->size, out);
}

static void putf(FCGX_Stream *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void putf(FCGX_Stream *out, const char *fmt, ...)
{
	char line[128];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n < sizeof(line))
		FCGX_PutStr(line, n, out);
}

/* RFC 9110 8.6: no Content-Length with 204. */
static bool write_records(struct inbound *in, const struct answer *a, bool head)
{
	FCGX_Stream *out = in->fcgi.out;

	putf(out, "Status: %d %s\r\n", a->status, phrase(a->status));
	put(out, &a->headers);
	if (a->status != 204)
		putf(out, "Content-Length: %zu\r\n", a->body.size);
	FCGX_PutStr("\r\n", 2, out);
	if (!head)
		put(out, &a->body);
	/* err first: nothing was written to it, so it costs no record. out then ends the request in the same write. */
	return FCGX_FClose(in->fcgi.err) == 0 && FCGX_FClose(out) == 0;
}

static enum reply_result write_spool(struct inbound *in, const struct answer *a, struct spool *ret)
{
	int fd = memfd_create("answer", MFD_CLOEXEC);
	off_t size;

	if (fd < 0)
		return REPLY_FAILED;
	in->fcgi.ipcFd = fd;
	if (!write_records(in, a, false) || (size = lseek(fd, 0, SEEK_CUR)) <= 0) {
		close(fd);
		return REPLY_FAILED;
	}
	*ret = (struct spool){ .fd = fd, .size = size };
	return REPLY_SPOOLED;
}

enum reply_result reply_write(struct inbound *in, int socket, const struct answer *a, bool head, struct spool *ret_spool)
{
	if (!head && a->body.size > DIRECT_MAX)
		return write_spool(in, a, ret_spool);
	in->fcgi.ipcFd = socket;
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
