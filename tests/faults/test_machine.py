"""What else a machine may do: a file is cut short, every reader slot or descriptor is taken, signals come without end, the clock
steps while records are written."""
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from lib import notes
from lib.fastcgi import Connection
from lib.nth import Nth
from lib.programs import ROOT, environment, wait_until
from lib.shim import Shim
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")


@pytest.fixture
def notebook(data):
    return data.add_site(notes.SITE, actions=notes.ACTIONS)


# ---- a file that is cut short ----

@pytest.mark.parametrize("name", ["ledger", "vault"])
def test_a_file_cut_short_ends_the_worker_with_a_word_and_every_command_too(data, notebook, name):
    path, copy = data.path / name / "data.mdb", data.home / "copy"
    token, worker = notebook.token(), Worker(data)
    try:
        assert notes.act(worker, "create_note", {"text": "x" * 20000}, token).status == 200
        shutil.copy2(path, copy)
        os.truncate(path, 2 * 4096)
        for _ in range(3):
            try:
                with Connection(worker.socket, 5) as c:
                    reply = c.ask(*notes.request_for("read_note", {"id": "none"}, token))
            except (ConnectionError, FileNotFoundError):
                break
            assert not reply.ended or reply.answer.status == 503, str(reply)
        assert worker.process.wait(10) == 3
        assert "<3>postern-fcgi gave up: vault or ledger is shorter" in worker.log()
    finally:
        worker.kill()
    for command in [("key", "list", notes.SITE), ("audit", "verify"), ("doctor",)]:
        ran = data.ask(*command)
        assert ran.code in (1, 3) and ("shorter" in ran.err or command[0] == "doctor"), str(ran)
    with open(copy, "rb") as old, open(path, "r+b") as f:
        shutil.copyfileobj(old, f)
    data.run("key", "check", notes.SITE)


# ---- reader slots ----

# Takes every slot of an environment that is left, says how many, and waits.
HOG = """
import ctypes, sys
from lib.rawdb import NOTLS, RDONLY, RawDb
db = RawDb(sys.argv[1])
taken, e = [], 0
while e == 0:
    txn = ctypes.c_void_p()
    e = db.lmdb.mdb_txn_begin(db.env, None, RDONLY, ctypes.byref(txn))
    taken.append(txn)
print(len(taken) - 1, e, flush=True)
sys.stdin.read()
"""
READERS_FULL = -30790


class Hog:
    def __init__(self, folder):
        self.process = subprocess.Popen([sys.executable, "-B", "-c", HOG, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment(PYTHONPATH=str(ROOT / "tests")))
        self.taken, error = map(int, self.process.stdout.readline().split())
        assert error == READERS_FULL and self.taken > 126, (self.taken, error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("name", ["ledger", "vault"])
def test_a_worker_goes_on_without_free_reader_slots_and_commands_say_what_is_wrong(data, notebook, name):
    token = notebook.token()
    with Worker(data, "--audit-budget", "0", threads=2) as worker:
        assert [notes.act(worker, "create_note", {"text": "x"}, token).status for _ in range(8)] == [200] * 8
        with Hog(data.path / name):
            for _ in range(8):
                answer = notes.act(worker, "create_note", {"text": "x"}, token)
                assert answer.status == 200 or (answer.status, answer.code) in {(503, "vault_unavailable"), (503, "audit_unavailable")}
                assert notes.identity(worker, notebook.token(ttl=-5)).status in (401, 503)
            ran = data.ask("key", "list", notes.SITE)
            assert ran.code == 3 and len(ran.err) > 20 and ran.out == "", str(ran)
        wait_until(lambda: notes.act(worker, "create_note", {"text": "x"}, token).status == 200, "slots to be free again", 40)
        data.run("key", "list", notes.SITE)


# ---- descriptors ----

def test_without_descriptors_nobody_is_let_in_and_all_goes_on_afterwards(data, notebook):
    token, bad = notebook.token(), notebook.token(ttl=-5)
    with Worker(data, "--audit-budget", "0", threads=2) as worker:
        assert notes.identity(worker, token).status == 200
        used = len(os.listdir(f"/proc/{worker.pid}/fd"))
        soft, hard = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (used + 2, hard))
        idle = [Connection(worker.socket) for _ in range(6)]
        answers = []

        def ask(text, kind):
            answer = notes.identity(worker, text)
            answers.append((kind, answer.status))
        askers = [threading.Thread(target=ask, args=pair) for pair in [(token, "good"), (bad, "bad")] * 3]
        for a in askers:
            a.start()
        time.sleep(0.3)                                 # they wait in the backlog, or an idle one made room
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (soft, hard))
        for a in askers:
            a.join(15)
            assert not a.is_alive(), "a request that waited for a descriptor was forgotten"
        for c in idle:
            c.close()
        assert sorted(answers) == [("bad", 401)] * 3 + [("good", 200)] * 3


