/* connection.c -- the connections of postern-connectd, each change with its records: `intended`, then connectd, then
 * what came of it.
 *
 * Its secrets pass through here as JSON text in struct secret, and go nowhere but to its admin socket. */
#include "admin/admin-private.h"
#include "admin/connection-private.h"
#include "base/clock.h"

#include <string.h>

#define ASK_MS 10000
#define LOOK_MS 300                    /* a screen waits for it */
#define LOOK_EVERY_S 5
#define TEST_MS 120000                 /* the upstream's own time limits, and its token server's */

bool admin_connection_name_ok(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size < CONNECTION_NAME_ROOM && name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == size;
}

/* ---- what connectd said ---- */

static enum rc verdict_of(const struct connect_answer *a, enum reason *ret_reason, struct why *why)
{
	const char *detail = json_string_value(json_object_get(a->body, "detail"));

	if (a->status >= 200 && a->status < 300)
		return RC_OK;
	if (a->status == 404)
		return refuse(REASON_CONNECTION_UNKNOWN, ret_reason);
	if (a->status == 409)
		return refuse(REASON_CONNECTION_EXISTS, ret_reason);
	if (a->status == 400) {
		why_set(why, "%s", detail ? detail : "postern-connectd does not take these settings");
		return RC_INVALID;
	}
	why_set(why, "postern-connectd answered with status %d: journalctl -u postern-connectd", a->status);
	return RC_IO;
}

/* *ret: a new reference to what it answered, NULL where that was nothing. */
static enum rc ask(const struct connect_request *r, json_t **ret, enum reason *ret_reason, struct why *why)
{
	struct connect_answer answer;
	enum rc rc = connect_ask(r, &answer, why);

	if (rc == RC_OK && (rc = verdict_of(&answer, ret_reason, why)) == RC_OK)
		*ret = json_incref(answer.body);
	connect_answer_done(&answer);
	return rc;
}

/* ---- looking ---- */

enum rc admin_connection_list(const char *socket, unsigned limit_ms, json_t **ret, struct why *why)
{
	const struct connect_request r = { .socket = admin_connect_socket(socket), .method = "GET",
		                           .path = "/connections", .limit_ms = limit_ms ? limit_ms : ASK_MS };
	enum reason reason = REASON_NONE;
	json_t *answer = NULL, *list;
	enum rc rc = ask(&r, &answer, &reason, why);

	list = json_object_get(answer, "connections");
	if (rc == RC_REFUSED || (rc == RC_OK && !json_is_array(list))) {
		why_set(why, "what answers at %s is not postern-connectd", r.socket);
		rc = RC_IO;
	}
	if (rc == RC_OK)
		*ret = json_incref(list);
	json_decref(answer);
	return rc;
}

enum rc admin_connection_get(const char *socket, const char *name, json_t **ret, enum reason *ret_reason,
                             struct why *why)
{
	char path[CONNECTION_NAME_ROOM + 32];
	const struct connect_request r = { .socket = admin_connect_socket(socket), .method = "GET", .path = path,
		                           .limit_ms = ASK_MS };
	enum rc rc;

	*ret = NULL;
	if (!admin_connection_name_ok(name))
		return refuse(REASON_CONNECTION_UNKNOWN, ret_reason);
	snprintf(path, sizeof(path), "/connections/%s", name);
	rc = ask(&r, ret, ret_reason, why);
	if (rc == RC_OK && !*ret) {
		why_set(why, "what answers at %s is not postern-connectd", r.socket);
		rc = RC_IO;
	}
	return rc;
}

void connections_look(struct admin *a, uint64_t now_s)
{
	struct connections_seen *seen = &a->connections;
	json_t *list = NULL, *one;
	size_t i;

	if (now_s >= seen->asked_s && now_s - seen->asked_s < LOOK_EVERY_S)
		return;
	*seen = (struct connections_seen){ .asked_s = now_s };
	if (admin_connection_list(NULL, LOOK_MS, &list, NULL) != RC_OK)
		return;
	json_array_foreach(list, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));

		if (name && admin_connection_name_ok(name) &&
		    span_is(json_span(json_object_get(one, "state")), "reauth_needed") && seen->reauth++ == 0)
			memcpy(seen->first, name, strlen(name) + 1);
	}
	json_decref(list);
}

