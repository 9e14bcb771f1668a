/* cmd-action.c -- postern action import|list|show|run. */
#include "console/cli/cli.h"
#include "base/file.h"
#include "base/text.h"

#include <pthread.h>

#define PARAMETERS_DEPTH 32

int run_action_import(struct call *c)
{
	struct problems problems = { 0 };
	struct buf document = BUF_INIT;
	size_t count = 0;
	enum rc rc = file_read(c->args.operand[1], ACTIONS_SIZE_MAX, &document);
	int code;

	if (rc != RC_OK) {
		talk("%s: %s", c->args.operand[1], rc == RC_INVALID ? "larger than 1 MiB" : rc_text(rc));
		code = rc == RC_INVALID ? EXIT_NO : EXIT_UNSURE;
		goto out;
	}
	if ((code = call_open(c, false)) != EXIT_YES)
		goto out;
	rc = admin_action_import(c->admin, c->site, buf_span(&document), &count, &problems, &c->reason, &c->why);
	for (size_t i = 0; i < problems_kept(&problems); i++)
		talk("%s: %s", problems.list[i].pointer[0] ? problems.list[i].pointer : "the document", problems.list[i].detail);
	if (problems.count > problems_kept(&problems))
		talk("and %zu more", problems.count - problems_kept(&problems));
	code = call_end(c, rc);
	if (code == EXIT_YES && args_given(&c->args, OPT_JSON))
		out_json(json_pack("{sssI}", "site", c->site, "actions", (json_int_t)count));
	else if (code == EXIT_YES)
		talk("%zu actions imported", count);
out:
	problems_done(&problems);
	buf_done(&document);
	return code;
}

/* ---- list, show ---- */

static int get_actions(struct call *c, json_t **ret)
{
	int code = call_open(c, false);

	if (code != EXIT_YES)
		return code;
	return call_end(c, admin_action_document(c->admin, c->site, ret, &c->reason, &c->why));
}

static const char *member(const json_t *action, const char *name)
{
	const char *text = json_string_value(json_object_get(action, name));

	return text ? text : "";
}

int run_action_list(struct call *c)
{
	static const char *const heads[] = { "ACTION", "ACCESS", "EFFECT", "TITLE" };
	json_t *document = NULL, *action;
	struct table t;
	size_t i;
	int code = get_actions(c, &document);
	const json_t *actions = json_object_get(document, "actions");

	if (code == EXIT_YES && args_given(&c->args, OPT_JSON)) {
		json_array_foreach(actions, i, action)
			out_item(json_pack("{ssssssss}", "name", member(action, "name"), "title", member(action, "title"),
			                   "access", member(action, "access"), "effect", member(action, "effect")), i);
		out_array_end(json_array_size(actions));
	} else if (code == EXIT_YES) {
		table_begin(&t, ARRAY_LEN(heads), heads);
		json_array_foreach(actions, i, action)
			table_row(&t, (const char *const[]){ member(action, "name"), member(action, "access"),
			                                     member(action, "effect"), member(action, "title") });
		table_end(&t);
	}
	json_decref(document);
	return code;
}

int run_action_show(struct call *c)
{
	json_t *document = NULL, *action, *found = NULL;
	size_t i;
	int code = get_actions(c, &document);

	json_array_foreach(json_object_get(document, "actions"), i, action)
		if (strcmp(member(action, "name"), c->args.operand[1]) == 0)
			found = action;
	if (code == EXIT_YES && !found)
		code = call_refuse(c, REASON_ACTION_UNKNOWN);
	else if (code == EXIT_YES)
		out_json(json_incref(found));
	json_decref(document);
	return code;
}

