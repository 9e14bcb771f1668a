/* test_keys.c -- the table of keys holds together: what it promises in the footer and in the help is so. */
#include "base/codes.h"
#include "console/tui/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const enum place places[] = {
	PLACE_SITES, PLACE_KEYS, PLACE_LIVE, PLACE_AUDIT, PLACE_HEALTH, PLACE_TOKEN, PLACE_RECORD,
};

static void no_press_is_bound_twice_in_one_place(void **st)
{
	(void)st;
	for (size_t i = 0; i < binding_count; i++)
		for (size_t k = 0; k < BINDING_PRESSES && bindings[i].press[k]; k++)
			for (size_t p = 0; p < ARRAY_LEN(places); p++)
				if (bindings[i].places & places[p])
					assert_ptr_equal(binding_of(places[p], bindings[i].press[k]), &bindings[i]);
}

static void every_command_is_bound_somewhere(void **st)
{
	(void)st;
	for (enum command what = CMD_NONE + 1; what < CMD_COUNT; what++) {
		size_t found = 0;

		for (size_t i = 0; i < binding_count; i++)
			found += bindings[i].command == what;
		if (!found)
			fail_msg("command %d has no key", what);
	}
}

static void every_label_names_exactly_its_keys(void **st)
{
	(void)st;
	for (size_t i = 0; i < binding_count; i++) {
		char label[128] = "";

		assert_int_not_equal(bindings[i].press[0], PRESS_NONE);
		for (size_t k = 0; k < BINDING_PRESSES && bindings[i].press[k]; k++) {
			assert_string_not_equal(press_name(bindings[i].press[k]), "");
			snprintf(label + strlen(label), sizeof(label) - strlen(label), "%s%s", k ? ", " : "",
			         press_name(bindings[i].press[k]));
		}
		assert_string_equal(bindings[i].label, label);
	}
}

static void every_binding_has_a_sentence_and_a_place(void **st)
{
	(void)st;
	for (size_t i = 0; i < binding_count; i++) {
		const char *help = bindings[i].help;

		assert_true(isupper((unsigned char)help[0]));
		assert_int_equal(help[strlen(help) - 1], '.');
		assert_int_not_equal(bindings[i].places, 0);
		assert_int_equal(bindings[i].places & ~(unsigned)PLACE_LISTS, 0);
	}
}

static void the_footer_of_each_place_fits_80_columns(void **st)
{
	(void)st;
	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		size_t columns = 0;

		for (size_t i = 0; i < binding_count; i++)
			if (bindings[i].word && (bindings[i].places & places[p]))
				columns += strlen(press_name(bindings[i].press[0])) + 1 + strlen(bindings[i].word) + 2;
		assert_in_range(columns, 1, 80);
	}
}

static void each_place_can_be_left_and_has_its_help_in_the_footer(void **st)
{
	(void)st;
	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		assert_int_equal(command_of(places[p], PRESS_CTRL('C')), CMD_QUIT);
		assert_int_equal(command_of(places[p], PRESS_F10), CMD_QUIT);
		assert_int_equal(command_of(places[p], 'q'), places[p] == PLACE_RECORD ? CMD_BACK : CMD_QUIT);
		assert_non_null(binding_of(places[p], 'q')->word);
		assert_string_equal(binding_of(places[p], '?')->word, "help");
	}
}

static void escape_never_quits(void **st)
{
	(void)st;
	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		assert_int_not_equal(command_of(places[p], PRESS_ESCAPE), CMD_QUIT);
		assert_int_not_equal(command_of(places[p], PRESS_BACKSPACE), CMD_QUIT);
	}
}

static void no_letter_is_upper_case_but_one(void **st)
{
	(void)st;
	for (int press = 'A'; press <= 'Z'; press++)
		for (size_t p = 0; p < ARRAY_LEN(places); p++)
			assert_int_equal(command_of(places[p], press), press == 'G' ? CMD_LAST : CMD_NONE);
}

static bool is_plain(int press)
{
	return press && press != PRESS_F1 && press != PRESS_F10;
}

static void nothing_needs_a_function_key(void **st)
{
	(void)st;
	for (size_t i = 0; i < binding_count; i++) {
		size_t plain = 0;

		for (size_t k = 0; k < BINDING_PRESSES; k++)
			plain += is_plain(bindings[i].press[k]);
		assert_int_not_equal(plain, 0);
	}
}

static void what_changes_or_is_recorded_is_marked_and_nothing_else(void **st)
{
	(void)st;
	for (size_t i = 0; i < binding_count; i++) {
		enum command what = bindings[i].command;

		assert_int_equal(bindings[i].changes, what == CMD_CREATE || what == CMD_ROTATE || what == CMD_RETIRE ||
		                 what == CMD_KEEP || what == CMD_IDENTITY);
	}
}

static void what_is_no_key_asks_for_nothing(void **st)
{
	static const int none[] = {
		PRESS_NONE, PRESS_SPECIAL, PRESS_RESIZE, PRESS_PASTE_BEGIN, PRESS_PASTE_END, PRESS_LOST, -1, 0x10ffff,
		0x7fffffff,
	};

	(void)st;
	for (size_t p = 0; p < ARRAY_LEN(places); p++)
		for (size_t i = 0; i < ARRAY_LEN(none); i++)
			assert_int_equal(command_of(places[p], none[i]), CMD_NONE);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_string_equal(press_name(none[i]), "");
}

static void keys_are_written_as_people_know_them(void **st)
{
	(void)st;
	assert_string_equal(press_name('c'), "c");
	assert_string_equal(press_name('~'), "~");
	assert_string_equal(press_name(' '), "Space");
	assert_string_equal(press_name(PRESS_CTRL('L')), "Ctrl-L");
	assert_string_equal(press_name(PRESS_TAB), "Tab");
	assert_string_equal(press_name(PRESS_BACKSPACE), "Backspace");
	assert_string_equal(press_name(PRESS_PAGE_DOWN), "PageDown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_press_is_bound_twice_in_one_place),
		cmocka_unit_test(every_command_is_bound_somewhere),
		cmocka_unit_test(every_label_names_exactly_its_keys),
		cmocka_unit_test(every_binding_has_a_sentence_and_a_place),
		cmocka_unit_test(the_footer_of_each_place_fits_80_columns),
		cmocka_unit_test(each_place_can_be_left_and_has_its_help_in_the_footer),
		cmocka_unit_test(escape_never_quits),
		cmocka_unit_test(no_letter_is_upper_case_but_one),
		cmocka_unit_test(nothing_needs_a_function_key),
		cmocka_unit_test(what_changes_or_is_recorded_is_marked_and_nothing_else),
		cmocka_unit_test(what_is_no_key_asks_for_nothing),
		cmocka_unit_test(keys_are_written_as_people_know_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
