/* note.c -- C2SP signed notes and the keys that sign them. */
#include "base/note.h"

#include "base/encode.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define TYPE_ED25519 0x01
#define ID_SIZE 4
#define ID_TEXT_SIZE (2 * ID_SIZE)
#define SIGNATURE_MIN (ID_SIZE + 1)
#define OUR_SIGNATURE_SIZE (ID_SIZE + ED25519_SIGNATURE_SIZE)

static const char sign_off[] = "\xe2\x80\x94 ";      /* an em dash and a space begin a signature line */

/* ---- keys ---- */

static bool name_ok(struct span name)
{
	const uint8_t *at = name.data;
	const uint8_t *end = at ? at + name.size : NULL;

	if (name.size == 0)
		return false;
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (cp == UTF8_BAD || cp == '+' || text_is_control(cp) || text_is_white(cp))
			return false;
	}
	return true;
}

static uint32_t id_get(const uint8_t in[ID_SIZE])
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void id_put(uint8_t out[ID_SIZE], uint32_t id)
{
	for (int i = ID_SIZE; i-- > 0; id >>= 8)
		out[i] = (uint8_t)id;
}

static enum rc key_make(struct span name, const uint8_t public[ED25519_PUBLIC_SIZE], struct note_key *ret)
{
	static const uint8_t type[] = { '\n', TYPE_ED25519 };
	const struct span parts[] = { name, span_of(type, sizeof(type)), span_of(public, ED25519_PUBLIC_SIZE) };
	uint8_t hash[SHA256_SIZE];
	enum rc rc;

	if (name.size >= NOTE_NAME_MAX || !name_ok(name))
		return RC_INVALID;
	rc = crypto_sha256_parts(parts, ARRAY_LEN(parts), hash);
	if (rc != RC_OK)
		return rc;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->name, name.data, name.size);
	memcpy(ret->public, public, ED25519_PUBLIC_SIZE);
	ret->id = id_get(hash);
	return RC_OK;
}

enum rc note_key_make(const char *name, const uint8_t public[ED25519_PUBLIC_SIZE], struct note_key *ret)
{
	return key_make(span_str(name), public, ret);
}

/* The part of *rest before the first byte c, or all of it; *rest is what follows c. */
static struct span take_until(struct span *rest, char c)
{
	const char *from = rest->data;
	const char *at = rest->size ? memchr(from, c, rest->size) : NULL;
	struct span part = at ? span_of(from, (size_t)(at - from)) : *rest;

	*rest = at ? span_of(at + 1, rest->size - part.size - 1) : span_of(NULL, 0);
	return part;
}

enum rc note_key_parse(struct span text, struct note_key *ret)
{
	struct span name = take_until(&text, '+'), id = take_until(&text, '+');
	uint8_t key[1 + ED25519_PUBLIC_SIZE], bytes[ID_SIZE];
	char expected[ID_TEXT_SIZE + 1];
	struct note_key made;
	enum rc rc;

	if (base64_decode(key, sizeof(key), text) != (long)sizeof(key) || key[0] != TYPE_ED25519)
		return RC_INVALID;
	rc = key_make(name, key + 1, &made);
	if (rc != RC_OK)
		return rc;
	id_put(bytes, made.id);
	hex_encode(expected, bytes, ID_SIZE);
	if (!span_is(id, expected))
		return RC_INVALID;
	*ret = made;
	return RC_OK;
}

const char *note_key_text(const struct note_key *k, char out[NOTE_KEY_TEXT_MAX])
{
	uint8_t key[1 + ED25519_PUBLIC_SIZE] = { TYPE_ED25519 };
	char text[4 * ((sizeof(key) + 2) / 3) + 1];

	memcpy(key + 1, k->public, ED25519_PUBLIC_SIZE);
	base64_encode(text, sizeof(text), span_of(key, sizeof(key)));
	snprintf(out, NOTE_KEY_TEXT_MAX, "%s+%08" PRIx32 "+%s", k->name, k->id, text);
	return out;
}

/* ---- notes ---- */

/* UTF-8 without control characters, the last line ended. */
static bool lines_ok(struct span text)
{
	const uint8_t *bytes = text.data;

	if (text.size == 0 || text.size > NOTE_MAX || bytes[text.size - 1] != '\n')
		return false;
	for (size_t i = 0; i < text.size; i++)
		if (bytes[i] < 0x20 && bytes[i] != '\n')
			return false;
	return utf8_valid(text);
}

