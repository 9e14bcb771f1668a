/* probe-web-body.c -- doctor --url: do bodies arrive whole, up to the size that Postern takes, and does it refuse
 * larger ones itself?
 *
 * What shows that a body arrived whole, and runs nothing: a member that no request has, sent without a token to a
 * personal action. Postern names the member, which it can only where the JSON ends as it was sent; and if the body were
 * lost, the gate would refuse. */
#include "console/cli/probe-private.h"
#include "base/json.h"

#define BODY_LIMIT 65536               /* design: what Postern takes at most */
#define BODY_WITHIN 61440
#define MEMBER "doctor_probe"
#define ACTION_MAX 64
#define DEPTH_MAX 64

static const struct web_mend larger = {
	.any = "Let bodies up to 64 KiB and a little more through; Postern refuses larger ones itself.",
	.apache = "LimitRequestBody 262144; with mod_fcgid also FcgidMaxRequestLen 262144.",
	.lighttpd = "server.max-request-size = 256.",
	.nginx = "client_max_body_size 256k.",
};

struct body_probe {
	char path[WEB_PATH_MAX];
	bool personal; /* path is a personal action's; else no action's, and a token is sent that blocks */
	struct buf body;
};

/* ---- what to ask for ---- */

static bool name_is_plain(const char *name)
{
	return *name && strlen(name) < ACTION_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static bool personal_name(const json_t *action, char out[ACTION_MAX])
{
	const char *name = json_string_value(json_object_get(action, "name"));
	const char *access = json_string_value(json_object_get(action, "access"));

	if (!name || !access || strcmp(access, "personal") != 0 || !name_is_plain(name))
		return false;
	memcpy(out, name, strlen(name) + 1);
	return true;
}

static bool find_personal(const struct web *w, char out[ACTION_MAX])
{
	json_t *catalogue = NULL, *action;
	bool found = false;
	size_t i;

	if (!web_is(w, 200, REASON_NONE) || w->answer.cut ||
	    json_strict(answer_body(&w->answer), DEPTH_MAX, &catalogue, NULL) != RC_OK)
		return false;
	json_array_foreach(json_object_get(catalogue, "actions"), i, action)
		if (!found)
			found = personal_name(action, out);
	json_decref(catalogue);
	return found;
}

/* A JSON object of that many bytes whose one member no request has. */
static void fill(struct buf *b, size_t size)
{
	static const char head[] = "{\"" MEMBER "\":\"", tail[] = "\"}";
	size_t filler = size - (sizeof(head) - 1) - (sizeof(tail) - 1);
	char *at;

	buf_clear(b);
	buf_add_str(b, head);
	at = buf_extend(b, filler);
	if (at)
		memset(at, 'a', filler);
	buf_add_str(b, tail);
}

static bool prepare(struct web *w, struct body_probe *p)
{
	char name[ACTION_MAX] = MEMBER, rest[WEB_PATH_MAX];

	if (!web_get(w, "url_body", web_path(w, "/actions", p->path), NULL))
		return false;
	p->personal = find_personal(w, name);
	snprintf(rest, sizeof(rest), "/actions/%s", name);
	web_path(w, rest, p->path);
	return true;
}

static bool post(struct web *w, const char *check, struct body_probe *p, size_t size, bool chunked)
{
	static const char *const plain[] = { "Content-Type: application/json", NULL };
	static const char *const blocked[] = {
		"Content-Type: application/json", "Authorization: Bearer " PROBE_TOKEN, NULL,
	};
	struct probe_request r = { .method = "POST", .path = p->path, .chunked = chunked };

	fill(&p->body, size);
	if (p->body.failed) {
		w->found->failed = true;
		return false;
	}
	r.headers = p->personal ? plain : blocked;
	r.body = buf_span(&p->body);
	return web_ask(w, check, &r);
}

/* ---- what came of it ---- */

static bool arrived(const struct web *w, const struct body_probe *p)
{
	if (!p->personal)
		return web_is(w, 401, REASON_TOKEN_INVALID);
	return web_is(w, 400, REASON_REQUEST_MALFORMED) && strcmp(w->seen.pointer, "/" MEMBER) == 0;
}

static const char *loss(const struct web *w)
{
	if (web_is(w, 400, REASON_REQUEST_MALFORMED))
		return "it arrives cut short";
	if (web_is(w, 401, REASON_SIGN_IN_REQUIRED))
		return "it does not arrive at all";
	if (w->answer.status == 413)
		return "the web server refuses it as too large";
	return "it does not get through";
}

static void look_within(struct web *w, struct body_probe *p)
{
	if (!post(w, "url_body", p, BODY_WITHIN, false))
		return;
	if (!arrived(w, p))
		finding_add(w->found, "url_body", FINDING_WRONG, web_mend(w, &larger), "a body of 60 KiB: %s (%s)",
		            loss(w), web_tell(w));
	else if (p->personal)
		finding_add(w->found, "url_body", FINDING_OK, NULL, "a body of 60 KiB arrives whole");
	else
		finding_add(w->found, "url_body", FINDING_OK, NULL,
		            "a body of 60 KiB gets through; that it is whole cannot be seen without a personal action");
}

static void look_chunked(struct web *w, struct body_probe *p)
{
	static const struct web_mend whole_bodies = {
		.any = "Browsers send no chunked bodies, some backends do.",
		.apache = "compare with share/postern/deploy/apache/postern-proxy.conf, which passes them on.",
		.lighttpd = "server.stream-request-body = 0, so that a body is gathered before it is passed on.",
		.nginx = "fastcgi_request_buffering on, so that a body is gathered before it is passed on.",
	};

	if (!post(w, "url_body_chunked", p, BODY_WITHIN, true))
		return;
	if (arrived(w, p))
		finding_add(w->found, "url_body_chunked", FINDING_OK, NULL, "a chunked body of 60 KiB arrives, too");
	else
		finding_add(w->found, "url_body_chunked", FINDING_WARNING, web_mend(w, &whole_bodies),
		            "a chunked body of 60 KiB: %s (%s)", loss(w), web_tell(w));
}

static void look_beyond(struct web *w, struct body_probe *p)
{
	if (!post(w, "url_body_limit", p, BODY_LIMIT + 1, false))
		return;
	if (web_is(w, 413, REASON_BODY_TOO_LARGE))
		finding_add(w->found, "url_body_limit", FINDING_OK, NULL, "a body over 64 KiB gets Postern's 413");
	else
		finding_add(w->found, "url_body_limit", FINDING_WARNING, web_mend(w, &larger),
		            "a body over 64 KiB does not get Postern's 413, which clients can read (%s)", web_tell(w));
}

void web_bodies(struct web *w)
{
	struct body_probe p = { .body = BUF_INIT };

	if (prepare(w, &p)) {
		look_within(w, &p);
		look_chunked(w, &p);
		look_beyond(w, &p);
	}
	buf_done(&p.body);
}
