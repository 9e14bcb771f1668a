/* explain.c -- the token debugger: the very checks of the request path, all that can be run, not only to the
 * first failure. */
#include "admin/admin-private.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

#define TOKEN_CHECKS_MAX 32

struct explaining {
	struct explained *out;
	struct site site;
	struct keyring ring;
	struct token_context context;
	struct token token;
};

void explained_done(struct explained *e)
{
	json_decref(e->checks);
	json_decref(e->hints);
	json_decref(e->header);
	json_decref(e->claims);
	*e = (struct explained){ 0 };
}

/* ---- what was given: a token, an Authorization value, or its whole header line ---- */

static struct span trim(struct span s)
{
	const char *p = s.data;

	while (s.size > 0 && strchr(" \t\r\n", p[s.size - 1]))
		s.size--;
	for (; s.size > 0 && strchr(" \t\r\n", *p); p++)
		s.size--;
	return span_of(p, s.size);
}

static bool begins(struct span s, const char *prefix)
{
	size_t size = strlen(prefix);

	return s.size >= size && ascii_equal_nocase(span_of(s.data, size), prefix);
}

/* A bare token is what one has at hand when debugging; as an Authorization value it would be malformed. */
static enum reason find_token(struct span value, struct span *ret)
{
	static const char header[] = "Authorization:";
	struct span s = trim(value);

	if (memchr(s.data ? s.data : "", '\0', s.size))
		return REASON_TOKEN_MALFORMED;
	if (begins(s, header))
		s = trim(span_of((const char *)s.data + sizeof(header) - 1, s.size - sizeof(header) + 1));
	if (s.size == 0 || begins(s, "Bearer") || memchr(s.data, ' ', s.size))
		return token_from_authorization(1, s, ret);
	*ret = s;
	return REASON_NONE;
}

/* ---- verdicts ---- */

static bool add_check(json_t *checks, const char *name, const char *what, bool ran, enum reason reason)
{
	const char *verdict = !ran ? "not_checked" : reason == REASON_NONE ? "passed" : "failed";
	json_t *check = json_pack("{ssssss}", "check", name, "what", what, "verdict", verdict);

	if (check && ran && reason != REASON_NONE &&
	    json_object_set_new(check, "reason", json_string(reason_name(reason))) != 0) {
		json_decref(check);
		return false;
	}
	return json_array_append_new(checks, check) == 0;
}

static enum reason run_token_checks(struct explaining *x, bool *ret_failed)
{
	enum reason reasons[TOKEN_CHECKS_MAX] = { REASON_NONE }, first;
	bool ran[TOKEN_CHECKS_MAX] = { false };

	_Static_assert(TOKEN_CHECKS_MAX >= 32, "token_check.needs has 32 bits");
	first = token_verify_all(&x->token, &x->context, reasons, ran);
	for (size_t i = 0; i < token_check_count; i++)
		*ret_failed |= !add_check(x->out->checks, token_checks[i].name, token_checks[i].what, ran[i], reasons[i]);
	return first;
}

/* Each needs the one before; none means anything before the signature. */
static void run_identity_checks(struct explaining *x, bool *ret_failed)
{
	bool run = x->token.key != NULL && x->token.claims != NULL;
	struct identity who = { .decision = DECISION_BLOCKED };

	for (size_t i = 0; i < identity_check_count; i++) {
		const struct identity_check *c = &identity_checks[i];
		enum reason reason = run ? c->run(&who, x->token.claims, &x->site) : REASON_NONE;

		*ret_failed |= !add_check(x->out->checks, c->name, c->what, run, reason);
		run = run && reason == REASON_NONE;
	}
}

static void decide(struct explaining *x, enum reason token_reason)
{
	struct identity *who = &x->out->identity;

	if (token_reason == REASON_NO_TOKEN)
		identity_anonymous(who, REASON_NO_TOKEN);
	else if (token_reason != REASON_NONE)
		identity_blocked(who, token_reason);
	else
		identity_pin(who, &x->token, &x->site);
	x->out->decision = who->decision;
	x->out->reason = who->reason;
}

