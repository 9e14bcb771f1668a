/* settings.c -- a site's settings: one table for options, JSON and what people read. */
#include "console/cli/cli.h"

#include <stddef.h>

enum kind { TEXT, LIST, PLAN, LIFETIME, FLAG };

struct setting {
	enum opt opt;
	const char *member;            /* of struct site, of JSON, of the audit record */
	enum kind kind;
	size_t offset;
};

#define AT(member) offsetof(struct site, member)
static const struct setting settings[SETTINGS_MAX] = {
	{ OPT_NAME, "name", TEXT, AT(name) },
	{ OPT_PLAN, "plan", PLAN, AT(plan) },
	{ OPT_SIGN_IN_URL, "sign_in_url", TEXT, AT(sign_in_url) },
	{ OPT_ORIGIN, "origins", LIST, AT(origins) },
	{ OPT_ACCEPT_DOMAIN, "accept_domains", LIST, AT(accept_domains) },
	{ OPT_RESERVE_DOMAIN, "reserve_domains", LIST, AT(reserve_domains) },
	{ OPT_MAX_LIFETIME, "max_lifetime", LIFETIME, AT(max_lifetime) },
	{ OPT_REQUIRE_EXP, "require_exp", FLAG, AT(require_exp) },
	{ OPT_ISSUER, "issuer", TEXT, AT(issuer) },
	{ OPT_AUDIENCE, "audience", TEXT, AT(audience) },
};

static void *place(struct site *s, const struct setting *setting)
{
	return (char *)s + setting->offset;
}

/* ---- setting one value; false with why ---- */

static bool set_text(void *at, const char *text, struct why *why)
{
	if (strlen(text) >= SITE_TEXT_MAX) {
		why_set(why, "it is longer than %d bytes", SITE_TEXT_MAX - 1);
		return false;
	}
	memcpy(at, text, strlen(text) + 1);
	return true;
}

/* Domains as A-labels, so that "Müller.example" is written as people write it and compared as tokens have it. */
static bool add_entry(struct site_list *list, enum opt opt, const char *text, struct why *why)
{
	char domain[EMAIL_MAX];

	if (opt != OPT_ORIGIN) {
		if (!domain_normalise(span_str(text), domain)) {
			why_set(why, "it is not a domain name");
			return false;
		}
		text = domain;
	}
	if (site_list_has(list, text) || site_list_add(list, text) == RC_OK)
		return true;
	why_set(why, "it is too long, or the list has more than %d entries", SITE_LIST_MAX);
	return false;
}

static void set_lifetime(uint32_t *at, uint64_t seconds)
{
	/* out of range either way: admin_site_check() says so */
	*at = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static void clear(struct site *s, const struct setting *setting)
{
	struct site defaults;
	struct site_list *list = place(s, setting);
	size_t size = 0;

	site_init(&defaults);
	switch (setting->kind) {
	case LIST: site_list_done(list); *list = (struct site_list){ 0 }; break;
	case TEXT: size = 1; break;
	case PLAN: size = sizeof(defaults.plan); break;
	case LIFETIME: size = sizeof(defaults.max_lifetime); break;
	case FLAG: size = sizeof(defaults.require_exp); break;
	}
	memcpy(place(s, setting), place(&defaults, setting), size);
	site_done(&defaults);
}

/* ---- from options ---- */

static bool apply_list(struct site *s, const struct setting *setting, const struct arguments *a, struct why *why)
{
	clear(s, setting);
	for (size_t i = 0; i < a->listed_count; i++)
		if (a->listed[i].opt == setting->opt && !add_entry(place(s, setting), setting->opt, a->listed[i].value, why))
			return false;
	return true;
}

static bool apply(struct site *s, const struct setting *setting, const struct arguments *a, struct why *why)
{
	const char *text = a->text[setting->opt];

	switch (setting->kind) {
	case TEXT: return set_text(place(s, setting), text, why);
	case LIST: return apply_list(s, setting, a, why);
	case LIFETIME: set_lifetime(place(s, setting), a->number[setting->opt]); return true;
	case FLAG: s->require_exp = true; return true;
	case PLAN:
		if (plan_parse(text, place(s, setting)))
			return true;
		why_set(why, "it is free, pro or business");
	}
	return false;
}

bool settings_apply(struct site *s, const struct arguments *a, const char *ret_changed[SETTINGS_MAX + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < SETTINGS_MAX; i++) {
		const struct setting *setting = &settings[i];
		struct why why = { { 0 } };

		if (!((a->given | a->cleared) & BIT(setting->opt)))
			continue;
		if (a->cleared & BIT(setting->opt))
			clear(s, setting);
		else if (!apply(s, setting, a, &why)) {
			talk("--%s: %s", option_rows[setting->opt].name, why.text);
			return false;
		}
		ret_changed[count++] = setting->member;
	}
	ret_changed[count] = NULL;
	return true;
}

/* ---- as JSON ---- */

static json_t *list_json(const struct site_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < l->count; i++)
		json_array_append_new(list, json_string(l->entry[i]));
	return list;
}

