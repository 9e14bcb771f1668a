"""What postern doctor finds in files, machine, socket, workers, keys and records: each made to happen, and gone when it is mended."""
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib import fastcgi, notes, rawlog
from lib.datadir import postern
from lib.programs import BUILD, SANITIZED, USER, environment, program, wait_until
from lib.rawdb import RawDb
from lib.shim import NFS_MAGIC, SYNCED, UNSAID, UNSYNCED, Shim
from lib.worker import Worker, listening

pytestmark = pytest.mark.tree("plain")

DAY = 86400
OK, WARNING, WRONG, SKIPPED = "ok", "warning", "wrong", "skipped"
NOBODY = 65534
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def document(data, *args, env=None):
    """doctor's, whose exit code is what its findings say."""
    ran = data.ask("doctor", "--json", *args, env=env)
    bad = any(c["state"] in (WARNING, WRONG) for c in ran.json["checks"])
    assert ran.code == (1 if bad else 0), str(ran)
    assert all(set(c) <= {"check", "state", "says", "mend"} for c in ran.json["checks"])
    return ran.json


def checks(data, name, *args, env=None):
    """What a check found: [(state, sentence, what to do or "")]."""
    return [(c["state"], c["says"], c.get("mend", "")) for c in document(data, *args, env=env)["checks"] if c["check"] == name]


def check(data, name, *args, env=None):
    (found,) = checks(data, name, *args, env=env)
    return found


# ---- the list ----

def test_a_healthy_directory_has_nothing_wrong_but_that_no_worker_runs(data, site):
    shim = Shim(data, "clock", "disk")
    shim["clock_sync"], shim["bytes_free"] = SYNCED, 1 << 40          # whatever this machine's are
    data.run("audit", "checkpoint")
    found = document(data, env=shim.env)["checks"]
    assert [c["check"] for c in found if c["state"] not in (OK, SKIPPED)] == ["workers"], found
    names = {c["check"] for c in found}
    assert names >= {"data_directory", "files", "leftovers", "master_key", "disk", "clock", "data", "versions", "ledger_space",
                     "checkpoint", "record_times", "rings", "sites_without_key", "ring_full", "keys_unused", "keys_old",
                     "sites_without_actions", "expiry", "token_not_yet_valid", "key_retired", "budget"}
    assert site.kid


def test_people_get_a_line_for_each_and_then_what_to_do(data, site):
    (data.path / "vault" / "data.mdb").chmod(0o644)
    (data.path / "ledger" / "data.mdb").chmod(0o644)
    text = data.run("doctor", expect=1).out
    line = next(line for line in text.splitlines() if line.startswith("wrong "))
    assert line.split()[1] == "files" and "0644" in line
    mends = text[text.index(line):].split("\n\n", 1)[1]
    assert mends.count(f"files: Run: sudo postern init --data {data.path}\n") == 1
    assert text.splitlines()[-1].startswith("2 wrong, ") and site.kid


# ---- files ----

MODES = [        # file, a mode beyond the table, what that is, and why
    (".", 0o755, WRONG, "every user of this machine may read"),
    (".", 0o770, WRONG, "its group may write"),
    ("vault", 0o770, WRONG, "its group may write"),
    ("vault/data.mdb", 0o660, WRONG, "its group may write"),
    ("vault/data.mdb", 0o642, WRONG, "every user of this machine may write"),
    ("vault/data.mdb", 0o600, WARNING, "cannot use it"),
    ("vault/lock.mdb", 0o640, WARNING, "cannot use it"),
    ("ledger", 0o751, WRONG, "every user of this machine may enter"),
    ("ledger", 0o770, WRONG, "its group may write it"),
    ("ledger", 0o2770, WRONG, "its group may write it"),
    ("ledger", 0o700, WARNING, "cannot use it"),
    ("ledger/data.mdb", 0o664, WRONG, "every user of this machine may read"),
    ("ledger/data.mdb", 0o4660, WARNING, "bits that it should not have"),
    ("master.key", 0o644, WRONG, "every user of this machine may read"),
    ("master.key", 0o660, WRONG, "its group may write"),
    ("admin.key", 0o640, WRONG, "its group may read"),
    ("admin.state", 0o640, WRONG, "its group may read"),
]


