/* probe-mint.c -- doctor --mint: asks a site's own token endpoint for a token of an email that nobody signed in with.
 *
 * The most common hole: the endpoint signs the email that the page sends, so whoever can load the page is whoever they
 * like. It is asked in the ways that such endpoints take, without a session, and with one where a file of header lines
 * was given. */
#include "console/cli/probe-private.h"

#include <stdlib.h>

#define LIFETIME_MAX 86400
#define ALG_SHOWN_MAX 32
#define TAKE_FROM_SESSION \
	"Take the email from the signed-in session on the server, never from the request, and answer 401 where " \
	"there is none: " \
	"share/postern/signers/ has this endpoint in many languages."

static const struct way { const char *name, *method, *type, *body, *query; } ways[] = {
	{ "POST of JSON", "POST", "Content-Type: application/json", "{\"email\":\"" PROBE_EMAIL "\"}", NULL },
	{ "POST of a form", "POST", "Content-Type: application/x-www-form-urlencoded",
	  "email=doctor-probe%40example.com", NULL },
	{ "GET with ?email=", "GET", NULL, "", "email=doctor-probe%40example.com" },
	/* as a page asks that says nothing of who it is for; only with a session */
	{ "POST without email", "POST", "Content-Type: application/json", "{}", NULL },
	{ "GET", "GET", NULL, "", NULL },
};
#define WAYS_WITH_EMAIL 3

/* What came of the ways: sets of them, bits by index. */
struct came { unsigned made_up, elsewhere, other, nameless; };

struct mint {
	const struct probe_target *target;
	struct findings *found;
	struct http *http;
	struct probe_answer answer;
	struct came open, session;             /* without a session, and with it */
	int status;                            /* without a session: of the first answer but a 404 or 405, if any */
	char told[PROBE_TEXT_MAX];             /* that answer */
	bool cut;                              /* an answer was longer than what is looked at */
	/* of the tokens that were seen */
	size_t tokens;
	char alg[ALG_SHOWN_MAX];               /* one that is not HS256, fit to be shown; else "" */
	bool times_bad, no_exp, expired, storable;
	double lifetime;                       /* the longest, in seconds */
	enum reason verdict;                   /* what Postern decides about the last one, where it was asked */
	bool asked_postern;
	/* of the answers to another site's page */
	bool cors_any, cors_session;
};

/* ---- a token: decoded and looked at, never verified ---- */

static void look_at_algorithm(struct mint *m, const json_t *header)
{
	const json_t *alg = json_object_get(header, "alg");

	if (span_is(json_span(alg), "HS256"))
		return;
	if (json_is_string(alg))
		text_show(m->alg, sizeof(m->alg), json_span(alg));
	else
		snprintf(m->alg, sizeof(m->alg), "no string");
}

static void look_at_times(struct mint *m, const json_t *claims)
{
	const json_t *exp = json_object_get(claims, "exp"), *iat = json_object_get(claims, "iat");
	double now = (double)clock_s(), lifetime;

	m->times_bad |= (exp && !json_is_number(exp)) || (iat && !json_is_number(iat));
	m->no_exp |= !exp;
	if (!json_is_number(exp))
		return;
	m->expired |= json_number_value(exp) <= now;
	lifetime = json_number_value(exp) - (json_is_number(iat) ? json_number_value(iat) : now);
	if (lifetime > m->lifetime)
		m->lifetime = lifetime;
}

/* The same checks that a request meets. */
static void ask_postern(struct mint *m, struct span token)
{
	const struct probe_target *t = m->target;
	struct explained e = { 0 };
	enum reason reason = REASON_NONE;

	if (!t->admin || !t->site || admin_token_explain(t->admin, t->site, token, &e, &reason, NULL) != RC_OK)
		return;
	m->asked_postern = true;
	m->verdict = e.decision == DECISION_VERIFIED ? REASON_NONE : e.reason;
	explained_done(&e);
}

