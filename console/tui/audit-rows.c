/* audit-rows.c -- a window on the log that grows at the end one looks at and gives way at the other. */
#include "console/tui/audit-rows.h"

#define CHUNK 128                      /* rows a slice takes at most */

struct chunk { struct record_row row[CHUNK]; size_t count, want; };

void audit_rows_reset(struct audit_rows *r, uint64_t before)
{
	r->count = 0;
	r->older = r->newer = before;
	r->oldest = before == 0;
	r->newest = before == UINT64_MAX;
}

/* ---- a record as a row ---- */

static void take_text(char *out, size_t room, const json_t *object, const char *name)
{
	struct span text = json_span(json_object_get(object, name));
	size_t size = text.size < room ? text.size : room - 1;

	while (size > 0 && size < text.size && (((const unsigned char *)text.data)[size] & 0xc0) == 0x80)
		size--;                /* never half a character */
	if (size)
		memcpy(out, text.data, size);
	out[size] = '\0';
}

static uint64_t take_number(const json_t *record, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(record, name));

	return n > 0 ? (uint64_t)n : 0;
}

/* What an admin did, and to which key. */
static void take_change(struct record_row *ret, const json_t *record)
{
	size_t size;

	take_text(ret->what, sizeof(ret->what), json_object_get(record, "detail"), "change");
	size = strlen(ret->what);
	if (size > 0 && size + 2 < sizeof(ret->what) && json_object_get(record, "kid")) {
		ret->what[size] = ' ';
		take_text(ret->what + size + 1, sizeof(ret->what) - size - 1, record, "kid");
	}
}

void record_row_fill(struct record_row *ret, uint64_t seq, const json_t *record)
{
	*ret = (struct record_row){ .seq = seq, .broken = !record };
	take_text(ret->site, sizeof(ret->site), record, "site");
	take_text(ret->event, sizeof(ret->event), record, "event");
	take_text(ret->outcome, sizeof(ret->outcome), record, "outcome");
	take_text(ret->reason, sizeof(ret->reason), record, "reason");
	take_text(ret->what, sizeof(ret->what), record, "action");
	if (!ret->what[0])
		take_change(ret, record);
	take_text(ret->who, sizeof(ret->who), record, "subject");
	if (!ret->who[0])
		take_text(ret->who, sizeof(ret->who), record, "actor");
	take_text(ret->remote, sizeof(ret->remote), record, "remote");
	ret->time_us = take_number(record, "time");
	ret->count = take_number(record, "count");
}

static bool chunk_add(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct chunk *k = arg;

	(void)line;
	record_row_fill(&k->row[k->count++], seq, record);
	return k->count < k->want;
}

/* ---- growing ---- */

static void chunk_init(struct chunk *k, size_t want)
{
	k->count = 0;
	k->want = want == 0 ? 1 : want < CHUNK ? want : CHUNK;
}

/* The chunk is newest first. */
static size_t put_before(struct audit_rows *r, const struct chunk *k)
{
	size_t dropped = r->count + k->count > AUDIT_WINDOW ? r->count + k->count - AUDIT_WINDOW : 0;

	r->count -= dropped;
	memmove(r->row + k->count, r->row, r->count * sizeof(r->row[0]));
	for (size_t i = 0; i < k->count; i++)
		r->row[i] = k->row[k->count - 1 - i];
	r->count += k->count;
	if (dropped > 0) {
		r->newer = r->row[r->count - 1].seq + 1;
		r->newest = false;
	}
	return dropped;
}

static size_t put_after(struct audit_rows *r, const struct chunk *k)
{
	size_t dropped = r->count + k->count > AUDIT_WINDOW ? r->count + k->count - AUDIT_WINDOW : 0;

	r->count -= dropped;
	memmove(r->row, r->row + dropped, r->count * sizeof(r->row[0]));
	memcpy(r->row + r->count, k->row, k->count * sizeof(r->row[0]));
	r->count += k->count;
	if (dropped > 0) {
		r->older = r->row[0].seq;
		r->oldest = false;
	}
	return dropped;
}

/* From the newest on, reading forward begins where reading back began. */
static void find_end(struct audit_rows *r, struct txn *ledger)
{
	if (r->newer == UINT64_MAX)
		r->newer = audit_size(ledger);
	if (r->older > r->newer)
		r->older = r->newer;
}

enum rc audit_rows_older(struct audit_rows *r, struct admin *a, const struct audit_filter *f, size_t want, size_t max_rows,
                         size_t *ret_added, size_t *ret_dropped)
{
	struct txn *ledger = txn_read(admin_store(a), ENV_LEDGER);
	uint64_t next = r->older;
	struct chunk k;
	bool end = false;
	enum rc rc;

	chunk_init(&k, want);
	find_end(r, ledger);
	rc = audit_scan_back(ledger, f, r->older, max_rows, chunk_add, &k, &next, &end);
	txn_abort(ledger);
	*ret_added = *ret_dropped = 0;
	if (rc != RC_OK)
		return rc;
	r->older = next;
	r->oldest = end;
	*ret_added = k.count;
	*ret_dropped = put_before(r, &k);
	return RC_OK;
}

enum rc audit_rows_newer(struct audit_rows *r, struct admin *a, const struct audit_filter *f, size_t want, size_t max_rows,
                         size_t *ret_added, size_t *ret_dropped)
{
	struct txn *ledger = txn_read(admin_store(a), ENV_LEDGER);
	uint64_t next = 0;
	struct chunk k;
	bool end = false;
	enum rc rc;

	chunk_init(&k, want);
	find_end(r, ledger);
	rc = audit_scan(ledger, f, r->newer, max_rows, chunk_add, &k, &next, &end);
	txn_abort(ledger);
	*ret_added = *ret_dropped = 0;
	if (rc != RC_OK)
		return rc;
	if (next > r->newer)
		r->newer = next;
	r->newest = end;
	*ret_added = k.count;
	*ret_dropped = put_after(r, &k);
	return RC_OK;
}
