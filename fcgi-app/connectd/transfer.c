/* transfer.c -- one HTTP exchange through libcurl, within a connection's limits.
 *
 * A handle serves one exchange: no connection, name, cookie or session is kept from one call to the next. The address
 * is judged when its socket is made, after the name was looked up, so a name that changes its mind gains nothing. */
#include "fcgi-app/connectd/transfer.h"

#include "base/text.h"
#include "base/version.h"
#include "fcgi-app/connectd/address.h"

#include <curl/curl.h>

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HEADERS_MAX (64 << 10)         /* bytes of all header lines of an answer */
#define RETRY_AFTER_MAX 3600
#define CONNECT_MS 5000

struct exchange {
	const struct transfer *transfer;
	struct upstream_answer *answer;
	size_t header_bytes;
	bool opened, unsafe, too_large, broken;
};

/* ---- what libcurl calls ---- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct exchange *x = arg;
	const struct connection *c = x->transfer->connection;

	if (purpose != CURLSOCKTYPE_IPCXN || !address_permitted(&address->addr, c->private_nets, c->private_count)) {
		x->unsafe = true;
		return CURL_SOCKET_BAD;
	}
	x->opened = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t one, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t size = one * count;

	if (size > x->transfer->answer_max - x->answer->body.size) {
		x->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	buf_add(&x->answer->body, data, size);
	return x->answer->body.failed ? CURL_WRITEFUNC_ERROR : size;
}

/* Value of "Name: value\r\n" where it is of that name, without the spaces around it. */
static bool header_is(struct span line, const char *name, struct span *ret)
{
	const char *at = line.data, *end = at + line.size;
	size_t size = strlen(name);

	if (line.size <= size || at[size] != ':' || !ascii_equal_nocase(span_of(at, size), name))
		return false;
	for (at += size + 1; at < end && (*at == ' ' || *at == '\t'); at++)
		;
	while (end > at && strchr(" \t\r\n", end[-1]))
		end--;
	*ret = span_of(at, (size_t)(end - at));
	return true;
}

/* A value that is too long, or not visible ASCII, is as if it had not come. */
static void keep(char *out, size_t room, struct span value)
{
	*out = '\0';
	if (value.size >= room || !ascii_is_printable(value))
		return;
	memcpy(out, value.data, value.size);
	out[value.size] = '\0';
}

static void forget_headers(struct exchange *x)
{
	*x->answer->content_type = *x->answer->etag = *x->answer->last_modified = '\0';
	x->answer->retry_after = -1;
}

/* Digits, of any number, or a date. -1: neither. */
static int retry_after(struct span value)
{
	const char *at = value.data;
	char date[64];
	int seconds = 0;
	time_t then, now = time(NULL);

	for (size_t i = 0; i < value.size && ascii_is_digit(at[i]); i++) {
		seconds = seconds * 10 + (at[i] - '0');
		if (seconds > RETRY_AFTER_MAX)
			seconds = RETRY_AFTER_MAX;
		if (i + 1 == value.size)
			return seconds;
	}
	keep(date, sizeof(date), value);
	then = curl_getdate(date, NULL);
	if (then < 0)
		return -1;
	return then <= now ? 0 : then - now > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (int)(then - now);
}

static size_t take_header(char *data, size_t one, size_t count, void *arg)
{
	struct exchange *x = arg;
	struct upstream_answer *a = x->answer;
	struct span line = span_of(data, one * count), value;

	x->header_bytes += line.size;
	if (line.size > 5 && memcmp(data, "HTTP/", 5) == 0)
		forget_headers(x);              /* what came before was an interim answer */
	else if (header_is(line, "Content-Type", &value))
		keep(a->content_type, sizeof(a->content_type), value);
	else if (header_is(line, "ETag", &value))
		keep(a->etag, sizeof(a->etag), value);
	else if (header_is(line, "Last-Modified", &value))
		keep(a->last_modified, sizeof(a->last_modified), value);
	else if (header_is(line, "Retry-After", &value))
		a->retry_after = retry_after(value);
	else if (header_is(line, "Content-Encoding", &value))
		x->broken = value.size && !ascii_equal_nocase(value, "identity");   /* none was asked for */
	x->broken |= x->header_bytes > HEADERS_MAX;
	return x->broken ? 0 : line.size;
}

/* ---- one exchange ---- */

static bool add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer != NULL;
}

