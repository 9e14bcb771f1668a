/* cmd-audit-follow.c -- postern audit follow: records as they come, until somebody says stop. */
#include "console/cli/cmd-audit-private.h"

#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <unistd.h>

#define LOOK_MS 100                    /* between two looks at the log */

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

/* Without SA_RESTART, so that a write nobody takes ends too; the second signal ends the process whatever it does. */
void follow_begin(void)
{
	struct sigaction s = { .sa_handler = stop, .sa_flags = (int)SA_RESETHAND };

	sigemptyset(&s.sa_mask);
	sigaction(SIGINT, &s, NULL);
	sigaction(SIGTERM, &s, NULL);
}

bool follow_stopped(void)
{
	return stopped;
}

/* Trying again would wait for the same reader again. */
bool follow_flush(void)
{
	if (out_ok() && out_finish())
		return true;
	__fpurge(stdout);
	return false;
}

/* What keeps it from ever showing anything more is noticed though nothing comes. */
enum rc follow_wait(struct call *c)
{
	struct pollfd out = { .fd = STDOUT_FILENO };   /* asked for nothing, it tells of errors */

	if (poll(&out, 1, LOOK_MS) > 0) {
		why_set(&c->why, "nobody reads standard output any more");
		return RC_IO;
	}
	if (store_replaced(admin_store(c->admin), ENV_LEDGER)) {
		why_set(&c->why, "the ledger was replaced; what comes is in another file: start again");
		return RC_IO;
	}
	return RC_OK;
}

/* ---- rows: as list shows them, in columns wide enough for what they usually hold ---- */

static void print_columns(const char *const text[COLUMNS])
{
	out_line("%-8s  %-20s  %-16s  %-8s  %-14s  %-21s  %-20s  %s", text[0], text[1], text[2], text[3], text[4],
	         text[5], text[6], text[7]);
}

static void print_line(const struct line *line, bool json)
{
	struct cells cells;

	if (json) {
		line_print(line, true, false, NULL);
		putchar('\n');
	} else {
		cells_fill(&cells, line, NULL);
		print_columns(cells.text);
	}
}

/* ---- following ---- */

struct follow {
	struct call *call;
	struct filter filter;
	struct lines lines;
	uint64_t next;
	bool json;
};

/* From now on; or from where the caller says, so that who was away misses nothing. */
static enum rc follow_start(struct follow *f)
{
	struct txn *ledger;

	if (f->filter.f.has_after || f->filter.f.since)
		return RC_OK;
	ledger = txn_read(admin_store(f->call->admin), ENV_LEDGER);
	f->next = audit_size(ledger);
	return txn_end(ledger);
}

static enum rc follow_read(struct follow *f)
{
	bool end = false;
	enum rc rc = RC_OK;

	while (rc == RC_OK && !end && !stopped && out_ok()) {
		rc = lines_read(f->call, audit_scan, &f->filter.f, &f->next, &f->lines, &end);
		for (size_t i = 0; i < f->lines.count && !stopped && out_ok(); i++)
			print_line(&f->lines.at[i], f->json);
		lines_clear(&f->lines);
		follow_flush();
	}
	return rc;
}

static enum rc follow(struct follow *f)
{
	enum rc rc = follow_start(f);

	if (rc == RC_OK && !f->json)
		print_columns(column_heads);
	while (rc == RC_OK && !stopped && out_ok()) {
		rc = follow_read(f);
		if (rc == RC_OK && out_ok())
			rc = follow_wait(f->call);
	}
	return rc;
}

int run_audit_follow(struct call *c)
{
	struct follow f = { .call = c, .lines.limit = SLICE, .json = args_given(&c->args, OPT_JSON) };
	int code = filter_open(c, &f.filter);

	if (code != EXIT_YES)
		return code;
	follow_begin();
	code = call_end(c, follow(&f));
	lines_done(&f.lines);
	return code;
}
