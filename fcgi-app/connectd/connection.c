/* connection.c -- a connection's settings as JSON: checked whole when they come in, checked again when they are read. */
#include "fcgi-app/connectd/connection.h"

#include "fcgi-app/connectd/allow.h"
#include "fcgi-app/connectd/settings.h"

#include "base/text.h"

#include <stdlib.h>

static const struct { const char *code; int status; } errors[] = {
	[CALL_OK] = { "", 200 },
	[CALL_REQUEST_MALFORMED] = { "request_malformed", 400 },
	[CALL_CONNECTION_UNKNOWN] = { "connection_unknown", 404 },
	[CALL_CONNECTION_DENIED] = { "connection_denied", 403 },
	[CALL_REAUTH_NEEDED] = { "reauth_needed", 424 },
	[CALL_CREDENTIALS_FAILED] = { "credentials_failed", 502 },
	[CALL_UPSTREAM_UNREACHABLE] = { "upstream_unreachable", 502 },
	[CALL_UPSTREAM_UNSAFE] = { "upstream_unsafe", 502 },
	[CALL_ANSWER_TOO_LARGE] = { "answer_too_large", 502 },
	[CALL_UPSTREAM_TIMEOUT] = { "upstream_timeout", 504 },
	[CALL_CONNECTION_BUSY] = { "connection_busy", 503 },
};

const char *call_error_code(enum call_error e)
{
	return errors[e].code;
}

int call_error_status(enum call_error e)
{
	return errors[e].status;
}

bool connection_name_ok(struct span name)
{
	const char *s = name.data;

	if (name.size == 0 || name.size > CONNECTION_NAME_MAX || s[0] < 'a' || s[0] > 'z')
		return false;
	for (size_t i = 1; i < name.size; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !ascii_is_digit(s[i]) && s[i] != '_' && s[i] != '-')
			return false;
	return true;
}

/* ---- secrets ---- */

struct secret_row {
	const char *name;
	enum auth_type type;
	size_t offset;                 /* in struct connection */
};

#define SECRET(type, name) { #name, type, offsetof(struct connection, name) }

static const struct secret_row secret_rows[] = {
	SECRET(AUTH_API_KEY, api_key),
	SECRET(AUTH_BASIC, password),
	SECRET(AUTH_OAUTH2_REFRESH, client_secret),
	SECRET(AUTH_OAUTH2_REFRESH, refresh_token),
	SECRET(AUTH_OAUTH2_CLIENT, client_secret),
};

static struct secret **secret_at(struct connection *c, const struct secret_row *row)
{
	return (struct secret **)(void *)((char *)c + row->offset);
}

/* What goes into a header goes in whole and ends no line. */
bool connection_secret_ok(struct span s)
{
	return s.size > 0 && s.size <= CONNECTION_SECRET_MAX && text_fits_header(s);
}

static enum rc take_secret(struct connection *c, const struct secret_row *row, const json_t *value, struct why *why)
{
	struct secret **at = secret_at(c, row), *new;

	if (!json_is_string(value) || !connection_secret_ok(json_span(value))) {
		why_set(why, "secret: %s must be 1 to %d bytes of text, without control characters and without white space at an end",
			row->name, CONNECTION_SECRET_MAX);
		return RC_INVALID;
	}
	if (!(new = secret_copy(json_span(value))))
		return RC_NOMEM;
	secret_free(*at);
	*at = new;
	return RC_OK;
}

/* Members that its type has; whether they must all be there is the caller's business. */
static enum rc take_secrets(struct connection *c, const json_t *object, size_t *ret_count, struct why *why)
{
	enum rc rc = RC_OK;

	*ret_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(secret_rows) && rc == RC_OK; i++) {
		const json_t *value = json_object_get(object, secret_rows[i].name);

		if (secret_rows[i].type != c->auth.type || !value)
			continue;
		rc = take_secret(c, &secret_rows[i], value, why);
		++*ret_count;
	}
	if (rc == RC_OK && json_object_size(object) != *ret_count) {
		why_set(why, "secret: it has members that this type of auth has not");
		rc = RC_INVALID;
	}
	return rc;
}

