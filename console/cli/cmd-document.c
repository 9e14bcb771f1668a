/* cmd-document.c -- postern document import|list. */
#include "console/cli/cli.h"
#include "base/file.h"

#define IMPORT_MAX (256u << 20)        /* bytes of a file */

int run_document_import(struct call *c)
{
	struct buf lines = BUF_INIT;
	size_t count = 0;
	enum rc rc = file_read(c->args.operand[1], IMPORT_MAX, &lines);
	int code;

	if (rc != RC_OK) {
		talk("%s: %s", c->args.operand[1], rc == RC_INVALID ? "larger than 256 MiB" : rc_text(rc));
		code = rc == RC_INVALID ? EXIT_NO : EXIT_UNSURE;
		goto out;
	}
	if ((code = call_open(c, false)) != EXIT_YES)
		goto out;
	rc = admin_document_import(c->admin, c->site, buf_span(&lines), &count, &c->reason, &c->why);
	code = call_end(c, rc);
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{sssI}", "site", c->site, "documents", (json_int_t)count));
	else if (code == EXIT_YES)
		talk("%zu documents imported", count);
out:
	buf_done(&lines);
	return code;
}

static void print_document(struct table *t, const json_t *document)
{
	const char *owner = json_string_value(json_object_get(document, "owner"));
	struct buf data = BUF_INIT;

	json_canonical(&data, json_object_get(document, "data"));
	table_row(t, (const char *const[]){ json_string_value(json_object_get(document, "id")), owner ? owner : "-",
	                                    data.failed ? "out of memory" : data.data });
	buf_done(&data);
}

int run_document_list(struct call *c)
{
	static const char *const heads[] = { "ID", "OWNER", "DATA" };
	json_t *list = NULL, *document;
	struct table t;
	size_t i;
	int code = call_open(c, false);

	if (code != EXIT_YES)
		return code;
	code = call_end(c, admin_document_list(c->admin, c->site, c->args.operand[1], &list, &c->reason, &c->why));
	if (code != EXIT_YES)
		return code;
	if (args_given(&c->args, OPT_JSON)) {
		out_json(list);
		return EXIT_YES;
	}
	table_begin(&t, ARRAY_LEN(heads), heads);
	json_array_foreach(list, i, document)
		print_document(&t, document);
	table_end(&t);
	json_decref(list);
	return EXIT_YES;
}
