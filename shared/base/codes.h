/* codes.h -- every outcome and every reason code, once: enum, stable name and sentence.
 *
 * Two lists. RC_LIST is how a library call ended; it never reaches a visitor. REASON_LIST is what
 * was decided about a request, a token or an admin's change; its names are stable and appear in
 * answers, audit records and scripts. The HTTP status is 0 for a reason that is never an answer's
 * own code: what the public is told instead is reason_public()'s business. */
#ifndef POSTERN_BASE_CODES_H
#define POSTERN_BASE_CODES_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*	  enum		name		sentence */
#define RC_LIST(X) \
	X(OK,		"ok",		"done") \
	X(NOMEM,	"nomem",	"out of memory") \
	X(IO,		"io",		"the system refused a read or write") \
	X(NOSPACE,	"nospace",	"no space left for this write") \
	X(NOT_FOUND,	"not_found",	"there is no such thing") \
	X(EXISTS,	"exists",	"it is already there") \
	X(INVALID,	"invalid",	"the value is not well formed") \
	X(REFUSED,	"refused",	"the change was refused") \
	X(WITHDRAWN,	"withdrawn",	"the write waited too long and was withdrawn") \
	X(STOPPING,	"stopping",	"the program is stopping") \
	X(BUSY,		"busy",		"in use by another process") \
	X(CORRUPT,	"corrupt",	"stored data does not decode") \
	X(UNSEALED,	"unsealed",	"sealed data does not open under the master key") \
	X(NEWER,	"newer",	"written by a newer version of Postern") \
	X(OLDER,	"older",	"written by an older version: run postern migrate") \
	X(ROLLED_BACK,	"rolled_back",	"vault rolled back") \
	X(REMOTE_FS,	"remote_fs",	"on a network file system") \
	X(TOO_OPEN,	"too_open",	"a secret file is readable or writable by others") \
	X(READ_ONLY,	"read_only",	"opened for reading only")

enum rc {
#define X(id, name, text) RC_##id,
	RC_LIST(X)
#undef X
};

