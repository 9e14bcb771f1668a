/* keys-dialogs.c -- what the dialogs about a ring have in common, and the way to them. */
#include "console/tui/keys-dialogs.h"

#include "base/text.h"

#include <stdlib.h>

#define DAY UINT64_C(86400)

const char *const when_words[] = { "now", "in 1 h", "in 24 h", "in 48 h", "in 7 d", NULL };
const uint64_t when_seconds[] = { 0, 3600, DAY, 2 * DAY, 7 * DAY };

/* ---- orders ---- */

struct key_order order_of(struct keys_panel *p, const struct console *c, const struct key_row *r)
{
	struct key_order o = { .panel = p, .ring = p->rows.ring };
	uint64_t now = c->now_us / 1000000;

	memcpy(o.site, p->site, sizeof(o.site));
	if (!r)
		return o;
	memcpy(o.kid, r->key.kid, sizeof(o.kid));
	o.used = p->rows.use_unknown || r->use.uses_24h > 0 || (r->use.last_used_at > 0 && now < r->use.last_used_at + DAY);
	o.last = key_row_is_last(&p->rows, (size_t)(r - p->rows.row), now);
	key_use_text(&p->rows, (size_t)(r - p->rows.row), now, o.use);
	return o;
}

bool order_came_into_use(struct key_order *o, struct console *c)
{
	struct keys_panel *p = o->panel;
	bool was = o->used;

	p->panel.ops->load(&p->panel, c);
	for (size_t i = 0; !was && i < p->rows.live; i++) {
		const struct key_row *r = &p->rows.row[i];
		struct key_order now;

		if (strcmp(r->key.kid, o->kid) != 0)
			continue;
		now = order_of(p, c, r);
		o->used = now.used;
		memcpy(o->use, now.use, sizeof(o->use));
	}
	return o->used && !was;
}

struct key_ref order_ref(const struct key_order *o)
{
	return (struct key_ref){ .site = o->site, .kid = o->kid, .ring = o->ring };
}

struct dialog *order_dialog(const char *verb, const char *what, const struct key_order *o,
                            void (*done)(struct console *c, struct dialog *d, bool accepted))
{
	struct key_order *copy = malloc(sizeof(*copy));
	struct dialog *d;
	char title[80];

	snprintf(title, sizeof(title), "%s %s of %s", verb, what, o->site);
	d = dialog_new(title, verb);
	if (!d || !copy) {
		free(copy);
		dialog_free(d);
		return NULL;
	}
	*copy = *o;
	d->arg = copy;
	d->arg_size = sizeof(*copy);
	d->done = done;
	return d;
}

bool order_guard(struct dialog *d, const struct key_order *o)
{
	snprintf(d->expect, sizeof(d->expect), "%s", o->site);
	dialog_sayf(d, "To go on, type the site's id: %s", o->site);
	return dialog_text_field(d, "The site's id", SITE_ID_MAX - 1, "");
}

void order_open(struct console *c, struct dialog *d, bool whole)
{
	if (!whole) {
		dialog_free(d);
		d = NULL;
	}
	console_dialog(c, d);
}

/* ---- what they say ---- */

const char *key_name_text(const struct key_row *r, char out[KEY_NAME_MAX])
{
	char label[10 * KEY_LABEL_MAX];

	text_show(label, sizeof(label), span_str(r->key.label));
	snprintf(out, KEY_NAME_MAX, label[0] ? "%s (%s)" : "%s", r->key.kid, label);
	return out;
}

/* A rotation never makes the end later than it is. */
void order_say_moments(struct dialog *d, const struct keys_panel *p, const struct key_row *r, const struct console *c,
                       bool rotation)
{
	uint64_t now = c->now_us / 1000000;
	char moment[MOMENT_TEXT_MAX], lifetime[NUMBER_TEXT_MAX];

	for (size_t i = 0; when_words[i]; i++) {
		uint64_t at = now + when_seconds[i];

		if (rotation && r->key.retire_at && r->key.retire_at < at)
			at = r->key.retire_at;
		dialog_sayf(d, "  %-8s %s%s", when_words[i], at > now ? moment_text(at, moment) : "at once",
		            at < now + p->max_lifetime ? ", may block visitors who are signed in" : "");
	}
	dialog_sayf(d, "A token lives at most %s here.", ago_text(1, 1 + (uint64_t)p->max_lifetime, lifetime));
}

/* ---- the way in ---- */

const struct key_row *keys_chosen(const struct keys_panel *p, struct console *c, const struct key_row *instead)
{
	const struct key_row *r = keys_row(p, p->list.selected);

	if (!r)
		r = instead;
	if (!r) {
		console_say(c, STYLE_WARN, "This slot is free. Go to the key that is meant.");
	} else if (r->state == KEY_RETIRED) {
		console_error(c, RC_REFUSED, REASON_KEY_GONE, NULL);
		r = NULL;
	}
	return r;
}

void keys_change(struct keys_panel *p, struct console *c, enum command what)
{
	static void (*const asks[CMD_COUNT])(struct keys_panel *p, struct console *c) = {
		[CMD_CREATE] = keys_ask_create, [CMD_ROTATE] = keys_ask_rotate, [CMD_RETIRE] = keys_ask_retire,
		[CMD_KEEP] = keys_ask_keep,
	};

	if (!console_may_change(c))
		return;
	if (!p->site[0])
		console_say(c, STYLE_WARN, "Choose a site first: 1, then Enter.");
	else if (p->rc != RC_OK)
		console_error(c, p->rc, p->reason, &p->why);
	else
		asks[what](p, c);
}
