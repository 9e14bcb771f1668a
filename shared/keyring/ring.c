/* ring.c -- the row of a site's ring: encoding, sealing, and the MAC over the whole.
 *
 * A secret is sealed in its place: site, kid, created_at, retire_at. Moving it to another site, or postponing its
 * end by a write to the file, leaves something that does not open. The MAC besides covers how many keys there are,
 * their labels and the version, so that a key cannot be dropped or repeated either. */
#include "keyring/ring-private.h"

#include <stdlib.h>

#define ROW_FORMAT 1

/* What opening a key takes, copied from its row. */
struct sealed_keys {
	const struct store *st;
	struct span site, key[RING_MAX];     /* in text */
	char text[];
};

void key_done(struct key *k)
{
	secret_free(k->secret);
	hmac_key_free(k->hmac);
	*k = (struct key){ 0 };
}

void keyring_done(struct keyring *r)
{
	for (size_t i = 0; i < RING_MAX; i++)
		key_done(&r->keys[i]);
	free(r->sealed);
	*r = (struct keyring){ 0 };
}

void ring_done(struct ring *r)
{
	keyring_done(&r->keys);
	*r = (struct ring){ 0 };
}

bool kid_valid(struct span kid)
{
	const char *c = kid.data;

	if (kid.size != KID_MAX - 1 || c[0] != 'k' || c[1] != '_')
		return false;
	for (size_t i = 2; i < kid.size; i++)
		if (!((c[i] >= 'a' && c[i] <= 'z') || (c[i] >= '2' && c[i] <= '7')))
			return false;
	return true;
}

size_t ring_find(const struct keyring *r, struct span kid)
{
	size_t found = RING_MAX;

	for (size_t i = 0; i < r->count; i++)           /* to the end: its place is not to be told by the time */
		if (span_is(kid, r->keys[i].kid))
			found = i;
	return found;
}

size_t site_kid(char out[SITE_KID_MAX], const char *site, const char *kid)
{
	size_t site_size = strnlen(site, SITE_ID_MAX - 1);
	size_t kid_size = strnlen(kid, KID_MAX - 1);

	memcpy(out, site, site_size);
	out[site_size] = '\0';
	memcpy(out + site_size + 1, kid, kid_size);
	return site_size + 1 + kid_size;
}

bool site_kid_split(struct span key, struct key_name *ret)
{
	const char *text = key.data;
	const char *zero = key.size ? memchr(text, '\0', key.size) : NULL;
	struct span site, kid;

	if (!zero)
		return false;
	site = span_of(text, (size_t)(zero - text));
	kid = span_of(zero + 1, key.size - site.size - 1);
	if (!site_id_valid(site) || !kid_valid(kid))
		return false;
	*ret = (struct key_name){ 0 };
	memcpy(ret->site, site.data, site.size);
	memcpy(ret->kid, kid.data, kid.size);
	return true;
}

/* ---- sealing ---- */

static void place_of(struct buf *place, struct span site, const struct key *k)
{
	buf_put_bytes(place, span_str("ring"));
	buf_put_bytes(place, site);
	buf_put_bytes(place, span_str(k->kid));
	buf_put_u64(place, k->created_at);
	buf_put_u64(place, k->retire_at);
}

static enum rc put_sealed(const struct store *st, struct buf *b, struct span site, const struct key *k)
{
	struct buf place = BUF_INIT, sealed = BUF_INIT;
	enum rc rc = RC_NOMEM;

	place_of(&place, site, k);
	if (!place.failed)
		rc = store_seal(st, buf_span(&place), secret_span(k->secret), &sealed);
	if (rc == RC_OK)
		buf_put_bytes(b, buf_span(&sealed));
	buf_done(&place);
	buf_done(&sealed);
	return rc;
}

static enum rc open_sealed(const struct store *st, struct span site, struct span sealed, struct key *k)
{
	struct buf place = BUF_INIT;
	enum rc rc = RC_NOMEM;

	place_of(&place, site, k);
	if (!place.failed)
		rc = store_unseal(st, buf_span(&place), sealed, &k->secret);
	buf_done(&place);
	if (rc == RC_OK && k->secret->size < KEY_SECRET_MIN)
		rc = RC_CORRUPT;      /* never an empty key, and none that can be guessed */
	return rc;
}