/*	  enum			name			HTTP	sentence */
#define REASON_LIST(X) \
	/* an empty reason: nothing was refused */ \
	X(NONE,			"none",			0,	"Nothing was refused.") \
	X(NO_TOKEN,		"no_token",		0,	"The request carries no token.") \
	/* the token, in the order of its checks */ \
	X(TOKEN_MALFORMED,	"token_malformed",	0,	"The token is not one well-formed compact JWS.") \
	X(TOKEN_ALGORITHM,	"token_algorithm",	0,	"The token's algorithm is not HS256, or its type is not JWT.") \
	X(TOKEN_CRITICAL,	"token_critical",	0,	"The token's header demands an extension (crit or b64).") \
	X(RING_EMPTY,		"ring_empty",		0,	"The site has no key that verifies.") \
	X(KEY_RETIRED,		"key_retired",		0,	"The token names a key that was retired.") \
	X(SIGNATURE_MISMATCH,	"signature_mismatch",	0,	"The token's signature verifies under no key of the site.") \
	X(CLAIM_INVALID,	"claim_invalid",	0,	"A time claim is not a number in range.") \
	X(TOKEN_EXPIRED,	"token_expired",	401,	"The token's time is over; sign in again.") \
	X(TOKEN_NOT_YET_VALID,	"token_not_yet_valid",	0,	"The token's nbf or iat lies in the future.") \
	X(LIFETIME_TOO_LONG,	"lifetime_too_long",	0,	"The token lives longer than the site allows.") \
	X(EXPIRY_MISSING,	"expiry_missing",	0,	"The site requires exp and the token has none.") \
	X(ISSUER_MISMATCH,	"issuer_mismatch",	0,	"The token's iss is not the site's issuer.") \
	X(AUDIENCE_MISMATCH,	"audience_mismatch",	0,	"The token's aud does not name this site's audience.") \
	X(EMAIL_MISSING,	"email_missing",	0,	"The token has no email string.") \
	X(EMAIL_MALFORMED,	"email_malformed",	0,	"The token's email is not one ordinary mailbox.") \
	X(EMAIL_RESERVED,	"email_reserved",	0,	"The email's domain is reserved and belongs to nobody.") \
	X(EMAIL_NOT_PUBLIC,	"email_not_public",	0,	"The email's domain is not a public one.") \
	/* the request */ \
	X(REQUEST_MALFORMED,	"request_malformed",	400,	"The request is not what this endpoint takes.") \
	X(PARAMETERS_INVALID,	"parameters_invalid",	400,	"The parameters do not fit the action's schema.") \
	X(SIGN_IN_REQUIRED,	"sign_in_required",	401,	"This needs a signed-in visitor.") \
	X(TOKEN_INVALID,	"token_invalid",	401,	"The token was not accepted.") \
	X(PLAN_REQUIRED,	"plan_required",	403,	"The site's plan does not include personal actions.") \
	X(CONVERSATION_CONFLICT, "conversation_conflict", 403,	"This conversation belongs to someone else; start a new conversation.") \
	X(ORIGIN_DENIED,	"origin_denied",	403,	"The site does not accept requests from this origin.") \
	X(IDENTITY_INCOMPLETE,	"identity_incomplete",	403,	"The token lacks something that is needed here, or has it in a form that is of no use.") \
	X(SITE_UNKNOWN,		"site_unknown",		404,	"There is no such site.") \
	X(ACTION_UNKNOWN,	"action_unknown",	404,	"The site has no such action.") \
	X(NOT_FOUND,		"not_found",		404,	"There is no such thing here.") \
	X(METHOD_NOT_ALLOWED,	"method_not_allowed",	405,	"This endpoint does not take that method.") \
	X(CONFLICT,		"conflict",		409,	"Its present state does not allow this change.") \
	X(BODY_TOO_LARGE,	"body_too_large",	413,	"The body is larger than 64 KiB.") \
	X(MEDIA_TYPE,		"media_type",		415,	"The body must be application/json.") \
	X(RATE_LIMITED,		"rate_limited",		429,	"Too many requests from here; try again later.") \
	X(SITE_NOT_SET,		"site_not_set",		500,	"The guard here is set up wrongly: POSTERN_SITE must name one site that exists, and POSTERN_ROLE say authorizer.") \
	X(UPSTREAM_FAILED,	"upstream_failed",	502,	"The system behind this action failed.") \
	X(UPSTREAM_TIMEOUT,	"upstream_timeout",	504,	"The system behind this action did not answer in time.") \
	X(AUDIT_UNAVAILABLE,	"audit_unavailable",	503,	"The action could not be recorded, so there is no result.") \
	X(VAULT_UNAVAILABLE,	"vault_unavailable",	503,	"The site's keys and settings cannot be read.") \
	X(OVERLOADED,		"overloaded",		503,	"Too many requests are waiting; try again later.") \
	/* a call to the system behind an action, as the log has it; the public is told less */ \
	X(CONNECTION_UNKNOWN,	"connection_unknown",	0,	"The connection provider has no connection of that name.") \
	X(CONNECTION_DENIED,	"connection_denied",	0,	"The connection does not serve this site, method, path or host.") \
	X(REAUTH_NEEDED,	"reauth_needed",	0,	"The connection's authorization was withdrawn or has run out; it must be given again.") \
	X(CREDENTIALS_FAILED,	"credentials_failed",	0,	"The connection's token server did not give an access token.") \
	X(UPSTREAM_UNREACHABLE,	"upstream_unreachable",	0,	"No whole answer came from the system behind this action: name, connection, TLS or HTTP failed.") \
	X(UPSTREAM_UNSAFE,	"upstream_unsafe",	0,	"The call led to an address, a scheme or a redirect that the connection does not permit.") \
	X(UPSTREAM_INVALID,	"upstream_invalid",	0,	"The system behind this action answered something other than the JSON that was expected.") \
	X(ANSWER_TOO_LARGE,	"answer_too_large",	0,	"The answer of the system behind this action is larger than the action allows.") \
	X(PROVIDER_UNREACHABLE,	"provider_unreachable",	0,	"The connection provider did not answer on its socket.") \
	X(CONNECTION_BUSY,	"connection_busy",	0,	"As many calls as may be are under way on this connection.") \
	X(OWNER_MISMATCH,	"owner_mismatch",	0,	"The system behind this action answered with what belongs to somebody else, or to nobody.") \
	X(OUTCOME_UNKNOWN,	"outcome_unknown",	0,	"The worker ended while the call was under way: whether it was done is not known.") \
	X(REPLAYED,		"replayed",		0,	"The stored answer to the same Idempotency-Key was given again.") \
	/* an admin's change that was refused */ \
	X(SITE_EXISTS,		"site_exists",		0,	"A site of this id exists, or existed and was removed.") \
	X(RING_FULL,		"ring_full",		0,	"The ring already has three keys that verify; retire one first.") \
	X(KEY_KNOWN,		"key_known",		0,	"A site already holds, or once held, this secret.") \
	X(KEY_UNKNOWN,		"key_unknown",		0,	"The site has no such key.") \
	X(KEY_GONE,		"key_gone",		0,	"That key is retired and its secret deleted.") \
	X(KEY_LAST,		"key_last",		0,	"That is the last key that verifies; say --yes to retire it.") \
	X(KEY_AMBIGUOUS,	"key_ambiguous",	0,	"The ring has none or several active keys; name one.") \
	X(RING_CHANGED,		"ring_changed",		0,	"The ring has changed since it was shown; look again.") \
	X(SECRET_INVALID,	"secret_invalid",	0,	"The secret is shorter than 32 or longer than 512 bytes, has a NUL, or its checksum is wrong.") \
	X(ACTIONS_INVALID,	"actions_invalid",	0,	"The actions file has mistakes.") \
	X(DOCUMENT_INVALID,	"document_invalid",	0,	"A line of the documents file has mistakes.") \
	X(COLLECTION_UNKNOWN,	"collection_unknown",	0,	"The site has no such collection.") \
	X(CONNECTION_EXISTS,	"connection_exists",	0,	"There is a connection of that name already.") \
	X(CONNECTION_INVALID,	"connection_invalid",	0,	"The connection provider does not take these settings or this secret.")

enum reason {
#define X(id, name, status, text) REASON_##id,
	REASON_LIST(X)
#undef X
	REASON_COUNT
};

const char *rc_name(enum rc rc);           /* static text */
const char *rc_text(enum rc rc);           /* static sentence */

const char *reason_name(enum reason r);    /* the stable code; static text */
const char *reason_text(enum reason r);    /* the fixed sentence; static text */
int         reason_status(enum reason r);  /* HTTP status, 0: never an answer's own code */

/* The reason whose stable name is `name`, or REASON_COUNT. */
enum reason reason_from_name(const char *name);

/* What the public is told for r: r itself where it has a status; TOKEN_INVALID for a token fault
 * that has none (only an expired token is told apart, for its signature verified); for a call to the
 * system behind an action the plain word for its exact one. */
enum reason reason_public(enum reason r);

/* A sentence for people about what went wrong beneath an rc: which file, which line, what to run.
 * Every function that takes one accepts NULL. Text is set once; the deepest cause wins. */
struct why { char text[480]; };
void why_set(struct why *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
