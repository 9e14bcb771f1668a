/* options.c -- one table is the command line, the environment and the help. */
#include "options.h"

#include "accept.h"
#include "base/text.h"
#include "path/path.h"

#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define BUDGET_DEFAULT 10
#define BUDGET_MAX 1000000

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
	const struct group *g = getgrnam(value);

	if (g)
		o->group = g->gr_gid;
	o->has_group = g != NULL;
	return o->has_group;
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

static const struct option_row {
	const char *name, *argument, *variable;        /* argument NULL: takes none; variable NULL: command line only */
	bool (*take)(struct options *o, const char *value);
	const char *wants, *help;
} rows[] = {
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
	{ "--threads", "N", "POSTERN_THREADS", take_threads, "1 to 64", "default: two for each processor" },
	{ "--audit-budget", "N/s", "POSTERN_AUDIT_BUDGET", take_budget, "a number such as 10/s",
	  "audit records a second that strangers of one network can cause (default 10/s, 0: no limit)" },
	{ "--log-level", "LEVEL", "POSTERN_LOG_LEVEL", take_log_level, "error, warning, info or debug", "default info" },
	{ "--help", NULL, NULL, take_help, "no value", "this text" },
	{ "--version", NULL, NULL, take_version, "no value", "the version" },
};

static bool take(struct options *o, const struct option_row *row, const char *said_as, const char *value,
		 struct why *why)
{
	if (row->take(o, value))
		return true;
	why_set(why, "%s wants %s, not \"%s\"; run postern-fcgi --help", said_as, row->wants, value);
	return false;
}

static bool read_environment(struct options *o, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *value = rows[i].variable ? getenv(rows[i].variable) : NULL;

		if (value && value[0] && !take(o, &rows[i], rows[i].variable, value, why))
			return false;
	}
	return true;
}

/* "--name" or "--name=value"; *ret_value is what follows the sign, or NULL. */
static const struct option_row *row_of(const char *argument, const char **ret_value)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t size = strlen(rows[i].name);

		if (strncmp(argument, rows[i].name, size) != 0 || (argument[size] != '\0' && argument[size] != '='))
			continue;
		*ret_value = argument[size] == '=' ? argument + size + 1 : NULL;
		return &rows[i];
	}
	return NULL;
}

static bool read_arguments(struct options *o, int argc, char *const *argv, struct why *why)
{
	bool first_peer = true;

	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		const struct option_row *row = row_of(argv[i], &value);

		if (!row) {
			why_set(why, "unknown argument \"%s\"; run postern-fcgi --help", argv[i]);
			return false;
		}
		if (row->argument ? !value && !(value = argv[++i]) : value != NULL) {
			why_set(why, "%s wants %s; run postern-fcgi --help", row->name, row->wants);
			return false;
		}
		/* The command line's peers replace the environment's. */
		if (row->take == take_peers && first_peer) {
			o->peers.count = 0;
			first_peer = false;
		}
		if (!take(o, row, row->name, value, why))
			return false;
	}
	return true;
}

static unsigned default_threads(void)
{
	cpu_set_t set;
	unsigned count = sched_getaffinity(0, sizeof(set), &set) == 0 ? 2 * (unsigned)CPU_COUNT(&set) : 2;

	return count < THREADS_MAX ? count : THREADS_MAX;
}

bool options_read(struct options *o, int argc, char *const *argv, struct why *why)
{
	*o = (struct options){ .connect = PROVIDER_SOCKET_DEFAULT, .threads = default_threads(), .audit_budget = BUDGET_DEFAULT, .log_level = LOG_LEVEL_INFO };
	if (!read_environment(o, why) || !read_arguments(o, argc, argv, why))
		return false;
	if (o->peers.count == 0)
		(void)peer_list_add(&o->peers, "www-data");        /* where there is such a user */
	return true;
}

bool options_print_help(void)
{
	printf("usage: postern-fcgi [OPTION]...\n"
	       "Answers a web server's FastCGI requests from a data directory made by `postern init`.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char left[48];

		snprintf(left, sizeof(left), "%s %s", rows[i].name, rows[i].argument ? rows[i].argument : "");
		printf("  %-22s %s\n", left, rows[i].help);
		if (rows[i].variable)
			printf("  %-22s also %s\n", "", rows[i].variable);
	}
	printf("\nPOSTERN_SITE=SITE in the environment pins the worker to one site; a request's parameter pins that request.\n"
	       "As a FastCGI authorizer, or asked with POSTERN_ROLE=authorizer, it says whether a visitor may pass, and as\n"
	       "whom; with POSTERN_ANONYMOUS=allow visitors without a token pass too.\n"
	       "Exit: 0 stopped, 2 usage, 3 could not start.\n");
	return fflush(stdout) == 0 && !ferror(stdout);
}
