"""LMDB's write lock on the ledger, held by the test: nothing can be committed until it is let go."""
import ctypes
import ctypes.util

NOTLS = 0x200000


class HeldLedger:
    """with HeldLedger(data): the worker's commits wait; release() lets them go early."""

    def __init__(self, data):
        self.lmdb = ctypes.CDLL(ctypes.util.find_library("lmdb") or "liblmdb.so.0")
        self.env, self.txn = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("mdb_env_create", ctypes.byref(self.env))
        self.call("mdb_env_open", self.env, str(data.path / "ledger").encode(), NOTLS, 0o660)
        self.call("mdb_txn_begin", self.env, None, 0, ctypes.byref(self.txn))

    def call(self, name, *args):
        code = getattr(self.lmdb, name)(*args)
        assert code == 0, f"{name}: {code}"

    def release(self):
        if self.txn:
            self.lmdb.mdb_txn_abort(self.txn)
            self.txn = ctypes.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()
        self.lmdb.mdb_env_close(self.env)
