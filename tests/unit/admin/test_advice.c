/* test_advice.c -- what admins are told to do: something for every reason a record can have, with nothing in it that
 * Postern has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/admin.h"
#include "base/file.h"

#include <stdio.h>

#define ADVICE_MAX 330         /* a few lines of a terminal */

static const char *advice_of(enum reason r)
{
	const char *advice = admin_advice(r);

	if (!advice)
		print_error("no advice for %s\n", reason_name(r));
	assert_non_null(advice);
	return advice;
}

static void every_reason_that_blocks_a_token_has_advice(void **state)
{
	(void)state;
	for (enum reason r = REASON_TOKEN_MALFORMED; r <= REASON_EMAIL_MALFORMED; r++)
		assert_int_equal(reason_status(reason_public(r)), 401);        /* each does block */
	for (enum reason r = REASON_TOKEN_MALFORMED; r <= REASON_EMAIL_NOT_PUBLIC; r++)
		advice_of(r);
}

static void every_other_reason_of_a_record_has_advice(void **state)
{
	static const enum reason recorded[] = {
		/* refused actions (design 9) */
		REASON_CONVERSATION_CONFLICT, REASON_ORIGIN_DENIED, REASON_SIGN_IN_REQUIRED, REASON_PLAN_REQUIRED,
		REASON_PARAMETERS_INVALID, REASON_IDENTITY_INCOMPLETE, REASON_NOT_FOUND, REASON_CONFLICT,
		REASON_RATE_LIMITED, REASON_OVERLOADED, REASON_UPSTREAM_FAILED, REASON_UPSTREAM_TIMEOUT,
		/* changes that were refused under the vault's lock, or failed */
		REASON_SITE_UNKNOWN, REASON_SITE_EXISTS, REASON_RING_FULL, REASON_KEY_KNOWN, REASON_KEY_UNKNOWN,
		REASON_KEY_GONE, REASON_KEY_LAST, REASON_KEY_AMBIGUOUS, REASON_RING_CHANGED, REASON_SECRET_INVALID,
		REASON_AUDIT_UNAVAILABLE, REASON_VAULT_UNAVAILABLE,
		REASON_CONNECTION_EXISTS, REASON_CONNECTION_INVALID,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++)
		advice_of(recorded[i]);
	for (enum reason r = REASON_CONNECTION_UNKNOWN; r <= REASON_REPLAYED; r++)
		advice_of(r);
}

static void what_is_no_reason_of_a_record_has_none(void **state)
{
	static const enum reason unrecorded[] = {
		REASON_NONE, REASON_NO_TOKEN, REASON_TOKEN_INVALID, REASON_METHOD_NOT_ALLOWED, REASON_MEDIA_TYPE,
		REASON_COUNT, REASON_COUNT + 1, (enum reason)-1,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unrecorded); i++)
		assert_null(admin_advice(unrecorded[i]));
}

/* ---- how it reads ---- */

static void advice_is_a_few_plain_sentences(void **state)
{
	(void)state;
	for (enum reason r = 0; r < REASON_COUNT; r++) {
		const char *a = admin_advice(r);
		size_t size = a ? strlen(a) : 0, ends = 0;

		if (!a)
			continue;
		assert_in_range(size, 20, ADVICE_MAX);
		assert_in_range(a[0], 'A', 'Z');
		assert_int_equal(a[size - 1], '.');
		assert_null(strstr(a, "  "));
		for (size_t i = 0; i < size; i++) {
			assert_in_range(a[i], ' ', '~');
			ends += a[i] == '.' && (a[i + 1] == ' ' || a[i + 1] == '\0');
		}
		assert_in_range(ends, 1, 3);
		assert_string_not_equal(a, reason_text(r));
	}
}

/* ---- what it names must be there ---- */

static struct buf commands, options, worker;   /* the tables of the programs, as they are written */

static int load(void **state)
{
	(void)state;
	return file_read("console/cli/main.c", 1 << 20, &commands) == RC_OK &&
	       file_read("console/cli/cli.h", 1 << 20, &options) == RC_OK &&
	       file_read("fcgi-app/options.c", 1 << 20, &worker) == RC_OK ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	buf_done(&commands);
	buf_done(&options);
	buf_done(&worker);
	return 0;
}

static void assert_named(const struct buf *table, const char *text, enum reason r)
{
	if (!strstr(table->data, text))
		print_error("the advice on %s names %s, and there is no such thing\n", reason_name(r), text);
	assert_non_null(strstr(table->data, text));
}

/* A lower-case word of `at`, which moves behind it. Empty: there is none. */
static void take_word(const char **at, char out[32])
{
	size_t size = 0;

	while (size < 31 && (((*at)[size] >= 'a' && (*at)[size] <= 'z') || (*at)[size] == '-'))
		size++;
	memcpy(out, *at, size);
	out[size] = '\0';
	*at += size;
	if (**at == ' ')
		(*at)++;
}

static void check_command(const char *at, enum reason r)
{
	char noun[32], verb[32], row[80];

	take_word(&at, noun);
	take_word(&at, verb);
	if (strcmp(noun, "init") == 0)
		snprintf(row, sizeof(row), "{ \"init\", NULL,");
	else
		snprintf(row, sizeof(row), "{ \"%s\", \"%s\",", noun, verb);
	assert_named(&commands, row, r);
}

/* --no-X is --X cleared. */
static void check_option(const char *at, bool of_worker, enum reason r)
{
	char name[32], row[40];

	take_word(&at, name);
	snprintf(row, sizeof(row), of_worker ? "\"--%s\"" : "\"%s\",", strncmp(name, "no-", 3) == 0 ? name + 3 : name);
	assert_named(of_worker ? &worker : &options, row, r);
}

static void every_command_and_option_named_is_there(void **state)
{
	size_t named = 0;

	(void)state;
	for (enum reason r = 0; r < REASON_COUNT; r++) {
		const char *a = admin_advice(r);
		bool of_worker = a && strstr(a, "postern-fcgi ");

		for (const char *at = a; at && (at = strstr(at, "postern ")); named++)
			check_command(at += strlen("postern "), r);
		for (const char *at = a; at && (at = strstr(at, "--")); named++)
			check_option(at += 2, of_worker, r);
	}
	assert_in_range(named, 30, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_that_blocks_a_token_has_advice),
		cmocka_unit_test(every_other_reason_of_a_record_has_advice),
		cmocka_unit_test(what_is_no_reason_of_a_record_has_none),
		cmocka_unit_test(advice_is_a_few_plain_sentences),
		cmocka_unit_test(every_command_and_option_named_is_there),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