/* ---- hints, and the parts as they read ---- */

static bool identity_hint(const struct explaining *x, json_t *hints)
{
	static const struct { enum reason reason; const char *hint; } table[] = {
		{ REASON_EMAIL_MISSING, "The claim must be called \"email\" and be a string; sub, mail or user.email are not read." },
		{ REASON_EMAIL_MALFORMED, "The email must be one plain address, without a display name, quotes or spaces." },
		{ REASON_NO_TOKEN, "Nothing here is a token: a request like this is anonymous." },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].reason == x->out->reason)
			return json_array_append_new(hints, json_string(table[i].hint)) == 0;
	return true;
}

static json_t *decode_part(struct span part)
{
	size_t room = part.size + 1;
	uint8_t *bytes = malloc(room);
	json_t *value = NULL;
	long size;

	if (bytes && (size = base64url_decode(bytes, room, part)) > 0 &&
	    json_strict(span_of(bytes, (size_t)size), TOKEN_DEPTH_MAX, &value, NULL) != RC_OK)
		value = NULL;
	free(bytes);
	return value;
}

/* For reading only: until the signature verified nothing of it is believed, or decided by. */
static void show_parts(struct explaining *x)
{
	struct token *t = &x->token;

	x->out->header = t->header_json ? json_incref(t->header_json) : decode_part(t->header);
	x->out->claims = t->claims ? json_incref(t->claims) : decode_part(t->payload);
}

/* A value without a token in it leaves no trace of one in the log either. */
static void note_token(struct explaining *x)
{
	if (x->token.text.size == 0)
		return;
	x->out->token_size = x->token.text.size;
	memcpy(x->out->token, token_fingerprint(&x->token), sizeof(x->out->token));
}

static bool explain(struct explaining *x, struct span value)
{
	struct span text = span_of("", 0);
	enum reason reason = find_token(value, &text);
	bool failed = false;

	token_init(&x->token, text);
	if (reason == REASON_NONE) {
		reason = run_token_checks(x, &failed);
		failed |= reason == REASON_OVERLOADED;
		run_identity_checks(x, &failed);
		show_parts(x);
	} else {
		failed |= !add_check(x->out->checks, "authorization", "The value is Bearer and one token.", true, reason);
	}
	decide(x, reason);
	note_token(x);
	token_hints(&x->token, &x->context, x->out->reason, x->out->hints);
	failed |= !identity_hint(x, x->out->hints);
	token_done(&x->token);
	return !failed;
}

enum rc admin_token_explain(struct admin *a, const char *site, struct span value, struct explained *ret,
                            enum reason *ret_reason, struct why *why)
{
	struct explained out = { .checks = json_array(), .hints = json_array() };
	struct explaining x = { .out = &out };
	struct txn *vault = NULL;
	enum rc rc = out.checks && out.hints ? admin_site_get(a, site, &x.site, ret_reason, why) : RC_NOMEM;

	if (rc != RC_OK)
		goto out;
	vault = txn_read(a->store, ENV_VAULT);
	rc = keyring_get(a->store, vault, span_str(site), true, &x.ring);
	if (rc != RC_OK) {
		why_set(why, "the keys of site %s cannot be read: %s", site, rc_text(rc));
		goto out;
	}
	x.context = (struct token_context){ .site = &x.site, .ring = &x.ring, .vault = vault, .now_us = clock_us() };
	rc = explain(&x, value) ? RC_OK : RC_NOMEM;
	if (rc == RC_OK && (rc = txn_rc(vault)) != RC_OK)
		why_set(why, "the vault cannot be read: %s", rc_text(rc));
out:
	txn_abort(vault);
	keyring_done(&x.ring);
	site_done(&x.site);
	if (rc == RC_OK)
		*ret = out;
	else
		explained_done(&out);
	return rc;
}