def test_each_mode_beyond_the_table_is_found_and_mended_by_init(data):
    for name, mode, state, words in MODES:
        was = stat.S_IMODE((data.path / name).stat().st_mode)
        (data.path / name).chmod(mode)
        found, says, mend = check(data, "files")
        assert found == state and words in says and f"mode {mode:04o}" in says, says
        assert mend == f"Run: sudo postern init --data {data.path}"
        (data.path / name).chmod(was)
    for name in ("vault/data.mdb", "vault/lock.mdb", "ledger", "ledger/data.mdb", "master.key", "admin.key", "admin.state", "."):
        (data.path / name).chmod(0o777)
    assert [state for state, _, _ in checks(data, "files")] == [WRONG] * 8
    data.run("init")
    assert check(data, "files") == (OK, "owners and modes are as they must be", "")


@root_only
def test_another_owner_is_found_and_mended_by_init(data):
    names = ("vault", "vault/data.mdb", "ledger/lock.mdb", "master.key", "admin.state")
    for name in names:
        os.chown(data.path / name, NOBODY, 0)
    found = checks(data, "files")
    assert [state for state, _, _ in found] == [WRONG] * len(names)
    for name, (_, says, mend) in zip(names, found):
        assert "belongs to nobody, not to root" in says and str(data.path / name) in says and "postern init" in mend
    data.run("init")
    assert check(data, "files")[0] == OK
    os.chown(data.path / "vault", 0, NOBODY)
    state, says, _ = check(data, "files")
    assert state == WARNING and "has the group 65534" in says
    data.run("init")


@pytest.mark.parametrize("name", ["ledger/lock.mdb", "admin.key"])
def test_attack_a_link_in_the_place_of_a_file(data, name):
    os.rename(data.path / name, data.home / "aside")
    os.symlink(data.home / "aside", data.path / name)
    state, says, mend = check(data, "files")
    assert state == WRONG and says.endswith(f"{name} is a link") and "who put it there" in mend
    os.unlink(data.path / name)
    os.rename(data.home / "aside", data.path / name)
    os.link(data.path / name, data.home / "second")
    assert "hard link" in check(data, "files")[1]
    os.unlink(data.home / "second")
    assert check(data, "files")[0] == OK


def test_a_missing_file(data):
    os.rename(data.path / "ledger" / "lock.mdb", data.home / "aside")
    state, says, mend = check(data, "files")
    assert state == WRONG and "lock.mdb is missing" in says and "postern init" in mend
    data.run("init")
    assert check(data, "files")[0] == OK


def test_what_a_killed_command_left(data):
    (data.path / "swap.new").mkdir()
    (data.path / "admin.state.AbC123").write_text("")
    found = checks(data, "leftovers")
    assert [state for state, _, _ in found] == [WARNING, WARNING]
    assert any("swap.new" in says and f"rm -r {data.path}/swap.new" in mend for _, says, mend in found)
    assert any(f"sudo rm {data.path}/admin.state.AbC123" in mend for _, _, mend in found)
    data.run("compact")
    (data.path / "admin.state.AbC123").unlink()
    assert check(data, "leftovers")[0] == OK


def test_a_compact_cut_after_its_decision(data):
    (data.path / "swap").mkdir()
    found = {c["check"]: c for c in document(data)["checks"]}
    assert found["leftovers"]["state"] == WRONG and "postern compact" in found["leftovers"]["mend"]
    assert found["data"]["state"] == WRONG and "interrupted" in found["data"]["says"]
    data.run("compact")
    assert check(data, "leftovers")[0] == OK


def test_attack_foreign_files_with_a_name_for_terminals(data):
    for n in range(7):
        (data.path / "ledger" / f"x{n}").write_text("")
    for name in ("\x1b[2J\u202e", "admin.state.$(id)", "admin.state.abc"):
        (data.path / name).write_text("")
    ran = data.ask("doctor")
    assert ran.out.count("holds what Postern did not put there") == 2 and "and 2 more" in ran.out
    assert "sudo rm" not in ran.out
    assert "\x1b" not in ran.out and "\u202e" not in ran.out and "\\x1b" in ran.out


