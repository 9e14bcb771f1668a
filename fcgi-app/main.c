/* main.c -- postern-fcgi: starts, housekeeps, stops.
 *
 * All threads block all signals; the main thread takes them one by one between its housekeeping. A stop has 2 s, of
 * which each stage gets its share, and an alarm behind them all: whatever hangs, the process is gone in time, and
 * what was answered is on disk, for nothing is answered before it is. */
#include "accept.h"
#include "listen.h"
#include "options.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "base/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_NOT_STARTED = 3 };

/* A stop: requests in flight are finished, and those whose call is not over are ended; housekeeping is written; what waits for
 * a lock is answered 503. Behind it all, the alarm. */
#define STOP_DRAIN_MS 400
#define STOP_WRITER_MS 150
#define STOP_ANSWER_MS 100
#define STOP_THREADS_MS 100
#define STOP_ALARM_MS 1900

#define LOST_PAGE "<3>postern-fcgi gave up: vault or ledger is shorter than it was, or cannot be read: stop every worker, look at the " \
		  "disk, and restore a backup\n"
/* All but connections: environments, memory files, logs; and calls to the connection provider. */
#define DESCRIPTORS_OTHER (128 + PROVIDER_CALLS_MAX)
#define DESCRIPTORS_PEER 2             /* a connection's own, and the memory file of an answer that it does not read */
#define PEERS_MIN 64                   /* whatever the limit is */

struct program {
	struct options options;
	struct store *store;
	struct writer *writer;
	struct path *path;
	struct listener listener;
	struct server *server;
	bool usage;                    /* what stopped the start was the command line's fault */
};

/* ---- starting ---- */

/* As many connections as descriptors allow; the soft limit is only a default. */
static unsigned connections_max(void)
{
	struct rlimit limit;
	rlim_t peers;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return PEERS_MIN;
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return PEERS_MIN;
	if (limit.rlim_cur <= DESCRIPTORS_OTHER + PEERS_MIN * DESCRIPTORS_PEER)
		return PEERS_MIN;
	peers = (limit.rlim_cur - DESCRIPTORS_OTHER) / DESCRIPTORS_PEER;
	return peers < PEERS_MAX ? (unsigned)peers : PEERS_MAX;
}

static enum rc open_data(struct program *p, struct why *why)
{
	struct store_options store = { .dir = p->options.data, .master_key = p->options.master_key, .mode = STORE_WORKER };
	struct path_options path = {
		.audit_budget = p->options.audit_budget, .pinned_site = getenv("POSTERN_SITE"), .version = POSTERN_VERSION,
		.threads = p->options.threads, .worker = true, .provider_socket = p->options.connect,
	};
	enum rc rc;

	store_on_lost_page(LOST_PAGE, EXIT_NOT_STARTED);
	if ((rc = store_open(&store, &p->store, why)) != RC_OK || (rc = writer_start(p->store, &p->writer)) != RC_OK)
		return rc;
	path.store = p->store;
	path.writer = p->writer;
	rc = path_new(&path, &p->path);
	p->usage = rc == RC_INVALID;
	if (p->usage)
		why_set(why, "POSTERN_SITE is not a site id; run postern site list");
	return rc;
}

static enum rc open_socket(struct program *p, struct why *why)
{
	struct server_options o = {
		.path = p->path, .threads = p->options.threads, .peers_max = connections_max(), .calls_max = CALLS_MAX,
		.peers = &p->options.peers,
	};
	enum rc rc = listen_open(p->options.listen, &p->options.group, &p->listener, why);

	p->usage = rc == RC_INVALID;
	if (rc != RC_OK)
		return rc;
	o.listener = p->listener.fd;
	rc = server_start(&o, &p->server, why);
	if (rc != RC_OK)
		listen_unlink(&p->listener);
	return rc;
}

static enum rc start(struct program *p, struct why *why)
{
	enum rc rc;

	if (geteuid() == 0)
		log_line(LOG_LEVEL_WARNING, "running as root: run the worker as user postern, or as the web server's user");
	if ((rc = open_data(p, why)) == RC_OK)
		rc = open_socket(p, why);
	if (rc == RC_OK)
		log_line(LOG_LEVEL_INFO, "postern-fcgi %s: %u threads on %s, data in %s", POSTERN_VERSION, p->options.threads,
			 p->listener.path ? p->listener.path : "the socket handed over", store_dir(p->store));
	return rc;
}

/* ---- signals ---- */

static const int stop_signals[] = { SIGTERM, SIGUSR1, SIGINT };

/* Blocked before the first thread is made, so in all of them. SIGHUP means nothing here: settings are read with
 * each request. */
