/* probe-web.c -- doctor --url: asks a web server for Postern, as a stranger would, and says what is between the two.
 *
 * Every probe is a row of one table, in the order in which a fault hides what comes after it. */
#include "console/cli/probe-private.h"

#define CLOCK_OFF_S 60

/* ---- asking ---- */

/* The Origin that was sent and may be known to the site; NULL: none. */
static const char *known_origin(const struct probe_request *r)
{
	static const char name[] = "Origin: ";

	for (const char *const *at = r->headers; at && *at; at++)
		if (strncmp(*at, name, sizeof(name) - 1) == 0 && strcmp(*at + sizeof(name) - 1, PROBE_ORIGIN) != 0)
			return *at + sizeof(name) - 1;
	return NULL;
}

/* Postern answers with one such header, to an Origin that it knows, or with none. */
static bool cors_is_foreign(const struct web *w, const char *origin)
{
	size_t count = answer_count(&w->answer, "Access-Control-Allow-Origin");
	struct span value;

	if (count != 1)
		return count > 1;
	answer_header(&w->answer, "Access-Control-Allow-Origin", 0, &value);
	return !origin || !span_is(value, origin);
}

static void note_answer(struct web *w, const struct probe_request *r)
{
	enum web_server server = answer_server(&w->answer);
	bool repeated = false;

	if (server != WEB_UNKNOWN)
		w->server = server;
	answer_read(&w->answer, &w->seen);
	w->foreign_cors += cors_is_foreign(w, known_origin(r));
	if (!w->seen.ours)
		return;
	w->storable += !answer_has(&w->answer, "Cache-Control", "no-store");
	for (size_t i = 0; i < w->ids; i++)
		repeated |= strcmp(w->id[i], w->seen.id) == 0;
	w->repeated += repeated;
	if (w->ids < WEB_IDS_MAX)
		memcpy(w->id[w->ids++], w->seen.id, ULID_MAX);
}

bool web_ask(struct web *w, const char *check, const struct probe_request *r)
{
	if (http_ask(w->http, r, &w->answer)) {
		note_answer(w, r);
		return true;
	}
	finding_add(w->found, check, FINDING_WRONG, "See the web server's error log of this moment.",
	            "no answer to %s %s: %s", r->method, r->path, w->answer.why);
	return false;
}

bool web_get(struct web *w, const char *check, const char *path, const char *const *headers)
{
	return web_ask(w, check, &(struct probe_request){ .method = "GET", .path = path, .headers = headers });
}

const char *web_path(const struct web *w, const char *rest, char out[WEB_PATH_MAX])
{
	snprintf(out, WEB_PATH_MAX, "/v1/sites/%s%s", w->site, rest);
	return out;
}

const char *web_mend(struct web *w, const struct web_mend *m)
{
	const struct { enum web_server server; const char *name, *text; } all[] = {
		{ WEB_APACHE, "Apache", m->apache }, { WEB_LIGHTTPD, "lighttpd", m->lighttpd },
		{ WEB_NGINX, "nginx", m->nginx },
	};
	size_t at = (size_t)snprintf(w->mend, sizeof(w->mend), "%s", m->any);

	for (size_t i = 0; i < ARRAY_LEN(all) && at < sizeof(w->mend); i++)
		if (w->server == WEB_UNKNOWN || w->server == all[i].server)
			at += (size_t)snprintf(w->mend + at, sizeof(w->mend) - at, " %s: %s", all[i].name, all[i].text);
	return w->mend;
}

const char *web_tell(struct web *w)
{
	return answer_tell(&w->answer, w->text);
}

bool web_is(const struct web *w, int status, enum reason code)
{
	return w->seen.ours && w->seen.status == status && w->seen.code == code;
}

bool web_is_anonymous(const struct web *w)
{
	return web_is(w, 200, REASON_NONE) && w->seen.identity == SEEN_ANONYMOUS;
}

/* ---- does Postern answer there? ---- */