static void look_at_token(struct mint *m, const struct probe_jwt *jwt)
{
	m->tokens++;
	look_at_algorithm(m, jwt->header);
	look_at_times(m, jwt->claims);
	m->storable |= !answer_has(&m->answer, "Cache-Control", "no-store");
	ask_postern(m, jwt->text);
}

static void note_email(struct came *came, unsigned way, const json_t *claims)
{
	const json_t *email = json_object_get(claims, "email");

	if (json_is_string(email) && json_holds(email, PROBE_EMAIL))
		came->made_up |= way;
	else if (json_holds(claims, PROBE_EMAIL))
		came->elsewhere |= way;
	else if (json_is_string(email))
		came->other |= way;
	else
		came->nameless |= way;
}

/* whole: the token is the endpoint's, and all of it counts; else it may be a session of the site's own. */
static size_t look_for_tokens(struct mint *m, struct span text, struct came *came, unsigned way, bool whole)
{
	struct probe_jwt jwt = { .header = NULL };
	size_t at = 0, n = 0;

	while (jwt_next(text, &at, &jwt)) {
		note_email(came, way, jwt.claims);
		if (whole)
			look_at_token(m, &jwt);
		jwt_done(&jwt);
		n++;
	}
	return n;
}

/* ---- asking ---- */

static void look_at_cors(struct mint *m)
{
	bool credentials = answer_has(&m->answer, "Access-Control-Allow-Credentials", "true");

	if (answer_has(&m->answer, "Access-Control-Allow-Origin", PROBE_ORIGIN)) {
		m->cors_any = true;
		m->cors_session |= credentials;
	} else if (answer_has(&m->answer, "Access-Control-Allow-Origin", "*")) {
		m->cors_any = true;
	}
}

static void look_at_answer(struct mint *m, struct came *came, unsigned way)
{
	struct span head = span_of(m->answer.head->data, m->answer.head_size);
	size_t in_body = look_for_tokens(m, answer_body(&m->answer), came, way, true);

	look_for_tokens(m, head, came, way, in_body == 0);
	m->cut |= m->answer.cut;
}

static bool ask(struct mint *m, const struct way *way, bool with_session, bool with_origin)
{
	const char *lines[4] = { "Accept: application/json" };
	struct probe_request r = { .method = way->method, .query = way->query, .headers = lines };
	size_t n = 1;

	r.body = span_str(way->body);
	if (way->type)
		lines[n++] = way->type;
	if (with_origin)
		lines[n] = "Origin: " PROBE_ORIGIN;
	r.session = with_session ? m->target->session : NULL;
	return http_ask(m->http, &r, &m->answer);
}

static void note_status(struct mint *m)
{
	char to[PROBE_TEXT_MAX], tell[PROBE_TEXT_MAX];
	bool absent = m->status == 0 || m->status == 404 || m->status == 405;

	if (!absent || (m->status && (m->answer.status == 404 || m->answer.status == 405)))
		return;
	m->status = m->answer.status;
	if (m->status / 100 == 3)
		snprintf(m->told, sizeof(m->told), "it redirects to %.200s", answer_location(&m->answer, to));
	else
		snprintf(m->told, sizeof(m->told), "it answers %.200s", answer_tell(&m->answer, tell));
}

/* false: somewhere no answer came, and that is a finding. */
static bool ask_all(struct mint *m, struct came *came, size_t count, bool with_session)
{
	for (size_t i = 0; i < 2 * count; i++) {
		const struct way *way = &ways[i / 2];

		if (!ask(m, way, with_session, i % 2)) {
			finding_add(m->found, "mint_answers", FINDING_WRONG,
			            "Is this the URL that the chat's page asks for its token?", "no answer to %s: %s",
			            way->name, m->answer.why);
			return false;
		}
		if (!with_session)
			note_status(m);
		if (i % 2)
			look_at_cors(m);
		look_at_answer(m, came, 1U << (i / 2));
	}
	return true;
}

/* ---- what was found ---- */

