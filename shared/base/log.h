/* log.h -- the programs' own log: one line to stderr with a journald priority ("<4>text").
 *
 * Library code returns, programs log. Everything passes text_show(), so outside text cannot start a
 * line or move a cursor; a token, a secret or a clear email is never handed to it. */
#ifndef POSTERN_BASE_LOG_H
#define POSTERN_BASE_LOG_H

#include "base/codes.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_level(enum log_level at_most);
bool log_level_parse(const char *name, enum log_level *ret);   /* error warning info debug */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* At most one line a minute of each kind: what strangers or broken peers cause must not fill the log. */
struct rarely { _Atomic uint64_t next_ms; };
bool rarely(struct rarely *r);

#endif
