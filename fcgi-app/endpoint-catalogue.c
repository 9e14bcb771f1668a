/* endpoint-catalogue.c -- every action of the site, and which of them this caller may run. */
#include "endpoints.h"

static void member(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, ",\"%s\":", name);
	buf_add_json(b, span_str(text));
}

static void add_action(struct buf *b, const struct action *a, enum reason refused)
{
	buf_add_str(b, "{\"name\":");
	buf_add_json(b, span_str(a->name));
	member(b, "title", a->title);
	member(b, "description", a->description);
	member(b, "access", access_name(a->access));
	member(b, "effect", effect_name(a->effect));
	buf_add_str(b, ",\"parameters\":");
	json_canonical(b, a->parameters);
	if (refused == REASON_NONE)
		buf_add_str(b, ",\"available\":true,\"reason\":null}");
	else
		buf_addf(b, ",\"available\":false,\"reason\":\"%s\"}", reason_name(refused));
}

static void answer(struct exchange *x)
{
	const struct catalogue *c = exchange_catalogue(x);
	const struct identity *who = exchange_identity(x);
	struct buf *b = &exchange_out(x)->body;

	buf_add_str(b, "{\"actions\":[");
	for (size_t i = 0; c && i < catalogue_count(c); i++) {
		const struct action *a = catalogue_at(c, i);

		if (i)
			buf_add_char(b, ',');
		add_action(b, a, gate_check(who, a->access, exchange_site(x)->plan));
	}
	buf_add_str(b, "]}");
}

const struct endpoint endpoint_catalogue = {
	.name = "actions", .last = STEP_GATE, .needs_catalogue = true, .answer = answer,
};
