/* document.c -- importing and listing the rows of embedded collections. */
#include "admin/admin-private.h"
#include "base/clock.h"

#include <stdio.h>

/* A job of the writer stays well under 50 ms of the lock. */
#define BATCH_LINES 128
#define BATCH_BYTES (1u << 20)
#define COLLECTIONS_NAMED 64           /* in the record */

/* ---- lines ---- */

struct lines {
	struct span rest;
	size_t number;                 /* of the line last taken, from 1 */
};

/* The next line that is not blank. */
static bool line_next(struct lines *l, struct span *ret)
{
	while (l->rest.size > 0) {
		const char *at = l->rest.data, *feed = memchr(at, '\n', l->rest.size);
		size_t size = feed ? (size_t)(feed - at) : l->rest.size, used = feed ? size + 1 : size;

		l->rest = span_of(at + used, l->rest.size - used);
		l->number++;
		if (size > 0 && at[size - 1] == '\r')
			size--;
		if (size > 0) {
			*ret = span_of(at, size);
			return true;
		}
	}
	return false;
}

/* ---- import ---- */

struct import {
	const char *site;
	struct lines lines;
	struct document batch[BATCH_LINES];
	size_t filled;
};

static void batch_clear(struct import *i)
{
	for (size_t d = 0; d < i->filled; d++)
		json_decref(i->batch[d].data);
	i->filled = 0;
}

/* The next documents of the file. Parsed here, outside the lock. */
static enum rc batch_fill(struct import *i, struct why *why)
{
	struct span line;
	size_t bytes = 0;

	batch_clear(i);
	for (; i->filled < BATCH_LINES && bytes < BATCH_BYTES && line_next(&i->lines, &line); bytes += line.size) {
		struct why cause = { { 0 } };
		enum rc rc = document_parse(line, &i->batch[i->filled], &cause);

		if (rc != RC_OK) {
			why_set(why, "line %zu: %s", i->lines.number, cause.text[0] ? cause.text : rc_text(rc));
			return rc;
		}
		i->filled++;
	}
	return RC_OK;
}

static enum rc batch_run(struct txn *ledger, void *arg)
{
	const struct import *i = arg;
	enum rc rc = RC_OK;

	for (size_t d = 0; d < i->filled && rc == RC_OK; d++)
		rc = document_put(ledger, i->site, &i->batch[d]);
	return rc;
}

static bool name_collection(json_t *names, const char *collection)
{
	size_t i;
	json_t *name;

	json_array_foreach(names, i, name)
		if (strcmp(json_string_value(name), collection) == 0)
			return true;
	return json_array_size(names) >= COLLECTIONS_NAMED || json_array_append_new(names, json_string(collection)) == 0;
}

/* All lines are looked at before any is written. */
static enum rc check_all(struct import *i, struct span lines, size_t *ret_count, json_t *names, struct why *why)
{
	size_t count = 0;
	enum rc rc;

	i->lines = (struct lines){ .rest = lines };
	while ((rc = batch_fill(i, why)) == RC_OK && i->filled > 0) {
		for (size_t d = 0; d < i->filled; d++)
			if (!name_collection(names, i->batch[d].collection))
				return RC_NOMEM;
		count += i->filled;
	}
	*ret_count = count;
	return rc;
}

static enum rc put_all(struct admin *a, struct import *i, struct span lines, struct why *why)
{
	struct writer *writer;
	enum rc rc = admin_writer(a, &writer);

	i->lines = (struct lines){ .rest = lines };
	while (rc == RC_OK && (rc = batch_fill(i, why)) == RC_OK && i->filled > 0)
		rc = writer_call(writer, batch_run, i);
	if (rc != RC_OK)
		why_set(why, "written up to line %zu at most, not all: %s", i->lines.number, rc_text(rc));
	return rc;
}

