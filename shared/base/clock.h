/* clock.h -- time: what the wall says, what has passed, and how people write both. */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t clock_us(void);        /* microseconds since 1970 */
uint64_t clock_s(void);         /* seconds since 1970 */
uint64_t clock_mono_ms(void);   /* milliseconds of a clock that never steps */
uint64_t clock_thread_us(void); /* microseconds of processor time this thread has used */

#define CLOCK_TEXT_MAX 32
/* RFC 3339 in UTC, whole seconds: "2026-11-21T03:16:00Z". */
const char *clock_format(uint64_t us, char out[CLOCK_TEXT_MAX]);

/* RFC 3339, a date (00:00 UTC), or "-1h" (that long before now_us). false: not one of these. */
bool clock_parse(const char *text, uint64_t now_us, uint64_t *ret_us);

/* "30s", "15m", "48h", "7d": digits and one unit. false: not that, or more than 100 years. */
bool duration_parse(const char *text, uint64_t *ret_s);

/* The shortest of the above for people: "47h", "12m", "3s". */
const char *duration_format(uint64_t s, char out[CLOCK_TEXT_MAX]);

#endif
