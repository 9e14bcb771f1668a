"""The machine stops at any moment: what the disk may then hold is rebuilt from a journal of the worker's writes, and what was
answered by then must be in it.

A disk keeps what a sync that returned had before it. Of the writes after that it may keep any, in sectors and in any order.
Only a sector is taken to be written whole or, if torn, from its beginning: LMDB's meta page has no checksum, and the number of
the transaction, by which the newer of two is chosen, is the last of what is written of it."""
import faulthandler
import json
import os
import random
import shutil
import struct
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import pytest

from lib import audit, fastcgi, notes, rawlog
from lib.datadir import postern
from lib.ledger import HeldLedger
from lib.programs import wait_until
from lib.rawdb import RawDb
from lib.shim import Shim
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

CLIENTS = 10
ROUNDS = 5                        # each asks for each kind once
BEFORE = 220                      # records there at the start: the log grows past a tile of 256
SECTOR = 512
SLOW = os.environ.get("POSTERN_SLOW") == "1"
PICKS = 30 if SLOW else 4         # random choices of what was kept, at each moment
COMMANDS_EVERY = 10 if SLOW else 40
TABLES = ["meta", "records", "tree", "index", "identities", "pins", "pin_order", "pin_expiry", "idempotency",
          "idempotency_expiry", "documents", "key_use", "workers"]

# tests/faults/shim-journal.c's.
WRITE, SYNCED_WRITE, SYNC, SYNCED, MAPPED_SYNC = range(5)
ENTRY = struct.Struct("=4q")


@dataclass
class Entry:
    kind: int
    thread: int
    at: int
    data: bytes
    end: int                      # where it ends in the journal
    durable: bool = False


def read_journal(path):
    text, at, entries = path.read_bytes(), 0, []
    while at < len(text):
        kind, thread, where, size = ENTRY.unpack_from(text, at)
        at += ENTRY.size + size
        entries.append(Entry(kind, thread, where, text[at - size:at], at))
    assert at == len(text) and entries
    return entries


def put(image, at, data):
    """What was never written reads as zeros; what was not kept makes the file no longer."""
    if not data:
        return
    if len(image) < at:
        image.extend(bytes(at - len(image)))
    image[at:at + len(data)] = data


def sectors(entry):
    """[(where, bytes)] of a write, as a disk takes them."""
    pieces, done = [], 0
    while done < len(entry.data):
        size = min(SECTOR - (entry.at + done) % SECTOR, len(entry.data) - done)
        pieces.append((entry.at + done, entry.data[done:done + size]))
        done += size
    return pieces


class Disk:
    """What is surely kept, and the writes that may be. lies: a kind of entry whose end makes nothing durable."""

    def __init__(self, image, lies=None):
        self.image, self.waiting, self.begun, self.lies = bytearray(image), [], {}, lies

    def take(self, entry):
        assert entry.kind != MAPPED_SYNC, "something was written through the map"
        if entry.kind in (WRITE, SYNCED_WRITE):
            self.waiting.append(entry)
        if entry.kind in (SYNCED_WRITE, SYNC):
            self.begun[entry.thread] = entry, len(self.waiting)
        if entry.kind == SYNCED:
            begun, count = self.begun.pop(entry.thread)
            if begun.kind != self.lies:
                self.made_durable(begun, count)

    def made_durable(self, begun, count):
        if begun.kind == SYNCED_WRITE:
            begun.durable = True
            return
        assert count == len(self.waiting), "a write while a sync was under way: the replay does not know what it took"
        for entry in self.waiting:
            put(self.image, entry.at, entry.data)
        self.waiting = []

    def kept(self, choose):
        """The file, with those sectors not yet durable that choose() takes, and of them what it leaves."""
        image = bytearray(self.image)
        for entry in self.waiting:
            for at, data in [(entry.at, entry.data)] if entry.durable else sectors(entry):
                put(image, at, data if entry.durable else choose(data))
        return bytes(image)

    def unsure(self):
        return any(not entry.durable for entry in self.waiting)

    def states(self, luck, picks):
        """What may be found: nothing of what was not durable, all of it, and choices of it with torn sectors among them."""
        found = {self.kept(lambda data: data)}
        if self.unsure():
            found.add(self.kept(lambda data: b""))
            for _ in range(picks):
                share = luck.random()
                found.add(self.kept(lambda data, share=share: data if luck.random() < share else b""))
                found.add(self.kept(lambda data: data[:luck.randrange(len(data) + 1)]))
        return sorted(found)


