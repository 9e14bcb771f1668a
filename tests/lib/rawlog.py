"""Records at the end of the log behind Postern's back, with the leaves of its tree, as a worker that was taken over could write
them: the log goes on after them."""
import ctypes
import hashlib
import struct

from lib.rawdb import RawDb, Val

TILE = 256
HASH = 32


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def root(tile):
    """Of a full tile."""
    hashes = [tile[at:at + HASH] for at in range(0, len(tile), HASH)]
    while len(hashes) > 1:
        hashes = [hashlib.sha256(b"\1" + a + b).digest() for a, b in zip(hashes[::2], hashes[1::2])]
    return hashes[0]


def key(level, index):
    return struct.pack(">BQ", level, index)


class Tiles:
    """The tiles that change as leaves are added."""

    def __init__(self, ledger):
        self.ledger, self.changed = ledger, {}

    def add(self, level, number, digest):
        at = key(level, number // TILE)
        if at not in self.changed:
            self.changed[at] = bytearray((self.ledger.get("tree", at) or b"") if number % TILE else b"")
        tile = self.changed[at]
        tile += digest
        if len(tile) == TILE * HASH:
            self.add(level + 1, number // TILE, root(bytes(tile)))


def size(ledger):
    records = ledger.rows("records")
    return struct.unpack(">Q", records[-1][0])[0] + 1 if records else 0


def append(ledger, lines, first=None):
    """Returns the number of the first. first: the log's size, where it is known."""
    first = size(ledger) if first is None else first
    tiles = Tiles(ledger)
    for seq, line in enumerate(lines, first):
        tiles.add(0, seq, leaf(line))
    ledger.put_all("records", [(struct.pack(">Q", seq), line) for seq, line in enumerate(lines, first)])
    ledger.put_all("tree", [(at, bytes(tile)) for at, tile in tiles.changed.items()])
    return first


def put_lines(data, lines):
    """Rows of the log, {seq: line}, without leaves, in one transaction."""
    def work(txn, dbi):
        for seq, line in lines.items():
            k, v = Val.of(struct.pack(">Q", seq)), Val.of(line.encode())
            db.call("mdb_put", txn, dbi, ctypes.byref(k), ctypes.byref(v), 0)
    with RawDb(data.path / "ledger") as db:
        db.within("records", 0, work)
