"""Backup, restore and compact: copies made while workers write, put back as a new incarnation of the log; killed anywhere,
they leave data that opens, or that says which command makes it so."""
import json
import os
import pwd
import random
import shutil
import stat
import subprocess
import threading
import time

import pytest

from lib import notes
from lib.datadir import DataDir, postern
from lib.programs import environment, program, wait_until
from lib.rawdb import flip_bytes
from lib.worker import Worker

pytestmark = pytest.mark.tree("plain")

FILES = ("vault/data.mdb", "vault/lock.mdb", "ledger/data.mdb", "ledger/lock.mdb", "admin.state", "admin.key", "master.key")


@pytest.fixture
def data():
    with DataDir() as d:
        d.add_site(notes.SITE, actions=notes.ACTIONS)
        yield d


def write_notes(worker, count, token=None, text="text"):
    env, body = notes.request_for("create_note" if token else "leave_note", {"text": text}, token)
    with worker.connect() as c:
        for _ in range(count):
            assert c.ask(env, body, keep=True).answer.check().status == 200


class Load:
    """Visitors that write until told to stop."""

    def __init__(self, worker):
        self.worker, self.written, self.stopped = worker, 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopped:
            write_notes(self.worker, 5)
            self.written += 5

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.written > 0, "the load to begin")
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()


def modes(data):
    return {name: (stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid) for name in FILES if (s := (data.path / name).stat())}


def verified(data, *what, dir=None):               # pylint: disable=redefined-builtin
    ran = postern("audit", "verify", *what, "--data", dir or data.path)
    assert ran.code == 0 and ran.out.startswith("verified"), str(ran)


def site_name(path):
    ran = postern("site", "show", notes.SITE, "--json", "--data", path)
    assert ran.code == 0, str(ran)
    return ran.json["name"]


def backup(data, name):
    data.run("backup", data.home / name)
    return data.home / name


# ---- backup ----

def test_backups_made_under_load_verify_and_hold_no_key(data):
    keys = [(data.path / name).read_bytes() for name in ("master.key", "admin.key")]
    with Worker(data, "--audit-budget", "0") as worker, Load(worker) as load:
        for n in range(5):
            before = load.written
            ran = data.run("backup", data.home / f"backup-{n}")
            assert ran.out.startswith("verified") and "neither master.key nor admin.key" in ran.err
            wait_until(lambda b=before: load.written > b, "the load to go on")
    sizes = []
    for n in range(5):
        folder = data.home / f"backup-{n}"
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
        assert files == ["ledger", "ledger/data.mdb", "vault", "vault/data.mdb"]
        assert all(stat.S_IMODE((folder / f).stat().st_mode) == (0o700 if "." not in f else 0o600) for f in files)
        assert not any(key in (folder / f).read_bytes() for key in keys for f in files if "." in f)
        sizes.append(json.loads(data.run("audit", "verify", folder, "--json").out)["size"])
    assert sizes == sorted(set(sizes))
    verified(data)
    assert [r["outcome"] for r in data.audit(event="audit")] == ["intended", "done"] * 5


def test_a_backup_is_a_new_directory(data):
    data.file("there", "precious")
    data.run("backup", data.home / "there", expect=2)
    ran = data.run("backup", data.home / "none" / "backup", expect=3)
    assert f"{data.home}/none/backup: No such file or directory: make the directory" in ran.err
    data.run("backup", data.home, expect=2)
    assert (data.home / "there").read_text(encoding="utf-8") == "precious"


def test_what_is_no_backup_is_not_restored(data):
    (data.home / "empty").mkdir()
    half = backup(data, "half")
    (half / "ledger" / "data.mdb").unlink()
    for path in (data.home / "none", data.home / "empty", half):
        ran = data.run("restore", path, "--accept-all-keys", "--yes", expect=3)
        assert f"{path} is no backup" in ran.err and "postern init" not in ran.err
    for path in (data.home / "empty", half):
        ran = data.run("audit", "verify", path, expect=3)
        assert f"{path} is no backup" in ran.err and "postern init" not in ran.err


def test_a_backup_of_a_log_that_was_altered_says_so(data):
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 3)
    data.run("audit", "checkpoint")
    flip_bytes(data.path / "ledger" / "data.mdb", b'"action":"leave_note"', 12)
    data.check_lines = False
    ran = data.run("backup", data.home / "backup", expect=1)
    assert ran.out.startswith("tampered")
    ran = data.run("restore", data.home / "backup", "--accept-all-keys", "--yes", expect=1)
    assert "tampered" in ran.err


# ---- restore ----

def fresh(data, name="fresh"):
    """Another machine: the keys were kept apart, and are put there first."""
    path = data.home / name
    path.mkdir()
    for key in ("master.key", "admin.key"):
        shutil.copy2(data.path / key, path / key)
    assert postern("init", "--data", path).code == 0
    return path


