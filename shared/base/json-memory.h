/* json-memory.h -- where jansson's values live: memory that tells when it failed, and is at hand. */
#ifndef POSTERN_BASE_JSON_MEMORY_H
#define POSTERN_BASE_JSON_MEMORY_H

#include <jansson.h>

#include <stdbool.h>

/* How many blocks of one size a thread keeps of those jansson let go, for its next values; they are freed when it ends. */
#define JSON_KEPT_MAX 64

/* Has memory for jansson failed in this thread since this was last asked? */
bool json_memory_failed(void);

/* What jansson lets go goes through this and none of it is kept, for who wipes it. Before any other call, and never by jansson's own
 * function for it, which would take away how json_strict() sees that memory failed. */
void json_free_by(json_free_t let_go);

#endif
