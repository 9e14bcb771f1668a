/* identity.c -- the clear identity behind a subject: one sealed row per (site, subject), erasable without touching
 * the log. */
#include "audit/audit.h"

#define DAY 86400

/* site 0 subject: the row's key. Before it "identity" 0 and behind it the row's seen_at: the place it is sealed for. */
struct place { uint8_t data[9 + SITE_ID_MAX + SUBJECT_MAX + 8]; size_t key_at, key_size; };

static enum rc place_of(const char *site, const char *subject, struct place *ret)
{
	static const char kind[] = "identity";
	size_t site_size = strlen(site) + 1, subject_size = strlen(subject);

	if (site_size == 1 || site_size > SITE_ID_MAX || subject_size == 0 || subject_size >= SUBJECT_MAX)
		return RC_INVALID;
	ret->key_at = sizeof(kind);
	ret->key_size = site_size + subject_size;
	memcpy(ret->data, kind, sizeof(kind));
	memcpy(ret->data + sizeof(kind), site, site_size);
	memcpy(ret->data + sizeof(kind) + site_size, subject, subject_size);
	return RC_OK;
}

static struct span place_key(const struct place *p)
{
	return span_of(p->data + p->key_at, p->key_size);
}

static struct span place_whole(struct place *p, uint64_t seen_at)
{
	be64_put(p->data + p->key_at + p->key_size, seen_at);
	return span_of(p->data, p->key_at + p->key_size + 8);
}

/* Need it not be written? One that knows the name is not replaced by one that does not (a refused token's), and the other way
 * round at once; else once a day. A row that does not decode counts as none. What it holds is told by its size: email and name
 * with their lengths. */
static bool keeps(struct span row, const char *email, const char *name, uint64_t now_s)
{
	struct dec d = dec_of(row);
	uint64_t seen_at = dec_u64(&d);
	bool named = dec_bytes(&d).size > AEAD_OVERHEAD + 4 + strlen(email) + 4;

	if (d.bad)
		return false;
	return named != (name[0] != '\0') ? named : seen_at / DAY == now_s / DAY;
}

enum rc audit_identity_keep(const struct store *st, struct txn *ledger, const char *site, const char *subject,
                            const char *email, const char *name, uint64_t now_s)
{
	struct buf plain = BUF_INIT, sealed = BUF_INIT, row = BUF_INIT;
	struct place p;
	struct span old;
	enum rc rc;

	if ((rc = place_of(site, subject, &p)) != RC_OK)
		return rc;
	if (txn_get(ledger, DB_IDENTITIES, place_key(&p), &old) && keeps(old, email, name, now_s))
		return RC_OK;
	buf_put_bytes(&plain, span_str(email));
	buf_put_bytes(&plain, span_str(name));
	if ((rc = plain.failed ? RC_NOMEM : txn_rc(ledger)) != RC_OK ||
	    (rc = store_seal(st, place_whole(&p, now_s), buf_span(&plain), &sealed)) != RC_OK)
		goto out;
	buf_put_u64(&row, now_s);
	buf_put_bytes(&row, buf_span(&sealed));
	if ((rc = sealed.failed || row.failed ? RC_NOMEM : RC_OK) != RC_OK)
		goto out;
	txn_put(ledger, DB_IDENTITIES, place_key(&p), buf_span(&row));
	rc = txn_rc(ledger);
out:
	buf_done(&plain);
	buf_done(&sealed);
	buf_done(&row);
	return rc;
}

static enum rc decode_plain(struct span plain, uint64_t seen_at, struct audit_identity *ret)
{
	struct audit_identity id = { .seen_at = seen_at };
	struct dec d = dec_of(plain);

	dec_text(&d, id.email, sizeof(id.email));
	dec_text(&d, id.name, sizeof(id.name));
	if (!dec_end(&d))
		return RC_CORRUPT;
	*ret = id;
	return RC_OK;
}

enum rc audit_identity_get(const struct store *st, struct txn *ledger, const char *site, const char *subject,
                           struct audit_identity *ret)
{
	struct secret *plain = NULL;
	struct span row, sealed;
	struct place p;
	uint64_t seen_at;
	struct dec d;
	enum rc rc;

	if ((rc = place_of(site, subject, &p)) != RC_OK)
		return rc;
	if (!txn_get(ledger, DB_IDENTITIES, place_key(&p), &row))
		return txn_rc(ledger) != RC_OK ? txn_rc(ledger) : RC_NOT_FOUND;
	d = dec_of(row);
	seen_at = dec_u64(&d);
	sealed = dec_bytes(&d);
	if (!dec_end(&d))
		return RC_CORRUPT;
	if ((rc = store_unseal(st, place_whole(&p, seen_at), sealed, &plain)) == RC_OK)
		rc = decode_plain(secret_span(plain), seen_at, ret);
	secret_free(plain);
	return rc;
}

/* ---- removing ---- */

bool audit_identity_remove(struct txn *ledger, const char *site, const char *subject)
{
	struct place p;

	return place_of(site, subject, &p) == RC_OK && txn_del(ledger, DB_IDENTITIES, place_key(&p));
}

static bool is_past(struct span row, uint64_t before_s)
{
	struct dec d = dec_of(row);
	uint64_t seen_at = dec_u64(&d);

	dec_bytes(&d);
	return !dec_end(&d) || seen_at < before_s;
}

size_t audit_identity_prune(struct txn *ledger, uint64_t before_s, const struct identity_key *from, size_t max,
                            struct identity_key *ret_next)
{
	struct span key, row;
	struct walk w;
	size_t looked = 0, gone = 0;
	bool there;

	ret_next->size = 0;
	walk_begin(&w, ledger, DB_IDENTITIES);
	for (there = walk_seek(&w, span_of(from->at, from->size), &key, &row); there && looked < max;
	     there = walk_next(&w, &key, &row), looked++) {
		if (is_past(row, before_s)) {
			walk_del(&w);
			gone++;
		}
	}
	if (there && key.size <= sizeof(ret_next->at)) {
		memcpy(ret_next->at, key.data, key.size);
		ret_next->size = key.size;
	}
	walk_end(&w);
	return gone;
}
