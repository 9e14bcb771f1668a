/* test_note.c -- signed notes and checkpoints: the documents' own examples, and what must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "base/note.h"

#include <stdio.h>
#include <stdlib.h>

#define DASH "\xe2\x80\x94 "

/* c2sp.org/signed-note, "Example". */
static const char doc_key[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char doc_text[] = "This is an example message.\n";
static const char doc_note[] = "This is an example message.\n"
	"\n"
	DASH "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1"
	"Yu72IneyaQM=\n";

/* The same document, at its beginning: its key is not given. */
static const char sera[] = "Ognuno sta solo sul cuor della terra\n"
	"trafitto da un raggio di sole:\n"
	"\n"
	"ed \xc3\xa8 subito sera.\n"
	"\n"
	DASH "quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihA"
	"QwaqP3ZekRwNtIc=\n";

/* c2sp.org/tlog-checkpoint. */
static const char sofa[] = "example.com/behind-the-sofa\n"
	"20852163\n"
	"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	"\n"
	DASH "example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
	"zyWE+xeMcTOAYQ8=\n";

/* golang.org/x/mod/sumdb/note, its documentation: key, seed and note. */
static const char go_key[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char go_private[] = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char go_text[] = "If you think cryptography is the answer to your problem,\n"
	"then you don't know what your problem is.\n";
static const char go_signature[] = DASH "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
	"KvqfqdngotpRZb6KE6RyyBwJnAM=\n";

static struct note_key key_of(const char *text)
{
	struct note_key k;

	assert_int_equal(note_key_parse(span_str(text), &k), RC_OK);
	return k;
}

/* ---- a key to sign with ---- */

struct signer {
	struct secret *seed;
	struct note_key key;
};

static struct signer signer_of(const char *name, const char *private_text)
{
	struct signer s = { 0 };
	uint8_t bytes[1 + ED25519_SEED_SIZE], public[ED25519_PUBLIC_SIZE];

	assert_int_equal(base64_decode(bytes, sizeof(bytes), span_str(private_text)), sizeof(bytes));
	s.seed = secret_copy(span_of(bytes + 1, ED25519_SEED_SIZE));
	assert_int_equal(ed25519_public(s.seed, public), RC_OK);
	assert_int_equal(note_key_make(name, public, &s.key), RC_OK);
	return s;
}

static struct signer signer_peter(void)
{
	return signer_of("PeterNeumann", go_private);
}

static void sign(struct buf *out, const struct signer *s, const char *text)
{
	buf_clear(out);
	assert_int_equal(note_sign(out, span_str(text), &s->key, s->seed), RC_OK);
}

static enum rc opened(const char *note, const struct note_key *k)
{
	struct span text = { "untouched", 9 };
	enum rc rc = note_open(span_str(note), k, &text);

	if (rc != RC_OK)
		assert_true(span_is(text, "untouched"));
	return rc;
}

/* ---- keys ---- */

/* Those of the documents, and the Go checksum database's: its base64 has a plus. */
static void known_keys_parse_and_print(void **state)
{
	static const char *const known[] = {
		doc_key, go_key, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct note_key k = key_of(known[i]), made;
		char text[NOTE_KEY_TEXT_MAX];

		assert_string_equal(note_key_text(&k, text), known[i]);
		assert_int_equal(note_key_make(k.name, k.public, &made), RC_OK);
		assert_memory_equal(&made, &k, sizeof(k));
	}
}

static void a_malformed_key_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "+", "++", "example.com/foo", "example.com/foo+530d903a", "example.com/foo+530d903a+",
		"example.com/foo++AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l",
		"example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
		"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0=",
		"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2kAAAA",
		" example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	};
	struct note_key k;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(note_key_parse(span_str(bad[i]), &k), RC_INVALID);
	assert_int_equal(note_key_parse(span_of(NULL, 0), &k), RC_INVALID);
}

static void a_name_has_no_space_plus_or_control_character(void **state)
{
	static const char *const bad[] = {
		"", "a b", " a", "a+b", "a\tb", "a\nb", "a\x7f", "a\xc2\x85", "a\xc2\xa0z", "\xe3\x80\x80",
		"a\xe2\x80\xa8", "a\xff", "\xc3",
	};
	static const char *const good[] = { "a", "postern/host/1f0e", "\xc3\xa8" };
	const uint8_t public[ED25519_PUBLIC_SIZE] = { 1 };
	char name[NOTE_NAME_MAX + 1], text[NOTE_KEY_TEXT_MAX];
	struct note_key k, again;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(note_key_make(bad[i], public, &k), RC_INVALID);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(note_key_make(good[i], public, &k), RC_OK);
	memset(name, 'n', sizeof(name));
	name[NOTE_NAME_MAX] = '\0';
	assert_int_equal(note_key_make(name, public, &k), RC_INVALID);
	name[NOTE_NAME_MAX - 1] = '\0';
	assert_int_equal(note_key_make(name, public, &k), RC_OK);
	assert_int_equal(note_key_parse(span_str(note_key_text(&k, text)), &again), RC_OK);
	assert_memory_equal(&again, &k, sizeof(k));
}

/* ---- notes ---- */

static void the_documents_note_opens(void **state)
{
	struct note_key k = key_of(doc_key);
	struct span text;

	(void)state;
	assert_int_equal(note_open(span_str(doc_note), &k, &text), RC_OK);
	assert_true(span_is(text, doc_text));
	assert_ptr_equal(text.data, doc_note);
}

static void no_flipped_bit_and_no_cut_opens(void **state)
{
	struct note_key k = key_of(doc_key);
	size_t size = strlen(doc_note);
	char note[sizeof(doc_note)];
	struct span text;

	(void)state;
	memcpy(note, doc_note, sizeof(note));
	for (size_t bit = 0; bit < size * 8; bit++) {
		note[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_not_equal(note_open(span_of(note, size), &k, &text), RC_OK);
		note[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut++)
		assert_int_not_equal(note_open(span_of(note, cut), &k, &text), RC_OK);
	for (size_t cut = 1; cut <= size; cut++)
		assert_int_not_equal(note_open(span_of(note + cut, size - cut), &k, &text), RC_OK);
}

static void a_flip_is_told_by_where_it_is(void **state)
{
	struct note_key k = key_of(doc_key);
	char note[sizeof(doc_note)];
	size_t line = strlen(doc_text) + 1, lead = strlen(DASH);

	(void)state;
	memcpy(note, doc_note, sizeof(note));
	note[3] = 'S';      /* the text */
	assert_int_equal(opened(note, &k), RC_REFUSED);
	note[3] = doc_note[3];
	note[line + lead] = 'E';      /* the name */
	assert_int_equal(opened(note, &k), RC_NOT_FOUND);
	note[line + lead] = doc_note[line + lead];
	note[line + lead + 16] = 'V';      /* the key's id */
	assert_int_equal(opened(note, &k), RC_NOT_FOUND);
	note[line + lead + 16] = 'U';
	note[line + lead + 30] ^= 1;      /* the signature */
	assert_int_equal(opened(note, &k), RC_REFUSED);
	note[line] ^= 1;      /* the dash */
	assert_int_equal(opened(note, &k), RC_INVALID);
}

/* Ed25519 has one signature for a key and a text: ours is that of the Go library. */
static void a_signed_note_is_the_known_one(void **state)
{
	struct signer s = signer_peter();
	char text[NOTE_KEY_TEXT_MAX], expected[512];
	struct buf out = BUF_INIT;

	(void)state;
	assert_string_equal(note_key_text(&s.key, text), go_key);
	buf_add_str(&out, "before ");
	assert_int_equal(note_sign(&out, span_str(go_text), &s.key, s.seed), RC_OK);
	snprintf(expected, sizeof(expected), "before %s\n%s", go_text, go_signature);
	assert_string_equal(out.data, expected);
	assert_int_equal(opened(out.data + strlen("before "), &s.key), RC_OK);
	buf_done(&out);
	secret_free(s.seed);
}

static void a_text_may_have_empty_lines(void **state)
{
	static const char signed_before[] = "a\n\n" DASH "b YWJjZGU=\n";
	static const char *const texts[] = { "\n", "a\n\n", "\n\n\n", "a\n\nb\n", signed_before, "\xc3\xa8\n" };
	struct signer s = signer_peter();
	struct buf out = BUF_INIT;
	struct span text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		sign(&out, &s, texts[i]);
		assert_int_equal(note_open(buf_span(&out), &s.key, &text), RC_OK);
		assert_true(span_is(text, texts[i]));
	}
	assert_int_equal(note_text(span_str(sera), &text), RC_OK);
	assert_int_equal(text.size, strstr(sera, "sera.\n") + 6 - sera);
	buf_done(&out);
	secret_free(s.seed);
}

static void what_is_no_text_is_not_signed(void **state)
{
	static const char *const bad[] = {
		"", "a", "\na", "a\r\n", "a\tb\n", "a\x1b[2J\n", "\xff\n", "\xed\xa0\x80\n",
	};
	struct signer s = signer_peter();
	struct buf out = BUF_INIT;
	struct secret *other = NULL;
	char *large = malloc(NOTE_MAX + 1);

	(void)state;
	assert_non_null(large);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(note_sign(&out, span_str(bad[i]), &s.key, s.seed), RC_INVALID);
	assert_int_equal(note_sign(&out, span_of("a\0\n", 3), &s.key, s.seed), RC_INVALID);
	memset(large, 'a', NOTE_MAX);
	large[NOTE_MAX - 1] = '\n';
	assert_int_equal(note_sign(&out, span_of(large, NOTE_MAX), &s.key, s.seed), RC_INVALID);
	assert_int_equal(ed25519_make(&other), RC_OK);
	assert_int_equal(note_sign(&out, span_str("a\n"), &s.key, other), RC_INVALID);      /* not the key's seed */
	assert_int_equal(out.size, 0);
	free(large);
	secret_free(other);
	secret_free(s.seed);
	buf_done(&out);
}

static void a_malformed_note_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "\n", "\n\n", "a\n", "a\n\n", "a\n\n\n",
		"a\n" DASH "b YWJjZGU=\n",                      /* no empty line */
		"\n" DASH "b YWJjZGU=\n",                       /* no text */
		"a\n\n" DASH "b YWJjZGU=",                      /* no end */
		"a\n\n" DASH "b YWJjZGU=\n\n",                  /* empty line at the end */
		"a\n\n" DASH "b YWJjZGU=\nc\n",                 /* no signature line */
		"a\n\nc\n" DASH "b YWJjZGU=\n",
		"a\n\n- b YWJjZGU=\n", "a\n\n\xe2\x80\x94" "b YWJjZGU=\n", "a\n\n " DASH "b YWJjZGU=\n",
		"a\n\n" DASH "b\n", "a\n\n" DASH "b \n", "a\n\n" DASH " YWJjZGU=\n", "a\n\n" DASH "\n",
		"a\n\n" DASH "b  YWJjZGU=\n", "a\n\n" DASH "b YWJjZGU= \n", "a\n\n" DASH "b YWJjZGU= c\n",
		"a\n\n" DASH "b+c YWJjZGU=\n", "a\n\n" DASH "b\xc2\xa0" "c YWJjZGU=\n",
		"a\n\n" DASH "b YWJjZGU\n", "a\n\n" DASH "b YWJjZG=\n", "a\n\n" DASH "b YWJjZGV=\n",      /* base64 */
		"a\n\n" DASH "b YW-jZGU=\n", "a\n\n" DASH "b YWJjZA==\n",      /* an id alone */
		"a\r\n\n" DASH "b YWJjZGU=\n", "a\tb\n\n" DASH "b YWJjZGU=\n", "a\x1b\n\n" DASH "b YWJjZGU=\n",
		"a\xff\n\n" DASH "b YWJjZGU=\n", "a\xc0\x80\n\n" DASH "b YWJjZGU=\n", "a\n\r\n" DASH "b YWJjZGU=\n",
	};
	static const char made_from[] = "a\n\n" DASH "b YWJjZGU=\n";
	static const char nul[] = "a\0\n\n" DASH "b YWJjZGU=\n";
	struct note_key k = key_of(doc_key);
	struct span text;

	(void)state;
	assert_int_equal(note_text(span_str(made_from), &text), RC_OK);
	assert_int_equal(opened(made_from, &k), RC_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(opened(bad[i], &k), RC_INVALID);
		assert_int_equal(note_text(span_str(bad[i]), &text), RC_INVALID);
	}
	assert_int_equal(note_text(span_of(nul, sizeof(nul) - 1), &text), RC_INVALID);
	assert_int_equal(note_text(span_of(NULL, 0), &text), RC_INVALID);
}

