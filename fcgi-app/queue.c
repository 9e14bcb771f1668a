/* queue.c -- peers to go on with, for whichever thread is free. */
#include "server.h"

#include <sys/eventfd.h>
#include <unistd.h>

enum rc queue_init(struct queue *q)
{
	q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&q->lock, NULL);
	return q->wake_fd >= 0 ? RC_OK : RC_IO;
}

void queue_done(struct queue *q)
{
	if (q->wake_fd >= 0)
		close(q->wake_fd);
	pthread_mutex_destroy(&q->lock);
}

/* The event is edge-triggered, so each write wakes one thread and nobody needs to read. */
void queue_wake(struct queue *q)
{
	uint64_t one = 1, was;

	/* Where it fails the counter was full. A wake that is lost is a request that is forgotten, so whatever else it was: again. */
	for (int tries = 0; tries < 3 && write(q->wake_fd, &one, sizeof(one)) < 0; tries++)
		(void)!read(q->wake_fd, &was, sizeof(was));
}

/* A thread empties the queue before it sleeps, so only the first of many needs to wake one. */
void queue_push(struct queue *q, struct peer *p, bool wake)
{
	bool was_empty;

	p->next = NULL;
	pthread_mutex_lock(&q->lock);
	was_empty = !q->first;
	if (was_empty)
		q->first = p;
	else
		q->last->next = p;
	q->last = p;
	atomic_fetch_add(&q->count, 1);
	pthread_mutex_unlock(&q->lock);
	if (wake && was_empty)
		queue_wake(q);
}

struct peer *queue_pop(struct queue *q)
{
	struct peer *p;

	if (atomic_load(&q->count) == 0)
		return NULL;
	pthread_mutex_lock(&q->lock);
	p = q->first;
	if (p) {
		q->first = p->next;
		atomic_fetch_sub(&q->count, 1);
	}
	pthread_mutex_unlock(&q->lock);
	return p;
}
