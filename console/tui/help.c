/* help.c -- the table of keys as text. */
#include "console/tui/console.h"

#define KEYS_COLUMN 2
#define TEXT_COLUMN 30
#define COLUMNS 72

static const struct { unsigned place; const char *head; } groups[] = {
	{ PLACE_SITES, "In Sites" }, { PLACE_KEYS, "In Keys" }, { PLACE_LIVE, "In Live" }, { PLACE_AUDIT, "In Audit" },
	{ PLACE_HEALTH, "In Health" }, { PLACE_TOKEN, "In Token" }, { PLACE_RECORD, "In a record" },
};

/* Holds in every panel: said once. */
static bool is_everywhere(const struct key_binding *b)
{
	return (b->places & PLACE_PANELS) == PLACE_PANELS;
}

static bool belongs(const struct key_binding *b, unsigned place)
{
	return place == PLACE_PANELS ? is_everywhere(b) : !is_everywhere(b) && (b->places & place);
}

static void add_spaces(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_add_char(out, ' ');
}

/* Words from the column on, broken before COLUMNS. */
static void add_words(struct buf *out, size_t column, const char *text)
{
	size_t at = column;

	while (*text) {
		size_t size = strcspn(text, " ");

		if (at > column && at + 1 + size > COLUMNS) {
			buf_add_char(out, '\n');
			add_spaces(out, column);
			at = column;
		}
		if (at > column) {
			buf_add_char(out, ' ');
			at++;
		}
		buf_add(out, text, size);
		at += size;
		text += size + (text[size] == ' ');
	}
	buf_add_char(out, '\n');
}

static void add_binding(struct buf *out, const struct key_binding *b)
{
	size_t size = strlen(b->label);

	add_spaces(out, KEYS_COLUMN);
	buf_add_str(out, b->label);
	add_spaces(out, size + KEYS_COLUMN < TEXT_COLUMN ? TEXT_COLUMN - KEYS_COLUMN - size : 1);
	add_words(out, TEXT_COLUMN, b->help);
}

static void add_group(struct buf *out, unsigned place, const char *head, bool read_only)
{
	bool first = true;

	for (size_t i = 0; i < binding_count; i++) {
		if (!belongs(&bindings[i], place) || (bindings[i].changes && read_only))
			continue;
		if (first)
			buf_addf(out, "%s%s\n", out->size ? "\n" : "", head);
		first = false;
		add_binding(out, &bindings[i]);
	}
}

void help_text(struct buf *out, unsigned first, bool read_only)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (groups[i].place & first)
			add_group(out, groups[i].place, groups[i].head, read_only);
	add_group(out, PLACE_PANELS, "Everywhere", read_only);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!(groups[i].place & first))
			add_group(out, groups[i].place, groups[i].head, read_only);
}
