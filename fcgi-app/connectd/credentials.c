/* credentials.c -- a connection's credential is there and fresh: one refresh for all who ask at the same time. */
#include "fcgi-app/connectd/credentials.h"

#include "base/crypto.h"
#include "fcgi-app/connectd/refresh.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* After a refresh that failed, or was in vain, before the next: twice as long after each that follows. */
#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS 60000
struct pause { uint64_t ms, until_ms; };       /* 0: none */

/* One for each connection that somebody is refreshing or waits for, or whose last refresh failed or was in vain. */
struct flight {
	char name[CONNECTION_NAME_MAX + 1];
	unsigned users;
	uint64_t tries;                    /* refreshes that ended */
	enum call_error last;              /* how the last of them did */
	struct pause failed;               /* the token endpoint is not asked before its end */
	struct pause vain;                 /* an upstream that refuses is not taken to mean the token before its end */
	uint64_t vain_of;                  /* how many had ended when the last in vain was noted */
	pthread_mutex_t mutex;             /* held by who refreshes; guards tries and last with `flights` */
	struct flight *next;
};
static pthread_mutex_t flights = PTHREAD_MUTEX_INITIALIZER;
static struct flight *first;

static struct flight *flight_find(const char *name)
{
	struct flight *f = first;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

static struct flight *flight_new(const char *name)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	snprintf(f->name, sizeof(f->name), "%s", name);
	pthread_mutex_init(&f->mutex, NULL);
	f->next = first;
	first = f;
	return f;
}

/* *ret_tries: as it was before any wait. NULL: out of memory. */
static struct flight *flight_enter(const char *name, uint64_t *ret_tries)
{
	struct flight *f;

	pthread_mutex_lock(&flights);
	f = flight_find(name);
	if (!f)
		f = flight_new(name);
	if (f) {
		f->users++;
		*ret_tries = f->tries;
	}
	pthread_mutex_unlock(&flights);
	if (f)
		pthread_mutex_lock(&f->mutex);
	return f;
}

static void flight_unlink(struct flight *f)
{
	struct flight **at = &first;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	pthread_mutex_destroy(&f->mutex);
	free(f);
}

/* Unless there is something to remember, or somebody in it. `flights` is held. */
static void flight_forget(struct flight *f)
{
	if (f->users == 0 && f->failed.ms == 0 && f->vain.ms == 0)
		flight_unlink(f);
}

static void flight_leave(struct flight *f)
{
	pthread_mutex_unlock(&f->mutex);
	pthread_mutex_lock(&flights);
	f->users--;
	flight_forget(f);
	pthread_mutex_unlock(&flights);
}

void credentials_try_now(const char *name)
{
	struct flight *f;

	pthread_mutex_lock(&flights);
	f = flight_find(name);
	if (f) {
		f->failed = f->vain = (struct pause){ 0 };
		flight_forget(f);
	}
	pthread_mutex_unlock(&flights);
}

static void pause_longer(struct pause *p)
{
	p->ms = p->ms == 0 ? PAUSE_FIRST_MS : 2 * p->ms;
	if (p->ms > PAUSE_MOST_MS)
		p->ms = PAUSE_MOST_MS;
	p->until_ms = clock_mono_ms() + p->ms;
}

static bool pause_lasts(const struct pause *p)
{
	return p->ms > 0 && clock_mono_ms() < p->until_ms;
}

bool credentials_doubtful(const char *name)
{
	const struct flight *f;
	bool doubtful;

	pthread_mutex_lock(&flights);
	f = flight_find(name);
	doubtful = !f || !pause_lasts(&f->vain);
	pthread_mutex_unlock(&flights);
	return doubtful;
}

/* Once may be chance, the new token was revoked as well: from the second on time passes in between. However many calls one
 * refresh was for, it was one. */
static void flight_in_vain(struct flight *f)
{
	if (f->vain.ms == 0)
		f->vain.ms = PAUSE_FIRST_MS / 2;
	else if (f->vain_of != f->tries)
		pause_longer(&f->vain);
	f->vain_of = f->tries;
}

void credentials_judged(const char *name, bool served)
{
	struct flight *f;

	pthread_mutex_lock(&flights);
	f = flight_find(name);
	if (!f && !served)
		f = flight_new(name);
	if (f && !served)
		flight_in_vain(f);
	if (f && served) {
		f->vain = (struct pause){ 0 };
		flight_forget(f);
	}
	pthread_mutex_unlock(&flights);
}

