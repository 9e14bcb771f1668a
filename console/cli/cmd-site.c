/* cmd-site.c -- postern site add|list|show|set|remove. */
#include "console/cli/cli.h"
#include "base/clock.h"

#define SLICE 256                      /* sites a read transaction */

int run_site_add(struct call *c)
{
	const char *given[SETTINGS_MAX + 1];
	struct site s;
	int code = EXIT_USAGE;

	site_init(&s);
	if (!site_id_valid(span_str(c->site))) {
		usage_error(c, "a site's id is a lower-case letter, then up to 62 of a-z, 0-9 and -");
		goto out;
	}
	memcpy(s.id, c->site, strlen(c->site) + 1);
	s.created_at = clock_s();
	if (!settings_apply(&s, &c->args, given) ||
	    (code = call_end(c, admin_site_check(&s, &c->why))) != EXIT_YES ||
	    (code = call_open(c, false)) != EXIT_YES)
		goto out;
	code = call_end(c, admin_site_add(c->admin, &s, &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(settings_json(&s));
	else if (code == EXIT_YES)
		talk("site %s is added; it has no key yet: postern key create %s", s.id, s.id);
out:
	site_done(&s);
	return code;
}

static int get_site(struct call *c, bool read_only, struct site *ret)
{
	int code = call_open(c, read_only);

	site_init(ret);
	return code != EXIT_YES ? code : call_end(c, admin_site_get(c->admin, c->site, ret, &c->reason, &c->why));
}

int run_site_show(struct call *c)
{
	struct site s;
	int code = get_site(c, false, &s);

	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(settings_json(&s));
	else if (code == EXIT_YES)
		settings_print(&s);
	site_done(&s);
	return code;
}

static bool apply_arguments(struct site *s, void *arguments)
{
	const char *changed[SETTINGS_MAX + 1];

	return settings_apply(s, arguments, changed);
}

int run_site_set(struct call *c)
{
	struct site_edit edit = { .apply = apply_arguments, .arg = &c->args };
	const char *changed[SETTINGS_MAX + 1];
	struct site s;
	int code;

	site_init(&s);
	if (!(c->args.given & c->command->options) && !c->args.cleared) {
		code = usage_error(c, "nothing to set");
		goto out;
	}
	if ((code = get_site(c, false, &s)) != EXIT_YES)
		goto out;
	if (!settings_apply(&s, &c->args, changed)) {
		code = EXIT_USAGE;
		goto out;
	}
	code = call_end(c, admin_site_set(c->admin, &s, &edit, changed, &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(settings_json(&s));
out:
	site_done(&s);
	return code;
}

int run_site_remove(struct call *c)
{
	char question[256];
	struct site s;
	int code;

	snprintf(question, sizeof(question), "Removing site %.64s deletes its keys, actions and documents; its id is never "
	         "given again.", c->site);
	code = get_site(c, false, &s);         /* nobody is asked about a site that is not there */
	site_done(&s);
	if (code != EXIT_YES || (code = confirm(c, question, c->site)) != EXIT_YES)
		return code;
	code = call_end(c, admin_site_remove(c->admin, c->site, &c->reason, &c->why));
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{ss}", "site", c->site));
	return code;
}

/* ---- list ---- */

struct listing {
	bool json;
	struct table table;
	size_t count;                  /* of all */
	size_t slice;
	char next[SITE_ID_MAX + 1];
};

static bool list_one(const struct site *s, void *arg)
{
	struct listing *l = arg;

	if (l->json)
		out_item(settings_json(s), l->count);
	else
		table_row(&l->table, (const char *const[]){ s->id, plan_name(s->plan), s->name });
	/* no id lies between this one and itself with a dash: the least character an id has */
	snprintf(l->next, sizeof(l->next), "%s-", s->id);
	l->count++;
	return ++l->slice < SLICE;
}

/* In slices: a reader that pauses at a full pipe must not hold a snapshot of a million sites. */
int run_site_list(struct call *c)
{
	static const char *const heads[] = { "SITE", "PLAN", "NAME" };
	struct listing l = { .json = args_given(&c->args, OPT_JSON) };
	int code = call_open(c, false);
	enum rc rc = RC_OK;

	if (code != EXIT_YES)
		return code;
	if (!l.json)
		table_begin(&l.table, ARRAY_LEN(heads), heads);
	do {
		struct txn *vault = txn_read(admin_store(c->admin), ENV_VAULT);

		l.slice = 0;
		site_each(vault, l.next, list_one, &l);
		rc = txn_end(vault);
	} while (rc == RC_OK && l.slice == SLICE && out_ok());
	if (l.json)
		out_array_end(l.count);
	else
		table_end(&l.table);
	return call_end(c, rc);
}
