/* test_json_memory.c -- blocks that jansson lets go are taken again, so many and no more, and each by one value alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json-memory.h"
#include "base/json.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 1000

static json_malloc_t take;
static json_free_t let_go;

/* Under a sanitizer, and where another malloc() is looked at (valgrind), nothing is kept, or nothing can be said of it. */
static bool are_kept(void)
{
	void *block = take(40), *again;

	let_go(block);
	again = take(40);
	let_go(again);
	return let_go != free && again == block && mallinfo2().uordblks > 0;
}

static int set_up(void **state)
{
	(void)state;
	json_get_alloc_funcs(&take, &let_go);
	return 0;
}

static void a_block_holds_what_was_asked_for_whatever_had_it_before(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++)
		for (size_t size = 1; size <= 300; size++) {
			char *first = take(size), *second = take(size);

			assert_true(first && second && first != second);
			assert_true(malloc_usable_size(first) >= size);
			memset(first, 1, size);
			memset(second, 2, size);
			assert_int_equal(first[size - 1], 1);
			let_go(first);
			assert_int_equal(second[0], 2);
			let_go(second);
		}
	let_go(NULL);
}

static void *fill_shelves(void *state)
{
	static _Thread_local void *blocks[MANY];

	for (size_t size = 24; size <= 248; size += 16) {
		for (size_t i = 0; i < MANY; i++)
			assert_non_null(blocks[i] = take(size));
		for (size_t i = 0; i < MANY; i++)
			let_go(blocks[i]);
	}
	return state;
}

/* Of all threads, with what glibc itself keeps at hand. */
static size_t in_use(void)
{
	return mallinfo2().uordblks;
}

static void no_more_are_kept_than_was_said(void **state)
{
	size_t before, most = 0;

	(void)state;
	if (!are_kept())
		skip();
	before = in_use();
	fill_shelves(NULL);
	for (size_t size = 24; size <= 248; size += 16)
		most += (size + 8) * (JSON_KEPT_MAX + 7);
	assert_in_range(in_use() - before, 1, most);
}

static void a_thread_takes_its_own_with_it(void **state)
{
	pthread_t thread;
	size_t before;

	(void)state;
	if (!are_kept())
		skip();
	before = in_use();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pthread_create(&thread, NULL, fill_shelves, NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_in_range(in_use(), 0, before + 16384);
}

static void one_that_is_let_go_twice_ends_the_program(void **state)
{
	static const struct rlimit no_core = { 0, 0 };
	int status = 0;
	pid_t child;

	(void)state;
	if (!are_kept())
		skip();
	child = fork();
	if (child == 0) {
		void *block = take(40), *other = take(40);

		setrlimit(RLIMIT_CORE, &no_core);
		let_go(block);
		let_go(other);
		let_go(block);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* A string may be any bytes, also those that mark a block. */
static void a_text_that_looks_like_a_mark_ends_nothing(void **state)
{
	void **block, **other;

	(void)state;
	if (!are_kept())
		skip();
	block = take(40);
	let_go(block);
	other = take(40);
	assert_ptr_equal(other, block);
	for (uintptr_t at = 0; at < 8192; at += 8) {         /* the mark was at some address of this thread's */
		other[1] = (void *)((uintptr_t)pthread_self() - at);
		let_go(other);
		assert_ptr_equal(take(40), block);
	}
	let_go(other);
}

static void values_come_and_go_the_same(void **state)
{
	static const char text[] = "{\"a\":[1,2.5,\"three\",null,{\"b\":true}],\"long\":\"0123456789012345678901234567890123456789\"}";
	struct buf first = { 0 }, now = { 0 };

	(void)state;
	for (int i = 0; i < MANY; i++) {
		json_t *value = NULL;

		assert_int_equal(json_strict(span_str(text), 8, &value, NULL), RC_OK);
		buf_clear(&now);
		json_canonical(i == 0 ? &first : &now, value);
		json_decref(value);
		assert_true(i == 0 || span_equal(buf_span(&first), buf_span(&now)));
	}
	buf_done(&first);
	buf_done(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_holds_what_was_asked_for_whatever_had_it_before),
		cmocka_unit_test(no_more_are_kept_than_was_said),
		cmocka_unit_test(a_thread_takes_its_own_with_it),
		cmocka_unit_test(one_that_is_let_go_twice_ends_the_program),
		cmocka_unit_test(a_text_that_looks_like_a_mark_ends_nothing),
		cmocka_unit_test(values_come_and_go_the_same),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
