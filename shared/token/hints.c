/* hints.c -- what commonly goes wrong, in words: near misses of a token that failed, for the site's own people.
 *
 * Reads claims no signature vouches for and names keys, so it is for an admin's eyes only. It decides nothing. */
#include "token/token-private.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void advice_say(struct advice *a, const char *fmt, ...)
{
	char sentence[640];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	json_array_append_new(a->hints, json_string(sentence));     /* a hint that cannot be kept is a hint less */
}

static bool span_has(struct span s, const char *part)
{
	return s.data && memmem(s.data, s.size, part, strlen(part)) != NULL;
}

/* ---- the text ---- */

struct shape { size_t dots; char first, last; };

static struct shape shape_of(struct span text)
{
	const char *p = text.data;
	struct shape s = { .first = text.size ? p[0] : '\0', .last = text.size ? p[text.size - 1] : '\0' };

	for (size_t i = 0; i < text.size; i++)
		s.dots += p[i] == '.';
	return s;
}

/* Without `Bearer` and quotes, which have hints of their own. */
static bool has_scheme(struct span text)
{
	return text.size > 7 && ascii_equal_nocase(span_of(text.data, 7), "Bearer ");
}

static void advise_on_characters(struct advice *a)
{
	static const struct { const char *part, *sentence; } parts[] = {
		{ "=", "It is padded with '=': base64url in a token has no padding (RFC 7515, section 2)." },
		{ "+", "It has '+' or '/': that is base64; a token needs base64url, with '-' and '_' instead." },
		{ "/", "It has '+' or '/': that is base64; a token needs base64url, with '-' and '_' instead." },
		{ "%", "It is percent-encoded: send the token as it is." },
		{ ",", "It has a comma: two Authorization parameters were joined, or two tokens sent." },
		{ "\n", "It has a line break: was it wrapped, or read from a file with its final newline?" },
		{ "\t", "It has a tab character." },
		{ "{", "It has braces: only the compact form of three parts is a token here, JSON is not." },
	};
	const char *said = NULL;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!span_has(a->t->text, parts[i].part) || (said && strcmp(said, parts[i].sentence) == 0))
			continue;
		said = parts[i].sentence;
		advice_say(a, "%s", said);
	}
}

/* Did the check of the syntax pass? It fills the signature last, and takes all of the text. */
static bool is_compact(const struct token *t)
{
	const char *end = (const char *)t->text.data + t->text.size;

	return t->signature.size > 0 && (const char *)t->signature.data + t->signature.size == end;
}

/* Three parts of nothing but base64url's letters, and yet not its form: a piece is missing, or a letter is another one. */
static void advise_on_parts(struct advice *a)
{
	struct span text = a->t->text;
	const char *p = text.data, *dot = text.size ? memrchr(p, '.', text.size) : NULL;
	size_t letters = 0, signature;

	for (size_t i = 0; i < text.size; i++)
		letters += p[i] != '.' && base64url_run(span_of(p + i, 1)) == 1;
	if (!dot || letters + 2 != text.size || shape_of(text).dots != 2)
		return;
	signature = text.size - (size_t)(dot + 1 - p);
	if (signature > 0 && signature != SIGNATURE_TEXT)
		advice_say(a, "Its signature is %zu characters long, that of HS256 %d: was it cut, or something added?",
			   signature, SIGNATURE_TEXT);
	else if (signature > 0)
		advice_say(a, "A part of it is no base64url, whose last character has no bits left over: was it cut, or "
			   "changed after it was signed?");
}

