/* bench-verify.c -- what one verification costs, beside libjwt on the same token.
 *
 * bench-verify DIR ROUNDS: makes a data directory in the empty folder DIR with two sites, one with a single key and one
 * with three, and reads their rings back as the worker does. Every way below is timed for a fixed number of verifications
 * on one thread, once a round, each round beginning with another; printed is one JSON object, {"name": [nanoseconds of
 * one, round by round]}. Every answer is checked, so that nothing fast and wrong is measured. */
#include "identity/identity.h"

#include "base/clock.h"

#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMES 5000
#define ROUNDS_MAX 1000
#define MAP_SIZE (UINT64_C(1) << 30)       /* the real ones are more address space than valgrind has */
#define BEARER "Bearer "

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench-verify: %s\n", what);
	exit(1);
}

static void need(enum rc rc, const char *what)
{
	if (rc != RC_OK) {
		fprintf(stderr, "bench-verify: %s: %s\n", what, rc_text(rc));
		exit(1);
	}
}

/* ---- two sites ---- */

struct ground {
	struct site site;
	struct keyring ring;
	struct hmac_key *pseudonym;
	struct secret *secret[RING_MAX];       /* as a backend was given them */
};

static struct store *store;
static struct reader *reader;
static struct token_memo *memo;
static struct ground one, three;
static uint64_t now_us;

static void make_site(struct ground *g, const char *id, size_t keys)
{
	struct txn *vault = txn_write(store, ENV_VAULT);
	enum reason reason;

	site_init(&g->site);
	memcpy(g->site.id, id, strlen(id) + 1);
	need(site_add(vault, &g->site), "site_add");
	need(audit_pseudonym_make(store, vault, id), "audit_pseudonym_make");
	for (size_t i = 0; i < keys; i++) {
		struct key key = { 0 };

		need(keyring_create(store, vault, id, "", NULL, now_us / 1000000, &key, &reason), "keyring_create");
		g->secret[i] = secret_copy(secret_span(key.secret));
		key_done(&key);
	}
	need(txn_end(vault), "a commit");
}

static void load_site(struct ground *g)
{
	struct txn *vault = reader_begin(reader, ENV_VAULT);
	struct secret *key = NULL;

	need(keyring_get(store, vault, span_str(g->site.id), true, &g->ring), "keyring_get");
	need(audit_pseudonym_get(store, vault, span_str(g->site.id), &key), "audit_pseudonym_get");
	need(hmac_key_new(secret_span(key), &g->pseudonym), "hmac_key_new");
	secret_free(key);
	reader_end(reader, ENV_VAULT);
}

/* ---- tokens: a header as every library writes it, and what a shop says of its visitor ---- */

/* "Bearer " and the token; of the n-th key, from 0, named by its kid or not. */
static char *sign(const struct ground *g, size_t n, bool named, long long expires_in)
{
	long long now = (long long)(now_us / 1000000);
	json_t *claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "iss", "https://shop.example.com", "email",
				   "alex@example.com", "name", "Alex Example", "user_id", "u_10482", "plan", "gold", "iat",
				   (json_int_t)(now - 600), "exp", (json_int_t)(now + expires_in));
	struct buf text = BUF_INIT;

	buf_add_str(&text, BEARER);
	need(token_mint(g->secret[n], named ? g->ring.keys[n].kid : NULL, claims, &text), "token_mint");
	json_decref(claims);
	return buf_take(&text);
}

/* Another letter in the middle of the signature. */
static char *spoil(char *value)
{
	char *at = strrchr(value, '.') + 20;

	*at = *at == 'A' ? 'B' : 'A';
	return value;
}

/* ---- the ways ---- */

struct way {
	const char *name;
	void (*run)(const struct way *w);
	struct ground *ground;
	enum reason reason;                    /* what the verification has to say */
	char *value;                           /* of Authorization */
	double ns[ROUNDS_MAX];
};

