/* site-check.c -- are a site's settings what they must be? One answer for the command line, the console and a
 * demo file. */
#include "admin/admin-private.h"
#include "base/text.h"

#define ORIGIN_RULE "an origin as a browser sends it: https://host or https://host:port, lower case, no path, " \
                    "no default port"
#define URL_HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789.-"

bool text_plain(const char *text, size_t room)
{
	struct span s = span_str(text);
	const uint8_t *at = s.data, *end = at + s.size;

	if (s.size >= room || !utf8_valid(s))
		return false;
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (text_is_control(cp) || text_is_bidi(cp))
			return false;
	}
	return true;
}

/* What follows http:// or https://; NULL: neither. */
static const char *after_scheme(const char *url, const char **ret_default_port)
{
	static const struct { const char *prefix, *port; } schemes[] = { { "https://", ":443" }, { "http://", ":80" } };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
			*ret_default_port = schemes[i].port;
			return url + strlen(schemes[i].prefix);
		}
	return NULL;
}

/* RFC 3986 3.2.2, as far as a browser writes it: a name, an IPv4 address, or an IPv6 address in brackets. */
static size_t host_length(const char *at)
{
	size_t n;

	if (*at != '[')
		return strspn(at, URL_HOST_CHARACTERS);
	n = 1 + strspn(at + 1, "0123456789abcdef:.");
	return n > 3 && at[n] == ']' ? n + 1 : 0;
}

static size_t port_length(const char *at)
{
	size_t digits = *at == ':' ? strspn(at + 1, "0123456789") : 0;

	return digits > 0 && digits <= 5 && at[1] != '0' ? digits + 1 : 0;
}

/* RFC 6454 6.2: an origin is compared byte by byte with what the browser sends, so only its very spelling will
 * ever match. */
static bool origin_ok(const char *origin)
{
	const char *port, *at = after_scheme(origin, &port);
	size_t host = at ? host_length(at) : 0;

	if (host == 0 || at[0] == '.' || at[0] == '-')
		return false;
	at += host;
	return *at == '\0' || (port_length(at) > 0 && at[port_length(at)] == '\0' && strcmp(at, port) != 0);
}

static bool sign_in_url_ok(const char *url)
{
	const char *port, *at = after_scheme(url, &port);

	if (!at || *at == '\0' || strchr("/?#:", *at))
		return false;
	for (; *at; at++)
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f || strchr("\"<>\\^`{|}", *at))
			return false;
	return true;
}

static bool domain_ok(const char *domain)
{
	char normal[EMAIL_MAX];

	return domain_normalise(span_str(domain), normal) && strcmp(domain, normal) == 0;
}

struct list_rule {
	const struct site_list *list;
	bool (*ok)(const char *entry);
	const char *what;
};

static enum rc list_check(const struct list_rule *r, struct why *why)
{
	char shown[200];

	for (size_t i = 0; i < r->list->count; i++)
		if (!r->ok(r->list->entry[i])) {
			text_show(shown, sizeof(shown), span_str(r->list->entry[i]));
			why_set(why, "\"%s\" is not %s", shown, r->what);
			return RC_INVALID;
		}
	return r->list->count <= SITE_LIST_MAX ? RC_OK : RC_INVALID;
}

static enum rc texts_check(const struct site *s, struct why *why)
{
	const struct { const char *text, *name; } texts[] = {
		{ s->name, "name" }, { s->sign_in_url, "sign-in URL" }, { s->issuer, "issuer" }, { s->audience, "audience" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!text_plain(texts[i].text, SITE_TEXT_MAX)) {
			why_set(why, "the %s must be UTF-8 text without control characters, under %d bytes", texts[i].name, SITE_TEXT_MAX);
			return RC_INVALID;
		}
	return RC_OK;
}

enum rc admin_site_check(const struct site *s, struct why *why)
{
	const struct list_rule lists[] = {
		{ &s->origins, origin_ok, ORIGIN_RULE },
		{ &s->accept_domains, domain_ok, "a domain name (lower case, as A-labels)" },
		{ &s->reserve_domains, domain_ok, "a domain name (lower case, as A-labels)" },
	};
	enum rc rc = texts_check(s, why);

	for (size_t i = 0; i < ARRAY_LEN(lists) && rc == RC_OK; i++)
		rc = list_check(&lists[i], why);
	if (rc != RC_OK)
		return rc;
	if (!site_id_valid(span_str(s->id)))
		why_set(why, "a site's id is a lower-case letter, then up to 62 of a-z, 0-9 and -");
	else if (s->sign_in_url[0] && !sign_in_url_ok(s->sign_in_url))
		why_set(why, "the sign-in URL must be an http or https URL");
	else if (s->max_lifetime < 1 || s->max_lifetime > SITE_LIFETIME_MAX)
		why_set(why, "the longest lifetime of a token is between 1s and 24h");
	else
		return RC_OK;
	return RC_INVALID;
}
