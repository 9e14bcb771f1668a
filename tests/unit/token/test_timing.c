/* test_timing.c -- does the time in which a token is refused tell what must stay unknown?
 *
 * Method: that of dudect (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2017). Of two classes of
 * tokens one after the other is verified, the class drawn at random each time, both out of the same memory, and the cycles
 * are counted. Welch's t-test says whether the two means differ, over all samples and over those below the 50th to 99th
 * percentile of both together, for what disturbs a measurement only ever makes it longer. It has found a difference where
 * the largest |t| is above T_MAX: equal classes get there once in a million runs. A comparison that leaks on purpose
 * is measured the same way beside the real one, and has to be found: a method that sees nothing proves nothing.
 *
 * Printed beside the verdict is the difference that so many samples would have shown. POSTERN_SLOW=1 takes 8 times as
 * many. Under valgrind and the sanitizers cycles mean nothing: there only the controls' answers are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpstore.h"
#include "tests/lib/tokenring.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES 60000              /* of both classes; POSTERN_SLOW: SLOW_TIMES as many */
#define SLOW_TIMES 8
#define T_MAX 5.0
/* A kid stands in every token and is no secret. What is done for it is the same for every kid, though not in the same order:
 * up to this many cycles, a tenth of what sparing it would show, are let pass. */
#define KID_MOST 400
/* A ring that was just loaded opens its keys first, out of memory that is cold: on a busy machine their order shows more. To
 * open one takes 1.2 us, so that sparing one would still show. */
#define SEALED_MOST 2000
#define UNKNOWN_KID "k_zzzzzzzz"
#define TEXT_ROOM 1024

struct ground {
	struct tokenring r;
	struct store *store;
	char retired[KID_MAX];             /* of a key whose tombstone is in the vault */
	char sealed[RING_MAX][KID_MAX];    /* of the same secrets in the vault, at the site "sealed" */
};

/* ---- the measurement ---- */

/* Not where each instruction is another program's: POSTERN_UNDER is scripts/run-tests', for valgrind. */
static bool counts_cycles(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return getenv("POSTERN_UNDER") == NULL;
#endif
}

struct class { char text[TEXT_ROOM]; size_t size; };

struct comparison {
	const char *name;
	struct class of[2];
	/* What is measured; returns what came of it, which must be the same for all of a class. */
	int (*run)(struct ground *g, struct span text);
	int expected[2];
};

struct sample { double cycles; bool second; };

static uint64_t cycles(void)
{
#if defined(__x86_64__)
	uint32_t low, high, aux;

	__asm__ volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high), "=c"(aux) : : "memory");
	return (uint64_t)high << 32 | low;
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
#endif
}

/* xorshift64*: which class is next must not be a pattern that a processor can learn. */
static bool coin(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(2685821657736338717)) >> 63;
}

static size_t sample_count(void)
{
	const char *slow = getenv("POSTERN_SLOW");

	if (!counts_cycles())
		return 1000;
	return slow && strcmp(slow, "1") == 0 ? SAMPLES * SLOW_TIMES : SAMPLES;
}

static void measure(struct ground *g, const struct comparison *c, struct sample *samples, size_t count)
{
	static _Alignas(64) char text[TEXT_ROOM];
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < count; i++) {
		bool second = coin(&state);
		const struct class *of = &c->of[second];
		uint64_t start;
		int got;

		memcpy(text, of->text, TEXT_ROOM);
		start = cycles();
		got = c->run(g, span_of(text, of->size));
		samples[i] = (struct sample){ .cycles = (double)(cycles() - start), .second = second };
		assert_int_equal(got, c->expected[second]);
	}
}

struct moments { double n, mean, m2; };

static void add(struct moments *m, double x)
{
	double d = x - m->mean;

	m->n++;
	m->mean += d / m->n;
	m->m2 += d * (x - m->mean);
}

struct verdict { double t, difference, error; };      /* of the crop whose |t| is the largest; in cycles */

static struct verdict welch(const struct sample *samples, size_t count, double most)
{
	struct moments m[2] = { { .n = 0 }, { .n = 0 } };
	struct verdict v = { 0 };

