/* test_screens_audit.c -- the screens of Audit. */
#include "tests/unit/tui/golden.h"

#include "console/tui/panel-audit.h"

#define SUBJECT "h1:00112233445566778899aabbccddeeff"

/* Read to both ends, with nothing in it. */
static struct audit_panel *audit_of(struct console *c)
{
	struct audit_panel *p = (struct audit_panel *)c->panel[PANEL_AUDIT];

	c->at = PANEL_AUDIT;
	p->started = true;
	p->searching = false;
	p->rows.oldest = p->rows.newest = true;
	return p;
}

static void add_record(struct audit_panel *p, uint64_t seq, const char *text)
{
	struct record_row *row = &p->rows.row[p->rows.count++];
	json_t *record = golden_json(text);

	record_row_fill(row, seq, record);
	json_decref(record);
	row->time_us = (GOLDEN_NOW - 600 + seq % 600) * 1000000;
	p->list.count = p->rows.count;
	p->list.selected = p->rows.count - 1;
}

static void none(struct console *c)
{
	audit_of(c);
}

/* One of each event and outcome. */
static void add_kinds(struct audit_panel *p, uint64_t seq)
{
	static const char *const records[] = {
		"{'event':'site','outcome':'done','site':'demo','detail':{'what':'add'},'actor':'1000:anna'}",
		"{'event':'key','outcome':'intended','site':'demo','kid':'k_7f3aqc2d','detail':{'what':'create'},"
		"'actor':'1000:anna'}",
		"{'event':'key','outcome':'done','site':'demo','kid':'k_7f3aqc2d','detail':{'what':'create'},"
		"'actor':'1000:anna'}",
		"{'event':'action','outcome':'done','site':'demo','action':'track_order','subject':'" SUBJECT "',"
		"'remote':'203.0.113.0/24','kid':'k_7f3aqc2d'}",
		"{'event':'action','outcome':'blocked','reason':'token_expired','site':'demo','action':'track_order',"
		"'remote':'203.0.113.0/24'}",
		"{'event':'action','outcome':'blocked','reason':'signature_mismatch','site':'demo','count':1204,"
		"'first':1,'last':2}",
		"{'event':'action','outcome':'refused','reason':'sign_in_required','site':'library',"
		"'action':'list_orders','remote':'2001:db8::/56'}",
		"{'event':'action','outcome':'failed','reason':'upstream_timeout','site':'library',"
		"'action':'cancel_subscription','subject':'" SUBJECT "'}",
		"{'event':'identity','outcome':'done','site':'demo','detail':{'what':'read'},'actor':'1000:anna'}",
		"{'event':'audit','outcome':'done','detail':{'what':'checkpoint'},'actor':'0:root'}",
	};

	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		add_record(p, seq + i, records[i]);
}

static void some(struct console *c)
{
	add_kinds(audit_of(c), 0);
}

static void many(struct console *c)
{
	struct audit_panel *p = audit_of(c);

	for (uint64_t seq = 1204000; seq < 1204100; seq += 10)
		add_kinds(p, seq);
	p->rows.oldest = p->rows.newest = false;
	p->list.selected = 60;
	p->list.top = 55;
}

static void hostile(struct console *c)
{
	struct audit_panel *p = audit_of(c);

	add_record(p, 0, "{'event':'\\u001b[2J','outcome':'\\u202ednob','reason':'\\u009b31m\\n\\t',"
	                 "'site':'\\u200b\\ufeff'}");
	add_record(p, 1, "{'event':7,'outcome':null,'reason':[],'site':{},'action':true,'remote':1.5,'count':-1}");
	add_record(p, 2, "{'event':'action','outcome':'blocked','reason':'a reason longer than there is room for',"
	                 "'site':'\\u65e5\\u672c\\u8a9e\\u306e\\u30b5\\u30a4\\u30c8','count':9223372036854775807}");
	add_record(p, 3, "{'event':'e\\u0301\\u0302\\u0303','outcome':'done','action':'\\u0301'}");
	p->rows.row[3].time_us = UINT64_MAX;
	record_row_fill(&p->rows.row[p->rows.count++], UINT64_MAX, NULL);
	p->list.count = p->rows.count;
}

static void filter(struct audit_panel *p, const struct console *c, const char *text)
{
	struct why why;

	assert_int_equal(filter_parse(&p->filter, text, c->now_us, FILTER_ALL, &why), RC_OK);
}

static void filtered(struct console *c)
{
	struct audit_panel *p = audit_of(c);

	add_record(p, 204, "{'event':'action','outcome':'blocked','reason':'token_expired','site':'demo'}");
	filter(p, c, "site:demo outcome:blocked reason:token_expired since:1h");
	p->searching = true;
	p->rows.oldest = false;
	p->rows.older = 81500;
}

static void nothing_matches(struct console *c)
{
	filter(audit_of(c), c, "site:nobody");
}

static void ask_filter(struct console *c)
{
	struct audit_panel *p = audit_of(c);

	add_kinds(p, 0);
	filter(p, c, "site:demo since:1h");
	golden_presses(c, "/ reason:to");
}

static void filter_wrong(struct console *c)
{
	add_kinds(audit_of(c), 0);
	golden_presses(c, "/sight:demo\n");
}

static void ask_jump(struct console *c)
{
	add_kinds(audit_of(c), 0);
	golden_presses(c, "#1204");
}

static void jump_wrong(struct console *c)
{
	add_kinds(audit_of(c), 0);
	golden_presses(c, "#0x7\n");
}

static void unreadable(struct console *c)
{
	add_kinds(audit_of(c), 0);
	console_error(c, RC_CORRUPT, REASON_NONE, NULL);
}

static const struct screen screens[] = {
	{ .name = "none", .prepare = none },
	{ .name = "some", .prepare = some },
	{ .name = "many", .prepare = many },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "filtered", .prepare = filtered },
	{ .name = "nothing-matches", .prepare = nothing_matches },
	{ .name = "ask-filter", .prepare = ask_filter },
	{ .name = "filter-wrong", .prepare = filter_wrong },
	{ .name = "ask-jump", .prepare = ask_jump },
	{ .name = "jump-wrong", .prepare = jump_wrong },
	{ .name = "unreadable", .prepare = unreadable },
};

int main(void)
{
	return golden_run("audit", screens, ARRAY_LEN(screens));
}