# ---- data that does not open ----

def test_no_directory_at_all(data):
    ran = postern("doctor", "--json", "--data", data.home / "nowhere")
    found = {c["check"]: c for c in ran.json["checks"]}
    assert ran.code == 1 and found["data_directory"]["state"] == WRONG and "postern init" in found["data_directory"]["mend"]
    assert found["data"]["state"] == WRONG and "workers" not in ran.json


def test_a_ledger_that_is_gone(data):
    os.rename(data.path / "ledger", data.path / "elsewhere")
    found = {c["check"]: c for c in document(data)["checks"]}
    text = data.run("doctor", expect=1)
    os.rename(data.path / "elsewhere", data.path / "ledger")
    assert found["data"]["state"] == WRONG and "ledger" in found["data"]["says"]
    assert "ledger is missing" in text.out and text.err == ""


def test_another_master_key(data):
    was = (data.path / "master.key").read_bytes()
    (data.path / "master.key").write_bytes(os.urandom(32))
    state, says, _ = check(data, "data")
    assert state == WRONG and "does not fit" in says
    (data.path / "master.key").write_bytes(b"short")
    assert check(data, "master_key")[0] == WRONG
    (data.path / "master.key").unlink()
    state, says, mend = check(data, "master_key")
    assert state == WRONG and "no master key" in says and "Put it back" in mend
    (data.path / "master.key").write_bytes(was)
    (data.path / "master.key").chmod(0o640)
    state, says, _ = check(data, "master_key")
    assert state == OK and "beside the vault" in says


def test_where_the_master_key_comes_from(data):
    credentials = data.home / "credentials"
    credentials.mkdir()
    shutil.copy(data.path / "master.key", credentials / "postern.master-key")
    env = {"CREDENTIALS_DIRECTORY": credentials}
    state, says, mend = check(data, "master_key", env=env)
    assert state == WARNING and "another one lies beside the vault" in says and "master.key" in mend
    os.rename(data.path / "master.key", data.home / "mine.key")
    state, says, _ = check(data, "master_key", env=env)
    assert state == OK and "credential of the service manager" in says
    named = {"POSTERN_MASTER_KEY_FILE": data.home / "mine.key"}
    state, says, _ = check(data, "master_key", env=named)
    assert state == OK and "POSTERN_MASTER_KEY_FILE" in says
    (data.home / "mine.key").chmod(0o644)
    state, says, mend = check(data, "master_key", env=named)
    assert state == WRONG and "0644" in says and mend == f"Run: sudo chmod 640 {data.home}/mine.key"
    assert check(data, "files", env=named)[0] == OK
    os.rename(data.home / "mine.key", data.path / "master.key")
    (data.path / "master.key").chmod(0o640)


def test_data_of_an_older_and_of_a_newer_schema(data):
    for schema, words, command in ((1, "schema 1", "postern migrate"), (4, "newer Postern", "")):
        with RawDb(data.path / "ledger") as db:
            db.put("meta", b"schema", struct.pack(">Q", schema))
        state, says, mend = check(data, "data")
        assert state == WRONG and words in says and command in mend
    with RawDb(data.path / "ledger") as db:
        db.put("meta", b"schema", struct.pack(">Q", 3))


@root_only
def test_who_may_not_look_is_told_so_with_exit_3(data):
    os.chmod(data.home, 0o755)
    programs = shutil.copytree(BUILD, data.home / "bin", ignore=lambda folder, names: [n for n in names if n != "postern"])

    def ask():
        done = subprocess.run([programs / "postern", "doctor", "--json", "--data", data.path], capture_output=True, check=False,
                              user=NOBODY, group=NOBODY, extra_groups=[], env=environment())
        return done.returncode, json.loads(done.stdout)["checks"]
    code, found = ask()
    (directory,) = (c for c in found if c["check"] == "data_directory")
    assert code == 3 and directory["state"] == SKIPPED and "sudo" in directory["mend"]
    assert not any(c["state"] == WRONG for c in found)
    data.path.chmod(0o755)                # now the directory, but not what lies in its folders
    _, found = ask()
    data.path.chmod(0o750)
    left = [c for c in found if c["check"] == "leftovers"]
    assert [c["state"] for c in left] == [SKIPPED, SKIPPED]
    assert all(c["says"].startswith(f"what lies in {data.path}/{name} cannot") for c, name in zip(left, ("vault", "ledger")))


