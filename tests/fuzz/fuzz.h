/* fuzz.h -- what the fuzz targets share.
 *
 * A target is one file, fuzz-NAME.c, with LLVMFuzzerTestOneInput(). It says what must hold of every input by
 * REQUIRE(), which ends the process as a crash would: "it did not crash" alone is no property. libFuzzer drives it
 * (make fuzz), and replay.c runs it on each file of tests/fuzz/corpus/NAME (make check). */
#ifndef POSTERN_TESTS_FUZZ_FUZZ_H
#define POSTERN_TESTS_FUZZ_FUZZ_H

#include "base/json.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(what) ((what) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #what))
_Noreturn void fuzz_failed(const char *file, int line, const char *what);

/* ---- taking an input apart ---- */

/* The next piece, up to the first such byte, which is passed over; false: nothing is left. */
bool fuzz_cut(struct span *rest, char at, struct span *ret);
/* The next byte; 0 where there is none. */
uint8_t fuzz_byte(struct span *rest);
/* Terminated, on the heap at its exact size, so that one byte past its end is found: free(). Ends at a NUL byte. */
char *fuzz_text(struct span s);

/* ---- what many targets require ---- */

/* Valid UTF-8 without a control character or an invisible one that turns text round. */
bool fuzz_printable(struct span s);
/* "Name: value\r\n" lines and nothing else, no control byte in them. */
bool fuzz_header_lines(struct span s);
/* The value of one of these lines: how many have that name, and the first. */
size_t fuzz_header(struct span lines, const char *name, struct span *ret);
/* JSON as a stranger reads it, without our own checks; new. NULL: it is none. */
json_t *fuzz_json(struct span text);
/* It ended, and with a code that there is: for calls of which that is all one can say. */
void fuzz_ended(enum rc rc);
/* A directory of the process's own, gone when it exits. */
const char *fuzz_dir(void);

#endif
