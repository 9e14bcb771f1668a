/* fuzz.c -- what the fuzz targets share. */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fuzz_failed(const char *file, int line, const char *what)
{
	dprintf(STDERR_FILENO, "%s:%d: required: %s\n", file, line, what);      /* a target may have silenced stderr */
	abort();
}

bool fuzz_cut(struct span *rest, char at, struct span *ret)
{
	const char *data = rest->data, *found;
	size_t size;

	if (rest->size == 0)
		return false;
	found = memchr(data, at, rest->size);
	size = found ? (size_t)(found - data) : rest->size;
	*ret = span_of(data, size);
	*rest = span_of(data + size + (found != NULL), rest->size - size - (found != NULL));
	return true;
}

uint8_t fuzz_byte(struct span *rest)
{
	const uint8_t *data = rest->data;

	if (rest->size == 0)
		return 0;
	*rest = span_of(data + 1, rest->size - 1);
	return data[0];
}

char *fuzz_text(struct span s)
{
	size_t size = s.size ? strnlen(s.data, s.size) : 0;
	char *text = malloc(size + 1);

	REQUIRE(text);
	if (size)
		memcpy(text, s.data, size);
	text[size] = '\0';
	return text;
}

bool fuzz_printable(struct span s)
{
	const uint8_t *at = s.data, *end = at + s.size;

	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		if (cp == UTF8_BAD || text_is_control(cp) || text_is_bidi(cp))
			return false;
	}
	return true;
}

static bool header_line(struct span line, struct span *ret_name, struct span *ret_value)
{
	const char *at = line.data, *colon = line.size ? memmem(at, line.size, ": ", 2) : NULL;

	if (!colon || colon == at)
		return false;
	*ret_name = span_of(at, (size_t)(colon - at));
	*ret_value = span_of(colon + 2, line.size - ret_name->size - 2);
	for (size_t i = 0; i < line.size; i++)
		if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
			return false;
	return true;
}

bool fuzz_header_lines(struct span s)
{
	struct span line, name, value;

	if (s.size && (s.size < 2 || memcmp((const char *)s.data + s.size - 2, "\r\n", 2) != 0))
		return false;
	while (fuzz_cut(&s, '\n', &line)) {
		if (line.size == 0 || ((const char *)line.data)[line.size - 1] != '\r')
			return false;
		line.size--;
		if (!header_line(line, &name, &value))
			return false;
	}
	return true;
}

size_t fuzz_header(struct span lines, const char *wanted, struct span *ret)
{
	struct span line, name, value;
	size_t count = 0;

	*ret = span_of("", 0);
	while (fuzz_cut(&lines, '\n', &line)) {
		line.size -= line.size > 0;
		if (header_line(line, &name, &value) && ascii_equal_nocase(name, wanted) && count++ == 0)
			*ret = value;
	}
	return count;
}

json_t *fuzz_json(struct span text)
{
	return json_loadb(text.data ? text.data : "", text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

void fuzz_ended(enum rc rc)
{
	REQUIRE(strcmp(rc_name(rc), "unknown") != 0);
}

static char *dir;
static pid_t owner;

static void remove_dir(void)
{
	if (getpid() == owner)
		tmpdir_free(dir);
}

/* In memory where that can be: nothing here is about a disk, and each commit would wait for one. */
const char *fuzz_dir(void)
{
	const char *parent = getenv("TMPDIR");

	if (!dir) {
		if ((!parent || strncmp(parent, "/dev/shm", 8) != 0) && access("/dev/shm", W_OK) == 0)
			REQUIRE(setenv("TMPDIR", "/dev/shm", 1) == 0);
		REQUIRE((dir = tmpdir_new()) != NULL);
		owner = getpid();
		REQUIRE(atexit(remove_dir) == 0);
	}
	return dir;
}
