/* endpoint-metrics.c -- the counters, for Prometheus. */
#include "endpoints.h"

static void answer(struct exchange *x)
{
	struct answer *out = exchange_out(x);

	out->content_type = "text/plain; version=0.0.4; charset=utf-8";
	path_metrics(exchange_path(x), &out->body);
}

const struct endpoint endpoint_metrics = { .name = "metrics", .last = STEP_REQUEST, .answer = answer };
