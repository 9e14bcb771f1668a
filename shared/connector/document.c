/* document.c -- rows as they are stored: keys, data, import by hand, removal.
 *
 * key: site 0 collection 0 owner 0 id, at most 63+1 + 63+1 + 254+1 + 128 = 511 bytes, LMDB's limit. None of the first
 * three holds a zero byte, so one owner's rows are one range, and no range runs into another's.
 * row: canonical JSON of an object. */
#include "connector/connector-private.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define DOCUMENT_DEPTH_MAX 64
#define IMPORT_DEPTH_MAX 32

_Static_assert(SITE_ID_MAX + COLLECTION_MAX + EMAIL_MAX + DOCUMENT_ID_MAX - 1 <= 511, "an LMDB key");

bool document_id_valid(struct span id)
{
	const uint8_t *at = id.data;
	const uint8_t *end;

	if (id.size == 0 || id.size >= DOCUMENT_ID_MAX)
		return false;
	for (end = at + id.size; at < end;) {
		uint32_t cp = utf8_next(&at, end);

		if (cp == UTF8_BAD || text_is_control(cp))
			return false;
	}
	return true;
}

static void key_add(struct row_key *key, const char *part, bool last)
{
	size_t size = strlen(part);
	size_t room = sizeof(key->bytes) - key->size - 1;

	if (size > room)
		size = room;             /* cannot be: each part was bounded, see the assertion above */
	memcpy(key->bytes + key->size, part, size);
	key->size += size;
	if (!last)
		key->bytes[key->size++] = '\0';
}

void row_key_make(struct row_key *key, const char *site, const char *collection, const char *owner, const char *id)
{
	key->size = 0;
	key_add(key, site, false);
	key_add(key, collection, false);
	key_add(key, owner, false);
	if (id)
		key_add(key, id, true);
}

json_t *row_decode(struct txn *ledger, struct span row)
{
	json_t *data = NULL;
	enum rc rc = RC_CORRUPT;

	if (row.size <= DOCUMENT_SIZE_MAX)
		rc = json_strict(row, DOCUMENT_DEPTH_MAX, &data, NULL);
	if (rc == RC_OK && json_is_object(data))
		return data;
	json_decref(data);
	txn_fail(ledger, rc == RC_NOMEM ? RC_NOMEM : RC_CORRUPT);
	return NULL;
}

static size_t canonical_size(const json_t *data, struct buf *text)
{
	json_canonical(text, data);
	return text->failed ? SIZE_MAX : text->size;
}

enum rc row_fits(const json_t *data)
{
	struct buf text = BUF_INIT;
	bool fits = canonical_size(data, &text) <= DOCUMENT_SIZE_MAX;
	enum rc rc = text.failed ? RC_NOMEM : fits ? RC_OK : RC_INVALID;

	buf_done(&text);
	return rc;
}

bool row_put(struct txn *ledger, const struct row_key *key, const json_t *data)
{
	struct buf text = BUF_INIT;
	bool fits = canonical_size(data, &text) <= DOCUMENT_SIZE_MAX;

	if (text.failed)
		txn_fail(ledger, RC_NOMEM);
	else if (fits)
		txn_put(ledger, DB_DOCUMENTS, span_of(key->bytes, key->size), buf_span(&text));
	fits = fits || text.failed;
	buf_done(&text);
	return fits;
}

/* ---- import ------------------------------------------------------------------------------- */

static enum rc parse_collection(const json_t *value, struct document *d, struct why *why)
{
	struct span name = json_span(value);

	if (!collection_valid(name)) {
		why_set(why, "collection must match ^[a-z][a-z0-9_]{0,62}$");
		return RC_INVALID;
	}
	snprintf(d->collection, sizeof(d->collection), "%.*s", (int)name.size, (const char *)name.data);
	return RC_OK;
}

static enum rc parse_id(const json_t *value, struct document *d, struct why *why)
{
	struct span id = json_span(value);

	if (!document_id_valid(id)) {
		why_set(why, "id must be a string of 1 to 128 bytes without control characters");
		return RC_INVALID;
	}
	snprintf(d->id, sizeof(d->id), "%.*s", (int)id.size, (const char *)id.data);
	return RC_OK;
}

static enum rc parse_owner(const json_t *value, struct document *d, struct why *why)
{
	const char *domain;

	if (json_is_null(value))
		return RC_OK;
	if (json_is_string(value) && email_normalise(json_span(value), d->owner, &domain) == REASON_NONE)
		return RC_OK;
	why_set(why, "owner must be null or a well-formed email");
	return RC_INVALID;
}

static enum rc parse_data(const json_t *value, struct document *d, struct why *why)
{
	enum rc rc;

	if (!json_is_object(value)) {
		why_set(why, "data must be an object");
		return RC_INVALID;
	}
	if ((rc = row_fits(value)) == RC_INVALID)
		why_set(why, "data is larger than %d bytes", DOCUMENT_SIZE_MAX);
	if (rc != RC_OK)
		return rc;
	d->data = json_deep_copy(value);
	return d->data ? RC_OK : RC_NOMEM;
}

/* `data` is the last, so that nothing is to be freed where one before it fails. */
static const struct {
	const char *name;
	enum rc (*parse)(const json_t *value, struct document *d, struct why *why);
} document_members[] = {
	{ "collection",	parse_collection },
	{ "id",		parse_id },
	{ "owner",	parse_owner },
	{ "data",	parse_data },
};

static enum rc parse_members(const json_t *line, struct document *d, struct why *why)
{
	enum rc rc = RC_OK;

	for (size_t i = 0; i < ARRAY_LEN(document_members) && rc == RC_OK; i++) {
		const json_t *value = json_object_get(line, document_members[i].name);

		if (!value) {
			why_set(why, "%s is missing", document_members[i].name);
			return RC_INVALID;
		}
		rc = document_members[i].parse(value, d, why);
	}
	return rc;
}