# ---- signals ----

class Storm(threading.Thread):
    """Stops a process and lets it go on, again and again: its waits are interrupted (EINTR), whether it has a handler or not."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.over, self.count = pid, threading.Event(), 0

    def run(self):
        while not self.over.wait(0.001):
            os.kill(self.pid, signal.SIGSTOP)
            os.kill(self.pid, signal.SIGCONT)
            for other in (signal.SIGHUP, signal.SIGALRM, signal.SIGPIPE, signal.SIGUSR2):
                os.kill(self.pid, other)
            self.count += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_a_storm_of_signals_changes_no_answer_and_no_stop(data, notebook):
    """A stop afterwards is an orderly one: what the worker counted is written."""
    token, bad = notebook.token(), notebook.token(ttl=-5)
    with Worker(data, "--audit-budget", "1", threads=2) as worker:
        with Storm(worker.pid) as storm:
            for i in range(60):
                assert notes.act(worker, "create_note", {"text": f"{i}"}, token).status == 200
                assert notes.identity(worker, bad).status == 401
            assert storm.count > 30
        worker.stop()
    assert len(data.audit(action="create_note", outcome="done")) == 60
    blocked = data.audit(outcome="blocked")
    assert sum(r.get("count", 1) for r in blocked) == 60 and any("count" in r for r in blocked), "what was folded is not lost"


def test_interrupted_calls_of_a_command_are_made_again(data, notebook):
    """Each call that may be interrupted is, every second time."""
    nth = Nth(data)
    nth.arm(["read", "write"], every=2, error=4)
    old = notebook.kid
    ran = data.ask("key", "rotate", notes.SITE, "--secret-file", data.home / "secret", "--json", env=nth.env)
    _, failed = nth.disarm()
    states = {k["kid"]: k["state"] for k in data.run("key", "list", notes.SITE, "--json").json}
    assert failed > 0 and (ran.code == 0 or ran.err), str(ran)
    assert states in ({old: "active"}, {old: "retiring", **{k: "active" for k in states if k != old}}), str(ran)
    assert (ran.code == 0) == (len(states) == 2), str(ran)


# ---- the clock ----

def test_records_and_their_proof_stand_while_the_clock_steps(data, notebook):
    shim, now = Shim(data, "clock"), int(time.time())
    with Worker(data, "--audit-budget", "0", env=shim.env) as worker:
        for offset in (0, 7200, -7200, 86400 * 300, -86400 * 300, 0):
            shim["clock_offset_s"] = offset
            token = notebook.token(iat=now + offset, exp=now + offset + 600)
            assert notes.act(worker, "create_note", {"text": "x"}, token).status == 200, offset
            assert notes.identity(worker, notebook.token(iat=now + offset - 600, exp=now + offset - 1)).code == "token_expired"
        shim["clock_offset_s"] = 0
    records = data.audit()
    assert [r["seq"] for r in records] == list(range(len(records)))
    times = [r["time"] for r in records]
    assert times != sorted(times), "the clock did not step: the test shows nothing"
    data.run("audit", "checkpoint")
    verdict = data.run("audit", "verify", "--json").json
    assert verdict["verdict"] == "verified" and verdict["size"] == len(records)
    assert len(data.audit(action="create_note", outcome="done")) == 6
