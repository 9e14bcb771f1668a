/* crypto.c -- everything taken from OpenSSL.
 *
 * SHA-256 is taken by its own functions, which OpenSSL 3 keeps and calls deprecated. The general ones (EVP) allocate, fill, wipe and
 * free a context for each hash, which costs as much as hashing a short text, and every token and every record of the audit
 * log is hashed. Besides, a state that lies open can be kept in the secure heap, as that of an HMAC key is here. */
#define OPENSSL_SUPPRESS_DEPRECATED      /* SHA256_Init() and its like */
#include "base/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>

#define NONCE_SIZE 12
#define TAG_SIZE 16
#define HEAP_MIN_BLOCK 32
_Static_assert(AEAD_OVERHEAD == NONCE_SIZE + TAG_SIZE, "what aead_seal adds");

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher_gcm;

/* A fetch by name costs more than sealing a short text. */
static void fetch_all(void)
{
	cipher_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static bool fetched(void)
{
	return pthread_once(&fetch_once, fetch_all) == 0 && cipher_gcm;
}

static enum rc rc_of(bool ok)
{
	return ok ? RC_OK : RC_IO;
}

enum rc crypto_random(void *out, size_t size)
{
	if (size > INT_MAX)
		return RC_INVALID;
	return rc_of(RAND_bytes(out, (int)size) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

/* What it last hashed is not left in the state: OpenSSL wipes its block when a hash ends. */
enum rc crypto_sha256_parts(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE])
{
	SHA256_CTX state;
	bool ok = SHA256_Init(&state) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = parts[i].size == 0 || SHA256_Update(&state, parts[i].data, parts[i].size) == 1;
	return rc_of(ok && SHA256_Final(out, &state) == 1);
}

enum rc crypto_sha256(struct span data, uint8_t out[SHA256_SIZE])
{
	return crypto_sha256_parts(&data, 1, out);
}

/* ---- the secure heap ---- */

bool crypto_heap_init(size_t size)
{
	/* 2: the arena is there, but its pages could not be locked or guarded. */
	return CRYPTO_secure_malloc_init(size, HEAP_MIN_BLOCK) == 1;
}

void *crypto_heap_alloc(size_t size)
{
	void *data = OPENSSL_secure_zalloc(size);

	if (!data) {
		ERR_clear_error();      /* a full arena leaves an entry in the thread's queue */
		data = OPENSSL_zalloc(size);
	}
	return data;
}

void crypto_heap_free(void *data, size_t size)
{
	OPENSSL_secure_clear_free(data, size);      /* knows its own from ordinary memory */
}

void crypto_wipe(void *data, size_t size)
{
	if (data)
		OPENSSL_cleanse(data, size);
}

/* ---- HMAC: RFC 2104, from the two states that the padded key leaves behind ---- */

struct hmac_key {
	SHA256_CTX inner, outer;
};

static bool hash_pad(SHA256_CTX *state, const uint8_t block[SHA256_CBLOCK], uint8_t pad)
{
	uint8_t padded[SHA256_CBLOCK];
	bool ok;

	for (size_t i = 0; i < sizeof(padded); i++)
		padded[i] = block[i] ^ pad;
	ok = SHA256_Init(state) == 1 && SHA256_Update(state, padded, sizeof(padded)) == 1;
	secret_wipe(padded, sizeof(padded));
	return ok;
}

static enum rc hmac_begin(struct hmac_key *k, struct span key)
{
	uint8_t block[SHA256_CBLOCK] = { 0 };
	enum rc rc = RC_OK;

	if (key.size > sizeof(block))
		rc = crypto_sha256(key, block);
	else if (key.size)
		memcpy(block, key.data, key.size);
	if (rc == RC_OK)
		rc = rc_of(hash_pad(&k->inner, block, 0x36) && hash_pad(&k->outer, block, 0x5c));
	secret_wipe(block, sizeof(block));
	return rc;
}

enum rc hmac_key_sign_parts(const struct hmac_key *k, const struct span *parts, size_t count, uint8_t out[SHA256_SIZE])
{
	SHA256_CTX state = k->inner;
	uint8_t inner[SHA256_SIZE];
	bool ok = true;

	for (size_t i = 0; ok && i < count; i++)
		ok = parts[i].size == 0 || SHA256_Update(&state, parts[i].data, parts[i].size) == 1;
	ok = ok && SHA256_Final(inner, &state) == 1;
	state = k->outer;
	ok = ok && SHA256_Update(&state, inner, sizeof(inner)) == 1 && SHA256_Final(out, &state) == 1;
	secret_wipe(&state, sizeof(state));
	secret_wipe(inner, sizeof(inner));
	return rc_of(ok);
}

enum rc hmac_key_sign(const struct hmac_key *k, struct span data, uint8_t out[SHA256_SIZE])
{
	return hmac_key_sign_parts(k, &data, 1, out);
}

enum rc crypto_hmac(struct span key, struct span data, uint8_t out[SHA256_SIZE])
{
	struct hmac_key k;
	enum rc rc = hmac_begin(&k, key);

	if (rc == RC_OK)
		rc = hmac_key_sign(&k, data, out);
	secret_wipe(&k, sizeof(k));
	return rc;
}

enum rc hmac_key_new(struct span key, struct hmac_key **ret)
{
	struct hmac_key *k;
	enum rc rc;

	if (key.size < SHA256_SIZE)
		return RC_INVALID;
	k = crypto_heap_alloc(sizeof(*k));
	if (!k)
		return RC_NOMEM;
	rc = hmac_begin(k, key);
	if (rc == RC_OK)
		*ret = k;
	else
		hmac_key_free(k);
	return rc;
}

void hmac_key_free(struct hmac_key *k)
{
	if (k)
		crypto_heap_free(k, sizeof(*k));
}

/* ---- Ed25519 ---- */

/* The EVP_PKEY keeps its copy of the seed in the secure heap and wipes it when freed. */
static EVP_PKEY *private_key(const struct secret *seed)
{
	return EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed->data, seed->size);
}

/* Failures leave entries in the thread's queue, where nobody reads them. */
static bool ed25519_ended(bool ok)
{
	if (!ok)
		ERR_clear_error();
	return ok;
}

enum rc ed25519_make(struct secret **ret_seed)
{
	struct secret *seed = secret_new(ED25519_SEED_SIZE);

	if (!seed)
		return RC_NOMEM;
	if (RAND_priv_bytes(seed->data, ED25519_SEED_SIZE) != 1) {
		secret_free(seed);
		return RC_IO;
	}
	*ret_seed = seed;
	return RC_OK;
}

enum rc ed25519_public(const struct secret *seed, uint8_t out[ED25519_PUBLIC_SIZE])
{
	size_t size = ED25519_PUBLIC_SIZE;
	EVP_PKEY *key;
	bool ok;

	if (seed->size != ED25519_SEED_SIZE)
		return RC_INVALID;
	key = private_key(seed);
	ok = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 && size == ED25519_PUBLIC_SIZE;
	EVP_PKEY_free(key);
	return rc_of(ed25519_ended(ok));
}

enum rc ed25519_sign(const struct secret *seed, struct span data, uint8_t out[ED25519_SIGNATURE_SIZE])
{
	size_t size = ED25519_SIGNATURE_SIZE;
	EVP_MD_CTX *ctx;
	EVP_PKEY *key;
	bool ok;

	if (seed->size != ED25519_SEED_SIZE)
		return RC_INVALID;
	key = private_key(seed);
	ctx = EVP_MD_CTX_new();
	ok = key && ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
	     EVP_DigestSign(ctx, out, &size, data.size ? data.data : (const void *)"", data.size) == 1 &&
	     size == ED25519_SIGNATURE_SIZE;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return rc_of(ed25519_ended(ok));
}

bool ed25519_verify(const uint8_t public[ED25519_PUBLIC_SIZE], struct span data,
		    const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public, ED25519_PUBLIC_SIZE);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
		  EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_SIZE, data.size ? data.data : (const void *)"",
				   data.size) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ed25519_ended(ok);
}

