/* pins.c -- conversations and whose they are: claimed by compare-and-set inside a write transaction (design 5).
 *
 * A pin is one row and two index rows: by its subject in order of claiming, and by its expiry. All three change together. */
#include "path/path-private.h"

#define EXTEND_EVERY 3600              /* seconds: a busy conversation is written hourly, not per message */
#define EXPIRED_PER_CLAIM 4            /* expired pins a claim clears away */

struct pin {
	char site[SITE_ID_MAX], subject[SUBJECT_MAX];
	uint8_t conversation[CONVERSATION_KEY_SIZE];
	uint64_t claimed_at;           /* microseconds, so that of two claims in one second the older is known */
	uint64_t expires_at;           /* seconds */
};

struct pin_key { uint8_t bytes[8 + SITE_ID_MAX + SUBJECT_MAX + 8 + CONVERSATION_KEY_SIZE]; size_t size; };

static void key_add(struct pin_key *k, const void *data, size_t size)
{
	memcpy(k->bytes + k->size, data, size);
	k->size += size;
}

static void key_add_u64(struct pin_key *k, uint64_t n)
{
	be64_put(k->bytes + k->size, n);
	k->size += 8;
}

static struct span key_span(const struct pin_key *k)
{
	return span_of(k->bytes, k->size);
}

static struct pin_key pin_key(const char *site, const uint8_t *conversation)
{
	struct pin_key k = { .size = 0 };

	key_add(&k, site, strlen(site) + 1);
	key_add(&k, conversation, CONVERSATION_KEY_SIZE);
	return k;
}

/* Without `full` the prefix that all of a subject's pins share. */
static struct pin_key order_key(const struct pin *p, bool full)
{
	struct pin_key k = { .size = 0 };

	key_add(&k, p->site, strlen(p->site) + 1);
	key_add(&k, p->subject, strlen(p->subject) + 1);
	if (full) {
		key_add_u64(&k, p->claimed_at);
		key_add(&k, p->conversation, CONVERSATION_KEY_SIZE);
	}
	return k;
}

static struct pin_key expiry_key(const struct pin *p)
{
	struct pin_key k = { .size = 0 };

	key_add_u64(&k, p->expires_at);
	key_add(&k, p->site, strlen(p->site) + 1);
	key_add(&k, p->conversation, CONVERSATION_KEY_SIZE);
	return k;
}

static bool pin_decode(struct span row, const char *site, const uint8_t *conversation, struct pin *ret)
{
	struct dec d = dec_of(row);

	dec_text(&d, ret->subject, sizeof(ret->subject));
	ret->claimed_at = dec_u64(&d);
	ret->expires_at = dec_u64(&d);
	memcpy(ret->site, site, strlen(site) + 1);
	memcpy(ret->conversation, conversation, CONVERSATION_KEY_SIZE);
	return dec_end(&d);
}

static bool pin_read(struct txn *ledger, const char *site, const uint8_t *conversation, struct pin *ret)
{
	struct pin_key k = pin_key(site, conversation);
	struct span row;

	if (!txn_get(ledger, DB_PINS, key_span(&k), &row))
		return false;
	if (pin_decode(row, site, conversation, ret))
		return true;
	txn_fail(ledger, RC_CORRUPT);
	return false;
}

static void pin_write(struct txn *ledger, const struct pin *p)
{
	struct pin_key k = pin_key(p->site, p->conversation), order = order_key(p, true), expiry = expiry_key(p);
	struct buf row = BUF_INIT;

	buf_put_bytes(&row, span_str(p->subject));
	buf_put_u64(&row, p->claimed_at);
	buf_put_u64(&row, p->expires_at);
	if (row.failed)
		txn_fail(ledger, RC_NOMEM);
	txn_put(ledger, DB_PINS, key_span(&k), buf_span(&row));
	txn_put(ledger, DB_PIN_ORDER, key_span(&order), span_of(NULL, 0));
	txn_put(ledger, DB_PIN_EXPIRY, key_span(&expiry), span_of(NULL, 0));
	buf_done(&row);
}

static void pin_delete(struct txn *ledger, const struct pin *p)
{
	struct pin_key k = pin_key(p->site, p->conversation), order = order_key(p, true), expiry = expiry_key(p);

	txn_del(ledger, DB_PINS, key_span(&k));
	txn_del(ledger, DB_PIN_ORDER, key_span(&order));
	txn_del(ledger, DB_PIN_EXPIRY, key_span(&expiry));
}

/* The conversation at the end of an index key, after `at` bytes of anything and a site where site is asked for. */
static bool index_conversation(struct span key, size_t at, char *site, uint8_t *conversation)
{
	const uint8_t *bytes = key.data;

	if (key.size < at + CONVERSATION_KEY_SIZE)
		return false;
	if (site) {
		size_t size = key.size - at - CONVERSATION_KEY_SIZE;

		if (size == 0 || size > SITE_ID_MAX || bytes[at + size - 1] != '\0')
			return false;
		memcpy(site, bytes + at, size);
	}
	memcpy(conversation, bytes + key.size - CONVERSATION_KEY_SIZE, CONVERSATION_KEY_SIZE);
	return true;
}

