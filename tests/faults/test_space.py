"""A disk that is full, or nearly: nothing is done that cannot be recorded, nothing answered is lost, and it ends by itself."""
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest

from lib import notes
from lib.fastcgi import whole
from lib.programs import wait_until
from lib.provider import Provider
from lib.shim import AS_THEY_ARE, NO_SPACE, NO_SPACE_SYNCED, SHORT, Shim
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

SMALL_DISK = 32 << 20   # too little for a worker to write ahead of its pages (shared/store/ahead.c)
CALLING = {"actions": [*notes.ACTIONS["actions"], notes.action("look", "public", "read", {}, {
    "type": "http", "connection": "shop", "method": "GET", "path": ["rooms"], "timeout": "20s"})]}
BULK = 700              # documents of pages of their own: they make the ledger large against what LMDB keeps free in it


@pytest.fixture
def notebook(data):
    return data.add_site(notes.SITE, actions=notes.ACTIONS)


def stored_texts(data):
    rows = data.run("document", "list", notes.SITE, "notes", "--json").json
    return [row["data"]["text"] for row in rows if row["owner"] == "alex@example.com"]


def assert_read_only_service(worker, site):
    """What answers although nothing can be written, and what must not."""
    token, bad = site.token(), site.token(ttl=-5)
    for action, parameters in [("create_note", {"text": "lost"}), ("read_note", {"id": "none"})]:
        refused = notes.act(worker, action, parameters, token)
        assert (refused.status, refused.code) == (503, "audit_unavailable")
    for path in ("identity", "actions"):
        with worker.connect() as c:
            env = notes.environ(path=f"/v1/sites/{notes.SITE}/{path}", token=bad)
            assert c.ask(env).answer.check().code == "token_expired"
    assert notes.act(worker, "create_note", {"text": "lost"}, bad).code == "token_expired"
    assert notes.act(worker, "hello", {}, "not-a-token").code == "token_invalid"
    assert notes.identity(worker, token).json["identity"]["status"] == "verified"
    assert notes.identity(worker).json["identity"]["status"] == "anonymous"
    with worker.connect() as c:
        assert c.ask(notes.environ(path=f"/v1/sites/{notes.SITE}/actions", token=token)).answer.check().status == 200


@pytest.mark.parametrize("fault", [NO_SPACE, SHORT], ids=["enospc", "short"])
def test_a_full_disk_refuses_actions_and_they_work_again_when_it_has_room(data, notebook, fault):
    shim = Shim(data, "disk")
    with Worker(data, env=shim.env) as worker:
        kept = notes.act(worker, "create_note", {"text": "before"}, notebook.token())
        assert kept.status == 200
        if fault == SHORT:
            shim["bytes_free"] = 1          # LMDB calls a short write EIO: full is what the file system says it is
        shim["writes"] = fault
        assert_read_only_service(worker, notebook)
        shim["bytes_free"] = 0
        shim["writes"] = AS_THEY_ARE
        wait_until(lambda: notes.act(worker, "create_note", {"text": "after"}, notebook.token()).status == 200, "room")
        assert notes.act(worker, "hello", {}, notebook.token(ttl=-5)).status == 401
        records = data.audit()
        assert any(r["id"] == kept.request_id for r in records)
        assert records[-1]["outcome"] == "blocked"
    assert sorted(stored_texts(data)) == ["after", "before"]


def test_every_action_is_refused_while_the_ledger_cannot_be_written(data, notebook):
    """Also a public read, whose record nobody waits for: no record, no action (design: what a request writes)."""
    shim = Shim(data, "disk")
    with Worker(data, env=shim.env) as worker:
        assert notes.act(worker, "hello", {}).status == 200
        shim["writes"] = NO_SPACE
        assert notes.act(worker, "leave_note", {"text": "lost"}).status == 503
        refused = notes.act(worker, "hello", {})
        assert (refused.status, refused.code) == (503, "audit_unavailable")
        sick = notes.health(worker)
        assert (sick.status, sick.json["ledger"]) == (503, False)
        shim["writes"] = AS_THEY_ARE
        wait_until(lambda: notes.act(worker, "hello", {}).status == 200, "the service to return", 15)
        assert notes.health(worker).status == 200


