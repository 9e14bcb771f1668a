/* test_corpus.c -- replays tests/fuzz/corpus/token: every file is one attack or one mistake, and one test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "tests/lib/tokenring.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define CORPUS "tests/fuzz/corpus/token"
#define LINES_MAX 40
#define FILES_MIN 100

struct line { struct span name, value; };

struct attack {
	struct buf text;                       /* the file */
	struct line line[LINES_MAX];
	size_t lines;
	struct tokenring ring;
};

/* ---- reading a file ---- */

static void split_lines(struct attack *a)
{
	const char *at = a->text.data, *end = at + a->text.size;

	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		const char *colon;

		assert_non_null(eol);      /* every line ends */
		colon = memchr(at, ':', (size_t)(eol - at));
		if (*at != '#' && eol > at) {
			const char *value = colon ? colon + 1 : eol;

			assert_true(a->lines < LINES_MAX);
			if (value < eol && *value == ' ')
				value++;
			a->line[a->lines++] = (struct line){ span_of(at, (size_t)((colon ? colon : eol) - at)),
							     span_of(value, (size_t)(eol - value)) };
		}
		at = eol + 1;
	}
}

static bool find_line(const struct attack *a, const char *name, struct span *ret)
{
	for (size_t i = 0; i < a->lines; i++) {
		if (span_is(a->line[i].name, name)) {
			*ret = a->line[i].value;
			return true;
		}
	}
	return false;
}

static void add_line(const struct attack *a, struct buf *out, const char *name, const char *otherwise);

/* ---- placeholders: see the corpus' README ---- */

static long number_of(struct span s)
{
	char text[32];

	assert_true(s.size < sizeof(text));
	memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	return strtol(text, NULL, 10);
}

static void add_signature(const struct attack *a, struct buf *out)
{
	struct buf key = BUF_INIT, bytes = BUF_INIT;
	uint8_t mac[SHA256_SIZE];

	add_line(a, &key, "key", "{{secret1}}");
	add_line(a, &bytes, "signed", "{{header}}.{{payload}}");
	assert_int_equal(crypto_hmac(buf_span(&key), buf_span(&bytes), mac), RC_OK);
	base64url_add(out, span_of(mac, sizeof(mac)));
	buf_done(&key);
	buf_done(&bytes);
}

/* The same bytes to a lenient decoder: 43 characters carry 258 bits, the last two are unused. */
static void add_loose_signature(const struct attack *a, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *last;

	add_signature(a, out);
	last = &out->data[out->size - 1];
	*last = strchr(digits, *last)[1];
}

static void add_part(const struct attack *a, struct buf *out, const char *name, const char *otherwise)
{
	struct buf text = BUF_INIT;

	add_line(a, &text, name, otherwise);
	base64url_add(out, buf_span(&text));
	buf_done(&text);
}

static void add_header(const struct attack *a, struct buf *out)
{
	add_part(a, out, "header", TEST_HEADER);
}

static void add_payload(const struct attack *a, struct buf *out)
{
	add_part(a, out, "payload", "{\"email\":\"alex@example.com\",\"iat\":{{now}},\"exp\":{{now+3600}}}");
}

static void add_token(const struct attack *a, struct buf *out)
{
	add_line(a, out, "token", "{{header}}.{{payload}}.{{signature}}");
}

static bool begins(struct span s, const char *prefix, struct span *ret_rest)
{
	size_t size = strlen(prefix);

	if (s.size < size || memcmp(s.data, prefix, size) != 0)
		return false;
	*ret_rest = span_of((const char *)s.data + size, s.size - size);
	return true;
}

static void add_repeated(struct buf *out, struct span spec)
{
	const char *colon = memrchr(spec.data, ':', spec.size);
	size_t size;

	assert_non_null(colon);
	size = (size_t)(colon - (const char *)spec.data);
	for (long n = number_of(span_of(colon + 1, spec.size - size - 1)); n > 0; n--)
		buf_add(out, spec.data, size);
}