static json_t *value_json(const struct site *s, const struct setting *setting)
{
	const void *at = (const char *)s + setting->offset;

	switch (setting->kind) {
	case TEXT: return *(const char *)at ? json_string(at) : json_null();
	case LIST: return list_json(at);
	case PLAN: return json_string(plan_name(s->plan));
	case LIFETIME: return json_integer(s->max_lifetime);
	case FLAG: return json_boolean(s->require_exp);
	}
	return NULL;
}

json_t *settings_json(const struct site *s)
{
	json_t *object = json_pack("{sssI}", "site", s->id, "created_at", (json_int_t)s->created_at);

	for (size_t i = 0; object && i < SETTINGS_MAX; i++)
		if (json_object_set_new(object, settings[i].member, value_json(s, &settings[i])) != 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static bool value_from_json(struct site *s, const struct setting *setting, const json_t *value, struct why *why)
{
	const char *text = json_string_value(value);
	json_t *entry;
	size_t i;

	switch (setting->kind) {
	case TEXT: return json_is_null(value) || (text && set_text(place(s, setting), text, why));
	case PLAN: return text && plan_parse(text, place(s, setting));
	case LIFETIME:
		set_lifetime(place(s, setting), json_integer_value(value) < 0 ? 0 : (uint64_t)json_integer_value(value));
		return json_is_integer(value);
	case FLAG: s->require_exp = json_is_true(value); return json_is_boolean(value);
	case LIST:
		json_array_foreach(value, i, entry)
			if (!json_is_string(entry) ||
			    !add_entry(place(s, setting), setting->opt, json_string_value(entry), why))
				return false;
		return json_is_array(value);
	}
	return false;
}

static const struct setting *find_member(const char *member)
{
	for (size_t i = 0; i < SETTINGS_MAX; i++)
		if (strcmp(settings[i].member, member) == 0)
			return &settings[i];
	return NULL;
}

bool settings_from_json(struct site *s, const json_t *object, struct why *why)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)object, member, value) {
		const struct setting *setting = find_member(member);
		struct span id = json_span(value);

		if (strcmp(member, "site") == 0 && site_id_valid(id)) {
			memcpy(s->id, id.data, id.size);
			s->id[id.size] = '\0';
		} else if (!setting || !value_from_json(s, setting, value, why)) {
			why_set(why, "site.json: member \"%s\" is unknown or has a wrong value", member);
			return false;
		}
	}
	return true;
}

/* ---- for people ---- */

static void print_value(const struct site *s, const struct setting *setting)
{
	const void *at = (const char *)s + setting->offset;
	const struct site_list *list = at;
	char time[CLOCK_TEXT_MAX];

	switch (setting->kind) {
	case TEXT: out_line("%-16s %s", setting->member, *(const char *)at ? (const char *)at : "-"); break;
	case PLAN: out_line("%-16s %s", setting->member, plan_name(s->plan)); break;
	case LIFETIME: out_line("%-16s %s", setting->member, duration_format(s->max_lifetime, time)); break;
	case FLAG: out_line("%-16s %s", setting->member, s->require_exp ? "yes" : "no"); break;
	case LIST:
		if (list->count == 0)
			out_line("%-16s -", setting->member);
		for (size_t i = 0; i < list->count; i++)
			out_line("%-16s %s", i == 0 ? setting->member : "", list->entry[i]);
	}
}

void settings_print(const struct site *s)
{
	char time[CLOCK_TEXT_MAX];

	out_line("%-16s %s", "site", s->id);
	for (size_t i = 0; i < SETTINGS_MAX; i++)
		print_value(s, &settings[i]);
	out_line("%-16s %s", "created_at", out_time(s->created_at, time));
}
