/* site-page.c -- the sites as a list shows them, a page at a time: each costs what it looks at. */
#include "admin/admin-private.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

struct pager {
	struct admin *admin;
	struct txn *vault, *ledger;
	uint64_t now_s;
	const struct site_query *query;
	struct span match;             /* the query's, in lower case */
	struct walk walk;
	bool (*step)(struct walk *w, struct span *key, struct span *row);      /* onwards: walk_next, or walk_prev */
	size_t looked, room;
	struct site_page page;
};

void site_page_done(struct site_page *p)
{
	free(p->row);
	*p = (struct site_page){ 0 };
}

/* ---- which sites ---- */

static bool starts_nocase(const char *text, struct span match)
{
	const char *wanted = match.data;

	for (size_t i = 0; i < match.size; i++)
		if (ascii_lower(text[i]) != wanted[i])
			return false;
	return true;
}

static bool holds(struct span text, struct span match)
{
	const char *at = text.data;

	for (size_t i = 0; i + match.size <= text.size; i++)
		if (starts_nocase(at + i, match))
			return true;
	return false;
}

/* The first site to look at: from itself, or the one after it in the page's direction. */
static bool first_site(struct pager *p, struct span *key, struct span *row)
{
	const struct site_query *q = p->query;
	bool found, is_from;

	if (!q->from || !*q->from)
		return p->step(&p->walk, key, row);
	found = walk_seek(&p->walk, span_str(q->from), key, row);
	is_from = found && span_is(*key, q->from);
	/* a seek stands on from, or on its next */
	if (is_from ? q->after : q->backwards)
		found = p->step(&p->walk, key, row);
	return found;
}

/* ---- what is said of one ---- */

static void add_use(struct pager *p, struct site_row *r, const char *kid)
{
	struct key_use use;

	key_use_get(p->ledger, r->id, kid, p->now_s, &use);
	r->verified_1m += use.uses_1m;
	if (use.last_used_at > r->last_verified_at)
		r->last_verified_at = use.last_used_at;
}

static void add_ring(struct pager *p, struct site_row *r)
{
	struct keyring ring = { 0 };

	r->ring_ok = keyring_get(p->admin->store, p->vault, span_str(r->id), false, &ring) == RC_OK;
	for (size_t i = 0; r->ring_ok && i < ring.count; i++) {
		enum key_state state = key_state_at(&ring.keys[i], p->now_s);

		r->active += state == KEY_ACTIVE;
		r->retiring += state == KEY_RETIRING;
		add_use(p, r, ring.keys[i].kid);
	}
	keyring_done(&ring);
}

static bool row_reserve(struct pager *p)
{
	size_t room = p->room ? p->room * 2 : 16;
	struct site_row *grown;

	if (p->page.count < p->room)
		return true;
	grown = realloc(p->page.row, room * sizeof(*grown));
	if (!grown)
		return false;
	p->page.row = grown;
	p->room = room;
	return true;
}

static enum rc add_row(struct pager *p, const struct site_brief *b)
{
	struct site_row *r;

	if (!row_reserve(p))
		return RC_NOMEM;
	r = &p->page.row[p->page.count++];
	*r = (struct site_row){ .plan = b->plan };
	memcpy(r->id, b->id, sizeof(r->id));
	if (b->name.size)
		memcpy(r->name, b->name.data, b->name.size);
	add_ring(p, r);
	return RC_OK;
}

/* ---- the page ---- */

static enum rc look_at(struct pager *p, struct span key, struct span row, struct why *why)
{
	struct site_brief b;
	enum rc rc = site_brief(key, row, &b);

	if (rc != RC_OK) {
		why_set(why, "the settings of site %.*s cannot be read: %s", (int)key.size, (const char *)key.data,
		        rc_text(rc));
		return rc;
	}
	p->looked++;
	memcpy(p->page.next, b.id, sizeof(p->page.next));
	return holds(span_str(b.id), p->match) || holds(b.name, p->match) ? add_row(p, &b) : RC_OK;
}

static bool is_full(const struct pager *p)
{
	return p->page.count >= p->query->max || (p->query->look && p->looked >= p->query->look);
}

static enum rc look_on(struct pager *p, struct why *why)
{
	struct span key, row;
	enum rc rc = RC_OK;
	bool found;

	walk_begin(&p->walk, p->vault, DB_SITES);
	found = first_site(p, &key, &row);
	while (found && rc == RC_OK && !is_full(p)) {
		rc = look_at(p, key, row, why);
		found = p->step(&p->walk, &key, &row);
	}
	walk_end(&p->walk);
	p->page.more = found;
	p->page.sites = txn_count(p->vault, DB_SITES);
	return rc;
}

static void turn_round(struct site_page *p)
{
	for (size_t i = 0; i < p->count / 2; i++) {
		struct site_row row = p->row[i];

		p->row[i] = p->row[p->count - 1 - i];
		p->row[p->count - 1 - i] = row;
	}
}

static char *lower_copy(const char *text)
{
	char *copy = strdup(text ? text : "");

	for (char *at = copy; at && *at; at++)
		*at = ascii_lower(*at);
	return copy;
}

enum rc admin_site_page(struct admin *a, const struct site_query *q, struct site_page *ret, struct why *why)
{
	struct pager p = { .admin = a, .now_s = clock_s(), .query = q, .step = q->backwards ? walk_prev : walk_next };
	char *match = lower_copy(q->match);
	enum rc rc, vault_rc;

	if (!match)
		return RC_NOMEM;
	p.match = span_str(match);
	p.vault = txn_read(a->store, ENV_VAULT);
	p.ledger = txn_read(a->store, ENV_LEDGER);
	rc = look_on(&p, why);
	txn_abort(p.ledger);           /* advisory: sites are listed even where the ledger is not readable */
	vault_rc = txn_end(p.vault);
	if (rc == RC_OK && vault_rc != RC_OK) {
		why_set(why, "the vault cannot be read: %s", rc_text(vault_rc));
		rc = vault_rc;
	}
	if (q->backwards)
		turn_round(&p.page);
	if (rc == RC_OK)
		*ret = p.page;
	else
		site_page_done(&p.page);
	free(match);
	return rc;
}
