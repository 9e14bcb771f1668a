/* args.c -- options and operands in any order, by the table of all options. `--` ends the options. */
#include "console/cli/cli.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

const struct option_row option_rows[OPT_COUNT] = {
#define X(id, name, type, value, help) [OPT_##id] = { name, OPT_##type, value, help },
	OPTION_LIST(X)
#undef X
};

static enum opt find_option(struct span name)
{
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (span_is(name, option_rows[i].name))
			return (enum opt)i;
	return OPT_COUNT;
}

bool number_parse(const char *text, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*text || strlen(text) > 18)
		return false;
	for (; *text; text++) {
		if (!ascii_is_digit(*text))
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
	}
	*ret = n;
	return true;
}

static bool time_parse(const char *text, uint64_t *ret)
{
	return clock_parse(text, clock_us(), ret);
}

static bool list_add(struct arguments *a, enum opt o, const char *value)
{
	void *grown = realloc(a->listed, (a->listed_count + 1) * sizeof(*a->listed));

	if (!grown) {
		talk("out of memory");
		return false;
	}
	a->listed = grown;
	a->listed[a->listed_count].opt = o;
	a->listed[a->listed_count++].value = value;
	return true;
}

static bool is_listed(enum opt o)
{
	return option_rows[o].type == OPT_LIST || option_rows[o].type == OPT_EITHER;
}

static bool take_value(struct arguments *a, enum opt o, const char *value)
{
	static const struct { bool (*parse)(const char *text, uint64_t *ret); const char *what; } types[] = {
		[OPT_DURATION] = { duration_parse, "a duration like 30s, 15m, 48h or 7d" },
		[OPT_TIME] = { time_parse, "a time: RFC 3339, a date, or -1h" },
		[OPT_NUMBER] = { number_parse, "a number" },
	};
	enum opt_type type = option_rows[o].type;

	a->text[o] = value;
	if (is_listed(o))
		return list_add(a, o, value);
	if (type >= ARRAY_LEN(types) || !types[type].parse || types[type].parse(value, &a->number[o]))
		return true;
	talk("--%s: \"%s\" is not %s", option_rows[o].name, value, types[type].what);
	return false;
}

static void mark(struct arguments *a, bool clear, enum opt o)
{
	uint64_t *const words[] = { clear ? &a->cleared : &a->given, clear ? &a->cleared_more : &a->more };

	*words[o / 64] |= UINT64_C(1) << o % 64;
}

/* One "--name", "--name=value" or "--name value"; *at moves past what it took. */
static bool take_option(struct arguments *a, int argc, char *const *argv, int *at)
{
	const char *text = argv[*at] + 2, *equals = strchr(text, '=');
	struct span name = equals ? span_of(text, (size_t)(equals - text)) : span_str(text);
	bool clear = false;
	enum opt o = find_option(name);

	if (o == OPT_COUNT && name.size > 3 && memcmp(text, "no-", 3) == 0) {
		o = find_option(span_of(text + 3, name.size - 3));
		clear = true;
	}
	if (o == OPT_COUNT) {
		talk("there is no option --%.*s", (int)name.size, (const char *)name.data);
		return false;
	}
	if ((args_given(a, o) || args_cleared(a, o)) && (clear || args_cleared(a, o) || !is_listed(o))) {
		talk("--%s is given twice", option_rows[o].name);
		return false;
	}
	if (clear || option_rows[o].type == OPT_FLAG) {
		mark(a, clear, o);
		if (equals)
			talk("--%.*s takes no value", (int)name.size, text);
		return !equals;
	}
	mark(a, false, o);
	if (equals)
		return take_value(a, o, equals + 1);
	if (*at + 1 < argc)
		return take_value(a, o, argv[++*at]);
	talk("--%s needs a value: %s", option_rows[o].name, option_rows[o].value);
	return false;
}

bool args_parse(struct arguments *a, int argc, char *const *argv)
{
	bool options = true;

	*a = (struct arguments){ 0 };
	for (int i = 1; i < argc; i++) {
		const char *text = argv[i];

		if (options && strcmp(text, "--") == 0) {
			options = false;
		} else if (options && strncmp(text, "--", 2) == 0) {
			if (!take_option(a, argc, argv, &i))
				return false;
		} else if (options && strcmp(text, "-h") == 0) {
			a->given |= BIT(OPT_HELP);
		} else if (options && text[0] == '-' && text[1] != '\0') {
			talk("there is no option %s", text);
			return false;
		} else if (a->operands < OPERANDS_MAX) {
			a->operand[a->operands++] = text;
		} else {
			talk("too many operands");
			return false;
		}
	}
	return true;
}

void args_done(struct arguments *a)
{
	free(a->listed);
	a->listed = NULL;
}
