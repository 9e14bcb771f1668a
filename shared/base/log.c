/* log.c -- the programs' own log: one line to stderr with a journald priority. */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
#define RARELY_MS 60000

static atomic_int level_at_most = LOG_LEVEL_INFO;

void log_set_level(enum log_level at_most)
{
	atomic_store(&level_at_most, (int)at_most);
}

bool log_level_parse(const char *name, enum log_level *ret)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*ret = levels[i].level;
			return true;
		}
	}
	return false;
}

/* One write a line, so that threads and processes do not cut into each other's. */
void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 8];
	va_list args;
	size_t size;
	int n;

	if ((int)level > atomic_load(&level_at_most))
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	size = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	text_show(line + size, sizeof(line) - size - 1, span_str(text));
	size = strlen(line);
	line[size++] = '\n';
	while (write(STDERR_FILENO, line, size) < 0 && errno == EINTR)
		;
}

bool rarely(struct rarely *r)
{
	uint64_t now = clock_mono_ms(), next = atomic_load(&r->next_ms);

	return now >= next && atomic_compare_exchange_strong(&r->next_ms, &next, now + RARELY_MS);
}
