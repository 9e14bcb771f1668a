/* refresh.c -- a refresh: when it is due, and the process it happens in.
 *
 * A refresh token often works once. Between the server's answer and the synced file the new one exists in one memory
 * only, so that memory is a process of its own, in its own session, which ends when it has saved: connectd may be
 * killed at any moment. Whoever holds the connection's lock loads it again first, and asks only if that still helps. */
#include "fcgi-app/connectd/refresh.h"

#include "base/log.h"
#include "fcgi-app/connectd/credentials.h"
#include "fcgi-app/connectd/oauth.h"
#include "fcgi-app/connectd/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AHEAD_MOST_S 60
#define SAVE_PAUSE_MS 200
#define SAVE_MOST_MS 60000
#define AHEAD_LEAST_S 5                /* a call that begins now may still be on its way then */

bool refresh_fresh(const struct connection *c, int64_t now)
{
	int64_t life = c->expires_at - c->refreshed_at, ahead = life / 10;

	if (!c->access_token)
		return false;
	if (c->expires_at == 0)
		return true;                    /* the server did not say: until the upstream refuses it */
	if (ahead > AHEAD_MOST_S)
		ahead = AHEAD_MOST_S;
	if (ahead < AHEAD_LEAST_S)
		ahead = AHEAD_LEAST_S;
	return now < c->expires_at - ahead;
}

/* ---- inside the process ---- */

static void take_tokens(struct connection *c, struct oauth_tokens *t, int64_t now)
{
	secret_free(c->access_token);
	c->access_token = t->access_token;
	c->expires_at = t->expires_in ? now + t->expires_in : 0;
	c->refreshed_at = now;
	c->last_error[0] = '\0';
	if (t->refresh_token && c->auth.type == AUTH_OAUTH2_REFRESH) {
		secret_free(c->refresh_token);
		c->refresh_token = t->refresh_token;
		t->refresh_token = NULL;
	}
	t->access_token = NULL;
	oauth_tokens_done(t);
}

static void note_failure(struct connection *c, enum call_error e, int64_t now)
{
	snprintf(c->last_error, sizeof(c->last_error), "%s", call_error_code(e));
	if (e != CALL_REAUTH_NEEDED)
		return;
	c->reauth_needed = true;
	c->state_since = now;
}

/* The new refresh token is nowhere else, and the old one may be void by now: a full disk is given a minute to have room again. */
static enum rc save_patiently(struct connect_store *s, const struct connection *c)
{
	struct timespec pause = { .tv_nsec = SAVE_PAUSE_MS * 1000000L };
	enum rc rc = connect_store_save(s, c);

	for (unsigned ms = 0; rc != RC_OK && ms < SAVE_MOST_MS; ms += SAVE_PAUSE_MS) {
		if (ms == 0)
			log_line(LOG_LEVEL_WARNING, "connection %s: new tokens cannot be saved (%s): tried again for a minute", c->name,
				 rc_text(rc));
		nanosleep(&pause, NULL);
		rc = connect_store_save(s, c);
	}
	return rc;
}

/* Saved once before anything is asked: what could not be saved afterwards would be lost. */
static enum call_error ask_and_save(struct connect_store *s, struct connection *c)
{
	struct oauth_tokens tokens;
	int64_t now;
	enum call_error e;
	enum rc rc;

	if (connect_store_save(s, c) != RC_OK)
		return CALL_CREDENTIALS_FAILED;
	e = oauth_ask(c, &tokens);
	now = (int64_t)clock_s();
	if (e == CALL_OK)
		take_tokens(c, &tokens, now);
	else
		note_failure(c, e, now);
	rc = e == CALL_OK ? save_patiently(s, c) : connect_store_save(s, c);
	if (rc == RC_OK)
		return e;
	log_line(LOG_LEVEL_ERROR, "connection %s: what the token endpoint said could not be saved", c->name);
	return CALL_CREDENTIALS_FAILED;
}

static enum call_error refresh_locked(struct connect_store *s, const char *name)
{
	struct connection c = { .settings = NULL };
	enum rc rc = connect_store_load(s, name, &c);
	enum call_error e = CALL_OK;

	if (rc != RC_OK)
		return rc == RC_NOT_FOUND ? CALL_CONNECTION_UNKNOWN : CALL_CREDENTIALS_FAILED;
	if (c.reauth_needed)
		e = CALL_REAUTH_NEEDED;
	else if (!refresh_fresh(&c, (int64_t)clock_s()))
		e = ask_and_save(s, &c);
	if (e != CALL_OK)
		log_line(LOG_LEVEL_WARNING, "connection %s: refresh: %s", name, call_error_code(e));
	connection_done(&c);
	return e;
}

int credentials_refresh_main(const char *data, const char *name)
{
	static const int outlived[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	struct connect_store *s = NULL;
	enum call_error e = CALL_CREDENTIALS_FAILED;
	struct why why = { "" };
	int lock;

	for (size_t i = 0; i < ARRAY_LEN(outlived); i++)
		signal(outlived[i], SIG_IGN);
	if (!connection_name_ok(span_str(name)) || upstream_start() != RC_OK)
		return CALL_CREDENTIALS_FAILED;
	if (connect_store_open(data, &s, &why) != RC_OK) {
		log_line(LOG_LEVEL_ERROR, "connection %s: refresh: %s", name, why.text);
	} else if (connect_store_lock(s, name, &lock) == RC_OK) {
		e = refresh_locked(s, name);
		connect_store_unlock(s, name, lock);
	}
	connect_store_close(s);
	upstream_end();
	return (int)e;
}

/* ---- starting it ---- */

static int attributes(posix_spawnattr_t *a, posix_spawn_file_actions_t *files)
{
	sigset_t none;
	int error;

	sigemptyset(&none);
	error = posix_spawnattr_setflags(a, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawnattr_setsigmask(a, &none);
	if (!error)
		error = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	return error;
}

static bool start(char *const *argv, pid_t *ret)
{
	posix_spawnattr_t a;
	posix_spawn_file_actions_t files;
	int error = posix_spawnattr_init(&a);

	if (error)
		return false;
	error = posix_spawn_file_actions_init(&files);
	if (!error) {
		error = attributes(&a, &files);
		if (!error)
			error = posix_spawn(ret, "/proc/self/exe", &files, &a, argv, environ);
		posix_spawn_file_actions_destroy(&files);
	}
	posix_spawnattr_destroy(&a);
	return error == 0;
}

/* Its exit code is a call_error; any other end is a failure. */
static enum call_error end_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CALL_CREDENTIALS_FAILED;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > CALL_CONNECTION_BUSY)
		return CALL_CREDENTIALS_FAILED;
	return (enum call_error)WEXITSTATUS(status);
}

enum call_error refresh_run(const char *data, const char *name)
{
	char program[] = "postern-connectd", refresh[] = "--refresh", at[] = "--data";
	char *argv[] = { program, refresh, (char *)(uintptr_t)name, at, (char *)(uintptr_t)data, NULL };
	pid_t pid;

	return start(argv, &pid) ? end_of(pid) : CALL_CREDENTIALS_FAILED;
}
