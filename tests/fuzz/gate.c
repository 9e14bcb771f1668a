/* gate.c -- a whole Postern of the target's own. */
#include "tests/fuzz/gate.h"

#include "admin/admin.h"
#include "base/file.h"
#include "tests/lib/tmpstore.h"
#include "tests/lib/tokenring.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#define LOG_MAX 100000                 /* records; then it is made anew */

#define SITE "demo"
#define CANARY_ALEX "canary-5f0c2a91"
#define CANARY_JORDAN "canary-77e1b3d4"

static const char documents[] =
	"{\"collection\":\"orders\",\"id\":\"1042\",\"owner\":\"alex@example.com\",\"data\":{\"state\":\"open\",\"note\":\"" CANARY_ALEX "\"}}\n"
	"{\"collection\":\"orders\",\"id\":\"1043\",\"owner\":\"jordan@example.com\",\"data\":{\"state\":\"open\",\"note\":\"" CANARY_JORDAN "\"}}\n"
	"{\"collection\":\"bookings\",\"id\":\"B-1\",\"owner\":\"alex@example.com\",\"data\":{\"state\":\"confirmed\",\"note\":\"" CANARY_ALEX "\"}}\n"
	"{\"collection\":\"bookings\",\"id\":\"B-2\",\"owner\":\"jordan@example.com\",\"data\":{\"state\":\"confirmed\",\"note\":\"" CANARY_JORDAN "\"}}\n"
	"{\"collection\":\"products\",\"id\":\"P-1\",\"owner\":null,\"data\":{\"name\":\"tent\"}}\n";

static const struct { const char *name, *payload; enum visitor who; bool forged; } tokens[] = {
	{ "{{alex}}", "{\"email\":\"alex@example.com\",\"name\":\"Alex\",\"user_id\":\"1\"}", VISITOR_ALEX, false },
	{ "{{jordan}}", "{\"email\":\"jordan@example.com\"}", VISITOR_JORDAN, false },
	{ "{{expired}}", "{\"email\":\"alex@example.com\",\"exp\":1700000000}", VISITOR_NONE, false },
	{ "{{private}}", "{\"email\":\"alex@shop.test\"}", VISITOR_NONE, false },
	{ "{{forged}}", "{\"email\":\"alex@example.com\"}", VISITOR_NONE, true },
};

/* ---- tokens ---- */

static void token_of(size_t n, struct buf *out)
{
	token_sign(out, span_str(TEST_HEADER), span_str(tokens[n].payload), span_str(test_secret(tokens[n].forged ? 2 : 1)));
	REQUIRE(!out->failed);
}

void gate_fill(struct buf *out, struct span text)
{
	const char *at = text.data, *end = at + text.size;

	while (at < end) {
		size_t left = (size_t)(end - at), n = 0;

		while (n < ARRAY_LEN(tokens) && (left < strlen(tokens[n].name) || memcmp(at, tokens[n].name, strlen(tokens[n].name)) != 0))
			n++;
		if (n < ARRAY_LEN(tokens)) {
			token_of(n, out);
			at += strlen(tokens[n].name);
		} else {
			buf_add_char(out, *at++);
		}
	}
	buf_add(out, "", 0);
	REQUIRE(!out->failed);
}

/* The claims of a payload that was signed, as a plain reader takes them. */
static enum visitor whose(struct span payload)
{
	uint8_t bytes[16384];
	long size = payload.size < sizeof(bytes) ? base64url_decode(bytes, sizeof(bytes), payload) : -1;
	json_t *claims = size < 0 ? NULL : fuzz_json(span_of(bytes, (size_t)size));
	const char *email = json_string_value(json_object_get(claims, "email"));
	enum visitor who = VISITOR_NONE;

	if (email && !json_object_get(claims, "exp"))
		who = strcmp(email, "alex@example.com") == 0 ? VISITOR_ALEX : strcmp(email, "jordan@example.com") == 0 ? VISITOR_JORDAN : VISITOR_NONE;
	json_decref(claims);
	return who;
}

enum visitor gate_signed(struct span value)
{
	const char *start = value.data, *last, *first, *at;
	struct buf expected = BUF_INIT;
	uint8_t mac[SHA256_SIZE];
	enum visitor who = VISITOR_NONE;

	while (value.size > 0 && start[value.size - 1] == ' ')
		value.size--;
	last = value.size ? memrchr(start, '.', value.size) : NULL;
	first = last ? memrchr(start, '.', (size_t)(last - start)) : NULL;
	if (!first)
		return VISITOR_NONE;
	for (at = first; at > start && at[-1] != ' '; at--)
		;
	REQUIRE(crypto_hmac(span_str(test_secret(1)), span_of(at, (size_t)(last - at)), mac) == RC_OK);
	base64url_add(&expected, span_of(mac, sizeof(mac)));
	if (span_equal(buf_span(&expected), span_of(last + 1, value.size - (size_t)(last - start) - 1)))
		who = whose(span_of(first + 1, (size_t)(last - first) - 1));
	buf_done(&expected);
	return who;
}

#define SIGNATURE_PIECE 10

