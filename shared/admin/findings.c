/* findings.c -- what checks found, in the order they were made: one list for doctor's lines and its JSON. */
#include "admin/admin-private.h"

#include <stdarg.h>

static const char *const state_names[] = {
	[FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_WRONG] = "wrong", [FINDING_SKIPPED] = "skipped",
};

const char *finding_state_name(enum finding_state state)
{
	return state_names[state];
}

bool findings_init(struct findings *f)
{
	*f = (struct findings){ .list = json_array() };
	return f->list != NULL;
}

void findings_done(struct findings *f)
{
	json_decref(f->list);
	*f = (struct findings){ 0 };
}

void finding_add(struct findings *f, const char *check, enum finding_state state, const char *mend, const char *fmt, ...)
{
	json_t *says, *row;
	va_list args;

	va_start(args, fmt);
	says = json_vsprintf(fmt, args);
	va_end(args);
	/* o takes the sentence, also where packing fails; s* leaves a member out */
	row = says ? json_pack("{sssssoss*}", "check", check, "state", state_names[state], "says", says, "mend", mend) : NULL;
	if (json_array_append_new(f->list, row) != 0)
		f->failed = true;
	else
		f->count[state]++;
}
