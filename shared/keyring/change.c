/* change.c -- making, scheduling and retiring keys, inside the caller's vault transaction.
 *
 * Whatever can refuse is asked before the first write, so a refusal leaves the transaction as it was. */
#include "keyring/ring-private.h"

#include "base/encode.h"

#define TOMBSTONE_FORMAT 1
#define DUE_KEY_MAX (8 + SITE_KID_MAX)

static enum rc refuse(enum reason why, enum reason *ret_reason)
{
	*ret_reason = why;
	return RC_REFUSED;
}

/* ---- tombstones ---- */

static void tombstone_put(struct txn *vault, const char *site, const struct key *k, uint64_t retired_at)
{
	char key[SITE_KID_MAX];
	size_t size = site_kid(key, site, k->kid);
	struct buf b = BUF_INIT;

	buf_put_u8(&b, TOMBSTONE_FORMAT);
	buf_put_bytes(&b, span_str(k->label));
	buf_put_bytes(&b, span_str(k->fingerprint));
	buf_put_u64(&b, k->created_at);
	buf_put_u64(&b, retired_at);
	if (b.failed)
		txn_fail(vault, RC_NOMEM);
	else
		txn_put(vault, DB_TOMBSTONES, span_of(key, size), buf_span(&b));
	buf_done(&b);
}

static bool tombstone_decode(struct span row, struct key *k)
{
	struct dec d = dec_of(row);
	bool known_format = dec_u8(&d) == TOMBSTONE_FORMAT;

	dec_text(&d, k->label, sizeof(k->label));
	dec_text(&d, k->fingerprint, sizeof(k->fingerprint));
	k->created_at = dec_u64(&d);
	k->retire_at = dec_u64(&d);
	return known_format && dec_end(&d);
}

bool keyring_tombstone(struct txn *vault, struct span site, struct span kid, struct key *ret)
{
	char key[SITE_KID_MAX];
	struct key k = { 0 };
	struct span row;

	if (!site_id_valid(site) || !kid_valid(kid))
		return false;
	memcpy(key, site.data, site.size);
	key[site.size] = '\0';
	memcpy(key + site.size + 1, kid.data, kid.size);
	if (!txn_get(vault, DB_TOMBSTONES, span_of(key, site.size + 1 + kid.size), &row))
		return false;
	if (!tombstone_decode(row, &k)) {
		txn_fail(vault, RC_CORRUPT);
		return false;
	}
	if (ret) {
		memcpy(k.kid, kid.data, kid.size);
		*ret = k;
	}
	return true;
}

/* ---- the order in which keys retire ---- */

static size_t due_key(uint8_t out[DUE_KEY_MAX], const char *site, const struct key *k)
{
	be64_put(out, k->retire_at);
	return 8 + site_kid((char *)out + 8, site, k->kid);
}

static void due_set(struct txn *vault, const char *site, struct key *k, uint64_t retire_at)
{
	uint8_t key[DUE_KEY_MAX];

	if (k->retire_at)
		txn_del(vault, DB_RETIRING, span_of(key, due_key(key, site, k)));
	k->retire_at = retire_at;
	if (k->retire_at)
		txn_put(vault, DB_RETIRING, span_of(key, due_key(key, site, k)), span_of("", 0));
}

size_t keyring_due(struct txn *vault, uint64_t now_s, struct key_name *ret, size_t max)
{
	uint64_t until = now_s > retired_floor() ? now_s : retired_floor();
	struct span key, row;
	struct walk w;
	size_t count = 0;

	walk_begin(&w, vault, DB_RETIRING);
	while (count < max && walk_next(&w, &key, &row)) {
		if (key.size < 8 || !site_kid_split(span_of((const char *)key.data + 8, key.size - 8), &ret[count])) {
			txn_fail(vault, RC_CORRUPT);
			break;
		}
		if (be64_get(key.data) > until)
			break;
		count++;
	}
	walk_end(&w);
	return count;
}

/* ---- retiring ---- */

/* Takes key i out of the ring, in memory, and leaves its tombstone: the secret goes with the ring's next save. */
static void bury(struct txn *vault, const char *site, struct ring *r, size_t i, uint64_t now_s)
{
	struct key *k = &r->keys.keys[i];
	size_t after = r->keys.count - i - 1;

	tombstone_put(vault, site, k, key_state_at(k, now_s) == KEY_RETIRED ? k->retire_at : now_s);
	due_set(vault, site, k, 0);
	key_done(k);
	memmove(k, k + 1, after * sizeof(*k));
	memmove(r->known[i], r->known[i + 1], after * sizeof(r->known[0]));
	r->keys.count--;
	r->keys.keys[r->keys.count] = (struct key){ 0 };
}