/* All of design 5, as step-token.c and step-identity.c do it. */
static void run_verify(const struct way *w)
{
	struct token_context c = {
		.site = &w->ground->site, .ring = &w->ground->ring, .vault = reader_begin(reader, ENV_VAULT), .now_us = now_us,
		.memo = memo,
	};
	struct identity id;

	for (int i = 0; i < TIMES; i++) {
		struct span text;
		struct token t;

		if (token_from_authorization(1, span_str(w->value), &text) != REASON_NONE)
			die("no token");
		token_init(&t, text);
		if (token_verify(&t, &c) != w->reason)
			die("another reason than expected");
		if (w->reason == REASON_NONE) {
			identity_pin(&id, &t, c.site);
			if (id.decision != DECISION_VERIFIED || strcmp(id.email, "alex@example.com") != 0)
				die("not the visitor");
		}
		token_done(&t);
	}
	reader_end(reader, ENV_VAULT);
}

/* The algorithm, the signature, exp, iat, nbf, that there is an email: what a careful user of libjwt checks. */
static bool libjwt_verify(const char *text, const struct secret *key)
{
	long long now = (long long)(now_us / 1000000), exp, iat;
	jwt_t *jwt = NULL;
	bool ok;

	if (jwt_decode(&jwt, text, key->data, (int)key->size) != 0)
		return false;
	exp = jwt_get_grant_int(jwt, "exp");
	iat = jwt_get_grant_int(jwt, "iat");
	ok = jwt_get_alg(jwt) == JWT_ALG_HS256 && now < exp && exp - iat <= SITE_LIFETIME_MAX && iat <= now + TOKEN_SKEW &&
	     jwt_get_grant_int(jwt, "nbf") <= now + TOKEN_SKEW && jwt_get_grant(jwt, "email") != NULL;
	jwt_free(jwt);
	return ok;
}

static void run_libjwt(const struct way *w)
{
	const struct secret *last = w->ground->secret[w->ground->ring.count - 1];

	for (int i = 0; i < TIMES; i++)
		if (libjwt_verify(w->value + strlen(BEARER), last) != (w->reason == REASON_NONE))
			die("libjwt judges otherwise");
}

/* As its user has to who cannot tell which of three keys signed. */
static void run_libjwt_each(const struct way *w)
{
	for (int i = 0; i < TIMES; i++) {
		bool ok = false;

		for (size_t k = 0; k < w->ground->ring.count && !ok; k++)
			ok = libjwt_verify(w->value + strlen(BEARER), w->ground->secret[k]);
		if (!ok)
			die("libjwt judges otherwise");
	}
}

/* What the path does besides, for the log. */
static void run_subject(const struct way *w)
{
	char email[EMAIL_MAX], subject[SUBJECT_MAX];
	const char *domain;

	for (int i = 0; i < TIMES; i++) {
		if (email_normalise(span_str("alex@example.com"), email, &domain) != REASON_NONE)
			die("no email");
		need(audit_subject(w->ground->pseudonym, span_str(email), subject), "audit_subject");
	}
}

/* A request's snapshot of the vault and the site's versions in it. */
static void run_vault(const struct way *w)
{
	for (int i = 0; i < TIMES; i++) {
		struct txn *vault = reader_begin(reader, ENV_VAULT);
		struct site_head head;

		if (!site_head_get(vault, span_str(w->ground->site.id), &head))
			die("no site");
		reader_end(reader, ENV_VAULT);
	}
}

/* The floor: nothing but the hash, and nothing but jansson. */
static void run_hmac(const struct way *w)
{
	struct span text = span_of(w->value + strlen(BEARER), (size_t)(strrchr(w->value, '.') - w->value) - strlen(BEARER));
	uint8_t mac[SHA256_SIZE];

	for (int i = 0; i < TIMES; i++)
		need(hmac_key_sign(w->ground->ring.keys[0].hmac, text, mac), "hmac_key_sign");
}

static void run_jansson(const struct way *w)
{
	const char *from = strchr(w->value, '.') + 1;
	uint8_t text[TOKEN_MAX];
	long size = base64url_decode(text, sizeof(text), span_of(from, (size_t)(strrchr(from, '.') - from)));

	for (int i = 0; i < TIMES; i++) {
		json_t *claims = size < 0 ? NULL : json_loadb((char *)text, (size_t)size, JSON_REJECT_DUPLICATES, NULL);

		if (!claims)
			die("no claims");
		json_decref(claims);
	}
}

