/* make-sites.c -- many sites with keys, for bench_sites.py.
 *
 * make-sites DIR SITES KEYS SHOWN: writes SITES sites, s0 and on, of KEYS keys each into the vault of DIR, the way
 * admin_site_add() and key create do but without their records and many in one transaction; and prints SITE KID SECRET of
 * SHOWN of them, spread evenly, one key in turn. The secrets are this benchmark's own. */
#include "audit/audit.h"
#include "base/clock.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

#define SITES_PER_TRANSACTION 100000

struct many { unsigned long sites, keys, shown; };

static bool shows(const struct many *p, unsigned long n)
{
	unsigned long every = p->sites / p->shown ? p->sites / p->shown : 1;

	return n % every == 0 && n / every < p->shown;
}

static void show(const char *site, const struct key *k)
{
	struct span secret = secret_span(k->secret);

	printf("%s %s %.*s\n", site, k->kid, (int)secret.size, (const char *)secret.data);
}

static enum rc add_keys(struct store *st, struct txn *vault, const char *site, const struct many *p, unsigned long n)
{
	enum rc rc = RC_OK;

	for (unsigned long i = 0; i < p->keys && rc == RC_OK; i++) {
		struct key k = { 0 };
		enum reason reason;

		rc = keyring_create(st, vault, site, "", NULL, clock_us() / 1000000, &k, &reason);
		if (rc == RC_OK && shows(p, n) && i == n % p->keys)
			show(site, &k);
		key_done(&k);
	}
	return rc;
}

static enum rc add_site(struct store *st, struct txn *vault, const struct many *p, unsigned long n)
{
	struct site s;
	enum rc rc;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), "s%lu", n);
	s.created_at = clock_us() / 1000000;
	if ((rc = site_add(vault, &s)) == RC_OK && (rc = audit_pseudonym_make(st, vault, s.id)) == RC_OK)
		rc = add_keys(st, vault, s.id, p, n);
	site_done(&s);
	return rc;
}

static enum rc make(struct store *st, const struct many *p)
{
	enum rc rc = RC_OK;

	for (unsigned long n = 0; n < p->sites && rc == RC_OK;) {
		struct txn *vault = txn_write(st, ENV_VAULT);
		unsigned long until = n + SITES_PER_TRANSACTION < p->sites ? n + SITES_PER_TRANSACTION : p->sites;

		for (; n < until && rc == RC_OK; n++)
			rc = add_site(st, vault, p, n);
		if (rc != RC_OK)
			txn_abort(vault);
		else
			rc = txn_end(vault);
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct store_options o = { .mode = STORE_ADMIN };
	struct why why = { "" };
	struct store *st;
	struct many p;
	enum rc rc;

	secret_process_init();
	if (argc != 5) {
		fputs("usage: make-sites DIR SITES KEYS SHOWN\n", stderr);
		return 2;
	}
	o.dir = argv[1];
	p = (struct many){ strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10) };
	if (p.sites == 0 || p.keys == 0 || p.keys > RING_MAX || p.shown == 0)
		return 2;
	if ((rc = store_open(&o, &st, &why)) == RC_OK) {
		rc = make(st, &p);
		store_close(st);
	}
	if (rc != RC_OK)
		fprintf(stderr, "make-sites: %s: %s\n", rc_name(rc), why.text);
	return rc == RC_OK && fflush(stdout) == 0 ? 0 : 1;
}