/* The documents are the ledger's own: its writer, not the vault, takes them, between the two records. */
static enum rc import_recorded(struct admin *a, struct import *i, struct span lines, const json_t *members,
                               struct why *why)
{
	struct audit_record r;
	enum rc rc = record_make(a, &r, AUDIT_EVENT_CONFIG, i->site, "documents", members);
	enum rc recorded;

	if (rc != RC_OK)
		return rc;
	r.outcome = AUDIT_OUTCOME_INTENDED;
	if ((rc = record_put(a, &r)) != RC_OK) {
		why_set(why, "nothing was imported, because it could not be recorded first: %s", rc_text(rc));
	} else {
		rc = put_all(a, i, lines, why);
		r.outcome = rc == RC_OK ? AUDIT_OUTCOME_DONE : AUDIT_OUTCOME_FAILED;
		r.reason = rc == RC_OK ? REASON_NONE : REASON_AUDIT_UNAVAILABLE;
		r.time = clock_us();
		if ((recorded = record_put(a, &r)) != RC_OK)
			why_set(&a->notice, "the record of how this import ended could not be written: %s", rc_text(recorded));
	}
	record_done(&r);
	return rc;
}

enum rc admin_document_import(struct admin *a, const char *site, struct span lines, size_t *ret_count,
                              enum reason *ret_reason, struct why *why)
{
	struct import i = { .site = site };
	json_t *names = json_array(), *members = NULL;
	size_t count = 0;
	enum rc rc = names ? site_require(a, site, ret_reason, why) : RC_NOMEM;

	if (rc == RC_OK && (rc = check_all(&i, lines, &count, names, why)) == RC_INVALID)
		rc = refuse(REASON_DOCUMENT_INVALID, ret_reason);
	if (rc == RC_OK && count > 0) {
		members = json_pack("{sIsO}", "count", (json_int_t)count, "collections", names);
		rc = members ? import_recorded(a, &i, lines, members, why) : RC_NOMEM;
	}
	if (rc == RC_OK)
		*ret_count = count;
	batch_clear(&i);
	json_decref(members);
	json_decref(names);
	return rc;
}

/* ---- list ---- */

static bool collect(const struct document *d, void *arg)
{
	json_t *owner = d->owner[0] ? json_string(d->owner) : json_null();

	return json_array_append_new(arg, json_pack("{sssssosO}", "collection", d->collection, "id", d->id, "owner", owner,
	                                            "data", d->data)) == 0;
}

/* Does an action of the site work on it? Then it is empty, not unknown. */
static enum rc collection_named(struct admin *a, const char *site, const char *collection, bool *ret,
                                enum reason *ret_reason, struct why *why)
{
	json_t *document = NULL, *action;
	size_t i;
	enum rc rc = admin_action_document(a, site, &document, ret_reason, why);

	*ret = false;
	json_array_foreach(json_object_get(document, "actions"), i, action) {
		struct span name = json_span(json_object_get(json_object_get(action, "connector"), "collection"));

		*ret |= span_is(name, collection);
	}
	json_decref(document);
	return rc;
}

enum rc admin_document_list(struct admin *a, const char *site, const char *collection, json_t **ret,
                            enum reason *ret_reason, struct why *why)
{
	json_t *list = json_array();
	bool named = false;
	struct txn *ledger;
	enum rc rc = collection_named(a, site, collection, &named, ret_reason, why);

	if (rc == RC_OK && list && strlen(collection) < COLLECTION_MAX) {
		ledger = txn_read(a->store, ENV_LEDGER);
		document_each(ledger, site, collection, collect, list);
		rc = txn_end(ledger);
		if (rc != RC_OK)
			why_set(why, "the documents of site %s cannot be read: %s", site, rc_text(rc));
	}
	if (rc == RC_OK && !list)
		rc = RC_NOMEM;
	if (rc == RC_OK && json_array_size(list) == 0 && !named)
		rc = refuse(REASON_COLLECTION_UNKNOWN, ret_reason);
	if (rc == RC_OK)
		*ret = list;
	else
		json_decref(list);
	return rc;
}
