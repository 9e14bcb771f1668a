/* note.h -- C2SP signed notes, and the checkpoints of a transparency log in them (c2sp.org/signed-note,
 * c2sp.org/tlog-checkpoint).
 *
 * A note is hostile until note_open() said otherwise. Ed25519 (type 0x01) is the one algorithm; signatures by keys one
 * does not know are ignored, as the document says. */
#ifndef POSTERN_BASE_NOTE_H
#define POSTERN_BASE_NOTE_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/tree.h"

#define NOTE_NAME_MAX 200              /* bytes of a key's name; with the terminator */
#define NOTE_MAX 8192                  /* bytes of a note */
#define NOTE_KEY_TEXT_MAX (NOTE_NAME_MAX + 64)

struct note_key {
	char name[NOTE_NAME_MAX];
	uint32_t id;                           /* first four bytes of SHA-256(name || \n || 0x01 || public) */
	uint8_t public[ED25519_PUBLIC_SIZE];
};
/* RC_INVALID: an empty or too long name, or one with a space, a plus or a control character. */
enum rc note_key_make(const char *name, const uint8_t public[ED25519_PUBLIC_SIZE], struct note_key *ret) MUST_CHECK;
/* "name+hexid+base64(0x01 || public)": a vkey. */
enum rc note_key_parse(struct span text, struct note_key *ret) MUST_CHECK;
const char *note_key_text(const struct note_key *k, char out[NOTE_KEY_TEXT_MAX]);

/* Adds the signed note: text (which ends with a newline), the empty line, the signature line. RC_INVALID: the text is
 * none of a note, or too long, or the seed is not k's. */
enum rc note_sign(struct buf *out, struct span text, const struct note_key *k, const struct secret *seed) MUST_CHECK;
/* *ret_text: the note's text with its final newline, borrowed from note. RC_INVALID: no well-formed note. RC_NOT_FOUND:
 * none of its signatures is by k. RC_REFUSED: one that names k does not verify. */
enum rc note_open(struct span note, const struct note_key *k, struct span *ret_text) MUST_CHECK;
/* The text of a note nobody vouches for: to see whose it says it is. RC_INVALID. */
enum rc note_text(struct span note, struct span *ret_text) MUST_CHECK;

/* ---- checkpoints ---- */

struct checkpoint {
	char origin[NOTE_NAME_MAX];
	uint64_t size;
	struct tree_hash root;
};
void    checkpoint_format(struct buf *out, const struct checkpoint *c);
/* Extension lines are passed over. RC_INVALID. */
enum rc checkpoint_parse(struct span text, struct checkpoint *ret) MUST_CHECK;
/* Opens and parses; the origin must be the key's name (RC_NOT_FOUND otherwise). */
enum rc checkpoint_open(struct span note, const struct note_key *k, struct checkpoint *ret) MUST_CHECK;

#endif
