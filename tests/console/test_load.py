"""Much of everything: a flood of blocked tokens while one looks at it, a vault of 100,000 sites, and nothing at all."""
import itertools
import multiprocessing
import re
import time
from pathlib import Path

import pytest

from lib import fastcgi, rawlog
from lib.programs import SANITIZED, wait_until
from lib.rawdb import RawDb
from lib.terminal import Console
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

FLOOD = 20_000 if SANITIZED else 100_000
BATCH = 500
RATE = 10_000                          # records a second
THROUGH_WORKER = 2_000 if SANITIZED else 10_000
SITES = 100_000
KEY_SECONDS = 0.3
GROWS_KIB = 12 * 1024
IDLE_SECONDS = 3
RING = 10_000                          # events that Live holds
REASONS = ["token_expired", "signature_mismatch", "token_malformed", "key_retired", "email_missing"]

processes = multiprocessing.get_context("fork")


# ---- what is measured ----

def answers(console, key, what, gone=False):
    """Seconds until the screen shows that the key was taken."""
    began = time.monotonic()
    console.press(key)
    (console.wait_gone if gone else console.wait_for)(what, 30)
    return time.monotonic() - began


def check_answers(times):
    """Of a machine with other things to do a few may be later."""
    late = sorted(t for t in times if t > KEY_SECONDS)
    assert SANITIZED or len(late) <= len(times) // 20, f"{len(late)} of {len(times)} keys took {KEY_SECONDS} s or more: {late}"


def own_memory(console):
    """KiB that are nobody else's, and no file's."""
    return int(re.search(r"^RssAnon:\s*(\d+)", Path(f"/proc/{console.pid}/status").read_text("ascii"), re.M).group(1))


def processor_seconds(console):
    return sum(int(path.read_text("ascii").split()[0]) for path in Path(f"/proc/{console.pid}/task").glob("*/schedstat")) / 1e9


# ---- the flood ----

def line(seq):
    """A blocked record as a worker writes it, now."""
    reason, site, now = REASONS[seq % len(REASONS)], ("acme", "zeta")[seq % 2], time.time_ns() // 1000
    return (f'{{"event":"identity","id":"01JD4ZK2M3N4P5Q6R7S8T9V0WX","outcome":"blocked","reason":"{reason}",'
            f'"remote":"203.0.{seq % 7}.0/24","seq":{seq},"site":"{site}","status":401,"time":{now},"token":"{seq:08x}","v":1}}').encode()


def rows(first, count):
    return [line(seq) for seq in range(first, first + count)]


def pour(folder, first, count):
    """Records behind Postern's back, RATE a second in commits of BATCH."""
    began = time.monotonic()
    with RawDb(folder) as ledger:
        for start in range(0, count, BATCH):
            rawlog.append(ledger, rows(first + start, min(BATCH, count - start)), first + start)
            time.sleep(max(0.0, began + start / RATE - time.monotonic()))        # no faster than said


class Pouring:
    """with Pouring(data, count) as p: ... while p.alive(): ... In a process of its own, so that it does not wait for the test."""

    def __init__(self, data, count):
        with RawDb(data.path / "ledger") as ledger:
            first = rawlog.size(ledger)
        self.process = processes.Process(target=pour, args=(data.path / "ledger", first, count))

    def __enter__(self):
        self.process.start()
        return self

    def alive(self):
        return self.process.is_alive()

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
        self.process.join(60)
        assert kind or self.process.exitcode == 0


@pytest.fixture
def two(data):
    """Two sites, and Live of them. The records that are poured in name no key of theirs: the log is not checked line by line."""
    data.check_lines = False
    site = data.add_site("acme")
    data.add_site("zeta")
    with Console(data) as c:
        c.press("3")
        c.wait_for("0 in 5 min")
        yield data, site, c


def number(text):
    return int(text.replace(",", ""))


def shown(console, pattern):
    """The number that the screen shows in the pattern's group; None: it does not."""
    found = re.search(pattern, "\n".join(console.screen()))
    return number(found.group(1)) if found else None


COMING = r"PAUSED \+([\d,]+) new"
OF_ALL = r"the last [\d,]+ of ([\d,]+)"
IN_5_MIN = r"([\d,]+) in 5 min"


