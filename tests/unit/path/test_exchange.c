/* test_exchange.c -- a request between its steps: while it waits for a commit it is no thread's; and behind the last record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "path/path-private.h"
#include "tests/lib/tmpstore.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define SITE "demo"

static const char actions[] = "{\"actions\":[{\"name\":\"hello\",\"access\":\"public\",\"effect\":\"read\",\"parameters\":{\"type\":\"object\"},"
	"\"connector\":{\"type\":\"static\",\"result\":\"hi\"}}]}";

struct ground { struct store *store; struct writer *writer; struct path *path; struct exchange *exchange; sem_t awake; };

static void wake(void *arg)
{
	struct ground *g = arg;

	sem_post(&g->awake);
}

static void add_site(struct store *st)
{
	struct txn *t = txn_write(st, ENV_VAULT);
	struct site s;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), SITE);
	assert_int_equal(site_add(t, &s), RC_OK);
	assert_int_equal(catalogue_store(t, SITE, span_str(actions)), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof(*g));
	struct path_options o = { .version = "1", .threads = 1 };

	if (!g || sem_init(&g->awake, 0, 0) != 0)
		return -1;
	*state = g;
	if (!(g->store = tmpstore_new()) || writer_start(g->store, &g->writer) != RC_OK)
		return -1;
	add_site(g->store);
	o.store = g->store;
	o.writer = g->writer;
	if (path_new(&o, &g->path) != RC_OK)
		return -1;
	g->exchange = exchange_new(g->path, wake, g);
	return g->exchange ? 0 : -1;
}

static int teardown(void **state)
{
	struct ground *g = *state;
	bool ended = writer_stop(g->writer, 20000);

	exchange_free(g->exchange);
	path_free(g->path);
	tmpstore_free(g->store);
	sem_destroy(&g->awake);
	free(g);
	return ended ? 0 : -1;
}

static struct path_thread *thread_new(struct ground *g)
{
	struct path_thread *t = NULL;

	assert_int_equal(path_thread_new(g->path, &t), RC_OK);
	return t;
}

static struct request *request_for(struct ground *g, const char *action)
{
	struct request *in;

	exchange_begin(g->exchange);
	in = exchange_request(g->exchange);
	in->endpoint = &path_endpoint_action;
	in->site = span_str(SITE);
	in->action = span_str(action);
	return in;
}

/* One whose answer waits for its record: no token is good here, for there is no key. */
static void ask(struct ground *g)
{
	struct request *in = request_for(g, "track");

	in->authorization_count = 1;
	in->authorization = span_str("Bearer a.b.c");
}

static void wait_for_commit(struct ground *g)
{
	while (sem_wait(&g->awake) != 0)
		;
}

static void assert_blocked(struct ground *g)
{
	assert_int_equal(exchange_answer(g->exchange)->status, 401);
	assert_int_equal(exchange_answer(g->exchange)->code, REASON_TOKEN_INVALID);
}

static void a_parked_request_outlives_its_thread(void **state)
{
	struct ground *g = *state;
	struct path_thread *first = thread_new(g), *second;

	ask(g);
	assert_int_equal(path_run(g->exchange, first), PATH_WAITING);
	wait_for_commit(g);
	assert_null(g->exchange->thread);
	path_thread_free(first);
	second = thread_new(g);
	assert_int_equal(path_run(g->exchange, second), PATH_ANSWERED);
	assert_blocked(g);
	path_thread_free(second);
}

/* A worker that stops ends its threads first, and then what nobody went on with. */
static void a_parked_request_is_cleared_behind_its_thread(void **state)
{
	struct ground *g = *state;
	struct path_thread *t = thread_new(g);

	ask(g);
	assert_int_equal(path_run(g->exchange, t), PATH_WAITING);
	wait_for_commit(g);
	path_thread_free(t);
	exchange_clear(g->exchange);
	assert_null(g->exchange->thread);
}

static enum path_result hello(struct ground *g, struct path_thread *t)
{
	request_for(g, "hello");
	return path_run(g->exchange, t);
}

/* Nobody waits for the record of a public read, so it is asked before whether anybody will write it. */
static void a_public_read_is_refused_behind_the_last_record(void **state)
{
	struct ground *g = *state;
	struct path_thread *t = thread_new(g);

	assert_int_equal(hello(g, t), PATH_ANSWERED);
	assert_int_equal(exchange_answer(g->exchange)->status, 200);
	path_flush(g->path);
	assert_int_equal(hello(g, t), PATH_ANSWERED);
	assert_int_equal(exchange_answer(g->exchange)->status, 503);
	assert_int_equal(exchange_answer(g->exchange)->code, REASON_AUDIT_UNAVAILABLE);
	path_thread_free(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_parked_request_outlives_its_thread),
		TEST(a_parked_request_is_cleared_behind_its_thread),
		TEST(a_public_read_is_refused_behind_the_last_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
