/* log-name.c -- what the vault knows of the log: its origins, the keys that sign its checkpoints, its oldest record. */
#include "admin/log-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROW_NAMES     "log:names" /* origin, public key, end; one after the other */
#define ROW_SEED      "log:seed"  /* of the last one's key, sealed under the admin key */
#define ROW_FIRST     "log:first" /* 8 bytes, big-endian */
#define HOST_MAX      64
#define UUID_SIZE     16
#define UUID_TEXT_MAX 37

/* ---- reading ---- */

static void first_read(struct txn *vault, struct log_names *n)
{
	struct span row;

	if (!txn_get(vault, DB_VAULT_META, span_str(ROW_FIRST), &row))
		return;
	if (row.size == 8)
		n->first = be64_get(row.data);
	else
		txn_fail(vault, RC_CORRUPT);
}

static enum rc incarnation_read(struct dec *d, struct log_names *n)
{
	struct log_incarnation *grown = realloc(n->at, (n->count + 1) * sizeof(*grown)), *last;
	char origin[NOTE_NAME_MAX];
	struct span public;

	if (!grown)
		return RC_NOMEM;
	n->at = grown;
	last = &grown[n->count];
	dec_text(d, origin, sizeof(origin));
	public = dec_fixed(d, ED25519_PUBLIC_SIZE);
	last->end = dec_u64(d);
	if (d->bad || note_key_make(origin, public.data, &last->key) != RC_OK)
		return RC_CORRUPT;
	n->count++;
	return RC_OK;
}

enum rc log_names_read(struct txn *vault, struct log_names *ret)
{
	struct log_names n = { 0 };
	struct span row;
	enum rc rc;

	first_read(vault, &n);
	if (txn_get(vault, DB_VAULT_META, span_str(ROW_NAMES), &row)) {
		struct dec d = dec_of(row);

		for (rc = RC_OK; rc == RC_OK && d.at < d.end;)
			rc = incarnation_read(&d, &n);
		txn_fail(vault, rc);
	}
	if ((rc = txn_rc(vault)) == RC_OK)
		*ret = n;
	else
		log_names_done(&n);
	return rc;
}

void log_names_done(struct log_names *n)
{
	free(n->at);
	*n = (struct log_names){ 0 };
}

const struct log_incarnation *log_present(const struct log_names *n)
{
	return n->count > 0 ? &n->at[n->count - 1] : NULL;
}

void log_first_set(struct txn *vault, uint64_t first)
{
	uint8_t row[8];

	be64_put(row, first);
	txn_put(vault, DB_VAULT_META, span_str(ROW_FIRST), span_of(row, sizeof(row)));
}

/* ---- the seed ---- */

/* A seed moved under another origin does not open. */
static struct span place_of(const char *origin, struct buf *place)
{
	buf_add_str(place, "vault meta " ROW_SEED " ");
	buf_add_str(place, origin);
	return buf_span(place);
}

static enum rc seed_seal(const struct store *st, struct txn *vault, const char *origin, const struct secret *seed,
                         struct why *why)
{
	struct buf place = BUF_INIT, sealed = BUF_INIT;
	struct span aad = place_of(origin, &place);
	enum rc rc = place.failed ? RC_NOMEM : store_admin_seal(st, aad, secret_span(seed), &sealed, why);

	if (rc == RC_OK && sealed.failed)
		rc = RC_NOMEM;
	if (rc == RC_OK)
		txn_put(vault, DB_VAULT_META, span_str(ROW_SEED), buf_span(&sealed));
	buf_done(&place);
	buf_done(&sealed);
	return rc;
}

/* A checkpoint signed by another key than the published one would verify for nobody. */
static enum rc seed_fits(const struct secret *seed, const struct note_key *k)
{
	uint8_t public[ED25519_PUBLIC_SIZE];
	enum rc rc = ed25519_public(seed, public);

	if (rc == RC_OK && memcmp(public, k->public, sizeof(public)) != 0)
		rc = RC_UNSEALED;
	return rc;
}

enum rc log_seed(const struct store *st, struct txn *vault, const struct note_key *k, struct secret **ret,
                 struct why *why)
{
	struct buf place = BUF_INIT;
	struct secret *seed = NULL;
	struct span sealed, aad;
	enum rc rc = RC_CORRUPT;

	if (txn_get(vault, DB_VAULT_META, span_str(ROW_SEED), &sealed)) {
		aad = place_of(k->name, &place);
		rc = place.failed ? RC_NOMEM : store_admin_unseal(st, aad, sealed, &seed, why);
	}
	if (rc == RC_OK)
		rc = seed_fits(seed, k);
	if (rc == RC_OK) {
		*ret = seed;
		seed = NULL;
	} else {
		why_set(why, "the key that signs checkpoints cannot be used: %s", rc_text(rc));
	}
	secret_free(seed);
	buf_done(&place);
	return rc;
}

/* ---- another incarnation ---- */

/* What a key's name may hold, and no more than a host's name needs. */
static void host_name(char out[HOST_MAX])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

	memset(out, 0, HOST_MAX);
	if (gethostname(out, HOST_MAX - 1) != 0 || !out[0])
		memcpy(out, "host", 5);
	for (char *at = out; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
		else if (!strchr(allowed, *at))
			*at = '-';
	}
}

