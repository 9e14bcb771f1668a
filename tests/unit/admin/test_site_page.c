/* test_site_page.c -- pages of sites: their order, what they leave out, and what is said of each site's keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpadmin.h"
#include "base/clock.h"

#include <stdio.h>

static void add(struct tmpadmin *t, const char *id, const char *name)
{
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);
	struct site s;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), "%s", id);
	snprintf(s.name, sizeof(s.name), "%s", name);
	assert_int_equal(site_add(vault, &s), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	site_done(&s);
}

/* With the site of tmpadmin: acme b c d e f. */
static void add_five(struct tmpadmin *t)
{
	for (char id[] = "b"; id[0] <= 'f'; id[0]++)
		add(t, id, "");
}

static struct site_page page_of(struct tmpadmin *t, const struct site_query *q)
{
	struct site_page p = { 0 };

	assert_int_equal(admin_site_page(t->a, q, &p, &t->why), RC_OK);
	assert_true(p.count <= q->max);
	return p;
}

/* The ids of a page, and a + where there are more. */
static void assert_page(struct tmpadmin *t, const struct site_query *q, const char *ids, const char *next)
{
	struct site_page p = page_of(t, q);
	char text[256] = "";

	for (size_t i = 0; i < p.count; i++) {
		strcat(text, p.row[i].id);
		strcat(text, " ");
	}
	strcat(text, p.more ? "+" : "");
	assert_string_equal(text, ids);
	assert_string_equal(p.next, next);
	site_page_done(&p);
	site_page_done(&p);
}

static void pages_follow_each_other_in_both_directions(void **st)
{
	struct tmpadmin *t = *st;

	add_five(t);
	assert_page(t, &(struct site_query){ .max = 4 }, "acme b c d +", "d");
	assert_page(t, &(struct site_query){ .max = 4, .from = "d", .after = true }, "e f ", "f");
	assert_page(t, &(struct site_query){ .max = 4, .from = "f", .after = true }, "", "");
	assert_page(t, &(struct site_query){ .max = 2, .from = "d" }, "d e +", "e");
	assert_page(t, &(struct site_query){ .max = 4, .backwards = true }, "c d e f +", "c");
	assert_page(t, &(struct site_query){ .max = 4, .backwards = true, .from = "c", .after = true }, "acme b ",
	            "acme");
	assert_page(t, &(struct site_query){ .max = 2, .backwards = true, .from = "c" }, "b c +", "b");
	assert_page(t, &(struct site_query){ .max = 2, .backwards = true, .from = "acme", .after = true }, "", "");
	assert_page(t, &(struct site_query){ .max = 6 }, "acme b c d e f ", "f");
	assert_page(t, &(struct site_query){ .max = SIZE_MAX, .from = "" }, "acme b c d e f ", "f");
	assert_page(t, &(struct site_query){ .max = 0 }, "+", "");
}

static void a_place_that_is_gone_is_the_one_beside_it(void **st)
{
	struct tmpadmin *t = *st;

	add_five(t);
	for (int after = 0; after <= 1; after++) {
		struct site_query on = { .max = 2, .after = after }, back = on;

		back.backwards = true;
		on.from = back.from = "c-gone";
		assert_page(t, &on, "d e +", "e");
		assert_page(t, &back, "b c +", "b");
		on.from = back.from = "zz";
		assert_page(t, &on, "", "");
		assert_page(t, &back, "e f +", "e");
		on.from = back.from = "a";
		assert_page(t, &on, "acme b +", "b");
		assert_page(t, &back, "", "");
		on.from = back.from = "\xff no id";
		assert_page(t, &on, "", "");
		assert_page(t, &back, "e f +", "e");
	}
}

