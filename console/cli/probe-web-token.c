/* probe-web-token.c -- doctor --url: does a token arrive as it was sent, and does nothing else say who one is? */
#include "console/cli/probe-private.h"

#define BEARER(scheme) "Authorization: " scheme " " PROBE_TOKEN

/* ---- Authorization ---- */

static const struct web_mend pass_it = {
	.any = "Until this is mended every visitor is anonymous.",
	.apache = "put CGIPassAuth On into Postern's <Location> (see share/postern/deploy/apache/); Apache drops "
	          "Authorization without it.",
	.lighttpd = "it passes Authorization by itself: look for what removes it (setenv.set-request-header), or a "
	            "proxy before it.",
	.nginx = "it passes Authorization by itself: look for fastcgi_pass_request_headers off, fastcgi_param "
		 "HTTP_AUTHORIZATION or proxy_set_header Authorization.",
};
static const struct web_mend no_own_sign_in = {
	.any = "Let Authorization through to Postern, and let Postern answer.",
	.apache = "no AuthType, Require or ProxyErrorOverride on Postern's <Location>.",
	.lighttpd = "no auth.require and no server.error-intercept on Postern's path.",
	.nginx = "no auth_basic, auth_request or fastcgi_intercept_errors in Postern's location.",
};

static void tell_refused_token(struct web *w)
{
	if (web_is_anonymous(w))
		finding_add(w->found, "url_authorization", FINDING_WRONG, web_mend(w, &pass_it),
		            "the Authorization header does not arrive: a request with a token is anonymous");
	else if (w->seen.identity == SEEN_VERIFIED)
		finding_add(w->found, "url_authorization", FINDING_WRONG,
		            "This is not Postern, or not one to be trusted: take it down.",
		            "a token that nobody signed is accepted");
	else if (w->answer.status == 401)
		finding_add(w->found, "url_authorization", FINDING_WRONG, web_mend(w, &no_own_sign_in),
		            "a request with a token is refused by the web server, or with a page of its own (%s)",
		            web_tell(w));
	else
		finding_add(w->found, "url_authorization", FINDING_WRONG, web_mend(w, &no_own_sign_in),
		            "a request with a token that nobody signed is not refused as it should be (%s)",
		            web_tell(w));
}

void web_authorization(struct web *w)
{
	static const char *const lines[][2] = { { BEARER("Bearer") }, { BEARER("bearer") }, { BEARER("BEARER") } };
	char path[WEB_PATH_MAX];

	web_path(w, "/identity", path);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (!web_get(w, "url_authorization", path, lines[i]))
			return;
		if (!web_is(w, 401, REASON_TOKEN_INVALID)) {
			tell_refused_token(w);
			return;
		}
	}
	w->passes_token = true;
	if (answer_count(&w->answer, "WWW-Authenticate") == 1)
		finding_add(w->found, "url_authorization", FINDING_OK, NULL,
		            "the Authorization header arrives: a token that nobody signed is refused (in the audit "
		            "log: token %s)",
		            PROBE_FINGERPRINT);
	else
		finding_add(w->found, "url_authorization", FINDING_WARNING, web_mend(w, &no_own_sign_in),
		            "the Authorization header arrives, but the answer's WWW-Authenticate was removed or is not "
		            "the only one");
}

/* A server may refuse these itself. What must not be: that one of two is passed on as if it were all, or none. */
void web_two_tokens(struct web *w)
{
	static const struct { const char *what, *lines[3]; } cases[] = {
		{ "another scheme's, then a token's", { "Authorization: Basic ZG9jdG9yOg==", BEARER("Bearer") } },
		{ "a token's, then another scheme's", { BEARER("Bearer"), "Authorization: Basic ZG9jdG9yOg==" } },
		{ "two tokens in one, with a comma", { BEARER("Bearer") ", Bearer " PROBE_TOKEN } },
	};
	char path[WEB_PATH_MAX];

	web_path(w, "/identity", path);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (!web_get(w, "url_two_tokens", path, cases[i].lines))
			return;
		if (w->answer.status >= 400)
			continue;
		finding_add(w->found, "url_two_tokens", FINDING_WRONG,
		            "Pass on every Authorization header (or refuse such a request): what stands before Postern "
		            "must not choose one.",
		            "a request with two Authorization headers is not refused: %s (%s)", cases[i].what,
		            web_tell(w));
		return;
	}
	finding_add(w->found, "url_two_tokens", FINDING_OK, NULL, "two Authorization headers are never anonymous");
}

