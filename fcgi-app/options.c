/* options.c -- one table is the command line, the environment and the help. */
#include "options.h"

#include "accept.h"
#include "option-table.h"
#include "base/text.h"
#include "path/path.h"

#include <sched.h>
#include <stdio.h>
#include <sys/un.h>

#define BUDGET_DEFAULT 10
#define BUDGET_MAX 1000000
#define THREADS_LEAST 2

static bool take_data(struct options *o, const char *value)
{
	o->data = value;
	return true;
}

static bool take_master_key(struct options *o, const char *value)
{
	o->master_key = value;
	return true;
}

static bool take_listen(struct options *o, const char *value)
{
	o->listen = value;
	return value[0] == '/';
}

static bool take_connect(struct options *o, const char *value)
{
	o->connect = value;
	return value[0] == '/' && strlen(value) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

static bool take_group(struct options *o, const char *value)
{
	return socket_group_set(&o->group, value);
}

/* The environment has one variable for what the command line repeats: names with commas. */
static bool take_peers(struct options *o, const char *value)
{
	char names[512], *rest = names, *name;
	bool ok = strlen(value) < sizeof(names);

	if (!ok)
		return false;
	memcpy(names, value, strlen(value) + 1);
	while (ok && (name = strsep(&rest, ",")) != NULL)
		ok = peer_list_add(&o->peers, name);
	return ok;
}

/* Digits up to `end`, at most max. */
static bool number(const char *text, const char *end, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		if (!ascii_is_digit(*text) || n > max)
			return false;
		n = n * 10 + (unsigned)(*text - '0');
	}
	*ret = n;
	return n <= max;
}

static bool take_threads(struct options *o, const char *value)
{
	return number(value, value + strlen(value), THREADS_MAX, &o->threads) && o->threads >= 1;
}

static bool take_budget(struct options *o, const char *value)
{
	const char *end = value + strlen(value);

	if (end - value > 2 && strcmp(end - 2, "/s") == 0)
		end -= 2;
	return number(value, end, BUDGET_MAX, &o->audit_budget);
}

static bool take_log_level(struct options *o, const char *value)
{
	return log_level_parse(value, &o->log_level);
}

static bool take_help(struct options *o, const char *value)
{
	(void)value;
	o->help = true;
	return true;
}

static bool take_version(struct options *o, const char *value)
{
	(void)value;
	o->version = true;
	return true;
}

static const struct option_row rows[] = {
	{ "--data", "DIR", "POSTERN_DATA", take_data, "a directory", "the data directory (default /var/lib/postern)" },
	{ "--master-key", "FILE", "POSTERN_MASTER_KEY_FILE", take_master_key, "a file",
	  "the master key (default: the systemd credential postern.master-key, else DIR/master.key)" },
	{ "--listen", "PATH", "POSTERN_LISTEN", take_listen, "an absolute path",
	  "a Unix socket to make, where none was handed over as LISTEN_FDS or descriptor 0" },
	{ "--listen-group", "GROUP", "POSTERN_LISTEN_GROUP", take_group, "a group of this system",
	  "the socket's group; its mode is 0660" },
	{ "--peer", "USER", "POSTERN_PEER", take_peers, "a user of this system",
	  "who may connect besides root and this worker's user; repeatable (default www-data)" },
	{ "--connect", "PATH", "POSTERN_CONNECT", take_connect, "the absolute path of a socket",
	  "where postern-connectd answers (default " PROVIDER_SOCKET_DEFAULT ")" },
	{ "--threads", "N", "POSTERN_THREADS", take_threads, "1 to 64", "default: one for each processor, at least 2" },
	{ "--audit-budget", "N/s", "POSTERN_AUDIT_BUDGET", take_budget, "a number such as 10/s",
	  "audit records a second that strangers of one network can cause (default 10/s, 0: no limit)" },
	{ "--log-level", "LEVEL", "POSTERN_LOG_LEVEL", take_log_level, "error, warning, info or debug", "default info" },
	{ "--help", NULL, NULL, take_help, "no value", "this text" },
	{ "--version", NULL, NULL, take_version, "no value", "the version" },
};

static const struct option_table table = { "postern-fcgi", rows, ARRAY_LEN(rows) };

/* A thread waits for nothing but memory: commits and calls to other systems are waited for without one. More than there
 * are processors cost a tenth of the rate and more in wake-ups; two, so that one may be at a long pattern or a slow page. */
static unsigned default_threads(void)
{
	cpu_set_t set;
	unsigned count = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : THREADS_LEAST;

	return count < THREADS_LEAST ? THREADS_LEAST : count < THREADS_MAX ? count : THREADS_MAX;
}

bool options_read(struct options *o, int argc, char *const *argv, struct why *why)
{
	struct peer_list peers;

	*o = (struct options){
		.connect = PROVIDER_SOCKET_DEFAULT, .threads = default_threads(), .audit_budget = BUDGET_DEFAULT,
		.log_level = LOG_LEVEL_INFO,
	};
	if (!option_table_environment(&table, o, why))
		return false;
	peers = o->peers;                      /* the command line's replace the environment's */
	o->peers.count = 0;
	if (!option_table_arguments(&table, o, argc, argv, why))
		return false;
	if (o->peers.count == 0)
		o->peers = peers;
	if (o->peers.count == 0)
		(void)peer_list_add(&o->peers, "www-data");        /* where there is such a user */
	return true;
}

bool options_print_help(void)
{
	printf("usage: postern-fcgi [OPTION]...\n"
	       "Answers a web server's FastCGI requests from a data directory made by `postern init`.\n\n");
	option_table_print(&table);
	printf("\nPOSTERN_SITE=SITE in the environment pins the worker to one site; a request's parameter pins that request.\n"
	       "As a FastCGI authorizer, or asked with POSTERN_ROLE=authorizer, it says whether a visitor may pass, and as\n"
	       "whom; with POSTERN_ANONYMOUS=allow visitors without a token pass too.\n"
	       "Exit: 0 stopped, 2 usage, 3 could not start.\n");
	return fflush(stdout) == 0 && !ferror(stdout);
}