static void add_placeholder(const struct attack *a, struct buf *out, struct span name)
{
	static const struct { const char *name; void (*add)(const struct attack *a, struct buf *out); } plain[] = {
		{ "header", add_header }, { "payload", add_payload }, { "signature", add_signature },
		{ "loose_signature", add_loose_signature }, { "token", add_token },
	};
	struct span rest;

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (span_is(name, plain[i].name)) {
			plain[i].add(a, out);
			return;
		}
	}
	if (begins(name, "now_ms", &rest))
		buf_addf(out, "%ld", ((long)TEST_NOW + number_of(rest)) * 1000);
	else if (begins(name, "now", &rest))
		buf_addf(out, "%ld", (long)TEST_NOW + number_of(rest));
	else if (begins(name, "kid", &rest))
		buf_add_str(out, test_kid((size_t)number_of(rest)));
	else if (begins(name, "secret", &rest))
		buf_add_str(out, test_secret((size_t)number_of(rest)));
	else if (begins(name, "repeat:", &rest))
		add_repeated(out, rest);
	else if (begins(name, "byte:", &rest))
		buf_add_char(out, (char)strtol((const char *)rest.data, NULL, 16));
	else
		fail_msg("unknown placeholder {{%.*s}}", (int)name.size, (const char *)name.data);
}

static void add_expanded(const struct attack *a, struct buf *out, struct span text)
{
	const char *at = text.data, *end = at + text.size;

	while (at < end) {
		const char *open = memmem(at, (size_t)(end - at), "{{", 2), *close;

		if (!open)
			open = end;
		buf_add(out, at, (size_t)(open - at));
		if (open == end)
			return;
		close = memmem(open, (size_t)(end - open), "}}", 2);
		assert_non_null(close);
		add_placeholder(a, out, span_of(open + 2, (size_t)(close - open) - 2));
		at = close + 2;
	}
}

static void add_line(const struct attack *a, struct buf *out, const char *name, const char *otherwise)
{
	struct span text = span_str(otherwise);

	find_line(a, name, &text);
	add_expanded(a, out, text);
	buf_add(out, "", 0);      /* an empty value is a value, not NULL */
}

/* ---- the site and its ring ---- */

static void make_keys(struct attack *a, struct span states)
{
	static const struct { const char *name; int64_t retires_in; } known[] = {
		{ "active", 0 }, { "retiring", 3600 }, { "retired", -10 },
	};
	const char *at = states.data, *end = at + states.size;

	for (; at < end; at++) {
		struct span word = span_of(at, strcspn(at, " \n"));
		size_t i = 0;

		while (i < ARRAY_LEN(known) && !span_is(word, known[i].name))
			i++;
		assert_true(i < ARRAY_LEN(known));
		assert_true(tokenring_add_key(&a->ring,
			known[i].retires_in ? TEST_NOW + (uint64_t)known[i].retires_in : 0));
		at += word.size;
	}
}

static void set_text(char out[SITE_TEXT_MAX], struct span value)
{
	snprintf(out, SITE_TEXT_MAX, "%.*s", (int)value.size, (const char *)value.data);
}

static void add_domain(struct site_list *list, struct span value)
{
	char text[SITE_TEXT_MAX];

	set_text(text, value);
	assert_int_equal(site_list_add(list, text), RC_OK);
}

static void make_setting(struct site *s, struct span setting)
{
	struct span value;

	if (span_is(setting, "require_exp"))
		s->require_exp = true;
	else if (begins(setting, "issuer=", &value))
		set_text(s->issuer, value);
	else if (begins(setting, "audience=", &value))
		set_text(s->audience, value);
	else if (begins(setting, "max_lifetime=", &value))
		s->max_lifetime = (uint32_t)number_of(value);
	else if (begins(setting, "accept_domain=", &value))
		add_domain(&s->accept_domains, value);
	else if (begins(setting, "reserve_domain=", &value))
		add_domain(&s->reserve_domains, value);
	else
		fail_msg("unknown setting %.*s", (int)setting.size, (const char *)setting.data);
}

static void make_site(struct attack *a)
{
	struct span keys = span_str("active");

	tokenring_init(&a->ring);
	find_line(a, "keys", &keys);
	if (!span_is(keys, "none"))
		make_keys(a, keys);
	for (size_t i = 0; i < a->lines; i++) {
		if (span_is(a->line[i].name, "site"))
			make_setting(&a->ring.site, a->line[i].value);
	}
}

