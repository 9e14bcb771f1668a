"""Group commit: many writers share a transaction, and each transaction is on disk before anything it holds is answered.

A synced commit of LMDB 0.9 is one fdatasync() of the pages and then one write of the 4 KiB meta page through a descriptor that
was opened O_DSYNC: two waits for the disk. There is no msync(), for nothing is written through the map."""
import pytest

from lib import notes
from lib.fastcgi import Connection
from lib.ledger import HeldLedger
from lib.programs import wait_until
from lib.shim import Shim
from lib.worker import Worker

WRITERS = 64
DISK_US = 2000          # what an ordinary disk takes for a sync


@pytest.fixture
def notebook(data):
    return data.add_site(notes.SITE, actions=notes.ACTIONS)


def all_at_once(worker, connections, tokens, text):
    """One change by each writer, all sent before any answer is read."""
    for connection, token in zip(connections, tokens):
        env, body = notes.request_for("create_note", {"text": text}, token)
        connection.send(notes.fastcgi.whole(env, body, keep=True))
    for connection in connections:
        answer = connection.read_reply().answer.check()
        assert answer.status == 200, str(answer)
    assert worker.process.poll() is None


def counted(worker, shim):
    """Commits by the metric, and what the disk saw of them. Asked until no commit falls between the two."""
    def look():
        before = notes.metrics(worker)
        syncs, writes = shim["syncs"], shim["synced_writes"]
        after = notes.metrics(worker)
        same = before["postern_commits_total"] == after["postern_commits_total"] and not after["postern_jobs_queued"]
        return (after["postern_commits_total"], syncs, writes, after["postern_records_total"]) if same else None
    return wait_until(look, "a moment without a commit")


def connected(worker, count):
    return [Connection(worker.socket) for _ in range(count)]


@pytest.mark.parametrize("disk_us", [0, DISK_US])
def test_sixty_four_writers_share_their_commits_and_each_commit_is_synced(data, notebook, disk_us):
    tokens = [notebook.token(email=f"w{i}@example.com") for i in range(WRITERS)]
    shim = Shim(data, "disk")
    shim["sync_delay_us"] = disk_us
    with Worker(data, "--audit-budget", "0", threads=4, env=shim.env) as worker:
        connections = connected(worker, WRITERS)
        all_at_once(worker, connections, tokens, "first")
        commits, syncs, writes, records = counted(worker, shim)
        for i in range(12):
            all_at_once(worker, connections, tokens, f"round {i}")
        commits, syncs, writes, records = (b - a for a, b in zip((commits, syncs, writes, records), counted(worker, shim)))
        for c in connections:
            c.close()
        assert records == 12 * WRITERS
        assert syncs == commits and writes == commits, f"{commits} commits, {syncs} fdatasync, {writes} O_DSYNC writes"
        if disk_us:
            assert commits * 4 <= records, f"{commits} commits for {records} records"


def test_what_queued_behind_a_held_lock_is_one_commit(data, notebook):
    tokens = [notebook.token(email=f"w{i}@example.com") for i in range(WRITERS)]
    with Worker(data, "--audit-budget", "0", threads=4) as worker:
        connections = connected(worker, WRITERS)
        all_at_once(worker, connections, tokens, "first")
        before = wait_until(lambda: (m := notes.metrics(worker))["postern_jobs_queued"] == 0 and m, "an empty queue")
        with HeldLedger(data):
            for connection, token in zip(connections, tokens):
                env, body = notes.request_for("create_note", {"text": "held"}, token)
                connection.send(notes.fastcgi.whole(env, body, keep=True))
            wait_until(lambda: notes.metrics(worker)["postern_jobs_queued"] >= WRITERS, "all to queue", 1.5)
        for connection in connections:
            assert connection.read_reply().answer.check().status == 200
            connection.close()
        after = notes.metrics(worker)
        assert after["postern_records_total"] - before["postern_records_total"] == WRITERS
        assert after["postern_commits_total"] - before["postern_commits_total"] <= 3       # and a beat or two between


def test_nothing_is_answered_before_it_is_on_disk(data, notebook):
    shim = Shim(data, "disk")
    with Worker(data, env=shim.env) as worker:
        assert notes.act(worker, "create_note", {"text": "quick"}, notebook.token()).status == 200
        for action, parameters, token, status in [
                ("create_note", {"text": "x"}, notebook.token(), 200), ("read_note", {"id": "none"}, notebook.token(), 404),
                ("leave_note", {"text": "x"}, None, 200), ("hello", {}, notebook.token(ttl=-5), 401)]:
            syncs = shim["syncs"]
            answer = notes.act(worker, action, parameters, token)
            assert answer.status == status, str(answer)
            assert shim["syncs"] > syncs, f"{action} was answered without a sync"
