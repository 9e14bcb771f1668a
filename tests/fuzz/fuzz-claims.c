/* fuzz-claims.c -- the payload of a token, and after a NUL byte its header: signed here, so that they are read.
 *
 * Who comes out of a signed token is what a plain reader of its JSON would say, or nobody: its email in its one spelling,
 * its times within bounds, text that may stand in a header. */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "tests/lib/tokenring.h"

#include <stdlib.h>

static struct tokenring plain, strict;

static void make_rings(void)
{
	if (plain.ring.count)
		return;
	tokenring_init(&plain);
	tokenring_init(&strict);
	strict.site.require_exp = true;
	memcpy(strict.site.issuer, "shop", 5);
	memcpy(strict.site.audience, "postern", 8);
	REQUIRE(site_list_add(&strict.site.reserve_domains, "example.net") == RC_OK);
	REQUIRE(site_list_add(&strict.site.accept_domains, "test") == RC_OK);
	REQUIRE(tokenring_add_key(&plain, 0) && tokenring_add_key(&strict, 0));
}

static void check_time(const json_t *claims, const char *name, bool present)
{
	const json_t *at = json_object_get(claims, name);

	REQUIRE(present == (at != NULL));
	REQUIRE(!at || (json_is_number(at) && json_number_value(at) >= 0 && json_number_value(at) <= 9007199254740992.0));
}

static void check_claims(const struct token *t, struct span payload)
{
	json_t *seen = fuzz_json(payload);
	const json_t *exp = json_object_get(seen, "exp"), *nbf = json_object_get(seen, "nbf"), *iat = json_object_get(seen, "iat");
	double now = (double)TEST_NOW;

	REQUIRE(seen && json_equal(seen, t->claims));
	check_time(seen, "exp", t->exp.present);
	check_time(seen, "iat", t->iat.present);
	check_time(seen, "nbf", t->nbf.present);
	REQUIRE(!exp || (json_number_value(exp) > now && json_number_value(exp) <= now + 86460));
	REQUIRE(!nbf || json_number_value(nbf) <= now + 60);
	REQUIRE(!iat || json_number_value(iat) <= now + 60);
	REQUIRE(!exp || !iat || json_number_value(exp) - json_number_value(iat) <= 86400);
	REQUIRE(exp || !iat || now - json_number_value(iat) <= 86400);
	json_decref(seen);
}

static void check_identity(const struct token *t, const struct identity *who)
{
	char email[EMAIL_MAX], decimal[32];
	const char *domain;
	const json_t *id = json_object_get(t->claims, "user_id");

	REQUIRE((who->decision == DECISION_VERIFIED) == (who->reason == REASON_NONE));
	if (who->email[0]) {
		REQUIRE(email_normalise(json_span(json_object_get(t->claims, "email")), email, &domain) == REASON_NONE);
		REQUIRE(strcmp(email, who->email) == 0);
	}
	REQUIRE(who->decision != DECISION_VERIFIED || who->email[0]);
	REQUIRE(strlen(who->name) <= 256 && fuzz_printable(span_str(who->name)));
	REQUIRE(!who->name[0] || json_is_string(json_object_get(t->claims, "name")));
	if (who->user_id[0]) {
		snprintf(decimal, sizeof(decimal), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
		REQUIRE(span_is(json_is_integer(id) ? span_str(decimal) : json_span(id), who->user_id));
	}
}

static void check_header(struct span header)
{
	json_t *seen = fuzz_json(header);
	const json_t *kid = json_object_get(seen, "kid");

	REQUIRE(json_is_object(seen) && span_is(json_span(json_object_get(seen, "alg")), "HS256"));
	REQUIRE(!json_object_get(seen, "crit") && !json_object_get(seen, "b64"));
	REQUIRE(!kid || json_is_string(kid));
	json_decref(seen);
}

static void check(struct tokenring *ring, struct span header, struct span payload)
{
	struct buf text = BUF_INIT;
	struct identity who;
	struct token t;
	enum reason why;

	token_sign(&text, header, payload, span_str(test_secret(1)));
	REQUIRE(!text.failed);
	token_init(&t, buf_span(&text));
	why = token_verify(&t, &ring->context);
	REQUIRE(why != REASON_SIGNATURE_MISMATCH || !span_is(header, TEST_HEADER) || text.size > TOKEN_MAX);
	if (why == REASON_NONE) {
		check_header(header);
		check_claims(&t, payload);
		REQUIRE(!ring->site.require_exp || t.exp.present);
		REQUIRE(!ring->site.issuer[0] || span_is(json_span(json_object_get(t.claims, "iss")), ring->site.issuer));
		identity_pin(&who, &t, &ring->site);
		check_identity(&t, &who);
	}
	token_done(&t);
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size), payload = span_of("", 0), header = span_str(TEST_HEADER);

	make_rings();
	fuzz_cut(&rest, '\0', &payload);
	if (rest.size)
		header = rest;
	check(&plain, header, payload);
	check(&strict, header, payload);
	return 0;
}
