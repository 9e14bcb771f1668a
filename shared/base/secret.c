/* secret.c -- the one type for key bytes: one way to make it, one way to lose it. */
#include "base/secret.h"

#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEAP_SIZE ((size_t)4 << 20)

static pthread_once_t process_once = PTHREAD_ONCE_INIT;

/* A full arena leaves secrets in the ordinary heap, and ciphers keep their key schedules there: no core dump, and not
 * dumpable, which also stops another process of this user from reading our memory. Each is done as far as the system lets it. */
static void process_init(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)crypto_heap_init(HEAP_SIZE);
}

void secret_process_init(void)
{
	pthread_once(&process_once, process_init);
}

struct secret *secret_new(size_t size)
{
	struct secret *s;

	if (size == SIZE_MAX)
		return NULL;
	s = malloc(sizeof(*s));
	if (!s)
		return NULL;
	s->size = size;
	s->data = crypto_heap_alloc(size + 1);
	if (!s->data) {
		free(s);
		return NULL;
	}
	return s;
}

struct secret *secret_copy(struct span bytes)
{
	struct secret *s = secret_new(bytes.size);

	if (s && bytes.size)
		memcpy(s->data, bytes.data, bytes.size);
	return s;
}

void secret_free(struct secret *s)
{
	if (!s)
		return;
	crypto_heap_free(s->data, s->size + 1);
	free(s);
}

void secret_wipe(void *data, size_t size)
{
	crypto_wipe(data, size);
}

enum rc secret_read_fd(int fd, size_t max, struct secret **ret)
{
	struct secret *room, *exact;
	enum rc rc = RC_OK;
	size_t size = 0;

	if (max >= SIZE_MAX - 1)
		return RC_INVALID;
	room = secret_new(max + 1);      /* one more than allowed, to see that there is more */
	if (!room)
		return RC_NOMEM;
	while (size < room->size) {
		ssize_t n = read(fd, room->data + size, room->size - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = RC_IO;
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	if (rc == RC_OK && size > max)
		rc = RC_INVALID;
	if (rc == RC_OK) {
		exact = secret_copy(span_of(room->data, size));
		if (exact)
			*ret = exact;
		else
			rc = RC_NOMEM;
	}
	secret_free(room);
	return rc;
}

enum rc secret_read_file(const char *path, size_t max, struct secret **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum rc rc;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
	rc = secret_read_fd(fd, max, ret);
	close(fd);
	return rc;
}
