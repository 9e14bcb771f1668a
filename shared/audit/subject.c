/* subject.c -- subjects: an email's keyed pseudonym. The key is the site's own and never leaves the vault unsealed, so
 * a subject means nothing to who reads an export, and the same person has another at every site. */
#include "audit/audit.h"

#include "base/crypto.h"

#define PSEUDONYM_KEY_SIZE 32
#define SUBJECT_BYTES 16        /* of the HMAC */

struct place { char text[16 + SITE_ID_MAX]; size_t size; };

static enum rc place_of(struct span site, struct place *ret)
{
	static const char kind[] = "pseudonym";      /* its zero byte parts it from the site */

	if (site.size == 0 || site.size >= SITE_ID_MAX)
		return RC_INVALID;
	memcpy(ret->text, kind, sizeof(kind));
	memcpy(ret->text + sizeof(kind), site.data, site.size);
	ret->size = sizeof(kind) + site.size;
	return RC_OK;
}

enum rc audit_pseudonym_make(const struct store *st, struct txn *vault, const char *site)
{
	struct buf sealed = BUF_INIT;
	struct secret *key = NULL;
	struct span old;
	struct place p;
	enum rc rc;

	/* Never replaced: the subjects already recorded would belong to nobody. */
	if (txn_get(vault, DB_PSEUDONYMS, span_str(site), &old))
		return RC_EXISTS;
	if ((rc = txn_rc(vault)) != RC_OK || (rc = place_of(span_str(site), &p)) != RC_OK)
		return rc;
	key = secret_new(PSEUDONYM_KEY_SIZE);
	if (!key)
		return RC_NOMEM;
	if ((rc = crypto_random(key->data, key->size)) != RC_OK ||
	    (rc = store_seal(st, span_of(p.text, p.size), secret_span(key), &sealed)) != RC_OK)
		goto out;
	txn_put(vault, DB_PSEUDONYMS, span_str(site), buf_span(&sealed));
	rc = sealed.failed ? RC_NOMEM : txn_rc(vault);
out:
	secret_free(key);
	buf_done(&sealed);
	return rc;
}

enum rc audit_pseudonym_get(const struct store *st, struct txn *vault, struct span site, struct secret **ret)
{
	struct secret *key = NULL;
	struct span sealed;
	struct place p;
	enum rc rc;

	if ((rc = place_of(site, &p)) != RC_OK)
		return rc;
	if (!txn_get(vault, DB_PSEUDONYMS, site, &sealed))
		return txn_rc(vault) != RC_OK ? txn_rc(vault) : RC_NOT_FOUND;
	if ((rc = store_unseal(st, span_of(p.text, p.size), sealed, &key)) != RC_OK)
		return rc;
	if (key->size != PSEUDONYM_KEY_SIZE) {
		secret_free(key);
		return RC_CORRUPT;
	}
	*ret = key;
	return RC_OK;
}

enum rc audit_subject(struct hmac_key *pseudonym_key, struct span email, char out[SUBJECT_MAX])
{
	uint8_t mac[SHA256_SIZE];
	enum rc rc;

	if ((rc = hmac_key_sign(pseudonym_key, email, mac)) != RC_OK)
		return rc;
	memcpy(out, "h1:", 3);
	hex_encode(out + 3, mac, SUBJECT_BYTES);
	return RC_OK;
}
