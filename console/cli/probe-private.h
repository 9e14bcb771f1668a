/* probe-private.h -- what the files of doctor's probes share: one request and its answer, what can be read in an
 * answer, and the probes.
 *
 * A probe changes nothing where it asks. Its token is one that nobody signed, its email belongs to nobody. What comes
 * back may hold somebody's token or cookie: it stays in a struct secret and is never printed. */
#ifndef POSTERN_CONSOLE_CLI_PROBE_PRIVATE_H
#define POSTERN_CONSOLE_CLI_PROBE_PRIVATE_H

#include "console/cli/cmd-doctor-private.h"
#include "base/text.h"

/* Of the kid k_doctor22, without times, and always the same, so that an admin knows its blocked records by their
 * fingerprint. */
#define PROBE_TOKEN \
	"eyJhbGciOiJIUzI1NiIsImtpZCI6ImtfZG9jdG9yMjIiLCJ0eXAiOiJKV1QifQ." \
	"eyJlbWFpbCI6ImRvY3Rvci1wcm9iZUBleGFtcGxlLmNvbSJ9." \
	"cG9zdGVybi1kb2N0b3I6IHNpZ25lZCBieSBubyBvbmU"
#define PROBE_FINGERPRINT "09a76b39"           /* first 8 hex of its SHA-256 */
#define PROBE_EMAIL "doctor-probe@example.com"
#define PROBE_ORIGIN "https://doctor-probe.example"

/* ---- probe-http.c: one request, one answer. No redirect is followed, no proxy asked, no cookie kept. ---- */

#define PROBE_SECONDS 10                       /* for a whole request */
#define PROBE_HEAD_MAX 32768                   /* bytes of an answer's headers */
#define PROBE_BODY_MAX 65536                   /* and of its body, that are looked at */
#define PROBE_URL_MAX 2048
#define PROBE_TEXT_MAX 320

struct probe_url {
	char text[PROBE_URL_MAX];              /* as it was given, without slashes at its end */
	bool https, loopback, query;
};
/* false: not a URL that can be asked; why says. */
bool probe_url_parse(const char *text, struct probe_url *ret, struct why *why);

struct probe_request {
	const char *method;                    /* GET, HEAD, OPTIONS or POST */
	const char *path;                      /* follows the URL; NULL: nothing */
	const char *query;                     /* name=value, added to what the URL has; NULL: nothing */
	const char *const *headers;            /* whole lines, NULL at the end; NULL: none */
	const struct secret *session;          /* more lines, each ended by a NUL; NULL: none */
	struct span body;
	bool chunked;
};
struct probe_answer {
	int status;                            /* 0: none came; why says what did, fit to be shown */
	char why[PROBE_TEXT_MAX];
	struct secret *head, *body;            /* room; as lines that end with a line feed; as it came */
	size_t head_size, body_size;
	bool cut;                              /* the body was longer */
};
bool probe_answer_init(struct probe_answer *a);        /* false: out of memory */
void probe_answer_done(struct probe_answer *a);

struct http;
struct http *http_new(const struct probe_url *url);    /* NULL: out of memory */
void http_free(struct http *h);
/* What ret held is wiped. false: no answer came. */
bool http_ask(struct http *h, const struct probe_request *r, struct probe_answer *ret);

/* ---- probe-answer.c: what can be read in an answer ---- */

/* The index-th header of this name, without outer spaces; false: there is none. */
bool answer_header(const struct probe_answer *a, const char *name, size_t index, struct span *ret);
size_t answer_count(const struct probe_answer *a, const char *name);
/* Is this word in the header, among others between commas? ASCII case ignored. */
bool answer_has(const struct probe_answer *a, const char *name, const char *word);
struct span answer_body(const struct probe_answer *a);
/* Seconds since 1970 of its Date; 0: it has none. */
uint64_t answer_date(const struct probe_answer *a);
/* Fit to be shown: "404, text/html"; where it redirects to, without what may be secret in it. */
const char *answer_tell(const struct probe_answer *a, char out[PROBE_TEXT_MAX]);
const char *answer_location(const struct probe_answer *a, char out[PROBE_TEXT_MAX]);