static void a_match_is_in_the_id_or_the_name_whatever_the_case(void **st)
{
	struct tmpadmin *t = *st;

	add(t, "shop-one", "Corner Shop");
	add(t, "b", "The SHOP of \xc3\x89ve");
	add(t, "c", "");
	assert_page(t, &(struct site_query){ .max = 9, .match = "sHoP" }, "b shop-one ", "shop-one");
	assert_page(t, &(struct site_query){ .max = 9, .match = "-ONE" }, "shop-one ", "shop-one");
	assert_page(t, &(struct site_query){ .max = 9, .match = "of \xc3\x89" }, "b ", "shop-one");
	assert_page(t, &(struct site_query){ .max = 9, .match = "of \xc3\xa9" }, "", "shop-one");
	assert_page(t, &(struct site_query){ .max = 9, .match = "shop-one and more" }, "", "shop-one");
	assert_page(t, &(struct site_query){ .max = 9, .match = "" }, "acme b c shop-one ", "shop-one");
	assert_page(t, &(struct site_query){ .max = 1, .match = "shop" }, "b +", "b");
	assert_page(t, &(struct site_query){ .max = 1, .match = "shop", .backwards = true }, "shop-one +", "shop-one");
}

static void a_search_looks_no_further_than_it_may(void **st)
{
	struct tmpadmin *t = *st;

	add_five(t);
	assert_page(t, &(struct site_query){ .max = 9, .match = "f", .look = 4 }, "+", "d");
	assert_page(t, &(struct site_query){ .max = 9, .match = "f", .look = 2, .from = "e" }, "f ", "f");
	assert_page(t, &(struct site_query){ .max = 9, .match = "f", .look = 6 }, "f ", "f");
	assert_page(t, &(struct site_query){ .max = 9, .match = "acme", .look = 2, .backwards = true }, "+", "e");
}

static void a_page_says_how_many_sites_there_are(void **st)
{
	struct tmpadmin *t = *st;
	struct site_page p;

	add_five(t);
	p = page_of(t, &(struct site_query){ .max = 2, .match = "c" });
	assert_int_equal(p.sites, 6);
	assert_int_equal(p.count, 2);
	site_page_done(&p);
}

/* ---- a site's keys ---- */

static void create(struct tmpadmin *t, const char *site, char kid[KID_MAX])
{
	struct key k = { 0 };

	assert_int_equal(admin_key_create(t->a, site, NULL, &k, &t->reason, &t->why), RC_OK);
	memcpy(kid, k.kid, KID_MAX);
	key_done(&k);
}

static void schedule(struct tmpadmin *t, const char *kid, uint64_t retire_at, uint64_t now)
{
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);

	assert_int_equal(keyring_schedule(admin_store(t->a), vault, "acme", kid, retire_at, now, &t->reason), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
}

static void use(struct tmpadmin *t, const char *kid, unsigned times)
{
	struct use_counter *u = use_counter_new();
	struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);

	assert_non_null(u);
	for (unsigned i = 0; i < times; i++)
		use_counter_add(u, "acme", kid, clock_s());
	assert_true(use_counter_take(u));
	assert_int_equal(use_counter_run(ledger, u), RC_OK);
	assert_int_equal(txn_end(ledger), RC_OK);
	use_counter_done(u, RC_OK);
	use_counter_free(u);
}

static struct site_row row_of(struct tmpadmin *t, const char *site)
{
	struct site_page p = page_of(t, &(struct site_query){ .max = 1, .from = site });
	struct site_row r;

	assert_int_equal(p.count, 1);
	r = p.row[0];
	assert_string_equal(r.id, site);
	site_page_done(&p);
	return r;
}

static void keys_are_counted_by_their_state_now(void **st)
{
	struct tmpadmin *t = *st;
	char kid[3][KID_MAX];
	uint64_t now = clock_s();
	struct site_row r = row_of(t, "acme");

	assert_true(r.ring_ok);
	assert_int_equal(r.active + r.retiring, 0);
	for (size_t i = 0; i < 3; i++)
		create(t, "acme", kid[i]);
	schedule(t, kid[0], now + 3600, now);
	schedule(t, kid[1], now - 500, now - 1000);     /* past its time, and not yet swept */
	r = row_of(t, "acme");
	assert_true(r.ring_ok);
	assert_int_equal(r.active, 1);
	assert_int_equal(r.retiring, 1);
	assert_int_equal(r.plan, PLAN_PRO);
}

