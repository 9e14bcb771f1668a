/* admin.c -- the admin API: one table of what there is to ask. Secrets come in and never go out. */
#include "fcgi-app/connectd/admin.h"

#include "fcgi-app/connectd/credentials.h"
#include "fcgi-app/connectd/proxy.h"

#include "base/clock.h"
#include "base/log.h"

struct ask {
	struct connect_store *store;
	char name[CONNECTION_NAME_MAX + 1];
	const struct request *request;
	struct answer *answer;
};

/* ---- answers ---- */

static void say(struct answer *ret, int status, const json_t *value)
{
	ret->status = value ? status : 500;
	answer_header_add(ret, "Content-Type", "application/json");
	if (value)
		json_canonical(&ret->body, value);
}

/* Takes the reference. */
static void say_new(struct answer *ret, int status, json_t *value)
{
	say(ret, status, value);
	json_decref(value);
}

static void say_error(struct answer *ret, int status, const char *code, const char *detail)
{
	json_t *value = json_pack("{s:s}", "error", code);

	if (value && detail)
		json_object_set_new(value, "detail", json_string(detail));
	say_new(ret, status, value);
}

static const struct { enum rc rc; int status; const char *code; } errors[] = {
	{ RC_NOT_FOUND, 404, "connection_unknown" },
	{ RC_EXISTS, 409, "connection_exists" },
	{ RC_INVALID, 400, "connection_invalid" },
	{ RC_UNSEALED, 500, "connection_unreadable" },
	{ RC_CORRUPT, 500, "connection_unreadable" },
};

static void say_rc(struct answer *ret, enum rc rc, const struct why *why)
{
	const char *detail = why && why->text[0] ? why->text : rc_text(rc);

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (errors[i].rc == rc) {
			say_error(ret, errors[i].status, errors[i].code, detail);
			return;
		}
	}
	say_error(ret, 500, "store_failed", detail);
}

/* ---- one connection ---- */

/* Something of a connection that does not open is shown too: its name, so that it can be removed. */
static enum rc add_shown(const struct connect_store *s, const char *name, json_t *all)
{
	struct connection c;
	enum rc rc = connect_store_load(s, name, &c);
	json_t *value;

	if (rc == RC_NOT_FOUND)
		return RC_OK;
	if (rc == RC_NOMEM)
		return rc;
	if (rc == RC_OK) {
		value = connection_public(&c);
		connection_done(&c);
	} else {
		value = json_pack("{s:s, s:s, s:s, s:[], s:[], s:{s:s}, s:s}", "name", name, "provider", "", "base_url", "",
				  "sites", "allow", "auth", "type", "none", "state", "unreadable");
	}
	return json_array_append_new(all, value) == 0 ? RC_OK : RC_NOMEM;
}

static void list(const struct ask *a)
{
	json_t *names = NULL, *all = json_array();
	enum rc rc = connect_store_names(a->store, &names);

	for (size_t i = 0; rc == RC_OK && i < json_array_size(names); i++)
		rc = add_shown(a->store, json_string_value(json_array_get(names, i)), all);
	json_decref(names);
	if (rc == RC_OK) {
		say_new(a->answer, 200, json_pack("{s:o}", "connections", all));
	} else {
		json_decref(all);
		say_rc(a->answer, rc, NULL);
	}
}

static bool load(const struct ask *a, struct connection *ret)
{
	enum rc rc = connect_store_load(a->store, a->name, ret);

	if (rc != RC_OK)
		say_rc(a->answer, rc, NULL);
	return rc == RC_OK;
}

static void show(const struct ask *a)
{
	struct connection c;

	if (!load(a, &c))
		return;
	say_new(a->answer, 200, connection_public(&c));
	connection_done(&c);
}

static bool body_read(const struct ask *a, json_t **ret)
{
	struct why why = { "" };
	enum rc rc = a->request->too_large ? RC_INVALID : json_strict(a->request->body, 8, ret, &why);

	if (rc == RC_NOMEM)
		say_rc(a->answer, rc, NULL);
	else if (rc != RC_OK)
		say_error(a->answer, 400, "connection_invalid", a->request->too_large ? "the body is too large" : "the body is not JSON");
	return rc == RC_OK;
}

static enum rc save_new(const struct ask *a, const struct connection *c)
{
	struct connection there;
	int lock;
	enum rc rc = connect_store_lock(a->store, c->name, &lock);

