/* hints-times.c -- near misses of exp, iat and nbf: units, types, clocks. */
#include "token/token-private.h"

#include "base/clock.h"

#include <stdlib.h>

#define LOOKS_LIKE_MS 1e11         /* as seconds: the year 5138 */
#define LOOKS_LIKE_DURATION 1e8    /* as a point in time: 1973 */

struct named_time { const char *name; const struct claim_time *time; };

static const char *span_of_time(double seconds, char out[CLOCK_TEXT_MAX])
{
	return duration_format((uint64_t)(seconds < 1.0 ? 1.0 : seconds), out);
}

static void advise_on_unit(struct advice *a, struct named_time n)
{
	if (n.time->valid && n.time->at >= LOOKS_LIKE_MS)
		advice_say(a, "%s is %.0f: that looks like milliseconds, and JWT times are seconds.",
			   n.name, n.time->at);
}

static void advise_on_type(struct advice *a, struct named_time n)
{
	const json_t *value = json_object_get(a->claims, n.name);

	if (!n.time->present || n.time->valid)
		return;
	if (json_is_string(value))
		advice_say(a, "%s is a string: a JWT time is a number of seconds since 1970.", n.name);
	else if (json_is_number(value))
		advice_say(a, "%s is negative or far beyond any date.", n.name);
	else
		advice_say(a, "%s is not a number: leave it out or send seconds since 1970.", n.name);
}

static void advise_on_expired(struct advice *a)
{
	const struct token *t = a->t;
	double late = token_now(a->c) - t->exp.at;
	char text[CLOCK_TEXT_MAX];

	if (t->exp.at < LOOKS_LIKE_DURATION)
		advice_say(a, "exp is %.0f: that looks like a duration; exp is the point in time at which the token "
			   "ends.", t->exp.at);
	else if (t->iat.present && t->exp.at <= t->iat.at)
		advice_say(a, "exp is not after iat: the token was never valid.");
	else
		advice_say(a, "It expired %s ago: the backend must sign a new one before the old one ends%s.",
			   span_of_time(late, text), late < 2 * TOKEN_SKEW ? " (or its clock is behind)" : "");
}

static void advise_on_early(struct advice *a, struct named_time n)
{
	double ahead = n.time->at - token_now(a->c);
	int64_t hours;
	char text[CLOCK_TEXT_MAX];

	if (!n.time->present || ahead <= TOKEN_SKEW || n.time->at >= LOOKS_LIKE_MS)
		return;
	hours = ((int64_t)ahead + 1800) / 3600;      /* ahead is below LOOKS_LIKE_MS */
	if (hours >= 1 && hours <= 14 && llabs((int64_t)ahead - hours * 3600) <= 2 * TOKEN_SKEW)
		advice_say(a, "%s is %d hour%s ahead: local time was taken for UTC.", n.name, (int)hours,
			   hours == 1 ? "" : "s");
	else
		advice_say(a, "%s is %s ahead of this server's clock (%d s are allowed): compare the two clocks.",
			   n.name, span_of_time(ahead, text), TOKEN_SKEW);
}

static void advise_on_lifetime(struct advice *a)
{
	const struct token *t = a->t;
	double from = t->iat.present ? t->iat.at : token_now(a->c);
	double to = t->exp.present ? t->exp.at : token_now(a->c);
	char lives[CLOCK_TEXT_MAX], allowed[CLOCK_TEXT_MAX];

	if (t->exp.at >= LOOKS_LIKE_MS)
		return;
	span_of_time(to - from, lives);
	span_of_time(token_lifetime_max(a->c), allowed);
	if (!t->exp.present)
		advice_say(a, "It has no exp and was made %s ago; the site allows %s.", lives, allowed);
	else
		advice_say(a, "It lives for %s; the site allows %s (postern site set %s --max-lifetime, at most 24h).",
			   lives, allowed, a->c->site->id);
}

void advise_on_times(struct advice *a, enum reason why)
{
	const struct named_time times[] = { { "exp", &a->t->exp }, { "iat", &a->t->iat }, { "nbf", &a->t->nbf } };

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		advise_on_type(a, times[i]);
		advise_on_unit(a, times[i]);
		if (why == REASON_TOKEN_NOT_YET_VALID && i > 0)
			advise_on_early(a, times[i]);
	}
	if (why == REASON_TOKEN_EXPIRED)
		advise_on_expired(a);
	if (why == REASON_LIFETIME_TOO_LONG)
		advise_on_lifetime(a);
	if (!a->t->exp.present && (why == REASON_EXPIRY_MISSING || why == REASON_NONE))
		advice_say(a, "It has no exp%s: a copy of it %s. Let the backend set exp.",
			   a->t->iat.present ? "" : " and no iat",
			   a->t->iat.present ? "works until iat is too old" : "works as long as its key");
}