/* ---- changes ---- */

struct step {
	const char *change, *socket, *name, *method, *below;   /* below: what follows the name in the path */
	const json_t *members;                 /* of the record's detail; may be NULL */
	const struct secret *body;             /* may be NULL */
	unsigned limit_ms;
};

static enum rc record_begin(struct admin *a, const struct step *s, struct audit_record *r, struct why *why)
{
	json_t *members = json_pack("{ss}", "connection", s->name);
	enum rc rc = RC_NOMEM;

	if (members && (!s->members || json_object_update_missing(members, (json_t *)s->members) == 0))
		rc = record_make(a, r, AUDIT_EVENT_CONNECTION, NULL, s->change, members);
	json_decref(members);
	if (rc != RC_OK)
		return rc;
	r->outcome = AUDIT_OUTCOME_INTENDED;
	if ((rc = record_put(a, r)) != RC_OK) {
		why_set(why, "nothing was changed, because it could not be recorded first: %s", rc_text(rc));
		record_done(r);
	}
	return rc;
}

/* A test that the upstream did not pass is a step that failed, although connectd did what it was asked. */
static enum reason failure_of(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	enum reason reason = error ? reason_from_name(error) : REASON_COUNT;

	return reason == REASON_COUNT || reason == REASON_NONE ? REASON_UPSTREAM_FAILED : reason;
}

static void record_end(struct admin *a, struct audit_record *r, enum rc rc, enum reason reason, const json_t *answer)
{
	const json_t *status = json_object_get(answer, "status");

	r->outcome = AUDIT_OUTCOME_DONE;
	if (rc == RC_REFUSED || rc == RC_INVALID) {
		r->outcome = AUDIT_OUTCOME_REFUSED;
		r->reason = rc == RC_INVALID ? REASON_CONNECTION_INVALID : reason;
	} else if (rc != RC_OK || json_is_false(json_object_get(answer, "ok"))) {
		r->outcome = AUDIT_OUTCOME_FAILED;
		r->reason = rc != RC_OK ? REASON_PROVIDER_UNREACHABLE : failure_of(answer);
	}
	r->time = clock_us();
	rc = RC_OK;
	if (json_is_integer(status) && json_integer_value(status) >= 100 && json_integer_value(status) <= 599 &&
	    json_object_set((json_t *)r->detail, "status", (json_t *)status) != 0)
		rc = RC_NOMEM;
	if (rc == RC_OK)
		rc = record_put(a, r);
	if (rc != RC_OK)
		why_set(&a->notice, "the record of how this ended could not be written: %s", rc_text(rc));
	record_done(r);
}

static enum rc step_run(struct admin *a, const struct step *s, json_t **ret, enum reason *ret_reason, struct why *why)
{
	char path[CONNECTION_NAME_ROOM + 32];
	const struct connect_request q = { .socket = admin_connect_socket(s->socket), .method = s->method, .path = path,
		                           .body = s->body, .limit_ms = s->limit_ms };
	json_t *answer = NULL;
	struct audit_record r;
	enum rc rc;

	if (!admin_connection_name_ok(s->name))
		return refuse(REASON_CONNECTION_UNKNOWN, ret_reason);
	snprintf(path, sizeof(path), "/connections/%s%s", s->name, s->below);
	if ((rc = record_begin(a, s, &r, why)) != RC_OK)
		return rc;
	rc = ask(&q, &answer, ret_reason, why);
	record_end(a, &r, rc, *ret_reason, answer);
	if (ret)
		*ret = json_incref(answer);
	json_decref(answer);
	return rc;
}

/* settings, an object (NULL: none), with the member secret in it, as JSON text. NULL: out of memory. */
static struct secret *body_make(const json_t *settings, const struct secret *secret)
{
	char *text = settings ? json_dumps(settings, JSON_COMPACT) : strdup("{}");
	size_t size = text ? strlen(text) - 1 : 0;     /* without its last brace */
	static const char name[] = ",\"secret\":";
	struct secret *body = NULL;
	unsigned char *at;

