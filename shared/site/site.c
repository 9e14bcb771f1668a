/* site.c -- a site's row, its head and its tombstone in the vault. */
#include "site/site.h"

#include "base/text.h"

#include <stdlib.h>

#define ROW_FORMAT 1

/* ---- plans ---- */

static const char *const plan_names[] = {
	[PLAN_FREE] = "free",
	[PLAN_PRO] = "pro",
	[PLAN_BUSINESS] = "business",
};

const char *plan_name(enum plan p)
{
	return (size_t)p < ARRAY_LEN(plan_names) ? plan_names[p] : "unknown";
}

bool plan_parse(const char *name, enum plan *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(plan_names); i++) {
		if (strcmp(plan_names[i], name) == 0) {
			*ret = (enum plan)i;
			return true;
		}
	}
	return false;
}

/* ---- lists ---- */

void site_list_done(struct site_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->entry[i]);
	free(l->entry);
	*l = (struct site_list){ 0 };
}

enum rc site_list_add(struct site_list *l, const char *entry)
{
	char **grown;
	char *copy;

	if (l->count >= SITE_LIST_MAX || strlen(entry) >= SITE_TEXT_MAX)
		return RC_INVALID;
	grown = realloc(l->entry, (l->count + 1) * sizeof(*grown));
	if (!grown)
		return RC_NOMEM;
	l->entry = grown;
	copy = strdup(entry);
	if (!copy)
		return RC_NOMEM;
	l->entry[l->count++] = copy;
	return RC_OK;
}

bool site_list_has(const struct site_list *l, const char *entry)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->entry[i], entry) == 0)
			return true;
	return false;
}

/* ---- the site itself ---- */

bool site_id_valid(struct span id)
{
	const char *c = id.data;

	if (id.size == 0 || id.size >= SITE_ID_MAX)
		return false;
	for (size_t i = 0; i < id.size; i++) {
		bool letter = c[i] >= 'a' && c[i] <= 'z';

		if (!letter && (i == 0 || (!ascii_is_digit(c[i]) && c[i] != '-')))
			return false;
	}
	return true;
}

void site_init(struct site *s)
{
	memset(s, 0, sizeof(*s));
	s->plan = PLAN_PRO;
	s->max_lifetime = SITE_LIFETIME_MAX;
}

void site_done(struct site *s)
{
	site_list_done(&s->origins);
	site_list_done(&s->accept_domains);
	site_list_done(&s->reserve_domains);
	site_init(s);
}

static bool site_valid(const struct site *s)
{
	return site_id_valid(span_str(s->id)) && (size_t)s->plan < ARRAY_LEN(plan_names) &&
	       s->max_lifetime >= 1 && s->max_lifetime <= SITE_LIFETIME_MAX;
}

/* ---- the row ---- */

static void put_text(struct buf *b, const char *text)
{
	buf_put_bytes(b, span_str(text));
}

static void put_list(struct buf *b, const struct site_list *l)
{
	buf_put_u32(b, (uint32_t)l->count);
	for (size_t i = 0; i < l->count; i++)
		put_text(b, l->entry[i]);
}

static void encode(struct buf *b, const struct site *s)
{
	buf_put_u8(b, ROW_FORMAT);
	put_text(b, s->name);
	buf_put_u8(b, (uint8_t)s->plan);
	put_text(b, s->sign_in_url);
	put_list(b, &s->origins);
	put_list(b, &s->accept_domains);
	put_list(b, &s->reserve_domains);
	buf_put_u32(b, s->max_lifetime);
	buf_put_u8(b, s->require_exp);
	put_text(b, s->issuer);
	put_text(b, s->audience);
	buf_put_u64(b, s->created_at);
}

/* RC_INVALID where the count is more than a list may hold. */
static enum rc take_list(struct dec *d, struct site_list *l)
{
	uint32_t count = dec_u32(d);
	enum rc rc = RC_OK;

	for (uint32_t i = 0; i < count && !d->bad && rc == RC_OK; i++) {
		char entry[SITE_TEXT_MAX];

		dec_text(d, entry, sizeof(entry));
		rc = site_list_add(l, entry);
	}
	return rc;
}

/* s was initialised, and is to be done whatever is returned. */
static enum rc decode(struct span id, struct span row, struct site *s)
{
	struct dec d = dec_of(row);
	uint8_t format = dec_u8(&d);
	uint8_t require_exp;
	enum rc rc;

	if (format != ROW_FORMAT || id.size >= sizeof(s->id))
		return RC_CORRUPT;
	memcpy(s->id, id.data, id.size);
	s->id[id.size] = '\0';
	dec_text(&d, s->name, sizeof(s->name));
	s->plan = (enum plan)dec_u8(&d);
	dec_text(&d, s->sign_in_url, sizeof(s->sign_in_url));
	if ((rc = take_list(&d, &s->origins)) != RC_OK || (rc = take_list(&d, &s->accept_domains)) != RC_OK ||
	    (rc = take_list(&d, &s->reserve_domains)) != RC_OK)
		return rc == RC_NOMEM ? rc : RC_CORRUPT;
	s->max_lifetime = dec_u32(&d);
	require_exp = dec_u8(&d);
	s->require_exp = require_exp != 0;
	dec_text(&d, s->issuer, sizeof(s->issuer));
	dec_text(&d, s->audience, sizeof(s->audience));
	s->created_at = dec_u64(&d);
	return dec_end(&d) && require_exp <= 1 && site_valid(s) ? RC_OK : RC_CORRUPT;
}

