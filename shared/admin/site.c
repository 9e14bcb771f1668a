/* site.c -- adding, changing and removing a site, each with its records. */
#include "admin/admin-private.h"
#include "base/clock.h"

#define REMOVE_BATCH 200               /* documents a job: well under 50 ms of the ledger's lock */

bool site_known(struct txn *vault, const char *site)
{
	struct site_head head;

	return site_id_valid(span_str(site)) && site_head_get(vault, span_str(site), &head);
}

enum rc site_require(struct admin *a, const char *site, enum reason *ret_reason, struct why *why)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	bool known = site_known(vault, site);
	enum rc rc = txn_end(vault);

	if (rc != RC_OK) {
		why_set(why, "the vault cannot be read: %s", rc_text(rc));
		return rc;
	}
	return known ? RC_OK : refuse(REASON_SITE_UNKNOWN, ret_reason);
}

enum rc admin_site_get(struct admin *a, const char *site, struct site *ret, enum reason *ret_reason, struct why *why)
{
	enum rc rc = site_require(a, site, ret_reason, why);
	struct txn *vault;

	site_init(ret);
	if (rc != RC_OK)
		return rc;
	vault = txn_read(a->store, ENV_VAULT);
	rc = site_get(vault, span_str(site), ret);
	txn_abort(vault);
	if (rc == RC_NOT_FOUND)
		rc = refuse(REASON_SITE_UNKNOWN, ret_reason);
	else if (rc != RC_OK)
		why_set(why, "the settings of site %s cannot be read: %s", site, rc_text(rc));
	return rc;
}

/* ---- add, set ---- */

static enum rc add_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	enum rc rc = site_add(vault, c->arg);

	if (rc == RC_EXISTS)
		return refuse(REASON_SITE_EXISTS, ret_reason);
	/* in the same transaction: no site is ever without the key of its pseudonyms */
	return rc != RC_OK ? rc : audit_pseudonym_make(a->store, vault, c->site);
}

/* What was given besides the defaults, by the names of struct site's members. */
static const char *const *settings_given(const struct site *s, const char *ret[11])
{
	const struct { bool given; const char *name; } all[] = {
		{ s->name[0] != '\0', "name" }, { s->plan != PLAN_PRO, "plan" },
		{ s->sign_in_url[0] != '\0', "sign_in_url" }, { s->origins.count > 0, "origins" },
		{ s->accept_domains.count > 0, "accept_domains" }, { s->reserve_domains.count > 0, "reserve_domains" },
		{ s->max_lifetime != SITE_LIFETIME_MAX, "max_lifetime" }, { s->require_exp, "require_exp" },
		{ s->issuer[0] != '\0', "issuer" }, { s->audience[0] != '\0', "audience" },
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].given)
			ret[count++] = all[i].name;
	ret[count] = NULL;
	return ret;
}

static bool settings_member(struct change *c, const char *const *names)
{
	json_t *list = json_array();

	for (; list && names && *names; names++)
		if (json_array_append_new(list, json_string(*names)) != 0) {
			json_decref(list);
			return false;
		}
	return change_member(c, "settings", list);
}

enum rc admin_site_add(struct admin *a, const struct site *s, enum reason *ret_reason, struct why *why)
{
	struct change c = { .event = AUDIT_EVENT_SITE, .name = "add", .site = s->id, .run = add_run, .arg = (void *)s };
	const char *names[11];
	enum rc rc = admin_site_check(s, why);

	if (rc != RC_OK)
		return rc;
	return settings_member(&c, settings_given(s, names)) ? change_run(a, &c, ret_reason, why) : RC_NOMEM;
}

struct setting { struct site *site; const struct site_edit *edit; };

/* The edit is made to the settings as they are under the vault's lock, so that of two admins neither undoes the other's. */
static enum rc set_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	const struct setting *set = c->arg;
	struct site now;
	enum rc rc;

	(void)a;
	site_init(&now);
	rc = site_get(vault, span_str(c->site), &now);
	if (rc == RC_OK && !set->edit->apply(&now, set->edit->arg))
		rc = RC_INVALID;
	if (rc == RC_OK && (rc = admin_site_check(&now, NULL)) == RC_OK && (rc = site_set(vault, &now)) == RC_OK) {
		struct site before = *set->site;

		*set->site = now;
		now = before;
	}
	site_done(&now);
	return rc == RC_NOT_FOUND ? refuse(REASON_SITE_UNKNOWN, ret_reason) : rc;
}