	for (size_t i = 0; i < count; i++)
		if (samples[i].cycles <= most)
			add(&m[samples[i].second], samples[i].cycles);
	if (m[0].n < 100 || m[1].n < 100)
		return v;
	v.error = sqrt(m[0].m2 / (m[0].n - 1) / m[0].n + m[1].m2 / (m[1].n - 1) / m[1].n);
	v.difference = m[1].mean - m[0].mean;
	v.t = v.error > 0 ? v.difference / v.error : 0;
	return v;
}

static int by_cycles(const void *a, const void *b)
{
	double x = ((const struct sample *)a)->cycles, y = ((const struct sample *)b)->cycles;

	return (x > y) - (x < y);
}

static struct verdict judge(struct sample *samples, size_t count)
{
	static const double crops[] = { 0.5, 0.75, 0.9, 0.95, 0.99, 1.0 };
	struct verdict worst = { 0 };

	qsort(samples, count, sizeof(*samples), by_cycles);
	for (size_t i = 0; i < ARRAY_LEN(crops); i++) {
		struct verdict v = welch(samples, count, samples[(size_t)((double)(count - 1) * crops[i])].cycles);

		if (fabs(v.t) >= fabs(worst.t))
			worst = v;
	}
	return worst;
}

static struct verdict compare(struct ground *g, const struct comparison *c)
{
	size_t count = sample_count();
	struct sample *samples = malloc(count * sizeof(*samples));
	struct verdict v;

	assert_non_null(samples);
	measure(g, c, samples, count / 10);       /* warm */
	measure(g, c, samples, count);
	v = judge(samples, count);
	printf("# timing: %s: t %.1f, difference %.1f cycles, seen from %.1f on, %zu samples\n", c->name, v.t, v.difference,
	       T_MAX * v.error, count);
	free(samples);
	return v;
}

/* ---- tokens ---- */

static const char payload[] = "{\"email\":\"alex@example.com\",\"exp\":1763690300,\"iat\":1763690000,\"name\":\"Alex\"}";
static const char expired[] = "{\"email\":\"alex@example.com\",\"exp\":1763689999,\"iat\":1763689000,\"name\":\"Alex\"}";

/* Signed with key n; then the byte `wrong` of the signature is another (-1: none is). */
static struct class token(const char *kid, const char *claims, size_t n, int wrong)
{
	struct buf text = BUF_INIT;
	struct class c = { .size = 0 };
	uint8_t signature[SHA256_SIZE];
	char header[128], *dot;

	if (kid)
		snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", kid);
	else
		snprintf(header, sizeof(header), "%s", TEST_HEADER);
	token_sign(&text, span_str(header), span_str(claims), span_str(test_secret(n)));
	assert_true(!text.failed && text.size < TEXT_ROOM);
	memcpy(c.text, text.data, text.size);
	c.size = text.size;
	buf_done(&text);
	dot = memrchr(c.text, '.', c.size);
	assert_int_equal(base64url_decode(signature, sizeof(signature), span_of(dot + 1, c.size - (size_t)(dot + 1 - c.text))),
			 sizeof(signature));
	if (wrong >= 0)
		signature[wrong] ^= 0x5a;
	base64url_encode(dot + 1, TEXT_ROOM - (size_t)(dot + 1 - c.text), span_of(signature, sizeof(signature)));
	return c;
}

static int verify(struct ground *g, struct span text)
{
	struct token t;
	int reason;

	token_init(&t, text);
	reason = (int)token_verify(&t, &g->r.context);
	token_done(&t);
	return reason;
}

/* The same in a ring that was just loaded: what it takes to open keys is in the time too. */
static int verify_sealed(struct ground *g, struct span text)
{
	struct token_context context = g->r.context;
	struct keyring ring;
	struct token t;
	int reason;

	if (keyring_get_sealed(g->store, context.vault, span_str("sealed"), &ring) != RC_OK)
		return -1;
	context.ring = &ring;
	token_init(&t, text);
	reason = (int)token_verify(&t, &context);
	token_done(&t);
	keyring_done(&ring);
	return reason;
}

/* ---- the controls: how it must not be done ---- */

