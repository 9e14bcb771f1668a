/* request.h -- a whole, checked FastCGI request: read by libfcgi, handed to the path.
 *
 * libfcgi reads from a file descriptor and blocks where bytes are missing. It is given a memory file that holds one
 * request which frame.h found whole and clean, never a peer's socket: so it cannot wait, and there is nothing in it
 * to trip over. */
#ifndef POSTERN_FCGI_APP_REQUEST_H
#define POSTERN_FCGI_APP_REQUEST_H

#include "frame.h"
#include "path/path.h"

struct FCGX_Request;                   /* libfcgi's; only request.c and reply.c look inside */

/* A thread's memory file: FRAME_MAX bytes that are received into, and read by libfcgi. */
struct feed { int fd; unsigned char *data; };
enum rc feed_init(struct feed *f) MUST_CHECK;
void    feed_done(struct feed *f);

struct inbound {                       /* zero: nothing in it */
	struct FCGX_Request *fcgi;     /* owned; made for the first request, used again for each */
	bool open;                     /* it holds streams and parameters */
	bool keep;                     /* the peer wants to send its next request on the same connection */
	char *body;
	size_t body_room;
};

/* Reads the request that lies at the start of the feed and routes it; spans in *ret borrow from `in` until
 * inbound_close(). Returns NULL, or static text that says why it is no request at all: nothing is answered then. */
const char *inbound_read(struct inbound *in, struct feed *f, const struct frame *frame, struct request *ret);
void        inbound_close(struct inbound *in);     /* between requests; keeps the body's memory if it is small */
void        inbound_done(struct inbound *in);

#endif
