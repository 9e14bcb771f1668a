/* domains.c -- whose names are public: the two lists of data/reserved-domains.txt, and a site's own two.
 *
 * A name covers what is below it, by whole labels from the right: `local` covers printer.local, but not notlocal or
 * local.example.org. What a site reserves is stronger than what it accepts, and that than the built-in lists. */
#include "identity/identity.h"

#include "base/text.h"

enum kind { KIND_reserved, KIND_private };

static const struct listed {
	enum kind kind;
	const char *name;
	size_t size;
} listed[] = {
#define X(kind, name) { KIND_##kind, name, sizeof(name) - 1 },
#include "reserved-domains.inc"
#undef X
};

static bool is_under(struct span domain, struct span name)
{
	const char *text = domain.data;

	if (name.size == 0 || domain.size < name.size)
		return false;
	text += domain.size - name.size;
	/* Where no label begins there is nothing to compare: that is nearly always. */
	return (domain.size == name.size || text[-1] == '.') && memcmp(text, name.data, name.size) == 0;
}

static bool under_any(struct span domain, const struct site_list *names)
{
	for (size_t i = 0; i < names->count; i++) {
		if (is_under(domain, span_str(names->entry[i])))
			return true;
	}
	return false;
}

static bool under_listed(struct span domain, enum kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
		if (listed[i].kind == kind && is_under(domain, span_of(listed[i].name, listed[i].size)))
			return true;
	}
	return false;
}

/* One label, or a last label of digits, which is an address and no name (RFC 1123 2.1). */
static bool is_dotless_or_numeric(const char *domain)
{
	const char *dot = strrchr(domain, '.');

	if (!dot)
		return true;
	while (ascii_is_digit(*++dot))
		;
	return *dot == '\0';
}

enum reason email_domain_standing(const char *domain, const struct site *site)
{
	struct span name = span_str(domain);

	if (under_any(name, &site->reserve_domains))
		return REASON_EMAIL_RESERVED;
	if (under_any(name, &site->accept_domains))
		return REASON_NONE;
	if (under_listed(name, KIND_reserved))
		return REASON_EMAIL_RESERVED;
	if (is_dotless_or_numeric(domain) || under_listed(name, KIND_private))
		return REASON_EMAIL_NOT_PUBLIC;
	return REASON_NONE;
}
