/* option-table.c -- reads a command line and an environment by a table of options. */
#include "option-table.h"

#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

static bool take(const struct option_table *t, const struct option_row *row, const char *said_as, const char *value,
		 struct options *o, struct why *why)
{
	if (row->take(o, value))
		return true;
	why_set(why, "%s wants %s, not \"%s\"; run %s --help", said_as, row->wants, value, t->program);
	return false;
}

bool option_table_environment(const struct option_table *t, struct options *o, struct why *why)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct option_row *row = &t->rows[i];
		const char *value = row->variable ? getenv(row->variable) : NULL;

		if (value && value[0] && !take(t, row, row->variable, value, o, why))
			return false;
	}
	return true;
}

/* "--name" or "--name=value"; *ret_value is what follows the sign, or NULL. */
static const struct option_row *row_of(const struct option_table *t, const char *argument, const char **ret_value)
{
	size_t size = strcspn(argument, "=");

	*ret_value = argument[size] ? argument + size + 1 : NULL;
	for (size_t i = 0; i < t->count; i++)
		if (span_is(span_of(argument, size), t->rows[i].name))
			return &t->rows[i];
	return NULL;
}

/* Takes argv[*at] and, where it wants one, the argument behind it. */
static bool read_one(const struct option_table *t, struct options *o, char *const *argv, int *at, struct why *why)
{
	const char *value;
	const struct option_row *row = row_of(t, argv[*at], &value);

	if (!row) {
		why_set(why, "unknown argument \"%s\"; run %s --help", argv[*at], t->program);
		return false;
	}
	if (row->argument ? !value && !(value = argv[++*at]) : value != NULL) {
		why_set(why, "%s wants %s; run %s --help", row->name, row->wants, t->program);
		return false;
	}
	return take(t, row, row->name, value, o, why);
}

bool option_table_arguments(const struct option_table *t, struct options *o, int argc, char *const *argv,
			    struct why *why)
{
	for (int i = 1; i < argc; i++)
		if (!read_one(t, o, argv, &i, why))
			return false;
	return true;
}

static int left_width(const struct option_row *row)
{
	return (int)(strlen(row->name) + (row->argument ? 1 + strlen(row->argument) : 0));
}

void option_table_print(const struct option_table *t)
{
	int widest = 0;

	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].help && left_width(&t->rows[i]) > widest)
			widest = left_width(&t->rows[i]);
	for (size_t i = 0; i < t->count; i++) {
		const struct option_row *row = &t->rows[i];

		if (!row->help)
			continue;
		printf("  %s%s%s%*s  %s\n", row->name, row->argument ? " " : "", row->argument ? row->argument : "",
		       widest - left_width(row), "", row->help);
		if (row->variable)
			printf("  %*s  also %s\n", widest, "", row->variable);
	}
}
