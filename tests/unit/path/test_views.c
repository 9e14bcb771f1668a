/* test_views.c -- what a thread remembers of a site, and what it no longer does once the vault has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "path/path-private.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

#define SITE "demo"

struct ground { struct store *store; struct view_cache views; char kid[KID_MAX]; };

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof(*g));
	enum reason reason;
	struct key key;
	struct txn *t;
	struct site s;

	if (!g)
		return -1;
	*state = g;
	view_cache_init(&g->views);
	if (!(g->store = tmpstore_new()))
		return -1;
	t = txn_write(g->store, ENV_VAULT);
	site_init(&s);
	snprintf(s.id, sizeof(s.id), SITE);
	assert_int_equal(site_add(t, &s), RC_OK);
	assert_int_equal(keyring_create(g->store, t, SITE, "", NULL, 1763690000, &key, &reason), RC_OK);
	memcpy(g->kid, key.kid, sizeof(g->kid));
	key_done(&key);
	assert_int_equal(txn_end(t), RC_OK);
	return 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;

	view_cache_done(&g->views);
	tmpstore_free(g->store);
	free(g);
	return 0;
}

static void retire(struct ground *g)
{
	struct txn *t = txn_write(g->store, ENV_VAULT);
	enum reason reason;

	assert_int_equal(keyring_retire(g->store, t, SITE, g->kid, 1763690001, &reason), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

/* What the housekeeping does when it sees that the vault has changed. */
static void age(struct ground *g)
{
	struct txn *t = txn_read(g->store, ENV_VAULT);

	view_cache_age(&g->views, t);
	txn_abort(t);
}

/* How many keys a request sees that began with this snapshot. */
static size_t keys_of(struct ground *g, struct txn *vault)
{
	struct site_view *v;
	size_t count;

	assert_int_equal(view_get(&g->views, g->store, vault, span_str(SITE), &v), REASON_NONE);
	count = v->ring.count;
	view_unref(v);
	return count;
}

static size_t remembered(const struct ground *g)
{
	size_t count = 0;

	for (size_t s = 0; s < VIEW_SETS; s++)
		for (size_t i = 0; i < VIEW_WAYS; i++)
			count += g->views.slot[s][i].view != NULL;
	return count;
}

static void a_site_is_remembered_until_it_has_changed(void **state)
{
	struct ground *g = *state;
	struct txn *t = txn_read(g->store, ENV_VAULT);

	assert_int_equal(keys_of(g, t), 1);
	txn_abort(t);
	assert_int_equal(remembered(g), 1);
	age(g);
	assert_int_equal(remembered(g), 1);
	retire(g);
	age(g);
	assert_int_equal(remembered(g), 0);
}

/* It goes on with what it began with; but its thread, which may have nothing to do after it, keeps no key that was deleted. */
static void a_request_that_began_before_a_change_leaves_nothing_of_it(void **state)
{
	struct ground *g = *state;
	struct txn *before = txn_read(g->store, ENV_VAULT), *now;

	assert_true(txn_version(before) > 0);
	retire(g);
	age(g);
	assert_int_equal(keys_of(g, before), 1);
	txn_abort(before);
	assert_int_equal(remembered(g), 0);
	now = txn_read(g->store, ENV_VAULT);
	assert_int_equal(keys_of(g, now), 0);
	txn_abort(now);
	assert_int_equal(remembered(g), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_site_is_remembered_until_it_has_changed),
		TEST(a_request_that_began_before_a_change_leaves_nothing_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
