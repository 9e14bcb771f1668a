/* options.c -- one table is the command line and the help. */
#include "fcgi-app/connectd/options.h"

#include "fcgi-app/option-table.h"

#include "base/span.h"

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

static bool take_group(struct options *o, const char *value)
{
	return socket_group_set(&o->group, value);
}

static bool take_admin_group(struct options *o, const char *value)
{
	return socket_group_set(&o->admin_group, value);
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

static const struct option_row rows[] = {
	{ "--data", "DIR", NULL, take_data, "a directory", "its own store (default /var/lib/postern-connect)" },
	{ "--listen", "PATH", NULL, take_listen, "an absolute path",
	  "the workers' socket (default /run/postern-connect/proxy.sock)" },
	{ "--listen-group", "GROUP", NULL, take_group, "a group of this system", "that socket's group; its mode is 0660" },
	{ "--peer", "USER", NULL, take_peer, "a user of this system",
	  "who may call; repeatable (default postern, postern-admin)" },
	{ "--admin-listen", "PATH", NULL, take_admin_listen, "an absolute path",
	  "the socket of postern connection (default /run/postern-connect/admin.sock)" },
	{ "--admin-listen-group", "GROUP", NULL, take_admin_group, "a group of this system",
	  "that socket's group; its mode is 0660" },
	{ "--admin-peer", "USER", NULL, take_admin_peer, "a user of this system",
	  "who may change connections; repeatable (default postern-admin)" },
	{ "--log-level", "LEVEL", NULL, take_log_level, "error, warning, info or debug", "default info" },
	{ "--refresh", "NAME", NULL, take_refresh, "a connection", NULL },
	{ "--help", NULL, NULL, take_help, "no value", "this text" },
	{ "--version", NULL, NULL, take_version, "no value", "the version" },
};

static const struct option_table table = { "postern-connectd", rows, ARRAY_LEN(rows) };

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
	if (!option_table_arguments(&table, o, argc, argv, why))
		return false;
	default_peers(&o->peers, "postern", "postern-admin");
	default_peers(&o->admin_peers, "postern-admin", NULL);
	return true;
}

bool options_print_help(void)
{
	printf("usage: postern-connectd [OPTION]...\n"
	       "Calls the systems behind actions, with credentials that only it holds.\n\n");
	option_table_print(&table);
	printf("\nRoot and its own user may always connect. Sockets handed over by systemd are told apart by their\n"
	       "FileDescriptorName: proxy and admin.\n"
	       "Exit: 0 stopped, 2 usage, 3 could not start.\n");
	return fflush(stdout) == 0 && !ferror(stdout);
}
