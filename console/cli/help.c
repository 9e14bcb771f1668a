/* help.c -- the table of commands, told to people and to programs. */
#include "console/cli/cli.h"

static void print_name(FILE *to, const struct command *c)
{
	fprintf(to, "postern %s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "", *c->operands ? " " : "",
	        c->operands);
}

void help_all(FILE *to)
{
	fprintf(to, "Postern decides whether a site's bot may act, and as whom.\n\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		char name[64];

		if (i > 0 && strcmp(c->noun, commands[i - 1].noun) != 0 && (c->verb || commands[i - 1].verb))
			fputc('\n', to);
		snprintf(name, sizeof(name), "%s%s%s %s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "", c->operands);
		fprintf(to, "  postern %-34s %s\n", name, c->summary);
	}
	fprintf(to, "\nEvery command: --help, --data DIR, --json. Options before or after operands; -- ends them.\n"
	            "Exit: 0 yes, 1 the answer is no, 2 wrong usage, 3 could not find out.\n");
}

bool help_noun(FILE *to, const char *noun)
{
	bool found = false;

	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		char name[48];

		if (strcmp(c->noun, noun) != 0)
			continue;
		snprintf(name, sizeof(name), "%s %s", c->verb ? c->verb : "", c->operands);
		fprintf(to, "  postern %s %-28s %s\n", noun, name, c->summary);
		found = true;
	}
	return found;
}

static void print_option(FILE *to, const struct command *c, enum opt o)
{
	const struct option_row *row = &option_rows[o];
	const char *prefix = opt_in(c->clearable, 0, o) ? "--[no-]" : "--";
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s%s%s", prefix, row->name, *row->value ? " " : "", row->value,
	         command_lists(c, o) ? " ..." : "");
	fprintf(to, "  %-28s %s%s\n", name, row->help, command_needs(c, o) ? " (needed)" : "");
}

void help_command(FILE *to, const struct command *c)
{
	print_name(to, c);
	fprintf(to, " [options]\n\n  %s\n\n", c->summary);
	for (enum opt o = 0; o < OPT_COUNT; o++)
		if (opt_in(c->options, c->more, o))
			print_option(to, c, o);
	for (enum opt o = 0; o < OPT_COUNT; o++)
		if ((command_takes(c, o) || o == OPT_VERSION) && !opt_in(c->options, c->more, o))
			print_option(to, c, o);
}

static int no_command(struct call *c)
{
	const struct arguments *a = &c->args;

	return usage_error(c, "there is no command \"%s%s%s\"", a->operand[0], a->operands > 1 ? " " : "",
	                   a->operands > 1 ? a->operand[1] : "");
}

/* ---- the table for programs ---- */

static json_t *option_json(const struct command *c, enum opt o)
{
	const struct option_row *row = &option_rows[o];

	return json_pack("{ss ss ss sb sb sb}", "name", row->name, "value", row->value, "help", row->help,
	                 "repeatable", command_lists(c, o), "needed", command_needs(c, o),
	                 "clearable", opt_in(c->clearable, 0, o));
}

static json_t *options_json(const struct command *c)
{
	json_t *list = json_array();

	for (enum opt o = 0; o < OPT_COUNT; o++)
		if (opt_in(c->options, c->more, o))
			json_array_append_new(list, option_json(c, o));
	return list;
}

static json_t *command_json(const struct command *c)
{
	return json_pack("{ss ss? ss ss so}", "noun", c->noun, "verb", c->verb, "operands", c->operands, "summary", c->summary,
	                 "options", options_json(c));
}

/* One that a noun, or a noun and a verb, names; without any, each. */
static bool is_meant(const struct command *c, const struct arguments *a)
{
	return (a->operands < 1 || strcmp(c->noun, a->operand[0]) == 0) &&
	       (a->operands < 2 || (c->verb && strcmp(c->verb, a->operand[1]) == 0));
}

/* The commands with the options they take besides those that are taken everywhere. */
static int help_json(struct call *c)
{
	const struct arguments *a = &c->args;
	static const struct command every = { .options = OPTIONS_EVERYWHERE | BIT(OPT_VERSION) };
	json_t *list = json_array();

	for (size_t i = 0; i < command_count; i++)
		if (is_meant(&commands[i], a))
			json_array_append_new(list, command_json(&commands[i]));
	if (json_array_size(list) == 0) {
		json_decref(list);
		return no_command(c);
	}
	out_json(json_pack("{so so}", "everywhere", options_json(&every), "commands", list));
	return EXIT_YES;
}

int run_help(struct call *c)
{
	const struct arguments *a = &c->args;

	if (args_given(a, OPT_JSON))
		return help_json(c);
	if (a->operands == 0) {
		help_all(stdout);
		return EXIT_YES;
	}
	for (size_t i = 0; i < command_count; i++) {
		const struct command *k = &commands[i];
		bool noun = strcmp(k->noun, a->operand[0]) == 0;

		if (noun && (!k->verb ? a->operands == 1 : a->operands == 2 && strcmp(k->verb, a->operand[1]) == 0)) {
			help_command(stdout, k);
			return EXIT_YES;
		}
	}
	if (a->operands == 1 && help_noun(stdout, a->operand[0]))
		return EXIT_YES;
	return no_command(c);
}
