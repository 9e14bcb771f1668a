/* vault.c -- a data directory as an admin has it, and everything that admin programs read of its ledger. */
#include "tests/fuzz/vault.h"

#include "base/clock.h"
#include "base/text.h"
#include "tests/lib/tmpstore.h"

#include <stdlib.h>

static const char actions[] = "{\"actions\":[{\"name\":\"track\",\"access\":\"personal\",\"effect\":\"read\",\"parameters\":"
	"{\"type\":\"object\"},\"connector\":{\"type\":\"documents\",\"collection\":\"orders\",\"operation\":\"list\"}}]}";
static const char documents[] =
	"{\"collection\":\"orders\",\"id\":\"1042\",\"owner\":\"alex@example.com\",\"data\":{\"state\":\"open\"}}\n"
	"{\"collection\":\"orders\",\"id\":\"1043\",\"owner\":null,\"data\":{\"state\":\"open\",\"list\":[1,2]}}\n";

/* ---- making it ---- */

static enum rc add_records(struct txn *ledger, void *arg)
{
	static const enum audit_outcome outcomes[] = { AUDIT_OUTCOME_DONE, AUDIT_OUTCOME_BLOCKED, AUDIT_OUTCOME_REFUSED };
	size_t count = *(const size_t *)arg;
	enum rc rc = RC_OK;

	for (size_t i = 0; i < count && rc == RC_OK; i++) {
		struct audit_record r;

		audit_record_init(&r, AUDIT_EVENT_ACTION, outcomes[i % ARRAY_LEN(outcomes)]);
		memcpy(r.site, VAULT_SITE, sizeof(VAULT_SITE));
		memcpy(r.action, "track", 6);
		memcpy(r.subject, "h1:00112233445566778899aabbccddeeff", 36);
		rc = audit_append(ledger, &r, NULL);
	}
	return rc;
}

static enum rc add_rows(struct txn *ledger, void *arg)
{
	static const uint8_t conversation[CONVERSATION_KEY_SIZE] = { 1, 2, 3 };
	struct admin *a = arg;
	const char *subject = "h1:00112233445566778899aabbccddeeff";

	if (pin_claim(ledger, VAULT_SITE, conversation, subject, clock_us()) != REASON_NONE)
		return RC_IO;
	return audit_identity_keep(admin_store(a), ledger, VAULT_SITE, subject, "alex@example.com", "Alex", clock_us() / 1000000);
}

static void checkpoint(struct admin *a)
{
	struct verification found;
	struct buf note = BUF_INIT;
	struct why why = { "" };
	bool is_new;

	REQUIRE(admin_checkpoint(a, &note, &is_new, &found, &why) == RC_OK && is_new);
	buf_done(&note);
}

struct admin *vault_open(const char *dir, bool read_only, enum rc *ret)
{
	struct admin_options o = { .dir = dir, .read_only = read_only, .vault_map = TMPSTORE_MAP, .ledger_map = TMPSTORE_MAP };
	struct why why = { "" };
	struct admin *a = NULL;
	enum rc rc = admin_open(&o, &a, &why);

	REQUIRE((rc == RC_OK) == (a != NULL));
	if (ret)
		*ret = rc;
	return a;
}

/* Something of everything that workers and path/ leave behind. */
static void run_worker(const char *dir)
{
	struct store *st = tmpstore_open(dir, STORE_WORKER, NULL, NULL);
	struct writer *w = NULL;
	struct path *p = NULL;
	struct path_options o = { .version = "1.0", .threads = 1, .worker = true };

	REQUIRE(st && writer_start(st, &w) == RC_OK);
	o.store = st;
	o.writer = w;
	REQUIRE(path_new(&o, &p) == RC_OK);
	path_tick(p);
	path_flush(p);
	REQUIRE(writer_stop(w, 10000));
	path_free(p);
	store_close(st);
}

struct admin *vault_make(const char *dir)
{
	static const size_t half = VAULT_RECORDS / 2;
	struct admin *a;
	struct writer *w = NULL;
	struct why why = { "" };
	struct key key = { 0 };
	struct problems problems = { 0 };
	enum reason reason;
	size_t count;
	struct site s;
	bool created;

	unsetenv("POSTERN_MASTER_KEY_FILE");
	unsetenv("CREDENTIALS_DIRECTORY");
	REQUIRE(admin_init(dir, NULL, &created, &why) == RC_OK);
	run_worker(dir);
	REQUIRE((a = vault_open(dir, false, NULL)) != NULL);
	site_init(&s);
	memcpy(s.id, VAULT_SITE, sizeof(VAULT_SITE));
	REQUIRE(admin_site_add(a, &s, &reason, &why) == RC_OK && admin_key_create(a, VAULT_SITE, "one", &key, &reason, &why) == RC_OK);
	REQUIRE(admin_action_import(a, VAULT_SITE, span_str(actions), &count, &problems, &reason, &why) == RC_OK);
	REQUIRE(admin_document_import(a, VAULT_SITE, span_str(documents), &count, &reason, &why) == RC_OK);
	REQUIRE(admin_settle(a, SETTLE_SECONDS, &why) && admin_writer(a, &w) == RC_OK);
	REQUIRE(writer_call(w, add_records, (void *)&half) == RC_OK && writer_call(w, add_rows, a) == RC_OK);
	checkpoint(a);
	REQUIRE(writer_call(w, add_records, (void *)&half) == RC_OK);
	checkpoint(a);
	key_done(&key);
	site_done(&s);
	return a;
}

