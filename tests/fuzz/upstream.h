/* upstream.h -- what must hold of every request that an http connector makes, whatever values went into it. */
#ifndef POSTERN_TESTS_FUZZ_UPSTREAM_H
#define POSTERN_TESTS_FUZZ_UPSTREAM_H

#include "tests/fuzz/fuzz.h"

#include "connector/connector.h"

/* A target of one line, each value encoded, headers that are header lines, a body of the type it names. */
void require_upstream_request(const struct upstream_request *r);
/* The n-th segment behind "/proxy", decoded, into a fresh buffer; false: there are not so many. */
bool upstream_segment(const struct upstream_request *r, size_t n, struct buf *ret);
/* The n-th value of a query or form parameter, decoded. */
bool upstream_pair(struct span pairs, const char *name, size_t n, struct buf *ret);
struct span upstream_query(const struct upstream_request *r);

#endif
