/* frame.c -- walking FastCGI records (specification 1.0) without trusting one of them. */
#include "frame.h"

#include "path/path.h"

#include <string.h>

#define HEADER_SIZE 8
enum { TYPE_BEGIN = 1, TYPE_ABORT = 2, TYPE_PARAMS = 4, TYPE_STDIN = 5 };
enum { ROLE_RESPONDER = 1, ROLE_AUTHORIZER = 2 };

#define PADDING_AT 6                   /* the byte of a header that says how much padding follows */

struct record { uint8_t version, type; uint16_t id; size_t content, whole; };

static struct record record_at(const unsigned char *at)
{
	struct record r = { .version = at[0], .type = at[1], .id = (uint16_t)(at[2] << 8 | at[3]) };

	r.content = (size_t)at[4] << 8 | at[5];
	r.whole = HEADER_SIZE + r.content + at[PADDING_AT];
	return r;
}

/* A length takes one byte, or four with the top bit set. */
static unsigned length_size(uint8_t first)
{
	return first & 0x80 ? 4 : 1;
}

static uint32_t length_value(const uint8_t *at)
{
	if (!(at[0] & 0x80))
		return at[0];
	return (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* One more byte of a pair's two lengths. false: they promise more than all parameters may have. */
static bool pair_length(struct frame_pairs *p, uint8_t byte)
{
	unsigned name, value;

	p->head[p->have++] = byte;
	name = length_size(p->head[0]);
	value = p->have > name ? length_size(p->head[name]) : 1;
	if (p->have < name + value)
		return true;
	p->name_left = length_value(p->head);
	p->value_left = length_value(p->head + name);
	p->have = 0;
	return p->name_left <= FRAME_PARAMS_MAX && p->value_left <= FRAME_PARAMS_MAX;
}

/* Takes what is there of a name or value. NUL would end the string libfcgi makes of the pair early, and "=" in a
 * name would end the name: neither may turn one parameter into another. */
static bool pair_text(uint32_t *left, const unsigned char **at, const unsigned char *end, bool is_name)
{
	size_t there = (size_t)(end - *at), n = *left < there ? *left : there;

	if (n && (memchr(*at, '\0', n) || (is_name && memchr(*at, '=', n))))
		return false;
	*at += n;
	*left -= (uint32_t)n;
	return true;
}

static bool pairs_walk(struct frame_pairs *p, const unsigned char *at, size_t size)
{
	const unsigned char *end = at + size;
	bool ok = true;

	while (at < end && ok) {
		if (p->name_left)
			ok = pair_text(&p->name_left, &at, end, true);
		else if (p->value_left)
			ok = pair_text(&p->value_left, &at, end, false);
		else
			ok = pair_length(p, *at++);
	}
	return ok;
}

static bool pairs_ended(const struct frame_pairs *p)
{
	return p->have == 0 && p->name_left == 0 && p->value_left == 0;
}

/* Each returns NULL, or what is wrong. The record's content is there unless a function says otherwise. */

static const char *see_begin(struct frame *f, const struct record *r, const unsigned char *content)
{
	int role;

	if (r->content != 8 || r->id == 0)
		return "a malformed begin";
	role = content[0] << 8 | content[1];
	if (role != ROLE_RESPONDER && role != ROLE_AUTHORIZER)
		return "a role other than responder and authorizer";
	f->authorizer = role == ROLE_AUTHORIZER;
	f->id = r->id;
	f->expects = FRAME_PARAMS;
	return NULL;
}

static const char *see_params(struct frame *f, const struct record *r, const unsigned char *content)
{
	f->params += r->content;
	if (f->params > FRAME_PARAMS_MAX)
		return "too many parameters";
	if (!pairs_walk(&f->pairs, content, r->content))
		return "a malformed parameter";
	if (r->content)
		return NULL;
	f->expects = f->authorizer ? FRAME_NO_STDIN : FRAME_STDIN;
	return pairs_ended(&f->pairs) ? NULL : "parameters cut short";
}

/* Of a body over the limit nothing more is kept, but it is read to its end: the connection stays in step. */
static const char *see_stdin(struct frame *f, const struct record *r, const unsigned char *content)
{
	(void)content;
	f->body += r->content;
	if (r->content == 0)
		f->expects = FRAME_END;
	else if (f->body > BODY_MAX) {
		f->body_cut = true;
		f->drop = r->whole;
	}
	return NULL;
}

static const char *see_no_stdin(struct frame *f, const struct record *r, const unsigned char *content)
{
	(void)r;
	(void)content;
	f->expects = FRAME_END;
	return NULL;
}

static const struct {
	uint8_t type;
	const char *(*see)(struct frame *f, const struct record *r, const unsigned char *content);
} expected[] = {
	[FRAME_BEGIN]    = { TYPE_BEGIN,  see_begin    },
	[FRAME_PARAMS]   = { TYPE_PARAMS, see_params   },
	[FRAME_STDIN]    = { TYPE_STDIN,  see_stdin    },
	[FRAME_NO_STDIN] = { TYPE_STDIN,  see_no_stdin },
};

/* Judged by the header alone, before a byte of the content is waited for. */
static const char *header_fault(const struct frame *f, const struct record *r)
{
	if (r->version != 1)
		return "bytes that are no FastCGI";
	if (r->id == 0 && r->type != TYPE_BEGIN)
		return "a management record";
	if (r->type == TYPE_ABORT)
		return "an abort";
	if (r->type != expected[f->expects].type)
		return "a record out of order";
	if (f->expects != FRAME_BEGIN && r->id != f->id)
		return "a second request inside the first";
	if (f->expects == FRAME_NO_STDIN && r->content)
		return "a body for an authorizer";
	return NULL;
}

static void cut_out(unsigned char *data, size_t *size, size_t at, size_t n)
{
	memmove(data + at, data + at + n, *size - at - n);
	*size -= n;
}

static void drop_some(struct frame *f, unsigned char *data, size_t *size)
{
	size_t there = *size - f->at, n = f->drop < there ? f->drop : there;

	cut_out(data, size, f->at, n);
	f->drop -= n;
}

/* libfcgi forgets the padding of BEGIN_REQUEST and of the record that ends the parameters, and would take it for
 * records, unchecked ones. So these have none when it sees them. */
static void unpad(const struct frame *f, const struct record *r, unsigned char *data, size_t *size)
{
	size_t padding = r->whole - HEADER_SIZE - r->content;

	if (padding == 0 || (r->type != TYPE_BEGIN && r->content))
		return;
	data[f->at + PADDING_AT] = 0;
	cut_out(data, size, f->at + HEADER_SIZE + r->content, padding);
}

/* Is this the record that ends what the request before had no use for? */
static bool is_late(const struct frame *f, const struct record *r)
{
	return f->late && f->expects == FRAME_BEGIN && r->version == 1 && r->type == TYPE_STDIN && r->id == f->late &&
	       r->content == 0;
}

/* false: not all of it is there yet. */
static bool skip_late(struct frame *f, const struct record *r, unsigned char *data, size_t *size)
{
	if (*size < r->whole)
		return false;
	cut_out(data, size, 0, r->whole);
	f->late = 0;
	return true;
}

struct frame frame_next(const struct frame *f)
{
	return (struct frame){ .late = f->expects == FRAME_NO_STDIN ? f->id : 0 };
}

enum frame_result frame_walk(struct frame *f, unsigned char *data, size_t *size)
{
	while (f->expects != FRAME_END) {
		struct record r;
		bool over;

		if (f->drop)
			drop_some(f, data, size);
		if (f->expects == FRAME_NO_STDIN && *size == f->at)
			return FRAME_WHOLE;
		if (f->drop || *size - f->at < HEADER_SIZE)
			return FRAME_MORE;
		r = record_at(data + f->at);
		if (is_late(f, &r)) {
			if (!skip_late(f, &r, data, size))
				return FRAME_MORE;
			continue;
		}
		if ((f->bad = header_fault(f, &r)) != NULL)
			return FRAME_BAD;
		/* A record that will be dropped is not waited for: it need not fit. */
		over = f->expects == FRAME_STDIN && r.content && f->body + r.content > BODY_MAX;
		if (!over && *size - f->at < r.whole)
			return FRAME_MORE;
		if ((f->bad = expected[f->expects].see(f, &r, data + f->at + HEADER_SIZE)) != NULL)
			return FRAME_BAD;
		if (over)
			continue;
		unpad(f, &r, data, size);
		f->at += record_at(data + f->at).whole;
	}
	return FRAME_WHOLE;
}
