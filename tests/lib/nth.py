"""The Nth call of a kind fails: tests/faults/shim-nth.c steered by a test, from the moment it says so.

    nth = Nth(data)
    with Worker(data, env=nth.env) as w:
        for fault in nth.every("memory"):
            with fault:
                ...one request...
"""
import errno
import os

from lib.programs import SANITIZED, SANITIZER_EXIT
from lib.shim import Shim

SLOW = os.environ.get("POSTERN_SLOW") == "1"
# The order is tests/faults/shim-nth.c's; and what such a call usually says.
KINDS = {"memory": errno.ENOMEM, "write": errno.ENOSPC, "read": errno.EIO, "sync": errno.EIO, "map": errno.ENOMEM,
         "open": errno.EMFILE, "accept": errno.EMFILE, "thread": errno.EAGAIN, "epoll": errno.ENOSPC, "change": errno.EIO,
         "look": errno.EIO}
FOR_EVER = 2**40
ALL_UP_TO = 400             # a request has 130 allocations, a rotation 200, a doctor 1,500 of one kind


class Fault:
    """with fault: what happens in it has its Nth call fail. Afterwards fault.hit says whether it did."""

    def __init__(self, nth, kind, number, error, count):
        self.nth, self.kind, self.number, self.error, self.count = nth, kind, number, error, count
        self.hit, self.seen = False, 0

    def __enter__(self):
        self.nth.arm(self.kind, self.number, self.error, self.count)
        return self

    def __exit__(self, *_):
        self.seen, failed = self.nth.disarm()
        self.hit = failed > 0

    def __str__(self):
        return f"{self.kind} {self.number} ({errno.errorcode[self.error]}{' and all after it' if self.count > 1 else ''})"


class Nth(Shim):
    def __init__(self, data):
        super().__init__(data, "nth")
        if SANITIZED:                       # ours first: what it lets through is the sanitizer's
            sanitizer, library = self.env["LD_PRELOAD"].split()
            self.env["LD_PRELOAD"] = f"{library} {sanitizer}"
            self.env["ASAN_OPTIONS"] = f"verify_asan_link_order=0:exitcode={SANITIZER_EXIT}"
            # libfcgi loses the one block that it was filling when memory failed.
            known = data.file("leaks", "leak:libfcgi\n")
            self.env["LSAN_OPTIONS"] = f"exitcode={SANITIZER_EXIT}:print_suppressions=0:suppressions={known}"

    def arm(self, kinds, number=0, error=None, count=1, every=0):
        kinds = [kinds] if isinstance(kinds, str) else kinds
        self["nth_kinds"] = 0
        for slot, value in {"at": number, "for": count, "every": every, "errno": error or KINDS[kinds[0]], "seen": 0,
                            "failed": 0}.items():
            self[f"nth_{slot}"] = value
        self["nth_kinds"] = sum(1 << list(KINDS).index(k) for k in kinds)

    def disarm(self):
        """(how many such calls there were, how many of them failed)"""
        self["nth_kinds"] = 0
        return self["nth_seen"], self["nth_failed"]

    def only_ours(self):
        """The C library's and OpenSSL's own calls do not count, for programs that start: both crash where memory fails them then."""
        self["nth_ours"] = 1
        return self

    def every(self, kind, error=None, count=1, few=1):
        """A Fault for each N, until the whole has fewer such calls. Unless all are wanted, and beyond ALL_UP_TO, only some of them,
        further and further apart: from N on each `few` steps are as wide as N is large."""
        number = 1
        while True:
            fault = Fault(self, kind, number, error or KINDS[kind], count)
            yield fault
            if not fault.hit:
                return
            number += 1 if SLOW and number < ALL_UP_TO else 1 + number // few
