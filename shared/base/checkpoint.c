/* checkpoint.c -- the text of a transparency log's checkpoint: origin, size, root. */
#include "base/note.h"

#include "base/encode.h"
#include "base/text.h"

#define ROOT_TEXT_SIZE (4 * ((TREE_HASH_SIZE + 2) / 3))

void checkpoint_format(struct buf *out, const struct checkpoint *c)
{
	char root[ROOT_TEXT_SIZE + 1];

	base64_encode(root, sizeof(root), span_of(c->root.at, TREE_HASH_SIZE));
	buf_add_str(out, c->origin);
	buf_add_char(out, '\n');
	buf_add_u64(out, c->size);
	buf_add_char(out, '\n');
	buf_add_str(out, root);
	buf_add_char(out, '\n');
}

/* Takes one line off *rest. false: there is none, it is empty, or it has no end. */
static bool take_line(struct span *rest, struct span *ret)
{
	const char *from = rest->data;
	const char *at = rest->size ? memchr(from, '\n', rest->size) : NULL;

	if (!at || at == from)
		return false;
	*ret = span_of(from, (size_t)(at - from));
	*rest = span_of(at + 1, rest->size - ret->size - 1);
	return true;
}

static bool parse_origin(struct span line, char out[NOTE_NAME_MAX])
{
	const uint8_t *at = line.data, *end = at + line.size;

	if (line.size >= NOTE_NAME_MAX)
		return false;
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (cp == UTF8_BAD || text_is_control(cp))
			return false;
	}
	memcpy(out, line.data, line.size);
	out[line.size] = '\0';
	return true;
}

static bool parse_size(struct span line, uint64_t *ret)
{
	const char *digits = line.data;
	uint64_t n = 0;

	if (digits[0] == '0' && line.size > 1)
		return false;
	for (size_t i = 0; i < line.size; i++) {
		unsigned digit = (unsigned char)digits[i] - (unsigned)'0';

		if (digit > 9 || n > (TREE_SIZE_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

static bool parse_root(struct span line, struct tree_hash *ret)
{
	return base64_decode(ret->at, TREE_HASH_SIZE, line) == TREE_HASH_SIZE;
}

enum rc checkpoint_parse(struct span text, struct checkpoint *ret)
{
	struct span origin, size, root, extension;
	struct checkpoint c = { 0 };

	if (!take_line(&text, &origin) || !take_line(&text, &size) || !take_line(&text, &root) ||
	    !parse_origin(origin, c.origin) || !parse_size(size, &c.size) || !parse_root(root, &c.root))
		return RC_INVALID;
	while (text.size)
		if (!take_line(&text, &extension))
			return RC_INVALID;
	*ret = c;
	return RC_OK;
}

enum rc checkpoint_open(struct span note, const struct note_key *k, struct checkpoint *ret)
{
	struct checkpoint c;
	struct span text;
	enum rc rc = note_open(note, k, &text);

	if (rc == RC_OK)
		rc = checkpoint_parse(text, &c);
	if (rc == RC_OK && strcmp(c.origin, k->name) != 0)
		rc = RC_NOT_FOUND;
	if (rc == RC_OK)
		*ret = c;
	return rc;
}
