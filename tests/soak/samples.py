"""What must not grow, looked at again and again while the run goes on: memory, descriptors, LMDB's reader slots, the ledger's pages."""
import contextlib
import ctypes
import os
import re
import statistics
import struct
import threading
import time
from collections import Counter
from pathlib import Path

from lib.rawdb import NEXT, RDONLY, READER_TABLE_FIELDS, RawDb, Val

WARM_UP = 0.3               # of the run: caches, rings and the kept part of the log fill


class Stat(ctypes.Structure):
    """MDB_envinfo of LMDB 0.9."""
    _fields_ = [("mapaddr", ctypes.c_void_p), ("mapsize", ctypes.c_size_t), ("last_pgno", ctypes.c_size_t), ("last_txnid", ctypes.c_size_t),
                ("maxreaders", ctypes.c_uint), ("numreaders", ctypes.c_uint)]


class TableStat(ctypes.Structure):
    """MDB_stat."""
    _fields_ = [("psize", ctypes.c_uint), ("depth", ctypes.c_uint), ("branch", ctypes.c_size_t), ("leaf", ctypes.c_size_t),
                ("overflow", ctypes.c_size_t), ("entries", ctypes.c_size_t)]


class Environment(RawDb):
    def entries(self, table):
        def work(txn, dbi):
            stat = TableStat()
            self.call("mdb_stat", txn, dbi, ctypes.byref(stat))
            return stat.entries
        return self.within(table, RDONLY, work)

    def readers(self):
        """{pid: slots}"""
        lines = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.lmdb.mdb_reader_list(self.env, kind(lambda text, _: lines.append(text.decode()) or 0), None)
        rows = [line.split() for line in lines]
        return Counter(int(row[0]) for row in rows if len(row) == READER_TABLE_FIELDS and row[0].isdigit())

    def pages(self):
        """(in the file, free): a row of the free list is a count and so many page numbers."""
        info, free = Stat(), 0
        txn, cursor, k, v = ctypes.c_void_p(), ctypes.c_void_p(), Val(), Val()
        self.call("mdb_txn_begin", self.env, None, RDONLY, ctypes.byref(txn))
        try:
            self.call("mdb_env_info", self.env, ctypes.byref(info))
            self.call("mdb_cursor_open", txn, 0, ctypes.byref(cursor))
            while self.lmdb.mdb_cursor_get(cursor, ctypes.byref(k), ctypes.byref(v), NEXT) == 0:
                free += struct.unpack("=Q", v.bytes()[:8])[0]
            self.lmdb.mdb_cursor_close(cursor)
        finally:
            self.lmdb.mdb_txn_abort(txn)
        return info.last_pgno + 1, free


def own_memory(pid):
    """RssAnon, KiB."""
    return int(re.search(r"^RssAnon:\s*(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"), re.M).group(1))


def descriptors(pid):
    """(all but sockets, sockets): these come and go with the clients."""
    kinds = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            kinds.append(os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"))
    return kinds.count(False), kinds.count(True)


def slope(points):
    """Of [(x, y)] by Theil and Sen: the median of the slopes between any two, which one odd sample does not move."""
    rises = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:] if b[0] > a[0]]
    return statistics.median(rises) if rises else 0.0


class Sampler(threading.Thread):
    """steady: {name: pid} of what lives as long as the run."""

    def __init__(self, data, steady, over, every):
        super().__init__(daemon=True, name="Sampler")
        self.data, self.steady, self.over, self.every = data, steady, over, every
        self.rows, self.failed, self.began = [], None, time.monotonic()

    def run(self):
        try:
            with Environment(self.data.path / "ledger") as ledger, Environment(self.data.path / "vault") as vault:
                while not self.over.wait(self.every):
                    self.rows.append(self.look(ledger, vault))
        except BaseException as e:       # pylint: disable=broad-except
            self.failed = e
            self.over.set()

    def look(self, ledger, vault):
        row = {"s": round(time.monotonic() - self.began, 1)}
        slots = {"ledger": ledger.readers(), "vault": vault.readers()}
        for name, pid in self.steady.items():
            row[f"{name} KiB"] = own_memory(pid)
            row[f"{name} fds"], row[f"{name} sockets"] = descriptors(pid)
            row[f"{name} slots"] = sum(s[pid] for s in slots.values())
        row["all slots"] = sum(sum(s.values()) for s in slots.values())
        file, row["ledger free"] = ledger.pages()
        row["ledger used"] = file - row["ledger free"]
        row["ledger file"] = file
        row["records"] = ledger.entries("records")
        row["used/1000"] = round(1000 * row["ledger used"] / max(1, row["records"]), 1)
        row["vault used"] = vault.pages()[0] - vault.pages()[1]
        return row

    def warm(self):
        return self.rows[int(len(self.rows) * WARM_UP):]

    def growth(self, column):
        """By how much the column grew from the end of the warm-up to the end of the run, as its slope has it."""
        points = [(row["s"], row[column]) for row in self.warm()]
        return slope(points) * (points[-1][0] - points[0][0])

    def table(self, rows=24):
        """At most so many of them, evenly taken, and the growth of each column."""
        columns = list(self.rows[0])
        step = max(1, len(self.rows) // rows)
        lines = [columns, *([str(row[c]) for c in columns] for row in self.rows[::step]),
                 ["growth", *(f"{self.growth(c):+.1f}" for c in columns[1:])]]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        return "\n".join("  ".join(text.rjust(width) for text, width in zip(line, widths)) for line in lines)
