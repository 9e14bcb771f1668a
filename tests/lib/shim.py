"""Faults below the programs: the preloaded libraries of tests/faults, and the page of numbers that steers them.

    shim = Shim(data, "disk")
    with Worker(data, env=shim.env) as w:
        shim["writes"] = NO_SPACE
"""
import mmap
import os
import struct
import subprocess

from lib.programs import BUILD, SANITIZED, THREAD_SANITIZED

# The order is tests/faults/shim.h's.
SLOTS = ["syncs", "synced_writes", "sync_delay_us", "writes", "bytes_free", "fs_magic", "clock_offset_s", "clock_sync",
         "nth_kinds", "nth_at", "nth_for", "nth_every", "nth_errno", "nth_ours", "nth_not_pid", "nth_seen", "nth_failed"]
AS_THEY_ARE, NO_SPACE, SHORT, NO_SPACE_SYNCED = range(4)
NFS_MAGIC = 0x6969
SYNCED, UNSYNCED, UNSAID = 1, 2, 3


class Shim:
    def __init__(self, data, *names):
        path = data.home / f"shim-{'-'.join(names)}.page"
        path.write_bytes(bytes(8 * len(SLOTS)))
        libraries = [BUILD / f"tests/faults/shim-{name}.so" for name in names]
        for library in libraries:
            assert library.exists(), f"{library} is missing: run make shims"
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 8 * len(SLOTS))
        self.env = {"LD_PRELOAD": " ".join([*sanitizer(), *map(str, libraries)]), "POSTERN_SHIM": str(path)}

    def __getitem__(self, name):
        return struct.unpack_from("=q", self.page, 8 * SLOTS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("=q", self.page, 8 * SLOTS.index(name), value)


def sanitizer():
    """The sanitizer's own library wants to be the first of all that are preloaded."""
    if not SANITIZED:
        return []
    library = "libtsan.so" if THREAD_SANITIZED else "libasan.so"
    where = subprocess.run(["gcc", f"-print-file-name={library}"], capture_output=True, text=True, check=True).stdout.strip()
    return [os.path.realpath(where)]
