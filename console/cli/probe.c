/* probe.c -- postern doctor --url and --mint: what is asked for, and what of this machine helps: the data, and a file
 * of header lines.
 *
 * Whoever has neither can ask too: then no site is known but by --site, and nothing is compared with the site's
 * settings. */
#include "console/cli/probe-private.h"

#include <unistd.h>

#define HEADER_FILE_MAX 16384
#define ORIGIN_TEXT_MAX 200

struct probing {
	struct probe_url url, mint;
	struct secret *session;
	struct site site;
	char first_site[SITE_ID_MAX];
	struct probe_target target;
};

/* ---- the header file ---- */

/* These are doctor's to set. */
static bool is_taken(struct span name)
{
	static const char *const taken[] = {
		"Host", "Origin", "Accept", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection",
		"Expect",
	};

	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (ascii_equal_nocase(name, taken[i]))
			return true;
	return false;
}

static bool line_is_header(const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);

	if (!colon || colon == line || is_taken(span_of(line, (size_t)(colon - line))))
		return false;
	for (const char *at = line; at < line + size; at++)
		if ((unsigned char)*at < (at < colon ? '!' : ' ') || *at == 0x7f)
			return false;
	return true;
}

/* Its lines, each ended by a NUL, empty ones left out, into *ret. false: line *ret_bad is none. */
static bool take_lines(struct secret *file, struct secret **ret, size_t *ret_bad)
{
	struct secret *lines = secret_new(file->size + 1);
	const char *at = (const char *)file->data, *end = at + file->size;
	size_t used = 0;

	for (*ret_bad = 1; lines && at < end; ++*ret_bad) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((feed ? feed : end) - at), all = size + (feed != NULL);

		size -= size > 0 && at[size - 1] == '\r';
		if (size > 0 && !line_is_header(at, size)) {
			secret_free(lines);
			return false;
		}
		memcpy(lines->data + used, at, size);
		used += size > 0 ? size + 1 : 0;
		at += all;
	}
	*ret = lines ? secret_copy(span_of(lines->data, used)) : NULL;
	secret_free(lines);
	return true;
}

static int read_header_file(struct call *c, struct secret **ret)
{
	const char *path = c->args.text[OPT_HEADER_FILE];
	struct secret *file = NULL;
	int code = EXIT_YES;
	size_t bad;
	enum rc rc;

	if (!path)
		return EXIT_YES;
	rc = strcmp(path, "-") == 0 ? secret_read_fd(STDIN_FILENO, HEADER_FILE_MAX, &file) :
	     secret_read_file(path, HEADER_FILE_MAX, &file);
	if (rc != RC_OK) {
		why_set(&c->why, "--header-file %s: %s", path,
		        rc == RC_INVALID ? "it is longer than 16 KiB" : rc_text(rc));
		return call_end(c, rc);
	}
	if (!take_lines(file, ret, &bad))
		code = usage_error(c, "--header-file: line %zu is not \"Name: value\", or doctor's own to set", bad);
	else if (!*ret)
		code = call_end(c, RC_NOMEM);
	secret_free(file);
	return code;
}

/* ---- what was asked for ---- */

static int read_url(struct call *c, enum opt o, struct probe_url *ret)
{
	struct why why = { { 0 } };

	if (!args_given(&c->args, o) || probe_url_parse(c->args.text[o], ret, &why))
		return EXIT_YES;
	return usage_error(c, "--%s: %s", option_rows[o].name, why.text);
}

static bool origin_is_plain(const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return size < ORIGIN_TEXT_MAX && strstr(text, "://");
}

static int read_arguments(struct call *c, struct probing *p)
{
	const struct arguments *a = &c->args;
	int code;

	if (!args_given(a, OPT_URL) && !args_given(a, OPT_MINT))
		return usage_error(c, "--site, --origin and --header-file are for --url or --mint");
	if (args_given(a, OPT_SOCKET))
		return usage_error(c, "--socket is not for --url or --mint");
	if (args_given(a, OPT_HEADER_FILE) && !args_given(a, OPT_MINT))
		return usage_error(c, "--header-file is for --mint");
	if ((code = read_url(c, OPT_URL, &p->url)) != EXIT_YES || (code = read_url(c, OPT_MINT, &p->mint)) != EXIT_YES)
		return code;
	if (args_given(a, OPT_URL) && p->url.query)
		return usage_error(c, "--url: it must not have a ? part");
	if (args_given(a, OPT_SITE) && !site_id_valid(span_str(a->text[OPT_SITE])))
		return usage_error(c, "--site: that is no site's id");
	if (args_given(a, OPT_ORIGIN) && !origin_is_plain(a->text[OPT_ORIGIN]))
		return usage_error(c, "--origin: it is not an origin such as https://shop.example.com");
	p->target.site = a->text[OPT_SITE];
	p->target.origin = a->text[OPT_ORIGIN];
	return read_header_file(c, &p->session);
}

/* ---- the data, where it is at hand ---- */

static int open_data(struct call *c, struct findings *found)
{
	struct admin_options o = { .read_only = true };
	struct why why = { { 0 } };
	char shown[PROBE_TEXT_MAX];

	if (args_given(&c->args, OPT_DATA))
		return call_open(c, true);
	if (admin_open(&o, &c->admin, &why) == RC_OK)
		return EXIT_YES;
	c->admin = NULL;
	if (access(admin_data_dir(NULL), F_OK) == 0)
		finding_add(found, "data", FINDING_SKIPPED, NULL, "nothing was compared with the data here: %s",
		            text_show(shown, sizeof(shown), span_str(why.text)));
	return EXIT_YES;
}

static bool first_site(struct admin *a, char out[SITE_ID_MAX])
{
	struct site_query q = { .max = 1 };
	struct site_page page = { 0 };
	bool found = admin_site_page(a, &q, &page, NULL) == RC_OK && page.count > 0;

	if (found)
		memcpy(out, page.row[0].id, SITE_ID_MAX);
	site_page_done(&page);
	return found;
}

/* Which site to ask for, and an origin whose pages may call it. */
static void look_up_site(struct probing *p)
{
	struct probe_target *t = &p->target;
	enum reason reason;

	if (!t->admin)
		return;
	if (!t->site && first_site(t->admin, p->first_site))
		t->site = p->first_site;
	if (!t->origin && t->site && admin_site_get(t->admin, t->site, &p->site, &reason, NULL) == RC_OK &&
	    p->site.origins.count > 0)
		t->origin = p->site.origins.entry[0];
}

/* ---- the whole ---- */

bool probes_asked(const struct call *c)
{
	return c->args.given & (BIT(OPT_URL) | BIT(OPT_MINT) | BIT(OPT_SITE) | BIT(OPT_ORIGIN) | BIT(OPT_HEADER_FILE));
}

int probes_run(struct call *c, struct findings *found)
{
	struct probing p = { .target = { .found = found } };
	enum rc rc = RC_OK;
	int code;

	site_init(&p.site);
	code = read_arguments(c, &p);
	if (code == EXIT_YES)
		code = open_data(c, found);
	if (code != EXIT_YES)
		goto out;
	p.target.admin = c->admin;
	p.target.session = p.session;
	look_up_site(&p);
	if (args_given(&c->args, OPT_URL)) {
		p.target.url = &p.url;
		rc = probe_web(&p.target);
	}
	if (rc == RC_OK && args_given(&c->args, OPT_MINT)) {
		p.target.url = &p.mint;
		rc = probe_mint(&p.target);
	}
	code = call_end(c, rc);
out:
	site_done(&p.site);
	secret_free(p.session);
	return code;
}
