/* gate.h -- a whole Postern of the target's own: one site, "demo", with the demo's actions, two visitors' documents, and
 * tokens for them. */
#ifndef POSTERN_TESTS_FUZZ_GATE_H
#define POSTERN_TESTS_FUZZ_GATE_H

#include "tests/fuzz/fuzz.h"

#include "path/path.h"

struct gate {
	struct store *store;
	struct writer *writer;
	struct path *path;
	struct path_thread *thread;            /* these two of gate_get() alone */
	struct exchange *exchange;
};
/* For requests on this thread; made anew once its log is long, so that a long run is as fast as a short one. */
struct gate *gate_get(void);
/* Runs what was put into the exchange's request, whatever it waits for, to its answer. */
const struct answer *gate_run(struct gate *g);
/* One without thread and exchange, for a worker. */
struct gate *gate_make(void);

enum visitor { VISITOR_NONE, VISITOR_ALEX, VISITOR_JORDAN };
/* Do the words stand there that are in the documents of this visitor only? */
bool gate_shows(struct span bytes, enum visitor who);
/* text with {{alex}}, {{jordan}}, {{expired}}, {{private}} (a reserved domain) and {{forged}} replaced by such tokens. */
void gate_fill(struct buf *out, struct span text);
/* Whose is the token that this Authorization value ends with, if its signature is the site's? NONE also where it has expired. */
enum visitor gate_signed(struct span value);
/* Do these bytes hold a piece of a visitor's good token's signature? However they are cut into records. */
bool gate_holds(struct span bytes, enum visitor who);
/* Requires that an answer gives nobody what is somebody else's, nor any secret; unless they sent it themselves. */
void gate_require_private(struct span answer, struct span sent, enum visitor who);

#endif