static struct way ways[] = {
	{ .name = "one key", .run = run_verify, .ground = &one },
	{ .name = "three keys, named", .run = run_verify, .ground = &three },
	{ .name = "three keys, the third, not named", .run = run_verify, .ground = &three },
	{ .name = "one key, bad signature", .run = run_verify, .ground = &one, .reason = REASON_SIGNATURE_MISMATCH },
	{ .name = "three keys, bad signature, named", .run = run_verify, .ground = &three,
	  .reason = REASON_SIGNATURE_MISMATCH },
	{ .name = "three keys, bad signature", .run = run_verify, .ground = &three, .reason = REASON_SIGNATURE_MISMATCH },
	{ .name = "one key, expired", .run = run_verify, .ground = &one, .reason = REASON_TOKEN_EXPIRED },
	{ .name = "libjwt, one key", .run = run_libjwt, .ground = &one },
	{ .name = "libjwt, three keys, the right one at once", .run = run_libjwt, .ground = &three },
	{ .name = "libjwt, three keys, one after the other", .run = run_libjwt_each, .ground = &three },
	{ .name = "libjwt, bad signature", .run = run_libjwt, .ground = &one, .reason = REASON_SIGNATURE_MISMATCH },
	{ .name = "subject", .run = run_subject, .ground = &one },
	{ .name = "vault read", .run = run_vault, .ground = &one },
	{ .name = "hmac", .run = run_hmac, .ground = &one },
	{ .name = "jansson", .run = run_jansson, .ground = &one },
};

static void sign_all(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct way *w = &ways[i];
		bool named = strstr(w->name, ", named") != NULL;
		long long ends = w->reason == REASON_TOKEN_EXPIRED ? -1 : 3000;

		w->value = sign(w->ground, w->ground->ring.count - 1, named, ends);
		if (w->reason == REASON_SIGNATURE_MISMATCH)
			spoil(w->value);
	}
}

/* ---- rounds ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_round(size_t round)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct way *w = &ways[(round + i) % ARRAY_LEN(ways)];
		double start = seconds();

		w->run(w);
		w->ns[round] = (seconds() - start) / TIMES * 1e9;
	}
}

static void print(size_t rounds)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		printf("%s\"%s\": [", i ? ",\n" : "{", ways[i].name);
		for (size_t round = 0; round < rounds; round++)
			printf("%s%.1f", round ? ", " : "", ways[i].ns[round]);
		printf("]");
	}
	printf("}\n");
}

static void ground_done(struct ground *g)
{
	keyring_done(&g->ring);
	hmac_key_free(g->pseudonym);
	site_done(&g->site);
	for (size_t i = 0; i < RING_MAX; i++)
		secret_free(g->secret[i]);
}

int main(int argc, char **argv)
{
	struct store_options o = {
		.dir = argc == 3 ? argv[1] : NULL, .mode = STORE_ADMIN, .vault_map = MAP_SIZE, .ledger_map = MAP_SIZE,
	};
	long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	struct why why = { "" };
	bool created;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		die("usage: bench-verify DIR ROUNDS");
	secret_process_init();
	now_us = clock_us();
	if (store_init(o.dir, NULL, &created, &why) != RC_OK || store_open(&o, &store, &why) != RC_OK)
		die(why.text);
	need(reader_new(store, &reader), "reader_new");
	memo = token_memo_new();
	make_site(&one, "one", 1);
	make_site(&three, "three", RING_MAX);
	load_site(&one);
	load_site(&three);
	sign_all();
	for (size_t round = 0; round < (size_t)rounds; round++)
		run_round(round);
	print((size_t)rounds);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		free(ways[i].value);
	ground_done(&one);
	ground_done(&three);
	token_memo_free(memo);
	reader_free(reader);
	store_close(store);
	return 0;
}