	if (rc != RC_OK)
		return rc;
	rc = connect_store_load(a->store, c->name, &there);
	if (rc == RC_OK)
		connection_done(&there);
	if (rc == RC_NOT_FOUND)
		rc = connect_store_save(a->store, c);
	else if (rc != RC_NOMEM && rc != RC_IO)        /* one that does not open is there, too */
		rc = RC_EXISTS;
	connect_store_unlock(a->store, a->name, lock);
	return rc;
}

static void add(const struct ask *a)
{
	struct connection c = { 0 };
	struct why why = { "" };
	json_t *body;
	enum rc rc;

	if (!body_read(a, &body))
		return;
	rc = connection_parse(a->name, body, (int64_t)clock_s(), &c, &why);
	json_decref(body);
	if (rc == RC_OK)
		rc = save_new(a, &c);
	if (rc == RC_OK) {
		log_line(LOG_LEVEL_INFO, "connection %s was added", a->name);
		say_new(a->answer, 201, connection_public(&c));
	} else {
		say_rc(a->answer, rc, &why);
	}
	connection_done(&c);
}

/* Under the lock: a refresh that is under way saves its tokens first, and then they are dropped. */
static enum rc rotate_locked(const struct ask *a, const json_t *secret, struct connection *c, struct why *why)
{
	int lock;
	enum rc rc = connect_store_lock(a->store, a->name, &lock);

	if (rc != RC_OK)
		return rc;
	if ((rc = connect_store_load(a->store, a->name, c)) == RC_OK &&
	    (rc = connection_rotate(c, secret, (int64_t)clock_s(), why)) == RC_OK)
		rc = connect_store_save(a->store, c);
	connect_store_unlock(a->store, a->name, lock);
	credentials_try_now(a->name);
	return rc;
}

/* A name that nobody has leaves no lock's file behind. */
static bool is_there(const struct ask *a)
{
	struct connection c;
	enum rc rc = connect_store_load(a->store, a->name, &c);

	if (rc == RC_OK)
		connection_done(&c);
	else if (rc == RC_NOT_FOUND)
		say_rc(a->answer, rc, NULL);
	return rc != RC_NOT_FOUND;
}

static void rotate(const struct ask *a)
{
	struct connection c = { 0 };
	struct why why = { "" };
	json_t *body;
	enum rc rc;

	if (!is_there(a) || !body_read(a, &body))
		return;
	rc = rotate_locked(a, json_object_get(body, "secret"), &c, &why);
	json_decref(body);
	if (rc == RC_OK) {
		log_line(LOG_LEVEL_INFO, "connection %s has new secrets", a->name);
		say_new(a->answer, 200, connection_public(&c));
	} else {
		say_rc(a->answer, rc, &why);
	}
	connection_done(&c);
}

static void discard(const struct ask *a)
{
	int lock;
	enum rc rc;

	if (!is_there(a))
		return;
	if ((rc = connect_store_lock(a->store, a->name, &lock)) == RC_OK) {
		rc = connect_store_remove(a->store, a->name);
		connect_store_unlock(a->store, a->name, lock);
		credentials_try_now(a->name);
	}
	if (rc != RC_OK) {
		say_rc(a->answer, rc, NULL);
		return;
	}
	log_line(LOG_LEVEL_INFO, "connection %s was removed", a->name);
	say_new(a->answer, 200, json_pack("{s:s}", "name", a->name));
}

/* ---- test ---- */

static const char *const details[] = {
	[CALL_OK] = "the upstream accepts the credential",
	[CALL_REQUEST_MALFORMED] = "the test call is not well formed",
	[CALL_CONNECTION_UNKNOWN] = "the connection was removed meanwhile",
	[CALL_CONNECTION_DENIED] = "the connection does not serve this",
	[CALL_REAUTH_NEEDED] = "the token endpoint refuses the refresh token: authorise anew and run postern connection rotate",
	[CALL_CREDENTIALS_FAILED] = "the token endpoint gave no token",
	[CALL_UPSTREAM_UNREACHABLE] = "the upstream cannot be reached: its name, its address, its certificate or its answer",
	[CALL_UPSTREAM_UNSAFE] = "the upstream's address or scheme is not permitted, or it redirects",
	[CALL_ANSWER_TOO_LARGE] = "the upstream's answer is too large",
	[CALL_UPSTREAM_TIMEOUT] = "the upstream did not answer in time",
	[CALL_CONNECTION_BUSY] = "the connection is busy",
};

