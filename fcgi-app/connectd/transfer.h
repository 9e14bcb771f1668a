/* transfer.h -- one HTTP exchange through libcurl, within a connection's limits: the only file that calls it. */
#ifndef POSTERN_FCGI_APP_CONNECTD_TRANSFER_H
#define POSTERN_FCGI_APP_CONNECTD_TRANSFER_H

#include "fcgi-app/connectd/upstream.h"

struct transfer {                      /* all borrowed */
	const struct connection *connection;       /* http, private networks, CA */
	const char *method, *url;
	struct span headers;               /* "Name: value\r\n" lines */
	const struct secret *header;       /* one more, without its line end; NULL: none */
	struct span body;
	bool has_body;
	unsigned timeout_ms;
	size_t answer_max;
	bool lasting;                      /* out: another try would end the same */
};

/* As upstream_call(), once. ret->body may already have room: it is emptied and used. */
enum call_error transfer_run(struct transfer *t, struct upstream_answer *ret);

#endif