static bool add_lines(struct curl_slist **list, struct span lines)
{
	const char *at = lines.data, *end = at + lines.size;

	while (at < end) {
		const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
		char *line = stop ? strndup(at, (size_t)(stop - at)) : NULL;
		bool added = line && add_line(list, line);

		free(line);
		if (!added)
			return false;
		at = stop + 2;
	}
	return true;
}

static void list_free(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at; at = at->next)
		secret_wipe(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

static bool has_content_type(const struct curl_slist *list)
{
	struct span value;

	for (; list; list = list->next)
		if (header_is(span_str(list->data), "Content-Type", &value))
			return true;
	return false;
}

/* libcurl waits for no 100, and names no type of its own for a body. */
static struct curl_slist *header_list(const struct transfer *t)
{
	struct curl_slist *list = NULL;

	if (add_line(&list, "Expect:") && add_lines(&list, t->headers) &&
	    (!t->header || add_line(&list, (const char *)t->header->data)) &&
	    (has_content_type(list) || add_line(&list, "Content-Type:")))
		return list;
	list_free(list);
	return NULL;
}

/* Options are refused only where this libcurl lacks them; then there is no exchange. */
static bool set_safety(CURL *curl, struct exchange *x)
{
	const struct connection *c = x->transfer->connection;
	struct curl_blob ca = { .flags = CURL_BLOB_NOCOPY };
	bool set = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, c->http ? "http,https" : "https") == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, x) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;

	if (!set || !c->ca_pem)
		return set;
	ca.data = (void *)(uintptr_t)c->ca_pem;
	ca.len = strlen(c->ca_pem);
	return curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;     /* instead of the system's */
}

static bool set_request(CURL *curl, const struct transfer *t, struct curl_slist *headers)
{
	bool body = t->has_body || strcmp(t->method, "POST") == 0 || strcmp(t->method, "PUT") == 0 ||
		strcmp(t->method, "PATCH") == 0;
	CURLcode e = curl_easy_setopt(curl, CURLOPT_URL, t->url);

	if (!e && strcmp(t->method, "HEAD") == 0)
		return curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK &&
			curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
	if (!e && body)
		e = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.size);
	if (!e && body)
		e = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, t->body.size ? t->body.data : "");
	if (!e)
		e = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, t->method);
	return !e && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
}

static bool set_limits(CURL *curl, struct exchange *x)
{
	long ms = (long)x->transfer->timeout_ms;

	return curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&        /* a stuck name server holds nobody */
		curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_HTTP_CONTENT_DECODING, 0L) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_USERAGENT, "Postern/" POSTERN_VERSION) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, x) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
		curl_easy_setopt(curl, CURLOPT_HEADERDATA, x) == CURLE_OK;
}

static bool is_redirect(int status)
{
	return status >= 300 && status < 400 && status != 304;
}

/* What libcurl said, as the proxy socket says it. */
static enum call_error outcome(struct exchange *x, CURLcode e, bool *ret_lasting)
{
	*ret_lasting = x->unsafe || x->too_large || x->broken || e == CURLE_PEER_FAILED_VERIFICATION;
	if (e == CURLE_OK)
		return is_redirect(x->answer->status) ? CALL_UPSTREAM_UNSAFE : CALL_OK;
	if (x->too_large)
		return CALL_ANSWER_TOO_LARGE;
	if (x->unsafe || (!x->opened && (e == CURLE_UNSUPPORTED_PROTOCOL || e == CURLE_URL_MALFORMAT))) {
		*ret_lasting = true;
		return CALL_UPSTREAM_UNSAFE;
	}
	return e == CURLE_OPERATION_TIMEDOUT ? CALL_UPSTREAM_TIMEOUT : CALL_UPSTREAM_UNREACHABLE;
}

enum call_error transfer_run(struct transfer *t, struct upstream_answer *ret)
{
	struct exchange x = { .transfer = t, .answer = ret };
	struct buf body = ret->body;
	struct curl_slist *headers = header_list(t);
	CURL *curl = curl_easy_init();
	long status = 0;
	enum call_error e = CALL_UPSTREAM_UNREACHABLE;

	*ret = (struct upstream_answer){ .body = body, .retry_after = -1 };
	buf_clear(&ret->body);
	t->lasting = true;
	if (curl && headers && set_safety(curl, &x) && set_request(curl, t, headers) && set_limits(curl, &x)) {
		CURLcode done = curl_easy_perform(curl);

		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		ret->status = (int)status;
		e = outcome(&x, done, &t->lasting);
	}
	curl_easy_cleanup(curl);
	list_free(headers);
	if (e != CALL_OK)
		upstream_answer_done(ret);
	return e;
}
