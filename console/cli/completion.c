/* completion.c -- `postern completion`: the table of commands as a script for bash.
 *
 * What depends on the table is written as case arms; the rest of the script never changes. Sites, keys and actions are
 * asked of the program itself, quietly: whoever may not read the data gets nothing. What comes back passes a pattern
 * that holds no character a shell knows, and is never expanded. */
#include "console/cli/cli.h"

/* ---- what an option or an operand is completed from ---- */

static void plans(void)
{
	for (enum plan p = PLAN_FREE; p <= PLAN_BUSINESS; p++)
		printf(" %s", plan_name(p));
}

static void outcomes(void)
{
#define X(id, name) printf(" %s", name);
	AUDIT_OUTCOME_LIST(X)
#undef X
}

static void reasons(void)
{
	for (size_t r = REASON_NONE + 1; r < REASON_COUNT; r++)
		printf(" %s", reason_name((enum reason)r));
}

static void formats(void)
{
	for (size_t i = 0; audit_form_at(i); i++)
		printf(" %s", audit_form_at(i)->name);
}

/* An option without a row here is completed by what its value is called: FILE, DIR; else by nothing. */
static const struct { enum opt opt; void (*words)(void); const char *from; } values[] = {
	{ OPT_PLAN,        plans,    NULL },
	{ OPT_OUTCOME,     outcomes, NULL },
	{ OPT_REASON,      reasons,  NULL },
	{ OPT_FORMAT,      formats,  NULL },
	{ OPT_SECRET_FILE, NULL,     "FILE" },
	{ OPT_TOKEN_FILE,  NULL,     "FILE" },
	{ OPT_GROUP,       NULL,     "GROUP" },
	{ OPT_SITE,        NULL,     "SITE" },
	{ OPT_ACTION,      NULL,     "ACTION" },
	{ OPT_KID,         NULL,     "KID" },
};

static void value_arm(size_t o)
{
	const struct option_row *row = &option_rows[o];

	if (row->type == OPT_FLAG)
		return;
	printf("\t--%s)", row->name);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (values[i].opt == (enum opt)o && values[i].words) {
			printf(" _postern_words");
			values[i].words();
			printf(" ;;\n");
			return;
		}
		if (values[i].opt == (enum opt)o) {
			printf(" _postern_from %s ;;\n", values[i].from);
			return;
		}
	}
	printf(" _postern_from '%s' ;;\n", row->value);
}

/* ---- the table ---- */

static bool first_of_noun(size_t i)
{
	return i == 0 || strcmp(commands[i].noun, commands[i - 1].noun) != 0;
}

static void nouns(void)
{
	printf("_postern_nouns='");
	for (size_t i = 0; i < command_count; i++)
		if (first_of_noun(i))
			printf("%s ", commands[i].noun);
	printf("'\n");
}

static void verb_arms(void)
{
	printf("_postern_verbs() {\n\tcase $1 in\n");
	for (size_t i = 0; i < command_count; i++) {
		if (!commands[i].verb)
			continue;
		if (first_of_noun(i))
			printf("\t%s) echo '", commands[i].noun);
		printf("%s ", commands[i].verb);
		if (i + 1 == command_count || first_of_noun(i + 1))
			printf("' ;;\n");
	}
	printf("\tesac\n}\n");
}

/* "SITE [KID]" without its brackets, which a shell would take for a pattern. */
static void operands_of(const struct command *c)
{
	for (const char *at = c->operands; *at; at++)
		if (*at != '[' && *at != ']')
			putchar(*at);
}

