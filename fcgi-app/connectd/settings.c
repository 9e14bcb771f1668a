/* settings.c -- one table names the members of a connection, what they may hold and where they go. */
#include "fcgi-app/connectd/settings.h"

#include "fcgi-app/connectd/address.h"
#include "fcgi-app/connectd/allow.h"

#include "base/text.h"
#include "site/site.h"

#include <stdint.h>
#include <stdlib.h>

#define TEXT_MAX 1024
#define CA_MAX (256 * 1024)
#define PREFIX_MAX 65

struct setting {
	const char *name;
	bool (*take)(struct connection *c, const json_t *value, struct why *why);  /* value NULL: absent */
};

/* ---- text ---- */

static bool ordinary(const json_t *value, size_t max)
{
	struct span s = json_span(value);

	return json_is_string(value) && s.size > 0 && s.size <= max && text_fits_header(s);
}

/* Absent is fine and leaves *ret. */
static bool take_text(const json_t *object, const char *name, const char **ret, struct why *why)
{
	const json_t *value = json_object_get(object, name);

	if (value && !ordinary(value, TEXT_MAX)) {
		why_set(why, "%s must be text of 1 to %d bytes, without control characters and without white space at an end",
			name, TEXT_MAX);
		return false;
	}
	*ret = value ? json_string_value(value) : NULL;
	return true;
}

static bool need_text(const json_t *object, const char *name, const char **ret, struct why *why)
{
	if (!take_text(object, name, ret, why))
		return false;
	if (!*ret)
		why_set(why, "%s is missing", name);
	return *ret != NULL;
}

static bool take_name(struct connection *c, const json_t *value, struct why *why)
{
	(void)c;
	if (!connection_name_ok(json_span(value)))
		why_set(why, "name must be 1 to 63 of a-z 0-9 _ - and begin with a letter");
	return connection_name_ok(json_span(value));
}

static bool take_provider(struct connection *c, const json_t *value, struct why *why)
{
	c->provider = json_string_value(value);
	if (!connection_name_ok(json_span(value)))
		why_set(why, "provider must be 1 to 63 of a-z 0-9 _ - and begin with a letter");
	return connection_name_ok(json_span(value));
}

/* ---- URLs ---- */

static bool host_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr("-._:[]", c));
}

/* The authority's length; 0: there is none, or it holds what a host and a port do not, such as a user. */
static size_t authority_size(const char *s)
{
	size_t size = strcspn(s, "/?#");

	for (size_t i = 0; i < size; i++)
		if (!host_byte(s[i]))
			return 0;
	return s[0] == ':' ? 0 : size;
}

