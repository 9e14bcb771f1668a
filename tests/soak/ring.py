"""Which keys a token may be signed with right now, told by the admins of a run to its clients through one small file.

A client reads the file before it sends and again where the answer surprises it, so every answer is judged by what was true between
the two. An admin says that a key is going before it lets it go, and that it is gone once the command has ended."""
import json
import os
import threading
import time

EARLY_SECONDS, LATE_SECONDS = 1.2, 1.0      # around a key's retire_at, which is in whole seconds: either answer is right
VERIFIES, GOING, GONE = "verifies", "going", "gone"
GONE_KEPT = 12                              # so many keys that are gone stay in the file, to be tried


class Ring:
    def __init__(self, path):
        self.path, self.lock, self.keys = path, threading.Lock(), {}

    def put(self, kid, **members):
        """A new key (secret=...), or members of a known one: state, until (when a retirement ahead comes)."""
        with self.lock:
            known = self.keys.setdefault(kid, {"state": VERIFIES, "until": None})
            known.update(members)
            gone = [k for k, v in self.keys.items() if v["state"] == GONE]
            for old in gone[:-GONE_KEPT]:
                del self.keys[old]
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(self.keys), encoding="ascii")
            os.replace(fresh, self.path)

    def now(self, *states):
        with self.lock:
            return {kid: key for kid, key in self.keys.items() if state_of(key) in states}


def state_of(key, now=None):
    now = time.time() if now is None else now
    if key["state"] == VERIFIES and key["until"] is not None:
        return VERIFIES if now < key["until"] - EARLY_SECONDS else GOING if now < key["until"] + LATE_SECONDS else GONE
    return key["state"]


class RingView:
    """A client's look at the file."""

    def __init__(self, path):
        self.path, self.seen, self.keys = path, None, {}

    def look(self):
        info = os.stat(self.path)
        if (info.st_ino, info.st_mtime_ns) != self.seen:
            self.seen = (info.st_ino, info.st_mtime_ns)
            self.keys = json.loads(self.path.read_text(encoding="ascii"))
        return self.keys

    def in_state(self, wanted):
        now = time.time()
        return [(kid, key["secret"]) for kid, key in self.look().items() if state_of(key, now) == wanted]

    def still(self, kid, wanted):
        key = self.look().get(kid)
        return key is not None and state_of(key) == wanted
