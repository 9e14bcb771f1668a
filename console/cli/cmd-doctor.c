/* cmd-doctor.c -- postern doctor: the health snapshot, and what of all that is looked at needs an admin. */
#include "console/cli/cmd-doctor-private.h"

struct doctor {
	struct findings found;
	struct health health;
	json_t *expiry;                /* owned; NULL: the data was not looked at */
};

/* Their sentences say what to do. */
static void take_warnings(struct findings *f, const json_t *warnings)
{
	json_t *warning;
	size_t i;

	json_array_foreach(warnings, i, warning)
		finding_add(f, "health", FINDING_WARNING, NULL, "%s", json_string_value(warning));
}

static int look_at_data(struct call *c, struct doctor *d)
{
	int code = call_open(c, true);

	if (code == EXIT_YES)
		code = call_end(c, admin_health(c->admin, &d->health, &c->why));
	if (code == EXIT_YES)
		code = call_end(c, admin_expiry_sites(c->admin, EXPIRY_ROWS, &d->expiry, &c->why));
	if (code == EXIT_YES)
		take_warnings(&d->found, d->health.warnings);
	return code;
}

static void show(const struct call *c, const struct doctor *d)
{
	json_t *document;

	if (args_given(&c->args, OPT_JSON)) {
		document = d->expiry ? health_json(&d->health, d->expiry) : json_object();
		if (json_object_set(document, "checks", d->found.list) != 0) {
			json_decref(document);
			document = NULL;
		}
		out_json(document);
		return;
	}
	if (d->expiry)
		health_print(&d->health, d->expiry);
	findings_print(&d->found);
}

/* Changes nothing, so that whoever may read may ask. */
int run_doctor(struct call *c)
{
	struct doctor d = { .expiry = NULL };
	int code = findings_init(&d.found) ? look_at_data(c, &d) : call_end(c, RC_NOMEM);

	if (code == EXIT_YES && d.found.failed)
		code = call_end(c, RC_NOMEM);
	if (code == EXIT_YES) {
		show(c, &d);
		code = findings_exit(&d.found);
	}
	json_decref(d.expiry);
	health_done(&d.health);
	findings_done(&d.found);
	return code;
}