/* ---- running it ---- */

static size_t make_authorization(const struct attack *a, struct buf *first)
{
	struct span ignored;
	size_t count = 0;

	if (find_line(a, "no-authorization", &ignored))
		return 0;
	for (size_t i = 0; i < a->lines; i++)
		count += span_is(a->line[i].name, "authorization");
	add_line(a, first, "authorization", "Bearer {{token}}");
	return count ? count : 1;
}

static void assert_hint(const struct attack *a, const struct token *t, enum reason why)
{
	json_t *hints = json_array(), *hint;
	struct span wanted;
	bool found = false;
	size_t i;

	token_hints(t, &a->ring.context, why, hints);
	json_array_foreach(hints, i, hint) {
		struct span s = json_span(hint);

		if (find_line(a, "hint", &wanted))
			found |= memmem(s.data, s.size, wanted.data, wanted.size) != NULL;
	}
	if (find_line(a, "hint", &wanted) && !found) {
		char *text = json_dumps(hints, JSON_INDENT(1));

		print_error("hints: %s\n", text);
		free(text);
		fail_msg("no hint says \"%.*s\"", (int)wanted.size, (const char *)wanted.data);
	}
	json_decref(hints);
}

/* Every check that can run, as `token explain` does: it must come to the same end. */
static void assert_explained(const struct attack *a, struct span text, enum reason why)
{
	enum reason each[32];
	bool ran[32];
	struct token t;

	assert_true(token_check_count <= ARRAY_LEN(each));
	token_init(&t, text);
	assert_string_equal(reason_name(token_verify_all(&t, &a->ring.context, each, ran)), reason_name(why));
	token_done(&t);
}

static void decide(const struct attack *a, struct identity *who)
{
	struct buf value = BUF_INIT;
	size_t count = make_authorization(a, &value);
	struct span text = span_of("", 0);
	enum reason reason = token_from_authorization(count, buf_span(&value), &text);
	struct token t;

	assert_false(value.failed);
	token_init(&t, text);
	if (reason == REASON_NONE) {
		reason = token_verify(&t, &a->ring.context);
		assert_explained(a, text, reason);
	}
	if (reason == REASON_NO_TOKEN)
		identity_anonymous(who, reason);
	else if (reason != REASON_NONE)
		identity_blocked(who, reason);
	else
		identity_pin(who, &t, &a->ring.site);
	assert_hint(a, &t, who->reason);
	token_done(&t);
	buf_done(&value);
}

static void replay(void **state)
{
	struct attack a = { .lines = 0 };
	struct span expect, email;
	struct identity who;
	char have[128], path[512];

	snprintf(path, sizeof(path), CORPUS "/%s", (const char *)*state);
	assert_int_equal(file_read(path, 65536, &a.text), RC_OK);
	split_lines(&a);
	make_site(&a);
	decide(&a, &who);
	snprintf(have, sizeof(have), "%s %s", reason_name(who.reason), decision_name(who.decision));
	assert_true(find_line(&a, "expect", &expect));
	if (!span_is(expect, have))
		fail_msg("%s: %s, expected %.*s", path, have, (int)expect.size, (const char *)expect.data);
	if (find_line(&a, "email", &email))
		assert_memory_equal(who.email, email.data, email.size);
	tokenring_done(&a.ring);
	buf_done(&a.text);
}

static int is_case(const struct dirent *d)
{
	return d->d_name[0] != '.' && strcmp(d->d_name, "README") != 0;
}

int main(void)
{
	struct dirent **files = NULL;
	int count = scandir(CORPUS, &files, is_case, alphasort);
	struct CMUnitTest *tests = calloc(count > 0 ? (size_t)count : 1, sizeof(*tests));
	int failed;

	if (!tests || count < FILES_MIN) {
		fprintf(stderr, "%d cases in " CORPUS ", at least %d were expected\n", count, FILES_MIN);
		return 1;
	}
	for (int i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){ .name = files[i]->d_name, .test_func = replay,
			.initial_state = files[i]->d_name };
	failed = _cmocka_run_group_tests("token corpus", tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++)
		free(files[i]);
	free(files);
	free(tests);
	return failed;
}
