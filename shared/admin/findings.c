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

static enum finding_state state_of(const char *name)
{
	enum finding_state state = FINDING_OK;

	while (state + 1 < FINDING_STATES && name && strcmp(name, state_names[state]) != 0)
		state++;
	return state;
}

void findings_take(struct findings *f, const json_t *list)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
		if (json_array_append(f->list, row) != 0)
			f->failed = true;
		else
			f->count[state_of(json_string_value(json_object_get(row, "state")))]++;
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
