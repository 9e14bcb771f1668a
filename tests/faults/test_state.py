"""Data that cannot be used: the programs say why and what to do, and nobody is let in because of it."""
import os
import shutil
import socket
import struct
import subprocess
from contextlib import contextmanager

import pytest

from lib import notes
from lib.programs import SANITIZER_EXIT, environment, program, wait_until
from lib.rawdb import RawDb, flip_bytes
from lib.shim import NFS_MAGIC, Shim
from lib.worker import Worker


def start_worker(data, *options, env=None, listen=None):
    """A worker that is expected not to start: its exit code and its last words."""
    listen = listen or data.home / "never.sock"
    done = subprocess.run([program("postern-fcgi"), "--data", str(data.path), "--listen", str(listen), *options], timeout=30,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env=environment(**(env or {})))
    assert done.returncode not in (0, SANITIZER_EXIT) and done.returncode > 0, done.stderr.decode()
    return done.returncode, done.stderr.decode().strip().split("\n")[-1]


def assert_refused(data, *words, env=None):
    """Worker and command line, exit 3, one line that has these words."""
    code, said = start_worker(data, env=env)
    assert code == 3 and all(w in said for w in words), said
    ran = data.ask("site", "list", env=env)
    assert ran.code == 3 and all(w in ran.err for w in words) and ran.out == "", str(ran)


@pytest.mark.parametrize("folder, now", [("vault", 1), ("ledger", 3)])
@pytest.mark.parametrize("schema, words", [(4, ["schema 4", "newer Postern"]), (2**40, ["newer Postern"]), (0, ["postern migrate"])])
def test_another_schema_version_is_refused_and_said_plainly(data, folder, now, schema, words):
    with RawDb(data.path / folder) as db:
        assert db.get("meta", b"schema") == struct.pack(">Q", now)
        db.put("meta", b"schema", struct.pack(">Q", schema))
    assert_refused(data, folder, *words)
    with RawDb(data.path / folder) as db:
        db.put("meta", b"schema", struct.pack(">Q", now))


def rename_key(data):
    (data.path / "master.key").rename(data.path / "other.key")


def other_key(data):
    (data.path / "master.key").write_bytes(os.urandom(32))


def short_key(data):
    (data.path / "master.key").write_bytes(bytes(31))


def open_key(data):
    (data.path / "master.key").chmod(0o644)


def group_may_write(data):
    (data.path / "master.key").chmod(0o660)


@pytest.mark.parametrize("spoil, words", [
    (other_key, ["master key", "does not fit"]), (short_key, ["master.key", "32 bytes"]), (rename_key, ["master key", "is missing", "put back"]),
    (open_key, ["master.key", "0644", "postern init"]), (group_may_write, ["master.key", "0660", "postern init"])])
def test_a_master_key_that_cannot_be_trusted_is_refused(data, site, spoil, words):
    key = data.path / "master.key"
    good, mode = key.read_bytes(), key.stat().st_mode
    spoil(data)
    assert_refused(data, *words)
    key.write_bytes(good)
    key.chmod(mode)
    data.run("key", "check", site.name)


def test_init_never_replaces_a_master_key_that_is_gone(data, site):
    """A new one would make all that is sealed unreadable for good."""
    rename_key(data)
    ran = data.ask("init")
    assert ran.code != 0 and not (data.path / "master.key").exists(), str(ran)
    (data.path / "other.key").rename(data.path / "master.key")
    data.run("key", "check", site.name)


def test_a_socket_in_use_is_refused_and_left_alone(data, site):
    with Worker(data) as worker:
        code, said = start_worker(data, listen=worker.socket)
        assert code == 3 and str(worker.socket) in said, said
        assert notes.identity(worker, site.token()).status == 200
    plain = data.file("plain", "not a socket")
    code, said = start_worker(data, listen=plain)
    assert code in (2, 3) and plain.read_text(encoding="utf-8") == "not a socket"


def test_a_socket_left_behind_is_replaced(data):
    path = data.home / f"fcgi-{Worker.count + 1}.sock"          # the next worker's
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    with Worker(data) as worker:
        assert worker.socket == path
        assert notes.health(worker).status == 200


def test_a_network_file_system_is_refused(data):
    shim = Shim(data, "disk")
    shim["fs_magic"] = NFS_MAGIC
    assert_refused(data, "network file system", "NFS", env=shim.env)
    ran = data.ask("init", env=shim.env)
    assert ran.code == 3 and "NFS" in ran.err, str(ran)


