/* fuzz-cli.c -- a command line, one argument a line: options by their table, the settings of a site, and those commands
 * that say what the others are.
 *
 * Each operand and value is one of the arguments, each option is given or cleared and not both; settings that are taken come out of
 * their JSON again as they were; and help and usage errors end with the exit codes they must. */
#include "tests/fuzz/fuzz.h"

#include "console/cli/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int cli_main(int argc, char **argv);   /* main.c's, by another name */

#define ARGUMENTS_MAX 24

struct line { int count; char *argv[ARGUMENTS_MAX + 2]; };

static void quiet(void)
{
	static bool done;
	int fd;

	if (done)
		return;
	done = true;
	REQUIRE((fd = open("/dev/null", O_WRONLY)) >= 0);
	REQUIRE((stderr = fdopen(fd, "w")) != NULL && (stdout = fdopen(dup(fd), "w")) != NULL);
}

static void take(struct line *l, struct span input)
{
	struct span text;

	l->argv[l->count++] = fuzz_text(span_str("postern"));
	while (l->count <= ARGUMENTS_MAX && fuzz_cut(&input, '\n', &text))
		l->argv[l->count++] = fuzz_text(text);
	l->argv[l->count] = NULL;
}

static bool inside(const struct line *l, const char *text)
{
	for (int i = 1; i < l->count; i++)
		if (text >= l->argv[i] && text <= l->argv[i] + strlen(l->argv[i]))
			return true;
	return false;
}

static void check_arguments(const struct line *l, const struct arguments *a)
{
	REQUIRE(a->operands <= OPERANDS_MAX);
	for (size_t i = 0; i < a->operands; i++)
		REQUIRE(inside(l, a->operand[i]));
	for (size_t i = 0; i < a->listed_count; i++)
		REQUIRE(args_given(a, a->listed[i].opt) && inside(l, a->listed[i].value));
	for (enum opt o = 0; o < OPT_COUNT; o++) {
		REQUIRE(!(args_given(a, o) && args_cleared(a, o)));
		REQUIRE(!args_given(a, o) || option_rows[o].type == OPT_FLAG || inside(l, a->text[o]));
		REQUIRE(args_given(a, o) || !a->text[o]);
	}
}

static void check_settings(const struct arguments *a)
{
	const char *changed[SETTINGS_MAX + 1];
	struct site s, again;
	struct why why = { "" };

	site_init(&s);
	site_init(&again);
	if (settings_apply(&s, a, changed) && admin_site_check(&s, &why) == RC_OK) {
		json_t *json = settings_json(&s), *more;

		/* These two are no settings. */
		REQUIRE(json && json_object_del(json, "site") == 0 && json_object_del(json, "created_at") == 0);
		REQUIRE(settings_from_json(&again, json, &why));
		more = settings_json(&again);
		REQUIRE(json_object_del(more, "site") == 0 && json_object_del(more, "created_at") == 0 && json_equal(json, more));
		json_decref(json);
		json_decref(more);
	}
	site_done(&s);
	site_done(&again);
}

/* Nothing that opens data, a file or a socket. */
static void run(const struct line *l, const struct arguments *a, bool parsed)
{
	static const char *const nouns[] = { "help", "completion" };
	bool plain = parsed && (args_given(a, OPT_HELP) || args_given(a, OPT_VERSION));
	int code;

	for (size_t i = 0; i < ARRAY_LEN(nouns); i++)
		plain |= parsed && a->operands > 0 && strcmp(a->operand[0], nouns[i]) == 0;
	if (parsed && !plain && a->operands > 0)
		return;
	code = cli_main(l->count, (char **)l->argv);
	REQUIRE(parsed ? code == EXIT_YES || code == EXIT_USAGE : code == EXIT_USAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line l = { 0 };
	struct arguments a;
	bool parsed;

	quiet();
	take(&l, span_of(data, size));
	parsed = args_parse(&a, l.count, l.argv);
	if (parsed) {
		check_arguments(&l, &a);
		check_settings(&a);
	}
	run(&l, &a, parsed);
	args_done(&a);
	for (int i = 0; i < l.count; i++)
		free(l.argv[i]);
	return 0;
}
