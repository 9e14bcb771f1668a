/* json-memory.c -- where jansson's values live. A request makes some sixty small blocks and lets them go together: of a size, more
 * than glibc keeps at hand for a thread (7), and what it does with the rest was a twelfth of a worker's work. So each thread has
 * shelves of them, one for each size. */
#include "base/json-memory.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

/* A sanitizer is to see each block go. */
#if defined(__has_feature)
#define SHELVES_USED (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHELVES_USED 0
#else
#define SHELVES_USED 1
#endif

struct block {
	struct block *next;
	const void *mark;                  /* its shelf; anything while it is jansson's */
};

struct shelf {
	struct block *first;
	unsigned count;
};

/* Shelf n has blocks of 16 * n - 8 bytes, which are the sizes that malloc() hands out: 24 to 248. */
#define LEAST 24
#define SHELVES 17

_Static_assert(sizeof(struct block) <= LEAST, "a block on a shelf holds its place in it");

static _Thread_local struct shelf shelves[SHELVES];
static _Thread_local bool clears_them;     /* are they cleared when this thread ends? */
static _Thread_local bool out_of_memory;
static pthread_key_t ending;

/* The shelf of the largest blocks that are no larger than this; NULL: there is none. */
static struct shelf *shelf_for(size_t size)
{
	size_t n = (size + 8) / 16;

	return size >= LEAST && n < SHELVES ? &shelves[n] : NULL;
}

static void clear_shelves(void *nothing)
{
	(void)nothing;
	clears_them = false;
	for (size_t n = 0; n < SHELVES; n++)
		while (shelves[n].first) {
			struct block *b = shelves[n].first;

			shelves[n].first = b->next;
			shelves[n].count--;
			free(b);
		}
}

static bool lies_on(const struct shelf *s, const struct block *b)
{
	for (const struct block *at = s->first; at; at = at->next)
		if (at == b)
			return true;
	return false;
}

static void keep(struct shelf *s, struct block *b)
{
	*b = (struct block){ .next = s->first, .mark = s };
	s->first = b;
	s->count++;
}

/* One that is let go twice would become two values: as free() does, this ends the program. */
static void let_go(void *data)
{
	struct shelf *s = data ? shelf_for(malloc_usable_size(data)) : NULL;
	struct block *b = data;

	if (s && b->mark == s && lies_on(s, b))
		abort();
	if (s && s->count < JSON_KEPT_MAX && (clears_them || (clears_them = pthread_setspecific(ending, shelves) == 0)))
		keep(s, b);
	else
		free(b);
}

/* jansson's lexer does not look whether its buffer could grow: where memory fails it drops the byte and goes on, with another text
 * than was sent (2.14, lex_save()). Elsewhere it calls it bad syntax. So every allocation that failed is noted. */
static void *take(size_t size)
{
	struct shelf *s = shelf_for(size < LEAST ? LEAST : size + 15);
	struct block *b = s ? s->first : NULL;

	if (b) {
		s->first = b->next;
		s->count--;
		b->mark = NULL;
		return b;
	}
	b = malloc(SHELVES_USED && size < LEAST ? LEAST : size);
	if (!b)
		out_of_memory = true;
	else if (SHELVES_USED)
		b->mark = NULL;                /* let_go() looks at it, and jansson may not have written there */
	return b;
}

bool json_memory_failed(void)
{
	bool failed = out_of_memory;

	out_of_memory = false;
	return failed;
}

void json_free_by(json_free_t by)
{
	json_set_alloc_funcs(take, by);
}

__attribute__((constructor)) static void set_memory(void)
{
	json_free_by(SHELVES_USED && pthread_key_create(&ending, clear_shelves) == 0 ? let_go : free);
}
