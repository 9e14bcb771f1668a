/* verify-export-file.c -- reading an exported file: a bounded line at a time, the note behind the last one first. */
#include "admin/export-private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL      (NOTE_MAX + EXPORT_LINE_MAX + 2)
#define DEPTH_MAX 3

/* ---- the file ---- */

static ssize_t read_at(int fd, void *out, size_t size, off_t at)
{
	ssize_t n;

	do
		n = pread(fd, out, size, at);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return true;
}

/* The note comes last and is needed first: what comes through a pipe is kept in a file without a name. */
static enum rc spool(struct export_file *f, int from)
{
	char path[] = "/tmp/postern-verify.XXXXXX";
	ssize_t n;

	f->fd = mkstemp(path);
	if (f->fd < 0)
		return RC_IO;
	f->spooled = true;
	unlink(path);
	while ((n = read(from, f->room, EXPORT_READ)) != 0) {
		if (n < 0 && errno != EINTR)
			return RC_IO;
		if (n > 0 && !write_all(f->fd, f->room, (size_t)n))
			return errno == ENOSPC ? RC_NOSPACE : RC_IO;
	}
	return RC_OK;
}

/* Where in the tail of the file the lines of JSON end. from: where its first whole line begins. */
static size_t note_begin(struct span tail, size_t from)
{
	const char *text = tail.data;
	size_t begin = from;

	while (from < tail.size) {
		const char *feed = memchr(text + from, '\n', tail.size - from);
		size_t next = feed ? (size_t)(feed - text) + 1 : tail.size;

		if (text[from] == '{')
			begin = next;
		from = next;
	}
	return begin;
}

static enum rc find_note(struct export_file *f, off_t size)
{
	size_t have = size < (off_t)TAIL ? (size_t)size : TAIL, from = 0, begin;
	const char *feed;

	if (have > 0 && read_at(f->fd, f->room, have, size - (off_t)have) != (ssize_t)have)
		return RC_IO;
	if (have < (size_t)size) {
		feed = memchr(f->room, '\n', have);
		from = feed ? (size_t)(feed - f->room) + 1 : 0;
	}
	begin = note_begin(span_of(f->room, have), from);
	buf_add(&f->note, f->room + begin, have - begin);
	f->end = size - (off_t)(have - begin);
	return f->note.failed ? RC_NOMEM : RC_OK;
}

enum rc export_open(int fd, struct export_file *ret, struct why *why)
{
	struct stat s;
	enum rc rc;

	*ret = (struct export_file){ .fd = fd };
	ret->room = malloc(EXPORT_READ);
	rc = ret->room ? RC_OK : RC_NOMEM;
	if (rc == RC_OK && (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)))
		rc = spool(ret, fd);
	if (rc == RC_OK && fstat(ret->fd, &s) != 0)
		rc = RC_IO;
	if (rc == RC_OK)
		rc = find_note(ret, s.st_size);
	if (rc != RC_OK)
		why_set(why, "the export cannot be read: %s", rc_text(rc));
	return rc;
}

void export_done(struct export_file *f)
{
	if (f->spooled)
		close(f->fd);
	buf_done(&f->note);
	free(f->room);
	*f = (struct export_file){ .fd = -1 };
}

/* What people also try. */
const char *export_other(const struct export_file *f)
{
	static const struct { const char *begins, *is; } others[] = {
		{ "c2sp.org/tlog-proof@", "the file is the proof of one record that audit prove makes; audit export --proofs makes "
		                          "records with their proofs, which are verified here" },
		{ "origin,leaf_hash,", "the file is an export in csv; only one in jsonl can be verified" },
		{ "{\"@timestamp\":", "the file is an export in ecs; only one in jsonl can be verified" },
		{ "CEF:0|", "the file is an export in cef; only one in jsonl can be verified" },
		{ "[", "the file is what --json makes, or no export; only one in jsonl can be verified" },
	};
	char begin[32];
	ssize_t have = read_at(f->fd, begin, sizeof(begin), 0);

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		size_t size = strlen(others[i].begins);

		if (have >= (ssize_t)size && memcmp(begin, others[i].begins, size) == 0)
			return others[i].is;
	}
	return NULL;
}

