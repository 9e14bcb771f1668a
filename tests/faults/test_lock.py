"""A process that holds the ledger's write lock and does not let go: everyone else ends in bounded time."""
import signal
import subprocess
import sys
import time

import pytest

from lib import notes
from lib.programs import ROOT, SANITIZED, environment, program, wait_until
from lib.worker import STOP_SECONDS, Worker

pytestmark = pytest.mark.tree("plain")

WITHDRAWN_SECONDS = 2.0
# Takes the lock, says so, stops itself; once continued it lets go and ends.
HOLDER = """
import os, signal, sys
from types import SimpleNamespace
from pathlib import Path
from lib.ledger import HeldLedger
with HeldLedger(SimpleNamespace(path=Path(sys.argv[1]))):
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


class Holder:
    def __init__(self, data):
        self.process = subprocess.Popen([sys.executable, "-B", "-c", HOLDER, str(data.path)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, env=environment(PYTHONPATH=str(ROOT / "tests")))
        assert self.process.stdout.readline() == b"held\n"
        wait_until(lambda: self.state() == "T", "the holder to stop")

    def state(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def let_go(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            assert self.process.wait(10) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def notebook(data):
    return data.add_site(notes.SITE, actions=notes.ACTIONS)


def texts(data):
    return {row["data"]["text"] for row in data.run("document", "list", notes.SITE, "notes", "--json").json}


def timed(call, *args):
    start = time.monotonic()
    result = call(*args)
    return result, time.monotonic() - start


def test_a_stopped_holder_of_the_lock_costs_two_seconds_and_never_a_late_effect(data, notebook):
    token, bad = notebook.token(), notebook.token(ttl=-5)
    with Worker(data) as worker, Holder(data) as holder:
        refused, took = timed(notes.act, worker, "create_note", {"text": "withdrawn"}, token)
        assert (refused.status, refused.code) == (503, "audit_unavailable")
        assert WITHDRAWN_SECONDS - 0.2 <= took < WITHDRAWN_SECONDS + 1.0
        blocked, took = timed(notes.act, worker, "hello", {}, bad)
        assert (blocked.status, blocked.code) == (401, "token_expired") and took < WITHDRAWN_SECONDS + 1.0
        public, took = timed(notes.act, worker, "leave_note", {"text": "withdrawn"})
        assert (public.status, public.code) == (503, "audit_unavailable") and took < WITHDRAWN_SECONDS + 1.0
        assert timed(notes.identity, worker, token)[1] < 1.0

        holder.let_go()
        wait_until(lambda: notes.act(worker, "create_note", {"text": "later"}, token).status == 200, "the ledger to be writable again")
        assert texts(data) == {"later"}
        ids = {r["id"] for r in data.audit()}
        assert not ids & {a.request_id for a in (refused, blocked, public)}
        assert notes.metrics(worker)["postern_jobs_withdrawn_total"] >= 3


def test_a_static_write_is_recorded_before_it_is_answered(data, notebook):
    """It changes nothing here, but it is no read: without its record there is no answer."""
    with Worker(data) as worker:
        assert notes.act(worker, "signal", {}).status == 200
        assert len(data.audit(action="signal", outcome="done")) == 1
        with Holder(data):
            assert notes.act(worker, "signal", {}).code == "audit_unavailable"
    assert len(data.audit(action="signal")) == 1


def test_a_public_read_whose_record_had_to_wait_is_recorded_in_the_end(data, notebook):
    with Worker(data) as worker, Holder(data) as holder:
        read = notes.act(worker, "hello", {})
        assert read.status == 200
        wait_until(lambda: notes.metrics(worker)["postern_jobs_withdrawn_total"] >= 1, "its record to be withdrawn")
        assert notes.act(worker, "hello", {}).code == "audit_unavailable"
        holder.let_go()
        assert data.wait_audit(action="hello", id=read.request_id)


def test_health_says_that_the_lock_is_not_to_be_had_and_when_it_is_again(data, notebook):
    with Worker(data) as worker, Holder(data) as holder:
        assert notes.act(worker, "create_note", {"text": "withdrawn"}, notebook.token()).status == 503
        sick = notes.health(worker)
        assert (sick.status, sick.json["ledger"], sick.json["vault"]) == (503, False, True)
        holder.let_go()
        wait_until(lambda: notes.health(worker).status == 200, "health to be well again", 15)


def test_a_stop_does_not_wait_for_the_lock(data, notebook):
    with Worker(data) as worker, Holder(data):
        with worker.connect() as c:
            env, body = notes.request_for("create_note", {"text": "in flight"}, notebook.token())
            c.send(notes.fastcgi.whole(env, body))
            wait_until(lambda: notes.metrics(worker)["postern_jobs_queued"] > 0, "the job to queue")
            assert worker.stop() < STOP_SECONDS or SANITIZED
            reply = c.read_reply()
            assert reply.answer.check().code == "audit_unavailable"
    assert texts(data) == set()
    assert not data.audit(action="create_note")


@pytest.mark.parametrize("when", ["stopped", "killed"])
def test_a_holder_that_dies_frees_the_lock(data, notebook, when):
    with Worker(data) as worker, Holder(data) as holder:
        holder.process.kill()
        holder.process.wait()
        if when == "killed":
            assert notes.act(worker, "create_note", {"text": "after"}, notebook.token()).status == 200
        else:
            worker.stop()
    data.run("key", "check", notes.SITE)


def test_retiring_a_key_at_once_does_not_wait_for_the_ledger(data, notebook):
    old = notebook.kid
    token = notebook.token(old)
    notebook.add_key()
    with Worker(data) as worker, Holder(data) as holder:
        assert notes.identity(worker, token).json["identity"]["status"] == "verified"
        command = subprocess.Popen([program("postern"), "key", "retire", notes.SITE, old, "--now", "--data", str(data.path)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        try:
            # The command is still waiting to say what became of its records; the key is gone long before.
            wait_until(lambda: notes.identity(worker, token).status == 401, "the key to be blocked", 1.5)
            out, err = command.communicate(timeout=15)
        finally:
            if command.poll() is None:
                command.kill()
                command.communicate()
        assert command.returncode == 0, err
        assert b"audit log" in err, f"it must say that the change is not recorded: {out} {err}"
        assert notes.identity(worker, notebook.token()).json["identity"]["status"] == "verified"
        assert notes.identity(worker, token).code == "token_invalid"
        holder.let_go()
        assert notes.identity(worker, token).code == "token_invalid"
    states = {k["kid"]: k["state"] for k in data.run("key", "list", notes.SITE, "--json").json}
    assert states[old] == "retired"


def test_other_changes_wait_for_their_record_and_are_not_made_without(data, notebook):
    with Holder(data):
        ran, took = timed(data.ask, "key", "create", notes.SITE)
        assert ran.code == 3, str(ran)
        assert took < 2 * WITHDRAWN_SECONDS + 2.0 + (5 if SANITIZED else 0)
    assert len(data.run("key", "list", notes.SITE, "--json").json) == 1