/* The ring with its secrets, and kid's place in it. */
static enum rc load_and_find(const struct store *st, struct txn *vault, const char *site, const char *kid,
			     struct ring *r, size_t *ret_i, enum reason *ret_reason)
{
	enum rc rc = ring_load(st, vault, span_str(site), true, r);
	bool gone;

	if (rc != RC_OK)
		return rc;
	*ret_i = ring_find(&r->keys, span_str(kid));
	if (*ret_i != RING_MAX)
		return RC_OK;
	gone = keyring_tombstone(vault, span_str(site), span_str(kid), NULL);
	if (txn_rc(vault) != RC_OK)
		return txn_rc(vault);
	return refuse(gone ? REASON_KEY_GONE : REASON_KEY_UNKNOWN, ret_reason);
}

enum rc keyring_retire(const struct store *st, struct txn *vault, const char *site, const char *kid, uint64_t now_s,
                       enum reason *ret_reason)
{
	struct ring r;
	size_t i;
	enum rc rc = load_and_find(st, vault, site, kid, &r, &i, ret_reason);

	if (rc == RC_OK) {
		bury(vault, site, &r, i, now_s);
		rc = ring_save(st, vault, site, &r);
	}
	ring_done(&r);
	return rc;
}

enum rc keyring_schedule(const struct store *st, struct txn *vault, const char *site, const char *kid,
                         uint64_t retire_at, uint64_t now_s, enum reason *ret_reason)
{
	struct ring r;
	size_t i;
	enum rc rc = load_and_find(st, vault, site, kid, &r, &i, ret_reason);

	/* A key whose time has passed is gone though its secret is still there: nothing brings it back. */
	if (rc == RC_OK && key_state_at(&r.keys.keys[i], now_s) == KEY_RETIRED)
		rc = refuse(REASON_KEY_GONE, ret_reason);
	if (rc == RC_OK) {
		if (retire_at && retire_at <= now_s)
			bury(vault, site, &r, i, now_s);
		else
			due_set(vault, site, &r.keys.keys[i], retire_at);
		rc = ring_save(st, vault, site, &r);
	}
	ring_done(&r);
	return rc;
}

/* ---- making ---- */

static enum rc make_kid(struct txn *vault, const char *site, const struct keyring *r, char out[KID_MAX])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t random[KID_MAX - 3];
	enum rc rc;

	do {
		rc = crypto_random(random, sizeof(random));
		if (rc != RC_OK)
			return rc;
		memcpy(out, "k_", 2);
		for (size_t i = 0; i < sizeof(random); i++)
			out[2 + i] = letters[random[i] & 31];
		out[KID_MAX - 1] = '\0';
	} while (ring_find(r, span_str(out)) != RING_MAX ||
		 keyring_tombstone(vault, span_str(site), span_str(out), NULL));
	return txn_rc(vault);
}

/* The bytes a new key will have: made here, or imported, where one final newline is the editor's. */
static enum rc obtain_secret(const struct secret *imported, struct secret **ret, enum reason *ret_reason)
{
	struct span bytes;

	if (!imported)
		return secret_text_make(ret);
	bytes = secret_span(imported);
	if (bytes.size && imported->data[bytes.size - 1] == '\n')
		bytes.size--;
	if (!secret_acceptable(bytes))
		return refuse(REASON_SECRET_INVALID, ret_reason);
	*ret = secret_copy(bytes);
	return *ret ? RC_OK : RC_NOMEM;
}

static enum rc check_unknown(const struct store *st, struct txn *vault, struct span secret, uint8_t known[SHA256_SIZE],
			     enum reason *ret_reason)
{
	struct span row;
	enum rc rc = secret_known(st, secret, known);

	if (rc == RC_OK && txn_get(vault, DB_KNOWN, span_of(known, SHA256_SIZE), &row))
		return refuse(REASON_KEY_KNOWN, ret_reason);
	return rc == RC_OK ? txn_rc(vault) : rc;
}

