/* tokenring.h -- a site and a key ring made by hand, and tokens signed for them, right or wrong: no store needed. */
#ifndef POSTERN_TESTS_LIB_TOKENRING_H
#define POSTERN_TESTS_LIB_TOKENRING_H

#include "identity/identity.h"

#define TEST_NOW UINT64_C(1763690000)
#define TEST_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

struct tokenring {
	struct site site;
	struct keyring ring;
	struct token_context context;      /* of these two, at TEST_NOW; vault and memo NULL */
};

/* The n-th key (1 to RING_MAX) is kid test_kid(n) with the secret text test_secret(n). */
const char *test_kid(size_t n);
const char *test_secret(size_t n);

void tokenring_init(struct tokenring *r);                                    /* the site's defaults, no key */
void tokenring_done(struct tokenring *r);
bool tokenring_add_key(struct tokenring *r, uint64_t retire_at) MUST_CHECK;  /* the next one; 0: active */

/* "header.payload" in base64url, then its HMAC-SHA256 under key (of any size) as the third part. */
void token_sign(struct buf *out, struct span header, struct span payload, struct span key);
/* The same with TEST_HEADER and the ring's first key; payload may hold %-conversions. */
void token_signf(struct buf *out, const char *payload, ...) PRINTF_LIKE(2, 3);

void base64url_add(struct buf *out, struct span bytes);

#endif