static void advise_on_text(struct advice *a, enum reason why)
{
	struct span text = a->t->text;
	struct shape s = shape_of(text);

	(void)why;
	if (text.size > TOKEN_MAX)
		advice_say(a, "It is %zu bytes long; a token has at most %d.", text.size, TOKEN_MAX);
	if (has_scheme(text))
		advice_say(a, "There is a 'Bearer' inside the token: the scheme was put in front twice.");
	if (s.first == '"' || s.first == '\'' || s.last == '"' || s.last == '\'')
		advice_say(a, "There are quotes round it: it was probably sent as a JSON string.");
	if (text.size == 0)
		advice_say(a, "Authorization is not 'Bearer', spaces and one token. For a visitor who is not signed "
			   "in, leave it out.");
	else if (s.dots == 0)
		advice_say(a, "It has no dots, so it is no JWT: is it an opaque session id or an API key?");
	else if (s.dots == 1)
		advice_say(a, "It has two parts: the signature is missing.");
	else if (s.dots == 2 && s.last == '.')
		advice_say(a, "Its signature is empty: it was made with alg none. Sign it with HS256 and a key of this "
			   "site.");
	else if (s.dots == 4)
		advice_say(a, "It has five parts: an encrypted token (JWE). Only a signed one is accepted.");
	advise_on_characters(a);
	if (!is_compact(a->t))
		advise_on_parts(a);
	else if (!a->t->header_json)
		advice_say(a, "The header is not one JSON object of plain UTF-8 without duplicate names.");
	else if (!a->t->key)
		advice_say(a, "The header's kid is not a string: name the key as postern key list shows it, or leave kid out.");
	else if (!a->t->claims)
		advice_say(a, "The signature is right, but the payload is not one JSON object of plain UTF-8 without "
			   "duplicate names.");
}

/* ---- the header ---- */

/* Whose session token is it? By its issuer, which nobody vouches for: only a hint. */
static const char *issuer_of(const json_t *claims)
{
	static const struct { const char *part, *who; } known[] = {
		{ "clerk", "Clerk" }, { "auth0.com", "Auth0" }, { "supabase", "Supabase" },
		{ "securetoken.google.com", "Firebase" }, { "accounts.google.com", "Google" },
		{ "cognito-idp", "Amazon Cognito" }, { "okta", "Okta" }, { "/realms/", "Keycloak" },
		{ "login.microsoftonline.com", "Microsoft Entra ID" }, { "sts.windows.net", "Microsoft Entra ID" },
		{ "appleid.apple.com", "Apple" }, { "workos", "WorkOS" }, { "kinde", "Kinde" },
	};
	struct span iss = json_span(json_object_get(claims, "iss"));

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (span_has(iss, known[i].part))
			return known[i].who;
	}
	return "the identity provider";
}

static bool is_public_key_alg(struct span alg)
{
	const char *p = alg.data;

	return ascii_equal_nocase(alg, "EdDSA") ||
	       (alg.size == 5 && (memcmp(p, "RS", 2) == 0 || memcmp(p, "ES", 2) == 0 || memcmp(p, "PS", 2) == 0));
}

static void advise_on_algorithm(struct advice *a, enum reason why)
{
	const json_t *member = json_object_get(a->header, "alg");
	struct span alg = json_span(member);
	char shown[SHOWN_MAX];

	(void)why;
	text_show(shown, sizeof(shown), alg);
	if (span_is(alg, "HS256"))
		advice_say(a, "The header's typ is neither JWT nor absent: it is a token made for something else.");
	else if (is_public_key_alg(alg))
		advice_say(a, "This is a session token of %s (%s): the site's backend must sign a token of its own, "
			   "with HS256 and a key of this site.", issuer_of(a->claims), shown);
	else if (ascii_equal_nocase(alg, "none"))
		advice_say(a, "It is not signed at all (alg none): sign it with HS256 and a key of this site.");
	else if (ascii_equal_nocase(alg, "HS256"))
		advice_say(a, "The algorithm's name is HS256, in capitals.");
	else if (span_is(alg, "HS384") || span_is(alg, "HS512"))
		advice_say(a, "The library was told %s: tell it HS256, with the same key.", shown);
	else if (!member)
		advice_say(a, "The header names no alg.");
	else if (!json_is_string(member))
		advice_say(a, "The header's alg is not a string.");
}

