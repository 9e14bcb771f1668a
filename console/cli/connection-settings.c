/* connection-settings.c -- the options of `connection add` as the JSON that postern-connectd takes. What they mean to a
 * call is connectd's business, and so is whether they are sound; here is only what it could not say in the words of the
 * command line. */
#include "console/cli/cli.h"
#include "base/file.h"

#define CA_MAX (256 * 1024)
#define CONCURRENCY_DEFAULT 16

enum { API_KEY = 1, BASIC = 2, REFRESH = 4, CLIENT = 8, OAUTH = REFRESH | CLIENT };

static const struct auth_row { const char *word, *type; unsigned bit; } types[] = {
	{ "api-key", "api_key", API_KEY },
	{ "basic", "basic", BASIC },
	{ "oauth2-refresh", "oauth2_refresh", REFRESH },
	{ "oauth2-client", "oauth2_client", CLIENT },
	{ "none", "none", 0 },
};

/* Options of one kind of auth only. member NULL: it is made by hand. */
static const struct { enum opt opt; unsigned types; const char *member, *otherwise; bool needed; } rows[] = {
	{ OPT_HEADER, API_KEY, NULL, NULL, false },
	{ OPT_QUERY, API_KEY, NULL, NULL, false },
	{ OPT_PREFIX, API_KEY, NULL, NULL, false },
	{ OPT_USERNAME, BASIC, "username", NULL, true },
	{ OPT_TOKEN_URL, OAUTH, "token_url", NULL, true },
	{ OPT_CLIENT_ID, OAUTH, "client_id", NULL, true },
	{ OPT_AUTH_IN, OAUTH, "auth_in", "header", false },
	{ OPT_BODY, OAUTH, "body", "form", false },
	{ OPT_SCOPE, OAUTH, "scope", NULL, false },
	{ OPT_EXTRA, OAUTH, NULL, NULL, false },
};

static const struct auth_row *auth_of(const struct call *c)
{
	const char *word = c->args.text[OPT_AUTH] ? c->args.text[OPT_AUTH] : types[0].word;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].word, word) == 0)
			return &types[i];
	usage_error(c, "--auth: \"%s\" is none of api-key, basic, oauth2-refresh, oauth2-client, none", word);
	return NULL;
}

static bool fits(const struct call *c, const struct auth_row *auth)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = option_rows[rows[i].opt].name;

		if (args_given(&c->args, rows[i].opt) && !(rows[i].types & auth->bit)) {
			usage_error(c, "--%s is not for --auth %s", name, auth->word);
			return false;
		}
		if (rows[i].needed && rows[i].types & auth->bit && !args_given(&c->args, rows[i].opt)) {
			usage_error(c, "--auth %s needs --%s", auth->word, name);
			return false;
		}
	}
	if (args_given(&c->args, OPT_QUERY) && (args_given(&c->args, OPT_HEADER) || args_given(&c->args, OPT_PREFIX))) {
		usage_error(c, "--query goes without --header and --prefix");
		return false;
	}
	return true;
}

/* What stands in an argument stands in /proc, in the shell's history and in the record of this change. */
static bool url_bare(const struct call *c, enum opt o)
{
	const char *url = c->args.text[o];

	if (!url || !strpbrk(url, "@?#"))
		return true;
	usage_error(c, "--%s: no user, password, query or # part may be in it: others can read it", option_rows[o].name);
	return false;
}

/* ---- JSON; each false where there is no memory, or the text is not UTF-8 ---- */

static bool set_text(json_t *object, const char *member, const char *text)
{
	return !text || json_object_set_new(object, member, json_string(text)) == 0;
}

static bool set_list(json_t *object, const char *member, const struct arguments *a, enum opt o)
{
	json_t *list = json_array();
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < a->listed_count; i++)
		if (a->listed[i].opt == o)
			ok = json_array_append_new(list, json_string(a->listed[i].value)) == 0;
	return json_object_set_new(object, member, list) == 0 && ok;
}

static bool set_key_place(json_t *auth, const struct arguments *a)
{
	const char *header = a->text[OPT_HEADER], *prefix = a->text[OPT_PREFIX], *query = a->text[OPT_QUERY];

	if (query)
		return set_text(auth, "in", "query") && set_text(auth, "name", query);
	if (!prefix)
		prefix = header ? "" : "Bearer ";
	return set_text(auth, "in", "header") && set_text(auth, "name", header ? header : "Authorization") &&
	       set_text(auth, "prefix", prefix);
}

