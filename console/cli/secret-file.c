/* secret-file.c -- the file a new secret goes into, made before the secret is.
 *
 * It is made as who called; after that root is no longer root and could not remove it from root's own directory. So a
 * guard, a child that still may, holds the other end of a pipe: it leaves the file alone if it reads a byte, and
 * removes it if the pipe ends without one, be it that the key was not made or that this process died. One killed
 * before it has its guard leaves an empty file: the key comes later. */
#include "console/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_TRIES 100                 /* of the guard: interrupted, most likely */
#define SECRET_ROOM 64                 /* bytes set aside on the disk while nothing is lost yet */

/* Only what is still the very file. */
static void remove_file(const char *path, int fd)
{
	struct stat ours, there;

	if (fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		(void)!unlink(path);
}

static void guard_main(const char *path, int fd, int pipe_end)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	int tries = 0;
	char byte;
	ssize_t n;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	/* nobody must wait for the guard to close what it has no use for */
	for (int std = 0; std <= 2; std++)
		close(std);
	do
		n = read(pipe_end, &byte, 1);
	while (n < 0 && tries++ < READ_TRIES);
	if (n == 0)                    /* never because it could not be found out: the key may be made */
		remove_file(path, fd);
	_exit(0);
}

static bool guard_start(struct secret_file *f)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	f->pid = fork();
	if (f->pid == 0) {
		close(ends[1]);
		guard_main(f->path, f->fd, ends[0]);
	}
	close(ends[0]);
	if (f->pid < 0) {
		close(ends[1]);
		return false;
	}
	f->guard = ends[1];
	return true;
}

int secret_file_make(struct secret_file *f, const char *path)
{
	*f = (struct secret_file){ .path = path, .fd = -1, .guard = -1 };
	if (!path)
		return EXIT_YES;
	f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0) {
		if (errno == EEXIST) {
			talk("--secret-file: %s is there already: name a file that is not", path);
			return EXIT_USAGE;
		}
		talk("--secret-file: %s: %s", path, strerror(errno));
		return EXIT_UNSURE;
	}
	if (fchmod(f->fd, 0600) == 0 && posix_fallocate(f->fd, 0, SECRET_ROOM) == 0 && guard_start(f))
		return EXIT_YES;
	talk("--secret-file: %s cannot be prepared", path);
	remove_file(path, f->fd);
	close(f->fd);
	*f = (struct secret_file){ .fd = -1, .guard = -1 };
	return EXIT_UNSURE;
}

/* Without a final newline: a backend that reads the file whole has the key, and nothing but the key. */
bool secret_file_write(struct secret_file *f, const struct secret *s)
{
	size_t done = 0;

	while (done < s->size) {
		ssize_t n = write(f->fd, s->data + done, s->size - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			return false;
	}
	return ftruncate(f->fd, (off_t)s->size) == 0 && fsync(f->fd) == 0;
}

void secret_file_end(struct secret_file *f, bool keep)
{
	bool told = false;
	int status;

	if (f->fd < 0)
		return;
	for (int tries = 0; keep && !told && tries < 3; tries++)
		told = write(f->guard, "k", 1) == 1;
	if (keep && !told)
		talk("%s may be gone: its guard was", f->path);
	close(f->guard);
	close(f->fd);
	while (waitpid(f->pid, &status, 0) < 0 && errno == EINTR)
		;
	f->fd = f->guard = -1;         /* the path stays: where the secret went is still to be known */
}