static bool equal_leaky(const volatile uint8_t *a, const volatile uint8_t *b)
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* The first key that fits ends the search, and the first byte that differs the comparison. */
static int verify_leaky(struct ground *g, struct span text)
{
	const char *dot = memrchr(text.data, '.', text.size);
	size_t signed_size = (size_t)(dot - (const char *)text.data);
	uint8_t signature[SHA256_SIZE], mac[SHA256_SIZE];

	if (base64url_decode(signature, sizeof(signature), span_of(dot + 1, text.size - signed_size - 1)) != SHA256_SIZE)
		return -1;
	for (size_t i = 0; i < g->r.ring.count; i++)
		if (hmac_key_sign(g->r.ring.keys[i].hmac, span_of(text.data, signed_size), mac) == RC_OK &&
		    equal_leaky(mac, signature))
			return REASON_NONE;
	return REASON_SIGNATURE_MISMATCH;
}

/* ---- the ground: a ring of three, a vault with a tombstone ---- */

static void add_tombstone(struct ground *g)
{
	struct txn *vault = txn_write(g->store, ENV_VAULT);
	struct key k = { 0 };
	enum reason reason = REASON_NONE;

	assert_int_equal(site_add(vault, &g->r.site), RC_OK);
	assert_int_equal(keyring_create(g->store, vault, g->r.site.id, "", NULL, TEST_NOW, &k, &reason), RC_OK);
	memcpy(g->retired, k.kid, KID_MAX);
	assert_int_equal(keyring_retire(g->store, vault, g->r.site.id, k.kid, TEST_NOW, &reason), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	key_done(&k);
}

static void add_sealed(struct ground *g)
{
	struct txn *vault = txn_write(g->store, ENV_VAULT);
	enum reason reason = REASON_NONE;
	struct site s;

	site_init(&s);
	memcpy(s.id, "sealed", sizeof("sealed"));
	assert_int_equal(site_add(vault, &s), RC_OK);
	for (size_t i = 0; i < RING_MAX; i++) {
		struct secret *text = secret_copy(span_str(test_secret(i + 1)));
		struct key k = { 0 };

		assert_non_null(text);
		assert_int_equal(keyring_create(g->store, vault, "sealed", "", text, TEST_NOW, &k, &reason), RC_OK);
		memcpy(g->sealed[i], k.kid, KID_MAX);
		key_done(&k);
		secret_free(text);
	}
	assert_int_equal(txn_end(vault), RC_OK);
}

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof(*g));

	if (!g)
		return -1;
	*state = g;
	secret_process_init();
	tokenring_init(&g->r);
	for (int n = 0; n < RING_MAX; n++)
		if (!tokenring_add_key(&g->r, 0))
			return -1;
	if (!(g->store = tmpstore_new()))
		return -1;
	add_tombstone(g);
	add_sealed(g);
	g->r.context.vault = txn_read(g->store, ENV_VAULT);
	g->r.context.memo = token_memo_new();
	return 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;

	txn_abort(g->r.context.vault);
	token_memo_free(g->r.context.memo);
	tmpstore_free(g->store);
	tokenring_done(&g->r);
	free(g);
	return 0;
}

/* As on the path: the usual header, of key 1, has been accepted before. */
static void remember_header(struct ground *g)
{
	struct class good = token(test_kid(1), payload, 1, -1);

	assert_int_equal(verify(g, span_of(good.text, good.size)), REASON_NONE);
}

/* ---- what is compared ---- */

static bool found(struct verdict v)
{
	return fabs(v.t) > T_MAX;
}

/* A difference that is found may still be `most` cycles. */
static bool told_apart(struct verdict v, double most)
{
	return found(v) && fabs(v.difference) > most;
}

static void not_told_apart(struct ground *g, double most, const struct comparison *c)
{
	struct verdict v;

	remember_header(g);
	v = compare(g, c);
	if (told_apart(v, most))
		v = compare(g, c);             /* chance does not come twice */
	assert_true(!told_apart(v, most) || !counts_cycles());
}

static void even(struct ground *g, double most, const char *name, struct class a, struct class b, enum reason reason_a,
		 enum reason reason_b)
{
	not_told_apart(g, most, &(struct comparison){ .name = name, .of = { a, b }, .run = verify,
						      .expected = { (int)reason_a, (int)reason_b } });
}