static void uses_of_all_keys_add_up(void **st)
{
	struct tmpadmin *t = *st;
	char kid[2][KID_MAX];
	struct site_row r;

	create(t, "acme", kid[0]);
	create(t, "acme", kid[1]);
	add(t, "b", "");
	r = row_of(t, "acme");
	assert_int_equal(r.verified_1m, 0);
	assert_int_equal(r.last_verified_at, 0);
	use(t, kid[0], 5);
	use(t, kid[1], 7);
	r = row_of(t, "acme");
	assert_in_range(r.verified_1m, 11, 12);      /* of another minute a share is told */
	assert_in_range(r.last_verified_at, clock_s() - 60, clock_s());
	r = row_of(t, "b");
	assert_int_equal(r.verified_1m, 0);
}

static void a_use_row_that_lies_hurts_nobody(void **st)
{
	static const char *const lies[] = { "", "x", "\x01\xff\xff\xff\xff\xff\xff\xff\xff" };
	struct tmpadmin *t = *st;
	char kid[KID_MAX], key[SITE_ID_MAX + KID_MAX];
	size_t size;
	struct site_row r;

	create(t, "acme", kid);
	size = (size_t)snprintf(key, sizeof(key), "acme%c%s", '\0', kid);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);

		txn_put(ledger, DB_KEY_USE, span_of(key, size), span_str(lies[i]));
		assert_int_equal(txn_end(ledger), RC_OK);
		r = row_of(t, "acme");
		assert_int_equal(r.verified_1m, 0);
		assert_true(r.last_verified_at <= clock_s());
	}
}

static void damage(struct tmpadmin *t, enum db db, const char *site)
{
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);
	char bytes[2048];
	struct span row;

	assert_true(txn_get(vault, db, span_str(site), &row));
	assert_true(row.size <= sizeof(bytes));
	memcpy(bytes, row.data, row.size);
	bytes[0] ^= 1;
	txn_put(vault, db, span_str(site), span_of(bytes, row.size));
	assert_int_equal(txn_end(vault), RC_OK);
}

static void a_ring_that_cannot_be_read_hides_no_other(void **st)
{
	struct tmpadmin *t = *st;
	char kid[KID_MAX];
	struct site_row r;

	add(t, "b", "");
	create(t, "acme", kid);
	create(t, "b", kid);
	damage(t, DB_RINGS, "acme");
	r = row_of(t, "acme");
	assert_false(r.ring_ok);
	assert_int_equal(r.active + r.retiring, 0);
	r = row_of(t, "b");
	assert_true(r.ring_ok);
	assert_int_equal(r.active, 1);
}

static void a_site_that_cannot_be_read_is_named(void **st)
{
	struct tmpadmin *t = *st;
	struct site_query q = { .max = 9 };
	struct site_page p = { 0 };

	add_five(t);
	damage(t, DB_SITES, "c");
	assert_int_equal(admin_site_page(t->a, &q, &p, &t->why), RC_CORRUPT);
	assert_non_null(strstr(t->why.text, "site c "));
	assert_null(p.row);
	q.max = 2;
	assert_page(t, &q, "acme b +", "b");
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, tmpadmin_setup, tmpadmin_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(pages_follow_each_other_in_both_directions),
		WITH_ADMIN(a_place_that_is_gone_is_the_one_beside_it),
		WITH_ADMIN(a_match_is_in_the_id_or_the_name_whatever_the_case),
		WITH_ADMIN(a_search_looks_no_further_than_it_may),
		WITH_ADMIN(a_page_says_how_many_sites_there_are),
		WITH_ADMIN(keys_are_counted_by_their_state_now),
		WITH_ADMIN(uses_of_all_keys_add_up),
		WITH_ADMIN(a_use_row_that_lies_hurts_nobody),
		WITH_ADMIN(a_ring_that_cannot_be_read_hides_no_other),
		WITH_ADMIN(a_site_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
