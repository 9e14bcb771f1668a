/* credential.c -- what a connection's credential adds to a request. */
#include "fcgi-app/connectd/credential.h"

#include "base/encode.h"
#include "base/text.h"
#include "base/url.h"

struct secret *secret_join(const struct span *parts, size_t count)
{
	struct secret *out;
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += parts[i].size;
	out = secret_new(size);
	if (!out)
		return NULL;
	size = 0;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size)
			memcpy(out->data + size, parts[i].data, parts[i].size);
		size += parts[i].size;
	}
	return out;
}

struct secret *secret_percent(struct span text)
{
	struct secret *out = secret_new(url_encoded(NULL, text));

	if (out)
		url_encoded((char *)out->data, text);
	return out;
}

struct secret *secret_basic(struct span user, struct span password)
{
	static const char head[] = "Authorization: Basic ";
	const size_t head_size = sizeof(head) - 1;
	struct secret *pair = secret_join((struct span[]){ user, span_str(":"), password }, 3);
	struct secret *out = pair ? secret_new(head_size + 4 * ((pair->size + 2) / 3)) : NULL;

	if (out) {
		memcpy(out->data, head, head_size);
		base64_encode((char *)out->data + head_size, out->size - head_size + 1, secret_span(pair));
	}
	secret_free(pair);
	return out;
}

static enum rc header_of(struct span name, struct span prefix, const struct secret *value, struct secret **ret)
{
	if (value->size == 0 || !ascii_is_printable(secret_span(value)))       /* nothing ends the header and begins another */
		return RC_INVALID;
	*ret = secret_join((struct span[]){ name, span_str(": "), prefix, secret_span(value) }, 4);
	return *ret ? RC_OK : RC_NOMEM;
}

static enum rc query_of(const struct connection *c, struct secret **ret)
{
	struct secret *name = secret_percent(span_str(c->auth.name));
	struct secret *prefix = secret_percent(span_str(c->auth.prefix));
	struct secret *value = secret_percent(secret_span(c->api_key));

	*ret = NULL;
	if (name && prefix && value)
		*ret = secret_join((struct span[]){ secret_span(name), span_str("="), secret_span(prefix),
						    secret_span(value) }, 4);
	secret_free(name);
	secret_free(prefix);
	secret_free(value);
	return *ret ? RC_OK : RC_NOMEM;
}

enum rc credential_make(const struct connection *c, struct credential *ret)
{
	*ret = (struct credential){ NULL, NULL };
	switch (c->auth.type) {
	case AUTH_NONE:
		return RC_OK;
	case AUTH_API_KEY:
		if (!c->api_key)
			return RC_INVALID;
		if (c->auth.in_query)
			return query_of(c, &ret->query);
		return header_of(span_str(c->auth.name), span_str(c->auth.prefix), c->api_key, &ret->header);
	case AUTH_BASIC:
		if (!c->password)
			return RC_INVALID;
		ret->header = secret_basic(span_str(c->auth.username), secret_span(c->password));
		return ret->header ? RC_OK : RC_NOMEM;
	case AUTH_OAUTH2_REFRESH:
	case AUTH_OAUTH2_CLIENT:
		if (!c->access_token)
			return RC_INVALID;
		return header_of(span_str("Authorization"), span_str("Bearer "), c->access_token, &ret->header);
	}
	return RC_INVALID;
}

void credential_done(struct credential *c)
{
	secret_free(c->header);
	secret_free(c->query);
	*c = (struct credential){ NULL, NULL };
}