static void leaks(struct ground *g, const char *name, struct class a, struct class b, enum reason reason)
{
	struct comparison c = { .name = name, .of = { a, b }, .run = verify_leaky, .expected = { (int)reason, (int)reason } };

	assert_true(found(compare(g, &c)) || !counts_cycles());
}

#define MISMATCH REASON_SIGNATURE_MISMATCH

static void the_method_finds_a_comparison_that_ends_early(void **state)
{
	leaks(*state, "control: byte-wise comparison", token(NULL, payload, 1, 0), token(NULL, payload, 1, 31), MISMATCH);
}

static void the_method_finds_a_search_that_ends_early(void **state)
{
	leaks(*state, "control: first key that fits", token(NULL, payload, 1, -1), token(NULL, payload, 3, -1), REASON_NONE);
}

static void it_does_not_tell_which_byte_differs(void **state)
{
	even(*state, 0, "first or last byte, key named", token(test_kid(1), payload, 1, 0), token(test_kid(1), payload, 1, 31),
	     MISMATCH, MISMATCH);
	even(*state, 0, "first or last byte, no kid", token(NULL, payload, 1, 0), token(NULL, payload, 1, 31), MISMATCH, MISMATCH);
}

static void it_does_not_tell_which_key_almost_matches(void **state)
{
	even(*state, 0, "nearly key 1 or key 3", token(NULL, payload, 1, 31), token(NULL, payload, 3, 31), MISMATCH, MISMATCH);
	even(*state, 0, "nearly key 2 or no key", token(NULL, payload, 2, 31), token(NULL, expired, 1, 3), MISMATCH, MISMATCH);
}

static void it_does_not_tell_which_key_matches(void **state)
{
	even(*state, 0, "expired, of key 1 or key 3", token(NULL, expired, 1, -1), token(NULL, expired, 3, -1), REASON_TOKEN_EXPIRED,
	     REASON_TOKEN_EXPIRED);
	even(*state, KID_MOST, "kid of key 2 or key 3", token(test_kid(2), payload, 1, 3), token(test_kid(3), payload, 1, 3), MISMATCH,
	     MISMATCH);
}

static void it_does_not_tell_whether_a_kid_is_known(void **state)
{
	struct ground *g = *state;

	even(g, KID_MOST, "kid in use or unknown", token(test_kid(1), payload, 1, 3), token(UNKNOWN_KID, payload, 1, 3), MISMATCH, MISMATCH);
	even(g, KID_MOST, "kid of another key or unknown", token(test_kid(2), payload, 1, 3), token(UNKNOWN_KID, payload, 1, 3), MISMATCH,
	     MISMATCH);
	even(g, KID_MOST, "kid retired or unknown", token(g->retired, payload, 1, 3), token(UNKNOWN_KID, payload, 1, 3), REASON_KEY_RETIRED,
	     MISMATCH);
}

static void even_sealed(struct ground *g, const char *name, const char *kid_a, const char *kid_b)
{
	const int mismatch = (int)MISMATCH;

	not_told_apart(g, SEALED_MOST, &(struct comparison){ .name = name, .run = verify_sealed, .expected = { mismatch, mismatch },
							     .of = { token(kid_a, payload, 1, 3), token(kid_b, payload, 1, 3) } });
}

static void it_does_not_tell_it_by_the_keys_it_opens(void **state)
{
	struct ground *g = *state;

	even_sealed(g, "kid in use or unknown, ring just loaded", g->sealed[0], UNKNOWN_KID);
	even_sealed(g, "kid of key 1 or key 3, ring just loaded", g->sealed[0], g->sealed[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_method_finds_a_comparison_that_ends_early),
		cmocka_unit_test(the_method_finds_a_search_that_ends_early),
		cmocka_unit_test(it_does_not_tell_which_byte_differs),
		cmocka_unit_test(it_does_not_tell_which_key_almost_matches),
		cmocka_unit_test(it_does_not_tell_which_key_matches),
		cmocka_unit_test(it_does_not_tell_whether_a_kid_is_known),
		cmocka_unit_test(it_does_not_tell_it_by_the_keys_it_opens),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