# ---- disk and clock ----

@root_only
def test_a_small_disk_one_for_reading_only_and_one_without_inodes(data):
    ledger, aside = data.path / "ledger", data.home / "aside"
    ledger.rename(aside)
    ledger.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0750,nr_inodes=20", "tmpfs", ledger], capture_output=True,
                             check=False)
    try:
        if mounted.returncode != 0:
            pytest.skip("a tmpfs cannot be mounted here")
        for name in ("data.mdb", "lock.mdb"):
            shutil.copy2(aside / name, ledger / name)
        state, says, mend = checks(data, "disk")[0]
        assert state == WARNING and "inodes left" in says and mend
        subprocess.run(["mount", "-o", "remount,nr_inodes=1000", ledger], check=True)
        state, says, mend = checks(data, "disk")[0]
        assert state == WRONG and "of the ledger" in says and "audit prune" in mend
        assert "of the vault" in checks(data, "disk")[1][1]
        subprocess.run(["mount", "-o", "remount,ro", ledger], check=True)
        ran = data.ask("doctor", "--json")
        assert any(c["state"] == WRONG and "for reading only" in c["says"] for c in ran.json["checks"])
        ran = data.run("site", "add", "late", expect=3)
        assert "mounted for reading only" in ran.err and "are whole" not in ran.err
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", ledger], check=True)
        ledger.rmdir()
        aside.rename(ledger)


def test_a_network_file_system(data):
    shim = Shim(data, "disk")
    shim["fs_magic"] = NFS_MAGIC
    state, says, mend = check(data, "disk", env=shim.env)
    assert state == WRONG and "NFS" in says and "local disk" in mend


def test_too_little_address_space(data):
    done = subprocess.run(["bash", "-c", f"ulimit -v 200000000; exec {program('postern')} doctor --json --data {data.path}"],
                          capture_output=True, env=environment(), check=False)
    if SANITIZED and not done.stdout:
        pytest.skip("a sanitizer wants more")
    found = [c for c in json.loads(done.stdout)["checks"] if c["check"] == "disk" and "address space" in c["says"]]
    assert len(found) == 1 and found[0]["state"] == WARNING and "ulimit" in found[0]["mend"]


def test_the_clock(data):
    shim = Shim(data, "clock")
    contained = Path("/run/systemd/container").exists()            # the clock is the host's then: nothing to mend here
    for told, state, words in ((SYNCED, OK, "is synchronised"), (UNSYNCED, SKIPPED if contained else WARNING, "unsynchronised"),
                               (UNSAID, SKIPPED, "cannot be told")):
        shim["clock_sync"] = told
        found, says, mend = check(data, "clock", env=shim.env)
        assert found == state and words in says and bool(mend) == (state == WARNING)
    shim["clock_offset_s"] = int(1700000000 - time.time())
    state, says, mend = check(data, "clock", env=shim.env)
    assert state == WRONG and "2023-11-1" in says and "timedatectl" in mend


def test_records_ahead_of_the_clock(data, site):
    shim = Shim(data, "clock")
    shim["clock_offset_s"] = -7200
    state, says, mend = check(data, "record_times", env=shim.env)
    assert state == WARNING and "ahead of this clock" in says and "date -u" in mend and site.kid
    assert check(data, "record_times")[0] == OK


# ---- the socket ----

