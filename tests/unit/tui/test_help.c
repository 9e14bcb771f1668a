/* test_help.c -- the help says every key there is, the place one is in first. */
#include "console/tui/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static char *help_of(unsigned first, bool read_only)
{
	struct buf out = BUF_INIT;

	help_text(&out, first, read_only);
	assert_false(out.failed);
	return buf_take(&out);
}

/* The text with every run of white space as one space: a sentence may be broken over lines. */
static char *squeezed(const char *text)
{
	char *out = malloc(strlen(text) + 1), *to = out;

	assert_non_null(out);
	for (; *text; text++) {
		bool space = *text == ' ' || *text == '\n';

		if (!space)
			*to++ = *text;
		else if (to > out && to[-1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
	return out;
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

static void line_of_binding(const struct key_binding *b, char *out, size_t room)
{
	snprintf(out, room, "%s %s", b->label, b->help);
}

static void the_help_says_every_binding(void **st)
{
	char *text = help_of(0, false), *flat = squeezed(text), line[256];

	(void)st;
	for (size_t i = 0; i < binding_count; i++) {
		line_of_binding(&bindings[i], line, sizeof(line));
		if (!strstr(flat, line))
			fail_msg("the help lacks: %s", line);
	}
	free(flat);
	free(text);
}

static void what_holds_in_every_panel_is_said_once(void **st)
{
	char *text = help_of(0, false), *flat = squeezed(text), line[256];

	(void)st;
	for (size_t i = 0; i < binding_count; i++) {
		if ((bindings[i].places & PLACE_PANELS) != PLACE_PANELS)
			continue;
		line_of_binding(&bindings[i], line, sizeof(line));
		assert_int_equal(count_of(flat, line), 1);
	}
	free(flat);
	free(text);
}

static void what_holds_in_some_panels_is_said_in_each(void **st)
{
	char *text = help_of(0, false), *flat = squeezed(text);

	(void)st;
	assert_int_equal(count_of(flat, binding_of(PLACE_LIVE, '/')->help), 3);
	free(flat);
	free(text);
}

static void the_place_one_is_in_comes_first_then_everywhere(void **st)
{
	static const struct { enum place place; const char *head; } heads[] = {
		{ PLACE_SITES, "In Sites\n" }, { PLACE_KEYS, "In Keys\n" }, { PLACE_LIVE, "In Live\n" },
		{ PLACE_AUDIT, "In Audit\n" }, { PLACE_TOKEN, "In Token\n" }, { PLACE_RECORD, "In a record\n" },
		{ PLACE_HEALTH, "Everywhere\n" }, { 0, "Everywhere\n" },
	};

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		char *text = help_of(heads[i].place, false);
		const char *everywhere = strstr(text, "Everywhere\n");

		assert_ptr_equal(strstr(text, heads[i].head), text);
		for (size_t k = 0; k < ARRAY_LEN(heads); k++)
			if (k != i && heads[k].place && heads[k].place != PLACE_HEALTH)
				assert_true(strstr(text, heads[k].head) > everywhere);
		free(text);
	}
}

static void no_line_is_wider_than_a_dialog(void **st)
{
	char *text = help_of(0, false);

	(void)st;
	for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
		assert_in_range(strcspn(at, "\n"), 0, 72);
	free(text);
}

static void a_read_only_console_is_told_nothing_that_it_refuses(void **st)
{
	char *text = help_of(PLACE_KEYS, true), *flat = squeezed(text);

	(void)st;
	for (size_t i = 0; i < binding_count; i++)
		if (bindings[i].changes)
			assert_null(strstr(flat, bindings[i].help));
	assert_non_null(strstr(flat, binding_of(PLACE_KEYS, 's')->help));
	free(flat);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_help_says_every_binding),
		cmocka_unit_test(what_holds_in_every_panel_is_said_once),
		cmocka_unit_test(what_holds_in_some_panels_is_said_in_each),
		cmocka_unit_test(the_place_one_is_in_comes_first_then_everywhere),
		cmocka_unit_test(no_line_is_wider_than_a_dialog),
		cmocka_unit_test(a_read_only_console_is_told_nothing_that_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