enum web_server { WEB_UNKNOWN, WEB_APACHE, WEB_LIGHTTPD, WEB_NGINX };
enum web_server answer_server(const struct probe_answer *a);

/* What Postern says in it; nothing of it is outside text but what was compared with what Postern can say. */
struct probe_seen {
	bool ours;                             /* a request id of Postern's form, and JSON or no body */
	int status;
	char id[ULID_MAX];
	enum reason code;                      /* of a problem document; REASON_NONE: it is none */
	char pointer[32];                      /* the first place of a 400, as far as it fits */
	enum { SEEN_NOBODY, SEEN_ANONYMOUS, SEEN_VERIFIED } identity;
};
void answer_read(const struct probe_answer *a, struct probe_seen *ret);

/* A compact JWS found in text: never verified, only looked at. */
struct probe_jwt { struct span text; json_t *header, *claims; };       /* owned; claims NULL: they do not decode */
/* The next one from *at on, which moves behind it; false: there is none. */
bool jwt_next(struct span text, size_t *at, struct probe_jwt *ret);
void jwt_done(struct probe_jwt *j);
/* Is a string equal to text, ASCII case ignored, anywhere in value? */
bool json_holds(const json_t *value, const char *text);

/* ---- the probes ---- */

struct probe_target {                  /* all borrowed */
	struct findings *found;
	const struct probe_url *url;
	struct admin *admin;                   /* NULL: the data is not at hand */
	const char *site;                      /* NULL: none was named, nor is one known */
	const char *origin;                    /* whose pages may call; NULL: not known */
	const struct secret *session;          /* header lines of somebody who is signed in; NULL: none */
};
enum rc probe_web(const struct probe_target *t) MUST_CHECK;            /* probe-web.c: --url */
enum rc probe_mint(const struct probe_target *t) MUST_CHECK;           /* probe-mint.c: --mint */

/* ---- what the files probe-web*.c share ---- */

#define WEB_IDS_MAX 48
struct web {
	const struct probe_target *target;
	struct findings *found;
	struct http *http;
	struct probe_answer answer;            /* to the last request, and what Postern says in it */
	struct probe_seen seen;
	enum web_server server;                /* that answered last and said so */
	char site[SITE_ID_MAX];                /* the one that is asked for */
	char mend[3 * PROBE_TEXT_MAX];         /* where web_mend() puts it together */
	char text[PROBE_TEXT_MAX];             /* where answer_tell() puts it */
	bool there, site_there, passes_token;  /* Postern answers; this site, too; Authorization arrives */
	/* noted of every answer that is Postern's */
	char id[WEB_IDS_MAX][ULID_MAX];
	size_t ids, repeated, storable;
	size_t foreign_cors; /* answers with an Access-Control-Allow-Origin that Postern does not send, or several */
};
/* Asks, and notes what every answer must have. false: no answer came, and that is a finding under `check`. */
bool web_ask(struct web *w, const char *check, const struct probe_request *r);
/* GET of a path below the URL with these headers. */
bool web_get(struct web *w, const char *check, const char *path, const char *const *headers);
#define WEB_PATH_MAX 160
const char *web_path(const struct web *w, const char *rest, char out[WEB_PATH_MAX]);   /* "/v1/sites/SITE" and rest */
/* What to do: first whatever the server is, then for the one that is there, or each where it does not say which. */
struct web_mend { const char *any, *apache, *lighttpd, *nginx; };
const char *web_mend(struct web *w, const struct web_mend *m);
const char *web_tell(struct web *w);           /* answer_tell() of the last answer */
/* Is it Postern's, with this status and code (REASON_NONE: no problem document)? */
bool web_is(const struct web *w, int status, enum reason code);
bool web_is_anonymous(const struct web *w);

void web_authorization(struct web *w);         /* probe-web-token.c */
void web_two_tokens(struct web *w);
void web_identity_headers(struct web *w);
void web_metrics(struct web *w);
void web_bodies(struct web *w);                /* probe-web-body.c */
void web_cors(struct web *w);                  /* probe-web-answers.c */
void web_paths(struct web *w);
void web_error_pages(struct web *w);
void web_unaltered(struct web *w);

#endif
