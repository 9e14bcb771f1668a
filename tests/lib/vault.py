"""Damage in the vault, done past the programs: what a failing disk leaves."""
import ctypes
import ctypes.util


class Value(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]


def value(data):
    return Value(len(data), ctypes.cast(ctypes.create_string_buffer(data, len(data)), ctypes.c_void_p))


def damage_rows(data, database, prefix):
    """Turns the last byte of each row whose key begins with prefix. Returns how many there were."""
    lmdb = ctypes.CDLL(ctypes.util.find_library("lmdb") or "liblmdb.so.0")
    env, txn, cursor, dbi = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint()

    def call(name, *args):
        code = getattr(lmdb, name)(*args)
        assert code == 0, f"{name}: {code}"
    call("mdb_env_create", ctypes.byref(env))
    call("mdb_env_set_maxdbs", env, 64)
    call("mdb_env_open", env, str(data.path / "vault").encode(), 0, 0o640)
    call("mdb_txn_begin", env, None, 0, ctypes.byref(txn))
    call("mdb_dbi_open", txn, database.encode(), 0, ctypes.byref(dbi))
    call("mdb_cursor_open", txn, dbi, ctypes.byref(cursor))
    found, key, row, next_row = [], Value(), Value(), 8     # MDB_NEXT
    while lmdb.mdb_cursor_get(cursor, ctypes.byref(key), ctypes.byref(row), next_row) == 0:
        name = ctypes.string_at(key.data, key.size)
        if name.startswith(prefix):
            found.append((name, ctypes.string_at(row.data, row.size)))
    lmdb.mdb_cursor_close(cursor)
    for name, content in found:
        call("mdb_put", txn, dbi, ctypes.byref(value(name)), ctypes.byref(value(content[:-1] + bytes([content[-1] ^ 1]))), 0)
    call("mdb_txn_commit", txn)
    lmdb.mdb_env_close(env)
    return len(found)