static void a_malformed_line_spoils_a_good_signature(void **state)
{
	struct note_key k = key_of(doc_key);
	char note[512];

	(void)state;
	snprintf(note, sizeof(note), "%s" DASH "b YWJj\n", doc_note);
	assert_int_equal(opened(note, &k), RC_INVALID);
	snprintf(note, sizeof(note), "%sand more\n", doc_note);
	assert_int_equal(opened(note, &k), RC_INVALID);
}

/* Up to 16 others beside ours, with ours in any place; one of them has a name longer than ours may be. */
static void signatures_of_unknown_keys_are_ignored(void **state)
{
	struct note_key k = key_of(doc_key);
	const char *ours = doc_note + strlen(doc_text) + 1;
	char name[NOTE_NAME_MAX + 50];
	struct buf note = BUF_INIT;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (int place = 0; place <= 16; place++) {
		buf_clear(&note);
		buf_addf(&note, "%s\n", doc_text);
		for (int i = 0; i <= 16; i++) {
			if (i == place)
				buf_add_str(&note, ours);
			else
				buf_addf(&note, DASH "%s YWJjZGU=\n", i == 7 ? name : "example.com/witness");
		}
		assert_int_equal(opened(note.data, &k), RC_OK);
	}
	buf_done(&note);
}

