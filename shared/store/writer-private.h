/* writer-private.h -- what the two halves of the writer share. */
#ifndef POSTERN_STORE_WRITER_PRIVATE_H
#define POSTERN_STORE_WRITER_PRIVATE_H

#include "store/store-private.h"

struct writer {
	struct store *st;
	pthread_mutex_t lock;
	pthread_cond_t work;              /* a job queued, or stopping */
	pthread_cond_t timer;             /* the queue is no longer empty, or stopping */
	pthread_cond_t end;               /* the writer's thread ended */
	struct job *head, *tail;          /* not taken, oldest first */
	size_t queued;
	bool timer_sleeps;                /* the timer waits without a deadline: tell it of the first job */
	bool locking;                     /* the writer's thread may be waiting for LMDB's lock */
	uint64_t locking_ms;              /* since when */
	bool stopping, ended;
	unsigned withdraw_ms;
	struct writer_stats stats;
	pthread_t writer_thread, timer_thread;
	/* the writer thread's own */
	struct job *batch[WRITER_BATCH_MAX];
	size_t count;                     /* jobs in batch */
	size_t limit;                     /* how many the next transaction takes */
	bool retried;                     /* the map was full and readers were checked; until a job is settled */
};

/* The queue; with the lock held. */
void        writer_wake(struct writer *w);                       /* there is a job */
void        writer_prepend(struct writer *w, struct job *j);
struct job *writer_pop(struct writer *w);                        /* the oldest; the queue is not empty */
/* Unlinks those queued at or before `before`, as a list. */
struct job *writer_unlink(struct writer *w, uint64_t before);

/* Outcomes; with the lock not held. */
void writer_tell(struct job *j, enum rc outcome);
void writer_tell_list(struct job *list, enum rc outcome);

void *writer_main(void *writer);      /* the writer's thread */

#endif