static void say_tested(struct answer *ret, enum call_error e, int status, const char *detail)
{
	bool ok = e == CALL_OK && status >= 200 && status < 300;
	json_t *value = json_pack("{s:b, s:s}", "ok", ok, "detail", detail);

	if (value && status > 0)
		json_object_set_new(value, "status", json_integer(status));
	if (value && e != CALL_OK)
		json_object_set_new(value, "error", json_string(call_error_code(e)));
	say_new(ret, 200, value);
}

static void call_test(const struct ask *a, struct connection *c)
{
	struct upstream_call call = {
		.method = "GET", .timeout_ms = TIMEOUT_DEFAULT_MS, .answer_max = ANSWER_DEFAULT,
		.path = span_str(c->test + strlen("GET /")),
	};
	struct upstream_answer answer = { .retry_after = -1 };
	char path[1100];
	enum call_error e;

	snprintf(path, sizeof(path), "%s", (const char *)call.path.data);  /* c may be loaded anew */
	call.path = span_str(path);
	e = proxy_call(a->store, c, &call, &answer);
	if (e != CALL_OK)
		say_tested(a->answer, e, 0, details[e]);
	else if (answer.status >= 200 && answer.status < 300)
		say_tested(a->answer, e, answer.status, details[e]);
	else
		say_tested(a->answer, e, answer.status, answer.status == 401 || answer.status == 403 ?
			   "the upstream refuses the credential" : "the upstream answers the test call with an error");
	upstream_answer_done(&answer);
}

/* Without a test call, a token is what can be tried. */
static void test_credential(const struct ask *a, struct connection *c)
{
	enum call_error e = CALL_OK;
	bool oauth = c->auth.type >= AUTH_OAUTH2_REFRESH;
	json_t *value;

	if (oauth)
		e = credentials_ready(a->store, a->name, c, false);
	if (e != CALL_OK) {
		say_tested(a->answer, e, 0, details[e]);
		return;
	}
	value = json_pack("{s:b, s:s}", "ok", oauth, "detail", oauth ?
			  "there is a token; no test call is set" : "no test call is set, so nothing was tried");
	say_new(a->answer, 200, value);
}

static void try_out(const struct ask *a)
{
	struct connection c;

	if (!load(a, &c))
		return;
	credentials_try_now(a->name);
	if (c.test)
		call_test(a, &c);
	else
		test_credential(a, &c);
	connection_done(&c);
}

/* ---- the table ---- */

static const struct route {
	const char *method;
	bool named;
	const char *suffix;
	void (*handle)(const struct ask *a);
} routes[] = {
	{ "GET", false, "", list },
	{ "GET", true, "", show },
	{ "PUT", true, "", add },
	{ "DELETE", true, "", discard },
	{ "POST", true, "/rotate", rotate },
	{ "POST", true, "/test", try_out },
};

/* "/connections", "/connections/NAME", "/connections/NAME/suffix". */
static bool take_path(struct ask *a, struct span path, struct span *ret_suffix, bool *ret_named)
{
	const size_t base = strlen("/connections");
	const char *s = path.data, *slash;
	size_t size;

	if (path.size < base || memcmp(s, "/connections", base) != 0)
		return false;
	*ret_named = path.size > base;
	*ret_suffix = span_of(NULL, 0);
	if (!*ret_named)
		return true;
	if (s[base] != '/')
		return false;
	s += base + 1;
	size = path.size - base - 1;
	slash = memchr(s, '/', size);
	if (slash)
		*ret_suffix = span_of(slash, size - (size_t)(slash - s));
	size -= ret_suffix->size;
	if (size > CONNECTION_NAME_MAX || memchr(s, '\0', size))
		return false;
	memcpy(a->name, s, size);
	a->name[size] = '\0';
	return true;
}

void admin_handle(void *arg, const struct request *r, struct answer *ret)
{
	struct ask a = { .store = arg, .request = r, .answer = ret };
	struct span suffix;
	bool named;

	if (!take_path(&a, r->path, &suffix, &named)) {
		say_error(ret, 404, "not_found", NULL);
		return;
	}
	if (named && !connection_name_ok(span_str(a.name))) {
		say_error(ret, 400, "connection_invalid", "a name is 1 to 63 of a-z 0-9 _ - and begins with a letter");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (span_is(r->method, routes[i].method) && routes[i].named == named && span_is(suffix, routes[i].suffix)) {
			routes[i].handle(&a);
			return;
		}
	}
	say_error(ret, 405, "method_not_allowed", NULL);
}