/* The same name with another id, and another name with the same id, are other keys. */
static void half_a_key_is_another_key(void **state)
{
	struct note_key k = key_of(doc_key);
	char note[512];

	(void)state;
	snprintf(note, sizeof(note), "%s" DASH "example.com/foo YWJjZGU=\n", doc_note);
	assert_int_equal(opened(note, &k), RC_OK);
	snprintf(note, sizeof(note), "%s" DASH "example.com/fo Uw2QOkE=\n", doc_note);
	assert_int_equal(opened(note, &k), RC_OK);
	snprintf(note, sizeof(note), "%s\n" DASH "example.com/foo YWJjZGU=\n", doc_text);
	assert_int_equal(opened(note, &k), RC_NOT_FOUND);
	snprintf(note, sizeof(note), "%s\n" DASH "example.com/fo Uw2QOkE=\n", doc_text);
	assert_int_equal(opened(note, &k), RC_NOT_FOUND);
}

/* One that names our key and does not verify, before or behind one that does, or of another size. */
static void a_wrong_signature_by_our_key_refuses_the_note(void **state)
{
	const char *ours = doc_note + strlen(doc_text) + 1;
	struct note_key k = key_of(doc_key);
	char note[512], wrong[sizeof(doc_note)];

	(void)state;
	snprintf(wrong, sizeof(wrong), "%s", ours);
	wrong[60] = wrong[60] == 'A' ? 'B' : 'A';
	snprintf(note, sizeof(note), "%s\n%s%s", doc_text, wrong, ours);
	assert_int_equal(opened(note, &k), RC_REFUSED);
	snprintf(note, sizeof(note), "%s\n%s%s", doc_text, ours, wrong);
	assert_int_equal(opened(note, &k), RC_REFUSED);
	snprintf(note, sizeof(note), "%s\n%s" DASH "example.com/foo Uw2QOkE=\n", doc_text, ours);
	assert_int_equal(opened(note, &k), RC_REFUSED);
	snprintf(note, sizeof(note), "%s\n%s%s", doc_text, ours, ours);
	assert_int_equal(opened(note, &k), RC_OK);
}

