/* audit-private.h -- what the files of shared/audit share with each other and with their tests. */
#ifndef POSTERN_AUDIT_AUDIT_PRIVATE_H
#define POSTERN_AUDIT_AUDIT_PRIVATE_H

#include "audit/audit.h"

/* ---- append.c ---- */

/* A log has at most this many records: a row of a seq from here on is false, as is one whose key has another size. */
#define LOG_MAX INT64_MAX
bool record_key_valid(struct span key);

/* Where the log goes on once its last row is gone too; for who removes that row, in the same transaction. */
void audit_keep_size(struct txn *ledger, uint64_t size);

/* ---- tree.c ---- */

/* Adds the leaf of record seq, which is the log's size before it. Fails the transaction too: no record is kept without
 * its leaf. */
enum rc tree_add(struct txn *ledger, uint64_t seq, struct span line) MUST_CHECK;
/* The first leaf tile from this one on. false: none. */
bool tree_first_tile(struct txn *ledger, uint64_t from, uint64_t *ret);
void tree_remove_tile(struct txn *ledger, uint64_t index);

/* ---- member.c: members of a line as text ---- */

/* Finds the next `text` in *rest, e.g. "site":" with its quotes, moves *rest behind it. false: there is none. */
bool member_find(struct span *rest, struct span text);
/* The next "time": followed by digits. */
bool member_time(struct span *rest, uint64_t *ret);

/* ---- index.c: how the index is built and pruned ---- */

/* Of a bundle: the least and the greatest time of its records and the number of entries, then for each member that is indexed,
 * ascending, a hash of its text ("site":"demo") and which record of the bundle has it. All big-endian.
 *
 * It is kept in parts that each fill one page of the store, the first under the bundle's key, the others under key and number.
 * In one row it took 17 pages in succession, and between pages that come free one by one there are no such 17: every bundle made
 * the file longer, whatever was pruned. */
#define INDEX_HEAD 20
#define INDEX_ENTRY 6                  /* hash 4, record 2 */
#define INDEX_PART 676                 /* entries: with the head 4,076 bytes, and a page takes 4,080 */
#define INDEX_KEY 10                   /* bundle 8, part 2; the first part's key is the bundle alone */
#define INDEX_SAME_MAX 4               /* of one member in a line: a hostile line has more; its bundle is not indexed */
#define INDEX_MEMBERS 3
#define INDEX_ENTRIES_MAX ((size_t)INDEX_BUNDLE * INDEX_MEMBERS * INDEX_SAME_MAX)

#define INDEX_PARTS ((INDEX_ENTRIES_MAX + INDEX_PART - 1) / INDEX_PART)

struct span index_key(uint8_t key[INDEX_KEY], uint64_t bundle, size_t part);
/* Is a member of this text indexed? One with an escape is not: its end is not told by the next quote. */
bool     index_has(struct span text);
uint32_t index_hash(struct span text);
/* The bundle's records are gone. */
void     index_forget(struct txn *ledger, uint64_t bundle);

/* ---- pick.c: what the index says of a filter ---- */

#define PICK_WORDS (INDEX_BUNDLE / 64)
struct pick {
	struct txn *ledger;
	uint64_t since, until;
	uint32_t hash[INDEX_MEMBERS];
	size_t count;
	uint64_t whole;                /* bundles that are whole: others are not indexed, whatever rows say */
	uint64_t bundle;               /* the one whose records `bits` are; UINT64_MAX: none yet */
	uint64_t bits[PICK_WORDS];     /* those that may match */
};
void pick_init(struct pick *p, struct txn *ledger, const struct audit_filter *f);
/* The filter wants lines with this text of a member. */
void pick_add(struct pick *p, struct span text);
/* Moves *seq to the nearest record of its bundle that may match, itself or a later one; or, back, an earlier one.
 * false: none. Where nothing is indexed, or of use to the filter, every record may. */
bool pick_forward(struct pick *p, uint64_t *seq);
bool pick_back(struct pick *p, uint64_t *seq);

#endif
