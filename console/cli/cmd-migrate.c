/* cmd-migrate.c -- postern migrate. */
#include "console/cli/cli.h"

static const char *environment_name(enum env env)
{
	return env == ENV_VAULT ? "vault" : "ledger";
}

static json_t *step_json(const struct migration *step)
{
	return json_pack("{sssIsIss}", "environment", environment_name(step->env), "from", (json_int_t)step->from, "to",
	                 (json_int_t)step->from + 1, "what", step->what);
}

static json_t *steps_json(const struct migrated *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->count; i++)
		if (json_array_append_new(list, step_json(m->step[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static void steps_print(const struct migrated *m)
{
	for (size_t i = 0; i < m->count; i++)
		out_line("%s: schema %u to %u: %s", environment_name(m->step[i]->env), m->step[i]->from,
		         m->step[i]->from + 1, m->step[i]->what);
	if (m->count == 0)
		out_line("nothing to do");
}

int run_migrate(struct call *c)
{
	struct migrated done;
	int code = call_end(c, admin_migrate(c->args.text[OPT_DATA], &done, &c->why));

	if (code != EXIT_YES)
		return code;
	if (args_given(&c->args, OPT_JSON))
		out_json(json_pack("{so}", "steps", steps_json(&done)));
	else
		steps_print(&done);
	return EXIT_YES;
}
