/* crypto.h -- everything taken from OpenSSL; crypto.c is the only file that calls it.
 *
 * OpenSSL answers 1, 0 or negative: here that is RC_OK or RC_IO (a primitive that failed for no
 * fault of its input, which callers treat as fatal for the request: fail closed). */
#ifndef POSTERN_BASE_CRYPTO_H
#define POSTERN_BASE_CRYPTO_H

#include "base/buf.h"
#include "base/secret.h"

#include <stdint.h>

#define SHA256_SIZE 32
#define AEAD_KEY_SIZE 32
#define AEAD_OVERHEAD (12 + 16)     /* nonce before, tag behind */

enum rc crypto_random(void *out, size_t size) MUST_CHECK;
bool    crypto_equal(const void *a, const void *b, size_t size);    /* constant time */
enum rc crypto_sha256(struct span data, uint8_t out[SHA256_SIZE]) MUST_CHECK;
/* Of the parts one after another, without a copy of them. */
enum rc crypto_sha256_parts(const struct span *parts, size_t count, uint8_t out[SHA256_SIZE]) MUST_CHECK;
enum rc crypto_hmac(struct span key, struct span data, uint8_t out[SHA256_SIZE]) MUST_CHECK;

/* The secure heap, for secret.c and the keys of HMACs. init, once a process: true if its pages are locked. alloc: zeroed memory of
 * the arena, or ordinary memory where it is full or absent; NULL: out of memory. free wipes. */
bool    crypto_heap_init(size_t size);
void   *crypto_heap_alloc(size_t size);
void    crypto_heap_free(void *data, size_t size);
void    crypto_wipe(void *data, size_t size);

/* HMAC-SHA256 with its key already in place, in the secure heap: what a verify costs is one pass over the data.
 * RFC 2104, RFC 7518 3.2: new refuses a key under 32 bytes (RC_INVALID). */
struct hmac_key;
enum rc hmac_key_new(struct span key, struct hmac_key **ret) MUST_CHECK;
enum rc hmac_key_sign(const struct hmac_key *k, struct span data, uint8_t out[SHA256_SIZE]) MUST_CHECK;
/* Of the parts one after another, without a copy of them. */
enum rc hmac_key_sign_parts(const struct hmac_key *k, const struct span *parts, size_t count, uint8_t out[SHA256_SIZE]) MUST_CHECK;
void    hmac_key_free(struct hmac_key *k);

/* Ed25519 (RFC 8032). The private key is its 32-byte seed; another size is RC_INVALID. verify: false too where the
 * public key is none. */
#define ED25519_SEED_SIZE 32
#define ED25519_PUBLIC_SIZE 32
#define ED25519_SIGNATURE_SIZE 64
enum rc ed25519_make(struct secret **ret_seed) MUST_CHECK;
enum rc ed25519_public(const struct secret *seed, uint8_t out[ED25519_PUBLIC_SIZE]) MUST_CHECK;
enum rc ed25519_sign(const struct secret *seed, struct span data, uint8_t out[ED25519_SIGNATURE_SIZE]) MUST_CHECK;
bool    ed25519_verify(const uint8_t public[ED25519_PUBLIC_SIZE], struct span data,
		       const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* AES-256-GCM with a random 96-bit nonce (SP 800-38D: far below 2^32 messages a key here).
 * seal appends nonce, ciphertext, tag to out. open: RC_UNSEALED if the tag does not verify. */
enum rc aead_seal(const struct secret *key, struct span aad, struct span plain, struct buf *out) MUST_CHECK;
enum rc aead_open(const struct secret *key, struct span aad, struct span sealed, struct secret **ret) MUST_CHECK;

#endif