static const char not_mapped[] =
	"Map /postern/v1/ to the worker's socket as the files of share/postern/deploy/ do, and give --url what stands "
	"before /v1.";
static const char not_running[] =
	"Is the worker there (systemctl status postern.socket postern.service), and may the web server's user open its "
	"socket, by the socket's group (--listen-group) and by --peer? The web server's error log says which it was.";
static const char let_through[] = "Let /postern/v1/ through: Postern decides about its visitors itself.";
static const struct { int from, to; const char *says, *mend; } strangers[] = {
	{ 200, 299, "something else answers there", not_mapped },
	{ 300, 399, "it redirects", "Give --url where it points to, if that is your site." },
	{ 401, 401, "the web server wants a sign-in of its own", let_through },
	{ 403, 403, "the web server refuses it", let_through },
	{ 404, 405, "nothing is mapped there", not_mapped },
	{ 502, 504, "the web server does not reach the worker", not_running },
	{ 500, 599, "the web server fails", "See the web server's error log of this moment." },
};

static void tell_stranger(struct web *w)
{
	const char *says = "something else answers there", *mend = not_mapped;
	char to[PROBE_TEXT_MAX] = "", place[PROBE_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		if (w->answer.status >= strangers[i].from && w->answer.status <= strangers[i].to) {
			says = strangers[i].says;
			mend = strangers[i].mend;
			break;
		}
	if (w->answer.status / 100 == 3)
		snprintf(to, sizeof(to), " to %.200s", answer_location(&w->answer, place));
	if (w->seen.ours)                      /* with a 404: /v1/v1/health */
		says = "Postern answers, but this is not the path that it is at";
	finding_add(w->found, "url_answers", FINDING_WRONG, mend, "%s%s (GET /v1/health: %s)", says, to, web_tell(w));
}

static void tell_unreached(struct web *w)
{
	const char *mend = "Is the web server up, and is this its name and port? A certificate must fit the name and "
	                   "be trusted here.";

	finding_add(w->found, "url_answers", FINDING_WRONG, mend, "%s", w->answer.why);
}

static void web_answers(struct web *w)
{
	static const struct probe_request health = { .method = "GET", .path = "/v1/health" };

	if (!http_ask(w->http, &health, &w->answer)) {
		tell_unreached(w);
		return;
	}
	note_answer(w, &health);
	w->there = w->seen.ours && (w->seen.status == 200 || w->seen.status == 503);
	if (!w->there)
		tell_stranger(w);
	else if (w->seen.status == 503)
		finding_add(w->found, "url_answers", FINDING_WRONG, "Run postern doctor where the data is.",
		            "Postern answers, but is not fit: it cannot read its vault, write its ledger, or has no "
		            "space left");
	else
		finding_add(w->found, "url_answers", FINDING_OK, NULL, "Postern answers (GET /v1/health)");
}

static void web_transport(struct web *w)
{
	const struct probe_url *url = w->target->url;

	if (url->https)
		finding_add(w->found, "url_transport", FINDING_OK, NULL,
		            "TLS, with a certificate that is trusted here");
	else if (url->loopback)
		finding_add(w->found, "url_transport", FINDING_OK, NULL, "plain HTTP, which stays on this machine");
	else
		finding_add(w->found, "url_transport", FINDING_WARNING,
		            "Serve it by https only; a token that was sent in clear is another's until it expires.",
		            "plain HTTP: whoever is on the way reads tokens and answers");
}

/* Between before and after the answer was made; its Date has whole seconds. */
static void web_clock(struct web *w)
{
	uint64_t now = clock_s(), date = answer_date(&w->answer), off = date > now ? date - now : now - date;
	char text[CLOCK_TEXT_MAX];

	if (date == 0)
		finding_add(w->found, "url_clock", FINDING_SKIPPED, NULL, "the answer has no Date");
	else if (off > CLOCK_OFF_S)
		finding_add(w->found, "url_clock", FINDING_WARNING,
		            "Set both by NTP (timedatectl): tokens are judged by the server's clock.",
		            "its clock and this machine's differ by %s", duration_format(off, text));
	else
		finding_add(w->found, "url_clock", FINDING_OK, NULL, "its clock and this machine's agree");
}

static void web_head(struct web *w)
{
	if (!web_ask(w, "url_head", &(struct probe_request){ .method = "HEAD", .path = "/v1/health" }))
		return;
	if (web_is(w, 200, REASON_NONE) || web_is(w, 503, REASON_NONE))
		finding_add(w->found, "url_head", FINDING_OK, NULL, "HEAD is answered as GET");
	else
		finding_add(w->found, "url_head", FINDING_WARNING,
		            "Let GET, HEAD, POST and OPTIONS through to Postern.",
		            "HEAD does not get Postern's answer (%s)", web_tell(w));
}

/* ---- the site ---- */

static void tell_site(struct web *w)
{
	const char *named = w->target->site;

	if (web_is(w, 404, REASON_SITE_UNKNOWN) && named)
		finding_add(w->found, "url_site", FINDING_WRONG,
		            "Is the worker's POSTERN_SITE another site, or --data another directory? postern site list "
		            "says what there is.",
		            "Postern knows no site %s behind this URL", w->site);
	else if (web_is(w, 404, REASON_SITE_UNKNOWN))
		finding_add(w->found, "url_site", FINDING_SKIPPED, NULL,
		            "there is no site %s, and none was named: say --site; most probes need one", w->site);
	else if (web_is(w, 401, REASON_TOKEN_INVALID))
		finding_add(w->found, "url_site", FINDING_WRONG,
		            "The web server must not send an Authorization of its own to Postern.",
		            "a request without a token is refused for its token");
	else if (w->seen.identity == SEEN_VERIFIED)
		finding_add(w->found, "url_site", FINDING_WRONG,
		            "Find out who adds a token on the way, and stop it at once.",
		            "a request without a token is taken for somebody");
	else
		finding_add(w->found, "url_site", FINDING_WRONG, "Run postern doctor where the data is.",
		            "site %s does not answer as it should (%s)", w->site, web_tell(w));
}

static void web_site(struct web *w)
{
	char path[WEB_PATH_MAX];

	if (!web_get(w, "url_site", web_path(w, "/identity", path), NULL))
		return;
	w->site_there = web_is_anonymous(w);
	if (w->site_there)
		finding_add(w->found, "url_site", FINDING_OK, NULL, "site %s: without a token one is anonymous",
		            w->site);
	else
		tell_site(w);
}

/* ---- the whole ---- */

static const struct { void (*run)(struct web *w); enum { ALWAYS, THERE, SITE, TOKEN } needs; } probes[] = {
	{ web_answers, ALWAYS },
	{ web_transport, THERE },
	{ web_clock, THERE },
	{ web_head, THERE },
	{ web_error_pages, THERE },
	{ web_metrics, THERE },
	{ web_site, THERE },
	{ web_authorization, SITE },
	{ web_two_tokens, TOKEN },
	{ web_identity_headers, SITE },
	{ web_bodies, SITE },
	{ web_paths, SITE },
	{ web_cors, SITE },
	{ web_unaltered, THERE },
};

enum rc probe_web(const struct probe_target *t)
{
	struct web w = { .target = t, .found = t->found, .http = http_new(t->url) };
	enum rc rc = probe_answer_init(&w.answer) && w.http ? RC_OK : RC_NOMEM;

	snprintf(w.site, sizeof(w.site), "%s", t->site ? t->site : "demo");
	for (size_t i = 0; i < ARRAY_LEN(probes) && rc == RC_OK; i++) {
		const bool met[] = {
			[ALWAYS] = true, [THERE] = w.there, [SITE] = w.site_there, [TOKEN] = w.passes_token,
		};

		if (met[probes[i].needs])
			probes[i].run(&w);
	}
	probe_answer_done(&w.answer);
	http_free(w.http);
	return rc;
}
