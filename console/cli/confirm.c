/* confirm.c -- asking a person, by a word and not by a key: identical questions are answered by muscle memory. */
#include "console/cli/cli.h"

#include <unistd.h>

int confirm(const struct call *c, const char *question, const char *word)
{
	char answer[128] = "";

	if (args_given(&c->args, OPT_YES))
		return EXIT_YES;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		talk("%s Nobody is here to ask: say --yes.", question);
		return EXIT_USAGE;
	}
	talk("%s", question);
	fprintf(stderr, "Type %s to go on: ", word);
	if (!fgets(answer, sizeof(answer), stdin))
		answer[0] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	if (strcmp(answer, word) == 0)
		return EXIT_YES;
	talk("nothing was changed");
	return EXIT_NO;
}