/* Past the scheme; NULL: it is none that this connection may use. */
static const char *after_scheme(const struct connection *c, const char *url)
{
	if (strncmp(url, "https://", 8) == 0)
		return url + 8;
	return c->http && strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static bool url_ok(const struct connection *c, const char *name, const char *url, struct why *why)
{
	const char *at = after_scheme(c, url);

	if (!at) {
		why_set(why, "%s must begin with https://, or with http:// where the connection allows plain http", name);
		return false;
	}
	if (authority_size(at) == 0 || strchr(url, '#') || strchr(url, ' ') || strchr(url, '\\')) {
		why_set(why, "%s must be a URL of host, port and path, without a user, without a fragment", name);
		return false;
	}
	return true;
}

static char *lower_copy(const char *s, size_t size)
{
	char *copy = malloc(size + 1);

	for (size_t i = 0; copy && i < size; i++)
		copy[i] = ascii_lower(s[i]);
	if (copy)
		copy[size] = '\0';
	return copy;
}

/* "http" stands before it in the table: it says which schemes there are. */
static bool take_base_url(struct connection *c, const json_t *value, struct why *why)
{
	const char *at, *path;

	if (!need_text(c->settings, "base_url", &c->base_url, why) || !url_ok(c, "base_url", c->base_url, why))
		return false;
	(void)value;
	at = after_scheme(c, c->base_url);
	path = at + authority_size(at);
	if (*path && (*path != '/' || !path_safe(span_str(path + 1)))) {
		why_set(why, "base_url: its path must be plain segments, without a trailing slash and without a query");
		return false;
	}
	c->authority = lower_copy(at, (size_t)(path - at));
	return c->authority != NULL;
}

/* ---- lists ---- */

static bool list_ok(const json_t *value, const char *name, struct why *why)
{
	if (!value || (json_is_array(value) && json_array_size(value) <= CONNECTION_LIST_MAX))
		return true;
	why_set(why, "%s must be an array of at most %d", name, CONNECTION_LIST_MAX);
	return false;
}

static bool texts_ok(const json_t *value, const char *name, bool (*ok)(struct span text, struct why *why), struct why *why)
{
	const json_t *one;
	size_t i;

	if (!list_ok(value, name, why))
		return false;
	json_array_foreach(value, i, one)
		if (!ok(json_span(one), why))
			return false;
	return true;
}

static bool site_ok(struct span id, struct why *why)
{
	char shown[64];

	if (!site_id_valid(id))
		why_set(why, "sites: \"%s\" is no site id", text_show(shown, sizeof(shown), id));
	return site_id_valid(id);
}

static bool take_sites(struct connection *c, const json_t *value, struct why *why)
{
	(void)c;
	return texts_ok(value, "sites", site_ok, why);
}

static bool take_allow(struct connection *c, const json_t *value, struct why *why)
{
	(void)c;
	return texts_ok(value, "allow", allow_rule_ok, why);
}

static bool take_private(struct connection *c, const json_t *value, struct why *why)
{
	const json_t *one;
	size_t i;

	if (!list_ok(value, "private", why))
		return false;
	if (json_array_size(value) == 0)
		return true;
	if (!(c->private_nets = calloc(json_array_size(value), sizeof(*c->private_nets))))
		return false;
	json_array_foreach(value, i, one) {
		if (!json_is_string(one) || !network_parse(json_string_value(one), &c->private_nets[i])) {
			why_set(why, "private: number %zu is no network such as 10.0.0.0/8 or fd00::/8", i + 1);
			return false;
		}
		c->private_count++;
	}
	return true;
}

/* ---- auth ---- */

struct auth_row {
	const char *name;
	enum auth_type type;
	const char *members;           /* between blanks */
	bool (*take)(struct auth *a, const struct connection *c, const json_t *object, struct why *why);
};

/* One of two words; absent: the first. */
static bool take_choice(const json_t *object, const char *name, const char *first, const char *second, bool *ret,
			struct why *why)
{
	const json_t *value = json_object_get(object, name);

	*ret = span_is(json_span(value), second);
	if (value && !*ret && !span_is(json_span(value), first)) {
		why_set(why, "auth: %s must be \"%s\" or \"%s\"", name, first, second);
		return false;
	}
	return true;
}

/* Headers that are the call's own, or the connection's; who sets them decides what is sent, and where. */
static bool header_ok(const char *name)
{
	static const char *const reserved[] = {
		"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade",
		"expect", "accept-encoding", "keep-alive",
	};

	for (const char *s = name; *s; s++)
		if (!ascii_is_alpha(*s) && !ascii_is_digit(*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (ascii_equal_nocase(span_str(name), reserved[i]))
			return false;
	return strlen(name) < 6 || !ascii_equal_nocase(span_of(name, 6), "proxy-");
}

static bool take_api_key(struct auth *a, const struct connection *c, const json_t *object, struct why *why)
{
	const json_t *prefix = json_object_get(object, "prefix");

	(void)c;
	if (!take_choice(object, "in", "header", "query", &a->in_query, why) || !need_text(object, "name", &a->name, why))
		return false;
	if (!a->in_query && !header_ok(a->name)) {
		why_set(why, "auth: name is no header that a key can be in");
		return false;
	}
	a->prefix = prefix ? json_string_value(prefix) : "";
	if (!a->prefix || strspn(a->prefix, " ") == strlen(a->prefix)) {
		a->prefix = "";
		return !prefix || json_is_string(prefix);
	}
	if (strlen(a->prefix) > PREFIX_MAX || !ascii_is_printable(span_str(a->prefix))) {   /* "Bearer " ends with a blank */
		why_set(why, "auth: prefix must be visible ASCII, of at most %d bytes", PREFIX_MAX);
		return false;
	}
	return true;
}

static bool take_basic(struct auth *a, const struct connection *c, const json_t *object, struct why *why)
{
	(void)c;
	if (!need_text(object, "username", &a->username, why))
		return false;
	if (strchr(a->username, ':'))
		why_set(why, "auth: a username has no colon");
	return !strchr(a->username, ':');
}

static bool take_extra(struct auth *a, const json_t *object, struct why *why)
{
	const json_t *extra = json_object_get(object, "extra"), *value;
	const char *name;

	if (extra && (!json_is_object(extra) || json_object_size(extra) > CONNECTION_LIST_MAX)) {
		why_set(why, "auth: extra must be an object of at most %d strings", CONNECTION_LIST_MAX);
		return false;
	}
	json_object_foreach((json_t *)(uintptr_t)extra, name, value) {
		if (!ordinary(value, TEXT_MAX) || !text_fits_header(span_str(name))) {
			why_set(why, "auth: extra must hold strings");
			return false;
		}
	}
	a->extra = extra;
	return true;
}

static bool take_oauth2(struct auth *a, const struct connection *c, const json_t *object, struct why *why)
{
	return need_text(object, "token_url", &a->token_url, why) && url_ok(c, "token_url", a->token_url, why) &&
	       need_text(object, "client_id", &a->client_id, why) && take_text(object, "scope", &a->scope, why) &&
	       take_choice(object, "auth_in", "header", "body", &a->in_body, why) &&
	       take_choice(object, "body", "form", "json", &a->json, why) && take_extra(a, object, why);
}

static bool take_none(struct auth *a, const struct connection *c, const json_t *object, struct why *why)
{
	(void)a;
	(void)c;
	(void)object;
	(void)why;
	return true;
}

#define OAUTH2_MEMBERS " type token_url client_id auth_in body scope extra "

static const struct auth_row auth_rows[] = {
	{ "none", AUTH_NONE, " type ", take_none },
	{ "api_key", AUTH_API_KEY, " type in name prefix ", take_api_key },
	{ "basic", AUTH_BASIC, " type username ", take_basic },
	{ "oauth2_refresh", AUTH_OAUTH2_REFRESH, OAUTH2_MEMBERS, take_oauth2 },
	{ "oauth2_client", AUTH_OAUTH2_CLIENT, OAUTH2_MEMBERS, take_oauth2 },
};

static bool among(const char *list, const char *name)
{
	char word[64];

	return snprintf(word, sizeof(word), " %s ", name) < (int)sizeof(word) && strstr(list, word);
}

static bool auth_members_ok(const struct auth_row *row, const json_t *object, struct why *why)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		char shown[64];

		if (among(row->members, name))
			continue;
		why_set(why, "auth: type %s has no \"%s\"", row->name, text_show(shown, sizeof(shown), span_str(name)));
		return false;
	}
	return true;
}

static bool take_auth(struct connection *c, const json_t *value, struct why *why)
{
	const json_t *type = json_object_get(value, "type");

	for (size_t i = 0; i < ARRAY_LEN(auth_rows); i++) {
		if (!span_is(json_span(type), auth_rows[i].name))
			continue;
		c->auth.type = auth_rows[i].type;
		return auth_members_ok(&auth_rows[i], value, why) && auth_rows[i].take(&c->auth, c, value, why);
	}
	why_set(why, "auth: type must be api_key, basic, oauth2_refresh, oauth2_client or none");
	return false;
}

/* ---- the others ---- */

static bool take_http(struct connection *c, const json_t *value, struct why *why)
{
	c->http = json_is_true(value);
	if (value && !json_is_boolean(value))
		why_set(why, "http must be true or false");
	return !value || json_is_boolean(value);
}

static bool take_ca_pem(struct connection *c, const json_t *value, struct why *why)
{
	c->ca_pem = json_string_value(value);
	if (!value || (c->ca_pem && strstr(c->ca_pem, "-----BEGIN CERTIFICATE-----") && strlen(c->ca_pem) <= CA_MAX))
		return true;
	why_set(why, "ca_pem must be certificates in PEM, at most %d bytes", CA_MAX);
	return false;
}

static bool take_concurrency(struct connection *c, const json_t *value, struct why *why)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 1 || n > CONCURRENCY_MAX) {
		why_set(why, "concurrency must be 1 to %d", CONCURRENCY_MAX);
		return false;
	}
	c->concurrency = (unsigned)n;
	return true;
}

