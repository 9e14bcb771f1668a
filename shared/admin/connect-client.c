/* connect-client.c -- asks postern-connectd on its admin socket, by libcurl. What comes back is capped and parsed
 * strictly. A request may hold a secret: what libcurl itself copied of it is freed, not wiped, in a process that leaves
 * no core dump and ends soon. */
#include "admin/connection-private.h"
#include "base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>

#define ANSWER_MAX ((size_t)4 << 20)
#define ANSWER_DEPTH 8

const char *admin_connect_socket(const char *socket)
{
	const char *named = socket ? socket : getenv("POSTERN_CONNECT_ADMIN");

	return named && *named ? named : CONNECT_ADMIN_SOCKET;
}

static size_t take_answer(char *data, size_t one, size_t size, void *arg)
{
	struct buf *answer = arg;

	if (size * one > ANSWER_MAX - answer->size)
		return 0;
	buf_add(answer, data, size * one);
	return answer->failed ? 0 : size * one;
}

static void set_options(CURL *c, const struct connect_request *r, const char *url, struct buf *answer)
{
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, r->socket);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->limit_ms);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	if (r->body) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)r->body->data);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)r->body->size);
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
}

/* What to run depends on why. */
static void unreachable(CURL *c, CURLcode code, const struct connect_request *r, struct why *why)
{
	static const char start[] = "systemctl start postern-connectd, or name its socket with --socket";
	long error = 0;

	curl_easy_getinfo(c, CURLINFO_OS_ERRNO, &error);
	if (code == CURLE_OPERATION_TIMEDOUT)
		why_set(why, "postern-connectd did not answer at %s within %u s: systemctl status postern-connectd", r->socket,
		        (r->limit_ms + 999) / 1000);
	else if (code == CURLE_COULDNT_CONNECT && (error == EACCES || error == EPERM))
		why_set(why, "postern-connectd cannot be asked at %s: only root and postern-admin may; run this as root", r->socket);
	else if (code == CURLE_COULDNT_CONNECT)
		why_set(why, "postern-connectd cannot be reached at %s: %s", r->socket, start);
	else
		why_set(why, "postern-connectd at %s hung up without a whole answer (who is neither root nor postern-admin is not "
		        "answered): journalctl -u postern-connectd", r->socket);
}

/* An answer that is no JSON object says as much as its status. */
static void parse_answer(const struct buf *text, json_t **ret)
{
	json_t *object = NULL;

	if (text->size > 0 && json_strict(buf_span(text), ANSWER_DEPTH, &object, NULL) == RC_OK && json_is_object(object))
		*ret = object;
	else
		json_decref(object);
}

static enum rc perform(CURL *c, const struct connect_request *r, struct connect_answer *ret, struct why *why)
{
	struct curl_slist *lines = curl_slist_append(NULL, "Content-Type: application/json"),
	                  *both = lines ? curl_slist_append(lines, "Expect:") : NULL;
	struct buf text = BUF_INIT, url = BUF_INIT;
	enum rc rc = RC_NOMEM;
	CURLcode code;
	long status = 0;

	buf_addf(&url, "http://postern-connectd%s", r->path);
	if (!both || url.failed)
		goto out;
	set_options(c, r, url.data, &text);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, both);
	code = curl_easy_perform(c);
	if (text.failed || code == CURLE_OUT_OF_MEMORY)
		goto out;
	rc = RC_OK;
	if (code != CURLE_OK) {
		unreachable(c, code, r, why);
		rc = RC_IO;
		goto out;
	}
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (int)status;
	parse_answer(&text, &ret->body);
out:
	curl_slist_free_all(lines);
	buf_done(&text);
	buf_done(&url);
	return rc;
}

enum rc connect_ask(const struct connect_request *r, struct connect_answer *ret, struct why *why)
{
	CURL *c = curl_easy_init();
	enum rc rc;

	*ret = (struct connect_answer){ 0 };
	if (!c)
		return RC_NOMEM;
	rc = perform(c, r, ret, why);
	curl_easy_cleanup(c);
	return rc;
}

void connect_answer_done(struct connect_answer *a)
{
	json_decref(a->body);
	*a = (struct connect_answer){ 0 };
}
