/* doctor-print.c -- findings for people: one line each, its state as a word, then what to do about those that need
 * it. */
#include "console/cli/cmd-doctor-private.h"

static const char *member(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static void lines_print(const struct findings *f)
{
	json_t *row;
	size_t i;

	json_array_foreach(f->list, i, row)
		out_line("%-8s %-22s %s", member(row, "state"), member(row, "check"), member(row, "says"));
}

/* One command mends many files; it is said once. */
static bool is_said(const struct findings *f, size_t before, const json_t *row)
{
	for (size_t i = 0; i < before; i++) {
		const json_t *other = json_array_get(f->list, i);

		if (strcmp(member(other, "check"), member(row, "check")) == 0 && strcmp(member(other, "mend"), member(row, "mend")) == 0)
			return true;
	}
	return false;
}

static void mends_print(const struct findings *f)
{
	bool told = false;
	json_t *row;
	size_t i;

	json_array_foreach(f->list, i, row) {
		if (!*member(row, "mend") || is_said(f, i, row))
			continue;
		if (!told)
			out_line("%s", "");
		told = true;
		out_line("%s: %s", member(row, "check"), member(row, "mend"));
	}
}

static void sum_print(const struct findings *f)
{
	out_line("%s", "");
	if (f->count[FINDING_WARNING] + f->count[FINDING_WRONG] == 0)
		out_line("No warnings.");
	else
		out_line("%zu wrong, %zu warning%s, %zu ok, %zu skipped", f->count[FINDING_WRONG],
		         f->count[FINDING_WARNING], f->count[FINDING_WARNING] == 1 ? "" : "s", f->count[FINDING_OK], f->count[FINDING_SKIPPED]);
}

void findings_print(const struct findings *f)
{
	lines_print(f);
	mends_print(f);
	sum_print(f);
}

int findings_exit(const struct findings *f)
{
	return f->count[FINDING_WARNING] + f->count[FINDING_WRONG] == 0 ? EXIT_YES : EXIT_NO;
}