/* A K=V without its = has no name. */
static bool set_extra(json_t *auth, const struct arguments *a)
{
	json_t *extra = json_object();
	bool ok = extra != NULL;

	for (size_t i = 0; ok && i < a->listed_count; i++) {
		const char *value = a->listed[i].value, *equals = strchr(value, '=');
		char name[128] = "";

		if (a->listed[i].opt != OPT_EXTRA)
			continue;
		ok = equals && equals > value && (size_t)(equals - value) < sizeof(name);
		if (ok)
			memcpy(name, value, (size_t)(equals - value));
		ok = ok && json_object_set_new(extra, name, json_string(equals + 1)) == 0;
	}
	return json_object_set_new(auth, "extra", extra) == 0 && ok;
}

static bool set_auth(json_t *object, const struct arguments *a, const struct auth_row *type)
{
	json_t *auth = json_pack("{ss}", "type", type->type);
	bool ok = auth != NULL;

	for (size_t i = 0; ok && i < ARRAY_LEN(rows); i++)
		if (rows[i].types & type->bit && rows[i].member)
			ok = set_text(auth, rows[i].member,
			              args_given(a, rows[i].opt) ? a->text[rows[i].opt] : rows[i].otherwise);
	if (type->bit & API_KEY)
		ok = ok && set_key_place(auth, a);
	if (args_given(a, OPT_EXTRA))
		ok = ok && set_extra(auth, a);
	return json_object_set_new(object, "auth", auth) == 0 && ok;
}

static bool set_all(json_t *s, const struct call *c, const struct auth_row *auth)
{
	const struct arguments *a = &c->args;
	const char *name = a->operand[0];
	uint64_t most = args_given(a, OPT_CONCURRENCY) ? a->number[OPT_CONCURRENCY] : CONCURRENCY_DEFAULT;

	return set_text(s, "name", name) && set_text(s, "provider", a->text[OPT_PROVIDER] ? a->text[OPT_PROVIDER] : name) &&
	       set_text(s, "base_url", a->text[OPT_BASE_URL]) && set_text(s, "test", a->text[OPT_TEST]) &&
	       set_list(s, "sites", a, OPT_SITE) && set_list(s, "allow", a, OPT_ALLOW) &&
	       set_list(s, "private", a, OPT_ALLOW_NETWORK) && set_auth(s, a, auth) &&
	       json_object_set_new(s, "http", json_boolean(args_given(a, OPT_ALLOW_HTTP))) == 0 &&
	       json_object_set_new(s, "concurrency", json_integer((json_int_t)most)) == 0;
}

static int add_ca(json_t *s, const struct call *c)
{
	const char *path = c->args.text[OPT_CA_FILE];
	struct buf pem = BUF_INIT;
	enum rc rc = path ? file_read(path, CA_MAX, &pem) : RC_OK;
	int code = EXIT_YES;

	if (rc != RC_OK) {
		talk("--ca-file: %s: %s", path, rc_text(rc));
		code = rc == RC_INVALID ? EXIT_USAGE : EXIT_UNSURE;
	} else if (path && json_object_set_new(s, "ca_pem", json_stringn(pem.data, pem.size)) != 0) {
		talk("--ca-file: %s is no text", path);
		code = EXIT_USAGE;
	}
	buf_done(&pem);
	return code;
}

json_t *connection_settings(const struct call *c, int *ret_code)
{
	const struct auth_row *auth = auth_of(c);
	json_t *s;

	*ret_code = EXIT_USAGE;
	if (!auth || !fits(c, auth) || !url_bare(c, OPT_BASE_URL) || !url_bare(c, OPT_TOKEN_URL))
		return NULL;
	if (!admin_connection_name_ok(c->args.operand[0])) {
		usage_error(c, "a connection's name is a lower-case letter, then up to 62 of a-z, 0-9, _ and -");
		return NULL;
	}
	s = json_object();
	if (!set_all(s, c, auth))
		usage_error(c, "an option's value is no UTF-8 text, or --extra is not NAME=VALUE");
	else if ((*ret_code = add_ca(s, c)) == EXIT_YES)
		return s;
	json_decref(s);
	return NULL;
}
