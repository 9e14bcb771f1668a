/* test_server.c -- the doors: who comes in great numbers at one keeps neither the other nor the end waiting.
 *
 * accept4() is this file's own, so that a flood is as long as a test says, however fast the machine is. */
#include "fcgi-app/connectd/server.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 1000                      /* far more than are accepted at once */
#define FOR_EVER UINT32_MAX

enum { CROWDED, QUIET, DOORS };

/* What waits at each door, and how many were accepted at the crowded one before the quiet one's first. */
static struct { int listener; atomic_uint waiting; } at[DOORS];
static atomic_uint crowd, before_quiet;

/* A connection whose other end is closed already. */
static int connection(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	close(ends[1]);
	return ends[0];
}

static int accept_at(int door)
{
	uint64_t n;

	if (atomic_load(&at[door].waiting) == 0) {
		(void)!read(at[door].listener, &n, sizeof(n));     /* nobody is there: no longer readable */
		errno = EAGAIN;
		return -1;
	}
	if (atomic_load(&at[door].waiting) != FOR_EVER)
		atomic_fetch_sub(&at[door].waiting, 1);
	if (door == CROWDED)
		atomic_fetch_add(&crowd, 1);
	else
		atomic_store(&before_quiet, atomic_load(&crowd));
	return connection();
}

int accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
	(void)flags;
	*from = (struct sockaddr){ .sa_family = AF_UNIX };
	*size = sizeof(sa_family_t);
	return accept_at(fd == at[CROWDED].listener ? CROWDED : QUIET);
}

static void handle(void *arg, const struct request *r, struct answer *ret)
{
	(void)arg;
	(void)r;
	ret->status = 200;
}

static struct server *start(unsigned crowded, unsigned quiet)
{
	struct door doors[DOORS];
	struct server *s = NULL;

	crowd = before_quiet = 0;
	for (int i = 0; i < DOORS; i++) {
		at[i].listener = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(at[i].listener >= 0);
		atomic_store(&at[i].waiting, i == CROWDED ? crowded : quiet);
		doors[i] = (struct door){ .name = "test", .listener = at[i].listener, .connections_max = 4, .body_max = 1024,
					  .handle = handle };
	}
	assert_int_equal(server_start(doors, DOORS, &s), RC_OK);
	return s;
}

static void end(struct server *s)
{
	server_free(s);
	for (int i = 0; i < DOORS; i++)
		close(at[i].listener);
}

static void wait_for(atomic_uint *what)
{
	uint64_t until = clock_mono_ms() + 20000;

	while (atomic_load(what) == 0 && clock_mono_ms() < until)
		usleep(1000);
	assert_int_not_equal(atomic_load(what), 0);
}

static void test_a_crowd_at_one_door_keeps_the_other_waiting_for_a_few_only(void **state)
{
	struct server *s = start(MANY, 1);

	(void)state;
	wait_for(&before_quiet);
	assert_true(before_quiet < MANY / 2);
	assert_true(server_drain(s, 1000));
	end(s);
}

static void test_a_flood_without_end_does_not_hinder_the_end(void **state)
{
	struct server *s = start(FOR_EVER, 0);

	(void)state;
	wait_for(&crowd);
	assert_true(server_drain(s, 1000));       /* joins the thread that accepts: a hang is the test's own time limit */
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crowd_at_one_door_keeps_the_other_waiting_for_a_few_only),
		cmocka_unit_test(test_a_flood_without_end_does_not_hinder_the_end),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