static void flight_ended(struct flight *f, enum call_error e)
{
	bool failed = e == CALL_CREDENTIALS_FAILED || e == CALL_UPSTREAM_UNSAFE;

	pthread_mutex_lock(&flights);
	f->tries++;
	f->last = e;
	if (failed)
		pause_longer(&f->failed);
	else
		f->failed = (struct pause){ 0 };
	pthread_mutex_unlock(&flights);
}

static bool flight_pauses(const struct flight *f)
{
	bool pauses;

	pthread_mutex_lock(&flights);
	pauses = pause_lasts(&f->failed);
	pthread_mutex_unlock(&flights);
	return pauses;
}

/* c stays what it was where nothing could be loaded, or another connection has its name by now: this call was checked against
 * the lists of the old one. */
static enum call_error load_again(struct connect_store *s, const char *name, struct connection *c)
{
	struct connection now = { .settings = NULL };
	enum rc rc = connect_store_load(s, name, &now);

	if (rc != RC_OK)
		return rc == RC_NOT_FOUND ? CALL_CONNECTION_UNKNOWN : CALL_CREDENTIALS_FAILED;
	if (c->settings && !json_equal(now.settings, c->settings)) {
		connection_done(&now);
		return CALL_CONNECTION_UNKNOWN;
	}
	connection_done(c);
	*c = now;
	return c->reauth_needed ? CALL_REAUTH_NEEDED : CALL_OK;
}

static bool same_token(const struct secret *a, const struct secret *b)
{
	return a && b && a->size == b->size && crypto_equal(a->data, b->data, a->size);
}

/* The stored token is void if it is the one the upstream refused; whoever refreshes next sees that there is none. */
static enum call_error drop_refused(struct connect_store *s, const char *name, struct connection *c)
{
	struct secret *refused = c->access_token ? secret_copy(secret_span(c->access_token)) : NULL;
	enum call_error e;
	int lock;

	if (connect_store_lock(s, name, &lock) != RC_OK) {
		secret_free(refused);
		return CALL_CREDENTIALS_FAILED;
	}
	e = load_again(s, name, c);
	if (e == CALL_OK && same_token(refused, c->access_token)) {
		secret_free(c->access_token);
		c->access_token = NULL;
		c->expires_at = 0;
		if (connect_store_save(s, c) != RC_OK)
			e = CALL_CREDENTIALS_FAILED;
	}
	connect_store_unlock(s, name, lock);
	secret_free(refused);
	return e;
}

static bool fresh(const struct connection *c)
{
	return refresh_fresh(c, (int64_t)clock_s());
}

/* A token that is only about to expire still serves where no newer one could be had. */
static bool still_serves(const struct connection *c)
{
	return c->access_token && (c->expires_at == 0 || (int64_t)clock_s() < c->expires_at);
}

/* The mutex of f is held. Who waited while a refresh failed takes its outcome and does not try again, nor does who comes in
 * the pause after it. */
static enum call_error refresh_within(struct flight *f, uint64_t tries, struct connect_store *s, const char *name,
				      struct connection *c, bool force)
{
	enum call_error e = force ? drop_refused(s, name, c) : load_again(s, name, c), loaded;

	if (e != CALL_OK || fresh(c))
		return e;
	if (f->tries == tries && !flight_pauses(f))
		flight_ended(f, refresh_run(connect_store_dir(s), name));
	e = f->last;
	loaded = load_again(s, name, c);
	if (loaded != CALL_OK)
		return loaded;
	return still_serves(c) ? CALL_OK : e == CALL_OK ? CALL_CREDENTIALS_FAILED : e;
}

enum call_error credentials_ready(struct connect_store *s, const char *name, struct connection *c, bool force_refresh)
{
	struct flight *f;
	uint64_t tries = 0;
	enum call_error e;

	if (c->auth.type != AUTH_OAUTH2_REFRESH && c->auth.type != AUTH_OAUTH2_CLIENT)
		return CALL_OK;
	if (c->reauth_needed)
		return CALL_REAUTH_NEEDED;
	if (!force_refresh && fresh(c))
		return CALL_OK;
	f = flight_enter(name, &tries);
	if (!f)
		return CALL_CREDENTIALS_FAILED;
	e = refresh_within(f, tries, s, name, c, force_refresh);
	flight_leave(f);
	return e;
}
