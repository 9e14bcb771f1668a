/* fuzz-fastcgi.c -- a byte that says in what pieces it comes, then a peer's stream of FastCGI records.
 *
 * However a stream is cut into pieces, it is the same requests; and of a whole one libfcgi and the worker see the
 * parameters and the body that a plain reading of its records gives, each as often as it stands there. */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/request.h"

#include <fcgiapp.h>
#include <stdlib.h>

/* ---- a plain reading, of a request that was found whole ---- */

struct plain {
	struct buf params, body;
	bool authorizer;
};

static struct plain read_plain(struct span s)
{
	struct plain p = { .authorizer = false };

	while (s.size >= 8) {
		const uint8_t *h = s.data;
		size_t content = (size_t)h[4] << 8 | h[5], whole = 8 + content + h[6];
		struct span record;

		REQUIRE(h[0] == 1 && whole <= s.size);
		record = span_of(h + 8, content);
		if (h[1] == 1)
			p.authorizer = h[9] == 2;
		if (h[1] == 4)
			buf_add_span(&p.params, record);
		if (h[1] == 5)
			buf_add_span(&p.body, record);
		s = span_of(h + whole, s.size - whole);
	}
	REQUIRE(s.size == 0);
	return p;
}

static size_t length(struct span *rest)
{
	size_t n = fuzz_byte(rest);

	for (int i = 0; n & 0x80 && i < 1; i++) {
		n = (n & 0x7f) << 24;
		n |= (size_t)fuzz_byte(rest) << 16;
		n |= (size_t)fuzz_byte(rest) << 8;
		return n | fuzz_byte(rest);
	}
	return n;
}

/* How often the parameter stands there, and the first of them. */
static size_t parameter(const struct plain *p, const char *wanted, struct span *ret)
{
	struct span rest = buf_span(&p->params);
	size_t count = 0;

	*ret = span_of("", 0);
	while (rest.size) {
		size_t name = length(&rest), value = length(&rest);

		REQUIRE(name <= rest.size && value <= rest.size - name);
		if (span_is(span_of(rest.data, name), wanted) && count++ == 0)
			*ret = span_of((const char *)rest.data + name, value);
		rest = span_of((const char *)rest.data + name + value, rest.size - name - value);
	}
	return count;
}

/* ---- walking ---- */

struct walked { enum frame_result result; size_t size, at; uint64_t body; bool cut, authorizer; unsigned char *data; };

/* Hands over `step` bytes more each time, as a socket might; data grows in place as serve.c's input does. */
static struct walked walk(struct span stream, size_t step)
{
	struct walked w = { .result = FRAME_MORE, .data = malloc(FRAME_MAX) };
	struct frame f = { .at = 0 };
	size_t taken = 0;

	REQUIRE(w.data);
	while (w.result == FRAME_MORE && taken < stream.size) {
		size_t n = stream.size - taken < step ? stream.size - taken : step;

		if (n > FRAME_MAX - w.size)
			break;
		memcpy(w.data + w.size, (const char *)stream.data + taken, n);
		taken += n;
		w.size += n;
		w.result = frame_walk(&f, w.data, &w.size);
		REQUIRE(f.at <= w.size && w.size <= FRAME_MAX);
		REQUIRE((w.result == FRAME_BAD) == (f.bad != NULL));
	}
	w.at = f.at;
	w.body = f.body;
	w.cut = f.body_cut;
	w.authorizer = f.authorizer;
	return w;
}

static void require_same(struct span stream, size_t step)
{
	struct walked once = walk(stream, SIZE_MAX), cut = walk(stream, step);

	/* An authorizer's request is whole when its parameters are, whatever then comes: an empty STDIN, if it is there by then. */
	REQUIRE(once.result == cut.result || stream.size > FRAME_MAX || (cut.authorizer && cut.result == FRAME_WHOLE));
	if (once.result == FRAME_WHOLE && cut.result == FRAME_WHOLE) {
		REQUIRE(once.at == cut.at || (cut.authorizer && cut.at < once.at));
		REQUIRE(once.body == cut.body && once.cut == cut.cut);
		REQUIRE(memcmp(once.data, cut.data, cut.at) == 0);
	}
	free(once.data);
	free(cut.data);
}

/* ---- reading it as the worker does ---- */

static void check_request(const struct request *r, const struct plain *p, bool cut)
{
	struct span value;

	REQUIRE(r->authorization_count == parameter(p, "HTTP_AUTHORIZATION", &value));
	REQUIRE(span_equal(r->authorization, value));
	REQUIRE(r->idempotency_key_count == parameter(p, "HTTP_IDEMPOTENCY_KEY", &value) && span_equal(r->idempotency_key, value));
	REQUIRE(r->site_pin_count == parameter(p, "POSTERN_SITE", &value) && span_equal(r->site_pin, value));
	REQUIRE(r->has_origin == (parameter(p, "HTTP_ORIGIN", &value) > 0));
	REQUIRE(p->authorizer <= r->endpoint->guards);
	if (r->early == REASON_BODY_TOO_LARGE || r->endpoint->guards) {
		REQUIRE(r->body.size == 0);
		return;
	}
	if (!cut && r->early == REASON_NONE)
		REQUIRE(span_equal(r->body, buf_span(&p->body)));
	if (r->early == REASON_NONE && !r->body_short && parameter(p, "CONTENT_LENGTH", &value) > 0 && value.size) {
		char *text = fuzz_text(value);

		REQUIRE(strtoull(text, NULL, 10) == r->body.size);
		free(text);
	}
}

static void read_request(struct span stream)
{
	static struct feed feed = { .fd = -1 };
	static struct inbound in;
	struct frame f = { .at = 0 };
	struct request r = { 0 };
	struct plain p;
	const char *fault;
	size_t size = stream.size;

	if (!feed.data)
		REQUIRE(FCGX_Init() == 0 && feed_init(&feed) == RC_OK);
	if (size > FRAME_MAX)
		return;
	memcpy(feed.data, stream.data, size);
	if (frame_walk(&f, feed.data, &size) != FRAME_WHOLE || size != f.at)
		return;
	p = read_plain(span_of(feed.data, size));
	fault = inbound_read(&in, &feed, &f, &r);
	if (!fault)
		check_request(&r, &p, f.body_cut);
	inbound_close(&in);
	buf_done(&p.params);
	buf_done(&p.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 7, 8, 64, 255, 4096 };
	struct span stream = span_of(data, size);
	size_t step = steps[fuzz_byte(&stream) % ARRAY_LEN(steps)];

	if (stream.size == 0)
		return 0;
	require_same(stream, stream.size > 8192 && step < 64 ? 255 : step);
	read_request(stream);
	return 0;
}
