/* inspect-log.c -- what the health snapshot and the last day's records say of backends, strangers and checkpoints.
 * What a record says is not believed further than a sentence of doctor's. */
#include "admin/inspect-private.h"
#include "base/clock.h"

#define DAY 86400
#define SECOND_US UINT64_C(1000000)
#define SLICE 4096                     /* rows a transaction reads */
#define AHEAD_S 60
#define NOT_YET_VALID_MANY 10
#define UNSIGNED_MANY 1000
#define STRANGERS_PERCENT 80           /* of the space, design 9 */
#define VISITORS_PERCENT 97

/* ---- reading ---- */

static uint64_t natural(const json_t *record, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(record, name));

	return n > 0 ? (uint64_t)n : 0;
}

static bool reason_is(const json_t *record, enum reason reason)
{
	return span_is(json_span(json_object_get(record, "reason")), reason_name(reason));
}

static void note_retired(struct lately *l, const json_t *record)
{
	struct span site = json_span(json_object_get(record, "site")),
		    kid = json_span(json_object_get(record, "kid_claimed"));

	if (!site_id_valid(site) || !kid_valid(kid))
		return;
	if (!l->site[0])
		memcpy(l->site, site.data, site.size);
	/* each once, and no more than are told: a stranger may name any number */
	if (l->retired.count < NAMES_TOLD && !(l->retired.told.data && strstr(l->retired.told.data, kid.data)))
		names_add(&l->retired, "%.*s/%.*s", (int)site.size, (const char *)site.data, (int)kid.size,
		          (const char *)kid.data);
}

static bool note(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct lately *l = arg;
	uint64_t time = natural(record, "time"), count = natural(record, "count"), stands_for = count ? count : 1;

	(void)seq;
	(void)line;
	if (time > l->newest_us)
		l->newest_us = time;
	l->folds += count > 0;
	l->folded += count;
	if (reason_is(record, REASON_TOKEN_NOT_YET_VALID))
		l->not_yet_valid += stands_for;
	if (reason_is(record, REASON_KEY_RETIRED)) {
		l->key_retired += stands_for;
		note_retired(l, record);
	}
	return true;
}

enum rc lately_read(struct admin *a, struct lately *ret)
{
	const struct audit_filter f = { .since = (clock_s() - DAY) * SECOND_US };
	uint64_t before = UINT64_MAX;
	bool end = false;
	enum rc rc = RC_OK;

	for (size_t rows = 0; rc == RC_OK && !end && rows < EXPIRY_ROWS; rows += SLICE) {
		struct txn *ledger = txn_read(a->store, ENV_LEDGER);

		if (rows == 0)
			ret->size = audit_size(ledger);
		rc = audit_scan_back(ledger, &f, before, SLICE, note, ret, &before, &end);
		txn_abort(ledger);
	}
	return rc;
}

void lately_done(struct lately *l)
{
	names_done(&l->retired);
}

/* ---- versions, space, checkpoint ---- */

void inspect_versions(struct inspection *i, struct inside *in)
{
	look_say(i, FINDING_OK, NULL, "postern %s; schema of the vault %u, of the ledger %u", in->h->version,
	         in->h->vault_schema, in->h->ledger_schema);
}

/* From 75 % on the snapshot's warnings say it. */
void inspect_space(struct inspection *i, struct inside *in)
{
	const struct store_space *s = &in->h->space;
	double percent = s->limit ? (double)s->used * 100 / (double)s->limit : 100;

	if (percent < 75)
		look_say(i, FINDING_OK, NULL,
		         "the ledger uses %.1f %% of its space; strangers may fill %d %%, verified visitors %d %%",
		         percent, STRANGERS_PERCENT, VISITORS_PERCENT);
}

#define SIGN                                                                                                           \
	"Run: sudo systemctl enable --now postern-checkpoint.service; once, by hand: sudo postern audit checkpoint%s"

