/* http-bind.c -- the request of an http connector, built from one visitor's values.
 *
 * Each value is encoded for the place it goes to, so the other side finds data where data was meant: a path segment
 * stays one segment, a query value one value, a header one line. What cannot be encoded so is refused. */
#include "connector/http-private.h"
#include "base/text.h"
#include "base/url.h"

#include <stdio.h>

/* Sizes that servers take: nginx and Apache have 8 KiB for a request's first line. */
enum { TARGET_MAX = 8000, HEADERS_MAX = 8000, BODY_MAX = 65536 };

/* A scalar as text. false: it is none. */
static bool text_add(struct buf *b, const json_t *value)
{
	if (json_is_string(value))
		buf_add_span(b, json_span(value));
	else if (json_is_number(value) || json_is_boolean(value))
		json_canonical(b, value);
	else
		return false;
	return true;
}

/* ---- the path ---- */

static enum reason segment_add(struct buf *target, const json_t *source, const json_t *value)
{
	struct buf text = BUF_INIT;
	bool valid = (json_is_string(value) || json_is_integer(value)) && text_add(&text, value) &&
		     url_segment_valid(buf_span(&text));

	if (valid) {
		buf_add_char(target, '/');
		url_encode(target, buf_span(&text));
	}
	target->failed = target->failed || text.failed;
	buf_done(&text);
	return valid ? REASON_NONE : reference_fault(source);
}

static enum reason bind_path(const json_t *path, const struct binding *b, struct buf *target)
{
	enum reason why = REASON_NONE;
	json_t *source, *value;
	size_t i;

	buf_add_str(target, "/proxy");
	json_array_foreach((json_t *)path, i, source) {
		why = reference_resolve(source, b, &value);
		if (why == REASON_NONE)
			why = segment_add(target, source, value);
		json_decref(value);
		if (why != REASON_NONE)
			return why;
	}
	return REASON_NONE;
}

/* ---- a query and a form, which differ in nothing but where they stand ---- */

static bool pair_add(struct buf *into, const char *name, const json_t *value)
{
	struct buf text = BUF_INIT;
	bool scalar = text_add(&text, value);

	if (scalar) {
		if (into->size > 0)
			buf_add_char(into, '&');
		url_encode(into, span_str(name));
		buf_add_char(into, '=');
		url_encode(into, buf_span(&text));
	}
	into->failed = into->failed || text.failed;
	buf_done(&text);
	return scalar;
}

/* One value, which may turn out to be an array of some. */
static enum reason pairs_add(struct buf *into, const char *name, const json_t *source, const struct binding *b)
{
	json_t *value, *element;
	enum reason why = reference_resolve(source, b, &value);
	bool good = true;
	size_t i;

	if (why != REASON_NONE || !value)
		return why;
	if (!json_is_array(value))
		good = pair_add(into, name, value);
	json_array_foreach(value, i, element)
		good = good && pair_add(into, name, element);
	json_decref(value);
	return good ? REASON_NONE : reference_fault(source);
}

static enum reason bind_pairs(const json_t *object, const struct binding *b, struct buf *into)
{
	enum reason why = REASON_NONE;
	const char *name;
	json_t *source, *element;
	size_t i;

	json_object_foreach((json_t *)object, name, source) {
		if (!json_is_array(source))
			why = pairs_add(into, name, source, b);
		json_array_foreach(source, i, element)
			why = why == REASON_NONE ? pairs_add(into, name, element, b) : why;
		if (why != REASON_NONE)
			return why;
	}
	return REASON_NONE;
}

static enum reason bind_query(const json_t *query, const struct binding *b, struct buf *target)
{
	struct buf pairs = BUF_INIT;
	enum reason why = bind_pairs(query, b, &pairs);

	if (pairs.size > 0) {
		buf_add_char(target, '?');
		buf_add_span(target, buf_span(&pairs));
	}
	target->failed = target->failed || pairs.failed;
	buf_done(&pairs);
	return why;
}