@contextmanager
def moved_aside(data, replaced):
    """The ledger's file taken from under the running worker, and in its place a copy, or nothing."""
    ledger, aside = data.path / "ledger/data.mdb", data.home / "aside.mdb"
    ledger.rename(aside)
    if replaced:
        shutil.copy2(aside, ledger)
    try:
        yield
    finally:
        aside.rename(ledger)


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_health_says_that_the_ledger_was_deleted_or_replaced(data, replaced):
    with Worker(data) as worker:
        assert notes.health(worker).status == 200
        with moved_aside(data, replaced):
            sick = wait_until(lambda: (a := notes.health(worker)).status == 503 and a, "health to say so")
            assert (sick.json["vault"], sick.json["ledger"]) == (True, False)
        wait_until(lambda: notes.health(worker).status == 200, "health to be well again")


def test_a_ledger_without_the_lock_file_of_its_worker_is_not_written(data):
    """Under another lock file nobody would wait for this worker, nor it for them."""
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    with Worker(data) as worker:
        assert notes.act(worker, "create_note", {"text": "kept"}, site.token()).status == 200
        lock, aside = data.path / "ledger/lock.mdb", data.home / "lock-aside"
        lock.rename(aside)
        wait_until(lambda: notes.act(worker, "create_note", {"text": "lost"}, site.token()).code == "audit_unavailable", "the worker to notice")
        assert notes.health(worker).json["ledger"] is False
        aside.rename(lock)
        wait_until(lambda: notes.health(worker).status == 200, "health to be well again")


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_nothing_is_answered_as_done_that_went_into_a_ledger_nobody_will_read(data, replaced):
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    with Worker(data) as worker:
        with moved_aside(data, replaced):
            def refused():
                answer = notes.act(worker, "create_note", {"text": "lost"}, site.token())
                return (answer.status, answer.code) == (503, "audit_unavailable")
            wait_until(refused, "the worker to notice", 5)      # it may look once a second
            assert notes.act(worker, "hello", {}, site.token(ttl=-5)).status == 401


# ---- a ring that does not open ----

def spoil_ring(data, site, at):
    """Flips a bit of the ring's row where it lies in data.mdb; at counts from the front, or from the end if negative."""
    with RawDb(data.path / "vault") as vault:
        row = vault.get("rings", site.encode())
    flip_bytes(data.path / "vault/data.mdb", row, at % len(row))
    return row


@pytest.mark.parametrize("at", [0, 8, 9, 60, 100, 150, -33, -1])
def test_a_damaged_ring_blocks_its_site_and_is_never_an_empty_or_anonymous_one(data, site, at):
    other = data.add_site("other")
    spoil_ring(data, site.name, at)
    with Worker(data) as worker:
        for token in (site.token(), site.token(named=False), site.token(ttl=-5), "a.b.c", "", None):
            answer = notes.identity(worker, token, site.name)
            assert (answer.status, answer.code) == (503, "vault_unavailable"), f"{token}: {answer}"
        assert notes.identity(worker, other.token(), "other").json["identity"]["status"] == "verified"
    for command in [("key", "list", site.name), ("key", "check", site.name), ("key", "create", site.name)]:
        ran = data.ask(*command)
        assert ran.code in (1, 3) and "postern_sk_" not in ran.out, str(ran)
        assert ran.code == 3 or command[1] == "check", str(ran)


def test_a_ring_damaged_under_a_running_worker_is_noticed_with_its_next_change(data, site):
    with Worker(data) as worker:
        assert notes.identity(worker, site.token()).status == 200
        with RawDb(data.path / "vault") as vault:
            row = bytearray(vault.get("rings", site.name.encode()))
            row[-40] ^= 1
            vault.put("rings", site.name.encode(), bytes(row))
            head = bytearray(vault.get("heads", site.name.encode()))
            vault.put("heads", site.name.encode(), bytes(b ^ 1 for b in head))
        answer = notes.identity(worker, site.token())
        assert (answer.status, answer.code) == (503, "vault_unavailable")
        assert notes.identity(worker).code == "vault_unavailable"


def test_a_damaged_pseudonym_key_lets_nobody_act_as_a_visitor(data):
    site = data.add_site(notes.SITE, actions=notes.ACTIONS)
    with RawDb(data.path / "vault") as vault:
        row = bytearray(vault.get("pseudonyms", site.name.encode()))
        row[-1] ^= 1
        vault.put("pseudonyms", site.name.encode(), bytes(row))
    with Worker(data) as worker:
        for action, parameters in (("create_note", {"text": "x"}), ("signal", {}), ("hello", {})):
            answer = notes.act(worker, action, parameters, site.token())
            assert (answer.status, answer.code) == (503, "vault_unavailable"), f"{action}: {answer}"
        answer = notes.identity(worker, site.token(ttl=-5))          # its record would name the visitor
        assert (answer.status, answer.code) == (503, "vault_unavailable"), str(answer)
        assert notes.identity(worker, site.token(email=None)).status == 401
        assert notes.identity(worker, "a.b.c").status == 401
        assert notes.identity(worker, site.token()).json["identity"]["status"] == "verified"
    assert not data.audit(event="action")
