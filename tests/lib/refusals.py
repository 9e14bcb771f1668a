"""Pairs of requests that are refused alike, and must be refused in the same time; and pairs that differ on purpose, by which the
measurement shows that it sees. For tests/faults/test_timing.py and tests/bench/bench_timing.py."""
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass

from lib import notes, timing, tokens
from lib.datadir import DataDir
from lib.fastcgi import environ, whole
from lib.worker import Worker

MEMORY = "/dev/shm"             # a disk's commits would hide what is looked for
EACH = 40                       # requests of a kind that take turns, so that none's own place in the store decides
UNKNOWN_KID = "k_zzzzzzzz"
KID_MOST = 0.5                  # microseconds: a kid is no secret, and what is done for it is not in the same order for each
FAR = 4102444800                # the year 2100
ME, BOB = "alex@example.com", "bob@example.com"


@dataclass
class Pair:
    name: str
    leaks: bool                 # the control: it is told apart on purpose
    kinds: tuple                # of lists of (request, what must be in the answer)
    most: float = 0             # microseconds that may be found


class Ground:
    """A site with three keys and a retired one, notes of two visitors; a site with one key. Strangers' records are folded, so that
    nothing waits for a commit that is not waited for by either kind."""

    def __init__(self, data, worker):
        self.data, self.worker = data, worker
        self.site, self.single = data.sites[notes.SITE], data.sites["single"]
        *self.kids, self.retired = self.site.keys
        self.token = self.site.token(self.kids[0], ttl=86000)

    def read(self, note):
        env, body = notes.request_for("read_note", {"id": note}, self.token)
        return whole(env, body, keep=True)

    def identity(self, token, site=notes.SITE):
        return whole(environ(path=notes.identity_path(site), token=token), keep=True)

    def wrong(self, kid, signer, byte, site=None):
        """Signed by a key, but for one byte of the signature."""
        site = site or self.site
        head, claims, _ = tokens.mint(site.keys[signer], kid=kid, iat=1, exp=FAR).split(".")
        raw = bytearray(tokens.sign(f"{head}.{claims}", site.keys[signer]))
        raw[byte] ^= 0x5a
        return self.identity(f"{head}.{claims}.{tokens.b64(bytes(raw))}", site.name)

    def pairs(self):
        one, two, three = self.kids
        refused = b'"code":"token_invalid"'

        def tokens_of(kid, signer, byte, site=None):
            return [(self.wrong(kid, signer, byte, site), refused)]

        def documents(prefix, expected):
            return [(self.read(f"{prefix}-{i:04}"), expected) for i in range(EACH)]
        found, missing = b'"result":', b'"code":"not_found"'
        single = self.single.kid
        yield Pair("control: a document that is there, or none", True, (documents("mine", found), documents("none", missing)))
        yield Pair("control: two keys more to try", True, (tokens_of(None, single, 3, self.single), tokens_of(None, one, 3)))
        yield Pair("a document of somebody else, or of nobody", False, (documents("bobs", missing), documents("none", missing)))
        yield Pair("first or last byte of the signature", False, (tokens_of(None, one, 0), tokens_of(None, one, 31)))
        yield Pair("nearly signed by the first key, or the third", False, (tokens_of(None, one, 31), tokens_of(None, three, 31)))
        yield Pair("kid of a key, or unknown", False, (tokens_of(two, one, 3), tokens_of(UNKNOWN_KID, one, 3)), KID_MOST)
        yield Pair("kid retired, or unknown", False, (tokens_of(self.retired, one, 3), tokens_of(UNKNOWN_KID, one, 3)), KID_MOST)


def row(note, owner):
    return {"collection": "notes", "id": note, "owner": owner, "data": {"text": "x" * 100, "n": 0}}


def prepare(data):
    rows = [row(f"{prefix}-{i:04}", owner) for prefix, owner in (("mine", ME), ("bobs", BOB)) for i in range(EACH)]
    site = data.add_site(notes.SITE, "--plan", "pro", actions=notes.ACTIONS, documents=rows)
    retired = site.add_key()
    site.retire(retired)
    secret = site.keys.pop(retired)
    while len(site.keys) < 3:
        site.add_key()
    site.keys[retired] = secret             # the last one
    data.add_site("single")


@contextmanager
def ground():
    usual, tempfile.tempdir = tempfile.tempdir, MEMORY
    try:
        with DataDir() as data:
            tempfile.tempdir = usual
            prepare(data)
            with Worker(data, "--audit-budget", "1", threads=1) as worker:
                yield Ground(data, worker)
    finally:
        tempfile.tempdir = usual


def measured(samples):
    """(pair, verdict) of each."""
    with ground() as g:
        for pair in g.pairs():
            yield pair, timing.compare(g.worker, pair.kinds, samples)
