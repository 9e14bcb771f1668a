/* doctor-health.c -- the health snapshot as doctor shows it: facts, without judging them. */
#include "console/cli/cmd-doctor-private.h"
#include "base/text.h"

#define VERSION_SHOWN_MAX 128
#define FAR_S (UINT64_C(10) * 365 * 86400)
#define SITES_TOLD 8

/* ---- as JSON ---- */

static json_t *worker_json(const struct worker_row *w)
{
	char version[VERSION_SHOWN_MAX];

	/* JSON takes UTF-8 only */
	text_show(version, sizeof(version), span_str(w->version));
	return json_pack("{sIsIsIsIsssb}", "pid", (json_int_t)w->pid, "started_at", (json_int_t)w->started_at,
	                 "beat_at", (json_int_t)w->beat_s, "threads", (json_int_t)w->threads, "version", version,
	                 "this_boot", (int)w->this_boot);
}

static json_t *workers_json(const struct health *h)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < h->workers; i++)
		if (json_array_append_new(list, worker_json(&h->worker[i])) != 0) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

static json_t *readers_json(const struct store_readers *r)
{
	return json_pack("{sIsIsI}", "used", (json_int_t)r->used, "max", (json_int_t)r->max, "behind",
	                 (json_int_t)r->behind);
}

static json_t *vault_json(const struct health *h)
{
	return json_pack("{sIsIsIso}", "schema", (json_int_t)h->vault_schema, "used_bytes", (json_int_t)h->vault_bytes,
	                 "limit_bytes", (json_int_t)VAULT_MAP_SIZE, "readers", readers_json(&h->vault_readers));
}

static json_t *ledger_json(const struct health *h)
{
	json_t *left = h->seconds_left == UINT64_MAX ? json_null() : json_integer((json_int_t)h->seconds_left);

	return json_pack("{sIsIsIsoso}", "schema", (json_int_t)h->ledger_schema, "used_bytes",
	                 (json_int_t)h->space.used, "limit_bytes", (json_int_t)h->space.limit, "seconds_left", left,
	                 "readers", readers_json(&h->ledger_readers));
}

static json_t *log_json(const struct health *h)
{
	return json_pack("{sIsIsIso}", "records", (json_int_t)h->records, "records_1h", (json_int_t)h->records_1h,
	                 "records_24h", (json_int_t)h->records_24h, "checkpoint",
	                 h->has_checkpoint ? json_integer((json_int_t)h->checkpoint_size) : json_null());
}

json_t *health_json(const struct health *h, json_t *expiry)
{
	return json_pack("{sIsssososososOsO}", "time", (json_int_t)h->now_s, "version", h->version, "workers",
	                 workers_json(h), "vault", vault_json(h), "ledger", ledger_json(h), "log", log_json(h),
	                 "warnings", h->warnings, "expiry_missing", expiry);
}

/* ---- for people ---- */

#define SIZE_TEXT_MAX 32
static const char *size_text(uint64_t bytes, char out[SIZE_TEXT_MAX])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		size /= 1024;
	snprintf(out, SIZE_TEXT_MAX, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return out;
}

static void workers_print(const struct health *h)
{
	static const char *const heads[] = { "WORKER", "STARTED", "LAST BEAT", "THREADS", "VERSION" };
	struct table t;

	if (h->workers == 0)
		return;
	table_begin(&t, ARRAY_LEN(heads), heads);
	for (size_t i = 0; i < h->workers; i++) {
		const struct worker_row *w = &h->worker[i];
		char pid[24], started[CLOCK_TEXT_MAX], beat[CLOCK_TEXT_MAX], threads[16];

		snprintf(pid, sizeof(pid), "%llu", (unsigned long long)w->pid);
		snprintf(threads, sizeof(threads), "%u", w->threads);
		table_row(&t, (const char *const[]){ pid, out_time(w->started_at, started), out_time(w->beat_s, beat),
		                                     threads, w->version });
	}
	table_end(&t);
	out_line("%s", "");
}

static const char *left_text(uint64_t seconds, char out[CLOCK_TEXT_MAX])
{
	return seconds > FAR_S ? "more than 10 years" : duration_format(seconds, out);
}

static void space_print(const struct health *h)
{
	char used[SIZE_TEXT_MAX], limit[SIZE_TEXT_MAX], left[CLOCK_TEXT_MAX];

	out_line("vault       %s of %s", size_text(h->vault_bytes, used), size_text(VAULT_MAP_SIZE, limit));
	out_line("ledger      %s of %s; full in %s at the rate of the last 24 h", size_text(h->space.used, used),
	         size_text(h->space.limit, limit), left_text(h->seconds_left, left));
}

static void readers_print(const char *name, const struct store_readers *r)
{
	out_line("readers     %s: %u of %u slots, %llu commits behind", name, r->used, r->max,
	         (unsigned long long)r->behind);
}

static void log_print(const struct health *h)
{
	char pruned[48] = "";

	if (h->pruned > 0)
		snprintf(pruned, sizeof(pruned), "; %llu before them pruned", (unsigned long long)h->pruned);
	out_line("records     %llu; %llu in the last hour, %llu in the last 24 h%s", (unsigned long long)h->records,
	         (unsigned long long)h->records_1h, (unsigned long long)h->records_24h, pruned);
	if (h->has_checkpoint)
		out_line("checkpoint  of the first %llu records", (unsigned long long)h->checkpoint_size);
	else
		out_line("checkpoint  none");
}

/* Of many sites the first few, by id. */
static void expiry_print(json_t *expiry)
{
	struct buf text = BUF_INIT;
	const char *site;
	json_t *count;
	size_t told = 0;

	json_object_foreach(expiry, site, count)
		if (told++ < SITES_TOLD)
			buf_addf(&text, "%s %s %lld", told > 1 ? "," : "", site, (long long)json_integer_value(count));
	if (told > SITES_TOLD)
		buf_addf(&text, ", and %zu more sites", told - SITES_TOLD);
	if (told > 0)
		out_line("no exp      recent tokens that require_exp would block:%s", text.failed ? " ?" : text.data);
	else
		out_line("no exp      no recent token that require_exp would block");
	buf_done(&text);
}

void health_print(const struct health *h, json_t *expiry)
{
	workers_print(h);
	out_line("version     %s; schema of the vault %u, of the ledger %u", h->version, h->vault_schema,
	         h->ledger_schema);
	space_print(h);
	log_print(h);
	readers_print("vault", &h->vault_readers);
	readers_print("ledger", &h->ledger_readers);
	expiry_print(expiry);
	out_line("%s", "");
}