static bool take_signals(sigset_t *ret_stops)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);       /* open_data() says what it means */
	sigemptyset(ret_stops);
	for (size_t i = 0; i < ARRAY_LEN(stop_signals); i++)
		sigaddset(ret_stops, stop_signals[i]);
	return signal(SIGHUP, SIG_IGN) != SIG_ERR && signal(SIGPIPE, SIG_IGN) != SIG_ERR &&
	       signal(SIGINT, SIG_DFL) != SIG_ERR &&
	       pthread_sigmask(SIG_SETMASK, &all, NULL) == 0;
}

static volatile sig_atomic_t exit_code;            /* for too_late() */

static void too_late(int signal_number)
{
	(void)signal_number;
	_exit(exit_code);
}

static void set_alarm(unsigned ms, int code)
{
	struct itimerval timer = { .it_value = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 } };
	struct sigaction act = { .sa_handler = too_late };
	sigset_t set;

	exit_code = code;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	/* Ignored first: one that somebody sent and that waits, blocked, is forgotten; it would end the stop as it begins. */
	if (signal(SIGALRM, SIG_IGN) == SIG_ERR || sigaction(SIGALRM, &act, NULL) != 0 || pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0 ||
	    setitimer(ITIMER_REAL, &timer, NULL) != 0)
		log_line(LOG_LEVEL_WARNING, "no alarm for the stop: %s", strerror(errno));
}

/* ---- running ---- */

/* Until a stop signal (0), or until the ledger's environment is beyond repair in this process (3): whoever started
 * it starts another, which opens it anew and finds everything that was answered. */
static int run(struct program *p, const sigset_t *stops)
{
	uint64_t next_tick = 0;
	unsigned percent;

	for (;;) {
		unsigned ms = server_tick(p->server);
		struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
		uint64_t now = clock_mono_ms();

		if (now >= next_tick) {
			path_tick(p->path);
			if ((percent = path_space_warning(p->path)) != 0)
				log_line(LOG_LEVEL_WARNING, "the ledger has used %u %% of its space: at 80 strangers, at 97 visitors "
					 "are refused", percent);
			next_tick = now + 1000;
		}
		if (path_broken(p->path)) {
			log_line(LOG_LEVEL_ERROR, "LMDB gave the ledger up after a failed write; start postern-fcgi again");
			return EXIT_NOT_STARTED;
		}
		if (sigtimedwait(stops, NULL, &wait) > 0)
			return 0;
	}
}

/* Returns whether all is freed; otherwise something is still running, and only _exit() ends it. */
static bool stop(struct program *p, int code)
{
	bool drained, ended;

	set_alarm(STOP_ALARM_MS, code);
	listen_unlink(&p->listener);
	server_stop_accepting(p->server);
	drained = server_drain(p->server, STOP_DRAIN_MS);
	path_stop_calls(p->path);
	if (!drained)
		drained = server_drain(p->server, STOP_ANSWER_MS);    /* what was called is recorded as failed, and answered */
	path_flush(p->path);
	ended = writer_halt(p->writer, STOP_WRITER_MS);   /* a thread may still submit: it is told that all is over */
	if (!drained)
		server_drain(p->server, STOP_ANSWER_MS);              /* parked requests have been told by now */
	return server_end(p->server, STOP_THREADS_MS) && ended;
}

static int serve(struct program *p, const sigset_t *stops)
{
	int code = run(p, stops);

	log_line(LOG_LEVEL_INFO, "stopping");
	if (!stop(p, code))
		_exit(code);
	writer_free(p->writer);
	path_free(p->path);
	store_close(p->store);
	return code;
}

static int could_not_start(struct program *p, enum rc rc, const struct why *why)
{
	int code = p->usage ? EXIT_USAGE : EXIT_NOT_STARTED;

	log_line(LOG_LEVEL_ERROR, "postern-fcgi could not start: %s", why->text[0] ? why->text : rc_text(rc));
	if (p->writer && !writer_stop(p->writer, STOP_WRITER_MS))
		_exit(code);
	path_free(p->path);
	store_close(p->store);
	return code;
}

int main(int argc, char **argv)
{
	struct program p = { .listener = { .fd = -1 } };
	struct why why = { "" };
	sigset_t stops;
	enum rc rc;

	secret_process_init();
	if (!options_read(&p.options, argc, argv, &why)) {
		log_line(LOG_LEVEL_ERROR, "postern-fcgi: %s", why.text);
		return EXIT_USAGE;
	}
	if (p.options.help)
		return options_print_help() ? 0 : EXIT_NOT_STARTED;
	if (p.options.version)
		return printf("postern-fcgi %s\n", POSTERN_VERSION) > 0 && fflush(stdout) == 0 ? 0 : EXIT_NOT_STARTED;
	log_set_level(p.options.log_level);
	if (!take_signals(&stops)) {
		log_line(LOG_LEVEL_ERROR, "postern-fcgi could not start: signals: %s", strerror(errno));
		return EXIT_NOT_STARTED;
	}
	rc = start(&p, &why);
	return rc == RC_OK ? serve(&p, &stops) : could_not_start(&p, rc, &why);
}