	if (text)
		body = secret_new(size + (secret ? sizeof(name) + secret->size : 0) + 1);
	if (!body)
		goto out;
	at = body->data;
	memcpy(at, text, size);
	at += size;
	if (secret) {
		const char *comma = size > 1 ? name : name + 1;

		memcpy(at, comma, strlen(comma));
		at += strlen(comma);
		memcpy(at, secret->data, secret->size);
		at += secret->size;
	}
	*at++ = '}';
	memset(at, ' ', (size_t)(body->data + body->size - at));
out:
	free(text);
	return body;
}

/* The certificates are no setting to be read in a record: that there are some is. */
static json_t *settings_recorded(const json_t *settings)
{
	json_t *copy = json_copy((json_t *)settings);
	bool ca = copy && json_object_get(copy, "ca_pem");

	if (copy && ((ca && json_object_del(copy, "ca_pem") != 0) || json_object_del(copy, "name") != 0 ||
	             json_object_set_new(copy, "ca", json_boolean(ca)) != 0)) {
		json_decref(copy);
		copy = NULL;
	}
	return copy;
}

static enum rc sites_require(struct admin *a, const json_t *settings, enum reason *ret_reason, struct why *why)
{
	const json_t *site, *sites = json_object_get(settings, "sites");
	enum rc rc = RC_OK;
	size_t i;

	json_array_foreach(sites, i, site)
		if (rc == RC_OK && (rc = site_require(a, json_string_value(site), ret_reason, why)) == RC_REFUSED)
			why_set(why, "site %s is not known", json_string_value(site));
	return rc;
}

enum rc admin_connection_add(struct admin *a, const char *socket, const json_t *settings, const struct secret *secret,
                             json_t **ret, enum reason *ret_reason, struct why *why)
{
	struct step s = { .change = "add", .socket = socket, .method = "PUT", .below = "", .limit_ms = ASK_MS,
		          .name = json_string_value(json_object_get(settings, "name")) };
	enum rc rc = sites_require(a, settings, ret_reason, why);
	json_t *members = NULL;
	struct secret *body = NULL;

	if (rc != RC_OK)
		return rc;
	members = settings_recorded(settings);
	body = body_make(settings, secret);
	s.members = members;
	s.body = body;
	rc = members && body ? step_run(a, &s, ret, ret_reason, why) : RC_NOMEM;
	json_decref(members);
	secret_free(body);
	return rc;
}

enum rc admin_connection_rotate(struct admin *a, const char *socket, const char *name, const struct secret *secret,
                                enum reason *ret_reason, struct why *why)
{
	struct step s = { .change = "rotate", .socket = socket, .name = name, .method = "POST", .below = "/rotate",
		          .limit_ms = ASK_MS };
	struct secret *body = body_make(NULL, secret);
	enum rc rc;

	s.body = body;
	rc = body ? step_run(a, &s, NULL, ret_reason, why) : RC_NOMEM;
	secret_free(body);
	return rc;
}

enum rc admin_connection_test(struct admin *a, const char *socket, const char *name, json_t **ret,
                              enum reason *ret_reason, struct why *why)
{
	const struct step s = { .change = "test", .socket = socket, .name = name, .method = "POST", .below = "/test",
		                .limit_ms = TEST_MS };
	enum rc rc = step_run(a, &s, ret, ret_reason, why);

	if (rc == RC_OK && !json_is_boolean(json_object_get(*ret, "ok"))) {
		why_set(why, "postern-connectd did not say how the test ended: journalctl -u postern-connectd");
		rc = RC_IO;
	}
	return rc;
}

enum rc admin_connection_remove(struct admin *a, const char *socket, const char *name, enum reason *ret_reason,
                                struct why *why)
{
	const struct step s = { .change = "remove", .socket = socket, .name = name, .method = "DELETE", .below = "",
		                .limit_ms = ASK_MS };

	return step_run(a, &s, NULL, ret_reason, why);
}
