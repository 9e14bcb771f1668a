/* keys-create.c -- what makes a key, create and rotate, and the screen that shows its secret once. */
#include "console/tui/keys-dialogs.h"

#include "base/clock.h"

#define SECRET_US UINT64_C(120000000)  /* how long a secret stays on the screen */

/* ---- a secret, once ---- */

static void secret_closed(struct console *c, struct dialog *d, bool accepted)
{
	struct keys_panel *p = d->arg;

	(void)accepted;
	d->secret = NULL;
	/* nobody pressed Enter: whether it was read, or on a screen at all, nobody knows */
	if (c->own.ending)
		snprintf(c->parting, sizeof(c->parting), "Key %s of site %s is active, and its secret cannot be shown again. If you "
		         "do not have it: postern key retire %s %s", p->made.kid, p->site, p->site, p->made.kid);
	console_say(c, STYLE_GOOD, "Key %s is active. Its secret cannot be shown again.", p->made.kid);
	key_done(&p->made);
}

static void say_secret(struct dialog *d, const char *kid, const char *then)
{
	dialog_sayf(d, "It cannot be shown again. Hand it to the site's backend now, and to nobody else: who has it "
	            "can sign in as anyone.");
	dialog_sayf(d, "The backend signs its tokens with it (HS256). The whole text below is the HMAC key, as it "
	            "stands: nothing is to be decoded.");
	dialog_sayf(d, "The token's header names the key: \"kid\": \"%s\"", kid);
	if (then[0])
		dialog_sayf(d, "%s", then);
}

/* Takes the key. then: a sentence about what else has changed; may be empty. */
static void show_secret(struct keys_panel *p, struct console *c, const char *site, const struct key *k,
                        const char *then)
{
	char title[80], kid[KID_MAX];
	struct dialog *d;

	c->now_us = clock_us();        /* making it may have waited for others */
	memcpy(kid, k->kid, sizeof(kid));
	key_done(&p->made);
	p->made = *k;
	/* the panel loads anew: the key selected is the new one */
	memcpy(p->selected, kid, sizeof(p->selected));
	p->list.selected = 0;
	snprintf(title, sizeof(title), "The secret of key %s of %s", kid, site);
	d = dialog_new(title, NULL);
	if (d) {
		say_secret(d, kid, then);
		d->secret = p->made.secret;
		d->close_at_us = c->now_us + SECRET_US;
		d->done = secret_closed;
		d->arg = p;
	}
	console_dialog(c, d);
	if (d && p->made.secret)
		return;
	/* one that did not open is done already */
	key_done(&p->made);
	console_say(c, STYLE_BAD, "Key %s was made, but its secret could not be shown: retire it, make another.", kid);
}

static bool ring_full(const struct keys_panel *p, struct console *c)
{
	if (keys_in_use(p) < RING_MAX)
		return false;
	console_error(c, RC_REFUSED, REASON_RING_FULL, NULL);
	return true;
}

/* ---- create ---- */

static void create_done(struct console *c, struct dialog *d, bool accepted)
{
	const struct key_order *o = d->arg;
	enum reason reason = REASON_NONE;
	struct why why = { "" };
	struct key k = { 0 };
	enum rc rc;

	if (!accepted)
		return;
	rc = admin_key_create(c->admin, o->site, d->field[0].text.text, &k, &reason, &why);
	if (rc == RC_OK)
		show_secret(o->panel, c, o->site, &k, "");
	console_error(c, rc, reason, &why);
	console_reload(c);
}

void keys_ask_create(struct keys_panel *p, struct console *c)
{
	const struct key_order o = order_of(p, c, NULL);
	struct dialog *d;
	bool whole;

	if (ring_full(p, c))
		return;
	d = order_dialog("Create", "a key", &o, create_done);
	whole = d && dialog_text_field(d, "Label", KEY_LABEL_MAX - 1, "");
	if (whole) {
		dialog_sayf(d, "Tokens signed with the new key verify from the next request on. The other keys stay as "
		            "they are.");
		dialog_sayf(d, "Its secret is shown once, for 120 s: have a safe place ready for it.");
		dialog_sayf(d, "The label tells admins which backend it is for; it may be empty.");
	}
	order_open(c, d, whole);
}

/* ---- rotate ---- */

static void rotate(struct console *c, const struct key_order *o)
{
	const struct key_ref ref = order_ref(o);
	struct rotation r = { .retire_at = 0 };
	enum reason reason = REASON_NONE;
	struct why why = { "" };
	char then[160], moment[MOMENT_TEXT_MAX];
	enum rc rc = admin_key_rotate(c->admin, &ref, o->delay, &r, &reason, &why);

	if (rc == RC_OK) {
		if (o->delay)
			snprintf(then, sizeof(then), "Key %s verifies until %s: the backend must sign with the new one "
			         "before that.", r.retiring, moment_text(r.retire_at, moment));
		else
			snprintf(then, sizeof(then), "Key %s has stopped: its tokens are blocked until the backend signs "
			         "with the new one.", r.retiring);
		show_secret(o->panel, c, o->site, &r.created, then);
	}
	console_error(c, rc, reason, &why);
	console_reload(c);
}

static void rotate_now_done(struct console *c, struct dialog *d, bool accepted)
{
	if (accepted)
		rotate(c, d->arg);
}

/* It is as good as retiring the key now, so it is asked for in the same way. */
static void ask_rotate_now(struct console *c, const struct key_order *o)
{
	struct dialog *d = order_dialog("Rotate", o->kid, o, rotate_now_done);

	if (d)
		dialog_sayf(d, "As last reported: %s. Rotated now, every token signed with it is blocked at once, until "
		            "the backend signs with the new key.", o->use);
	order_open(c, d, d && order_guard(d, o));
}

static void rotate_done(struct console *c, struct dialog *d, bool accepted)
{
	struct key_order *o = d->arg;

	o->delay = when_seconds[d->field[0].chosen];
	if (!accepted)
		return;
	if (o->delay == 0 && (o->used || order_came_into_use(o, c)))
		ask_rotate_now(c, o);
	else
		rotate(c, o);
}

static const struct key_row *only_active(const struct keys_panel *p)
{
	const struct key_row *found = NULL;

	for (size_t i = 0; i < p->rows.live; i++) {
		if (p->rows.row[i].state != KEY_ACTIVE)
			continue;
		if (found)
			return NULL;
		found = &p->rows.row[i];
	}
	return found;
}

void keys_ask_rotate(struct keys_panel *p, struct console *c)
{
	const struct key_row *r = keys_chosen(p, c, only_active(p));
	char name[KEY_NAME_MAX], moment[MOMENT_TEXT_MAX];
	struct key_order o;
	struct dialog *d;
	bool whole;

	if (!r || ring_full(p, c))
		return;
	o = order_of(p, c, r);
	d = order_dialog("Rotate", r->key.kid, &o, rotate_done);
	whole = d && dialog_choice(d, "The old key stops", when_words, WHEN_IN_48_H);
	if (whole) {
		dialog_sayf(d, "A new key is made and its secret shown once. The old one, %s, verifies until the time "
		            "chosen:", key_name_text(r, name));
		order_say_moments(d, p, r, c, true);
		if (r->key.retire_at)
			dialog_sayf(d, "It is to stop at %s already; a rotation never makes that later.",
			            moment_text(r->key.retire_at, moment));
		dialog_sayf(d, "As last reported: %s.", o.use);
	}
	order_open(c, d, whole);
}