static void two_keys_may_sign_one_note(void **state)
{
	struct signer a = signer_peter(), b = signer_of("other.example/log", go_private);
	struct buf first = BUF_INIT, second = BUF_INIT;
	const char *line;

	(void)state;
	sign(&first, &a, go_text);
	sign(&second, &b, go_text);
	assert_int_equal(opened(first.data, &b.key), RC_NOT_FOUND);
	line = strstr(second.data, DASH);
	assert_non_null(line);
	buf_add_str(&first, line);
	assert_int_equal(opened(first.data, &a.key), RC_OK);
	assert_int_equal(opened(first.data, &b.key), RC_OK);
	buf_done(&first);
	buf_done(&second);
	secret_free(a.seed);
	secret_free(b.seed);
}

static void a_note_of_the_largest_size_opens_and_no_larger_one(void **state)
{
	struct signer s = signer_peter();
	size_t size = NOTE_MAX - 1 - strlen(go_signature);
	struct buf text = BUF_INIT, out = BUF_INIT;

	(void)state;
	memset(buf_extend(&text, size), 'a', size);
	text.data[size - 1] = '\n';
	assert_int_equal(note_sign(&out, buf_span(&text), &s.key, s.seed), RC_OK);
	assert_int_equal(out.size, NOTE_MAX);
	assert_int_equal(opened(out.data, &s.key), RC_OK);
	buf_add_str(&out, go_signature);
	assert_int_equal(opened(out.data, &s.key), RC_INVALID);
	text.data[size - 1] = 'a';
	buf_add_char(&text, '\n');
	buf_clear(&out);
	assert_int_equal(note_sign(&out, buf_span(&text), &s.key, s.seed), RC_INVALID);
	buf_done(&text);
	buf_done(&out);
	secret_free(s.seed);
}