/* ---- the MAC ---- */

/* As buf_put_bytes() writes it. */
static struct span length_of(struct span bytes, uint8_t out[4])
{
	be32_put(out, (uint32_t)bytes.size);
	return span_of(out, 4);
}

static enum rc ring_mac(const struct store *st, struct span site, struct span body, uint8_t out[SHA256_SIZE])
{
	const struct hmac_key *key = store_ring_mac(st);
	uint8_t size[2][4];
	const struct span parts[] = {
		length_of(site, size[0]), site, length_of(body, size[1]), body,
	};

	return key ? hmac_key_sign_parts(key, parts, ARRAY_LEN(parts), out) : RC_CORRUPT;
}

/* Splits the MAC off the row's end, if it is the right one. */
static enum rc check_mac(const struct store *st, struct span site, struct span row, struct span *ret_body)
{
	uint8_t mac[SHA256_SIZE];
	struct span body;
	enum rc rc;

	if (row.size < sizeof(mac))
		return RC_CORRUPT;
	body = span_of(row.data, row.size - sizeof(mac));
	rc = ring_mac(st, site, body, mac);
	if (rc != RC_OK)
		return rc;
	if (!crypto_equal(mac, (const char *)row.data + body.size, sizeof(mac)))
		return RC_CORRUPT;
	*ret_body = body;
	return RC_OK;
}

/* ---- decoding ---- */

static enum rc take_key(const struct store *st, struct dec *d, struct span site, bool want_secrets, struct ring *r)
{
	struct key *k = &r->keys.keys[r->keys.count];
	struct span known, sealed;

	dec_text(d, k->kid, sizeof(k->kid));
	dec_text(d, k->label, sizeof(k->label));
	dec_text(d, k->fingerprint, sizeof(k->fingerprint));
	k->created_at = dec_u64(d);
	k->retire_at = dec_u64(d);
	known = dec_fixed(d, SHA256_SIZE);
	sealed = dec_bytes(d);
	if (d->bad || !kid_valid(span_str(k->kid)))
		return RC_CORRUPT;
	memcpy(r->known[r->keys.count], known.data, known.size);
	r->sealed[r->keys.count] = sealed;
	r->keys.count++;
	return want_secrets ? open_sealed(st, site, sealed, k) : RC_OK;
}

static enum rc decode(const struct store *st, struct span site, struct span body, bool want_secrets, struct ring *r)
{
	struct dec d = dec_of(body);
	uint8_t format = dec_u8(&d), count;
	enum rc rc = RC_OK;

	r->keys.version = dec_u64(&d);
	count = dec_u8(&d);
	if (d.bad || format != ROW_FORMAT || count > RING_MAX)
		return RC_CORRUPT;
	for (uint8_t i = 0; i < count && rc == RC_OK; i++)
		rc = take_key(st, &d, site, want_secrets, r);
	return rc == RC_OK && !dec_end(&d) ? RC_CORRUPT : rc;
}

enum rc ring_load(const struct store *st, struct txn *vault, struct span site, bool want_secrets, struct ring *ret)
{
	struct span row, body;
	enum rc rc;

	*ret = (struct ring){ 0 };
	if (!site_id_valid(site) || !txn_get(vault, DB_RINGS, site, &row))
		return txn_rc(vault);
	rc = check_mac(st, site, row, &body);
	return rc == RC_OK ? decode(st, site, body, want_secrets, ret) : rc;
}

/* ---- writing ---- */

static enum rc encode(const struct store *st, struct buf *b, struct span site, const struct ring *r)
{
	enum rc rc = RC_OK;

	buf_put_u8(b, ROW_FORMAT);
	buf_put_u64(b, r->keys.version);
	buf_put_u8(b, (uint8_t)r->keys.count);
	for (size_t i = 0; i < r->keys.count && rc == RC_OK; i++) {
		const struct key *k = &r->keys.keys[i];

		buf_put_bytes(b, span_str(k->kid));
		buf_put_bytes(b, span_str(k->label));
		buf_put_bytes(b, span_str(k->fingerprint));
		buf_put_u64(b, k->created_at);
		buf_put_u64(b, k->retire_at);
		buf_add(b, r->known[i], SHA256_SIZE);
		rc = put_sealed(st, b, site, k);
	}
	return rc == RC_OK && b->failed ? RC_NOMEM : rc;
}