void inspect_checkpoint(struct inspection *i, struct inside *in)
{
	const struct health *h = in->h;
	uint64_t age = h->checkpoint_at_s < h->now_s ? h->now_s - h->checkpoint_at_s : 0;
	char option[DATA_OPTION_MAX], old[CLOCK_TEXT_MAX];
	bool signed_all = h->has_checkpoint && h->checkpoint_size >= in->lately.size;

	data_option(i, option);
	if (!h->has_checkpoint && h->records > UNSIGNED_MANY)
		look_say(i, FINDING_WARNING, mend_with(i, SIGN, option),
		         "no checkpoint was ever signed, and there are %llu records: "
		         "until then whoever takes a worker over may alter them unseen",
		         (unsigned long long)h->records);
	else if (h->has_checkpoint && age > DAY && !signed_all)
		look_say(i, FINDING_WARNING, mend_with(i, SIGN, option),
		         "the last checkpoint is %s old: records since are not vouched "
		         "for",
		         duration_format(age, old));
	else if (h->has_checkpoint)
		look_say(i, FINDING_OK, NULL, "the last checkpoint is %s old, of %llu records",
		         duration_format(age, old), (unsigned long long)h->checkpoint_size);
	else
		look_say(i, FINDING_OK, NULL, "no checkpoint was signed yet; there are %llu records",
		         (unsigned long long)h->records);
}

/* ---- the last day ---- */

void inspect_record_times(struct inspection *i, struct inside *in)
{
	uint64_t newest_s = in->lately.newest_us / SECOND_US;
	char ahead[CLOCK_TEXT_MAX];

	if (newest_s > in->h->now_s + AHEAD_S)
		look_say(i, FINDING_WARNING, "Compare the clock with another one: date -u; keys and tokens end by it.",
		         "the newest record is %s ahead of this clock, which was set back, or was wrong before",
		         duration_format(newest_s - in->h->now_s, ahead));
	else
		look_say(i, FINDING_OK, NULL, "no record is ahead of this clock");
}

void inspect_not_yet_valid(struct inspection *i, struct inside *in)
{
	uint64_t count = in->lately.not_yet_valid;
	char option[DATA_OPTION_MAX];

	if (count >= NOT_YET_VALID_MANY)
		look_say(i, FINDING_WARNING,
		         mend_with(i,
		                   "Compare date -u here and on the backends; which sites: sudo postern audit "
		                   "stats --since -24h --reason token_not_yet_valid%s",
		                   data_option(i, option)),
		         "%llu tokens of the last day were not valid yet: the clock of a backend is ahead, or this one "
		         "behind",
		         (unsigned long long)count);
	else
		look_say(i, FINDING_OK, NULL, "%llu tokens of the last day were not valid yet",
		         (unsigned long long)count);
}

void inspect_retired_named(struct inspection *i, struct inside *in)
{
	struct lately *l = &in->lately;
	char option[DATA_OPTION_MAX];

	if (l->key_retired == 0) {
		look_say(i, FINDING_OK, NULL, "no token of the last day named a retired key");
		return;
	}
	look_say(i, FINDING_WARNING,
	         mend_with(i,
	                   "Give the backend that still signs with it the secret of a key that verifies: sudo "
	                   "postern key list %s%s",
	                   l->site[0] ? l->site : "SITE", data_option(i, option)),
	         "%llu tokens of the last day named a retired key (%s): a backend may have been forgotten in a "
	         "rotation; nothing proves "
	         "who sent them",
	         (unsigned long long)l->key_retired, names_text(&l->retired));
}

void inspect_budget(struct inspection *i, struct inside *in)
{
	const struct lately *l = &in->lately;
	char option[DATA_OPTION_MAX];

	if (l->folds == 0)
		look_say(i, FINDING_OK, NULL, "no request of the last day was past the budget");
	else
		look_say(i, FINDING_WARNING,
		         mend_with(i,
		                   "See from where: sudo postern audit list --outcome blocked --since -24h%s; "
		                   "stop it in the web server, or raise the worker's --audit-budget.",
		                   data_option(i, option)),
		         "%llu requests of the last day were past the budget, and are folded into %llu records",
		         (unsigned long long)l->folded, (unsigned long long)l->folds);
}

/* ---- tokens that never end ---- */

void inspect_expiry(struct inspection *i, struct inside *in)
{
	struct names sites = { 0 };
	char option[DATA_OPTION_MAX];
	const char *site, *first = NULL;
	json_t *count;

	json_object_foreach((json_t *)in->expiry, site, count) {
		first = first ? first : site;
		names_add(&sites, "%s %lld", site, (long long)json_integer_value(count));
	}
	if (first)
		look_say(i, FINDING_WARNING,
		         mend_with(i,
		                   "Let the backend set exp, one hour ahead; then: sudo postern site set %s "
		                   "--require-exp%s",
		                   first, data_option(i, option)),
		         "recent tokens had no exp, and are good until their key is retired: %s", names_text(&sites));
	else
		look_say(i, FINDING_OK, NULL, "no recent token without exp");
	names_done(&sites);
}
