"""Rows of a vault or ledger read and written behind Postern's back, with LMDB itself; and what its files are made of."""
import ctypes
import ctypes.util
import os
import struct

NOTLS, RDONLY, NEXT, NOTFOUND = 0x200000, 0x20000, 8, -30798
TXNID_AT = 48                # of MDB_txninfo.mti_txnid in lock.mdb: magic, format, and the readers' mutex (40 bytes) before it
READER_TABLE_FIELDS = 3      # a line of mdb_reader_list: pid, thread, transaction or "-"


class Val(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]

    @classmethod
    def of(cls, text):
        buffer = ctypes.create_string_buffer(text, len(text))
        val = cls(len(text), ctypes.cast(buffer, ctypes.c_void_p))
        val.keep = buffer
        return val

    def bytes(self):
        return ctypes.string_at(self.data, self.size)


class RawDb:
    """with RawDb(data.path / "vault") as db: db.get("meta", b"schema"). One per directory and process at a time."""

    def __init__(self, folder):
        self.lmdb = ctypes.CDLL(ctypes.util.find_library("lmdb") or "liblmdb.so.0")
        self.env = ctypes.c_void_p()
        self.call("mdb_env_create", ctypes.byref(self.env))
        self.call("mdb_env_set_maxdbs", self.env, 32)
        self.call("mdb_env_open", self.env, str(folder).encode(), NOTLS, 0o660)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lmdb.mdb_env_close(self.env)

    def call(self, name, *args):
        code = getattr(self.lmdb, name)(*args)
        assert code == 0, f"{name}: {code}"

    def within(self, table, flags, work):
        txn, dbi = ctypes.c_void_p(), ctypes.c_uint()
        self.call("mdb_txn_begin", self.env, None, flags, ctypes.byref(txn))
        try:
            self.call("mdb_dbi_open", txn, table.encode() if table else None, 0, ctypes.byref(dbi))
            result = work(txn, dbi)
        except BaseException:
            self.lmdb.mdb_txn_abort(txn)
            raise
        self.call("mdb_txn_commit", txn)
        return result

    def get(self, table, key):
        def work(txn, dbi):
            k, v = Val.of(key), Val()
            code = self.lmdb.mdb_get(txn, dbi, ctypes.byref(k), ctypes.byref(v))
            assert code in (0, NOTFOUND), f"mdb_get: {code}"
            return None if code else v.bytes()
        return self.within(table, RDONLY, work)

    def put(self, table, key, row):
        self.put_all(table, [(key, row)])

    def put_all(self, table, rows):
        """[(key, row)] in one transaction."""
        def work(txn, dbi):
            for key, row in rows:
                k, v = Val.of(key), Val.of(row)
                self.call("mdb_put", txn, dbi, ctypes.byref(k), ctypes.byref(v), 0)
        self.within(table, 0, work)

    def delete(self, table, key):
        def work(txn, dbi):
            k = Val.of(key)
            code = self.lmdb.mdb_del(txn, dbi, ctypes.byref(k), None)
            assert code in (0, NOTFOUND), f"mdb_del: {code}"
        self.within(table, 0, work)

    def drop(self, table):
        """The table itself, too."""
        self.within(table, 0, lambda txn, dbi: self.call("mdb_drop", txn, dbi, 1))

    def tables(self):
        """The names of all there are: the rows of LMDB's unnamed table."""
        return [key.decode() for key, _ in self.rows(None)]

    def rows(self, table, prefix=b""):
        """[(key, row)] of all rows whose key begins with prefix."""
        def work(txn, dbi):
            cursor, k, v, found = ctypes.c_void_p(), Val(), Val(), []
            self.call("mdb_cursor_open", txn, dbi, ctypes.byref(cursor))
            while self.lmdb.mdb_cursor_get(cursor, ctypes.byref(k), ctypes.byref(v), NEXT) == 0:
                if k.bytes().startswith(prefix):
                    found.append((k.bytes(), v.bytes()))
            self.lmdb.mdb_cursor_close(cursor)
            return found
        return self.within(table, RDONLY, work)

    def reader_pids(self):
        """The processes that hold reader slots, dead ones too."""
        lines = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        code = self.lmdb.mdb_reader_list(self.env, kind(lambda text, _: lines.append(text.decode()) or 0), None)
        assert code >= 0, f"mdb_reader_list: {code}"
        rows = [line.split() for line in lines]
        return {int(row[0]) for row in rows if len(row) == READER_TABLE_FIELDS and row[0].isdigit()}


def newest_txnid(folder):
    """Which of LMDB's transactions readers are shown."""
    with open(folder / "lock.mdb", "rb") as f:
        f.seek(TXNID_AT)
        return struct.unpack("=Q", f.read(8))[0]


def set_newest_txnid(folder, txnid):
    with open(folder / "lock.mdb", "r+b") as f:
        f.seek(TXNID_AT)
        f.write(struct.pack("=Q", txnid))


def flip_bytes(path, text, at):
    """Flips a bit of every place in the file that holds text, at its at'th byte; the file keeps its inode."""
    content = path.read_bytes()
    found = -1
    with open(path, "r+b") as f:
        while (found := content.find(text, found + 1)) >= 0:
            f.seek(found + at)
            f.write(bytes([content[found + at] ^ 1]))
            f.flush()
    assert text not in path.read_bytes()
    os.sync()