# ---- the load ----

class Client(threading.Thread):
    """A visitor; each answer is noted with how long the journal was when it was there."""
    KINDS = ["create_note", "expired", "leave_note", "signal", "forged"]

    def __init__(self, load, number):
        super().__init__()
        self.load, self.number, self.failures = load, number, []

    def run(self):
        try:
            with self.load.worker.connect() as connection:
                for i in range(ROUNDS):
                    self.ask(connection, self.KINDS[(self.number + i) % len(self.KINDS)])
        except Exception as problem:                # pylint: disable=broad-except
            self.failures.append(repr(problem))

    def request(self, kind):
        site, mine = self.load.site, {"email": f"v{self.number}@example.com"}
        if kind == "expired":
            return fastcgi.environ(path=notes.identity_path(), token=site.token(ttl=-5, **mine)), b""
        if kind == "forged":
            return notes.request_for("hello", {}, site.token(secret="x" * 43, **mine))
        token = site.token(**mine) if kind == "create_note" else None
        return notes.request_for(kind, {} if kind == "signal" else {"text": "x" * 700}, token)

    def ask(self, connection, kind):
        env, body = self.request(kind)
        answer = connection.ask(env, body, keep=True).answer
        at = self.load.journal.stat().st_size
        assert answer.status == (401 if kind in ("expired", "forged") else 200), str(answer)
        made = answer.json["result"]["id"] if kind.endswith("note") else None
        self.load.answered.append((at, dict(answer.headers)["X-Request-Id"], made))


class Load:
    """What a worker wrote while it was asked: the data before it, its journal, and the answers."""

    def __init__(self, data):
        self.data, self.answered = data, []
        self.site = data.add_site(notes.SITE, actions=notes.ACTIONS)
        with RawDb(data.path / "ledger") as ledger:
            rawlog.append(ledger, [line_of(seq) for seq in range(rawlog.size(ledger), BEFORE)])
        data.run("audit", "checkpoint")
        self.start = data.home / "start"
        shutil.copytree(data.path, self.start)
        self.journal = data.home / "journal"
        env = {**Shim(data, "journal").env, "POSTERN_SHIM_JOURNAL": str(self.journal)}
        with Worker(data, "--audit-budget", "0", threads=4, env=env) as self.worker:
            self.run()
        self.entries = read_journal(self.journal)
        self.image = (self.start / "ledger/data.mdb").read_bytes()

    def run(self):
        clients = [Client(self, i) for i in range(CLIENTS)]
        with HeldLedger(self.data):             # the first of each are one commit
            for c in clients:
                c.start()
            wait_until(lambda: notes.metrics(self.worker)["postern_jobs_queued"] >= CLIENTS, "all to queue", 1.5)
        self.joined(clients)
        alone = Client(self, CLIENTS)           # each of its is one
        alone.start()
        self.joined([alone])
        assert len(self.answered) == (CLIENTS + 1) * ROUNDS

    def joined(self, clients):
        for c in clients:
            c.join(30)
            assert not c.is_alive() and not c.failures, c.failures


def line_of(seq):
    return audit.canonical({"event": "action", "id": f"01JD4ZK2M3N4P5Q6R7S8T9{seq:04d}", "outcome": "done", "seq": seq,
                            "site": notes.SITE, "time": 1763690000000000 + seq, "v": 1}).encode()


@pytest.fixture
def load(data):
    return Load(data)


# ---- what must be true ----

def look(folder):
    with RawDb(folder) as ledger:
        return {table: ledger.rows(table) for table in TABLES}


class Reader:
    """Reads a ledger in another process: a file that is broken enough ends it."""

    def __init__(self, folder):
        self.folder = folder
        self.pool = ProcessPoolExecutor(1, mp_context=get_context("fork"), initializer=faulthandler.disable)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown()

    def tables(self, image):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (self.folder / "data.mdb").write_bytes(image)
        return self.pool.submit(look, self.folder).result(20)