/* RFC 9562 5.4. */
static enum rc uuid_make(char out[UUID_TEXT_MAX])
{
	static const size_t groups[] = { 4, 2, 2, 2, 6 };
	uint8_t bytes[UUID_SIZE];
	const uint8_t *from = bytes;
	enum rc rc = crypto_random(bytes, sizeof(bytes));

	if (rc != RC_OK)
		return rc;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		hex_encode(out, from, groups[i]);
		from += groups[i];
		out += 2 * groups[i];
		*out++ = '-';
	}
	out[-1] = '\0';
	return RC_OK;
}

static enum rc origin_make(char out[NOTE_NAME_MAX])
{
	char host[HOST_MAX], uuid[UUID_TEXT_MAX];
	enum rc rc = uuid_make(uuid);

	host_name(host);
	if (rc == RC_OK)
		snprintf(out, NOTE_NAME_MAX, "postern/%s/%s", host, uuid);
	return rc;
}

static void incarnation_put(struct buf *row, const struct log_incarnation *i, uint64_t end)
{
	buf_put_bytes(row, span_str(i->key.name));
	buf_add(row, i->key.public, sizeof(i->key.public));
	buf_put_u64(row, end);
}

/* Those there were, the last one ended, and the new one. */
static void names_put(struct txn *vault, const struct log_names *n, uint64_t size, const struct log_incarnation *added)
{
	struct buf row = BUF_INIT;

	for (size_t i = 0; i < n->count; i++)
		incarnation_put(&row, &n->at[i], i + 1 < n->count ? n->at[i].end : size);
	incarnation_put(&row, added, UINT64_MAX);
	if (row.failed)
		txn_fail(vault, RC_NOMEM);
	else
		txn_put(vault, DB_VAULT_META, span_str(ROW_NAMES), buf_span(&row));
	buf_done(&row);
}

enum rc log_incarnation_begin(const struct store *st, struct txn *vault, uint64_t size, struct why *why)
{
	uint8_t public[ED25519_PUBLIC_SIZE];
	struct log_incarnation added = { .end = UINT64_MAX };
	struct log_names names = { 0 };
	struct secret *seed = NULL;
	char origin[NOTE_NAME_MAX];
	enum rc rc;

	if ((rc = log_names_read(vault, &names)) != RC_OK || (rc = origin_make(origin)) != RC_OK ||
	    (rc = ed25519_make(&seed)) != RC_OK || (rc = ed25519_public(seed, public)) != RC_OK ||
	    (rc = note_key_make(origin, public, &added.key)) != RC_OK ||
	    (rc = seed_seal(st, vault, origin, seed, why)) != RC_OK)
		goto out;
	names_put(vault, &names, size, &added);
	rc = txn_rc(vault);
out:
	secret_free(seed);
	log_names_done(&names);
	return rc;
}

/* ---- for admins ---- */

static enum rc name_read(struct admin *a, struct log_name *ret)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	struct log_names names = { 0 };
	enum rc rc = log_names_read(vault, &names);

	txn_abort(vault);
	if (rc == RC_OK && names.count == 0)
		rc = RC_NOT_FOUND;
	if (rc == RC_OK) {
		ret->key = log_present(&names)->key;
		memcpy(ret->origin, ret->key.name, sizeof(ret->origin));
		ret->first = names.first;
	}
	log_names_done(&names);
	return rc;
}

/* Another admin may have been first: it is looked up again under the lock. */
static enum rc name_make(struct admin *a, struct why *why)
{
	struct txn *vault = txn_write(a->store, ENV_VAULT);
	struct log_names names = { 0 };
	enum rc rc = log_names_read(vault, &names);

	if (rc == RC_OK && names.count == 0)
		rc = log_incarnation_begin(a->store, vault, 0, why);
	txn_fail(vault, rc);
	log_names_done(&names);
	return txn_end(vault);
}

/* Where it cannot be made, who needs it will be told why. */
void log_name_ensure(struct admin *a)
{
	struct log_name ignored;

	if (!a->read_only && name_read(a, &ignored) == RC_NOT_FOUND)
		(void)name_make(a, NULL);
}

enum rc admin_log_name(struct admin *a, struct log_name *ret, struct why *why)
{
	enum rc rc = name_read(a, ret);

	if (rc == RC_NOT_FOUND && a->read_only) {
		why_set(why, "the log has no name and no key yet: postern audit checkpoint makes them");
		return rc;
	}
	if (rc == RC_NOT_FOUND && (rc = name_make(a, why)) == RC_OK)
		rc = name_read(a, ret);
	if (rc != RC_OK)
		why_set(why, "the log's name cannot be found out: %s", rc_text(rc));
	return rc;
}

uint64_t log_first_now(struct store *st)
{
	struct txn *vault = txn_read(st, ENV_VAULT);
	struct log_names names = { 0 };
	uint64_t first = log_names_read(vault, &names) == RC_OK ? names.first : 0;

	txn_abort(vault);
	log_names_done(&names);
	return first;
}