/* ---- reading ---- */

/* Whether a row is there, told apart from a transaction that failed. An id that cannot be one is not there:
 * it may come from a request line and be no possible key. */
static enum rc find(struct txn *vault, enum db db, struct span id, struct span *ret_row)
{
	if (!site_id_valid(id))
		return RC_NOT_FOUND;
	if (txn_get(vault, db, id, ret_row))
		return RC_OK;
	return txn_rc(vault) == RC_OK ? RC_NOT_FOUND : txn_rc(vault);
}

enum rc site_get(struct txn *vault, struct span id, struct site *ret)
{
	struct span row;
	enum rc rc;

	site_init(ret);
	rc = find(vault, DB_SITES, id, &row);
	return rc == RC_OK ? decode(id, row, ret) : rc;
}

enum rc site_brief(struct span key, struct span row, struct site_brief *ret)
{
	struct dec d = dec_of(row);
	uint8_t format = dec_u8(&d);
	struct site_brief b = { .name = dec_bytes(&d) };

	b.plan = (enum plan)dec_u8(&d);
	if (d.bad || format != ROW_FORMAT || !site_id_valid(key) || b.name.size >= SITE_TEXT_MAX ||
	    (size_t)b.plan >= ARRAY_LEN(plan_names))
		return RC_CORRUPT;
	memcpy(b.id, key.data, key.size);
	*ret = b;
	return RC_OK;
}

/* ---- the head ---- */

static bool head_decode(struct span row, struct site_head *ret)
{
	struct dec d = dec_of(row);

	ret->settings = dec_u64(&d);
	ret->ring = dec_u64(&d);
	ret->actions = dec_u64(&d);
	return dec_end(&d);
}

static void head_put(struct txn *vault, const char *id, const struct site_head *head)
{
	struct buf b = BUF_INIT;

	buf_put_u64(&b, head->settings);
	buf_put_u64(&b, head->ring);
	buf_put_u64(&b, head->actions);
	if (b.failed)
		txn_fail(vault, RC_NOMEM);
	else
		txn_put(vault, DB_HEADS, span_str(id), buf_span(&b));
	buf_done(&b);
}

bool site_head_get(struct txn *vault, struct span id, struct site_head *ret)
{
	struct site_head head;
	struct span row;

	if (find(vault, DB_HEADS, id, &row) != RC_OK)
		return false;
	if (!head_decode(row, &head)) {
		txn_fail(vault, RC_CORRUPT);      /* "no such site" would be a wrong answer */
		return false;
	}
	*ret = head;
	return true;
}

void site_head_bump(struct txn *vault, const char *id, enum site_part part)
{
	struct site_head head;
	uint64_t *const version[] = {
		[SITE_SETTINGS] = &head.settings,
		[SITE_RING] = &head.ring,
		[SITE_ACTIONS] = &head.actions,
	};

	if (!site_head_get(vault, span_str(id), &head)) {
		txn_fail(vault, RC_NOT_FOUND);
		return;
	}
	++*version[part];
	head_put(vault, id, &head);
}

/* ---- changes ---- */

static enum rc put(struct txn *vault, const struct site *s)
{
	struct buf b = BUF_INIT;

	encode(&b, s);
	if (b.failed)
		txn_fail(vault, RC_NOMEM);
	else
		txn_put(vault, DB_SITES, span_str(s->id), buf_span(&b));
	buf_done(&b);
	return txn_rc(vault);
}

enum rc site_add(struct txn *vault, const struct site *s)
{
	static const enum db taken[] = { DB_SITES, DB_REMOVED };
	struct site_head head = { .settings = 1 };
	struct span id = span_str(s->id), row;

	if (!site_valid(s))
		return RC_INVALID;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		enum rc rc = find(vault, taken[i], id, &row);

		if (rc != RC_NOT_FOUND)
			return rc == RC_OK ? RC_EXISTS : rc;
	}
	head_put(vault, s->id, &head);
	return put(vault, s);
}

enum rc site_set(struct txn *vault, const struct site *s)
{
	struct span row;
	enum rc rc;

	if (!site_valid(s))
		return RC_INVALID;
	rc = find(vault, DB_SITES, span_str(s->id), &row);
	if (rc != RC_OK)
		return rc;
	site_head_bump(vault, s->id, SITE_SETTINGS);
	return put(vault, s);
}

enum rc site_remove(struct txn *vault, const char *id, uint64_t now_s)
{
	uint8_t when[8];
	struct span row;
	enum rc rc = find(vault, DB_SITES, span_str(id), &row);

	if (rc != RC_OK)
		return rc;
	be64_put(when, now_s);
	txn_del(vault, DB_SITES, span_str(id));
	txn_del(vault, DB_HEADS, span_str(id));
	txn_put(vault, DB_REMOVED, span_str(id), span_of(when, sizeof(when)));
	return txn_rc(vault);
}
