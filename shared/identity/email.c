/* email.c -- one ordinary mailbox: its syntax, and its one spelling.
 *
 * What this can say of an address is that it is well formed; who reads it is vouched for by the token's signature and
 * nothing else. No look-up leaves the process: RFC 5321 4.1.2 and 4.5.3.1, RFC 5891, RFC 1035 2.3.1. */
#include "identity/identity-private.h"

#include "base/text.h"

#include <idn2.h>

#define LOCAL_MAX 64
#define DOMAIN_MAX 253
#define LABEL_MAX 63

/* RFC 5321 4.1.2, atext. */
static bool is_atext(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dot-string: atoms joined by single dots. Lower-casing is ASCII only: addresses that differ by case are one. */
static bool local_normalise(struct span local, char *out)
{
	const char *in = local.data;
	bool atom = false;

	if (local.size == 0 || local.size > LOCAL_MAX)
		return false;
	for (size_t i = 0; i < local.size; i++) {
		if (in[i] == '.' ? !atom : !is_atext(in[i]))
			return false;
		atom = in[i] != '.';
		out[i] = ascii_lower(in[i]);
	}
	return atom;
}

static bool is_ldh(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-';
}

/* Labels of 1 to 63 letters, digits and inner hyphens, joined by single dots; no trailing dot. */
static bool labels_ok(const char *domain, size_t size)
{
	size_t label = 0;

	if (size == 0 || size > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i <= size; i++) {
		if (i < size && domain[i] != '.') {
			if (!is_ldh(domain[i]) || (label == 0 && domain[i] == '-') || ++label > LABEL_MAX)
				return false;
			continue;
		}
		if (label == 0 || domain[i - 1] == '-')
			return false;
		label = 0;
	}
	return true;
}

/* libidn2 refuses plain names such as ab--cd.com, so it sees only what is not plain. */
static bool needs_idna(const char *domain, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)domain[i] >= 0x80)
			return true;
		if ((i == 0 || domain[i - 1] == '.') && size - i >= 4 && memcmp(domain + i, "xn--", 4) == 0)
			return true;
	}
	return false;
}

/* To A-labels. Never IDN2_USE_STD3_ASCII_RULES: it deletes characters instead of refusing them. Mapping can make a name
 * longer and can bring in what is no letter, so the caller looks at the output again. */
static bool to_ascii(char domain[EMAIL_MAX], size_t *size)
{
	uint8_t *mapped = NULL;
	bool ok = false;

	if (idn2_lookup_u8((const uint8_t *)domain, &mapped, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK) {
		*size = strlen((char *)mapped);
		ok = *size < EMAIL_MAX;
		if (ok)
			memcpy(domain, mapped, *size + 1);
	}
	idn2_free(mapped);
	return ok;
}

bool domain_normalise(struct span domain, char out[EMAIL_MAX])
{
	const char *in = domain.data;
	size_t size = domain.size;

	if (size == 0 || size >= EMAIL_MAX)
		return false;
	for (size_t i = 0; i < size; i++) {
		/* ASCII that is no part of a name is refused before any mapping sees it; that includes NUL. */
		if ((unsigned char)in[i] < 0x80 && !is_ldh(in[i]) && in[i] != '.')
			return false;
		out[i] = ascii_lower(in[i]);
	}
	out[size] = '\0';
	if (needs_idna(out, size)) {
		if (!to_ascii(out, &size))
			return false;
		for (size_t i = 0; i < size; i++)
			out[i] = ascii_lower(out[i]);
	}
	return labels_ok(out, size);
}

enum reason email_normalise(struct span address, char out[EMAIL_MAX], const char **ret_domain)
{
	char text[EMAIL_MAX], domain[EMAIL_MAX];
	const char *in = address.data, *at;
	size_t local, size;

	if (address.size == 0 || address.size >= EMAIL_MAX)
		return REASON_EMAIL_MALFORMED;
	/* The first @ divides; a second one is no letter of any domain. */
	at = memchr(in, '@', address.size);
	if (!at)
		return REASON_EMAIL_MALFORMED;
	local = (size_t)(at - in);
	if (!local_normalise(span_of(in, local), text) ||
	    !domain_normalise(span_of(at + 1, address.size - local - 1), domain))
		return REASON_EMAIL_MALFORMED;
	size = strlen(domain);
	if (local + 1 + size >= EMAIL_MAX)
		return REASON_EMAIL_MALFORMED;

	memcpy(out, text, local);
	out[local] = '@';
	memcpy(out + local + 1, domain, size + 1);
	*ret_domain = out + local + 1;
	return REASON_NONE;
}