/* ---- lines ---- */

static enum rc fill(struct export_file *f)
{
	size_t left = f->to - f->from, room;
	ssize_t n;

	memmove(f->room, f->room + f->from, left);
	f->from = 0;
	f->to = left;
	room = EXPORT_READ - left;
	if ((off_t)room > f->end - f->at)
		room = (size_t)(f->end - f->at);
	n = room > 0 ? read_at(f->fd, f->room + left, room, f->at) : 0;
	if (n < 0)
		return RC_IO;
	f->at += n;
	f->to += (size_t)n;
	return n > 0 ? RC_OK : RC_NOT_FOUND;
}

enum rc export_line(struct export_file *f, struct span *ret)
{
	const char *feed = NULL;
	enum rc rc = RC_OK;

	while (!f->cut && !(feed = memchr(f->room + f->from, '\n', f->to - f->from)) && rc == RC_OK) {
		if (f->to - f->from > EXPORT_LINE_MAX)
			f->cut = true;
		else
			rc = fill(f);
	}
	if (!feed) {
		f->cut |= f->to > f->from;
		return rc == RC_OK ? RC_NOT_FOUND : rc;
	}
	*ret = span_of(f->room + f->from, (size_t)(feed - (f->room + f->from)));
	f->from += ret->size + 1;
	f->cut = ret->size > EXPORT_LINE_MAX;
	return f->cut ? RC_NOT_FOUND : RC_OK;
}

/* ---- lines that are no records ---- */

static const struct {
	const char *begins, *hashes, *number;
	size_t members;
} kinds[] = {
	[EXPORT_HEADER] = { "{\"export\":", "hashes", "first", 3 },
	[EXPORT_PROOF] = { "{\"proof\":", "proof", "seq", 2 },
	[EXPORT_CONSISTENCY] = { "{\"consistency\":", "consistency", "size", 2 },
};

enum export_kind export_kind(struct span line)
{
	for (size_t i = EXPORT_HEADER; i < ARRAY_LEN(kinds); i++) {
		size_t size = strlen(kinds[i].begins);

		if (line.size >= size && memcmp(line.data, kinds[i].begins, size) == 0)
			return (enum export_kind)i;
	}
	return EXPORT_RECORD;
}

static bool hashes_of(const json_t *list, struct tree_proof *ret)
{
	const json_t *text;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > ARRAY_LEN(ret->hash))
		return false;
	json_array_foreach(list, i, text) {
		uint8_t bytes[TREE_HASH_SIZE + 2];
		struct span s = json_span(text);

		if (s.size != 44 || base64_decode(bytes, sizeof(bytes), s) != TREE_HASH_SIZE)
			return false;
		memcpy(ret->hash[i].at, bytes, TREE_HASH_SIZE);
	}
	ret->count = json_array_size(list);
	return true;
}

enum rc export_extra(struct span line, enum export_kind kind, struct export_extra *ret)
{
	const json_t *number;
	json_t *object = NULL;
	enum rc rc = json_strict(line, DEPTH_MAX, &object, NULL);

	if (rc == RC_NOMEM)
		return rc;
	number = json_object_get(object, kinds[kind].number);
	if (rc == RC_OK && json_object_size(object) == kinds[kind].members && json_is_integer(number) &&
	    json_integer_value(number) >= 0 && hashes_of(json_object_get(object, kinds[kind].hashes), &ret->hashes))
		ret->number = (uint64_t)json_integer_value(number);
	else
		rc = RC_INVALID;
	if (kind == EXPORT_HEADER && json_integer_value(json_object_get(object, "export")) != 1)
		rc = RC_INVALID;
	json_decref(object);
	return rc;
}