static const char *way_names(unsigned set, char out[PROBE_TEXT_MAX])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (set & 1U << i)
			at += (size_t)snprintf(out + at, PROBE_TEXT_MAX - at, "%s%s", at ? ", " : "", ways[i].name);
	return out;
}

static void tell_nothing_given(struct mint *m)
{
	const char *cut = m->cut ? "; of long answers the first 64 KiB were looked at" : "";

	if (m->status == 404 || m->status == 405 || m->status >= 500)
		finding_add(m->found, "mint_without_session", FINDING_WARNING,
		            "Is this the URL that the chat's page asks for its token?",
		            "no token, but no sound refusal either: %s", m->told);
	else
		finding_add(m->found, "mint_without_session", FINDING_OK, NULL, "no token without a session: %s%s",
		            m->told, cut);
}

static void tell_open(struct mint *m)
{
	char names[PROBE_TEXT_MAX];

	if (m->open.made_up)
		finding_add(m->found, "mint_without_session", FINDING_WRONG, TAKE_FROM_SESSION,
		            "it signs whatever email a browser posts: anybody can be anybody (%s)",
		            way_names(m->open.made_up, names));
	else if (m->open.elsewhere)
		finding_add(m->found, "mint_without_session", FINDING_WRONG, TAKE_FROM_SESSION,
		            "it signs what a browser posts, though not as \"email\", which is what Postern reads (%s)",
		            way_names(m->open.elsewhere, names));
	else if (m->open.other)
		finding_add(m->found, "mint_without_session", FINDING_WRONG, TAKE_FROM_SESSION,
		            "it gives somebody's token to a caller without a session (%s)",
		            way_names(m->open.other, names));
	else if (m->open.nameless)
		finding_add(m->found, "mint_without_session", FINDING_WARNING, TAKE_FROM_SESSION,
		            "it gives a caller without a session a token, though one without an email, which Postern "
		            "blocks (%s)",
		            way_names(m->open.nameless, names));
	else
		tell_nothing_given(m);
}

static void tell_session(struct mint *m)
{
	const struct came *came = &m->session;
	char names[PROBE_TEXT_MAX];

	if (came->made_up | came->elsewhere)
		finding_add(m->found, "mint_other_email", FINDING_WRONG, TAKE_FROM_SESSION,
		            "whoever is signed in gets a token of any email they ask for (%s)",
		            way_names(came->made_up | came->elsewhere, names));
	else if (came->other)
		finding_add(m->found, "mint_other_email", FINDING_OK, NULL,
		            "with the session, too, the email asked for is not in the token");
	else if (came->nameless)
		finding_add(m->found, "mint_other_email", FINDING_WRONG,
		            "Put the visitor's email into the token, as \"email\", a string.",
		            "with the session it gives a token without an email, which Postern blocks");
	else
		finding_add(m->found, "mint_other_email", FINDING_WARNING,
		            "Copy the header lines (Cookie: ...) anew from a browser that is signed in.",
		            "no token with the session either: has it ended?");
}

static void look_with_session(struct mint *m)
{
	const struct probe_url *url = m->target->url;

	if (!m->target->session)
		finding_add(m->found, "mint_other_email", FINDING_SKIPPED, NULL,
		            "a signed-in visitor's token was not asked for: --header-file F with their header lines");
	else if (!url->https && !url->loopback)
		finding_add(m->found, "mint_other_email", FINDING_SKIPPED, NULL,
		            "the session was not sent: over plain HTTP others could read it");
	else if (ask_all(m, &m->session, ARRAY_LEN(ways), true))
		tell_session(m);
}

