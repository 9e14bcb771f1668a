/* inspect-machine.c -- the disk that the data lies on, and the clock that tokens live by. */
#include "admin/inspect-private.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <errno.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)
#define FREE_WRONG (64 * MIB)
#define FREE_LOW (1024 * MIB)
#define FREE_LARGE (20 * 1024 * MIB)   /* few percent of a large disk are enough */
#define PERCENT_LOW 10
#define INODES_LOW 100
#define NO_EARLIER UINT64_C(1735689600)        /* 2025-01-01: this program is younger */

/* ---- the disk ---- */

struct disk { const char *name; uint64_t free, size; const struct statvfs *fs; };

static unsigned percent_free(const struct disk *d)
{
	return d->size ? (unsigned)((double)d->free * 100 / (double)d->size) : 0;
}

static bool disk_cannot(struct inspection *i, const struct disk *d, const char *path)
{
	const char *remote = store_remote_fs(path);

	if (remote)
		look_say(i, FINDING_WRONG, "Move the data directory to a local disk.",
		         "the %s is on a network file system (%s), where LMDB loses data", d->name, remote);
	else if (d->fs->f_flag & ST_RDONLY)
		look_say(i, FINDING_WRONG, "Look why: dmesg shows a disk with errors; then mount it for writing.",
		         "the file system of the %s is mounted for reading only", d->name);
	else if (d->fs->f_files > 0 && d->fs->f_favail < INODES_LOW)
		look_say(i, FINDING_WARNING, "Remove files from it that are not needed.",
		         "the file system of the %s has %llu "
		         "inodes left",
		         d->name, (unsigned long long)d->fs->f_favail);
	else
		return false;
	return true;
}

static void disk_room(struct inspection *i, const struct disk *d)
{
	unsigned percent = percent_free(d);
	bool low = d->free < FREE_LOW || (percent < PERCENT_LOW && d->free < FREE_LARGE);
	enum finding_state state = d->free < FREE_WRONG ? FINDING_WRONG : low ? FINDING_WARNING : FINDING_OK;

	look_say(i, state,
	         state == FINDING_OK ? NULL
	                             : "Make room on it; old records go with: sudo postern audit prune --before "
	                               "DATE, then sudo postern compact.",
	         "%llu MiB (%u %%) are free on the file system of the %s", (unsigned long long)(d->free / MIB), percent,
	         d->name);
}

static bool same_disk(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

static void disk_look(struct inspection *i, const char *path, const char *name)
{
	struct statvfs fs;
	struct disk d = { .name = name, .fs = &fs };

	if (statvfs(path, &fs) != 0) {
		look_say(i, FINDING_SKIPPED, NULL, "%s: %s", path, strerror(errno));
		return;
	}
	d.free = (uint64_t)fs.f_bavail * fs.f_frsize;
	d.size = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (!disk_cannot(i, &d, path))
		disk_room(i, &d);
}

/* Both maps are address space, whatever is in them. */
static void address_space(struct inspection *i)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < VAULT_MAP_SIZE + LEDGER_MAP_SIZE)
		look_say(i, FINDING_WARNING, "Run: ulimit -v unlimited; and set no LimitAS= in the worker's unit.",
		         "a process may have %llu GiB of address space here, the two files want %llu",
		         (unsigned long long)(limit.rlim_cur >> 30),
		         (unsigned long long)((VAULT_MAP_SIZE + LEDGER_MAP_SIZE) >> 30));
}

static void disks(struct inspection *i, const struct store_paths *p)
{
	struct stat s;

	if (stat(p->ledger, &s) != 0 && stat(p->vault, &s) != 0)
		return;
	if (same_disk(p->ledger, p->vault)) {
		disk_look(i, p->ledger, "data");
	} else {
		disk_look(i, p->ledger, "ledger");
		disk_look(i, p->vault, "vault");
	}
}

void inspect_disk(struct inspection *i)
{
	struct store_paths p = { 0 };

	if (!i->unsure && store_paths_init(&p, i->dir, NULL) == RC_OK)
		disks(i, &p);
	address_space(i);
	store_paths_done(&p);
}

/* ---- the clock ---- */

/* The mark that systemd sets: in a container the clock is the host's, and what would keep it right does not start. */
static bool in_container(void)
{
	return access("/run/systemd/container", F_OK) == 0;
}

static void clock_unsynchronised(struct inspection *i, const char *now)
{
	if (in_container())
		look_say(i, FINDING_SKIPPED, NULL,
		         "the clock says %s; it is the host's, not this container's: the kernel calls it unsynchronised, so "
		         "look there (timedatectl)",
		         now);
	else
		look_say(i, FINDING_WARNING, "Run: sudo apt install systemd-timesyncd && sudo timedatectl set-ntp true",
		         "the clock says %s, but nothing keeps it right: the kernel calls it unsynchronised, and "
		         "tokens live by it",
		         now);
}

void inspect_clock(struct inspection *i)
{
	char now[CLOCK_TEXT_MAX];
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);

	clock_format(clock_s() * 1000000, now);
	if (clock_s() < NO_EARLIER)
		look_say(i, FINDING_WRONG, "Set it: sudo timedatectl set-ntp true",
		         "the clock says %s: tokens are judged by it", now);
	else if (state < 0)
		look_say(i, FINDING_SKIPPED, NULL, "the clock says %s; whether it is synchronised cannot be told here",
		         now);
	else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
		clock_unsynchronised(i, now);
	else
		look_say(i, FINDING_OK, NULL, "the clock says %s and is synchronised", now);
}
