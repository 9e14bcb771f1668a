/* probe-http.c -- one request and its answer, by libcurl, which no other file calls.
 *
 * Proxies of the environment are not asked: what counts is what this machine sees, and a proxy would see a session.
 * What libcurl itself held of an answer is freed, not wiped; the process leaves no core dump and ends soon. */
#include "console/cli/probe-private.h"

#include <curl/curl.h>
#include <stdlib.h>

struct http {
	CURL *curl;
	const struct probe_url *url;
	char error[CURL_ERROR_SIZE];
};

/* ---- URLs ---- */

/* A name that only begins like an address ("127.example.com") is anybody's. */
static bool is_loopback(const char *host)
{
	if (strncmp(host, "127.", 4) == 0)
		return strspn(host, "0123456789.") == strlen(host);
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

/* A part of it, or NULL; to be freed with curl_free(). */
static char *part_of(CURLU *u, CURLUPart part)
{
	char *text = NULL;

	return curl_url_get(u, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static const char *url_fault(CURLU *u, const char *text, struct probe_url *ret)
{
	char *scheme, *host, *user, *query, *fragment;
	const char *fault = NULL;

	if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK)
		return "it is not a whole URL such as https://shop.example.com/postern";
	scheme = part_of(u, CURLUPART_SCHEME);
	host = part_of(u, CURLUPART_HOST);
	user = part_of(u, CURLUPART_USER);
	query = part_of(u, CURLUPART_QUERY);
	fragment = part_of(u, CURLUPART_FRAGMENT);
	if (!scheme || !host || (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
		fault = "it must begin with https:// or http://";
	else if (user)
		fault = "a user or password must not be in it: others on this machine can read it";
	else if (fragment)
		fault = "it must not have a # part";
	ret->https = scheme && strcmp(scheme, "https") == 0;
	ret->loopback = host && is_loopback(host);
	ret->query = query != NULL;
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(query);
	curl_free(fragment);
	return fault;
}

bool probe_url_parse(const char *text, struct probe_url *ret, struct why *why)
{
	size_t size = strlen(text);
	CURLU *u = curl_url();
	const char *fault = size >= sizeof(ret->text) ? "it is too long" : NULL;

	if (!fault)
		fault = u ? url_fault(u, text, ret) : "out of memory";
	curl_url_cleanup(u);
	if (fault) {
		why_set(why, "%s", fault);
		return false;
	}
	memcpy(ret->text, text, size + 1);
	while (!ret->query && size > 0 && ret->text[size - 1] == '/')
		ret->text[--size] = '\0';
	return true;
}

/* ---- an answer ---- */

bool probe_answer_init(struct probe_answer *a)
{
	*a = (struct probe_answer){ .head = secret_new(PROBE_HEAD_MAX), .body = secret_new(PROBE_BODY_MAX) };
	return a->head && a->body;
}

void probe_answer_done(struct probe_answer *a)
{
	secret_free(a->head);
	secret_free(a->body);
	*a = (struct probe_answer){ 0 };
}

static void answer_clear(struct probe_answer *a)
{
	secret_wipe(a->head->data, a->head_size);
	secret_wipe(a->body->data, a->body_size);
	a->status = 0;
	a->head_size = a->body_size = 0;
	a->cut = false;
}

/* One line of the headers at a time. Those of an interim answer (100) are forgotten when the next begins. */
static size_t take_head(char *data, size_t one, size_t size, void *arg)
{
	struct probe_answer *a = arg;
	size_t line = size * one;

	while (line > 0 && (data[line - 1] == '\n' || data[line - 1] == '\r'))
		line--;
	if (line >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		secret_wipe(a->head->data, a->head_size);
		a->head_size = 0;
		return size * one;
	}
	if (line + 1 > PROBE_HEAD_MAX - a->head_size)
		return 0;
	memcpy(a->head->data + a->head_size, data, line);
	a->head_size += line;
	a->head->data[a->head_size++] = '\n';
	return size * one;
}

/* A short count ends the transfer: what is beyond is not waited for. */
static size_t take_body(char *data, size_t one, size_t size, void *arg)
{
	struct probe_answer *a = arg;
	size_t room = PROBE_BODY_MAX - a->body_size, n = size * one < room ? size * one : room;

	memcpy(a->body->data + a->body_size, data, n);
	a->body_size += n;
	a->cut = n < size * one;
	return n;
}

/* ---- a request ---- */

struct upload { struct span body; size_t at; };

static size_t give_body(char *out, size_t one, size_t size, void *arg)
{
	struct upload *u = arg;
	size_t left = u->body.size - u->at, n = size * one < left ? size * one : left;

	memcpy(out, (const char *)u->body.data + u->at, n);
	u->at += n;
	return n;
}

static bool add_line(struct curl_slist **lines, const char *line)
{
	struct curl_slist *grown = curl_slist_append(*lines, line);

	if (grown)
		*lines = grown;
	return grown != NULL;
}

static bool make_lines(const struct probe_request *r, struct curl_slist **lines)
{
	/* libcurl would wait for leave to send a large body */
	bool ok = add_line(lines, "Expect:") && (!r->chunked || add_line(lines, "Transfer-Encoding: chunked"));

	for (const char *const *at = r->headers; at && *at && ok; at++)
		ok = add_line(lines, *at);
	for (size_t at = 0; r->session && at < r->session->size && ok;) {
		const char *line = (const char *)r->session->data + at;

		ok = add_line(lines, line);
		at += strlen(line) + 1;
	}
	return ok;
}

static void free_lines(struct curl_slist *lines)
{
	for (struct curl_slist *at = lines; at; at = at->next)
		secret_wipe(at->data, strlen(at->data));
	curl_slist_free_all(lines);
}

static bool make_url(const struct http *h, const struct probe_request *r, char out[PROBE_URL_MAX + 512])
{
	int n = snprintf(out, PROBE_URL_MAX + 512, "%s%s%s%s", h->url->text, r->path ? r->path : "",
	                 !r->query ? "" : h->url->query ? "&" : "?", r->query ? r->query : "");

	return n > 0 && n < PROBE_URL_MAX + 512;
}

static void set_limits(CURL *c)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)PROBE_SECONDS);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "postern-doctor/" POSTERN_VERSION);
}

