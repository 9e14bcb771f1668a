/* test_screens_record.c -- one record shown whole: lines as the log may hold them, read from a real one. */
#include "tests/unit/tui/golden.h"

#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"

#define SUBJECT "h1:00112233445566778899aabbccddeeff"

struct row { struct tmpadmin *t; uint64_t seq; const char *line; };

static enum rc write_row(struct txn *ledger, void *arg)
{
	const struct row *r = arg;
	enum rc rc = tmplog_put(ledger, r->seq, span_str(r->line));

	return rc != RC_OK ? rc : audit_identity_keep(admin_store(r->t->a), ledger, "demo", SUBJECT, "alex@example.com",
	                                              "Alex \x1b[2J\u65e5\u672c", GOLDEN_NOW);
}

/* Writes the line (with ' for "), opens it over Audit, and presses the keys. */
static void open_line(struct console *c, const char *line, const char *presses)
{
	char *copy = golden_quotes(line);
	struct row r = { .t = tmpadmin_new(), .seq = 1000017, .line = copy };
	struct writer *w;

	assert_non_null(r.t);
	assert_int_equal(admin_writer(r.t->a, &w), RC_OK);
	assert_int_equal(writer_call(w, write_row, &r), RC_OK);
	c->at = PANEL_AUDIT;
	c->admin = r.t->a;
	record_open(c, r.seq);
	golden_look(c);
	golden_presses(c, presses);
	c->admin = NULL;
	tmpadmin_free(r.t);
	free(copy);
}

static const char blocked_line[] =
	"{'action':'track_order','conversation':'5f0c2a1199aabbcc','event':'action','id':'01JD3Q9V6ZK5T0W8M2R4B7XNCE',"
	"'kid':'k_7f3aqc2d','outcome':'blocked','reason':'token_expired','remote':'203.0.113.0/24','seq':1000017,"
	"'site':'demo','subject':'" SUBJECT "','time':1763690000123456,'token':'9c1d22aa','v':1}";

static void blocked(struct console *c)
{
	open_line(c, blocked_line, "");
}

static void identity(struct console *c)
{
	open_line(c, blocked_line, "i");
}

static void at_its_end(struct console *c)
{
	open_line(c, blocked_line, "G");
}

static void read_only(struct console *c)
{
	c->read_only = "--read-only was given.";
	open_line(c, blocked_line, "i");
}

static void folded(struct console *c)
{
	open_line(c, "{'count':1204,'event':'action','first':1763689990000000,'id':'01JD3Q9V6ZK5T0W8M2R4B7XNCE',"
	             "'last':1763690000000000,'outcome':'blocked','reason':'signature_mismatch',"
	             "'remote':'203.0.113.0/24','seq':1000017,'site':'demo','time':1763690000123456,'v':1}", "");
}

static void admin(struct console *c)
{
	open_line(c, "{'actor':'1000:anna','detail':{'grace_s':172800,'what':'rotate'},'event':'key',"
	             "'id':'01JD3Q9V6ZK5T0W8M2R4B7XNCE','kid':'k_7f3aqc2d','outcome':'done','seq':1000017,"
	             "'site':'demo','time':1763690000123456,'v':1}", "i");
}

#define LONG "a-value-that-is-longer-than-a-line-and-has-no-space-in-it-"

static void hostile(struct console *c)
{
	open_line(c, "{'\\u001b]0;name\\u0007':'\\u001b[31mred\\u202egnp.exe\\u200b\\ufeff',"
	             "'action':[[{'a':'\\u009b'}],null,1.5],"
	             "'detail':{'\\n':{'\\t':'\\r'}},'email':'\\u65e5\\u672c\\u8a9ee\\u0301\\u0302\\u0303','first':-1,"
	             "'last':'now','reason':'no_such_reason','subject':'h1:nobody','time':9223372036854775807,"
	             "'x':'" LONG LONG LONG LONG "'}", "i");
}

static void no_record(struct console *c)
{
	open_line(c, "what was \x1b[2Jhere is\xff gone", "");
}

static void there_is_none(struct console *c)
{
	struct tmpadmin *t = tmpadmin_new();

	assert_non_null(t);
	c->admin = t->a;
	c->at = PANEL_AUDIT;
	record_open(c, UINT64_MAX - 1);
	c->admin = NULL;
	tmpadmin_free(t);
}

static const struct screen screens[] = {
	{ .name = "blocked", .prepare = blocked },
	{ .name = "at-its-end", .prepare = at_its_end },
	{ .name = "identity", .prepare = identity },
	{ .name = "read-only", .prepare = read_only },
	{ .name = "folded", .prepare = folded },
	{ .name = "admin", .prepare = admin },
	{ .name = "hostile", .prepare = hostile },
	{ .name = "no-record", .prepare = no_record },
	{ .name = "there-is-none", .prepare = there_is_none },
};

int main(void)
{
	secret_process_init();
	return golden_run("record", screens, ARRAY_LEN(screens));
}
