/* fuzz-email.c -- an address and a domain from outside, and outside text on its way to a header or a terminal.
 *
 * An accepted address is one address: its normal form is its own normal form, of plain characters, and stands the same
 * for every site. Text that was made fit to be shown is fit to be shown. */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "identity/identity.h"

#include <stdlib.h>

static bool plain(const char *s, const char *also)
{
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !ascii_is_digit(*s) && !strchr(also, *s))
			return false;
	return true;
}

static void check_domain(const char *domain)
{
	char again[EMAIL_MAX];
	struct site s;

	REQUIRE(plain(domain, "-.") && *domain && strlen(domain) <= 253);
	REQUIRE(!strstr(domain, "..") && domain[0] != '.' && domain[strlen(domain) - 1] != '.');
	REQUIRE(domain_normalise(span_str(domain), again) && strcmp(again, domain) == 0);
	/* What a site accepts it accepts, what it reserves it reserves, and the latter wins. */
	site_init(&s);
	REQUIRE(site_list_add(&s.accept_domains, domain) == RC_OK);
	REQUIRE(email_domain_standing(domain, &s) == REASON_NONE);
	REQUIRE(site_list_add(&s.reserve_domains, domain) == RC_OK);
	REQUIRE(email_domain_standing(domain, &s) == REASON_EMAIL_RESERVED);
	site_done(&s);
}

static void check_email(struct span input)
{
	char email[EMAIL_MAX], again[EMAIL_MAX];
	const char *domain = NULL, *domain_again;

	if (email_normalise(input, email, &domain) != REASON_NONE)
		return;
	REQUIRE(strlen(email) <= 254 && domain > email && domain[-1] == '@' && domain < email + sizeof(email));
	REQUIRE(strchr(email, '@') == domain - 1 && domain - 1 - email <= 64);
	REQUIRE(plain(email, "!#$%&'*+-/=?^_`{|}~.@"));
	REQUIRE(email_normalise(span_str(email), again, &domain_again) == REASON_NONE);
	REQUIRE(strcmp(email, again) == 0 && strcmp(domain, domain_again) == 0);
	REQUIRE(memchr(input.data, '@', input.size) != NULL && !memchr(input.data, '\0', input.size));
	check_domain(domain);
}

static void check_text(struct span input)
{
	char shown[96], twice[4 * sizeof(shown)], clean[NAME_MAX_BYTES], again[NAME_MAX_BYTES];
	size_t size = text_clean(clean, sizeof(clean), input);

	REQUIRE(fuzz_printable(span_str(text_show(shown, sizeof(shown), input))));
	REQUIRE(strcmp(text_show(twice, sizeof(twice), span_str(shown)), shown) == 0);
	REQUIRE(size == strlen(clean) && size < sizeof(clean) && fuzz_printable(span_str(clean)));
	REQUIRE(text_clean(again, sizeof(again), span_str(clean)) == size && strcmp(again, clean) == 0);
	if (text_fits_header(input))
		REQUIRE(utf8_valid(input) && !memchr(input.data ? input.data : "", '\n', input.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	char domain[EMAIL_MAX];

	check_email(input);
	if (domain_normalise(input, domain))
		check_domain(domain);
	check_text(input);
	return 0;
}