/* The pin that expires first, if it has expired; an index row without its pin is removed alone. */
static bool next_expired(struct txn *ledger, uint64_t now_s, struct pin *ret)
{
	char site[SITE_ID_MAX];
	uint8_t conversation[CONVERSATION_KEY_SIZE];
	struct span key, row;
	struct walk w;
	bool found;

	walk_begin(&w, ledger, DB_PIN_EXPIRY);
	found = walk_next(&w, &key, &row) && key.size > 8 && be64_get(key.data) <= now_s &&
		index_conversation(key, 8, site, conversation);
	if (found && (!pin_read(ledger, site, conversation, ret) || ret->expires_at != be64_get(key.data))) {
		walk_del(&w);
		found = false;
	}
	walk_end(&w);
	return found;
}

/* Counts a subject's live pins; *ret_oldest is the one claimed first. The walk is short: expired ones are cleared away. */
static size_t count_pins(struct txn *ledger, const struct pin *of, uint64_t now_s, struct pin *ret_oldest)
{
	struct pin_key prefix = order_key(of, false);
	uint8_t conversation[CONVERSATION_KEY_SIZE];
	struct span key, row;
	struct pin p;
	struct walk w;
	size_t count = 0;

	walk_begin(&w, ledger, DB_PIN_ORDER);
	for (bool more = walk_seek(&w, key_span(&prefix), &key, &row);
	     more && key.size >= prefix.size && memcmp(key.data, prefix.bytes, prefix.size) == 0;
	     more = walk_next(&w, &key, &row)) {
		if (!index_conversation(key, prefix.size, NULL, conversation) || !pin_read(ledger, of->site, conversation, &p)) {
			txn_fail(ledger, RC_CORRUPT);
			break;
		}
		if (p.expires_at > now_s && count++ == 0)
			*ret_oldest = p;
	}
	walk_end(&w);
	return count;
}

bool pin_get(struct txn *ledger, const char *site, const uint8_t conversation[CONVERSATION_KEY_SIZE], uint64_t now_s,
	     char ret_subject[SUBJECT_MAX])
{
	struct pin p;

	if (!pin_read(ledger, site, conversation, &p) || p.expires_at <= now_s)
		return false;
	memcpy(ret_subject, p.subject, SUBJECT_MAX);
	return true;
}

static void pin_make(struct txn *ledger, const struct pin *fresh, uint64_t now_s)
{
	struct pin oldest;

	if (count_pins(ledger, fresh, now_s, &oldest) >= PINS_PER_SUBJECT && txn_rc(ledger) == RC_OK)
		pin_delete(ledger, &oldest);
	pin_write(ledger, fresh);
}

enum reason pin_claim(struct txn *ledger, const char *site, const uint8_t conversation[CONVERSATION_KEY_SIZE], const char *subject,
		      uint64_t now_us)
{
	uint64_t now_s = now_us / 1000000;
	struct pin had, expired, fresh = { .claimed_at = now_us, .expires_at = now_s + PIN_SECONDS };
	bool there;

	for (int i = 0; i < EXPIRED_PER_CLAIM && next_expired(ledger, now_s, &expired); i++)
		pin_delete(ledger, &expired);

	there = pin_read(ledger, site, conversation, &had);
	if (there && had.expires_at > now_s && strcmp(had.subject, subject) != 0)
		return REASON_CONVERSATION_CONFLICT;
	if (there && had.expires_at > now_s && had.expires_at + EXTEND_EVERY > fresh.expires_at)
		return REASON_NONE;
	if (there) {
		pin_delete(ledger, &had);
		if (had.expires_at > now_s)
			fresh.claimed_at = had.claimed_at;
	}
	memcpy(fresh.site, site, strlen(site) + 1);
	memcpy(fresh.subject, subject, strlen(subject) + 1);
	memcpy(fresh.conversation, conversation, CONVERSATION_KEY_SIZE);
	pin_make(ledger, &fresh, now_s);
	return REASON_NONE;
}

/* Takes the first index row of a subject away; false: there is none. `known`: it names a conversation. */
static bool order_pop(struct txn *ledger, const struct pin_key *prefix, uint8_t *conversation, bool *known)
{
	struct span key, row;
	struct walk w;
	bool found;

	walk_begin(&w, ledger, DB_PIN_ORDER);
	found = walk_seek(&w, key_span(prefix), &key, &row) && key.size >= prefix->size &&
		memcmp(key.data, prefix->bytes, prefix->size) == 0;
	if (found) {
		*known = index_conversation(key, prefix->size, NULL, conversation);
		walk_del(&w);
	}
	walk_end(&w);
	return found;
}

/* Rows that do not decode go too: nothing of the subject may stay. One that is somebody else's by now stays theirs. */
size_t pin_remove(struct txn *ledger, const char *site, const char *subject, size_t max)
{
	struct pin of = { .claimed_at = 0 }, p;
	uint8_t conversation[CONVERSATION_KEY_SIZE];
	struct pin_key prefix, k;
	size_t gone = 0;
	struct span row;
	bool known;

	if (strlen(site) >= sizeof(of.site) || strlen(subject) >= sizeof(of.subject))
		return 0;
	memcpy(of.site, site, strlen(site) + 1);
	memcpy(of.subject, subject, strlen(subject) + 1);
	prefix = order_key(&of, false);
	for (; gone < max && order_pop(ledger, &prefix, conversation, &known); gone++) {
		k = pin_key(site, conversation);
		if (!known || !txn_get(ledger, DB_PINS, key_span(&k), &row))
			continue;
		if (!pin_decode(row, site, conversation, &p))
			txn_del(ledger, DB_PINS, key_span(&k));
		else if (strcmp(p.subject, subject) == 0)
			pin_delete(ledger, &p);
	}
	return gone;
}
