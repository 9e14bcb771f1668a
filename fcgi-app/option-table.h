/* option-table.h -- one table is a program's command line, its environment and its help. */
#ifndef POSTERN_FCGI_APP_OPTION_TABLE_H
#define POSTERN_FCGI_APP_OPTION_TABLE_H

#include "base/codes.h"

struct options;                        /* each program's own */

struct option_row {
	const char *name, *argument, *variable;        /* argument NULL: takes none; variable NULL: command line only */
	bool (*take)(struct options *o, const char *value);
	const char *wants, *help;                      /* help NULL: not for people */
};

struct option_table {
	const char *program;
	const struct option_row *rows;
	size_t count;
};

/* false: why says what is wrong, in one line. */
bool option_table_environment(const struct option_table *t, struct options *o, struct why *why);
bool option_table_arguments(const struct option_table *t, struct options *o, int argc, char *const *argv,
			    struct why *why);
void option_table_print(const struct option_table *t);     /* the rows of the help, on stdout */

#endif