def test_a_socket_of_a_worker_that_is_well_or_not(data, site):
    with Worker(data) as worker:
        state, says, _ = check(data, "socket", "--socket", worker.socket)
        assert state == OK and "answers that the worker is well" in says and f"({USER}:" in says and "mode 0660" in says
        os.chmod(worker.socket, 0o666)
        state, says, mend = check(data, "socket", "--socket", worker.socket)
        assert state == WRONG and "every user of this machine may connect" in says and f"chmod 0660 {worker.socket}" in mend
        os.chmod(worker.socket, 0o660)
        os.rename(data.path / "ledger", data.home / "aside")
        shutil.copytree(data.home / "aside", data.path / "ledger")
        wait_until(lambda: notes.health(worker).status == 503, "the worker to notice")
        state, says, _ = check(data, "socket", "--socket", worker.socket)
        assert state == WRONG and "status 503" in says
        shutil.rmtree(data.path / "ledger")
        os.rename(data.home / "aside", data.path / "ledger")
        worker.kill()
    assert site.kid


def test_a_socket_that_is_none_is_gone_or_has_nobody_behind_it(data):
    path = data.home / "s"
    state, says, _ = check(data, "socket", "--socket", path)
    assert state == WRONG and "there is no socket" in says
    path.write_text("")
    assert "is no socket" in check(data, "socket", "--socket", path)[1]
    path.unlink()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    path.chmod(0o660)
    state, says, mend = check(data, "socket", "--socket", path)
    assert state == WRONG and "nobody listens" in says and "postern.socket" in mend


def answering(path, answer):
    """A thread that takes one connection there and answers so."""
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    path.chmod(0o660)
    s.listen()

    def serve():
        with s, s.accept()[0] as peer:
            peer.recv(65536)
            try:
                peer.sendall(answer)
            except OSError:
                pass
    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_attack_what_answers_there_is_no_worker(data):
    for n, (answer, state, words) in enumerate([
            (b"HTTP/1.1 200 OK\r\n\r\n", WRONG, "does not speak FastCGI"), (b"", SKIPPED, "does not answer"),
            (b"\x01\x06\x00\x01\xff\xff\x00\x00short", WRONG, "does not speak FastCGI"),
            (b"\x01\x03\x00\x01\x00\x00\x00\x00", WRONG, "does not speak FastCGI"),
            (b"\x01" * 100000, WRONG, "does not speak FastCGI")]):
        thread = answering(data.home / f"s{n}", answer)
        found, says, _ = check(data, "socket", "--socket", data.home / f"s{n}")
        thread.join()
        assert found == state and words in says, says


@pytest.mark.slow
def test_a_socket_that_never_answers_is_not_waited_for(data):
    path = data.home / "s"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        path.chmod(0o660)
        s.listen()
        state, says, _ = check(data, "socket", "--socket", path)
        assert state == WRONG and "no answer came" in says


@pytest.mark.slow
def test_attack_a_socket_that_answers_a_byte_at_a_time(data):
    path, over = data.home / "s", threading.Event()

    def drip(listener):
        with listener.accept()[0] as peer:
            try:
                while not over.wait(0.2):
                    peer.sendall(b"\x01")
            except OSError:
                pass
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        path.chmod(0o660)
        s.listen()
        thread = threading.Thread(target=drip, args=(s,))
        thread.start()
        try:
            state, says, _ = check(data, "socket", "--socket", path)
        finally:
            over.set()
            thread.join()
    assert state == WRONG and "no answer came" in says


# ---- workers ----

