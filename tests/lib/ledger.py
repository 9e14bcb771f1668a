"""LMDB's write lock on the ledger, held by the test: nothing can be committed until it is let go."""
import ctypes

from lib.rawdb import RawDb


class HeldLedger(RawDb):
    """with HeldLedger(data): the worker's commits wait; release() lets them go early."""

    def __init__(self, data):
        super().__init__(data.path / "ledger")
        self.txn = ctypes.c_void_p()
        self.call("mdb_txn_begin", self.env, None, 0, ctypes.byref(self.txn))

    def release(self):
        if self.txn:
            self.lmdb.mdb_txn_abort(self.txn)
            self.txn = ctypes.c_void_p()

    def __exit__(self, *what):
        self.release()
        super().__exit__(*what)
