"""Roots and proofs of the log's tree against RFC 6962 2.1 as it stands there: recursion over the leaves, nothing stored."""
import hashlib
import random
from functools import lru_cache

import pytest

from lib.oracle import ask


@lru_cache(None)
def root(begin, end):
    """MTH(D[begin:end])"""
    if begin == end:
        return hashlib.sha256(b"").digest()
    if end - begin == 1:
        return hashlib.sha256(b"\0record %d" % begin).digest()
    k = split(end - begin)
    return hashlib.sha256(b"\1" + root(begin, begin + k) + root(begin + k, end)).digest()


def split(n):
    """The largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1


def path(m, begin, end):
    """PATH(m, D[begin:end])"""
    if end - begin == 1:
        return []
    k = split(end - begin)
    if m < k:
        return path(m, begin, begin + k) + [root(begin + k, end)]
    return path(m - k, begin + k, end) + [root(begin, begin + k)]


def proof(m, n):
    """PROOF(m, D[n]); RFC 6962 defines none from nothing, ours is empty then."""
    return subproof(m, 0, n, True) if 0 < m < n else []


def subproof(m, begin, end, known):
    """SUBPROOF(m, D[begin:end], known)"""
    n = end - begin
    if m == n:
        return [] if known else [root(begin, end)]
    k = split(n)
    if m <= k:
        return subproof(m, begin, begin + k, known) + [root(begin + k, end)]
    return subproof(m - k, begin + k, end, False) + [root(begin, begin + k)]


def check(sizes, per_size, seed):
    chance = random.Random(seed)
    questions = []
    for size in sizes:
        for _ in range(per_size):
            questions.append({"size": size, "index": chance.randrange(size) if size else None, "from": chance.randrange(size + 1)})
    for q, a in zip(questions, ask(questions), strict=True):
        size, index, start = q["size"], q["index"], q["from"]
        assert a["root"] == root(0, size).hex(), q
        assert a["inclusion"] == ([h.hex() for h in path(index, 0, size)] if size else []), q
        assert a["consistency"] == [h.hex() for h in proof(start, size)], q


def test_every_size_up_to_300_and_some_larger():
    check([*range(301), 511, 512, 513, 1023, 2048, 2049, 4097], 3, 1)


@pytest.mark.slow
@pytest.mark.limit(300)
def test_sizes_around_full_tiles_of_every_level():
    check([*range(250, 262), *range(510, 515), *range(65534, 65540), 65536 + 255, 65536 + 256, 66047, 70001], 40, 2)


@pytest.mark.slow
def test_all_pairs_of_small_sizes():
    questions = [{"size": n, "index": i if i < n else None, "from": i} for n in range(70) for i in range(n + 1)]
    for q, a in zip(questions, ask(questions), strict=True):
        assert a["root"] == root(0, q["size"]).hex()
        assert a["consistency"] == [h.hex() for h in proof(q["from"], q["size"])], q
        assert q["index"] is None or a["inclusion"] == [h.hex() for h in path(q["index"], 0, q["size"])], q
