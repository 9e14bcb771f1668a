/* prompts.c -- questions with one line to type that change nothing: filters, numbers, a token, which site. */
#include "console/tui/console.h"

void console_prompt(struct console *c, const struct prompt *p)
{
	struct dialog *d = dialog_new(p->title, p->accept);

	if (d && !dialog_text_field(d, p->label, p->max, p->text ? p->text : "")) {
		dialog_free(d);
		d = NULL;
	}
	if (d) {
		if (p->complaint)
			dialog_sayf(d, "%s\n", p->complaint);
		if (p->help)
			dialog_sayf(d, "%s", p->help);
		d->quick = true;
		d->done = p->done;
		d->arg = p->arg;
	}
	console_dialog(c, d);
}

static void site_chosen(struct console *c, struct dialog *d, bool accepted);

/* Empty at first: who asks wants another site than this. */
static void ask_site(struct console *c, const char *text, const char *complaint)
{
	console_prompt(c, &(struct prompt){ .title = "Choose a site", .accept = "Go there", .label = "Its id", .max = SITE_ID_MAX - 1,
	                                    .text = text, .complaint = complaint, .done = site_chosen });
}

static void site_chosen(struct console *c, struct dialog *d, bool accepted)
{
	const char *id = d->field[0].text.text;
	enum reason reason = REASON_NONE;
	struct why why = { "" };
	struct site site;
	enum rc rc;

	if (!accepted || !id[0] || !c->admin)
		return;
	rc = admin_site_get(c->admin, id, &site, &reason, &why);
	site_done(&site);
	if (rc == RC_REFUSED && reason == REASON_SITE_UNKNOWN) {
		ask_site(c, id, "There is no such site. Esc, then 1, shows those there are.");
		return;
	}
	if (rc == RC_OK)
		console_enter_site(c, id);
	console_error(c, rc, reason, &why);
}

void console_ask_site(struct console *c)
{
	ask_site(c, "", NULL);
}