/* ---- checkpoints ---- */

#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

static void the_documents_checkpoint_parses(void **state)
{
	struct checkpoint c;
	struct buf out = BUF_INIT;
	struct span text;

	(void)state;
	assert_int_equal(note_text(span_str(sofa), &text), RC_OK);
	assert_int_equal(checkpoint_parse(text, &c), RC_OK);
	assert_string_equal(c.origin, "example.com/behind-the-sofa");
	assert_int_equal(c.size, 20852163);
	checkpoint_format(&out, &c);
	assert_true(span_equal(buf_span(&out), text));
	buf_done(&out);
}

static void sizes_are_decimal_without_leading_zeros(void **state)
{
	static const struct { const char *text; uint64_t size; } good[] = {
		{ "0", 0 }, { "1", 1 }, { "10", 10 }, { "9223372036854775808", TREE_SIZE_MAX },
	};
	static const char *const bad[] = {
		"", "00", "01", "-1", "+1", " 1", "1 ", "1a", "0x1", "1.0", "1e3", "9223372036854775809",
		"18446744073709551615", "18446744073709551616", "99999999999999999999999999", "\xd9\xa1",
	};
	struct checkpoint c;
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "o\n%s\n" ROOT "\n", good[i].text);
		assert_int_equal(checkpoint_parse(span_str(text), &c), RC_OK);
		assert_true(c.size == good[i].size);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "o\n%s\n" ROOT "\n", bad[i]);
		assert_int_equal(checkpoint_parse(span_str(text), &c), RC_INVALID);
	}
}

static void a_malformed_checkpoint_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "\n", "o\n", "o\n1\n", "o\n1\n" ROOT, "\n1\n" ROOT "\n", "o\n\n" ROOT "\n", "o\n1\n\n",
		"o\n1\n" ROOT "\n\n", "o\n1\n" ROOT "\nextension\n\n", "o\n1\n" ROOT "\nextension",
		"o\n1\n" ROOT "\n\nx\n",
		"o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",        /* no padding */
		"o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",       /* another spelling */
		"o\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n",       /* base64url */
		"o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",       /* 31 bytes */
		"o\n1\n" ROOT "AAAA\n", "o\n1\nAAAA" ROOT "\n", "o\n1\n " ROOT "\n", "o\n1\n" ROOT "\r\n",
		"o\x1b\n1\n" ROOT "\n", "o\xff\n1\n" ROOT "\n",
	};
	char text[NOTE_NAME_MAX + 64];
	struct checkpoint c = { .size = 77 };
	static const char nul[] = "o\0p\n1\n" ROOT "\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(checkpoint_parse(span_str(bad[i]), &c), RC_INVALID);
	assert_int_equal(checkpoint_parse(span_of(nul, sizeof(nul) - 1), &c), RC_INVALID);
	assert_int_equal(checkpoint_parse(span_of(NULL, 0), &c), RC_INVALID);
	snprintf(text, sizeof(text), "%0*d\n1\n" ROOT "\n", NOTE_NAME_MAX, 0);
	assert_int_equal(checkpoint_parse(span_str(text), &c), RC_INVALID);
	assert_int_equal(c.size, 77);
	assert_int_equal(checkpoint_parse(span_str(text + 1), &c), RC_OK);
	assert_int_equal(strlen(c.origin), NOTE_NAME_MAX - 1);
}