struct signature {
	struct span name;
	size_t size;
	uint8_t bytes[NOTE_MAX];      /* the key's id, then what that key's algorithm makes */
};

/* The first line of *rest. false: it is no signature line. */
static bool take_signature(struct span *rest, struct signature *ret)
{
	struct span line = take_until(rest, '\n');
	size_t lead = strlen(sign_off);
	long size;

	if (line.size < lead || memcmp(line.data, sign_off, lead) != 0)
		return false;
	line = span_of((const char *)line.data + lead, line.size - lead);
	ret->name = take_until(&line, ' ');
	size = base64_decode(ret->bytes, sizeof(ret->bytes), line);
	ret->size = size < 0 ? 0 : (size_t)size;
	return size >= SIGNATURE_MIN && name_ok(ret->name);
}

/* At least one, and nothing else. */
static bool signatures_ok(struct span rest)
{
	struct signature s;

	do
		if (!take_signature(&rest, &s))
			return false;
	while (rest.size);
	return true;
}

/* The last empty line parts the text from its signatures, for a text may have empty lines of its own. */
static bool split(struct span note, struct span *ret_text, struct span *ret_signatures)
{
	const char *bytes = note.data;
	size_t at;

	if (!lines_ok(note))
		return false;
	for (at = note.size - 1; at > 0; at--)
		if (bytes[at] == '\n' && bytes[at - 1] == '\n')
			break;
	if (at == 0)
		return false;
	*ret_text = span_of(bytes, at);
	*ret_signatures = span_of(bytes + at + 1, note.size - at - 1);
	return signatures_ok(*ret_signatures);
}

enum rc note_text(struct span note, struct span *ret_text)
{
	struct span text, rest;

	if (!split(note, &text, &rest))
		return RC_INVALID;
	*ret_text = text;
	return RC_OK;
}

/* Name and id together say whose it is: others may share one of them. */
static bool is_by(const struct signature *s, const struct note_key *k)
{
	return span_is(s->name, k->name) && id_get(s->bytes) == k->id;
}

static bool verifies(const struct signature *s, const struct note_key *k, struct span text)
{
	return s->size == OUR_SIGNATURE_SIZE && ed25519_verify(k->public, text, s->bytes + ID_SIZE);
}

enum rc note_open(struct span note, const struct note_key *k, struct span *ret_text)
{
	enum rc rc = RC_NOT_FOUND;
	struct span text, rest;
	struct signature s;

	if (!split(note, &text, &rest))
		return RC_INVALID;
	while (take_signature(&rest, &s)) {
		if (!is_by(&s, k))
			continue;
		if (!verifies(&s, k, text))
			return RC_REFUSED;
		rc = RC_OK;
	}
	if (rc == RC_OK)
		*ret_text = text;
	return rc;
}

/* A seed that is not k's would make a note that nobody can open. */
static enum rc sign(struct span text, const struct note_key *k, const struct secret *seed,
		    uint8_t out[OUR_SIGNATURE_SIZE])
{
	uint8_t public[ED25519_PUBLIC_SIZE];
	enum rc rc = ed25519_public(seed, public);

	if (rc != RC_OK)
		return rc;
	if (memcmp(public, k->public, sizeof(public)) != 0)
		return RC_INVALID;
	id_put(out, k->id);
	return ed25519_sign(seed, text, out + ID_SIZE);
}

enum rc note_sign(struct buf *out, struct span text, const struct note_key *k, const struct secret *seed)
{
	char line[NOTE_NAME_MAX + 4 * ((OUR_SIGNATURE_SIZE + 2) / 3) + 8];
	char encoded[4 * ((OUR_SIGNATURE_SIZE + 2) / 3) + 1];
	uint8_t signature[OUR_SIGNATURE_SIZE];
	enum rc rc;
	int size;

	if (!lines_ok(text))
		return RC_INVALID;
	rc = sign(text, k, seed, signature);
	if (rc != RC_OK)
		return rc;
	base64_encode(encoded, sizeof(encoded), span_of(signature, sizeof(signature)));
	size = snprintf(line, sizeof(line), "\n%s%s %s\n", sign_off, k->name, encoded);
	if (text.size + (size_t)size > NOTE_MAX)
		return RC_INVALID;
	buf_add_span(out, text);
	buf_add(out, line, (size_t)size);
	return out->failed ? RC_NOMEM : RC_OK;
}
