/* cmd-audit-filter.c -- which records: the options that audit list, export and follow share. */
#include "console/cli/cmd-audit-private.h"

/* The network as it is recorded: of an address, or of that network itself. */
static bool network_parse(const char *text, char out[REMOTE_MAX])
{
	size_t size = strcspn(text, "/");

	audit_network(out, span_of(text, size));
	return out[0] && (text[size] == '\0' || strcmp(text + size, strchr(out, '/')) == 0);
}

static int parse_words(const struct call *c, struct filter *ret)
{
	const struct arguments *a = &c->args;
	struct audit_filter *f = &ret->f;

	f->has_outcome = args_given(a, OPT_OUTCOME);
	if (f->has_outcome && !audit_outcome_parse(a->text[OPT_OUTCOME], &f->outcome))
		return usage_error(c, "--outcome is intended, done, refused, blocked or failed");
	if (args_given(a, OPT_REASON) && (f->reason = reason_from_name(a->text[OPT_REASON])) == REASON_COUNT)
		return usage_error(c, "--reason: there is no code \"%s\"", a->text[OPT_REASON]);
	if (args_given(a, OPT_REMOTE) && !network_parse(a->text[OPT_REMOTE], ret->remote))
		return usage_error(c, "--remote is an address, or a network as it is recorded: 203.0.113.0/24, "
		                   "2001:db8::/56");
	f->remote = ret->remote[0] ? ret->remote : NULL;
	f->kid = a->text[OPT_KID];
	if (f->kid && !kid_valid(span_str(f->kid)))
		return usage_error(c, "--kid is a key's id: k_ and eight of a-z, 2-7");
	return EXIT_YES;
}

int filter_parse(struct call *c, struct filter *ret)
{
	const struct arguments *a = &c->args;

	*ret = (struct filter){
		.f = { .site = a->text[OPT_SITE], .action = a->text[OPT_ACTION], .has_after = args_given(a, OPT_AFTER),
		       .after = a->number[OPT_AFTER], .since = a->number[OPT_SINCE], .until = a->number[OPT_UNTIL] },
		.with_identity = args_given(a, OPT_WITH_IDENTITY),
	};
	if (args_given(a, OPT_EMAIL) && !ret->f.site)
		return usage_error(c, "--email needs --site: each site has pseudonyms of its own");
	return parse_words(c, ret);
}

int filter_begin(struct call *c, struct filter *f, const char *format)
{
	enum rc rc = RC_OK;

	if (f->f.site)
		rc = admin_audit_site(c->admin, f->f.site, &c->reason, &c->why);
	if (rc == RC_OK && args_given(&c->args, OPT_EMAIL)) {
		rc = admin_subject_of(c->admin, f->f.site, c->args.text[OPT_EMAIL], f->subject, &c->reason, &c->why);
		f->f.subject = f->subject;
	}
	if (rc == RC_OK && f->with_identity)
		rc = admin_audit_identities_read(c->admin, &f->f, format, &c->why);
	return call_end(c, rc);
}

int filter_open(struct call *c, struct filter *ret)
{
	int code = filter_parse(c, ret);

	if (code == EXIT_YES)
		code = call_open(c, !ret->with_identity);
	return code == EXIT_YES ? filter_begin(c, ret, "jsonl") : code;
}