static void extension_lines_are_passed_over(void **state)
{
	struct checkpoint c;

	(void)state;
	assert_int_equal(checkpoint_parse(span_str("o\n5\n" ROOT "\none\ntwo\n"), &c), RC_OK);
	assert_int_equal(c.size, 5);
}

static void a_checkpoint_opens_under_its_own_origin_alone(void **state)
{
	struct checkpoint c = { .origin = "PeterNeumann", .size = 12 }, read = { .size = 0 };
	struct signer s = signer_peter();
	struct buf text = BUF_INIT, note = BUF_INIT;
	struct note_key other = key_of(doc_key);

	(void)state;
	memset(c.root.at, 0xa5, sizeof(c.root.at));
	checkpoint_format(&text, &c);
	sign(&note, &s, text.data);
	assert_int_equal(checkpoint_open(buf_span(&note), &other, &read), RC_NOT_FOUND);
	assert_int_equal(checkpoint_open(span_str(go_text), &s.key, &read), RC_INVALID);
	sign(&note, &s, go_text);
	assert_int_equal(checkpoint_open(buf_span(&note), &s.key, &read), RC_INVALID);
	sign(&note, &s, "PeterNeumanN\n12\n" ROOT "\n");
	assert_int_equal(checkpoint_open(buf_span(&note), &s.key, &read), RC_NOT_FOUND);
	assert_int_equal(read.size, 0);
	sign(&note, &s, text.data);
	assert_int_equal(checkpoint_open(buf_span(&note), &s.key, &read), RC_OK);
	assert_string_equal(read.origin, c.origin);
	assert_int_equal(read.size, 12);
	assert_true(tree_hash_equal(&read.root, &c.root));
	note.data[0] = 'p';
	assert_int_equal(checkpoint_open(buf_span(&note), &s.key, &read), RC_REFUSED);
	buf_done(&text);
	buf_done(&note);
	secret_free(s.seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_keys_parse_and_print),
		cmocka_unit_test(a_malformed_key_is_refused),
		cmocka_unit_test(a_name_has_no_space_plus_or_control_character),
		cmocka_unit_test(the_documents_note_opens),
		cmocka_unit_test(no_flipped_bit_and_no_cut_opens),
		cmocka_unit_test(a_flip_is_told_by_where_it_is),
		cmocka_unit_test(a_signed_note_is_the_known_one),
		cmocka_unit_test(a_text_may_have_empty_lines),
		cmocka_unit_test(what_is_no_text_is_not_signed),
		cmocka_unit_test(a_malformed_note_is_refused),
		cmocka_unit_test(a_malformed_line_spoils_a_good_signature),
		cmocka_unit_test(signatures_of_unknown_keys_are_ignored),
		cmocka_unit_test(half_a_key_is_another_key),
		cmocka_unit_test(a_wrong_signature_by_our_key_refuses_the_note),
		cmocka_unit_test(two_keys_may_sign_one_note),
		cmocka_unit_test(a_note_of_the_largest_size_opens_and_no_larger_one),
		cmocka_unit_test(the_documents_checkpoint_parses),
		cmocka_unit_test(sizes_are_decimal_without_leading_zeros),
		cmocka_unit_test(a_malformed_checkpoint_is_refused),
		cmocka_unit_test(extension_lines_are_passed_over),
		cmocka_unit_test(a_checkpoint_opens_under_its_own_origin_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