static enum rc secrets_complete(struct connection *c, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(secret_rows); i++) {
		if (secret_rows[i].type == c->auth.type && !*secret_at(c, &secret_rows[i])) {
			why_set(why, "secret: %s is missing", secret_rows[i].name);
			return RC_INVALID;
		}
	}
	return RC_OK;
}

/* ---- the admin's words ---- */

static enum rc parse(const char *name, const json_t *body, struct connection *c, struct why *why)
{
	const json_t *secret = json_object_get(body, "secret");
	size_t count;
	enum rc rc;

	if (secret && !json_is_object(secret)) {
		why_set(why, "secret: it must be an object");
		return RC_INVALID;
	}
	if ((rc = settings_take(name, body, c, why)) != RC_OK || (rc = take_secrets(c, secret, &count, why)) != RC_OK)
		return rc;
	return secrets_complete(c, why);
}

enum rc connection_parse(const char *name, const json_t *body, int64_t now, struct connection *ret, struct why *why)
{
	enum rc rc;

	*ret = (struct connection){ .created_at = now, .state_since = now };
	if ((rc = parse(name, body, ret, why)) != RC_OK)
		connection_done(ret);
	return rc;
}

enum rc connection_rotate(struct connection *c, const json_t *secret, int64_t now, struct why *why)
{
	size_t count;
	enum rc rc;

	if (!json_is_object(secret) || json_object_size(secret) == 0) {
		why_set(why, "secret: give the new one");
		return RC_INVALID;
	}
	if ((rc = take_secrets(c, secret, &count, why)) != RC_OK)
		return rc;
	secret_free(c->access_token);
	c->access_token = NULL;
	c->expires_at = 0;
	if (c->reauth_needed)
		c->state_since = now;
	c->reauth_needed = false;
	c->last_error[0] = '\0';
	c->rotated_at = now;
	return RC_OK;
}

/* ---- what is shown ---- */

struct time_row { const char *name; size_t offset; };

#define TIME(name) { #name, offsetof(struct connection, name) }

static const struct time_row time_rows[] = {
	TIME(state_since), TIME(created_at), TIME(rotated_at), TIME(refreshed_at), TIME(expires_at),
};

static int64_t *time_at(const struct connection *c, const struct time_row *row)
{
	return (int64_t *)(void *)((char *)(uintptr_t)c + row->offset);
}

/* Times that never came are left out. */
static bool put_state(json_t *object, const struct connection *c)
{
	bool ok = json_object_set_new(object, "state", json_string(c->reauth_needed ? "reauth_needed" : "ok")) == 0;

	for (size_t i = 0; i < ARRAY_LEN(time_rows); i++)
		if (*time_at(c, &time_rows[i]) != 0)
			ok &= json_object_set_new(object, time_rows[i].name, json_integer(*time_at(c, &time_rows[i]))) == 0;
	if (c->last_error[0])
		ok &= json_object_set_new(object, "last_error", json_string(c->last_error)) == 0;
	return ok;
}

/* Of the extra token parameters the names alone: what a token server wants beside the secret may be one too. */
static bool put_auth(json_t *object, const struct connection *c)
{
	json_t *auth = json_copy(json_object_get(c->settings, "auth")), *names = json_array();
	bool ok = auth && names;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)c->auth.extra, name, value)
		ok = ok && json_array_append_new(names, json_string(name)) == 0;
	if (ok && c->auth.extra)
		ok = json_object_set(auth, "extra", names) == 0;
	ok = ok && json_object_set(object, "auth", auth) == 0;
	json_decref(names);
	json_decref(auth);
	return ok;
}

json_t *connection_public(const struct connection *c)
{
	json_t *shown = json_copy(c->settings);

	if (!shown)
		return NULL;
	json_object_del(shown, "ca_pem");
	if (json_object_set_new(shown, "ca", json_boolean(c->ca_pem)) != 0 || !put_auth(shown, c) || !put_state(shown, c)) {
		json_decref(shown);
		return NULL;
	}
	return shown;
}

/* ---- what is sealed ---- */

