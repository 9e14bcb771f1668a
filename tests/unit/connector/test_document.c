/* Documents by hand: import lines, walking a collection, removing a site. */
#include "tests/lib/tmpstore.h"
#include "connector/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static int setup(void **state)
{
	*state = tmpstore_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

static void line_is_parsed_and_its_owner_normalised(void **state)
{
	struct document d;

	(void)state;
	assert_int_equal(document_parse(span_str("{\"collection\":\"c\",\"id\":\"1\",\"owner\":\"ALEX@Example.COM\","
						 "\"data\":{\"a\":1}}"), &d, NULL), RC_OK);
	assert_string_equal(d.collection, "c");
	assert_string_equal(d.id, "1");
	assert_string_equal(d.owner, "alex@example.com");
	assert_int_equal(json_integer_value(json_object_get(d.data, "a")), 1);
	json_decref(d.data);
	assert_int_equal(
	    document_parse(span_str("{\"collection\":\"c\",\"id\":\"1\",\"owner\":null,\"data\":{}}"), &d, NULL),
	    RC_OK);
	assert_string_equal(d.owner, "");
	json_decref(d.data);
}

static void wrong_line_is_refused_with_a_reason(void **state)
{
	static const char *const lines[] = {
		"",
		"[]",
		"{}",
		"{\"collection\":\"c\",\"id\":\"1\",\"data\":{}}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":null}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":null,\"data\":{},\"x\":1}",
		"{\"collection\":\"C\",\"id\":\"1\",\"owner\":null,\"data\":{}}",
		"{\"collection\":\"c\",\"id\":1,\"owner\":null,\"data\":{}}",
		"{\"collection\":\"c\",\"id\":\"\",\"owner\":null,\"data\":{}}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":\"\",\"data\":{}}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":\"alex\",\"data\":{}}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":7,\"data\":{}}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":null,\"data\":[]}",
		"{\"collection\":\"c\",\"id\":\"1\",\"owner\":null,\"data\":{}} x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct why why = { "" };
		struct document d;

		if (document_parse(span_str(lines[i]), &d, &why) != RC_INVALID || !why.text[0])
			fail_msg("%s", lines[i]);
	}
}

static void put(struct store *st, const char *site, const char *collection, const char *owner, const char *id)
{
	struct document d = { .data = json_object() };
	struct txn *t = txn_write(st, ENV_LEDGER);

	snprintf(d.collection, sizeof(d.collection), "%s", collection);
	snprintf(d.owner, sizeof(d.owner), "%s", owner);
	snprintf(d.id, sizeof(d.id), "%s", id);
	assert_int_equal(document_put(t, site, &d), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	json_decref(d.data);
}

static bool note(const struct document *d, void *arg)
{
	struct buf *seen = arg;

	buf_addf(seen, "%s:%s:%s ", d->collection, d->owner, d->id);
	return seen->size < 40;
}

static void collection_is_walked_in_key_order(void **state)
{
	struct buf seen = BUF_INIT;
	struct txn *t;

	put(*state, "demo", "orders", "b@x.org", "1");
	put(*state, "demo", "orders", "a@x.org", "2");
	put(*state, "demo", "orders", "", "3");
	put(*state, "demo", "orders2", "", "4");
	put(*state, "demo2", "orders", "", "5");
	t = txn_read(*state, ENV_LEDGER);
	document_each(t, "demo", "orders", note, &seen);
	assert_string_equal(seen.data, "orders::3 orders:a@x.org:2 orders:b@x.org:1 ");
	buf_clear(&seen);
	document_each(t, "demo", "order", note, &seen);
	assert_int_equal(seen.size, 0);
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
	buf_done(&seen);
}

static void walk_stops_where_it_is_told_to(void **state)
{
	struct buf seen = BUF_INIT;
	char id[8];
	struct txn *t;

	for (unsigned i = 0; i < 9; i++) {
		snprintf(id, sizeof(id), "%u", i);
		put(*state, "demo", "orders", "", id);
	}
	t = txn_read(*state, ENV_LEDGER);
	document_each(t, "demo", "orders", note, &seen);
	assert_string_equal(seen.data, "orders::0 orders::1 orders::2 orders::3 ");
	txn_abort(t);
	buf_done(&seen);
}

static void hostile_key_ends_the_walk(void **state)
{
	static const char key[] = "demo\0orders\0no end";
	struct buf seen = BUF_INIT;
	struct txn *t = txn_write(*state, ENV_LEDGER);

	txn_put(t, DB_DOCUMENTS, span_of(key, sizeof(key) - 1), span_str("{}"));
	assert_int_equal(txn_end(t), RC_OK);
	t = txn_read(*state, ENV_LEDGER);
	document_each(t, "demo", "orders", note, &seen);
	assert_int_equal(seen.size, 0);
	assert_int_equal(txn_rc(t), RC_CORRUPT);
	txn_abort(t);
	buf_done(&seen);
}

static void removed_site_leaves_nothing_and_nothing_else_goes(void **state)
{
	struct txn *t;

	put(*state, "demo", "a", "", "1");
	put(*state, "demo", "b", "x@x.org", "2");
	put(*state, "demo", "c", "", "3");
	put(*state, "demo-2", "a", "", "4");
	put(*state, "dem", "a", "", "5");
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(document_remove_site(t, "demo", 2), 2);
	assert_int_equal(document_remove_site(t, "demo", 2), 1);
	assert_int_equal(document_remove_site(t, "demo", 2), 0);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 2);
	assert_int_equal(txn_end(t), RC_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_parsed_and_its_owner_normalised),
		cmocka_unit_test(wrong_line_is_refused_with_a_reason),
		TEST(collection_is_walked_in_key_order),
		TEST(walk_stops_where_it_is_told_to),
		TEST(hostile_key_ends_the_walk),
		TEST(removed_site_leaves_nothing_and_nothing_else_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
