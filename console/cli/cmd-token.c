/* cmd-token.c -- postern token explain|mint. */
#include "console/cli/cli.h"
#include "base/file.h"

#define EXPLAIN_MAX 65536              /* bytes to look at */
#define MINT_TTL 3600
#define SECRET_FILE_MAX (KEY_SECRET_MAX + 1)

/* ---- explain ---- */

static json_t *identity_json(const struct identity *who)
{
	struct buf text = BUF_INIT;
	json_t *value = NULL;

	answer_identity_json(&text, who);
	if (!text.failed && json_strict(buf_span(&text), 8, &value, NULL) != RC_OK)
		value = NULL;
	buf_done(&text);
	return value;
}

static json_t *explained_json(const struct explained *e)
{
	const char *reason = e->decision == DECISION_VERIFIED ? NULL : reason_name(e->reason);

	return json_pack("{ssss?sosOsO}", "decision", decision_name(e->decision), "reason", reason,
	                 "identity", identity_json(&e->identity), "checks", e->checks, "hints", e->hints);
}

static void print_part(const char *name, const json_t *part)
{
	struct buf text = BUF_INIT;

	if (!part)
		return;
	json_canonical(&text, part);
	out_line("%s  %s", name, text.failed ? "out of memory" : text.data);
	buf_done(&text);
}

static void print_checks(const struct explained *e)
{
	static const char *const heads[] = { "CHECK", "VERDICT", "REASON", "WHAT" };
	struct table t;
	json_t *check;
	size_t i;

	table_begin(&t, ARRAY_LEN(heads), heads);
	json_array_foreach(e->checks, i, check)
		table_row(&t, (const char *const[]){ json_string_value(json_object_get(check, "check")),
		                                     json_string_value(json_object_get(check, "verdict")),
		                                     json_string_value(json_object_get(check, "reason")),
		                                     json_string_value(json_object_get(check, "what")) });
	table_end(&t);
}

static void print_explained(const struct explained *e)
{
	bool verified = e->decision == DECISION_VERIFIED;
	json_t *hint;
	size_t i;

	if (verified)
		out_line("verified: %s", e->identity.email);
	else
		out_line("%s: %s: %s", decision_name(e->decision), reason_name(e->reason), reason_text(e->reason));
	out_line("%s", "");
	print_checks(e);
	if (e->header || e->claims)
		out_line("%s", "");
	print_part("header", e->header);
	print_part("claims", e->claims);
	json_array_foreach(e->hints, i, hint) {
		out_line("%s", "");
		out_line("hint: %s", json_string_value(hint));
	}
}

int run_token_explain(struct call *c)
{
	const char *path = c->args.operands > 1 ? c->args.operand[1] : "-";
	struct buf value = BUF_INIT;
	struct explained e = { 0 };
	enum rc rc = file_read(path, EXPLAIN_MAX, &value);
	int code;

	if (rc != RC_OK) {
		talk("%s: %s", path, rc_text(rc));
		code = rc == RC_INVALID ? EXIT_USAGE : EXIT_UNSURE;
		goto out;
	}
	if ((code = call_open(c, false)) != EXIT_YES)
		goto out;
	rc = admin_token_explain(c->admin, c->site, buf_span(&value), &e, &c->reason, &c->why);
	if ((code = call_end(c, rc)) != EXIT_YES)
		goto out;
	if (args_given(&c->args, OPT_JSON))
		out_json(explained_json(&e));
	else
		print_explained(&e);
	code = e.decision == DECISION_VERIFIED ? EXIT_YES : EXIT_NO;
	explained_done(&e);
out:
	buf_done(&value);
	return code;
}

/* ---- mint ---- */

/* As an import: one final newline is the editor's, not the key's. */
static enum rc read_key(const char *path, struct secret **ret)
{
	struct secret *whole = NULL;
	enum rc rc = secret_read_file(path, SECRET_FILE_MAX, &whole);
	size_t size;

	if (rc != RC_OK)
		return rc;
	size = whole->size;
	if (size > 0 && whole->data[size - 1] == '\n')
		size--;
	*ret = secret_copy(span_of(whole->data, size));
	secret_free(whole);
	return *ret ? RC_OK : RC_NOMEM;
}

static bool add_claim(json_t *claims, const char *name, const char *value)
{
	return !value || !*value || json_object_set_new(claims, name, json_string(value)) == 0;
}

/* What the site's backend would put there, so also the issuer and audience its policy asks for. */
static json_t *make_claims(const struct arguments *a, const struct site *s)
{
	json_int_t now = (json_int_t)clock_s(), ttl = args_given(a, OPT_TTL) ? (json_int_t)a->number[OPT_TTL] : MINT_TTL;
	json_t *claims = json_pack("{sIsI}", "iat", now, "exp", now + ttl);

	if (claims && add_claim(claims, "email", a->text[OPT_EMAIL]) && add_claim(claims, "name", a->text[OPT_NAME]) &&
	    add_claim(claims, "user_id", a->text[OPT_USER_ID]) && add_claim(claims, "iss", s->issuer) &&
	    add_claim(claims, "aud", s->audience))
		return claims;
	json_decref(claims);
	return NULL;
}

static int mint(struct call *c, const struct secret *key, const struct site *s)
{
	struct buf token = BUF_INIT;
	json_t *claims = make_claims(&c->args, s);
	enum rc rc;
	int code;

	if (!claims)
		return usage_error(c, "a claim is not UTF-8 text");
	rc = token_mint(key, NULL, claims, &token);
	code = rc == RC_INVALID ? call_refuse(c, REASON_SECRET_INVALID) : call_end(c, rc);
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ss}", "token", token.data));
	else if (code == EXIT_YES)
		out_line("%s", token.data);
	json_decref(claims);
	buf_done(&token);
	return code;
}

int run_token_mint(struct call *c)
{
	const char *path = c->args.text[OPT_SECRET_FILE];
	struct secret *key = NULL;
	struct site s;
	enum rc rc = read_key(path, &key);
	int code;

	site_init(&s);
	if (rc != RC_OK) {
		talk("--secret-file: %s: %s", path, rc_text(rc));
		code = EXIT_UNSURE;
	} else if ((code = call_open(c, true)) == EXIT_YES &&
	           (code = call_end(c, admin_site_get(c->admin, c->site, &s, &c->reason, &c->why))) == EXIT_YES) {
		code = mint(c, key, &s);
	}
	site_done(&s);
	secret_free(key);
	return code;
}
