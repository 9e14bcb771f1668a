/* admin-state.c -- admin.state: the vault's counter and rings' MAC as the admins last knew them.
 *
 * Whoever can write vault/lock.mdb can make LMDB show the commit before the last one, and a copied-back data.mdb shows
 * any older one. admin.state is out of a worker's reach, so an older vault is told by it. Many admin programs run at
 * once; none may cry wolf. The order that makes it so:
 *
 *   write:  1 read admin.state   2 begin (LMDB's write lock; sees the newest commit)   3 compare   4 change, counter
 *           + 1   5 commit   6 under the file lock: read admin.state again, replace it if it knows less
 *   open:   1 read admin.state   2 begin a read   3 compare   4 if the vault is ahead, as step 6 (a program died
 *           between 5 and 6: "a higher one is adopted")
 *
 * What the file says was committed before it was written (5 before 6), and every transaction begun after it was read
 * sees all that was committed before: so a vault that is behind the file was rolled back. Reading the file after the
 * begin would break this: others may commit and write between the two. In step 6 a slower program finds a higher
 * counter and leaves it: the file never goes down. It is replaced by rename, so a reader needs no lock; the writers'
 * lock is flock() on admin.key, a file that stays. */
#include "store/store-private.h"

#include "base/encode.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define STATE_FILE_MAX 1024

static bool hex_decode(uint8_t out[SHA256_SIZE], struct span text)
{
	static const char digits[] = "0123456789abcdef";
	const char *s = text.data;

	if (text.size != 2 * SHA256_SIZE)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		const char *digit = s[i] ? strchr(digits, s[i]) : NULL;

		if (!digit)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
	}
	return true;
}

static enum rc parse(struct span text, struct vault_state *ret)
{
	struct vault_state s = { 0 };
	const json_t *counter;
	json_t *root = NULL;
	enum rc rc = json_strict(text, 1, &root, NULL);

	if (rc != RC_OK)
		return rc == RC_NOMEM ? rc : RC_CORRUPT;
	counter = json_object_get(root, "counter");
	s.counter = (uint64_t)json_integer_value(counter);
	if (json_is_integer(counter) && json_integer_value(counter) > 0 &&
	    hex_decode(s.rings, json_span(json_object_get(root, "rings"))))
		*ret = s;
	else
		rc = RC_CORRUPT;
	json_decref(root);
	return rc;
}

enum rc admin_state_read(const struct store_paths *p, struct vault_state *ret, struct why *why)
{
	struct buf text = BUF_INIT;
	enum rc rc = file_read(p->admin_state, STATE_FILE_MAX, &text);

	if (rc == RC_OK)
		rc = parse(buf_span(&text), ret);
	if (rc == RC_INVALID)
		rc = RC_CORRUPT;
	if (rc == RC_NOT_FOUND)
		why_set(why, "%s is missing, so it cannot be told whether the vault was rolled back: postern init makes it anew "
		        "from the vault as it is now", p->admin_state);
	else if (rc == RC_CORRUPT)
		why_set(why, "%s does not parse: look at the vault's sites and keys, then remove the file and run postern init",
		        p->admin_state);
	else if (rc != RC_OK)
		why_set(why, "%s: %s", p->admin_state, rc_text(rc));
	buf_done(&text);
	return rc;
}

enum rc admin_state_check(const struct vault_state *known, const struct vault_state *vault)
{
	if (vault->counter < known->counter)
		return RC_ROLLED_BACK;
	if (vault->counter == known->counter && memcmp(vault->rings, known->rings, sizeof(known->rings)) != 0)
		return RC_ROLLED_BACK;
	return RC_OK;
}

static enum rc lock(const struct store_paths *p, int *ret_fd)
{
	int fd = open(p->admin_key, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int e;

	if (fd < 0)
		return RC_IO;
	do
		e = flock(fd, LOCK_EX);
	while (e != 0 && errno == EINTR);
	if (e != 0) {
		close(fd);
		return RC_IO;
	}
	*ret_fd = fd;
	return RC_OK;
}

static enum rc replace(const struct store_paths *p, const struct vault_state *s)
{
	char hex[2 * SHA256_SIZE + 1];
	struct buf text = BUF_INIT;
	enum rc rc;

	hex_encode(hex, s->rings, sizeof(s->rings));
	buf_add_str(&text, "{\"counter\":");
	buf_add_u64(&text, s->counter);
	buf_addf(&text, ",\"rings\":\"%s\"}\n", hex);
	rc = text.failed ? RC_NOMEM : file_replace(p->admin_state, buf_span(&text), 0600);
	buf_done(&text);
	return rc;
}

enum rc admin_state_raise(const struct store_paths *p, const struct vault_state *s)
{
	struct vault_state known;
	enum rc rc;
	int fd;

	if ((rc = lock(p, &fd)) != RC_OK)
		return rc;
	rc = admin_state_read(p, &known, NULL);
	if (rc == RC_NOT_FOUND || (rc == RC_OK && known.counter < s->counter))
		rc = replace(p, s);
	close(fd);      /* and with it the lock */
	return rc;
}
