/* url.h -- text as a part of a URL (RFC 3986).
 *
 * A URL is put together from encoded parts, never taken apart: what is encoded here is data wherever it stands. */
#ifndef POSTERN_BASE_URL_H
#define POSTERN_BASE_URL_H

#include "base/buf.h"

/* Adds text percent-encoded: every byte but the unreserved ones (letters, digits, - . _ ~), upper case hex. */
void url_encode(struct buf *b, struct span text);
/* How long it is so; written to out, not terminated, where out is given. */
size_t url_encoded(char *out, struct span text);

/* May text, decoded, be one segment of a path? Not empty, not of dots only, valid UTF-8, without / \ % and control
 * characters: encoding alone does not help against a server that decodes twice, or before it splits. */
bool url_segment_valid(struct span text);

#endif
