/* idempotency.c -- Idempotency-Key: a change that is asked for twice is made once, and its answer is given again for a day.
 *
 * A key counts for one visitor's use of one action of one site; of the client's text only a keyed hash is kept. A key has
 * one row, and an index row by its expiry. The row stands in the transaction that records the change, so a change without
 * its row, or a row without its change, cannot be. */
#include "path/path-private.h"

#include "base/json.h"

#define ANSWER_DEPTH 128               /* of a stored answer; nothing that a connector gives comes near */
#define EXPIRED_PER_SWEEP 4

/* The first byte of what is hashed keeps the uses of the vault's key apart: a conversation's begins with a site's first
 * letter (step-gate.c). */
enum label { LABEL_SCOPE = 1, LABEL_PARAMETERS = 2 };

enum state { STATE_IN_FLIGHT = 1, STATE_DONE = 2 };

#define ROW_KEY_MAX (SITE_ID_MAX + SUBJECT_MAX + IDEMPOTENCY_HASH_SIZE)
struct row_key { uint8_t bytes[ROW_KEY_MAX]; size_t size; };
struct expiry_key { uint8_t bytes[8 + ROW_KEY_MAX]; size_t size; };

struct entry {
	uint64_t expires_at;
	enum state state;
	uint8_t parameters[SHA256_SIZE];
	struct span sealed;            /* borrowed from the transaction; empty while in flight */
};

static struct row_key row_key(const struct idempotency *k)
{
	size_t site = strlen(k->site) + 1, subject = strlen(k->subject) + 1;
	struct row_key key = { .size = site + subject + IDEMPOTENCY_HASH_SIZE };

	memcpy(key.bytes, k->site, site);
	memcpy(key.bytes + site, k->subject, subject);
	memcpy(key.bytes + site + subject, k->scope, IDEMPOTENCY_HASH_SIZE);
	return key;
}

static struct expiry_key expiry_key(uint64_t expires_at, struct span row)
{
	struct expiry_key key = { .size = 8 + row.size };

	be64_put(key.bytes, expires_at);
	memcpy(key.bytes + 8, row.data, row.size);
	return key;
}

static bool entry_decode(struct span row, struct entry *ret)
{
	struct dec d = dec_of(row);
	struct span parameters;

	ret->expires_at = dec_u64(&d);
	ret->state = dec_u8(&d);
	parameters = dec_fixed(&d, SHA256_SIZE);
	ret->sealed = dec_bytes(&d);
	if (!dec_end(&d) || (ret->state != STATE_IN_FLIGHT && ret->state != STATE_DONE))
		return false;
	memcpy(ret->parameters, parameters.data, SHA256_SIZE);
	return true;
}

static bool entry_read(struct txn *ledger, struct span key, struct entry *ret)
{
	struct span row;

	if (!txn_get(ledger, DB_IDEMPOTENCY, key, &row))
		return false;
	if (entry_decode(row, ret))
		return true;
	txn_fail(ledger, RC_CORRUPT);
	return false;
}

static void entry_write(struct txn *ledger, struct span key, const struct entry *e)
{
	struct expiry_key expiry = expiry_key(e->expires_at, key);
	struct buf row = BUF_INIT;

	buf_put_u64(&row, e->expires_at);
	buf_put_u8(&row, (uint8_t)e->state);
	buf_add(&row, e->parameters, SHA256_SIZE);
	buf_put_bytes(&row, e->sealed);
	if (row.failed)
		txn_fail(ledger, RC_NOMEM);
	txn_put(ledger, DB_IDEMPOTENCY, key, buf_span(&row));
	txn_put(ledger, DB_IDEMPOTENCY_EXPIRY, span_of(expiry.bytes, expiry.size), span_of(NULL, 0));
	buf_done(&row);
}

