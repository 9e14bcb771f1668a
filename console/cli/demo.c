/* demo.c -- the site demo, from the files that ship with Postern. Adding it again changes nothing. */
#include "console/cli/cli.h"
#include "base/file.h"

#include <stdlib.h>
#include <unistd.h>

#define DEMO_FILE_MAX (4u << 20)
#define DEMO_HERE "data/demo"          /* in the source tree */

static const char *demo_folder(void)
{
	const char *named = getenv("POSTERN_DEMO_DIR");

	if (named && *named)
		return named;
	return access(POSTERN_DATADIR, R_OK) == 0 ? POSTERN_DATADIR : DEMO_HERE;
}

enum rc demo_read(struct demo *d, struct why *why)
{
	const struct { const char *name; struct buf *into; } files[] = {
		{ "site.json", &d->site }, { "actions.json", &d->actions }, { "documents.jsonl", &d->documents },
	};
	char path[4096];

	*d = (struct demo){ BUF_INIT, BUF_INIT, BUF_INIT };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		enum rc rc = RC_INVALID;

		if (snprintf(path, sizeof(path), "%s/%s", demo_folder(), files[i].name) < (int)sizeof(path))
			rc = file_read(path, DEMO_FILE_MAX, files[i].into);
		if (rc != RC_OK) {
			why_set(why, "%s: %s; POSTERN_DEMO_DIR says where the demo's files are", path, rc_text(rc));
			return rc == RC_INVALID ? RC_IO : rc;
		}
	}
	return RC_OK;
}

void demo_done(struct demo *d)
{
	buf_done(&d->site);
	buf_done(&d->actions);
	buf_done(&d->documents);
}

static enum rc read_site(const struct demo *d, struct site *s, struct why *why)
{
	json_t *object = NULL;
	enum rc rc = json_strict(buf_span(&d->site), 8, &object, why);

	if (rc == RC_OK && !settings_from_json(s, object, why))
		rc = RC_INVALID;
	json_decref(object);
	s->created_at = clock_s();
	return rc;
}

static enum rc add_site(struct admin *a, const struct site *s, enum reason *ret_reason, struct why *why)
{
	struct site there;
	enum rc rc = admin_site_get(a, s->id, &there, ret_reason, why);

	site_done(&there);
	return rc == RC_REFUSED ? admin_site_add(a, s, ret_reason, why) : rc;
}

/* Actions are there last: a demo cut short is completed, a whole one is left as its visitors have changed it. */
static enum rc fill_site(struct admin *a, const struct demo *d, const char *site, bool *ret_added,
                         enum reason *ret_reason, struct why *why)
{
	struct problems problems = { 0 };
	json_t *actions = NULL;
	size_t count;
	enum rc rc = admin_action_document(a, site, &actions, ret_reason, why);

	*ret_added = rc == RC_OK && !actions;
	if (*ret_added) {
		rc = admin_document_import(a, site, buf_span(&d->documents), &count, ret_reason, why);
		if (rc == RC_OK)
			rc = admin_action_import(a, site, buf_span(&d->actions), &count, &problems, ret_reason, why);
		if (problems.count > 0)
			why_set(why, "actions.json: %s: %s", problems.list[0].pointer, problems.list[0].detail);
	}
	problems_done(&problems);
	json_decref(actions);
	return rc;
}

enum rc demo_add(struct admin *a, const struct demo *d, bool *ret_added, enum reason *ret_reason, struct why *why)
{
	struct site s;
	enum rc rc;

	site_init(&s);
	if ((rc = read_site(d, &s, why)) == RC_OK && (rc = add_site(a, &s, ret_reason, why)) == RC_OK)
		rc = fill_site(a, d, s.id, ret_added, ret_reason, why);
	site_done(&s);
	return rc;
}
