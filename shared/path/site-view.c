/* site-view.c -- a thread's bounded memory of sites: used while the site's head says nothing changed.
 *
 * The head is read with every request (one small row), so a retired key is gone with the very next one. The cache has a
 * size: a million sites cost reads, not memory. */
#include "path/path-private.h"

#include <stdlib.h>

static void view_free(struct site_view *v)
{
	site_done(&v->site);
	keyring_done(&v->ring);
	hmac_key_free(v->pseudonym);
	free(v);
}

void view_unref(struct site_view *v)
{
	if (v && atomic_fetch_sub(&v->refs, 1) == 1)
		view_free(v);
}

/* The slot of this site, else a free one, else the one used longest ago. */
static struct view_slot *slot_for(struct view_cache *c, struct span site, uint32_t hash)
{
	struct view_slot *set = c->slot[hash % VIEW_SETS], *best = &set[0];

	for (size_t i = 0; i < VIEW_WAYS; i++) {
		if (set[i].view && set[i].hash == hash && span_is(site, set[i].view->site.id))
			return &set[i];
		if (!set[i].view || (best->view && set[i].used < best->used))
			best = &set[i];
	}
	return best;
}

static bool is_of(const struct view_slot *slot, struct span site, uint32_t hash, const struct site_head *head)
{
	const struct site_view *v = slot->view;

	/* The actions' version is the catalogue's business (catalogues.c): it does not age a view. */
	return v && slot->hash == hash && v->head.settings == head->settings && v->head.ring == head->ring && span_is(site, v->site.id);
}

static enum rc view_load(const struct store *st, struct txn *vault, struct span site, const struct site_head *head,
			 struct site_view **ret)
{
	struct site_view *v = calloc(1, sizeof(*v));
	enum rc rc;

	if (!v)
		return RC_NOMEM;
	if ((rc = site_get(vault, site, &v->site)) != RC_OK ||
	    (rc = keyring_get_sealed(st, vault, site, &v->ring)) != RC_OK) {
		view_free(v);
		return rc;
	}
	v->head = *head;
	atomic_init(&v->refs, 1);          /* get()'s */
	*ret = v;
	return RC_OK;
}

static enum reason get(struct view_cache *c, const struct store *st, struct txn *vault, struct span site,
		       const struct site_head *head, struct site_view **ret)
{
	uint32_t hash = crc32_of(site);
	struct view_slot *slot = slot_for(c, site, hash);

	if (!is_of(slot, site, hash, head)) {
		struct site_view *fresh;

		if (view_load(st, vault, site, head, &fresh) != RC_OK)
			return REASON_VAULT_UNAVAILABLE;
		/* A snapshot from before the last view_cache_age(), which nothing would age: this request's alone. */
		if (txn_version(vault) < c->aged) {
			*ret = fresh;
			return REASON_NONE;
		}
		view_unref(slot->view);
		slot->view = fresh;
		slot->hash = hash;
	}
	slot->view->head.actions = head->actions;
	slot->used = ++c->tick;
	atomic_fetch_add(&slot->view->refs, 1);
	*ret = slot->view;
	return REASON_NONE;
}

/* The lock is the cache's thread's alone, but for one moment of the tick after the vault has changed. */
enum reason view_get(struct view_cache *c, const struct store *st, struct txn *vault, struct span site, struct site_view **ret)
{
	struct site_head head;
	enum reason reason;

	if (!site_id_valid(site) || !site_head_get(vault, site, &head))
		return txn_rc(vault) == RC_OK ? REASON_SITE_UNKNOWN : REASON_VAULT_UNAVAILABLE;
	pthread_mutex_lock(&c->lock);
	reason = get(c, st, vault, site, &head, ret);
	pthread_mutex_unlock(&c->lock);
	return reason;
}

enum rc view_pseudonym(struct site_view *v, const struct store *st, struct txn *vault, struct hmac_key **ret)
{
	struct secret *key = NULL;
	enum rc rc = RC_OK;

	if (!v->pseudonym && (rc = audit_pseudonym_get(st, vault, span_str(v->site.id), &key)) == RC_OK)
		rc = hmac_key_new(secret_span(key), &v->pseudonym);
	secret_free(key);
	if (rc == RC_OK)
		*ret = v->pseudonym;
	return rc;
}

static bool moved_on(const struct site_view *v, struct txn *vault)
{
	struct site_head head;

	return !site_head_get(vault, span_str(v->site.id), &head) || head.settings != v->head.settings || head.ring != v->head.ring;
}

void view_cache_age(struct view_cache *c, struct txn *vault)
{
	pthread_mutex_lock(&c->lock);
	c->aged = txn_version(vault);
	for (size_t s = 0; s < VIEW_SETS; s++)
		for (size_t i = 0; i < VIEW_WAYS; i++)
			if (c->slot[s][i].view && moved_on(c->slot[s][i].view, vault)) {
				view_unref(c->slot[s][i].view);
				c->slot[s][i].view = NULL;
			}
	pthread_mutex_unlock(&c->lock);
}

void view_cache_init(struct view_cache *c)
{
	pthread_mutex_init(&c->lock, NULL);
}

void view_cache_done(struct view_cache *c)
{
	pthread_mutex_destroy(&c->lock);
	for (size_t s = 0; s < VIEW_SETS; s++)
		for (size_t i = 0; i < VIEW_WAYS; i++)
			view_unref(c->slot[s][i].view);
}
