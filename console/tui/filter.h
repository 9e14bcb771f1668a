/* filter.h -- the words an admin types to choose records: "site:demo reason:token_expired since:1h". */
#ifndef POSTERN_CONSOLE_TUI_FILTER_H
#define POSTERN_CONSOLE_TUI_FILTER_H

#include "audit/audit.h"

/* In the order in which they are printed. */
enum filter_word {
	FILTER_SITE, FILTER_OUTCOME, FILTER_REASON, FILTER_ACTION, FILTER_REMOTE, FILTER_KID, FILTER_SUBJECT,
	FILTER_SINCE, FILTER_UNTIL, FILTER_AFTER,
	FILTER_WORDS
};
#define FILTER_BIT(word) (1U << (word))
#define FILTER_ALL (FILTER_BIT(FILTER_WORDS) - 1)

#define FILTER_VALUE_MAX 80            /* the longest is a site's or an action's name; with the terminator */
#define FILTER_TEXT_MAX 400            /* bytes one types, without the terminator */

/* All zero: every record matches. It owns its texts; a copy is a filter of its own. */
struct filter {
	char value[FILTER_WORDS][FILTER_VALUE_MAX];    /* as printed; empty: the word was not given */
	enum audit_outcome outcome;
	enum reason reason;
	uint64_t since, until, after;                  /* microseconds; after: a seq */
};

/* Words separated by spaces, each at most once, of those allowed (bits). since and until take a duration back from now,
 * RFC 3339 or a date; remote an address too. *ret is written on success only. RC_INVALID: why names the word. */
enum rc filter_parse(struct filter *ret, const char *text, uint64_t now_us, unsigned allowed,
                     struct why *why) MUST_CHECK;
/* The words again, which parse to the same; a duration stays one, so that it counts from the next time it is parsed. */
void filter_text(const struct filter *f, struct buf *out);
bool filter_empty(const struct filter *f);
void filter_done(struct filter *f);            /* empties it */

/* Borrows the texts of f. */
struct audit_filter filter_audit(const struct filter *f);

#endif
