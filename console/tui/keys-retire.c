/* keys-retire.c -- retire, at once or later, and keep. */
#include "console/tui/keys-dialogs.h"

/* ---- retire ---- */

static void asked_again(struct console *c, struct dialog *d, bool accepted);

/* It was no question of the last key when it was asked: the others verify today, but none so long. */
static void ask_last(struct console *c, struct key_order *o, uint64_t at)
{
	char moment[MOMENT_TEXT_MAX];
	struct dialog *d;

	o->last = true;
	d = order_dialog("Retire", o->kid, o, asked_again);
	if (d)
		dialog_sayf(d, "All other keys of this site stop before it does: from %s on every token is blocked, "
		            "unless another key is made.", at ? moment_text(at, moment) : "now");
	order_open(c, d, d && order_guard(d, o));
}

static void retire(struct console *c, struct key_order *o)
{
	const struct key_ref ref = order_ref(o);
	uint64_t at = o->delay ? c->now_us / 1000000 + o->delay : 0;
	enum reason reason = REASON_NONE;
	struct why why = { "" };
	char moment[MOMENT_TEXT_MAX];
	enum rc rc = admin_key_retire(c->admin, &ref, at, o->last, &reason, &why);

	if (rc == RC_REFUSED && reason == REASON_KEY_LAST && !o->last)
		ask_last(c, o, at);
	else if (rc != RC_OK)
		console_error(c, rc, reason, &why);
	else if (at)
		console_say(c, STYLE_GOOD, "Key %s verifies until %s.", o->kid, moment_text(at, moment));
	else
		console_say(c, STYLE_GOOD, "Key %s is retired and its secret deleted.", o->kid);
	console_reload(c);
}

static void asked_again(struct console *c, struct dialog *d, bool accepted)
{
	if (accepted)
		retire(c, d->arg);
}

static void ask_used(struct console *c, const struct key_order *o)
{
	struct dialog *d = order_dialog("Retire", o->kid, o, asked_again);

	if (d)
		dialog_sayf(d, "It has come into use since you were asked. As last reported: %s. Once it stops, every token "
		            "signed with it is blocked.", o->use);
	order_open(c, d, d && order_guard(d, o));
}

static void retire_done(struct console *c, struct dialog *d, bool accepted)
{
	struct key_order *o = d->arg;

	o->delay = when_seconds[d->field[0].chosen];
	if (!accepted)
		return;
	if (order_came_into_use(o, c) && !o->last)
		ask_used(c, o);
	else
		retire(c, o);
}

static void say_what_stops(struct dialog *d, const struct key_order *o)
{
	dialog_sayf(d, "As last reported: %s.", o->use);
	if (o->last)
		dialog_sayf(d, "IT IS THE LAST KEY THAT VERIFIES: without it every token of this site is blocked.");
	else if (o->used)
		dialog_sayf(d, "It is in use: once it stops, every token signed with it is blocked.");
}

void keys_ask_retire(struct keys_panel *p, struct console *c)
{
	const struct key_row *r = keys_chosen(p, c, NULL);
	char name[KEY_NAME_MAX], moment[MOMENT_TEXT_MAX];
	struct key_order o;
	struct dialog *d;
	bool whole;

	if (!r)
		return;
	o = order_of(p, c, r);
	d = order_dialog("Retire", r->key.kid, &o, retire_done);
	whole = d && dialog_choice(d, "It stops", when_words, WHEN_IN_48_H);
	if (whole) {
		dialog_sayf(d, "Key %s stops at the time chosen, and its secret is deleted:", key_name_text(r, name));
		order_say_moments(d, p, r, c, false);
		if (r->key.retire_at)
			dialog_sayf(d, "It is to stop at %s already; this sets another time.",
			            moment_text(r->key.retire_at, moment));
		say_what_stops(d, &o);
		whole = (!o.used && !o.last) || order_guard(d, &o);
	}
	order_open(c, d, whole);
}

/* ---- keep ---- */

static void keep_done(struct console *c, struct dialog *d, bool accepted)
{
	const struct key_order *o = d->arg;
	const struct key_ref ref = order_ref(o);
	enum reason reason = REASON_NONE;
	struct why why = { "" };
	enum rc rc;

	if (!accepted)
		return;
	rc = admin_key_keep(c->admin, &ref, &reason, &why);
	if (rc == RC_OK)
		console_say(c, STYLE_GOOD, "Key %s stays.", o->kid);
	console_error(c, rc, reason, &why);
	console_reload(c);
}

void keys_ask_keep(struct keys_panel *p, struct console *c)
{
	const struct key_row *r = keys_chosen(p, c, NULL);
	char name[KEY_NAME_MAX], moment[MOMENT_TEXT_MAX];
	struct key_order o;
	struct dialog *d;

	if (!r)
		return;
	if (r->state != KEY_RETIRING) {
		console_say(c, STYLE_WARN, "Key %s has no end: there is nothing to take back.", r->key.kid);
		return;
	}
	o = order_of(p, c, r);
	d = order_dialog("Keep", r->key.kid, &o, keep_done);
	if (d)
		dialog_sayf(d, "Key %s is to stop at %s. Kept, it verifies without an end again.",
		            key_name_text(r, name), moment_text(r->key.retire_at, moment));
	console_dialog(c, d);
}
