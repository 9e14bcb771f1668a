/* options.c -- one table is the command line and the help. */
#include "fcgi-app/connectd/options.h"

#include "base/span.h"

#include <grp.h>
#include <stdio.h>

static bool take_data(struct options *o, const char *value)
{
	o->data = value;
	return value[0] != '\0';
}

static bool take_listen(struct options *o, const char *value)
{
	o->listen = value;
	return value[0] == '/';
}

static bool take_admin_listen(struct options *o, const char *value)
{
	o->admin_listen = value;
	return value[0] == '/';
}

static bool group_of(struct socket_group *g, const char *name)
{
	const struct group *found = getgrnam(name);

	g->is = found != NULL;
	if (found)
		g->gid = found->gr_gid;
	return g->is;
}

static bool take_group(struct options *o, const char *value)
{
	return group_of(&o->group, value);
}

static bool take_admin_group(struct options *o, const char *value)
{
	return group_of(&o->admin_group, value);
}

static bool take_peer(struct options *o, const char *value)
{
	return peer_list_add(&o->peers, value);
}

static bool take_admin_peer(struct options *o, const char *value)
{
	return peer_list_add(&o->admin_peers, value);
}

static bool take_log_level(struct options *o, const char *value)
{
	return log_level_parse(value, &o->log_level);
}

static bool take_refresh(struct options *o, const char *value)
{
	o->refresh_of = value;
	return true;
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
	const char *name, *argument;   /* argument NULL: takes none */
	bool (*take)(struct options *o, const char *value);
	const char *wants, *help;      /* help NULL: not for people */
} rows[] = {
	{ "--data", "DIR", take_data, "a directory", "its own store (default /var/lib/postern-connect)" },
	{ "--listen", "PATH", take_listen, "an absolute path",
	  "the workers' socket (default /run/postern-connect/proxy.sock)" },
	{ "--listen-group", "GROUP", take_group, "a group of this system", "that socket's group; its mode is 0660" },
	{ "--peer", "USER", take_peer, "a user of this system",
	  "who may call; repeatable (default postern, postern-admin)" },
	{ "--admin-listen", "PATH", take_admin_listen, "an absolute path",
	  "the socket of postern connection (default /run/postern-connect/admin.sock)" },
	{ "--admin-listen-group", "GROUP", take_admin_group, "a group of this system",
	  "that socket's group; its mode is 0660" },
	{ "--admin-peer", "USER", take_admin_peer, "a user of this system",
	  "who may change connections; repeatable (default postern-admin)" },
	{ "--log-level", "LEVEL", take_log_level, "error, warning, info or debug", "default info" },
	{ "--refresh", "NAME", take_refresh, "a connection", NULL },
	{ "--help", NULL, take_help, "no value", "this text" },
	{ "--version", NULL, take_version, "no value", "the version" },
};

static const struct option_row *find(const char *argument, const char **ret_value)
{
	size_t size = strcspn(argument, "=");

	*ret_value = argument[size] ? argument + size + 1 : NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_is(span_of(argument, size), rows[i].name))
			return &rows[i];
	return NULL;
}

/* Takes argv[*at] and, where it wants one, the argument behind it. */
static bool read_one(struct options *o, char *const *argv, int *at, struct why *why)
{
	const char *value;
	const struct option_row *row = find(argv[*at], &value);

	if (!row) {
		why_set(why, "unknown argument \"%s\"; run postern-connectd --help", argv[*at]);
		return false;
	}
	if (row->argument ? !value && !(value = argv[++*at]) : value != NULL) {
		why_set(why, "%s wants %s; run postern-connectd --help", row->name, row->wants);
		return false;
	}
	if (!row->take(o, value)) {
		why_set(why, "%s: \"%s\" is not %s", row->name, value, row->wants);
		return false;
	}
	return true;
}

/* Where there are such users. */
static void default_peers(struct peer_list *peers, const char *first, const char *second)
{
	if (peers->count > 0)
		return;
	(void)peer_list_add(peers, first);
	if (second)
		(void)peer_list_add(peers, second);
}

bool options_read(struct options *o, int argc, char *const *argv, struct why *why)
{
	*o = (struct options){
		.data = "/var/lib/postern-connect", .listen = "/run/postern-connect/proxy.sock",
		.admin_listen = "/run/postern-connect/admin.sock", .log_level = LOG_LEVEL_INFO,
	};
	for (int i = 1; i < argc; i++)
		if (!read_one(o, argv, &i, why))
			return false;
	default_peers(&o->peers, "postern", "postern-admin");
	default_peers(&o->admin_peers, "postern-admin", NULL);
	return true;
}

bool options_print_help(void)
{
	printf("usage: postern-connectd [OPTION]...\n"
	       "Calls the systems behind actions, with credentials that only it holds.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char left[48];

		if (!rows[i].help)
			continue;
		snprintf(left, sizeof(left), "%s %s", rows[i].name, rows[i].argument ? rows[i].argument : "");
		printf("  %-27s %s\n", left, rows[i].help);
	}
	printf("\nRoot and its own user may always connect. Sockets handed over by systemd are told apart by their\n"
	       "FileDescriptorName: proxy and admin.\n"
	       "Exit: 0 stopped, 2 usage, 3 could not start.\n");
	return fflush(stdout) == 0 && !ferror(stdout);
}
