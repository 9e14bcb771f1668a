/* commits.c -- what the disk alone costs whoever shares the machine with it: as many commits as Postern makes, and
 * nothing else.
 *
 * commits FILE RATE PAGES. RATE times a second, until it is ended: PAGES scattered pages of FILE written over,
 * fdatasync(), and the first page, synced, as a commit of LMDB's is. The file does not grow. A commit that comes late is
 * not made up for. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define FILE_PAGES 4096
#define SECOND 1000000000L

static char page[PAGE];

static bool page_write(int fd, unsigned at)
{
	return pwrite(fd, page, PAGE, (off_t)at * PAGE) == PAGE;
}

static bool make_file(int fd)
{
	for (unsigned i = 0; i < FILE_PAGES; i++)
		if (!page_write(fd, i))
			return false;
	return fsync(fd) == 0;
}

static bool commit(int fd, int synced, unsigned pages)
{
	static unsigned at = 1;

	for (unsigned i = 0; i < pages; i++, at = (at + 2) % FILE_PAGES)     /* odd ones: no two beside each other */
		if (!page_write(fd, at))
			return false;
	return fdatasync(fd) == 0 && page_write(synced, 0);
}

/* Sleeps until `due`, and makes it the next one's. */
static void wait_for(struct timespec *due, long step)
{
	struct timespec now;

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL) == EINTR)
		;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > due->tv_sec || now.tv_nsec > due->tv_nsec + step)
		*due = now;
	due->tv_nsec += step;
	if (due->tv_nsec >= SECOND) {
		due->tv_nsec -= SECOND;
		due->tv_sec++;
	}
}

int main(int argc, char **argv)
{
	int rate = argc == 4 ? atoi(argv[2]) : 0, pages = argc == 4 ? atoi(argv[3]) : 0;
	struct timespec due;
	int fd, synced;

	if (rate < 1 || pages < 1 || pages >= FILE_PAGES) {
		fputs("usage: commits FILE RATE PAGES\n", stderr);
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	synced = open(argv[1], O_WRONLY | O_DSYNC | O_CLOEXEC);
	if (fd < 0 || synced < 0 || !make_file(fd))
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &due);
	while (commit(fd, synced, (unsigned)pages))
		wait_for(&due, SECOND / rate);
	return 1;
}
