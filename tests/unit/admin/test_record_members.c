/* test_record_members.c -- a record member by member, as both programs print it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/admin.h"

static void add(void *arg, const char *name, const char *value)
{
	buf_addf(arg, "%s=%s\n", name, value);
}

/* The line (with ' for ") as "name=value" lines. */
static void assert_members(const char *line, const char *expected)
{
	struct buf text = BUF_INIT;
	json_t *record;
	char copy[1024];

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	record = json_loads(copy, 0, NULL);
	assert_non_null(record);
	buf_add_str(&text, "");
	admin_record_members(record, add, &text);
	assert_string_equal(text.data, expected);
	json_decref(record);
	buf_done(&text);
}

static void what_one_looks_for_first_stands_first_and_nothing_is_left_out(void **st)
{
	(void)st;
	assert_members("{'action':'a','event':'action','id':'01','outcome':'done','seq':17,'site':'demo','unheard':[1,'x'],'v':1}",
	               "seq=17\nevent=action\noutcome=done\nsite=demo\naction=a\nid=01\nunheard=[1,\"x\"]\nv=1\n");
}

static void numbers_that_are_times_are_times_too(void **st)
{
	(void)st;
	assert_members("{'time':1763690000123456,'first':1763690000000000,'count':1763690000000000}",
	               "time=1763690000123456 (2025-11-21T01:53:20Z)\ncount=1763690000000000\n"
	               "first=1763690000000000 (2025-11-21T01:53:20Z)\n");
}

static void a_detail_is_told_by_its_members(void **st)
{
	(void)st;
	assert_members("{'actor':'-:root','detail':{'change':'retire','retire_at':1763690000,'seq':3}}",
	               "actor=-:root\ndetail.change=retire\ndetail.retire_at=1763690000 (2025-11-21T01:53:20Z)\ndetail.seq=3\n");
	assert_members("{'detail':'text'}", "detail=text\n");
}

static void what_is_no_time_of_this_world_stays_what_it_is(void **st)
{
	(void)st;
	assert_members("{'time':-1,'first':0,'last':'now','detail':{'retire_at':9223372036854775807}}",
	               "time=-1\nfirst=0\nlast=now\ndetail.retire_at=9223372036854775807\n");
}

static void a_name_that_is_none_of_ours_does_not_look_like_one(void **st)
{
	(void)st;
	assert_members("{'What to do':'x','Email':'a','a\\nb':1,'':2,'v':1}", "\"What to do\"=x\n\"Email\"=a\n\"a\\nb\"=1\n=2\nv=1\n");
}

static void a_record_with_a_count_is_folded(void **st)
{
	json_t *folded = json_pack("{si}", "count", 2), *odd = json_pack("{ss}", "count", "2"), *single = json_object();

	(void)st;
	assert_true(admin_record_folded(folded));
	assert_false(admin_record_folded(odd));
	assert_false(admin_record_folded(single));
	json_decref(folded);
	json_decref(odd);
	json_decref(single);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_looks_for_first_stands_first_and_nothing_is_left_out),
		cmocka_unit_test(numbers_that_are_times_are_times_too),
		cmocka_unit_test(a_detail_is_told_by_its_members),
		cmocka_unit_test(what_is_no_time_of_this_world_stays_what_it_is),
		cmocka_unit_test(a_name_that_is_none_of_ours_does_not_look_like_one),
		cmocka_unit_test(a_record_with_a_count_is_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
