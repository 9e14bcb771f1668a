/* store.h -- connectd's own store: one sealed file for each connection, under its own key.
 *
 * DIR/connect.key (32 random bytes, made at the first start), DIR/connections/NAME (AES-256-GCM, associated data
 * "connection\0NAME"), DIR/connections/NAME.lock. Each load reads the file: another process may have saved it. */
#ifndef POSTERN_FCGI_APP_CONNECTD_STORE_H
#define POSTERN_FCGI_APP_CONNECTD_STORE_H

#include "fcgi-app/connectd/connection.h"

struct connect_store;

/* Makes what is missing. RC_TOO_OPEN: others can read DIR or the key; RC_REFUSED, RC_INVALID, RC_IO; why says what. Thread-safe
 * from here on. */
enum rc connect_store_open(const char *dir, struct connect_store **ret, struct why *why) MUST_CHECK;
void    connect_store_close(struct connect_store *s);
const char *connect_store_dir(const struct connect_store *s);

/* RC_NOT_FOUND, RC_UNSEALED (not under this key, or of another name), RC_IO. *ret is filled only with RC_OK. */
enum rc connect_store_load(const struct connect_store *s, const char *name, struct connection *ret) MUST_CHECK;
/* Synced with its directory when it returns RC_OK. Hold the lock. */
enum rc connect_store_save(const struct connect_store *s, const struct connection *c) MUST_CHECK;
enum rc connect_store_remove(const struct connect_store *s, const char *name) MUST_CHECK;     /* RC_NOT_FOUND. Hold the lock */
/* The names, sorted, as a JSON array of strings; new. */
enum rc connect_store_names(const struct connect_store *s, json_t **ret) MUST_CHECK;

/* Who changes a connection holds its lock: load again under it, change, save. Waits; across processes and threads. */
enum rc connect_store_lock(const struct connect_store *s, const char *name, int *ret_fd) MUST_CHECK;
void    connect_store_unlock(const struct connect_store *s, const char *name, int fd);

#endif
