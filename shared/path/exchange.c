/* exchange.c -- the life of one request's state: made once, begun with each request, cleared after it. */
#include "path/path-private.h"

#include <stdlib.h>

#define ROOM_AT_LEAST 512

struct exchange *exchange_new(struct path *p, void (*wake)(void *arg), void *arg)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->path = p;
	x->wake = wake;
	x->wake_arg = arg;
	/* Room for what is said where there is no memory. */
	if (!buf_extend(&x->out.headers, ROOM_AT_LEAST) || !buf_extend(&x->out.body, ROOM_AT_LEAST)) {
		exchange_free(x);
		return NULL;
	}
	return x;
}

static void forget_request(struct exchange *x)
{
	exchange_release(x);
	if (x->has_token)
		token_done(&x->token);
	intent_done(&x->intent);
	buf_done(&x->call.provider.body);
	operation_free(x->operation);
	json_decref(x->result);
	problems_done(&x->problems);
	catalogue_unref(x->catalogue);
	view_unref(x->view);
}

/* Everything but the buffers' memory starts from zero: nothing of one request is there for the next, and a zeroed identity
 * is a blocked one. */
void exchange_clear(struct exchange *x)
{
	struct exchange fresh = { .path = x->path, .wake = x->wake, .wake_arg = x->wake_arg, .out = x->out };

	forget_request(x);
	*x = fresh;
	x->out.status = 0;
	x->out.code = REASON_NONE;
	x->out.content_type = NULL;
	buf_clear(&x->out.headers);
	buf_clear(&x->out.body);
}

void exchange_begin(struct exchange *x)
{
	exchange_clear(x);
	x->now_us = clock_us();
	if (!ulid_make(x->id, x->now_us / 1000))
		x->id[0] = '\0';
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	forget_request(x);
	buf_done(&x->out.headers);
	buf_done(&x->out.body);
	free(x);
}

void exchange_release(struct exchange *x)
{
	if (!x->thread)
		return;
	x->vault = NULL;
	reader_end(x->thread->reader, ENV_VAULT);
	reader_end(x->thread->reader, ENV_LEDGER);
}

bool exchange_admitted(struct exchange *x)
{
	char source[REMOTE_MAX];

	if (x->admit_asked)
		return x->admitted;
	x->admit_asked = true;
	if (exchange_verified(x)) {
		x->admitted = path_space_left(x->path, AUDIT_VISITOR);
		return x->admitted;
	}
	audit_source(source, x->in.remote);
	x->admitted = path_space_left(x->path, AUDIT_STRANGER) &&
		      budget_admit(x->path->budget, x->view->site.id, source, x->now_us);
	return x->admitted;
}

struct request *exchange_request(struct exchange *x)
{
	return &x->in;
}

const struct answer *exchange_answer(const struct exchange *x)
{
	return &x->out;
}

struct answer *exchange_out(struct exchange *x)
{
	return &x->out;
}

const char *exchange_id(const struct exchange *x)
{
	return x->id;
}

const struct identity *exchange_identity(const struct exchange *x)
{
	return &x->identity;
}

const struct site *exchange_site(const struct exchange *x)
{
	return x->view ? &x->view->site : NULL;
}

const struct catalogue *exchange_catalogue(struct exchange *x)
{
	return x->catalogue ? x->catalogue->catalogue : NULL;
}

struct path *exchange_path(const struct exchange *x)
{
	return x->path;
}

struct path_thread *exchange_thread(const struct exchange *x)
{
	return x->thread;
}
