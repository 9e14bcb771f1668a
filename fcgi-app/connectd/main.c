/* main.c -- postern-connectd: starts, waits for a signal, stops.
 *
 * A stop has 2 s: calls in flight get most of it, and an alarm stands behind. A refresh is not in flight here: it is a
 * process of its own, which ends when the new token is on disk. */
#include "fcgi-app/connectd/admin.h"
#include "fcgi-app/connectd/credentials.h"
#include "fcgi-app/connectd/options.h"
#include "fcgi-app/connectd/proxy.h"
#include "fcgi-app/listen.h"

#include "base/json-memory.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/version.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_NOT_STARTED = 3 };

#define STOP_DRAIN_MS 1200
#define STOP_ALARM_S 2
#define PROXY_CONNECTIONS_MAX 512
#define ADMIN_CONNECTIONS_MAX 32

struct program {
	struct options options;
	struct connect_store *store;
	struct listener proxy, admin;
	struct server *server;
};

/* ---- starting ---- */

/* Secrets pass through jansson on their way in and out of the sealed file: what it frees is wiped. */
static void wiping_free(void *data)
{
	if (data)
		secret_wipe(data, malloc_usable_size(data));
	free(data);
}

static void use_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum rc open_sockets(struct program *p, struct why *why)
{
	const struct options *o = &p->options;
	enum rc rc = listen_open_named("proxy", o->listen, &o->group, &p->proxy, why);

	if (rc == RC_OK)
		rc = listen_open_named("admin", o->admin_listen, &o->admin_group, &p->admin, why);
	return rc;
}

static enum rc start_server(struct program *p, struct why *why)
{
	const struct options *o = &p->options;
	const struct door doors[] = {
		{ .name = "proxy", .listener = p->proxy.fd, .peers = &o->peers,
		  .connections_max = PROXY_CONNECTIONS_MAX, .body_max = PROXY_BODY_MAX, .handle = proxy_handle, .arg = p->store },
		{ .name = "admin", .listener = p->admin.fd, .peers = &o->admin_peers,
		  .connections_max = ADMIN_CONNECTIONS_MAX, .body_max = ADMIN_BODY_MAX, .handle = admin_handle, .arg = p->store },
	};
	enum rc rc = server_start(doors, ARRAY_LEN(doors), &p->server);

	if (rc != RC_OK)
		why_set(why, "cannot serve: %s", strerror(errno));
	return rc;
}

static enum rc start(struct program *p, struct why *why)
{
	enum rc rc;

	if (geteuid() == 0)
		log_line(LOG_LEVEL_WARNING, "running as root: run it as user postern-connect");
	use_descriptors();
	if ((rc = connect_store_open(p->options.data, &p->store, why)) != RC_OK || (rc = upstream_start()) != RC_OK ||
	    (rc = open_sockets(p, why)) != RC_OK || (rc = start_server(p, why)) != RC_OK)
		return rc;
	log_line(LOG_LEVEL_INFO, "postern-connectd %s: calls on %s, admin on %s, data in %s", POSTERN_VERSION,
		 p->proxy.path ? p->proxy.path : "the socket handed over",
		 p->admin.path ? p->admin.path : "the socket handed over", p->options.data);
	return RC_OK;
}

/* ---- signals ---- */

/* Blocked before the first thread is made, so in all of them; the main thread takes them one by one. */
static bool take_signals(sigset_t *ret_stops)
{
	sigset_t blocked;

	sigemptyset(ret_stops);
	sigaddset(ret_stops, SIGTERM);
	sigaddset(ret_stops, SIGINT);
	blocked = *ret_stops;
	sigaddset(&blocked, SIGUSR1);
	return signal(SIGHUP, SIG_IGN) != SIG_ERR && signal(SIGPIPE, SIG_IGN) != SIG_ERR &&
	       signal(SIGINT, SIG_DFL) != SIG_ERR && pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0;
}

static void too_late(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

/* ---- running and stopping ---- */

static void release(struct program *p)
{
	listen_unlink(&p->proxy);
	listen_unlink(&p->admin);
	if (p->proxy.fd >= 0)
		close(p->proxy.fd);
	if (p->admin.fd >= 0)
		close(p->admin.fd);
	connect_store_close(p->store);
}

static int serve(struct program *p, const sigset_t *stops)
{
	struct sigaction act = { .sa_handler = too_late };
	int number;

	while (sigwait(stops, &number) != 0)
		;
	log_line(LOG_LEVEL_INFO, "stopping");
	if (sigaction(SIGALRM, &act, NULL) == 0)
		alarm(STOP_ALARM_S);
	listen_unlink(&p->proxy);
	listen_unlink(&p->admin);
	if (!server_drain(p->server, STOP_DRAIN_MS))
		_exit(0);                      /* what is still called is called by threads that nothing ends */
	server_free(p->server);
	upstream_end();
	release(p);
	return 0;
}

static int could_not_start(struct program *p, enum rc rc, const struct why *why)
{
	log_line(LOG_LEVEL_ERROR, "postern-connectd could not start: %s", why->text[0] ? why->text : rc_text(rc));
	release(p);
	return rc == RC_INVALID ? EXIT_USAGE : EXIT_NOT_STARTED;
}

int main(int argc, char **argv)
{
	struct program p = { .proxy = { .fd = -1 }, .admin = { .fd = -1 } };
	struct why why = { "" };
	sigset_t stops;
	enum rc rc;

	secret_process_init();
	json_free_by(wiping_free);
	if (!options_read(&p.options, argc, argv, &why)) {
		log_line(LOG_LEVEL_ERROR, "postern-connectd: %s", why.text);
		return EXIT_USAGE;
	}
	if (p.options.help)
		return options_print_help() ? 0 : EXIT_NOT_STARTED;
	if (p.options.version)
		return printf("postern-connectd %s\n", POSTERN_VERSION) > 0 && fflush(stdout) == 0 ? 0 : EXIT_NOT_STARTED;
	log_set_level(p.options.log_level);
	if (p.options.refresh_of)
		return credentials_refresh_main(p.options.data, p.options.refresh_of);
	if (!take_signals(&stops)) {
		log_line(LOG_LEVEL_ERROR, "postern-connectd could not start: signals: %s", strerror(errno));
		return EXIT_NOT_STARTED;
	}
	rc = start(&p, &why);
	return rc == RC_OK ? serve(&p, &stops) : could_not_start(&p, rc, &why);
}