static void entry_delete(struct txn *ledger, struct span key, uint64_t expires_at)
{
	struct expiry_key expiry = expiry_key(expires_at, key);

	txn_del(ledger, DB_IDEMPOTENCY_EXPIRY, span_of(expiry.bytes, expiry.size));
	txn_del(ledger, DB_IDEMPOTENCY, key);
}

/* ---- the answer ---- */

/* What a sealed answer is bound to: it opens in no other row, for no other parameters and for no longer. */
static void place_of(struct span key, const struct entry *e, struct buf *out)
{
	buf_add(out, "idempotency", sizeof("idempotency"));
	buf_put_bytes(out, key);
	buf_put_u64(out, e->expires_at);
	buf_add(out, e->parameters, SHA256_SIZE);
}

static enum rc answer_seal(const struct store *st, struct span key, const struct entry *e, const json_t *answer, struct buf *out)
{
	struct buf place = BUF_INIT, text = BUF_INIT;
	enum rc rc = RC_NOMEM;

	place_of(key, e, &place);
	json_canonical(&text, answer);
	if (!place.failed && !text.failed)
		rc = store_seal(st, buf_span(&place), buf_span(&text), out);
	buf_done(&place);
	buf_done(&text);
	return rc;
}

static enum rc answer_open(const struct store *st, struct span key, const struct entry *e, json_t **ret)
{
	struct buf place = BUF_INIT;
	struct secret *text = NULL;
	enum rc rc = RC_NOMEM;

	place_of(key, e, &place);
	if (!place.failed)
		rc = store_unseal(st, buf_span(&place), e->sealed, &text);
	if (rc == RC_OK)
		rc = json_strict(secret_span(text), ANSWER_DEPTH, ret, NULL);
	secret_free(text);
	buf_done(&place);
	return rc;
}

/* ---- the request's own ---- */

bool idempotency_key_valid(struct span key)
{
	return key.size >= 1 && key.size <= IDEMPOTENCY_KEY_MAX && ascii_is_visible(key);
}

static enum rc labelled_hash(const struct store *st, const struct buf *text, uint8_t out[SHA256_SIZE])
{
	if (text->failed)
		return RC_NOMEM;
	return crypto_hmac(secret_span(store_vault_key(st, "conversation")), buf_span(text), out);
}

static enum rc hash_scope(const struct store *st, const char *action, struct span key, struct idempotency *k)
{
	uint8_t hash[SHA256_SIZE];
	struct buf text = BUF_INIT;
	enum rc rc;

	buf_put_u8(&text, LABEL_SCOPE);
	buf_add(&text, k->site, strlen(k->site) + 1);
	buf_add(&text, k->subject, strlen(k->subject) + 1);
	buf_add(&text, action, strlen(action) + 1);
	buf_add_span(&text, key);
	rc = labelled_hash(st, &text, hash);
	if (rc == RC_OK)
		memcpy(k->scope, hash, sizeof(k->scope));
	buf_done(&text);
	return rc;
}

/* Keyed, and with the scope: who reads the ledger can neither guess parameters nor see that two visitors sent the same. */
static enum rc hash_parameters(const struct store *st, const json_t *parameters, struct idempotency *k)
{
	struct buf text = BUF_INIT;
	enum rc rc;

	buf_put_u8(&text, LABEL_PARAMETERS);
	buf_add(&text, k->scope, sizeof(k->scope));
	json_canonical(&text, parameters);
	rc = labelled_hash(st, &text, k->parameters);
	buf_done(&text);
	return rc;
}

enum rc idempotency_make(const struct store *st, const char *site, const char *subject, const char *action, struct span key,
			 const json_t *parameters, struct idempotency *ret)
{
	enum rc rc;

	*ret = (struct idempotency){ .site = "" };
	memcpy(ret->site, site, strlen(site) + 1);
	memcpy(ret->subject, subject, strlen(subject) + 1);
	rc = hash_scope(st, action, key, ret);
	return rc == RC_OK ? hash_parameters(st, parameters, ret) : rc;
}

