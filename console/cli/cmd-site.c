/* cmd-site.c -- postern site add|list|show|set|remove. */
#include "console/cli/cli.h"
#include "base/clock.h"

#define PAGE 256                       /* sites a read transaction */
#define ROWS_A_READ 10000

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
	if (!settings_apply(&s, &c->args, given) || (code = call_end(c, admin_site_check(&s, &c->why))) == EXIT_USAGE)
		say_where_help_is(c->command);
	if (code != EXIT_YES || (code = call_open(c, false)) != EXIT_YES)
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
		say_where_help_is(c->command);
		goto out;
	}
	code = call_end(c, admin_site_set(c->admin, &s, &edit, changed, &c->reason, &c->why));
	if (code == EXIT_USAGE)
		say_where_help_is(c->command);
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
	struct call *call;
	bool json;
	struct table table;
	size_t count;                  /* printed */
	struct activity *activity;
};

static json_t *number_or_null(bool known, uint64_t number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

/* NULL: out of memory. */
static json_t *row_json(const struct site *s, const struct site_row *r, const struct site_activity *active)
{
	json_t *object = settings_json(s);
	uint64_t last = site_last_event(r, active);
	json_t *more = json_pack("{sososIsIso}", "keys_active", number_or_null(r->ring_ok, r->active), "keys_retiring",
	                         number_or_null(r->ring_ok, r->retiring), "verified_1m", (json_int_t)r->verified_1m,
	                         "blocked_1m", (json_int_t)active->blocked_1m, "last_event",
	                         number_or_null(last > 0, last));

	if (!object || !more || json_object_update(object, more) != 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(more);
	return object;
}

static void row_print(struct table *t, const struct site_row *r, const struct site_activity *active)
{
	char keys[32] = "?", verified[32], blocked[32], last[CLOCK_TEXT_MAX];

	if (r->ring_ok)
		snprintf(keys, sizeof(keys), "%u of %d", r->active + r->retiring, RING_MAX);
	snprintf(verified, sizeof(verified), "%llu", (unsigned long long)r->verified_1m);
	snprintf(blocked, sizeof(blocked), "%llu", (unsigned long long)active->blocked_1m);
	table_row(t, (const char *const[]){ r->id, plan_name(r->plan), keys, verified, blocked,
	                                    out_time(site_last_event(r, active), last), r->name });
}

/* A site that was removed since the page was read is left out. */
static enum rc list_one(struct listing *l, struct txn *vault, const struct site_row *r)
{
	struct site_activity active;
	struct site s;
	enum rc rc = RC_OK;

	activity_get(l->activity, r->id, clock_us(), &active);
	if (!l->json) {
		row_print(&l->table, r, &active);
		return RC_OK;
	}
	rc = site_get(vault, span_str(r->id), &s);
	if (rc == RC_OK)
		out_item(row_json(&s, r, &active), l->count++);
	else if (rc != RC_NOT_FOUND)
		why_set(&l->call->why, "the settings of site %s cannot be read: %s", r->id, rc_text(rc));
	site_done(&s);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* In pages: a reader that pauses at a full pipe must not hold a snapshot of a million sites. */
static enum rc list_page(struct listing *l, const struct site_query *q, struct site_page *page)
{
	struct txn *vault;
	enum rc rc = admin_site_page(l->call->admin, q, page, &l->call->why);

	if (rc != RC_OK)
		return rc;
	vault = txn_read(admin_store(l->call->admin), ENV_VAULT);
	for (size_t i = 0; i < page->count && rc == RC_OK; i++)
		rc = list_one(l, vault, &page->row[i]);
	txn_abort(vault);
	return rc;
}

static enum rc list_all(struct listing *l)
{
	struct site_query q = { .after = true, .match = l->call->args.text[OPT_MATCH], .max = PAGE };
	char from[SITE_ID_MAX] = "";
	bool more = true;
	enum rc rc = RC_OK;

	while (rc == RC_OK && more)
		rc = activity_read(l->activity, l->call->admin, ROWS_A_READ, &more, &l->call->why);
	q.from = from;
	for (more = true; rc == RC_OK && more && out_ok();) {
		struct site_page page = { 0 };

		rc = list_page(l, &q, &page);
		more = page.more;
		memcpy(from, page.next, sizeof(from));
		site_page_done(&page);
	}
	return rc;
}

int run_site_list(struct call *c)
{
	static const char *const heads[] = { "SITE", "PLAN", "KEYS", "VERIFIED/MIN", "BLOCKED/MIN", "LAST EVENT",
	                                     "NAME" };
	struct listing l = { .call = c, .json = args_given(&c->args, OPT_JSON) };
	int code = call_open(c, false);
	enum rc rc;

	if (code != EXIT_YES)
		return code;
	l.activity = activity_new();
	if (!l.json)
		table_begin(&l.table, ARRAY_LEN(heads), heads);
	rc = l.activity ? list_all(&l) : RC_NOMEM;
	if (l.json)
		out_array_end(l.count);
	else
		table_end(&l.table);
	activity_free(l.activity);
	return call_end(c, rc);
}