static void advise_on_retired(struct advice *a, enum reason why)
{
	const struct token_context *c = a->c;
	const char *kid = a->t->kid_tombstone;
	char when[CLOCK_TEXT_MAX];
	struct key tombstone = { 0 };
	uint64_t at = 0;

	(void)why;
	for (size_t i = 0; i < c->ring->count; i++) {
		if (strcmp(c->ring->keys[i].kid, kid) == 0)
			at = c->ring->keys[i].retire_at;
	}
	if (at == 0 && c->vault && keyring_tombstone(c->vault, span_str(c->site->id), span_str(kid), &tombstone)) {
		at = tombstone.retire_at;
		key_done(&tombstone);
	}
	if (at > 0)
		advice_say(a, "Key %s was retired at %s: some backend still signs with it. Give it an active key.",
			   kid, clock_format(at * 1000000, when));
	else
		advice_say(a, "Key %s is retired: some backend still signs with it. Give it an active key.", kid);
}

static void advise_on_ring(struct advice *a, enum reason why)
{
	(void)why;
	advice_say(a, "Make a key first: postern key create %s", a->c->site->id);
}

static void advise_on_critical(struct advice *a, enum reason why)
{
	(void)why;
	advice_say(a, "The header has crit or b64: no extension of the token form is understood here.");
}

static void advise_on_keys(struct advice *a, enum reason why)
{
	(void)why;
	advise_on_signature(a);
}

/* ---- the claims ---- */

static void advise_on_issuer(struct advice *a, enum reason why)
{
	const char *claim = why == REASON_ISSUER_MISMATCH ? "iss" : "aud";
	const char *wanted = why == REASON_ISSUER_MISMATCH ? a->c->site->issuer : a->c->site->audience;
	const json_t *member = json_object_get(a->claims, claim);
	char have[SHOWN_MAX], want[SHOWN_MAX];

	text_show(want, sizeof(want), span_str(wanted));
	if (json_is_string(member))
		advice_say(a, "%s is \"%s\", the site's policy names \"%s\": they are compared byte by byte.", claim,
			   text_show(have, sizeof(have), json_span(member)), want);
	else
		advice_say(a, "%s is %s, the site's policy names \"%s\".", claim,
			   member ? "something else" : "absent", want);
}

static bool looks_like_email(struct span s)
{
	const char *at = s.size ? memchr(s.data, '@', s.size) : NULL;

	return at && at != s.data && memchr(at, '.', s.size - (size_t)(at - (const char *)s.data)) != NULL;
}

/* A member that holds what email should: in the payload or one object down (user.email, user_metadata.email). */
static bool find_email(struct advice *a, const json_t *object, const char *parent)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		char shown[SHOWN_MAX];

		text_show(shown, sizeof(shown), span_str(name));
		if (looks_like_email(json_span(value)) || looks_like_email(json_span(json_array_get(value, 0)))) {
			advice_say(a, "%s%s%s looks like an email: name that claim email, at the top level, as one "
				   "string.", parent, *parent ? "." : "", shown);
			return true;
		}
		if (!*parent && json_is_object(value) && find_email(a, value, shown))
			return true;
	}
	return false;
}

static void advise_on_missing_email(struct advice *a, enum reason why)
{
	const json_t *email = json_object_get(a->claims, "email");

	(void)why;
	if (email && !json_is_array(email))
		advice_say(a, "email is there, but is not a string.");
	if (!find_email(a, a->claims, ""))
		advice_say(a, "No claim looks like an email: the backend must put the signed-in visitor's address into "
			   "email.");
}

static bool has_no_ascii(struct span s)
{
	for (size_t i = 0; i < s.size; i++) {
		if (((const unsigned char *)s.data)[i] >= 0x80)
			return true;
	}
	return false;
}

static void advise_on_malformed_email(struct advice *a, enum reason why)
{
	struct span email = json_span(json_object_get(a->claims, "email"));
	const char *p = email.data;

	(void)why;
	if (email.size == 0)
		advice_say(a, "email is empty: leave the token out for a visitor who is not signed in.");
	else if (p[0] == ' ' || p[email.size - 1] == ' ' || p[email.size - 1] == '\n')
		advice_say(a, "email has white space at its end or beginning: trim it.");
	else if (span_has(email, "<"))
		advice_say(a, "email has a display name: send the address alone.");
	else if (span_has(email, "mailto:"))
		advice_say(a, "email is a mailto link: send the address alone.");
	else if (span_has(email, ",") || span_has(email, ";"))
		advice_say(a, "email seems to be a list: send one address.");
	else if (!span_has(email, "@"))
		advice_say(a, "email has no '@': is it a user name or an id?");
	else if (email.size >= 255)
		advice_say(a, "email is longer than 254 bytes.");
	else if (p[email.size - 1] == '.')
		advice_say(a, "email ends with a dot.");
	else if (has_no_ascii(span_of(p, (size_t)((const char *)memchr(p, '@', email.size) - p))))
		advice_say(a, "email has letters outside ASCII before its '@', which are not taken.");
}

