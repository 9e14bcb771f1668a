/* upstream.c -- the request of an http connector, read as its receiver would. */
#include "tests/fuzz/upstream.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>

/* Percent-decoding by the book. */
static void decode(struct span s, struct buf *ret)
{
	const char *at = s.data;

	for (size_t i = 0; i < s.size; i++) {
		char hex[3] = { 0 };

		if (at[i] != '%') {
			buf_add_char(ret, at[i]);
			continue;
		}
		REQUIRE(s.size - i >= 3 && isxdigit((unsigned char)at[i + 1]) && isxdigit((unsigned char)at[i + 2]));
		memcpy(hex, at + i + 1, 2);
		buf_add_char(ret, (char)strtol(hex, NULL, 16));
		i += 2;
	}
}

static struct span path_of(const struct upstream_request *r)
{
	struct span all = buf_span(&r->target), path = span_of("", 0);

	fuzz_cut(&all, '?', &path);
	return path;
}

struct span upstream_query(const struct upstream_request *r)
{
	struct span all = buf_span(&r->target), path;

	fuzz_cut(&all, '?', &path);
	return all;
}

bool upstream_segment(const struct upstream_request *r, size_t n, struct buf *ret)
{
	struct span path = path_of(r), segment = span_of("", 0);
	bool there = fuzz_cut(&path, '/', &segment) && fuzz_cut(&path, '/', &segment);      /* "" and "proxy" */

	for (size_t i = 0; i <= n && there; i++)
		there = fuzz_cut(&path, '/', &segment);
	if (there)
		decode(segment, ret);
	return there;
}

bool upstream_pair(struct span pairs, const char *name, size_t n, struct buf *ret)
{
	struct span pair, key;

	while (fuzz_cut(&pairs, '&', &pair)) {
		REQUIRE(fuzz_cut(&pair, '=', &key));
		if (!span_is(key, name) || n-- > 0)
			continue;
		decode(pair, ret);
		return true;
	}
	return false;
}

static void require_encoded(struct span s, const char *also)
{
	const char *at = s.data;

	for (size_t i = 0; i < s.size; i++)
		REQUIRE(ascii_is_alpha(at[i]) || ascii_is_digit(at[i]) || (at[i] && strchr("-._~%", at[i])) ||
			(at[i] && strchr(also, at[i])));
}

static void require_path(const struct upstream_request *r)
{
	struct span path = path_of(r);
	struct buf segment = BUF_INIT;

	REQUIRE(path.size > 7 && memcmp(path.data, "/proxy/", 7) == 0 && ((const char *)path.data)[path.size - 1] != '/');
	require_encoded(path, "/");
	for (size_t n = 0; upstream_segment(r, n, &segment); n++) {
		REQUIRE(segment.size > 0 && !span_is(buf_span(&segment), ".") && !span_is(buf_span(&segment), ".."));
		REQUIRE(utf8_valid(buf_span(&segment)) && strcspn(segment.data, "/\\%") == segment.size);
		buf_clear(&segment);
	}
	buf_done(&segment);
}

static void require_header_names(struct span lines)
{
	struct span line;

	while (fuzz_cut(&lines, '\n', &line))
		REQUIRE(line.size > 12 && memcmp(line.data, "Nango-Proxy-", 12) == 0);
}

void require_upstream_request(const struct upstream_request *r)
{
	require_path(r);
	require_encoded(upstream_query(r), "=&");
	REQUIRE(fuzz_header_lines(buf_span(&r->headers)));
	require_header_names(buf_span(&r->headers));
	REQUIRE(r->connection && r->provider && r->method && r->timeout_ms > 0 && r->answer_max > 0);
	REQUIRE(r->content_type || r->body.size == 0);
	if (r->content_type && strcmp(r->content_type, "application/json") == 0) {
		json_t *body = fuzz_json(buf_span(&r->body));

		REQUIRE(body);
		json_decref(body);
	} else {
		require_encoded(buf_span(&r->body), "=&");
	}
}