static json_t *secret_json(const struct secret *s)
{
	return json_stringn((const char *)s->data, s->size);
}

static bool put_secrets(json_t *object, struct connection *c)
{
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < ARRAY_LEN(secret_rows); i++)
		if (secret_rows[i].type == c->auth.type && *secret_at(c, &secret_rows[i]))
			ok = json_object_set_new(object, secret_rows[i].name, secret_json(*secret_at(c, &secret_rows[i]))) == 0;
	return ok;
}

static struct secret *json_secret(const json_t *value)
{
	size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
	struct secret *s = size ? secret_new(size) : NULL;

	if (s && json_dumpb(value, (char *)s->data, size, JSON_COMPACT) != size) {
		secret_free(s);
		return NULL;
	}
	return s;
}

struct secret *connection_write(const struct connection *c)
{
	json_t *all = json_object(), *secrets = json_object(), *state = json_object();
	struct connection same = *c;
	struct secret *text = NULL;
	bool ok = all && state && put_secrets(secrets, &same) && put_state(state, c);

	if (ok && c->access_token)
		ok = json_object_set_new(all, "access_token", secret_json(c->access_token)) == 0;
	if (ok && json_object_set(all, "settings", c->settings) == 0 && json_object_set(all, "secrets", secrets) == 0 &&
	    json_object_set(all, "state", state) == 0)
		text = json_secret(all);
	json_decref(all);
	json_decref(secrets);
	json_decref(state);
	return text;
}

static enum rc take_state(struct connection *c, const json_t *state)
{
	const char *error = json_string_value(json_object_get(state, "last_error"));

	for (size_t i = 0; i < ARRAY_LEN(time_rows); i++)
		*time_at(c, &time_rows[i]) = json_integer_value(json_object_get(state, time_rows[i].name));
	c->reauth_needed = !span_is(json_span(json_object_get(state, "state")), "ok");
	if (error && strlen(error) < sizeof(c->last_error))
		memcpy(c->last_error, error, strlen(error) + 1);
	return RC_OK;
}

static enum rc read_all(const char *name, const json_t *all, struct connection *c)
{
	const json_t *access = json_object_get(all, "access_token");
	size_t count;
	enum rc rc = settings_take(name, json_object_get(all, "settings"), c, NULL);

	if (rc == RC_OK)
		rc = take_secrets(c, json_object_get(all, "secrets"), &count, NULL);
	if (rc == RC_OK)
		rc = secrets_complete(c, NULL);
	if (rc == RC_OK && access && !(c->access_token = secret_copy(json_span(access))))
		rc = RC_NOMEM;
	return rc == RC_OK ? take_state(c, json_object_get(all, "state")) : rc;
}

enum rc connection_read(const char *name, const struct secret *text, struct connection *ret)
{
	json_t *all = NULL;
	enum rc rc = json_strict(secret_span(text), 8, &all, NULL);

	*ret = (struct connection){ 0 };
	if (rc == RC_OK && (rc = read_all(name, all, ret)) != RC_OK)
		connection_done(ret);
	json_decref(all);
	return rc == RC_INVALID ? RC_CORRUPT : rc;
}

void connection_done(struct connection *c)
{
	struct secret *secrets[] = { c->api_key, c->password, c->client_secret, c->refresh_token, c->access_token };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		secret_free(secrets[i]);
	json_decref(c->settings);
	free(c->authority);
	free(c->private_nets);
	*c = (struct connection){ 0 };
}

/* ---- what it serves ---- */

bool connection_serves_site(const struct connection *c, struct span site)
{
	const json_t *sites = json_object_get(c->settings, "sites"), *one;
	size_t i;

	json_array_foreach(sites, i, one)
		if (span_equal(json_span(one), site))
			return true;
	return false;
}

bool connection_allows(const struct connection *c, struct span method, struct span path)
{
	const json_t *rules = json_object_get(c->settings, "allow"), *rule;
	size_t i;

	if (!path_safe(path))
		return false;
	json_array_foreach(rules, i, rule)
		if (allow_matches(json_span(rule), method, path))
			return true;
	return false;
}