def test_a_backup_is_restored_into_a_fresh_directory(data):
    site = data.sites[notes.SITE]
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 20, site.token())
    old = backup(data, "backup")
    vkey = data.run("audit", "vkey").out
    note = data.file("note", data.run("audit", "export", "--checkpoint").out)
    note.write_text("postern/" + note.read_text(encoding="utf-8").split("\npostern/")[1], encoding="utf-8")
    path = fresh(data)
    ran = postern("restore", old, "--accept-all-keys", "--yes", "--json", "--data", path)
    assert ran.code == 0, str(ran)
    assert (ran.json["accepted"], ran.json["retired"]) == (1, 0)
    assert ran.json["former"] in vkey and ran.json["origin"] != ran.json["former"]
    verified(data, dir=path)

    lines = postern("audit", "export", "--data", path).out.splitlines()
    first = json.loads(lines[ran.json["records"]])
    assert first["detail"] == {"change": "restore", "keys": [], "origin": ran.json["former"], "records": ran.json["records"],
                               "retired": 0}
    assert lines[:ran.json["records"]] == data.audit_lines()[:ran.json["records"]]
    assert postern("audit", "vkey", "--data", path).out.startswith(ran.json["origin"])
    # what was signed after the backup was made is not in it, and is missed
    missed = postern("audit", "verify", "--note", note, "--data", path)
    assert missed.code == 1 and missed.out.startswith("truncated"), str(missed)
    data.path, kept = path, data.path
    with Worker(data, "--audit-budget", "0") as worker:
        assert notes.act(worker, "create_note", {"text": "again"}, site.token()).status == 200
    verified(data)
    data.path = kept


def test_only_the_keys_that_are_named_verify_afterwards(data):
    site = data.sites[notes.SITE]
    stolen, good = site.kid, site.add_key()
    old = backup(data, "backup")
    site.retire(stolen)                            # after the backup, which still has its secret
    ran = data.run("restore", old, "--accept-key", good, "--yes")
    assert "1 accepted, 1 retired" in ran.out
    states = {k["kid"]: k["state"] for k in data.run("key", "list", notes.SITE, "--json").json}
    assert states == {stolen: "retired", good: "active"}
    assert data.audit(event="audit", outcome="done")[-1]["detail"]["keys"] == [stolen]
    with Worker(data, "--audit-budget", "0") as worker:
        assert notes.act(worker, "create_note", {"text": "x"}, site.token(stolen)).status == 401
        assert notes.act(worker, "create_note", {"text": "x"}, site.token(good)).status == 200
    verified(data)


def test_what_is_not_right_changes_nothing(data):
    old = backup(data, "backup")
    data.run("site", "set", notes.SITE, "--name", "since")
    state = (data.path / "admin.state").read_bytes()
    everything = ("restore", old, "--accept-all-keys", "--yes")
    assert "k_aaaaaaaa" in data.run("restore", old, "--accept-key", "k_aaaaaaaa", "--yes", expect=1).err
    data.run("restore", old, "--yes", expect=2)
    data.run("restore", old, "--accept-all-keys", "--accept-key", data.sites[notes.SITE].kid, "--yes", expect=2)
    data.run("restore", old, "--accept-all-keys", expect=2)
    data.run("restore", data.home / "none", "--accept-all-keys", "--yes", expect=3)
    assert "is the data itself" in data.run("restore", data.path, "--accept-all-keys", "--yes", expect=3).err
    other = data.home / "other.key"
    other.write_bytes(os.urandom(32))
    other.chmod(0o600)
    data.run(*everything, expect=3, env={"POSTERN_MASTER_KEY_FILE": other})
    ran = data.run(*everything, expect=3, env={"POSTERN_MASTER_KEY_FILE": data.home / "gone.key"})
    assert "gone.key is missing: put back" in ran.err
    assert (data.path / "admin.state").read_bytes() == state and site_name(data.path) == "since"
    assert not list(data.path.glob("swap*"))
    data.run(*everything)
    assert site_name(data.path) != "since"


def test_a_backup_that_was_altered_is_not_restored(data):
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 3)
    old = backup(data, "backup")
    flip_bytes(old / "ledger" / "data.mdb", b'"action":"leave_note"', 12)
    ran = data.run("restore", old, "--accept-all-keys", "--yes", expect=1)
    assert "tampered" in ran.err
    verified(data)


def test_owners_and_modes_stay(data):
    before = modes(data)
    old = backup(data, "backup")
    data.run("restore", old, "--accept-all-keys", "--yes")
    assert modes(data) == before
    data.run("compact")
    assert modes(data) == before


# ---- in use ----

