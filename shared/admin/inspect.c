/* inspect.c -- what doctor looks at: the tables of checks, in the order they are told. */
#include "admin/inspect-private.h"
#include "base/text.h"

#include <stdarg.h>

#define SAYS_MAX 1024

struct place_check { const char *name; void (*look)(struct inspection *i); };
struct inside_check { const char *name; void (*look)(struct inspection *i, struct inside *in); };

static const struct place_check place_checks[] = {
	{ "data_directory", inspect_directory },
	{ "files",          inspect_files },
	{ "leftovers",      inspect_leftovers },
	{ "master_key",     inspect_master_key },
	{ "disk",           inspect_disk },
	{ "clock",          inspect_clock },
	{ "socket",         inspect_socket },
	{ "processes",      inspect_processes },
};

static const struct inside_check inside_checks[] = {
	{ "versions",              inspect_versions },
	{ "workers",               inspect_workers },
	{ "worker_user",           inspect_worker_users },
	{ "worker_program",        inspect_worker_programs },
	{ "ledger_space",          inspect_space },
	{ "checkpoint",            inspect_checkpoint },
	{ "record_times",          inspect_record_times },
	{ "rings",                 inspect_rings },
	{ "sites_without_key",     inspect_sites_without_key },
	{ "ring_full",             inspect_full_rings },
	{ "keys_unused",           inspect_unused_keys },
	{ "keys_old",              inspect_old_keys },
	{ "sites_without_actions", inspect_sites_without_actions },
	{ "connections",           inspect_connections },
	{ "expiry",                inspect_expiry },
	{ "token_not_yet_valid",   inspect_not_yet_valid },
	{ "key_retired",           inspect_retired_named },
	{ "budget",                inspect_budget },
};

/* ---- saying ---- */

/* One border for all outside text: names of files, sites and programs. */
void look_say(struct inspection *i, enum finding_state state, const char *mend, const char *fmt, ...)
{
	char text[SAYS_MAX], shown[SAYS_MAX], shown_mend[SAYS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	text_show(shown, sizeof(shown), span_str(text));
	if (mend)
		mend = text_show(shown_mend, sizeof(shown_mend), span_str(mend));
	finding_add(i->out, i->check, state, mend, "%s", shown);
}

const char *mend_with(struct inspection *i, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(i->mend, sizeof(i->mend), fmt, args);
	va_end(args);
	return i->mend;
}

const char *data_option(const struct inspection *i, char out[DATA_OPTION_MAX])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%";
	size_t size = strlen(i->dir);

	out[0] = '\0';
	if (strcmp(i->dir, STORE_DEFAULT_DIR) == 0)
		return out;
	/* another name is not for a shell as it is */
	if (strspn(i->dir, plain) == size && size < DATA_OPTION_MAX - 16)
		snprintf(out, DATA_OPTION_MAX, " --data %s", i->dir);
	else
		snprintf(out, DATA_OPTION_MAX, " --data DIR");
	return out;
}

void names_add(struct names *n, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (n->count++ >= NAMES_TOLD)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_addf(&n->told, "%s%s", n->told.size ? ", " : "", text);
}

const char *names_text(struct names *n)
{
	if (n->count > NAMES_TOLD)
		buf_addf(&n->told, " and %zu more", n->count - NAMES_TOLD);
	return n->told.failed || !n->told.data ? "?" : n->told.data;
}

void names_done(struct names *n)
{
	buf_done(&n->told);
	n->count = 0;
}

/* ---- the whole ---- */

void inspect_place(struct inspection *i)
{
	for (size_t c = 0; c < ARRAY_LEN(place_checks); c++) {
		i->check = place_checks[c].name;
		place_checks[c].look(i);
	}
}

static const char *open_mend(struct inspection *i, enum rc rc)
{
	char option[DATA_OPTION_MAX];

	data_option(i, option);
	return rc == RC_OLDER    ? mend_with(i, "Stop every worker, then run: sudo postern migrate%s", option) :
	       rc == RC_TOO_OPEN ? mend_with(i, "Run: sudo postern init%s", option) : NULL;
}

void inspect_opened(struct inspection *i, enum rc opened, const struct why *why)
{
	i->check = "data";
	if (opened == RC_OK)
		look_say(i, FINDING_OK, NULL, "vault and ledger open, and the master key fits");
	else
		look_say(i, i->unsure ? FINDING_SKIPPED : FINDING_WRONG, open_mend(i, opened),
		         "the data does not open: %s", why->text[0] ? why->text : rc_text(opened));
}

static void look_inside(struct inspection *i, struct inside *in)
{
	for (size_t c = 0; c < ARRAY_LEN(inside_checks); c++) {
		i->check = inside_checks[c].name;
		inside_checks[c].look(i, in);
	}
}

enum rc admin_inspect(struct admin *a, const struct health *h, const json_t *expiry, struct inspection *i,
                      struct why *why)
{
	struct inside in = { .h = h, .expiry = expiry };
	enum rc rc;

	findings_take(i->out, h->findings);
	if ((rc = lately_read(a, &in.lately)) == RC_OK && (rc = rings_read(a, h->now_s, &in.rings)) == RC_OK &&
	    (rc = connections_read(a, &in.connections)) == RC_OK)
		look_inside(i, &in);
	else
		why_set(why, "the data cannot be read: %s", rc_text(rc));
	lately_done(&in.lately);
	rings_done(&in.rings);
	connections_done(&in.connections);
	return rc;
}
