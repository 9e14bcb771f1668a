/* token-private.h -- shared between the files of token/; nobody else includes it. */
#ifndef POSTERN_TOKEN_PRIVATE_H
#define POSTERN_TOKEN_PRIVATE_H

#include "token/token.h"

#define TOKEN_DECODED_MAX (TOKEN_MAX / 4 * 3)
#define SIGNATURE_TEXT    43       /* base64url of 32 bytes */

#define MEMO_HEADER_MAX 512

/* Of one thread. The header's checks read nothing but its bytes, so that the same bytes pass them again, and so do the same bytes
 * with another kid of our own form in that one's place: letters and digits, which mean themselves in JSON. Kept only once a
 * signature over them verified, so that strangers cannot push the usual one out. */
struct token_memo {
	size_t size;                       /* 0: nothing remembered */
	char header[MEMO_HEADER_MAX];      /* its base64url */
	char text[MEMO_HEADER_MAX];        /* the same decoded */
	size_t text_size, kid_at;          /* where in text the kid begins; 0: it has none of our form */
	json_t *json;
};

/* NULL, or a new reference to what the memo knows of these header bytes. Where they have another kid, that one is in kid; else kid
 * is left alone. */
json_t *memo_find(const struct token_memo *m, struct span header, char kid[KID_MAX]);
void    memo_keep(struct token_memo *m, struct span header, json_t *json);

/* One part of a token, which has passed the syntax check, as a JSON object, new. NONE, TOKEN_MALFORMED: it is none, OVERLOADED. */
enum reason part_parse(struct span part, json_t **ret);

/* A token refused at its key or its signature takes the time that it would take with any other kid: what was spared because
 * its header was accepted before, or because its kid is a retired one's, is done for nothing. What is left to be told is how
 * many keys verify. */
void refuse_evenly(const struct token *t, const struct token_context *c, enum reason reason);

/* An exact member: a JSON string of these bytes. */
bool string_is(const json_t *value, const char *text);

/* What token_hints() knows while it looks for near misses. header and claims may be NULL, claims may be unverified. */
struct advice {
	const struct token *t;
	const struct token_context *c;
	const json_t *header, *claims;
	json_t *hints;                     /* borrowed: sentences so far */
};
void advice_say(struct advice *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void advise_on_signature(struct advice *a);
void advise_on_times(struct advice *a, enum reason why);

#define SHOWN_MAX 96                       /* room for a piece of outside text in a hint */

static inline double token_now(const struct token_context *c)
{
	/* Both numbers are exact, so the quotient is the double nearest to the true time: as ordered as they are. */
	return (double)c->now_us / 1e6;
}

static inline double token_lifetime_max(const struct token_context *c)
{
	return c->site->max_lifetime < SITE_LIFETIME_MAX ? c->site->max_lifetime : SITE_LIFETIME_MAX;
}

#endif
