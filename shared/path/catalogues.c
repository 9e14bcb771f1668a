/* catalogues.c -- compiled actions documents, shared by the threads of a process: at most CATALOGUES_MAX at a time. */
#include "path/path-private.h"

#include <stdlib.h>

void catalogue_unref(struct shared_catalogue *c)
{
	if (c && atomic_fetch_sub(&c->refs, 1) == 1) {
		catalogue_free(c->catalogue);
		free(c);
	}
}

static struct shared_catalogue *find(struct catalogues *c, const char *site, uint64_t version)
{
	struct shared_catalogue *found = NULL;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < CATALOGUES_MAX && !found; i++) {
		struct shared_catalogue *s = c->slot[i];

		if (s && s->version == version && strcmp(s->site, site) == 0)
			found = s;
	}
	if (found) {
		found->used = ++c->tick;
		atomic_fetch_add(&found->refs, 1);
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* Takes the place of an older version of the same site, else a free one, else the one used longest ago. Two threads that
 * compiled the same version at once leave two copies for a while; both are right. */
static void keep(struct catalogues *c, struct shared_catalogue *fresh)
{
	size_t best = 0;
	struct shared_catalogue *old;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < CATALOGUES_MAX; i++) {
		if (c->slot[i] && strcmp(c->slot[i]->site, fresh->site) == 0) {
			best = i;
			break;
		}
		if (!c->slot[i] || (c->slot[best] && c->slot[i]->used < c->slot[best]->used))
			best = i;
	}
	old = c->slot[best];
	fresh->used = ++c->tick;
	atomic_fetch_add(&fresh->refs, 1);
	c->slot[best] = fresh;
	pthread_mutex_unlock(&c->lock);
	catalogue_unref(old);
}

static enum reason load(struct txn *vault, const struct site_view *v, struct shared_catalogue **ret)
{
	struct shared_catalogue *c;
	struct span document;
	enum rc rc = catalogue_read(vault, span_str(v->site.id), &document);

	if (rc == RC_NOT_FOUND)
		return REASON_ACTION_UNKNOWN;
	if (rc != RC_OK || !(c = calloc(1, sizeof(*c))))
		return REASON_VAULT_UNAVAILABLE;
	if (catalogue_load(document, &c->catalogue, NULL) != RC_OK) {
		free(c);
		return REASON_VAULT_UNAVAILABLE;
	}
	memcpy(c->site, v->site.id, sizeof(c->site));
	c->version = v->head.actions;
	atomic_init(&c->refs, 1);
	*ret = c;
	return REASON_NONE;
}

enum reason catalogues_get(struct catalogues *c, struct txn *vault, const struct site_view *v, struct shared_catalogue **ret)
{
	enum reason reason = REASON_NONE;

	*ret = find(c, v->site.id, v->head.actions);
	if (!*ret && (reason = load(vault, v, ret)) == REASON_NONE)
		keep(c, *ret);
	return reason;
}

void catalogues_done(struct catalogues *c)
{
	for (size_t i = 0; i < CATALOGUES_MAX; i++)
		catalogue_unref(c->slot[i]);
	pthread_mutex_destroy(&c->lock);
}