static void tell_lifetime(struct mint *m)
{
	static const char one_hour[] = "Give each token iat (now) and exp (an hour later), as numbers of seconds.";
	char text[CLOCK_TEXT_MAX];

	if (m->times_bad)
		finding_add(m->found, "mint_lifetime", FINDING_WRONG, one_hour,
		            "its exp or iat is no number, which Postern blocks");
	else if (m->expired)
		finding_add(m->found, "mint_lifetime", FINDING_WRONG, one_hour,
		            "its token is over when it comes: exp is past, or the clocks differ, or it is in "
		            "milliseconds somewhere");
	else if (m->lifetime > LIFETIME_MAX)
		finding_add(m->found, "mint_lifetime", FINDING_WRONG, one_hour,
		            "its token lives longer than 24h, which Postern blocks");
	else if (m->no_exp)
		finding_add(m->found, "mint_lifetime", FINDING_WARNING, one_hour,
		            "its token has no exp: who finds it keeps it");
	else
		finding_add(m->found, "mint_lifetime", FINDING_OK, NULL, "its token lives %s",
		            duration_format((uint64_t)(m->lifetime > 0 ? m->lifetime : 0), text));
}

static void tell_verdict(struct mint *m)
{
	const char *site = m->target->site;

	if (m->asked_postern && m->verdict == REASON_NONE)
		finding_add(m->found, "mint_verifies", FINDING_OK, NULL, "its token verifies at site %s", site);
	else if (m->asked_postern)
		finding_add(m->found, "mint_verifies", FINDING_WRONG,
		            "See: postern token explain SITE, with such a token.",
		            "its token does not verify at site %s: %s: %s", site, reason_name(m->verdict),
		            reason_text(m->verdict));
}

static void tell_tokens(struct mint *m)
{
	if (m->tokens == 0)
		return;
	if (m->alg[0])
		finding_add(m->found, "mint_algorithm", FINDING_WRONG,
		            "Sign with HS256 and the secret of the site's key (share/postern/signers/).",
		            "its token's alg is %s; Postern takes HS256 alone", m->alg);
	else
		finding_add(m->found, "mint_algorithm", FINDING_OK, NULL, "its token's alg is HS256");
	tell_lifetime(m);
	if (m->storable)
		finding_add(m->found, "mint_cache", FINDING_WARNING, "Answer with Cache-Control: no-store.",
		            "the answer with the token may be kept by a cache, and be given to the next visitor");
	else
		finding_add(m->found, "mint_cache", FINDING_OK, NULL,
		            "the answer with the token is not to be kept (no-store)");
	tell_verdict(m);
}

static void tell_cors(struct mint *m)
{
	static const char own_pages[] = "Send no Access-Control-Allow-Origin there, or your own pages' origin alone; "
	                                "never the Origin that was asked with.";

	if (m->cors_session)
		finding_add(m->found, "mint_cors", FINDING_WRONG, own_pages,
		            "any page on the web may fetch the token of a visitor who is signed in (CORS: the Origin "
		            "is sent back, with credentials)");
	else if (m->cors_any)
		finding_add(m->found, "mint_cors", FINDING_WARNING, own_pages,
		            "any page on the web may read its answers (CORS)");
	else
		finding_add(m->found, "mint_cors", FINDING_OK, NULL, "pages of other origins may not read its answers");
}

static void tell_transport(struct mint *m)
{
	const struct probe_url *url = m->target->url;

	if (url->https || url->loopback)
		finding_add(m->found, "mint_transport", FINDING_OK, NULL,
		            url->https ? "TLS, with a certificate that is trusted here" :
		                         "plain HTTP, which stays on this machine");
	else
		finding_add(m->found, "mint_transport", FINDING_WARNING, "Serve it by https only.",
		            "plain HTTP: whoever is on the way reads the session and the token");
}

enum rc probe_mint(const struct probe_target *t)
{
	struct mint m = { .target = t, .found = t->found, .http = http_new(t->url) };
	enum rc rc = probe_answer_init(&m.answer) && m.http ? RC_OK : RC_NOMEM;

	if (rc == RC_OK && ask_all(&m, &m.open, WAYS_WITH_EMAIL, false)) {
		tell_transport(&m);
		tell_open(&m);
		look_with_session(&m);
		tell_tokens(&m);
		tell_cors(&m);
	}
	probe_answer_done(&m.answer);
	http_free(m.http);
	return rc;
}