def test_data_in_use_is_neither_replaced_nor_compacted(data):
    site = data.sites[notes.SITE]
    old = backup(data, "backup")
    with Worker(data, "--audit-budget", "0") as worker:
        for command in (("restore", old, "--accept-all-keys", "--yes"), ("compact",)):
            ran = data.run(*command, expect=3)
            assert "in use" in ran.err and "stop every worker" in ran.err
        assert notes.act(worker, "create_note", {"text": "x"}, site.token()).status == 200
    with subprocess.Popen([program("postern"), "audit", "follow", "--after", "0", "--data", str(data.path)], env=environment(),
                          stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline()
        data.run("compact", expect=3)
        reader.kill()
    data.run("compact")
    verified(data)


# ---- compact ----

def test_what_was_deleted_is_gone_after_compacting(data):
    rows = [{"collection": "notes", "id": f"n{i}", "owner": None, "data": {"text": f"secret-{i}-" + "x" * 500}} for i in range(2000)]
    data.sites[notes.SITE].import_documents(rows)
    data.run("site", "remove", notes.SITE, "--yes")
    ledger = data.path / "ledger" / "data.mdb"
    before = ledger.stat().st_size
    assert b"secret-77-" in ledger.read_bytes()    # that is why
    assert data.run("compact", "--json").json == {"data": str(data.path)}
    assert b"secret-" not in ledger.read_bytes() and ledger.stat().st_size < before / 4
    data.run("audit", "checkpoint")
    verified(data)


# ---- kill -9 ----

def run_killed(seconds, *args):
    with subprocess.Popen([program("postern"), *map(str, args)], env=environment(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)                        # the moment of the kill is what varies
        process.kill()
        return process.wait() != 0


def opens_or_says_how(data):
    """After a kill: data that opens, or after the command that it names. Was there something to finish?"""
    ran = data.ask("site", "list")
    if ran.code != 0:
        assert ran.code == 3 and "run postern compact to finish it" in ran.err, str(ran)
        data.run("compact")
        data.run("site", "list")
    verified(data)
    assert not (data.path / "swap").exists()
    return ran.code != 0


def seconds_of(*args):
    start = time.monotonic()
    assert postern(*args).code == 0
    return time.monotonic() - start


def test_compact_and_restore_can_be_killed_anywhere(data):
    with Worker(data, "--audit-budget", "0") as worker:
        write_notes(worker, 500)
    data.run("site", "set", notes.SITE, "--name", "old")
    old = backup(data, "backup")
    data.run("site", "set", notes.SITE, "--name", "new")
    data.run("audit", "checkpoint")
    before = modes(data)
    restore = ("restore", old, "--accept-all-keys", "--yes", "--data", data.path)
    compact = ("compact", "--data", data.path)
    longest = {compact: seconds_of(*compact), restore: seconds_of(*restore)}
    cut = seen_old = 0
    for n in range(60):
        data.run("site", "set", notes.SITE, "--name", "new")
        data.run("audit", "checkpoint")
        command = compact if n % 3 == 0 else restore
        killed = run_killed(random.uniform(0.3, 1.05) * longest[command], *command)
        opens_or_says_how(data)
        name = site_name(data.path)
        # A machine is busy at one time and not at another: the kills stay around the moment that counts.
        longest[command] *= 1.1 if killed and name == "new" else 0.95
        cut += killed
        assert name in (("new",) if command is compact else ("old", "new"))
        seen_old += name == "old"
        assert modes(data) == before
    assert cut > 10 and seen_old > 3
    data.run("compact")
    assert not list(data.path.glob("swap*")) and modes(data) == before
    with Worker(data) as worker:
        assert notes.health(worker).status == 200


def test_a_swap_that_was_cut_between_two_files_is_finished(data):
    """The few moments that a kill hardly ever meets: decided, and the vault's file alone moved."""
    data.run("site", "set", notes.SITE, "--name", "old")
    old, swap, before = backup(data, "backup"), data.path / "swap", modes(data)
    state = (data.path / "admin.state").read_bytes()
    data.run("site", "set", notes.SITE, "--name", "new")
    for env in ("vault", "ledger"):
        (swap / env).mkdir(parents=True)
        shutil.copy2(old / env / "data.mdb", swap / env / "data.mdb")
        os.chmod(swap / env / "data.mdb", before[f"{env}/data.mdb"][0])
    (swap / "admin.state").write_bytes(state)
    os.chmod(swap / "admin.state", 0o600)
    os.link(data.path / "vault" / "data.mdb", swap / "vault" / "old.mdb")
    os.rename(swap / "vault" / "data.mdb", data.path / "vault" / "data.mdb")
    for command in (("site", "list"), ("init",), ("audit", "verify")):
        ran = data.ask(*command)
        assert ran.code == 3 and "run postern compact to finish it" in ran.err, str(ran)
    assert opens_or_says_how(data)
    assert site_name(data.path) == "old" and modes(data) == before


# ---- as root ----

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_backs_up_and_restores_what_is_somebody_elses(data):
    try:
        owner = pwd.getpwnam("www-data")
    except KeyError:
        pytest.skip("no user www-data")
    os.chmod(data.home, 0o755)
    for path in [data.path, *data.path.rglob("*")]:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    private = data.home / "private"
    private.mkdir(mode=0o700)
    old = backup(data, "private/backup")
    assert {p.stat().st_uid for p in [old, *old.rglob("*")]} == {owner.pw_uid}
    for path in [old, *old.rglob("*")]:            # as a backup that root brought back from elsewhere
        os.chown(path, 0, 0)
    before = modes(data)
    data.run("restore", old, "--accept-all-keys", "--yes")
    data.run("compact")
    assert modes(data) == before and {s[1] for s in before.values()} == {owner.pw_uid}
    assert all(r["actor"].endswith(":root") for r in data.audit(event="audit"))
    verified(data)