/* ---- headers ---- */

static enum reason header_add(struct buf *headers, const char *name, const json_t *source, const struct binding *b)
{
	struct buf text = BUF_INIT;
	json_t *value;
	enum reason why = reference_resolve(source, b, &value);

	if (why == REASON_NONE && value && (!text_add(&text, value) || !ascii_fits_header(buf_span(&text))))
		why = text.failed ? REASON_OVERLOADED : reference_fault(source);
	if (why == REASON_NONE && value)
		buf_addf(headers, "Nango-Proxy-%s: %s\r\n", name, text.data);
	json_decref(value);
	buf_done(&text);
	return why;
}

static enum reason bind_headers(const json_t *object, const struct binding *b, struct buf *headers)
{
	enum reason why = REASON_NONE;
	const char *name;
	json_t *source;

	json_object_foreach((json_t *)object, name, source)
		if ((why = header_add(headers, name, source, b)) != REASON_NONE)
			return why;
	return REASON_NONE;
}

/* ---- the body ---- */

static enum reason bind_json(const json_t *structure, const struct binding *b, struct buf *body)
{
	json_t *value;
	enum reason why = reference_resolve(structure, b, &value);

	if (why == REASON_NONE)
		json_canonical(body, value);
	json_decref(value);
	return why;
}

static enum reason bind_body(const json_t *source, const struct binding *b, struct upstream_request *r)
{
	const json_t *structure = json_object_get(source, "json");
	const json_t *form = json_object_get(source, "form");

	if (structure) {
		r->content_type = "application/json";
		return bind_json(structure, b, &r->body);
	}
	if (form) {
		r->content_type = "application/x-www-form-urlencoded";
		return bind_pairs(form, b, &r->body);
	}
	return REASON_NONE;
}

/* ---- the whole ---- */

static enum reason bind_owner(const json_t *check, const struct binding *b, struct operation *op)
{
	json_t *value = NULL;
	enum reason why = check ? reference_resolve(json_object_get(check, "equals"), b, &value) : REASON_NONE;

	if (value)
		snprintf(op->pinned, sizeof(op->pinned), "%s", json_string_value(value));
	json_decref(value);
	return why;
}

static void request_begin(const struct connector *c, struct upstream_request *r)
{
	const char *provider = json_string_value(json_object_get(c->source, "provider"));

	r->connection = json_string_value(json_object_get(c->source, "connection"));
	r->provider = provider ? provider : r->connection;
	r->host = json_string_value(json_object_get(c->source, "host"));
	r->method = c->http.method->name;
	r->timeout_ms = c->http.timeout_ms;
	r->answer_max = c->http.answer_max;
	r->idempotent = c->http.idempotent;
}

static enum reason request_fits(const struct upstream_request *r)
{
	if (r->target.failed || r->headers.failed || r->body.failed)
		return REASON_OVERLOADED;
	if (r->target.size > TARGET_MAX || r->headers.size > HEADERS_MAX || r->body.size > BODY_MAX)
		return REASON_PARAMETERS_INVALID;
	return REASON_NONE;
}

enum reason http_bind(const struct connector *c, const struct binding *b, struct operation *op)
{
	struct upstream_request *r = &op->request;
	enum reason why;

	request_begin(c, r);
	why = bind_path(json_object_get(c->source, "path"), b, &r->target);
	if (why == REASON_NONE)
		why = bind_query(json_object_get(c->source, "query"), b, &r->target);
	if (why == REASON_NONE)
		why = bind_headers(json_object_get(c->source, "headers"), b, &r->headers);
	if (why == REASON_NONE)
		why = bind_body(c->source, b, r);
	if (why == REASON_NONE)
		why = bind_owner(json_object_get(c->source, "owner_check"), b, op);
	return why == REASON_NONE ? request_fits(r) : why;
}
