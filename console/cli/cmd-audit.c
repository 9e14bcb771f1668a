/* cmd-audit.c -- postern audit list: the latest records. */
#include "console/cli/cmd-audit-private.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 100000

static const struct audit_identity *identity_of(struct call *c, const struct filter *f, const struct line *l,
                                                struct audit_identity *ret)
{
	return f->with_identity && line_identity(c, l, ret) ? ret : NULL;
}

/* --json: the records as they are, an array. */
static void list_json(struct call *c, const struct filter *f, const struct lines *latest)
{
	struct audit_identity who;

	for (size_t i = latest->count; i > 0; i--) {
		const struct line *line = &latest->at[i - 1];

		putchar(i == latest->count ? '[' : ',');
		line_print(line, true, f->with_identity, identity_of(c, f, line, &who));
	}
	out_array_end(latest->count);
}

static void list_table(struct call *c, const struct filter *f, const struct lines *latest)
{
	struct audit_identity who;
	struct cells cells;
	struct table t;

	table_begin(&t, COLUMNS, column_heads);
	for (size_t i = latest->count; i > 0; i--) {
		cells_fill(&cells, &latest->at[i - 1], identity_of(c, f, &latest->at[i - 1], &who));
		table_row(&t, cells.text);
	}
	table_end(&t);
}

/* Found newest first, shown newest last. */
int run_audit_list(struct call *c)
{
	struct lines latest = { .limit = args_given(&c->args, OPT_LIMIT) ? c->args.number[OPT_LIMIT] : LIMIT_DEFAULT };
	uint64_t before = UINT64_MAX;
	bool end = false;
	struct filter f;
	enum rc rc = RC_OK;
	int code;

	if (latest.limit < 1 || latest.limit > LIMIT_MAX)
		return usage_error(c, "--limit is between 1 and %d", LIMIT_MAX);
	if ((code = filter_open(c, &f)) != EXIT_YES)
		return code;
	while (rc == RC_OK && !end && latest.count < latest.limit)
		rc = lines_read(c, audit_scan_back, &f.f, &before, &latest, &end);
	if (rc == RC_OK && args_given(&c->args, OPT_JSON))
		list_json(c, &f, &latest);
	else if (rc == RC_OK)
		list_table(c, &f, &latest);
	lines_done(&latest);
	return call_end(c, rc);
}