static void set_body(CURL *c, const struct probe_request *r, struct upload *u)
{
	if (r->chunked) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(c, CURLOPT_READDATA, u);
	} else if (r->body.size) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body.data);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)r->body.size);
	}
	if (strcmp(r->method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

/* ---- what went wrong ---- */

static const struct { CURLcode code; const char *text; } causes[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, "its name has no address here" },
	{ CURLE_COULDNT_CONNECT, "no connection" },
	{ CURLE_OPERATION_TIMEDOUT, "no whole answer in time" },
	{ CURLE_PEER_FAILED_VERIFICATION, "its certificate is not trusted here" },
	{ CURLE_SSL_CONNECT_ERROR, "TLS was not agreed on" },
	{ CURLE_SSL_CACERT_BADFILE, "there are no trusted certificates on this machine (package ca-certificates)" },
	{ CURLE_GOT_NOTHING, "it hung up without an answer" },
	{ CURLE_RECV_ERROR, "the connection broke before the answer was whole" },
	{ CURLE_PARTIAL_FILE, "the connection broke before the answer was whole" },
	{ CURLE_SEND_ERROR, "the connection broke while the request was sent" },
	{ CURLE_UNSUPPORTED_PROTOCOL, "what answers there does not speak HTTP" },
	{ CURLE_WEIRD_SERVER_REPLY, "what answers there does not speak HTTP" },
	{ CURLE_WRITE_ERROR, "its headers are longer than anything sound" },
};

/* libcurl's own words may quote the other side's. */
static void tell_cause(const struct http *h, CURLcode code, char out[PROBE_TEXT_MAX])
{
	const char *text = "it could not be asked";
	char all[CURL_ERROR_SIZE + 128];

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (causes[i].code == code)
			text = causes[i].text;
	snprintf(all, sizeof(all), "%s (%s)", text, h->error[0] ? h->error : curl_easy_strerror(code));
	text_show(out, PROBE_TEXT_MAX, span_str(all));
}

/* ---- the whole ---- */

bool http_ask(struct http *h, const struct probe_request *r, struct probe_answer *ret)
{
	struct upload upload = { .body = r->body };
	struct curl_slist *lines = NULL;
	char url[PROBE_URL_MAX + 512];
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;

	answer_clear(ret);
	h->error[0] = '\0';
	curl_easy_reset(h->curl);              /* the connection stays */
	if (!make_lines(r, &lines) || !make_url(h, r, url))
		goto out;
	set_limits(h->curl);
	set_body(h->curl, r, &upload);
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, lines);
	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, ret);
	curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, ret);
	code = curl_easy_perform(h->curl);
	if (code == CURLE_WRITE_ERROR && ret->cut)
		code = CURLE_OK;
	if (code == CURLE_OK)
		curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
out:
	ret->status = (int)status;
	if (status == 0)
		tell_cause(h, code, ret->why);
	free_lines(lines);
	return status != 0;
}

struct http *http_new(const struct probe_url *url)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->url = url;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		h->curl = curl_easy_init();
		if (h->curl)
			return h;
		curl_global_cleanup();
	}
	free(h);
	return NULL;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	curl_global_cleanup();
	free(h);
}