enum rc admin_site_set(struct admin *a, struct site *s, const struct site_edit *edit, const char *const *changed,
                       enum reason *ret_reason, struct why *why)
{
	struct setting set = { .site = s, .edit = edit };
	struct change c = { .event = AUDIT_EVENT_SITE, .name = "set", .run = set_run, .arg = &set };
	char id[SITE_ID_MAX];
	enum rc rc = admin_site_check(s, why);

	memcpy(id, s->id, sizeof(id));
	c.site = id;
	if (rc != RC_OK || (rc = site_require(a, id, ret_reason, why)) != RC_OK)
		return rc;
	return settings_member(&c, changed) ? change_run(a, &c, ret_reason, why) : RC_NOMEM;
}

/* ---- remove ---- */

/* The audit records stay, and so does the key of their pseudonyms: without it nobody could find a visitor's
 * records again. */
static enum rc remove_run(struct admin *a, struct txn *vault, struct change *c, enum reason *ret_reason)
{
	enum rc rc = site_remove(vault, c->site, clock_s());
	struct keyring ring = { 0 };

	if (rc == RC_NOT_FOUND)
		return refuse(REASON_SITE_UNKNOWN, ret_reason);
	if (rc != RC_OK)
		return rc;
	/* a ring that does not decode goes too, only uncounted */
	if (keyring_get(a->store, vault, span_str(c->site), false, &ring) == RC_OK)
		change_member(c, "keys", json_integer((json_int_t)ring.count));
	keyring_done(&ring);
	keyring_remove_site(a->store, vault, c->site);
	txn_del(vault, DB_ACTIONS, span_str(c->site));
	return txn_rc(vault);
}

struct removal { const char *site; size_t went; };

static enum rc documents_run(struct txn *ledger, void *arg)
{
	struct removal *r = arg;

	r->went = document_remove_site(ledger, r->site, REMOVE_BATCH);
	return txn_rc(ledger);
}

static enum rc answers_run(struct txn *ledger, void *arg)
{
	struct removal *r = arg;

	r->went = idempotency_remove(ledger, r->site, NULL, REMOVE_BATCH);
	return txn_rc(ledger);
}

static enum rc rows_remove(struct writer *writer, job_run run, const char *site, size_t *ret_count)
{
	struct removal r = { .site = site };
	enum rc rc;

	while ((rc = writer_call(writer, run, &r)) == RC_OK && r.went > 0)
		*ret_count += r.went;
	return rc;
}

/* The documents are counted; the answers of Idempotency-Keys go with them. */
static enum rc documents_remove(struct admin *a, const char *site, size_t *ret_count, struct why *why)
{
	struct writer *writer;
	size_t answers = 0;
	enum rc rc = admin_writer(a, &writer);

	*ret_count = 0;
	if (rc == RC_OK && (rc = rows_remove(writer, answers_run, site, &answers)) == RC_OK)
		rc = rows_remove(writer, documents_run, site, ret_count);
	if (rc != RC_OK)
		why_set(why, "the site is removed, but documents of it are left; remove it again: %s", rc_text(rc));
	return rc;
}

static enum rc remove_after(struct admin *a, struct change *c, struct why *why)
{
	size_t count;
	enum rc rc = documents_remove(a, c->site, &count, why);

	if (rc == RC_OK)
		change_member(c, "documents", json_integer((json_int_t)count));
	return rc;
}

static bool was_removed(struct admin *a, const char *site)
{
	struct txn *vault = txn_read(a->store, ENV_VAULT);
	struct span row;
	bool there = site_id_valid(span_str(site)) && txn_get(vault, DB_REMOVED, span_str(site), &row);

	txn_abort(vault);
	return there;
}

enum rc admin_site_remove(struct admin *a, const char *site, enum reason *ret_reason, struct why *why)
{
	struct change c = { .event = AUDIT_EVENT_SITE, .name = "remove", .site = site, .run = remove_run,
	                    .after = remove_after };
	enum rc rc = site_require(a, site, ret_reason, why);
	size_t count;

	if (rc == RC_OK)
		return change_run(a, &c, ret_reason, why);
	/* an earlier removal may have been cut short after its vault transaction */
	if (rc != RC_REFUSED || a->read_only || !was_removed(a, site))
		return rc;
	if ((rc = documents_remove(a, site, &count, why)) != RC_OK)
		return rc;
	return count > 0 ? RC_OK : refuse(REASON_SITE_UNKNOWN, ret_reason);
}