enum rc document_parse(struct span line, struct document *ret, struct why *why)
{
	struct document d = { 0 };
	json_t *value = NULL;
	enum rc rc;

	if ((rc = json_strict(line, IMPORT_DEPTH_MAX, &value, why)) != RC_OK)
		return rc;
	if (!json_is_object(value) || json_object_size(value) > ARRAY_LEN(document_members)) {
		why_set(why, "a line must be an object of collection, id, owner and data, and nothing else");
		rc = RC_INVALID;
	} else {
		rc = parse_members(value, &d, why);
	}
	json_decref(value);
	if (rc == RC_OK)
		*ret = d;
	return rc;
}

enum rc document_put(struct txn *ledger, const char *site, const struct document *d)
{
	struct row_key key;

	row_key_make(&key, site, d->collection, d->owner, d->id);
	if (!row_put(ledger, &key, d->data))
		return RC_INVALID;
	return txn_rc(ledger);
}

/* ---- walking ------------------------------------------------------------------------------ */

/* Owner and id of a key, behind what all keys of the collection share. */
static bool decode_key(struct span rest, struct document *d)
{
	const char *text = rest.data;
	const char *zero = memchr(text, '\0', rest.size);
	size_t owner;
	struct span id;

	if (!zero)
		return false;
	owner = (size_t)(zero - text);
	id = span_of(zero + 1, rest.size - owner - 1);
	if (owner >= sizeof(d->owner) || !document_id_valid(id))
		return false;
	memcpy(d->owner, text, owner + 1);
	snprintf(d->id, sizeof(d->id), "%.*s", (int)id.size, (const char *)id.data);
	return true;
}

static bool key_begins(struct span key, struct span prefix)
{
	return key.size > prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
}

/* false: stop. */
static bool visit(struct txn *ledger, struct span rest, struct span row, struct document *d,
		  bool (*each)(const struct document *d, void *arg), void *arg)
{
	bool more;

	if (!decode_key(rest, d)) {
		txn_fail(ledger, RC_CORRUPT);
		return false;
	}
	if (!(d->data = row_decode(ledger, row)))
		return false;
	more = each(d, arg);
	json_decref(d->data);
	return more;
}

void document_each(struct txn *ledger, const char *site, const char *collection,
		   bool (*each)(const struct document *d, void *arg), void *arg)
{
	struct document d = { 0 };
	struct row_key from = { .size = 0 };
	struct span key, row, prefix;
	struct walk w;
	bool there;

	key_add(&from, site, false);
	key_add(&from, collection, false);
	prefix = span_of(from.bytes, from.size);
	snprintf(d.collection, sizeof(d.collection), "%s", collection);
	walk_begin(&w, ledger, DB_DOCUMENTS);
	there = walk_seek(&w, prefix, &key, &row);
	while (there && key_begins(key, prefix)) {
		struct span rest = span_of((const char *)key.data + prefix.size, key.size - prefix.size);

		there = visit(ledger, rest, row, &d, each, arg) && walk_next(&w, &key, &row);
	}
	walk_end(&w);
}

size_t document_remove_site(struct txn *ledger, const char *site, size_t max)
{
	struct row_key from = { .size = 0 };
	struct span key, row, prefix;
	struct walk w;
	size_t gone = 0;
	bool there;

	key_add(&from, site, false);
	prefix = span_of(from.bytes, from.size);
	walk_begin(&w, ledger, DB_DOCUMENTS);
	there = max > 0 && walk_seek(&w, prefix, &key, &row);
	while (there && key_begins(key, prefix)) {
		walk_del(&w);
		there = ++gone < max && walk_next(&w, &key, &row);
	}
	walk_end(&w);
	return gone;
}

/* Of the collection that a row is in: where the owner's rows begin, and where the next collection does. */
static bool owner_range(struct span key, const char *site, const char *owner, struct row_key *ret_own,
			struct row_key *ret_after)
{
	size_t at = strlen(site) + 1;
	const char *name = (const char *)key.data + at, *end = memchr(name, '\0', key.size - at);

	if (!end || end - name >= COLLECTION_MAX)
		return false;
	row_key_make(ret_own, site, name, owner, NULL);
	*ret_after = *ret_own;
	ret_after->size = at + (size_t)(end - name);
	ret_after->bytes[ret_after->size++] = '\1';
	return true;
}

/* Deletes from the walk's place on what begins so; where it then stands. */
static bool remove_range(struct walk *w, const struct row_key *own, size_t max, size_t *gone, struct span *key)
{
	struct span prefix = span_of(own->bytes, own->size), row;
	bool there = walk_seek(w, prefix, key, &row);

	while (there && *gone < max && key_begins(*key, prefix)) {
		walk_del(w);
		(*gone)++;
		there = walk_next(w, key, &row);
	}
	return there;
}

size_t document_remove_owner(struct txn *ledger, const char *site, const char *owner, size_t max)
{
	struct row_key from = { .size = 0 }, own, after;
	struct span key, row, prefix;
	struct walk w;
	size_t gone = 0;
	bool there;

	key_add(&from, site, false);
	prefix = span_of(from.bytes, from.size);
	walk_begin(&w, ledger, DB_DOCUMENTS);
	there = walk_seek(&w, prefix, &key, &row);
	while (there && gone < max && key_begins(key, prefix)) {
		if (!owner_range(key, site, owner, &own, &after))
			there = walk_next(&w, &key, &row);
		else if ((there = remove_range(&w, &own, max, &gone, &key)))
			there = walk_seek(&w, span_of(after.bytes, after.size), &key, &row);
	}
	walk_end(&w);
	return gone;
}
