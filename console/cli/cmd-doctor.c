/* cmd-doctor.c -- postern doctor: the health snapshot, and what of all that is looked at needs an admin. */
#include "console/cli/cmd-doctor-private.h"

struct doctor {
	struct findings found;
	struct inspection inspection;
	struct health health;
	json_t *expiry;                /* owned; NULL: the data was not looked at */
};

/* Whether it opens is itself a finding. */
static int look_inside(struct call *c, struct doctor *d)
{
	struct admin_options o = { .dir = d->inspection.dir, .read_only = true };
	enum rc rc = admin_open(&o, &c->admin, &c->why);

	inspect_opened(&d->inspection, rc, &c->why);
	if (rc != RC_OK)
		return d->inspection.unsure ? EXIT_UNSURE : EXIT_YES;
	if ((rc = admin_health(c->admin, &d->health, &c->why)) == RC_OK &&
	    (rc = admin_expiry_sites(c->admin, EXPIRY_ROWS, &d->expiry, &c->why)) == RC_OK)
		rc = admin_inspect(c->admin, &d->health, d->expiry, &d->inspection, &c->why);
	return call_end(c, rc);
}

static int look_here(struct call *c, struct doctor *d)
{
	d->inspection = (struct inspection){ .dir = admin_data_dir(c->args.text[OPT_DATA]),
		                             .socket = c->args.text[OPT_SOCKET],
		                             .out = &d->found };
	inspect_place(&d->inspection);
	return look_inside(c, d);
}

/* All that is looked at; EXIT_UNSURE: it could not be, and what is known is not the answer. */
static int look(struct call *c, struct doctor *d)
{
	int code = probes_asked(c) ? probes_run(c, &d->found) : look_here(c, d);

	return d->found.failed ? call_end(c, RC_NOMEM) : code;
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
	int code = findings_init(&d.found) ? look(c, &d) : call_end(c, RC_NOMEM);

	if (code == EXIT_YES || (code == EXIT_UNSURE && d.inspection.unsure && !d.found.failed))
		show(c, &d);
	if (code == EXIT_YES)
		code = findings_exit(&d.found);
	json_decref(d.expiry);
	health_done(&d.health);
	findings_done(&d.found);
	return code;
}
