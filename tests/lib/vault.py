"""Damage in the vault, done past the programs: what a failing disk leaves."""
from lib.rawdb import RawDb


def damage_rows(data, database, prefix):
    """Turns the last byte of each row whose key begins with prefix. Returns how many there were."""
    with RawDb(data.path / "vault") as db:
        found = db.rows(database, prefix)
        for name, content in found:
            db.put(database, name, content[:-1] + bytes([content[-1] ^ 1]))
    return len(found)