def test_a_failed_write_of_the_meta_page_ends_the_worker_and_the_next_one_has_everything(data, notebook):
    """A file system that writes elsewhere (btrfs, ZFS) can be full for that page too. LMDB then gives its environment up for
    good: the worker refuses, and ends with 3 so that whoever started it starts another."""
    shim = Shim(data, "disk")
    worker = Worker(data, env=shim.env)
    try:
        assert notes.act(worker, "create_note", {"text": "before"}, notebook.token()).status == 200
        shim["writes"] = NO_SPACE_SYNCED
        assert notes.act(worker, "create_note", {"text": "lost"}, notebook.token()).code == "audit_unavailable"
        shim["writes"] = AS_THEY_ARE
        assert worker.process.wait(10) == 3
        assert "LMDB gave the ledger up" in worker.log()
    finally:
        worker.kill()
    with Worker(data) as another:
        assert notes.act(another, "create_note", {"text": "after"}, notebook.token()).status == 200
    assert sorted(stored_texts(data)) == ["after", "before"]


def test_a_stop_that_is_cut_off_still_says_that_the_ledger_was_given_up(data):
    """Its alarm ends the program where something hangs: with 0 that would look as if somebody had asked for it."""
    data.add_site(notes.SITE, "--plan", "pro", actions=CALLING)
    shim, path = Shim(data, "disk"), data.home / "proxy.sock"
    with Provider(path) as provider, Worker(data, "--connect", path, env=shim.env) as worker, worker.connect() as waiting:
        provider.stall.clear()
        provider.reply = lambda _: (provider.stall.wait(30), (200, {}, {}))[1]
        waiting.send(whole(*notes.request_for("look", {})))
        wait_until(lambda: provider.asked, "a call to be under way")
        shim["writes"] = NO_SPACE_SYNCED
        assert notes.act(worker, "leave_note", {"text": "lost"}).code == "audit_unavailable"
        wait_until(lambda: "stopping" in worker.log(), "the stop to begin")
        while worker.process.poll() is None:               # the call keeps it for 0.4 s; the alarm would ring after 1.9 s
            worker.process.send_signal(signal.SIGALRM)
        assert worker.process.returncode == 3
        provider.stall.set()


def test_a_full_disk_does_not_keep_a_key_from_being_retired(data, notebook):
    old, token = notebook.kid, notebook.token()
    notebook.add_key()
    shim = Shim(data, "disk")
    with Worker(data) as worker:
        assert notes.identity(worker, token).status == 200
        shim["writes"] = NO_SPACE
        ran = data.ask("key", "create", notes.SITE, env=shim.env)
        assert ran.code == 3 and "postern_sk_" not in ran.out, str(ran)
        data.run("key", "retire", notes.SITE, old, "--now", env=shim.env)
        assert notes.identity(worker, token).code == "token_invalid"
    assert [k["state"] for k in data.run("key", "list", notes.SITE, "--json").json].count("active") == 1


# ---- shares of the space ----

@contextmanager
def bulky_worker(data, site):
    site.import_documents([{"collection": "bulk", "id": f"b{i}", "owner": None, "data": {"text": "x" * 8000}} for i in range(BULK)])
    shim = Shim(data, "disk")
    shim["bytes_free"] = SMALL_DISK
    with Worker(data, env=shim.env) as worker:
        yield worker, shim


def set_use(worker, shim, share):
    """Makes so much room that this share of the ledger's space is in use, and waits until the worker has seen it."""
    if not shim["bytes_free"]:
        shim["bytes_free"] = 1
    m = wait_until(lambda: (m := notes.metrics(worker))["postern_ledger_limit_bytes"] < 2**30 and m, "the space to be measured")
    in_file = m["postern_ledger_limit_bytes"] - (shim["bytes_free"] - 1)
    free = int(m["postern_ledger_used_bytes"] / share) - in_file
    assert free > 0, f"the ledger's own free pages are more than {1 - share}: {m}"
    shim["bytes_free"] = free + 1
    wait_until(lambda: abs(use_of(worker) - share) < 0.01, f"{share} to be in use")


def use_of(worker):
    m = notes.metrics(worker)
    return m["postern_ledger_used_bytes"] / m["postern_ledger_limit_bytes"]


def test_the_log_warns_when_space_gets_short(data, notebook):
    with bulky_worker(data, notebook) as (worker, shim):
        set_use(worker, shim, 0.6)             # on the way there it may have been full
        before = len(worker.log())
        for share, percent in ((0.77, 75), (0.87, 85), (0.965, 95)):
            set_use(worker, shim, share)
            wait_until(lambda p=percent: f"<4>the ledger has used {p} % of its space" in worker.log()[before:], f"a warning at {percent} %")
        assert worker.log()[before:].count("of its space") == 3