static size_t count_verifying(const struct keyring *r, uint64_t now_s)
{
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += key_state_at(&r->keys[i], now_s) != KEY_RETIRED;
	return count;
}

static void bury_passed(struct txn *vault, const char *site, struct ring *r, uint64_t now_s)
{
	for (size_t i = r->keys.count; i-- > 0; )
		if (key_state_at(&r->keys.keys[i], now_s) == KEY_RETIRED)
			bury(vault, site, r, i, now_s);
}

/* A copy for the caller, who shows it once. */
static enum rc copy_key(const struct key *k, struct key *ret)
{
	struct key copy = *k;

	copy.hmac = NULL;
	copy.secret = secret_copy(secret_span(k->secret));
	if (!copy.secret)
		return RC_NOMEM;
	*ret = copy;
	return RC_OK;
}

/* k goes into the ring, which owns its secret from then on. */
static enum rc add_key(const struct store *st, struct txn *vault, const char *site, struct ring *r, struct key *k,
		       const uint8_t known[SHA256_SIZE])
{
	size_t i = r->keys.count++;
	char where[SITE_KID_MAX];
	size_t size = site_kid(where, site, k->kid);

	r->keys.keys[i] = *k;
	k->secret = NULL;
	memcpy(r->known[i], known, SHA256_SIZE);
	txn_put(vault, DB_KNOWN, span_of(known, SHA256_SIZE), span_of(where, size));
	return ring_save(st, vault, site, r);
}

enum rc keyring_create(const struct store *st, struct txn *vault, const char *site, const char *label,
                       const struct secret *secret, uint64_t now_s, struct key *ret_key, enum reason *ret_reason)
{
	struct key k = { .created_at = now_s }, copy = { 0 };
	uint8_t known[SHA256_SIZE];
	struct ring r = { 0 };
	enum rc rc;

	label = label ? label : "";
	if (!site_id_valid(span_str(site)) || strlen(label) >= sizeof(k.label))
		return RC_INVALID;
	memcpy(k.label, label, strlen(label) + 1);
	if ((rc = obtain_secret(secret, &k.secret, ret_reason)) != RC_OK ||
	    (rc = check_unknown(st, vault, secret_span(k.secret), known, ret_reason)) != RC_OK ||
	    (rc = ring_load(st, vault, span_str(site), true, &r)) != RC_OK)
		goto out;
	if (count_verifying(&r.keys, now_s) == RING_MAX) {
		rc = refuse(REASON_RING_FULL, ret_reason);
		goto out;
	}
	hex_encode(k.fingerprint, known, (KEY_FINGERPRINT_MAX - 1) / 2);
	if ((rc = make_kid(vault, site, &r.keys, k.kid)) != RC_OK || (rc = copy_key(&k, &copy)) != RC_OK)
		goto out;
	bury_passed(vault, site, &r, now_s);
	rc = add_key(st, vault, site, &r, &k, known);
	if (rc == RC_OK) {
		*ret_key = copy;
		copy = (struct key){ 0 };
	}
out:
	ring_done(&r);
	key_done(&k);
	key_done(&copy);
	return rc;
}

/* ---- a removed site ---- */

static void delete_tombstones(struct txn *vault, const char *site)
{
	struct span prefix = span_of(site, strlen(site) + 1);      /* with its zero byte */
	struct span key, row;
	struct walk w;
	bool more;

	walk_begin(&w, vault, DB_TOMBSTONES);
	more = walk_seek(&w, prefix, &key, &row);
	while (more && key.size > prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0) {
		walk_del(&w);
		more = walk_next(&w, &key, &row);
	}
	walk_end(&w);
}

/* By the rows themselves, not by the ring, so that a site whose ring does not decode can be removed too. */
static void delete_due(struct txn *vault, const char *site)
{
	struct span key, row;
	struct key_name name;
	struct walk w;

	walk_begin(&w, vault, DB_RETIRING);
	while (walk_next(&w, &key, &row))
		if (key.size > 8 && site_kid_split(span_of((const char *)key.data + 8, key.size - 8), &name) &&
		    strcmp(name.site, site) == 0)
			walk_del(&w);
	walk_end(&w);
}

void keyring_remove_site(const struct store *st, struct txn *vault, const char *site)
{
	delete_tombstones(vault, site);
	delete_due(vault, site);
	ring_delete(st, vault, site);
}
