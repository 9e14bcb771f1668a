/* inspect-workers.c -- the workers that the ledger names, held against what the kernel says of these processes. A
 * worker that was taken over may write any pid: only one whose process is a postern-fcgi counts, and only what is seen
 * is said. */
#include "admin/inspect-private.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKER_PROGRAM "postern-fcgi"
#define WORKER_USER "postern"
#define STATUS_MAX 8192
#define DELETED " (deleted)"

/* ---- processes ---- */

static bool proc_read(const char *pid, const char *name, struct buf *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, name);
	buf_clear(ret);
	if (file_read(path, STATUS_MAX, ret) != RC_OK)
		return false;
	buf_add(ret, "", 1);
	return !ret->failed;
}

/* By the name the program gave itself, and by its file where that may be seen; *ret_replaced: that file is no longer
 * there. */
static bool is_worker(const char *pid, struct buf *text, bool *ret_replaced)
{
	char path[64], exe[4096];
	const char *name;
	ssize_t n;

	*ret_replaced = false;
	if (!proc_read(pid, "comm", text) || strcmp(text->data, WORKER_PROGRAM "\n") != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	if ((n = readlink(path, exe, sizeof(exe) - 1)) <= 0)
		return true;
	exe[n] = '\0';
	if ((size_t)n > strlen(DELETED) && strcmp(exe + n - strlen(DELETED), DELETED) == 0) {
		exe[(size_t)n - strlen(DELETED)] = '\0';
		*ret_replaced = true;
	}
	name = strrchr(exe, '/');
	return name && strcmp(name + 1, WORKER_PROGRAM) == 0;
}

/* The effective one is the second. */
static bool uid_read(const char *pid, struct buf *text, uid_t *ret)
{
	static const char name[] = "\nUid:";
	char *line, *end;

	if (!proc_read(pid, "status", text) || !(line = strstr(text->data, name)))
		return false;
	(void)strtoul(line + sizeof(name) - 1, &line, 10);
	*ret = (uid_t)strtoul(line, &end, 10);
	return end > line;
}

static void process_look(struct inspection *i, const char *pid, struct buf *text)
{
	struct inspect_process p = { .pid = strtoull(pid, NULL, 10) };

	if (i->processes < INSPECT_PROCESSES && is_worker(pid, text, &p.replaced) && uid_read(pid, text, &p.uid))
		i->process[i->processes++] = p;
}

void inspect_processes(struct inspection *i)
{
	struct buf text = BUF_INIT;
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d)))        /* cppcheck-suppress readdirCalled -- readdir_r is no longer to be used */
		if (ascii_is_digit(e->d_name[0]))
			process_look(i, e->d_name, &text);
	if (d)
		closedir(d);
	buf_done(&text);
}

/* NULL: there is none, or it is no worker's. */
static const struct inspect_process *process_of(const struct inspection *i, uint64_t pid)
{
	for (size_t p = 0; p < i->processes; p++)
		if (i->process[p].pid == pid)
			return &i->process[p];
	return NULL;
}

/* ---- alive ---- */

static bool is_alive(const struct health *h, const struct worker_row *w)
{
	uint64_t age = w->beat_s < h->now_s ? h->now_s - w->beat_s : w->beat_s - h->now_s;

	return w->this_boot && age <= HEALTH_LOST_S;
}

/* That there is none, or that one is late, the snapshot's warnings say. */
void inspect_workers(struct inspection *i, struct inside *in)
{
	size_t alive = 0;

	for (size_t w = 0; w < in->h->workers; w++)
		alive += is_alive(in->h, &in->h->worker[w]);
	if (alive > 0)
		look_say(i, FINDING_OK, NULL, "%zu %s", alive, alive == 1 ? "worker runs" : "workers run");
}

/* ---- as whom ---- */

#define OWN_UNIT                                                                                                       \
	"Run it as a service of its own: sudo systemctl enable --now postern.socket, and let the web server connect "  \
	"to " INSPECT_SOCKET "."

static void user_say(struct inspection *i, const struct inspect_process *p)
{
	char user[USER_NAME_MAX];
	struct stat dir;
	bool owns = stat(i->dir, &dir) == 0 && dir.st_uid == p->uid;

	user_name(p->uid, user);
	if (p->uid == 0)
		look_say(i, FINDING_WRONG, OWN_UNIT, "worker %llu runs as root: whoever takes it over has this machine",
		         (unsigned long long)p->pid);
	else if (owns)
		look_say(i, FINDING_WARNING, OWN_UNIT,
		         "worker %llu runs as %s, who owns the data directory: whoever takes it over "
		         "may change keys and sign checkpoints",
		         (unsigned long long)p->pid, user);
	else if (strcmp(user, WORKER_USER) != 0)
		look_say(i, FINDING_WARNING, OWN_UNIT,
		         "worker %llu runs as %s and shares its rights with every other program of that "
		         "user: a script of the web server's may read the vault",
		         (unsigned long long)p->pid, user);
	else
		look_say(i, FINDING_OK, NULL, "worker %llu runs as %s", (unsigned long long)p->pid, user);
}

void inspect_worker_users(struct inspection *i, struct inside *in)
{
	for (size_t w = 0; w < in->h->workers; w++) {
		const struct worker_row *row = &in->h->worker[w];
		const struct inspect_process *p = process_of(i, row->pid);

		if (!is_alive(in->h, row))
			continue;
		if (p)
			user_say(i, p);
		else
			look_say(i, FINDING_SKIPPED, NULL,
			         "the ledger names a worker %llu, but no process of that number is seen to be "
			         "a " WORKER_PROGRAM " here",
			         (unsigned long long)row->pid);
	}
}

void inspect_worker_programs(struct inspection *i, struct inside *in)
{
	for (size_t w = 0; w < in->h->workers; w++) {
		const struct inspect_process *p = process_of(i, in->h->worker[w].pid);

		if (p && p->replaced)
			look_say(i, FINDING_WARNING,
			         "Run: sudo systemctl restart postern.service; or end it with SIGTERM and start it "
			         "anew.",
			         "worker %llu runs a program whose file was replaced or removed since it started",
			         (unsigned long long)p->pid);
	}
}
