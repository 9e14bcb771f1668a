/* help.c -- the table of commands, told to people and to the shell. */
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

		if (i > 0 && strcmp(c->noun, commands[i - 1].noun) != 0)
			fputc('\n', to);
		snprintf(name, sizeof(name), "%s %s %s", c->noun, c->verb ? c->verb : "", c->operands);
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

static void print_option(FILE *to, const struct command *c, size_t o)
{
	const struct option_row *row = &option_rows[o];
	const char *prefix = c->clearable & BIT(o) ? "--[no-]" : "--";
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s%s%s", prefix, row->name, *row->value ? " " : "", row->value,
	         row->type == OPT_LIST ? " ..." : "");
	fprintf(to, "  %-28s %s%s\n", name, row->help, c->required & BIT(o) ? " (needed)" : "");
}

void help_command(FILE *to, const struct command *c)
{
	uint64_t taken = c->options | OPTIONS_EVERYWHERE;

	print_name(to, c);
	fprintf(to, " [options]\n\n  %s\n\n", c->summary);
	for (size_t o = 0; o < OPT_COUNT; o++)
		if (c->options & BIT(o))
			print_option(to, c, o);
	for (size_t o = 0; o < OPT_COUNT; o++)
		if (taken & ~c->options & BIT(o))
			print_option(to, c, o);
}

int run_help(struct call *c)
{
	const struct arguments *a = &c->args;

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
	return usage_error(c, "there is no command \"%s%s%s\"", a->operand[0], a->operands > 1 ? " " : "",
	                   a->operands > 1 ? a->operand[1] : "");
}

/* ---- completion ---- */

static void complete_options(const struct command *c)
{
	uint64_t taken = c->options | OPTIONS_EVERYWHERE;

	for (size_t o = 0; o < OPT_COUNT; o++) {
		if (taken & BIT(o))
			printf(" --%s", option_rows[o].name);
		if (c->clearable & BIT(o))
			printf(" --no-%s", option_rows[o].name);
	}
}

static void complete_verbs(const char *noun)
{
	printf("\t%s) words=\"", noun);
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].noun, noun) == 0 && commands[i].verb)
			printf("%s ", commands[i].verb);
	printf("\" ;;\n");
}

static bool first_of_noun(size_t i)
{
	return i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0;
}

int run_completion(struct call *c)
{
	(void)c;
	printf("# bash completion for postern; made by: postern completion\n_postern() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\"\"\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then words=\"");
	for (size_t i = 0; i < command_count; i++)
		if (first_of_noun(i))
			printf("%s ", commands[i].noun);
	printf("\"\n\telif [ \"$COMP_CWORD\" -eq 2 ]; then case ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < command_count; i++)
		if (first_of_noun(i) && commands[i].verb)
			complete_verbs(commands[i].noun);
	printf("\tesac; fi\n\tif [[ $cur == -* ]]; then case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
	for (size_t i = 0; i < command_count; i++) {
		printf("\t\"%s%s%s\"%s) words=\"", commands[i].noun, commands[i].verb ? " " : "",
		       commands[i].verb ? commands[i].verb : "", commands[i].verb ? "" : "*");
		complete_options(&commands[i]);
		printf("\" ;;\n");
	}
	printf("\tesac; fi\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	       "\t[ -n \"$words\" ] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
	       "}\ncomplete -F _postern postern\n");
	return EXIT_YES;
}
