/* store.c -- connectd's data directory. */
#include "fcgi-app/connectd/store.h"

#include "base/crypto.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALED_MAX ((size_t)1 << 20)
#define PATH_MAX_HERE 512

struct connect_store {
	char *dir;
	struct secret *key;
};

/* ---- opening ---- */

/* A directory that only we (and root) can look into. */
static enum rc own_directory(const char *path, struct why *why)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		why_set(why, "cannot make %s: %s", path, strerror(errno));
		return RC_IO;
	}
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		why_set(why, "%s is no directory", path);
		return RC_IO;
	}
	if ((st.st_mode & 077) != 0) {
		why_set(why, "%s is open to other users: chmod 700 it", path);
		return RC_TOO_OPEN;
	}
	return RC_OK;
}

static enum rc make_key(const char *path)
{
	struct secret *key = secret_new(AEAD_KEY_SIZE);
	enum rc rc = key ? crypto_random(key->data, key->size) : RC_NOMEM;

	if (rc == RC_OK)
		rc = file_create(path, secret_span(key), 0600);
	secret_free(key);
	return rc == RC_EXISTS ? RC_OK : rc;
}

/* A lost key is not made anew beside connections that it sealed. */
static enum rc may_make_key(const struct connect_store *s, struct why *why)
{
	json_t *names;
	enum rc rc = connect_store_names(s, &names);

	if (rc != RC_OK)
		return rc;
	if (json_array_size(names) > 0) {
		why_set(why, "%s/connect.key is gone, and connections are sealed under it: put it back, or remove %s/connections",
			s->dir, s->dir);
		rc = RC_REFUSED;
	}
	json_decref(names);
	return rc;
}

static enum rc read_key(struct connect_store *s, const char *path, struct why *why)
{
	struct stat st;
	enum rc rc = RC_OK;

	if (lstat(path, &st) != 0 && (rc = may_make_key(s, why)) == RC_OK)
		rc = make_key(path);
	if (rc == RC_OK && (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)))
		rc = RC_IO;
	if (rc == RC_OK && (st.st_mode & 077) != 0) {
		why_set(why, "%s is open to other users: chmod 600 it", path);
		return RC_TOO_OPEN;
	}
	if (rc == RC_OK)
		rc = secret_read_file(path, AEAD_KEY_SIZE, &s->key);
	if (rc == RC_INVALID || (rc == RC_OK && s->key->size != AEAD_KEY_SIZE))
		rc = RC_CORRUPT;
	if (rc != RC_OK)
		why_set(why, "cannot use %s: %s", path, rc_text(rc));
	return rc;
}

static enum rc open_all(struct connect_store *s, struct why *why)
{
	char connections[PATH_MAX_HERE], key[PATH_MAX_HERE];
	enum rc rc;

	if (strlen(s->dir) > PATH_MAX_HERE - CONNECTION_NAME_MAX - 32) {
		why_set(why, "--data: the path is too long");
		return RC_INVALID;
	}
	snprintf(connections, sizeof(connections), "%s/connections", s->dir);
	snprintf(key, sizeof(key), "%s/connect.key", s->dir);
	if ((rc = own_directory(s->dir, why)) != RC_OK || (rc = own_directory(connections, why)) != RC_OK)
		return rc;
	return read_key(s, key, why);
}

enum rc connect_store_open(const char *dir, struct connect_store **ret, struct why *why)
{
	struct connect_store *s = calloc(1, sizeof(*s));
	enum rc rc = RC_NOMEM;

	if (s && (s->dir = strdup(dir)) != NULL)
		rc = open_all(s, why);
	if (rc == RC_OK)
		*ret = s;
	else
		connect_store_close(s);
	return rc;
}

void connect_store_close(struct connect_store *s)
{
	if (!s)
		return;
	secret_free(s->key);
	free(s->dir);
	free(s);
}

const char *connect_store_dir(const struct connect_store *s)
{
	return s->dir;
}

/* ---- connections ---- */

/* The one place where a name becomes a path: none that is not a name does. */
static bool path_of(const struct connect_store *s, const char *name, const char *suffix, char out[PATH_MAX_HERE])
{
	if (!connection_name_ok(span_str(name)))
		return false;
	return snprintf(out, PATH_MAX_HERE, "%s/connections/%s%s", s->dir, name, suffix) < PATH_MAX_HERE;
}

static void add_aad(struct buf *aad, const char *name)
{
	buf_add(aad, "connection", sizeof("connection"));  /* its NUL too */
	buf_add_str(aad, name);
}

