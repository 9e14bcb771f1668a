/* json.c -- jansson, entered through one strict door. */
#include "base/json.h"

#include "base/json-memory.h"
#include "base/text.h"

/* A text of no more opening brackets than levels cannot nest deeper, wherever they stand. That is nearly every text, and a
 * search for a byte costs next to nothing beside a look at each. */
static bool has_more_brackets(struct span text, char bracket, unsigned *left)
{
	const char *at = text.data, *end = at + text.size;

	while ((at = memchr(at, bracket, (size_t)(end - at))) != NULL) {
		if ((*left)-- == 0)
			return true;
		at++;
	}
	return false;
}

/* Nesting is counted before jansson recurses. Brackets that do not match are jansson's to refuse. */
static bool too_deep(struct span text, unsigned max_depth)
{
	const char *at = text.data, *end = at + text.size;
	unsigned left = max_depth;
	bool in_string = false;
	size_t depth = 0;

	if (!has_more_brackets(text, '{', &left) && !has_more_brackets(text, '[', &left))
		return false;
	for (; at < end; at++) {
		if (in_string) {
			if (*at == '\\')
				at++;
			else if (*at == '"')
				in_string = false;
		} else if (*at == '"') {
			in_string = true;
		} else if (*at == '{' || *at == '[') {
			if (++depth > max_depth)
				return true;
		} else if ((*at == '}' || *at == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

/* Where, and jansson's words without its quote of the input, which may be anyone's. */
static void why_from(struct why *why, const json_error_t *error)
{
	const char *near = strstr(error->text, " near ");
	int size = near ? (int)(near - error->text) : (int)strlen(error->text);

	why_set(why, "line %d, column %d: %.*s", error->line, error->column, size, error->text);
}

enum rc json_strict(struct span text, unsigned max_depth, json_t **ret, struct why *why)
{
	json_error_t error;
	json_t *value;

	if (text.size == 0) {
		why_set(why, "there is no JSON value");
		return RC_INVALID;
	}
	if (memchr(text.data, '\0', text.size)) {
		why_set(why, "a NUL byte");
		return RC_INVALID;
	}
	if (too_deep(text, max_depth)) {
		why_set(why, "nested deeper than %u", max_depth);
		return RC_INVALID;
	}
	(void)json_memory_failed();                    /* what failed before is not this value's */
	value = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json_memory_failed()) {
		json_decref(value);
		return RC_NOMEM;
	}
	if (!value) {
		why_from(why, &error);
		return RC_INVALID;
	}
	*ret = value;
	return RC_OK;
}

static int add_chunk(const char *data, size_t size, void *arg)
{
	struct buf *b = arg;

	buf_add(b, data, size);
	return b->failed ? -1 : 0;
}

#define SORTED_MAX 32                  /* members that are sorted here; larger objects are jansson's */

static void add_by_jansson(struct buf *b, const json_t *value)
{
	size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY;

	if (json_dump_callback(value, add_chunk, b, flags) != 0)
		b->failed = true;
}

static void add_value(struct buf *b, const json_t *value);

static void add_array(struct buf *b, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		buf_add_char(b, i ? ',' : '[');
		add_value(b, json_array_get(array, i));
	}
	buf_add_str(b, json_array_size(array) ? "]" : "[]");
}

static void add_object(struct buf *b, json_t *object)
{
	struct { const char *name; json_t *value; } sorted[SORTED_MAX];
	size_t count = 0, i;
	const char *name;
	json_t *value;

	if (json_object_size(object) > SORTED_MAX) {
		add_by_jansson(b, object);
		return;
	}
	json_object_foreach(object, name, value) {
		for (i = count++; i > 0 && strcmp(sorted[i - 1].name, name) > 0; i--)
			sorted[i] = sorted[i - 1];
		sorted[i].name = name;
		sorted[i].value = value;
	}
	for (i = 0; i < count; i++) {
		buf_add_char(b, i ? ',' : '{');
		buf_add_json(b, span_str(sorted[i].name));
		buf_add_char(b, ':');
		add_value(b, sorted[i].value);
	}
	buf_add_str(b, count ? "}" : "{}");
}

static void add_integer(struct buf *b, json_int_t n)
{
	if (n < 0)
		buf_add_char(b, '-');
	buf_add_u64(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

static void add_value(struct buf *b, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		add_object(b, (json_t *)value);
		break;
	case JSON_ARRAY:
		add_array(b, value);
		break;
	case JSON_STRING:
		buf_add_json(b, json_span(value));
		break;
	case JSON_INTEGER:
		add_integer(b, json_integer_value(value));
		break;
	case JSON_TRUE:
		buf_add_str(b, "true");
		break;
	case JSON_FALSE:
		buf_add_str(b, "false");
		break;
	case JSON_NULL:
		buf_add_str(b, "null");
		break;
	default:
		add_by_jansson(b, value);
	}
}

/* jansson's own spelling, byte for byte, in a fifth of its time. A value is no deeper than json_strict() let it be. */
void json_canonical(struct buf *b, const json_t *value)
{
	if (value)
		add_value(b, value);
	else
		b->failed = true;
}

void pointer_add(struct buf *pointer, struct span token)
{
	const char *text = token.data;
	size_t from = 0;

	buf_add_char(pointer, '/');
	for (size_t i = 0; i < token.size; i++) {
		if (text[i] != '~' && text[i] != '/')
			continue;
		buf_add(pointer, text + from, i - from);
		buf_add(pointer, text[i] == '~' ? "~0" : "~1", 2);
		from = i + 1;
	}
	buf_add(pointer, text + from, token.size - from);
}

void pointer_add_index(struct buf *pointer, size_t index)
{
	buf_add_char(pointer, '/');
	buf_add_u64(pointer, index);
}

bool pointer_valid(struct span pointer)
{
	const char *text = pointer.data;

	if (pointer.size > POINTER_MAX || (pointer.size > 0 && text[0] != '/') || !utf8_valid(pointer))
		return false;
	for (size_t i = 0; i < pointer.size; i++)
		if (text[i] == '\0' || (text[i] == '~' && (i + 1 == pointer.size || (text[i + 1] | 1) != '1')))
			return false;
	return true;
}

/* The element of this number: decimal, without leading zeros. */
static const json_t *element_at(const json_t *array, const char *token)
{
	size_t index = 0, digits = strspn(token, "0123456789");

	if (digits == 0 || digits > 9 || token[digits] || (token[0] == '0' && digits > 1))
		return NULL;
	for (size_t i = 0; i < digits; i++)
		index = index * 10 + (size_t)(token[i] - '0');
	return json_array_get(array, index);
}

/* The next token, without its escapes; returns what is left of the pointer. */
static struct span token_read(struct span pointer, char token[POINTER_MAX + 1])
{
	const char *at = pointer.data;
	size_t i = 1, size = 0;

	for (; i < pointer.size && at[i] != '/' && size < POINTER_MAX; i++) {
		bool escaped = at[i] == '~' && i + 1 < pointer.size;

		i += escaped;
		token[size++] = !escaped ? at[i] : at[i] == '1' ? '/' : '~';
	}
	token[size] = '\0';
	return span_of(at + i, pointer.size - i);
}

const json_t *pointer_get(const json_t *value, struct span pointer)
{
	char token[POINTER_MAX + 1];

	while (value && pointer.size > 0) {
		pointer = token_read(pointer, token);
		value = json_is_array(value) ? element_at(value, token) : json_object_get(value, token);
	}
	return value;
}

struct span json_span(const json_t *string)
{
	if (!json_is_string(string))
		return span_of(NULL, 0);
	return span_of(json_string_value(string), json_string_length(string));
}
