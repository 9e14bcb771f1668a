/* keys.c -- the key files; whether the master key fits this vault, and the vault keys sealed under it. */
#include "store/store-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_SIZE 32
#define ROW_NAME_MAX 32

/* A constant, sealed at init: opening it tells a master key that does not fit from a damaged row. */
static const char check_row[] = "key-check";
static const char check_text[] = "postern master key 1";

static const char *const vault_key_names[VAULT_KEY_COUNT] = { "known", "ring", "conversation" };
#define RING_KEY 1

static struct span place_of(const char *row, struct buf *place)
{
	buf_clear(place);
	buf_add_str(place, "vault meta ");
	buf_add_str(place, row);
	return buf_span(place);
}

static void seal_row(struct txn *t, const struct secret *master, const char *row, struct span plain)
{
	struct buf place = BUF_INIT, sealed = BUF_INIT;
	struct span aad = place_of(row, &place);
	enum rc rc = place.failed ? RC_NOMEM : aead_seal(master, aad, plain, &sealed);

	if (rc == RC_OK && sealed.failed)
		rc = RC_NOMEM;
	if (rc == RC_OK)
		txn_put(t, DB_VAULT_META, span_str(row), buf_span(&sealed));
	else
		txn_fail(t, rc);
	buf_done(&place);
	buf_done(&sealed);
}

static enum rc open_row(struct txn *t, const struct secret *master, const char *row, struct secret **ret)
{
	struct buf place = BUF_INIT;
	struct span sealed, aad;
	enum rc rc;

	if (!txn_get(t, DB_VAULT_META, span_str(row), &sealed)) {
		rc = txn_rc(t);
		return rc == RC_OK ? RC_CORRUPT : rc;
	}
	aad = place_of(row, &place);
	rc = place.failed ? RC_NOMEM : aead_open(master, aad, sealed, ret);
	buf_done(&place);
	return rc;
}

static const char *key_row(char out[ROW_NAME_MAX], size_t i)
{
	snprintf(out, ROW_NAME_MAX, "key:%s", vault_key_names[i]);
	return out;
}

static void make_key(struct txn *t, const struct secret *master, const char *row)
{
	struct secret *key = secret_new(KEY_SIZE);
	enum rc rc = key ? crypto_random(key->data, key->size) : RC_NOMEM;

	if (rc == RC_OK)
		seal_row(t, master, row, secret_span(key));
	else
		txn_fail(t, rc);
	secret_free(key);
}

void keys_complete(struct txn *vault, const struct secret *master)
{
	char name[ROW_NAME_MAX];
	struct span row;

	if (!txn_get(vault, DB_VAULT_META, span_str(check_row), &row))
		seal_row(vault, master, check_row, span_str(check_text));
	for (size_t i = 0; i < VAULT_KEY_COUNT; i++)
		if (!txn_get(vault, DB_VAULT_META, span_str(key_row(name, i)), &row))
			make_key(vault, master, name);
}

static enum rc check_master(struct store *st, struct txn *vault, struct why *why)
{
	struct secret *text = NULL;
	enum rc rc = open_row(vault, st->master, check_row, &text);

	if (rc == RC_OK && !span_is(secret_span(text), check_text))
		rc = RC_UNSEALED;
	if (rc == RC_UNSEALED)
		why_set(why, "the master key in %s does not fit the vault in %s: use the one the vault was made with",
		        st->paths.master_key, st->paths.dir);
	secret_free(text);
	return rc;
}

enum rc keys_load(struct store *st, struct txn *vault, struct why *why)
{
	char name[ROW_NAME_MAX];
	enum rc rc = check_master(st, vault, why);

	for (size_t i = 0; i < VAULT_KEY_COUNT && rc == RC_OK; i++) {
		rc = open_row(vault, st->master, key_row(name, i), &st->vault_keys[i]);
		if (rc == RC_OK && st->vault_keys[i]->size != KEY_SIZE)
			rc = RC_CORRUPT;
		if (rc != RC_OK && rc != RC_NOMEM && rc != RC_IO)
			why_set(why, "the vault in %s is damaged: its key %s does not open", st->paths.dir, vault_key_names[i]);
	}
	return rc == RC_OK ? hmac_key_new(secret_span(keys_ring(st)), &st->ring_mac) : rc;
}

void keys_done(struct store *st)
{
	hmac_key_free(st->ring_mac);
	st->ring_mac = NULL;
	for (size_t i = 0; i < VAULT_KEY_COUNT; i++) {
		secret_free(st->vault_keys[i]);
		st->vault_keys[i] = NULL;
	}
	secret_free(st->master);
	st->master = NULL;
}

const struct secret *store_vault_key(const struct store *st, const char *name)
{
	for (size_t i = 0; i < VAULT_KEY_COUNT; i++)
		if (strcmp(vault_key_names[i], name) == 0)
			return st->vault_keys[i];
	return NULL;
}

const struct hmac_key *store_ring_mac(const struct store *st)
{
	return st->ring_mac;
}

const struct secret *keys_ring(const struct store *st)
{
	return st->vault_keys[RING_KEY];
}

enum rc check_private(int fd, const char *path, mode_t forbidden, struct why *why)
{
	struct stat s;

	if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
		why_set(why, "%s is not a plain file", path);
		return RC_IO;
	}
	if (!(s.st_mode & forbidden))
		return RC_OK;
	why_set(why, "%s has mode %04o, which lets others in: run postern init, or chmod %03o", path,
	        (unsigned)(s.st_mode & 07777), (unsigned)(s.st_mode & 0777 & ~forbidden));
	return RC_TOO_OPEN;
}

/* A file of exactly one key. what: its name for people. */
static enum rc key_read(const char *path, const char *what, mode_t forbidden, struct secret **ret, struct why *why)
{
	struct secret *key = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum rc rc;

	if (fd < 0) {
		why_set(why, "%s %s: %s", what, path, strerror(errno));
		return errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
	}
	if ((rc = check_private(fd, path, forbidden, why)) != RC_OK)
		goto out;
	rc = secret_read_fd(fd, KEY_SIZE, &key);
	if (rc == RC_INVALID || (rc == RC_OK && key->size != KEY_SIZE)) {
		why_set(why, "%s is no %s: it does not hold exactly %d bytes", path, what, KEY_SIZE);
		rc = RC_UNSEALED;
		goto out;
	}
	if (rc == RC_OK) {
		*ret = key;
		key = NULL;
	}
out:
	secret_free(key);
	close(fd);
	return rc;
}

/* The worker's group reads it (0640); nobody but the owner may write it, or it could be swapped for a known one. */
enum rc master_read(const char *path, struct secret **ret, struct why *why)
{
	if (access(path, F_OK) != 0 && errno == ENOENT)
		why_set(why, "the master key %s is missing: put back the one that the vault was made with; no backup holds it", path);
	return key_read(path, "master key", 027, ret, why);
}

enum rc admin_key_read(const char *path, struct secret **ret, struct why *why)
{
	return key_read(path, "admin key", 077, ret, why);
}
