/* filter.c -- the words an admin types to choose records, read and printed. One table says what each word takes. */
#include "console/tui/filter.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX 64                   /* of what was typed, in a sentence about it */
#define SUBJECT_HEX 32

/* ---- what each word takes ---- */

/* A take_ function returns false where the value is not what its word takes. It may rewrite the value in place. */
struct taking { struct filter *f; char *value; uint64_t now_us; };

static bool take_site(struct taking *t)
{
	return site_id_valid(span_str(t->value));
}

static bool take_outcome(struct taking *t)
{
	return audit_outcome_parse(t->value, &t->f->outcome);
}

static bool take_reason(struct taking *t)
{
	t->f->reason = reason_from_name(t->value);
	return t->f->reason != REASON_NONE && t->f->reason != REASON_COUNT;
}

static bool take_action(struct taking *t)
{
	size_t size = strspn(t->value, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return size < sizeof(((struct audit_record *)0)->action) && t->value[size] == '\0';
}

/* Networks are recorded, so an address stands for its network; another prefix would match nothing. */
static bool take_remote(struct taking *t)
{
	char *slash = strchr(t->value, '/');
	struct span address = span_of(t->value, slash ? (size_t)(slash - t->value) : strlen(t->value));
	char network[REMOTE_MAX];

	audit_network(network, address);
	if (!network[0] || (slash && strcmp(slash, strchr(network, '/')) != 0))
		return false;
	snprintf(t->value, FILTER_VALUE_MAX, "%s", network);
	return true;
}

static bool take_kid(struct taking *t)
{
	return kid_valid(span_str(t->value));
}

static bool take_subject(struct taking *t)
{
	return strncmp(t->value, "h1:", 3) == 0 && strspn(t->value + 3, "0123456789abcdef") == SUBJECT_HEX &&
	       t->value[3 + SUBJECT_HEX] == '\0';
}

static bool take_time(const struct taking *t, uint64_t *ret_us)
{
	uint64_t ago;

	if (!duration_parse(t->value, &ago))
		return clock_parse(t->value, t->now_us, ret_us) && *ret_us > 0;       /* 0 would be no limit */
	if (ago >= t->now_us / 1000000)
		return false;
	*ret_us = t->now_us - ago * 1000000;
	return true;
}

static bool take_since(struct taking *t)
{
	return take_time(t, &t->f->since);
}

static bool take_until(struct taking *t)
{
	return take_time(t, &t->f->until);
}

static bool take_after(struct taking *t)
{
	uint64_t n = 0;

	for (const char *at = t->value; *at; at++) {
		if (!ascii_is_digit(*at) || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return false;
	}
	t->f->after = n;
	snprintf(t->value, FILTER_VALUE_MAX, "%llu", (unsigned long long)n);
	return true;
}

#define TIMES "a duration like 1h, a date, or a time like 2026-11-21T03:16:00Z"

static const struct word {
	const char *name;
	bool (*take)(struct taking *t);
	const char *takes;             /* what one may type, for who typed something else */
} words[FILTER_WORDS] = {
	[FILTER_SITE] = { "site", take_site, "the id of a site" },
	[FILTER_OUTCOME] = { "outcome", take_outcome, "intended, done, refused, blocked or failed" },
	[FILTER_REASON] = { "reason", take_reason, "a reason code like token_expired" },
	[FILTER_ACTION] = { "action", take_action, "the name of an action" },
	[FILTER_REMOTE] = { "remote", take_remote, "an address or its network: /24 for IPv4, /56 for IPv6" },
	[FILTER_KID] = { "kid", take_kid, "the id of a key: k_ and 8 of a-z, 2-7" },
	[FILTER_SUBJECT] = { "subject", take_subject, "h1: and 32 hex digits" },
	[FILTER_SINCE] = { "since", take_since, TIMES },
	[FILTER_UNTIL] = { "until", take_until, TIMES },
	[FILTER_AFTER] = { "after", take_after, "the number of a record" },
};

/* ---- reading ---- */

static const char *names_of(unsigned allowed, char *out, size_t room)
{
	size_t size = 0;

	out[0] = '\0';
	for (size_t i = 0; i < FILTER_WORDS && size < room; i++) {
		if (allowed & FILTER_BIT(i))
			size += (size_t)snprintf(out + size, room - size, "%s%s:", size ? " " : "", words[i].name);
	}
	return out;
}

/* FILTER_WORDS: it is none of them. */
static size_t find_word(struct span name)
{
	size_t i = 0;

	while (i < FILTER_WORDS && !ascii_equal_nocase(name, words[i].name))
		i++;
	return i;
}

static enum rc take_value(struct filter *f, size_t word, struct span value, uint64_t now_us, struct why *why)
{
	struct taking t = { f, f->value[word], now_us };
	char text[SHOWN_MAX];

	if (value.size > 0 && value.size < FILTER_VALUE_MAX) {
		memcpy(t.value, value.data, value.size);
		t.value[value.size] = '\0';
		if (words[word].take(&t))
			return RC_OK;
	}
	why_set(why, "%s: takes %s, not \"%s\"", words[word].name, words[word].takes,
	        text_show(text, sizeof(text), value));
	return RC_INVALID;
}

static enum rc take_word(struct filter *f, struct span typed, uint64_t now_us, unsigned allowed, struct why *why)
{
	const char *colon = memchr(typed.data, ':', typed.size);
	struct span name = span_of(typed.data, colon ? (size_t)(colon - (const char *)typed.data) : 0);
	size_t word = find_word(name);
	char text[SHOWN_MAX], names[128];

	if (word == FILTER_WORDS)
		why_set(why, "\"%s\" is no word of the filter; there are %s", text_show(text, sizeof(text), typed),
		        names_of(allowed, names, sizeof(names)));
	else if (!(allowed & FILTER_BIT(word)))
		why_set(why, "%s: cannot be used here; there are %s", words[word].name,
		        names_of(allowed, names, sizeof(names)));
	else if (f->value[word][0])
		why_set(why, "%s: is there twice", words[word].name);
	else
		return take_value(f, word, span_of(colon + 1, typed.size - name.size - 1), now_us, why);
	return RC_INVALID;
}

enum rc filter_parse(struct filter *ret, const char *text, uint64_t now_us, unsigned allowed, struct why *why)
{
	struct filter f = { .reason = REASON_NONE };
	enum rc rc = RC_OK;

	for (text += strspn(text, " \t"); *text && rc == RC_OK; text += strspn(text, " \t")) {
		size_t size = strcspn(text, " \t");

		rc = take_word(&f, span_of(text, size), now_us, allowed, why);
		text += size;
	}
	if (rc == RC_OK && f.until > 0 && f.since >= f.until) {
		why_set(why, "until:%s is not after since:%s: nothing would match", f.value[FILTER_UNTIL],
		        f.value[FILTER_SINCE]);
		rc = RC_INVALID;
	}
	if (rc == RC_OK)
		*ret = f;
	return rc;
}

/* ---- and back ---- */

void filter_text(const struct filter *f, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < FILTER_WORDS; i++) {
		if (!f->value[i][0])
			continue;
		buf_addf(out, "%s%s:%s", between, words[i].name, f->value[i]);
		between = " ";
	}
}

bool filter_empty(const struct filter *f)
{
	for (size_t i = 0; i < FILTER_WORDS; i++)
		if (f->value[i][0])
			return false;
	return true;
}

void filter_done(struct filter *f)
{
	*f = (struct filter){ .reason = REASON_NONE };
}

static const char *given(const struct filter *f, enum filter_word word)
{
	return f->value[word][0] ? f->value[word] : NULL;
}

struct audit_filter filter_audit(const struct filter *f)
{
	return (struct audit_filter){
		.site = given(f, FILTER_SITE), .action = given(f, FILTER_ACTION), .subject = given(f, FILTER_SUBJECT),
		.remote = given(f, FILTER_REMOTE), .kid = given(f, FILTER_KID),
		.has_outcome = given(f, FILTER_OUTCOME) != NULL, .outcome = f->outcome, .reason = f->reason,
		.has_after = given(f, FILTER_AFTER) != NULL, .after = f->after, .since = f->since, .until = f->until,
	};
}