def end(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@contextmanager
def worker_as(data, user, group, folder):
    """A worker as that user, from a copy of its program that everybody may reach. It ends as it should, or is killed."""
    os.chmod(data.home, 0o755)
    folder.mkdir()
    os.chown(folder, user, group)
    shutil.copy(program("postern-fcgi"), folder / "postern-fcgi")
    with open(data.home / "log", "wb") as log:
        process = subprocess.Popen([folder / "postern-fcgi", "--data", data.path, "--listen", folder / "s"], user=user, group=group,
                                   extra_groups=[], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
    try:
        wait_until(lambda: listening(folder / "s") or process.poll() is not None, "the worker to listen", 20)
        assert process.poll() is None, (data.home / "log").read_text()
        wait_until(lambda: process.pid in [w["pid"] for w in document(data)["workers"]], "its row")
        yield process
        end(process)
    finally:
        process.kill()
        process.wait()


@root_only
def test_a_worker_that_shares_a_user_is_a_warning_and_root_is_wrong(data):
    with worker_as(data, NOBODY, 0, data.home / "run") as process:
        state, says, mend = check(data, "worker_user")
        assert state == WARNING and f"worker {process.pid} runs as nobody" in says and "shares its rights" in says
        assert "postern.socket" in mend
    with Worker(data) as worker:
        wait_until(lambda: document(data)["workers"], "its row")
        state, says, mend = check(data, "worker_user")
        assert state == WRONG and f"worker {worker.pid} runs as root" in says and "postern.socket" in mend
        assert check(data, "workers")[1] == "1 worker runs"


@root_only
def test_a_worker_that_owns_the_data_is_a_warning(data):
    for folder, folders, files in os.walk(data.path):
        for name in [".", *folders, *files]:
            os.chown(os.path.join(folder, name), NOBODY, NOBODY)
    with worker_as(data, NOBODY, NOBODY, data.home / "run"):
        state, says, _ = check(data, "worker_user")
        assert state == WARNING and "who owns the data directory" in says


@root_only
def test_a_worker_whose_program_was_replaced(data):
    with worker_as(data, os.geteuid(), os.getegid(), data.home / "run") as process:
        assert checks(data, "worker_program") == []
        os.unlink(data.home / "run" / "postern-fcgi")
        shutil.copy(program("postern-fcgi"), data.home / "run" / "postern-fcgi")
        state, says, mend = check(data, "worker_program")
        assert state == WARNING and str(process.pid) in says and "restart" in mend


def test_attack_a_row_that_names_another_process(data):
    """A worker that was taken over writes init's pid, so that doctor would say of it what it says of workers."""
    with Worker(data) as worker:
        wait_until(lambda: document(data)["workers"], "its row")
        with RawDb(data.path / "ledger") as db:
            ((key, row),) = db.rows("workers")
            beat, started, pid = struct.unpack(">QQQ", row[:24])
            db.put("workers", key[:16] + struct.pack(">Q", 1), struct.pack(">QQQ", beat, started, 1) + row[24:])
        found = checks(data, "worker_user")
        assert pid == worker.pid and len(found) == 2
        assert [f for f in found if f[0] == SKIPPED and "names a worker 1," in f[1]]
        assert not [f for f in found if "worker 1 runs" in f[1]]


# ---- keys ----

def identity(worker, token):
    """The status of one identity request."""
    return fastcgi.ask(worker, path="/v1/sites/acme/identity", token=token).status


def test_keys_never_used_keys_old_and_keys_in_use(data, site):
    shim = Shim(data, "clock")
    assert check(data, "keys_unused")[0] == OK and check(data, "keys_old")[0] == OK
    shim["clock_offset_s"] = 8 * DAY
    state, says, mend = check(data, "keys_unused", env=shim.env)
    assert state == WARNING and f"acme/{site.kid}" in says and f"postern key retire acme {site.kid} --now" in mend
    with Worker(data) as worker:
        assert identity(worker, site.token()) == 200
    assert check(data, "keys_unused", env=shim.env)[0] == OK
    shim["clock_offset_s"] = 400 * DAY
    state, says, mend = check(data, "keys_old", env=shim.env)
    assert state == WARNING and f"acme/{site.kid}, 400 days" in says and f"postern key rotate acme {site.kid}" in mend


def test_rings_that_are_full_empty_or_damaged(data, site):
    data.add_site("empty", key=False)
    state, says, mend = check(data, "sites_without_key")
    assert state == WARNING and says.endswith(": empty") and "postern key create empty" in mend
    assert check(data, "ring_full")[0] == OK
    site.add_key()
    site.add_key()
    state, says, mend = check(data, "ring_full")
    assert state == WARNING and says.endswith(": acme") and "postern key list acme" in mend
    assert "acme, empty" in check(data, "sites_without_actions")[1]
    with RawDb(data.path / "vault") as db:
        db.put("rings", b"acme", b"nonsense")
    state, says, _ = check(data, "rings")
    assert state == WRONG and says.endswith(": acme")


def test_of_many_sites_a_few_are_named(data):
    for n in range(8):
        data.add_site(f"s{n}", key=False)
    assert check(data, "sites_without_key")[1].endswith(": s0, s1, s2, s3, s4 and 3 more")


# ---- what the records say ----

def line(seq, **members):
    record = {"event": "action", "id": "01JD0000000000000000000000", "outcome": "blocked", "seq": seq, "site": "acme",
              "time": int(time.time() * 1e6), "v": 1, **members}
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def add_records(data, *records):
    with RawDb(data.path / "ledger") as db:
        first = rawlog.size(db)
        rawlog.append(db, [line(first + n, **members) for n, members in enumerate(records)])


def test_a_backend_whose_clock_is_off(data, site):
    add_records(data, *[{"reason": "token_not_yet_valid"}] * 9)
    assert check(data, "token_not_yet_valid")[:2] == (OK, "9 tokens of the last day were not valid yet")
    now = int(time.time() * 1e6)
    add_records(data, {"reason": "token_not_yet_valid", "count": 30, "first": now - 10**7, "last": now})
    state, says, mend = check(data, "token_not_yet_valid")
    assert state == WARNING and says.startswith("39 tokens") and "date -u" in mend and site.kid
    state, says, mend = check(data, "budget")
    assert state == WARNING and "30 requests of the last day" in says and "into 1 records" in says and "--audit-budget" in mend
    shim = Shim(data, "clock")
    shim["clock_offset_s"] = 2 * DAY
    assert check(data, "token_not_yet_valid", env=shim.env)[0] == OK
    assert check(data, "budget", env=shim.env)[0] == OK


def test_a_backend_forgotten_in_a_rotation(data, site):
    old = site.kid
    token = site.token()
    site.add_key()
    site.retire(old)
    assert check(data, "key_retired")[0] == OK
    with Worker(data) as worker:
        assert identity(worker, token) == 401
    state, says, mend = check(data, "key_retired")
    assert state == WARNING and f"1 tokens of the last day named a retired key (acme/{old})" in says
    assert "postern key list acme" in mend


def test_attack_records_that_name_sites_for_a_shell_and_a_terminal(data, site):
    data.check_lines = False
    add_records(data, *[{"reason": "key_retired", "site": "$(reboot)\u001b[2J", "kid_claimed": f"k_aaaaaa{a}{b}"} for a in "abc" for b in "abc"],
                *[{"reason": "key_retired", "kid_claimed": f"k_bbbbbb{a}{b}"} for a in "abc" for b in "abc"],
                {"reason": "key_retired", "kid_claimed": "k_\u001b[2J"}, {"reason": 7, "count": "x", "time": -1}, {"count": -5})
    ran = data.ask("doctor")
    assert "reboot" not in ran.out and "\x1b" not in ran.out
    state, says, _ = check(data, "key_retired")
    assert state == WARNING and says.count("acme/k_") == 5 and site.kid


def test_tokens_without_exp(data):
    action = {"name": "mine", "title": "Mine", "description": "Mine.", "access": "personal", "effect": "read",
              "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
              "connector": {"type": "documents", "collection": "notes", "operation": "list"}}
    site = data.add_site("acme", actions={"actions": [action]})
    assert check(data, "expiry")[0] == OK
    data.run("action", "run", "acme", "mine", "--token-file", data.file("token", site.token(exp=None)))
    state, says, mend = check(data, "expiry")
    assert state == WARNING and says.endswith(": acme 1") and "postern site set acme --require-exp" in mend


def test_a_checkpoint_that_is_missing_or_old(data, site):
    assert check(data, "checkpoint")[0] == OK
    add_records(data, *[{"reason": "token_expired"}] * 1001)
    state, says, mend = check(data, "checkpoint")
    assert state == WARNING and "no checkpoint was ever signed" in says and "postern-checkpoint.service" in mend
    data.run("audit", "checkpoint")
    assert check(data, "checkpoint")[0] == OK
    shim = Shim(data, "clock")
    shim["clock_offset_s"] = 3 * DAY
    assert check(data, "checkpoint", env=shim.env)[0] == OK, "it vouches for all there is"
    site.add_key()
    state, says, _ = check(data, "checkpoint", env=shim.env)
    assert state == WARNING and "is 3d old" in says


def test_it_changes_nothing_however_much_is_wrong(data, site):
    with Worker(data) as worker:
        (data.path / "vault" / "data.mdb").chmod(0o644)
        (data.path / "swap.new").mkdir()
        before = {p: (stat.S_IMODE(p.stat().st_mode), p.stat().st_uid) for p in data.path.rglob("*")}
        document(data, "--socket", worker.socket)
        assert {p: (stat.S_IMODE(p.stat().st_mode), p.stat().st_uid) for p in data.path.rglob("*")} == before
    assert site.kid


# ---- a machine of its own, where all is as it should be ----

ACCOUNTS = """root:x:0:0::/root:/bin/sh
www-data:x:33:33::/:/bin/false
postern:x:7401:7401::/:/bin/false
postern-admin:x:7402:7401::/:/bin/false
"""


class Machine:
    """A mount namespace with accounts, /var/lib and /run of its own."""

    def __init__(self, home):
        self.home = home
        os.chmod(home, 0o755)
        (home / "passwd").write_text(ACCOUNTS)
        (home / "group").write_text("root:x:0:\nwww-data:x:33:\npostern:x:7401:\n")
        (home / "bin").mkdir()
        for name in ("postern", "postern-fcgi"):
            shutil.copy(program(name), home / "bin" / name)
        mounts = " && ".join([f"mount --bind {home}/passwd /etc/passwd", f"mount --bind {home}/group /etc/group",
                              "mount -t tmpfs -o size=3g tmpfs /var/lib", "mount -t tmpfs tmpfs /run",
                              "install -d -o postern -g www-data -m 0750 /run/postern"])
        self.holder = subprocess.Popen(["unshare", "--mount", "bash", "-c", f"{mounts} && echo ready && read"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if self.holder.stdout.readline() != b"ready\n":
            self.end()
            pytest.skip("no mount namespace can be made here")

    def inside(self, *command):
        return ["nsenter", "--target", str(self.holder.pid), "--mount", *map(str, command)]

    def ask(self, *args, env=None):
        own = [f"{name}={value}" for name, value in (env or {}).items()]       # not nsenter's
        done = subprocess.run(self.inside("env", *own, self.home / "bin" / "postern", *args), capture_output=True, timeout=30,
                              check=False, env=environment())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def end(self):
        self.holder.stdin.close()
        self.holder.wait(10)
        self.holder.stdout.close()


@pytest.fixture
def machine(data):
    m = Machine(data.home)
    yield m
    m.end()


@root_only
def test_where_all_is_as_it_should_be_the_answer_is_yes(data, machine):
    shim = Shim(data, "clock")
    shim["clock_sync"] = SYNCED
    machine.ask("init")
    code, out, _ = machine.ask("doctor", "--json", env=shim.env)
    assert code == 1 and "No worker is running" in out
    for args in (("site", "add", "acme"), ("key", "create", "acme"), ("audit", "checkpoint")):
        assert machine.ask(*args)[0] == 0
    worker = subprocess.Popen(machine.inside("setpriv", "--reuid=7401", "--regid=7401", "--groups=33", machine.home / "bin" / "postern-fcgi",
                                             "--listen", "/run/postern/fcgi.sock", "--listen-group", "www-data"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        wait_until(lambda: json.loads(machine.ask("doctor", "--json")[1])["workers"], "the worker's row", 20)
        code, out, err = machine.ask("doctor", env=shim.env)
        assert code == 0 and "No warnings." in out and err == "", out
        assert f"worker {worker.pid} runs as postern" in out
        assert "/run/postern/fcgi.sock (postern:www-data, mode 0660) answers that the worker is well" in out
        assert "/var/lib/postern belongs to postern-admin" in out
        subprocess.run(machine.inside("chown", "root", "/var/lib/postern"), check=True)
        found = {c["check"]: c for c in json.loads(machine.ask("doctor", "--json", env=shim.env)[1])["checks"]}
        assert found["data_directory"]["state"] == WARNING and found["data_directory"]["mend"] == "Run: sudo postern init"
    finally:
        end(worker)
