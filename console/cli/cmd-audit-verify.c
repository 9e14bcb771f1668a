/* cmd-audit-verify.c -- postern audit verify: is the log, a copy of it, or an export what it was? */
#include "console/cli/cmd-audit-private.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTES_MAX   64
#define PATIENCE_MS 1000 /* what ends sooner needs no progress */
#define SHOW_MS     200

static const int exits[] = { [VERDICT_VERIFIED] = EXIT_YES,
	                     [VERDICT_TAMPERED] = EXIT_NO,
	                     [VERDICT_TRUNCATED] = EXIT_NO,
	                     [VERDICT_UNVERIFIABLE] = EXIT_UNSURE };

struct verify {
	struct verify_options options;
	struct note_key key;
	struct buf text[NOTES_MAX]; /* of the notes */
	struct span note[NOTES_MAX];
	int fd;          /* of the export; -1: none */
	const char *dir; /* a copy of the data */
	bool shown;
	uint64_t show_ms;
};

/* ---- what is to be verified, by what: all opened as who called ---- */

static int read_notes(struct call *c, struct verify *v)
{
	const struct arguments *a = &c->args;

	for (size_t i = 0; i < a->listed_count; i++) {
		size_t at = v->options.note_count;
		enum rc rc;

		if (a->listed[i].opt != OPT_NOTE)
			continue;
		if (at == NOTES_MAX)
			return usage_error(c, "at most %d checkpoints can be given", NOTES_MAX);
		rc = file_read(a->listed[i].value, NOTE_MAX, &v->text[at]);
		if (rc != RC_OK) {
			talk("%s: %s", a->listed[i].value, rc_text(rc));
			return rc == RC_INVALID ? EXIT_USAGE : EXIT_UNSURE;
		}
		v->note[at] = buf_span(&v->text[at]);
		v->options.note_count++;
	}
	v->options.notes = v->note;
	return EXIT_YES;
}

static int open_target(struct call *c, struct verify *v)
{
	const char *path = c->args.operands > 0 ? c->args.operand[0] : NULL;
	struct stat s;

	if (!path)
		return EXIT_YES;
	if (strcmp(path, "-") == 0) {
		v->fd = STDIN_FILENO;
		return EXIT_YES;
	}
	v->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (v->fd < 0 || fstat(v->fd, &s) != 0) {
		talk("%s: %s", path, strerror(errno));
		return EXIT_UNSURE;
	}
	if (!S_ISDIR(s.st_mode))
		return EXIT_YES;
	close(v->fd);
	v->fd = -1;
	v->dir = path;
	return EXIT_YES;
}

static int verify_prepare(struct call *c, struct verify *v)
{
	int code;

	if (args_given(&c->args, OPT_VKEY)) {
		if (note_key_parse(span_str(c->args.text[OPT_VKEY]), &v->key) != RC_OK)
			return usage_error(c, "--vkey is a line that audit vkey printed: NAME+ID+KEY");
		v->options.key = &v->key;
	}
	code = read_notes(c, v);
	return code == EXIT_YES ? open_target(c, v) : code;
}

static void verify_done(struct verify *v)
{
	for (size_t i = 0; i < v->options.note_count; i++)
		buf_done(&v->text[i]);
	if (v->fd > STDERR_FILENO)
		close(v->fd);
}

/* ---- the data ---- */

/* A backup holds no master key: the one of the data it was made of opens it too. */
static enum rc open_copy(struct call *c, const char *dir)
{
	struct admin_options o = { .dir = dir, .read_only = true };
	struct store_paths copy = { 0 }, data = { 0 };
	enum rc rc;

	if ((rc = admin_backup_check(dir, &c->why)) == RC_OK && (rc = store_paths_init(&copy, dir, NULL)) == RC_OK &&
	    (rc = store_paths_init(&data, admin_data_dir(c->args.text[OPT_DATA]), NULL)) == RC_OK) {
		o.master_key = access(copy.master_key, F_OK) == 0 ? copy.master_key : data.master_key;
		rc = admin_open(&o, &c->admin, &c->why);
	}
	store_paths_done(&copy);
	store_paths_done(&data);
	return rc;
}

/* An export can be verified without the data, where a key was named. */
static int open_data(struct call *c, const struct verify *v)
{
	struct admin_options o = { .dir = c->args.text[OPT_DATA], .read_only = true };

	if (v->dir)
		return call_end(c, open_copy(c, v->dir));
	if (v->fd < 0)
		return call_open(c, true);
	if (admin_open(&o, &c->admin, &c->why) == RC_OK)
		return EXIT_YES;
	c->admin = NULL;
	if (!v->options.key)
		talk("%s", c->why.text);
	c->why.text[0] = '\0';
	return EXIT_YES;
}

/* ---- progress, for who waits at a terminal ---- */

static bool progress(uint64_t done, uint64_t of, void *arg)
{
	struct verify *v = arg;
	uint64_t now = clock_mono_ms();

	if (now < v->show_ms || of == 0)
		return true;
	fprintf(stderr, "\rpostern: %3.0f %%", (double)done / (double)of * 100);
	fflush(stderr);
	v->shown = true;
	v->show_ms = now + SHOW_MS;
	return true;
}

/* ---- the verdict ---- */

int verification_exit(const struct verification *v)
{
	return exits[v->verdict];
}

json_t *verification_json(const struct verification *v)
{
	json_t *o = json_pack(
		"{sssIsIsIsIssso*so*}", "verdict", verdict_name(v->verdict), "first", (json_int_t)v->first, "size",
		(json_int_t)v->size, "checkpoints", (json_int_t)v->checkpoints, "checkpoint_size",
		(json_int_t)v->checkpoint_size, "text", v->text, "at",
		v->at_known ? json_integer((json_int_t)v->at) : NULL, "between",
		v->at_end > 0 && !v->at_known ? json_pack("[II]", (json_int_t)v->at, (json_int_t)v->at_end) : NULL);

	if (o && v->verdict == VERDICT_TRUNCATED) {
		json_object_set_new(o, "have", json_integer((json_int_t)v->have));
		json_object_set_new(o, "want", json_integer((json_int_t)v->want));
	}
	return o;
}

static int verify(struct call *c, struct verify *v)
{
	struct verification found;
	enum rc rc;

	if (isatty(STDERR_FILENO)) {
		v->options.progress = progress;
		v->options.arg = v;
		v->show_ms = clock_mono_ms() + PATIENCE_MS;
	}
	rc = v->fd >= 0 ? admin_verify_export(c->admin, v->fd, &v->options, &found, &c->why)
	                : admin_verify(c->admin, &v->options, &found, &c->why);
	if (v->shown)
		fputs("\r\033[K", stderr);
	if (rc != RC_OK)
		return call_end(c, rc);
	if (args_given(&c->args, OPT_JSON))
		out_json(verification_json(&found));
	else
		out_line("%s: %s", verdict_name(found.verdict), found.text);
	return verification_exit(&found);
}

int run_audit_verify(struct call *c)
{
	struct verify *v = calloc(1, sizeof(*v));
	int code;

	if (!v)
		return call_end(c, RC_NOMEM);
	v->fd = -1;
	if ((code = verify_prepare(c, v)) == EXIT_YES && (code = open_data(c, v)) == EXIT_YES)
		code = verify(c, v);
	verify_done(v);
	free(v);
	return code;
}