bool gate_holds(struct span bytes, enum visitor who)
{
	for (size_t n = 0; n < ARRAY_LEN(tokens); n++) {
		struct buf token = BUF_INIT;
		bool there = false;

		if (tokens[n].who != who)
			continue;
		token_of(n, &token);
		for (size_t at = token.size - 43; at + SIGNATURE_PIECE <= token.size && bytes.size; at++)
			there |= memmem(bytes.data, bytes.size, token.data + at, SIGNATURE_PIECE) != NULL;
		buf_done(&token);
		if (there)
			return true;
	}
	return false;
}

static bool shows(struct span bytes, const char *text)
{
	return bytes.size && memmem(bytes.data, bytes.size, text, strlen(text)) != NULL;
}

bool gate_shows(struct span bytes, enum visitor who)
{
	return shows(bytes, who == VISITOR_ALEX ? CANARY_ALEX : CANARY_JORDAN);
}

void gate_require_private(struct span answer, struct span sent, enum visitor who)
{
	static const enum visitor visitors[] = { VISITOR_ALEX, VISITOR_JORDAN };

	for (size_t i = 0; i < ARRAY_LEN(visitors); i++)
		REQUIRE(who == visitors[i] || !gate_shows(answer, visitors[i]) || gate_shows(sent, visitors[i]));
	REQUIRE(!shows(answer, test_secret(1)) || shows(sent, test_secret(1)));
}

/* ---- the data ---- */

static void import(struct admin *a)
{
	struct buf actions = BUF_INIT;
	struct problems problems = { 0 };
	struct why why = { "" };
	enum reason reason;
	size_t count = 0;

	REQUIRE(file_read("data/demo/actions.json", ACTIONS_SIZE_MAX, &actions) == RC_OK);
	REQUIRE(admin_action_import(a, SITE, buf_span(&actions), &count, &problems, &reason, &why) == RC_OK && count > 0);
	REQUIRE(admin_document_import(a, SITE, span_str(documents), &count, &reason, &why) == RC_OK && count > 0);
	problems_done(&problems);
	buf_done(&actions);
}

static void make_data(const char *dir)
{
	struct admin_options o = { .dir = dir, .vault_map = TMPSTORE_MAP, .ledger_map = TMPSTORE_MAP };
	struct secret *secret = secret_copy(span_str(test_secret(1)));
	struct key key = { 0 };
	struct why why = { "" };
	struct admin *a = NULL;
	enum reason reason;
	struct site s;
	bool created;

	unsetenv("POSTERN_MASTER_KEY_FILE");
	unsetenv("CREDENTIALS_DIRECTORY");
	REQUIRE(secret && admin_init(dir, NULL, &created, &why) == RC_OK && admin_open(&o, &a, &why) == RC_OK);
	site_init(&s);
	memcpy(s.id, SITE, sizeof(SITE));
	memcpy(s.sign_in_url, "https://shop.example/sign-in", 29);
	REQUIRE(site_list_add(&s.origins, "https://shop.example") == RC_OK);
	REQUIRE(admin_site_add(a, &s, &reason, &why) == RC_OK);
	REQUIRE(admin_key_import(a, SITE, "", secret, &key, &reason, &why) == RC_OK);
	import(a);
	key_done(&key);
	secret_free(secret);
	site_done(&s);
	REQUIRE(admin_settle(a, SETTLE_SECONDS, &why) && admin_close(a));
}

struct gate *gate_make(void)
{
	static unsigned number;
	struct gate *g = calloc(1, sizeof(*g));
	struct path_options o = { .version = "1", .threads = 1 };
	struct why why = { "" };
	char *dir;

	REQUIRE(g && asprintf(&dir, "%s/data-%u", fuzz_dir(), number++) > 0);
	make_data(dir);
	REQUIRE((g->store = tmpstore_open(dir, STORE_WORKER, NULL, &why)) != NULL);
	REQUIRE(writer_start(g->store, &g->writer) == RC_OK);
	o.store = g->store;
	o.writer = g->writer;
	REQUIRE(path_new(&o, &g->path) == RC_OK);
	free(dir);
	return g;
}

/* ---- requests on the target's thread ---- */

static sem_t woken;

static void wake(void *arg)
{
	(void)arg;
	sem_post(&woken);
}

const struct answer *gate_run(struct gate *g)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 8;
	while (path_run(g->exchange, g->thread) == PATH_WAITING)
		while (sem_timedwait(&woken, &until) != 0)
			REQUIRE(errno == EINTR);           /* libFuzzer's alarm */
	return exchange_answer(g->exchange);
}

static void gate_end(struct gate *g)
{
	char *dir = strdup(store_dir(g->store));

	exchange_free(g->exchange);
	path_thread_free(g->thread);
	REQUIRE(writer_stop(g->writer, 10000));
	path_free(g->path);
	store_close(g->store);
	tmpdir_free(dir);
	free(g);
}

struct gate *gate_get(void)
{
	static struct gate *gate;
	static unsigned asked;

	if (gate && ++asked % 1024 == 0) {
		struct txn *t = txn_read(gate->store, ENV_LEDGER);
		bool full = audit_size(t) > LOG_MAX;

		txn_abort(t);
		if (full) {
			gate_end(gate);
			gate = NULL;
		}
	}
	if (!gate) {
		gate = gate_make();
		REQUIRE(sem_init(&woken, 0, 0) == 0 && path_thread_new(gate->path, &gate->thread) == RC_OK);
		REQUIRE((gate->exchange = exchange_new(gate->path, wake, NULL)) != NULL);
	}
	return gate;
}