static void command_arm(const struct command *c)
{
	printf("\t'%s%s%s') operands='", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
	operands_of(c);
	printf("' options='");
	for (enum opt o = 0; o < OPT_COUNT; o++) {
		if (command_takes(c, o))
			printf(" --%s", option_rows[o].name);
		if (opt_in(c->clearable, 0, o))
			printf(" --no-%s", option_rows[o].name);
	}
	printf("' ;;\n");
}

static void command_arms(void)
{
	printf("_postern_command() {\n\toperands='' options=' --data --json --help --version'\n\tcase $1 in\n");
	for (size_t i = 0; i < command_count; i++)
		command_arm(&commands[i]);
	printf("\tesac\n}\n");
}

static void value_arms(void)
{
	printf("_postern_valued='");
	for (size_t o = 0; o < OPT_COUNT; o++)
		if (option_rows[o].type != OPT_FLAG)
			printf(" --%s", option_rows[o].name);
	printf(" '\n_postern_value() {\n\tcase $1 in\n");
	for (size_t o = 0; o < OPT_COUNT; o++)
		value_arm(o);
	printf("\tesac\n}\n");
}

/* ---- the rest ---- */

/* Of its variables: cur is the word to complete, args the operands before it (args[0] the noun), tool and data how to ask. */
static const char body[] =
	"_postern_words() {\n"
	"\tlocal word\n"
	"\tfor word; do [[ $word == \"$cur\"* ]] && COMPREPLY+=(\"$word\"); done\n"
	"\treturn 0\n"
	"}\n"
	/* Of the JSON that a command prints, the values of one member. In a text such a member's quotes are escaped. */
	"_postern_ask() {\n"
	"\tlocal member=$1 pattern=$2 found=()\n"
	"\tshift 2\n"
	"\tmapfile -t found < <(\"$tool\" \"$@\" --json \"${data[@]}\" 2>/dev/null </dev/null |\n"
	"\t\tLC_ALL=C grep -oE \"[{,]\\\"$member\\\":\\\"$pattern\\\"\" | cut -d'\"' -f4)\n"
	"\t_postern_words \"${found[@]}\"\n"
	"}\n"
	"_postern_of_site() {\n"
	"\tlocal site=${filter_site:-${args[2]-}}\n"
	"\t[[ $site =~ ^[a-z][a-z0-9-]*$ ]] || return 0\n"
	"\t_postern_ask \"$1\" \"$2\" \"$3\" list \"$site\"\n"
	"}\n"
	"_postern_from() {\n"
	"\tcase $1 in\n"
	"\t*FILE*) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\tDIR) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	"\tGROUP) mapfile -t COMPREPLY < <(compgen -g -- \"$cur\") ;;\n"
	"\tUSER) mapfile -t COMPREPLY < <(compgen -u -- \"$cur\") ;;\n"
	"\tSITE) _postern_ask site '[a-z][a-z0-9-]{0,62}' site list ;;\n"
	"\tKID) _postern_of_site kid 'k_[a-z2-7]{8}' key ;;\n"
	"\tCONNECTION) _postern_ask name '[a-z][a-z0-9_-]{0,62}' connection list ;;\n"
	"\tACTION) _postern_of_site name '[a-z][a-z0-9_]{0,62}' action ;;\n"
	"\tNOUN) _postern_words $_postern_nouns ;;\n"
	"\tVERB) _postern_words $(_postern_verbs \"${args[1]-}\") ;;\n"
	"\tesac\n"
	"}\n"
	/* The directory to ask about, as the shell would read the word; of a word that it would have to work out, nothing. */
	"_postern_data() {\n"
	"\tcase $1 in\n"
	"\t*[\\\\\\\"\\'\\$\\`]*) tool=false ;;\n"
	"\t'~/'*) data=(--data \"$HOME/${1#??}\") ;;\n"
	"\t*) data=(--data \"$1\") ;;\n"
	"\tesac\n"
	"}\n"
	/* Sorts what stands before the cursor. wants: the option in whose value it stands. "--plan=pr" comes as three words. */
	"_postern_read() {\n"
	"\tlocal i=1 word\n"
	"\twhile ((i < COMP_CWORD)); do\n"
	"\t\tword=${COMP_WORDS[i++]}\n"
	"\t\tif [[ -z $ended && $word == -- ]]; then\n"
	"\t\t\tended=yes\n"
	"\t\telif [[ -n $ended || $word != --* ]]; then\n"
	"\t\t\targs+=(\"$word\")\n"
	"\t\telif [[ $_postern_valued == *\" $word \"* ]]; then\n"
	"\t\t\tif [[ ${COMP_WORDS[i]} == = ]]; then\n"
	"\t\t\t\tif ((i == COMP_CWORD)); then cur=''; else ((i++)); fi\n"
	"\t\t\tfi\n"
	"\t\t\tif ((i == COMP_CWORD)); then wants=$word; return; fi\n"
	"\t\t\tcase $word in\n"
	"\t\t\t--data) _postern_data \"${COMP_WORDS[i]}\" ;;\n"
	"\t\t\t--site) filter_site=${COMP_WORDS[i]} ;;\n"
	"\t\t\tesac\n"
	"\t\t\t((i++))\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"_postern() {\n"
	"\tlocal IFS=$' \\t\\n' cur=${COMP_WORDS[COMP_CWORD]} tool=${1-postern} args=() data=() kinds=()\n"
	"\tlocal wants='' ended='' filter_site='' operands='' options='' verbs='' at\n"
	"\tCOMPREPLY=()\n"
	"\t_postern_read\n"
	"\tif [[ -n $wants ]]; then _postern_value \"$wants\"; return 0; fi\n"
	"\tverbs=$(_postern_verbs \"${args[0]-}\")\n"
	"\t_postern_command \"${args[0]-}${verbs:+ ${args[1]-}}\"\n"
	"\tif [[ -z $ended && $cur == -* ]]; then\n"
	"\t\t_postern_words $options\n"
	"\telif ((${#args[@]} == 0)); then\n"
	"\t\t_postern_words $_postern_nouns\n"
	"\telif [[ -n $verbs && ${#args[@]} -eq 1 ]]; then\n"
	"\t\t_postern_words $verbs\n"
	"\telse\n"
	"\t\tkinds=($operands)\n"
	"\t\tat=$((${#args[@]} - (${#verbs} ? 2 : 1)))\n"
	"\t\t_postern_from \"${kinds[at]-}\"\n"
	"\tfi\n"
	"\treturn 0\n"
	"}\n"
	/* The two other programs name their options themselves. */
	"_postern_program() {\n"
	"\tlocal IFS=$' \\t\\n' cur=${COMP_WORDS[COMP_CWORD]} tool=$1 args=() data=() found=()\n"
	"\tlocal wants='' ended='' filter_site='' at=$((COMP_CWORD - 1))\n"
	"\tCOMPREPLY=()\n"
	"\t_postern_read\n"
	"\t[[ $cur == = ]] && cur=''\n"
	"\t[[ ${COMP_WORDS[at]} == = ]] && ((at--))\n"
	"\tcase ${COMP_WORDS[at]} in\n"
	"\t--data) _postern_from DIR ;;\n"
	"\t--master-key|--listen) _postern_from FILE ;;\n"
	"\t--listen-group) _postern_from GROUP ;;\n"
	"\t--peer) _postern_from USER ;;\n"
	"\t--log-level) _postern_words error warning info debug ;;\n"
	"\t--color) _postern_words auto always never ;;\n"
	"\t--site) tool=${tool%-console}; _postern_from SITE ;;\n"
	"\t--threads|--audit-budget) ;;\n"
	"\t*)\n"
	"\t\tmapfile -t found < <(\"$tool\" --help 2>/dev/null </dev/null | LC_ALL=C grep -oE '^ +--[a-z-]+' | tr -d ' ')\n"
	"\t\t_postern_words \"${found[@]}\" ;;\n"
	"\tesac\n"
	"\treturn 0\n"
	"}\n"
	"complete -F _postern postern\n"
	"complete -F _postern_program postern-fcgi postern-console\n";

int run_completion(struct call *c)
{
	(void)c;
	printf("# bash completion for postern, postern-fcgi and postern-console; made by: postern completion\n");
	nouns();
	verb_arms();
	command_arms();
	value_arms();
	fputs(body, stdout);
	return EXIT_YES;
}
