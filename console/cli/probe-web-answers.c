/* probe-web-answers.c -- doctor --url: do Postern's answers come back as it gave them: CORS, errors, paths, nothing
 * kept or added? */
#include "console/cli/probe-private.h"

/* ---- CORS ---- */

static const struct web_mend own_cors = {
	.any = "Leave CORS to Postern (postern site set SITE --origin).",
	.apache = "no Header set or add Access-Control-... for Postern's path.",
	.lighttpd = "no setenv.add-response-header Access-Control-... for Postern's path.",
	.nginx = "no add_header Access-Control-... in Postern's location or above it.",
};
static const struct web_mend let_options = {
	.any = "Let OPTIONS through to Postern.",
	.apache = "no Limit, Require or RewriteRule that answers OPTIONS.",
	.lighttpd = "no url.access-deny or mod_magnet that answers OPTIONS.",
	.nginx = "no limit_except, and no if ($request_method = OPTIONS), in Postern's location.",
};

static bool preflight(struct web *w, const char *origin)
{
	char path[WEB_PATH_MAX], line[PROBE_TEXT_MAX];
	const char *const lines[] = {
		line, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization", NULL,
	};
	struct probe_request r = { .method = "OPTIONS", .path = web_path(w, "/identity", path), .headers = lines };

	snprintf(line, sizeof(line), "Origin: %s", origin);
	return web_ask(w, "url_cors", &r);
}

static bool allows(const struct web *w, const char *origin)
{
	struct span value;

	return answer_count(&w->answer, "Access-Control-Allow-Origin") == 1 &&
	       answer_header(&w->answer, "Access-Control-Allow-Origin", 0, &value) && span_is(value, origin);
}

static bool allowed_origin_works(struct web *w)
{
	const char *origin = w->target->origin;
	char path[WEB_PATH_MAX], line[PROBE_TEXT_MAX];

	snprintf(line, sizeof(line), "Origin: %s", origin);
	return preflight(w, origin) && web_is(w, 204, REASON_NONE) && allows(w, origin) &&
	       answer_has(&w->answer, "Access-Control-Allow-Headers", "authorization") &&
	       web_get(w, "url_cors", web_path(w, "/identity", path), (const char *const[]){ line, NULL }) &&
	       web_is_anonymous(w) && allows(w, origin);
}

void web_cors(struct web *w)
{
	char shown[PROBE_TEXT_MAX];
	bool reaches;

	if (!preflight(w, PROBE_ORIGIN))
		return;
	reaches = web_is(w, 204, REASON_NONE);
	if (!reaches)
		finding_add(w->found, "url_cors", FINDING_WARNING, web_mend(w, &let_options),
		            "a browser's question before a request from another origin does not arrive (OPTIONS: %s)",
		            web_tell(w));
	if (w->target->origin && reaches && !allowed_origin_works(w))
		finding_add(w->found, "url_cors", FINDING_WRONG, web_mend(w, &own_cors),
		            "pages of %s may call, but do not get the headers that let them (one "
		            "Access-Control-Allow-Origin, alone): %s; postern site show says which the site lists",
		            text_show(shown, sizeof(shown), span_str(w->target->origin)), web_tell(w));
	else if (w->foreign_cors > 0)
		finding_add(w->found, "url_cors", FINDING_WRONG, web_mend(w, &own_cors),
		            "the web server adds Access-Control-Allow-Origin of its own: a browser lets any page read, "
		            "or refuses two");
	else if (reaches && w->target->origin)
		finding_add(w->found, "url_cors", FINDING_OK, NULL,
		            "an origin of the site may call, an unknown one may not");
	else if (reaches)
		finding_add(w->found, "url_cors", FINDING_OK, NULL,
		            "an unknown origin may not call; --origin O asks for one that should");
}

/* ---- paths ---- */

/* The site's first letter as %64, or %2564. */
static const char *encoded(const struct web *w, const char *percent, char out[WEB_PATH_MAX])
{
	snprintf(out, WEB_PATH_MAX, "/v1/sites/%s%02x%s/identity", percent, (unsigned)(unsigned char)w->site[0],
	         w->site + 1);
	return out;
}

void web_paths(struct web *w)
{
	static const struct web_mend decode_once = {
		.any = "The path must be decoded once, by the web server.",
		.apache = "no nocanon and no AllowEncodedSlashes NoDecode with a RewriteRule that changes the path.",
		.lighttpd = "server.http-parseopts with url-normalize as it is by default.",
		.nginx = "fastcgi_param SCRIPT_NAME or PATH_INFO from $uri or $fastcgi_path_info, not from "
		         "$request_uri.",
	};
	char path[WEB_PATH_MAX];

	if (!web_get(w, "url_paths", encoded(w, "%25", path), NULL))
		return;
	if (w->answer.status / 100 == 2) {
		finding_add(w->found, "url_paths", FINDING_WRONG, web_mend(w, &decode_once),
		            "a path is decoded twice: rules of the web server on paths can be passed by");
		return;
	}
	if (!web_get(w, "url_paths", encoded(w, "%", path), NULL))
		return;
	if (web_is_anonymous(w))
		finding_add(w->found, "url_paths", FINDING_OK, NULL, "an encoded path is the same path, decoded once");
	else
		finding_add(w->found, "url_paths", FINDING_WARNING, web_mend(w, &decode_once),
		            "an encoded path is another path here (%s)", web_tell(w));
}

/* ---- errors ---- */

void web_error_pages(struct web *w)
{
	static const struct web_mend own_pages = {
		.any = "Clients read the code in Postern's answers; let them through as they are.",
		.apache = "ProxyErrorOverride Off for Postern's path.",
		.lighttpd = "no server.error-intercept = \"enable\" for Postern's path.",
		.nginx = "fastcgi_intercept_errors off (or proxy_intercept_errors off) in Postern's location.",
	};

	if (!web_get(w, "url_error_pages", "/v1/doctor-probe", NULL))
		return;
	if (web_is(w, 404, REASON_NOT_FOUND))
		finding_add(w->found, "url_error_pages", FINDING_OK, NULL,
		            "Postern's errors come back as it gave them");
	else
		finding_add(w->found, "url_error_pages", FINDING_WRONG, web_mend(w, &own_pages),
		            "the web server puts an error page of its own in the place of Postern's (%s)", web_tell(w));
}

/* ---- what was noted of all answers ---- */

void web_unaltered(struct web *w)
{
	static const struct web_mend no_cache = {
		.any = "Keep caches away from Postern's path: an answer is for one caller at one moment.",
		.apache = "CacheDisable for Postern's path; no Header set Cache-Control and no ExpiresActive there.",
		.lighttpd = "no setenv.set-response-header or expire.url for Postern's path.",
		.nginx = "fastcgi_cache off (or proxy_cache off), no expires and no fastcgi_hide_header in Postern's "
		         "location.",
	};

	if (w->repeated > 0)
		finding_add(w->found, "url_cache", FINDING_WRONG, web_mend(w, &no_cache),
		            "the same answer came twice (X-Request-Id): something keeps answers, and may give one "
		            "caller's to another");
	else if (w->storable > 0)
		finding_add(w->found, "url_cache", FINDING_WARNING, web_mend(w, &no_cache),
		            "Cache-Control: no-store is missing in %zu of %zu answers", w->storable, w->ids);
	else
		finding_add(w->found, "url_cache", FINDING_OK, NULL,
		            "answers are not kept: no-store in each, no request id twice");
}