/* ---- AES-256-GCM ---- */

/* Sizes go through int in this interface. */
static bool sizes_fit(const struct secret *key, struct span aad, size_t size)
{
	return key->size == AEAD_KEY_SIZE && aad.size <= INT_MAX && size <= INT_MAX - AEAD_OVERHEAD;
}

static EVP_CIPHER_CTX *gcm_begin(const struct secret *key, const uint8_t *nonce, struct span aad, int seal)
{
	EVP_CIPHER_CTX *ctx = fetched() ? EVP_CIPHER_CTX_new() : NULL;
	int n;

	if (ctx && EVP_CipherInit_ex2(ctx, cipher_gcm, key->data, nonce, seal, NULL) == 1 &&
	    (aad.size == 0 || EVP_CipherUpdate(ctx, NULL, &n, aad.data, (int)aad.size) == 1))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

enum rc aead_seal(const struct secret *key, struct span aad, struct span plain, struct buf *out)
{
	EVP_CIPHER_CTX *ctx = NULL;
	uint8_t *nonce, *text, *tag;
	size_t before = out->size;
	enum rc rc = RC_IO;
	int n = 0;

	if (!sizes_fit(key, aad, plain.size))
		return RC_INVALID;
	nonce = buf_extend(out, plain.size + AEAD_OVERHEAD);
	if (!nonce)
		return RC_NOMEM;
	text = nonce + NONCE_SIZE;
	tag = text + plain.size;
	if (RAND_bytes(nonce, NONCE_SIZE) == 1 && (ctx = gcm_begin(key, nonce, aad, 1)) != NULL &&
	    (plain.size == 0 || EVP_CipherUpdate(ctx, text, &n, plain.data, (int)plain.size) == 1) &&
	    EVP_CipherFinal_ex(ctx, text + n, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1)
		rc = RC_OK;
	else
		out->size = before;
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

enum rc aead_open(const struct secret *key, struct span aad, struct span sealed, struct secret **ret)
{
	const uint8_t *nonce = sealed.data;
	EVP_CIPHER_CTX *ctx = NULL;
	struct secret *plain;
	uint8_t tag[TAG_SIZE];
	enum rc rc = RC_IO;
	size_t size;
	int n = 0;

	if (sealed.size < AEAD_OVERHEAD)
		return RC_UNSEALED;
	size = sealed.size - AEAD_OVERHEAD;
	if (!sizes_fit(key, aad, size))
		return RC_INVALID;
	plain = secret_new(size);
	if (!plain)
		return RC_NOMEM;
	memcpy(tag, nonce + NONCE_SIZE + size, TAG_SIZE);
	ctx = gcm_begin(key, nonce, aad, 0);
	if (ctx && (size == 0 || EVP_CipherUpdate(ctx, plain->data, &n, nonce + NONCE_SIZE, (int)size) == 1) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1)
		rc = EVP_CipherFinal_ex(ctx, plain->data + n, &n) == 1 ? RC_OK : RC_UNSEALED;
	EVP_CIPHER_CTX_free(ctx);
	if (rc == RC_OK) {
		*ret = plain;
		plain = NULL;
	}
	secret_free(plain);
	return rc;
}
