/* file.c -- small files, whole: read with a bound, written so that a crash leaves old or new. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum rc rc_of_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return RC_NOT_FOUND;
	case EEXIST:
		return RC_EXISTS;
	case ENOSPC:
	case EDQUOT:
		return RC_NOSPACE;
	case ENOMEM:
		return RC_NOMEM;
	default:
		return RC_IO;
	}
}

static enum rc read_all(int fd, size_t max, struct buf *out)
{
	size_t total = 0;

	for (;;) {
		char chunk[8192];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return RC_IO;
		if (n == 0)
			return out->failed ? RC_NOMEM : RC_OK;
		if ((size_t)n > max - total)
			return RC_INVALID;
		total += (size_t)n;
		buf_add(out, chunk, (size_t)n);
	}
}

enum rc file_read(const char *path, size_t max, struct buf *out)
{
	enum rc rc;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, max, out);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return rc_of_errno();
	rc = read_all(fd, max, out);
	close(fd);
	return rc;
}

static enum rc write_all(int fd, struct span content)
{
	const char *at = content.data;
	size_t left = content.size;

	while (left) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rc_of_errno();
		at += n;
		left -= (size_t)n;
	}
	return RC_OK;
}

/* A name is durable once its directory is. */
static enum rc sync_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;
	char *dir = slash ? strndup(path, size ? size : 1) : strdup(".");
	enum rc rc = RC_OK;
	int fd;

	if (!dir)
		return RC_NOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return rc_of_errno();
	if (fsync(fd) != 0)
		rc = rc_of_errno();
	close(fd);
	return rc;
}

/* Content, then mode, then disk; closes fd in any case. A mode past the umask is set by fchmod alone. */
static enum rc fill(int fd, struct span content, mode_t mode)
{
	enum rc rc = write_all(fd, content);

	if (rc == RC_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		rc = rc_of_errno();
	if (close(fd) != 0 && rc == RC_OK)
		rc = rc_of_errno();
	return rc;
}

enum rc file_create(const char *path, struct span content, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum rc rc;

	if (fd < 0)
		return rc_of_errno();
	if ((rc = fill(fd, content, mode)) != RC_OK || (rc = sync_directory_of(path)) != RC_OK)
		unlink(path);
	return rc;
}

/* What is there keeps its owner and mode. Only a plain file is replaced: a link would lose its target. */
static enum rc replaced_mode(const char *path, int fd, mode_t *mode)
{
	struct stat old, new;

	if (lstat(path, &old) != 0)
		return errno == ENOENT ? RC_OK : rc_of_errno();
	if (!S_ISREG(old.st_mode))
		return RC_INVALID;
	if (fstat(fd, &new) != 0)
		return rc_of_errno();
	if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid) && fchown(fd, old.st_uid, old.st_gid) != 0)
		return rc_of_errno();
	*mode = old.st_mode & 07777;
	return RC_OK;
}

enum rc file_replace(const char *path, struct span content, mode_t mode)
{
	char *temporary;
	enum rc rc;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return RC_NOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		rc = rc_of_errno();
		free(temporary);
		return rc;
	}
	rc = replaced_mode(path, fd, &mode);
	if (rc == RC_OK)
		rc = fill(fd, content, mode);
	else
		close(fd);
	if (rc == RC_OK && rename(temporary, path) != 0)
		rc = rc_of_errno();
	if (rc == RC_OK)
		rc = sync_directory_of(path);
	else
		unlink(temporary);
	free(temporary);
	return rc;
}
