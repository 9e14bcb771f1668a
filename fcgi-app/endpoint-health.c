/* endpoint-health.c -- is the worker fit for traffic: vault readable, ledger writable, space left? */
#include "endpoints.h"

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void answer(struct exchange *x)
{
	struct answer *out = exchange_out(x);
	struct path_health h = { 0 };
	bool ok;

	path_health(exchange_path(x), exchange_thread(x), &h);
	ok = h.vault && h.ledger && h.space;
	out->status = ok ? 200 : 503;
	buf_addf(&out->body, "{\"status\":\"%s\",\"vault\":%s,\"ledger\":%s,\"space\":%s}",
		 ok ? "ok" : "failing", yes(h.vault), yes(h.ledger), yes(h.space));
}

const struct endpoint endpoint_health = { .name = "health", .last = STEP_REQUEST, .answer = answer };