/* ---- claimed, finished, freed ---- */

static enum reason answer_again(const struct store *st, struct txn *ledger, struct span key, const struct idempotency *k,
				const struct entry *had, json_t **ret_result)
{
	enum rc rc;

	if (had->state != STATE_DONE || !crypto_equal(had->parameters, k->parameters, SHA256_SIZE))
		return REASON_CONFLICT;
	rc = answer_open(st, key, had, ret_result);
	if (rc == RC_OK)
		return REASON_REPLAYED;
	txn_fail(ledger, rc == RC_INVALID ? RC_CORRUPT : rc);
	return REASON_AUDIT_UNAVAILABLE;
}

/* A subject's live rows. */
struct live {
	size_t open, done;             /* without an answer; with one */
	struct row_key oldest;         /* of those that are done the one claimed first */
	uint64_t oldest_expires_at;
};

static void count_one(struct live *l, struct span key, const struct entry *e)
{
	l->open += e->state != STATE_DONE;
	l->done += e->state == STATE_DONE;
	if (e->state != STATE_DONE || (l->done > 1 && e->expires_at >= l->oldest_expires_at))
		return;
	l->oldest_expires_at = e->expires_at;
	l->oldest.size = key.size;
	memcpy(l->oldest.bytes, key.data, key.size);
}

/* Of the subject whose row has this key. */
static struct live count_live(struct txn *ledger, struct span row_key, uint64_t now_s)
{
	struct span prefix = span_of(row_key.data, row_key.size - IDEMPOTENCY_HASH_SIZE), key, row;
	struct live l = { .open = 0 };
	struct entry e;
	struct walk w;

	walk_begin(&w, ledger, DB_IDEMPOTENCY);
	for (bool more = walk_seek(&w, prefix, &key, &row);
	     more && key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
	     more = walk_next(&w, &key, &row))
		if (key.size <= ROW_KEY_MAX && entry_decode(row, &e) && e.expires_at > now_s)
			count_one(&l, key, &e);
	walk_end(&w);
	return l;
}

enum reason idempotency_claim(const struct store *st, struct txn *ledger, const struct idempotency *k, uint64_t now_s,
			      json_t **ret_result)
{
	struct entry had, fresh = { .expires_at = now_s + IDEMPOTENCY_SECONDS, .state = STATE_IN_FLIGHT };
	struct row_key at = row_key(k);
	struct span key = span_of(at.bytes, at.size);
	bool there = entry_read(ledger, key, &had);

	if (there && had.expires_at > now_s)
		return answer_again(st, ledger, key, k, &had, ret_result);
	if (there)
		entry_delete(ledger, key, had.expires_at);
	/* What has no answer stays, for it would be made twice: a call in flight, or one of which nobody knows. Each of those is there
	 * for a day, and every claim counts them. */
	if (count_live(ledger, key, now_s).open >= IDEMPOTENCY_OPEN_MAX)
		return txn_rc(ledger) == RC_OK ? REASON_RATE_LIMITED : REASON_AUDIT_UNAVAILABLE;
	memcpy(fresh.parameters, k->parameters, sizeof(fresh.parameters));
	entry_write(ledger, key, &fresh);
	return txn_rc(ledger) == RC_OK ? REASON_NONE : REASON_AUDIT_UNAVAILABLE;
}

/* An answer may have a megabyte: one visitor with ever new keys may not fill the ledger, which is everybody's. */
static void make_room(struct txn *ledger, struct span key, uint64_t now_s)
{
	struct live l = count_live(ledger, key, now_s);

	if (l.done >= IDEMPOTENCY_PER_SUBJECT)
		entry_delete(ledger, span_of(l.oldest.bytes, l.oldest.size), l.oldest_expires_at);
}

