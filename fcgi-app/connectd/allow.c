/* allow.c -- the allow list: compared raw, segment by segment, so that nothing is read in two ways.
 *
 * A path that was decoded and encoded again is another path; so rules see the bytes that the upstream will see, and
 * what an upstream might decode into structure ("%2f", "..", a second "%") is refused whatever the rules say. */
#include "fcgi-app/connectd/allow.h"

#include "base/text.h"
#include "base/url.h"

#define DECODED_MAX 4096

static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };

const char *method_of(struct span method)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (span_is(method, methods[i]))
			return methods[i];
	return NULL;
}

/* ---- segments ---- */

/* The bytes up to the next slash, and past it; *rest has no data left after the last one. */
static struct span next_segment(struct span *rest)
{
	const char *slash = memchr(rest->data, '/', rest->size);
	struct span segment = span_of(rest->data, slash ? (size_t)(slash - (const char *)rest->data) : rest->size);

	*rest = slash ? span_of(slash + 1, rest->size - segment.size - 1) : span_of(NULL, 0);
	return segment;
}

/* pchar of RFC 3986 without the percent sign. */
static bool plain(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@", c));
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, ascii_lower(c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* false: not well formed, or too long. */
static bool decode(struct span segment, char out[DECODED_MAX], size_t *ret_size)
{
	const char *s = segment.data;
	size_t size = 0;

	for (size_t i = 0; i < segment.size; i++) {
		char c = s[i];

		if (size == DECODED_MAX)
			return false;
		if (c == '%') {
			if (segment.size - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				return false;
			c = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		} else if (!plain(c)) {
			return false;
		}
		out[size++] = c;
	}
	*ret_size = size;
	return true;
}

/* Nothing but dots and spaces, up to the end or to where some servers cut a segment (";"); or dots up to where they trim it, or
 * cut it once they have decoded it twice. */
static bool dots_only(const char *s, size_t size)
{
	size_t dots = 0, blank;

	while (dots < size && s[dots] == '.')
		dots++;
	blank = dots;
	while (blank < size && (s[blank] == '.' || s[blank] == ' '))
		blank++;
	return blank == size || s[blank] == ';' || (dots > 0 && strchr(" ?#", s[dots]));
}

static bool segment_safe(struct span segment)
{
	char s[DECODED_MAX];
	size_t size;

	return decode(segment, s, &size) && !dots_only(s, size) && url_segment_valid(span_of(s, size));
}

bool path_safe(struct span path)
{
	while (path.data)
		if (!segment_safe(next_segment(&path)))
			return false;
	return true;
}

bool query_safe(struct span query)
{
	const char *s = query.data;

	for (size_t i = 0; i < query.size; i++)
		if (!plain(s[i]) && s[i] != '/' && s[i] != '?' && s[i] != '%')
			return false;
	return true;
}

bool query_next_name(struct span *rest, struct span *ret_name)
{
	const char *at = rest->data, *end = rest->size ? at + rest->size : at;
	size_t size = 0, all;

	if (at == end)
		return false;
	while (at + size < end && !strchr("&;=", at[size]))
		size++;
	for (all = size; at + all < end && !strchr("&;", at[all]);)
		all++;
	*ret_name = span_of(at, size);
	*rest = at + all < end ? span_of(at + all + 1, rest->size - all - 1) : span_of(end, 0);
	return true;
}

/* As servers read it: a percent sign and two digits are a byte, and blanks before a name are none of it. To PHP a name ends at a
 * NUL, and a dot or blank in it is "_". */
static bool name_reads(struct span name, const char *as)
{
	const char *s = name.data;
	size_t length = 0;

	for (size_t i = 0; i < name.size; i++) {
		char c = s[i] == '+' ? ' ' : s[i];

		if (c == '%' && name.size - i > 2 && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
			c = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		}
		if (c == ' ' && length == 0)
			continue;
		if (c == '\0')
			break;
		if ((c == '.' || c == ' ') && as[length] == '_')
			c = '_';
		if (as[length] == '\0' || as[length] != c)
			return false;
		length++;
	}
	return as[length] == '\0';
}

bool query_names(struct span query, const char *name)
{
	struct span one;

	while (query_next_name(&query, &one))
		if (name_reads(one, name))
			return true;
	return false;
}

/* ---- rules ---- */

/* Method and path of a rule; false: it has no blank followed by a slash. */
static bool split_rule(struct span rule, struct span *ret_method, struct span *ret_path)
{
	const char *blank = rule.size ? memchr(rule.data, ' ', rule.size) : NULL;
	size_t size = blank ? (size_t)(blank - (const char *)rule.data) : 0;

	if (!blank || rule.size - size < 3 || blank[1] != '/')
		return false;
	*ret_method = span_of(rule.data, size);
	*ret_path = span_of(blank + 2, rule.size - size - 2);
	return true;
}

bool allow_rule_ok(struct span rule, struct why *why)
{
	struct span method, path, segment;
	char shown[128];

	if (!split_rule(rule, &method, &path) || !method_of(method)) {
		why_set(why, "allow: \"%s\" is no rule such as GET /customers/{}/orders; methods are " METHODS,
			text_show(shown, sizeof(shown), rule));
		return false;
	}
	while (path.data) {
		segment = next_segment(&path);
		if (!span_is(segment, "{}") && !segment_safe(segment)) {
			why_set(why, "allow: \"%s\" has a segment that no path can have; write {} for a whole segment",
				text_show(shown, sizeof(shown), rule));
			return false;
		}
	}
	return true;
}

bool allow_matches(struct span rule, struct span method, struct span path)
{
	struct span rule_method, rule_path;

	if (!split_rule(rule, &rule_method, &rule_path) || !span_equal(rule_method, method) || !path.data)
		return false;
	while (rule_path.data && path.data) {
		struct span want = next_segment(&rule_path), got = next_segment(&path);

		if (got.size == 0 || (!span_is(want, "{}") && !span_equal(want, got)))
			return false;
	}
	return !rule_path.data && !path.data;
}