enum rc connect_store_load(const struct connect_store *s, const char *name, struct connection *ret)
{
	struct buf sealed = BUF_INIT, aad = BUF_INIT;
	struct secret *text = NULL;
	char path[PATH_MAX_HERE];
	enum rc rc;

	if (!path_of(s, name, "", path))
		return RC_NOT_FOUND;
	add_aad(&aad, name);
	rc = aad.failed ? RC_NOMEM : file_read(path, SEALED_MAX, &sealed);
	if (rc == RC_OK)
		rc = aead_open(s->key, buf_span(&aad), buf_span(&sealed), &text);
	if (rc == RC_OK)
		rc = connection_read(name, text, ret);
	secret_free(text);
	buf_done(&sealed);
	buf_done(&aad);
	return rc;
}

enum rc connect_store_save(const struct connect_store *s, const struct connection *c)
{
	struct buf sealed = BUF_INIT, aad = BUF_INIT;
	struct secret *text = connection_write(c);
	char path[PATH_MAX_HERE];
	enum rc rc = RC_NOMEM;

	add_aad(&aad, c->name);
	if (text && !aad.failed)
		rc = path_of(s, c->name, "", path) ? aead_seal(s->key, buf_span(&aad), secret_span(text), &sealed) : RC_INVALID;
	if (rc == RC_OK && sealed.size > SEALED_MAX)
		rc = RC_INVALID;
	if (rc == RC_OK)
		rc = sealed.failed ? RC_NOMEM : file_replace(path, buf_span(&sealed), 0600);
	secret_free(text);
	buf_done(&sealed);
	buf_done(&aad);
	return rc;
}

static enum rc sync_connections(const struct connect_store *s)
{
	char path[PATH_MAX_HERE];
	enum rc rc;
	int fd;

	snprintf(path, sizeof(path), "%s/connections", s->dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd >= 0 && fsync(fd) == 0 ? RC_OK : RC_IO;
	if (fd >= 0)
		close(fd);
	return rc;
}

enum rc connect_store_remove(const struct connect_store *s, const char *name)
{
	char path[PATH_MAX_HERE];

	if (!path_of(s, name, "", path))
		return RC_NOT_FOUND;
	if (unlink(path) != 0)
		return errno == ENOENT ? RC_NOT_FOUND : RC_IO;
	return sync_connections(s);
}

enum rc connect_store_names(const struct connect_store *s, json_t **ret)
{
	char path[PATH_MAX_HERE];
	struct dirent **found;
	json_t *names;
	bool ok;
	int count;

	snprintf(path, sizeof(path), "%s/connections", s->dir);
	count = scandir(path, &found, NULL, alphasort);
	if (count < 0)
		return RC_IO;
	names = json_array();
	ok = names != NULL;
	for (int i = 0; i < count; i++) {
		if (ok && connection_name_ok(span_str(found[i]->d_name)))  /* locks and temporaries have a dot */
			ok = json_array_append_new(names, json_string(found[i]->d_name)) == 0;
		free(found[i]);
	}
	free(found);
	if (!ok)
		json_decref(names);
	else
		*ret = names;
	return ok ? RC_OK : RC_NOMEM;
}

/* ---- locks ---- */

/* RC_BUSY: whoever had it removed the file, so this lock is of nothing; try again. */
static enum rc lock_once(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), rc;
	struct stat ours, there;

	if (fd < 0)
		return RC_IO;
	do
		rc = flock(fd, LOCK_EX);
	while (rc != 0 && errno == EINTR);
	if (rc == 0 && fstat(fd, &ours) == 0) {
		*ret_fd = fd;
		if (stat(path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
			return RC_OK;
		close(fd);
		return RC_BUSY;
	}
	close(fd);
	return RC_IO;
}

enum rc connect_store_lock(const struct connect_store *s, const char *name, int *ret_fd)
{
	char path[PATH_MAX_HERE];
	enum rc rc;

	if (!path_of(s, name, ".lock", path))
		return RC_NOT_FOUND;
	do
		rc = lock_once(path, ret_fd);
	while (rc == RC_BUSY);
	return rc;
}

/* Where there is no connection, the lock's file goes too, whoever made it: one that was removed while others waited for it would
 * leave theirs. They see it in lock_once(). */
void connect_store_unlock(const struct connect_store *s, const char *name, int fd)
{
	char connection[PATH_MAX_HERE], lock[PATH_MAX_HERE];
	struct stat there;

	if (path_of(s, name, "", connection) && path_of(s, name, ".lock", lock) &&
	    stat(connection, &there) != 0 && errno == ENOENT)
		unlink(lock);
	close(fd);
}
