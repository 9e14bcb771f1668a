/* token.h -- is this one compact JWS of this site, whole, in time, and signed by its ring?
 *
 * RFC 7515, 7519, 8725. The checks are a table, in the order of design 5: the path stops at the first failure, `token explain`
 * runs them all. Nothing before the signature reads a claim; nothing of a token is believed before it. */
#ifndef POSTERN_TOKEN_TOKEN_H
#define POSTERN_TOKEN_TOKEN_H

#include "audit/audit.h"

#define TOKEN_MAX 8192            /* bytes of the token text */
#define TOKEN_DEPTH_MAX 32
#define TOKEN_SKEW 60             /* seconds nbf and iat may lie ahead */

/* What one request's Authorization parameters mean. count is how many there were; value the first of them.
 * NO_TOKEN: none at all, or exactly one of another scheme (design 5). NONE: *ret_token is the token, borrowed from value.
 * TOKEN_MALFORMED: everything else. */
enum reason token_from_authorization(size_t count, struct span value, struct span *ret_token);

/* Remembers the last accepted header's bytes, so that the usual header is parsed once. One per thread; may be NULL. */
struct token_memo;
struct token_memo *token_memo_new(void);
void token_memo_free(struct token_memo *m);

struct token_context {                 /* all borrowed */
	const struct site *site;
	struct keyring *ring;          /* its keys are opened as they are tried */
	struct txn *vault;             /* to look a kid up among the tombstones; may be NULL (then none is found) */
	uint64_t now_us;
	struct token_memo *memo;
};

struct claim_time { bool present, valid; double at; };   /* seconds */

struct token {
	struct span text;                      /* borrowed */
	struct span header, payload;           /* the parts' base64url, borrowed from text */
	struct span signature;
	struct span kid;                       /* the header's kid, borrowed from header_json or kid_seen; empty: none */
	char kid_seen[KID_MAX];                /* set where the header is the usual one but for this kid */
	char kid_tombstone[KID_MAX];           /* set where kid names a retired key of this site */
	json_t *header_json, *claims;          /* owned; claims NULL until the signature verified */
	const struct key *key;                 /* under which it verified; borrowed from the ring; else NULL */
	struct claim_time exp, iat, nbf;
	bool header_seen;                      /* the memo knows this header: its checks have passed before */
	char fingerprint[9];                   /* first 8 hex of SHA-256(text): by token_fingerprint(), or where token_verify() failed */
};
void token_init(struct token *t, struct span text);
void token_done(struct token *t);
/* Computes t->fingerprint on the first call (a verified token that leaves no record needs none). Borrowed from t; "" if SHA-256
 * failed. */
const char *token_fingerprint(struct token *t);

/* One check. needs: the checks that must have passed for this one to mean anything (bits by index); the path never gets there
 * otherwise, explain says "not checked". */
struct token_check {
	const char *name;                      /* stable: syntax header algorithm critical kid ring key signature payload ... */
	const char *what;                      /* a sentence of what it checks, for explain */
	uint32_t needs;
	enum reason (*run)(struct token *t, const struct token_context *c);   /* REASON_NONE: passed */
};
extern const struct token_check token_checks[];
extern const size_t token_check_count;

/* Runs the checks in order to the first failure. REASON_NONE: verified. OVERLOADED: a primitive
 * failed (memory, OpenSSL); VAULT_UNAVAILABLE: a key does not open. Both say nothing about the token, and let nobody in. */
enum reason token_verify(struct token *t, const struct token_context *c);

/* The same checks, each run if what it needs has passed. ret has room for token_check_count; true in ran[i] if check i ran.
 * Returns the first failure. */
enum reason token_verify_all(struct token *t, const struct token_context *c, enum reason *ret, bool *ran);

/* Signs a token as a site's backend would: HS256 over canonical header and the given claims. RC_INVALID: secret under 32 bytes. */
enum rc token_mint(const struct secret *secret, const char *kid, const json_t *claims, struct buf *out) MUST_CHECK;

/* What commonly goes wrong, in words, for a token that failed: adds sentences to hints (a JSON array of strings). Unsafe to show
 * the public. */
void token_hints(const struct token *t, const struct token_context *c, enum reason why, json_t *hints);

#endif
