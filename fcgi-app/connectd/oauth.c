/* oauth.c -- what is asked of a token endpoint, and what its answer says. */
#include "fcgi-app/connectd/oauth.h"

#include "base/text.h"
#include "fcgi-app/connectd/credential.h"
#include "fcgi-app/connectd/transfer.h"

#define ASK_MS 15000
#define ANSWER_MAX (64 << 10)
#define TOKEN_MAX (16 << 10)
#define DEPTH_MAX 8

void oauth_tokens_done(struct oauth_tokens *t)
{
	secret_free(t->access_token);
	secret_free(t->refresh_token);
	*t = (struct oauth_tokens){ 0 };
}

/* ---- the request ---- */

static bool put(json_t *fields, const char *name, struct span value)
{
	return json_object_set_new(fields, name, json_stringn(value.data, value.size)) == 0;
}

/* The connection's own parameters come first, so that none of them stands in for one that is ours. */
static bool put_all(json_t *fields, const struct connection *c)
{
	const struct auth *a = &c->auth;
	bool refresh = a->type == AUTH_OAUTH2_REFRESH;

	if (a->extra && json_object_update(fields, (json_t *)(uintptr_t)a->extra) != 0)
		return false;
	if (!put(fields, "grant_type", span_str(refresh ? "refresh_token" : "client_credentials")))
		return false;
	if (refresh && (!c->refresh_token || !put(fields, "refresh_token", secret_span(c->refresh_token))))
		return false;
	if (a->scope && !put(fields, "scope", span_str(a->scope)))
		return false;
	return !a->in_body || (put(fields, "client_id", span_str(a->client_id)) && c->client_secret &&
			       put(fields, "client_secret", secret_span(c->client_secret)));
}

static struct secret *json_of(const json_t *fields)
{
	size_t size = json_dumpb(fields, NULL, 0, JSON_COMPACT);
	struct secret *out = size ? secret_new(size) : NULL;

	if (out)
		json_dumpb(fields, (char *)out->data, size, JSON_COMPACT);
	return out;
}

/* "a=1" and "b=2" to "a=1&b=2"; takes form over. */
static struct secret *form_add(struct secret *form, const char *name, struct span value)
{
	struct secret *left = secret_percent(span_str(name)), *right = secret_percent(value), *longer = NULL;

	if (form && left && right)
		longer = secret_join((struct span[]){ secret_span(form), span_str(form->size ? "&" : ""),
						      secret_span(left), span_str("="), secret_span(right) }, 5);
	secret_free(left);
	secret_free(right);
	secret_free(form);
	return longer;
}

static struct secret *form_of(json_t *fields)
{
	struct secret *form = secret_new(0);
	const char *name;
	json_t *value;

	json_object_foreach(fields, name, value)
		form = form_add(form, name, json_span(value));
	return form;
}

struct secret *oauth_body(const struct connection *c)
{
	json_t *fields = json_object();
	struct secret *out = NULL;

	if (fields && put_all(fields, c))
		out = c->auth.json ? json_of(fields) : form_of(fields);
	json_decref(fields);
	return out;
}

/* RFC 6749 2.3.1: both are encoded before they are put together. */
static struct secret *client_header(const struct connection *c)
{
	struct secret *id = secret_percent(span_str(c->auth.client_id));
	struct secret *password = c->client_secret ? secret_percent(secret_span(c->client_secret)) : NULL;
	struct secret *out = id && password ? secret_basic(secret_span(id), secret_span(password)) : NULL;

	secret_free(id);
	secret_free(password);
	return out;
}

/* ---- the answer ---- */

/* RFC 6749 A.12: visible ASCII, which goes into a header unchanged. */
static bool is_token(struct span s)
{
	return s.size > 0 && s.size <= TOKEN_MAX && ascii_is_visible(s);
}

static int64_t clamp(double seconds)
{
	return seconds >= TOKEN_SECONDS_MAX ? TOKEN_SECONDS_MAX : seconds < 1 ? 1 : (int64_t)seconds;
}