static bool take_test(struct connection *c, const json_t *value, struct why *why)
{
	(void)value;
	if (!take_text(c->settings, "test", &c->test, why))
		return false;
	if (c->test && (strncmp(c->test, "GET /", 5) != 0 || !path_safe(span_str(c->test + 5)))) {
		why_set(why, "test must be GET and a path, such as GET /me");
		return false;
	}
	return true;
}

/* In the order in which they need each other. */
static const struct setting rows[] = {
	{ "name", take_name }, { "provider", take_provider }, { "http", take_http }, { "base_url", take_base_url },
	{ "sites", take_sites }, { "allow", take_allow }, { "auth", take_auth }, { "private", take_private },
	{ "ca_pem", take_ca_pem }, { "concurrency", take_concurrency }, { "test", take_test },
};

static bool is_setting(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return true;
	return false;
}

static bool members_ok(const json_t *settings, struct why *why)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)settings, name, value) {
		char shown[64];

		if (is_setting(name))
			continue;
		why_set(why, "a connection has no \"%s\"", text_show(shown, sizeof(shown), span_str(name)));
		return false;
	}
	return true;
}

/* What was not said, said: what is shown later is what holds. */
static bool put_defaults(const char *name, json_t *settings)
{
	json_t *defaults = json_pack("{s:s, s:s, s:[], s:[], s:[], s:b, s:i}", "name", name, "provider", name, "sites", "allow",
				     "private", "http", 0, "concurrency", CONCURRENCY_DEFAULT);
	bool ok = defaults && json_object_update_missing(settings, defaults) == 0;

	json_decref(defaults);
	return ok;
}

enum rc settings_take(const char *name, const json_t *body, struct connection *c, struct why *why)
{
	if (!json_is_object(body)) {
		why_set(why, "a connection is a JSON object");
		return RC_INVALID;
	}
	if (!(c->settings = json_deep_copy(body)))
		return RC_NOMEM;
	json_object_del(c->settings, "secret");
	json_object_del(c->settings, "ca");
	if (!put_defaults(name, c->settings))
		return RC_NOMEM;
	c->name = json_string_value(json_object_get(c->settings, "name"));
	if (!c->name || strcmp(c->name, name) != 0) {
		why_set(why, "its name is another one");
		return RC_INVALID;
	}
	if (!members_ok(c->settings, why))
		return RC_INVALID;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].take(c, json_object_get(c->settings, rows[i].name), why))
			return RC_INVALID;
	return RC_OK;
}