/* ---- what a client says beside it ---- */

#define SPOOFED \
	"POSTERN_SITE: doctor-probe", "Postern-Site: doctor-probe", "POSTERN_METRICS: 1", "Postern-Metrics: 1", \
	"POSTERN_ROLE: authorizer", "POSTERN_EMAIL: " PROBE_EMAIL, "Postern-Email: " PROBE_EMAIL, \
	"POSTERN_DECISION: verified", "X-Postern-Decision: verified", "X-Postern-Email: " PROBE_EMAIL, \
	"X-Postern-User-Id: doctor-probe", "X-Postern-Name: doctor-probe", "REMOTE_USER: doctor-probe", \
	"Remote-User: doctor-probe", "X-Remote-User: doctor-probe", "X-Forwarded-User: doctor-probe", \
	"X-Forwarded-Email: " PROBE_EMAIL, "X-Forwarded-For: 203.0.113.77", "X-Real-IP: 203.0.113.77", \
	"HTTP_AUTHORIZATION: Bearer " PROBE_TOKEN, "X-Authorization: Bearer " PROBE_TOKEN

static const char *const spoofed[] = { SPOOFED, NULL };

static const struct web_mend server_set = {
	.any = "Postern believes only what the web server sets itself; something turns a client's header into that.",
	.apache = "SetEnvIf, RewriteRule [E=] or RequestHeader must not copy headers into POSTERN_ or "
	          "HTTP_AUTHORIZATION variables.",
	.lighttpd = "no setenv.set-environment from request headers; compare with share/postern/deploy/lighttpd/.",
	.nginx = "no fastcgi_param POSTERN_ from $http_ variables, and underscores_in_headers off; compare with "
	         "share/postern/deploy/nginx/.",
};

static bool refused_by_server(const struct web *w)
{
	return !w->seen.ours && (w->answer.status == 400 || w->answer.status == 403 || w->answer.status == 431);
}

void web_identity_headers(struct web *w)
{
	char path[WEB_PATH_MAX];
	const char *says = "a client's headers change who it is taken for";

	if (!web_get(w, "url_identity_headers", web_path(w, "/identity", path), spoofed))
		return;
	if (web_is_anonymous(w)) {
		finding_add(w->found, "url_identity_headers", FINDING_OK, NULL,
		            "headers such as POSTERN_SITE, X-Postern-Email, Remote-User and X-Forwarded-For change "
		            "nothing; what the log takes for the client's network only the log shows");
		return;
	}
	if (refused_by_server(w)) {
		finding_add(w->found, "url_identity_headers", FINDING_OK, NULL,
		            "the web server refuses spoofed identity headers (%s)", web_tell(w));
		return;
	}
	if (web_is(w, 404, REASON_SITE_UNKNOWN))
		says = "a client's POSTERN_SITE header moves it to another site";
	else if (w->seen.identity == SEEN_VERIFIED)
		says = "a client's headers make it somebody";
	finding_add(w->found, "url_identity_headers", FINDING_WRONG, web_mend(w, &server_set), "%s (%s)", says,
	            web_tell(w));
}

static const struct web_mend closed_metrics = {
	.any = "Set POSTERN_METRICS=1 only where your own monitoring asks.",
	.apache = "SetEnv POSTERN_METRICS 1 only under Require ip.",
	.lighttpd = "setenv only inside a $HTTP[\"remoteip\"] condition.",
	.nginx = "fastcgi_param POSTERN_METRICS only in a location with allow and deny all.",
};

void web_metrics(struct web *w)
{
	bool open;

	if (!web_get(w, "url_metrics", "/v1/metrics", NULL))
		return;
	open = w->answer.status / 100 == 2;
	if (open && w->target->url->loopback) {
		finding_add(w->found, "url_metrics", FINDING_SKIPPED, NULL,
		            "/v1/metrics is open to this machine; whether to others too can only be seen from there");
		return;
	}
	if (open) {
		finding_add(w->found, "url_metrics", FINDING_WRONG, web_mend(w, &closed_metrics),
		            "/v1/metrics is open to the outside");
		return;
	}
	if (!web_get(w, "url_metrics", "/v1/metrics", spoofed))
		return;
	if (w->answer.status / 100 == 2)
		finding_add(w->found, "url_metrics", FINDING_WRONG, web_mend(w, &server_set),
		            "a client's header opens /v1/metrics");
	else
		finding_add(w->found, "url_metrics", FINDING_OK, NULL, "/v1/metrics is closed to the outside");
}