@pytest.mark.limit(180)
def test_keys_are_answered_while_100000_tokens_are_blocked(two):
    """One pauses, scrolls, filters, follows again, looks at other panels; in the end every one of them was counted."""
    data, _, c = two
    times, early = [], None
    with Pouring(data, FLOOD) as flood:
        wait_until(lambda: (shown(c, OF_ALL) or 0) > RING, "more than Live holds", 60)
        for turn in itertools.count():
            if not flood.alive():
                break
            times += [answers(c, "Space", "PAUSED"), answers(c, "PageUp", "PAUSED"), answers(c, "Home", "PAUSED"),
                      answers(c, "/", "Filter the blocked"), answers(c, "Escape", "Filter the blocked", gone=True),
                      answers(c, "Enter", "What it means"), answers(c, "Escape", "What it means", gone=True),
                      answers(c, "?", "─ Help"), answers(c, "Escape", "─ Help", gone=True), answers(c, "End", " following ")]
            if turn % 5 == 4:
                times += [answers(c, key, panel) for key, panel in zip("124563", ("[1 ", "[2 ", "[4 ", "[5 ", "[6 ", "[3 "))]
            early = early or own_memory(c)
    assert SANITIZED or len(times) > 10                 # what a sanitizer costs, the flood may not last for
    check_answers(times)
    wait_until(lambda: shown(c, IN_5_MIN) == FLOOD, f"{FLOOD} to be counted", 30)
    assert shown(c, OF_ALL) == FLOOD
    assert shown(c, r"token_expired ([\d,]+)") == FLOOD // len(REASONS)
    assert SANITIZED or own_memory(c) - early < GROWS_KIB, (early, own_memory(c))


@pytest.mark.limit(120)
def test_what_comes_while_paused_is_counted(two):
    data, _, c = two
    with Pouring(data, 20_000):
        wait_until(lambda: (shown(c, OF_ALL) or 0) > RING, "more than Live holds", 60)
        answers(c, "Space", "PAUSED")
        before = shown(c, OF_ALL)
    wait_until(lambda: before + (shown(c, COMING) or 0) == 20_000, "all of them to be counted", 30)
    assert shown(c, OF_ALL) == before
    answers(c, "Space", " following ")
    assert shown(c, OF_ALL) == 20_000


@pytest.mark.limit(120)
def test_a_filter_counts_what_it_chooses(two):
    data, _, c = two
    c.press("/")
    c.wait_for("Filter the blocked")
    c.send("site:zeta reason:key_retired")
    c.press("Enter")
    c.wait_for("site:zeta reason:key_retired")
    with Pouring(data, 20_000):
        pass
    wait_until(lambda: shown(c, IN_5_MIN) == 2_000, "every tenth of them", 30)
    rows = c.screen()
    assert not re.search("acme|token_expired", "\n".join(rows)) and "zeta" in rows[10]


@pytest.mark.limit(120)
def test_a_console_that_starts_behind_a_long_log_counts_its_last_minutes(data):
    data.check_lines = False
    data.add_site("acme")
    with Pouring(data, 30_000):
        pass
    with Console(data) as c:
        c.wait_for("[1 Sites]")
        c.press("3")
        c.wait_for("[3 Live]")
        # It holds so many, and says since when it has them all; or, had it counted further, all of them.
        wait_until(lambda: (shown(c, r"([\d,]+) (?:in 5 min|since \d\d:\d\d)") or 0) >= RING, "the last of them", 30)
        assert SANITIZED or answers(c, "?", "─ Help") < KEY_SECONDS


@pytest.mark.limit(120)
def test_one_that_was_away_says_how_many_it_passed_over(two):
    """Stopped, as by Ctrl-Z, while more came than it reads again: it goes to the newest, and says so."""
    data, _, c = two
    if SANITIZED:
        pytest.skip("too much for what a sanitizer costs")
    c.press("1")
    c.wait_for("[1 Sites]")
    with RawDb(data.path / "ledger") as ledger:
        first = rawlog.size(ledger)
        rawlog.append(ledger, rows(first, 300_000), first)
    c.press("3")
    text = "\n".join(c.wait_for("were passed over", 60))
    passed = number(re.search(r"([\d,]+) records were passed over", text).group(1))
    assert 300_000 - 60_000 < passed <= 300_000 - RING and "Audit panel" in text


# ---- through a real worker ----

def ask_over_and_over(socket, tokens, count):
    """Blocked requests on one connection after the other, several at once."""
    path = "/v1/sites/acme/identity"
    for start in range(0, count, 16):
        connections = [fastcgi.Connection(socket) for _ in range(min(16, count - start))]
        for i, c in enumerate(connections):
            c.send(fastcgi.whole(fastcgi.environ(path=path, token=tokens[(start + i) % len(tokens)])))
        for c in connections:
            assert c.read_reply().answer.status == 401
            c.close()


