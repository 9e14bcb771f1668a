/* format.c -- a record as its canonical line: one table of members, in the order they are written.
 *
 * The line is what json_canonical() would print for the same object, written without building the object: this runs
 * once per audited request, inside the ledger's only write transaction. Nothing a visitor sends can make a line too
 * long: the fixed texts take less than 2 KiB escaped, `ignored` is bounded here, and `detail` is an admin's. */
#include "audit/audit.h"

#include <stddef.h>

#define IGNORED_MAX 16          /* entries */
#define IGNORED_BYTES 256       /* of the line, per entry, without its quotes */

struct line {
	struct buf *out;
	const struct audit_record *r;
	uint64_t seq;
	size_t first;           /* where the first member begins: it has no comma */
	bool bad;               /* a member cannot be written canonically */
};

struct member {
	const char *name;       /* with the comma before it and the colon behind */
	size_t size;
	void (*write)(struct line *l, const struct member *m);
	size_t offset;          /* of its field, where it has one of its own */
};

static const void *field(const struct line *l, const struct member *m)
{
	return (const char *)l->r + m->offset;
}

static void begin(struct line *l, const struct member *m)
{
	size_t skip = l->out->size == l->first;

	buf_add(l->out, m->name + skip, m->size - skip);
}

static void write_string(struct line *l, const struct member *m, const char *text)
{
	if (text && *text) {
		begin(l, m);
		buf_add_json(l->out, span_str(text));
	}
}

static void write_number(struct line *l, const struct member *m, uint64_t n)
{
	begin(l, m);
	buf_add_u64(l->out, n);
}

static void write_text(struct line *l, const struct member *m)
{
	write_string(l, m, field(l, m));
}

static void write_effect(struct line *l, const struct member *m)
{
	write_string(l, m, l->r->effect);
}

static void write_event(struct line *l, const struct member *m)
{
	write_string(l, m, audit_event_name(l->r->event));
}

static void write_outcome(struct line *l, const struct member *m)
{
	write_string(l, m, audit_outcome_name(l->r->outcome));
}

static void write_reason(struct line *l, const struct member *m)
{
	if (l->r->reason != REASON_NONE)
		write_string(l, m, reason_name(l->r->reason));
}

static void write_expiry(struct line *l, const struct member *m)
{
	if (l->r->expiry_none)
		write_string(l, m, "none");
}

static void write_u64(struct line *l, const struct member *m)
{
	const uint64_t *n = field(l, m);

	if (*n)
		write_number(l, m, *n);
}

static void write_time(struct line *l, const struct member *m)
{
	write_number(l, m, l->r->time);
}

static void write_status(struct line *l, const struct member *m)
{
	if (l->r->status > 0)
		write_number(l, m, (uint64_t)l->r->status);
}

static void write_duration(struct line *l, const struct member *m)
{
	if (l->r->has_duration)
		write_number(l, m, l->r->duration_ms);
}

static void write_seq(struct line *l, const struct member *m)
{
	write_number(l, m, l->seq);
}

static void write_version(struct line *l, const struct member *m)
{
	write_number(l, m, 1);
}

/* Bytes of the escaped character at p: itself, \n, \u00e9, or a surrogate pair, which must not be parted. */
static size_t escaped_size(const char *p)
{
	if (p[0] != '\\')
		return 1;
	if (p[1] != 'u')
		return 2;
	return (p[2] == 'd' || p[2] == 'D') && strchr("89abAB", p[3]) ? 12 : 6;
}

/* One entry, cut on a character so that it takes at most IGNORED_BYTES of the line. Escaping never shortens, so cutting
 * the source to as many bytes first loses nothing and bounds the work. */
static void add_cut(struct buf *out, struct span text)
{
	const uint8_t *bytes = text.data;
	size_t size = text.size, start, keep = 0, next;

	if (size > IGNORED_BYTES) {
		for (size = IGNORED_BYTES; size > 0 && (bytes[size] & 0xc0) == 0x80; size--)
			;
	}
	start = out->size + 1;
	buf_add_json(out, span_of(bytes, size));
	if (out->failed || out->size - start - 1 <= IGNORED_BYTES)
		return;
	while ((next = keep + escaped_size(out->data + start + keep)) <= IGNORED_BYTES)
		keep = next;
	out->size = start + keep;
	buf_add_char(out, '"');
}

static void write_ignored(struct line *l, const struct member *m)
{
	size_t count = json_array_size(l->r->ignored);

	if (count == 0)
		return;
	begin(l, m);
	for (size_t i = 0; i < count && i < IGNORED_MAX; i++) {
		buf_add_char(l->out, i ? ',' : '[');
		add_cut(l->out, json_span(json_array_get(l->r->ignored, i)));
	}
	buf_add_char(l->out, ']');
}

/* A real has no one canonical spelling, so a record has none. */
static bool has_real(const json_t *value)
{
	json_t *child;
	size_t i;

	if (json_is_object(value)) {
		const char *name;

		json_object_foreach((json_t *)(uintptr_t)value, name, child) {
			if (has_real(child))
				return true;
		}
	}
	json_array_foreach(value, i, child) {
		if (has_real(child))
			return true;
	}
	return json_is_real(value);
}

static void write_detail(struct line *l, const struct member *m)
{
	if (!l->r->detail)
		return;
	if (!json_is_object(l->r->detail) || has_real(l->r->detail)) {
		l->bad = true;
		return;
	}
	begin(l, m);
	json_canonical(l->out, l->r->detail);
}

#define NAMED(name) ",\"" name "\":", sizeof(",\"" name "\":") - 1
#define FIELD(name, kind) { NAMED(#name), write_##kind, offsetof(struct audit_record, name) }
#define COMPUTED(name, kind) { NAMED(#name), write_##kind, 0 }

/* Sorted by name: that is the canonical order. */
static const struct member members[] = {
	FIELD(action, text),
	FIELD(actor, text),
	FIELD(conversation, text),
	FIELD(count, u64),
	COMPUTED(detail, detail),
	COMPUTED(duration_ms, duration),
	COMPUTED(effect, effect),
	COMPUTED(event, event),
	COMPUTED(expiry, expiry),
	FIELD(first, u64),
	FIELD(id, text),
	COMPUTED(ignored, ignored),
	FIELD(kid, text),
	FIELD(kid_claimed, text),
	FIELD(last, u64),
	COMPUTED(outcome, outcome),
	COMPUTED(reason, reason),
	FIELD(remote, text),
	COMPUTED(seq, seq),
	FIELD(site, text),
	COMPUTED(status, status),
	FIELD(subject, text),
	COMPUTED(time, time),
	FIELD(token, text),
	COMPUTED(v, version),
};

enum rc audit_format(struct buf *out, const struct audit_record *r, uint64_t seq)
{
	const size_t start = out->size;
	struct line l = { .out = out, .r = r, .seq = seq, .first = start + 1 };

	if (!r->id[0])
		return RC_INVALID;
	buf_add_char(out, '{');
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		members[i].write(&l, &members[i]);
	buf_add_char(out, '}');
	if (out->failed)
		return RC_NOMEM;
	if (!l.bad && out->size - start <= AUDIT_LINE_MAX)
		return RC_OK;
	out->size = start;
	out->data[start] = '\0';
	return RC_INVALID;
}
