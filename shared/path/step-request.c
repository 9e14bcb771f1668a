/* step-request.c -- which endpoint, and which site's vault rows decide about it?
 *
 * The site's settings are read even for a request that routing refused, so that its CORS headers are right on errors too;
 * the refusal itself keeps its place in the order. */
#include "path/path-private.h"

/* POSTERN_SITE pins the worker to one site: by its environment, by the request's parameters, or by both if they agree. */
static bool pinned_elsewhere(const struct exchange *x)
{
	const struct request *in = &x->in;
	const char *env = x->path->pinned_site;

	if (in->site_pin_count > 1 || (in->site_pin_count == 1 && !span_equal(in->site_pin, in->site)))
		return true;
	return env[0] && !span_is(in->site, env);
}

static enum reason load_site(struct exchange *x)
{
	if (pinned_elsewhere(x))
		return REASON_SITE_UNKNOWN;
	x->vault = reader_begin(x->thread->reader, ENV_VAULT);
	if (txn_rc(x->vault) != RC_OK || atomic_load(&x->path->vault_lost))
		return REASON_VAULT_UNAVAILABLE;
	return view_get(&x->thread->views, x->path->o.store, x->vault, x->in.site, &x->view);
}

/* A guard's request names no site by itself: the pin does, or nobody does. */
static enum reason find_site(struct exchange *x)
{
	struct request *in = &x->in;
	bool guards = in->endpoint->guards;
	enum reason reason = REASON_NONE;

	if (guards)
		in->site = in->site_pin_count ? in->site_pin : span_str(x->path->pinned_site);
	if (in->site.size == 0)
		return guards ? REASON_SITE_NOT_SET : REASON_NONE;
	if (in->early != REASON_OVERLOADED)
		reason = load_site(x);
	return guards && reason == REASON_SITE_UNKNOWN ? REASON_SITE_NOT_SET : reason;
}

enum step_result step_request(struct exchange *x)
{
	enum reason site = find_site(x);

	if (x->id[0] == '\0')
		x->reason = REASON_OVERLOADED;          /* no randomness, no request id */
	else
		x->reason = x->in.early != REASON_NONE ? x->in.early : site;
	return STEP_NEXT;
}
