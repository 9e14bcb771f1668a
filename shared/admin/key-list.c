/* key-list.c -- looking at a key ring: its keys, their use in numbers and in words, and whether it is in order. */
#include "admin/admin-private.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY (24 * 3600)                /* seconds: as long as a token may live */

void key_rows_done(struct key_rows *r)
{
	for (size_t i = 0; i < r->count; i++)
		key_done(&r->row[i].key);
	free(r->row);
	*r = (struct key_rows){ 0 };
}

static bool row_add(struct key_rows *r, const struct key *k, enum key_state state, bool tombstone)
{
	struct key_row *grown = realloc(r->row, (r->count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	r->row = grown;
	r->row[r->count++] = (struct key_row){ .key = *k, .state = state, .tombstone = tombstone };
	return true;
}

static enum rc add_live(struct admin *a, struct txn *vault, const char *site, struct key_rows *r)
{
	struct keyring ring = { 0 };
	uint64_t now = clock_s();
	enum rc rc = keyring_get(a->store, vault, span_str(site), false, &ring);

	for (size_t i = 0; i < ring.count && rc == RC_OK; i++)
		if (!row_add(r, &ring.keys[i], key_state_at(&ring.keys[i], now), false))
			rc = RC_NOMEM;
	r->ring = ring.version;
	r->live = r->count;
	keyring_done(&ring);
	return rc;
}

/* Rows are site 0 kid -> tombstone, so a site's are one range. */
static enum rc add_tombstones(struct txn *vault, const char *site, struct key_rows *r)
{
	struct span prefix = span_of(site, strlen(site) + 1), key, row;
	struct walk w;
	bool more;

	walk_begin(&w, vault, DB_TOMBSTONES);
	more = walk_seek(&w, prefix, &key, &row);
	while (more && key.size > prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0) {
		struct span kid = span_of((const char *)key.data + prefix.size, key.size - prefix.size);
		struct key k;

		if (keyring_tombstone(vault, span_str(site), kid, &k) && !row_add(r, &k, KEY_RETIRED, true))
			txn_fail(vault, RC_NOMEM);
		more = walk_next(&w, &key, &row);
	}
	walk_end(&w);
	return txn_rc(vault);
}

static int latest_first(const void *x, const void *y)
{
	const struct key_row *a = x, *b = y;

	return (a->key.retire_at < b->key.retire_at) - (a->key.retire_at > b->key.retire_at);
}

static void add_use(struct admin *a, const char *site, struct key_rows *r)
{
	struct txn *ledger = txn_read(a->store, ENV_LEDGER);
	uint64_t now = clock_s();

	for (size_t i = 0; i < r->count; i++)
		key_use_get(ledger, site, r->row[i].key.kid, now, &r->row[i].use);
	r->use_unknown = txn_end(ledger) != RC_OK;     /* advisory: a ring is listed even where the ledger is not readable */
}

enum rc admin_key_list(struct admin *a, const char *site, struct key_rows *ret, enum reason *ret_reason,
                       struct why *why)
{
	struct key_rows rows = { 0 };
	struct txn *vault;
	enum rc rc = site_require(a, site, ret_reason, why);

	if (rc != RC_OK)
		return rc;
	vault = txn_read(a->store, ENV_VAULT);
	rc = add_live(a, vault, site, &rows);
	if (rc == RC_OK)
		rc = add_tombstones(vault, site, &rows);
	txn_abort(vault);
	if (rc != RC_OK) {
		why_set(why, "the keys of site %s cannot be read: %s", site, rc_text(rc));
		key_rows_done(&rows);
		return rc;
	}
	if (rows.count > rows.live)
		qsort(rows.row + rows.live, rows.count - rows.live, sizeof(*rows.row), latest_first);
	add_use(a, site, &rows);
	*ret = rows;
	return RC_OK;
}

/* By the row alone and the clock given, not by what this process has seen: it is what is shown. */
static bool row_verifies(const struct key_row *r, uint64_t now_s)
{
	return r->state != KEY_RETIRED && (r->key.retire_at == 0 || r->key.retire_at > now_s);
}

bool key_row_is_last(const struct key_rows *rows, size_t index, uint64_t now_s)
{
	if (index >= rows->live || !row_verifies(&rows->row[index], now_s))
		return false;
	for (size_t i = 0; i < rows->live; i++)
		if (i != index && row_verifies(&rows->row[i], now_s))
			return false;
	return true;
}

/* ---- use, in words ---- */

#define COUNT_TEXT_MAX 40              /* any number of tokens */

/* "1,204 tokens" */
static const char *tokens_text(uint64_t n, char out[COUNT_TEXT_MAX])
{
	char digits[24], *to = out;
	int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	for (int i = 0; i < size; i++) {
		if (i > 0 && (size - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	snprintf(to, (size_t)(out + COUNT_TEXT_MAX - to), n == 1 ? " token" : " tokens");
	return out;
}

/* "12 min": in the largest unit of which there are enough to be a fair answer. */
static const char *age_text(uint64_t seconds, char out[CLOCK_TEXT_MAX])
{
	static const struct { uint64_t least, unit; const char *name; } units[] = {
		{ 48 * 3600, 24 * 3600, "d" }, { 3600, 3600, "h" }, { 60, 60, "min" }, { 0, 1, "s" },
	};
	size_t i = 0;

	while (seconds < units[i].least)
		i++;
	snprintf(out, CLOCK_TEXT_MAX, "%llu %s", (unsigned long long)(seconds / units[i].unit), units[i].name);
	return out;
}

/* Tokens live at most a day: only a key without a use for longer than that is one no backend signs with. */
const char *key_use_text(const struct key_rows *rows, size_t index, uint64_t now_s, char out[KEY_USE_TEXT_MAX])
{
	const struct key_row *r = &rows->row[index];
	const struct key_use *u = &r->use;
	bool verifies = row_verifies(r, now_s), fresh = verifies && now_s < r->key.created_at + DAY;
	const char *safe = verifies && !key_row_is_last(rows, index, now_s) ? ": safe to retire" : "";
	uint64_t ago = now_s > u->last_used_at ? now_s - u->last_used_at : 0;
	bool ever = u->last_used_at > 0;
	char n[COUNT_TEXT_MAX], age[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX + 16] = "";

	age_text(ago, age);
	if (ever)
		snprintf(last, sizeof(last), ", last %s ago", age);
	if (rows->use_unknown)
		snprintf(out, KEY_USE_TEXT_MAX, "not known: the ledger cannot be read");
	else if (u->uses_1h > 0)
		snprintf(out, KEY_USE_TEXT_MAX, "verified %s in the last hour%s", tokens_text(u->uses_1h, n), last);
	else if (u->uses_24h > 0)
		snprintf(out, KEY_USE_TEXT_MAX, "verified %s in the last 24 h%s", tokens_text(u->uses_24h, n), last);
	else if (!ever && fresh)
		snprintf(out, KEY_USE_TEXT_MAX, "not used yet");
	else if (!ever)
		snprintf(out, KEY_USE_TEXT_MAX, "never used%s", safe);
	else if (ago <= DAY)
		snprintf(out, KEY_USE_TEXT_MAX, "last used %s ago", age);
	else
		snprintf(out, KEY_USE_TEXT_MAX, "not used for %s%s", age, safe);
	return out;
}

/* ---- check ---- */

static bool say(json_t *problems, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool say(json_t *problems, const char *fmt, ...)
{
	json_t *sentence;
	va_list args;

	va_start(args, fmt);
	sentence = json_vsprintf(fmt, args);
	va_end(args);
	return json_array_append_new(problems, sentence) == 0;
}

static bool check_row(json_t *problems, const struct key_row *r, uint64_t now)
{
	char left[CLOCK_TEXT_MAX];

	/* opened for changes, the sweep would have taken it */
	if (r->state == KEY_RETIRED)
		return say(problems, "Key %s is past its time, but its secret is still stored.", r->key.kid);
	if (r->key.retire_at == 0 || r->key.retire_at - now > DAY || r->use.uses_1h == 0)
		return true;
	duration_format(r->key.retire_at - now, left);
	return say(problems, "Key %s ends in %s, but verified %llu token%s in the last hour: a backend still signs with it.",
	           r->key.kid, left, (unsigned long long)r->use.uses_1h, r->use.uses_1h == 1 ? "" : "s");
}

static bool check_ring(json_t *problems, const char *site, const struct key_rows *rows)
{
	size_t active = 0, verify = 0;
	uint64_t now = clock_s();

	for (size_t i = 0; i < rows->live; i++) {
		active += rows->row[i].state == KEY_ACTIVE;
		verify += rows->row[i].state != KEY_RETIRED;
		if (!check_row(problems, &rows->row[i], now))
			return false;
	}
	if (verify == 0)
		return say(problems, "No key verifies: every token is blocked. Create one with: postern key create %s", site);
	if (rows->use_unknown && !say(problems, "The ledger cannot be read, so it is not known which keys are in use."))
		return false;
	if (active == 0)
		return say(problems, "Every key has an end: without a new one all tokens will be blocked. Use: postern key create %s, "
		           "or postern key keep %s KID", site, site);
	return true;
}

enum rc admin_key_check(struct admin *a, const char *site, json_t **ret_problems, enum reason *ret_reason,
                        struct why *why)
{
	struct key_rows rows = { 0 };
	json_t *problems;
	enum rc rc = admin_key_list(a, site, &rows, ret_reason, why);

	if (rc != RC_OK)
		return rc;
	problems = json_array();
	if (problems && check_ring(problems, site, &rows))
		*ret_problems = problems;
	else {
		json_decref(problems);
		rc = RC_NOMEM;
	}
	key_rows_done(&rows);
	return rc;
}
