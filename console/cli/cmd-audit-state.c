/* cmd-audit-state.c -- where an export goes on, kept in a file: {"after":17,"origin":"postern/..."}.
 *
 * It is written only once what it counts has left this process, so a crash in between repeats records and skips none.
 * A state that does not fit the log is refused, and never taken for "from the beginning": that is for the admin to say,
 * by removing it. */
#include "console/cli/cmd-audit-private.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_SIZE_MAX 4096
#define STATE_MODE 0600
#define SAVE_MS 1000
#define AFTER_MAX INT64_C(999999999999999999)          /* as --after takes it */

#define PRINT(n) ((unsigned long long)(n))

/* ---- one export at a time ---- */

/* A file of its own, since the state is replaced. It stays. */
static enum rc lock(struct call *c, struct state *s)
{
	char *path;

	if (asprintf(&path, "%s.lock", s->path) < 0)
		return RC_NOMEM;
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, STATE_MODE);
	if (s->lock < 0)
		why_set(&c->why, "cannot make %s: %s", path, strerror(errno));
	else if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
		why_set(&c->why, errno == EWOULDBLOCK ? "%s is in use: another export goes on from it" : "cannot lock %s",
		        s->path);
	free(path);
	return c->why.text[0] ? RC_IO : RC_OK;
}

/* ---- reading it ---- */

static bool parse(struct state *s, const json_t *object, const char **ret_origin)
{
	const json_t *after = json_object_get(object, "after");

	*ret_origin = json_string_value(json_object_get(object, "origin"));
	if (json_object_size(object) != 2 || !*ret_origin || !json_is_integer(after) || json_integer_value(after) < 0 ||
	    json_integer_value(after) > AFTER_MAX)
		return false;
	s->after = (uint64_t)json_integer_value(after);
	s->has_after = true;
	return true;
}

static enum rc fits(struct call *c, const struct state *s, const char *origin, const struct log_name *log,
                    uint64_t size)
{
	if (strcmp(origin, log->origin) != 0)
		why_set(&c->why, "%s belongs to the log %s, and this one is %s: to export this log from its beginning, name "
		        "another file or remove this one", s->path, origin, log->origin);
	else if (s->after >= size)
		why_set(&c->why, "%s says that record %llu was exported, but the log has only %llu records: it was rolled back "
		        "(see: postern audit verify)", s->path, PRINT(s->after), PRINT(size));
	else if (s->after + 1 < log->first)
		why_set(&c->why, "records %llu to %llu were pruned before they were exported from %s: remove it to go on with "
		        "record %llu", PRINT(s->after + 1), PRINT(log->first - 1), s->path, PRINT(log->first));
	return c->why.text[0] ? RC_IO : RC_OK;
}

static enum rc read_state(struct call *c, struct state *s, const struct log_name *log, uint64_t size)
{
	struct buf text = BUF_INIT;
	json_t *object = NULL;
	const char *origin;
	struct stat st;
	enum rc rc;

	if (lstat(s->path, &st) != 0)
		return errno == ENOENT ? RC_OK : RC_IO;
	rc = S_ISREG(st.st_mode) ? file_read(s->path, STATE_SIZE_MAX, &text) : RC_INVALID;
	if (rc == RC_OK)
		rc = json_strict(buf_span(&text), 2, &object, NULL);
	if (rc == RC_OK)
		rc = parse(s, object, &origin) ? fits(c, s, origin, log, size) : RC_INVALID;
	if (rc == RC_INVALID)
		why_set(&c->why, "%s is no state that an export wrote: put back what was there; to export the log from its "
		        "beginning, remove it", s->path);
	else if (rc != RC_OK)
		why_set(&c->why, "cannot read %s: %s", s->path, rc_text(rc));
	json_decref(object);
	buf_done(&text);
	return rc == RC_INVALID ? RC_IO : rc;
}

int state_open(struct call *c, struct state *s, const struct log_name *log, uint64_t size)
{
	enum rc rc;

	*s = (struct state){ .path = c->args.text[OPT_STATE], .lock = -1, .origin = log->origin };
	if (!s->path)
		return EXIT_YES;
	rc = lock(c, s);
	return call_end(c, rc == RC_OK ? read_state(c, s, log, size) : rc);
}

/* ---- writing it ---- */

/* What a file on a disk was given must not be lost with the power, once a state counts it. */
static bool output_is_safe(void)
{
	struct stat st;

	return fstat(STDOUT_FILENO, &st) == 0 && (!S_ISREG(st.st_mode) || fsync(STDOUT_FILENO) == 0);
}

static enum rc save(struct call *c, struct state *s)
{
	struct buf text = BUF_INIT;
	enum rc rc = output_is_safe() ? RC_OK : RC_IO;

	buf_addf(&text, "{\"after\":%llu,\"origin\":", PRINT(s->after));
	buf_add_json(&text, span_str(s->origin));
	buf_add_str(&text, "}\n");
	if (rc != RC_OK)
		why_set(&c->why, "what was exported cannot be synced: %s", strerror(errno));
	else
		rc = text.failed ? RC_NOMEM : file_replace(s->path, buf_span(&text), STATE_MODE);
	if (rc == RC_OK)
		s->unsaved = false;
	else
		why_set(&c->why, "cannot write %s: %s; the same records come again", s->path, rc_text(rc));
	buf_done(&text);
	return rc == RC_OK ? rc : RC_IO;
}

enum rc state_move(struct call *c, struct state *s, uint64_t next, bool now)
{
	uint64_t ms = clock_mono_ms();

	if (!s->path)
		return RC_OK;
	if (next > 0 && !(s->has_after && s->after == next - 1)) {
		s->after = next - 1;
		s->has_after = s->unsaved = true;
	}
	if (!s->unsaved || !(now || ms - s->saved_ms >= SAVE_MS))
		return RC_OK;
	s->saved_ms = ms;
	return save(c, s);
}

void state_close(struct state *s)
{
	if (s->path && s->lock >= 0)
		close(s->lock);
}
