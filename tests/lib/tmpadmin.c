/* tmpadmin.c -- an admin with a data directory of a test's own. */
#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

bool tmpadmin_reopen(struct tmpadmin *t, bool read_only)
{
	struct admin_options o = { .dir = t->dir, .read_only = read_only, .vault_map = TMPADMIN_MAP, .ledger_map = TMPADMIN_MAP };

	if (!admin_close(t->a))
		return false;
	t->a = NULL;
	return admin_open(&o, &t->a, &t->why) == RC_OK;
}

static bool add_acme(struct tmpadmin *t)
{
	struct site s;
	enum rc rc;

	site_init(&s);
	memcpy(s.id, "acme", 5);
	rc = admin_site_add(t->a, &s, &t->reason, &t->why);
	site_done(&s);
	return rc == RC_OK;
}

struct tmpadmin *tmpadmin_new(void)
{
	struct tmpadmin *t = calloc(1, sizeof(*t));
	bool created;

	if (!t)
		return NULL;
	unsetenv("POSTERN_MASTER_KEY_FILE");
	unsetenv("CREDENTIALS_DIRECTORY");
	t->dir = tmpdir_new();
	if (t->dir && admin_init(t->dir, NULL, &created, &t->why) == RC_OK && tmpadmin_reopen(t, false) && add_acme(t))
		return t;
	fprintf(stderr, "tmpadmin: %s\n", t->why.text);
	tmpadmin_free(t);
	return NULL;
}

void tmpadmin_free(struct tmpadmin *t)
{
	if (!t)
		return;
	if (admin_close(t->a))
		tmpdir_free(t->dir);
	free(t);
}

int tmpadmin_setup(void **state)
{
	secret_process_init();
	*state = tmpadmin_new();
	return *state ? 0 : -1;
}

int tmpadmin_teardown(void **state)
{
	tmpadmin_free(*state);
	return 0;
}

static bool keep_record(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	(void)seq;
	(void)line;
	return json_array_append(arg, (json_t *)record) == 0;
}

json_t *tmpadmin_records(struct tmpadmin *t)
{
	struct audit_filter any = { 0 };
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	json_t *records = json_array();
	uint64_t next;
	bool end = false;
	enum rc rc = audit_scan(ledger, &any, 0, SIZE_MAX, keep_record, records, &next, &end);

	txn_abort(ledger);
	if (rc == RC_OK && end)
		return records;
	json_decref(records);
	return NULL;
}

const json_t *record_at(const json_t *records, size_t back)
{
	size_t count = json_array_size(records);

	return back < count ? json_array_get(records, count - 1 - back) : NULL;
}

bool record_has(const json_t *record, const char *member, const char *text)
{
	const json_t *value = json_object_get(record, member);

	if (!value)
		value = json_object_get(json_object_get(record, "detail"), member);
	return span_is(json_span(value), text);
}