def test_strangers_may_fill_four_fifths_and_visitors_nearly_all(data, notebook):
    token, bad = notebook.token(), notebook.token(ttl=-5)
    with bulky_worker(data, notebook) as (worker, shim):
        set_use(worker, shim, 0.78)
        assert notes.act(worker, "leave_note", {"text": "x"}).status == 200
        assert notes.act(worker, "create_note", {"text": "x"}, token).status == 200

        set_use(worker, shim, 0.83)
        for action, parameters in [("leave_note", {"text": "x"}), ("hello", {})]:
            refused = notes.act(worker, action, parameters)
            assert (refused.status, refused.code) == (429, "rate_limited")
        before = len(data.audit(outcome="blocked"))
        assert notes.act(worker, "hello", {}, bad).status == 401
        assert notes.act(worker, "create_note", {"text": "x"}, token).status == 200
        assert len([r for r in data.audit(outcome="blocked") if "count" not in r]) == before, "past their share they are folded"
        assert notes.health(worker).status == 200

        set_use(worker, shim, 0.98)
        refused = notes.act(worker, "create_note", {"text": "lost"}, token)
        assert (refused.status, refused.code) == (503, "audit_unavailable")
        assert notes.act(worker, "read_note", {"id": "none"}, token).status == 503
        assert notes.act(worker, "hello", {}, bad).status == 401
        assert notes.identity(worker, token).json["identity"]["status"] == "verified"
        sick = notes.health(worker)
        assert (sick.status, sick.json["space"]) == (503, False)
        kid = notebook.add_key()                    # an admin's record still finds room
        assert data.audit(event="key", kid=kid, outcome="done")
        notebook.retire(kid)

        shim["bytes_free"] = 0
        wait_until(lambda: notes.health(worker).status == 200, "the room to be seen")
        assert notes.act(worker, "leave_note", {"text": "x"}).status == 200
        assert notes.act(worker, "create_note", {"text": "kept"}, token).status == 200
        assert "lost" not in stored_texts(data)


# ---- a real small disk ----

@pytest.fixture
def small_ledger(data, notebook):
    """The ledger moved to a file system of its own, of 4 MiB."""
    ledger, aside = data.path / "ledger", data.home / "aside"
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    ledger.rename(aside)
    ledger.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0750", "tmpfs", str(ledger)], capture_output=True, check=False)
    try:
        if mounted.returncode != 0:
            pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
        for name in ("data.mdb", "lock.mdb"):
            shutil.copy2(aside / name, ledger / name)
            shutil.chown(ledger / name, (aside / name).stat().st_uid, (aside / name).stat().st_gid)
        yield ledger
        data.check_audit()                          # before the disk goes
    finally:
        data.check_lines = False
        if mounted.returncode == 0:
            subprocess.run(["umount", str(ledger)], check=True)


def fill(folder):
    """Takes what is free but the last pages; returns the file to remove."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 4096):
            try:
                while f.write(bytes(size)):
                    pass
            except OSError:
                pass
    return path


def test_a_real_disk_that_is_full_loses_nothing(data, notebook, small_ledger):
    """LMDB finds room within its file for a while, and again: each answer says what became of its own change."""
    answered, refused = [], []
    token, bad = notebook.token(), notebook.token(ttl=-5)

    def write(worker, text):
        answer = notes.act(worker, "create_note", {"text": text}, token)
        assert answer.status == 200 or (answer.status, answer.code) == (503, "audit_unavailable"), str(answer)
        (answered if answer.status == 200 else refused).append(text)
        return answer.status == 200

    with Worker(data) as worker:
        for i in range(30):
            assert write(worker, f"before {i}")
        filler = fill(small_ledger)
        wait_until(lambda: not write(worker, f"full {len(answered)} {len(refused)}") and len(refused) >= 5, "the disk to be full")
        for i in range(10):
            write(worker, f"more {i}")
            assert notes.act(worker, "create_note", {"text": "blocked"}, bad).code == "token_expired"
            assert notes.identity(worker, token).json["identity"]["status"] == "verified"
            with worker.connect() as c:
                assert c.ask(notes.environ(path=f"/v1/sites/{notes.SITE}/actions", token=token)).answer.check().status == 200
        filler.unlink()
        wait_until(lambda: write(worker, f"room {len(refused)}"), "room")
        wait_until(lambda: notes.health(worker).status == 200, "health to say so")
        assert all(write(worker, f"after {i}") for i in range(10))
    assert sorted(stored_texts(data)) == sorted(answered)
    assert len(data.audit(action="create_note", outcome="done")) == len(answered)