/* Some servers say a number, some its digits. */
static bool read_seconds(const json_t *value, int64_t *ret)
{
	struct span text = json_span(value);
	const char *at = text.data;
	double seconds = 0;

	*ret = 0;
	if (!value || json_is_null(value))
		return true;
	if (json_is_number(value)) {
		*ret = clamp(json_number_value(value));
		return true;
	}
	for (size_t i = 0; i < text.size; i++) {
		if (!ascii_is_digit(at[i]))
			return false;
		seconds = seconds * 10 + (at[i] - '0');
	}
	*ret = clamp(seconds);
	return text.size > 0 && text.size < 20;
}

/* Absent and null are the same: the server gave no new one. */
static bool read_refresh(const json_t *value, struct secret **ret)
{
	if (!value || json_is_null(value))
		return true;
	if (!connection_secret_ok(json_span(value)))      /* what is saved must load again */
		return false;
	*ret = secret_copy(json_span(value));
	return *ret != NULL;
}

static bool read_tokens(const json_t *said, struct oauth_tokens *ret)
{
	struct span access = json_span(json_object_get(said, "access_token"));
	const json_t *type = json_object_get(said, "token_type");

	if (!is_token(access) || (type && !ascii_equal_nocase(json_span(type), "bearer")))
		return false;
	if (!read_seconds(json_object_get(said, "expires_in"), &ret->expires_in) ||
	    !read_refresh(json_object_get(said, "refresh_token"), &ret->refresh_token))
		return false;
	ret->access_token = secret_copy(access);
	return ret->access_token != NULL;
}

enum call_error oauth_read(int status, struct span body, struct oauth_tokens *ret)
{
	json_t *said = NULL;
	enum call_error e = CALL_CREDENTIALS_FAILED;

	*ret = (struct oauth_tokens){ 0 };
	if (status < 200 || status >= 500 || json_strict(body, DEPTH_MAX, &said, NULL) != RC_OK)
		return e;
	if (span_is(json_span(json_object_get(said, "error")), "invalid_grant"))
		e = CALL_REAUTH_NEEDED;
	else if (status < 300 && read_tokens(said, ret))
		e = CALL_OK;
	if (e != CALL_OK)
		oauth_tokens_done(ret);
	json_decref(said);
	return e;
}

/* ---- both ---- */

/* Room for the whole answer from the start: growing would leave copies of the tokens behind. */
static enum call_error exchange(struct transfer *t, struct oauth_tokens *ret)
{
	struct upstream_answer answer = { .status = 0 };
	enum call_error e;

	if (!buf_extend(&answer.body, ANSWER_MAX + 1))
		return CALL_CREDENTIALS_FAILED;
	e = transfer_run(t, &answer);
	if (e != CALL_OK)
		return e == CALL_UPSTREAM_UNSAFE ? e : CALL_CREDENTIALS_FAILED;
	e = oauth_read(answer.status, buf_span(&answer.body), ret);
	if (e == CALL_CREDENTIALS_FAILED && answer.status < 300)      /* memory, perhaps: these tokens come only once */
		e = oauth_read(answer.status, buf_span(&answer.body), ret);
	secret_wipe(answer.body.data, answer.body.room);
	upstream_answer_done(&answer);
	return e;
}

enum call_error oauth_ask(const struct connection *c, struct oauth_tokens *ret)
{
	struct secret *body = oauth_body(c);
	struct secret *header = c->auth.in_body ? NULL : client_header(c);
	struct transfer t = {
		.connection = c, .method = "POST", .url = c->auth.token_url, .header = header, .has_body = true,
		.headers = span_str(c->auth.json ? "Content-Type: application/json\r\nAccept: application/json\r\n"
						 : "Content-Type: application/x-www-form-urlencoded\r\n"
						   "Accept: application/json\r\n"),
		.timeout_ms = ASK_MS, .answer_max = ANSWER_MAX,
	};
	enum call_error e = CALL_CREDENTIALS_FAILED;

	*ret = (struct oauth_tokens){ 0 };
	if (body && (header || c->auth.in_body)) {
		t.body = secret_span(body);
		e = exchange(&t, ret);
	}
	secret_free(body);
	secret_free(header);
	return e;
}
