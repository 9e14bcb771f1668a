/* cmd-init.c -- postern init. It stays root while it makes files; the demo is added as the data's owner. */
#include "console/cli/cli.h"

static int add_demo(struct call *c, const struct demo *d, bool *ret_added)
{
	int code = call_open(c, false);

	return code != EXIT_YES ? code : call_end(c, demo_add(c->admin, d, ret_added, &c->reason, &c->why));
}

static void say_next(const struct call *c, const char *dir, bool created, bool demo, bool added)
{
	if (args_given(&c->args, OPT_JSON)) {
		json_t *result = json_pack("{sssb}", "data", dir, "created", created);

		if (demo)
			json_object_set_new(result, "demo", json_boolean(added));
		out_json(result);
		return;
	}
	out_line("%s: %s", dir, created ? "made" : "was there; owners and modes are as they must be");
	if (demo) {
		out_line("site demo: %s", added ? "added" : "was there");
		out_line("next: postern key create demo");
		out_line("then: postern token mint demo --email alex@example.com --secret-file F");
	} else if (created) {
		out_line("next: postern site add SITE, then postern key create SITE");
	}
}

int run_init(struct call *c)
{
	const char *dir = admin_data_dir(c->args.text[OPT_DATA]);
	bool demo = args_given(&c->args, OPT_DEMO), created = false, added = false;
	struct demo d = { BUF_INIT, BUF_INIT, BUF_INIT };
	int code = EXIT_YES;

	if (demo)
		code = call_end(c, demo_read(&d, &c->why));
	if (code == EXIT_YES)
		code = call_end(c, admin_init(dir, c->args.text[OPT_GROUP], &created, &c->why));
	if (code == EXIT_YES && demo)
		code = add_demo(c, &d, &added);
	demo_done(&d);
	if (code == EXIT_YES)
		say_next(c, dir, created, demo, added);
	return code;
}
