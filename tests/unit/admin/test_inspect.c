/* test_inspect.c -- what the inspection says of snapshots made by hand, and that nothing from outside gets through it as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/inspect-private.h"

#include <stdio.h>
#include <unistd.h>

#define NOW 1800000000
#define DAY 86400

struct look { struct findings found; struct inspection i; struct health h; struct inside in; };

static int setup(void **state)
{
	static struct look l;

	l = (struct look){ .h = { .now_s = NOW, .version = "1.0.0", .space = { .used = 10, .limit = 100 } } };
	assert_true(findings_init(&l.found));
	l.i = (struct inspection){ .dir = STORE_DEFAULT_DIR, .out = &l.found, .check = "test" };
	l.in.h = &l.h;
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct look *l = *state;

	findings_done(&l->found);
	return 0;
}

/* The last finding is of this state and has this text; what to do about it, or NULL. */
static const char *assert_last(struct look *l, enum finding_state state, const char *text)
{
	const json_t *row = json_array_get(l->found.list, json_array_size(l->found.list) - 1);
	const char *says = json_string_value(json_object_get(row, "says"));

	assert_non_null(says);
	assert_string_equal(json_string_value(json_object_get(row, "state")), finding_state_name(state));
	if (!strstr(says, text))
		fail_msg("\"%s\" is not in: %s", text, says);
	return json_string_value(json_object_get(row, "mend"));
}

/* ---- saying ---- */

static void what_is_said_is_fit_for_a_terminal(void **state)
{
	struct look *l = *state;
	const char *mend;

	look_say(&l->i, FINDING_WRONG, mend_with(&l->i, "Run: rm %s", "a\x1b[2Jb\n"), "%s", "x\x1b]0;y\xff\xe2\x80\xae");
	mend = assert_last(l, FINDING_WRONG, "\\x1b]0;y\\xff\\u202e");
	assert_string_equal(mend, "Run: rm a\\x1b[2Jb\\x0a");
	assert_int_equal(l->found.count[FINDING_WRONG], 1);
}

