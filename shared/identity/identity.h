/* identity.h -- as whom does this request act? Email, name and user_id, from the token's claims alone.
 *
 * Syntax of an address and the reserved and private names: design 5, RFC 5321 4.1.2, RFC 6761, RFC 6762 appendix G. */
#ifndef POSTERN_IDENTITY_IDENTITY_H
#define POSTERN_IDENTITY_IDENTITY_H

#include "token/token.h"

#define EMAIL_MAX 255              /* 254 bytes and the terminator */
#define NAME_MAX_BYTES 257         /* 256 bytes and the terminator */
#define USER_ID_MAX 129

enum decision { DECISION_BLOCKED, DECISION_ANONYMOUS, DECISION_VERIFIED };   /* zero is blocked: forgetting to decide fails closed */
const char *decision_name(enum decision d);

struct identity {
	enum decision decision;
	enum reason reason;                /* why not verified; REASON_NONE if verified */
	char email[EMAIL_MAX];             /* normalised: ASCII lower case, domain as A-labels; empty unless well formed. Set for
	                                    * email_reserved too, for the audit: only a verified caller acts as it */
	char name[NAME_MAX_BYTES];         /* empty: absent */
	char user_id[USER_ID_MAX];         /* empty: absent */
	bool has_expiry; uint64_t expires_at;   /* seconds */
};

/* Normalises one address. REASON_NONE, EMAIL_MALFORMED. ret_domain points into out. */
enum reason email_normalise(struct span address, char out[EMAIL_MAX], const char **ret_domain);
/* The domain's standing for this site: REASON_NONE, EMAIL_RESERVED, EMAIL_NOT_PUBLIC. Every listed name covers what is below it, by
 * whole labels from the right: accepting corp.local accepts x.corp.local. The site's reserve_domains win over its accept_domains,
 * and those over the built-in lists. */
enum reason email_domain_standing(const char *domain, const struct site *site);
/* A domain as an admin writes it for --accept-domain, --reserve-domain: A-labels, lower case. false: not a domain name. */
bool domain_normalise(struct span domain, char out[EMAIL_MAX]);

struct identity_check {
	const char *name;                  /* email email_syntax email_reserved email_public */
	const char *what;
	enum decision on_failure;
	enum reason (*run)(struct identity *id, const json_t *claims, const struct site *site);
};
extern const struct identity_check identity_checks[];
extern const size_t identity_check_count;

/* Pins the identity from verified claims: checks in order to the first failure, sets decision and reason. */
void identity_pin(struct identity *id, const struct token *verified, const struct site *site);
void identity_anonymous(struct identity *id, enum reason reason);
void identity_blocked(struct identity *id, enum reason reason);

#endif