@pytest.mark.limit(180)
def test_every_token_that_a_worker_blocks_is_counted(two):
    data, site, c = two
    tokens = [site.token(ttl=-5 - i, sub=str(i)) for i in range(50)]
    times = []
    with Worker(data, "--audit-budget", "0", threads=8) as worker:
        clients = [processes.Process(target=ask_over_and_over, args=(worker.socket, tokens, THROUGH_WORKER // 2))
                   for _ in range(2)]
        for client in clients:
            client.start()
        try:
            while any(client.is_alive() for client in clients):
                times += [answers(c, "Space", "PAUSED"), answers(c, "PageUp", "PAUSED"), answers(c, "Space", " following ")]
        finally:
            for client in clients:
                client.join(60)
                assert client.exitcode == 0
        check_answers(times)
        wait_until(lambda: shown(c, IN_5_MIN) == THROUGH_WORKER, "all of them to be counted", 30)
        c.press("1", "Enter")
        c.wait_for(f"verified {THROUGH_WORKER:,} tokens in the last hour", 30)


# ---- nothing to do ----

@pytest.mark.skipif(SANITIZED, reason="what a sanitizer costs says nothing")
@pytest.mark.parametrize("panel", ["1", "3", "5"])
def test_at_rest_no_panel_costs_more_than_one_percent(data, panel):
    """Before a log of some length, beside a worker that has nothing to do."""
    data.check_lines = False
    data.add_site("acme")
    with Pouring(data, 5_000):
        pass
    with Worker(data), Console(data, "--site", "acme") as c:
        c.wait_for("[2 Keys]")
        c.press(panel)
        c.wait_for(f"[{panel} ")
        wait_until(lambda: not c.read(0.3), "what it has to read first", 20)
        before, began, sent = processor_seconds(c), time.monotonic(), len(c.raw)
        while time.monotonic() - began < IDLE_SECONDS:
            c.read(0.5)
        assert (processor_seconds(c) - before) / (time.monotonic() - began) < 0.01
        assert len(c.raw) - sent < 1000 * IDLE_SECONDS


# ---- many sites ----

@pytest.fixture(scope="module")
def many(module_data):
    """A vault of 100,000 sites more, made of the rows of one."""
    data = module_data
    data.add_site("acme", "--name", "N" * 20)
    with RawDb(data.path / "vault") as vault:
        for table in ("sites", "heads"):
            row = vault.get(table, b"acme")
            vault.put_all(table, ((b"site-%06d" % i, row.replace(b"N" * 20, b"Shop number %08d" % i)) for i in range(SITES)))
    return data


def test_a_vault_of_100000_sites_opens_in_less_than_a_second(many):
    began = time.monotonic()
    with Console(many) as c:
        c.wait_for("100,001 sites")
        c.wait_for("site-000015")
        assert SANITIZED or time.monotonic() - began < 1
    began = time.monotonic()
    with Console(many, "--site", "site-077777") as c:
        c.wait_for("Shop number 00077777")
        assert SANITIZED or time.monotonic() - began < 1


def filter_by(c, text):
    c.press("/")
    c.wait_for("Filter the sites")
    c.press("Ctrl-U")
    c.send(text)


def test_pages_and_ends_of_100000_sites_come_without_lag(many):
    with Console(many) as c:
        c.wait_for("site-000015")
        memory, times = own_memory(c), []
        times += [answers(c, "PageDown", f"site-{17 * i - 1:06}") for i in range(1, 30)]
        for key, what in (("End", "099999"), ("PageUp", "099982"), ("Home", "acme"), ("End", "099999"), ("Home", "acme")):
            times.append(answers(c, key, what))
        check_answers(times)
        for key in ["PageDown"] * 300 + ["PageUp"] * 100 + ["j", "k"] * 200:
            c.press(key)
        c.press("?")
        c.wait_for("─ Help")
        c.press("Escape", "End")
        c.wait_for("site-099999")
        assert SANITIZED or own_memory(c) - memory < GROWS_KIB


def test_a_filter_finds_one_of_100000_sites(many):
    with Console(many) as c:
        c.wait_for("site-000015")
        times = []
        for text, first in (("site-099998", "site-099998"), ("NUMBER 00054321", "site-054321"), ("acme", "acme"),
                            ("9999", "site-009999")):
            filter_by(c, text)
            times.append(answers(c, "Enter", re.compile(rf"EVENT NAME +\n {first} ")))
        check_answers(times)
        filter_by(c, "no site is called that")
        c.press("Enter")
        times = [answers(c, "?", "─ Help"), answers(c, "Escape", "─ Help", gone=True)]         # also while it searches
        check_answers(times)
        c.wait_for("No site has", 30)
        filter_by(c, "site-05000")
        c.press("Enter")
        c.wait_for("site-050009")
        c.wait_gone("searching")
        assert sum("site-05000" in row for row in c.screen()[2:]) == 10
        c.press("G")
        wait_until(lambda: "site-050009" in c.screen()[c.cursor()[0]], "the last one to be selected")
        c.press("Enter")
        c.wait_for("Shop number 00050009")


def test_a_site_that_comes_among_100000_moves_nothing_that_one_looks_at(many):
    with Console(many) as c:
        filter_by(c, "site-05")
        c.press("Enter")
        c.wait_for("site-050016")
        for _ in range(3):
            answers(c, "PageDown", "more above and below")
        wait_until(lambda: not c.read(0.3), "it to be still")
        rows = c.screen()
        for name in ("aa-first", "site-050001-a", "zz-last"):
            many.run("site", "add", name)
        c.wait_for("100,004 sites")
        assert [row[:20] for row in c.screen()[4:20]] == [row[:20] for row in rows[4:20]]
        for name in ("aa-first", "site-050001-a", "zz-last"):
            many.run("site", "remove", name, "--yes")
        c.wait_for("100,001 sites")