void idempotency_finish(const struct store *st, struct txn *ledger, const struct idempotency *k, const json_t *result)
{
	struct row_key at = row_key(k);
	struct span key = span_of(at.bytes, at.size);
	struct buf sealed = BUF_INIT;
	struct entry e;
	enum rc rc;

	if (!entry_read(ledger, key, &e) || e.state != STATE_IN_FLIGHT)
		return;
	rc = answer_seal(st, key, &e, result, &sealed);
	if (rc != RC_OK)
		txn_fail(ledger, rc);
	make_room(ledger, key, e.expires_at - IDEMPOTENCY_SECONDS);
	e.state = STATE_DONE;
	e.sealed = buf_span(&sealed);
	entry_write(ledger, key, &e);
	buf_done(&sealed);
}

void idempotency_free(struct txn *ledger, const struct idempotency *k)
{
	struct row_key at = row_key(k);
	struct span key = span_of(at.bytes, at.size);
	struct entry e;

	if (entry_read(ledger, key, &e) && e.state == STATE_IN_FLIGHT)
		entry_delete(ledger, key, e.expires_at);
}

/* ---- removed ---- */

/* Takes the index row that expires first away, if it has expired; its row too, unless that was claimed anew since. */
static bool expired_pop(struct txn *ledger, uint64_t now_s)
{
	struct row_key row_at = { .size = 0 };
	struct span key, row;
	uint64_t expires_at = 0;
	struct entry e;
	struct walk w;
	bool found;

	walk_begin(&w, ledger, DB_IDEMPOTENCY_EXPIRY);
	found = walk_next(&w, &key, &row) && (key.size < 8 || be64_get(key.data) <= now_s);
	if (found && key.size > 8 && key.size - 8 <= ROW_KEY_MAX) {
		expires_at = be64_get(key.data);
		row_at.size = key.size - 8;
		memcpy(row_at.bytes, (const uint8_t *)key.data + 8, row_at.size);
	}
	if (found)
		walk_del(&w);
	walk_end(&w);
	key = span_of(row_at.bytes, row_at.size);
	if (row_at.size > 0 && txn_get(ledger, DB_IDEMPOTENCY, key, &row) &&
	    (!entry_decode(row, &e) || e.expires_at == expires_at))
		txn_del(ledger, DB_IDEMPOTENCY, key);
	return found;
}

void idempotency_sweep(struct txn *ledger, uint64_t now_s)
{
	for (int i = 0; i < EXPIRED_PER_SWEEP && expired_pop(ledger, now_s); i++)
		;
}

/* The first row behind this prefix, and what its index row is; false: there is none. One that does not decode goes too. */
static bool prefix_pop(struct txn *ledger, struct span prefix)
{
	struct expiry_key expiry = { .size = 0 };
	struct span key, row;
	struct entry e;
	struct walk w;
	bool found;

	walk_begin(&w, ledger, DB_IDEMPOTENCY);
	found = walk_seek(&w, prefix, &key, &row) && key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
	if (found && key.size <= ROW_KEY_MAX && entry_decode(row, &e))
		expiry = expiry_key(e.expires_at, key);
	if (found)
		walk_del(&w);
	walk_end(&w);
	if (expiry.size > 0)
		txn_del(ledger, DB_IDEMPOTENCY_EXPIRY, span_of(expiry.bytes, expiry.size));
	return found;
}

size_t idempotency_remove(struct txn *ledger, const char *site, const char *subject, size_t max)
{
	struct row_key prefix = { .size = 0 };
	size_t gone = 0, site_size = strlen(site) + 1, subject_size = subject ? strlen(subject) + 1 : 0;

	if (site_size > SITE_ID_MAX || subject_size > SUBJECT_MAX)
		return 0;
	memcpy(prefix.bytes, site, site_size);
	if (subject)
		memcpy(prefix.bytes + site_size, subject, subject_size);
	prefix.size = site_size + subject_size;
	while (gone < max && prefix_pop(ledger, span_of(prefix.bytes, prefix.size)))
		gone++;
	return gone;
}
