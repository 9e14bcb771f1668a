"""A day under a flood of blocked tokens from many sources, in jumps of the wall clock: strangers write what their budget and
their share of the space allow, and a verified visitor's actions work after every jump. What a flood without a pause may write
in a day is tests/unit/audit/test_flood.c's."""
import time

import pytest

from lib import notes
from lib.fastcgi import Connection, environ
from lib.programs import BUILD, SANITIZED, wait_until
from lib.shim import Shim
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

DAY, JUMP = 86400, 1800
SOURCES, REQUESTS = 5000, 160           # each jump's requests are from the next sources
RATE = 1                                # of a source; a site has 10 a second and 100 at once
SMALL = 250_000                         # bytes of room for all of a day: little
RECORD_BYTES = 2048                     # of the ledger for a record, its tree and its index: far more than it takes


class Clock(Shim):
    """Both shims on one page: the clock's and the disk's."""

    def __init__(self, data):
        super().__init__(data, "clock")
        self.env["LD_PRELOAD"] += f" {BUILD / 'tests/faults/shim-disk.so'}"

    def now(self):
        return int(time.time()) + self["clock_offset_s"]


class Flood:
    def __init__(self, data, worker, shim, site):
        self.data, self.worker, self.shim, self.site = data, worker, shim, site
        self.sent, self.kept, self.start = 0, [], time.monotonic()

    def blocked(self, count):
        """So many blocked tokens, each from the next source."""
        path = notes.identity_path()
        with Connection(self.worker.socket) as c:
            for _ in range(count):
                n = self.sent % SOURCES
                env = environ(path=path, token="x.y.z", REMOTE_ADDR=f"198.18.{n // 250}.{n % 250}")
                answer = c.ask(env, keep=True).answer.check()
                assert (answer.status, answer.code) == (401, "token_invalid"), str(answer)
                self.sent += 1

    def visit(self):
        """A verified visitor's write: answered 200, and another process finds it."""
        text = f"note {len(self.kept)}"
        now = self.shim.now()
        answer = notes.act(self.worker, "create_note", {"text": text}, self.site.token(iat=now, exp=now + 300))
        assert answer.status == 200, str(answer)
        self.kept.append(text)
        return answer

    def day(self):
        for offset in range(0, DAY + 1, JUMP):
            self.shim["clock_offset_s"] = offset
            self.blocked(REQUESTS)
            self.visit()
        return DAY // JUMP + 1


def texts(data):
    rows = data.run("document", "list", notes.SITE, "notes", "--json").json
    return sorted(row["data"]["text"] for row in rows if row["owner"] == "alex@example.com")


def measured(worker):
    """The bytes in use when the worker has measured them twice more: between the two it wrote the folds that were due."""
    end = time.monotonic() + 2.1
    wait_until(lambda: time.monotonic() > end, "two of the worker's seconds", 5)
    return notes.metrics(worker)["postern_ledger_used_bytes"]


def strangers(data):
    """(records of their own, folds)"""
    records = data.audit(outcome="blocked")
    return [r for r in records if "count" not in r], [r for r in records if "count" in r]


def test_a_day_of_flood_stays_within_the_budget_and_visitors_go_on(data):
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    shim = Clock(data)
    with Worker(data, "--audit-budget", RATE, env=shim.env) as worker:
        before = notes.metrics(worker)["postern_ledger_used_bytes"]
        flood = Flood(data, worker, shim, site)
        jumps = flood.day()
        grown = measured(worker) - before
    seconds = time.monotonic() - flood.start
    whole, folds = strangers(data)
    # a jump fills the site's bucket, the time that really passes adds to it, and a site's own fold costs nothing
    bound = jumps * 100 * RATE + 10 * RATE * seconds + jumps + seconds / 10 + 2
    assert bound * 0.7 < len(whole) + len(folds) <= bound
    assert len(whole) + sum(r["count"] for r in folds) == flood.sent, "each is a record or counted in one"
    assert 0 < grown <= (bound + jumps) * RECORD_BYTES
    assert texts(data) == sorted(flood.kept)
    assert len(data.audit(action="create_note", outcome="done")) == jumps


@pytest.mark.slow
@pytest.mark.skipif(SANITIZED, reason="a few pages decide it, and what a sanitizer costs decides when they are free again")
def test_a_day_of_flood_past_the_strangers_share_leaves_visitors_theirs(data):
    """The ledger's space is so small that strangers have used their share before the day is over. Their folds then go on being
    due: what those write must not eat the visitors' share either, so each jump waits until the worker has looked at them.
    So little room is a few looks of the worker, which measures once a second: on a busy machine one jump can overshoot."""
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    ledger = data.path / "ledger/data.mdb"
    shim = Clock(data)
    shim["bytes_free"] = 32 << 20           # too little to write ahead of the pages (shared/store/ahead.c)
    with Worker(data, "--audit-budget", RATE, env=shim.env) as worker:
        flood = Flood(data, worker, shim, site)
        limit = notes.metrics(worker)["postern_ledger_used_bytes"] + SMALL
        shares = []
        for offset in range(0, DAY + 1, 4 * JUMP):
            shim["bytes_free"] = max(limit - ledger.stat().st_size, 0) + 1      # what is left of a small disk
            shim["clock_offset_s"] = offset
            flood.blocked(REQUESTS)
            flood.visit()
            shares.append(measured(worker) / limit)
    assert max(shares) > 0.7, f"strangers had their share: {shares}"
    assert max(shares) < 0.97, f"and visitors have room: {shares}"
    assert texts(data) == sorted(flood.kept)
    whole, folds = strangers(data)
    assert len(whole) + sum(r["count"] for r in folds) == flood.sent