def check_tree(lines, tree):
    hashes, expected, level = [rawlog.leaf(line) for line in lines], {}, 0
    while hashes:
        tiles = [b"".join(hashes[i:i + rawlog.TILE]) for i in range(0, len(hashes), rawlog.TILE)]
        expected.update({rawlog.key(level, i): tile for i, tile in enumerate(tiles)})
        hashes = [rawlog.root(tile) for tile in tiles if len(tile) == rawlog.TILE * rawlog.HASH]
        level += 1
    assert dict(tree) == expected, "the tree is not of these records"


def check_tables(tables, answered):
    """Returns the log's lines."""
    numbers, lines = [struct.unpack(">Q", key)[0] for key, _ in tables["records"]], [line for _, line in tables["records"]]
    assert numbers == list(range(len(lines))), "a gap in the log"
    check_tree(lines, tables["tree"])
    records = [json.loads(line) for line in lines]
    assert [r["seq"] for r in records] == numbers
    times = Counter(r["id"] for r in records if r["outcome"] != "intended")
    assert not [i for i, n in times.items() if n != 1], "recorded twice"
    lost = [i for _, i, _ in answered if i not in times]
    assert not lost, f"answered and lost: {lost}"
    documents = {key.rsplit(b"\0", 1)[1].decode() for key, _ in tables["documents"]}
    assert len(documents) == sum(r.get("action") in ("create_note", "leave_note") and r["outcome"] == "done" for r in records)
    gone = [made for _, _, made in answered if made and made not in documents]
    assert not gone, f"answered, and there is no such document: {gone}"
    return lines


def check_commands(load, image, lines):
    """Postern itself on it; and the log goes on."""
    home = load.data.home / "crashed"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(load.start, home)
    (home / "ledger/data.mdb").write_bytes(image)

    def run(*args):
        ran = postern(*args, "--data", home)
        assert ran.code == 0, str(ran)
        return ran
    assert run("audit", "export").out.encode().split(b"\n")[:-1] == lines
    verdict = run("audit", "verify", "--json").json
    assert verdict["verdict"] == "verified" and verdict["size"] == len(lines), verdict
    run("site", "add", "other")
    verdict = run("audit", "verify", "--json").json
    assert verdict["verdict"] == "verified" and verdict["size"] == len(lines) + 2, verdict


def commits(sizes):
    """Of how many records each commit was. sizes: of the log after each."""
    sizes = sorted(sizes)
    return {b - a for a, b in zip(sizes, sizes[1:])}


@pytest.mark.limit(600 if SLOW else 60)
def test_whenever_the_machine_stops_the_ledger_holds_what_was_answered(load):
    disk, luck, sizes, count = Disk(load.image), random.Random(11), set(), 0
    with Reader(load.data.home / "rebuilt") as reader:
        for moment, entry in enumerate(load.entries):
            disk.take(entry)
            answered = [a for a in load.answered if a[0] <= entry.end]
            for image in disk.states(luck, PICKS):
                try:
                    lines = check_tables(reader.tables(image), answered)
                    if count % COMMANDS_EVERY == 0:
                        check_commands(load, image, lines)
                except Exception as problem:
                    raise AssertionError(f"at entry {moment} of the journal, state {count}: {problem!r}") from problem
                sizes.add(len(lines))
                count += 1
    print(f"{len(load.entries)} moments, {count} states, {len(load.answered)} answers, {len(sizes)} sizes of the log")
    assert disk.kept(lambda data: data) == (load.data.path / "ledger/data.mdb").read_bytes(), "the journal is not all that was written"
    assert min(commits(sizes)) == 1 and max(commits(sizes)) >= CLIENTS / 2 and max(sizes) > rawlog.TILE
    assert len(answered) == len(load.answered) and count > 2 * len(load.entries)


def is_found_out(folder, image, answered):
    try:
        with Reader(folder) as reader:
            check_tables(reader.tables(image), answered)
    except (AssertionError, BrokenProcessPool):
        return True
    return False


@pytest.mark.parametrize("lies", [SYNC, SYNCED_WRITE])
def test_a_disk_that_only_says_it_has_synced_is_found_out(load, lies):
    """Else the test above would show nothing."""
    disk, luck = Disk(load.image, lies), random.Random(12)
    for entry in load.entries:
        disk.take(entry)
        answered = [a for a in load.answered if a[0] <= entry.end]
        if any(is_found_out(load.data.home / "rebuilt", image, answered) for image in disk.states(luck, 1)):
            return
    raise AssertionError("no state of a lying disk was found out")