/* ---- reading it ---- */

/* The ordinary ones are all alike. */
static bool see_line(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct audit_row row = { .origin = "postern/x/y", .seq = seq, .line = line, .record = record };
	struct buf *out = arg;

	if (record && seq % 64 != 0)
		return true;
	for (size_t i = 0; audit_form_at(i); i++) {
		buf_clear(out);
		REQUIRE(audit_form_at(i)->row(out, &row) == RC_OK);
		REQUIRE(audit_form_at(i)->bare || fuzz_printable(buf_span(out)));
	}
	return true;
}

static void scan(struct txn *t)
{
	const struct audit_filter filters[] = { { 0 }, { .site = VAULT_SITE, .has_outcome = true, .outcome = AUDIT_OUTCOME_BLOCKED } };
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		uint64_t next = 0;
		bool end = false;

		fuzz_ended(audit_scan(t, &filters[i], 0, 500, see_line, &out, &next, &end));
		fuzz_ended(audit_scan_back(t, &filters[i], UINT64_MAX, 500, see_line, &out, &next, &end));
	}
	buf_done(&out);
}

static bool see_document(const struct document *d, void *arg)
{
	(void)arg;
	REQUIRE(utf8_valid(span_str(d->id)) && json_is_object(d->data));
	return true;
}

static void read_rows(struct admin *a)
{
	static const uint8_t conversation[CONVERSATION_KEY_SIZE] = { 1, 2, 3 };
	struct worker_row workers[8];
	struct audit_identity who;
	struct identity_key next;
	char subject[SUBJECT_MAX];
	struct txn *t = txn_read(admin_store(a), ENV_LEDGER);
	struct tree_source tree = audit_tree(t);
	struct tree_hash root;

	scan(t);
	if (pin_get(t, VAULT_SITE, conversation, clock_us() / 1000000, subject))
		REQUIRE(strlen(subject) < SUBJECT_MAX);
	for (size_t n = worker_rows(t, workers, ARRAY_LEN(workers)); n-- > 0;)
		REQUIRE(strlen(workers[n].version) < WORKER_VERSION_MAX);
	fuzz_ended(tree_root(&tree, audit_size(t), &root));
	if (audit_identity_get(admin_store(a), t, VAULT_SITE, "h1:00112233445566778899aabbccddeeff", &who) == RC_OK)
		REQUIRE(strlen(who.email) < sizeof(who.email) && strlen(who.name) < sizeof(who.name));
	document_each(t, VAULT_SITE, "orders", see_document, NULL);
	txn_abort(t);
	/* What prune, erase and a worker's housekeeping do, given up at the end. */
	t = txn_write(admin_store(a), ENV_LEDGER);
	if (txn_rc(t) == RC_OK) {
		bool more;
		uint64_t at;

		fuzz_ended(audit_index(t, 4096, &more));
		(void)audit_identity_prune(t, UINT64_MAX, &(struct identity_key){ 0 }, 10, &next);
		(void)pin_remove(t, VAULT_SITE, "h1:00112233445566778899aabbccddeeff", 10);
		(void)idempotency_remove(t, VAULT_SITE, NULL, 10);
		(void)document_remove_owner(t, VAULT_SITE, "alex@example.com", 10);
		(void)document_remove_site(t, VAULT_SITE, 10);
		fuzz_ended(audit_prune(t, 0, 256, 1000, &at));
	}
	txn_abort(t);
}

void vault_read_all(struct admin *a, struct verification *ret)
{
	const struct verify_options o = { 0 };
	const struct audit_filter any = { 0 };
	struct buf line = BUF_INIT, proof = BUF_INIT;
	json_t *json = NULL;
	struct why why = { "" };
	struct health h = { 0 };
	struct key_rows keys = { 0 };
	struct site_page page = { 0 };
	enum reason reason;
	uint64_t count;
	enum rc rc;

	*ret = (struct verification){ .verdict = VERDICT_UNVERIFIABLE };
	rc = admin_verify(a, &o, ret, &why);
	REQUIRE(rc != RC_OK || fuzz_printable(span_str(ret->text)));
	read_rows(a);
	for (uint64_t seq = 0; seq < 4; seq++) {
		fuzz_ended(admin_audit_record(a, seq * 99, &line, &json, &why));
		json_decref(json);
		json = NULL;
		buf_clear(&line);
		fuzz_ended(admin_prove(a, seq * 99, &line, &proof, &reason, &why));
		buf_clear(&line);
		buf_clear(&proof);
	}
	if (admin_stats(a, &any, NULL, NULL, &json, &why) == RC_OK)
		json_decref(json);
	json = NULL;
	if (admin_health(a, &h, &why) == RC_OK)
		health_done(&h);
	if (admin_key_list(a, VAULT_SITE, &keys, &reason, &why) == RC_OK)
		key_rows_done(&keys);
	if (admin_site_page(a, &(struct site_query){ .max = 10 }, &page, &why) == RC_OK)
		site_page_done(&page);
	if (admin_document_list(a, VAULT_SITE, "orders", &json, &reason, &why) == RC_OK)
		json_decref(json);
	fuzz_ended(admin_expiry_missing(a, VAULT_SITE, 1000, &count, &why));
	buf_done(&line);
	buf_done(&proof);
}
