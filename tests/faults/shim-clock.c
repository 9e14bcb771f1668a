/* shim-clock.c -- a wall clock that is wrong by as much as the test says, and steps while the program runs. Preloaded. */
#include "tests/faults/shim.h"

#include <errno.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	int e = REAL(clock_gettime)(id, t);

	if (e == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += (time_t)shim_told(CLOCK_OFFSET_S);
	return e;
}

time_t time(time_t *ret)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *t, void *zone)
{
	int e = REAL(gettimeofday)(t, zone);

	if (e == 0)
		t->tv_sec += (time_t)shim_told(CLOCK_OFFSET_S);
	return e;
}

int adjtimex(struct timex *t)
{
	int64_t told = shim_told(CLOCK_SYNC);

	if (told == 0)
		return REAL(adjtimex)(t);
	if (told == 3) {
		errno = EPERM;
		return -1;
	}
	t->status = told == 2 ? STA_UNSYNC : 0;
	return told == 2 ? TIME_ERROR : TIME_OK;
}
