/* frame.h -- is there one whole FastCGI request in these bytes, and is it nothing but that?
 *
 * libfcgi must not meet a peer's bytes unchecked: FCGI_GET_VALUES overflows a buffer on its stack, a length of 2
 * GiB aborts the process, and parameters that end early are taken for a complete environment. So the records are
 * walked here first; what is not exactly BEGIN_REQUEST, PARAMS, STDIN of one request is refused (FastCGI
 * specification 1.0, 3.3 and 5).
 *
 * An authorizer gets no STDIN (6.3), and servers differ in how they say so: mod_fcgid sends nothing, lighttpd an
 * empty STDIN, but nothing where the visitor's request has a body. So an authorizer's request is whole when its
 * parameters are; the one record that may follow is waited for only once its first byte is there, and may also come
 * before the next request of the connection. */
#ifndef POSTERN_FCGI_APP_FRAME_H
#define POSTERN_FCGI_APP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX (256 * 1024)         /* bytes of one request kept, record headers and padding included */
#define FRAME_PARAMS_MAX 65536         /* bytes of its parameters */

enum frame_result { FRAME_MORE, FRAME_WHOLE, FRAME_BAD };

/* Walks the name-value pairs (3.4) through however many records they come in. */
struct frame_pairs { uint8_t head[8]; unsigned have; uint32_t name_left, value_left; };

struct frame {                         /* zero: nothing seen yet */
	enum { FRAME_BEGIN, FRAME_PARAMS, FRAME_STDIN, FRAME_NO_STDIN, FRAME_END } expects;
	size_t at;                     /* bytes walked */
	uint16_t id;
	uint16_t late;                 /* an answered authorizer's id, whose empty STDIN may yet come; 0: none */
	bool authorizer;
	struct frame_pairs pairs;
	size_t params;                 /* bytes of PARAMS and of STDIN so far */
	uint64_t body;
	bool body_cut;                 /* the body is over BODY_MAX: what is beyond was thrown away */
	size_t drop;                   /* bytes yet to be thrown away */
	const char *bad;               /* static: what was wrong */
};

/* Goes on where it stopped; data[0] is the first byte of the request. STDIN beyond BODY_MAX is counted and taken
 * out of the data, and so is padding that libfcgi would trip over: *size shrinks. FRAME_WHOLE: the request is
 * data[0..at); bytes behind it are the caller's to judge. FRAME_MORE with a *size of 0: no request has begun. */
enum frame_result frame_walk(struct frame *f, unsigned char *data, size_t *size);

/* The frame of the connection's next request, behind one that was whole. */
struct frame frame_next(const struct frame *f);
#define FRAME_LATE_MAX (8 + 255)       /* bytes of an empty STDIN record that may come behind an answer */

#endif
