/* cmd-audit-erase.c -- postern audit erase: forget one person. */
#include "console/cli/cli.h"

static void show(const struct call *c, const struct erased *e)
{
	if (args_given(&c->args, OPT_JSON)) {
		out_json(json_pack("{sssbsIsI}", "site", c->site, "identity", e->identity, "pins", (json_int_t)e->pins,
		                   "documents", (json_int_t)e->documents));
		return;
	}
	out_line("identity       %s", e->identity ? "erased" : "none was kept");
	out_line("conversations  %llu", (unsigned long long)e->pins);
	if (args_given(&c->args, OPT_DOCUMENTS))
		out_line("documents      %llu", (unsigned long long)e->documents);
}

int run_audit_erase(struct call *c)
{
	bool documents = args_given(&c->args, OPT_DOCUMENTS);
	struct erased done;
	char question[200];
	enum rc rc;
	int code;

	snprintf(question, sizeof(question), "This erases who is behind that email's records%s for good.",
	         documents ? ", and the documents it owns," : "");
	if ((code = confirm(c, question, "erase")) != EXIT_YES || (code = call_open(c, false)) != EXIT_YES)
		return code;
	rc = admin_erase(c->admin, c->site, c->args.text[OPT_EMAIL], documents, &done, &c->reason, &c->why);
	if (rc != RC_OK)
		return call_end(c, rc);
	show(c, &done);
	talk("what was erased may lie in free pages of the ledger until postern compact is run, and is in backups made "
	     "before");
	return EXIT_YES;
}