/* ---- run: a request like any other, without a web server ---- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool awake;
};

static void wake(void *arg)
{
	struct waiting *w = arg;

	pthread_mutex_lock(&w->lock);
	w->awake = true;
	pthread_cond_signal(&w->woken);
	pthread_mutex_unlock(&w->lock);
}

static void run_to_the_answer(struct exchange *x, struct path_thread *t, struct waiting *w)
{
	while (path_run(x, t) == PATH_WAITING) {
		pthread_mutex_lock(&w->lock);
		while (!w->awake)
			pthread_cond_wait(&w->woken, &w->lock);
		w->awake = false;
		pthread_mutex_unlock(&w->lock);
	}
}

static void fill_request(struct request *rq, const struct call *c, const struct buf *authorization,
                         const struct buf *body)
{
	rq->endpoint = &path_endpoint_action;
	rq->site = span_str(c->site);
	rq->action = span_str(c->args.operand[1]);
	rq->authorization_count = authorization->size > 0;
	rq->authorization = buf_span(authorization);
	rq->content_type = span_str("application/json");
	rq->body = buf_span(body);
}

static int run_exchange(struct call *c, struct path *path, struct path_thread *thread, const struct buf *authorization,
                        const struct buf *body)
{
	struct waiting w = { .lock = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER };
	struct exchange *x = exchange_new(path, wake, &w);
	const struct answer *answer;
	int code;

	if (!x)
		return call_end(c, RC_NOMEM);
	exchange_begin(x);
	fill_request(exchange_request(x), c, authorization, body);
	run_to_the_answer(x, thread, &w);
	answer = exchange_answer(x);
	out_buf(&answer->body);
	out_line("%s", "");
	code = answer->status == 200 ? EXIT_YES : answer->status >= 500 ? EXIT_UNSURE : EXIT_NO;
	if (code != EXIT_YES)
		talk("%d %s", answer->status, reason_name(answer->code));
	path_flush(path);              /* a public read's record is only queued */
	exchange_free(x);
	return code;
}

static int run_path(struct call *c, const struct buf *authorization, const struct buf *body)
{
	const char *socket = getenv("POSTERN_CONNECT");
	struct path_options o = { .store = admin_store(c->admin), .version = POSTERN_VERSION, .threads = 1,
	                          .provider_socket = socket && socket[0] ? socket : PROVIDER_SOCKET_DEFAULT };
	struct path_thread *thread = NULL;
	struct path *path = NULL;
	enum rc rc = admin_writer(c->admin, &o.writer);
	int code;

	if (rc == RC_OK)
		rc = path_new(&o, &path);
	if (rc == RC_OK)
		rc = path_thread_new(path, &thread);
	code = rc == RC_OK ? run_exchange(c, path, thread, authorization, body) : call_end(c, rc);
	path_thread_free(thread);
	path_free(path);
	return code;
}

/* A file of the bare token, or of a whole Authorization value. */
static int read_authorization(const struct call *c, struct buf *ret)
{
	const char *path = c->args.text[OPT_TOKEN_FILE];
	struct buf text = BUF_INIT;
	enum rc rc = path ? file_read(path, TOKEN_MAX * 2, &text) : RC_OK;

	if (rc != RC_OK) {
		talk("--token-file: %s: %s", path, rc_text(rc));
		return EXIT_UNSURE;
	}
	while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]))
		text.size--;
	if (path && !(text.size >= 6 && ascii_equal_nocase(span_of(text.data, 6), "Bearer")))
		buf_add_str(ret, "Bearer ");
	buf_add_span(ret, buf_span(&text));
	buf_done(&text);
	return EXIT_YES;
}

/* Parsed and put together anew, so that it is the parameters and nothing else of a body. */
static int make_body(const struct call *c, struct buf *ret)
{
	const char *text = c->args.text[OPT_PARAMETERS];
	struct why why = { { 0 } };
	json_t *value = NULL;

	if (!text)
		return EXIT_YES;
	if (json_strict(span_str(text), PARAMETERS_DEPTH, &value, &why) != RC_OK || !json_is_object(value)) {
		json_decref(value);
		return usage_error(c, "--parameters is not a JSON object%s%s", why.text[0] ? ": " : "", why.text);
	}
	buf_add_str(ret, "{\"parameters\":");
	json_canonical(ret, value);
	buf_add_char(ret, '}');
	json_decref(value);
	return EXIT_YES;
}

int run_action_run(struct call *c)
{
	struct buf authorization = BUF_INIT, body = BUF_INIT;
	int code;

	if ((code = make_body(c, &body)) == EXIT_YES && (code = read_authorization(c, &authorization)) == EXIT_YES &&
	    (code = call_open(c, false)) == EXIT_YES)
		code = run_path(c, &authorization, &body);
	buf_done(&authorization);
	buf_done(&body);
	return code;
}
