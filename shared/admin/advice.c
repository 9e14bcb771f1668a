/* advice.c -- what an admin may do about a reason found in the log: every reason that can stand in a record is here.
 * What it means in itself is reason_text(). Commands are named as one would type them. */
#include "admin/admin.h"

static const char *const advice[REASON_COUNT] = {
	/* blocked */
	[REASON_TOKEN_MALFORMED] =
		"What came is no token: often a session id or an API key, quotes or a second Bearer round it, or two "
		"headers joined by a proxy. Have the page send what the backend signed as it is, and leave "
		"Authorization out for visitors who are not signed in.",
	[REASON_TOKEN_ALGORITHM] =
		"Usually it is a login provider's own session token (RS256), or the backend's library was told "
		"another algorithm. Have the backend sign a token of its own, with HS256 and a key of this site.",
	[REASON_TOKEN_CRITICAL] =
		"The token was made for another system: no extension of the header is understood here. Have the "
		"backend sign a plain one, without crit and b64.",
	[REASON_RING_EMPTY] =
		"Every token of this site is blocked until it has a key that verifies. Make one, and give its secret "
		"to the backend: postern key create SITE.",
	[REASON_KEY_RETIRED] =
		"A backend still signs with a key that was retired; kid_claimed in the record says with which. Find "
		"it and give it the secret of an active key; where nobody has that any more, make a new key: postern "
		"key create SITE.",
	[REASON_SIGNATURE_MISMATCH] =
		"It was signed with another secret: another site's, a retired key's, one that was cut or decoded on "
		"its way into the backend, or a guess. Let postern token explain SITE look at such a token: it tries "
		"what usually goes wrong with each key of the ring.",
	[REASON_CLAIM_INVALID] =
		"A time in the token is a text, a date or negative. Have the backend write exp, iat and nbf as JSON "
		"numbers: seconds since 1970.",
	[REASON_TOKEN_EXPIRED] =
		"The visitor's page kept an old token. Have it fetch a fresh one from the backend before exp is "
		"reached, and again whenever an answer's code is token_expired; if fresh ones have expired too, set "
		"the backend's clock.",
	[REASON_TOKEN_NOT_YET_VALID] =
		"The backend's clock is more than 60 seconds ahead of this server's, or it writes iat or nbf in "
		"milliseconds. Set both clocks by the network, and have it write seconds.",
	[REASON_LIFETIME_TOO_LONG] =
		"The backend signs for longer than the site allows, writes exp in milliseconds, or goes on using a "
		"token without exp. Have it sign for an hour and renew; the site's own limit, at most 24h, is set by "
		"postern site set SITE --max-lifetime.",
	[REASON_EXPIRY_MISSING] =
		"The site requires exp, and the backend does not set it. Have it do so; until then this lets such "
		"tokens pass: postern site set SITE --no-require-exp.",
	[REASON_ISSUER_MISMATCH] =
		"The token's iss is not the issuer in the site's settings: often it was made for another environment. "
		"Compare postern site show SITE with what postern token explain SITE says of such a token.",
	[REASON_AUDIENCE_MISMATCH] =
		"The token's aud does not name the audience in the site's settings: often it was made for another "
		"service. Compare postern site show SITE with what postern token explain SITE says of such a token.",
	[REASON_EMAIL_MISSING] =
		"The backend signed a token without an email: for a visitor who is not signed in, or it names the "
		"claim otherwise. Have it write email, as text, and make no token for visitors it does not know.",
	[REASON_EMAIL_MALFORMED] =
		"The email is not one bare address: there is a name beside it, a second address, quotes, spaces or an "
		"IP address in it. Have the backend write the address alone.",

	/* refused */
	[REASON_EMAIL_RESERVED] =
		"The visitor counts as anonymous, for that domain is nobody's (test, localhost and the like) or the "
		"site reserved it. If real visitors have it, mend the site's lists: postern site set SITE "
		"--accept-domain or --reserve-domain, each of which replaces its whole list.",
	[REASON_EMAIL_NOT_PUBLIC] =
		"The visitor counts as anonymous, for that domain is one of private networks (lan, corp, a single "
		"word). If the site is for such a network, accept it: postern site set SITE --accept-domain, which "
		"replaces the whole list.",
	[REASON_PARAMETERS_INVALID] =
		"The bot called the action with parameters that its schema does not allow. Compare them with postern "
		"action show SITE ACTION; if the bot keeps getting them wrong, let the descriptions say more.",
	[REASON_SIGN_IN_REQUIRED] =
		"A visitor without a token asked for something personal and was told to sign in: nothing is wrong. If "
		"visitors who are signed in meet this, their page does not send the token, or the web server drops "
		"Authorization.",
	[REASON_PLAN_REQUIRED] =
		"The site's plan is free, which has no personal actions. If it is to have them: postern site set SITE "
		"--plan pro.",
	[REASON_CONVERSATION_CONFLICT] =
		"The conversation belongs to another visitor: two people used one browser, or the ids are not random. "
		"Have the page begin a new conversation, with a new random id, at every sign-in and sign-out.",
	[REASON_ORIGIN_DENIED] =
		"A page whose origin is not in the site's list called. If the page is yours, add its origin: postern "
		"site set SITE --origin, once for each, since the list is replaced.",
	[REASON_IDENTITY_INCOMPLETE] =
		"The action needs a name, a user_id or another claim that the token lacks. See which, and have the "
		"backend put it into its tokens: postern action show SITE ACTION.",
	[REASON_NOT_FOUND] =
		"There is no such document, or it is somebody else's: the answer is the same. A few are mistyped ids; "
		"many of one subject are somebody trying ids, who learns nothing by it.",
	[REASON_CONFLICT] =
		"The document's present state does not allow the change, so nothing was changed. If it should, see "
		"the connector's when: postern action show SITE ACTION.",
	[REASON_RATE_LIMITED] =
		"Visitors without a token asked faster than the budget of one network or one site, or the ledger is "
		"over 80 % full. If all seem to come from one network, see that the web server passes the visitor's "
		"address on; the budget is set by postern-fcgi --audit-budget.",
	[REASON_OVERLOADED] =
		"The worker had no memory left for this request. Give the machine more, or the worker fewer threads: "
		"postern-fcgi --threads.",

	/* failed: a call to the system behind an action */
	[REASON_UPSTREAM_FAILED] =
		"The system behind the action answered with an error of its own; status in its log, at the record's time, "
		"says more. See whether the connection works: postern connection test NAME.",
	[REASON_UPSTREAM_TIMEOUT] =
		"The system behind the action was slower than the action's timeout. Whether it did what was asked is not "
		"known: see its log at the record's time. If it is always so slow, raise timeout in the actions file, at "
		"most 30s.",
	[REASON_CONNECTION_UNKNOWN] =
		"The actions file names a connection that does not exist. Compare them: postern action show SITE ACTION, "
		"postern connection list; then add it, or mend the name: postern connection add.",
	[REASON_CONNECTION_DENIED] =
		"The connection's list does not have this site, or this method and path, or the action names another "
		"provider or host. If the action is right, the connection must allow it; see postern connection list.",
	[REASON_REAUTH_NEEDED] =
		"The provider no longer accepts the refresh token, so no call is tried. Authorize Postern there again, and "
		"give it the new secrets: postern connection rotate NAME.",
	[REASON_CREDENTIALS_FAILED] =
		"The connection's token server refused or did not answer. What it said stands in the log of "
		"postern-connectd; try it with postern connection test NAME.",
	[REASON_UPSTREAM_UNREACHABLE] =
		"The name did not resolve, nothing listened, TLS failed or the answer broke off. The log of "
		"postern-connectd says which; try it with postern connection test NAME.",
	[REASON_UPSTREAM_UNSAFE] =
		"The name led to a private or local address, the address is no https, or the answer was a redirect. If it "
		"is meant to be so, the connection must permit it; the log of postern-connectd says which it was.",
	[REASON_UPSTREAM_INVALID] =
		"The answer was no JSON, or lacked what the action reads in it: often an error page sent with status 200. "
		"Compare what the system answers with result and owner_check: postern action show SITE ACTION.",
	[REASON_ANSWER_TOO_LARGE] =
		"The answer is larger than the action's answer_max. Ask for less of it, with a page size in query, or raise "
		"answer_max in the actions file, at most 1 MiB.",
	[REASON_PROVIDER_UNREACHABLE] =
		"Either postern-connectd does not run, or this worker's user may not connect to its socket. Start it; "
		"postern-fcgi --connect must name its socket, and postern-connectd --peer the worker's user.",
	[REASON_CONNECTION_BUSY] =
		"So many calls were under way that no more were begun: the system behind them is slow. See to it; the calls "
		"that one connection may have are its concurrency.",
	[REASON_OWNER_MISMATCH] =
		"The visitor asked for something that is somebody else's, and the system behind the action gave it out; the "
		"visitor was told that there is no such thing. Many of one subject are somebody trying ids. If it happens to "
		"honest visitors, owner_check points at the wrong member: postern action show SITE ACTION.",
	[REASON_OUTCOME_UNKNOWN] =
		"The worker was ended, or the machine, before the answer was there or could be recorded. Look in the system "
		"behind the action, at the time of the intended record of the same id, whether it was done.",

	/* done, but not a second time */
	[REASON_REPLAYED] =
		"The visitor's page or bot sent a request again under its Idempotency-Key and got the first one's answer: "
		"nothing was done twice, and nothing is wrong.",

	/* an admin's change, refused or failed */
	[REASON_AUDIT_UNAVAILABLE] =
		"What was to be done stopped part way, or never began: the ledger could not be written, or for a backup or an "
		"archive the place it was to go to. See to the disk, and give the command again; an import replaces the rows that "
		"are there already.",
	[REASON_VAULT_UNAVAILABLE] =
		"The change was not made, or not to its end. See to the disk, and to owners and modes, which postern "
		"init mends; then look at how things are now, and make the change again.",
	[REASON_SITE_UNKNOWN] =
		"Somebody removed the site at the same time; the records just before say who.",
	[REASON_SITE_EXISTS] =
		"An id is never given twice, not even after its site was removed. Choose another.",
	[REASON_RING_FULL] =
		"Three keys are as many as may verify. See which of them is used no more, and retire it: postern key "
		"list SITE, then postern key retire SITE KID --now.",
	[REASON_KEY_KNOWN] =
		"A secret serves one site, once. Import another, or have one made: postern key create SITE.",
	[REASON_KEY_UNKNOWN] =
		"Keys are named by their kid: postern key list SITE.",
	[REASON_KEY_GONE] =
		"Somebody had retired that key already, and a retired key never comes back. If a backend still needs "
		"one: postern key create SITE.",
	[REASON_KEY_LAST] =
		"Without this key every token of the site would be blocked. Replace it first, so that backends have "
		"time to take the new one: postern key rotate SITE.",
	[REASON_KEY_AMBIGUOUS] =
		"While the rotation was asked for, somebody else changed which keys are active. Name the one to "
		"replace: postern key rotate SITE KID.",
	[REASON_RING_CHANGED] =
		"Somebody else changed the ring first; the records just before say who and what. Look at it again, "
		"and repeat the change if it is still right: postern key list SITE.",
	[REASON_SECRET_INVALID] =
		"The secret was cut or mistyped, or it is too short to be safe. Import it whole, as it was shown, "
		"without quotes: postern key import SITE.",
	[REASON_CONNECTION_EXISTS] =
		"New secrets are given with postern connection rotate NAME. Other settings of a connection are not changed: "
		"remove it and add it again.",
	[REASON_CONNECTION_INVALID] =
		"What was wrong with it was told to whoever ran the command; postern connection add --help add says what it takes.",
};

const char admin_folded[] =
	"This record stands for as many requests as its count says, from first to last: more than the audit budget allows "
	"(postern-fcgi --audit-budget), so they are not recorded one by one. The records just before it show some of "
	"them. Where it names no reason, they had several.";

const char *admin_advice(enum reason r)
{
	return (size_t)r < ARRAY_LEN(advice) ? advice[r] : NULL;
}