static void a_sentence_longer_than_its_room_is_cut(void **state)
{
	struct look *l = *state;
	char text[5000];

	memset(text, '\x1b', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	look_say(&l->i, FINDING_OK, mend_with(&l->i, "%s", text), "%s", text);
	assert_last(l, FINDING_OK, "\\x1b");
}

static void a_directory_is_named_only_where_a_shell_takes_it_as_it_is(void **state)
{
	struct look *l = *state;
	char out[DATA_OPTION_MAX];
	char longest[600];

	assert_string_equal(data_option(&l->i, out), "");
	l->i.dir = "/srv/postern-2/data";
	assert_string_equal(data_option(&l->i, out), " --data /srv/postern-2/data");
	l->i.dir = "/srv/$(reboot)";
	assert_string_equal(data_option(&l->i, out), " --data DIR");
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	l->i.dir = longest;
	assert_string_equal(data_option(&l->i, out), " --data DIR");
}

static void of_many_names_a_few_are_told(void **state)
{
	struct names n = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		names_add(&n, "s%d", i);
	assert_string_equal(names_text(&n), "s0, s1, s2, s3, s4");
	names_add(&n, "s5");
	names_add(&n, "s6");
	assert_int_equal(n.count, 7);
	assert_string_equal(names_text(&n), "s0, s1, s2, s3, s4 and 2 more");
	names_done(&n);
}

/* ---- judging ---- */

static void a_checkpoint_that_vouches_for_all_may_be_old(void **state)
{
	struct look *l = *state;

	l->h.has_checkpoint = true;
	l->h.checkpoint_size = l->in.lately.size = 5000;
	l->h.checkpoint_at_s = NOW - 30 * DAY;
	l->h.records = 10;             /* the others were pruned */
	inspect_checkpoint(&l->i, &l->in);
	assert_null(assert_last(l, FINDING_OK, "30d old"));
	l->in.lately.size = 5001;
	inspect_checkpoint(&l->i, &l->in);
	assert_non_null(strstr(assert_last(l, FINDING_WARNING, "30d old"), "postern-checkpoint.service"));
	l->h.checkpoint_at_s = NOW - DAY;
	inspect_checkpoint(&l->i, &l->in);
	assert_last(l, FINDING_OK, "24h old");
}

static void a_log_without_a_checkpoint_may_be_small(void **state)
{
	struct look *l = *state;

	l->h.records = 1000;
	inspect_checkpoint(&l->i, &l->in);
	assert_last(l, FINDING_OK, "no checkpoint was signed yet");
	l->h.records = 1001;
	inspect_checkpoint(&l->i, &l->in);
	assert_last(l, FINDING_WARNING, "no checkpoint was ever signed");
}

static void space_is_told_up_to_where_the_warnings_begin(void **state)
{
	struct look *l = *state;

	inspect_space(&l->i, &l->in);
	assert_last(l, FINDING_OK, "uses 10.0 %");
	l->h.space.used = 75;
	inspect_space(&l->i, &l->in);
	assert_int_equal(json_array_size(l->found.list), 1);
}

static void of_a_worker_only_what_the_kernel_says_is_told(void **state)
{
	struct look *l = *state;

	l->h.workers = 3;
	l->h.worker[0] = (struct worker_row){ .pid = 4711, .beat_s = NOW - 5, .this_boot = true };
	l->h.worker[1] = (struct worker_row){ .pid = 4712, .beat_s = NOW - HEALTH_LOST_S - 1, .this_boot = true };
	l->h.worker[2] = (struct worker_row){ .pid = 4713, .beat_s = NOW, .this_boot = false };
	inspect_worker_users(&l->i, &l->in);
	assert_int_equal(json_array_size(l->found.list), 1);
	assert_last(l, FINDING_SKIPPED, "names a worker 4711");
	l->i.processes = 2;
	l->i.process[0] = (struct inspect_process){ .pid = 4711, .uid = 0 };
	l->i.process[1] = (struct inspect_process){ .pid = 4712, .uid = 0 };
	inspect_worker_users(&l->i, &l->in);
	assert_int_equal(json_array_size(l->found.list), 2);
	assert_last(l, FINDING_WRONG, "worker 4711 runs as root");
	l->i.process[0].uid = 3999999;
	inspect_worker_users(&l->i, &l->in);
	assert_last(l, FINDING_WARNING, "worker 4711 runs as 3999999 and shares");
	inspect_workers(&l->i, &l->in);
	assert_last(l, FINDING_OK, "1 worker runs");
}

static void this_process_calls_itself_no_worker(void **state)
{
	struct look *l = *state;

	inspect_processes(&l->i);
	for (size_t p = 0; p < l->i.processes; p++)
		assert_int_not_equal(l->i.process[p].pid, (uint64_t)getpid());
	assert_int_equal(json_array_size(l->found.list), 0);
}

static void findings_of_another_list_are_counted(void **state)
{
	struct look *l = *state;
	struct findings other;

	assert_true(findings_init(&other));
	finding_add(&other, "a", FINDING_WARNING, NULL, "one");
	finding_add(&other, "b", FINDING_WRONG, "Mend it.", "two");
	finding_add(&other, "c", FINDING_SKIPPED, NULL, "three");
	findings_take(&l->found, other.list);
	findings_done(&other);
	assert_int_equal(l->found.count[FINDING_WARNING], 1);
	assert_int_equal(l->found.count[FINDING_WRONG], 1);
	assert_int_equal(l->found.count[FINDING_SKIPPED], 1);
	assert_int_equal(l->found.count[FINDING_OK], 0);
	assert_last(l, FINDING_SKIPPED, "three");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_said_is_fit_for_a_terminal),
		T(a_sentence_longer_than_its_room_is_cut),
		T(a_directory_is_named_only_where_a_shell_takes_it_as_it_is),
		T(of_many_names_a_few_are_told),
		T(a_checkpoint_that_vouches_for_all_may_be_old),
		T(a_log_without_a_checkpoint_may_be_small),
		T(space_is_told_up_to_where_the_warnings_begin),
		T(of_a_worker_only_what_the_kernel_says_is_told),
		T(this_process_calls_itself_no_worker),
		T(findings_of_another_list_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
