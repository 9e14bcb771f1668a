/* probe-answer.c -- reading an answer that may come from anybody: its headers, and what Postern says in it. */
#include "console/cli/probe-private.h"
#include "base/encode.h"
#include "base/json.h"

#include <time.h>

#define SHOWN_MAX 120
#define DEPTH_MAX 64

/* ---- headers ---- */

static struct span trim(struct span s)
{
	const char *p = s.data;

	while (s.size > 0 && (p[s.size - 1] == ' ' || p[s.size - 1] == '\t'))
		s.size--;
	for (; s.size > 0 && (*p == ' ' || *p == '\t'); p++)
		s.size--;
	return span_of(p, s.size);
}

/* Takes what stands before the next `end` off *rest; the last piece needs none. */
static bool piece(struct span *rest, char end, struct span *ret)
{
	const char *p = rest->data, *at;

	if (rest->size == 0)
		return false;
	at = memchr(p, end, rest->size);
	*ret = span_of(p, at ? (size_t)(at - p) : rest->size);
	*rest = span_of(p + ret->size + (at != NULL), rest->size - ret->size - (at != NULL));
	return true;
}

bool answer_header(const struct probe_answer *a, const char *name, size_t index, struct span *ret)
{
	struct span rest = span_of(a->head->data, a->head_size), line;

	while (piece(&rest, '\n', &line)) {
		const char *p = line.data, *colon = memchr(p, ':', line.size);
		size_t size = colon ? (size_t)(colon - p) : 0;

		if (!colon || !ascii_equal_nocase(span_of(p, size), name) || index-- > 0)
			continue;
		*ret = trim(span_of(colon + 1, line.size - size - 1));
		return true;
	}
	return false;
}

size_t answer_count(const struct probe_answer *a, const char *name)
{
	struct span value;
	size_t n = 0;

	while (answer_header(a, name, n, &value))
		n++;
	return n;
}

bool answer_has(const struct probe_answer *a, const char *name, const char *word)
{
	struct span value, one;

	for (size_t i = 0; answer_header(a, name, i, &value); i++)
		while (piece(&value, ',', &one))
			if (ascii_equal_nocase(trim(one), word))
				return true;
	return false;
}

struct span answer_body(const struct probe_answer *a)
{
	return span_of(a->body->data, a->body_size);
}

uint64_t answer_date(const struct probe_answer *a)
{
	char text[64];
	struct span value;
	struct tm tm = { 0 };
	const char *end;
	time_t at;

	if (!answer_header(a, "Date", 0, &value) || value.size >= sizeof(text))
		return 0;
	memcpy(text, value.data, value.size);
	text[value.size] = '\0';
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end || (at = timegm(&tm)) < 0)
		return 0;
	return (uint64_t)at;
}

/* ---- shown ---- */

static struct span before(struct span s, const char *ends)
{
	const char *p = s.data;

	for (size_t i = 0; i < s.size; i++)
		if (p[i] && strchr(ends, p[i]))
			return span_of(p, i);
	return s;
}

const char *answer_tell(const struct probe_answer *a, char out[PROBE_TEXT_MAX])
{
	char type[SHOWN_MAX];
	struct span value;

	if (!answer_header(a, "Content-Type", 0, &value) || a->body_size == 0)
		snprintf(out, PROBE_TEXT_MAX, "%d%s", a->status, a->body_size ? "" : " without a body");
	else
		snprintf(out, PROBE_TEXT_MAX, "%d, %s", a->status, text_show(type, sizeof(type), before(value, ";")));
	return out;
}

/* What follows ? or # is left out: a token may be in it. */
const char *answer_location(const struct probe_answer *a, char out[PROBE_TEXT_MAX])
{
	struct probe_jwt jwt;
	struct span value;
	size_t at = 0;

	if (!answer_header(a, "Location", 0, &value) || value.size == 0)
		return "nowhere";
	value = before(value, "?#");
	if (!jwt_next(value, &at, &jwt))
		return text_show(out, SHOWN_MAX, value);
	jwt_done(&jwt);
	return "(hidden: a token is in it)";
}

enum web_server answer_server(const struct probe_answer *a)
{
	static const struct { const char *name; enum web_server server; } names[] = {
		{ "Apache", WEB_APACHE }, { "lighttpd", WEB_LIGHTTPD }, { "nginx", WEB_NGINX },
		{ "openresty", WEB_NGINX },
	};
	struct span value;

	if (answer_header(a, "Server", 0, &value))
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (ascii_equal_nocase(before(value, "/ ("), names[i].name))
				return names[i].server;
	return WEB_UNKNOWN;
}

/* ---- what Postern says ---- */

static bool is_ulid(struct span s)
{
	const char *p = s.data;

	if (s.size != ULID_MAX - 1)
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (!p[i] || !strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", p[i]))
			return false;
	return true;
}

static void read_problem(const json_t *body, struct probe_seen *ret)
{
	const char *code = json_string_value(json_object_get(body, "code"));
	const json_t *error = json_array_get(json_object_get(body, "errors"), 0);
	const char *pointer = json_string_value(json_object_get(error, "pointer"));
	enum reason reason = code ? reason_from_name(code) : REASON_COUNT;

	if (reason != REASON_COUNT)
		ret->code = reason;
	if (pointer)
		snprintf(ret->pointer, sizeof(ret->pointer), "%s", pointer);
}

static void read_identity(const json_t *body, struct probe_seen *ret)
{
	const char *status = json_string_value(json_object_get(json_object_get(body, "identity"), "status"));

	if (status)
		ret->identity = strcmp(status, "anonymous") == 0 ? SEEN_ANONYMOUS : SEEN_VERIFIED;
}

void answer_read(const struct probe_answer *a, struct probe_seen *ret)
{
	struct span id = { 0 }, type;
	json_t *body = NULL;
	bool problem = false;

	*ret = (struct probe_seen){ .status = a->status, .code = REASON_NONE };
	if (!answer_header(a, "X-Request-Id", 0, &id) || !is_ulid(id))
		return;
	memcpy(ret->id, id.data, id.size);
	if (a->body_size == 0) {
		ret->ours = true;
		return;
	}
	if (!answer_header(a, "Content-Type", 0, &type))
		return;
	type = before(type, "; ");
	problem = ascii_equal_nocase(type, "application/problem+json");
	ret->ours = problem || ascii_equal_nocase(type, "application/json");
	if (!ret->ours || a->cut || json_strict(answer_body(a), DEPTH_MAX, &body, NULL) != RC_OK)
		return;
	if (problem)
		read_problem(body, ret);
	else
		read_identity(body, ret);
	json_decref(body);
}