/* Which of the site's own reserved domains this one is, or is below; NULL: none. A site's reservation wins over what it accepts. */
static const char *reserved_here(const struct site *site, struct span domain)
{
	for (size_t i = 0; i < site->reserve_domains.count; i++) {
		const char *name = site->reserve_domains.entry[i];
		size_t size = strlen(name), skip = domain.size - size;
		const char *at = domain.data;

		if (domain.size >= size && ascii_equal_nocase(span_of(at + skip, size), name) &&
		    (skip == 0 || at[skip - 1] == '.'))
			return name;
	}
	return NULL;
}

static void advise_on_domain(struct advice *a, enum reason why)
{
	struct span email = json_span(json_object_get(a->claims, "email")), domain;
	const char *at = email.size ? memrchr(email.data, '@', email.size) : NULL, *own;
	const char *site = a->c->site->id;
	char shown[SHOWN_MAX];

	if (!at)
		return;
	domain = span_of(at + 1, email.size - (size_t)(at + 1 - (const char *)email.data));
	text_show(shown, sizeof(shown), domain);
	own = reserved_here(a->c->site, domain);
	if (own)
		advice_say(a, "The site itself reserves %s, so the visitor counts as anonymous; postern site show %s lists "
			   "what it reserves, postern site set %s --reserve-domain replaces that.", own, site, site);
	else
		advice_say(a, "%s is %s, so the visitor counts as anonymous. If this site's visitors really have such "
			   "addresses: postern site set %s --accept-domain %s (besides those it accepts already).", shown,
			   why == REASON_EMAIL_RESERVED ? "reserved" : "no public name", site, shown);
}

/* ---- which hints for which reason ---- */

static const struct { enum reason why; void (*advise)(struct advice *a, enum reason why); } advisers[] = {
	{ REASON_TOKEN_MALFORMED,     advise_on_text },
	{ REASON_TOKEN_ALGORITHM,     advise_on_algorithm },
	{ REASON_TOKEN_CRITICAL,      advise_on_critical },
	{ REASON_RING_EMPTY,          advise_on_ring },
	{ REASON_KEY_RETIRED,         advise_on_retired },
	{ REASON_SIGNATURE_MISMATCH,  advise_on_keys },
	{ REASON_CLAIM_INVALID,       advise_on_times },
	{ REASON_TOKEN_EXPIRED,       advise_on_times },
	{ REASON_TOKEN_NOT_YET_VALID, advise_on_times },
	{ REASON_LIFETIME_TOO_LONG,   advise_on_times },
	{ REASON_EXPIRY_MISSING,      advise_on_times },
	{ REASON_NONE,                advise_on_times },
	{ REASON_ISSUER_MISMATCH,     advise_on_issuer },
	{ REASON_AUDIENCE_MISMATCH,   advise_on_issuer },
	{ REASON_EMAIL_MISSING,       advise_on_missing_email },
	{ REASON_EMAIL_MALFORMED,     advise_on_malformed_email },
	{ REASON_EMAIL_RESERVED,      advise_on_domain },
	{ REASON_EMAIL_NOT_PUBLIC,    advise_on_domain },
};

void token_hints(const struct token *t, const struct token_context *c, enum reason why, json_t *hints)
{
	json_t *unverified = NULL;
	struct advice a = { .t = t, .c = c, .hints = hints, .header = t->header_json, .claims = t->claims };

	if (!t->claims && t->payload.size > 0 && part_parse(t->payload, &unverified) == REASON_NONE)
		a.claims = unverified;
	for (size_t i = 0; i < ARRAY_LEN(advisers); i++) {
		if (advisers[i].why == why)
			advisers[i].advise(&a, why);
	}
	json_decref(unverified);
}