enum rc ring_save(const struct store *st, struct txn *vault, const char *site, struct ring *r)
{
	struct span id = span_str(site);
	uint8_t mac[SHA256_SIZE];
	struct buf b = BUF_INIT;
	enum rc rc;

	r->keys.version++;
	if ((rc = encode(st, &b, id, r)) != RC_OK || (rc = ring_mac(st, id, buf_span(&b), mac)) != RC_OK)
		goto out;
	buf_add(&b, mac, sizeof(mac));
	if (b.failed) {
		rc = RC_NOMEM;
		goto out;
	}
	txn_put(vault, DB_RINGS, id, buf_span(&b));
	txn_ring_changed(vault, span_of(mac, sizeof(mac)));
	site_head_bump(vault, site, SITE_RING);
	rc = txn_rc(vault);
out:
	if (rc != RC_OK)
		txn_fail(vault, rc);
	buf_done(&b);
	return rc;
}

void ring_delete(const struct store *st, struct txn *vault, const char *site)
{
	struct span gone = span_str("removed");
	uint8_t mac[SHA256_SIZE];
	enum rc rc;

	if (!txn_del(vault, DB_RINGS, span_str(site)))
		return;
	rc = ring_mac(st, span_str(site), gone, mac);
	if (rc == RC_OK)
		txn_ring_changed(vault, span_of(mac, sizeof(mac)));
	else
		txn_fail(vault, rc);
}

/* What was loaded, if all went well, is the caller's. */
static enum rc give(struct ring *r, enum rc rc, struct keyring *ret)
{
	if (rc == RC_OK) {
		*ret = r->keys;
		r->keys = (struct keyring){ 0 };
	}
	ring_done(r);
	return rc;
}

enum rc keyring_get(const struct store *st, struct txn *vault, struct span site, bool want_secrets, struct keyring *ret)
{
	struct ring r;
	enum rc rc = ring_load(st, vault, site, want_secrets, &r);

	for (size_t i = 0; want_secrets && rc == RC_OK && i < r.keys.count; i++)
		rc = hmac_key_new(secret_span(r.keys.keys[i].secret), &r.keys.keys[i].hmac);
	return give(&r, rc, ret);
}

/* ---- keys that are opened when they are first tried ---- */

static struct span append(char **at, struct span bytes)
{
	char *start = *at;

	if (bytes.size)
		memcpy(start, bytes.data, bytes.size);
	*at += bytes.size;
	return span_of(start, bytes.size);
}

static struct sealed_keys *copy_sealed(const struct store *st, struct span site, const struct ring *r)
{
	struct sealed_keys *s;
	size_t size = site.size;
	char *at;

	for (size_t i = 0; i < r->keys.count; i++)
		size += r->sealed[i].size;
	s = malloc(sizeof(*s) + size);
	if (!s)
		return NULL;
	*s = (struct sealed_keys){ .st = st };
	at = s->text;
	s->site = append(&at, site);
	for (size_t i = 0; i < r->keys.count; i++)
		s->key[i] = append(&at, r->sealed[i]);
	return s;
}

enum rc keyring_get_sealed(const struct store *st, struct txn *vault, struct span site, struct keyring *ret)
{
	struct ring r;
	enum rc rc = ring_load(st, vault, site, false, &r);

	if (rc == RC_OK && r.keys.count && !(r.keys.sealed = copy_sealed(st, site, &r)))
		rc = RC_NOMEM;
	return give(&r, rc, ret);
}

enum rc ring_open_key(struct keyring *r, size_t i)
{
	struct sealed_keys *s = r->sealed;
	struct key *k = &r->keys[i];
	enum rc rc;

	if (k->hmac || !s)
		return RC_OK;
	rc = open_sealed(s->st, s->site, s->key[i], k);
	if (rc == RC_OK)
		rc = hmac_key_new(secret_span(k->secret), &k->hmac);
	secret_free(k->secret);
	k->secret = NULL;
	return rc;
}
